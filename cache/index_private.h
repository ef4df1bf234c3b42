/*
 * index_private.h: the index's inside, shared by index.c (the file, folders and messages),
 * index_names.c (unique names) and index_given.c (names that users gave).
 */
#pragma once

#include "index.h"
#include "writer.h"

#include <pthread.h>

enum {
    ST_FIND,
    ST_MAKE,
    ST_SET_VALIDITY,
    ST_DELETE_FOLDER,
    ST_RENAME_FOLDER,
    ST_CLEAR,
    ST_DELETE,
    ST_INSERT,
    ST_UPDATE,
    ST_FIND_FLAGS,
    ST_ADD_FLAGS,
    ST_PUT_FOLDER,
    ST_ADD_FOLDER,
    ST_ADD_SIZES,
    ST_PUT_RECORD,
    ST_FIND_NAME,
    ST_NEXT_UID,
    ST_ADD_NAME,
    ST_DELETE_NAME,
    ST_DELETE_NAMES,
    ST_DELETE_REMOVALS,
    ST_DELETE_MARKS,
    ST_GIVE,
    ST_DELETE_GIVEN,
    ST_DELETE_ALL_GIVEN,
    N_STATEMENTS
};

/*
 * database is NULL while it can't be opened. state is what the transaction met first. The writer,
 * once it is needed, carries the log over into the database by a connection of its own to `file`,
 * which is under `lock`: that takes an fsync, for which nobody else shall wait.
 */
struct Index {
    char *directory;
    Writer *writer;
    pthread_mutex_t lock;
    DatabaseFile file;
    int log_pages;
    Database *database;
    sqlite3_stmt *statements[N_STATEMENTS];
    DatabaseState state;
    DatabaseTrouble trouble;
    bool emptied;
    unsigned times_emptied;
};

/* Remembers the first failure of a transaction; whether there is none. */
bool index_check(Index *index, int result);
/* Runs a statement without results, unless the transaction has failed; how many rows it changed. */
int index_run(Index *index, int statement, size_t n, const int64_t *values);
void index_bind_text(sqlite3_stmt *statement, int at, const char *text);
