#include "conn_private.h"

#include "net/quote.h"
#include "outcome.h"
#include "trace.h"

#include <errno.h>
#include <string.h>

enum {
    DEPTH = 64,           /* how many commands may be unanswered at once */
    MAX_PASSED = 1 << 30, /* bytes of a literal that nobody wants: a longer one is a lie */
};

static void request_free(Request *request)
{
    imap_command_free(request->command);
    g_free(request);
}

static void pump(ImapConn *conn);
static void send_pieces(ImapConn *conn, Request *request);

/* The literal is sent, or never will be. */
static void forget_literal(ImapConn *conn)
{
    Request *request = g_steal_pointer(&conn->literal);

    conn->feeding = false;
    if (request && request->answered)
        request_free(request);
}

/* --- failing ------------------------------------------------------------------------------- */

static void complete_all(ImapConn *conn, GQueue *queue)
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
    ImapConn *conn = data;

    g_clear_pointer(&conn->failing, g_source_unref);
    g_clear_pointer(&conn->stream, stream_free);
    forget_literal(conn);
    conn->idling = NULL;
    complete_all(conn, &conn->in_flight);
    complete_all(conn, &conn->waiting);
    if (!conn->closed) {
        conn->closed = true;
        conn->events->closed(conn->data, conn->failure);
    }
    return G_SOURCE_REMOVE;
}

static void schedule_failing(ImapConn *conn)
{
    if (conn->failing)
        return;
    conn->failing = g_idle_source_new();
    g_source_set_priority(conn->failing, G_PRIORITY_DEFAULT);
    g_source_set_callback(conn->failing, fail_now, conn, NULL);
    g_source_attach(conn->failing, g_main_context_get_thread_default());
}

void imap_conn_fail(ImapConn *conn, const GError *error)
{
    if (!conn->failure)
        conn->failure = g_error_copy(error);
    schedule_failing(conn);
}

void imap_conn_fail_text(ImapConn *conn, int code, const char *text)
{
    g_autoptr(GError) error = g_error_new(MAIL_ERROR, code, "%s: %s", conn->peer, text);
    imap_conn_fail(conn, error);
}

/* --- sending ------------------------------------------------------------------------------- */

static void write_line(ImapConn *conn, const char *start, GBytes *piece, bool last, bool secret)
{
    gsize length;
    const guint8 *bytes = g_bytes_get_data(piece, &length);

    if (start)
        stream_write(conn->stream, start, strlen(start));
    if (secret)
        stream_write_secret(conn->stream, bytes, length);
    else
        stream_write(conn->stream, bytes, length);
    if (last)
        stream_write(conn->stream, "\r\n", 2);
}

static void send_piece(ImapConn *conn, Request *request)
{
    size_t n = imap_command_pieces(request->command);
    bool secret = false;
    const char *log = NULL;
    g_autoptr(GBytes) piece = NULL;
    g_autofree char *start = NULL;

    piece = imap_command_piece(request->command, request->sent, &secret, &log);
    if (request->sent == 0)
        start = g_strconcat(request->tag, " ", NULL);
    if (conn->trace) {
        g_autofree char *shown = g_strconcat(start ? start : "", log, NULL);
        imap_trace_sent(conn->number, shown);
    }
    request->sent++;
    write_line(conn, start, piece, request->sent == n, secret);
}

/* The stream has room again. A server that takes what is sent is not silent. */
static void on_hungry(gpointer data)
{
    ImapConn *conn = data;

    conn->heard = g_get_monotonic_time();
    if (!conn->failure && conn->feeding) {
        send_pieces(conn, conn->literal);
        pump(conn);
    }
}

/* Sends the request's pieces up to the next one that the server has to ask for, or as much of a
 * source as the stream has room for. */
static void send_pieces(ImapConn *conn, Request *request)
{
    size_t n = imap_command_pieces(request->command);

    conn->literal = request;
    while (request->sent < n) {
        ImapSource *source = imap_command_source_at(request->command, request->sent);
        if (source) {
            if (conn->trace && !conn->feeding)
                imap_trace_sent(conn->number, "<a message that is not shown>");
            conn->feeding = true;
            stream_feed(conn->stream, on_hungry);
            if (!imap_source_feed(source, conn->stream)) {
                if (imap_source_error(source))
                    imap_conn_fail_text(conn, ENOTCONN, imap_source_error(source)->message);
                return;
            }
            stream_feed(conn->stream, NULL);
            conn->feeding = false;
            request->sent++;
        } else {
            send_piece(conn, request);
            if (request->sent < n && imap_command_waits(request->command, request->sent - 1))
                return;
        }
    }
    forget_literal(conn);
}

