#include "content_private.h"

#include "evict.h"

#define BATCH_MOST (4 * 1024 * 1024) /* bytes a transaction */
#define FLUSH_US 50000               /* no further transaction in a flush after that */
#define DELETES_MOST 1000            /* messages a transaction */
#define MOVES_MOST 64                /* the same: their blocks are written anew */

/* --- the disk, and trouble with it ---------------------------------------------------------- */

static void handle_trouble(Content *content, DatabaseState state, const char *why)
{
    trouble_begin(&content->trouble, &blocks_kind, state, why,
                  "mail that is read is kept in memory for a while, and then fetched again");
    SCOPED_LOCK(&content->lock);
    content->stats.on_disk = false;
    content->retry_at = content->trouble.retry_at;
}

static void disconnect(Content *content)
{
    readers_set_file(content->readers, NULL);
    g_clear_pointer(&content->blocks, blocks_close);
}

/* Once in a while; more often, and the disk is not to be trusted. */
static void begin_anew(Content *content, const char *why)
{
    int64_t now = g_get_monotonic_time();
    bool again = content->begun_anew &&
                 now - content->begun_anew < (int64_t)database_retry_seconds * G_USEC_PER_SEC;
    content->begun_anew = now;
    readers_set_file(content->readers, NULL);
    if (content->blocks)
        blocks_set_aside(g_steal_pointer(&content->blocks), why);
    if (again)
        handle_trouble(content, DATABASE_DISK, why);
}

static bool is_damaged(Content *content)
{
    SCOPED_LOCK(&content->lock);
    return content->damaged;
}

static bool connect_blocks(Content *content)
{
    DatabaseState state;
    g_autofree char *why = NULL;
    content->blocks = blocks_open(content->directory, &state, &why);
    if (!content->blocks) {
        handle_trouble(content, state, why);
        return false;
    }
    DatabaseFile file = blocks_file(content->blocks);
    readers_set_file(content->readers, &file);
    content->too_long = blocks_bytes_total(content->blocks) > content->stats.bound;
    uint64_t used = blocks_bytes_used(content->blocks);
    SCOPED_LOCK(&content->lock);
    content->damaged = false;
    content->stats.bytes = used;
    content->stats.on_disk = true;
    return true;
}

/* False: nothing can be written now. */
bool content_ready(Content *content)
{
    if (!content->directory || !trouble_is_over(&content->trouble))
        return false;
    if (content->blocks && is_damaged(content))
        begin_anew(content, "it is damaged");
    else if (content->blocks && !blocks_is_current(content->blocks))
        disconnect(content);
    return trouble_is_over(&content->trouble) && (content->blocks || connect_blocks(content));
}

/* --- flushing ------------------------------------------------------------------------------- */

typedef struct {
    BlockKey key;
    gpointer number;
} Doomed;

typedef struct {
    BlockKey to, from;
} Moved;

/* What goes to the disk in one transaction. */
typedef struct {
    Content *content;
    GArray *moved;   /* of Moved */
    GArray *doomed;  /* of Doomed */
    GArray *touched; /* of BlockKey */
    GArray *blocks;  /* of PendingBlock */
    guint n_doomed;  /* how many of them are deleted */
    bool all_moved;  /* no more than these are to be moved */
    bool stored;     /* the blocks are */
    bool complete;   /* nothing is left after this */
    uint64_t evicted;
} Batch;

static size_t batch_bytes(const Content *content)
{
    return (size_t)CLAMP(content->stats.bound / 16, CONTENT_BLOCK, BATCH_MOST);
}

/* The bound covers the log too, which is at its longest when two batches are in it. */
static uint64_t bound_of_pages(const Content *content)
{
    return content->stats.bound - 3 * batch_bytes(content) - 2 * CONTENT_BLOCK;
}

