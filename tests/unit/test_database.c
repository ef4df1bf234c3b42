#include "cache_helpers.h"

#include "../../cache/database.h"

#include <fcntl.h>
#include <sys/file.h>

static const DatabaseKind kind = {
    .file = "test.db",
    .what = "the test's database",
    .version = 3,
    .pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF",
    .schema = "CREATE TABLE thing(id INTEGER PRIMARY KEY, value INTEGER)",
    .busy_ms = 50,
};
static DatabaseKind precious;

static Database *open_kind(const DatabaseKind *of, const char *directory)
{
    DatabaseState state;
    g_autofree char *why = NULL;
    Database *database = database_open(of, directory, &state, &why);
    assert_non_null(database);
    assert_int_equal(state, DATABASE_OK);
    assert_null(why);
    return database;
}

static DatabaseState failing_open(const char *directory)
{
    DatabaseState state;
    g_autofree char *why = NULL;
    assert_null(database_open(&kind, directory, &state, &why));
    assert_non_null(why);
    return state;
}

/* How many rows there are; -1: it can't be told. */
static int64_t count_things(Database *database)
{
    int result;
    sqlite3_stmt *count = database_prepare(database, "SELECT count(*) FROM thing");
    int64_t n = count ? statement_value(count, 0, NULL, -1, &result) : -1;
    sqlite3_finalize(count);
    return n;
}

static void add_things(Database *database, int n)
{
    for (int i = 0; i < n; i++)
        assert_int_equal(database_run(database, "INSERT INTO thing VALUES (NULL, 7)"), DATABASE_OK);
}

