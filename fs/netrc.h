/*
 * netrc.h: logins and passwords from $NETRC or ~/.netrc.
 *
 * Private to credentials.c, on the main thread, and passwords.c.
 *
 * The file is words between white space: "machine HOST" or "default", then "login", "password" and
 * "account" with a word each. A word in "…" may hold spaces, and any character behind a '\'. "#"
 * where a keyword may stand begins a comment; "macdef NAME" takes all lines up to an empty one.
 */
#pragma once

#include "secretfile.h"

typedef struct {
    char *login;      /* or NULL */
    Secret *password; /* or NULL */
} NetrcEntry;

void netrc_entry_clear(NetrcEntry *entry);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(NetrcEntry, netrc_entry_clear)

/*
 * The entry for a host (any case): where user is given, the first whose login it is, else the first
 * without a login; without a user, the first of the host. What "machine" does not have, "default"
 * may. Both members stay NULL where there is none. The text is changed, not kept. Fails with EINVAL
 * where a '"' is never closed.
 */
bool netrc_parse(SecretText *text, const char *host, const char *user, NetrcEntry *entry,
                 GError **error);

/* $NETRC or ~/.netrc; the caller frees. */
char *netrc_path(void);

/*
 * The same from the file; none is no error. With want_password, fails with EACCES where the entry
 * has a password and others can read the file; without, the password is not told.
 */
bool netrc_find(const char *host, const char *user, bool want_password, NetrcEntry *entry,
                GError **error);
