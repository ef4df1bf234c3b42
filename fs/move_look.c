#include "move.h"

#include "failure.h"

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

/* Of what was moved for sure, or is not here. */
static bool can_be_told(const Move *move)
{
    return wants_identity(move) && !move->here;
}

static void take(const Moves *moves, Move *move, Found *found)
{
    found->taken = true;
    move->uidvalidity = moves->found_uidvalidity;
    move->copy = found->uid;
}

static Found *find_found(const Moves *moves, uint32_t uid)
{
    for (guint i = 0; i < moves->found->len; i++)
        if (g_array_index(moves->found, Found, i).uid == uid)
            return &g_array_index(moves->found, Found, i);
    return NULL;
}

/* One that has the name was given it when this one had come; and what has another name is another.
 */
static void identify_named(const Moves *moves)
{
    Catalog *catalog = moves->mount->catalog;

    for (guint i = 0; i < moves->batch->len; i++) {
        Move *move = moves->batch->pdata[i];
        uint32_t owner = catalog_given(catalog, moves->to.id, move->name);
        Found *found = owner && can_be_told(move) ? find_found(moves, owner) : NULL;
        if (found && found->size == move->message.size)
            take(moves, move, found);
    }
    for (guint i = 0; i < moves->found->len; i++) {
        Found *found = &g_array_index(moves->found, Found, i);
        g_autofree char *given = catalog_given_name(catalog, moves->to.id, found->uid);
        found->taken |= given != NULL;
    }
}

/* How many there are of each size. */
typedef struct {
    uint64_t size;
    guint moves, found;
    Found *one;
} OfSize;

static OfSize *of_size(GHashTable *sizes, uint64_t size)
{
    OfSize *entry = g_hash_table_lookup(sizes, &size);

    if (!entry) {
        entry = g_new0(OfSize, 1);
        entry->size = size;
        g_hash_table_insert(sizes, &entry->size, entry);
    }
    return entry;
}

static GHashTable *count_sizes(const Moves *moves)
{
    GHashTable *sizes = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);

    for (guint i = 0; i < moves->batch->len; i++) {
        const Move *move = moves->batch->pdata[i];
        if (wants_identity(move))
            of_size(sizes, move->message.size)->moves++;
    }
    for (guint i = 0; i < moves->found->len; i++) {
        Found *found = &g_array_index(moves->found, Found, i);
        if (found->taken)
            continue;
        of_size(sizes, found->size)->found++;
        of_size(sizes, found->size)->one = found;
    }
    return sizes;
}

/* The header as it is held, which a reader of the file has seen. */
static GBytes *held_header(const Moves *moves, const Move *move)
{
    uint32_t length = move->message.header_length;
    g_autofree char *bytes = length && length <= LONGEST_HEADER ? g_malloc(length) : NULL;

    if (!bytes || !content_read(moves->mount->content, move->folder, move->uid, 0, length, bytes))
        return NULL;
    return g_bytes_new_take(g_steal_pointer(&bytes), length);
}

/* By its size, if there is one of that alone. The others have to be compared. */
static void identify_all(const Moves *moves)
{
    g_autoptr(GHashTable) sizes = NULL;

    identify_named(moves);
    sizes = count_sizes(moves);
    for (guint i = 0; i < moves->batch->len; i++) {
        Move *move = moves->batch->pdata[i];
        const OfSize *entry = wants_identity(move) ? of_size(sizes, move->message.size) : NULL;
        if (!entry || !entry->found)
            continue;
        move->candidate = entry->one->uid;
        if (move->here)
            continue;
        if (entry->found == 1 && entry->moves == 1)
            take(moves, move, entry->one);
        else
            move->header = held_header(moves, move);
    }
}

/* --- whether one in the target is a copy of what is here ---------------------------------------
 */

/* Nothing is removed, and no name given, for the sake of another message that is only as long. */
static bool wants_comparison(const Move *move)
{
    return wants_identity(move) && move->candidate && move->header;
}

static void note_header(gpointer data, uint32_t uid, const MailRange *asked, GBytes *bytes)
{
    Found *found = find_found(data, uid);

    (void)asked;
    if (found && !found->header)
        found->header = g_bytes_ref(bytes);
}

static void free_queue(gpointer data)
{
    g_queue_free(data);
}

