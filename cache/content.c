#include "content_private.h"

#include <string.h>

#define SMALLEST_BOUND (1024 * 1024)
#define MEMORY_MOST (16 * 1024 * 1024) /* of blocks that are not on disk */
#define WRITE_AT (1024 * 1024)         /* bytes for which the writer does not wait any longer */
#define DELAY_MILLIS 500               /* that it waits else */
#define USED_STEP 600                  /* seconds by which the time of use on disk may lag behind */

/* --- any thread ----------------------------------------------------------------------------- */

/* With the lock: where the disk has what is asked for. */
static BlockKey key_on_disk(Content *content, BlockKey key)
{
    const BlockKey message = {key.folder, key.uid, BLOCK_ALL};
    const BlockKey *before = g_hash_table_lookup(content->moved, &message);
    return before ? (BlockKey){before->folder, before->uid, key.block} : key;
}

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
        g_hash_table_replace(content->doomed, g_memdup2(&key, sizeof key),
                             GSIZE_TO_POINTER((gsize)++content->dooms));
}

static void wake_writer(Content *content, unsigned milliseconds)
{
    if (content->writer)
        writer_wake(content->writer, milliseconds);
}

typedef struct {
    Content *content;
    Blocks *reader; /* taken when the first block has to come from the disk */
} ReadContext;

