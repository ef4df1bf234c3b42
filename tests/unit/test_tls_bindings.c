/* test_tls_bindings.c: the channel bindings of a connection (RFC 9266, RFC 5929). */
#include "tls_pair.h"

static void check_bytes(GBytes *bytes, const void *expected, size_t length)
{
    assert_non_null(bytes);
    assert_int_equal(g_bytes_get_size(bytes), length);
    assert_memory_equal(g_bytes_get_data(bytes, NULL), expected, length);
}

static void check_exporter(Pair *pair)
{
    uint8_t expected[32];
    g_autoptr(GBytes) binding = tls_channel_binding(pair->client, "tls-exporter");
    assert_int_equal(SSL_export_keying_material(pair->server, expected, sizeof(expected),
                                                "EXPORTER-Channel-Binding", 24, NULL, 0, 1),
                     1);
    check_bytes(binding, expected, sizeof(expected));
}

static void test_bindings_tls13(void **state)
{
    (void)state;
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned length;
    Identity identity = issued_by(NULL, "x", "DNS:mail.example.org");
    g_autoptr(TlsPolicy) policy = policy_trusting(&identity);
    SSL_CTX *server = server_context(&identity);
    Pair pair = pair_new(policy, "mail.example.org", server);
    assert_true(shake_hands(&pair));
    check_exporter(&pair);
    assert_null(tls_channel_binding(pair.client, "tls-unique"));
    assert_null(tls_channel_binding(pair.client, "tls-unheard-of"));
    X509_digest(identity.certificate, EVP_sha256(), hash, &length);
    g_autoptr(GBytes) end_point = tls_channel_binding(pair.client, "tls-server-end-point");
    check_bytes(end_point, hash, length);
    pair_clear(&pair);
    SSL_CTX_free(server);
    identity_clear(&identity);
}

/* The Finished that came first: the client's in a full handshake, the server's in a resumed one. */
static void test_bindings_tls12(void **state)
{
    (void)state;
    Identity identity = issued_by(NULL, "x", "DNS:mail.example.org");
    g_autoptr(TlsPolicy) policy = policy_trusting(&identity);
    SSL_CTX *server = server_context(&identity);
    SSL_CTX_set_max_proto_version(server, TLS1_2_VERSION);
    SSL_CTX_set_session_id_context(server, (const uint8_t *)"t", 1);
    for (int resumed = 0; resumed < 2; resumed++) {
        uint8_t first[64];
        Pair pair = pair_new(policy, "mail.example.org", server);
        assert_true(shake_hands(&pair));
        assert_int_equal(SSL_session_reused(pair.client), resumed);
        size_t length = resumed ? SSL_get_finished(pair.server, first, sizeof(first))
                                : SSL_get_peer_finished(pair.server, first, sizeof(first));
        g_autoptr(GBytes) unique = tls_channel_binding(pair.client, "tls-unique");
        check_bytes(unique, first, length);
        check_exporter(&pair);
        pair_clear(&pair);
    }
    SSL_CTX_free(server);
    identity_clear(&identity);
}

/* Without the extended master secret, connections can be made to share these. */
static void test_no_bindings_without_extended_secret(void **state)
{
    (void)state;
    Identity identity = issued_by(NULL, "x", "DNS:mail.example.org");
    g_autoptr(TlsPolicy) policy = policy_trusting(&identity);
    SSL_CTX *server = server_context(&identity);
    SSL_CTX_set_max_proto_version(server, TLS1_2_VERSION);
    SSL_CTX_set_options(server, SSL_OP_NO_EXTENDED_MASTER_SECRET);
    Pair pair = pair_new(policy, "mail.example.org", server);
    assert_true(shake_hands(&pair));
    assert_null(tls_channel_binding(pair.client, "tls-unique"));
    assert_null(tls_channel_binding(pair.client, "tls-exporter"));
    pair_clear(&pair);
    SSL_CTX_free(server);
    identity_clear(&identity);
}

static int clean(void **state)
{
    (void)state;
    certificates_clean();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bindings_tls13),
        cmocka_unit_test(test_bindings_tls12),
        cmocka_unit_test(test_no_bindings_without_extended_secret),
    };
    return cmocka_run_group_tests(tests, NULL, clean);
}
