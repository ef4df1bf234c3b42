#include "stream.h"
#include "connect.h"
#include "deflate.h"
#include "pace.h"
#include "send_queue.h"
#include "tls_private.h"
#include "transport.h"

#include <errno.h>
#include <gio/gio.h>
#include <string.h>

enum {
    PIECE = 64 * 1024,            /* the most that `received` gets at a time */
    PIECES_PER_TURN = 4,          /* then other sources of the loop get theirs */
    READS_PER_PIECE = 64,         /* likewise, where compressed bytes say next to nothing */
    BYTES_SENT_PER_TURN = 1 << 20 /* likewise */
};

typedef enum {
    STREAM_NEW,
    STREAM_CONNECTING,
    STREAM_CLEAR,
    STREAM_HANDSHAKE,
    STREAM_SECURE,
    STREAM_FAILED,
} StreamState;

/*
 * io is attached, and transport is there, exactly in the states CLEAR, HANDSHAKE and SECURE;
 * connect exactly in CONNECTING. owned is false once the owner has freed the stream: then a frame
 * of this file further up the stack holds the last reference, and no callback is made any more.
 * Once deflate is there, `plain` is what is to be sent and not compressed yet; else it is empty.
 */
struct Stream {
    unsigned references;
    bool owned;
    StreamState state;
    StreamEvents events;
    gpointer data;

    char *host;
    uint16_t port;
    unsigned timeout; /* seconds; 0: none */
    TlsPolicy *tls;   /* for a handshake right after connecting */
    GMainContext *context;

    Connect *connect;
    GSource *timer;
    Transport *transport;
    GSource *io;
    gpointer poll_tag;            /* NULL while the socket is not polled */
    GIOCondition polled;          /* what for, where it is */
    TransportResult read_blocked; /* TRANSPORT_OK: the next read may find something */
    TransportResult write_blocked;
    GError *write_error; /* sending failed; reported once what is left to read has been read */

    void (*feed)(gpointer data);
    bool paused;
    Deflate *deflate;
    SendQueue plain;
    SendQueue queue;
    Pace pace;
    uint64_t received;
    uint64_t sent;
    char *tls_text;
    int64_t certificate_expiry;
};

/* The GSource that watches the socket of its stream. */
typedef struct {
    GSource source;
    Stream *stream;
} StreamSource;

static bool is_established(const Stream *stream)
{
    return stream->state == STREAM_CLEAR || stream->state == STREAM_SECURE;
}

static void stop_timer(Stream *stream)
{
    if (stream->timer)
        g_source_destroy(stream->timer);
    g_clear_pointer(&stream->timer, g_source_unref);
}

/* Lets go of everything outside this process and of every source. */
static void disconnect(Stream *stream)
{
    stop_timer(stream);
    if (stream->connect)
        connect_cancel(g_steal_pointer(&stream->connect));
    if (stream->io)
        g_source_destroy(stream->io);
    g_clear_pointer(&stream->io, g_source_unref);
    stream->poll_tag = NULL;
    g_clear_pointer(&stream->transport, transport_free);
    g_clear_pointer(&stream->deflate, deflate_free);
    send_queue_clear(&stream->plain);
    send_queue_clear(&stream->queue);
}

static void stream_unref(Stream *stream)
{
    if (--stream->references > 0)
        return;
    g_clear_error(&stream->write_error);
    g_main_context_unref(stream->context);
    tls_policy_unref(stream->tls);
    g_free(stream->host);
    g_free(stream->tls_text);
    g_free(stream);
}

/* Ends the stream and tells the owner, who may free it. */
static void fail(Stream *stream, const GError *error)
{
    bool bare_ipv6 = strchr(stream->host, ':') != NULL;
    g_autoptr(GError)
        reason = g_error_new(MAIL_ERROR, mail_errno(error), "%s%s%s:%u: %s", bare_ipv6 ? "[" : "",
                             stream->host, bare_ipv6 ? "]" : "", stream->port, error->message);
    stream->state = STREAM_FAILED;
    disconnect(stream);
    if (stream->owned)
        stream->events.closed(stream->data, reason);
}

static gboolean time_is_up(gpointer data)
{
    Stream *stream = data;
    const char *what = stream->state == STREAM_HANDSHAKE ? "the TLS handshake did not end"
                                                         : "the server did not answer";
    g_autoptr(GError) error = g_error_new(
        MAIL_ERROR, ETIMEDOUT,
        "%s within %u seconds; are host and port right, and does no firewall stand in "
        "between?",
        what, stream->timeout);
    fail(stream, error);
    return G_SOURCE_REMOVE;
}

