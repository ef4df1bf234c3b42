#include "index_private.h"

void index_put_given(Index *index, uint32_t folder, uint32_t uid, const char *name)
{
    if (index->state != DATABASE_OK)
        return;
    sqlite3_stmt *give = index->statements[ST_GIVE];
    statement_bind(give, 2, (int64_t[]){folder, uid});
    statement_bind_text(give, 3, name);
    index_check(index, sqlite3_step(give));
    sqlite3_reset(give);
}

void index_delete_given(Index *index, uint32_t folder, uint32_t uid)
{
    index_run(index, ST_DELETE_GIVEN, 2, (int64_t[]){folder, uid});
}
