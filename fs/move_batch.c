#include "move.h"

#include "failure.h"
#include "inode.h"
#include "offline.h"
#include "refresh.h"
#include "undone.h"

#include <errno.h>

enum { ROUNDS = 3 }; /* times that a move is asked for, where the connection is lost */

/* --- the batch -------------------------------------------------------------------------------- */

void moves_forget_batch(Moves *moves)
{
    g_ptr_array_set_size(moves->batch, 0);
    catalog_folder_clear(&moves->from);
    catalog_folder_clear(&moves->to);
    g_clear_error(&moves->error);
    g_clear_error(&moves->lost);
    g_clear_error(&moves->looked);
    g_clear_error(&moves->why);
    moves->n_refused = 0;
    g_array_set_size(moves->found, 0);
    moves->looks = moves->searched = moves->compared = false;
    moves->tries = 0;
}

Move *moves_find(const Moves *moves, uint32_t uid)
{
    uint64_t ino = inode_number(INODE_MESSAGE, moves->from.id, uid);
    Move *move = g_hash_table_lookup(moves->all, &ino);

    return move && move->sent ? move : NULL;
}

GArray *moves_collect(const Moves *moves, bool (*test)(const Move *move))
{
    GArray *uids = g_array_new(FALSE, FALSE, sizeof(uint32_t));

    for (guint i = 0; i < moves->batch->len; i++) {
        const Move *move = moves->batch->pdata[i];
        if (test(move))
            g_array_append_val(uids, move->uid);
    }
    g_array_sort(uids, mail_compare_uids);
    return uids;
}

bool moves_is_closing(const GError *error)
{
    return error && mail_errno(error) == ECANCELED;
}

/* --- how one ends ----------------------------------------------------------------------------- */

/* The folder that is not there, or is another now, shows at the next look. */
static void look_again(const Moves *moves, const Move *move, const GError *error)
{
    Refresher *refresher = moves->mount->refresher;

    if (mail_errno(error) == ENOENT) {
        refresh_stale(refresher, 0);
        refresh_list_soon(refresher);
    }
    if (mail_errno(error) == ENOENT || mail_errno(error) == ESTALE || move->unsure) {
        refresh_stale(refresher, move->folder);
        refresh_stale(refresher, move->target);
    }
    if (mail_errno(error) == ESTALE) {
        refresh_folder_soon(refresher, move->folder);
        refresh_folder_soon(refresher, move->target);
    }
}

/* The message is where it was, as far as anybody knows. */
static void give_back(Moves *moves, Move *move, const GError *error)
{
    look_again(moves, move, error);
    move_give_back(moves->mount, move);
    moves_note_refusal(moves, error);
    moves_close(moves, move, error);
}

static void fail(Moves *moves, Move *move, int code, const char *text)
{
    g_autoptr(GError) error = g_error_new(MAIL_ERROR, code, "message %u of folder \"%s\" %s",
                                          move->uid, moves->from.name, text);

    if (move->kept)
        undone_note(1, "%s", error->message);
    else
        g_warning("%s", error->message);
    refresh_stale(moves->mount->refresher, move->folder);
    refresh_stale(moves->mount->refresher, move->target);
    give_back(moves, move, error);
}

static bool is_final(const Moves *moves, const GError *error)
{
    return offline_is_refusal(moves->mount->offline, error) || mail_errno(error) == ENOENT;
}

/* The server said no, or nothing at all. Who waits for what is in no journal is told so. */
static void fail_as_told(Moves *moves, Move *move, const GError *error)
{
    if (move->kept && !is_final(moves, error)) {
        if (!failure_is_lost(error))
            look_again(moves, move, error);
        moves_note_failure(moves, error);
        moves_put_back(moves, move, false);
        return;
    }
    g_info("message %u of folder \"%s\", which was to become \"%s\", is not moved: %s", move->uid,
           moves->from.name, move->name, error->message);
    if (move->kept && !moves->n_refused++)
        moves->why = g_error_copy(error);
    give_back(moves, move, error);
}

