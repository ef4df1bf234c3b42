#include "secretfile.h"

#include "../cache/mail.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void secrettext_clear(SecretText *text)
{
    if (text->data)
        secret_wipe(text->data, text->length);
    g_free(text->data);
    *text = (SecretText){0};
}

int secretfile_open(const char *path, struct stat *status, GError **error)
{
    /* O_NONBLOCK: not to wait for the writer of a FIFO. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    int code = 0;

    if (fd < 0 || fstat(fd, status) < 0)
        code = errno;
    else if (!S_ISREG(status->st_mode))
        code = EINVAL;
    if (code == 0)
        return fd;
    g_set_error(error, MAIL_ERROR, code, "can't read %s: %s", path,
                code == EINVAL ? "it is no regular file" : g_strerror(code));
    if (fd >= 0)
        close(fd);
    return -1;
}

bool secretfile_check(const char *path, const struct stat *status, GError **error)
{
    if (status->st_uid != geteuid() && status->st_uid != 0)
        g_set_error(error, MAIL_ERROR, EACCES,
                    "%s is refused, since it belongs to somebody else; run: chown %lu %s", path,
                    (unsigned long)geteuid(), path);
    else if (status->st_mode & (S_IRWXG | S_IRWXO))
        g_set_error(error, MAIL_ERROR, EACCES,
                    "%s is refused, since it holds a password and others have access to it; "
                    "run: chmod 600 %s",
                    path, path);
    else
        return true;
    return false;
}

bool secretfile_read(int fd, const char *name, SecretText *text, GError **error)
{
    ssize_t count = 0;
    int code = 0;

    *text = (SecretText){.data = g_malloc(SECRETFILE_MAX + 1)};
    while (text->length <= SECRETFILE_MAX) {
        count = read(fd, text->data + text->length, SECRETFILE_MAX + 1 - text->length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            break;
        text->length += (size_t)count;
    }
    if (count < 0)
        code = errno;
    else if (text->length > SECRETFILE_MAX)
        code = EFBIG;
    if (code == 0) {
        text->data[text->length] = 0;
        return true;
    }
    g_set_error(error, MAIL_ERROR, code, "can't read %s: %s", name,
                code == EFBIG ? "it is longer than 64 KiB" : g_strerror(code));
    secrettext_clear(text);
    return false;
}

Secret *secretfile_first_line(const SecretText *text, const char *name, GError **error)
{
    const char *newline = memchr(text->data, '\n', text->length);
    size_t length = newline ? (size_t)(newline - text->data) : text->length;

    if (length > 0 && text->data[length - 1] == '\r')
        length--;
    if (length > 0 && !memchr(text->data, 0, length))
        return secret_new(text->data, (gssize)length);
    if (length == 0)
        g_set_error(error, MAIL_ERROR, ENOKEY, "%s has no password: its first line is empty", name);
    else
        g_set_error(error, MAIL_ERROR, EINVAL, "the first line of %s holds a NUL byte", name);
    return NULL;
}