/* With the lock. */
static void collect_moved(Batch *batch)
{
    GHashTableIter iter;
    gpointer to, from;
    batch->moved = g_array_new(FALSE, FALSE, sizeof(Moved));
    g_hash_table_iter_init(&iter, batch->content->moved);
    while (batch->moved->len < MOVES_MOST && g_hash_table_iter_next(&iter, &to, &from)) {
        Moved moved = {*(const BlockKey *)to, *(const BlockKey *)from};
        g_array_append_val(batch->moved, moved);
    }
    batch->all_moved = batch->moved->len == g_hash_table_size(batch->content->moved);
}

static void collect(Batch *batch)
{
    Content *content = batch->content;
    batch->doomed = g_array_new(FALSE, FALSE, sizeof(Doomed));
    SCOPED_LOCK(&content->lock);
    collect_moved(batch);
    GHashTableIter iter;
    gpointer key, number;
    g_hash_table_iter_init(&iter, content->doomed);
    while (batch->doomed->len < DELETES_MOST && g_hash_table_iter_next(&iter, &key, &number)) {
        Doomed doomed = {*(const BlockKey *)key, number};
        g_array_append_val(batch->doomed, doomed);
    }
    batch->touched = recent_take(content->recent);
    batch->blocks = pending_oldest(content->pending, batch_bytes(content));
}

static void free_batch(Batch *batch)
{
    g_array_unref(batch->moved);
    g_array_unref(batch->doomed);
    g_array_unref(batch->touched);
    g_array_unref(batch->blocks);
}

static uint64_t rank_of(gpointer data, uint32_t folder, uint32_t uid)
{
    Content *content = data;
    SCOPED_LOCK(&content->lock);
    return recent_rank(content->recent, folder, uid);
}

/* What the blocks of the batch will take on disk, at most. */
static uint64_t space_needed(const Batch *batch)
{
    uint64_t bytes = 0;
    for (guint i = 0; i < batch->blocks->len; i++) {
        size_t size = g_bytes_get_size(g_array_index(batch->blocks, PendingBlock, i).bytes);
        bytes += size + size / 8 + 512;
    }
    return bytes;
}

static void write_moves(Batch *batch)
{
    for (guint i = 0; i < batch->moved->len; i++) {
        const Moved *moved = &g_array_index(batch->moved, Moved, i);
        blocks_move(batch->content->blocks, moved->from, moved->to);
    }
}

static void write_deletions(Batch *batch)
{
    unsigned budget = DELETES_MOST;
    while (batch->n_doomed < batch->doomed->len &&
           blocks_delete(batch->content->blocks,
                         g_array_index(batch->doomed, Doomed, batch->n_doomed).key, &budget))
        batch->n_doomed++;
}

static void write_touches(Batch *batch)
{
    for (guint i = 0; i < batch->touched->len; i++) {
        const BlockKey *key = &g_array_index(batch->touched, BlockKey, i);
        blocks_touch(batch->content->blocks, key->folder, key->uid, content_now());
    }
}

static void write_blocks(Batch *batch)
{
    for (guint i = 0; i < batch->blocks->len; i++) {
        const PendingBlock *block = &g_array_index(batch->blocks, PendingBlock, i);
        blocks_put(batch->content->blocks, block->key, block->bytes, content_now());
    }
}

/* Returns false where the database has space in use that belongs to no message. */
static bool write_batch(Batch *batch)
{
    Content *content = batch->content;
    uint64_t bound = bound_of_pages(content), needed = space_needed(batch);
    write_moves(batch);
    write_deletions(batch);
    write_touches(batch);
    /* What was deleted must be gone before it is put again, and what was moved be there. */
    bool ready = batch->n_doomed == batch->doomed->len && batch->all_moved;
    EvictResult room = evict(content->blocks, bound - MIN(bound, needed), rank_of, content,
                             &batch->evicted);
    if (room == EVICT_NOTHING && blocks_failure(content->blocks) == DATABASE_OK)
        return false;
    batch->stored = ready && room == EVICT_ROOM;
    if (batch->stored)
        write_blocks(batch);
    if (content->too_long)
        blocks_shrink(content->blocks);
    content->too_long = blocks_bytes_total(content->blocks) > content->stats.bound;
    batch->complete = batch->stored && !content->too_long;
    return true;
}

