/*
 * test_tls.c: who is trusted and who is not, with what words; client certificates and
 * resumption. Both sides of each handshake run here, over a pair of memory BIOs.
 */
#include "tls_pair.h"

/* The error of a handshake with a server that shows identity; NULL where it is trusted. */
static GError *judge(TlsPolicy *policy, const char *host, const Identity *identity)
{
    SSL_CTX *server = server_context(identity);
    Pair pair = pair_new(policy, host, server);
    GError *error = shake_hands(&pair) ? NULL : tls_handshake_error(pair.client, host);
    if (!error)
        assert_int_equal(SSL_get_verify_result(pair.client), X509_V_OK);
    pair_clear(&pair);
    SSL_CTX_free(server);
    assert_int_equal(ERR_peek_error(), 0);
    return error;
}

static void assert_trusted(TlsPolicy *policy, const char *host, const Identity *identity)
{
    g_autoptr(GError) error = judge(policy, host, identity);
    if (error)
        fail_msg("%s is not trusted: %s", host, error->message);
}

static void assert_refused(TlsPolicy *policy, const char *host, const Identity *identity,
                           const char *word, const char *other)
{
    g_autoptr(GError) error = judge(policy, host, identity);
    assert_non_null(error);
    assert_int_equal(error->domain, MAIL_ERROR);
    assert_int_equal(error->code, EKEYREJECTED);
    if (!strstr(error->message, word) || !strstr(error->message, other))
        fail_msg("neither \"%s\" nor \"%s\" may miss in: %s", word, other, error->message);
    assert_null(strchr(error->message, '\n'));
}

static void test_authority_of_cafile(void **state)
{
    (void)state;
    Identity authority = authority_new("Test Authority");
    Identity server = issued_by(&authority, "irrelevant", "DNS:mail.example.org");
    g_autoptr(TlsPolicy) policy = policy_trusting(&authority);
    assert_trusted(policy, "mail.example.org", &server);
    assert_trusted(policy, "MAIL.Example.ORG.", &server);
    identity_clear(&server);
    identity_clear(&authority);
}

static void test_unknown_issuer(void **state)
{
    (void)state;
    GError *error = NULL;
    Identity authority = authority_new("Unheard-of");
    Identity server = issued_by(&authority, "x", "DNS:mail.example.org");
    g_autoptr(TlsPolicy) policy = tls_policy_new(NULL, NULL, NULL, &error);
    assert_null(error);
    assert_refused(policy, "mail.example.org", &server, "Unheard-of", "cafile=");
    identity_clear(&server);
    identity_clear(&authority);
}

static void test_self_signed(void **state)
{
    (void)state;
    Identity server = issued_by(NULL, "own", "DNS:mail.example.org");
    Identity other = issued_by(NULL, "own", "DNS:mail.example.org");
    g_autoptr(TlsPolicy) strict = policy_trusting(&other);
    g_autoptr(TlsPolicy) trusting = policy_trusting(&server);
    assert_refused(strict, "mail.example.org", &server, "self-signed", "cafile=");
    g_autofree char *pin = pin_of_key(server.certificate);
    assert_refused(strict, "mail.example.org", &server, "self-signed", pin);
    assert_trusted(trusting, "mail.example.org", &server);
    identity_clear(&other);
    identity_clear(&server);
}

/* cafile= may name the server's certificate itself, whoever issued it. */
static void test_pinned_leaf(void **state)
{
    (void)state;
    Identity authority = authority_new("Authority");
    Identity server = issued_by(&authority, "x", "DNS:mail.example.org");
    Identity sister = issued_by(&authority, "y", "DNS:mail.example.org");
    g_autoptr(TlsPolicy) policy = policy_trusting(&server);
    assert_trusted(policy, "mail.example.org", &server);
    assert_refused(policy, "mail.example.org", &sister, "Authority", "cafile=");
    identity_clear(&sister);
    identity_clear(&server);
    identity_clear(&authority);
}

