#include "moves.h"

#include "failure.h"
#include "filename.h"
#include "inode.h"
#include "move.h"
#include "refresh.h"

#include <errno.h>
#include <stdlib.h>

enum {
    ROUNDS = 3, /* times that a move is asked for, where the connection is lost */
    TRIES = 5,  /* likewise, times that one looks where the messages are, */
    PAUSE_MILLIS = 500,
    LONGEST_HEADER = 1 << 20,
};

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
    unsigned tries;              /* of that, in this batch */
    GSource *timer;
};

static void begin(Moves *moves);

/* --- life ------------------------------------------------------------------------------------- */

static void move_free(gpointer data)
{
    Move *move = data;

    g_free(move->name);
    g_free(move->old_name);
    g_free(move->flags);
    if (move->header)
        g_bytes_unref(move->header);
    g_free(move);
}

Moves *moves_new(Mount *mount)
{
    Moves *moves = g_new0(Moves, 1);

    moves->mount = mount;
    g_queue_init(&moves->queue);
    moves->batch = g_ptr_array_new_with_free_func(move_free);
    moves->found = g_array_new(FALSE, FALSE, sizeof(Found));
    return moves;
}

static void forget_batch(Moves *moves)
{
    g_ptr_array_set_size(moves->batch, 0);
    catalog_folder_clear(&moves->from);
    catalog_folder_clear(&moves->to);
    g_clear_error(&moves->error);
    g_clear_error(&moves->looked);
    g_array_set_size(moves->found, 0);
    moves->searched = moves->compared = false;
    moves->tries = 0;
}

void moves_end(Moves *moves)
{
    engine_cancel(&moves->timer);
    g_queue_clear_full(&moves->queue, move_free);
    forget_batch(moves);
}

void moves_free(Moves *moves)
{
    if (!moves)
        return;
    moves_end(moves);
    g_ptr_array_unref(moves->batch);
    g_array_unref(moves->found);
    g_free(moves);
}

static Move *find(const Moves *moves, uint32_t uid)
{
    for (guint i = 0; i < moves->batch->len; i++)
        if (((Move *)moves->batch->pdata[i])->uid == uid)
            return moves->batch->pdata[i];
    return NULL;
}

/* UIDs of those that the test says, ascending. */
static GArray *collect_uids(const Moves *moves, bool (*test)(const Move *move))
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

/* --- trying again ----------------------------------------------------------------------------- */

static gboolean begin_stage(gpointer data)
{
    Moves *moves = data;

    engine_cancel(&moves->timer);
    moves->stage(moves);
    return G_SOURCE_REMOVE;
}

/*
 * What the server was asked for may be half done, and who can't find out can't end it: so a lost
 * connection is not the last word, and a silence neither, but that has been waited for long enough.
 * True: the stage is begun once more.
 */
static bool tries_again(Moves *moves, const GError *error, void (*stage)(Moves *moves))
{
    if (!failure_is_lost(error) || !moves->batch->len)
        return false;
    moves->tries += mail_errno(error) == ETIMEDOUT ? TRIES / 2 : 1;
    if (moves->tries >= TRIES)
        return false;
    moves->stage = stage;
    moves->timer = engine_after(PAUSE_MILLIS, begin_stage, moves);
    return true;
}

/* --- how it ends ------------------------------------------------------------------------------ */

static void reply(const Moves *moves, const Move *move, const GError *error)
{
    Request *request = request_find(moves->mount->requests, move->waiting);

    if (request)
        request_resume(request, error);
}

static void fail(const Moves *moves, const Move *move, int code, const char *text)
{
    g_autoptr(GError) error = g_error_new(MAIL_ERROR, code, "message %u of folder \"%s\" %s",
                                          move->uid, moves->from.name, text);

    g_warning("%s", error->message);
    refresh_stale(moves->mount->refresher, move->folder);
    refresh_stale(moves->mount->refresher, move->target);
    reply(moves, move, error);
}

/* It was asked for, and the server said no, or nothing at all. */
static void fail_as_told(const Moves *moves, const Move *move)
{
    g_info("message %u of folder \"%s\" is not moved: %s", move->uid, moves->from.name,
           moves->error->message);
    if (mail_errno(moves->error) == ESTALE || move->unsure) {
        refresh_stale(moves->mount->refresher, move->folder);
        refresh_stale(moves->mount->refresher, move->target);
    }
    reply(moves, move, moves->error);
}

