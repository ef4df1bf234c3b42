#include "inode_map.h"

#include "../cache/scopedlock.h"

#include <glib.h>

typedef struct {
    uint64_t ino, to;
} Step;

/* `steps` is under `lock`; `n` is how many there are, and atomic. */
struct InodeMap {
    pthread_mutex_t lock;
    GHashTable *steps; /* ino -> Step */
    gint n;
};

InodeMap *inode_map_new(void)
{
    InodeMap *map = g_new0(InodeMap, 1);

    pthread_mutex_init(&map->lock, NULL);
    map->steps = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    return map;
}

void inode_map_free(InodeMap *map)
{
    if (!map)
        return;
    g_hash_table_unref(map->steps);
    pthread_mutex_destroy(&map->lock);
    g_free(map);
}

void inode_map_put(InodeMap *map, uint64_t ino, uint64_t to)
{
    Step *step = g_new(Step, 1);
    SCOPED_LOCK(&map->lock);

    *step = (Step){ino, to};
    g_hash_table_replace(map->steps, &step->ino, step);
    g_atomic_int_set(&map->n, (gint)g_hash_table_size(map->steps));
}

void inode_map_remove(InodeMap *map, uint64_t ino)
{
    SCOPED_LOCK(&map->lock);

    g_hash_table_remove(map->steps, &ino);
    g_atomic_int_set(&map->n, (gint)g_hash_table_size(map->steps));
}

bool inode_map_has(InodeMap *map, uint64_t ino)
{
    if (!g_atomic_int_get(&map->n))
        return false;
    SCOPED_LOCK(&map->lock);
    return g_hash_table_contains(map->steps, &ino);
}

/* A UID comes never again, so that there is no circle; a server that gives one again all the same
 * is not followed for ever. */
uint64_t inode_map_follow(InodeMap *map, uint64_t ino)
{
    const Step *step;

    if (!g_atomic_int_get(&map->n))
        return ino;
    SCOPED_LOCK(&map->lock);
    for (guint i = 0; i <= g_hash_table_size(map->steps); i++) {
        step = g_hash_table_lookup(map->steps, &ino);
        if (!step)
            return ino;
        ino = step->to;
    }
    return 0;
}