/* A pin takes the place of issuer, name and dates, for that one key and nobody else. */
static void test_pin(void **state)
{
    (void)state;
    Identity authority = authority_new("Authority");
    Identity server = identity_new(
        &(IdentityRequest){"x", "DNS:other.example", NULL, -9 * DAY, -2 * DAY, FALSE});
    Identity stranger = issued_by(&authority, "x", "DNS:mail.example.org");
    g_autofree char *text = pin_of_key(server.certificate);
    g_autofree char *shown = pin_of_key(stranger.certificate);
    g_autoptr(TlsPolicy) policy = policy_trusting(&authority);
    Pin pin;
    assert_true(pin_parse(text, &pin, NULL));
    assert_trusted(policy, "mail.example.org", &stranger);
    tls_policy_pin(policy, &pin);
    assert_trusted(policy, "mail.example.org", &server);
    assert_refused(policy, "mail.example.org", &stranger, "not the one that pin= names", shown);
    identity_clear(&stranger);
    identity_clear(&server);
    identity_clear(&authority);
}

/* Who shows a pinned certificate without having its key gets nowhere. */
static void test_pin_without_the_key(void **state)
{
    (void)state;
    Identity server = issued_by(NULL, "x", "DNS:mail.example.org");
    Identity thief = issued_by(NULL, "x", "DNS:mail.example.org");
    g_autofree char *text = pin_of_key(server.certificate);
    g_autoptr(TlsPolicy) policy = tls_policy_new(NULL, NULL, NULL, NULL);
    g_autoptr(GError) error = NULL;
    Pin pin;
    assert_true(pin_parse(text, &pin, NULL));
    tls_policy_pin(policy, &pin);
    X509_set_pubkey(server.certificate, thief.key); /* so that OpenSSL lets a server have both */
    SSL_CTX *context = server_context(&(Identity){server.certificate, thief.key});
    Pair pair = pair_new(policy, "mail.example.org", context);
    X509_set_pubkey(server.certificate, server.key); /* what it shows is the true one again */
    if (shake_hands(&pair))
        fail_msg("a server was believed that has not got the key");
    error = tls_handshake_error(pair.client, "mail.example.org");
    assert_true(g_error_matches(error, MAIL_ERROR, EPROTO)); /* the certificate was the right one */
    pair_clear(&pair);
    SSL_CTX_free(context);
    identity_clear(&thief);
    identity_clear(&server);
}

static void test_expired_and_not_yet(void **state)
{
    (void)state;
    Identity authority = authority_new("Authority");
    Identity old = identity_new(
        &(IdentityRequest){"x", "DNS:mail.example.org", &authority, -9 * DAY, -2 * DAY, FALSE});
    Identity future = identity_new(
        &(IdentityRequest){"x", "DNS:mail.example.org", &authority, 2 * DAY, 9 * DAY, FALSE});
    g_autoptr(TlsPolicy) policy = policy_trusting(&authority);
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autoptr(GDateTime) end = g_date_time_add_days(now, -2);
    g_autofree char *day = g_date_time_format(end, "%Y-%m");
    assert_refused(policy, "mail.example.org", &old, "expired", day);
    assert_refused(policy, "mail.example.org", &future, "not valid before", "clock");
    identity_clear(&future);
    identity_clear(&old);
    identity_clear(&authority);
}

static void test_names(void **state)
{
    (void)state;
    Identity authority = authority_new("Authority");
    Identity plain = issued_by(&authority, "mail.example.org", "DNS:other.example,IP:192.0.2.7");
    Identity wild = issued_by(&authority, "x", "DNS:*.example.org");
    Identity partial = issued_by(&authority, "x", "DNS:m*.example.org");
    Identity nameless = issued_by(&authority, "mail.example.org", NULL);
    g_autoptr(TlsPolicy) policy = policy_trusting(&authority);
    assert_trusted(policy, "other.example", &plain);
    assert_refused(policy, "mail.example.org", &plain, "other.example, 192.0.2.7",
                   "not for mail.example.org");
    assert_trusted(policy, "mail.example.org", &wild);
    assert_refused(policy, "a.mail.example.org", &wild, "*.example.org", "a.mail.example.org");
    assert_refused(policy, "mail.example.org", &partial, "m*.example.org", "mail.example.org");
    /* RFC 9525: the common name is not looked at. */
    assert_refused(policy, "mail.example.org", &nameless, "subjectAltName", "mail.example.org");
    identity_clear(&nameless);
    identity_clear(&partial);
    identity_clear(&wild);
    identity_clear(&plain);
    identity_clear(&authority);
}

