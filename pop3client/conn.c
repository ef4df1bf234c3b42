#include "conn.h"

#include "../imapclient/net/quote.h"
#include "limits.h"
#include "trace.h"

#include <errno.h>
#include <string.h>

/* expected: bytes of the answer that are still to come, about. */
typedef struct {
    char *command; /* NULL where it is secret */
    Secret *secret;
    unsigned flags;
    uint64_t expected;
    uint64_t received;               /* bytes of content */
    const Pop3RequestEvents *events; /* NULL: cancelled */
    gpointer owner, data;
} Request;

/*
 * A request is in exactly one of `waiting` and `in_flight`, which are in the order of sending;
 * the head of in_flight is the one that the server answers. `outstanding` is the sum of what is
 * expected by those in flight. Behind a request with POP3_REQUEST_LAST nothing waits. Once
 * `failure` is set nothing is sent, and all requests are about to be completed with it by the
 * source `failing`; once `closed`, there are none.
 */
struct Pop3Conn {
    const Pop3ConnEvents *events;
    gpointer data;
    unsigned number;
    bool trace;
    Stream *stream;
    TlsPolicy *tls;
    Pop3Parser *parser;
    GQueue waiting, in_flight;
    uint64_t outstanding;
    bool pipelining;
    bool greeted;
    bool upgrading; /* STLS was agreed to */
    bool closed;
    char *farewell; /* what the server said unasked */
    GError *failure;
    GSource *failing;
    GSource *watch; /* looks each second whether the server still speaks */
    gint64 heard;   /* monotonic microseconds */
    unsigned timeout;
    char *peer;
};

static void request_free(Request *request)
{
    secret_free(request->secret);
    g_free(request->command);
    g_free(request);
}

/* --- failing ------------------------------------------------------------------------------- */

static void complete_all(Pop3Conn *conn, GQueue *queue)
{
    Request *request;

    while ((request = g_queue_pop_head(queue))) {
        if (request->events)
            request->events->done(request->data, NULL, conn->failure);
        request_free(request);
    }
}

static gboolean fail_now(gpointer data)
{
    Pop3Conn *conn = data;

    g_clear_pointer(&conn->failing, g_source_unref);
    g_clear_pointer(&conn->stream, stream_free);
    complete_all(conn, &conn->in_flight);
    complete_all(conn, &conn->waiting);
    if (!conn->closed) {
        conn->closed = true;
        conn->events->closed(conn->data, conn->failure);
    }
    return G_SOURCE_REMOVE;
}

static void schedule_failing(Pop3Conn *conn)
{
    if (conn->failing)
        return;
    conn->failing = g_idle_source_new();
    g_source_set_priority(conn->failing, G_PRIORITY_DEFAULT);
    g_source_set_callback(conn->failing, fail_now, conn, NULL);
    g_source_attach(conn->failing, g_main_context_get_thread_default());
}

void pop3_conn_fail(Pop3Conn *conn, const GError *error)
{
    if (!conn->failure)
        conn->failure = g_error_copy(error);
    schedule_failing(conn);
}

static void fail_text(Pop3Conn *conn, int code, const char *text)
{
    g_autoptr(GError) error = g_error_new(MAIL_ERROR, code, "%s: %s", conn->peer, text);
    pop3_conn_fail(conn, error);
}

static void fail_farewell(Pop3Conn *conn)
{
    g_autofree char *text = quote_text(conn->farewell);
    g_autofree char *goodbye = g_strdup_printf("the server ended the session: %s", text);

    fail_text(conn, ENOTCONN, goodbye);
}

/* --- silence ------------------------------------------------------------------------------- */

