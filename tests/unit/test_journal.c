/* What is to be removed survives; what is done with does not. */
#include "cache_helpers.h"

#include "../../cache/catalog.h"
#include "../../cache/index.h"
#include "../../cache/journal.h"
#include "../../cache/mail.h"

#include <errno.h>
#include <sys/resource.h>

typedef struct {
    GMutex lock;
    GCond changed;
    unsigned kept, failed;
    int code;
} Told;

static void told(gpointer data, const GError *error)
{
    Told *all = data;
    g_mutex_lock(&all->lock);
    all->kept += !error;
    all->failed += error != NULL;
    all->code = error ? mail_errno(error) : all->code;
    g_cond_signal(&all->changed);
    g_mutex_unlock(&all->lock);
}

static void await(Told *all, unsigned n)
{
    gint64 until = g_get_monotonic_time() + 120 * G_TIME_SPAN_SECOND;
    g_mutex_lock(&all->lock);
    while (all->kept + all->failed < n && g_cond_wait_until(&all->changed, &all->lock, until))
        ;
    g_mutex_unlock(&all->lock);
}

static void assert_entries(GArray *entries, const char *expected)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < entries->len; i++) {
        const JournalRemoval *each = &g_array_index(entries, JournalRemoval, i);
        g_string_append_printf(text, "%u/%u ", each->folder, each->uid);
    }
    g_array_unref(entries);
    assert_string_equal(text->str, expected);
}

static void assert_removals(Journal *journal, const char *expected)
{
    assert_entries(journal_removals(journal), expected);
}

static void assert_marks(Journal *journal, const char *expected)
{
    assert_entries(journal_marks(journal), expected);
}

static void test_kept(void **state)
{
    Told all = {.kept = 0};
    Journal *journal = journal_open(*state);
    assert_removals(journal, "");
    journal_add_removal(journal, (JournalRemoval){7, 4294967295}, told, &all);
    journal_add_removal(journal, (JournalRemoval){7, 3}, told, &all);
    journal_add_removal(journal, (JournalRemoval){7, 3}, told, &all);
    journal_add_removal(journal, (JournalRemoval){5, 9}, told, &all);
    await(&all, 4);
    assert_int_equal(all.kept, 4);
    journal_close(journal);
    journal = journal_open(*state);
    assert_removals(journal, "5/9 7/3 7/4294967295 ");
    journal_end_removal(journal, (JournalRemoval){7, 3});
    journal_end_removal(journal, (JournalRemoval){8, 1});
    journal_close(journal);
    journal = journal_open(*state);
    assert_removals(journal, "5/9 7/4294967295 ");
    journal_close(journal);
    assert_int_equal(warnings, 0);
}

/* What is marked is to be removed no more. */
static void test_marks(void **state)
{
    Told all = {.kept = 0};
    Journal *journal = journal_open(*state);
    journal_add_removal(journal, (JournalRemoval){7, 3}, told, &all);
    journal_add_removal(journal, (JournalRemoval){7, 4}, told, &all);
    await(&all, 2);
    journal_add_mark(journal, (JournalRemoval){7, 3});
    journal_end_removal(journal, (JournalRemoval){7, 3});
    journal_add_mark(journal, (JournalRemoval){6, 9});
    journal_close(journal);
    journal = journal_open(*state);
    assert_removals(journal, "7/4 ");
    assert_marks(journal, "6/9 7/3 ");
    journal_end_mark(journal, (JournalRemoval){7, 3});
    journal_end_mark(journal, (JournalRemoval){7, 4});
    journal_close(journal);
    journal = journal_open(*state);
    assert_removals(journal, "7/4 ");
    assert_marks(journal, "6/9 ");
    journal_close(journal);
    assert_int_equal(warnings, 0);
}

