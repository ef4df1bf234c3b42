#include "recent.h"

typedef struct {
    BlockKey key;
    int64_t time;
    uint64_t rank;
    bool tell;
} Use;

struct Recent {
    GHashTable *uses; /* of Use, which is its own key */
    size_t news;      /* how many of them have tell */
    uint64_t rank;    /* of the latest use */
};

Recent *recent_new(void)
{
    Recent *recent = g_new0(Recent, 1);
    recent->uses = g_hash_table_new_full(block_key_hash, block_key_equal, NULL, g_free);
    return recent;
}

void recent_free(Recent *recent)
{
    g_hash_table_unref(recent->uses);
    g_free(recent);
}

static Use *find(const Recent *recent, uint32_t folder, uint32_t uid)
{
    const BlockKey key = {folder, uid, BLOCK_ALL};
    return g_hash_table_lookup(recent->uses, &key);
}

static void forget_older_half(Recent *recent)
{
    const uint64_t half = recent->rank - MIN(recent->rank, RECENT_MOST / 2);
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, recent->uses);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Use *use = value;
        if (!use->tell && use->rank <= half)
            g_hash_table_iter_remove(&iter);
    }
}

void recent_use(Recent *recent, uint32_t folder, uint32_t uid, int64_t now, bool tell)
{
    Use *use = find(recent, folder, uid);
    if (!use) {
        if (g_hash_table_size(recent->uses) >= RECENT_MOST)
            forget_older_half(recent);
        if (g_hash_table_size(recent->uses) >= RECENT_MOST)
            return;
        use = g_new0(Use, 1);
        use->key = (BlockKey){folder, uid, BLOCK_ALL};
        g_hash_table_add(recent->uses, use);
    }
    use->time = now;
    use->rank = ++recent->rank;
    recent->news += tell && !use->tell;
    use->tell |= tell;
}

uint64_t recent_rank(const Recent *recent, uint32_t folder, uint32_t uid)
{
    const Use *use = find(recent, folder, uid);
    return use ? use->rank : 0;
}

GArray *recent_take(Recent *recent)
{
    GArray *keys = g_array_new(FALSE, FALSE, sizeof(BlockKey));
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, recent->uses);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Use *use = value;
        if (use->tell)
            g_array_append_val(keys, use->key);
        use->tell = false;
    }
    recent->news = 0;
    return keys;
}

bool recent_has_news(const Recent *recent)
{
    return recent->news > 0;
}

void recent_expire(Recent *recent, int64_t now)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, recent->uses);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Use *use = value;
        if (!use->tell && now - use->time > RECENT_SECONDS)
            g_hash_table_iter_remove(&iter);
    }
}