static void note_result(Content *content, BlockKey key, BlockResult result, int64_t used)
{
    int64_t now = content_now();
    SCOPED_LOCK(&content->lock);
    if (result == BLOCK_HELD)
        recent_use(content->recent, key.folder, key.uid, now, used < now - USED_STEP || used > now);
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

/* True: the block is in memory, and long enough; on_disk: or else it may be on disk, as *there. */
static bool read_memory(Content *content, BlockKey key, size_t offset, size_t length, void *buffer,
                        bool *on_disk, BlockKey *there)
{
    SCOPED_LOCK(&content->lock);
    gsize held = 0;
    GBytes *bytes = pending_get(content->pending, key);
    const char *data = bytes ? g_bytes_get_data(bytes, &held) : NULL;
    *there = key_on_disk(content, key);
    *on_disk = !content->damaged && !is_doomed(content, *there);
    if (!data || held < offset + length)
        return false;
    memcpy(buffer, data + offset, length);
    recent_use(content->recent, key.folder, key.uid, content_now(), false);
    return true;
}

/* The writer has moved it on the disk since. */
static bool has_moved_on(Content *content, BlockKey key, BlockKey there)
{
    SCOPED_LOCK(&content->lock);
    const BlockKey now = key_on_disk(content, key);
    return !block_key_equal(&now, &there);
}

static bool read_block(ReadContext *context, BlockKey key, size_t offset, size_t length,
                       void *buffer)
{
    BlockKey there;
    bool on_disk;
    do {
        if (read_memory(context->content, key, offset, length, buffer, &on_disk, &there) ||
            (on_disk && read_disk(context, there, offset, length, buffer)))
            return true;
    } while (on_disk && has_moved_on(context->content, key, there));
    return false;
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

/* What is on disk of a block. */
static size_t held_on_disk(Content *content, BlockKey key)
{
    bool damaged = false, has_file;
    Blocks *reader = content->readers ? readers_take(content->readers, &has_file) : NULL;
    size_t held = reader ? blocks_length(reader, key, &damaged) : 0;

    readers_give(content->readers, reader);
    if (damaged)
        note_result(content, key, BLOCK_DAMAGED, 0);
    return held;
}

size_t content_held(Content *content, uint32_t folder, uint32_t uid, uint32_t block)
{
    const BlockKey key = {folder, uid, block};
    pthread_mutex_lock(&content->lock);
    GBytes *bytes = pending_get(content->pending, key);
    size_t in_memory = bytes ? g_bytes_get_size(bytes) : 0;
    const BlockKey there = key_on_disk(content, key);
    bool ask = in_memory < CONTENT_BLOCK && !content->damaged && !is_doomed(content, there);
    pthread_mutex_unlock(&content->lock);
    size_t on_disk = ask ? held_on_disk(content, there) : 0;
    if (ask && !on_disk && has_moved_on(content, key, there))
        on_disk = held_on_disk(content, key);
    return MAX(in_memory, on_disk);
}

/* With the lock: bytes that the disk could be given now. */
static size_t writable(const Content *content)
{
    bool usable = content->directory &&
                  (content->retry_at == 0 || g_get_monotonic_time() >= content->retry_at);
    return usable ? pending_bytes(content->pending) : 0;
}

size_t content_pending(Content *content)
{
    SCOPED_LOCK(&content->lock);
    return writable(content);
}

/* --- messages in a row ------------------------------------------------------------------------ */

/*
 * next: the offset up to which the message was handed over. dooms: as they were when the reader
 * began: what it sees of the disk is from then on.
 */
typedef struct {
    Content *content;
    uint64_t dooms;
    ContentTake take;
    gpointer data;
    uint32_t folder, uid;
    uint64_t next;
    bool more; /* take wants it */
} Walk;

static bool hand_over(gpointer data, uint32_t block, const void *bytes, size_t length)
{
    Walk *walk = data;
    uint64_t offset = (uint64_t)block * CONTENT_BLOCK;
    if (offset != walk->next)
        return false;
    walk->next = offset + length;
    walk->more = walk->take(walk->data, walk->uid, offset, bytes, length);
    return walk->more;
}

/* Block by block, each from where it is. */
static void walk_blocks(Walk *walk)
{
    char *buffer = g_malloc(CONTENT_BLOCK);
    ReadContext context = {walk->content, NULL};
    BlockKey key = {walk->folder, walk->uid, 0};
    size_t held;
    do {
        held = content_held(walk->content, key.folder, key.uid, key.block);
    } while (held && read_block(&context, key, 0, held, buffer) &&
             hand_over(walk, key.block++, buffer, held));
    readers_give(walk->content->readers, context.reader);
    g_free(buffer);
}

/* False: there is nothing, or there was nothing when the reader began. */
static bool walk_disk(Walk *walk, Blocks *reader)
{
    BlockKey key = {walk->folder, walk->uid, 0};
    BlockResult result = blocks_take(reader, key.folder, key.uid, hand_over, walk, &key.block);
    if (result == BLOCK_WRONG || result == BLOCK_DAMAGED)
        note_result(walk->content, key, result, 0);
    return result != BLOCK_NOT_HELD;
}

/* Whether the message is all on disk, as the reader sees it, if it is held at all. */
static bool all_on_disk(Walk *walk)
{
    Content *content = walk->content;
    SCOPED_LOCK(&content->lock);
    return content->dooms == walk->dooms && g_hash_table_size(content->doomed) == 0 &&
           g_hash_table_size(content->moved) == 0 && !content->damaged &&
           !pending_has(content->pending, walk->folder, walk->uid);
}

static uint64_t count_dooms(Content *content)
{
    SCOPED_LOCK(&content->lock);
    return content->dooms;
}

size_t content_next(Content *content, uint32_t folder, const uint32_t *uids, size_t n,
                    ContentTake take, gpointer data)
{
    Walk walk = {content, count_dooms(content), take, data, folder, 0, 0, true};
    bool has_file;
    Blocks *reader = content->readers ? readers_take(content->readers, &has_file) : NULL;
    size_t done = 0;
    if (reader)
        blocks_begin_reading(reader);
    for (; done < n && walk.more; done++) {
        walk.uid = uids[done];
        walk.next = 0;
        if (!reader || !all_on_disk(&walk) || !walk_disk(&walk, reader))
            walk_blocks(&walk);
    }
    if (reader)
        blocks_end_reading(reader);
    readers_give(content->readers, reader);
    return done;
}

/* --- the engine thread ---------------------------------------------------------------------- */

void content_put(Content *content, uint32_t folder, uint32_t uid, uint32_t block, GBytes *bytes)
{
    gsize size;
    gconstpointer data = g_bytes_get_data(bytes, &size);
    g_return_if_fail(size <= CONTENT_BLOCK);
    if (size == 0 || block >= BLOCKS_MOST)
        return;
    /* A stretch of a long message must not keep all of it in memory. */
    g_autoptr(GBytes) copy = g_bytes_new(data, size);
    pthread_mutex_lock(&content->lock);
    pending_put(content->pending, (BlockKey){folder, uid, block}, copy);
    pending_trim(content->pending, MEMORY_MOST);
    recent_use(content->recent, folder, uid, content_now(), false);
    bool much = writable(content) > WRITE_AT;
    pthread_mutex_unlock(&content->lock);
    wake_writer(content, much ? 0 : DELAY_MILLIS);
}

static bool covers(BlockKey key, const BlockKey *message)
{
    return key.folder == message->folder && (key.uid == 0 || key.uid == message->uid);
}

/* With the lock: what is still to be moved to there on the disk. */
static void doom_moved(Content *content, BlockKey key)
{
    GHashTableIter iter;
    gpointer message, before;
    g_hash_table_iter_init(&iter, content->moved);
    while (g_hash_table_iter_next(&iter, &message, &before)) {
        if (!covers(key, message))
            continue;
        doom(content, *(const BlockKey *)before);
        g_hash_table_iter_remove(&iter);
    }
}

static void drop(Content *content, BlockKey key)
{
    pthread_mutex_lock(&content->lock);
    pending_remove(content->pending, key);
    doom_moved(content, key);
    doom(content, key);
    pthread_mutex_unlock(&content->lock);
    wake_writer(content, DELAY_MILLIS);
}

void content_drop(Content *content, uint32_t folder, uint32_t uid)
{
    drop(content, (BlockKey){folder, uid, BLOCK_ALL});
}

void content_drop_folder(Content *content, uint32_t folder)
{
    drop(content, (BlockKey){folder, 0, BLOCK_ALL});
}

void content_move(Content *content, uint32_t folder, uint32_t uid, uint32_t to_folder,
                  uint32_t to_uid)
{
    const BlockKey from = {folder, uid, BLOCK_ALL}, to = {to_folder, to_uid, BLOCK_ALL};
    pthread_mutex_lock(&content->lock);
    const BlockKey there = key_on_disk(content, from);
    pending_move(content->pending, from, to);
    g_hash_table_remove(content->moved, &from);
    if (to_folder >= CATALOG_TEMPORARY)
        doom(content, there);
    else if (content->directory && there.folder < CATALOG_TEMPORARY && !is_doomed(content, there))
        g_hash_table_replace(content->moved, g_memdup2(&to, sizeof to),
                             g_memdup2(&there, sizeof there));
    content->dooms++;
    pthread_mutex_unlock(&content->lock);
    wake_writer(content, DELAY_MILLIS);
}

/* --- opening and closing -------------------------------------------------------------------- */

Content *content_open(const char *directory, uint64_t bound)
{
    Content *content = g_new0(Content, 1);
    pthread_mutex_init(&content->lock, NULL);
    content->pending = pending_new(CATALOG_TEMPORARY);
    content->doomed = g_hash_table_new_full(block_key_hash, block_key_equal, g_free, NULL);
    content->moved = g_hash_table_new_full(block_key_hash, block_key_equal, g_free, g_free);
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
        content_ready(content);
    }
    return content;
}

static bool write_some(gpointer content)
{
    return content_write(content);
}

void content_start_writer(Content *content)
{
    if (content->directory && !content->writer)
        content->writer = writer_start(write_some, content);
    wake_writer(content, DELAY_MILLIS); /* the bound may be a smaller one than it was */
}

bool content_flush(Content *content)
{
    if (!content->writer)
        return content_write(content);
    writer_finish(content->writer);
    return true;
}

void content_close(Content *content)
{
    if (!content)
        return;
    g_clear_pointer(&content->writer, writer_stop);
    /* There may have been no more to its trouble than another process that wrote for long. */
    content->trouble.retry_at = 0;
    while (!content_flush(content))
        ;
    g_clear_pointer(&content->readers, readers_free);
    blocks_close(content->blocks);
    pending_free(content->pending);
    recent_free(content->recent);
    g_hash_table_unref(content->doomed);
    g_hash_table_unref(content->moved);
    pthread_mutex_destroy(&content->lock);
    g_free(content->directory);
    g_free(content);
}
