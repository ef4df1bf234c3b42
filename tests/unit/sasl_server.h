/*
 * sasl_server.h: the other side of a login, for the tests of SASL: libgsasl's server, and a
 * connection that has channel bindings.
 */
#pragma once

#include "../../imapclient/net/sasl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <gsasl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char binding_bytes[] = "\1binding\0of this connection";

/* What the client's connection and the server's have: types separated by spaces. */
typedef struct {
    const char *types;
} Connection;

static inline GBytes *channel_binding(gpointer data, const char *type)
{
    const Connection *connection = data;
    g_auto(GStrv) types = g_strsplit(connection->types, " ", -1);
    if (!g_strv_contains((const char *const *)types, type))
        return NULL;
    return g_bytes_new(binding_bytes, sizeof(binding_bytes));
}

static Connection tls13 G_GNUC_UNUSED = {"tls-exporter tls-server-end-point"};
static Connection tls12 G_GNUC_UNUSED = {"tls-exporter tls-unique tls-server-end-point"};

static inline SaslContext context_for(const char *user, const Secret *password,
                                      Connection *connection)
{
    return (SaslContext){
        .user = user,
        .password = password,
        .host = "mail.example.org",
        .port = 993,
        .service = "imap",
        .secure = connection != NULL,
        .channel_binding = connection ? channel_binding : NULL,
        .data = connection,
    };
}

/* --- libgsasl's server side --- */

typedef struct {
    const char *user;
    const char *password;
    Connection *connection;
    Gsasl *library;
    Gsasl_session *session;
    int status;
} Server;