/* Who was told that it is kept finds it after a crash. */
static void test_killed(void **state)
{
    pid_t child = fork();
    if (child == 0) {
        Told all = {.kept = 0};
        Journal *journal = journal_open(*state);
        for (uint32_t uid = 1; uid <= 100; uid++)
            journal_add_removal(journal, (JournalRemoval){1, uid}, told, &all);
        await(&all, 100);
        CHILD_CHECK(all.kept == 100);
        kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    Journal *journal = journal_open(*state);
    g_autoptr(GArray) removals = journal_removals(journal);
    assert_int_equal(removals->len, 100);
    journal_close(journal);
}

/* A folder that was made anew has nothing of the old one's to be removed. */
static void test_belongs_to_its_folder(void **state)
{
    Told all = {.kept = 0};
    Catalog *catalog = catalog_open(*state);
    uint32_t first = catalog_put_folder(catalog, &(MailFolderInfo){"a", '/', 0});
    uint32_t second = catalog_put_folder(catalog, &(MailFolderInfo){"b", '/', 0});
    Journal *journal = journal_open(*state);
    journal_add_removal(journal, (JournalRemoval){first, 1}, told, &all);
    journal_add_removal(journal, (JournalRemoval){second, 2}, told, &all);
    journal_add_mark(journal, (JournalRemoval){first, 3});
    journal_add_mark(journal, (JournalRemoval){second, 4});
    await(&all, 2);
    journal_close(journal);
    journal = journal_open(*state);
    assert_int_equal(catalog_reset_folder(catalog, first, 5), first);
    assert_int_not_equal(catalog_reset_folder(catalog, first, 6), first);
    journal_close(journal);
    catalog_close(catalog);
    journal = journal_open(*state);
    g_autofree char *expected = g_strdup_printf("%u/2 ", second);
    assert_removals(journal, expected);
    g_autofree char *marks = g_strdup_printf("%u/4 ", second);
    assert_marks(journal, marks);
    journal_close(journal);
}

static void assert_moves(Journal *journal, const char *expected)
{
    g_autoptr(GArray) moves = journal_moves(journal);
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < moves->len; i++) {
        const JournalMove *each = &g_array_index(moves, JournalMove, i);
        g_string_append_printf(text, "%u/%u>%u/%u %" G_GUINT64_FORMAT " %" G_GINT64_FORMAT " %s; ",
                               each->folder, each->uid, each->target, each->first,
                               (guint64)each->size, (gint64)each->date, each->name);
    }
    assert_string_equal(text->str, expected);
}

static void add_move(Journal *journal, uint32_t folder, uint32_t uid, uint32_t target,
                     const char *name, Told *all)
{
    g_autofree char *copy = g_strdup(name);
    const JournalMove move = {.folder = folder,
                              .uid = uid,
                              .target = target,
                              .first = 4294967295,
                              .size = UINT64_C(1) << 40,
                              .date = -7,
                              .name = copy};
    journal_add_move(journal, &move, told, all);
}

/* In their order, whichever transaction each is in. */
static void test_moves(void **state)
{
    Told all = {.kept = 0};
    Journal *journal = journal_open(*state);
    assert_true(journal_owns_moves(journal));
    assert_moves(journal, "");
    add_move(journal, 7, 3, 8, "Grüße.eml", &all);
    add_move(journal, 5, 9, 8, "b", &all);
    add_move(journal, 5, 1, 8, "c", &all);
    journal_end_move(journal, 5, 9);
    journal_end_move(journal, 5, 1);
    add_move(journal, 5, 1, 6, "d", &all);
    journal_end_move(journal, 9, 9);
    await(&all, 4);
    assert_int_equal(all.kept, 4);
    journal_close(journal);
    journal = journal_open(*state);
    assert_moves(journal, "5/1>6/4294967295 1099511627776 -7 d; "
                          "7/3>8/4294967295 1099511627776 -7 Grüße.eml; ");
    journal_close(journal);
    assert_int_equal(warnings, 0);
}

/* Neither those from it nor those to it outlive a folder. */
static void test_moves_belong_to_both_folders(void **state)
{
    Told all = {.kept = 0};
    Catalog *catalog = catalog_open(*state);
    uint32_t first = catalog_put_folder(catalog, &(MailFolderInfo){"a", '/', 0});
    uint32_t second = catalog_put_folder(catalog, &(MailFolderInfo){"b", '/', 0});
    uint32_t third = catalog_put_folder(catalog, &(MailFolderInfo){"c", '/', 0});
    Journal *journal = journal_open(*state);
    add_move(journal, first, 1, second, "x", &all);
    add_move(journal, second, 2, first, "y", &all);
    add_move(journal, second, 3, third, "z", &all);
    await(&all, 3);
    assert_int_equal(catalog_reset_folder(catalog, first, 5), first);
    assert_int_not_equal(catalog_reset_folder(catalog, first, 6), first);
    catalog_close(catalog);
    g_autofree char *expected = g_strdup_printf("%u/3>%u/4294967295 1099511627776 -7 z; ", second,
                                                third);
    journal_close(journal);
    journal = journal_open(*state);
    assert_moves(journal, expected);
    journal_close(journal);
}

