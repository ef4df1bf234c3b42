/*
 * pool_private.h: the pool's inside, shared by pool.c (which operation runs on which session) and
 * pool_link.c (which of them are compressed).
 */
#pragma once

#include "link.h"
#include "net/reach.h"
#include "pool.h"

typedef struct {
    ImapPool *pool;
    ImapSession *session;
    GQueue ops;     /* that run on it */
    unsigned ahead; /* of these */
    unsigned number;
    bool was_settled;
} ImapMember;

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
    unsigned caps;   /* ImapCap, as the latest session has them */
    MailDone closed; /* set: closing */
    bool told_closed;
    gpointer closed_data;
    GSource *farewell;
};

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
