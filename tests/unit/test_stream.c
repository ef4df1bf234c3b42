/*
 * test_stream.c: what a stream tells its owner and when: echo, pause, STARTTLS, much data, and
 * being freed at any moment.
 */
#include "stream_peer.h"

enum { LARGE = 6 * 1024 * 1024 };

static void test_clear_echo(void **state)
{
    (void)state;
    Server server = {0};
    Client client = {0};
    uint64_t received;
    uint64_t sent;
    server_begin(&server, script_greeting_and_echo, NULL);
    client_begin(&client, "127.0.0.1", server.port, 30);
    RUN_UNTIL(client.received->len == 12);
    assert_received(&client, "* OK ready\r\n");
    assert_int_equal(client.ready, 1);
    stream_write(client.stream, "a1 ", 3);
    stream_write_secret(client.stream, "LOGIN\r\n", 7);
    assert_int_equal(stream_queued(client.stream), 10);
    RUN_UNTIL(client.received->len == 22);
    assert_received(&client, "* OK ready\r\na1 LOGIN\r\n");
    assert_int_equal(stream_queued(client.stream), 0);
    stream_counters(client.stream, &received, &sent);
    assert_int_equal(received, 22);
    assert_int_equal(sent, 10);
    assert_false(stream_is_secure(client.stream));
    assert_string_equal(stream_tls_text(client.stream), "none");
    assert_int_equal(stream_certificate_expiry(client.stream), 0);
    assert_null(stream_channel_binding(client.stream, "tls-exporter"));
    client_end(&client);
    server_end(&server);
    server_clear(&server);
}

static void test_closed_by_server(void **state)
{
    (void)state;
    Server server = {0};
    Client client = {0};
    server_begin(&server, script_last_words, NULL);
    client_begin(&client, "127.0.0.1", server.port, 30);
    RUN_UNTIL(client.closed);
    assert_closed(&client, ENOTCONN, "closed by the server");
    assert_received(&client, "* BYE too many connections\r\n");
    client_end(&client);
    server_end(&server);
    server_clear(&server);
}

static void script_greeting_then_reset(Server *server, int fd)
{
    send_text(fd, "* OK ready\r\n");
    script_last_words_and_reset(server, fd);
}

/* More is there to be read before the callback returns. */
static void pause_until_the_end(Client *client)
{
    if (client->received->len > 12)
        return;
    int descriptor = descriptor_to(client->server->port);
    stream_pause(client->stream, true);
    server_go_on(client->server);
    server_end(client->server);
    wait_for_arrival(descriptor, POLLIN);
}

/* While paused, neither bytes nor the end behind them are told, and the loop does not spin. */
static void test_pause_holds_the_end_back(void **state)
{
    (void)state;
    Server server = {0};
    Client client = {.on_received = pause_until_the_end, .server = &server};
    server_begin(&server, script_greeting_then_reset, NULL);
    client_begin(&client, "127.0.0.1", server.port, 30);
    RUN_UNTIL(client.received->len > 0);
    run_until_idle();
    for (int i = 0; i < 100; i++)
        assert_false(g_main_context_iteration(NULL, FALSE));
    assert_received(&client, "* OK ready\r\n");
    assert_int_equal(client.closed, 0);
    stream_pause(client.stream, false);
    RUN_UNTIL(client.closed);
    assert_received(&client, "* OK ready\r\n* BYE shutting down\r\n");
    assert_closed(&client, ENOTCONN, "closed by the server");
    client_end(&client);
    server_clear(&server);
}

static void script_flood(Server *server, int fd)
{
    static const char zeros[65536];
    (void)server;
    while (send(fd, zeros, sizeof(zeros), MSG_NOSIGNAL) > 0)
        continue;
}

static void pause_at_full_piece(Client *client)
{
    if (client->largest < 64 * 1024)
        return;
    stream_pause(client->stream, true);
    client->after_pause++;
}

