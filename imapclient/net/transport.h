/*
 * transport.h: the connected socket below a stream, in clear or under TLS, without ever waiting.
 *
 * Belongs to stream.c and lives on its thread. It knows no loop: each call does what can be done
 * now and says what it waits for.
 */
#pragma once

#include "tls.h"

typedef enum {
    TRANSPORT_OK,
    TRANSPORT_WANT_READ,  /* nothing done: again once the socket can be read; under TLS that may
                             be so for a write, and the other way round */
    TRANSPORT_WANT_WRITE, /* nothing done: again once the socket can be written */
    TRANSPORT_FAILED,     /* error is set; the transport is good for nothing but closing */
} TransportResult;

typedef struct {
    int fd;
    SSL *ssl;    /* NULL in clear */
    char *host;  /* that ssl is made for */
    int code;    /* the errno of the last read or write below TLS; 0: it worked */
    bool at_end; /* the server has closed its side of the socket */
    bool broken; /* under TLS: there is nothing to say farewell to */
} Transport;

/* Takes over the connected socket. */
Transport *transport_new(int fd);
/* TCP's estimate of the round trip, in microseconds; 0: there is none. */
uint32_t transport_round_trip(const Transport *transport);
/* Closes, under TLS with a close_notify where one can be sent. NULL is allowed. */
void transport_free(Transport *transport);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Transport, transport_free)

/* From here on all goes through TLS, beginning with transport_handshake. Fails with EINVAL. */
bool transport_start_tls(Transport *transport, TlsPolicy *policy, const char *host, GError **error);
TransportResult transport_handshake(Transport *transport, GError **error);

/* Reads up to size bytes; *length > 0 where it returns TRANSPORT_OK. Errors are as StreamEvents'
 * closed has them, without host and port in the message. */
TransportResult transport_read(Transport *transport, void *bytes, size_t size, size_t *length,
                               GError **error);
/* After a WANT result of a write, the next one begins with the same bytes and has no fewer. */
TransportResult transport_write(Transport *transport, const void *bytes, size_t size,
                                size_t *length, GError **error);

/* Whether bytes (or the end) have arrived that nobody has read; in clear only. */
bool transport_has_unread(Transport *transport);

/* The error for an errno of connect, read or write. */
GError *transport_error(int code);