/* Whether what is under way is right of the target as the catalog has it. */
static bool is_known(const Moves *moves, const Move *move)
{
    g_auto(CatalogFolder) target = {0};

    return move->copy && catalog_folder(moves->mount->catalog, move->target, &target) &&
           target.state.uidvalidity == move->uidvalidity;
}

static void succeed(const Moves *moves, const Move *move)
{
    if (is_known(moves, move))
        move_settle(moves->mount, move);
    else
        move_settle_unknown(moves->mount, move);
    reply(moves, move, NULL);
}

static bool wants_identity(const Move *move)
{
    return !move->copy && (move->copied || move->unsure);
}

/* Whether there is another one of which nobody knows which it is. */
static bool has_twin(const Moves *moves, const Move *move)
{
    for (guint i = 0; i < moves->batch->len; i++) {
        const Move *other = moves->batch->pdata[i];
        if (other != move && wants_identity(other) && other->message.size == move->message.size)
            return true;
    }
    return false;
}

/* Which one of what is new in the target can be it, or a copy of it. */
static void find_candidate(const Moves *moves, Move *move)
{
    guint n = 0;

    for (guint i = 0; i < moves->found->len; i++) {
        const Found *found = &g_array_index(moves->found, Found, i);
        if (found->size != move->message.size)
            continue;
        move->candidate = found->uid;
        n++;
    }
    move->doubtful = n > 1 || (n && has_twin(moves, move));
}

static void set_copy(const Moves *moves, Move *move)
{
    move->uidvalidity = moves->found_uidvalidity;
    move->copy = move->candidate;
}

static void end_unsure(const Moves *moves, Move *move)
{
    if (moves->error && (moves->looked || move->here))
        fail_as_told(moves, move);
    else if (moves->searched && !moves->found->len)
        fail(moves, move, ENOENT, "is neither there any more nor where it was to be moved to");
    else
        succeed(moves, move);
}

static void end_move(const Moves *moves, Move *move)
{
    if (move->copied && !move->gone && !move->marked) {
        fail(moves, move, moves->error ? mail_errno(moves->error) : EACCES,
             "was copied to where it was to be moved to, but could not be removed: it is in both");
    } else if (move->copied) {
        succeed(moves, move);
    } else if (move->unsure) {
        end_unsure(moves, move);
    } else if (moves->error) {
        fail_as_told(moves, move);
    } else {
        fail(moves, move, ENOENT, "is not there any more");
    }
}

static bool is_closing(const GError *error)
{
    return error && mail_errno(error) == ECANCELED;
}

/* It is here, and nothing in the target could be a copy of it: the server has not got that far. */
static bool was_not_begun(const Moves *moves, const Move *move)
{
    return failure_is_lost(moves->error) && move->here && !move->copied && moves->searched &&
           !move->candidate;
}

static void ask_again(Moves *moves)
{
    for (guint i = moves->batch->len; i > 0; i--) {
        Move *move = moves->batch->pdata[i - 1];
        if (!was_not_begun(moves, move) || ++move->rounds >= ROUNDS)
            continue;
        move->unsure = move->here = false;
        g_clear_pointer(&move->header, g_bytes_unref);
        g_queue_push_head(&moves->queue, g_ptr_array_steal_index(moves->batch, i - 1));
    }
}

static void end_batch(Moves *moves)
{
    ask_again(moves);
    for (guint i = 0; i < moves->batch->len; i++)
        end_move(moves, moves->batch->pdata[i]);
    forget_batch(moves);
    begin(moves);
}

static void remove_left(Moves *moves);

/* --- whether one in the target is a copy of what is here ---------------------------------------
 */

static bool may_be_in_both(const Move *move)
{
    return move->here && !move->copied && move->header && move->candidate && !move->doubtful;
}

static Move *find_by_candidate(const Moves *moves, uint32_t uid)
{
    for (guint i = 0; i < moves->batch->len; i++) {
        Move *move = moves->batch->pdata[i];
        if (may_be_in_both(move) && move->candidate == uid)
            return move;
    }
    return NULL;
}

/* Nothing is removed for the sake of another message that is only as long. */
static void compare_header(gpointer data, uint32_t uid, const MailRange *asked, GBytes *bytes)
{
    Moves *moves = data;
    Move *move = find_by_candidate(moves, uid);

    (void)asked;
    if (!move || !g_bytes_equal(move->header, bytes))
        return;
    move->copied = true;
    set_copy(moves, move);
}

static void compare_headers(Moves *moves);

static void headers_compared(gpointer data, const GError *error)
{
    Moves *moves = data;

    if (tries_again(moves, error, compare_headers))
        return;
    moves->compared = true;
    if (is_closing(error))
        forget_batch(moves);
    else
        remove_left(moves);
}