/* One line for all of the batch, of which everybody had been told that it is done. */
static void warn_of_refused(const Moves *moves)
{
    if (moves->n_refused)
        undone_note(
            moves->n_refused,
            "%u messages of folder \"%s\", which were to be moved to \"%s\", are not, and are "
            "shown where they were: %s",
            moves->n_refused, moves->from.name, moves->to.name, moves->why->message);
}

/* Whether what is under way is right of the target as the catalog has it. */
static bool is_known(const Moves *moves, const Move *move)
{
    g_auto(CatalogFolder) target = {0};

    return move->copy && catalog_folder(moves->mount->catalog, move->target, &target) &&
           target.state.uidvalidity == move->uidvalidity;
}

static void succeed(Moves *moves, Move *move)
{
    if (is_known(moves, move)) {
        move_settle(moves->mount, move);
    } else {
        g_message("which message of folder \"%s\" was message %u of folder \"%s\" is not known: it "
                  "has its usual name there, not \"%s\"",
                  moves->to.name, move->uid, moves->from.name, move->name);
        move_settle_unknown(moves->mount, move);
    }
    moves_close(moves, move, NULL);
}

/* It is here, and nothing in the target is a copy of it: the server has not got that far. */
static bool was_not_begun(const Moves *moves, const Move *move)
{
    return move->here && !move->copied && moves->searched && !move->doubtful;
}

static void ask_again(Moves *moves, Move *move)
{
    bool lost = failure_is_lost(moves->error);

    move->unsure = false;
    move->again = true;
    moves_note_sure(moves, move);
    if (!moves->error || (lost && ++move->rounds < ROUNDS)) {
        moves_put_back(moves, move, true);
        return;
    }
    move->rounds = 0;
    fail_as_told(moves, move, moves->error);
}

static void end_unsure(Moves *moves, Move *move)
{
    const GError *error = moves->error ? moves->error : moves->looked;

    if (move->copy)
        succeed(moves, move);
    else if (was_not_begun(moves, move))
        ask_again(moves, move);
    else if (error && (moves->looked || move->here))
        fail_as_told(moves, move, error);
    else if (move->here)
        fail(moves, move, EIO, "may be where it was to be moved to, too: it is not moved");
    else if (moves->searched && !moves->found->len)
        fail(moves, move, ENOENT, "is neither there any more nor where it was to be moved to");
    else
        succeed(moves, move);
}

/* It could not be removed where it was: later, if nobody knows why. */
static void end_left(Moves *moves, Move *move)
{
    const GError *error = moves->error ? moves->error : moves->lost;
    const GError *reason = moves->lost ? moves->lost : moves->error;

    if (move->kept && reason && failure_is_lost(reason))
        fail_as_told(moves, move, reason);
    else
        fail(moves, move, error ? mail_errno(error) : EACCES,
             "was copied to where it was to be moved to, but could not be removed: it is in both");
}

static void end_move(Moves *moves, Move *move)
{
    if (move->copied && !move->gone && !move->marked)
        end_left(moves, move);
    else if (move->copied)
        succeed(moves, move);
    else if (move->unsure)
        end_unsure(moves, move);
    else if (moves->error)
        fail_as_told(moves, move, moves->error);
    else
        fail(moves, move, ENOENT, "is not there any more");
}

void moves_end_batch(Moves *moves)
{
    for (guint i = 0; i < moves->batch->len; i++)
        end_move(moves, moves->batch->pdata[i]);
    warn_of_refused(moves);
    moves_forget_batch(moves);
    moves_go_on(moves);
}

/* --- the move --------------------------------------------------------------------------------- */

void moves_note_gone(gpointer data, uint32_t uid)
{
    Move *move = moves_find(data, uid);

    if (move)
        move->gone = true;
}

void moves_note_marked(gpointer data, uint32_t uid)
{
    Move *move = moves_find(data, uid);

    if (move)
        move->marked = true;
}

static void note_copied(gpointer data, uint32_t uid, uint32_t uidvalidity, uint32_t copy)
{
    Move *move = moves_find(data, uid);

    if (!move)
        return;
    move->copied = true;
    move->uidvalidity = uidvalidity;
    move->copy = copy;
}