static void start_timer(Stream *stream)
{
    if (stream->timeout == 0)
        return;
    stream->timer = g_timeout_source_new_seconds(stream->timeout);
    g_source_set_callback(stream->timer, time_is_up, stream, NULL);
    g_source_attach(stream->timer, stream->context);
}

static void report_ready(Stream *stream)
{
    stop_timer(stream);
    stream->read_blocked = stream->write_blocked = TRANSPORT_OK;
    if (stream->owned)
        stream->events.ready(stream->data);
}

static void describe_tls(Stream *stream)
{
    SSL *ssl = stream->transport->ssl;
    struct tm tm;
    g_free(stream->tls_text);
    stream->tls_text = g_strdup_printf("%s %s", SSL_get_version(ssl), SSL_get_cipher_name(ssl));
    if (ASN1_TIME_to_tm(X509_get0_notAfter(SSL_get0_peer_certificate(ssl)), &tm) == 1)
        stream->certificate_expiry = timegm(&tm);
}

static void go_on_with_handshake(Stream *stream)
{
    g_autoptr(GError) error = NULL;
    TransportResult result = transport_handshake(stream->transport, &error);
    stream->read_blocked = result;
    if (result == TRANSPORT_FAILED) {
        fail(stream, error);
    } else if (result == TRANSPORT_OK) {
        stream->state = STREAM_SECURE;
        describe_tls(stream);
        report_ready(stream);
    }
}

/* Reads what arrived, as it came from the wire. */
static TransportResult read_wire(Stream *stream, uint8_t *bytes, size_t size, size_t *length,
                                 GError **error)
{
    TransportResult result = transport_read(stream->transport, bytes, size, length, error);
    if (result == TRANSPORT_OK) {
        stream->received += *length;
        pace_read(&stream->pace, *length, g_get_monotonic_time());
    } else if (result == TRANSPORT_WANT_READ) {
        pace_drained(&stream->pace, g_get_monotonic_time());
    }
    return result;
}

/* Likewise, uncompressed. *length may be 0 where it returns TRANSPORT_OK. */
static TransportResult read_some(Stream *stream, uint8_t *bytes, size_t size, size_t *length,
                                 GError **error)
{
    if (!stream->deflate)
        return read_wire(stream, bytes, size, length, error);
    if (!deflate_read(stream->deflate, bytes, size, length, error))
        return TRANSPORT_FAILED;
    if (*length > 0)
        return TRANSPORT_OK;
    size_t room, put = 0;
    uint8_t *input = deflate_room(stream->deflate, &room);
    TransportResult result = read_wire(stream, input, room, &put, error);
    deflate_put(stream->deflate, put);
    return result;
}

/* Fills a piece as far as the connection has bytes; what stopped it is in read_blocked. */
static size_t read_piece(Stream *stream, uint8_t *piece, GError **error)
{
    size_t filled = 0;
    for (int i = 0; i < READS_PER_PIECE; i++) {
        size_t length = 0;
        stream->read_blocked = read_some(stream, piece + filled, PIECE - filled, &length, error);
        filled += length;
        if (filled == PIECE || stream->read_blocked != TRANSPORT_OK)
            break;
    }
    return filled;
}

/* The piece is on the stack, since a callback may free the stream. */
static void receive(Stream *stream)
{
    uint8_t piece[PIECE];
    g_autoptr(GError) error = NULL;
    stream->read_blocked = TRANSPORT_OK;
    for (int i = 0; i < PIECES_PER_TURN && stream->read_blocked == TRANSPORT_OK; i++) {
        size_t length = read_piece(stream, piece, &error);
        if (length > 0)
            stream->events.received(stream->data, piece, length);
        if (!stream->owned || !is_established(stream))
            return;
        if (stream->paused)
            break;
    }
    if (error)
        fail(stream, error);
}

/* All that was written meanwhile in one go, since each end of one costs some bytes. */
static void compress_plain(Stream *stream)
{
    size_t length = send_queue_length(&stream->plain);
    if (length == 0)
        return;
    deflate_write(stream->deflate, send_queue_bytes(&stream->plain), length, &stream->queue,
                  stream->plain.secret);
    send_queue_drop(&stream->plain, length);
}

static void send_queued(Stream *stream)
{
    size_t turn = 0;
    if (send_queue_length(&stream->queue) == 0)
        compress_plain(stream);
    stream->write_blocked = TRANSPORT_OK;
    while (stream->write_blocked == TRANSPORT_OK && send_queue_length(&stream->queue) > 0 &&
           turn < BYTES_SENT_PER_TURN) {
        size_t length = 0;
        stream->write_blocked = transport_write(stream->transport, send_queue_bytes(&stream->queue),
                                                send_queue_length(&stream->queue), &length,
                                                &stream->write_error);
        send_queue_drop(&stream->queue, length);
        stream->sent += length;
        turn += length;
    }
    if (stream->write_error) {
        send_queue_clear(&stream->plain);
        send_queue_clear(&stream->queue);
    }
}

