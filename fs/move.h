/*
 * move.h: messages that are being moved: what moves.c, which has the server do it, shares with
 * move_look.c, which finds out where they are after a connection was lost, or where the server does
 * not say, and with move_end.c, which has the catalog know.
 *
 * moves.h's own; engine thread.
 */
#pragma once

#include "moves.h"

/*
 * What is known of it when it begins, and what the server told since. `copied`: it is in the
 * target, as `copy` of that `uidvalidity` (0: nobody knows). `gone`, or only `marked`: it is not in
 * its folder any more. `unsure`: see MailCopySink. `here`: it was found where it was, with this
 * `header`. `candidate`: a message in the target that may be it, or a copy of it; `doubtful`: one
 * of several. `rounds`: how often it was asked for again.
 */
typedef struct {
    uint64_t waiting; /* the request's id */
    uint32_t folder, uid, target;
    char *name, *old_name;
    CatalogMessage message;
    char *flags;
    bool copied, gone, marked, unsure, here, doubtful;
    uint32_t uidvalidity, copy, candidate;
    GBytes *header;
    unsigned rounds;
} Move;

/* A message in the target that may be one of those that were moved. */
typedef struct {
    uint32_t uid;
    uint64_t size;
} Found;

/*
 * `batch` is what is under way, all from the folder `from` to the folder `to`, as these were when
 * it began; what is moved gets UIDs from `first` on. `queue` is what waits. `error` is the move's,
 * `looked` that of the look at where messages are that it was unsure of, `found` what is new in the
 * target, where that had to be looked at (`searched`); `compared`: all this is done with.
 */
struct Moves {
    Mount *mount;
    GQueue queue;     /* Move */
    GPtrArray *batch; /* Move */
    CatalogFolder from, to;
    uint32_t first;
    GError *error, *looked;
    GArray *found; /* Found */
    uint32_t found_uidvalidity;
    bool searched, compared;
    void (*stage)(Moves *moves); /* to be begun again by the timer */
    unsigned tries;              /* of such, in this batch */
    GSource *timer;
};

/* --- moves.c --------------------------------------------------------------------------------- */

/* The one of the batch that has this UID, or NULL. */
Move *moves_find(const Moves *moves, uint32_t uid);
/* UIDs of those of the batch that the test says, ascending; the caller unrefs. */
GArray *moves_collect(const Moves *moves, bool (*test)(const Move *move));
/* As MailCopySink's removed and marked; data is the Moves. */
void moves_note_gone(gpointer data, uint32_t uid);
void moves_note_marked(gpointer data, uint32_t uid);
/* All is known that can be: who waits is told, and the next batch begins. */
void moves_end_batch(Moves *moves);
/* The store is being closed. */
bool moves_is_closing(const GError *error);
void moves_forget_batch(Moves *moves);

/* --- move_look.c ----------------------------------------------------------------------------- */

/* The move was answered, or its connection is lost: removes what was copied and is still where it
 * was, and looks for what nobody knows of; then moves_end_batch. */
void moves_look(Moves *moves);

/* --- move_end.c ------------------------------------------------------------------------------ */

/* The target has it, under a UID that is known: so has the catalog, with all that was known and is
 * held of it, and its name. */
void move_settle(Mount *mount, const Move *move);
/* The target has it, and nobody knows under which UID: the next look shows it. */
void move_settle_unknown(Mount *mount, const Move *move);