/* A pause is at once, however much is there already. */
static void test_pause_in_a_flood(void **state)
{
    (void)state;
    Server server = {0};
    Client client = {.on_received = pause_at_full_piece};
    server_begin(&server, script_flood, NULL);
    client_begin(&client, "127.0.0.1", server.port, 30);
    RUN_UNTIL(client.largest == 64 * 1024);
    run_until_idle();
    assert_int_equal(client.after_pause, 1);
    client_end(&client);
    server_end(&server);
    server_clear(&server);
}

static void test_other_context(void **state)
{
    (void)state;
    Server server = {0};
    Client client = {0};
    GMainContext *context = g_main_context_new();
    server_begin(&server, script_greeting_and_echo, NULL);
    g_main_context_push_thread_default(context);
    client_begin(&client, "127.0.0.1", server.port, 30);
    g_main_context_pop_thread_default(context);
    while (client.received->len < 12)
        g_main_context_iteration(context, TRUE);
    assert_false(g_main_context_iteration(NULL, FALSE));
    client_free_stream(&client);
    while (g_main_context_iteration(context, FALSE))
        continue;
    g_main_context_unref(context);
    client_end(&client);
    server_end(&server);
    server_clear(&server);
}

static void test_silent_server(void **state)
{
    (void)state;
    Server server = {0};
    Identity identity = loopback_identity();
    Client client = {.policy = policy_for(&identity)};
    server_begin(&server, script_silent, NULL);
    client_begin(&client, "127.0.0.1", server.port, 1);
    RUN_UNTIL(client.closed);
    assert_closed(&client, ETIMEDOUT, "within 1 seconds");
    client_end(&client);
    server_end(&server);
    server_clear(&server);
    identity_clear(&identity);
}

/* --- STARTTLS --- */

static void script_starttls(Server *server, int fd)
{
    send_text(fd, "* OK ready\r\n");
    expect_text(server, fd, "STARTTLS\r\n");
    send_text(fd, "a1 OK begin\r\n");
    script_tls_echo(server, fd);
}

static void ask_for_tls(Client *client)
{
    if (client->ready == 1)
        stream_write(client->stream, "a1 STARTTLS\r\n", 13);
    else
        stream_write(client->stream, "a2 CAPABILITY\r\n", 15);
}

static bool has_line(const Client *client, const char *line)
{
    return client->received->len > 0 &&
           g_strstr_len((const char *)client->received->data, client->received->len, line);
}

/* The owner's policy for STARTTLS is not that of stream_new, which has none. */
static TlsPolicy *starttls_policy;

static void begin_tls_when_agreed(Client *client)
{
    GError *error = NULL;
    if (client->ready > 1 || !has_line(client, "a1 OK begin\r\n"))
        return;
    assert_true(stream_start_tls(client->stream, starttls_policy, &error));
    assert_null(error);
    assert_int_equal(client->ready, 1);
    assert_false(stream_is_secure(client->stream));
}

static void test_starttls(void **state)
{
    (void)state;
    Server server = {0};
    GError *error = NULL;
    Identity identity = loopback_identity();
    Client client = {.on_ready = ask_for_tls, .on_received = begin_tls_when_agreed};
    starttls_policy = policy_for(&identity);
    server_begin(&server, script_starttls, &identity);
    client_begin(&client, "localhost", server.port, 30);
    RUN_UNTIL(has_line(&client, "a2 CAPABILITY\r\n"));
    assert_int_equal(client.ready, 2);
    assert_true(stream_is_secure(client.stream));
    assert_received(&client, "* OK ready\r\na1 OK begin\r\n* OK ready\r\na2 CAPABILITY\r\n");
    assert_false(stream_start_tls(client.stream, starttls_policy, &error));
    assert_true(g_error_matches(error, MAIL_ERROR, EPROTO));
    g_clear_error(&error);
    client_end(&client);
    server_end(&server);
    assert_memory_equal(server.got->data, "a1 STARTTLS\r\na2 CAPABILITY\r\n", 28);
    server_clear(&server);
    tls_policy_unref(starttls_policy);
    identity_clear(&identity);
}

