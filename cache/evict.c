#include "evict.h"

#define MESSAGES_AT_ONCE 256
#define BYTES_AT_ONCE (8 * 1024 * 1024) /* a transaction */

/* Drops from the list, the recent ones or the others; returns what is in use then. */
static uint64_t drop(Blocks *blocks, const GArray *messages, uint64_t used, uint64_t most,
                     EvictIsRecent is_recent, gpointer data, bool recent)
{
    for (guint i = 0; i < messages->len && used > most; i++) {
        const BlocksMessage *message = &g_array_index(messages, BlocksMessage, i);
        if (is_recent(data, message->folder, message->uid) != recent)
            continue;
        blocks_delete_message(blocks, message->id);
        used = blocks_bytes_used(blocks);
    }
    return used;
}

EvictResult evict(Blocks *blocks, uint64_t most, EvictIsRecent is_recent, gpointer data,
                  uint64_t *evicted)
{
    const uint64_t before = blocks_bytes_used(blocks);
    const uint64_t slice = MAX(most, before - MIN(before, BYTES_AT_ONCE));
    uint64_t used = before;
    unsigned n = MESSAGES_AT_ONCE;
    guint listed = n;
    while (used > slice && listed > 0 && blocks_failure(blocks) == DATABASE_OK) {
        g_autoptr(GArray) messages = blocks_least_used(blocks, n);
        uint64_t begun = used;
        used = drop(blocks, messages, used, slice, is_recent, data, false);
        if (used == begun && messages->len == n && n < 2 * RECENT_MOST) {
            /* All of them recent: look further. */
            n *= 4;
            continue;
        }
        if (used > slice && used == begun)
            used = drop(blocks, messages, used, slice, is_recent, data, true);
        listed = messages->len;
    }
    *evicted += before - MIN(before, used);
    if (used <= most)
        return EVICT_ROOM;
    return listed > 0 ? EVICT_AGAIN : EVICT_NOTHING;
}