/* header -> Found, in order */
static GHashTable *by_header(const Moves *moves)
{
    GHashTable *table = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, NULL, free_queue);

    for (guint i = 0; i < moves->found->len; i++) {
        Found *found = &g_array_index(moves->found, Found, i);
        GQueue *queue;
        if (!found->header || found->taken)
            continue;
        queue = g_hash_table_lookup(table, found->header);
        if (!queue) {
            queue = g_queue_new();
            g_hash_table_insert(table, found->header, queue);
        }
        g_queue_push_tail(queue, found);
    }
    return table;
}

static void take_same(const Moves *moves, Move *move, GHashTable *headers)
{
    GQueue *queue = g_hash_table_lookup(headers, move->header);

    for (GList *link = queue ? queue->head : NULL; link; link = link->next) {
        Found *found = link->data;
        if (found->size != move->message.size)
            continue;
        take(moves, move, found);
        move->copied |= move->here;
        g_queue_delete_link(queue, link);
        return;
    }
}

/* Whether one that may be it was not told of. */
static bool is_doubtful(const Moves *moves, const Move *move)
{
    for (guint i = 0; i < moves->found->len; i++) {
        const Found *found = &g_array_index(moves->found, Found, i);
        if (!found->taken && !found->header && found->size == move->message.size)
            return true;
    }
    return false;
}

static void compare_all(const Moves *moves)
{
    g_autoptr(GHashTable) headers = by_header(moves);

    for (guint i = 0; i < moves->batch->len; i++) {
        Move *move = moves->batch->pdata[i];
        if (!wants_comparison(move))
            continue;
        take_same(moves, move, headers);
        move->doubtful = !move->copy && is_doubtful(moves, move);
    }
}

static void compare_headers(Moves *moves);

static void headers_compared(gpointer data, const GError *error)
{
    Moves *moves = data;

    if (tries_again(moves, error, compare_headers))
        return;
    moves->compared = true;
    if (moves->closed || moves_is_closing(error)) {
        moves_forget_batch(moves);
        return;
    }
    if (error && !moves->looked)
        moves->looked = g_error_copy(error);
    compare_all(moves);
    moves_look(moves);
}

/* Of all that are as long as one that is to be compared. */
static GArray *to_compare(const Moves *moves)
{
    GArray *uids = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    g_autoptr(GHashTable) sizes = g_hash_table_new(g_int64_hash, g_int64_equal);

    for (guint i = 0; i < moves->batch->len; i++) {
        Move *move = moves->batch->pdata[i];
        if (wants_comparison(move))
            g_hash_table_add(sizes, &move->message.size);
    }
    for (guint i = 0; i < moves->found->len; i++) {
        const Found *found = &g_array_index(moves->found, Found, i);
        if (!found->taken && g_hash_table_contains(sizes, &found->size))
            g_array_append_val(uids, found->uid);
    }
    g_array_sort(uids, mail_compare_uids);
    return uids;
}

static const MailRange whole_header = {MAIL_SECTION_HEADER, 0, 0};

static void compare_headers(Moves *moves)
{
    g_autoptr(GArray) uids = to_compare(moves);
    const MailFetch what = {.folder = moves->to.name,
                            .uidvalidity = moves->found_uidvalidity,
                            .uids = (const uint32_t *)(void *)uids->data,
                            .n_uids = uids->len,
                            .ranges = &whole_header,
                            .n_ranges = 1,
                            .limit = LONGEST_HEADER};
    if (uids->len)
        mail_store_fetch(moves->mount->store, &what, note_header, headers_compared, moves);
    else
        moves_end_batch(moves);
}

/* --- which message in the target it is -------------------------------------------------------- */

static void note_found(gpointer data, uint32_t uidvalidity, uint32_t uid, uint64_t size)
{
    Moves *moves = data;
    const Found found = {.uid = uid, .size = size};

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
    if (moves->closed || moves_is_closing(error)) {
        moves_forget_batch(moves);
    } else if (error) {
        moves->looked = g_error_copy(error);
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

    if (!uids->len || moves->compared) {
        moves_end_batch(moves);
        return;
    }
    g_array_set_size(moves->found, 0);
    mail_store_find(moves->mount->store, &what, note_found, target_searched, moves);
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
    if (moves->closed || moves_is_closing(error)) {
        moves_forget_batch(moves);
        return;
    }
    moves->looked = error ? g_error_copy(error) : NULL;
    if (error)
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

    if (moves->looks && uids->len && !moves->compared)
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
    if (moves->closed || moves_is_closing(error)) {
        moves_forget_batch(moves);
        return;
    }
    g_clear_error(&moves->lost);
    moves->lost = error ? g_error_copy(error) : NULL;
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
