#include "journal.h"

#include "index.h"
#include "scopedlock.h"
#include "writer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

typedef enum {
    ADD_MARK,
    END_MARK,
    ADD_REMOVAL,
    END_REMOVAL,
    ADD_MOVE,
    END_MOVE,
    ADD_FLAGS,
    END_FLAGS,
    SYNC,
    N_KINDS
} ChangeKind;

/* A change of the journal; done may be NULL. What ends, a removal and a mark are but a folder and
 * UID; ADD_FLAGS has `take` and, as the name, what is to be added. */
typedef struct {
    ChangeKind kind;
    JournalMove move;
    char *take;
    JournalDone done;
    gpointer data;
} Change;

/*
 * `queue` is under `lock`. The database is the writer's, but for journal_removals and its like;
 * NULL while it is not open. `owner` is the locked file of who moves, or below 0.
 */
struct Journal {
    char *directory;
    Writer *writer;
    pthread_mutex_t lock;
    GArray *queue; /* Change */
    Database *database;
    int owner;
    bool warned;
};

#define OWNER_FILE "moves.lock"

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

/* --- what there is to be written ---------------------------------------------------------------
 */

static void move_clear(gpointer data)
{
    g_clear_pointer(&((JournalMove *)data)->name, g_free);
}

static void change_clear(gpointer data)
{
    Change *change = data;

    move_clear(&change->move);
    g_free(change->take);
}

