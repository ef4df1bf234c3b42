/*
 * test_connect.c: names, addresses and ports, right and wrong, as a stream's owner sees them.
 */
#include "stream_peer.h"

/* Written before there is a connection; ::1, which localhost may be as well, is refused. */
static void test_name_and_early_write(void **state)
{
    (void)state;
    Server server = {0};
    Client client = {0};
    server_begin(&server, script_greeting_and_echo, NULL);
    client_begin(&client, "localhost", server.port, 30);
    stream_write(client.stream, "early\r\n", 7);
    RUN_UNTIL(client.received->len == 19);
    assert_received(&client, "* OK ready\r\nearly\r\n");
    client_end(&client);
    server_end(&server);
    server_clear(&server);
}

static uint16_t unused_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static void test_refused(void **state)
{
    (void)state;
    Client client = {0};
    uint16_t port = unused_port();
    g_autofree char *place = g_strdup_printf("127.0.0.1:%u: connection refused", port);
    client_begin(&client, "127.0.0.1", port, 30);
    RUN_UNTIL(client.closed);
    assert_closed(&client, ECONNREFUSED, place);
    assert_int_equal(client.ready, 0);
    stream_write(client.stream, "too late", 8);
    assert_int_equal(stream_queued(client.stream), 0);
    client_end(&client);
    assert_int_equal(client.closed, 1);
}

/* A label of 64 letters can't be asked for, so no name server is needed to say no. */
static void test_name_not_resolved(void **state)
{
    (void)state;
    Client client = {0};
    g_autofree char *label = g_strnfill(64, 'a');
    g_autofree char *host = g_strconcat(label, ".invalid", NULL);
    client_begin(&client, host, 993, 30);
    RUN_UNTIL(client.closed);
    assert_closed(&client, EHOSTUNREACH, "can't be resolved");
    assert_non_null(strstr(client.error->message, ".invalid:993: "));
    client_end(&client);
}

static void test_ipv6_in_messages(void **state)
{
    (void)state;
    Client client = {0};
    client_begin(&client, "::1", unused_port(), 30);
    RUN_UNTIL(client.closed);
    assert_true(g_str_has_prefix(client.error->message, "[::1]:"));
    client_end(&client);
}

static void test_free_when_refused(void **state)
{
    (void)state;
    Client client = {.on_closed = client_free_stream};
    client_begin(&client, "127.0.0.1", unused_port(), 30);
    RUN_UNTIL(!client.stream);
    client_end(&client);
    assert_int_equal(client.closed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name_and_early_write), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_name_not_resolved),    cmocka_unit_test(test_ipv6_in_messages),
        cmocka_unit_test(test_free_when_refused),
    };
    return cmocka_run_group_tests(tests, NULL, clean_certificates);
}
