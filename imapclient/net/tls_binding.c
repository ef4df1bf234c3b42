#include "tls_private.h"

#include <openssl/err.h>
#include <string.h>

enum { EXPORTER_LENGTH = 32 }; /* RFC 9266 section 2 */

/*
 * Without the extended master secret (RFC 7627), which TLS 1.3 has built in, somebody in between
 * can make two connections with the same exported keys and Finished messages.
 */
static bool is_unique(SSL *ssl)
{
    return SSL_version(ssl) >= TLS1_3_VERSION || SSL_get_extms_support(ssl) == 1;
}

static GBytes *exporter(SSL *ssl)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    uint8_t key[EXPORTER_LENGTH];
    if (!is_unique(ssl))
        return NULL;
    if (SSL_export_keying_material(ssl, key, sizeof(key), label, strlen(label), NULL, 0, 1) != 1) {
        ERR_clear_error();
        return NULL;
    }
    return g_bytes_new(key, sizeof(key));
}

/* The first Finished message of the handshake: the server's where a session was resumed. */
static GBytes *unique(SSL *ssl)
{
    uint8_t finished[EVP_MAX_MD_SIZE];
    if (SSL_version(ssl) >= TLS1_3_VERSION || !is_unique(ssl))
        return NULL;
    size_t length = SSL_session_reused(ssl) ? SSL_get_peer_finished(ssl, finished, sizeof(finished))
                                            : SSL_get_finished(ssl, finished, sizeof(finished));
    return length > 0 && length <= sizeof(finished) ? g_bytes_new(finished, length) : NULL;
}

/* The certificate's hash by the digest of its signature, but never by a broken one. */
static GBytes *server_end_point(SSL *ssl)
{
    X509 *certificate = SSL_get0_peer_certificate(ssl);
    int digest;
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned length;
    if (!certificate || X509_get_signature_info(certificate, &digest, NULL, NULL, NULL) != 1 ||
        digest == NID_undef)
        return NULL; /* as for Ed25519: RFC 5929 leaves it undefined */
    if (digest == NID_md5 || digest == NID_sha1)
        digest = NID_sha256;
    const EVP_MD *type = EVP_get_digestbynid(digest);
    return type && X509_digest(certificate, type, hash, &length) == 1 ? g_bytes_new(hash, length)
                                                                      : NULL;
}

GBytes *tls_channel_binding(SSL *ssl, const char *type)
{
    if (g_str_equal(type, "tls-exporter"))
        return exporter(ssl);
    if (g_str_equal(type, "tls-unique"))
        return unique(ssl);
    return g_str_equal(type, "tls-server-end-point") ? server_end_point(ssl) : NULL;
}
