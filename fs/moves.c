#include "moves.h"

#include "arrivals.h"
#include "failure.h"
#include "inode.h"
#include "move.h"
#include "refresh.h"
#include "undone.h"

#include <errno.h>

/* What the journal's thread tells the engine. */
typedef struct {
    Mount *mount;
    uint64_t ino;
    GError *error;
} Written;

static void begin_round(gpointer data);

/* --- life ------------------------------------------------------------------------------------- */

static void move_free(gpointer data)
{
    Move *move = data;

    g_free(move->name);
    g_free(move->flags);
    if (move->header)
        g_bytes_unref(move->header);
    g_free(move);
}

static Move *move_new(Moves *moves, uint32_t folder, uint32_t uid)
{
    Move *move = g_new0(Move, 1);

    move->ino = inode_number(INODE_MESSAGE, folder, uid);
    move->folder = folder;
    move->uid = uid;
    move->link.data = move;
    g_queue_init(&move->followers);
    g_hash_table_insert(moves->all, &move->ino, move);
    return move;
}

static Move *find(const Moves *moves, uint64_t ino)
{
    return g_hash_table_lookup(moves->all, &ino);
}

static void found_clear(gpointer data)
{
    Found *found = data;

    if (found->header)
        g_bytes_unref(found->header);
}

static bool has_folders(const Mount *mount, const JournalMove *entry)
{
    g_auto(CatalogFolder) folder = {0}, target = {0};

    return catalog_folder(mount->catalog, entry->folder, &folder) &&
           catalog_folder(mount->catalog, entry->target, &target);
}

/* It may have been done: nobody knows when the earlier mount ended. */
static void take_up(Moves *moves, const JournalMove *entry)
{
    Mount *mount = moves->mount;
    Move *move;

    if (!has_folders(mount, entry)) {
        undone_note(1, "message %u is not moved: a folder is not there any more", entry->uid);
        journal_end_move(mount->journal, entry->folder, entry->uid);
        return;
    }
    move = move_new(moves, entry->folder, entry->uid);
    move->target = entry->target;
    move->first = entry->first;
    move->name = g_strdup(entry->name);
    move->kept = move->unsure = move->left = true;
    if (catalog_message(mount->catalog, entry->folder, entry->uid, &move->message))
        move->flags = catalog_flags(mount->catalog, move->message.flag_set);
    else
        move->message = (CatalogMessage){
            .uid = entry->uid, .size = entry->size, .date = entry->date};
    g_atomic_int_inc(&moves->n_left);
    moves_put_back(moves, move, false);
    arrivals_put(mount->arrivals, move->ino, &move->message, move->target, move->name);
}

Moves *moves_new(Mount *mount)
{
    Moves *moves = g_new0(Moves, 1);

    moves->mount = mount;
    moves->turn = (Turn){.begin = begin_round, .data = moves};
    moves->all = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, move_free);
    g_queue_init(&moves->ready);
    g_queue_init(&moves->syncing);
    g_queue_init(&moves->surveying);
    moves->batch = g_ptr_array_new();
    moves->found = g_array_new(FALSE, FALSE, sizeof(Found));
    g_array_set_clear_func(moves->found, found_clear);
    if (!mount->options->read_only && journal_owns_moves(mount->journal)) {
        g_autoptr(GArray) left = journal_moves(mount->journal);
        for (guint i = 0; i < left->len; i++)
            take_up(moves, &g_array_index(left, JournalMove, i));
    }
    if (moves->ready.length)
        g_message("%u messages that were moved before are still to be moved at the server",
                  moves->ready.length);
    return moves;
}

void moves_end(Moves *moves)
{
    engine_cancel(&moves->timer);
    turn_cancel(&moves->turn);
    engine_cancel(&moves->deadline);
    moves_forget_batch(moves);
    moves->closed = true;
}

void moves_free(Moves *moves)
{
    if (!moves)
        return;
    moves_end(moves);
    g_clear_error(&moves->failure);
    g_clear_error(&moves->refusal);
    g_hash_table_unref(moves->all);
    g_ptr_array_unref(moves->batch);
    g_array_unref(moves->found);
    g_free(moves);
}

void moves_describe(Moves *moves, GString *text)
{
    g_string_append_printf(text, "moves-pending: %u\n", g_hash_table_size(moves->all));
}

/* --- one of them ------------------------------------------------------------------------------ */

void moves_note_sure(Moves *moves, Move *move)
{
    if (!move->left)
        return;
    move->left = false;
    if (g_atomic_int_dec_and_test(&moves->n_left))
        request_resume_all(&moves->surveying, NULL);
}

bool moves_are_unsure(Moves *moves)
{
    return g_atomic_int_get(&moves->n_left) > 0;
}

/* The rename's request; NULL: it was answered, or was interrupted. */
static Request *asking(const Moves *moves, const Move *move)
{
    return move->asked ? request_find(moves->mount->requests, move->asked) : NULL;
}

