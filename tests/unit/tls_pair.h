/*
 * tls_pair.h: both sides of a handshake, over a pair of memory BIOs, for the tests of tls.c and of
 * its channel bindings.
 */
#pragma once

#include "../../imapclient/net/tls_private.h"
#include "certificates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <openssl/err.h>
#include <string.h>

/* A client of the policy and a server, connected. */
typedef struct {
    SSL *client;
    SSL *server;
} Pair;

static inline Pair pair_new(TlsPolicy *policy, const char *host, SSL_CTX *server)
{
    GError *error = NULL;
    BIO *client_side;
    BIO *server_side;
    Pair pair = {tls_session_new(policy, host, &error), SSL_new(server)};
    assert_null(error);
    assert_non_null(pair.client);
    assert_int_equal(BIO_new_bio_pair(&client_side, 0, &server_side, 0), 1);
    SSL_set_bio(pair.client, client_side, client_side);
    SSL_set_bio(pair.server, server_side, server_side);
    SSL_set_accept_state(pair.server);
    return pair;
}

static inline void pair_clear(Pair *pair)
{
    SSL_shutdown(pair->client);
    SSL_free(pair->client);
    SSL_free(pair->server);
    ERR_clear_error();
}

static inline bool is_waiting(SSL *ssl, int status)
{
    int reason = SSL_get_error(ssl, status);
    return status == 1 || reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE;
}

/* Runs both sides until both are through, or the client has failed (then its error is in the
 * queue). */
static inline bool shake_hands(Pair *pair)
{
    for (int i = 0; i < 20; i++) {
        ERR_clear_error();
        SSL_do_handshake(pair->server);
        ERR_clear_error();
        int status = SSL_do_handshake(pair->client);
        if (!is_waiting(pair->client, status))
            return false;
        if (SSL_is_init_finished(pair->client) && SSL_is_init_finished(pair->server))
            break;
    }
    assert_true(SSL_is_init_finished(pair->client));
    char byte; /* takes TLS 1.3's tickets in */
    assert_int_equal(SSL_write(pair->server, "x", 1), 1);
    assert_int_equal(SSL_read(pair->client, &byte, 1), 1);
    return true;
}

static inline TlsPolicy *policy_trusting(const Identity *identity)
{
    GError *error = NULL;
    g_autofree char *path = write_pem("trusted.pem", identity, TRUE, FALSE, NULL);
    TlsPolicy *policy = tls_policy_new(path, NULL, NULL, &error);
    assert_null(error);
    assert_non_null(policy);
    return policy;
}
