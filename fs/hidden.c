#include "hidden.h"

#include "../cache/scopedlock.h"

#include <glib.h>

/* `inodes` (uint64_t) is under `lock`; `n` is how many there are, and atomic. */
struct Hidden {
    pthread_mutex_t lock;
    GHashTable *inodes;
    gint n;
};

Hidden *hidden_new(void)
{
    Hidden *hidden = g_new0(Hidden, 1);

    pthread_mutex_init(&hidden->lock, NULL);
    hidden->inodes = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    return hidden;
}

void hidden_free(Hidden *hidden)
{
    g_hash_table_unref(hidden->inodes);
    pthread_mutex_destroy(&hidden->lock);
    g_free(hidden);
}

void hidden_add(Hidden *hidden, uint64_t ino)
{
    SCOPED_LOCK(&hidden->lock);

    if (g_hash_table_add(hidden->inodes, g_memdup2(&ino, sizeof ino)))
        g_atomic_int_inc(&hidden->n);
}

void hidden_remove(Hidden *hidden, uint64_t ino)
{
    SCOPED_LOCK(&hidden->lock);

    if (g_hash_table_remove(hidden->inodes, &ino))
        g_atomic_int_add(&hidden->n, -1);
}

bool hidden_has(Hidden *hidden, uint64_t ino)
{
    if (!g_atomic_int_get(&hidden->n))
        return false;
    SCOPED_LOCK(&hidden->lock);
    return g_hash_table_contains(hidden->inodes, &ino);
}
