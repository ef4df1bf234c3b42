/*
 * blocks.h: blocks of messages in "content.db": one connection, used by one thread at a time.
 *
 * A message has a row with the time of its last use; its blocks are under that row's number, so
 * that what is read together lies together, and a message goes as a whole. A block's checksum
 * also covers whose it is. (Pages of 16 KiB, and no fsync: chosen by tests/bench/bench_content.)
 *
 * Changes are made between blocks_begin and blocks_commit; the first that fails makes the others
 * do nothing, and blocks_commit tells it.
 */
#pragma once

#include "database.h"
#include "pending.h"

#define BLOCKS_MOST (1u << 20) /* of a message; 64 GiB */

extern const DatabaseKind blocks_kind;

typedef struct Blocks Blocks;

/* For writing; makes the database where it is missing. NULL: see database_open. */
Blocks *blocks_open(const char *directory, DatabaseState *state, char **why);
/* For reading; NULL where that can't be had. */
Blocks *blocks_connect(const char *directory, DatabaseFile file);
void blocks_close(Blocks *blocks);
/* database_set_aside. */
void blocks_set_aside(Blocks *blocks, const char *why);
bool blocks_is_current(const Blocks *blocks);
DatabaseFile blocks_file(const Blocks *blocks);

typedef enum {
    BLOCK_HELD,
    BLOCK_NOT_HELD,
    BLOCK_WRONG,      /* its checksum does not fit */
    BLOCK_UNREADABLE, /* the disk fails, or the database is in use by another process */
    BLOCK_DAMAGED,    /* the database is damaged */
} BlockResult;

/* Copies length bytes of the block from offset. used: when the message was last used (seconds
 * since the epoch, as it was written). */
BlockResult blocks_read(Blocks *blocks, BlockKey key, size_t offset, size_t length, void *buffer,
                        int64_t *used);
/* A block of a message, its bytes valid during the call. False: no more. */
typedef bool (*BlocksTake)(gpointer data, uint32_t block, const void *bytes, size_t length);
/*
 * Takes all blocks of a message, ascending, as long as their checksums fit; *block is then the
 * one where they don't. BLOCK_NOT_HELD: there are none.
 */
BlockResult blocks_take(Blocks *blocks, uint32_t folder, uint32_t uid, BlocksTake take,
                        gpointer data, uint32_t *block);
/* Between these, reading costs less, and sees the database as it was. Not for long: the log grows
 * meanwhile. */
void blocks_begin_reading(Blocks *blocks);
void blocks_end_reading(Blocks *blocks);
/* How many bytes of the block are held; 0 for none, and where the database is damaged. */
size_t blocks_length(Blocks *blocks, BlockKey key, bool *damaged);

bool blocks_begin(Blocks *blocks);
/* Replaces what is held of the block unless that is longer. */
void blocks_put(Blocks *blocks, BlockKey key, GBytes *bytes, int64_t used);
void blocks_touch(Blocks *blocks, uint32_t folder, uint32_t uid, int64_t used);
/*
 * Deletes a block, or a message, or at most *budget messages of a folder; takes them off *budget.
 * True: all of it is gone.
 */
bool blocks_delete(Blocks *blocks, BlockKey key, unsigned *budget);

/* All that is held of a message is another's from now on; it is deleted where that one has any. */
void blocks_move(Blocks *blocks, BlockKey from, BlockKey to);

typedef struct {
    int64_t id;
    uint32_t folder, uid;
} BlocksMessage;

/* The n messages that were used least recently; BlocksMessage elements. */
GArray *blocks_least_used(Blocks *blocks, unsigned n);
void blocks_delete_message(Blocks *blocks, int64_t id);

/* Bytes of pages in use, and of the whole file. */
uint64_t blocks_bytes_used(Blocks *blocks);
uint64_t blocks_bytes_total(Blocks *blocks);
/* Gives free pages at the end of the file back to the disk, some at a time. */
void blocks_shrink(Blocks *blocks);

/* What failed since blocks_begin, if anything. */
DatabaseState blocks_failure(const Blocks *blocks);
/* DATABASE_OK: everything since blocks_begin is written; else nothing of it, and *why says why. */
DatabaseState blocks_commit(Blocks *blocks, char **why);
/* Bytes of the write-ahead log that are not yet in the database. */
uint64_t blocks_log_bytes(const Blocks *blocks);
/* Carries them over as far as readers let it, waiting for none. */
void blocks_checkpoint(Blocks *blocks);
