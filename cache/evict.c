#include "evict.h"

#define MESSAGES_AT_ONCE 256
#define BYTES_AT_ONCE (8 * 1024 * 1024) /* a transaction */

/* A message of the list that was used lately. */
typedef struct {
    int64_t id;
    uint64_t rank;
} Ranked;

static int compare_ranks(const void *a, const void *b)
{
    uint64_t one = ((const Ranked *)a)->rank, other = ((const Ranked *)b)->rank;
    return one < other ? -1 : one > other;
}

/* Drops from the list what was not used lately, and returns the others. */
static GArray *drop_unranked(Blocks *blocks, const GArray *messages, uint64_t most, EvictRank rank,
                             gpointer data, uint64_t *used)
{
    GArray *ranked = g_array_new(FALSE, FALSE, sizeof(Ranked));
    for (guint i = 0; most < *used && i < messages->len; i++) {
        const BlocksMessage *message = &g_array_index(messages, BlocksMessage, i);
        Ranked lately = {message->id, rank(data, message->folder, message->uid)};
        if (lately.rank) {
            g_array_append_val(ranked, lately);
            continue;
        }
        blocks_delete_message(blocks, message->id);
        *used = blocks_bytes_used(blocks);
    }
    return ranked;
}

static void drop_ranked(Blocks *blocks, GArray *ranked, uint64_t most, uint64_t *used)
{
    g_array_sort(ranked, compare_ranks);
    for (guint i = 0; most < *used && i < ranked->len; i++) {
        blocks_delete_message(blocks, g_array_index(ranked, Ranked, i).id);
        *used = blocks_bytes_used(blocks);
    }
}

EvictResult evict(Blocks *blocks, uint64_t most, EvictRank rank, gpointer data, uint64_t *evicted)
{
    const uint64_t before = blocks_bytes_used(blocks);
    const uint64_t slice = MAX(most, before - MIN(before, BYTES_AT_ONCE));
    uint64_t used = before;
    unsigned n = MESSAGES_AT_ONCE;
    guint listed = n;
    while (used > slice && listed > 0 && blocks_failure(blocks) == DATABASE_OK) {
        g_autoptr(GArray) messages = blocks_least_used(blocks, n);
        uint64_t begun = used;
        g_autoptr(GArray) ranked = drop_unranked(blocks, messages, slice, rank, data, &used);
        if (used == begun && messages->len == n && n < 2 * RECENT_MOST) {
            /* All of them recent: look further. */
            n *= 4;
            continue;
        }
        if (used > slice && used == begun)
            drop_ranked(blocks, ranked, slice, &used);
        listed = messages->len;
    }
    *evicted += before - MIN(before, used);
    if (used <= most)
        return EVICT_ROOM;
    return listed > 0 ? EVICT_AGAIN : EVICT_NOTHING;
}
