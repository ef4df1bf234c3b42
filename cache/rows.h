/*
 * rows.h: the messages of one folder, sorted by UID, 32 bytes each.
 *
 * They are packed in blocks of at most ROWS_BLOCK, so that appending in ascending order fills
 * memory without gaps, and inserting or removing anywhere moves no more than one block, in
 * whatever order a server tells its messages. No lock: the caller sees to that.
 *
 * Invariants: no block is empty; UIDs ascend within a block and from block to block.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define ROWS_BLOCK 512

/* How a row differs from the one in the index. */
enum {
    ROW_CLEAN,   /* not at all */
    ROW_CHANGED, /* it is there, with other values */
    ROW_NEW,     /* it may not be there */
};

typedef struct {
    uint32_t uid;
    uint32_t header_length;
    uint64_t size;
    int64_t date;
    uint16_t flag_set;
    uint8_t proof;
    uint8_t change;
} Row;

typedef struct {
    GPtrArray *blocks; /* of GArray of Row */
    size_t count;
} Rows;

void rows_init(Rows *rows);
void rows_clear(Rows *rows);

/* NULL where there is none. Valid until rows are added or removed. */
Row *rows_find(const Rows *rows, uint32_t uid);
/* The row with the highest UID; NULL where there is none. */
Row *rows_last(const Rows *rows);
/* The row of that UID, made (zeroed but for its UID) where there was none. */
Row *rows_add(Rows *rows, uint32_t uid, bool *added);
/* Removes the rows with first <= UID <= last, and appends them to gone (of Row). */
void rows_remove_range(Rows *rows, uint32_t first, uint32_t last, GArray *gone);
/* Removes the rows whose UID is not among uids (ascending), and appends them to gone (of Row). */
void rows_keep_only(Rows *rows, const uint32_t *uids, size_t n, GArray *gone);

/* Walks the rows in order; none may be added or removed meanwhile. */
typedef struct {
    guint block, row;
} RowsCursor;

/* Ahead of the first row with a UID above `after`. */
RowsCursor rows_after(const Rows *rows, uint32_t after);
Row *rows_next(const Rows *rows, RowsCursor *cursor);