static void assert_flags(Journal *journal, const char *expected)
{
    g_autoptr(GArray) all = journal_flags(journal);
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < all->len; i++) {
        const JournalFlags *each = &g_array_index(all, JournalFlags, i);
        g_string_append_printf(text, "%u/%u +%s -%s; ", each->folder, each->uid, each->add,
                               each->take);
    }
    assert_string_equal(text->str, expected);
}

static void add_flags(Journal *journal, uint32_t folder, uint32_t uid, const char *add,
                      const char *take, Told *all)
{
    const JournalFlags flags = {folder, uid, (char *)add, (char *)take};
    journal_add_flags(journal, &flags, told, all);
}

/* The last word on a message holds; and they go with their folder. */
static void test_flags(void **state)
{
    Told all = {.kept = 0};
    Catalog *catalog = catalog_open(*state);
    uint32_t folder = catalog_put_folder(catalog, &(MailFolderInfo){"a", '/', 0});
    Journal *journal = journal_open(*state);
    assert_flags(journal, "");
    add_flags(journal, folder, 4294967295, "\\Seen $x", "", &all);
    add_flags(journal, folder, 3, "a", "b", &all);
    add_flags(journal, folder, 3, "", "b c", &all);
    add_flags(journal, folder, 4, "a", "", &all);
    journal_end_flags(journal, folder, 4);
    await(&all, 4);
    assert_int_equal(all.kept, 4);
    journal_close(journal);
    journal = journal_open(*state);
    g_autofree char *expected = g_strdup_printf("%u/3 + -b c; %u/4294967295 +\\Seen $x -; ", folder,
                                                folder);
    assert_flags(journal, expected);
    assert_int_equal(catalog_reset_folder(catalog, folder, 5), folder);
    assert_flags(journal, expected);
    assert_int_not_equal(catalog_reset_folder(catalog, folder, 6), folder);
    catalog_close(catalog);
    assert_flags(journal, "");
    journal_close(journal);
    assert_int_equal(warnings, 0);
}

