/* Unique names and the UIDs that stand for them, whatever happens to the index. */
#include "cache_helpers.h"

#include "../../cache/catalog.h"
#include "../../cache/database.h"

#include <sys/resource.h>

#define VALIDITY 1
#define SPARE (UINT32_C(3) << 30)

static uint32_t open_inbox(Catalog *catalog)
{
    uint32_t folder = catalog_put_folder(catalog, &(MailFolderInfo){"INBOX", 0, 0});
    return catalog_reset_folder(catalog, folder, VALIDITY);
}

static void put(Catalog *catalog, uint32_t folder, uint32_t uid)
{
    const MailMessage message = {.uid = uid, .has = MAIL_HAS_SIZE, .size = 5};
    catalog_put_messages(catalog, folder, &message, 1);
}

static void assert_name(Catalog *catalog, uint32_t folder, uint32_t uid, const char *name,
                        unsigned expected)
{
    unsigned which = 99;
    g_autofree char *found = catalog_name(catalog, folder, uid, &which);
    assert_non_null(found);
    assert_string_equal(found, name);
    assert_int_equal(which, expected);
    assert_int_equal(catalog_named(catalog, folder, name, which), uid);
}

static int64_t date_of(Catalog *catalog, uint32_t folder, uint32_t uid)
{
    CatalogMessage message;
    assert_true(catalog_message(catalog, folder, uid, &message));
    return message.date;
}

static void flush(Catalog *catalog)
{
    while (!catalog_flush(catalog))
        ;
}

/* Name, UID and first sight are the same in the next life, also of a message that went and came. */
static void test_kept(void **state)
{
    Catalog *catalog = catalog_open(*state);
    uint32_t folder = open_inbox(catalog);
    unsigned which;
    int64_t now = g_get_real_time() / G_USEC_PER_SEC;
    assert_int_equal(catalog_named(catalog, folder, "b", 0), 0);
    assert_int_equal(catalog_identify(catalog, folder, "b", 0), 1);
    assert_int_equal(catalog_identify(catalog, folder, "a", 0), 2);
    assert_int_equal(catalog_identify(catalog, folder, "a", 1), 3);
    assert_int_equal(catalog_identify(catalog, folder, "b", 0), 1);
    put(catalog, folder, 1);
    put(catalog, folder, 3);
    assert_true(catalog_identified(catalog));
    int64_t date = date_of(catalog, folder, 3);
    assert_in_range(date, now, now + 100);
    g_array_unref(catalog_keep_only(catalog, folder, NULL, 0));
    catalog_close(catalog);

    catalog = catalog_open(*state);
    assert_int_equal(open_inbox(catalog), folder);
    assert_name(catalog, folder, 1, "b", 0);
    assert_name(catalog, folder, 3, "a", 1);
    g_usleep(1100000); /* another second */
    assert_int_equal(catalog_identify(catalog, folder, "a", 1), 3);
    assert_int_equal(catalog_identify(catalog, folder, "c", 0), 4);
    put(catalog, folder, 3);
    assert_true(catalog_identified(catalog));
    assert_int_equal(date_of(catalog, folder, 3), date);
    assert_null(catalog_name(catalog, folder, 5, &which));
    assert_null(catalog_name(catalog, folder + 1, 1, &which));
    catalog_close(catalog);
    assert_int_equal(warnings, 0);
}

/* What a server tells itself is its word. */
static void test_a_date_that_is_told(void **state)
{
    Catalog *catalog = catalog_open(*state);
    uint32_t folder = open_inbox(catalog), uid = catalog_identify(catalog, folder, "a", 0);
    const MailMessage message = {.uid = uid, .has = MAIL_HAS_DATE, .date = 77};
    catalog_put_messages(catalog, folder, &message, 1);
    assert_true(catalog_identified(catalog));
    assert_int_equal(date_of(catalog, folder, uid), 77);
    catalog_close(catalog);
}

/* Two that have the same cache agree on who is who. */
static void test_two_catalogs(void **state)
{
    Catalog *one = catalog_open(*state), *other = catalog_open(*state);
    uint32_t folder = open_inbox(one);
    assert_int_equal(open_inbox(other), folder);
    assert_int_equal(catalog_identify(one, folder, "a", 0), 1);
    assert_true(catalog_identified(one));
    assert_int_equal(catalog_identify(other, folder, "b", 0), 2);
    assert_int_equal(catalog_identify(other, folder, "a", 0), 1);
    assert_true(catalog_identified(other));
    assert_int_equal(catalog_identify(one, folder, "b", 0), 2);
    assert_true(catalog_identified(one));
    catalog_close(one);
    catalog_close(other);
}

/* A server that gives its message another name in each session: the old ones don't pile up, and no
 * UID is given twice. */
