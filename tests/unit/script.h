/*
 * script.h: a server on the loopback that plays transcripts, for the tests of both clients. It
 * lives in the same main context as the client, below it in priority: so whatever the client can do
 * with what it has got is done before the server goes on, and a test needs no clock.
 *
 * Connection number i plays scripts[i]; when there are no more, connecting is refused.
 */
#pragma once

#include "script_text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

typedef enum {
    PLAY_WHOLE, /* all that the server has to say up to the client's next word at once */
    PLAY_BYTES, /* byte by byte */
    PLAY_CUT,   /* one connection breaks off in the middle; another one is not cut */
} ScriptPlay;

typedef struct Script Script;

/* The server's line, to be freed; ssl is NULL in clear. */
typedef char *(*ScriptAnswer)(gpointer data, SSL *ssl, const char *line);

struct Script {
    const char *const *scripts;
    size_t n_scripts;
    ScriptPlay play;
    size_t cut;            /* broken off behind so many halves of the server's steps */
    size_t cut_connection; /* which connection is: 0 for the first */
    /* Asked when the client comes again: whether the same transcript may be played from its
     * beginning. NULL: connecting is refused. */
    bool (*may_replay)(gpointer data);
    ScriptAnswer answer;
    gpointer data;
    SSL_CTX *tls;

    int listener;
    int holder; /* bound to the same port, so that nobody else gets it when the listener closes */
    uint16_t port;
    GSource *accepting;
    GPtrArray *peers;
    bool was_cut;
    bool go_on;
    bool waiting;  /* some connection is at a W: */
    uint64_t sent; /* bytes, all connections together */
    char *problem; /* what the client did wrong first */
};

typedef struct {
    Script *script;
    int fd; /* -1: closed */
    SSL *ssl;
    bool secure;
    z_stream *deflating, *inflating; /* NULL: not compressed */
    size_t number;
    GArray *steps;
    guint at;
    size_t halves; /* of steps of the server's that were said */
    GByteArray *in, *out;
    size_t sent; /* bytes of out */
    bool ended;  /* the server says nothing more */
    bool gone;   /* the client has closed */
    GSource *source;
    gpointer tag;
} ScriptPeer;

typedef struct {
    GSource source;
    ScriptPeer *peer;
} ScriptSource;

static inline void script_problem(Script *script, const char *what, const void *bytes, size_t n)
{
    g_autofree char *text = g_strndup(bytes, n);
    g_autofree char *shown = g_strescape(text, NULL);

    if (!script->problem)
        script->problem = g_strdup_printf("%s: \"%s\"", what, shown);
}

/* --- a connection ---------------------------------------------------------------------------- */

static inline void script_refuse(Script *script)
{
    if (script->accepting)
        g_source_destroy(script->accepting);
    g_clear_pointer(&script->accepting, g_source_unref);
    if (script->listener >= 0)
        close(script->listener);
    script->listener = -1;
}

/* Of a connection that the client has closed nothing is to be remembered (TIME_WAIT): there are so
 * many that a machine where some of these tests run at once would be short of ports. */
static inline void peer_forget(ScriptPeer *peer)
{
    const struct linger none = {.l_onoff = 1, .l_linger = 0};

    setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
}

static inline void peer_close(ScriptPeer *peer)
{
    if (peer->fd < 0)
        return;
    if (peer->gone)
        peer_forget(peer);
    g_source_remove_unix_fd(peer->source, peer->tag);
    SSL_free(peer->ssl);
    peer->ssl = NULL;
    close(peer->fd);
    peer->fd = -1;
}

/* By turns as a server that ends does it, and as one that crashed. */
static inline void peer_break_off(ScriptPeer *peer)
{
    Script *script = peer->script;

    peer->ended = script->was_cut = true;
    if (!script->may_replay)
        script_refuse(script);
    if (script->cut % 4 < 2)
        shutdown(peer->fd, SHUT_WR);
    else
        peer_close(peer);
}

static inline ssize_t peer_write(ScriptPeer *peer, const void *bytes, size_t length)
{
    if (!peer->secure)
        return send(peer->fd, bytes, length, MSG_NOSIGNAL);
    int n = SSL_write(peer->ssl, bytes, (int)length);
    if (n > 0)
        return n;
    errno = SSL_get_error(peer->ssl, n) == SSL_ERROR_WANT_WRITE ? EAGAIN : EPIPE;
    ERR_clear_error();
    return -1;
}

