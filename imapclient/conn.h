/*
 * conn.h: one IMAP connection: commands out, in order and pipelined; responses in, each to whom
 * it belongs. Knows tags, literals, barriers and silence; nothing of logins or mailboxes.
 *
 * Engine thread. All callbacks come from the main loop, never from inside a function called here;
 * a callback must not free the connection (the owner does so later, from the loop).
 *
 * Three queues: requests wait, are in flight, or were cancelled while in flight (these keep their
 * place, but nobody is told). Depth is capped, so that what waits can still be taken back. A
 * literal that comes from a source is read as fast as it leaves; where it can't be read to its end,
 * the connection is given up (ENOTCONN), since the server waits for all that was announced.
 */
#pragma once

#include "build.h"
#include "net/stream.h"
#include "parse.h"
#include "store.h"

typedef struct ImapConn ImapConn;

typedef struct {
    /* The stream stands: first of all, and again after STARTTLS. */
    void (*ready)(gpointer data);
    /* An untagged response that no request in flight claimed; the greeting is the first. */
    void (*untagged)(gpointer data, const ImapResponse *response);
    /* The connection is gone; every request was completed with this error before. Once. */
    void (*closed)(gpointer data, const GError *error);
} ImapConnEvents;

enum {
    /* Goes out when all before it are completed, and nothing goes out until it is (RFC 9051
     * section 5.5): LOGIN, AUTHENTICATE, STARTTLS. */
    IMAP_REQUEST_BARRIER = 1 << 0,
    /* Its OK is followed by the TLS handshake (implies a barrier). */
    IMAP_REQUEST_STARTTLS = 1 << 1,
    /* Its OK is followed by compressed bytes, both ways (RFC 4978). Goes out in its turn, and
     * nothing goes out behind it until it is completed. */
    IMAP_REQUEST_COMPRESS = 1 << 2,
    /*
     * IDLE (RFC 2177): goes out when all before it are completed. Whatever is to be sent behind it
     * ends it: DONE goes out first, and waits for nothing but the server's "+" (its continuation is
     * told of that). In between the server may be silent for as long as it likes; behind DONE it
     * may not. A server may end it by itself.
     */
    IMAP_REQUEST_IDLE = 1 << 3,
};

/* What a request is told. Each but done may be NULL. */
typedef struct {
    /*
     * An untagged response while the request is in flight; true claims it. Servers may answer
     * several commands before they complete the first, so that it need not be this one's; but for
     * ESEARCH, which names its command (RFC 4466), and is told to that one alone.
     */
    bool (*untagged)(gpointer data, const ImapResponse *response);
    /* It is also told what one ahead of it claimed: the server may have meant it for this one. */
    bool overhears;
    /* A literal of this FETCH item begins: true wants it, up to *limit bytes. */
    bool (*literal)(gpointer data, const char *item, uint64_t *limit);
    /* The server's "+": send the next line with imap_conn_answer. */
    void (*continuation)(gpointer data, const char *text);
    /* Completed, exactly once: by the tagged response, or (response NULL) by an error. */
    void (*done)(gpointer data, const ImapResponse *response, const GError *error);
} ImapRequestEvents;

/* number: for the log. Connects at once; under TLS where config has implicit_tls. */
ImapConn *imap_conn_new(const ImapConfig *config, unsigned number, const ImapConnEvents *events,
                        gpointer data);
void imap_conn_free(ImapConn *conn); /* tells nobody */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImapConn, imap_conn_free)

/* Queues a command (taken over). events must outlive the request (a static table). */
void imap_conn_send(ImapConn *conn, ImapCommand *command, unsigned flags,
                    const ImapRequestEvents *events, gpointer data);
/* Likewise; it is the owner's: imap_conn_cancel forgets it with all that is. */
void imap_conn_send_for(ImapConn *conn, ImapCommand *command, const ImapRequestEvents *events,
                        gpointer data, gpointer owner);
/* A line of an exchange that a continuation asked for; CRLF is added. */
void imap_conn_answer(ImapConn *conn, const char *line);
/* Ends the IDLE that is in flight, if one is; it is completed later. */
void imap_conn_end_idle(ImapConn *conn);
/* Forgets all requests whose owner is `data`, or that have it and no other owner: what waits is
 * dropped, what is in flight completes unheard. */
void imap_conn_cancel(ImapConn *conn, gpointer data);
/* Gives the connection up: every request and then `closed` are told, from the main loop. */
void imap_conn_fail(ImapConn *conn, const GError *error);

gint64 imap_conn_heard(const ImapConn *conn); /* when the server last said something; monotonic */
size_t imap_conn_load(const ImapConn *conn);  /* requests that wait or are in flight */
Stream *imap_conn_stream(ImapConn *conn);
