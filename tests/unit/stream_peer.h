/*
 * stream_peer.h: both ends of a connection, for the tests of streams: a server that plays a script
 * on a blocking socket of the loopback, in a thread; and a stream with what its owner is told.
 */
#pragma once

#include "../../imapclient/net/stream.h"
#include "certificates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

enum { PATIENCE = 60 }; /* seconds until a test that hangs fails */

/* --- The server --- */

typedef struct Server Server;
typedef void (*Script)(Server *server, int fd);

struct Server {
    int listener;
    uint16_t port;
    Script script;
    SSL_CTX *tls;
    pthread_t thread;
    GByteArray *got; /* for the test, after server_end */
    int finish;      /* the test's end of a pipe that the script may wait for */
    int wait;
};

static inline void *run_script(void *data)
{
    Server *server = data;
    sigset_t pipe_signal;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL); /* of this thread alone */
    /* A client that has connected is served even where the test has gone on already. */
    struct pollfd events[] = {{server->listener, POLLIN, 0}, {server->wait, POLLIN, 0}};
    poll(events, G_N_ELEMENTS(events), -1);
    int fd = events[0].revents ? accept4(server->listener, NULL, NULL, SOCK_CLOEXEC) : -1;
    if (fd >= 0) {
        server->script(server, fd);
        close(fd);
    }
    return NULL;
}

static inline void server_begin(Server *server, Script script, const Identity *identity)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);
    int ends[2];
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(server->listener, 4), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    server->wait = ends[0];
    server->finish = ends[1];
    server->port = ntohs(address.sin_port);
    server->script = script;
    server->tls = identity ? server_context(identity) : NULL;
    server->got = g_byte_array_new();
    assert_int_equal(pthread_create(&server->thread, NULL, run_script, server), 0);
}

/* Lets the script go on where it waits. */
static inline void server_go_on(Server *server)
{
    close(server->finish);
    server->finish = -1;
}

static inline void server_end(Server *server)
{
    if (server->finish >= 0)
        close(server->finish);
    pthread_join(server->thread, NULL);
    close(server->listener);
    close(server->wait);
    SSL_CTX_free(server->tls);
}

static inline void server_clear(Server *server)
{
    g_byte_array_unref(server->got);
}

static inline void wait_for_test(Server *server)
{
    char byte;
    while (read(server->wait, &byte, 1) > 0)
        continue;
}

static inline void send_text(int fd, const char *text)
{
    send(fd, text, strlen(text), MSG_NOSIGNAL);
}

/* Reads until text has come, or the end. */
static inline void expect_text(Server *server, int fd, const char *text)
{
    char byte;
    size_t length = strlen(text);
    GByteArray *got = server->got;
    while (recv(fd, &byte, 1, 0) == 1) {
        g_byte_array_append(got, (const guint8 *)&byte, 1);
        if (got->len >= length && memcmp(got->data + got->len - length, text, length) == 0)
            return;
    }
}

static inline SSL *server_handshake(Server *server, int fd)
{
    SSL *ssl = SSL_new(server->tls);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1)
        return ssl;
    SSL_free(ssl);
    ERR_clear_error();
    return NULL;
}

/* --- The client: what the stream's owner sees --- */

typedef struct Client Client;

struct Client {
    Stream *stream;
    int ready;
    int closed;
    GByteArray *received;
    size_t largest;       /* of the pieces */
    unsigned pieces;      /* how many came */
    unsigned after_pause; /* for a callback that pauses: how often it was called since */
    Server *server;       /* for callbacks that need it */
    GError *error;
    void (*on_ready)(Client *client);
    void (*on_received)(Client *client);
    void (*on_closed)(Client *client);
    TlsPolicy *policy;
};

static inline void client_ready(gpointer data)
{
    Client *client = data;
    client->ready++;
    assert_int_equal(client->closed, 0);
    if (client->on_ready)
        client->on_ready(client);
}

static inline void client_received(gpointer data, const uint8_t *bytes, size_t length)
{
    Client *client = data;
    assert_true(length > 0);
    assert_true(client->ready > 0);
    assert_int_equal(client->closed, 0);
    client->largest = MAX(client->largest, length);
    client->pieces++;
    g_byte_array_append(client->received, bytes, (guint)length);
    if (client->on_received)
        client->on_received(client);
}

static inline void client_closed(gpointer data, const GError *error)
{
    Client *client = data;
    client->closed++;
    client->error = g_error_copy(error);
    assert_int_equal(error->domain, MAIL_ERROR);
    assert_null(strchr(error->message, '\n'));
    if (client->on_closed)
        client->on_closed(client);
}

static const StreamEvents client_events = {client_ready, client_received, client_closed};

static inline void client_begin(Client *client, const char *host, uint16_t port, unsigned timeout)
{
    client->received = g_byte_array_new();
    client->stream = stream_new(host, port, client->policy, timeout, &client_events, client);
    stream_connect(client->stream);
    /* Nothing is reported before the loop runs. */
    assert_int_equal(client->ready + client->closed, 0);
}

