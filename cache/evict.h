/*
 * evict.h: keeps the content within its bound, by dropping what was read least recently.
 *
 * Called by content.c on the engine thread, between blocks_begin and blocks_commit.
 */
#pragma once

#include "blocks.h"
#include "recent.h"

typedef enum {
    EVICT_ROOM,   /* no more than `most` bytes are in use */
    EVICT_AGAIN,  /* enough was dropped for one transaction, but not enough in all */
    EVICT_NOTHING /* all messages are dropped, and still more is in use */
} EvictResult;

typedef bool (*EvictIsRecent)(gpointer data, uint32_t folder, uint32_t uid);

/*
 * Drops messages until no more than `most` bytes are in use. Those for which is_recent says true
 * go last. *evicted grows by the bytes dropped.
 */
EvictResult evict(Blocks *blocks, uint64_t most, EvictIsRecent is_recent, gpointer data,
                  uint64_t *evicted);
