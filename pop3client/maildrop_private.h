/*
 * maildrop_private.h: the maildrop's inside, shared by maildrop.c (which operation runs, and when
 * the session has done its work) and maildrop_session.c (whether there is a session, and what it
 * tells). Engine thread.
 */
#pragma once

#include "../imapclient/net/reach.h"
#include "maildrop.h"

/*
 * An operation is in `waiting` or `ahead_waiting` (its session NULL) or in `running`. Everything is
 * started from dispatch, which runs as a source of its own, and frees a session that is dead.
 */
struct Pop3Maildrop {
    Pop3Config config; /* strings owned */
    Reach *reach;
    Pop3Session *session;
    GQueue running, waiting, ahead_waiting;
    GSource *dispatch;
    GSource *idle;  /* the session is left when it fires */
    GSource *retry; /* until then nobody connects */
    unsigned last_number;
    GHashTable *known;
    bool has_uidl;
    /* Of the session: */
    bool synced;      /* a sync took what it lists */
    bool was_idle;    /* since then */
    gint64 synced_at; /* monotonic */
    /* Of those before: */
    gint64 trying_since; /* monotonic; when who waits now was first turned away; 0: was not */
    unsigned retry_millis;
    gint64 logged_in_at; /* monotonic */
    unsigned login_delay;
    char *capabilities;
    unsigned caps;   /* Pop3Cap */
    char *tls_lines; /* of the status, as of the latest session; NULL: there was none */
    MailDone closed; /* set: closing */
    bool told_closed;
    gpointer closed_data;
    GSource *farewell;
};

/* --- maildrop.c --------------------------------------------------------------------------------
 */

/* The loop is to see who waits for what. */
void pop3_maildrop_schedule(Pop3Maildrop *maildrop);
void pop3_maildrop_drop_source(GSource **source);
/* In place of the one that is there. */
void pop3_maildrop_attach(GSource **source, guint millis, GSourceFunc function, gpointer data);
/* False also where there is no session. */
bool pop3_maildrop_is(const Pop3Maildrop *maildrop, Pop3SessionState state);
bool pop3_maildrop_has_waiting(const Pop3Maildrop *maildrop);
/* All that waits now fails; for_good: even what could begin again. error NULL: each with its
 * verdict, if that is one. */
void pop3_maildrop_fail_waiting(Pop3Maildrop *maildrop, const GError *error, bool for_good);
void pop3_maildrop_fail_running(Pop3Maildrop *maildrop, const GError *error);

/* --- maildrop_session.c ------------------------------------------------------------------------
 */

/* Who waits and can't have a session is told so. Whoever locks the maildrop can be reached. */
void pop3_maildrop_connect(Pop3Maildrop *maildrop);
void pop3_maildrop_drop_session(Pop3Maildrop *maildrop);
/* Behind a suspension the session may be gone, and nobody would tell. */
void pop3_maildrop_drop_sleeper(Pop3Maildrop *maildrop);
/* A login that takes too long is begun anew, where somebody waits for it. */
void pop3_maildrop_drop_stalled(Pop3Maildrop *maildrop);
/* Nobody waits any more. */
void pop3_maildrop_stop_trying(Pop3Maildrop *maildrop);
