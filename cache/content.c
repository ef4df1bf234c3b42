#include "content.h"
#include "catalog.h"
#include "evict.h"
#include "readers.h"
#include "scopedlock.h"

#include <string.h>

#define SMALLEST_BOUND (1024 * 1024)
#define MEMORY_MOST (8 * 1024 * 1024) /* of blocks that are not on disk */
#define BATCH_MOST (4 * 1024 * 1024)  /* bytes a transaction */
#define FLUSH_US 50000                /* no further transaction in a flush after that */
#define DELETES_MOST 1000             /* messages a transaction */
#define USED_STEP 600                 /* seconds by which the time of use on disk may lag behind */

/*
 * Invariant: what is in neither pending nor on disk is not held; what a key in doomed covers is
 * not held on disk, whatever is there. What a reader could not read is doomed, so that the engine
 * never takes for held what readers do not get. The lock is held for memory operations alone.
 */
struct Content {
    pthread_mutex_t lock;
    Pending *pending;
    GHashTable *doomed; /* of BlockKey: to be deleted from the disk */
    Recent *recent;
    ContentStats stats;
    bool damaged; /* a reader found the database so */
    Readers *readers;
    char *directory;         /* NULL: memory alone */
    Blocks *blocks;          /* engine; NULL: not open at the moment */
    bool too_long;           /* engine: the file is longer than the bound */
    DatabaseTrouble trouble; /* engine */
    int64_t begun_anew;      /* engine: when the database last was damaged */
};

static int64_t now_seconds(void)
{
    return g_get_real_time() / G_USEC_PER_SEC;
}

/* --- any thread ----------------------------------------------------------------------------- */

/* With the lock. */
static bool is_doomed(Content *content, BlockKey key)
{
    const BlockKey message = {key.folder, key.uid, BLOCK_ALL}, folder = {key.folder, 0, BLOCK_ALL};
    return g_hash_table_size(content->doomed) > 0 &&
           (g_hash_table_contains(content->doomed, &key) ||
            g_hash_table_contains(content->doomed, &message) ||
            g_hash_table_contains(content->doomed, &folder));
}

/* With the lock. */
static void doom(Content *content, BlockKey key)
{
    if (content->directory && key.folder < CATALOG_TEMPORARY)
        g_hash_table_add(content->doomed, g_memdup2(&key, sizeof key));
}

typedef struct {
    Content *content;
    Blocks *reader; /* taken when the first block has to come from the disk */
} ReadContext;

static void note_result(Content *content, BlockKey key, BlockResult result, int64_t used)
{
    int64_t now = now_seconds();
    SCOPED_LOCK(&content->lock);
    if (result == BLOCK_HELD)
        recent_use(content->recent, key.folder, key.uid, now, now - used > USED_STEP || used > now);
    if (result == BLOCK_DAMAGED)
        content->damaged = true;
    content->stats.damaged += result == BLOCK_WRONG;
    if (result == BLOCK_WRONG || result == BLOCK_UNREADABLE)
        doom(content, key);
}

static bool read_disk(ReadContext *context, BlockKey key, size_t offset, size_t length,
                      void *buffer)
{
    Content *content = context->content;
    bool has_file = true;
    if (!context->reader && content->readers)
        context->reader = readers_take(content->readers, &has_file);
    if (!content->readers || !has_file)
        return false;
    int64_t used = 0;
    BlockResult result = BLOCK_UNREADABLE;
    if (context->reader)
        result = blocks_read(context->reader, key, offset, length, buffer, &used);
    note_result(content, key, result, used);
    return result == BLOCK_HELD;
}

/* True: the block is in memory, and long enough; on_disk: or else it may be on disk. */
static bool read_memory(Content *content, BlockKey key, size_t offset, size_t length, void *buffer,
                        bool *on_disk)
{
    SCOPED_LOCK(&content->lock);
    gsize held = 0;
    GBytes *bytes = pending_get(content->pending, key);
    const char *data = bytes ? g_bytes_get_data(bytes, &held) : NULL;
    *on_disk = !content->damaged && !is_doomed(content, key);
    if (!data || held < offset + length)
        return false;
    memcpy(buffer, data + offset, length);
    return true;
}

static bool read_block(ReadContext *context, BlockKey key, size_t offset, size_t length,
                       void *buffer)
{
    bool on_disk;
    return read_memory(context->content, key, offset, length, buffer, &on_disk) ||
           (on_disk && read_disk(context, key, offset, length, buffer));
}

