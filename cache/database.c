#include "database.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_TRIES 100
#define LOCK_PAUSE_US 10000
#define BUSY_PAUSE_SECONDS 2

struct Database {
    const DatabaseKind *kind;
    char *directory, *path;
    sqlite3 *db;
    DatabaseFile file;
};

unsigned database_retry_seconds = 60;

/* --- the directory's lock ------------------------------------------------------------------- */

/*
 * -1 where it can't be had: one goes on without in a directory that can't be written, but not
 * where another process holds it for long (*busy).
 */
static int lock_directory(const char *directory, bool *busy)
{
    g_autofree char *path = g_build_filename(directory, "lock", NULL);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    *busy = false;
    for (int i = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
        *busy = errno == EWOULDBLOCK && i == LOCK_TRIES;
        if (*busy || (errno != EWOULDBLOCK && errno != EINTR)) {
            close(fd);
            return -1;
        }
        g_usleep(LOCK_PAUSE_US);
    }
    return fd;
}

static void unlock_directory(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* --- results -------------------------------------------------------------------------------- */

DatabaseState database_state(int result)
{
    if (result == SQLITE_IOERR_SHORT_READ)
        return DATABASE_DAMAGED;
    switch (result & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return DATABASE_OK;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
    case SQLITE_INTERRUPT:
        return DATABASE_BUSY;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_NOMEM:
    case SQLITE_NOLFS:
        return DATABASE_DISK;
    default:
        /* Our statements are right, so that also a plain error means other tables than ours. */
        return DATABASE_DAMAGED;
    }
}

sqlite3 *database_handle(Database *database)
{
    return database->db;
}

const char *database_message(Database *database)
{
    int code = sqlite3_system_errno(database->db);
    DatabaseState state = database_state(sqlite3_extended_errcode(database->db));
    return state == DATABASE_DISK && code ? g_strerror(code) : sqlite3_errmsg(database->db);
}

DatabaseState database_run(Database *database, const char *sql)
{
    return database_state(sqlite3_exec(database->db, sql, NULL, NULL, NULL));
}

sqlite3_stmt *database_prepare(Database *database, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    sqlite3_prepare_v3(database->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL);
    return statement;
}

void statement_bind(sqlite3_stmt *statement, size_t n, const int64_t *values)
{
    sqlite3_reset(statement);
    for (size_t i = 0; i < n; i++)
        sqlite3_bind_int64(statement, (int)i + 1, values[i]);
}

void statement_bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    sqlite3_bind_blob64(statement, at, text, strlen(text), SQLITE_STATIC);
}

char *statement_text(sqlite3_stmt *statement, int column)
{
    const char *blob = sqlite3_column_blob(statement, column);
    return g_strndup(blob ? blob : "", (gsize)sqlite3_column_bytes(statement, column));
}

int statement_run(sqlite3_stmt *statement, size_t n, const int64_t *values)
{
    statement_bind(statement, n, values);
    int result = sqlite3_step(statement);
    sqlite3_reset(statement);
    return result;
}

int64_t statement_value(sqlite3_stmt *statement, size_t n, const int64_t *values, int64_t otherwise,
                        int *result)
{
    statement_bind(statement, n, values);
    *result = sqlite3_step(statement);
    int64_t value = *result == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : otherwise;
    sqlite3_reset(statement);
    return value;
}

/* --- opening -------------------------------------------------------------------------------- */

static bool stat_file(const char *path, DatabaseFile *file)
{
    struct stat st;
    if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    *file = (DatabaseFile){st.st_dev, st.st_ino};
    return true;
}

/*
 * SQLite would make the file as the umask lets it. A file that exists isn't opened here: closing
 * it would drop the locks that other connections of this process have on it (fcntl(2)). The log
 * gets its mode from the database.
 */
static bool make_file(const char *path, char **why)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        return close(fd) == 0;
    struct stat st;
    if (errno == EEXIST && lstat(path, &st) == 0) {
        if (S_ISREG(st.st_mode) && ((st.st_mode & 077) == 0 || chmod(path, 0600) == 0))
            return true;
        errno = S_ISREG(st.st_mode) ? errno : EINVAL;
    }
    *why = g_strdup_printf("%s: %s", path, errno == EINVAL ? "not a file" : g_strerror(errno));
    return false;
}

static DatabaseState read_number(Database *database, const char *sql, int64_t *number)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(database->db, sql, -1, &statement, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_step(statement);
    if (result == SQLITE_ROW)
        *number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return database_state(result);
}

