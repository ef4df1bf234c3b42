/* The content, whatever happens to its disk and its process: right bytes or none. */
#include "cache_helpers.h"

#include "../../cache/content.h"
#include "../../cache/database.h"

#include <errno.h>
#include <sys/resource.h>

#define FOLDER 70001
#define BOUND (64u << 20)

/* A message's length follows from its UID. */
static size_t length_of(uint32_t uid)
{
    return 1 + uid * 104729 % 150000;
}

static void put(Content *content, uint32_t uid)
{
    size_t length = length_of(uid);
    for (uint64_t at = 0; at < length; at += CONTENT_BLOCK) {
        g_autoptr(GBytes) bytes = bytes_of(FOLDER, uid, at, MIN(CONTENT_BLOCK, length - at));
        content_put(content, FOLDER, uid, (uint32_t)(at / CONTENT_BLOCK), bytes);
    }
}

typedef enum { ABSENT, RIGHT, WRONG } Found;

/* Each block by itself; RIGHT where all are held. */
static Found find(Content *content, uint32_t uid)
{
    static unsigned char buffer[CONTENT_BLOCK];
    size_t length = length_of(uid);
    Found found = RIGHT;
    for (uint64_t at = 0; at < length; at += CONTENT_BLOCK) {
        size_t part = MIN(CONTENT_BLOCK, length - at);
        if (!content_read(content, FOLDER, uid, at, part, buffer))
            found = ABSENT;
        else if (!are_bytes_of(buffer, FOLDER, uid, at, part))
            return WRONG;
    }
    return found;
}

static void flush(Content *content)
{
    while (!content_flush(content))
        ;
}

static ContentStats stats_of(Content *content)
{
    ContentStats stats;
    content_stats(content, &stats);
    return stats;
}

/* How many of the messages 1 to n are held; none is wrong. */
static unsigned count_held(Content *content, uint32_t n)
{
    unsigned held = 0;
    for (uint32_t uid = 1; uid <= n; uid++) {
        Found found = find(content, uid);
        assert_int_not_equal(found, WRONG);
        held += found == RIGHT;
    }
    return held;
}

static Content *fill(const char *directory, uint32_t n)
{
    Content *content = content_open(directory, BOUND);
    for (uint32_t uid = 1; uid <= n; uid++)
        put(content, uid);
    flush(content);
    return content;
}

/* The database's bytes as they are after a clean end. */
static char *sound_database(const char *directory, uint32_t n, gsize *length)
{
    char *bytes;
    content_close(fill(directory, n));
    g_autofree char *path = g_build_filename(directory, "content.db", NULL);
    assert_true(g_file_get_contents(path, &bytes, length, NULL));
    return bytes;
}

/* It goes on, whatever was found: what is put is held, also after the next opening. */
static void assert_goes_on(const char *directory, Content *content, uint32_t n)
{
    for (uint32_t uid = 1; uid <= n; uid++)
        put(content, uid);
    flush(content);
    assert_int_equal(count_held(content, n), n);
    content_close(content);
    content = content_open(directory, BOUND);
    assert_int_equal(count_held(content, n), n);
    content_close(content);
}

static void test_flipped_bytes(void **state)
{
    gsize length;
    g_autofree char *sound = sound_database(*state, 60, &length);
    g_autofree char *path = g_build_filename(*state, "content.db", NULL);
    uint64_t damaged = 0, held = 0;
    for (uint64_t round = 1; round <= 100; round++) {
        uint64_t seed = round;
        write_file(*state, "content.db", sound, length);
        flip_bytes(path, &seed, 1 + next_random(&seed) % 20);
        Content *content = content_open(*state, BOUND);
        held += count_held(content, 60);
        flush(content);
        held += count_held(content, 60);
        damaged += stats_of(content).damaged;
        content_close(content);
    }
    /* Single blocks were dropped, and most messages served. */
    assert_true(damaged > 100);
    assert_true(held > 2 * 60 * 100 / 2);
}

