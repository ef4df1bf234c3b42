/*
 * secretfile.h: reads what holds passwords, without leaving copies behind.
 *
 * Private to passwords.c, netrc.c and prompt.c. No stdio: its buffers could
 * not be wiped.
 */
#pragma once

#include "../imapclient/net/secret.h"

#include <stdbool.h>
#include <sys/stat.h>

/* The most that a passfile, a passcmd or a netrc may hold. */
#define SECRETFILE_MAX (64 * 1024)

/* What was read, with a NUL behind it; wiped when cleared. */
typedef struct {
    char *data;
    size_t length;
} SecretText;

void secrettext_clear(SecretText *text);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SecretText, secrettext_clear)

/* Opens for reading; -1 with the error's errno, and EINVAL where it is no regular file. */
int secretfile_open(const char *path, struct stat *status, GError **error);

/* EACCES where the file belongs to somebody else (but root), or group or others have any access;
 * the message says what to do. */
bool secretfile_check(const char *path, const struct stat *status, GError **error);

/* All that fd has; name is what the messages call it. EFBIG beyond SECRETFILE_MAX. */
bool secretfile_read(int fd, const char *name, SecretText *text, GError **error);

/* The first line, without its line end; NULL with ENOKEY where it is empty, and EINVAL where it
 * holds a NUL. */
Secret *secretfile_first_line(const SecretText *text, const char *name, GError **error);