/* Reading goes first: what the server said last is told before that sending fails. */
static void transfer(Stream *stream)
{
    if (!stream->paused)
        receive(stream);
    if (!stream->owned || !is_established(stream))
        return;
    send_queued(stream);
    if (stream->write_error && !stream->paused && stream->read_blocked != TRANSPORT_OK) {
        g_autoptr(GError) error = g_steal_pointer(&stream->write_error);
        fail(stream, error);
    } else if (stream->feed && !stream->write_error && stream_queued(stream) < STREAM_LOW) {
        stream->feed(stream->data);
    }
}

static GIOCondition condition_of(TransportResult blocked)
{
    return blocked == TRANSPORT_WANT_WRITE ? G_IO_OUT : G_IO_IN;
}

static GIOCondition wanted_condition(const Stream *stream)
{
    GIOCondition wanted = 0;
    if (stream->state == STREAM_HANDSHAKE || !stream->paused)
        wanted |= condition_of(stream->read_blocked);
    if (is_established(stream) && stream_queued(stream) > 0)
        wanted |= stream->write_blocked == TRANSPORT_WANT_READ ? G_IO_IN : G_IO_OUT;
    return wanted;
}

/*
 * Brings what the socket is polled for in line with what the stream waits for. Nothing at all
 * means to leave it out: a hang-up would be signalled even then, and keep the loop spinning.
 */
static void update_polling(Stream *stream)
{
    if (!stream->io)
        return;
    GIOCondition wanted = wanted_condition(stream);
    if (!stream->poll_tag) {
        if (wanted)
            stream->poll_tag = g_source_add_unix_fd(stream->io, stream->transport->fd, wanted);
    } else if (!wanted) {
        g_source_remove_unix_fd(stream->io, g_steal_pointer(&stream->poll_tag));
    } else if (wanted != stream->polled) {
        g_source_modify_unix_fd(stream->io, stream->poll_tag, wanted);
    }
    stream->polled = wanted;
}

/* Bytes that OpenSSL has decrypted already are not signalled by the socket. */
static gboolean prepare_io(GSource *source, gint *wait)
{
    const Stream *stream = ((StreamSource *)source)->stream;
    *wait = -1;
    return stream->read_blocked == TRANSPORT_OK &&
           (stream->state == STREAM_HANDSHAKE || !stream->paused);
}

static gboolean check_io(GSource *source)
{
    const Stream *stream = ((StreamSource *)source)->stream;
    return stream->poll_tag && g_source_query_unix_fd(source, stream->poll_tag) != 0;
}

static gboolean dispatch_io(GSource *source, GSourceFunc callback, gpointer data)
{
    Stream *stream = ((StreamSource *)source)->stream;
    (void)callback;
    (void)data;
    stream->references++;
    if (stream->state == STREAM_HANDSHAKE)
        go_on_with_handshake(stream);
    else
        transfer(stream);
    update_polling(stream);
    stream_unref(stream);
    return G_SOURCE_CONTINUE;
}

static void watch_socket(Stream *stream)
{
    static GSourceFuncs functions = {
        .prepare = prepare_io, .check = check_io, .dispatch = dispatch_io};
    stream->io = g_source_new(&functions, sizeof(StreamSource));
    ((StreamSource *)stream->io)->stream = stream;
    g_source_set_static_name(stream->io, "pullmail stream");
    g_source_attach(stream->io, stream->context);
}

static bool begin_handshake(Stream *stream, TlsPolicy *tls, GError **error)
{
    if (!transport_start_tls(stream->transport, tls, stream->host, error))
        return false;
    stream->state = STREAM_HANDSHAKE;
    stream->read_blocked = TRANSPORT_OK;
    return true;
}

static void connected(gpointer data, int fd, const GError *cause)
{
    Stream *stream = data;
    g_autoptr(GError) error = NULL;
    stream->connect = NULL;
    if (cause) {
        fail(stream, cause);
        return;
    }
    stream->references++;
    stream->transport = transport_new(fd);
    watch_socket(stream);
    if (!stream->tls) {
        stream->state = STREAM_CLEAR;
        report_ready(stream);
    } else if (!begin_handshake(stream, stream->tls, &error)) {
        fail(stream, error);
    }
    update_polling(stream);
    stream_unref(stream);
}

Stream *stream_new(const char *host, uint16_t port, TlsPolicy *tls, unsigned timeout,
                   const StreamEvents *events, gpointer data)
{
    Stream *stream = g_new0(Stream, 1);
    stream->references = 1;
    stream->owned = true;
    stream->events = *events;
    stream->data = data;
    stream->host = g_strdup(host);
    stream->port = port;
    stream->timeout = timeout;
    stream->tls = tls ? tls_policy_ref(tls) : NULL;
    stream->context = g_main_context_ref_thread_default();
    return stream;
}

