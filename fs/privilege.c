#include "privilege.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { UNMOUNTING = 1 << CAP_SYS_ADMIN | 1 << CAP_DAC_READ_SEARCH };

static bool fail(const char *what, GError **error)
{
    int code = errno;

    g_set_error(error, MAIL_ERROR, code, "%s: %s", what, g_strerror(code));
    return false;
}

static gid_t group_of(const Options *options)
{
    const struct passwd *entry;

    if (options->gid != 0)
        return options->gid;
    entry = getpwuid(options->uid);
    return entry ? entry->pw_gid : (gid_t)options->uid;
}

/* Whether the system knows the numbers at all. */
static bool can_become(const Privilege *privilege)
{
    bool can = setegid(privilege->gid) == 0 && seteuid(privilege->uid) == 0;
    int code = errno;

    if (seteuid(0) != 0 || setegid(0) != 0)
        g_error("root can't be had back: %s", g_strerror(errno));
    errno = code;
    return can;
}

Privilege privilege_of(const Options *options)
{
    Privilege privilege = {geteuid() == 0 && getuid() == 0 && options->uid != 0, options->uid, 0};

    if (!privilege.drops)
        return privilege;
    privilege.gid = group_of(options);
    if (!can_become(&privilege)) {
        g_warning("working as root, since it can't be as user %u: %s", options->uid,
                  g_strerror(errno));
        privilege.drops = false;
    }
    return privilege;
}

bool privilege_lend(const Privilege *privilege, GError **error)
{
    if (privilege->drops && (setegid(privilege->gid) != 0 || seteuid(privilege->uid) != 0 ||
                             prctl(PR_SET_DUMPABLE, 0) != 0))
        return fail("can't work as the user of uid=", error);
    return true;
}

bool privilege_take_back(const Privilege *privilege, GError **error)
{
    if (privilege->drops && (seteuid(0) != 0 || setegid(0) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0))
        return fail("can't work as root", error);
    return true;
}

/* This thread's, and of those that it begins. */
static int set_capabilities(uint32_t permitted, uint32_t effective)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[2] = {{effective, permitted, 0}, {0, 0, 0}};

    return (int)syscall(SYS_capset, &header, sets);
}

/* The groups that the user is in; those of root are no business of his daemon. */
static int set_groups(const Privilege *privilege)
{
    const struct passwd *entry = getpwuid(privilege->uid);

    return entry ? initgroups(entry->pw_name, privilege->gid) : setgroups(0, NULL);
}

/* Capabilities are the thread's; the C library sets IDs of all threads, which lose theirs by it. */
bool privilege_drop(const Privilege *privilege, GError **error)
{
    uid_t uid = privilege->uid;
    gid_t gid = privilege->gid;

    if (!privilege->drops)
        return true;
    if (set_groups(privilege) != 0 || setresgid(gid, gid, gid) != 0 ||
        prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || setresuid(uid, uid, uid) != 0 ||
        prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) != 0 || set_capabilities(UNMOUNTING, 0) != 0 ||
        prctl(PR_SET_DUMPABLE, 0) != 0)
        return fail("can't give up root's rights", error);
    if (setuid(0) == 0) {
        errno = EPERM;
        return fail("root's rights can be had back", error);
    }
    return true;
}

void privilege_raise_to_unmount(const Privilege *privilege)
{
    if (privilege->drops && set_capabilities(UNMOUNTING, UNMOUNTING) != 0)
        g_warning("the mount can't be ended: %s", g_strerror(errno));
}
