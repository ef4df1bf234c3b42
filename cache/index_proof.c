#include "index_private.h"

#define LOOK_US G_USEC_PER_SEC

/* SQLite's own count of what others have written; 0: it does not tell. */
static int64_t data_version(Index *index)
{
    sqlite3_stmt *version = index->statements[ST_DATA_VERSION];
    int64_t value = sqlite3_step(version) == SQLITE_ROW ? sqlite3_column_int64(version, 0) : 0;

    sqlite3_reset(version);
    return value;
}

void index_begin_looking(Index *index)
{
    index->version = data_version(index);
    index->looked_at = g_get_monotonic_time();
}

/* Once they have written, they may at any time. */
static bool is_shared(Index *index)
{
    int64_t now = g_get_monotonic_time(), version;

    if (index->shared || now < index->looked_at + LOOK_US)
        return index->shared;
    version = data_version(index);
    index->shared = version != index->version;
    index->version = version;
    index->looked_at = now;
    return index->shared;
}

bool index_find_proof(Index *index, uint32_t folder, uint32_t uid, Row *row)
{
    sqlite3_stmt *find = index->statements[ST_FIND_PROOF];
    bool found;

    if (!index->database || !is_shared(index))
        return false;
    statement_bind(find, 2, (int64_t[]){folder, uid});
    found = sqlite3_step(find) == SQLITE_ROW;
    if (found) {
        row->size = (uint64_t)sqlite3_column_int64(find, 0);
        row->header_length = (uint32_t)sqlite3_column_int64(find, 1);
        row->proof = (uint8_t)sqlite3_column_int(find, 2);
    }
    /* Trouble is found out by who writes. */
    sqlite3_reset(find);
    return found;
}
