/*
 * test_transport.c: bytes and ends of a connection under TLS and in clear, and what is told of
 * them.
 */
#include "stream_peer.h"

enum { LARGE = 6 * 1024 * 1024 };

static void test_tls_echo(void **state)
{
    (void)state;
    Server server = {0};
    Identity identity = loopback_identity();
    Client client = {.policy = policy_for(&identity)};
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    server_begin(&server, script_tls_echo, &identity);
    client_begin(&client, "localhost", server.port, 30);
    stream_write(client.stream, "a1 NOOP\r\n", 9); /* must not leave before the handshake is done */
    RUN_UNTIL(client.received->len == 21);
    assert_received(&client, "* OK ready\r\na1 NOOP\r\n");
    assert_int_equal(client.ready, 1);
    assert_true(stream_is_secure(client.stream));
    assert_true(g_str_has_prefix(stream_tls_text(client.stream), "TLSv1.3 TLS_"));
    int64_t life = stream_certificate_expiry(client.stream) - g_date_time_to_unix(now);
    assert_true(life > DAY - HOUR && life < DAY + HOUR);
    g_autoptr(GBytes) binding = stream_channel_binding(client.stream, "tls-exporter");
    assert_int_equal(g_bytes_get_size(binding), 32);
    client_end(&client);
    server_end(&server);
    server_clear(&server);
    identity_clear(&identity);
}

/* Nothing that the owner wrote goes to a server that is not the right one. */
static void test_tls_untrusted(void **state)
{
    (void)state;
    Server server = {0};
    Identity identity = loopback_identity();
    Client client = {.policy = tls_policy_new(NULL, NULL, NULL, NULL)};
    server_begin(&server, script_tls_echo, &identity);
    client_begin(&client, "127.0.0.1", server.port, 30);
    stream_write_secret(client.stream, "a1 LOGIN ann sesame\r\n", 21);
    RUN_UNTIL(client.closed);
    assert_closed(&client, EKEYREJECTED, "self-signed");
    assert_true(g_str_has_prefix(client.error->message, "127.0.0.1:"));
    assert_int_equal(client.ready, 0);
    client_end(&client);
    server_end(&server);
    assert_int_equal(server.got->len, 0);
    server_clear(&server);
    identity_clear(&identity);
}

static void test_tls_against_clear_text(void **state)
{
    (void)state;
    Server server = {0};
    Client client = {.policy = tls_policy_new(NULL, NULL, NULL, NULL)};
    server_begin(&server, script_greeting_and_echo, NULL);
    client_begin(&client, "127.0.0.1", server.port, 30);
    RUN_UNTIL(client.closed);
    assert_closed(&client, EPROTO, "does not speak TLS on this port");
    client_end(&client);
    server_end(&server);
    server_clear(&server);
}

static void script_close_in_handshake(Server *server, int fd)
{
    char byte;
    (void)server;
    recv(fd, &byte, 1, 0);
    shutdown(fd, SHUT_WR);
    while (recv(fd, &byte, 1, 0) > 0)
        continue;
}

static void test_closed_in_handshake(void **state)
{
    (void)state;
    Server server = {0};
    Client client = {.policy = tls_policy_new(NULL, NULL, NULL, NULL)};
    server_begin(&server, script_close_in_handshake, NULL);
    client_begin(&client, "127.0.0.1", server.port, 30);
    RUN_UNTIL(client.closed);
    assert_closed(&client, ENOTCONN, "closed by the server");
    client_end(&client);
    server_end(&server);
    server_clear(&server);
}

static void script_tls_cut_off(Server *server, int fd)
{
    SSL *ssl = server_handshake(server, fd);
    if (!ssl)
        return;
    SSL_write(ssl, "* BYE\r\n", 7);
    SSL_set_quiet_shutdown(ssl, 1);
    SSL_free(ssl);
}

