/*
 * optvalue.h: the values of options: numbers, sizes, owners, paths.
 *
 * Private to options.c, on the main thread. All fail with EINVAL and a message that names the
 * option (its name with the '=', such as "refresh="), the value and what would be right.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Decimal, from minimum to maximum. */
bool optvalue_number(const char *name, const char *value, unsigned minimum, unsigned maximum,
                     unsigned *number, GError **error);
/* Bytes: decimal, with K, M, G or T (of 1024) behind it; at most INT64_MAX. */
bool optvalue_size(const char *name, const char *value, uint64_t *size, GError **error);
/* Octal, up to 0777. */
bool optvalue_umask(const char *name, const char *value, mode_t *mask, GError **error);
/* A number, or a name that the system knows. */
bool optvalue_uid(const char *name, const char *value, uid_t *uid, GError **error);
bool optvalue_gid(const char *name, const char *value, gid_t *gid, GError **error);
/* A path, made absolute as of the working directory now; "~/" is the home directory, since no
 * shell expands it behind a comma. The caller frees. */
char *optvalue_path(const char *name, const char *value, GError **error);
/* Fit for a login or a folder: not empty, UTF-8, no control characters. */
bool optvalue_text(const char *name, const char *value, GError **error);
/* The place of value in choices (NULL ends them), any case; -1 with an error where it is not. */
int optvalue_choice(const char *name, const char *value, const char *const choices[],
                    GError **error);