static void answer(const Moves *moves, Move *move, const GError *error)
{
    Request *request = asking(moves, move);

    if (request)
        request_resume(request, error);
    else if (move->asked)
        move_tell_interrupted(moves->mount, move);
    move->asked = 0;
}

void moves_close(Moves *moves, Move *move, const GError *error)
{
    GQueue followers = move->followers;

    if (move->kept)
        journal_end_move(moves->mount->journal, move->folder, move->uid);
    if (move->ready)
        g_queue_unlink(&moves->ready, &move->link);
    g_queue_init(&move->followers);
    answer(moves, move, error);
    moves_note_sure(moves, move);
    g_hash_table_remove(moves->all, &move->ino);
    while (followers.head) {
        Request *request = g_queue_pop_head_link(&followers)->data;
        request->queue = NULL;
        request_resume(request, NULL);
    }
}

void moves_put_back(Moves *moves, Move *move, bool due)
{
    move->sent = false;
    move->due = due;
    move->ready = true;
    g_queue_push_tail_link(&moves->ready, &move->link);
}

/* --- when the server is told ------------------------------------------------------------------ */

/* One more is ready, or several that came in the midst of a round. While the server can't be
 * talked to, its turn comes with the others'. */
static void arm_pause(Moves *moves)
{
    if (!moves->batch->len && (!moves->turn.failures || moves->urgent))
        turn_plan_soon(&moves->turn, moves->urgent);
}

static void hurry(Moves *moves)
{
    moves->urgent = true;
    if (!moves->batch->len && moves->ready.length)
        turn_plan(&moves->turn, 0);
}

/* Who waits for one of them that has to be tried again goes without. */
static void fail_followers(Moves *moves, const GError *error)
{
    g_autoptr(GList) all = g_hash_table_get_values(moves->all);

    for (GList *link = all; link; link = link->next) {
        Move *move = link->data;
        if (move->ready)
            request_resume_all(&move->followers, error);
    }
}

static void end_finish(gpointer data, const GError *error)
{
    Moves *moves = data;
    MailDone done = moves->done;

    (void)error;
    moves->done = NULL;
    engine_cancel(&moves->deadline);
    if (done)
        done(moves->done_data, NULL);
}

static void leave_finish(Moves *moves, const GError *error)
{
    guint left = g_hash_table_size(moves->all);

    if (!moves->done)
        return;
    turn_cancel(&moves->turn);
    if (left)
        g_message("%u messages are still to be moved at the server: the next mount does it%s%s",
                  left, error ? ": " : "", error ? error->message : "");
    end_finish(moves, NULL);
}

/* All had their turn, or none can have it. */
static void end_round(Moves *moves)
{
    g_autoptr(GError) failure = g_steal_pointer(&moves->failure);
    g_autoptr(GError) refusal = NULL;

    if (!failure)
        moves->turn.failures = 0;
    if (!failure && moves->urgent && moves->ready.length) {
        arm_pause(moves);
        return;
    }
    refusal = g_steal_pointer(&moves->refusal);
    moves->urgent = false;
    if (failure && moves->ready.length)
        turn_plan_again(&moves->turn, failure, "moved");
    else if (moves->ready.length)
        arm_pause(moves);
    if (failure) {
        request_resume_all(&moves->surveying, failure);
        fail_followers(moves, failure);
    }
    request_resume_all(&moves->syncing, failure ? failure : refusal);
    leave_finish(moves, failure);
}

void moves_go_on(Moves *moves)
{
    if (failure_is_lost(moves->failure) || !moves_begin_batch(moves))
        end_round(moves);
}

static void begin_round(gpointer data)
{
    Moves *moves = data;

    if (moves->batch->len || moves->closed)
        return;
    turn_cancel(&moves->turn);
    for (GList *link = moves->ready.head; link; link = link->next)
        ((Move *)link->data)->due = true;
    moves_go_on(moves);
}

void moves_note_failure(Moves *moves, const GError *error)
{
    if (moves->failure && !failure_is_lost(error))
        return;
    g_clear_error(&moves->failure);
    moves->failure = g_error_copy(error);
}

void moves_note_refusal(Moves *moves, const GError *error)
{
    if (moves->syncing.head && !moves->refusal)
        moves->refusal = g_error_copy(error);
}

void moves_begin(Moves *moves)
{
    if (moves->ready.length)
        turn_plan(&moves->turn, 0);
}

/* --- who moves -------------------------------------------------------------------------------- */

/* The journal has it, or can't. */
static void written_now(gpointer data)
{
    g_autofree Written *result = data;
    g_autoptr(GError) error = result->error;
    Moves *moves = result->mount->moves;
    Move *move = find(moves, result->ino);

    if (!move)
        return;
    move->kept = !error;
    moves_put_back(moves, move, false);
    if (move->kept)
        answer(moves, move, NULL);
    if (!move->kept || move->followers.head)
        hurry(moves);
    else
        arm_pause(moves);
}

