/*
 * flag_changes_private.h: what flag_changes.c, which keeps what the user wants of flags, shares
 * with flag_round.c, which tells the server.
 *
 * flag_changes.h's own; engine thread.
 */
#pragma once

#include "flag_changes.h"
#include "turn.h"

/* What a message is to get and to lose; never both nothing. `version` grows with what the user says
 * of it: the server was told of `sent_version`. */
typedef struct {
    uint64_t ino;
    uint32_t folder, uid;
    char *add, *take;
    guint version, sent_version;
    bool sent, stored;
} Change;

/* `all` is under `lock` where the engine thread, which alone changes it, is not the one that reads
 * it. All else is the engine thread's. */
struct FlagChanges {
    Mount *mount;
    pthread_mutex_t lock;
    GHashTable *all;    /* ino -> Change */
    bool under_way;     /* an operation is */
    uint32_t folder;    /* its folder, */
    char *take;         /* and what is to be taken away behind what is added; NULL: nothing */
    uint32_t looking;   /* the folder whose look is waited for; 0: none is */
    GHashTable *looked; /* folder ids: those that were looked at in this round, */
    GHashTable *failed; /* and those where something of it failed */
    GError *failure;    /* of the first of them */
    GError *refusal;    /* of this round, to be told to who waits */
    Turn turn;
    GQueue syncing; /* Request: until the round is over */
    MailDone begun; /* of flag_changes_begin */
    gpointer begun_data;
    MailDone done; /* of flag_changes_finish */
    gpointer done_data;
    GSource *deadline;
    bool closed;
};

/* --- flag_changes.c -------------------------------------------------------------------------- */

Change *flag_changes_find(const FlagChanges *changes, uint64_t ino);
/* What is made of these flags; the caller frees. */
char *flag_changes_applied(const Change *change, const char *flags);
/* It is done, or will not be. */
void flag_changes_close(FlagChanges *changes, const Change *change);

/* --- flag_round.c ---------------------------------------------------------------------------- */

/* A Turn's, whose data is the FlagChanges: all have their turn, unless that is under way already.
 */
void flag_round_begin(gpointer data);
/* It can't be done, and the user knows nothing of that yet. */
void flag_round_give_up(FlagChanges *changes, const Change *change, const char *why);
/* Who waits for the mount's end needs not wait for this, if there is anybody. */
void flag_round_leave(FlagChanges *changes, const GError *error);
