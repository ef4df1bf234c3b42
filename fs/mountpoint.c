#include "mountpoint.h"

#include "../cache/mail.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define PULLMAIL_TYPE "fuse.pullmail"

/* The fields of a line of mountinfo: id, parent, device, root, mount point, options, then any
 * number of tags, "-", and the type. */
enum { FIELD_MOUNTPOINT = 4, FIELD_TAGS = 6 };

static char *line_type(const char *line, const char *path)
{
    g_auto(GStrv) fields = g_strsplit(line, " ", -1);
    g_autofree char *mountpoint = NULL;
    unsigned i = FIELD_TAGS;

    if (g_strv_length(fields) <= FIELD_TAGS)
        return NULL;
    mountpoint = g_strcompress(fields[FIELD_MOUNTPOINT]); /* "\040" for a space, and so on */
    if (strcmp(mountpoint, path) != 0)
        return NULL;
    while (fields[i] && strcmp(fields[i], "-") != 0)
        i++;
    return fields[i] ? g_strdup(fields[i + 1]) : NULL;
}

char *mountpoint_type(const char *mountinfo, const char *path)
{
    g_auto(GStrv) lines = g_strsplit(mountinfo, "\n", -1);
    char *found = NULL;

    /* A mount further down covers those above it. */
    for (unsigned i = 0; lines[i]; i++) {
        char *type = line_type(lines[i], path);
        if (type) {
            g_free(found);
            found = type;
        }
    }
    return found;
}

static bool is_pullmail(const char *path)
{
    g_autofree char *mountinfo = NULL;
    g_autofree char *type = NULL;

    if (!g_file_get_contents("/proc/self/mountinfo", &mountinfo, NULL, NULL))
        return false;
    type = mountpoint_type(mountinfo, path);
    return g_strcmp0(type, PULLMAIL_TYPE) == 0;
}

static void refuse(const char *path, int code, GError **error)
{
    if (code == ENOENT)
        g_set_error(error, MAIL_ERROR, code, "mount point %s does not exist; make it with mkdir",
                    path);
    else if (code == ENOTDIR)
        g_set_error(error, MAIL_ERROR, code, "mount point %s is not a directory", path);
    else if (code == ENOTCONN)
        g_set_error(error, MAIL_ERROR, code,
                    "%s is still mounted by a file system that died; run: fusermount3 -u %s", path,
                    path);
    else if (code == EBUSY)
        g_set_error(error, MAIL_ERROR, code,
                    "%s is mounted by pullmail already; to unmount it, run: fusermount3 -u %s",
                    path, path);
    else
        g_set_error(error, MAIL_ERROR, code, "mount point %s: %s", path, g_strerror(code));
}

/* The errno of what stands against mounting there, or 0. */
static int check(const char *path, bool pullmail)
{
    struct stat status;
    struct statfs file_system;

    /* The kernel answers stat() for a while from what the daemon told it, but never statfs(). */
    if (pullmail)
        return statfs(path, &file_system) < 0 && errno == ENOTCONN ? ENOTCONN : EBUSY;
    if (stat(path, &status) < 0)
        return errno;
    return S_ISDIR(status.st_mode) ? 0 : ENOTDIR;
}

char *mountpoint_resolve(const char *path, bool *stale, GError **error)
{
    char *absolute = realpath(path, NULL); /* freed by free(), which g_free() is */
    bool pullmail = absolute && is_pullmail(absolute);
    int code = absolute ? check(absolute, pullmail) : errno;
    bool dead = pullmail && code == ENOTCONN;

    if (stale)
        *stale = dead;
    if (code != 0 && !dead) {
        refuse(path, code, error);
        g_clear_pointer(&absolute, free);
    }
    return absolute;
}

/* As an ordinary user does it, who mounted it. */
static bool run_fusermount(const char *path, GError **error)
{
    const char *arguments[] = {"fusermount3", "-u", "-z", "--", path, NULL};
    g_autofree char *complaint = NULL;
    g_autoptr(GError) problem = NULL;
    int status = 0;

    if (g_spawn_sync(NULL, (char **)arguments, NULL,
                     G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL, &complaint,
                     &status, &problem) &&
        g_spawn_check_wait_status(status, &problem))
        return true;
    if (complaint)
        g_strchomp(complaint);
    g_set_error(error, MAIL_ERROR, EPERM, "%s is still mounted by a pullmail that died: %s", path,
                complaint && *complaint ? complaint : problem->message);
    return false;
}

bool mountpoint_clear(const char *path, GError **error)
{
    if (check(path, true) != ENOTCONN) {
        refuse(path, EBUSY, error);
        return false;
    }
    return umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0 || run_fusermount(path, error);
}
