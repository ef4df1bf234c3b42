/*
 * conn.h: one POP3 connection: commands out, in order and pipelined where that is allowed; replies
 * in, each to whom it belongs. Knows windows, multi-line answers and silence; nothing of logins or
 * messages.
 *
 * Engine thread. All callbacks come from the main loop, never from inside a function called here;
 * a callback must not free the connection (the owner does so later, from the loop).
 *
 * A request waits or is in flight; one that was cancelled in flight keeps its place, but nobody is
 * told. Answers come in the order of the commands, so what is in flight is kept short: by number,
 * and by the bytes that are to be expected.
 */
#pragma once

#include "../imapclient/net/stream.h"
#include "parse.h"
#include "store.h"

typedef struct Pop3Conn Pop3Conn;

typedef struct {
    /* The stream stands under the TLS that STLS brought. */
    void (*ready)(gpointer data);
    /* The server's first word. */
    void (*greeting)(gpointer data, const Pop3Reply *reply);
    /* The connection is gone; every request was completed with this error before. Once. */
    void (*closed)(gpointer data, const GError *error);
} Pop3ConnEvents;

enum {
    POP3_REQUEST_LINES = 1 << 0,   /* its +OK is followed by lines, for events->line */
    POP3_REQUEST_CONTENT = 1 << 1, /* likewise by content */
    POP3_REQUEST_STLS = 1 << 2,    /* likewise by the TLS handshake */
    POP3_REQUEST_AHEAD = 1 << 3,   /* lets all that come without this go first */
    POP3_REQUEST_LAST = 1 << 4,    /* goes behind all others; nothing is sent after it */
    POP3_REQUEST_SECRET = 1 << 5,  /* the command is wiped, and not logged */
};

/* What a request is told. Each but done may be NULL. */
typedef struct {
    void (*line)(gpointer data, const char *line, size_t length);
    void (*content)(gpointer data, const uint8_t *bytes, size_t length);
    /* The server's "+": send the next line with pop3_conn_answer. */
    void (*more)(gpointer data, const char *text);
    /* Completed, exactly once: by the reply (and all that belongs to it), or (reply NULL) by an
     * error. A reply to LINES and CONTENT that came whole has no text any more. */
    void (*done)(gpointer data, const Pop3Reply *reply, const GError *error);
} Pop3RequestEvents;

/* number: for the log. Connects at once; under TLS where config has implicit_tls. */
Pop3Conn *pop3_conn_new(const Pop3Config *config, unsigned number, const Pop3ConnEvents *events,
                        gpointer data);
void pop3_conn_free(Pop3Conn *conn); /* tells nobody */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Pop3Conn, pop3_conn_free)

/* From here on more than one command may be unanswered (RFC 2449 section 6.6). */
void pop3_conn_pipeline(Pop3Conn *conn);

/*
 * Queues a command (without CR LF; copied). expected: bytes that its answer will have, about. owner
 * is whose it is, see pop3_conn_cancel; data is what events get. events must outlive the request (a
 * static table).
 */
void pop3_conn_send(Pop3Conn *conn, const char *command, unsigned flags, uint64_t expected,
                    const Pop3RequestEvents *events, gpointer owner, gpointer data);
/* A line of an exchange that the server asked for; CRLF is added. */
void pop3_conn_answer(Pop3Conn *conn, const char *line);
/* Forgets all requests of `owner`: what waits is dropped, what is in flight completes unheard. */
void pop3_conn_cancel(Pop3Conn *conn, gpointer owner);
/* Gives the connection up: every request and then `closed` are told, from the main loop. */
void pop3_conn_fail(Pop3Conn *conn, const GError *error);

size_t pop3_conn_load(const Pop3Conn *conn);    /* requests that wait or are in flight */
size_t pop3_conn_waiting(const Pop3Conn *conn); /* those that wait */
Stream *pop3_conn_stream(Pop3Conn *conn);