static const MailRange whole_header = {MAIL_SECTION_HEADER, 0, 0};

static void compare_headers(Moves *moves)
{
    g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(uint32_t));

    for (guint i = 0; i < moves->batch->len; i++) {
        const Move *move = moves->batch->pdata[i];
        if (may_be_in_both(move))
            g_array_append_val(uids, move->candidate);
    }
    g_array_sort(uids, mail_compare_uids);
    const MailFetch what = {.folder = moves->to.name,
                            .uidvalidity = moves->found_uidvalidity,
                            .uids = (const uint32_t *)(void *)uids->data,
                            .n_uids = uids->len,
                            .ranges = &whole_header,
                            .n_ranges = 1,
                            .limit = LONGEST_HEADER};
    if (uids->len)
        mail_store_fetch(moves->mount->store, &what, compare_header, headers_compared, moves);
    else
        end_batch(moves);
}

/* --- which message in the target it is -------------------------------------------------------- */

static void identify_all(const Moves *moves)
{
    for (guint i = 0; i < moves->batch->len; i++)
        if (wants_identity(moves->batch->pdata[i]))
            find_candidate(moves, moves->batch->pdata[i]);
    for (guint i = 0; i < moves->batch->len; i++) {
        Move *move = moves->batch->pdata[i];
        if (wants_identity(move) && !move->here && move->candidate && !move->doubtful)
            set_copy(moves, move);
    }
}

static void note_found(gpointer data, uint32_t uidvalidity, uint32_t uid, uint64_t size)
{
    Moves *moves = data;
    const Found found = {uid, size};

    moves->found_uidvalidity = uidvalidity;
    g_array_append_val(moves->found, found);
}

static void search_target(Moves *moves);

static void target_searched(gpointer data, const GError *error)
{
    Moves *moves = data;

    if (tries_again(moves, error, search_target))
        return;
    moves->searched = !error;
    if (error)
        g_info("%s", error->message);
    if (is_closing(error)) {
        forget_batch(moves);
    } else if (error) {
        end_batch(moves);
    } else {
        identify_all(moves);
        compare_headers(moves);
    }
}

static void search_target(Moves *moves)
{
    g_autoptr(GArray) uids = collect_uids(moves, wants_identity);
    const MailFind what = {.folder = moves->to.name,
                           .uidvalidity = moves->to.state.uidvalidity,
                           .first = moves->first};

    g_array_set_size(moves->found, 0);
    if (uids->len && !moves->compared)
        mail_store_find(moves->mount->store, &what, note_found, target_searched, moves);
    else
        end_batch(moves);
}

/* --- whether it is still here ----------------------------------------------------------------- */

static bool is_unsure(const Move *move)
{
    return move->unsure && !move->copied;
}

static void note_here(gpointer data, uint32_t uid, const MailRange *asked, GBytes *bytes)
{
    Move *move = find(data, uid);

    (void)asked;
    if (!move || move->here)
        return;
    move->here = true;
    move->header = g_bytes_ref(bytes);
}

static void search_source(Moves *moves);

static void source_searched(gpointer data, const GError *error)
{
    Moves *moves = data;

    if (tries_again(moves, error, search_source))
        return;
    moves->looked = error ? g_error_copy(error) : NULL;
    if (is_closing(error))
        forget_batch(moves);
    else if (error)
        end_batch(moves);
    else
        search_target(moves);
}

/* A move that was answered says itself that it is not here. */
static void search_source(Moves *moves)
{
    g_autoptr(GArray) uids = collect_uids(moves, is_unsure);
    const MailFetch what = {.folder = moves->from.name,
                            .uidvalidity = moves->from.state.uidvalidity,
                            .uids = (const uint32_t *)(void *)uids->data,
                            .n_uids = uids->len,
                            .ranges = &whole_header,
                            .n_ranges = 1,
                            .limit = LONGEST_HEADER};

    if (moves->error && uids->len && !moves->compared)
        mail_store_fetch(moves->mount->store, &what, note_here, source_searched, moves);
    else
        search_target(moves);
}

/* --- what was copied and is still here -------------------------------------------------------- */

static bool is_left(const Move *move)
{
    return move->copied && !move->gone && !move->marked;
}

static void note_gone(gpointer data, uint32_t uid)
{
    Move *move = find(data, uid);

    if (move)
        move->gone = true;
}

static void note_marked(gpointer data, uint32_t uid)
{
    Move *move = find(data, uid);

    if (move)
        move->marked = true;
}

