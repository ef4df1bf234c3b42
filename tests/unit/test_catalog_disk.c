/* What of the catalog gets to the disk and back, whatever happens to disk and process. */
#include "cache_helpers.h"

#include "../../cache/catalog.h"
#include "../../cache/database.h"

#include <sys/resource.h>

#define ALL (MAIL_HAS_SIZE | MAIL_HAS_DATE | MAIL_HAS_FLAGS)
#define VALIDITY 7

static uint32_t put_folder(Catalog *catalog, const char *name)
{
    return catalog_put_folder(catalog, &(MailFolderInfo){name, '/', 0});
}

/* Messages first to last, with what can be told from their UIDs. */
static void put_range(Catalog *catalog, uint32_t folder, uint32_t first, uint32_t last)
{
    for (uint32_t uid = first; uid <= last; uid++) {
        char flags[16] = "";
        if (uid % 5)
            snprintf(flags, sizeof flags, "k%u", uid % 5);
        const MailMessage message = {uid, ALL, uid * 3u, 1000 + uid, flags, NULL};
        catalog_put_messages(catalog, folder, &message, 1);
    }
}

static void assert_range(Catalog *catalog, uint32_t folder, uint32_t first, uint32_t last)
{
    for (uint32_t uid = first; uid <= last; uid++) {
        CatalogMessage message;
        assert_true(catalog_message(catalog, folder, uid, &message));
        assert_int_equal(message.size, uid * 3u);
        assert_int_equal(message.date, 1000 + uid);
        g_autofree char *flags = catalog_flags(catalog, message.flag_set);
        g_autofree char *expected = uid % 5 ? g_strdup_printf("k%u", uid % 5) : g_strdup("");
        assert_string_equal(flags, expected);
    }
}

static void put_state(Catalog *catalog, uint32_t folder, uint32_t uidnext, uint64_t modseq)
{
    catalog_put_state(catalog, folder, &(MailFolderState){VALIDITY, uidnext, modseq, 0, false});
}

static CatalogFolder get_folder(Catalog *catalog, uint32_t folder)
{
    CatalogFolder copy;
    assert_true(catalog_folder(catalog, folder, &copy));
    return copy;
}

/* A listed folder "INBOX" of n messages, not yet flushed; its id. */
static uint32_t fill(Catalog *catalog, uint32_t n)
{
    uint32_t folder = catalog_reset_folder(catalog, put_folder(catalog, "INBOX"), VALIDITY);
    put_range(catalog, folder, 1, n);
    put_state(catalog, folder, n + 1, 50);
    return folder;
}

static void flush(Catalog *catalog)
{
    while (!catalog_flush(catalog))
        ;
}

