#include "index_private.h"

/* False: there is none. */
static bool find_name(Index *index, uint32_t folder, Identity *identity)
{
    sqlite3_stmt *find = index->statements[ST_FIND_NAME];
    statement_bind(find, 2, (int64_t[]){folder, identity->which});
    statement_bind_text(find, 3, identity->name);
    int result = sqlite3_step(find);
    if (result == SQLITE_ROW) {
        identity->uid = (uint32_t)sqlite3_column_int64(find, 0);
        identity->seen = sqlite3_column_int64(find, 1);
    }
    sqlite3_reset(find);
    return index_check(index, result) && result == SQLITE_ROW;
}

void index_put_identity(Index *index, uint32_t folder, const Identity *identity)
{
    if (index->state != DATABASE_OK)
        return;
    sqlite3_stmt *add = index->statements[ST_ADD_NAME];
    statement_bind(add, 4, (int64_t[]){folder, identity->which, identity->uid, identity->seen});
    statement_bind_text(add, 5, identity->name);
    index_check(index, sqlite3_step(add));
    sqlite3_reset(add);
}

void index_delete_identity(Index *index, uint32_t folder, uint32_t uid)
{
    index_run(index, ST_DELETE_NAME, 2, (int64_t[]){folder, uid});
}

bool index_identify(Index *index, uint32_t folder, uint32_t below, Identity *identity)
{
    int result;
    if (index->state != DATABASE_OK)
        return false;
    if (find_name(index, folder, identity))
        return true;
    int64_t next = statement_value(index->statements[ST_NEXT_UID], 2, (int64_t[]){folder, below}, 1,
                                   &result);
    index_check(index, result);
    identity->uid = (uint32_t)MAX(next, 1);
    if (identity->uid >= below)
        return false;
    index_put_identity(index, folder, identity);
    return index->state == DATABASE_OK;
}
