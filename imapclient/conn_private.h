/*
 * conn_private.h: a connection's inside, shared by conn.c (what is sent, and to whom what comes
 * belongs) and conn_wait.c (how long the server may be silent, and IDLE).
 */
#pragma once

#include "conn.h"

typedef struct {
    ImapCommand *command;
    unsigned flags;
    const ImapRequestEvents *events; /* NULL: cancelled */
    gpointer data, owner;
    char tag[16];
    size_t sent;   /* pieces of the command */
    bool answered; /* though its literal has not been sent to its end */
} Request;

/* How far an IDLE is. */
typedef enum {
    IMAP_IDLE_SENT,   /* the server has yet to agree */
    IMAP_IDLE_BEGUN,  /* it may say something, or nothing, for as long as it likes */
    IMAP_IDLE_ENDING, /* DONE was sent */
} ImapIdle;

/*
 * A request is in exactly one of `waiting` and `in_flight`. in_flight is in the order of sending.
 * Where `literal` is set, it is the last in flight, some of its pieces are unsent, and nothing
 * else is sent: while `feeding` the next of them is a source, whose bytes are being sent; else the
 * server has to ask for it. A request that is answered while it is fed is `literal` alone. Once
 * `failure` is set nothing is sent and all requests are about to be completed with it by the source
 * `failing`; once `closed`, there are none. `idling` is an IDLE in flight; nothing else is, but
 * what was sent behind its DONE.
 */
struct ImapConn {
    const ImapConnEvents *events;
    gpointer data;
    unsigned number;
    bool trace;
    Stream *stream;
    TlsPolicy *tls;
    ImapParser *parser;
    GQueue waiting, in_flight;
    Request *literal;
    bool feeding;
    Request *idling;
    ImapIdle idle;
    bool unwanted; /* the IDLE: DONE is to follow as soon as it may */
    bool done;     /* a DONE was sent, ever */
    unsigned last_tag;
    bool greeted;
    bool upgrading;   /* STARTTLS was agreed to */
    bool compressing; /* COMPRESS was agreed to, and the bytes behind that are still to be seen */
    bool closed;
    char *farewell; /* the text of a BYE: nothing is sent any more */
    GError *failure;
    GSource *failing;
    GSource *watch; /* looks each second whether the server still speaks */
    gint64 heard;   /* monotonic microseconds */
    unsigned timeout;
    char *peer;
};

/* --- conn.c ---------------------------------------------------------------------------------- */

/* As imap_conn_fail; the text gets the server's name ahead of it. */
void imap_conn_fail_text(ImapConn *conn, int code, const char *text);

/* --- conn_wait.c ----------------------------------------------------------------------------- */

/* From now on the server has to say something: silence beyond the timeout fails the connection. */
void imap_conn_expect_answer(ImapConn *conn);
/* As imap_conn_fail, with what the server said in its BYE. */
void imap_conn_fail_farewell(ImapConn *conn);

/* It has just been sent; and, the server agreed ("+"). */
void imap_conn_idle_sent(ImapConn *conn, Request *request);
void imap_conn_idle_begun(ImapConn *conn);
/* Whether commands may follow: DONE was sent. */
bool imap_conn_idle_is_ending(const ImapConn *conn);
/*
 * The server ended the IDLE while DONE was on its way to it, took that for a command, and refuses
 * it: of no interest.
 */
bool imap_conn_idle_was_crossed(const ImapConn *conn, const ImapResponse *response);
