#include "readers.h"
#include "scopedlock.h"

#define KEPT_OPEN 6

/* Invariant: the idle ones are connections to file. */
struct Readers {
    pthread_mutex_t lock;
    char *directory;
    DatabaseFile file;
    bool has_file;
    GQueue idle; /* of Blocks */
};

Readers *readers_new(const char *directory)
{
    Readers *readers = g_new0(Readers, 1);
    pthread_mutex_init(&readers->lock, NULL);
    readers->directory = g_strdup(directory);
    g_queue_init(&readers->idle);
    return readers;
}

static void close_reader(gpointer blocks)
{
    blocks_close(blocks);
}

void readers_free(Readers *readers)
{
    g_queue_clear_full(&readers->idle, close_reader);
    pthread_mutex_destroy(&readers->lock);
    g_free(readers->directory);
    g_free(readers);
}

void readers_set_file(Readers *readers, const DatabaseFile *file)
{
    pthread_mutex_lock(&readers->lock);
    GQueue old = readers->idle;
    g_queue_init(&readers->idle);
    readers->has_file = file != NULL;
    if (file)
        readers->file = *file;
    pthread_mutex_unlock(&readers->lock);
    g_queue_clear_full(&old, close_reader);
}

Blocks *readers_take(Readers *readers, bool *has_file)
{
    pthread_mutex_lock(&readers->lock);
    Blocks *blocks = g_queue_pop_head(&readers->idle);
    *has_file = readers->has_file;
    DatabaseFile file = readers->file;
    pthread_mutex_unlock(&readers->lock);
    if (blocks || !*has_file)
        return blocks;
    return blocks_connect(readers->directory, file);
}

void readers_give(Readers *readers, Blocks *blocks)
{
    if (!blocks)
        return;
    DatabaseFile file = blocks_file(blocks);
    pthread_mutex_lock(&readers->lock);
    bool keep = readers->has_file && file.inode == readers->file.inode &&
                file.device == readers->file.device && readers->idle.length < KEPT_OPEN;
    if (keep)
        g_queue_push_head(&readers->idle, blocks);
    pthread_mutex_unlock(&readers->lock);
    if (!keep)
        blocks_close(blocks);
}