static void test_keeps_and_is_private(void **state)
{
    mode_t old = umask(0);
    Database *database = open_kind(&kind, *state);
    add_things(database, 3);
    g_autoptr(GDir) dir = g_dir_open(*state, 0, NULL);
    unsigned files = 0;
    for (const char *name; (name = g_dir_read_name(dir)); files++) {
        g_autofree char *path = g_build_filename(*state, name, NULL);
        struct stat st;
        assert_int_equal(lstat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
    }
    umask(old);
    assert_int_equal(files, 4); /* with -wal, -shm, and the lock */
    database_close(database);
    database = open_kind(&kind, *state);
    assert_int_equal(count_things(database), 3);
    database_close(database);
    assert_int_equal(warnings, 0);
}

static void test_made_private_again(void **state)
{
    database_close(open_kind(&kind, *state));
    g_autofree char *path = g_build_filename(*state, kind.file, NULL);
    assert_int_equal(chmod(path, 0644), 0);
    database_close(open_kind(&kind, *state));
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void test_garbage_is_begun_anew(void **state)
{
    g_autoptr(GBytes) garbage = bytes_of(1, 1, 0, 50000);
    write_file(*state, kind.file, g_bytes_get_data(garbage, NULL), 50000);
    Database *database = open_kind(&kind, *state);
    add_things(database, 1);
    assert_int_equal(count_things(database), 1);
    assert_int_equal(warnings, 1);
    assert_int_equal(count_names(*state, "test.db.damaged-"), 0);
    database_close(database);
}

static void test_precious_is_moved_aside(void **state)
{
    precious = kind;
    precious.precious = true;
    for (unsigned i = 1; i <= 3; i++) {
        write_file(*state, kind.file, "this is not a database at all, is it? -------", 40);
        database_close(open_kind(&precious, *state));
        assert_int_equal(warnings, i);
        assert_int_equal(count_names(*state, "test.db.damaged-"), i);
    }
}

static void test_other_version_is_begun_anew(void **state)
{
    Database *database = open_kind(&kind, *state);
    add_things(database, 1);
    assert_int_equal(database_run(database, "PRAGMA user_version = 4"), DATABASE_OK);
    database_close(database);
    database = open_kind(&kind, *state);
    assert_int_equal(count_things(database), 0);
    assert_int_equal(warnings, 1);
    database_close(database);
}

static const char *const upgrades[] = {
    "ALTER TABLE thing ADD COLUMN word TEXT DEFAULT 'four'",
    "CREATE TABLE other(word TEXT); INSERT INTO other SELECT word FROM thing",
};

static int64_t version_of(Database *database)
{
    int result;
    sqlite3_stmt *version = database_prepare(database, "PRAGMA user_version");
    int64_t n = statement_value(version, 0, NULL, -1, &result);
    sqlite3_finalize(version);
    return n;
}

/* What an older program has kept is kept; by way of all versions in between. */
static void test_older_version_is_upgraded(void **state)
{
    DatabaseKind newer = kind;
    newer.version = 5;
    newer.upgrades = upgrades;
    newer.n_upgrades = 2;
    Database *database = open_kind(&kind, *state);
    add_things(database, 3);
    database_close(database);
    for (int i = 0; i < 2; i++) {
        database = open_kind(&newer, *state);
        assert_int_equal(count_things(database), 3);
        assert_int_equal(version_of(database), 5);
        assert_int_equal(database_run(database, "SELECT * FROM other WHERE word = 'four'"),
                         DATABASE_OK);
        assert_int_equal(warnings, 0);
        database_close(database);
    }
    database = open_kind(&newer, *state);
    assert_int_equal(database_run(database, "PRAGMA user_version = 2"), DATABASE_OK);
    database_close(database);
    database = open_kind(&newer, *state);
    assert_int_equal(count_things(database), 0); /* too old */
    assert_int_equal(warnings, 1);
    database_close(database);
}

/* The schema is not what its version says: nothing is half done. */
static void test_upgrade_that_fails(void **state)
{
    static const char *const wrong[] = {"CREATE TABLE new(x); ALTER TABLE absent ADD COLUMN x"};
    DatabaseKind newer = kind;
    newer.version = 4;
    newer.upgrades = wrong;
    newer.n_upgrades = 1;
    database_close(open_kind(&kind, *state));
    Database *database = open_kind(&newer, *state);
    assert_int_equal(warnings, 1);
    assert_int_equal(version_of(database), 4);
    assert_int_equal(database_run(database, "SELECT * FROM new"), DATABASE_DAMAGED);
    database_close(database);
}

static void test_what_can_not_be_used(void **state)
{
    g_autofree char *file = g_build_filename(*state, "file", NULL);
    g_autofree char *absent = g_build_filename(*state, "absent", NULL);
    g_autofree char *path = g_build_filename(*state, kind.file, NULL);
    write_file(*state, "file", "x", 1);
    assert_int_equal(failing_open(file), DATABASE_DISK);
    assert_int_equal(failing_open(absent), DATABASE_DISK);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(failing_open(*state), DATABASE_DISK);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(symlink(file, path), 0);
    assert_int_equal(failing_open(*state), DATABASE_DISK);
}

static void test_lock_that_is_not_let_go(void **state)
{
    g_autofree char *path = g_build_filename(*state, "lock", NULL);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(failing_open(*state), DATABASE_BUSY);
    close(fd);
    database_close(open_kind(&kind, *state));
}

static void test_busy(void **state)
{
    g_autoptr(Database) one = open_kind(&kind, *state);
    g_autoptr(Database) other = open_kind(&kind, *state);
    assert_int_equal(database_run(one, "BEGIN IMMEDIATE"), DATABASE_OK);
    assert_int_equal(database_run(other, "BEGIN IMMEDIATE"), DATABASE_BUSY);
    assert_int_equal(database_run(one, "COMMIT"), DATABASE_OK);
    assert_int_equal(database_run(other, "BEGIN IMMEDIATE; COMMIT"), DATABASE_OK);
}

static void test_connect(void **state)
{
    g_autoptr(Database) main_one = open_kind(&kind, *state);
    DatabaseFile file = database_file(main_one);
    add_things(main_one, 5);
    g_autoptr(Database) reader = database_connect(&kind, *state, file);
    assert_non_null(reader);
    assert_int_equal(count_things(reader), 5);
    DatabaseFile other = file;
    other.inode++;
    assert_null(database_connect(&kind, *state, other));
}

/* What another process does when it finds the database damaged, with ours still open. */
static void test_set_aside_by_another(void **state)
{
    Database *ours = open_kind(&kind, *state);
    add_things(ours, 5);
    g_autoptr(Database) reader = database_connect(&kind, *state, database_file(ours));
    Database *theirs = open_kind(&kind, *state);
    assert_true(database_is_current(ours));
    database_set_aside(theirs, "a test");
    assert_int_equal(warnings, 1);
    assert_false(database_is_current(ours));
    assert_null(database_connect(&kind, *state, database_file(ours)));
    theirs = open_kind(&kind, *state);
    add_things(theirs, 2);
    /* The old one still reads what it was, and its end harms nobody. */
    assert_int_equal(count_things(reader), 5);
    database_set_aside(ours, "not again");
    assert_int_equal(warnings, 1);
    g_clear_pointer(&reader, database_close);
    g_autoptr(Database) another = open_kind(&kind, *state);
    assert_int_equal(count_things(another), 2);
    add_things(theirs, 1);
    assert_int_equal(count_things(another), 3);
    database_close(theirs);
}

static void test_delete(void **state)
{
    database_close(open_kind(&kind, *state));
    database_delete(&kind, *state);
    assert_int_equal(count_names(*state, kind.file), 0);
    database_delete(&kind, *state);
    assert_int_equal(warnings, 0);
}

static void test_states(void **state)
{
    (void)state;
    assert_int_equal(database_state(SQLITE_DONE), DATABASE_OK);
    assert_int_equal(database_state(SQLITE_BUSY_SNAPSHOT), DATABASE_BUSY);
    assert_int_equal(database_state(SQLITE_FULL), DATABASE_DISK);
    assert_int_equal(database_state(SQLITE_IOERR_WRITE), DATABASE_DISK);
    assert_int_equal(database_state(SQLITE_READONLY_DBMOVED), DATABASE_DISK);
    assert_int_equal(database_state(SQLITE_IOERR_SHORT_READ), DATABASE_DAMAGED);
    assert_int_equal(database_state(SQLITE_CORRUPT_INDEX), DATABASE_DAMAGED);
    assert_int_equal(database_state(SQLITE_NOTADB), DATABASE_DAMAGED);
}

static void test_trouble_is_told_once(void **state)
{
    (void)state;
    DatabaseTrouble trouble = {0, false};
    assert_true(trouble_is_over(&trouble));
    trouble_begin(&trouble, &kind, DATABASE_BUSY, "why", "so");
    assert_int_equal(warnings, 0);
    assert_false(trouble_is_over(&trouble));
    trouble_begin(&trouble, &kind, DATABASE_DISK, "why", "so");
    trouble_begin(&trouble, &kind, DATABASE_DISK, "why", "so");
    assert_int_equal(warnings, 1);
    trouble_end(&trouble, &kind);
    assert_true(trouble_is_over(&trouble));
    trouble_begin(&trouble, &kind, DATABASE_DISK, "why", "so");
    assert_int_equal(warnings, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_keeps_and_is_private),
        TEST_IN_DIRECTORY(test_made_private_again),
        TEST_IN_DIRECTORY(test_garbage_is_begun_anew),
        TEST_IN_DIRECTORY(test_precious_is_moved_aside),
        TEST_IN_DIRECTORY(test_other_version_is_begun_anew),
        TEST_IN_DIRECTORY(test_older_version_is_upgraded),
        TEST_IN_DIRECTORY(test_upgrade_that_fails),
        TEST_IN_DIRECTORY(test_what_can_not_be_used),
        TEST_IN_DIRECTORY(test_lock_that_is_not_let_go),
        TEST_IN_DIRECTORY(test_busy),
        TEST_IN_DIRECTORY(test_connect),
        TEST_IN_DIRECTORY(test_set_aside_by_another),
        TEST_IN_DIRECTORY(test_delete),
        TEST_IN_DIRECTORY(test_states),
        TEST_IN_DIRECTORY(test_trouble_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
