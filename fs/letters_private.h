/*
 * letters_private.h: what letters.c, which has files that are kept stored, shares with
 * letters_put.c, which keeps them.
 *
 * letters.h's own; engine thread.
 */
#pragma once

#include "letters.h"

/*
 * A file that is kept, or about to be. `waiting` are closings, until it is kept or stored; `asking`
 * who waits for the server; `removing` who removes it. `put`: the outbox has said its word; then
 * `id` is the letter's, or 0. `sent`: it is being stored; `done`: it is at the server, or not to be
 * there any more. `away`: it was closed while the server was away; `name`: what it is to be called
 * then, or NULL; `lost`: what was heard of that, where it was being stored, else NULL.
 */
typedef struct {
    Letters *letters;
    uint64_t ino;
    int64_t id;
    bool put, sent, done, away, warned, refused;
    char *name;
    GError *lost;
    uint64_t version; /* of the draft */
    GQueue waiting, asking, removing;
    uint32_t uidvalidity, first; /* see Letter */
    guint failures;
    GSource *timer;
} Kept;

/* What the outbox's thread tells the engine. */
typedef struct {
    Mount *mount;
    uint64_t ino;
    int64_t id;
    uint64_t waiting; /* the id of the request that removes or renames it */
    GError *error;    /* of what is not outbox_put */
} Told;

struct Letters {
    Mount *mount;
    Outbox *outbox;
    GHashTable *all; /* ino -> Kept */
    guint in_a_row;  /* files that were stored, the last one at `last` */
    gint64 last;
    GQueue syncing;  /* Request */
    GError *failure; /* of one that is still to be stored */
    MailDone finished;
    gpointer finished_data;
    GSource *deadline;
    bool ended; /* nothing more is stored */
};

/* --- letters.c ------------------------------------------------------------------------------- */

/* NULL: it is none that is kept. */
Kept *letters_find(const Letters *letters, uint64_t ino);
Kept *letters_add(Letters *letters, uint64_t ino);
/* Whoever closed it was told that it is kept. */
bool letters_is_answered(const Kept *kept);
/* Both the outbox and the server have said what there is to say. */
void letters_forget(Letters *letters, Kept *kept);
/* One is less on its way, maybe. */
void letters_check_all(Letters *letters);
/* What is kept is not at the server, for that. */
void letters_note_failure(Letters *letters, const GError *error);
bool letters_is_away(const Letters *letters);
/* The store may be gone by now. */
bool letters_can_store(const Letters *letters);
/* Has it stored; it is put, and not sent. */
void letters_store(Letters *letters, Kept *kept);
