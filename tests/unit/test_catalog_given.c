/* Names that users gave to messages: whose they are, and that they are kept as long as these. */
#include "cache_helpers.h"

#include "../../cache/catalog.h"
#include "../../cache/database.h"
#include "../../cache/index.h"

#include <errno.h>
#include <sys/resource.h>

static uint32_t open_folder(Catalog *catalog, const char *name)
{
    uint32_t folder = catalog_put_folder(catalog, &(MailFolderInfo){name, '/', 0});
    return catalog_reset_folder(catalog, folder, 1);
}

static void put(Catalog *catalog, uint32_t folder, uint32_t uid)
{
    const MailMessage message = {.uid = uid, .has = MAIL_HAS_SIZE, .size = 5};
    catalog_put_messages(catalog, folder, &message, 1);
}

static void put_state(Catalog *catalog, uint32_t folder, uint32_t uidnext)
{
    catalog_put_state(catalog, folder, &(MailFolderState){.uidvalidity = 1, .uidnext = uidnext});
}

static void give(Catalog *catalog, uint32_t folder, uint32_t uid, const char *name)
{
    g_autoptr(GError) error = NULL;
    assert_true(catalog_give_name(catalog, folder, uid, name, &error));
    assert_null(error);
}

static void remove_one(Catalog *catalog, uint32_t folder, uint32_t uid)
{
    g_array_unref(catalog_remove_ranges(catalog, folder, &(MailUidRange){uid, uid}, 1));
}

static bool has_name(Catalog *catalog, uint32_t folder, uint32_t uid, const char *name)
{
    g_autofree char *given = catalog_given_name(catalog, folder, uid);
    return g_strcmp0(given, name) == 0;
}

static void flush(Catalog *catalog)
{
    while (!catalog_flush(catalog))
        ;
}

static void test_kept(void **state)
{
    Catalog *catalog = catalog_open(*state);
    uint32_t a = open_folder(catalog, "a"), b = open_folder(catalog, "b");
    CatalogMessage message;
    for (uint32_t uid = 1; uid <= 3; uid++) {
        put(catalog, a, uid);
        put(catalog, b, uid);
    }
    assert_true(catalog_message(catalog, a, 1, &message));
    assert_false(message.named);
    give(catalog, a, 1, "one");
    give(catalog, a, 2, "zwei \xff\n");
    give(catalog, b, 3, "one");
    assert_true(catalog_message(catalog, a, 3, &message));
    assert_true(message.named);
    assert_int_equal(catalog_given(catalog, a, "one"), 1);
    assert_int_equal(catalog_given(catalog, b, "one"), 3);
    assert_int_equal(catalog_given(catalog, a, "two"), 0);
    assert_int_equal(catalog_given(catalog, 9999, "one"), 0);
    put_state(catalog, a, 4);
    put_state(catalog, b, 4);
    catalog_close(catalog);

    catalog = catalog_open(*state);
    assert_int_equal(open_folder(catalog, "a"), a);
    assert_true(has_name(catalog, a, 1, "one"));
    assert_true(has_name(catalog, a, 2, "zwei \xff\n"));
    assert_true(has_name(catalog, a, 3, NULL));
    assert_int_equal(catalog_given(catalog, b, "one"), 3);
    give(catalog, a, 1, "another");
    give(catalog, a, 2, NULL);
    assert_int_equal(catalog_given(catalog, a, "one"), 0);
    catalog_close(catalog);

    catalog = catalog_open(*state);
    assert_true(has_name(catalog, a, 1, "another"));
    assert_true(has_name(catalog, a, 2, NULL));
    catalog_close(catalog);
    assert_int_equal(warnings, 0);
}

/* A name goes from one to the other, also on the disk. */
static void test_taken_over(void **state)
{
    for (int i = 0; i < 2; i++) {
        Catalog *catalog = catalog_open(*state);
        uint32_t a = open_folder(catalog, "a");
        if (i == 0) {
            give(catalog, a, 1, "x");
            give(catalog, a, 2, "x");
        }
        assert_int_equal(catalog_given(catalog, a, "x"), 2);
        assert_true(has_name(catalog, a, 1, NULL));
        catalog_close(catalog);
    }
}