static void test_starttls_untrusted(void **state)
{
    (void)state;
    Server server = {0};
    Identity identity = loopback_identity();
    Client client = {.on_ready = ask_for_tls, .on_received = begin_tls_when_agreed};
    starttls_policy = tls_policy_new(NULL, NULL, NULL, NULL);
    server_begin(&server, script_starttls, &identity);
    client_begin(&client, "localhost", server.port, 30);
    RUN_UNTIL(client.closed);
    assert_closed(&client, EKEYREJECTED, "self-signed");
    assert_int_equal(client.ready, 1);
    client_end(&client);
    server_end(&server);
    server_clear(&server);
    tls_policy_unref(starttls_policy);
    identity_clear(&identity);
}

static void script_starttls_injected(Server *server, int fd)
{
    expect_text(server, fd, "STARTTLS\r\n");
    send_text(fd, "a1 OK begin\r\n");
    wait_for_test(server);
    send_text(fd, "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n");
    expect_text(server, fd, "never");
}

static void pause_when_agreed(Client *client)
{
    if (has_line(client, "a1 OK begin\r\n"))
        stream_pause(client->stream, true);
}

/* Bytes that wait in the kernel when TLS is to begin are an attack, and are not told. */
static void test_starttls_injected(void **state)
{
    (void)state;
    Server server = {0};
    g_autoptr(GError) error = NULL;
    Client client = {.on_ready = ask_for_tls, .on_received = pause_when_agreed};
    g_autoptr(TlsPolicy) policy = tls_policy_new(NULL, NULL, NULL, NULL);
    server_begin(&server, script_starttls_injected, NULL);
    client_begin(&client, "127.0.0.1", server.port, 30);
    RUN_UNTIL(has_line(&client, "a1 OK begin\r\n"));
    server_go_on(&server);
    wait_for_arrival(descriptor_to(server.port), POLLIN);
    assert_false(stream_start_tls(client.stream, policy, &error));
    assert_true(g_error_matches(error, MAIL_ERROR, EPROTO));
    assert_non_null(strstr(error->message, "clear text"));
    assert_received(&client, "a1 OK begin\r\n");
    client_end(&client);
    server_end(&server);
    server_clear(&server);
}

/* Nor may anything that was meant for the clear connection be left to be sent. */
static void test_starttls_with_a_queue(void **state)
{
    (void)state;
    Server server = {0};
    g_autoptr(GError) error = NULL;
    Client client = {0};
    g_autoptr(TlsPolicy) policy = tls_policy_new(NULL, NULL, NULL, NULL);
    server_begin(&server, script_silent, NULL);
    client_begin(&client, "127.0.0.1", server.port, 30);
    assert_false(stream_start_tls(client.stream, policy, &error));
    assert_true(g_error_matches(error, MAIL_ERROR, EPROTO));
    g_clear_error(&error);
    RUN_UNTIL(client.ready);
    stream_write(client.stream, "a1 STARTTLS\r\n", 13);
    assert_false(stream_start_tls(client.stream, policy, &error));
    assert_true(g_error_matches(error, MAIL_ERROR, EPROTO));
    client_end(&client);
    server_end(&server);
    server_clear(&server);
}

/* --- Much data --- */

static uint8_t byte_at(size_t position)
{
    return (uint8_t)(position * 31 + (position >> 8) * 7 + (position >> 16));
}

static void assert_numbered(const GByteArray *bytes, size_t length)
{
    assert_int_equal(bytes->len, length);
    for (size_t i = 0; i < length; i++)
        if (bytes->data[i] != byte_at(i))
            fail_msg("byte %zu is wrong", i);
}

typedef struct {
    Client *client;
    unsigned before;
    unsigned most; /* pieces from one turn to the next */
} Turns;