static void check_tls_end(Script script, const char *word, const char *not_word)
{
    Server server = {0};
    Identity identity = loopback_identity();
    Client client = {.policy = policy_for(&identity)};
    server_begin(&server, script, &identity);
    client_begin(&client, "127.0.0.1", server.port, 30);
    RUN_UNTIL(client.closed);
    assert_closed(&client, ENOTCONN, word);
    assert_null(strstr(client.error->message, not_word));
    assert_received(&client, "* BYE\r\n");
    client_end(&client);
    server_end(&server);
    server_clear(&server);
    identity_clear(&identity);
}

static void test_tls_ends(void **state)
{
    (void)state;
    check_tls_end(script_tls_farewell, "closed by the server", "without");
    check_tls_end(script_tls_cut_off, "closed by the server without TLS's farewell", "\n");
}

static int accept_any(int verified, X509_STORE_CTX *context)
{
    (void)verified;
    (void)context;
    return 1;
}

static void script_tls_wants_certificate(Server *server, int fd)
{
    SSL_CTX_set_verify(server->tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept_any);
    script_tls_echo(server, fd);
    shutdown(fd, SHUT_WR);
    expect_text(server, fd, "never"); /* so that the alert is not lost in a reset */
}

static void test_tls_client_certificate(void **state)
{
    (void)state;
    Server server = {0};
    Identity identity = loopback_identity();
    Identity user = issued_by(NULL, "ann", NULL);
    g_autofree char *trusted = write_pem("trusted.pem", &identity, TRUE, FALSE, NULL);
    g_autofree char *both = write_pem("ann.pem", &user, TRUE, TRUE, NULL);
    Client with = {.policy = tls_policy_new(trusted, both, NULL, NULL)};
    Client without = {.policy = policy_for(&identity)};
    server_begin(&server, script_tls_wants_certificate, &identity);
    client_begin(&with, "127.0.0.1", server.port, 30);
    RUN_UNTIL(with.received->len == 12);
    client_end(&with);
    server_end(&server);
    server_clear(&server);

    server = (Server){0};
    server_begin(&server, script_tls_wants_certificate, &identity);
    client_begin(&without, "127.0.0.1", server.port, 30);
    RUN_UNTIL(without.closed);
    assert_closed(&without, EPROTO, "cert=");
    client_end(&without);
    server_end(&server);
    server_clear(&server);
    identity_clear(&user);
    identity_clear(&identity);
}

static void script_one_record(Server *server, int fd)
{
    char bytes[16384];
    SSL *ssl = server_handshake(server, fd);
    int length = ssl ? SSL_read(ssl, bytes, sizeof(bytes)) : 0;
    if (length > 0)
        g_byte_array_append(server->got, (const guint8 *)bytes, (guint)length);
    SSL_free(ssl);
}

static void write_in_pieces(Client *client)
{
    stream_write(client->stream, "a1 LOGIN ann ", 13);
    stream_write_secret(client->stream, "sesame", 6);
    stream_write(client->stream, "\r\n", 2);
}

/* What is written in one turn of the loop leaves in one record. */
static void test_writes_are_joined(void **state)
{
    (void)state;
    Server server = {0};
    Identity identity = loopback_identity();
    Client client = {.policy = policy_for(&identity), .on_ready = write_in_pieces};
    server_begin(&server, script_one_record, &identity);
    client_begin(&client, "127.0.0.1", server.port, 30);
    RUN_UNTIL(client.closed);
    client_end(&client);
    server_end(&server);
    assert_int_equal(server.got->len, 21);
    assert_memory_equal(server.got->data, "a1 LOGIN ann sesame\r\n", 21);
    server_clear(&server);
    identity_clear(&identity);
}

/* Sending into a connection that is gone raises no signal, and what the server said last is told
 * before the end is. */
