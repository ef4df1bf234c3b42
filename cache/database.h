/*
 * database.h: SQLite databases in the cache directory: opened alike, private (0600), safe with
 * several processes at once, and out of the way where they are damaged.
 *
 * A Database is one connection, used by one thread at a time. Opening and setting aside happen
 * under a lock on the file "lock" in the directory, so that no process ever joins an old database
 * to the write-ahead log of a new one. Where another process has set a database aside, one finds
 * out by database_is_current.
 */
#pragma once

#include "mail.h"

#include <sqlite3.h>

/* What a result of SQLite means for us. */
typedef enum {
    DATABASE_OK,
    DATABASE_BUSY,    /* another process is writing: worth another try soon */
    DATABASE_DISK,    /* full, failing, read-only or not permitted: worth another try later */
    DATABASE_DAMAGED, /* no database, one of another version, or one that contradicts itself */
} DatabaseState;

typedef struct {
    const char *file;    /* its name in the directory */
    const char *what;    /* for messages: "the index of the cache" */
    int version;         /* PRAGMA user_version */
    const char *layout;  /* pragmas for a file that is empty yet; NULL: none */
    const char *pragmas; /* for each connection; must not write */
    const char *schema;  /* makes the tables of an empty database */
    /* What brings one of an older version to the next; the last one to `version`. */
    const char *const *upgrades;
    int n_upgrades;
    int busy_ms;   /* how long to wait for another process */
    bool precious; /* is moved aside rather than deleted */
} DatabaseKind;

typedef struct Database Database;

/*
 * Opens the database, or makes it. A damaged one is set aside with a warning, and begun anew.
 * NULL: see state and why (owned by the caller then); nothing was logged.
 */
Database *database_open(const DatabaseKind *kind, const char *directory, DatabaseState *state,
                        char **why);
/* Which file a database is, beyond its name. */
typedef struct {
    uint64_t device, inode;
} DatabaseFile;
DatabaseFile database_file(const Database *database);
/* One more connection, to that very file; NULL where that can't be had. Any thread. */
Database *database_connect(const DatabaseKind *kind, const char *directory, DatabaseFile file);
/* Rolls back what was begun. NULL is ignored. */
void database_close(Database *database);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Database, database_close)

/* False: the file was moved, deleted or exchanged under its name. */
bool database_is_current(const Database *database);
/*
 * The database is damaged: moves it and its log aside, or deletes them, says so in a warning, and
 * closes the connection. Does nothing but close where another process has done it already.
 */
void database_set_aside(Database *database, const char *why);

/* Deletes the database, if there is one, whoever has it open. */
void database_delete(const DatabaseKind *kind, const char *directory);

sqlite3 *database_handle(Database *database);
const char *database_message(Database *database);
DatabaseState database_state(int result);
/* Statements without parameters and results. */
DatabaseState database_run(Database *database, const char *sql);
/* A statement that is kept until finalized; NULL where the database is damaged. */
sqlite3_stmt *database_prepare(Database *database, const char *sql);

/* Binds the values to ?1, ?2… of the statement, which is reset first. */
void statement_bind(sqlite3_stmt *statement, size_t n, const int64_t *values);
/* Binds the text, as a blob, which must last until the statement is reset. */
void statement_bind_text(sqlite3_stmt *statement, int at, const char *text);
/* A column's text, "" where it has none; the caller frees. */
char *statement_text(sqlite3_stmt *statement, int column);
/* Binds, steps a statement without results, and resets it. */
int statement_run(sqlite3_stmt *statement, size_t n, const int64_t *values);
/* Binds, and the first column of the only row; otherwise where there is none. *result: SQLite's. */
int64_t statement_value(sqlite3_stmt *statement, size_t n, const int64_t *values, int64_t otherwise,
                        int *result);

/*
 * When a database that gave trouble is tried again, and whether the user was told. Zeroed: no
 * trouble.
 */
typedef struct {
    int64_t retry_at; /* monotonic, microseconds */
    bool warned;
} DatabaseTrouble;

extern unsigned database_retry_seconds; /* after DATABASE_DISK; tests make it shorter */

/* False: it is too early to try again. */
bool trouble_is_over(const DatabaseTrouble *trouble);
/* BUSY is not warned of; DISK once. consequence: "mail is kept in memory alone". */
void trouble_begin(DatabaseTrouble *trouble, const DatabaseKind *kind, DatabaseState state,
                   const char *why, const char *consequence);
/* It works again. */
void trouble_end(DatabaseTrouble *trouble, const DatabaseKind *kind);
