#include "rows.h"

static GArray *block_at(const Rows *rows, guint i)
{
    return g_ptr_array_index(rows->blocks, i);
}

static Row *row_at(const GArray *block, guint i)
{
    return &g_array_index(block, Row, i);
}

static void block_free(gpointer block)
{
    g_array_free(block, TRUE);
}

static GArray *block_new(void)
{
    return g_array_new(FALSE, FALSE, sizeof(Row));
}

void rows_init(Rows *rows)
{
    *rows = (Rows){.blocks = g_ptr_array_new_with_free_func(block_free)};
}

void rows_clear(Rows *rows)
{
    g_clear_pointer(&rows->blocks, g_ptr_array_unref);
    rows->count = 0;
}

/* --- searching ------------------------------------------------------------------------------ */

/* The last block whose first UID is at most uid; 0 where there is none such. */
static guint block_of(const Rows *rows, uint32_t uid)
{
    guint low = 0, high = rows->blocks->len;
    while (high - low > 1) {
        guint middle = low + (high - low) / 2;
        if (row_at(block_at(rows, middle), 0)->uid <= uid)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* The first row of the block whose UID is at least uid; the block's length where none is. */
static guint lower_bound(const GArray *block, uint32_t uid)
{
    guint low = 0, high = block->len;
    while (low < high) {
        guint middle = low + (high - low) / 2;
        if (row_at(block, middle)->uid < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The first row whose UID is at least uid. */
static RowsCursor seek(const Rows *rows, uint32_t uid)
{
    RowsCursor cursor = {0, 0};
    if (rows->blocks->len == 0)
        return cursor;
    cursor.block = block_of(rows, uid);
    cursor.row = lower_bound(block_at(rows, cursor.block), uid);
    return cursor;
}

RowsCursor rows_after(const Rows *rows, uint32_t after)
{
    if (after == UINT32_MAX)
        return (RowsCursor){rows->blocks->len, 0};
    return seek(rows, after + 1);
}

Row *rows_next(const Rows *rows, RowsCursor *cursor)
{
    for (; cursor->block < rows->blocks->len; cursor->block++, cursor->row = 0) {
        GArray *block = block_at(rows, cursor->block);
        if (cursor->row < block->len)
            return row_at(block, cursor->row++);
    }
    return NULL;
}

Row *rows_find(const Rows *rows, uint32_t uid)
{
    RowsCursor cursor = seek(rows, uid);
    Row *row = rows_next(rows, &cursor);
    return row && row->uid == uid ? row : NULL;
}

/* --- adding --------------------------------------------------------------------------------- */

/* The upper half of a full block becomes one of its own. */
static void split(Rows *rows, guint i)
{
    GArray *block = block_at(rows, i), *upper = block_new();
    guint half = block->len / 2;
    g_array_append_vals(upper, row_at(block, half), block->len - half);
    g_array_set_size(block, half);
    g_ptr_array_insert(rows->blocks, (gint)i + 1, upper);
}

static Row *insert(Rows *rows, RowsCursor at, uint32_t uid)
{
    Row row = {.uid = uid};
    rows->count++;
    bool last = at.block + 1 >= rows->blocks->len;
    if (last && (rows->blocks->len == 0 || at.row == ROWS_BLOCK)) {
        /* Beyond the end: full blocks stay full. */
        g_ptr_array_add(rows->blocks, block_new());
        at = (RowsCursor){rows->blocks->len - 1, 0};
    } else if (block_at(rows, at.block)->len == ROWS_BLOCK) {
        split(rows, at.block);
        guint half = block_at(rows, at.block)->len;
        if (at.row > half)
            at = (RowsCursor){at.block + 1, at.row - half};
    }
    GArray *block = block_at(rows, at.block);
    g_array_insert_val(block, at.row, row);
    return row_at(block, at.row);
}

/* Where a row of that UID is or belongs; messages mostly come in ascending order. */
static RowsCursor place_of(const Rows *rows, uint32_t uid)
{
    if (rows->blocks->len > 0) {
        const GArray *block = block_at(rows, rows->blocks->len - 1);
        if (row_at(block, block->len - 1)->uid < uid)
            return (RowsCursor){rows->blocks->len - 1, block->len};
    }
    return seek(rows, uid);
}

Row *rows_last(const Rows *rows)
{
    if (!rows->blocks->len)
        return NULL;
    GArray *block = g_ptr_array_index(rows->blocks, rows->blocks->len - 1);
    return &g_array_index(block, Row, block->len - 1);
}

Row *rows_add(Rows *rows, uint32_t uid, bool *added)
{
    RowsCursor at = place_of(rows, uid);
    if (at.block < rows->blocks->len && at.row < block_at(rows, at.block)->len) {
        Row *row = row_at(block_at(rows, at.block), at.row);
        if (row->uid == uid) {
            *added = false;
            return row;
        }
    }
    *added = true;
    return insert(rows, at, uid);
}

/* --- removing ------------------------------------------------------------------------------- */

/* Rows [from, to) of block i. True where the block is gone with them. */
static bool remove_from_block(Rows *rows, guint i, guint from, guint to, GArray *gone)
{
    GArray *block = block_at(rows, i);
    if (from == to)
        return false;
    g_array_append_vals(gone, row_at(block, from), to - from);
    rows->count -= to - from;
    if (to - from == block->len) {
        g_ptr_array_remove_index(rows->blocks, i);
        return true;
    }
    g_array_remove_range(block, from, to - from);
    return false;
}

void rows_remove_range(Rows *rows, uint32_t first, uint32_t last, GArray *gone)
{
    RowsCursor at = seek(rows, first);
    while (at.block < rows->blocks->len) {
        const GArray *block = block_at(rows, at.block);
        guint to = last == UINT32_MAX ? block->len : lower_bound(block, last + 1);
        bool beyond = to < block->len;
        if (to < at.row)
            return;
        if (!remove_from_block(rows, at.block, at.row, to, gone))
            at.block++;
        at.row = 0;
        if (beyond)
            return;
    }
}

void rows_keep_only(Rows *rows, const uint32_t *uids, size_t n, GArray *gone)
{
    size_t next = 0;
    guint blocks = 0;
    for (guint i = 0; i < rows->blocks->len; i++) {
        GArray *block = block_at(rows, i);
        guint kept = 0;
        for (guint j = 0; j < block->len; j++) {
            Row *row = row_at(block, j);
            while (next < n && uids[next] < row->uid)
                next++;
            if (next < n && uids[next] == row->uid)
                *row_at(block, kept++) = *row;
            else
                g_array_append_val(gone, *row);
        }
        rows->count -= block->len - kept;
        g_array_set_size(block, kept);
        if (kept > 0 && blocks != i) {
            rows->blocks->pdata[i] = block_at(rows, blocks);
            rows->blocks->pdata[blocks] = block;
        }
        blocks += kept > 0;
    }
    g_ptr_array_set_size(rows->blocks, (gint)blocks);
}