bool content_read(Content *content, uint32_t folder, uint32_t uid, uint64_t offset, size_t length,
                  void *buffer)
{
    ReadContext context = {content, NULL};
    bool held = true;
    for (size_t done = 0; held && done < length;) {
        uint64_t block = (offset + done) / CONTENT_BLOCK;
        size_t within = (offset + done) % CONTENT_BLOCK;
        size_t part = MIN(length - done, CONTENT_BLOCK - within);
        held = block < BLOCKS_MOST && read_block(&context, (BlockKey){folder, uid, (uint32_t)block},
                                                 within, part, (char *)buffer + done);
        done += part;
    }
    if (context.reader)
        readers_give(content->readers, context.reader);
    pthread_mutex_lock(&content->lock);
    content->stats.hits += held;
    content->stats.misses += !held;
    pthread_mutex_unlock(&content->lock);
    return held;
}

void content_stats(Content *content, ContentStats *stats)
{
    SCOPED_LOCK(&content->lock);
    *stats = content->stats;
}

/* --- the engine thread ---------------------------------------------------------------------- */

size_t content_held(Content *content, uint32_t folder, uint32_t uid, uint32_t block)
{
    const BlockKey key = {folder, uid, block};
    bool damaged = false;
    size_t on_disk = 0;
    pthread_mutex_lock(&content->lock);
    GBytes *bytes = pending_get(content->pending, key);
    size_t in_memory = bytes ? g_bytes_get_size(bytes) : 0;
    bool ask = content->blocks && !content->damaged && !is_doomed(content, key);
    pthread_mutex_unlock(&content->lock);
    if (ask)
        on_disk = blocks_length(content->blocks, key, &damaged);
    if (damaged)
        note_result(content, key, BLOCK_DAMAGED, 0);
    return MAX(in_memory, on_disk);
}

void content_put(Content *content, uint32_t folder, uint32_t uid, uint32_t block, GBytes *bytes)
{
    gsize size;
    gconstpointer data = g_bytes_get_data(bytes, &size);
    g_return_if_fail(size <= CONTENT_BLOCK);
    if (size == 0 || block >= BLOCKS_MOST)
        return;
    /* A stretch of a long message must not keep all of it in memory. */
    g_autoptr(GBytes) copy = g_bytes_new(data, size);
    SCOPED_LOCK(&content->lock);
    pending_put(content->pending, (BlockKey){folder, uid, block}, copy);
    pending_trim(content->pending, MEMORY_MOST);
}

static void drop(Content *content, BlockKey key)
{
    SCOPED_LOCK(&content->lock);
    pending_remove(content->pending, key);
    doom(content, key);
}

void content_drop(Content *content, uint32_t folder, uint32_t uid)
{
    drop(content, (BlockKey){folder, uid, BLOCK_ALL});
}

void content_drop_folder(Content *content, uint32_t folder)
{
    drop(content, (BlockKey){folder, 0, BLOCK_ALL});
}

size_t content_pending(Content *content)
{
    bool writable = content->directory && trouble_is_over(&content->trouble);
    SCOPED_LOCK(&content->lock);
    return writable ? pending_bytes(content->pending) : 0;
}

/* --- the disk, and trouble with it ---------------------------------------------------------- */

static void set_usable(Content *content, bool usable)
{
    SCOPED_LOCK(&content->lock);
    content->stats.on_disk = usable;
}

