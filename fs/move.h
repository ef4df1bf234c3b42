/*
 * move.h: messages that are on their way to other folders: what moves.c, which keeps them and says
 * when the server is told, shares with move_batch.c, which tells it, with move_look.c, which finds
 * out where they are after a connection was lost, or where the server does not say, and with
 * move_end.c, which has the catalog know.
 *
 * moves.h's own; engine thread.
 */
#pragma once

#include "moves.h"

/*
 * A message on its way. `asked` is the rename's request until that is answered, `followers` who
 * waits for it to settle. It is `kept` if the journal has it, and `ready` to be told to the server
 * once that is known; `due` in this round, and `sent` in the batch under way.
 *
 * What the server told: `copied`: it is in the target, as `copy` of that `uidvalidity` (0: nobody
 * knows). `gone`, or only `marked`: it is not in its folder any more. `unsure`: it may be in the
 * target (MailCopySink; an earlier mount); `left` by that, and not yet looked for. `here`: it was
 * found where it was. `header`: as the server has it here, or the cache. `candidate`: a message in
 * the target that may be it, or a copy of it; `doubtful`: one of several, or it can't be compared.
 * `again`, `rounds`: it was asked for before, so often in this round. `first`: the least UID that
 * it can get there.
 */
typedef struct {
    uint64_t ino, asked;
    uint32_t folder, uid, target, first;
    char *name;
    CatalogMessage message;
    char *flags; /* NULL: not known */
    GQueue followers;
    bool kept, ready, due, sent;
    bool copied, gone, marked, unsure, left, again, here, doubtful;
    uint32_t uidvalidity, copy, candidate;
    GBytes *header;
    unsigned rounds;
    GList link; /* in `ready` */
} Move;

/* A message in the target that may be one of those that were moved. */
typedef struct {
    uint32_t uid;
    uint64_t size;
    GBytes *header; /* NULL: it was not asked for, or not told */
    bool taken;     /* it is known which one it is */
} Found;

/*
 * `all` are on their way, `ready` those of them that the server may be told of, but for the
 * `batch`, which is under way, from the folder `from` to the folder `to`, as these were when it
 * began. A round has all that are `due`; `urgent`: somebody waits for them, so that another round
 * follows at once.
 *
 * Of the batch: `looks`: it has to be looked for where they are; what is moved gets UIDs from
 * `first` on; `error` is the move's, `lost` that of the removal of what was copied, `looked` that
 * of the look at where messages are that it was unsure of, `found` what is new in the target, where
 * that had to be looked at (`searched`); `compared`: all this is done with. `n_refused` of them
 * came back, and `why`.
 */
struct Moves {
    Mount *mount;
    GHashTable *all; /* ino -> Move */
    GQueue ready;    /* Move */
    gint n_left;     /* atomic */
    bool urgent;
    bool closed;      /* nothing is begun any more */
    GQueue syncing;   /* Request: until all are done */
    GQueue surveying; /* Request: until it is known where all are that were left */
    GError *failure;  /* of this round */
    GError *refusal;  /* of this round, to be told to who waits */
    guint failures;   /* rounds that failed */
    gint64 since;     /* when the oldest of those that wait for the pause came; 0: none */
    GSource *pause;   /* until the next round */
    MailDone done;    /* of moves_finish */
    gpointer done_data;
    GSource *deadline;

    GPtrArray *batch; /* Move */
    CatalogFolder from, to;
    uint32_t first;
    bool looks;
    GError *error, *lost, *looked, *why;
    guint n_refused;
    GArray *found; /* Found */
    uint32_t found_uidvalidity;
    bool searched, compared;
    void (*stage)(Moves *moves); /* to be begun again by the timer */
    unsigned tries;              /* of such, in this batch */
    GSource *timer;
};

/* --- moves.c --------------------------------------------------------------------------------- */

/* It has come, or not: it is on its way no more, and who waits is told; error: it is where it was,
 * if anywhere. The move is freed. */
void moves_close(Moves *moves, Move *move, const GError *error);
/* It is to be tried again: in this round, or after a failure that was noted, later. */
void moves_put_back(Moves *moves, Move *move, bool due);
/* Something could not be done in this round. */
void moves_note_failure(Moves *moves, const GError *error);
void moves_note_refusal(Moves *moves, const GError *error);
/* It is known where it is, or that it is to be tried again. */
void moves_note_sure(Moves *moves, Move *move);
/* The batch has ended: the next one, or the round's end. */
void moves_go_on(Moves *moves);

/* --- move_batch.c ---------------------------------------------------------------------------- */

/* Begins with the first one that is due, and all that go the same way; false: none is due. */
bool moves_begin_batch(Moves *moves);
/* The one of the batch that has this UID, or NULL. */
Move *moves_find(const Moves *moves, uint32_t uid);
/* UIDs of those of the batch that the test says, ascending; the caller unrefs. */
GArray *moves_collect(const Moves *moves, bool (*test)(const Move *move));
/* As MailCopySink's removed and marked; data is the Moves. */
void moves_note_gone(gpointer data, uint32_t uid);
void moves_note_marked(gpointer data, uint32_t uid);
/* All is known that can be: who waits is told, and moves_go_on. */
void moves_end_batch(Moves *moves);
/* The store is being closed. */
bool moves_is_closing(const GError *error);
/* Nothing is under way any more. The messages stay in `all`. */
void moves_forget_batch(Moves *moves);

/* --- move_look.c ----------------------------------------------------------------------------- */

/* The move was answered, or its connection is lost: removes what was copied and is still where it
 * was, and looks for what nobody knows of; then moves_end_batch. */
void moves_look(Moves *moves);

/* --- move_end.c ------------------------------------------------------------------------------ */

/* From now on it is seen in the target alone. */
void move_show(Mount *mount, const Move *move);
/* Whoever asked was interrupted: the kernel, which moves names itself else, is told. */
void move_tell_interrupted(Mount *mount, const Move *move);
/* The target has it, under a UID that is known: so has the catalog, with all that was known and is
 * held of it, and its name. */
void move_settle(Mount *mount, Move *move);
/* The target has it, and nobody knows under which UID: the next look shows it. */
void move_settle_unknown(Mount *mount, Move *move);
/* It has not been moved: it is seen where it was, if it is there. */
void move_give_back(Mount *mount, const Move *move);
