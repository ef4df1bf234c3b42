#include "moved.h"

#include "../cache/scopedlock.h"

#include <glib.h>

typedef struct {
    uint64_t ino, to;
} Step;

/* `steps` is under `lock`; `n` is how many there are, and atomic. */
struct Moved {
    pthread_mutex_t lock;
    GHashTable *steps; /* ino -> Step */
    gint n;
};

Moved *moved_new(void)
{
    Moved *moved = g_new0(Moved, 1);

    pthread_mutex_init(&moved->lock, NULL);
    moved->steps = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    return moved;
}

void moved_free(Moved *moved)
{
    if (!moved)
        return;
    g_hash_table_unref(moved->steps);
    pthread_mutex_destroy(&moved->lock);
    g_free(moved);
}

void moved_put(Moved *moved, uint64_t ino, uint64_t to)
{
    Step *step = g_new(Step, 1);
    SCOPED_LOCK(&moved->lock);

    *step = (Step){ino, to};
    g_hash_table_replace(moved->steps, &step->ino, step);
    g_atomic_int_set(&moved->n, (gint)g_hash_table_size(moved->steps));
}

bool moved_has(Moved *moved, uint64_t ino)
{
    if (!g_atomic_int_get(&moved->n))
        return false;
    SCOPED_LOCK(&moved->lock);
    return g_hash_table_contains(moved->steps, &ino);
}

/* A UID comes never again, so that there is no circle; a server that gives one again all the same
 * is not followed for ever. */
uint64_t moved_follow(Moved *moved, uint64_t ino)
{
    const Step *step;

    if (!g_atomic_int_get(&moved->n))
        return ino;
    SCOPED_LOCK(&moved->lock);
    for (guint i = 0; i <= g_hash_table_size(moved->steps); i++) {
        step = g_hash_table_lookup(moved->steps, &ino);
        if (!step)
            return ino;
        ino = step->to;
    }
    return 0;
}