static inline ssize_t peer_read(ScriptPeer *peer, void *bytes, size_t length)
{
    if (!peer->secure)
        return recv(peer->fd, bytes, length, 0);
    int n = SSL_read(peer->ssl, bytes, (int)length);
    if (n > 0)
        return n;
    bool later = SSL_get_error(peer->ssl, n) == SSL_ERROR_WANT_READ;
    ERR_clear_error();
    errno = EAGAIN;
    return later ? -1 : 0;
}

/* Appends what a compressing or uncompressing stream makes of the bytes. */
static inline void peer_pass(z_stream *stream, int (*step)(z_stream *, int), GByteArray *to,
                             const void *bytes, size_t length)
{
    guint8 out[4096];

    stream->next_in = (Bytef *)bytes;
    stream->avail_in = (uInt)length;
    do {
        stream->next_out = out;
        stream->avail_out = sizeof out;
        int result = step(stream, Z_SYNC_FLUSH);
        assert_true(result == Z_OK || result == Z_BUF_ERROR);
        g_byte_array_append(to, out, (guint)(sizeof out - stream->avail_out));
    } while (stream->avail_out == 0);
}

static inline void peer_take(ScriptPeer *peer, const void *bytes, size_t length)
{
    if (peer->inflating)
        peer_pass(peer->inflating, inflate, peer->in, bytes, length);
    else
        g_byte_array_append(peer->in, bytes, (guint)length);
}

/* What the client has sent up to now may be behind its own change. */
static inline void peer_compress(ScriptPeer *peer)
{
    g_autoptr(GByteArray) in = peer->in;

    peer->in = g_byte_array_new();
    peer->deflating = g_new0(z_stream, 1);
    peer->inflating = g_new0(z_stream, 1);
    assert_int_equal(deflateInit2(peer->deflating, 6, Z_DEFLATED, -15, 8, 0), Z_OK);
    assert_int_equal(inflateInit2(peer->inflating, -15), Z_OK);
    peer_take(peer, in->data, in->len);
}

static inline void peer_receive(ScriptPeer *peer)
{
    guint8 bytes[4096];
    ssize_t n;

    while ((n = peer_read(peer, bytes, sizeof bytes)) > 0)
        if (!peer->ended)
            peer_take(peer, bytes, (size_t)n);
    if (n == 0 || errno != EAGAIN)
        peer->gone = true;
}

/* Sends what there is to send; false where not all of it went. */
static inline bool peer_flush(ScriptPeer *peer)
{
    enum { LARGE = 8192, PIECE = 4096 };
    Script *script = peer->script;

    while (peer->out->len > 0) {
        size_t n = peer->out->len - peer->sent;
        if (script->play == PLAY_BYTES)
            n = n > LARGE ? PIECE : 1;
        ssize_t sent = peer_write(peer, peer->out->data + peer->sent, n);
        if (sent < 0) {
            peer->gone = errno != EAGAIN;
            return false;
        }
        script->sent += (uint64_t)sent;
        peer->sent += (size_t)sent;
        if (peer->sent == peer->out->len) {
            g_byte_array_set_size(peer->out, 0);
            peer->sent = 0;
        }
        if (script->play == PLAY_BYTES) {
            if (peer->out->len == 0) /* what is next needs no event to begin */
                g_source_set_ready_time(peer->source, 0);
            return false;
        }
    }
    return true;
}

static inline void peer_queue(ScriptPeer *peer, GBytes *bytes, size_t length)
{
    if (peer->deflating)
        peer_pass(peer->deflating, deflate, peer->out, g_bytes_get_data(bytes, NULL), length);
    else
        g_byte_array_append(peer->out, g_bytes_get_data(bytes, NULL), (guint)length);
}

/* Whether the connection is to be cut off in this step, or right ahead of it. */
static inline bool peer_say(ScriptPeer *peer, GBytes *bytes)
{
    const Script *script = peer->script;
    bool cutting = script->play == PLAY_CUT && peer->number == script->cut_connection;
    size_t length = g_bytes_get_size(bytes);

    if (cutting && peer->halves >= script->cut)
        return true;
    if (cutting && peer->halves + 1 == script->cut) {
        peer_queue(peer, bytes, length / 2);
        return true;
    }
    peer->halves += 2;
    peer_queue(peer, bytes, length);
    return false;
}

