/*
 * apop.h: APOP (RFC 1939 section 7), for servers that have nothing better, and for nobody who did
 * not ask for it: MD5 is broken, and the server's word in the greeting is not proved by anything.
 *
 * Pure; engine thread.
 */
#pragma once

#include "../cache/mail.h"
#include "../imapclient/net/secret.h"

/*
 * What follows "APOP ": the name and the digest. greeting: the text behind +OK. Fails with EACCES
 * where it has no timestamp of the form <left@right> in printable ASCII, as every msg-id has:
 * others are how an attacker finds the password out, bit by bit. The caller frees; it is no secret.
 */
char *apop_argument(const char *greeting, const char *user, const Secret *password, GError **error);
