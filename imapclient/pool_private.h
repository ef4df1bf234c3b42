/*
 * pool_private.h: the pool's inside, shared by pool.c (which operation runs on which session),
 * pool_members.c (which sessions there are, and what they tell), pool_link.c (which of them are
 * compressed) and pool_watch.c (on which of them the server tells what changes).
 */
#pragma once

#include "link.h"
#include "net/reach.h"
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
    uint64_t alerts; /* that the server sent */
    Reach *reach;
    unsigned limit;        /* the most connections that the server lets in; 0: not known */
    gint64 limited_until;  /* monotonic; when more are tried again */
    unsigned limited_long; /* seconds that it was for last */
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
/*
 * All that waits fails: with error, or (NULL) each with its verdict, if that is one. There is no
 * connection, and none can be had. What comes to wait meanwhile does not.
 */
void imap_pool_fail_waiting(ImapPool *pool, const GError *error);

/* --- pool_members.c ----------------------------------------------------------------------------
 */

/* Of a request whose answer nobody waits for. */
extern const ImapRequestEvents imap_pool_unheard;

guint imap_pool_count(const ImapPool *pool, ImapSessionState state);
/* Whether there is a session on which a folder can be opened before long. */
bool imap_pool_is_one_coming(const ImapPool *pool);
/* How many sessions there may be. */
unsigned imap_pool_limit(ImapPool *pool);
/* Whether another connection may be begun for what waits. */
bool imap_pool_may_add(ImapPool *pool);
ImapMember *imap_pool_add_member(ImapPool *pool);
/* An ImapMember, for the array of members. */
void imap_pool_member_free(gpointer data);
void imap_pool_drop_dead(ImapPool *pool);
/* Those that are not logged in yet; nobody is told. */
void imap_pool_drop_connecting(ImapPool *pool);
/* Behind a suspension all connections may be gone, and nobody would tell: new ones are made. True:
 * they are about to end. */
bool imap_pool_drop_sleepers(ImapPool *pool);

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
/* The server was away, and is there again: it is sought at once. */
void imap_pool_watch_again(ImapPool *pool);
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