static void test_always_other_names(void **state)
{
    Catalog *catalog = catalog_open(*state);
    uint32_t folder = open_inbox(catalog), first = catalog_identify(catalog, folder, "stays", 0);
    uint32_t last = 0;
    put(catalog, folder, first);
    for (int session = 0; session < 60; session++) {
        for (int i = 0; i < 1000; i++) {
            g_autofree char *name = g_strdup_printf("%d-%d", session, i);
            uint32_t uid = catalog_identify(catalog, folder, name, 0);
            assert_true(uid > last);
            last = uid;
        }
        assert_true(catalog_identified(catalog));
    }
    assert_int_equal(catalog_named(catalog, folder, "0-0", 0), 0);
    assert_int_equal(catalog_named(catalog, folder, "59-999", 0), last);
    assert_int_equal(catalog_named(catalog, folder, "stays", 0), first);
    catalog_close(catalog);
    catalog = catalog_open(*state);
    assert_int_equal(open_inbox(catalog), folder);
    unsigned kept = 0;
    for (int session = 0; session < 60; session++)
        for (int i = 0; i < 1000; i++) {
            g_autofree char *name = g_strdup_printf("%d-%d", session, i);
            kept += catalog_named(catalog, folder, name, 0) != 0;
        }
    assert_in_range(kept, 10000, 21000);
    assert_int_equal(catalog_named(catalog, folder, "stays", 0), first);
    assert_true(catalog_identify(catalog, folder, "new", 0) > last);
    assert_true(catalog_identified(catalog));
    catalog_close(catalog);
}

/* A folder that is known to this mount alone has names all the same. */
static void test_memory_alone(void **state)
{
    Catalog *catalog = catalog_open(NULL);
    uint32_t folder = open_inbox(catalog);
    (void)state;
    uint32_t a = catalog_identify(catalog, folder, "a", 0);
    uint32_t b = catalog_identify(catalog, folder, "b", 0);
    assert_true(catalog_identified(catalog));
    assert_true(a >= SPARE && b >= SPARE && a != b);
    assert_name(catalog, folder, a, "a", 0);
    assert_name(catalog, folder, b, "b", 0);
    catalog_close(catalog);
}

/* The index was moved aside while the catalog was open: the names are written to the new one. */
static void test_index_is_emptied(void **state)
{
    Catalog *catalog = catalog_open(*state);
    uint32_t folder = open_inbox(catalog);
    assert_int_equal(catalog_identify(catalog, folder, "a", 0), 1);
    put(catalog, folder, 1);
    assert_true(catalog_identified(catalog));
    flush(catalog);
    g_autofree char *path = g_build_filename(*state, "index.db", NULL);
    assert_int_equal(g_unlink(path), 0);
    assert_int_equal(catalog_identify(catalog, folder, "b", 0), 1 + 1);
    assert_true(catalog_identified(catalog));
    flush(catalog);
    catalog_close(catalog);
    catalog = catalog_open(*state);
    assert_int_equal(open_inbox(catalog), folder);
    assert_int_equal(catalog_named(catalog, folder, "a", 0), 1);
    assert_int_equal(catalog_named(catalog, folder, "b", 0), 2);
    catalog_close(catalog);
}

/* --- a full disk, as far as this process can tell ----------------------------------------------
 */

static void set_file_limit(rlim_t limit)
{
    struct rlimit old;
    CHILD_CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
    old.rlim_cur = limit == RLIM_INFINITY ? old.rlim_max : limit;
    CHILD_CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
}

static uint32_t identify_many(Catalog *catalog, uint32_t folder)
{
    uint32_t last = 0;
    for (unsigned i = 0; i < 2000; i++) {
        g_autofree char *name = g_strdup_printf("%060u", i);
        last = catalog_identify(catalog, folder, name, 0);
        CHILD_CHECK(last);
    }
    return last;
}

static void fill_disk(const char *directory)
{
    static const char last_name[] = "000000000000000000000000000000000000000000000000000000001999";
    signal(SIGXFSZ, SIG_IGN);
    database_retry_seconds = 0;
    Catalog *catalog = catalog_open(directory);
    uint32_t folder = open_inbox(catalog);
    uint32_t old = catalog_identify(catalog, folder, "old", 0);
    CHILD_CHECK(catalog_identified(catalog));
    set_file_limit(50000);
    identify_many(catalog, folder);
    CHILD_CHECK(!catalog_identified(catalog));
    CHILD_CHECK(catalog_named(catalog, folder, last_name, 0) == 0);
    CHILD_CHECK(catalog_named(catalog, folder, "old", 0) == old);
    database_retry_seconds = 3600;
    catalog_identify(catalog, folder, "x", 0);
    catalog_identified(catalog); /* the trouble may show here alone */
    uint32_t spare = identify_many(catalog, folder);
    CHILD_CHECK(catalog_identified(catalog));
    CHILD_CHECK(spare >= SPARE);
    CHILD_CHECK(catalog_named(catalog, folder, last_name, 0) == spare);
    catalog_close(catalog);
    set_file_limit(RLIM_INFINITY);
    _exit(0);
}

/* UIDs that did not get to the index hold no longer; those from the spare ones do. */
static void test_full_disk(void **state)
{
    pid_t child = fork();
    if (child == 0)
        fill_disk(*state);
    assert_child_succeeds(child);
    Catalog *catalog = catalog_open(*state);
    uint32_t folder = open_inbox(catalog);
    assert_name(catalog, folder, 1, "old", 0);
    assert_int_equal(catalog_identify(catalog, folder, "new", 0), 2);
    assert_true(catalog_identified(catalog));
    catalog_close(catalog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_kept),
        TEST_IN_DIRECTORY(test_a_date_that_is_told),
        TEST_IN_DIRECTORY(test_two_catalogs),
        TEST_IN_DIRECTORY(test_memory_alone),
        TEST_IN_DIRECTORY(test_full_disk),
        TEST_IN_DIRECTORY(test_always_other_names),
        TEST_IN_DIRECTORY(test_index_is_emptied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