static gboolean watch_tick(gpointer data)
{
    Pop3Conn *conn = data;
    bool expecting = !conn->greeted || !g_queue_is_empty(&conn->in_flight);
    gint64 silent = g_get_monotonic_time() - conn->heard;

    if (!expecting || conn->failure) {
        g_clear_pointer(&conn->watch, g_source_unref);
        return G_SOURCE_REMOVE;
    }
    if (silent > (gint64)conn->timeout * G_USEC_PER_SEC) {
        g_autofree char *text = g_strdup_printf("the server has not answered for %u s",
                                                conn->timeout);
        fail_text(conn, ETIMEDOUT, text);
    }
    return G_SOURCE_CONTINUE;
}

static void expect_answer(Pop3Conn *conn)
{
    if (conn->watch)
        return;
    conn->heard = g_get_monotonic_time();
    conn->watch = g_timeout_source_new_seconds(1);
    g_source_set_callback(conn->watch, watch_tick, conn, NULL);
    g_source_attach(conn->watch, g_main_context_get_thread_default());
}

/* --- sending ------------------------------------------------------------------------------- */

static void write_command(Pop3Conn *conn, const Request *request)
{
    const char *text = request->secret ? secret_text(request->secret) : request->command;

    if (conn->trace && request->secret) {
        g_autofree char *shown = g_strdup_printf("%.*s (and what is not shown)",
                                                 (int)strcspn(text, " "), text);
        pop3_trace_sent(conn->number, shown);
    } else if (conn->trace) {
        pop3_trace_sent(conn->number, text);
    }
    if (request->secret)
        stream_write_secret(conn->stream, text, secret_length(request->secret));
    else
        stream_write(conn->stream, text, strlen(text));
    stream_write(conn->stream, "\r\n", 2);
}

/* The bytes that may be outstanding; see limits.h. */
static uint64_t window(const Pop3Conn *conn)
{
    enum { MILLIS = 1000 };
    uint64_t brought = pace_best(stream_pace(conn->stream)) / MILLIS * POP3_PIPELINE_MILLIS;

    return CLAMP(brought, POP3_PIPELINE_LEAST, POP3_PIPELINE_MOST);
}

static bool may_send(Pop3Conn *conn, const Request *next)
{
    guint n = g_queue_get_length(&conn->in_flight);
    const Request *last = g_queue_peek_tail(&conn->in_flight);

    if (conn->failure || conn->farewell || conn->upgrading || !conn->greeted)
        return false;
    if (n == 0)
        return true;
    if (!conn->pipelining || n >= POP3_PIPELINE_DEPTH || (last->flags & POP3_REQUEST_LAST))
        return false;
    return conn->outstanding + next->expected <= window(conn);
}

static void pump(Pop3Conn *conn)
{
    Request *request;

    while ((request = g_queue_peek_head(&conn->waiting)) && may_send(conn, request)) {
        g_queue_pop_head(&conn->waiting);
        g_queue_push_tail(&conn->in_flight, request);
        conn->outstanding += request->expected;
        expect_answer(conn);
        write_command(conn, request);
    }
}

/* Ahead of all that can wait longer. */
static void enqueue(GQueue *queue, Request *request)
{
    const unsigned later = POP3_REQUEST_AHEAD | POP3_REQUEST_LAST;
    unsigned mine = request->flags & later;
    GList *before = queue->tail;

    while (before && (((Request *)before->data)->flags & later) > mine)
        before = before->prev;
    if (before)
        g_queue_insert_after(queue, before, request);
    else
        g_queue_push_head(queue, request);
}

void pop3_conn_send(Pop3Conn *conn, const char *command, unsigned flags, uint64_t expected,
                    const Pop3RequestEvents *events, gpointer owner, gpointer data)
{
    Request *request = g_new0(Request, 1);

    if (flags & POP3_REQUEST_SECRET)
        request->secret = secret_new(command, -1);
    else
        request->command = g_strdup(command);
    request->flags = flags;
    request->expected = MIN(expected, UINT32_MAX);
    request->events = events;
    request->owner = owner;
    request->data = data;
    enqueue(&conn->waiting, request);
    if (conn->failure)
        schedule_failing(conn);
    else
        pump(conn);
}

void pop3_conn_pipeline(Pop3Conn *conn)
{
    conn->pipelining = true;
    pump(conn);
}