/* It is free when the message is gone, though one may still ask what it was; and not only here. */
static void test_gone_with_its_message(void **state)
{
    Catalog *catalog = catalog_open(*state);
    uint32_t a = open_folder(catalog, "a");
    for (uint32_t uid = 1; uid <= 3; uid++)
        put(catalog, a, uid);
    give(catalog, a, 1, "one");
    give(catalog, a, 2, "two");
    give(catalog, a, 3, "three");
    put_state(catalog, a, 4);
    flush(catalog);
    remove_one(catalog, a, 1);
    g_array_unref(catalog_keep_only(catalog, a, (const uint32_t[]){3}, 1));
    assert_int_equal(catalog_given(catalog, a, "one"), 0);
    assert_true(has_name(catalog, a, 1, "one"));
    assert_true(has_name(catalog, a, 2, "two"));
    put(catalog, a, 4);
    give(catalog, a, 4, "one");
    assert_int_equal(catalog_given(catalog, a, "one"), 4);
    catalog_close(catalog);
    catalog = catalog_open(*state);
    assert_true(has_name(catalog, a, 1, NULL));
    assert_true(has_name(catalog, a, 2, NULL));
    assert_int_equal(catalog_given(catalog, a, "three"), 3);
    assert_int_equal(catalog_given(catalog, a, "one"), 4);
    uint32_t fresh = catalog_reset_folder(catalog, a, 2);
    assert_int_not_equal(fresh, a);
    assert_int_equal(catalog_given(catalog, fresh, "one"), 0);
    put(catalog, fresh, 4);
    flush(catalog);
    assert_true(has_name(catalog, fresh, 4, NULL));
    catalog_close(catalog);
}

/* A message that is yet to be listed keeps its name until one knows that it is not there. */
static void test_ahead_of_its_message(void **state)
{
    Catalog *catalog = catalog_open(*state);
    uint32_t a = open_folder(catalog, "a");
    put_state(catalog, a, 5);
    give(catalog, a, 6, "new");
    give(catalog, a, 7, "never");
    put_state(catalog, a, 6);
    assert_int_equal(catalog_given(catalog, a, "new"), 6);
    catalog_close(catalog);
    catalog = catalog_open(*state);
    assert_int_equal(catalog_given(catalog, a, "never"), 7);
    put(catalog, a, 6);
    put_state(catalog, a, 8);
    assert_int_equal(catalog_given(catalog, a, "new"), 6);
    assert_int_equal(catalog_given(catalog, a, "never"), 0);
    catalog_close(catalog);
    catalog = catalog_open(*state);
    assert_int_equal(catalog_given(catalog, a, "new"), 6);
    assert_true(has_name(catalog, a, 7, NULL));
    catalog_close(catalog);
}

/* Names stay with a folder whose messages are listed anew. */
static void test_distrusted(void **state)
{
    Catalog *catalog = catalog_open(*state);
    uint32_t a = open_folder(catalog, "a");
    put(catalog, a, 1);
    put(catalog, a, 2);
    give(catalog, a, 1, "one");
    give(catalog, a, 2, "two");
    put_state(catalog, a, 3);
    catalog_close(catalog);
    DatabaseState result;
    g_autofree char *why = NULL;
    Database *database = database_open(&index_kind, *state, &result, &why);
    assert_int_equal(database_run(database, "UPDATE message SET date = 9"), DATABASE_OK);
    database_close(database);
    catalog = catalog_open(*state);
    CatalogMessage message;
    assert_false(catalog_message(catalog, a, 1, &message));
    put(catalog, a, 1);
    put_state(catalog, a, 3);
    assert_int_equal(catalog_given(catalog, a, "one"), 1);
    assert_int_equal(catalog_given(catalog, a, "two"), 0);
    catalog_close(catalog);
}

/* Two that have the same cache keep each other's names. */
static void test_two_catalogs(void **state)
{
    Catalog *one = catalog_open(*state);
    uint32_t a = open_folder(one, "a");
    put(one, a, 1);
    put(one, a, 2);
    put_state(one, a, 3);
    flush(one);
    Catalog *other = catalog_open(*state);
    give(one, a, 1, "of one");
    give(other, a, 2, "of the other");
    remove_one(other, a, 1000);
    put(other, a, 3);
    put_state(other, a, 4);
    flush(other);
    catalog_close(one);
    catalog_close(other);
    one = catalog_open(*state);
    assert_int_equal(catalog_given(one, a, "of one"), 1);
    assert_int_equal(catalog_given(one, a, "of the other"), 2);
    catalog_close(one);
}

static void test_memory_alone(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL, no_folder = NULL;
    Catalog *catalog = catalog_open(NULL);
    uint32_t a = open_folder(catalog, "a");
    put(catalog, a, 1);
    assert_false(catalog_give_name(catalog, a, 1, "one", &error));
    assert_int_equal(mail_errno(error), ENOSPC);
    assert_int_equal(catalog_given(catalog, a, "one"), 1);
    assert_false(catalog_give_name(catalog, a + 1, 1, "one", &no_folder));
    assert_int_equal(mail_errno(no_folder), ESTALE);
    catalog_close(catalog);
}

