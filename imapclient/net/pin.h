/*
 * pin.h: the fingerprint by which a user names his server's certificate, or its key.
 *
 * Any thread; no state.
 */
#pragma once

#include <glib.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

enum { PIN_LENGTH = 32 }; /* of a SHA-256 */

typedef struct {
    uint8_t hash[PIN_LENGTH];
} Pin;

/*
 * Reads "sha256:" and a SHA-256 in hexadecimal (any case, with colons between the bytes or
 * without) or in base64. EINVAL, saying how one is made.
 */
bool pin_parse(const char *text, Pin *pin, GError **error);
/* Whether it is of the certificate (DER), or of its public key (SubjectPublicKeyInfo, as RFC 7469
 * has it). */
bool pin_matches(const Pin *pin, X509 *certificate);
/* "sha256:…" of the certificate's public key, in hexadecimal; the caller frees. NULL: it has none
 * that OpenSSL knows. */
char *pin_of_key(X509 *certificate);
