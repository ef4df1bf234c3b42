#include "outbox.h"

#include "database.h"
#include "fileio.h"
#include "scopedlock.h"
#include "writer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { PIECE = 1 << 16, MOST_BYTES = 1000 * 1000 * 1000 - (1 << 20) };

/* The owner is the name of its process's lock file, without what all have in common. */
static const DatabaseKind outbox_kind = {
    .file = "outbox.db",
    .what = "the messages that are yet to be stored",
    .version = 1,
    .layout = "PRAGMA auto_vacuum = FULL",
    .pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
               "PRAGMA journal_size_limit = 1048576; PRAGMA cache_size = -1024",
    .schema = "CREATE TABLE letter(id INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL,"
              " folder BLOB NOT NULL, name BLOB NOT NULL, uidvalidity INTEGER NOT NULL,"
              " first INTEGER NOT NULL, date INTEGER NOT NULL, size INTEGER NOT NULL,"
              " message BLOB NOT NULL)",
    .busy_ms = 5000,
    .precious = true,
};

typedef enum { PUT, SEND, END, RENAME, N_KINDS } JobKind;

typedef struct {
    JobKind kind;
    Letter letter;
    int fd;
    OutboxDone done;
    gpointer data;
} Job;

/*
 * `jobs` is under `lock`. The database and the claim are the writer's, once there is a job; claim,
 * a descriptor, is -1 until something is put there.
 */
struct Outbox {
    char *directory;
    char *owner;
    int claim;
    Database *database;
    Writer *writer;
    pthread_mutex_t lock;
    GQueue jobs; /* Job */
};

static void letter_clear(Letter *letter)
{
    g_free(letter->folder);
    g_free(letter->name);
}

static void letter_free(gpointer letter)
{
    letter_clear(letter);
    g_free(letter);
}

/* --- the database ----------------------------------------------------------------------------- */

static bool fail(DatabaseState state, const char *why, GError **error)
{
    int code = state == DATABASE_DISK ? ENOSPC : EIO;

    g_set_error(error, MAIL_ERROR, code, "%s can't be written: %s", outbox_kind.what, why);
    return false;
}

/* What the database says; a damaged one is moved aside, and begun anew with the next letter. */
static bool fail_as_told(Outbox *outbox, GError **error)
{
    int code = sqlite3_extended_errcode(database_handle(outbox->database));
    DatabaseState state = database_state(code);
    g_autofree char *why = g_strdup(database_message(outbox->database));

    if (state == DATABASE_DAMAGED)
        database_set_aside(g_steal_pointer(&outbox->database), why);
    return fail(state, why, error);
}

static bool is_open(Outbox *outbox, GError **error)
{
    g_autofree char *why = NULL;
    DatabaseState state;

    if (!outbox->directory) {
        g_set_error(error, MAIL_ERROR, EROFS, "there is no cache directory");
        return false;
    }
    if (outbox->database && database_is_current(outbox->database))
        return true;
    g_clear_pointer(&outbox->database, database_close);
    outbox->database = database_open(&outbox_kind, outbox->directory, &state, &why);
    return outbox->database || fail(state, why, error);
}

static bool run(Outbox *outbox, const char *sql, GError **error)
{
    return database_run(outbox->database, sql) == DATABASE_OK || fail_as_told(outbox, error);
}

static void roll_back(Outbox *outbox)
{
    if (outbox->database)
        database_run(outbox->database, "ROLLBACK");
}

static bool step(Outbox *outbox, sqlite3_stmt *statement, GError **error)
{
    int result = statement ? sqlite3_step(statement) : SQLITE_ERROR;

    sqlite3_finalize(statement);
    return result == SQLITE_DONE || fail_as_told(outbox, error);
}

/* --- owners ----------------------------------------------------------------------------------- */

static char *lock_path(const Outbox *outbox, const char *owner)
{
    g_autofree char *name = g_strdup_printf("outbox-%s.lock", owner);

    return g_build_filename(outbox->directory, name, NULL);
}