void stream_connect(Stream *stream)
{
    g_return_if_fail(stream->state == STREAM_NEW);
    stream->state = STREAM_CONNECTING;
    start_timer(stream);
    g_main_context_push_thread_default(stream->context);
    stream->connect = connect_start(stream->host, stream->port, stream->timeout, connected, stream);
    g_main_context_pop_thread_default(stream->context);
}

static bool refuse_tls(GError **error, const char *why)
{
    g_set_error(error, MAIL_ERROR, EPROTO, "TLS can't begin: %s", why);
    return false;
}

bool stream_start_tls(Stream *stream, TlsPolicy *tls, GError **error)
{
    if (stream->state != STREAM_CLEAR)
        return refuse_tls(error, "the connection is not there, or under TLS already");
    if (stream_queued(stream) > 0)
        return refuse_tls(error, "the server agreed before it had been asked");
    if (transport_has_unread(stream->transport))
        return refuse_tls(error, "more came in clear text behind the server's reply, which may be "
                                 "somebody in between");
    if (!begin_handshake(stream, tls, error))
        return false;
    start_timer(stream);
    update_polling(stream);
    return true;
}

bool stream_start_deflate(Stream *stream, const uint8_t *behind, size_t length, GError **error)
{
    if (!is_established(stream) || stream->deflate || stream_queued(stream) > 0 ||
        length > DEFLATE_ROOM) {
        g_set_error(error, MAIL_ERROR, EPROTO,
                    "compression can't begin: the server agreed before it had been asked");
        return false;
    }
    size_t room;
    stream->deflate = deflate_new();
    if (length > 0)
        memcpy(deflate_room(stream->deflate, &room), behind, length);
    deflate_put(stream->deflate, length);
    if (stream->read_blocked != TRANSPORT_FAILED)
        stream->read_blocked = TRANSPORT_OK;
    return true;
}

static void write_bytes(Stream *stream, const void *bytes, size_t length, bool secret)
{
    if (stream->state == STREAM_FAILED || stream->write_error)
        return;
    send_queue_append(stream->deflate ? &stream->plain : &stream->queue, bytes, length, secret);
    update_polling(stream);
}

void stream_write(Stream *stream, const void *bytes, size_t length)
{
    write_bytes(stream, bytes, length, false);
}

void stream_write_secret(Stream *stream, const void *bytes, size_t length)
{
    write_bytes(stream, bytes, length, true);
}

size_t stream_queued(const Stream *stream)
{
    return send_queue_length(&stream->plain) + send_queue_length(&stream->queue);
}

void stream_feed(Stream *stream, void (*feed)(gpointer data))
{
    stream->feed = feed;
}

void stream_pause(Stream *stream, bool pause)
{
    stream->paused = pause;
    update_polling(stream);
}

bool stream_is_secure(Stream *stream)
{
    return stream->state == STREAM_SECURE;
}

const char *stream_tls_text(Stream *stream)
{
    return stream_is_secure(stream) ? stream->tls_text : "none";
}

char *stream_tls_lines(Stream *stream)
{
    gint64 expiry = stream ? stream->certificate_expiry : 0;
    g_autoptr(GDateTime) when = expiry ? g_date_time_new_from_unix_utc(expiry) : NULL;
    g_autofree char *text = when ? g_date_time_format_iso8601(when) : NULL;

    return g_strdup_printf("tls: %s\ncertificate-expires: %s\n",
                           stream ? stream_tls_text(stream) : "none", text ? text : "none");
}

int64_t stream_certificate_expiry(Stream *stream)
{
    return stream_is_secure(stream) ? stream->certificate_expiry : 0;
}

GBytes *stream_channel_binding(Stream *stream, const char *type)
{
    return stream_is_secure(stream) ? tls_channel_binding(stream->transport->ssl, type) : NULL;
}

void stream_counters(Stream *stream, uint64_t *received, uint64_t *sent)
{
    *received = stream->received;
    *sent = stream->sent;
}

const Pace *stream_pace(Stream *stream)
{
    return &stream->pace;
}

void stream_forget_pace(Stream *stream)
{
    stream->pace = (Pace){0};
}

uint32_t stream_round_trip(const Stream *stream)
{
    return stream->transport ? transport_round_trip(stream->transport) : 0;
}

bool stream_is_deflated(Stream *stream)
{
    return stream->deflate != NULL;
}

void stream_free(Stream *stream)
{
    if (!stream)
        return;
    stream->owned = false;
    disconnect(stream);
    stream_unref(stream);
}