/* The pages that hold the tables together, the first among them, are where it hurts. */
static void test_damaged_pages(void **state)
{
    gsize length;
    g_autofree char *sound = sound_database(*state, 60, &length);
    for (uint64_t round = 1; round <= 40; round++) {
        uint64_t seed = round;
        g_autofree char *copy = g_memdup2(sound, length);
        size_t page = round < 20 ? round : next_random(&seed) % (length / 16384);
        size_t at = page * 16384 % length;
        size_t n = round % 3 ? 16384 : 64;
        for (size_t i = 0; i < n && at + i < length; i++)
            copy[at + i] = (char)(round % 2 ? next_random(&seed) & 0x7f : 0);
        write_file(*state, "content.db", copy, length);
        Content *content = content_open(*state, BOUND);
        count_held(content, 60);
        flush(content);
        count_held(content, 60);
        flush(content);
        content_close(content);
    }
}

/* A damaged block is dropped, is not held from then on, and can be put again. */
static void test_damaged_block(void **state)
{
    g_autofree char *path = g_build_filename(*state, "content.db", NULL);
    content_close(fill(*state, 20));
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    g_autofree char *bytes = NULL;
    gsize length;
    assert_true(g_file_get_contents(path, &bytes, &length, NULL));
    g_autoptr(GBytes) needle = bytes_of(FOLDER, 7, 0, 64);
    char *at = memmem(bytes, length, g_bytes_get_data(needle, NULL), 64);
    assert_non_null(at);
    fseek(file, at - bytes + 10, SEEK_SET);
    fputc(at[10] ^ 1, file);
    fclose(file);

    Content *content = content_open(*state, BOUND);
    assert_true(content_held(content, FOLDER, 7, 0) > 0);
    assert_int_equal(find(content, 7), ABSENT);
    assert_int_equal(content_held(content, FOLDER, 7, 0), 0);
    assert_int_equal(count_held(content, 20), 19);
    flush(content);
    assert_int_equal(content_held(content, FOLDER, 7, 0), 0);
    assert_int_equal(stats_of(content).damaged, 1);
    put(content, 7);
    flush(content);
    assert_int_equal(count_held(content, 20), 20);
    content_close(content);
    assert_int_equal(warnings, 0);
}

static void test_truncated(void **state)
{
    gsize length;
    g_autofree char *sound = sound_database(*state, 40, &length);
    const gsize lengths[] = {0,     1,          99,         100,        16384,         16385,
                             32768, length / 4, length / 2, length - 1, length - 16384};
    for (unsigned i = 0; i < G_N_ELEMENTS(lengths); i++) {
        write_file(*state, "content.db", sound, lengths[i]);
        Content *content = content_open(*state, BOUND);
        count_held(content, 40);
        flush(content);
        count_held(content, 40);
        flush(content);
        if (i % 3)
            content_close(content);
        else
            assert_goes_on(*state, content, 40);
    }
}

static void test_garbage(void **state)
{
    g_autoptr(GBytes) garbage = bytes_of(9, 9, 0, 100000);
    write_file(*state, "content.db", g_bytes_get_data(garbage, NULL), 100000);
    write_file(*state, "content.db-wal", g_bytes_get_data(garbage, NULL), 5000);
    Content *content = content_open(*state, BOUND);
    assert_int_equal(warnings, 1);
    assert_int_equal(count_names(*state, "content.db.damaged"), 0);
    assert_goes_on(*state, content, 10);
    assert_int_equal(warnings, 1);
}