/* With the lock. One that was moved on meanwhile is on disk where it was then. */
static void note_moved(Content *content, const Moved *moved)
{
    GHashTableIter iter;
    gpointer to, from;
    g_hash_table_iter_init(&iter, content->moved);
    while (g_hash_table_iter_next(&iter, &to, &from)) {
        if (!block_key_equal(from, &moved->from))
            continue;
        if (block_key_equal(to, &moved->to))
            g_hash_table_iter_remove(&iter);
        else
            g_hash_table_iter_replace(&iter, g_memdup2(&moved->to, sizeof moved->to));
    }
}

/* It is on disk now. */
static void note_written(Batch *batch)
{
    Content *content = batch->content;
    uint64_t used = blocks_bytes_used(content->blocks);
    SCOPED_LOCK(&content->lock);
    for (guint i = 0; i < batch->moved->len; i++)
        note_moved(content, &g_array_index(batch->moved, Moved, i));
    for (guint i = 0; i < batch->n_doomed; i++) {
        const Doomed *doomed = &g_array_index(batch->doomed, Doomed, i);
        if (g_hash_table_lookup(content->doomed, &doomed->key) == doomed->number)
            g_hash_table_remove(content->doomed, &doomed->key);
    }
    for (guint i = 0; batch->stored && i < batch->blocks->len; i++) {
        const PendingBlock *block = &g_array_index(batch->blocks, PendingBlock, i);
        pending_remove_written(content->pending, block->key, block->bytes);
    }
    content->stats.bytes = used;
    content->stats.evicted += batch->evicted;
    content->stats.on_disk = true;
    content->retry_at = 0;
    batch->complete &= pending_bytes(content->pending) == 0 &&
                       g_hash_table_size(content->doomed) == 0 &&
                       g_hash_table_size(content->moved) == 0;
}

static void note_failure(Content *content, DatabaseState state, const char *why)
{
    if (state == DATABASE_DAMAGED)
        begin_anew(content, why);
    else
        handle_trouble(content, state, why);
}

/* True: *complete says whether something is left. False: nothing can be written now. */
static bool flush_batch(Content *content, bool *complete)
{
    Batch batch = {.content = content};
    g_autofree char *why = NULL;
    collect(&batch);
    blocks_begin(content->blocks);
    bool sound = write_batch(&batch);
    DatabaseState state = blocks_commit(content->blocks, &why);
    if (state == DATABASE_OK && sound) {
        note_written(&batch);
        trouble_end(&content->trouble, &blocks_kind);
    } else if (state == DATABASE_OK) {
        begin_anew(content, "it holds more than it has messages for");
    } else {
        note_failure(content, state, why);
    }
    *complete = batch.complete;
    free_batch(&batch);
    return state == DATABASE_OK && sound;
}

static bool has_work(Content *content)
{
    SCOPED_LOCK(&content->lock);
    recent_expire(content->recent, content_now());
    return content->too_long || pending_bytes(content->pending) > 0 ||
           g_hash_table_size(content->doomed) > 0 || g_hash_table_size(content->moved) > 0 ||
           recent_has_news(content->recent) || content->stats.bytes > bound_of_pages(content);
}

bool content_write(Content *content)
{
    if (!content_ready(content))
        return true;
    if (!has_work(content)) {
        /* A quiet moment. */
        if (blocks_log_bytes(content->blocks) > 0)
            blocks_checkpoint(content->blocks);
        return true;
    }
    const int64_t until = g_get_monotonic_time() + FLUSH_US;
    bool complete = false, going = true;
    while (going && !complete && g_get_monotonic_time() < until) {
        going = flush_batch(content, &complete);
        if (going && blocks_log_bytes(content->blocks) > batch_bytes(content))
            blocks_checkpoint(content->blocks);
    }
    return complete || (!going && !trouble_is_over(&content->trouble));
}