/* What is put there is ours, for as long as we live. */
static bool claim_it(Outbox *outbox, GError **error)
{
    g_autofree char *path = NULL;
    int code;

    if (outbox->claim >= 0)
        return true;
    path = lock_path(outbox, outbox->owner);
    outbox->claim = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (outbox->claim >= 0 && flock(outbox->claim, LOCK_EX | LOCK_NB) == 0)
        return true;
    code = errno;
    if (outbox->claim >= 0)
        close(outbox->claim);
    outbox->claim = -1;
    g_set_error(error, MAIL_ERROR, code == EROFS ? EROFS : ENOSPC, "%s: %s", path,
                g_strerror(code));
    return false;
}

/* Whether that process is no more. Its lock goes with it. */
static bool is_over(const Outbox *outbox, const char *owner)
{
    g_autofree char *path = lock_path(outbox, owner);
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    bool over = fd >= 0 ? flock(fd, LOCK_EX | LOCK_NB) == 0 : errno == ENOENT;

    if (over)
        unlink(path);
    if (fd >= 0)
        close(fd);
    return over;
}

static void release(Outbox *outbox)
{
    g_autofree char *path = NULL;

    if (outbox->claim < 0)
        return;
    path = lock_path(outbox, outbox->owner);
    unlink(path);
    close(outbox->claim);
    outbox->claim = -1;
}

/* In a transaction: nobody else takes them at the same time. */
static bool take_over(Outbox *outbox, GError **error)
{
    g_autoptr(GPtrArray) owners = g_ptr_array_new_with_free_func(g_free);
    sqlite3_stmt *statement = database_prepare(outbox->database,
                                               "SELECT DISTINCT owner FROM letter");

    while (statement && sqlite3_step(statement) == SQLITE_ROW)
        g_ptr_array_add(owners, statement_text(statement, 0));
    sqlite3_finalize(statement);
    for (guint i = 0; i < owners->len; i++) {
        const char *owner = owners->pdata[i];
        if (strcmp(owner, outbox->owner) == 0 || !is_over(outbox, owner))
            continue;
        statement = database_prepare(outbox->database,
                                     "UPDATE letter SET owner = ?1 WHERE owner = ?2");
        if (statement) {
            statement_bind_text(statement, 1, outbox->owner);
            statement_bind_text(statement, 2, owner);
        }
        if (!step(outbox, statement, error))
            return false;
    }
    return true;
}

/* --- taking ----------------------------------------------------------------------------------- */

static GPtrArray *ours(Outbox *outbox)
{
    GPtrArray *letters = g_ptr_array_new_with_free_func(letter_free);
    sqlite3_stmt *statement = database_prepare(
        outbox->database, "SELECT id, folder, name, uidvalidity, first, date, size FROM letter"
                          " WHERE owner = ?1 ORDER BY id");

    if (statement)
        statement_bind_text(statement, 1, outbox->owner);
    while (statement && sqlite3_step(statement) == SQLITE_ROW) {
        Letter *letter = g_new0(Letter, 1);
        *letter = (Letter){.id = sqlite3_column_int64(statement, 0),
                           .folder = statement_text(statement, 1),
                           .name = statement_text(statement, 2),
                           .uidvalidity = (uint32_t)sqlite3_column_int64(statement, 3),
                           .first = (uint32_t)sqlite3_column_int64(statement, 4),
                           .date = sqlite3_column_int64(statement, 5),
                           .size = (uint64_t)sqlite3_column_int64(statement, 6)};
        g_ptr_array_add(letters, letter);
    }
    sqlite3_finalize(statement);
    return letters;
}

/* A cache that never had any gets no database. */
static bool has_database(const Outbox *outbox)
{
    g_autofree char *path = outbox->directory
                                ? g_build_filename(outbox->directory, outbox_kind.file, NULL)
                                : NULL;

    return path && g_file_test(path, G_FILE_TEST_EXISTS);
}

GPtrArray *outbox_take(Outbox *outbox)
{
    g_autoptr(GError) error = NULL;
    bool taken = has_database(outbox) && is_open(outbox, &error) && claim_it(outbox, &error) &&
                 run(outbox, "BEGIN IMMEDIATE", &error);

    if (taken && (!take_over(outbox, &error) || !run(outbox, "COMMIT", &error))) {
        roll_back(outbox);
        taken = false;
    }
    if (error)
        g_warning("%s; what is left there is tried again by the next mount", error->message);
    return taken ? ours(outbox) : g_ptr_array_new_with_free_func(letter_free);
}

