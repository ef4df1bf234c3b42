/*
 * passwords.h: reads passwords from a file or a command: when the mount begins, and again when the
 * server refuses the one that is known.
 *
 * Functions for the main thread, before it goes to the background; a source for the engine, which
 * reads it on a thread of its own.
 */
#pragma once

#include "../imapclient/net/secretsource.h"
#include "credentials.h"

/* See credentials.h. directory: where the command runs; NULL: here. */
Secret *password_of_file(const char *path, GError **error);
Secret *password_of_command(const char *command, const char *directory, GError **error);

/*
 * Where the credentials' password comes from: passfile=, passcmd= (run again in the directory that
 * is the current one now) or netrc. NULL where it was typed, or there is none. The caller unrefs.
 */
SecretSource *passwords_new(const Options *options, const Credentials *credentials);
