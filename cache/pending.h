/*
 * pending.h: blocks of content in memory: those that wait for the disk, and, while there is no
 * disk, those that were used last.
 *
 * No lock: content.c sees to that.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* A block of a message. uid 0: the whole folder; block BLOCK_ALL: the whole message. */
typedef struct {
    uint32_t folder, uid, block;
} BlockKey;

#define BLOCK_ALL UINT32_MAX

guint block_key_hash(gconstpointer key);
gboolean block_key_equal(gconstpointer a, gconstpointer b);

typedef struct Pending Pending;

/* Folders with ids from `temporary` on are held, but are nothing to be written. */
Pending *pending_new(uint32_t temporary);
void pending_free(Pending *pending);

/* Replaces what is there of the block unless that is longer. Keeps a reference. */
void pending_put(Pending *pending, BlockKey key, GBytes *bytes);
/* The block's bytes, or NULL; the pending's. Counts as a use. */
GBytes *pending_get(Pending *pending, BlockKey key);
/* Whether there is any block of the message. */
bool pending_has(const Pending *pending, uint32_t folder, uint32_t uid);
/* The block, or all of a message or a folder. */
void pending_remove(Pending *pending, BlockKey key);
/* All blocks of a message are another's from now on, which has none. */
void pending_move(Pending *pending, BlockKey from, BlockKey to);
/* Removes the block where it still is these very bytes. */
void pending_remove_written(Pending *pending, BlockKey key, const GBytes *bytes);
/* Drops what was used least recently until no more than `bytes` are held. */
void pending_trim(Pending *pending, size_t bytes);

/* Bytes that are to be written. */
size_t pending_bytes(const Pending *pending);

typedef struct {
    BlockKey key;
    GBytes *bytes; /* a reference */
} PendingBlock;

/*
 * The blocks to be written that were put or used least recently: up to about `bytes` of them, but
 * at least one. PendingBlock elements, cleared with the array.
 */
GArray *pending_oldest(const Pending *pending, size_t bytes);