/* An errno, or 0. */
static int copy_piece(sqlite3_blob *blob, int fd, int offset, int length)
{
    char piece[PIECE];

    if (sqlite3_blob_read(blob, piece, length, offset) != SQLITE_OK)
        return EIO;
    return file_write_at(fd, piece, (size_t)length, offset);
}

static int copy_blob(sqlite3_blob *blob, int fd, int size)
{
    int code = 0;

    for (int offset = 0; !code && offset < size; offset += PIECE)
        code = copy_piece(blob, fd, offset, MIN(PIECE, size - offset));
    return code;
}

bool outbox_copy(Outbox *outbox, const Letter *letter, int fd, GError **error)
{
    sqlite3_blob *blob = NULL;
    int code = EIO;

    if (!is_open(outbox, error))
        return false;
    if (sqlite3_blob_open(database_handle(outbox->database), "main", "letter", "message",
                          letter->id, 0, &blob) == SQLITE_OK &&
        (uint64_t)sqlite3_blob_bytes(blob) == letter->size)
        code = copy_blob(blob, fd, (int)letter->size);
    sqlite3_blob_close(blob);
    if (code)
        g_set_error(error, MAIL_ERROR, code, "a message that is yet to be stored can't be read: %s",
                    g_strerror(code));
    return !code;
}

/* --- putting ---------------------------------------------------------------------------------- */

static bool fill_piece(sqlite3_blob *blob, int fd, int offset, int length)
{
    char piece[PIECE];

    return file_read_at(fd, piece, (size_t)length, offset) == length &&
           sqlite3_blob_write(blob, piece, length, offset) == SQLITE_OK;
}

static bool fill(Outbox *outbox, int64_t id, const Job *job)
{
    int size = (int)job->letter.size;
    sqlite3_blob *blob = NULL;
    bool filled = sqlite3_blob_open(database_handle(outbox->database), "main", "letter", "message",
                                    id, 1, &blob) == SQLITE_OK;

    for (int offset = 0; filled && offset < size; offset += PIECE)
        filled = fill_piece(blob, job->fd, offset, MIN(PIECE, size - offset));
    /* What could not be written may be told only now. */
    return sqlite3_blob_close(blob) == SQLITE_OK && filled;
}

static bool insert(Outbox *outbox, const Letter *letter, GError **error)
{
    sqlite3_stmt *statement = database_prepare(
        outbox->database, "INSERT INTO letter(uidvalidity, first, date, size, message, owner,"
                          " folder, name) VALUES (?1, ?2, ?3, ?4, zeroblob(?4), ?5, ?6, ?7)");

    if (statement) {
        statement_bind(
            statement, 4,
            (int64_t[]){letter->uidvalidity, letter->first, letter->date, (int64_t)letter->size});
        statement_bind_text(statement, 5, outbox->owner);
        statement_bind_text(statement, 6, letter->folder);
        statement_bind_text(statement, 7, letter->name);
    }
    return step(outbox, statement, error);
}

static bool put(Outbox *outbox, Job *job, GError **error)
{
    if (job->letter.size > MOST_BYTES) {
        g_set_error(error, MAIL_ERROR, EFBIG, "the message is too long to be kept");
        return false;
    }
    if (!is_open(outbox, error) || !claim_it(outbox, error) ||
        !run(outbox, "BEGIN IMMEDIATE", error))
        return false;
    if (insert(outbox, &job->letter, error)) {
        job->letter.id = sqlite3_last_insert_rowid(database_handle(outbox->database));
        if ((fill(outbox, job->letter.id, job) || fail_as_told(outbox, error)) &&
            run(outbox, "COMMIT", error))
            return true;
    }
    roll_back(outbox);
    return false;
}

/* --- changing --------------------------------------------------------------------------------- */

