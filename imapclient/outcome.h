/*
 * outcome.h: from a server's OK, NO or BAD to success or an errno (RFC 9051 section 7.1, RFC 5530).
 *
 * Pure; engine thread.
 */
#pragma once

#include "parse.h"

/* Whether the response has this response code ("EXPUNGEISSUED"). */
bool imap_has_code(const ImapResponse *response, const char *code);

/* The tag that an ESEARCH says it answers (RFC 4466 section 2.6.2); NULL where it says none. */
const char *imap_correlator(const ImapResponse *response);

/*
 * NULL for OK. Else an error that says what was not done ("listing INBOX") and the server's text:
 * ENOENT, EACCES, EDQUOT, EAGAIN, EBUSY, EEXIST, EFBIG, EINVAL by the response code; EREMOTEIO for
 * a NO without one; EPROTO for BAD.
 */
GError *imap_outcome(const ImapResponse *response, const char *what);

/* Likewise of what changes something: a NO without a code is EACCES. */
GError *imap_refusal(const ImapResponse *response, const char *what);
