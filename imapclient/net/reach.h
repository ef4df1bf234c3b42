/*
 * reach.h: whether an account's server can be reached, and when it is tried again.
 *
 * Engine thread; each of the pool of IMAP sessions and the POP3 maildrop has one, asks it before it
 * connects, and tells it what came of that. It connects to nothing itself.
 *
 * While nothing is known, and while all goes well, whoever needs a connection has one made, and
 * waits for as long as `timeout`. Once an attempt has failed that is known: what comes then fails
 * at once, with the reason of that failure, but for who begins the next attempt, at most one a
 * second, and those who come shortly after: they wait for as long as a login usually takes.
 * Meanwhile it is tried at intervals that grow, with some jitter, without anybody asking.
 *
 * A login that was refused is not tried again for who comes: only after intervals that grow to an
 * hour, since servers lock out who tries too often; and when the password has changed. Where it
 * worked before, the password's source is asked once, before anybody is told, since tokens expire.
 */
#pragma once

#include "secretsource.h"

#include "../../cache/mail.h"

typedef struct Reach Reach;

typedef enum {
    REACH_UNKNOWN, /* nobody has tried */
    REACH_ONLINE,  /* the latest login worked */
    REACH_LOST,    /* the server can't be reached, or lets nobody in for now (EAGAIN) */
    REACH_REFUSED, /* it refuses the login (EACCES) */
    REACH_NEVER,   /* nobody is to try */
} ReachState;

typedef struct ReachClock {
    gint64 (*now)(void);    /* monotonic microseconds */
    gint64 (*asleep)(void); /* how many of them the machine was suspended, which do not count */
} ReachClock;

typedef struct {
    bool never;              /* nothing is ever sent: all that needs the server fails */
    unsigned timeout;        /* seconds */
    const Secret *password;  /* copied; NULL: none */
    SecretSource *source;    /* referenced; NULL: the password does not change */
    void (*look)(gpointer);  /* from the main loop: a verdict may be another one, or it is time to
                                try; never from inside a function of this file */
    gpointer data;           /* of look */
    const ReachClock *clock; /* NULL: the system's */
} ReachConfig;

Reach *reach_new(const ReachConfig *config);
void reach_free(Reach *reach); /* NULL is allowed */

typedef void (*ReachTold)(gpointer data, const GError *error);

/* told is called whenever the state changes: error NULL: the server was reached; else why not. */
void reach_watch(Reach *reach, ReachTold told, gpointer data);

ReachState reach_state(const Reach *reach);
/* "online", "offline, <why>"…, for the status; the caller frees. */
char *reach_text(const Reach *reach);
/* The password to log in with now, valid until the main loop goes on; NULL: none. */
const Secret *reach_password(const Reach *reach);

/* Whether who needs a connection may have one begun now; where not, `look` says when that changes.
 */
bool reach_may_try(Reach *reach);
/* Whether one is to be begun though nobody needs it. */
bool reach_is_due(Reach *reach);
/*
 * NULL: who waits for a connection since `since` (monotonic microseconds, of reach_now) may go on
 * to, and `look` is called when that may change. Else what he fails with; valid until the main loop
 * goes on.
 */
const GError *reach_verdict(Reach *reach, gint64 since);
gint64 reach_now(const Reach *reach);

/* A connection is begun. */
void reach_trying(Reach *reach);
/*
 * Whether the attempt under way has been for so long that who comes should have another one: a
 * network that is there again does not help it soon. The owner drops it, and says so.
 */
bool reach_is_stalled(const Reach *reach);
void reach_dropped(Reach *reach);
/* A login has worked. */
void reach_worked(Reach *reach);
/*
 * A connection failed before that. True: all who wait for one fail with this. False: they wait on,
 * since the password is being asked for again.
 */
bool reach_failed(Reach *reach, const GError *error);

/*
 * True (once) where the machine was suspended since the last call: what connections there were may
 * be gone, and another network may be there.
 */
bool reach_was_asleep(Reach *reach);
