/*
 * outcome.h: from a server's +OK or -ERR to success or an errno (RFC 2449 section 8, RFC 3206).
 *
 * Pure; engine thread.
 */
#pragma once

#include "parse.h"

/* Whether the reply has this extended response code, or one below it ("SYS": "SYS/TEMP" too). */
bool pop3_has_code(const Pop3Reply *reply, const char *code);

/*
 * NULL for +OK. Else an error that says what was not done ("fetching message 3") and the server's
 * text: EAGAIN ([IN-USE], [LOGIN-DELAY], [SYS/TEMP]), EACCES ([AUTH]), EREMOTEIO for every other
 * -ERR; EPROTO for a "+" that nobody can answer.
 */
GError *pop3_outcome(const Pop3Reply *reply, const char *what);

/*
 * Whether a login was refused because somebody else has the maildrop: by [IN-USE], or, from a
 * server without such codes, in the words that these use.
 */
bool pop3_is_in_use(const Pop3Reply *reply);
