/*
 * tls.h: the TLS policy of an account: who is trusted, what is offered, and what went wrong.
 *
 * One TlsPolicy serves all connections of an account; made before the engine starts, used on the
 * engine thread. The server's certificate and its name (or address) are always verified, or, with a
 * pin, that it is the very certificate or key that the user named: there is no way to turn that
 * off.
 */
#pragma once

#include "../../cache/mail.h"
#include "pin.h"

#include <openssl/ssl.h>

typedef struct TlsPolicy TlsPolicy;

/*
 * cafile: PEM certificates to trust besides the system's store; cert and key: PEM files of a
 * client certificate (key NULL: it is in cert). Each may be NULL. Fails with EINVAL or the errno
 * of the file, naming the file and what to do.
 */
TlsPolicy *tls_policy_new(const char *cafile, const char *cert, const char *key, GError **error);
TlsPolicy *tls_policy_ref(TlsPolicy *policy);
void tls_policy_unref(TlsPolicy *policy);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TlsPolicy, tls_policy_unref)

/*
 * From now on the policy accepts the certificate that the pin is of, and no other: the user's word
 * stands in for an issuer's, and so for the name and the dates that an issuer vouches for. That the
 * server holds the key, the handshake proves as ever. Before the first session.
 */
void tls_policy_pin(TlsPolicy *policy, const Pin *pin);

/*
 * A client's SSL for one connection to host (a name or an address): TLS 1.2 at least, SNI for
 * names, verification of chain and name (RFC 9325, RFC 9525), the last session resumed. The
 * caller frees with SSL_free.
 */
SSL *tls_session_new(TlsPolicy *policy, const char *host, GError **error);

/*
 * Why the handshake on ssl failed, from the verification result and OpenSSL's queue (which is
 * emptied): expired, not yet valid, wrong name, unknown issuer, self-signed, not the pinned one, or
 * OpenSSL's text,
 * and what to do. The code is EKEYREJECTED for a certificate that was not accepted, else EPROTO.
 */
GError *tls_handshake_error(SSL *ssl, const char *host);