static bool may_send(ImapConn *conn, const Request *next)
{
    const Request *last = g_queue_peek_tail(&conn->in_flight);

    if (conn->failure || conn->farewell || conn->literal || conn->upgrading || conn->compressing ||
        !conn->greeted)
        return false;
    if (conn->idling && !imap_conn_idle_is_ending(conn))
        return false;
    if (last && ((last->flags | next->flags) & IMAP_REQUEST_BARRIER))
        return false;
    if (last && (next->flags & IMAP_REQUEST_IDLE))
        return false;
    if (last && (last->flags & IMAP_REQUEST_COMPRESS))
        return false;
    return g_queue_get_length(&conn->in_flight) < DEPTH;
}

static void pump(ImapConn *conn)
{
    Request *request;

    if (conn->idling && conn->waiting.length > 0)
        imap_conn_end_idle(conn);
    while ((request = g_queue_peek_head(&conn->waiting)) && may_send(conn, request)) {
        g_queue_pop_head(&conn->waiting);
        g_snprintf(request->tag, sizeof request->tag, "A%u", ++conn->last_tag);
        g_queue_push_tail(&conn->in_flight, request);
        if (request->flags & IMAP_REQUEST_IDLE)
            imap_conn_idle_sent(conn, request);
        imap_conn_expect_answer(conn);
        send_pieces(conn, request);
    }
}

static void submit(ImapConn *conn, ImapCommand *command, unsigned flags,
                   const ImapRequestEvents *events, gpointer data, gpointer owner)
{
    Request *request = g_new0(Request, 1);

    request->command = command;
    request->flags = flags;
    if (flags & IMAP_REQUEST_STARTTLS)
        request->flags |= IMAP_REQUEST_BARRIER;
    request->events = events;
    request->data = data;
    request->owner = owner;
    g_queue_push_tail(&conn->waiting, request);
    if (conn->failure)
        schedule_failing(conn);
    else
        pump(conn);
}

void imap_conn_send(ImapConn *conn, ImapCommand *command, unsigned flags,
                    const ImapRequestEvents *events, gpointer data)
{
    submit(conn, command, flags, events, data, data);
}

void imap_conn_send_for(ImapConn *conn, ImapCommand *command, const ImapRequestEvents *events,
                        gpointer data, gpointer owner)
{
    submit(conn, command, 0, events, data, owner);
}

void imap_conn_answer(ImapConn *conn, const char *line)
{
    if (!conn->stream)
        return;
    if (conn->trace)
        imap_trace_sent(conn->number, "<an answer that is not shown>");
    stream_write_secret(conn->stream, line, strlen(line));
    stream_write(conn->stream, "\r\n", 2);
}

void imap_conn_cancel(ImapConn *conn, gpointer data)
{
    for (GList *l = conn->in_flight.head; l; l = l->next) {
        Request *request = l->data;
        if (request->owner != data)
            continue;
        request->events = NULL;
        if (request == conn->idling)
            imap_conn_end_idle(conn);
    }
    for (GList *l = conn->waiting.head, *next; l; l = next) {
        Request *request = l->data;
        next = l->next;
        if (request->owner == data) {
            g_queue_delete_link(&conn->waiting, l);
            request_free(request);
        }
    }
}

/* --- receiving ----------------------------------------------------------------------------- */

static void take_continuation(ImapConn *conn, const ImapResponse *response)
{
    Request *request = g_queue_peek_head(&conn->in_flight);

    if (!conn->greeted) {
        imap_conn_fail_text(conn, EPROTO,
                            "this is no IMAP server: it does not begin with a greeting");
    } else if (conn->literal) {
        if (!conn->feeding)
            send_pieces(conn, conn->literal);
        pump(conn);
    } else {
        if (request && request == conn->idling)
            imap_conn_idle_begun(conn);
        if (request && request->events && request->events->continuation)
            request->events->continuation(request->data, response->text);
    }
}