static GArray *changes_new(void)
{
    GArray *changes = g_array_new(FALSE, FALSE, sizeof(Change));

    g_array_set_clear_func(changes, change_clear);
    return changes;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* A commit with something in it takes along to the disk what others committed before. */
#define SYNC_SQL                               \
    "INSERT INTO record VALUES (" G_STRINGIFY( \
        INDEX_RECORD_SYNCS) ", 1) ON CONFLICT (key) DO UPDATE SET value = value + 1"

static const char *const sql[N_KINDS] = {
    [ADD_MARK] = "INSERT OR REPLACE INTO mark VALUES (?1, ?2)",
    [END_MARK] = "DELETE FROM mark WHERE folder = ?1 AND uid = ?2",
    [ADD_REMOVAL] = "INSERT OR REPLACE INTO removal VALUES (?1, ?2)",
    [END_REMOVAL] = "DELETE FROM removal WHERE folder = ?1 AND uid = ?2",
    [ADD_MOVE] = "INSERT OR REPLACE INTO move (folder, uid, target, first, size, date, name)"
                 " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [END_MOVE] = "DELETE FROM move WHERE folder = ?1 AND uid = ?2",
    [ADD_FLAGS] = "INSERT OR REPLACE INTO flags (folder, uid, added, taken)"
                  " VALUES (?1, ?2, ?3, ?4)",
    [END_FLAGS] = "DELETE FROM flags WHERE folder = ?1 AND uid = ?2",
    [SYNC] = SYNC_SQL,
};

static int run(sqlite3_stmt *statement, const Change *change)
{
    const JournalMove *move = &change->move;
    const int64_t values[] = {move->folder, move->uid,           move->target,
                              move->first,  (int64_t)move->size, move->date};
    bool moves = change->kind == ADD_MOVE;

    if (moves)
        statement_bind_text(statement, G_N_ELEMENTS(values) + 1, move->name);
    if (change->kind == ADD_FLAGS) {
        statement_bind_text(statement, 3, move->name);
        statement_bind_text(statement, 4, change->take);
    }
    return statement_run(statement,
                         change->kind == SYNC ? 0
                         : moves              ? G_N_ELEMENTS(values)
                                              : 2,
                         values);
}

/* In order: what came to an end may begin anew. */
static DatabaseState run_all(Journal *journal, const GArray *changes)
{
    sqlite3_stmt *statements[N_KINDS] = {NULL};
    int result = SQLITE_DONE;

    for (guint i = 0; i < changes->len && result == SQLITE_DONE; i++) {
        const Change *change = &g_array_index(changes, Change, i);
        sqlite3_stmt **statement = &statements[change->kind];
        if (!*statement)
            *statement = database_prepare(journal->database, sql[change->kind]);
        result = *statement ? run(*statement, change)
                            : sqlite3_errcode(database_handle(journal->database));
    }
    for (ChangeKind kind = 0; kind < N_KINDS; kind++)
        sqlite3_finalize(statements[kind]);
    return database_state(result);
}

static DatabaseState write_changes(Journal *journal, const GArray *changes)
{
    DatabaseState state = database_run(journal->database, "BEGIN IMMEDIATE");

    if (state == DATABASE_OK)
        state = run_all(journal, changes);
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
        g_warning("%s; until it can be, what is deleted or moved waits for the server",
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
    journal->queue = changes_new();
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
    journal->queue = changes_new();
    journal->owner = -1;
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
    if (journal->owner >= 0)
        close(journal->owner);
    pthread_mutex_destroy(&journal->lock);
    g_free(journal->directory);
    g_free(journal);
}

/* --- what is left ------------------------------------------------------------------------------
 */

typedef void (*TakeRow)(GArray *array, sqlite3_stmt *row);

/* The rows of a table. */
static GArray *load(Journal *journal, const char *select, TakeRow take, GArray *array)
{
    g_autofree char *why = NULL;
    DatabaseState state;
    sqlite3_stmt *statement;

    if (!is_open(journal, &state, &why))
        return array;
    statement = database_prepare(journal->database, select);
    while (statement && sqlite3_step(statement) == SQLITE_ROW)
        take(array, statement);
    sqlite3_finalize(statement);
    return array;
}

static uint32_t column_number(sqlite3_stmt *row, int column)
{
    return (uint32_t)sqlite3_column_int64(row, column);
}

static void take_removal(GArray *array, sqlite3_stmt *row)
{
    const JournalRemoval removal = {column_number(row, 0), column_number(row, 1)};

    g_array_append_val(array, removal);
}

static GArray *load_removals(Journal *journal, const char *select)
{
    return load(journal, select, take_removal, g_array_new(FALSE, FALSE, sizeof(JournalRemoval)));
}

GArray *journal_removals(Journal *journal)
{
    return load_removals(journal, "SELECT folder, uid FROM removal ORDER BY folder, uid");
}

GArray *journal_marks(Journal *journal)
{
    return load_removals(journal, "SELECT folder, uid FROM mark ORDER BY folder, uid");
}

static void take_move(GArray *array, sqlite3_stmt *row)
{
    const JournalMove move = {
        .folder = column_number(row, 0),
        .uid = column_number(row, 1),
        .target = column_number(row, 2),
        .first = column_number(row, 3),
        .size = (uint64_t)sqlite3_column_int64(row, 4),
        .date = sqlite3_column_int64(row, 5),
        .name = statement_text(row, 6),
    };

    g_array_append_val(array, move);
}

GArray *journal_moves(Journal *journal)
{
    GArray *moves = g_array_new(FALSE, FALSE, sizeof(JournalMove));

    g_array_set_clear_func(moves, move_clear);
    return load(journal,
                "SELECT folder, uid, target, first, size, date, name FROM move"
                " ORDER BY folder, uid",
                take_move, moves);
}

static void flags_clear(gpointer data)
{
    JournalFlags *flags = data;

    g_free(flags->add);
    g_free(flags->take);
}

static void take_flags(GArray *array, sqlite3_stmt *row)
{
    const JournalFlags flags = {.folder = column_number(row, 0),
                                .uid = column_number(row, 1),
                                .add = statement_text(row, 2),
                                .take = statement_text(row, 3)};

    g_array_append_val(array, flags);
}

GArray *journal_flags(Journal *journal)
{
    GArray *flags = g_array_new(FALSE, FALSE, sizeof(JournalFlags));

    g_array_set_clear_func(flags, flags_clear);
    return load(journal, "SELECT folder, uid, added, taken FROM flags ORDER BY folder, uid",
                take_flags, flags);
}

/* The lock goes with the process, however it ends. */
bool journal_owns_moves(Journal *journal)
{
    g_autofree char *path = NULL;

    if (journal->owner >= 0 || !journal->directory)
        return journal->owner >= 0;
    path = g_build_filename(journal->directory, OWNER_FILE, NULL);
    journal->owner = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (journal->owner >= 0 && flock(journal->owner, LOCK_EX | LOCK_NB) < 0) {
        close(journal->owner);
        journal->owner = -1;
    }
    return journal->owner >= 0;
}

/* --- changes -----------------------------------------------------------------------------------
 */

static void queue(Journal *journal, const Change *change)
{
    pthread_mutex_lock(&journal->lock);
    g_array_append_vals(journal->queue, change, 1);
    pthread_mutex_unlock(&journal->lock);
    writer_wake(journal->writer, 0);
}

/* Of which the folder and UID are all. */
static void queue_kind(Journal *journal, ChangeKind kind, JournalRemoval what)
{
    queue(journal, &(Change){.kind = kind, .move = {.folder = what.folder, .uid = what.uid}});
}

void journal_add_removal(Journal *journal, JournalRemoval removal, JournalDone done, gpointer data)
{
    queue(journal, &(Change){.kind = ADD_REMOVAL,
                             .move = {.folder = removal.folder, .uid = removal.uid},
                             .done = done,
                             .data = data});
}

void journal_end_removal(Journal *journal, JournalRemoval removal)
{
    queue_kind(journal, END_REMOVAL, removal);
}

void journal_add_mark(Journal *journal, JournalRemoval mark)
{
    queue_kind(journal, ADD_MARK, mark);
}

void journal_end_mark(Journal *journal, JournalRemoval mark)
{
    queue_kind(journal, END_MARK, mark);
}

void journal_add_move(Journal *journal, const JournalMove *move, JournalDone done, gpointer data)
{
    Change change = {.kind = ADD_MOVE, .move = *move, .done = done, .data = data};

    change.move.name = g_strdup(move->name);
    queue(journal, &change);
}

void journal_end_move(Journal *journal, uint32_t folder, uint32_t uid)
{
    queue_kind(journal, END_MOVE, (JournalRemoval){folder, uid});
}

void journal_add_flags(Journal *journal, const JournalFlags *flags, JournalDone done, gpointer data)
{
    queue(journal,
          &(Change){
              .kind = ADD_FLAGS,
              .move = {.folder = flags->folder, .uid = flags->uid, .name = g_strdup(flags->add)},
              .take = g_strdup(flags->take),
              .done = done,
              .data = data});
}

void journal_end_flags(Journal *journal, uint32_t folder, uint32_t uid)
{
    queue_kind(journal, END_FLAGS, (JournalRemoval){folder, uid});
}

void journal_sync(Journal *journal, JournalDone done, gpointer data)
{
    queue(journal, &(Change){.kind = SYNC, .done = done, .data = data});
}