static void note_unsure(gpointer data, uint32_t uid)
{
    Move *move = moves_find(data, uid);

    if (move)
        move->unsure = true;
}

/* It is not here; but it was when it was asked for before, by who may have been at it still. */
static void doubt_again(const Moves *moves)
{
    for (guint i = 0; i < moves->batch->len; i++) {
        Move *move = moves->batch->pdata[i];
        move->unsure |= move->again && !move->copied;
    }
}

static void moved(gpointer data, const GError *error)
{
    Moves *moves = data;

    if (moves->closed || moves_is_closing(error)) {
        moves_forget_batch(moves);
        return;
    }
    moves->error = error ? g_error_copy(error) : NULL;
    moves->looks = error != NULL;
    if (!error)
        doubt_again(moves);
    moves_look(moves);
}

static const MailCopySink move_sink = {note_copied, moves_note_gone, moves_note_marked,
                                       note_unsure};

/* Where it is has to be found out ahead of anything else. */
static bool is_half_done(const Move *move)
{
    return move->unsure || move->copied;
}

static Move *first_due(const Moves *moves)
{
    for (GList *link = moves->ready.head; link; link = link->next)
        if (((Move *)link->data)->due)
            return link->data;
    return NULL;
}

/* What an earlier look found does not count. */
static void begin_with(Moves *moves, Move *move)
{
    move->ready = move->due = move->here = move->doubtful = false;
    move->sent = true;
    move->candidate = 0;
    g_clear_pointer(&move->header, g_bytes_unref);
    g_ptr_array_add(moves->batch, move);
}

/* All that go the same way as the first, and that is one of them. */
static void collect_batch(Moves *moves, const Move *first)
{
    bool half_done = is_half_done(first);
    uint32_t folder = first->folder, target = first->target;
    GList *next;

    for (GList *link = moves->ready.head; link; link = next) {
        Move *move = link->data;
        next = link->next;
        if (!move->due || move->folder != folder || move->target != target ||
            is_half_done(move) != half_done)
            continue;
        g_queue_unlink(&moves->ready, link);
        begin_with(moves, move);
    }
}

/* Behind all that is known there, from looks and from earlier moves. Of what is half done that was
 * so when it was begun. */
static void set_first(Moves *moves)
{
    CatalogMessage last = {0};
    uint32_t first;

    catalog_last_message(moves->mount->catalog, moves->to.id, &last);
    first = MAX(moves->to.state.uidnext, last.uid + 1);
    for (guint i = 0; i < moves->batch->len; i++) {
        Move *move = moves->batch->pdata[i];
        if (!is_half_done(move))
            move->first = first;
        moves->first = i ? MIN(moves->first, move->first) : move->first;
    }
}

static bool is_any(const Move *move)
{
    return move->uid != 0;
}

bool moves_begin_batch(Moves *moves)
{
    Catalog *catalog = moves->mount->catalog;
    const Move *first = first_due(moves);

    if (!first)
        return false;
    collect_batch(moves, first);
    if (!catalog_folder(catalog, first->folder, &moves->from) ||
        !catalog_folder(catalog, first->target, &moves->to)) {
        for (guint i = 0; i < moves->batch->len; i++)
            moves_put_back(moves, moves->batch->pdata[i], false);
        uint32_t gone = moves->from.name ? first->target : first->folder;
        moves_forget_batch(moves);
        moves_forget_folder(moves, gone);
        return moves_begin_batch(moves);
    }
    set_first(moves);
    if (is_half_done(first)) {
        moves->looks = true;
        moves_look(moves);
        return true;
    }
    g_autoptr(GArray) uids = moves_collect(moves, is_any);
    const MailCopy what = {.folder = moves->from.name,
                           .uidvalidity = moves->from.state.uidvalidity,
                           .uids = (const uint32_t *)(void *)uids->data,
                           .n_uids = uids->len,
                           .target = moves->to.name};
    mail_store_move(moves->mount->store, &what, &move_sink, moved, moves);
    return true;
}
