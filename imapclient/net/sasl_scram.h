/*
 * sasl_scram.h: SCRAM (RFC 5802, RFC 7677) as far as libgsasl leaves it to its user. Belongs to
 * sasl.c.
 */
#pragma once

#include "../../cache/mail.h"
#include "secret.h"

#include <gsasl.h>

/*
 * Gives session its GSASL_SCRAM_SALTED_PASSWORD, from the salt and the number of rounds that the
 * server asked for, without leaving a copy of the password behind. Returns GSASL_OK, else another
 * code with error set: EPROTO for a salt or number that no honest server sends.
 */
int scram_give_salted_password(Gsasl_session *session, const char *mechanism,
                               const Secret *password, GError **error);

/*
 * The password as SASLprep (RFC 4013) has it, which leaves printable ASCII alone. What SASLprep
 * forbids stays as it is: the server may not know of it either.
 */
Secret *scram_prepare_password(const Secret *password);

/* The error that a server's last message tells (e=…), for a terminal; NULL where it has none. */
char *scram_failure_text(const char *message, size_t length);