static void test_last_words_while_sending(void **state)
{
    (void)state;
    Server server = {0};
    Client client = {0};
    g_autofree char *large = g_strnfill(LARGE, 'x');
    server_begin(&server, script_last_words_and_reset, NULL);
    client_begin(&client, "127.0.0.1", server.port, 30);
    RUN_UNTIL(client.ready);
    stream_write(client.stream, large, LARGE);
    run_until_idle(); /* the socket is full */
    assert_true(stream_queued(client.stream) > 0);
    server_go_on(&server);
    server_end(&server);
    RUN_UNTIL(client.closed);
    assert_closed(&client, ENOTCONN, "closed by the server");
    assert_received(&client, "* BYE shutting down\r\n");
    client_end(&client);
    server_clear(&server);
}

/* The first write makes the server's side answer with a reset, the second one finds it. */
static void check_write_to_closed(Script script, const Identity *identity, const char *words)
{
    Server server = {0};
    Client client = {.policy = identity ? policy_for(identity) : NULL};
    server_begin(&server, script, identity);
    client_begin(&client, "127.0.0.1", server.port, 30);
    RUN_UNTIL(client.ready);
    signal(SIGPIPE, SIG_DFL); /* GIO has had it ignored */
    int descriptor = descriptor_to(server.port);
    stream_pause(client.stream, true);
    server_end(&server);
    for (int i = 0; i < 2; i++) {
        stream_write(client.stream, "a1 NOOP\r\n", 9);
        RUN_UNTIL(stream_queued(client.stream) == 0);
        wait_for_arrival(descriptor, 0); /* the reset */
    }
    assert_int_equal(client.closed, 0);
    stream_pause(client.stream, false);
    RUN_UNTIL(client.closed);
    assert_closed(&client, ENOTCONN, "closed by the server");
    assert_received(&client, words);
    client_end(&client);
    server_clear(&server);
}

static void test_write_to_closed(void **state)
{
    (void)state;
    Identity identity = loopback_identity();
    check_write_to_closed(script_last_words, NULL, "* BYE too many connections\r\n");
    check_write_to_closed(script_tls_farewell, &identity, "* BYE\r\n");
    identity_clear(&identity);
}

/* Serves a second connection as well, and notes which one resumed the session of another. */
static void script_tls_twice(Server *server, int fd)
{
    for (int i = 0; i < 2; i++) {
        char byte;
        int next = i == 0 ? fd : accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
        SSL *ssl = server_handshake(server, next);
        if (ssl) {
            g_byte_array_append(server->got, (const guint8 *)(SSL_session_reused(ssl) ? "R" : "-"),
                                1);
            SSL_write(ssl, "* OK ready\r\n", 12);
            while (SSL_read(ssl, &byte, 1) > 0)
                continue;
            SSL_free(ssl);
        }
        if (next != fd)
            close(next);
    }
}

static void test_session_is_resumed(void **state)
{
    (void)state;
    Server server = {0};
    Identity identity = loopback_identity();
    g_autoptr(TlsPolicy) policy = policy_for(&identity);
    server_begin(&server, script_tls_twice, &identity);
    for (int i = 0; i < 2; i++) {
        Client client = {.policy = tls_policy_ref(policy)};
        client_begin(&client, "127.0.0.1", server.port, 30);
        RUN_UNTIL(client.received->len == 12);
        client_end(&client);
    }
    server_end(&server);
    assert_int_equal(server.got->len, 2);
    assert_memory_equal(server.got->data, "-R", 2);
    server_clear(&server);
    identity_clear(&identity);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tls_echo),
        cmocka_unit_test(test_tls_untrusted),
        cmocka_unit_test(test_tls_against_clear_text),
        cmocka_unit_test(test_closed_in_handshake),
        cmocka_unit_test(test_tls_ends),
        cmocka_unit_test(test_tls_client_certificate),
        cmocka_unit_test(test_writes_are_joined),
        cmocka_unit_test(test_last_words_while_sending),
        cmocka_unit_test(test_write_to_closed),
        cmocka_unit_test(test_session_is_resumed),
    };
    return cmocka_run_group_tests(tests, NULL, clean_certificates);
}