static void on_written(gpointer data, const GError *error)
{
    Written *result = data;

    result->error = error ? g_error_copy(error) : NULL;
    engine_post(result->mount->engine, written_now, result);
}

/* What a folder's id stands for may be known to this mount alone. */
static void write_down(const Moves *moves, const Move *move)
{
    Mount *mount = moves->mount;
    Written *result = g_new0(Written, 1);
    const JournalMove entry = {.folder = move->folder,
                               .uid = move->uid,
                               .target = move->target,
                               .first = move->first,
                               .size = move->message.size,
                               .date = move->message.date,
                               .name = move->name};

    result->mount = mount;
    result->ino = move->ino;
    if (MAX(move->folder, move->target) >= CATALOG_TEMPORARY ||
        !journal_owns_moves(mount->journal)) {
        g_autoptr(GError) error = g_error_new(MAIL_ERROR, ENOSPC, "moves are not kept here");
        on_written(result, error);
        return;
    }
    journal_add_move(mount->journal, &entry, on_written, result);
}

/* Behind all that is known there, from looks and from earlier moves. */
static uint32_t first_uid(const Mount *mount, uint32_t target)
{
    g_auto(CatalogFolder) folder = {0};
    CatalogMessage last = {0};

    catalog_folder(mount->catalog, target, &folder);
    catalog_last_message(mount->catalog, target, &last);
    return MAX(folder.state.uidnext, last.uid + 1);
}

void moves_add(Moves *moves, Request *request, uint32_t target)
{
    Catalog *catalog = moves->mount->catalog;
    Inode inode = inode_of(request->ino);
    CatalogMessage message;
    Move *move;

    if (find(moves, request->ino) || !catalog_message(catalog, inode.folder, inode.uid, &message)) {
        g_autoptr(GError)
            error = g_error_new(MAIL_ERROR, ENOENT, "message %u: it is gone", inode.uid);
        request_resume(request, error);
        return;
    }
    move = move_new(moves, inode.folder, inode.uid);
    move->asked = request->id;
    move->target = target;
    move->first = first_uid(moves->mount, target);
    move->name = g_strdup(request->name);
    move->message = message;
    move->flags = catalog_flags(catalog, message.flag_set);
    move_show(moves->mount, move);
    write_down(moves, move);
}

/* --- who waits -------------------------------------------------------------------------------- */

bool moves_wait_for(Moves *moves, Request *request, uint64_t ino)
{
    Move *move = find(moves, ino);

    if (!move)
        return false;
    request_wait(request, &move->followers);
    hurry(moves);
    return true;
}

static void follow(Request *request)
{
    if (!moves_wait_for(request->mount->moves, request, request->follows))
        request_resume(request, NULL);
}

void moves_post(Request *request)
{
    request_post(request, follow);
}

void moves_wait(Moves *moves, Request *request)
{
    if (!moves->ready.length && !moves->batch->len) {
        request_resume(request, NULL);
        return;
    }
    request_wait(request, &moves->syncing);
    hurry(moves);
}

bool moves_wait_sure(Moves *moves, Request *request, uint32_t folder)
{
    GHashTableIter iter;
    gpointer value;

    if (!moves_are_unsure(moves) || moves->turn.failures)
        return false;
    g_hash_table_iter_init(&iter, moves->all);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Move *move = value;
        if (!move->left || (move->folder != folder && move->target != folder))
            continue;
        request_wait(request, &moves->surveying);
        hurry(moves);
        return true;
    }
    return false;
}

/* What is under way ends by itself. */
void moves_forget_folder(Moves *moves, uint32_t folder)
{
    g_autoptr(GError) error = g_error_new(MAIL_ERROR, ENOENT, "the folder is gone");
    g_autoptr(GList) all = g_hash_table_get_values(moves->all);

    for (GList *link = all; link; link = link->next) {
        Move *move = link->data;
        if (!move->ready || (move->folder != folder && move->target != folder))
            continue;
        undone_note(1,
                    "message %u, which was to become \"%s\", is not moved: the folder it was %s "
                    "is not there any more, or was made anew",
                    move->uid, move->name, move->folder == folder ? "in" : "to be moved to");
        move_give_back(moves->mount, move);
        moves_note_refusal(moves, error);
        moves_close(moves, move, error);
    }
}

/* --- the end ---------------------------------------------------------------------------------- */

static gboolean on_deadline(gpointer data)
{
    leave_finish(data, NULL);
    return G_SOURCE_REMOVE;
}

void moves_finish(Moves *moves, MailDone done, gpointer data)
{
    moves->done = done;
    moves->done_data = data;
    moves->urgent = true;
    moves->deadline = engine_after(mount_patience(moves->mount), on_deadline, moves);
    begin_round(moves);
}