static GList *find_tag(ImapConn *conn, const char *tag)
{
    for (GList *l = conn->in_flight.head; l; l = l->next)
        if (strcmp(((Request *)l->data)->tag, tag) == 0)
            return l;
    return NULL;
}

static void take_tagged(ImapConn *conn, const ImapResponse *response)
{
    GList *link = find_tag(conn, response->tag);

    if (!link && imap_conn_idle_was_crossed(conn, response))
        return;
    if (!link) {
        imap_conn_fail_text(conn, EPROTO, "the server answered a command that was never sent");
        return;
    }
    Request *request = link->data;
    g_queue_delete_link(&conn->in_flight, link);
    /* What was announced has to follow all the same. */
    request->answered = conn->literal == request && conn->feeding;
    if (conn->literal == request && !conn->feeding)
        conn->literal = NULL;
    if (conn->idling == request)
        conn->idling = NULL;
    if ((request->flags & IMAP_REQUEST_STARTTLS) && strcmp(response->name, "OK") == 0)
        conn->upgrading = true;
    if ((request->flags & IMAP_REQUEST_COMPRESS) && strcmp(response->name, "OK") == 0)
        conn->compressing = true;
    if (request->events)
        request->events->done(request->data, response, NULL);
    request->events = NULL;
    if (!request->answered)
        request_free(request);
}

static bool offer(const Request *request, const ImapResponse *response)
{
    return request->events && request->events->untagged &&
           request->events->untagged(request->data, response);
}

static bool is_claimed(ImapConn *conn, const ImapResponse *response)
{
    const char *tag = imap_correlator(response);
    const GList *one = tag ? find_tag(conn, tag) : NULL;
    bool claimed = false;

    if (one)
        return offer(one->data, response);
    for (GList *l = conn->in_flight.head; l; l = l->next) {
        const Request *request = l->data;
        if (!claimed || (request->events && request->events->overhears))
            claimed = offer(request, response) || claimed;
    }
    return claimed;
}

static void take_untagged(ImapConn *conn, const ImapResponse *response)
{
    if (strcmp(response->name, "BYE") == 0) {
        g_free(conn->farewell);
        conn->farewell = g_strdup(response->text);
        imap_conn_expect_answer(conn);
    }
    if (!conn->greeted)
        conn->greeted = true;
    else if (is_claimed(conn, response))
        return;
    conn->events->untagged(conn->data, response);
}

/* A continuation that is not for a literal belongs to a login. */
static void trace_response(const ImapConn *conn, const ImapResponse *response)
{
    if (response->kind == IMAP_CONTINUATION && !conn->literal && response->text && *response->text)
        imap_trace_challenge(conn->number);
    else
        imap_trace_response(conn->number, response);
}

static bool on_response(gpointer data, const ImapResponse *response)
{
    ImapConn *conn = data;

    if (conn->trace)
        trace_response(conn, response);
    switch (response->kind) {
    case IMAP_CONTINUATION:
        take_continuation(conn, response);
        break;
    case IMAP_TAGGED:
        take_tagged(conn, response);
        break;
    case IMAP_UNTAGGED:
        take_untagged(conn, response);
        break;
    }
    return !conn->upgrading && !conn->compressing && !conn->failure;
}

static ImapLiteralFate on_literal(gpointer data, uint64_t number, const char *name,
                                  const char *item, uint64_t size, uint64_t *limit)
{
    ImapConn *conn = data;
    uint64_t most = 0;
    (void)number;

    if (size > MAX_PASSED) {
        *limit = MAX_PASSED;
        return IMAP_LITERAL_KEEP; /* which is an error */
    }
    if (strcmp(name, "FETCH") != 0 || !item)
        return size <= *limit ? IMAP_LITERAL_KEEP : IMAP_LITERAL_DISCARD;
    for (GList *l = conn->in_flight.head; l; l = l->next) {
        const Request *request = l->data;
        uint64_t wanted = 0;
        if (request->events && request->events->literal &&
            request->events->literal(request->data, item, &wanted))
            most = MAX(most, wanted);
    }
    *limit = most;
    return size <= most ? IMAP_LITERAL_KEEP : IMAP_LITERAL_DISCARD;
}

