/*
 * session.h: one connection that is (or will be) logged in, and what it shows of the maildrop.
 *
 * Engine thread; owned by the maildrop.
 */
#pragma once

#include "conn.h"
#include "listing.h"
#include "login.h"

typedef struct Pop3Session Pop3Session;

typedef enum {
    POP3_SESSION_CONNECTING,
    POP3_SESSION_READY,
    POP3_SESSION_LEAVING, /* QUIT is sent, or waits for what is under way */
    POP3_SESSION_DEAD,
} Pop3SessionState;

/* How much of the maildrop is listed. */
typedef enum {
    POP3_LISTED_NOTHING,
    POP3_LISTED_NAMES,
    POP3_LISTED_SIZES, /* names and sizes */
} Pop3Listed;

typedef struct {
    /* Logged in. */
    void (*ready)(gpointer data);
    /* The listing that was asked for is there, or (error) is not. */
    void (*listed)(gpointer data, const GError *error);
    /* The server has answered QUIT: NULL where all removals are committed. Nothing follows. */
    void (*left)(gpointer data, const GError *error);
    /* Dead; the requests were completed with the error before. Once, also instead of the others. */
    void (*dead)(gpointer data, const GError *error);
} Pop3SessionEvents;

/* has_uidl: whether the server was seen to have UIDL in any session; borrowed. While it does, it is
 * no lack but a failure where UIDL is refused. */
Pop3Session *pop3_session_new(const Pop3Config *config, unsigned number, bool *has_uidl,
                              const Pop3SessionEvents *events, gpointer data);
void pop3_session_free(Pop3Session *session);

/* Whether it was ever logged in. */
bool pop3_session_was_ready(const Pop3Session *session);
Pop3SessionState pop3_session_state(const Pop3Session *session);
Pop3Conn *pop3_session_conn(Pop3Session *session);
const Pop3LoginResult *pop3_session_login(const Pop3Session *session);

/* Lists, once at a time: UIDL; also LIST where sizes are wanted, or names are lacking. */
void pop3_session_list(Pop3Session *session, Pop3Listed wanted);
bool pop3_session_is_listing(const Pop3Session *session);
Pop3Listed pop3_session_listed(const Pop3Session *session);
/* Only what is listed. */
const Pop3Listing *pop3_session_listing(const Pop3Session *session);

/* Whether TOP can be tried; and that it was refused by a server that does not claim to have it. */
bool pop3_session_has_top(const Pop3Session *session);
void pop3_session_note_no_top(Pop3Session *session);

/* QUIT, behind all that waits. */
void pop3_session_quit(Pop3Session *session);

/* "key: value" for the status. */
void pop3_session_describe(Pop3Session *session, GString *text);