static void test_reopen(void **state)
{
    Catalog *catalog = catalog_open(*state);
    uint32_t folder = fill(catalog, 1000), other = put_folder(catalog, "Other");
    catalog_prove(catalog, folder, 10, 77, 31, CATALOG_WHOLE_BODY);
    catalog_prove(catalog, folder, 11, 0, 33, 0);
    const MailUidRange range = {20, 30};
    g_array_unref(catalog_remove_ranges(catalog, folder, &range, 1));
    catalog_close(catalog);

    catalog = catalog_open(*state);
    g_auto(CatalogFolder) copy = get_folder(catalog, folder);
    assert_string_equal(copy.name, "INBOX");
    assert_true(copy.listed);
    assert_int_equal(copy.delimiter, '/');
    assert_int_equal(copy.state.uidvalidity, VALIDITY);
    assert_int_equal(copy.state.uidnext, 1001);
    assert_int_equal(copy.state.modseq, 50);
    assert_int_equal(copy.state.count, 989);
    assert_range(catalog, folder, 1, 9);
    assert_range(catalog, folder, 31, 1000);
    CatalogMessage message;
    assert_false(catalog_message(catalog, folder, 25, &message));
    assert_true(catalog_message(catalog, folder, 10, &message));
    assert_int_equal(message.size, 31);
    assert_int_equal(message.header_length, 77);
    assert_int_equal(message.proof, CATALOG_SIZE_PROVED | CATALOG_WHOLE_BODY);
    uint64_t right, wrong;
    catalog_size_record(catalog, &right, &wrong);
    assert_int_equal(right, 1);
    assert_int_equal(wrong, 1);
    assert_int_equal(put_folder(catalog, "Other"), other);
    assert_int_equal(put_folder(catalog, "INBOX"), folder);

    /* Changes of single messages, and a folder that goes. */
    catalog_put_messages(catalog, folder, &(MailMessage){500, MAIL_HAS_FLAGS, 0, 0, "\\Seen", NULL},
                         1);
    catalog_put_header_length(catalog, folder, 501, 88);
    catalog_drop_folder(catalog, other);
    catalog_close(catalog);
    catalog = catalog_open(*state);
    assert_true(catalog_message(catalog, folder, 500, &message));
    g_autofree char *flags = catalog_flags(catalog, message.flag_set);
    assert_string_equal(flags, "\\Seen");
    assert_true(catalog_message(catalog, folder, 501, &message));
    assert_int_equal(message.header_length, 88);
    CatalogFolder none;
    assert_false(catalog_folder(catalog, other, &none));
    assert_int_not_equal(put_folder(catalog, "Other"), other);
    catalog_close(catalog);
    assert_int_equal(warnings, 0);
}

static void test_features_survive(void **state)
{
    Catalog *catalog = catalog_open(*state);
    assert_int_equal(catalog_features(catalog), 0);
    catalog_note_features(catalog, 0x305);
    flush(catalog);
    catalog_note_features(catalog, 0x307);
    assert_int_equal(catalog_features(catalog), 0x307);
    catalog_close(catalog);
    catalog = catalog_open(*state);
    assert_int_equal(catalog_features(catalog), 0x307);
    catalog_close(catalog);
}

static void test_reset_survives(void **state)
{
    Catalog *catalog = catalog_open(*state);
    uint32_t folder = fill(catalog, 10);
    flush(catalog);
    uint32_t fresh = catalog_reset_folder(catalog, folder, 8);
    assert_int_not_equal(fresh, folder);
    catalog_close(catalog);
    catalog = catalog_open(*state);
    CatalogFolder none;
    assert_false(catalog_folder(catalog, folder, &none));
    g_auto(CatalogFolder) copy = get_folder(catalog, fresh);
    assert_int_equal(copy.state.uidvalidity, 8);
    assert_int_equal(copy.state.count, 0);
    assert_false(copy.listed);
    assert_int_equal(put_folder(catalog, "INBOX"), fresh);
    catalog_close(catalog);
}

/* What was renamed is found under its new name, with all it held; and one that it took the name of
 * does not come back. */
static void test_rename_survives(void **state)
{
    for (int flushed = 0; flushed < 2; flushed++) {
        g_autofree char *directory = g_strdup_printf("%s/%d", (char *)*state, flushed);
        assert_int_equal(mkdir(directory, 0700), 0);
        Catalog *catalog = catalog_open(directory);
        uint32_t folder = fill(catalog, 10), below = put_folder(catalog, "INBOX/below");
        uint32_t other = put_folder(catalog, "moved");
        CatalogMessage message;
        CatalogFolder none;
        while (flushed && !catalog_flush(catalog))
            ;
        catalog_rename_folder(catalog, folder, "moved");
        catalog_close(catalog);
        catalog = catalog_open(directory);
        assert_int_equal(put_folder(catalog, "moved"), folder);
        assert_int_equal(put_folder(catalog, "moved/below"), below);
        assert_false(catalog_folder(catalog, other, &none));
        assert_true(catalog_message(catalog, folder, 10, &message));
        uint32_t anew = put_folder(catalog, "INBOX");
        assert_true(anew != folder && anew != below && anew != other);
        catalog_close(catalog);
    }
}

