/*
 * pool_private.h: the pool's inside, shared by pool.c (which operation runs on which session),
 * pool_link.c (which of them are compressed) and pool_watch.c (on which of them the server tells
 * what changes).
 */
#pragma once

#include "link.h"
#include "pool.h"
#include "watcher.h"

typedef struct {
    ImapPool *pool;
    ImapSession *session;
    GQueue ops;     /* that run on it */
    unsigned ahead; /* of these */
    unsigned number;
    bool was_settled;
    ImapWatcher *watcher; /* NULL: it does not watch; */
    bool watches;         /* and does, or is to do, nothing else */
} ImapMember;

/*
 * `folders` is NULL until the owner wants to be told. While `later` is set nothing is begun anew:
 * when it comes, `quiet` is set, which lets an only session idle.
 */
typedef struct {
    char **folders; /* in use, the most important first */
    const MailWatchSink *sink;
    gpointer data;
    bool no_notify, no_idle; /* were refused */
    GSource *later;
    bool quiet;
    unsigned delay; /* seconds, before a lost connection is sought again */
} ImapPoolWatch;

/*
 * An operation is in `waiting` or `ahead_waiting` (its session NULL) or in the ops of the member
 * whose session it has. Dead members are freed by dispatch, never in a callback of theirs.
 * Everything is started from dispatch, which runs as a source of its own. `ahead` is the member
 * that ran the latest operation of that kind: only on it can others be under way. NULL where it is
 * dead or was none.
 */
struct ImapPool {
    ImapConfig config; /* strings owned */
    GPtrArray *members;
    ImapMember *ahead;
    GQueue waiting, ahead_waiting;
    GSource *dispatch;
    ImapLink link;
    unsigned last_number;
    uint64_t alerts;   /* that the server sent */
    unsigned limit;    /* the most connections that the server lets in */
    gint64 limited_at; /* monotonic; when limit was lowered */
    bool have_quota;
    MailQuota quota;
    char *server, *capabilities;
    char *tls_lines; /* of the status, as of the latest session; NULL: there was none */
    unsigned caps;   /* ImapCap, as the latest session has them */
    ImapPoolWatch watch;
    MailDone closed; /* set: closing */
    bool told_closed;
    gpointer closed_data;
    GSource *farewell;
};

/* --- pool.c ------------------------------------------------------------------------------------
 */

/* The loop is to see who waits for what. */
void imap_pool_schedule(ImapPool *pool);
/* How many sessions there may be. */
unsigned imap_pool_limit(ImapPool *pool);
ImapMember *imap_pool_add_member(ImapPool *pool);

/* --- pool_watch.c ------------------------------------------------------------------------------
 */

/*
 * Gives sessions their folders to watch, as far as that is wanted. With NOTIFY one session is
 * enough; with IDLE alone there are up to two, and in both cases these do nothing else. An only
 * session idles when nothing else is to be done on it. From dispatch.
 */
void imap_pool_place_watch(ImapPool *pool);
/* All sessions that watch, but for so many, are for operations now. */
void imap_pool_stop_watching(ImapPool *pool, unsigned keep);
/* One of them is dead. */
void imap_pool_watch_lost(ImapPool *pool);
/* One of them had to leave its folder, which may be about to go: it is not opened again at once. */
void imap_pool_watch_released(ImapPool *pool);
void imap_pool_watch_clear(ImapPool *pool);
/* A line for the status. */
void imap_pool_describe_watch(const ImapPool *pool, GString *text);

/* --- pool_link.c ---------------------------------------------------------------------------- */

/*
 * Behind the one command of a connection nothing waits for the answer to COMPRESS: who reads a
 * message goes on when he has what he asked for. Then what follows, maybe bulk, is compressed from
 * the beginning.
 */
void imap_pool_compress_behind(ImapPool *pool);
/*
 * Bulk is what pays for a compressed connection, and its connection knows the link best. The
 * others follow at a moment when nobody has to wait for it.
 */
void imap_pool_look_at_link(ImapPool *pool, ImapMember *bulk);
/* The connection's first bulk: what came from a near server until now says nothing of the link. */
void imap_pool_begin_bulk(ImapPool *pool, ImapMember *member);