static void test_addresses(void **state)
{
    (void)state;
    Identity authority = authority_new("Authority");
    Identity server = issued_by(&authority, "x", "IP:192.0.2.7,IP:2001:db8::1");
    Identity named = issued_by(&authority, "x", "DNS:192.0.2.7");
    g_autoptr(TlsPolicy) policy = policy_trusting(&authority);
    assert_trusted(policy, "192.0.2.7", &server);
    assert_trusted(policy, "2001:DB8:0::1", &server);
    assert_refused(policy, "192.0.2.8", &server, "192.0.2.7, 2001:db8::1", "not for 192.0.2.8");
    assert_refused(policy, "192.0.2.7", &named, "192.0.2.7", "not for 192.0.2.7");
    identity_clear(&named);
    identity_clear(&server);
    identity_clear(&authority);
}

/* A hostile certificate does not get control characters onto the terminal. */
static void test_hostile_names(void **state)
{
    (void)state;
    Identity authority = authority_new("Evil\33[2J\nAuthority");
    Identity server = issued_by(&authority, "x", "DNS:mail.example.org");
    g_autoptr(TlsPolicy) policy = tls_policy_new(NULL, NULL, NULL, NULL);
    g_autoptr(GError) error = judge(policy, "mail.example.org", &server);
    assert_non_null(error);
    for (const char *c = error->message; *c; c++)
        assert_false(g_ascii_iscntrl(*c));
    identity_clear(&server);
    identity_clear(&authority);
}

static void test_hosts_that_are_none(void **state)
{
    (void)state;
    g_autoptr(TlsPolicy) policy = tls_policy_new(NULL, NULL, NULL, NULL);
    g_autofree char *endless = g_strnfill(300, 'a');
    const char *hosts[] = {"", endless};
    for (size_t i = 0; i < G_N_ELEMENTS(hosts); i++) {
        g_autoptr(GError) error = NULL;
        assert_null(tls_session_new(policy, hosts[i], &error));
        assert_true(g_error_matches(error, MAIL_ERROR, EINVAL));
    }
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the signature is OpenSSL's */
static int note_name(SSL *ssl, int *alert, void *data)
{
    (void)alert;
    char **name = data;
    g_free(*name);
    *name = g_strdup(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
    return SSL_TLSEXT_ERR_OK;
}

static void test_sni(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        const char *told;
    } cases[] = {{"mail.example.org.", "mail.example.org"},
                 {"b\303\274cher.example", "xn--bcher-kva.example"},
                 {"192.0.2.7", NULL},
                 {"2001:db8::1", NULL}};
    Identity identity = issued_by(NULL, "x",
                                  "DNS:mail.example.org,DNS:xn--bcher-kva.example,IP:192.0.2.7,"
                                  "IP:2001:db8::1");
    g_autoptr(TlsPolicy) policy = policy_trusting(&identity);
    SSL_CTX *server = server_context(&identity);
    char *name = NULL;
    SSL_CTX_set_tlsext_servername_callback(server, note_name);
    SSL_CTX_set_tlsext_servername_arg(server, &name);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Pair pair = pair_new(policy, cases[i].host, server);
        assert_true(shake_hands(&pair));
        if (cases[i].told)
            assert_string_equal(name, cases[i].told);
        else
            assert_null(name);
        pair_clear(&pair);
        g_clear_pointer(&name, g_free);
    }
    SSL_CTX_free(server);
    identity_clear(&identity);
}