static void test_dropped_name_gets_a_new_id(void **state)
{
    Catalog *catalog = catalog_open(*state);
    uint32_t folder = fill(catalog, 10);
    flush(catalog);
    catalog_drop_folder(catalog, folder);
    uint32_t fresh = put_folder(catalog, "INBOX");
    assert_int_not_equal(fresh, folder);
    g_auto(CatalogFolder) copy = get_folder(catalog, fresh);
    assert_int_equal(copy.state.count, 0);
    catalog_close(catalog);
}

static void test_large_flush_comes_in_slices(void **state)
{
    Catalog *catalog = catalog_open(*state);
    uint32_t folder = fill(catalog, 50000);
    assert_false(catalog_flush(catalog));
    /* The state is not on disk ahead of the messages: who opens now must list anew. */
    Catalog *other = catalog_open(*state);
    g_auto(CatalogFolder) early = get_folder(other, folder);
    assert_false(early.listed);
    assert_int_equal(early.state.uidnext, 0);
    assert_int_equal(early.state.count, 0);
    flush(catalog);
    Catalog *late = catalog_open(*state);
    g_auto(CatalogFolder) copy = get_folder(late, folder);
    assert_true(copy.listed);
    assert_int_equal(copy.state.count, 50000);
    assert_range(late, folder, 49000, 50000);
    assert_true(catalog_flush(catalog));
    catalog_close(late);
    catalog_close(catalog);
    catalog_close(other);
}

static void test_two_at_once(void **state)
{
    Catalog *one = catalog_open(*state), *other = catalog_open(*state);
    uint32_t folder = fill(one, 100);
    flush(one);
    /* The other finds the folder with its messages, in step. */
    assert_int_equal(put_folder(other, "INBOX"), folder);
    g_auto(CatalogFolder) copy = get_folder(other, folder);
    assert_true(copy.listed);
    assert_int_equal(copy.state.count, 100);
    assert_range(other, folder, 1, 100);
    /* Both see the same new mail, and find out different things. */
    put_range(one, folder, 101, 120);
    put_state(one, folder, 121, 60);
    catalog_prove(one, folder, 5, 9, 15, 0);
    put_range(other, folder, 101, 120);
    put_state(other, folder, 121, 60);
    catalog_prove(other, folder, 6, 9, 18, 0);
    flush(one);
    flush(other);
    /* One sees a removal, and the other just proves something of a message. */
    const MailUidRange range = {50, 50};
    g_array_unref(catalog_remove_ranges(one, folder, &range, 1));
    put_state(one, folder, 121, 61);
    flush(one);
    catalog_put_header_length(other, folder, 50, 5);
    g_array_unref(catalog_remove_ranges(other, folder, &range, 1));
    put_state(other, folder, 121, 61);
    catalog_close(other);
    catalog_close(one);

    Catalog *after = catalog_open(*state);
    g_auto(CatalogFolder) end = get_folder(after, folder);
    assert_true(end.listed);
    assert_int_equal(end.state.modseq, 61);
    assert_int_equal(end.state.count, 119);
    CatalogMessage message;
    assert_true(catalog_message(after, folder, 5, &message));
    assert_int_equal(message.header_length, 9);
    assert_true(catalog_message(after, folder, 6, &message));
    assert_int_equal(message.header_length, 9);
    uint64_t right, wrong;
    catalog_size_record(after, &right, &wrong);
    assert_int_equal(right, 2);
    catalog_close(after);
    assert_int_equal(warnings, 0);
}