/* False where more of the client's words must come. */
static inline bool peer_compare(ScriptPeer *peer, GBytes *expected)
{
    size_t length = g_bytes_get_size(expected);
    size_t n = MIN(length, peer->in->len);

    if (n > 0 && memcmp(peer->in->data, g_bytes_get_data(expected, NULL), n) != 0) {
        g_autofree char *wanted = g_strndup(g_bytes_get_data(expected, NULL), length);
        g_autofree char *shown = g_strescape(wanted, NULL);
        g_autofree char *what = g_strdup_printf("connection %zu, instead of \"%s\"", peer->number,
                                                shown);
        script_problem(peer->script, what, peer->in->data, peer->in->len);
        return false;
    }
    if (n < length)
        return false;
    g_byte_array_remove_range(peer->in, 0, (guint)length);
    return true;
}

/* False where the client's line is not there yet. */
static inline bool peer_answer(ScriptPeer *peer)
{
    Script *script = peer->script;
    const guint8 *end = peer->in->len ? memchr(peer->in->data, '\n', peer->in->len) : NULL;

    if (!end)
        return false;
    size_t length = (size_t)(end - peer->in->data) + 1;
    g_autofree char *line = g_strndup((const char *)peer->in->data, length);
    g_autofree char *reply = script->answer(script->data, peer->ssl, g_strchomp(line));
    g_byte_array_append(peer->out, (const guint8 *)reply, (guint)strlen(reply));
    g_byte_array_append(peer->out, (const guint8 *)"\r\n", 2);
    g_byte_array_remove_range(peer->in, 0, (guint)length);
    return true;
}

/* The server's part of the handshake; false while it is under way. */
static inline bool peer_handshake(ScriptPeer *peer)
{
    if (peer->in->len) {
        script_problem(peer->script, "in clear", peer->in->data, peer->in->len);
        return false;
    }
    if (!peer->ssl) {
        peer->ssl = SSL_new(peer->script->tls);
        SSL_set_fd(peer->ssl, peer->fd);
    }
    int result = SSL_accept(peer->ssl);
    if (result == 1) {
        peer->secure = true;
        return true;
    }
    if (SSL_get_error(peer->ssl, result) != SSL_ERROR_WANT_READ)
        peer->gone = true;
    ERR_clear_error();
    return false;
}

/* Whether the step is done. */
static inline bool peer_play(ScriptPeer *peer, const ScriptStep *step)
{
    enum { STOCK = 65536 };
    Script *script = peer->script;

    switch (step->kind) {
    case 'C':
        return peer_compare(peer, step->bytes);
    case 'S':
        if (!peer_say(peer, step->bytes))
            return true;
        peer_flush(peer);
        peer_break_off(peer);
        return false;
    case 'E':
        while (peer->out->len < STOCK)
            peer_queue(peer, step->bytes, g_bytes_get_size(step->bytes));
        return false;
    case 'F':
        return peer_answer(peer);
    case 'W':
        script->waiting = !script->go_on;
        return script->go_on;
    case 'T':
        return peer_handshake(peer);
    case 'Z':
        peer_compress(peer);
        return true;
    default:
        shutdown(peer->fd, SHUT_WR);
        peer->ended = true;
        return true;
    }
}

static inline bool peer_next_is_said(const ScriptPeer *peer)
{
    return peer->at < peer->steps->len &&
           g_array_index(peer->steps, ScriptStep, peer->at).kind == 'S';
}

static inline void peer_work(ScriptPeer *peer)
{
    Script *script = peer->script;
    bool handshaking = peer->at < peer->steps->len &&
                       g_array_index(peer->steps, ScriptStep, peer->at).kind == 'T' &&
                       !peer->secure;

    if (!handshaking)
        peer_receive(peer);
    while (!peer->gone && !peer->ended && !script->problem && peer->fd >= 0) {
        if (!peer_next_is_said(peer) && !peer_flush(peer))
            return;
        if (peer->at == peer->steps->len) {
            if (peer->in->len)
                script_problem(script, "behind the end", peer->in->data, peer->in->len);
            return;
        }
        bool done = peer_play(peer, &g_array_index(peer->steps, ScriptStep, peer->at));
        peer->at += done;
        if (!done && peer->out->len == 0)
            return;
    }
    if (peer->gone)
        peer_close(peer);
}

