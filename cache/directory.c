#include "directory.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READABLE_PART 64 /* bytes of the account's key in the directory's name */
#define HASH_DIGITS 16
#define ROOTS_BASE "/var/cache/pullmail"

static bool refuse(GError **error, int code, const char *path, const char *why)
{
    g_set_error(error, MAIL_ERROR, code, "the cache directory %s %s", path, why);
    return false;
}

/* --- names ---------------------------------------------------------------------------------- */

/* "ann@mail.example.org_993-0123456789abcdef": no '/', and no '.' ahead. */
static char *account_name(const char *key)
{
    const char *scheme = strstr(key, "://");
    GString *name = g_string_new(NULL);
    for (const char *c = scheme ? scheme + 3 : key; *c && name->len < READABLE_PART; c++) {
        bool plain = g_ascii_isalnum(*c) || *c == '@' || *c == '-' || (*c == '.' && name->len);
        g_string_append_c(name, plain ? *c : '_');
    }
    g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, key, -1);
    g_string_append_printf(name, "-%.*s", HASH_DIGITS, hash);
    return g_string_free(name, FALSE);
}

static char *home(void)
{
    const char *variable = g_getenv("HOME");
    if (variable && g_path_is_absolute(variable))
        return g_strdup(variable);
    const struct passwd *entry = getpwuid(geteuid());
    return g_strdup(entry && entry->pw_dir && *entry->pw_dir ? entry->pw_dir : "/");
}

static char *default_base(void)
{
    if (geteuid() == 0)
        return g_strdup(ROOTS_BASE);
    const char *xdg = g_getenv("XDG_CACHE_HOME");
    if (xdg && g_path_is_absolute(xdg))
        return g_build_filename(xdg, "pullmail", NULL);
    g_autofree char *own = home();
    return g_build_filename(own, ".cache", "pullmail", NULL);
}

/* --- what may be used ----------------------------------------------------------------------- */

static bool owned(const struct stat *st)
{
    return st->st_uid == geteuid() || st->st_uid == 0;
}

/* Whoever owns a symbolic link decides where the cache ends up. */
static bool check_link(const char *path, GError **error)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return refuse(error, errno, path, g_strerror(errno));
    if (S_ISLNK(st.st_mode) && !owned(&st))
        return refuse(error, EACCES, path, "is reached by another user's symbolic link");
    return true;
}

/* Made 0700, whatever the umask says. Not an error where it is there already. */
static bool make_one(const char *path, GError **error)
{
    if (mkdir(path, 0700) < 0) {
        int code = errno;
        struct stat st;
        if (lstat(path, &st) == 0)
            return check_link(path, error);
        g_set_error(error, MAIL_ERROR, code,
                    "the cache directory %s can't be made: %s; name another one by cachedir=", path,
                    g_strerror(code));
        return false;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool done = fd >= 0 && fchmod(fd, 0700) == 0;
    int code = errno;
    if (fd >= 0)
        close(fd);
    return done || refuse(error, code, path, g_strerror(code));
}

/* path is absolute and canonical. */
static bool make_parents(const char *path, GError **error)
{
    g_autofree char *part = g_strdup(path);
    for (char *slash = strchr(part + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash)
            *slash = 0;
        if (!make_one(part, error))
            return false;
        if (!slash)
            return true;
        *slash = '/';
    }
}

/* base holds the accounts' directories: nobody else may be able to exchange one of them. */
static bool check_base(const char *path, GError **error)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return refuse(error, errno, path, g_strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return refuse(error, ENOTDIR, path, "is not a directory");
    if (!owned(&st))
        return refuse(error, EACCES, path, "belongs to another user; name another by cachedir=");
    if ((st.st_mode & 022) && !(st.st_mode & S_ISVTX))
        return refuse(error, EACCES, path,
                      "can be changed by other users; chmod go-w it, or name another by cachedir=");
    return true;
}

/* The account's directory is the user's own, and private from now on. */
static bool check_own(const char *path, uid_t uid, GError **error)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        int code = errno == ELOOP ? ENOTDIR : errno;
        return refuse(error, code, path,
                      code == ENOTDIR ? "is not a directory; move it away" : g_strerror(code));
    }
    struct stat st;
    bool fine = false;
    if (fstat(fd, &st) < 0)
        refuse(error, errno, path, g_strerror(errno));
    else if (st.st_uid != uid)
        refuse(error, EACCES, path, "belongs to another user; name another by cachedir=");
    else if (st.st_mode & 022)
        refuse(error, EACCES, path, "can be changed by other users; remove it");
    else if ((st.st_mode & 07777) != 0700 && fchmod(fd, 0700) < 0)
        refuse(error, errno, path, g_strerror(errno));
    else
        fine = true;
    close(fd);
    return fine;
}

char *cache_directory(const char *base, const char *account_key, GError **error)
{
    g_autofree char *given = base ? g_strdup(base) : default_base();
    g_autofree char *canonical = g_canonicalize_filename(given, NULL);
    g_autofree char *name = account_name(account_key);
    g_autofree char *path = g_build_filename(canonical, name, NULL);
    if (!make_parents(canonical, error) || !check_base(canonical, error) ||
        !make_one(path, error) || !check_own(path, geteuid(), error))
        return NULL;
    return g_steal_pointer(&path);
}

/* Nobody but root can put anything into the base, so that path is what was made just now. */
static bool make_for(const char *path, uid_t uid, gid_t gid, GError **error)
{
    if (mkdir(path, 0700) < 0)
        return errno == EEXIST || refuse(error, errno, path, g_strerror(errno));
    return lchown(path, uid, gid) == 0 || refuse(error, errno, path, g_strerror(errno));
}

static bool check_roots_base(GError **error)
{
    struct stat st;
    if (lstat(ROOTS_BASE, &st) < 0)
        return refuse(error, errno, ROOTS_BASE, g_strerror(errno));
    if (!S_ISDIR(st.st_mode) || st.st_uid != 0 || (st.st_mode & 022))
        return refuse(error, EACCES, ROOTS_BASE, "must be a directory that only root can change");
    if (!(st.st_mode & 1) && chmod(ROOTS_BASE, 0711) < 0)
        return refuse(error, errno, ROOTS_BASE, g_strerror(errno));
    return true;
}

char *cache_directory_of(const char *account_key, uid_t uid, gid_t gid, GError **error)
{
    g_autofree char *key = g_strdup_printf("%s#%u", account_key, uid);
    g_autofree char *name = account_name(key);
    g_autofree char *path = g_build_filename(ROOTS_BASE, name, NULL);
    if (!make_parents(ROOTS_BASE, error) || !check_roots_base(error) ||
        !make_for(path, uid, gid, error) || !check_own(path, uid, error))
        return NULL;
    return g_steal_pointer(&path);
}