/* Both list a folder that nobody knew; what the one has proved by then is not lost. */
static void test_two_list_at_once(void **state)
{
    Catalog *one = catalog_open(*state), *other = catalog_open(*state);
    uint32_t folder = fill(one, 10);
    assert_int_equal(fill(other, 10), folder);
    catalog_prove(one, folder, 5, 9, 1234, 0);
    catalog_prove(other, folder, 6, 8, 2345, CATALOG_WHOLE_BODY);
    flush(one);
    flush(other);
    catalog_close(other);
    catalog_close(one);
    Catalog *after = catalog_open(*state);
    CatalogMessage message;
    g_auto(CatalogFolder) copy = get_folder(after, folder);
    assert_true(copy.listed);
    assert_true(catalog_message(after, folder, 5, &message));
    assert_int_equal(message.size, 1234);
    assert_int_equal(message.header_length, 9);
    assert_true(message.proof & CATALOG_SIZE_PROVED);
    assert_true(catalog_message(after, folder, 6, &message));
    assert_int_equal(message.size, 2345);
    assert_int_equal(message.proof & 3, CATALOG_SIZE_PROVED | CATALOG_WHOLE_BODY);
    catalog_close(after);
}

static void test_two_out_of_step(void **state)
{
    Catalog *one = catalog_open(*state), *other = catalog_open(*state);
    uint32_t folder = fill(one, 100);
    flush(one);
    put_folder(other, "INBOX");
    /* The other's state does not cover the message that the first has added. */
    put_range(one, folder, 101, 101);
    put_state(one, folder, 102, 61);
    flush(one);
    const MailUidRange range = {50, 50};
    g_array_unref(catalog_remove_ranges(other, folder, &range, 1));
    put_state(other, folder, 101, 60);
    flush(other);
    catalog_close(other);
    catalog_close(one);
    Catalog *after = catalog_open(*state);
    g_auto(CatalogFolder) copy = get_folder(after, folder);
    assert_false(copy.listed);
    assert_int_equal(copy.state.uidnext, 0);
    assert_int_equal(copy.state.count, 0);
    catalog_close(after);
}

static void test_two_reset(void **state)
{
    Catalog *one = catalog_open(*state), *other = catalog_open(*state);
    uint32_t folder = fill(one, 10);
    flush(one);
    assert_int_equal(put_folder(other, "INBOX"), folder);
    uint32_t fresh = catalog_reset_folder(one, folder, 8);
    put_range(one, fresh, 1, 5);
    flush(one);
    /* The other still has the old one, and writes. */
    catalog_put_header_length(other, folder, 3, 9);
    flush(other);
    assert_int_equal(catalog_reset_folder(other, folder, 8), fresh);
    put_range(other, fresh, 1, 4);
    catalog_put_state(other, fresh, &(MailFolderState){8, 6, 1, 4, false});
    flush(other);
    Catalog *after = catalog_open(*state);
    g_auto(CatalogFolder) copy = get_folder(after, fresh);
    assert_int_equal(copy.state.uidvalidity, 8);
    assert_int_equal(copy.state.count, 4);
    assert_true(copy.listed);
    CatalogFolder none;
    assert_false(catalog_folder(after, folder, &none));
    catalog_close(after);
    catalog_close(other);
    catalog_close(one);
}

/* Two processes find that a backup was restored; the second gets what the first made. */
static void test_two_renew(void **state)
{
    Catalog *one = catalog_open(*state), *other = catalog_open(*state);
    uint32_t folder = fill(one, 10);
    flush(one);
    assert_int_equal(put_folder(other, "INBOX"), folder);
    uint32_t fresh = catalog_renew_folder(one, folder);
    assert_int_not_equal(fresh, folder);
    put_range(one, fresh, 1, 5);
    catalog_put_state(one, fresh, &(MailFolderState){VALIDITY, 6, 1, 5, false});
    flush(one);
    /* The other still has the old one, and writes. */
    catalog_put_header_length(other, folder, 3, 9);
    flush(other);
    assert_int_equal(catalog_renew_folder(other, folder), fresh);
    put_range(other, fresh, 1, 5);
    catalog_put_state(other, fresh, &(MailFolderState){VALIDITY, 6, 1, 5, false});
    flush(other);
    Catalog *after = catalog_open(*state);
    g_auto(CatalogFolder) copy = get_folder(after, fresh);
    assert_int_equal(copy.state.uidvalidity, VALIDITY);
    assert_int_equal(copy.state.count, 5);
    assert_true(copy.listed);
    CatalogFolder none;
    assert_false(catalog_folder(after, folder, &none));
    catalog_close(after);
    catalog_close(other);
    catalog_close(one);
}