/* The file turns to garbage while it is open. */
static void test_damaged_while_open(void **state)
{
    Content *content = fill(*state, 60);
    flush(content);
    g_autofree char *path = g_build_filename(*state, "content.db", NULL);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    for (int i = 0; i < 4000000; i++)
        fputc(byte_of(1, 1, (uint64_t)i), file);
    fclose(file);
    put(content, 61); /* not flushed: is not on that disk */
    count_held(content, 60);
    assert_int_equal(find(content, 61), RIGHT);
    flush(content);
    count_held(content, 60);
    flush(content);
    assert_int_equal(warnings, 1);
    assert_goes_on(*state, content, 61);
    assert_int_equal(warnings, 1);
}

static void delete_database(const char *directory)
{
    const char *const names[] = {"content.db", "content.db-wal", "content.db-shm"};
    for (int i = 0; i < 3; i++) {
        g_autofree char *path = g_build_filename(directory, names[i], NULL);
        g_unlink(path);
    }
}

static void test_deleted_while_open(void **state)
{
    Content *content = fill(*state, 10);
    delete_database(*state);
    flush(content);
    assert_int_equal(count_held(content, 10), 0);
    assert_goes_on(*state, content, 10);
    assert_int_equal(warnings, 0);
}

/*
 * What readers can't get is not held, though the engine's own connection still sees it: else the
 * one would be sent to the other without an end.
 */
static void test_deleted_and_not_flushed(void **state)
{
    Content *content = fill(*state, 10);
    flush(content);
    delete_database(*state);
    for (uint32_t uid = 1; uid <= 10; uid++) {
        assert_int_equal(find(content, uid), ABSENT);
        assert_int_equal(content_held(content, FOLDER, uid, 0), 0);
        put(content, uid);
        assert_int_equal(find(content, uid), RIGHT);
        assert_true(content_held(content, FOLDER, uid, 0) > 0);
    }
    assert_goes_on(*state, content, 10);
    assert_int_equal(warnings, 0);
}

/* Blocks that belong to no message can't be evicted one by one. */
static void test_lost_messages(void **state)
{
    content_close(fill(*state, 100));
    g_autofree char *path = g_build_filename(*state, "content.db", NULL);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DELETE FROM message", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    Content *content = content_open(*state, 4 << 20);
    flush(content);
    put(content, 1);
    flush(content);
    assert_int_equal(find(content, 1), RIGHT);
    assert_true(stats_of(content).bytes < 1 << 20);
    assert_int_equal(warnings, 1);
    content_close(content);
}

/* --- no disk -------------------------------------------------------------------------------------
 */

static void test_unusable_directory(void **state)
{
    g_autofree char *file = g_build_filename(*state, "file", NULL);
    write_file(*state, "file", "x", 1);
    Content *content = content_open(file, BOUND);
    assert_int_equal(warnings, 1);
    assert_false(stats_of(content).on_disk);
    for (uint32_t uid = 1; uid <= 300; uid++) {
        put(content, uid);
        assert_true(content_flush(content));
        assert_int_equal(find(content, uid), RIGHT);
    }
    assert_in_range(count_held(content, 300), 150, 290);
    content_close(content);
    assert_int_equal(warnings, 1);
}

/* A full disk, as far as this process can tell: files may not grow. */
static void set_file_limit(rlim_t limit)
{
    struct rlimit old;
    CHILD_CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
    old.rlim_cur = limit == RLIM_INFINITY ? old.rlim_max : limit;
    CHILD_CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
}

static void fill_the_disk(const char *directory)
{
    signal(SIGXFSZ, SIG_IGN);
    database_retry_seconds = 1;
    Content *content = fill(directory, 20);
    content_flush(content);
    set_file_limit(2000000);
    for (uint32_t uid = 21; uid <= 60; uid++) {
        put(content, uid);
        CHILD_CHECK(uid % 5 || content_flush(content) || stats_of(content).on_disk);
    }
    flush(content);
    CHILD_CHECK(!stats_of(content).on_disk);
    CHILD_CHECK(content_pending(content) == 0);
    CHILD_CHECK(warnings == 1);
    /* What was on disk before and what is new: all is served. */
    for (uint32_t uid = 1; uid <= 60; uid++)
        CHILD_CHECK(find(content, uid) == RIGHT);
    g_usleep(1100000);
    flush(content);
    CHILD_CHECK(warnings == 1);
    set_file_limit(RLIM_INFINITY);
    g_usleep(1100000);
    flush(content);
    CHILD_CHECK(stats_of(content).on_disk);
    content_close(content);
    content = content_open(directory, BOUND);
    for (uint32_t uid = 1; uid <= 60; uid++)
        CHILD_CHECK(find(content, uid) == RIGHT);
    CHILD_CHECK(warnings == 1);
    content_close(content);
}