/* The index was moved aside while the catalog was open: the names are written to the new one. */
static void test_index_is_emptied(void **state)
{
    Catalog *catalog = catalog_open(*state);
    uint32_t a = open_folder(catalog, "a");
    put(catalog, a, 1);
    put(catalog, a, 2);
    give(catalog, a, 1, "one");
    put_state(catalog, a, 3);
    flush(catalog);
    g_autofree char *path = g_build_filename(*state, "index.db", NULL);
    assert_int_equal(g_unlink(path), 0);
    give(catalog, a, 2, "two");
    flush(catalog);
    catalog_close(catalog);
    catalog = catalog_open(*state);
    assert_int_equal(open_folder(catalog, "a"), a);
    assert_int_equal(catalog_given(catalog, a, "one"), 1);
    assert_int_equal(catalog_given(catalog, a, "two"), 2);
    catalog_close(catalog);
}

/* What was kept by a program that knew no such names, or no marks, is still there. */
static void test_older_index(void **state)
{
    static const char *const older[] = {
        ("DROP TABLE given; DROP TABLE mark; DROP TABLE move; DROP TABLE flags;"
         "PRAGMA user_version = 2"),
        "DROP TABLE mark; DROP TABLE move; DROP TABLE flags; PRAGMA user_version = 3",
        "DROP TABLE move; DROP TABLE flags; PRAGMA user_version = 4",
        "DROP TABLE flags; PRAGMA user_version = 5"};
    Catalog *catalog = catalog_open(*state);
    uint32_t a = open_folder(catalog, "a");
    put(catalog, a, 1);
    put_state(catalog, a, 2);
    catalog_close(catalog);
    for (size_t i = 0; i < G_N_ELEMENTS(older); i++) {
        DatabaseState result;
        g_autofree char *why = NULL;
        Database *database = database_open(&index_kind, *state, &result, &why);
        assert_int_equal(database_run(database, older[i]), DATABASE_OK);
        database_close(database);
        catalog = catalog_open(*state);
        CatalogMessage message;
        assert_true(catalog_message(catalog, a, 1, &message));
        give(catalog, a, 1, "one");
        catalog_close(catalog);
        catalog = catalog_open(*state);
        assert_int_equal(catalog_given(catalog, a, "one"), 1);
        catalog_close(catalog);
    }
    assert_int_equal(warnings, 0);
}

/* --- a process that ends, a disk that is full --------------------------------------------------
 */

static void test_killed(void **state)
{
    pid_t child = fork();
    if (child == 0) {
        Catalog *catalog = catalog_open(*state);
        uint32_t a = open_folder(catalog, "a");
        for (uint32_t uid = 1; uid <= 50; uid++) {
            g_autofree char *name = g_strdup_printf("name %u", uid);
            CHILD_CHECK(catalog_give_name(catalog, a, uid, name, NULL));
        }
        kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    Catalog *catalog = catalog_open(*state);
    uint32_t a = open_folder(catalog, "a");
    assert_int_equal(catalog_given(catalog, a, "name 1"), 1);
    assert_int_equal(catalog_given(catalog, a, "name 50"), 50);
    catalog_close(catalog);
}

static void set_file_limit(rlim_t limit)
{
    struct rlimit old;
    CHILD_CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
    old.rlim_cur = limit == RLIM_INFINITY ? old.rlim_max : limit;
    CHILD_CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
}

/* What could not be written holds meanwhile, and is written when it can be. */
static void test_full_disk(void **state)
{
    pid_t child = fork();
    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN);
        database_retry_seconds = 0;
        Catalog *catalog = catalog_open(*state);
        uint32_t a = open_folder(catalog, "a");
        put(catalog, a, 1);
        put_state(catalog, a, 2);
        flush(catalog);
        set_file_limit(1);
        g_autoptr(GError) error = NULL;
        CHILD_CHECK(!catalog_give_name(catalog, a, 1, "one", &error));
        CHILD_CHECK(mail_errno(error) == ENOSPC);
        CHILD_CHECK(catalog_given(catalog, a, "one") == 1);
        set_file_limit(RLIM_INFINITY);
        catalog_close(catalog);
        _exit(0);
    }
    assert_child_succeeds(child);
    Catalog *catalog = catalog_open(*state);
    assert_int_equal(catalog_given(catalog, open_folder(catalog, "a"), "one"), 1);
    catalog_close(catalog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_kept),
        TEST_IN_DIRECTORY(test_taken_over),
        TEST_IN_DIRECTORY(test_gone_with_its_message),
        TEST_IN_DIRECTORY(test_ahead_of_its_message),
        TEST_IN_DIRECTORY(test_distrusted),
        TEST_IN_DIRECTORY(test_two_catalogs),
        TEST_IN_DIRECTORY(test_memory_alone),
        TEST_IN_DIRECTORY(test_index_is_emptied),
        TEST_IN_DIRECTORY(test_older_index),
        TEST_IN_DIRECTORY(test_killed),
        TEST_IN_DIRECTORY(test_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
