#include "privatefile.h"

#include "../cache/mail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where the file system has no O_TMPFILE, it has a name for a moment. */
static int open_in(const char *directory)
{
    int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    g_autofree char *path = NULL;

    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
        return fd;
    path = g_build_filename(directory, "draft-XXXXXX", NULL);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

int privatefile_open(const char *directory, GError **error)
{
    int fd = directory ? open_in(directory) : -1, code;

    if (fd < 0)
        fd = open_in(g_get_tmp_dir());
    if (fd < 0) {
        code = errno;
        g_set_error(error, MAIL_ERROR, code, "nothing can be written to %s: %s", g_get_tmp_dir(),
                    g_strerror(code));
    }
    return fd;
}