/* Another source of the loop. */
static gboolean count_turn(gpointer data)
{
    Turns *turns = data;
    turns->most = MAX(turns->most, turns->client->pieces - turns->before);
    turns->before = turns->client->pieces;
    return G_SOURCE_CONTINUE;
}

/* Sends much to a server that echoes, with the echo paused for a while. */
static void exchange_much(Client *client)
{
    Turns turns = {client, client->pieces, 0};
    g_autofree uint8_t *bytes = g_malloc(LARGE);
    for (size_t i = 0; i < LARGE; i++)
        bytes[i] = byte_at(i);
    g_byte_array_set_size(client->received, 0);
    guint counter = g_idle_add_full(G_PRIORITY_DEFAULT, count_turn, &turns, NULL);
    for (size_t sent = 0; sent < LARGE; sent += LARGE / 6)
        stream_write(client->stream, bytes + sent, LARGE / 6);
    RUN_UNTIL(client->received->len > LARGE / 4);
    stream_pause(client->stream, true);
    size_t before = client->received->len;
    for (int i = 0; i < 200; i++)
        g_main_context_iteration(NULL, FALSE);
    assert_int_equal(client->received->len, before);
    stream_pause(client->stream, false);
    RUN_UNTIL(client->received->len >= LARGE);
    g_source_remove(counter);
    assert_numbered(client->received, LARGE);
    assert_true(client->largest <= 64 * 1024);
    assert_in_range(turns.most, 1, 4);
    assert_int_equal(stream_queued(client->stream), 0);
}

static void check_much_data(Script script, const Identity *identity, Client *client)
{
    Server server = {0};
    uint64_t received;
    uint64_t sent;
    server_begin(&server, script, identity);
    client_begin(client, "127.0.0.1", server.port, 30);
    RUN_UNTIL(client->received->len == 12);
    exchange_much(client);
    stream_counters(client->stream, &received, &sent);
    assert_int_equal(received, LARGE + 12);
    assert_int_equal(sent, LARGE);
    client_end(client);
    server_end(&server);
    assert_numbered(server.got, LARGE);
    server_clear(&server);
}

static void test_much_data_in_clear(void **state)
{
    (void)state;
    Client client = {0};
    check_much_data(script_greeting_and_echo, NULL, &client);
}

static void test_much_data_under_tls(void **state)
{
    (void)state;
    Identity identity = loopback_identity();
    Client client = {.policy = policy_for(&identity)};
    check_much_data(script_tls_echo, &identity, &client);
    identity_clear(&identity);
}

/* --- Much that is fed as it leaves --- */

enum { FED = 24 << 20 }; /* more than kernels buffer */

static struct {
    Client *client;
    size_t sent;
    size_t most; /* queued */
} feeding;

static void feed_numbered(gpointer data)
{
    uint8_t bytes[4096];
    Stream *stream = feeding.client->stream;

    assert_ptr_equal(data, feeding.client);
    assert_true(stream_queued(stream) < STREAM_LOW);
    while (feeding.sent < FED && stream_queued(stream) < STREAM_LOW) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = byte_at(feeding.sent++);
        stream_write(stream, bytes, sizeof bytes);
    }
    feeding.most = MAX(feeding.most, stream_queued(stream));
    if (feeding.sent == FED)
        stream_feed(stream, NULL);
}

/* Takes nothing before the test lets it. */
static void script_late_reader(Server *server, int fd)
{
    static uint8_t bytes[65536];
    ssize_t n;

    send_text(fd, "ready");
    wait_for_test(server);
    while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0)
        g_byte_array_append(server->got, bytes, (guint)n);
}

