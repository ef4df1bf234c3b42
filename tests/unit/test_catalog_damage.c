/* What becomes of a catalog whose disk is full, can't be used or is damaged, and of one that is
 * killed. */
#include "catalog_bed.h"

#include <sys/resource.h>

static void test_unusable_directory(void **state)
{
    g_autofree char *file = g_build_filename(*state, "file", NULL);
    write_file(*state, "file", "x", 1);
    Catalog *catalog = catalog_open(file);
    assert_int_equal(warnings, 1);
    uint32_t folder = fill(catalog, 100);
    assert_true(folder >= CATALOG_TEMPORARY);
    assert_true(catalog_flush(catalog));
    assert_range(catalog, folder, 1, 100);
    catalog_close(catalog);
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
    Catalog *catalog = catalog_open(directory);
    uint32_t folder = fill(catalog, 100);
    flush(catalog);
    set_file_limit(200000);
    put_range(catalog, folder, 101, 20000);
    put_state(catalog, folder, 20001, 60);
    CHILD_CHECK(catalog_flush(catalog));
    CHILD_CHECK(catalog_flush(catalog));
    CHILD_CHECK(warnings == 1);
    CHILD_CHECK(put_folder(catalog, "Other") >= CATALOG_TEMPORARY);
    CatalogMessage message;
    CHILD_CHECK(catalog_message(catalog, folder, 20000, &message));
    g_usleep(1100000);
    CHILD_CHECK(catalog_flush(catalog));
    CHILD_CHECK(warnings == 1);
    set_file_limit(RLIM_INFINITY);
    g_usleep(1100000);
    flush(catalog);
    Catalog *other = catalog_open(directory);
    g_auto(CatalogFolder) copy = {0};
    CHILD_CHECK(catalog_folder(other, folder, &copy));
    CHILD_CHECK(copy.listed && copy.state.count == 20000);
    catalog_close(other);
    catalog_close(catalog);
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

/* Flipped bytes: what is served is right as far as a sync told it, or the folder is listed anew. */
static void test_flipped_bytes(void **state)
{
    Catalog *catalog = catalog_open(*state);
    uint32_t folder = fill(catalog, 400);
    catalog_close(catalog);
    g_autofree char *path = g_build_filename(*state, "index.db", NULL);
    g_autofree char *sound = NULL;
    gsize length;
    assert_true(g_file_get_contents(path, &sound, &length, NULL));
    unsigned listed = 0;
    for (uint64_t round = 1; round <= 100; round++) {
        uint64_t seed = round;
        write_file(*state, "index.db", sound, length);
        flip_bytes(path, &seed, 1 + next_random(&seed) % 8);
        catalog = catalog_open(*state);
        g_auto(CatalogFolder) copy = {0};
        if (catalog_folder(catalog, folder, &copy) && copy.listed) {
            assert_int_equal(copy.state.uidnext, 401);
            assert_int_equal(copy.state.modseq, 50);
            for (uint32_t uid = 1; uid <= 400; uid++) {
                CatalogMessage message;
                assert_true(catalog_message(catalog, folder, uid, &message));
                assert_int_equal(message.date, 1000 + uid);
                g_autofree char *flags = catalog_flags(catalog, message.flag_set);
                assert_int_equal(flags[0] ? flags[1] - '0' : 0, uid % 5);
            }
            listed++;
        }
        /* It goes on, whatever is in there. */
        fill(catalog, 10);
        catalog_close(catalog);
    }
    assert_in_range(listed, 1, 99);
}

/*
 * A process that is killed while it writes. Step k tells the messages of its UIDs, and that those
 * of step k - 1 divisible by 7 are gone; then comes the state, whose modseq is k + 1.
 */
#define STEP 500

static _Noreturn void write_until_killed(const char *directory, uint64_t seed, int report)
{
    Catalog *catalog = catalog_open(directory);
    uint32_t folder = catalog_reset_folder(catalog, put_folder(catalog, "INBOX"), VALIDITY);
    for (uint32_t k = 0;; k++) {
        put_range(catalog, folder, k * STEP + 1, k * STEP + STEP);
        if (next_random(&seed) % 2)
            catalog_flush(catalog);
        for (uint32_t uid = k ? (k - 1) * STEP + 1 : 1; k && uid <= k * STEP; uid++)
            if (uid % 7 == 0) {
                const MailUidRange range = {uid, uid};
                g_array_unref(catalog_remove_ranges(catalog, folder, &range, 1));
            }
        if (next_random(&seed) % 3 == 0)
            catalog_flush(catalog);
        put_state(catalog, folder, (k + 1) * STEP + 1, k + 1);
        if (next_random(&seed) % 2 && catalog_flush(catalog))
            CHILD_CHECK(write(report, &k, sizeof k) == sizeof k);
    }
}

/* acknowledged: steps whose state was said to be written. */
static void check_after_kill(const char *directory, uint32_t acknowledged)
{
    Catalog *catalog = catalog_open(directory);
    g_autoptr(GArray) folders = catalog_folders(catalog);
    assert_true(folders->len == 1 || acknowledged == 0);
    if (folders->len == 1) {
        const CatalogFolder *folder = &g_array_index(folders, CatalogFolder, 0);
        uint32_t steps = (uint32_t)folder->state.modseq;
        assert_true(steps >= acknowledged);
        assert_int_equal(folder->listed, steps > 0);
        assert_int_equal(folder->state.uidnext, steps ? steps * STEP + 1 : 0);
        for (uint32_t uid = 1; uid <= steps * STEP; uid++) {
            CatalogMessage message;
            bool there = catalog_message(catalog, folder->id, uid, &message);
            bool last_step = uid > (steps - 1) * STEP;
            if (uid % 7)
                assert_true(there && message.size == uid * 3u && message.date == 1000 + uid);
            else if (!last_step)
                assert_false(there);
        }
    }
    catalog_close(catalog);
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
        uint32_t k, acknowledged = 0;
        while (read(report[0], &k, sizeof k) == sizeof k)
            acknowledged = k + 1;
        close(report[0]);
        check_after_kill(directory, acknowledged);
    }
    assert_int_equal(warnings, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_unusable_directory),
        TEST_IN_DIRECTORY(test_full_disk),
        TEST_IN_DIRECTORY(test_flipped_bytes),
        TEST_IN_DIRECTORY(test_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