void pop3_conn_answer(Pop3Conn *conn, const char *line)
{
    if (!conn->stream)
        return;
    if (conn->trace)
        pop3_trace_sent(conn->number, "(an answer that is not shown)");
    stream_write_secret(conn->stream, line, strlen(line));
    stream_write(conn->stream, "\r\n", 2);
}

void pop3_conn_cancel(Pop3Conn *conn, gpointer owner)
{
    for (GList *l = conn->in_flight.head; l; l = l->next) {
        Request *request = l->data;
        if (request->owner == owner)
            request->events = NULL;
    }
    for (GList *l = conn->waiting.head, *next; l; l = next) {
        Request *request = l->data;
        next = l->next;
        if (request->owner == owner) {
            g_queue_delete_link(&conn->waiting, l);
            request_free(request);
        }
    }
}

/* --- receiving ----------------------------------------------------------------------------- */

static void complete(Pop3Conn *conn, const Pop3Reply *reply)
{
    Request *request = g_queue_pop_head(&conn->in_flight);

    conn->outstanding -= request->expected;
    if (request->events)
        request->events->done(request->data, reply, NULL);
    request_free(request);
}

/* A word that nobody asked for: a server that is about to close says why. */
static Pop3Follows take_unasked(Pop3Conn *conn, const Pop3Reply *reply)
{
    if (!conn->greeted) {
        conn->greeted = true;
        conn->events->greeting(conn->data, reply);
    } else if (reply->kind == POP3_ERR) {
        g_free(conn->farewell);
        conn->farewell = g_strdup(reply->text);
        fail_farewell(conn);
    } else {
        fail_text(conn, EPROTO, "the server answered a command that was never sent");
    }
    return conn->failure ? POP3_STOP : POP3_NOTHING;
}

static Pop3Follows on_reply(gpointer data, const Pop3Reply *reply)
{
    Pop3Conn *conn = data;
    Request *request = g_queue_peek_head(&conn->in_flight);

    if (conn->failure)
        return POP3_STOP;
    if (conn->trace)
        pop3_trace_reply(conn->number, reply);
    if (!request)
        return take_unasked(conn, reply);
    if (reply->kind == POP3_CONTINUE && !(request->events && request->events->more)) {
        /* Taken for the answer, it would leave that to the next command. */
        fail_text(conn, EPROTO, "the server asks for more, where there is no more");
        return POP3_STOP;
    }
    if (reply->kind == POP3_CONTINUE) {
        request->events->more(request->data, reply->text);
        return POP3_NOTHING;
    }
    if (reply->kind == POP3_OK && (request->flags & POP3_REQUEST_LINES))
        return POP3_LINES;
    if (reply->kind == POP3_OK && (request->flags & POP3_REQUEST_CONTENT))
        return POP3_CONTENT;
    if (reply->kind == POP3_OK && (request->flags & POP3_REQUEST_STLS))
        conn->upgrading = true;
    complete(conn, reply);
    return conn->upgrading || conn->failure ? POP3_STOP : POP3_NOTHING;
}

static void on_line(gpointer data, const char *line, size_t length)
{
    Pop3Conn *conn = data;
    const Request *request = g_queue_peek_head(&conn->in_flight);

    if (conn->trace)
        pop3_trace_line(conn->number, line);
    if (request->events && request->events->line && !conn->failure)
        request->events->line(request->data, line, length);
}

static void on_content(gpointer data, const uint8_t *bytes, size_t length)
{
    Pop3Conn *conn = data;
    Request *request = g_queue_peek_head(&conn->in_flight);
    uint64_t fewer = MIN(request->expected, length);

    request->expected -= fewer;
    conn->outstanding -= fewer;
    request->received += length;
    if (request->events && request->events->content && !conn->failure)
        request->events->content(request->data, bytes, length);
}