static void test_full_disk(void **state)
{
    pid_t child = fork();
    if (child == 0) {
        fill_the_disk(*state);
        _exit(0);
    }
    assert_child_succeeds(child);
}

/* A disk that is full from the beginning. */
static void test_full_disk_at_open(void **state)
{
    pid_t child = fork();
    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN);
        database_retry_seconds = 1;
        set_file_limit(1000);
        Content *content = content_open(*state, BOUND);
        CHILD_CHECK(warnings == 1 && !stats_of(content).on_disk);
        put(content, 1);
        flush(content);
        CHILD_CHECK(find(content, 1) == RIGHT);
        set_file_limit(RLIM_INFINITY);
        g_usleep(1100000);
        flush(content);
        CHILD_CHECK(stats_of(content).on_disk && find(content, 1) == RIGHT);
        content_close(content);
        _exit(0);
    }
    assert_child_succeeds(child);
}

/* --- several processes, and their end ------------------------------------------------------ */

static void wait_for(int fd, char expected)
{
    char got;
    if (read(fd, &got, 1) != 1 || got != expected)
        _exit(1);
}

static void tell(int fd, char what)
{
    if (write(fd, &what, 1) != 1)
        _exit(1);
}

static void test_two_write_and_read(void **state)
{
    pid_t children[3];
    for (uint32_t i = 0; i < 3; i++) {
        children[i] = fork();
        if (children[i] != 0)
            continue;
        Content *content = content_open(*state, BOUND);
        uint64_t seed = i;
        for (uint32_t n = 0; n < 150; n++) {
            put(content, 1 + next_random(&seed) % 60);
            CHILD_CHECK(find(content, 1 + next_random(&seed) % 60) != WRONG);
            if (n % 4 == 0)
                content_flush(content);
        }
        flush(content);
        CHILD_CHECK(warnings == 0 && stats_of(content).damaged == 0);
        content_close(content);
        _exit(0);
    }
    for (int i = 0; i < 3; i++)
        assert_child_succeeds(children[i]);
    Content *content = content_open(*state, BOUND);
    assert_true(count_held(content, 60) > 50);
    assert_int_equal(stats_of(content).damaged, 0);
    content_close(content);
}

/* This process finds the database damaged, while the other one has it open. */
static void other_process(const char *directory, int from, int to)
{
    Content *content = fill(directory, 30);
    tell(to, 'o'); /* open */
    wait_for(from, 'a');
    /* It was begun anew: this process still reads the old one or nothing, then follows. */
    for (uint32_t uid = 1; uid <= 30; uid++)
        CHILD_CHECK(find(content, uid) != WRONG);
    for (uint32_t uid = 31; uid <= 40; uid++)
        put(content, uid);
    flush(content);
    for (uint32_t uid = 31; uid <= 60; uid++)
        CHILD_CHECK(find(content, uid) == (uid <= 40 || uid > 50 ? RIGHT : ABSENT));
    content_close(content);
    tell(to, 'w'); /* written */
}

