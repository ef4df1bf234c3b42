#include "journal.h"

#include "index.h"
#include "scopedlock.h"
#include "writer.h"

#include <errno.h>

/* In the order in which those of one transaction are written. */
typedef enum { ADD_MARK, END_MARK, ADD_REMOVAL, END_REMOVAL, SYNC } ChangeKind;

/* A change of the journal; done may be NULL. */
typedef struct {
    ChangeKind kind;
    JournalRemoval removal;
    JournalDone done;
    gpointer data;
} Change;

/*
 * `queue` is under `lock`. The database is the writer's, but for journal_removals; NULL while it
 * is not open.
 */
struct Journal {
    char *directory;
    Writer *writer;
    pthread_mutex_t lock;
    GArray *queue; /* Change */
    Database *database;
    bool warned;
};

/* Each commit is to be on the disk, unlike the index's own. */
static bool is_open(Journal *journal, DatabaseState *state, char **why)
{
    if (!journal->directory) {
        *state = DATABASE_DISK;
        *why = g_strdup("there is no cache directory");
        return false;
    }
    if (journal->database && database_is_current(journal->database))
        return true;
    g_clear_pointer(&journal->database, database_close);
    journal->database = database_open(&index_kind, journal->directory, state, why);
    if (!journal->database)
        return false;
    *state = database_run(journal->database,
                          "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 1000");
    return *state == DATABASE_OK;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* A commit with something in it takes along to the disk what others committed before. */
#define SYNC_SQL                               \
    "INSERT INTO record VALUES (" G_STRINGIFY( \
        INDEX_RECORD_SYNCS) ", 1) ON CONFLICT (key) DO UPDATE SET value = value + 1"

static const char *const sql[] = {
    [ADD_MARK] = "INSERT OR REPLACE INTO mark VALUES (?1, ?2)",
    [END_MARK] = "DELETE FROM mark WHERE folder = ?1 AND uid = ?2",
    [ADD_REMOVAL] = "INSERT OR REPLACE INTO removal VALUES (?1, ?2)",
    [END_REMOVAL] = "DELETE FROM removal WHERE folder = ?1 AND uid = ?2",
};

static bool has_kind(const GArray *changes, ChangeKind kind)
{
    for (guint i = 0; i < changes->len; i++)
        if (g_array_index(changes, Change, i).kind == kind)
            return true;
    return false;
}

static DatabaseState run(Journal *journal, ChangeKind kind, const GArray *changes)
{
    sqlite3_stmt *statement = database_prepare(journal->database, sql[kind]);
    int result = SQLITE_DONE;

    if (!statement)
        return database_state(sqlite3_errcode(database_handle(journal->database)));
    for (guint i = 0; i < changes->len && result == SQLITE_DONE; i++) {
        const Change *change = &g_array_index(changes, Change, i);
        if (change->kind == kind)
            result = statement_run(statement, 2,
                                   (int64_t[]){change->removal.folder, change->removal.uid});
    }
    sqlite3_finalize(statement);
    return database_state(result);
}

static DatabaseState write_changes(Journal *journal, const GArray *changes)
{
    DatabaseState state = database_run(journal->database, "BEGIN IMMEDIATE");

    for (ChangeKind kind = 0; kind < SYNC && state == DATABASE_OK; kind++)
        if (has_kind(changes, kind))
            state = run(journal, kind, changes);
    if (state == DATABASE_OK && has_kind(changes, SYNC))
        state = database_run(journal->database, SYNC_SQL);
    if (state == DATABASE_OK)
        state = database_run(journal->database, "COMMIT");
    return state;
}

static void tell_all(GArray *changes, const GError *error)
{
    for (guint i = 0; i < changes->len; i++) {
        const Change *change = &g_array_index(changes, Change, i);
        if (change->done)
            change->done(change->data, error);
    }
}

/* What is damaged is the index's to set aside. */
static GError *failure(Journal *journal, DatabaseState state, const char *why)
{
    GError *error = g_error_new(MAIL_ERROR, state == DATABASE_DAMAGED ? EIO : ENOSPC,
                                "the journal can't be written: %s", why);

    if (!journal->warned)
        g_warning("%s; until it can be, what is deleted has to be gone from the server first",
                  error->message);
    journal->warned = true;
    g_clear_pointer(&journal->database, database_close);
    return error;
}

static bool work(gpointer data)
{
    Journal *journal = data;
    g_autoptr(GArray) changes = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *why = NULL;
    DatabaseState state = DATABASE_OK;

    pthread_mutex_lock(&journal->lock);
    changes = journal->queue;
    journal->queue = g_array_new(FALSE, FALSE, sizeof(Change));
    pthread_mutex_unlock(&journal->lock);
    if (!changes->len)
        return true;
    if (is_open(journal, &state, &why)) {
        state = write_changes(journal, changes);
        if (state != DATABASE_OK)
            why = g_strdup(database_message(journal->database));
    }
    if (state != DATABASE_OK)
        error = failure(journal, state, why);
    else
        journal->warned = false;
    tell_all(changes, error);
    return true;
}

/* --- life ------------------------------------------------------------------------------------- */

Journal *journal_open(const char *directory)
{
    Journal *journal = g_new0(Journal, 1);

    journal->directory = g_strdup(directory);
    pthread_mutex_init(&journal->lock, NULL);
    journal->queue = g_array_new(FALSE, FALSE, sizeof(Change));
    journal->writer = writer_start(work, journal);
    return journal;
}

void journal_close(Journal *journal)
{
    if (!journal)
        return;
    writer_finish(journal->writer);
    writer_stop(journal->writer);
    database_close(journal->database);
    g_array_unref(journal->queue);
    pthread_mutex_destroy(&journal->lock);
    g_free(journal->directory);
    g_free(journal);
}

/* The rows of a table, in order. */
static GArray *load(Journal *journal, const char *select)
{
    GArray *removals = g_array_new(FALSE, FALSE, sizeof(JournalRemoval));
    g_autofree char *why = NULL;
    DatabaseState state;
    sqlite3_stmt *statement;

    if (!is_open(journal, &state, &why))
        return removals;
    statement = database_prepare(journal->database, select);
    while (statement && sqlite3_step(statement) == SQLITE_ROW) {
        JournalRemoval removal = {(uint32_t)sqlite3_column_int64(statement, 0),
                                  (uint32_t)sqlite3_column_int64(statement, 1)};
        g_array_append_val(removals, removal);
    }
    sqlite3_finalize(statement);
    return removals;
}

GArray *journal_removals(Journal *journal)
{
    return load(journal, "SELECT folder, uid FROM removal ORDER BY folder, uid");
}

GArray *journal_marks(Journal *journal)
{
    return load(journal, "SELECT folder, uid FROM mark ORDER BY folder, uid");
}

static void queue(Journal *journal, const Change *change)
{
    pthread_mutex_lock(&journal->lock);
    g_array_append_vals(journal->queue, change, 1);
    pthread_mutex_unlock(&journal->lock);
    writer_wake(journal->writer, 0);
}

void journal_add_removal(Journal *journal, JournalRemoval removal, JournalDone done, gpointer data)
{
    queue(journal, &(Change){ADD_REMOVAL, removal, done, data});
}

void journal_end_removal(Journal *journal, JournalRemoval removal)
{
    queue(journal, &(Change){END_REMOVAL, removal, NULL, NULL});
}

void journal_add_mark(Journal *journal, JournalRemoval mark)
{
    queue(journal, &(Change){ADD_MARK, mark, NULL, NULL});
}

void journal_end_mark(Journal *journal, JournalRemoval mark)
{
    queue(journal, &(Change){END_MARK, mark, NULL, NULL});
}

void journal_sync(Journal *journal, JournalDone done, gpointer data)
{
    queue(journal, &(Change){SYNC, {0, 0}, done, data});
}