/* What one process proved the other learns, once it has noticed that somebody else writes. */
static void test_learned(void **state)
{
    Catalog *one = catalog_open(*state);
    uint32_t folder = fill(one, 10);
    flush(one);
    Catalog *other = catalog_open(*state);
    CatalogMessage message;
    uint64_t right, wrong;
    assert_false(catalog_learn(other, folder, 3));
    catalog_prove(one, folder, 3, 40, 777, CATALOG_WHOLE_BODY);
    flush(one);
    g_usleep(1100000);
    assert_false(catalog_learn(other, folder, 2));
    assert_true(catalog_learn(other, folder, 3));
    assert_true(catalog_message(other, folder, 3, &message));
    assert_int_equal(message.size, 777);
    assert_int_equal(message.header_length, 40);
    assert_int_equal(message.proof, CATALOG_SIZE_PROVED | CATALOG_WHOLE_BODY);
    catalog_size_record(other, &right, &wrong);
    assert_int_equal(right + wrong, 0);
    /* Nothing is new of that, nor of what there is not. */
    assert_false(catalog_learn(other, folder, 3));
    assert_false(catalog_learn(other, folder, 11));
    assert_false(catalog_learn(other, folder + 1, 3));
    assert_false(catalog_learn(one, folder, 3));
    /* Later ones are known at once. */
    catalog_prove(one, folder, 4, 40, 100, 0);
    flush(one);
    assert_true(catalog_learn(other, folder, 4));
    catalog_close(other);
    catalog_close(one);
}

static void test_index_lost_meanwhile(void **state)
{
    Catalog *catalog = catalog_open(*state);
    uint32_t folder = fill(catalog, 300);
    flush(catalog);
    const char *const names[] = {"index.db", "index.db-wal", "index.db-shm"};
    for (int i = 0; i < 3; i++) {
        g_autofree char *path = g_build_filename(*state, names[i], NULL);
        g_unlink(path);
    }
    put_range(catalog, folder, 301, 310);
    put_state(catalog, folder, 311, 70);
    uint32_t other = put_folder(catalog, "Other");
    assert_int_not_equal(other, folder);
    catalog_close(catalog);
    catalog = catalog_open(*state);
    g_auto(CatalogFolder) copy = get_folder(catalog, folder);
    assert_true(copy.listed);
    assert_int_equal(copy.state.count, 310);
    assert_range(catalog, folder, 1, 310);
    catalog_close(catalog);
}

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
        TEST_IN_DIRECTORY(test_reopen),
        TEST_IN_DIRECTORY(test_features_survive),
        TEST_IN_DIRECTORY(test_reset_survives),
        TEST_IN_DIRECTORY(test_rename_survives),
        TEST_IN_DIRECTORY(test_dropped_name_gets_a_new_id),
        TEST_IN_DIRECTORY(test_large_flush_comes_in_slices),
        TEST_IN_DIRECTORY(test_two_at_once),
        TEST_IN_DIRECTORY(test_two_list_at_once),
        TEST_IN_DIRECTORY(test_two_out_of_step),
        TEST_IN_DIRECTORY(test_two_reset),
        TEST_IN_DIRECTORY(test_two_renew),
        TEST_IN_DIRECTORY(test_learned),
        TEST_IN_DIRECTORY(test_index_lost_meanwhile),
        TEST_IN_DIRECTORY(test_unusable_directory),
        TEST_IN_DIRECTORY(test_full_disk),
        TEST_IN_DIRECTORY(test_flipped_bytes),
        TEST_IN_DIRECTORY(test_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