/* What the other side does not take stays with whoever has it. */
static void test_feed(void **state)
{
    Server server = {0};
    Client client = {0};

    (void)state;
    server_begin(&server, script_late_reader, NULL);
    client_begin(&client, "127.0.0.1", server.port, 30);
    RUN_UNTIL(client.received->len == 5);
    feeding.client = &client;
    feeding.sent = feeding.most = 0;
    stream_feed(client.stream, feed_numbered);
    feed_numbered(&client);
    run_until_idle();
    assert_true(feeding.sent < FED);
    server_go_on(&server);
    RUN_UNTIL(feeding.sent == FED && stream_queued(client.stream) == 0);
    assert_in_range(feeding.most, 1, STREAM_LOW + 4096);
    client_end(&client);
    server_end(&server);
    assert_numbered(server.got, FED);
    server_clear(&server);
}

/* --- The owner frees the stream in a callback --- */

static void check_free_in_callback(Script script, const Identity *identity, Client *client)
{
    Server server = {0};
    server_begin(&server, script, identity);
    client_begin(client, "127.0.0.1", server.port, 30);
    RUN_UNTIL(!client->stream);
    int told = client->ready + client->closed;
    guint received = client->received->len;
    server_end(&server);
    while (g_main_context_iteration(NULL, FALSE))
        continue;
    assert_int_equal(client->ready + client->closed, told);
    assert_int_equal(client->received->len, received);
    client_end(client);
    server_clear(&server);
}

static void test_free_in_callbacks(void **state)
{
    (void)state;
    Identity identity = loopback_identity();
    for (int secure = 0; secure < 2; secure++) {
        const Identity *shown = secure ? &identity : NULL;
        Script script = secure ? script_tls_farewell : script_last_words;
        Client ready = {.on_ready = client_free_stream};
        Client received = {.on_received = client_free_stream};
        Client closed = {.on_closed = client_free_stream};
        Client *clients[] = {&ready, &received, &closed};
        for (size_t i = 0; i < G_N_ELEMENTS(clients); i++) {
            clients[i]->policy = secure ? policy_for(&identity) : NULL;
            check_free_in_callback(script, shown, clients[i]);
        }
    }
    identity_clear(&identity);
}

/* Where more is there to be read. */
static void free_at_full_piece(Client *client)
{
    if (client->largest == 64 * 1024)
        client_free_stream(client);
}

static void test_free_in_a_flood(void **state)
{
    (void)state;
    Client client = {.on_received = free_at_full_piece};
    check_free_in_callback(script_flood, NULL, &client);
}

static void test_free_at_any_time(void **state)
{
    (void)state;
    Identity identity = loopback_identity();
    for (int turns = 0; turns < 12; turns++) {
        Server server = {0};
        Client client = {.policy = policy_for(&identity)};
        server_begin(&server, script_tls_echo, &identity);
        client_begin(&client, "localhost", server.port, 30);
        stream_write_secret(client.stream, "a1 LOGIN ann sesame\r\n", 21);
        for (int i = 0; i < turns && client.received->len < 33; i++)
            g_main_context_iteration(NULL, TRUE);
        client_free_stream(&client);
        int told = client.ready + client.closed;
        client_end(&client);
        assert_int_equal(client.ready + client.closed, told);
        server_end(&server);
        server_clear(&server);
    }
    stream_free(NULL);
    identity_clear(&identity);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clear_echo),
        cmocka_unit_test(test_closed_by_server),
        cmocka_unit_test(test_pause_holds_the_end_back),
        cmocka_unit_test(test_pause_in_a_flood),
        cmocka_unit_test(test_other_context),
        cmocka_unit_test(test_silent_server),
        cmocka_unit_test(test_starttls),
        cmocka_unit_test(test_starttls_untrusted),
        cmocka_unit_test(test_starttls_injected),
        cmocka_unit_test(test_starttls_with_a_queue),
        cmocka_unit_test(test_much_data_in_clear),
        cmocka_unit_test(test_much_data_under_tls),
        cmocka_unit_test(test_feed),
        cmocka_unit_test(test_free_in_callbacks),
        cmocka_unit_test(test_free_in_a_flood),
        cmocka_unit_test(test_free_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, clean_certificates);
}