/* One at a time, until it ends, however that may be. */
static void test_owner(void **state)
{
    Journal *one = journal_open(*state), *other = journal_open(*state);
    assert_true(journal_owns_moves(one));
    assert_true(journal_owns_moves(one));
    assert_false(journal_owns_moves(other));
    journal_close(one);
    assert_true(journal_owns_moves(other));
    journal_close(other);
    pid_t child = fork();
    if (child == 0) {
        CHILD_CHECK(journal_owns_moves(journal_open(*state)));
        kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    one = journal_open(*state);
    assert_true(journal_owns_moves(one));
    journal_close(one);
    one = journal_open(NULL);
    assert_false(journal_owns_moves(one));
    journal_close(one);
}

/* A cache of an earlier version has room for them, and loses nothing. */
static void test_upgrade(void **state)
{
    Told all = {.kept = 0};
    Catalog *catalog = catalog_open(*state);
    uint32_t folder = catalog_put_folder(catalog, &(MailFolderInfo){"a", '/', 0});
    catalog_close(catalog);
    Journal *journal = journal_open(*state);
    journal_add_removal(journal, (JournalRemoval){folder, 3}, told, &all);
    await(&all, 1);
    journal_close(journal);
    DatabaseState result;
    g_autofree char *why = NULL;
    Database *database = database_open(&index_kind, *state, &result, &why);
    assert_int_equal(
        database_run(database, "DROP TABLE move; DROP TABLE flags; PRAGMA user_version = 4"),
        DATABASE_OK);
    database_close(database);
    catalog = catalog_open(*state);
    assert_int_equal(catalog_put_folder(catalog, &(MailFolderInfo){"a", '/', 0}), folder);
    journal = journal_open(*state);
    g_autofree char *removal = g_strdup_printf("%u/3 ", folder);
    assert_removals(journal, removal);
    assert_moves(journal, "");
    add_move(journal, folder, 3, folder + 1, "x", &all);
    add_flags(journal, folder, 3, "a", "b", &all);
    await(&all, 3);
    assert_int_equal(all.kept, 3);
    journal_close(journal);
    journal = journal_open(*state);
    g_autofree char *flags = g_strdup_printf("%u/3 +a -b; ", folder);
    assert_flags(journal, flags);
    journal_close(journal);
    catalog_close(catalog);
    assert_int_equal(warnings, 0);
}

/* What others committed to the file is on the disk with it: each takes a commit of its own. */
static void test_sync(void **state)
{
    Told all = {.kept = 0};
    Journal *journal = journal_open(*state);
    int64_t syncs = 0;
    for (unsigned i = 1; i <= 3; i++) {
        journal_sync(journal, told, &all);
        await(&all, i);
    }
    journal_add_removal(journal, (JournalRemoval){7, 3}, told, &all);
    await(&all, 4);
    assert_int_equal(all.kept, 4);
    journal_close(journal);
    DatabaseState result;
    g_autofree char *why = NULL;
    Database *database = database_open(&index_kind, *state, &result, &why);
    sqlite3_stmt *count = database_prepare(database, "SELECT value FROM record WHERE key = 3");
    int code;
    syncs = statement_value(count, 0, NULL, -1, &code);
    sqlite3_finalize(count);
    database_close(database);
    assert_int_equal(syncs, 3);
    journal = journal_open(*state);
    assert_removals(journal, "7/3 ");
    journal_close(journal);
}

static void test_no_directory(void **state)
{
    Told all = {.kept = 0};
    Journal *journal = journal_open(NULL);
    (void)state;
    assert_removals(journal, "");
    journal_add_removal(journal, (JournalRemoval){1, 1}, told, &all);
    journal_add_removal(journal, (JournalRemoval){1, 2}, told, &all);
    journal_sync(journal, told, &all);
    await(&all, 3);
    assert_int_equal(all.failed, 3);
    assert_int_equal(all.code, ENOSPC);
    journal_close(journal);
    assert_int_equal(warnings, 1);
}

static void set_file_limit(rlim_t limit)
{
    struct rlimit old;
    CHILD_CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
    old.rlim_cur = limit == RLIM_INFINITY ? old.rlim_max : limit;
    CHILD_CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
}

/* Nothing is said to be kept that is not; and when there is room again, it is. */
static void test_full_disk(void **state)
{
    pid_t child = fork();
    if (child == 0) {
        Told all = {.kept = 0};
        signal(SIGXFSZ, SIG_IGN);
        Journal *journal = journal_open(*state);
        journal_add_removal(journal, (JournalRemoval){1, 1}, told, &all);
        await(&all, 1);
        set_file_limit(1);
        journal_add_removal(journal, (JournalRemoval){1, 2}, told, &all);
        await(&all, 2);
        set_file_limit(RLIM_INFINITY);
        journal_add_removal(journal, (JournalRemoval){1, 3}, told, &all);
        await(&all, 3);
        CHILD_CHECK(all.kept == 2 && all.failed == 1 && all.code == ENOSPC);
        journal_close(journal);
        _exit(0);
    }
    assert_child_succeeds(child);
    Journal *journal = journal_open(*state);
    assert_removals(journal, "1/1 1/3 ");
    journal_close(journal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_kept),
        TEST_IN_DIRECTORY(test_marks),
        TEST_IN_DIRECTORY(test_killed),
        TEST_IN_DIRECTORY(test_no_directory),
        TEST_IN_DIRECTORY(test_belongs_to_its_folder),
        TEST_IN_DIRECTORY(test_full_disk),
        TEST_IN_DIRECTORY(test_sync),
        TEST_IN_DIRECTORY(test_moves),
        TEST_IN_DIRECTORY(test_moves_belong_to_both_folders),
        TEST_IN_DIRECTORY(test_flags),
        TEST_IN_DIRECTORY(test_owner),
        TEST_IN_DIRECTORY(test_upgrade),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