static void test_old_protocol(void **state)
{
    (void)state;
    Identity identity = issued_by(NULL, "x", "DNS:mail.example.org");
    g_autoptr(TlsPolicy) policy = policy_trusting(&identity);
    SSL_CTX *server = server_context(&identity);
    SSL_CTX_set_security_level(server, 0);
    SSL_CTX_set_min_proto_version(server, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(server, TLS1_1_VERSION);
    Pair pair = pair_new(policy, "mail.example.org", server);
    assert_false(shake_hands(&pair));
    g_autoptr(GError) error = tls_handshake_error(pair.client, "mail.example.org");
    assert_true(g_error_matches(error, MAIL_ERROR, EPROTO));
    assert_non_null(strstr(error->message, "1.2"));
    pair_clear(&pair);
    SSL_CTX_free(server);
    identity_clear(&identity);
}

static void test_clear_text_server(void **state)
{
    (void)state;
    static const char greeting[] = "* OK IMAP4rev1 Service Ready\r\n";
    g_autoptr(TlsPolicy) policy = tls_policy_new(NULL, NULL, NULL, NULL);
    SSL *client = tls_session_new(policy, "mail.example.org", NULL);
    SSL_set0_rbio(client, BIO_new_mem_buf(greeting, -1));
    SSL_set0_wbio(client, BIO_new(BIO_s_mem()));
    assert_int_not_equal(SSL_do_handshake(client), 1);
    g_autoptr(GError) error = tls_handshake_error(client, "mail.example.org");
    assert_true(g_error_matches(error, MAIL_ERROR, EPROTO));
    assert_non_null(strstr(error->message, "STARTTLS"));
    assert_int_equal(ERR_peek_error(), 0);
    SSL_free(client);
}

static bool connect_once(TlsPolicy *policy, const char *host, SSL_CTX *server)
{
    Pair pair = pair_new(policy, host, server);
    assert_true(shake_hands(&pair));
    bool reused = SSL_session_reused(pair.client);
    pair_clear(&pair);
    return reused;
}

static void check_resumption(int version)
{
    Identity identity = issued_by(NULL, "x", "DNS:a.example,DNS:b.example,IP:192.0.2.7");
    g_autoptr(TlsPolicy) policy = policy_trusting(&identity);
    SSL_CTX *server = server_context(&identity);
    SSL_CTX_set_max_proto_version(server, version);
    SSL_CTX_set_session_id_context(server, (const uint8_t *)"t", 1);
    assert_false(connect_once(policy, "a.example", server));
    assert_true(connect_once(policy, "a.example", server));
    assert_true(connect_once(policy, "a.example", server));
    /* A resumed session shows no certificate: it must not stand for another name. */
    assert_false(connect_once(policy, "b.example", server));
    assert_false(connect_once(policy, "192.0.2.7", server));
    assert_true(connect_once(policy, "192.0.2.7", server));
    SSL_CTX_free(server);
    identity_clear(&identity);
}

static void test_resumption(void **state)
{
    (void)state;
    check_resumption(TLS1_3_VERSION);
    check_resumption(TLS1_2_VERSION);
}

static int accept_any(int verified, X509_STORE_CTX *context)
{
    (void)verified;
    (void)context;
    return 1;
}

static void test_client_certificate(void **state)
{
    (void)state;
    GError *error = NULL;
    Identity identity = issued_by(NULL, "x", "DNS:mail.example.org");
    Identity user = issued_by(NULL, "ann", NULL);
    g_autofree char *trusted = write_pem("server.pem", &identity, TRUE, FALSE, NULL);
    g_autofree char *cert = write_pem("ann.pem", &user, TRUE, FALSE, NULL);
    g_autofree char *key = write_pem("ann.key", &user, FALSE, TRUE, NULL);
    g_autofree char *both = write_pem("ann.both", &user, TRUE, TRUE, NULL);
    SSL_CTX *server = server_context(&identity);
    SSL_CTX_set_verify(server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept_any);
    const char *files[][2] = {{cert, key}, {both, NULL}};
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autoptr(TlsPolicy) policy = tls_policy_new(trusted, files[i][0], files[i][1], &error);
        assert_null(error);
        Pair pair = pair_new(policy, "mail.example.org", server);
        assert_true(shake_hands(&pair));
        X509 *shown = SSL_get0_peer_certificate(pair.server);
        assert_non_null(shown);
        assert_int_equal(X509_cmp(shown, user.certificate), 0);
        pair_clear(&pair);
    }
    SSL_CTX_free(server);
    identity_clear(&user);
    identity_clear(&identity);
}