static inline gboolean peer_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    ScriptPeer *peer = ((ScriptSource *)source)->peer;

    (void)callback;
    (void)data;
    g_source_set_ready_time(source, -1);
    peer_work(peer);
    if (peer->fd >= 0)
        g_source_modify_unix_fd(source, peer->tag,
                                peer->out->len && !peer->ended ? G_IO_IN | G_IO_OUT : G_IO_IN);
    return G_SOURCE_CONTINUE;
}

static inline void peer_new(Script *script, int fd, const char *text)
{
    static GSourceFuncs functions = {.dispatch = peer_dispatch};
    static const int on = 1;
    ScriptPeer *peer = g_new0(ScriptPeer, 1);

    fcntl(fd, F_SETFL, O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    peer->script = script;
    peer->fd = fd;
    peer->number = script->peers->len;
    peer->steps = script_read(text);
    peer->in = g_byte_array_new();
    peer->out = g_byte_array_new();
    peer->source = g_source_new(&functions, sizeof(ScriptSource));
    ((ScriptSource *)peer->source)->peer = peer;
    g_source_set_priority(peer->source, G_PRIORITY_LOW);
    peer->tag = g_source_add_unix_fd(peer->source, fd, G_IO_IN);
    g_source_set_ready_time(peer->source, 0);
    g_source_attach(peer->source, g_main_context_get_thread_default());
    g_ptr_array_add(script->peers, peer);
}

static inline void peer_free(gpointer data)
{
    ScriptPeer *peer = data;

    peer->gone = true;
    peer_close(peer);
    g_source_destroy(peer->source);
    g_source_unref(peer->source);
    g_array_unref(peer->steps);
    g_byte_array_unref(peer->in);
    g_byte_array_unref(peer->out);
    if (peer->deflating) {
        deflateEnd(peer->deflating);
        inflateEnd(peer->inflating);
    }
    g_free(peer->deflating);
    g_free(peer->inflating);
    g_free(peer);
}

/* --- the server ------------------------------------------------------------------------------ */

static inline gboolean script_accept(gint listener, GIOCondition condition, gpointer data)
{
    Script *script = data;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    size_t number = script->peers->len;
    size_t all = script->n_scripts + (script->was_cut ? 1 : 0);

    (void)condition;
    if (fd < 0)
        return G_SOURCE_CONTINUE;
    if (script->was_cut && !script->may_replay(script->data)) {
        close(fd);
        return G_SOURCE_CONTINUE;
    }
    peer_new(script, fd, script->scripts[number < script->n_scripts ? number : 0]);
    if (number + 1 >= all && script->play != PLAY_CUT)
        script_refuse(script);
    return G_SOURCE_CONTINUE;
}

/* Bound to the address, whose port, where it is 0, is filled in. */
static inline int script_socket(struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    socklen_t length = sizeof *address;

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)address, length), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)address, &length), 0);
    return fd;
}

static inline void script_begin(Script *script)
{
    struct sockaddr_in address = {.sin_family = AF_INET};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    script->holder = script_socket(&address);
    script->listener = script_socket(&address);
    assert_int_equal(listen(script->listener, 8), 0);
    script->port = ntohs(address.sin_port);
    script->peers = g_ptr_array_new_with_free_func(peer_free);
    script->accepting = g_unix_fd_source_new(script->listener, G_IO_IN);
    g_source_set_callback(script->accepting, G_SOURCE_FUNC(script_accept), script, NULL);
    g_source_attach(script->accepting, g_main_context_get_thread_default());
    if (script->n_scripts == 0)
        script_refuse(script);
}

/* Lets the server go on behind each W:, now and later. */
static inline void script_go_on(Script *script)
{
    script->go_on = true;
    script->waiting = false;
    for (guint i = 0; i < script->peers->len; i++)
        g_source_set_ready_time(((ScriptPeer *)g_ptr_array_index(script->peers, i))->source, 0);
}

/* Whether each script was played to its end. */
static inline bool script_is_through(const Script *script)
{
    for (guint i = 0; i < script->peers->len; i++) {
        const ScriptPeer *peer = g_ptr_array_index(script->peers, i);
        if (peer->at < peer->steps->len)
            return false;
    }
    return script->peers->len >= script->n_scripts;
}

static inline void script_end(Script *script)
{
    script_refuse(script);
    close(script->holder);
    g_ptr_array_unref(script->peers);
    g_clear_pointer(&script->problem, g_free);
}