static DatabaseState make_tables(Database *database)
{
    g_autofree char *sql = g_strdup_printf("BEGIN IMMEDIATE; %s; PRAGMA user_version = %d; COMMIT",
                                           database->kind->schema, database->kind->version);
    return database_run(database, sql);
}

static bool can_upgrade(const DatabaseKind *kind, int64_t version)
{
    return version < kind->version && version >= kind->version - kind->n_upgrades;
}

/* All or nothing, so that no other process meets a database in between. */
static DatabaseState upgrade(Database *database, int64_t version)
{
    const DatabaseKind *kind = database->kind;
    g_autoptr(GString) sql = g_string_new("BEGIN IMMEDIATE; ");
    for (int64_t i = version - kind->version + kind->n_upgrades; i < kind->n_upgrades; i++)
        g_string_append_printf(sql, "%s; ", kind->upgrades[i]);
    g_string_append_printf(sql, "PRAGMA user_version = %d; COMMIT", kind->version);
    return database_run(database, sql->str);
}

/* Checks that the tables are ours, and makes them in an empty database. */
static DatabaseState check_tables(Database *database, char **why)
{
    int64_t version = 0, tables = 0;
    DatabaseState state = read_number(database, "PRAGMA user_version", &version);
    if (state == DATABASE_OK)
        state = read_number(database, "SELECT count(*) FROM sqlite_schema", &tables);
    if (state == DATABASE_OK && version == 0 && tables == 0)
        state = make_tables(database);
    else if (state == DATABASE_OK && can_upgrade(database->kind, version))
        state = upgrade(database, version);
    else if (state == DATABASE_OK && version != database->kind->version) {
        *why = g_strdup_printf("it is of another version (%d)", (int)version);
        return DATABASE_DAMAGED;
    }
    if (state != DATABASE_OK)
        *why = g_strdup(database_message(database));
    return state;
}

/* These make a database what it is; in one that has pages they would be one more write. */
static DatabaseState set_layout(Database *database)
{
    struct stat st;
    bool empty = stat(database->path, &st) == 0 && st.st_size == 0;
    return empty && database->kind->layout ? database_run(database, database->kind->layout)
                                           : DATABASE_OK;
}