/* The server has agreed to TLS; `left` more bytes came behind that. */
static void start_tls(ImapConn *conn, size_t left)
{
    g_autoptr(GError) error = NULL;

    if (left > 0)
        imap_conn_fail_text(conn, EPROTO,
                            "the server sent data in clear behind its answer to STARTTLS");
    else if (!stream_start_tls(conn->stream, conn->tls, &error))
        imap_conn_fail(conn, error);
}

/* Likewise to compression: they are compressed already. */
static void start_compression(ImapConn *conn, const uint8_t *behind, size_t left)
{
    g_autoptr(GError) error = NULL;

    conn->compressing = false;
    if (stream_start_deflate(conn->stream, behind, left, &error))
        pump(conn);
    else
        imap_conn_fail_text(conn, EPROTO, error->message);
}

static void on_received(gpointer data, const uint8_t *bytes, size_t length)
{
    ImapConn *conn = data;
    g_autoptr(GError) error = NULL;
    size_t consumed = 0;

    if (conn->failure)
        return;
    conn->heard = g_get_monotonic_time();
    if (conn->upgrading) {
        imap_conn_fail_text(conn, EPROTO,
                            "the server sent data in clear behind its answer to STARTTLS");
        return;
    }
    if (!imap_parser_feed(conn->parser, bytes, length, &consumed, &error)) {
        imap_conn_fail_text(conn, EPROTO, error->message);
        return;
    }
    if (conn->upgrading)
        start_tls(conn, length - consumed);
    else if (conn->compressing && !conn->failure)
        start_compression(conn, bytes + consumed, length - consumed);
    else
        pump(conn);
}

static void on_ready(gpointer data)
{
    ImapConn *conn = data;

    conn->upgrading = false;
    imap_conn_expect_answer(conn);
    conn->events->ready(conn->data);
    pump(conn);
}

static void on_closed(gpointer data, const GError *error)
{
    ImapConn *conn = data;

    if (conn->farewell)
        imap_conn_fail_farewell(conn);
    else
        imap_conn_fail(conn, error);
}

/* --- life ---------------------------------------------------------------------------------- */

static const StreamEvents stream_events = {on_ready, on_received, on_closed};
static const ImapParserEvents parser_events = {on_response, on_literal};

ImapConn *imap_conn_new(const ImapConfig *config, unsigned number, const ImapConnEvents *events,
                        gpointer data)
{
    ImapConn *conn = g_new0(ImapConn, 1);

    conn->events = events;
    conn->data = data;
    conn->number = number;
    conn->trace = config->trace;
    conn->timeout = config->timeout;
    conn->tls = config->tls ? tls_policy_ref(config->tls) : NULL;
    conn->peer = g_strdup_printf("%s:%u", config->host, config->port);
    conn->parser = imap_parser_new(&parser_events, conn);
    g_queue_init(&conn->waiting);
    g_queue_init(&conn->in_flight);
    conn->stream = stream_new(config->host, config->port, config->implicit_tls ? conn->tls : NULL,
                              config->timeout, &stream_events, conn);
    stream_connect(conn->stream);
    return conn;
}

void imap_conn_free(ImapConn *conn)
{
    if (!conn)
        return;
    if (conn->failing)
        g_source_destroy(conn->failing);
    g_clear_pointer(&conn->failing, g_source_unref);
    if (conn->watch)
        g_source_destroy(conn->watch);
    g_clear_pointer(&conn->watch, g_source_unref);
    forget_literal(conn);
    g_queue_clear_full(&conn->in_flight, (GDestroyNotify)request_free);
    g_queue_clear_full(&conn->waiting, (GDestroyNotify)request_free);
    stream_free(conn->stream);
    imap_parser_free(conn->parser);
    if (conn->tls)
        tls_policy_unref(conn->tls);
    g_free(conn->farewell);
    g_free(conn->peer);
    g_clear_error(&conn->failure);
    g_free(conn);
}

gint64 imap_conn_heard(const ImapConn *conn)
{
    return conn->heard;
}

size_t imap_conn_load(const ImapConn *conn)
{
    return g_queue_get_length((GQueue *)&conn->waiting) +
           g_queue_get_length((GQueue *)&conn->in_flight);
}

Stream *imap_conn_stream(ImapConn *conn)
{
    return conn->stream;
}
