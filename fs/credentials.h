/*
 * credentials.h: who logs in, and with which password.
 *
 * Used by the main thread before it goes to the background, since a prompt needs the terminal and
 * a command may take its time.
 */
#pragma once

#include "../imapclient/net/secret.h"
#include "options.h"

typedef struct {
    char *user;
    Secret *password; /* NULL: none was found, and none is needed (auth=external, offline=always) */
    bool is_typed;    /* on a terminal: nowhere can it be read again */
} Credentials;

/*
 * The user is options' user, else netrc's login for the host, else $USER, else the name of who runs
 * this. The password (or token) comes from passfile= (its first line; refused with EACCES where
 * group or others have access to it or it belongs to somebody else but root), passcmd= (first line
 * of what the command prints; run by /bin/sh; a failure is EACCES and tells its exit status),
 * $NETRC or ~/.netrc (same rule of mode), or a prompt on /dev/tty without echo; ENOKEY where there
 * is no terminal either, telling the ways there are. auth=external is content with none, and asks
 * neither netrc nor the terminal. EINVAL: something found can't be a login or a password.
 */
bool credentials_find(const Options *options, Credentials *credentials, GError **error);
void credentials_clear(Credentials *credentials); /* wipes */
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Credentials, credentials_clear)
