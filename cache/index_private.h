/*
 * index_private.h: the index's inside, shared by index.c (the file, folders and messages),
 * index_names.c (unique names), index_given.c (names that users gave) and index_proof.c (what other
 * processes have proved).
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
    ST_DELETE_MOVES,
    ST_DELETE_FLAGS,
    ST_GIVE,
    ST_DELETE_GIVEN,
    ST_DELETE_ALL_GIVEN,
    ST_FIND_PROOF,
    ST_DATA_VERSION,
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
    bool shared;       /* another connection has written: the journal's, or another process's */
    int64_t version;   /* as SQLite counts what others wrote, */
    int64_t looked_at; /* monotonic; when that was looked at */
};

/* Remembers the first failure of a transaction; whether there is none. */
bool index_check(Index *index, int result);
/* Runs a statement without results, unless the transaction has failed; how many rows it changed. */
int index_run(Index *index, int statement, size_t n, const int64_t *values);
/* What others write from now on is noticed (index_proof.c). */
void index_begin_looking(Index *index);
