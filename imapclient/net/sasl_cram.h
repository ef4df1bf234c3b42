/*
 * sasl_cram.h: CRAM-MD5 (RFC 2195). Made here because libgsasl frees copies of the password
 * without wiping them. Belongs to sasl.c.
 */
#pragma once

#include "sasl.h"

/* The answer (not base64) to the server's challenge. Fails with EACCES where OpenSSL is set up
 * to do without MD5. */
Secret *cram_md5_answer(const SaslContext *context, const char *challenge, size_t length,
                        GError **error);