static void handle_trouble(Content *content, DatabaseState state, const char *why)
{
    trouble_begin(&content->trouble, &blocks_kind, state, why,
                  "mail that is read is kept in memory for a while, and then fetched again");
    set_usable(content, false);
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
static bool ready(Content *content)
{
    if (!content->directory || !trouble_is_over(&content->trouble))
        return false;
    if (content->blocks && is_damaged(content))
        begin_anew(content, "it is damaged");
    else if (content->blocks && !blocks_is_current(content->blocks))
        disconnect(content);
    return trouble_is_over(&content->trouble) && (content->blocks || connect_blocks(content));
}

Content *content_open(const char *directory, uint64_t bound)
{
    Content *content = g_new0(Content, 1);
    pthread_mutex_init(&content->lock, NULL);
    content->pending = pending_new(CATALOG_TEMPORARY);
    content->doomed = g_hash_table_new_full(block_key_hash, block_key_equal, g_free, NULL);
    content->recent = recent_new();
    content->stats.bound = bound;
    if (directory && bound < SMALLEST_BOUND)
        database_delete(&blocks_kind, directory);
    else if (directory)
        content->directory = g_strdup(directory);
    else
        g_warning("there is no cache directory: mail that is read is kept in memory for a while, "
                  "and then fetched again");
    if (content->directory) {
        content->readers = readers_new(directory);
        ready(content);
    }
    return content;
}

void content_close(Content *content)
{
    if (!content)
        return;
    while (!content_flush(content))
        ;
    g_clear_pointer(&content->readers, readers_free);
    blocks_close(content->blocks);
    pending_free(content->pending);
    recent_free(content->recent);
    g_hash_table_unref(content->doomed);
    pthread_mutex_destroy(&content->lock);
    g_free(content->directory);
    g_free(content);
}

/* --- flushing ------------------------------------------------------------------------------- */

/* What goes to the disk in one transaction. */
typedef struct {
    Content *content;
    GArray *doomed;  /* of BlockKey */
    GArray *touched; /* of BlockKey */
    GArray *blocks;  /* of PendingBlock */
    guint n_doomed;  /* how many of them are deleted */
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

static void collect(Batch *batch)
{
    Content *content = batch->content;
    batch->doomed = g_array_new(FALSE, FALSE, sizeof(BlockKey));
    SCOPED_LOCK(&content->lock);
    GHashTableIter iter;
    gpointer key;
    g_hash_table_iter_init(&iter, content->doomed);
    while (batch->doomed->len < DELETES_MOST && g_hash_table_iter_next(&iter, &key, NULL))
        g_array_append_vals(batch->doomed, key, 1);
    batch->touched = recent_take(content->recent);
    batch->blocks = pending_oldest(content->pending, batch_bytes(content));
}

static void free_batch(Batch *batch)
{
    g_array_unref(batch->doomed);
    g_array_unref(batch->touched);
    g_array_unref(batch->blocks);
}

static bool is_recent(gpointer data, uint32_t folder, uint32_t uid)
{
    Content *content = data;
    SCOPED_LOCK(&content->lock);
    return recent_has(content->recent, folder, uid);
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

static void write_deletions(Batch *batch)
{
    unsigned budget = DELETES_MOST;
    while (batch->n_doomed < batch->doomed->len &&
           blocks_delete(batch->content->blocks,
                         g_array_index(batch->doomed, BlockKey, batch->n_doomed), &budget))
        batch->n_doomed++;
}

static void write_touches(Batch *batch)
{
    for (guint i = 0; i < batch->touched->len; i++) {
        const BlockKey *key = &g_array_index(batch->touched, BlockKey, i);
        blocks_touch(batch->content->blocks, key->folder, key->uid, now_seconds());
    }
}

static void write_blocks(Batch *batch)
{
    for (guint i = 0; i < batch->blocks->len; i++) {
        const PendingBlock *block = &g_array_index(batch->blocks, PendingBlock, i);
        blocks_put(batch->content->blocks, block->key, block->bytes, now_seconds());
    }
}

/* Returns false where the database has space in use that belongs to no message. */
static bool write_batch(Batch *batch)
{
    Content *content = batch->content;
    uint64_t bound = bound_of_pages(content), needed = space_needed(batch);
    write_deletions(batch);
    write_touches(batch);
    /* What was deleted must be gone before it is put again. */
    bool deleted = batch->n_doomed == batch->doomed->len;
    EvictResult room = evict(content->blocks, bound - MIN(bound, needed), is_recent, content,
                             &batch->evicted);
    if (room == EVICT_NOTHING && blocks_failure(content->blocks) == DATABASE_OK)
        return false;
    batch->stored = deleted && room == EVICT_ROOM;
    if (batch->stored)
        write_blocks(batch);
    if (content->too_long)
        blocks_shrink(content->blocks);
    content->too_long = blocks_bytes_total(content->blocks) > content->stats.bound;
    batch->complete = batch->stored && !content->too_long;
    return true;
}

/* It is on disk now. */
static void note_written(Batch *batch)
{
    Content *content = batch->content;
    uint64_t used = blocks_bytes_used(content->blocks);
    SCOPED_LOCK(&content->lock);
    for (guint i = 0; i < batch->n_doomed; i++)
        g_hash_table_remove(content->doomed, &g_array_index(batch->doomed, BlockKey, i));
    for (guint i = 0; batch->stored && i < batch->blocks->len; i++) {
        const PendingBlock *block = &g_array_index(batch->blocks, PendingBlock, i);
        pending_remove_written(content->pending, block->key, block->bytes);
    }
    content->stats.bytes = used;
    content->stats.evicted += batch->evicted;
    content->stats.on_disk = true;
    batch->complete &= pending_bytes(content->pending) == 0 &&
                       g_hash_table_size(content->doomed) == 0;
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
    recent_expire(content->recent, now_seconds());
    return content->too_long || pending_bytes(content->pending) > 0 ||
           g_hash_table_size(content->doomed) > 0 || recent_has_news(content->recent) ||
           content->stats.bytes > bound_of_pages(content);
}

bool content_flush(Content *content)
{
    if (!ready(content))
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