static void test_begun_anew_by_another(void **state)
{
    int down[2] = {-1, -1}, up[2] = {-1, -1};
    assert_true(pipe(down) == 0 && pipe(up) == 0);
    pid_t child = fork();
    if (child == 0) {
        other_process(*state, down[0], up[1]);
        _exit(0);
    }
    close(down[0]);
    close(up[1]);
    wait_for(up[0], 'o');
    g_autofree char *path = g_build_filename(*state, "content.db", NULL);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    for (int i = 0; i < 20000; i++)
        fputc(byte_of(1, 1, (uint64_t)i), file);
    fclose(file);
    g_autofree char *log = g_strconcat(path, "-wal", NULL);
    assert_true(truncate(log, 0) == 0 || errno == ENOENT);
    Content *content = content_open(*state, BOUND);
    assert_int_equal(warnings, 1);
    for (uint32_t uid = 51; uid <= 60; uid++)
        put(content, uid);
    flush(content);
    tell(down[1], 'a');
    wait_for(up[0], 'w');
    assert_child_succeeds(child);
    assert_int_equal(count_held(content, 60), 20);
    assert_goes_on(*state, content, 60);
    close(down[1]);
    close(up[0]);
}

static _Noreturn void write_until_killed(const char *directory, uint64_t seed, int report)
{
    Content *content = content_open(directory, BOUND);
    for (uint32_t uid = 1;; uid++) {
        put(content, uid);
        if (next_random(&seed) % 4 == 0)
            content_drop(content, FOLDER, 1 + next_random(&seed) % uid / 2 * 2);
        if (next_random(&seed) % 5 == 0 && content_flush(content))
            CHILD_CHECK(write(report, &uid, sizeof uid) == sizeof uid);
    }
}

/* Messages with even UIDs are never dropped: those that were said to be written are there. */
static void check_after_kill(const char *directory, uint32_t acknowledged)
{
    Content *content = content_open(directory, BOUND);
    for (uint32_t uid = 1; uid <= acknowledged + 100; uid++) {
        Found found = find(content, uid);
        assert_int_not_equal(found, WRONG);
        if (uid % 2 == 0 && uid <= acknowledged)
            assert_int_equal(found, RIGHT);
    }
    assert_int_equal(stats_of(content).damaged, 0);
    content_close(content);
}

static void test_killed(void **state)
{
    for (uint64_t round = 1; round <= 40; round++) {
        uint64_t seed = round;
        g_autofree char *directory = g_strdup_printf("%s/%u", (char *)*state, (unsigned)round);
        assert_int_equal(mkdir(directory, 0700), 0);
        int report[2];
        assert_int_equal(pipe(report), 0);
        pid_t child = fork();
        if (child == 0)
            write_until_killed(directory, round, report[1]);
        close(report[1]);
        g_usleep(3000 + next_random(&seed) % 60000);
        assert_int_equal(kill(child, SIGKILL), 0);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        uint32_t uid, acknowledged = 0;
        while (read(report[0], &uid, sizeof uid) == sizeof uid)
            acknowledged = uid;
        close(report[0]);
        check_after_kill(directory, acknowledged);
        remove_tree(directory);
    }
    assert_int_equal(warnings, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_flipped_bytes),
        TEST_IN_DIRECTORY(test_damaged_pages),
        TEST_IN_DIRECTORY(test_damaged_block),
        TEST_IN_DIRECTORY(test_truncated),
        TEST_IN_DIRECTORY(test_garbage),
        TEST_IN_DIRECTORY(test_damaged_while_open),
        TEST_IN_DIRECTORY(test_deleted_while_open),
        TEST_IN_DIRECTORY(test_deleted_and_not_flushed),
        TEST_IN_DIRECTORY(test_lost_messages),
        TEST_IN_DIRECTORY(test_unusable_directory),
        TEST_IN_DIRECTORY(test_full_disk),
        TEST_IN_DIRECTORY(test_full_disk_at_open),
        TEST_IN_DIRECTORY(test_two_write_and_read),
        TEST_IN_DIRECTORY(test_begun_anew_by_another),
        TEST_IN_DIRECTORY(test_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
