#include "moves.h"

#include "failure.h"
#include "move.h"

#include <errno.h>

enum {
    TRIES = 5, /* where the connection is lost, times that one looks where the messages are */
    PAUSE_MILLIS = 500,
    LONGEST_HEADER = 1 << 20,
};

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

/* --- what may be it among what is new in the target ------------------------------------------- */

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
    if (moves_is_closing(error))
        moves_forget_batch(moves);
    else
        moves_look(moves);
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
        moves_end_batch(moves);
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
    if (moves_is_closing(error)) {
        moves_forget_batch(moves);
    } else if (error) {
        moves_end_batch(moves);
    } else {
        identify_all(moves);
        compare_headers(moves);
    }
}

static void search_target(Moves *moves)
{
    g_autoptr(GArray) uids = moves_collect(moves, wants_identity);
    const MailFind what = {.folder = moves->to.name,
                           .uidvalidity = moves->to.state.uidvalidity,
                           .first = moves->first};

    g_array_set_size(moves->found, 0);
    if (uids->len && !moves->compared)
        mail_store_find(moves->mount->store, &what, note_found, target_searched, moves);
    else
        moves_end_batch(moves);
}

/* --- whether it is still here ----------------------------------------------------------------- */

static bool is_unsure(const Move *move)
{
    return move->unsure && !move->copied;
}

static void note_here(gpointer data, uint32_t uid, const MailRange *asked, GBytes *bytes)
{
    Move *move = moves_find(data, uid);

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
    if (moves_is_closing(error))
        moves_forget_batch(moves);
    else if (error)
        moves_end_batch(moves);
    else
        search_target(moves);
}

/* A move that was answered says itself that it is not here. */
static void search_source(Moves *moves)
{
    g_autoptr(GArray) uids = moves_collect(moves, is_unsure);
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

static void left_removed(gpointer data, const GError *error)
{
    Moves *moves = data;

    if (tries_again(moves, error, moves_look))
        return;
    if (moves_is_closing(error))
        moves_forget_batch(moves);
    else
        search_source(moves);
}

void moves_look(Moves *moves)
{
    g_autoptr(GArray) uids = moves_collect(moves, is_left);
    const MailRemove what = {.folder = moves->from.name,
                             .uidvalidity = moves->from.state.uidvalidity,
                             .uids = (const uint32_t *)(void *)uids->data,
                             .n_uids = uids->len};

    if (!uids->len)
        search_source(moves);
    else if (moves->mount->features & MAIL_STORE_REMOVE)
        mail_store_remove(moves->mount->store, &what, moves_note_gone, left_removed, moves);
    else
        mail_store_mark(moves->mount->store, &what, moves_note_marked, left_removed, moves);
}