static DatabaseState open_connection(Database *database, char **why)
{
    int result = sqlite3_open_v2(database->path, &database->db,
                                 SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    DatabaseState state = database_state(result);
    if (state == DATABASE_OK) {
        sqlite3_extended_result_codes(database->db, 1);
        sqlite3_busy_timeout(database->db, database->kind->busy_ms);
        state = set_layout(database);
    }
    if (state == DATABASE_OK)
        state = database_run(database, database->kind->pragmas);
    if (state == DATABASE_OK && sqlite3_db_readonly(database->db, "main") == 1) {
        *why = g_strdup("it can't be written");
        return DATABASE_DISK;
    }
    if (state != DATABASE_OK)
        *why = g_strdup(database->db ? database_message(database) : "no memory");
    return state;
}

static Database *database_new(const DatabaseKind *kind, const char *directory)
{
    Database *database = g_new0(Database, 1);
    database->kind = kind;
    database->directory = g_strdup(directory);
    database->path = g_build_filename(directory, kind->file, NULL);
    return database;
}

void database_close(Database *database)
{
    if (!database)
        return;
    sqlite3_close_v2(database->db);
    g_free(database->directory);
    g_free(database->path);
    g_free(database);
}

/* Under the directory's lock. */
static Database *try_open(const DatabaseKind *kind, const char *directory, DatabaseState *state,
                          char **why)
{
    Database *database = database_new(kind, directory);
    *state = DATABASE_DISK;
    if (make_file(database->path, why) && stat_file(database->path, &database->file)) {
        *state = open_connection(database, why);
        if (*state == DATABASE_OK)
            *state = check_tables(database, why);
    }
    if (*state == DATABASE_OK || *state == DATABASE_DAMAGED)
        return database;
    database_close(database);
    return NULL;
}

/* --- damaged ones --------------------------------------------------------------------------- */

static void remove_file(const Database *database, const char *suffix, const char *aside)
{
    g_autofree char *path = g_strconcat(database->path, suffix, NULL);
    g_autofree char *target = aside ? g_strconcat(aside, suffix, NULL) : NULL;
    if (!target || g_rename(path, target) < 0)
        g_unlink(path);
}

/* "index.db.damaged-<seconds since the epoch>", which is not there yet. */
static char *name_aside(const Database *database)
{
    for (int64_t time = g_get_real_time() / G_USEC_PER_SEC;; time++) {
        g_autofree char *name = g_strdup_printf("%s.damaged-%" G_GINT64_FORMAT, database->path,
                                                time);
        if (!g_file_test(name, G_FILE_TEST_EXISTS))
            return g_steal_pointer(&name);
    }
}

/* Under the directory's lock. The log goes first: a new database must never meet an old one. */
static void set_aside(Database *database, const char *why)
{
    const DatabaseKind *kind = database->kind;
    g_autofree char *aside = kind->precious ? name_aside(database) : NULL;
    remove_file(database, "-wal", aside);
    remove_file(database, "-shm", NULL);
    remove_file(database, "", aside);
    if (aside)
        g_warning("%s could not be used (%s): it was moved to %s, and is begun anew", kind->what,
                  why, aside);
    else
        g_warning("%s could not be used (%s): it was deleted, and is begun anew", kind->what, why);
}

bool database_is_current(const Database *database)
{
    DatabaseFile file;
    return stat_file(database->path, &file) && file.device == database->file.device &&
           file.inode == database->file.inode;
}

/* A connection to a file that has another name now must not clean up under the old name. */
static void leave_files(Database *database)
{
    sqlite3_db_config(database->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}

void database_set_aside(Database *database, const char *why)
{
    bool busy;
    int lock = lock_directory(database->directory, &busy);
    if (!busy && database_is_current(database))
        set_aside(database, why);
    leave_files(database);
    database_close(database);
    unlock_directory(lock);
}

void database_delete(const DatabaseKind *kind, const char *directory)
{
    bool busy;
    int lock = lock_directory(directory, &busy);
    Database *database = database_new(kind, directory);
    if (!busy) {
        remove_file(database, "-wal", NULL);
        remove_file(database, "-shm", NULL);
        remove_file(database, "", NULL);
    }
    database_close(database);
    unlock_directory(lock);
}

Database *database_open(const DatabaseKind *kind, const char *directory, DatabaseState *state,
                        char **why)
{
    bool busy;
    *why = NULL;
    int lock = lock_directory(directory, &busy);
    if (busy) {
        *state = DATABASE_BUSY;
        *why = g_strdup("another process holds its lock");
        return NULL;
    }
    Database *database = try_open(kind, directory, state, why);
    if (database && *state == DATABASE_DAMAGED) {
        set_aside(database, *why);
        leave_files(database);
        g_clear_pointer(&database, database_close);
        g_clear_pointer(why, g_free);
        database = try_open(kind, directory, state, why);
        if (*state == DATABASE_DAMAGED) {
            *state = DATABASE_DISK;
            g_clear_pointer(&database, database_close);
        }
    }
    unlock_directory(lock);
    return database;
}

DatabaseFile database_file(const Database *database)
{
    return database->file;
}

Database *database_connect(const DatabaseKind *kind, const char *directory, DatabaseFile file)
{
    bool busy;
    int64_t version;
    g_autofree char *why = NULL;
    int lock = lock_directory(directory, &busy);
    Database *database = database_new(kind, directory);
    database->file = file;
    /* The version is read so that the log is open too before the lock goes. */
    bool opened = !busy && database_is_current(database) &&
                  open_connection(database, &why) == DATABASE_OK &&
                  read_number(database, "PRAGMA user_version", &version) == DATABASE_OK;
    if (opened)
        leave_files(database);
    else
        g_clear_pointer(&database, database_close);
    unlock_directory(lock);
    return database;
}

/* --- trouble -------------------------------------------------------------------------------- */

bool trouble_is_over(const DatabaseTrouble *trouble)
{
    return trouble->retry_at == 0 || g_get_monotonic_time() >= trouble->retry_at;
}

void trouble_begin(DatabaseTrouble *trouble, const DatabaseKind *kind, DatabaseState state,
                   const char *why, const char *consequence)
{
    unsigned pause = state == DATABASE_BUSY ? MIN(BUSY_PAUSE_SECONDS, database_retry_seconds)
                                            : database_retry_seconds;
    trouble->retry_at = g_get_monotonic_time() + (int64_t)pause * G_USEC_PER_SEC;
    if (state == DATABASE_BUSY)
        g_info("%s is in use by another process: %s", kind->what, why);
    else if (!trouble->warned)
        g_warning("%s can't be used (%s): %s", kind->what, why, consequence);
    trouble->warned |= state != DATABASE_BUSY;
}

void trouble_end(DatabaseTrouble *trouble, const DatabaseKind *kind)
{
    if (trouble->warned)
        g_message("%s can be used again", kind->what);
    *trouble = (DatabaseTrouble){0, false};
}
