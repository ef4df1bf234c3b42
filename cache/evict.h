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

/* As recent_rank: the disk knows the order of uses by the second, and late. */
typedef uint64_t (*EvictRank)(gpointer data, uint32_t folder, uint32_t uid);

/*
 * Drops messages until no more than `most` bytes are in use. Those that have a rank go last, the
 * lower ones first. *evicted grows by the bytes dropped.
 */
EvictResult evict(Blocks *blocks, uint64_t most, EvictRank rank, gpointer data, uint64_t *evicted);