/* TLS 1.3: the server's word comes when the client thinks that the handshake is over. */
static void test_client_certificate_is_wanted(void **state)
{
    (void)state;
    char byte;
    Identity identity = issued_by(NULL, "x", "DNS:mail.example.org");
    g_autoptr(TlsPolicy) policy = policy_trusting(&identity);
    SSL_CTX *server = server_context(&identity);
    SSL_CTX_set_verify(server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept_any);
    Pair pair = pair_new(policy, "mail.example.org", server);
    for (int i = 0; i < 4; i++) {
        SSL_do_handshake(pair.client);
        SSL_do_handshake(pair.server);
    }
    ERR_clear_error();
    assert_true(SSL_read(pair.client, &byte, 1) <= 0);
    g_autoptr(GError) error = tls_handshake_error(pair.client, "mail.example.org");
    assert_true(g_error_matches(error, MAIL_ERROR, EPROTO));
    assert_non_null(strstr(error->message, "cert="));
    pair_clear(&pair);
    SSL_CTX_free(server);
    identity_clear(&identity);
}

static void assert_policy_fails(const char *cafile, const char *cert, const char *key, int code,
                                const char *word)
{
    g_autoptr(GError) error = NULL;
    assert_null(tls_policy_new(cafile, cert, key, &error));
    assert_true(g_error_matches(error, MAIL_ERROR, code));
    if (!strstr(error->message, word))
        fail_msg("no \"%s\" in: %s", word, error->message);
    assert_int_equal(ERR_peek_error(), 0);
}

static void test_files_that_are_wrong(void **state)
{
    (void)state;
    Identity one = issued_by(NULL, "one", NULL);
    Identity two = issued_by(NULL, "two", NULL);
    g_autofree char *cert = write_pem("one.pem", &one, TRUE, FALSE, NULL);
    g_autofree char *key = write_pem("one.key", &one, FALSE, TRUE, NULL);
    g_autofree char *other = write_pem("two.key", &two, FALSE, TRUE, NULL);
    g_autofree char *locked = write_pem("locked.key", &one, FALSE, TRUE, "swordfish");
    g_autofree char *absent = certificates_path("absent.pem");
    g_autofree char *text = certificates_path("text.pem");
    assert_true(g_file_set_contents(text, "no certificate\n", -1, NULL));
    assert_policy_fails(absent, NULL, NULL, ENOENT, absent);
    assert_policy_fails(text, NULL, NULL, EINVAL, text);
    assert_policy_fails(NULL, absent, NULL, ENOENT, absent);
    assert_policy_fails(NULL, text, NULL, EINVAL, text);
    assert_policy_fails(NULL, cert, NULL, EINVAL, "key=");
    assert_policy_fails(NULL, cert, absent, ENOENT, absent);
    assert_policy_fails(NULL, cert, text, EINVAL, text);
    assert_policy_fails(NULL, cert, other, EINVAL, other);
    assert_policy_fails(NULL, cert, locked, EINVAL, "passphrase");
    assert_policy_fails(NULL, NULL, key, EINVAL, "cert=");
    identity_clear(&one);
    identity_clear(&two);
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
        cmocka_unit_test(test_authority_of_cafile),
        cmocka_unit_test(test_unknown_issuer),
        cmocka_unit_test(test_self_signed),
        cmocka_unit_test(test_pinned_leaf),
        cmocka_unit_test(test_pin),
        cmocka_unit_test(test_pin_without_the_key),
        cmocka_unit_test(test_expired_and_not_yet),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_hostile_names),
        cmocka_unit_test(test_hosts_that_are_none),
        cmocka_unit_test(test_sni),
        cmocka_unit_test(test_old_protocol),
        cmocka_unit_test(test_clear_text_server),
        cmocka_unit_test(test_resumption),
        cmocka_unit_test(test_client_certificate),
        cmocka_unit_test(test_client_certificate_is_wanted),
        cmocka_unit_test(test_files_that_are_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, clean);
}
