/*
 * stream.h: one connection to a server as a stream of bytes both ways, over TCP, TLS and DEFLATE.
 *
 * Shared by the IMAP and the POP3 client. A stream lives on the engine thread, in the GMainContext
 * that was the thread's default when it was made; nothing here waits. It reports what happens by
 * callbacks, which run from the main loop, never from inside a function of this file that the
 * owner called. A callback may free the stream.
 *
 * States: new -> connecting -> clear -> handshake -> secure; failed can follow each. `closed` is
 * reported once, and nothing after it.
 */
#pragma once

#include "pace.h"
#include "tls.h"

#include <glib.h>
#include <stdbool.h>

typedef struct Stream Stream;

typedef struct {
    /* Connected (and, where TLS was asked for, its handshake done and the server verified). Called
     * after stream_connect and again after stream_start_tls. */
    void (*ready)(gpointer data);
    /*
     * Bytes arrived, at most 64 KiB at a time; the owner takes them all. While paused (see
     * stream_pause) none come.
     */
    void (*received)(gpointer data, const uint8_t *bytes, size_t length);
    /*
     * The connection is gone, for this reason: ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT,
     * ENOTCONN (closed by the server), EPROTO (TLS, compression), EKEYREJECTED (the certificate was
     * not accepted), ENOENT never. The message names host and port and says what to do.
     */
    void (*closed)(gpointer data, const GError *error);
} StreamEvents;

/*
 * host: a name or an address (IPv6 without brackets). timeout: seconds that name lookup, connect
 * and handshake may take together, and again the handshake of stream_start_tls; 0: no limit. tls
 * NULL: clear text, at first. Host and events are copied, tls is referenced.
 */
Stream *stream_new(const char *host, uint16_t port, TlsPolicy *tls, unsigned timeout,
                   const StreamEvents *events, gpointer data);

/* Starts to look up the name (without blocking anyone) and to connect, to each address in turn. */
void stream_connect(Stream *stream);

/*
 * Begins TLS on a clear stream (STARTTLS, STLS). Bytes that the server sent behind its reply are
 * an attack: false with EPROTO where any arrived that `received` has not seen yet; the owner
 * checks those it has seen itself. EPROTO also while anything is queued to be sent in clear, EINVAL
 * for a host that no certificate can be verified for.
 */
bool stream_start_tls(Stream *stream, TlsPolicy *tls, GError **error);

/*
 * Compresses both ways from here on (RFC 4978), above TLS where there is TLS. behind: what
 * `received` has seen behind the server's reply, which is compressed already. False with EPROTO
 * where anything is queued to be sent as it is.
 */
bool stream_start_deflate(Stream *stream, const uint8_t *behind, size_t length, GError **error);

/* Queues bytes; they leave when the main loop gets to it, in as few packets as they fit. secret:
 * the queue's memory is wiped once they have left. */
void stream_write(Stream *stream, const void *bytes, size_t length);
void stream_write_secret(Stream *stream, const void *bytes, size_t length);
/* Bytes queued and not yet taken by the kernel, partly uncompressed. */
size_t stream_queued(const Stream *stream);

/*
 * feed (NULL: nobody any more) is called from the main loop whenever bytes have left and fewer than
 * STREAM_LOW are queued: whoever has much to send keeps writing until more are.
 */
enum { STREAM_LOW = 128 << 10 };
void stream_feed(Stream *stream, void (*feed)(gpointer data));

/* Stops and restarts the calls of `received`, so that memory stays bounded. */
void stream_pause(Stream *stream, bool pause);

bool stream_is_secure(Stream *stream);
/* "TLSv1.3 TLS_AES_256_GCM_SHA384", or "none"; valid while the stream is. */
const char *stream_tls_text(Stream *stream);
/* The end of the certificate's life, seconds since the epoch; 0 without TLS. */
int64_t stream_certificate_expiry(Stream *stream);
/* The lines "tls: …" and "certificate-expires: …" of the status; stream NULL: there was none yet.
 * The caller frees. */
char *stream_tls_lines(Stream *stream);
/*
 * Channel binding data for SASL -PLUS: type "tls-exporter" (RFC 9266), "tls-unique" or
 * "tls-server-end-point" (RFC 5929). NULL where the connection has none: the first two need TLS
 * 1.3 or the extended master secret (RFC 7627), tls-unique TLS 1.2. The caller unrefs.
 */
GBytes *stream_channel_binding(Stream *stream, const char *type);
/* How fast bytes arrive, as on the wire above TLS. */
const Pace *stream_pace(Stream *stream);
/* What arrived up to now no longer counts for that. */
void stream_forget_pace(Stream *stream);
/* The round trip as TCP sees it, in microseconds; 0: it is not known. */
uint32_t stream_round_trip(const Stream *stream);
bool stream_is_deflated(Stream *stream);
/* Bytes received and sent since the beginning, as on the wire above TLS. */
void stream_counters(Stream *stream, uint64_t *received, uint64_t *sent);

/* Drops the connection without a word to the owner, and frees. NULL is allowed. */
void stream_free(Stream *stream);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Stream, stream_free)