static void on_end(gpointer data)
{
    static const Pop3Reply reply = {POP3_OK, "", ""};
    Pop3Conn *conn = data;
    const Request *request = g_queue_peek_head(&conn->in_flight);

    if (conn->trace && (request->flags & POP3_REQUEST_CONTENT))
        pop3_trace_content(conn->number, request->received);
    if (!conn->failure)
        complete(conn, &reply);
}

/* The server has agreed to TLS; `left` more bytes came behind that. */
static void start_tls(Pop3Conn *conn, size_t left)
{
    g_autoptr(GError) error = NULL;

    if (left > 0)
        fail_text(conn, EPROTO, "the server sent data in clear behind its answer to STLS");
    else if (!stream_start_tls(conn->stream, conn->tls, &error))
        pop3_conn_fail(conn, error);
}

static void on_received(gpointer data, const uint8_t *bytes, size_t length)
{
    Pop3Conn *conn = data;
    g_autoptr(GError) error = NULL;
    size_t consumed = 0;

    if (conn->failure)
        return;
    conn->heard = g_get_monotonic_time();
    if (conn->upgrading)
        fail_text(conn, EPROTO, "the server sent data in clear behind its answer to STLS");
    else if (!pop3_parser_feed(conn->parser, bytes, length, &consumed, &error))
        fail_text(conn, EPROTO, error->message);
    else if (conn->upgrading)
        start_tls(conn, length - consumed);
    else
        pump(conn);
}

static void on_ready(gpointer data)
{
    Pop3Conn *conn = data;
    bool upgraded = conn->upgrading;

    conn->upgrading = false;
    expect_answer(conn);
    if (upgraded)
        conn->events->ready(conn->data);
    pump(conn);
}

static void on_closed(gpointer data, const GError *error)
{
    Pop3Conn *conn = data;

    pop3_conn_fail(conn, error);
}

/* --- life ---------------------------------------------------------------------------------- */

static const StreamEvents stream_events = {on_ready, on_received, on_closed};
static const Pop3ParserEvents parser_events = {on_reply, on_line, on_content, on_end};

Pop3Conn *pop3_conn_new(const Pop3Config *config, unsigned number, const Pop3ConnEvents *events,
                        gpointer data)
{
    Pop3Conn *conn = g_new0(Pop3Conn, 1);

    conn->events = events;
    conn->data = data;
    conn->number = number;
    conn->trace = config->trace;
    conn->timeout = config->timeout;
    conn->tls = config->tls ? tls_policy_ref(config->tls) : NULL;
    conn->peer = g_strdup_printf("%s:%u", config->host, config->port);
    conn->parser = pop3_parser_new(&parser_events, conn);
    g_queue_init(&conn->waiting);
    g_queue_init(&conn->in_flight);
    conn->stream = stream_new(config->host, config->port, config->implicit_tls ? conn->tls : NULL,
                              config->timeout, &stream_events, conn);
    stream_connect(conn->stream);
    return conn;
}

void pop3_conn_free(Pop3Conn *conn)
{
    if (!conn)
        return;
    if (conn->failing)
        g_source_destroy(conn->failing);
    g_clear_pointer(&conn->failing, g_source_unref);
    if (conn->watch)
        g_source_destroy(conn->watch);
    g_clear_pointer(&conn->watch, g_source_unref);
    g_queue_clear_full(&conn->in_flight, (GDestroyNotify)request_free);
    g_queue_clear_full(&conn->waiting, (GDestroyNotify)request_free);
    stream_free(conn->stream);
    pop3_parser_free(conn->parser);
    if (conn->tls)
        tls_policy_unref(conn->tls);
    g_free(conn->farewell);
    g_free(conn->peer);
    g_clear_error(&conn->failure);
    g_free(conn);
}

size_t pop3_conn_load(const Pop3Conn *conn)
{
    return conn->waiting.length + conn->in_flight.length;
}

size_t pop3_conn_waiting(const Pop3Conn *conn)
{
    return conn->waiting.length;
}

Stream *pop3_conn_stream(Pop3Conn *conn)
{
    return conn->stream;
}