static inline void client_free_stream(Client *client)
{
    g_clear_pointer(&client->stream, stream_free);
}

static inline void client_end(Client *client)
{
    client_free_stream(client);
    while (g_main_context_iteration(NULL, FALSE))
        continue;
    g_byte_array_unref(client->received);
    g_clear_error(&client->error);
    tls_policy_unref(client->policy);
}

static inline gboolean give_up(gpointer data)
{
    *(bool *)data = true;
    return G_SOURCE_REMOVE;
}

/* Runs the loop until condition. */
#define RUN_UNTIL(condition)                                           \
    do {                                                               \
        bool late = false;                                             \
        guint timer = g_timeout_add_seconds(PATIENCE, give_up, &late); \
        while (!(condition) && !late)                                  \
            g_main_context_iteration(NULL, TRUE);                      \
        if (late)                                                      \
            fail_msg("never: %s", #condition);                         \
        g_source_remove(timer);                                        \
    } while (0)

static inline void assert_received(const Client *client, const char *text)
{
    assert_int_equal(client->received->len, strlen(text));
    if (*text)
        assert_memory_equal(client->received->data, text, strlen(text));
}

static inline void assert_closed(const Client *client, int code, const char *word)
{
    assert_int_equal(client->closed, 1);
    if (client->error->code != code || !strstr(client->error->message, word))
        fail_msg("not %d with \"%s\", but %d: %s", code, word, client->error->code,
                 client->error->message);
}

static inline TlsPolicy *policy_for(const Identity *identity)
{
    g_autofree char *path = write_pem("trusted.pem", identity, TRUE, FALSE, NULL);
    TlsPolicy *policy = tls_policy_new(path, NULL, NULL, NULL);
    assert_non_null(policy);
    return policy;
}

static inline Identity loopback_identity(void)
{
    return issued_by(NULL, "x", "DNS:localhost,IP:127.0.0.1");
}

/* The stream's socket: the one of this process whose peer is the server. */
static inline int descriptor_to(uint16_t port)
{
    for (int fd = 0; fd < 1024; fd++) {
        struct sockaddr_in peer = {0};
        socklen_t length = sizeof(peer);
        if (getpeername(fd, (struct sockaddr *)&peer, &length) == 0 && peer.sin_family == AF_INET &&
            ntohs(peer.sin_port) == port)
            return fd;
    }
    fail_msg("no socket to port %u", port);
    return -1;
}

/* Waits until the client's socket has something to say: bytes, or an end. */
static inline void wait_for_arrival(int descriptor, short events)
{
    struct pollfd socket = {descriptor, events, 0};
    assert_int_equal(poll(&socket, 1, PATIENCE * 1000), 1);
}

/* Runs the loop until it has nothing more to do. */
static inline void run_until_idle(void)
{
    for (int turn = 0; g_main_context_iteration(NULL, FALSE); turn++)
        if (turn == 100000)
            fail_msg("the loop spins");
}

/* --- Scripts that several tests play --- */

static inline void script_last_words_and_reset(Server *server, int fd)
{
    struct linger reset = {1, 0};
    wait_for_test(server);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    send_text(fd, "* BYE shutting down\r\n");
}

static inline void script_greeting_and_echo(Server *server, int fd)
{
    char bytes[4096];
    ssize_t length;
    send_text(fd, "* OK ready\r\n");
    while ((length = recv(fd, bytes, sizeof(bytes), 0)) > 0) {
        g_byte_array_append(server->got, (const guint8 *)bytes, (guint)length);
        send(fd, bytes, (size_t)length, MSG_NOSIGNAL);
    }
}

static inline void script_last_words(Server *server, int fd)
{
    (void)server;
    send_text(fd, "* BYE too many connections\r\n");
}

static inline void script_tls_echo(Server *server, int fd)
{
    char bytes[65536];
    int length;
    SSL *ssl = server_handshake(server, fd);
    if (!ssl)
        return;
    SSL_write(ssl, "* OK ready\r\n", 12);
    while ((length = SSL_read(ssl, bytes, sizeof(bytes))) > 0) {
        g_byte_array_append(server->got, (const guint8 *)bytes, (guint)length);
        if (SSL_write(ssl, bytes, length) <= 0)
            break;
    }
    SSL_shutdown(ssl);
    SSL_free(ssl);
    ERR_clear_error();
}

static inline void script_silent(Server *server, int fd)
{
    (void)fd;
    wait_for_test(server);
}

static inline void script_tls_farewell(Server *server, int fd)
{
    SSL *ssl = server_handshake(server, fd);
    if (!ssl)
        return;
    SSL_write(ssl, "* BYE\r\n", 7);
    SSL_shutdown(ssl);
    SSL_free(ssl);
}

static inline int clean_certificates(void **state)
{
    (void)state;
    certificates_clean();
    return 0;
}
