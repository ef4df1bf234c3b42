#include "dircache.h"

#include "../cache/scopedlock.h"

#include <glib.h>

/*
 * `version` counts changes; `kept` is the version that the kernel keeps the entries of, 0 for none.
 * Of `open` directories `old_open` were opened in an earlier version. A handle is the version that
 * it was opened in. version >= kept, open >= old_open.
 */
typedef struct {
    uint64_t ino, version, kept;
    unsigned open, old_open;
} Directory;

struct DirCache {
    pthread_mutex_t lock;    /* of all below */
    GHashTable *directories; /* ino -> Directory */
};

DirCache *dircache_new(void)
{
    DirCache *cache = g_new0(DirCache, 1);

    pthread_mutex_init(&cache->lock, NULL);
    cache->directories = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    return cache;
}

void dircache_free(DirCache *cache)
{
    if (!cache)
        return;
    g_hash_table_unref(cache->directories);
    pthread_mutex_destroy(&cache->lock);
    g_free(cache);
}

static void change(Directory *directory)
{
    directory->version++;
    directory->old_open = directory->open;
}

/* One that nobody opened yet is not there: the kernel has nothing of it. */
void dircache_changed(DirCache *cache, uint64_t ino)
{
    SCOPED_LOCK(&cache->lock);
    Directory *directory = g_hash_table_lookup(cache->directories, &ino);

    if (directory)
        change(directory);
}

void dircache_all_changed(DirCache *cache)
{
    SCOPED_LOCK(&cache->lock);
    GHashTableIter iter;
    gpointer directory;

    g_hash_table_iter_init(&iter, cache->directories);
    while (g_hash_table_iter_next(&iter, NULL, &directory))
        change(directory);
}

DirCacheOpen dircache_opened(DirCache *cache, uint64_t ino)
{
    SCOPED_LOCK(&cache->lock);
    Directory *directory = g_hash_table_lookup(cache->directories, &ino);

    if (!directory) {
        directory = g_new0(Directory, 1);
        directory->ino = ino;
        directory->version = 1;
        g_hash_table_insert(cache->directories, &directory->ino, directory);
    }
    bool use_kept = directory->kept == directory->version;
    if (!use_kept && !directory->old_open)
        directory->kept = directory->version;
    directory->open++;
    return (DirCacheOpen){directory->version, use_kept, directory->kept == directory->version};
}

void dircache_closed(DirCache *cache, uint64_t ino, uint64_t handle)
{
    SCOPED_LOCK(&cache->lock);
    Directory *directory = g_hash_table_lookup(cache->directories, &ino);

    if (!directory || !directory->open)
        return;
    directory->open--;
    if (handle != directory->version && directory->old_open)
        directory->old_open--;
}