static bool change(Outbox *outbox, const Job *job, GError **error)
{
    static const char *const sql[N_KINDS] = {
        [SEND] = "UPDATE letter SET uidvalidity = ?2, first = ?3 WHERE id = ?1",
        [END] = "DELETE FROM letter WHERE id = ?1",
        [RENAME] = "UPDATE letter SET name = ?2 WHERE id = ?1",
    };
    sqlite3_stmt *statement;

    if (!is_open(outbox, error))
        return false;
    statement = database_prepare(outbox->database, sql[job->kind]);
    if (statement) {
        statement_bind(statement, job->kind == SEND ? 3 : 1,
                       (int64_t[]){job->letter.id, job->letter.uidvalidity, job->letter.first});
        if (job->kind == RENAME)
            statement_bind_text(statement, 2, job->letter.name);
    }
    return step(outbox, statement, error);
}

static void do_job(Outbox *outbox, Job *job)
{
    g_autoptr(GError) error = NULL;

    if (job->kind == PUT)
        put(outbox, job, &error);
    else if (!change(outbox, job, &error) && !job->done)
        g_warning("%s; whether a message was stored is looked for once more by the next mount",
                  error->message);
    if (job->done)
        job->done(job->data, error ? 0 : job->letter.id, error);
    if (job->fd >= 0)
        close(job->fd);
    letter_clear(&job->letter);
    g_free(job);
}

static Job *next_job(Outbox *outbox)
{
    SCOPED_LOCK(&outbox->lock);

    return g_queue_pop_head(&outbox->jobs);
}

static bool work(gpointer data)
{
    Job *job;

    while ((job = next_job(data)))
        do_job(data, job);
    return true;
}

/* --- life ------------------------------------------------------------------------------------- */

Outbox *outbox_open(const char *directory)
{
    Outbox *outbox = g_new0(Outbox, 1);

    outbox->directory = g_strdup(directory);
    outbox->owner = g_strdup_printf("%08x%08x", g_random_int(), g_random_int());
    outbox->claim = -1;
    pthread_mutex_init(&outbox->lock, NULL);
    g_queue_init(&outbox->jobs);
    outbox->writer = writer_start(work, outbox);
    return outbox;
}

void outbox_finish(Outbox *outbox)
{
    writer_finish(outbox->writer);
}

void outbox_close(Outbox *outbox)
{
    if (!outbox)
        return;
    writer_finish(outbox->writer);
    writer_stop(outbox->writer);
    database_close(outbox->database);
    release(outbox);
    pthread_mutex_destroy(&outbox->lock);
    g_free(outbox->owner);
    g_free(outbox->directory);
    g_free(outbox);
}

static void push(Outbox *outbox, Job job)
{
    Job *copy = g_memdup2(&job, sizeof job);

    pthread_mutex_lock(&outbox->lock);
    g_queue_push_tail(&outbox->jobs, copy);
    pthread_mutex_unlock(&outbox->lock);
    writer_wake(outbox->writer, 0);
}

void outbox_put(Outbox *outbox, const Letter *letter, int fd, OutboxDone done, gpointer data)
{
    Letter copy = *letter;

    copy.folder = g_strdup(letter->folder);
    copy.name = g_strdup(letter->name);
    push(outbox, (Job){PUT, copy, fd, done, data});
}

void outbox_send(Outbox *outbox, int64_t id, uint32_t uidvalidity, uint32_t first, OutboxDone done,
                 gpointer data)
{
    push(outbox, (Job){.kind = SEND,
                       .letter = {.id = id, .uidvalidity = uidvalidity, .first = first},
                       .fd = -1,
                       .done = done,
                       .data = data});
}

void outbox_end(Outbox *outbox, int64_t id, OutboxDone done, gpointer data)
{
    push(outbox, (Job){.kind = END, .letter = {.id = id}, .fd = -1, .done = done, .data = data});
}

void outbox_rename(Outbox *outbox, int64_t id, const char *name, OutboxDone done, gpointer data)
{
    push(outbox, (Job){.kind = RENAME,
                       .letter = {.id = id, .name = g_strdup(name)},
                       .fd = -1,
                       .done = done,
                       .data = data});
}