static inline int server_binding(Server *server, Gsasl_session *session, Gsasl_property property)
{
    const char *type = property == GSASL_CB_TLS_UNIQUE ? "tls-unique" : "tls-exporter";
    g_autoptr(GBytes) bytes = server->connection ? channel_binding(server->connection, type) : NULL;
    if (!bytes)
        return GSASL_NO_CALLBACK;
    g_autofree char *text = g_base64_encode(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    return gsasl_property_set(session, property, text);
}

static inline int server_answer(Gsasl *library, Gsasl_session *session, Gsasl_property property)
{
    Server *server = gsasl_callback_hook_get(library);
    switch (property) {
    case GSASL_PASSWORD:
        if (g_strcmp0(gsasl_property_fast(session, GSASL_AUTHID), server->user) != 0)
            return GSASL_AUTHENTICATION_ERROR;
        return gsasl_property_set(session, property, server->password);
    case GSASL_VALIDATE_EXTERNAL:
        return g_strcmp0(gsasl_property_fast(session, GSASL_AUTHZID), server->user) == 0
                   ? GSASL_OK
                   : GSASL_AUTHENTICATION_ERROR;
    case GSASL_CB_TLS_UNIQUE:
    case GSASL_CB_TLS_EXPORTER:
        return server_binding(server, session, property);
    default:
        return GSASL_NO_CALLBACK;
    }
}

static inline void server_begin(Server *server, const char *mechanism)
{
    assert_int_equal(gsasl_init(&server->library), GSASL_OK);
    gsasl_callback_set(server->library, server_answer);
    gsasl_callback_hook_set(server->library, server);
    g_autofree char *name = g_ascii_strup(mechanism, -1);
    assert_int_equal(gsasl_server_start(server->library, name, &server->session), GSASL_OK);
    server->status = GSASL_NEEDS_MORE;
}

static inline void server_end(Server *server)
{
    gsasl_finish(server->session);
    gsasl_done(server->library);
}

/* The server's next challenge in base64, to be freed; NULL where it gave up. */
static inline char *server_step(Server *server, const char *answer)
{
    char *challenge = NULL;
    server->status = gsasl_step64(server->session, answer, &challenge);
    if (server->status != GSASL_OK && server->status != GSASL_NEEDS_MORE) {
        gsasl_free(challenge);
        return NULL;
    }
    char *copy = g_strdup(challenge ? challenge : "");
    gsasl_free(challenge);
    return copy;
}

static inline Secret *must_step(Sasl *sasl, const char *challenge)
{
    g_autoptr(GError) error = NULL;
    Secret *answer = sasl_step(sasl, challenge, &error);
    if (!answer)
        fail_msg("step failed: %s", error->message);
    assert_null(error);
    return answer;
}

static inline Sasl *must_begin(const char *mechanism, const SaslContext *context)
{
    g_autoptr(GError) error = NULL;
    Sasl *sasl = sasl_new(mechanism, context, &error);
    if (!sasl)
        fail_msg("%s does not start: %s", mechanism, error->message);
    return sasl;
}

/* Carries the messages to and fro as IMAP does, until the server is content or gives up. */
static inline void carry(Sasl *sasl, Server *server)
{
    g_autofree char *challenge = sasl_client_first(sasl) ? NULL : server_step(server, "");
    for (int round = 0; round < 5; round++) {
        g_autoptr(Secret) answer = must_step(sasl, challenge);
        g_free(challenge);
        challenge = NULL;
        if (server->status == GSASL_OK)
            return;
        challenge = server_step(server, secret_text(answer));
        if (!challenge || (server->status == GSASL_OK && !*challenge))
            return;
    }
    fail_msg("no end");
}

static inline void check_login(const char *mechanism, const char *user, const char *text,
                               Connection *connection)
{
    Server server = {.user = user, .password = text, .connection = connection};
    g_autoptr(Secret) password = text ? secret_new(text, -1) : NULL;
    SaslContext context = context_for(user, password, connection);
    g_autoptr(Sasl) sasl = must_begin(mechanism, &context);
    g_autoptr(GError) error = NULL;
    server_begin(&server, mechanism);
    carry(sasl, &server);
    if (server.status != GSASL_OK)
        fail_msg("%s: the server says %s", mechanism, gsasl_strerror(server.status));
    assert_true(sasl_finish(sasl, &error));
    assert_null(error);
    assert_null(sasl_failure(sasl));
    server_end(&server);
}

static inline void assert_decoded(const Secret *answer, const void *expected, size_t length)
{
    gsize got;
    g_autofree guchar *bytes = g_base64_decode(secret_text(answer), &got);
    assert_int_equal(got, length);
    assert_memory_equal(bytes, expected, length);
}

/* --- What is left of a password --- */

/* The password, but for what exclusive-or takes away, so that this program holds no other. */
static const char masked_password[] = "Rdbsdu,gns,`,rdbsdu,eddq,ho,uid,id`q";
enum { MASK = 1, TAIL = 12 };

static inline Secret *unmasked_password(void)
{
    char text[sizeof(masked_password)];
    for (size_t i = 0; i + 1 < sizeof(text); i++)
        text[i] = (char)(masked_password[i] ^ MASK);
    Secret *password = secret_new(text, sizeof(text) - 1);
    secret_wipe(text, sizeof(text));
    return password;
}

static inline size_t count_tails(const char *bytes, size_t length)
{
    const char *tail = masked_password + sizeof(masked_password) - 1 - TAIL;
    size_t found = 0;
    for (size_t i = 0; i + TAIL <= length; i++) {
        size_t same = 0;
        while (same < TAIL && bytes[i + same] == (char)(tail[same] ^ MASK))
            same++;
        found += same == TAIL;
    }
    return found;
}

/* How often the password's end is in the heap, freed pieces included, whose beginnings malloc
 * writes over. */
static inline size_t passwords_in_heap(void)
{
    static char piece[1 << 16]; /* not in the heap */
    unsigned long first = 0;
    unsigned long end = 0;
    size_t found = 0;
    g_autofree char *maps = NULL;
    assert_true(g_file_get_contents("/proc/self/maps", &maps, NULL, NULL));
    const char *line = strstr(maps, "[heap]");
    if (!line)
        return 0; /* an allocator of another kind */
    while (line > maps && line[-1] != '\n')
        line--;
    char *dash;
    first = strtoul(line, &dash, 16);
    end = strtoul(dash + 1, NULL, 16);
    int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    assert_true(memory >= 0);
    for (; first < end; first += sizeof(piece) - TAIL) {
        ssize_t length = pread(memory, piece, MIN(sizeof(piece), end - first), (off_t)first);
        if (length > 0)
            found += count_tails(piece, (size_t)length);
    }
    memset(piece, 0, sizeof(piece));
    close(memory);
    return found;
}