static void left_removed(gpointer data, const GError *error)
{
    Moves *moves = data;

    if (tries_again(moves, error, remove_left))
        return;
    if (is_closing(error))
        forget_batch(moves);
    else
        search_source(moves);
}

static void remove_left(Moves *moves)
{
    g_autoptr(GArray) uids = collect_uids(moves, is_left);
    const MailRemove what = {.folder = moves->from.name,
                             .uidvalidity = moves->from.state.uidvalidity,
                             .uids = (const uint32_t *)(void *)uids->data,
                             .n_uids = uids->len};

    if (!uids->len)
        search_source(moves);
    else if (moves->mount->features & MAIL_STORE_REMOVE)
        mail_store_remove(moves->mount->store, &what, note_gone, left_removed, moves);
    else
        mail_store_mark(moves->mount->store, &what, note_marked, left_removed, moves);
}

/* --- the move --------------------------------------------------------------------------------- */

static void note_copied(gpointer data, uint32_t uid, uint32_t uidvalidity, uint32_t copy)
{
    Move *move = find(data, uid);

    if (!move)
        return;
    move->copied = true;
    move->uidvalidity = uidvalidity;
    move->copy = copy;
}

static void note_unsure(gpointer data, uint32_t uid)
{
    Move *move = find(data, uid);

    if (move)
        move->unsure = true;
}

static void moved(gpointer data, const GError *error)
{
    Moves *moves = data;

    moves->error = error ? g_error_copy(error) : NULL;
    if (is_closing(error))
        forget_batch(moves);
    else
        remove_left(moves);
}

static const MailCopySink move_sink = {note_copied, note_gone, note_marked, note_unsure};

/* The next one, and all that go the same way. */
static void collect_batch(Moves *moves)
{
    GList *next;
    const Move *first = g_queue_peek_head(&moves->queue);

    for (GList *link = moves->queue.head; link; link = next) {
        Move *move = link->data;
        next = link->next;
        if (move->folder != first->folder || move->target != first->target)
            continue;
        g_queue_delete_link(&moves->queue, link);
        g_ptr_array_add(moves->batch, move);
    }
}

/* Behind all that is known there, from looks and from earlier moves. */
static uint32_t first_uid(const Moves *moves)
{
    CatalogMessage last = {0};

    catalog_last_message(moves->mount->catalog, moves->to.id, &last);
    return MAX(moves->to.state.uidnext, last.uid + 1);
}

static bool is_any(const Move *move)
{
    return move->uid != 0;
}

static void begin(Moves *moves)
{
    Catalog *catalog = moves->mount->catalog;
    const Move *first;

    if (moves->batch->len || !moves->queue.head)
        return;
    collect_batch(moves);
    first = moves->batch->pdata[0];
    if (!catalog_folder(catalog, first->folder, &moves->from) ||
        !catalog_folder(catalog, first->target, &moves->to)) {
        moves->error = g_error_new(MAIL_ERROR, ENOENT, "the folder is gone");
        end_batch(moves);
        return;
    }
    moves->first = first_uid(moves);
    g_autoptr(GArray) uids = collect_uids(moves, is_any);
    const MailCopy what = {.folder = moves->from.name,
                           .uidvalidity = moves->from.state.uidvalidity,
                           .uids = (const uint32_t *)(void *)uids->data,
                           .n_uids = uids->len,
                           .target = moves->to.name};
    mail_store_move(moves->mount->store, &what, &move_sink, moved, moves);
}

void moves_add(Moves *moves, Request *request, uint32_t target)
{
    Catalog *catalog = moves->mount->catalog;
    Inode inode = inode_of(request->ino);
    char old_name[FILENAME_MAX_BYTES];
    CatalogMessage message;
    Move *move;

    if (!catalog_message(catalog, inode.folder, inode.uid, &message) ||
        !filename_of(moves->mount, inode.folder, &message, old_name)) {
        g_autoptr(GError)
            error = g_error_new(MAIL_ERROR, ENOENT, "message %u: it is gone", inode.uid);
        request_resume(request, error);
        return;
    }
    move = g_new0(Move, 1);
    *move = (Move){.waiting = request->id,
                   .folder = inode.folder,
                   .uid = inode.uid,
                   .target = target,
                   .name = g_strdup(request->name),
                   .old_name = g_strdup(old_name),
                   .message = message,
                   .flags = catalog_flags(catalog, message.flag_set)};
    g_queue_push_tail(&moves->queue, move);
    begin(moves);
}
