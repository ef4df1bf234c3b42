/* What the catalog does in memory; test_catalog_disk.c has what gets to the disk. */
#include "cache_helpers.h"

#include "../../cache/catalog.h"

#define ALL (MAIL_HAS_SIZE | MAIL_HAS_DATE | MAIL_HAS_FLAGS)

static int setup(void **state)
{
    g_log_set_default_handler(count_warning, NULL);
    *state = catalog_open(NULL);
    return 0;
}

static int teardown(void **state)
{
    catalog_close(*state);
    return 0;
}

static uint32_t put_folder(Catalog *catalog, const char *name)
{
    return catalog_put_folder(catalog, &(MailFolderInfo){name, '/', 0});
}

static void put(Catalog *catalog, uint32_t folder, uint32_t uid, uint64_t size, const char *flags)
{
    const MailMessage message = {uid, ALL, size, 1000 + uid, flags, NULL};
    catalog_put_messages(catalog, folder, &message, 1);
}

static CatalogMessage get(Catalog *catalog, uint32_t folder, uint32_t uid)
{
    CatalogMessage message;
    assert_true(catalog_message(catalog, folder, uid, &message));
    assert_int_equal(message.uid, uid);
    return message;
}

static void assert_flags(Catalog *catalog, uint32_t folder, uint32_t uid, const char *expected)
{
    g_autofree char *flags = catalog_flags(catalog, get(catalog, folder, uid).flag_set);
    assert_string_equal(flags, expected);
}

static void test_folders(void **state)
{
    uint32_t inbox = put_folder(*state, "INBOX"), work = put_folder(*state, "Work");
    assert_int_not_equal(inbox, work);
    assert_int_equal(put_folder(*state, "INBOX"), inbox);
    catalog_put_folder(*state, &(MailFolderInfo){"Work", '.', MAIL_FOLDER_NOSELECT});

    g_auto(CatalogFolder) folder = {0};
    assert_true(catalog_folder(*state, work, &folder));
    assert_string_equal(folder.name, "Work");
    assert_int_equal(folder.delimiter, '.');
    assert_int_equal(folder.attributes, MAIL_FOLDER_NOSELECT);
    assert_false(folder.listed);

    g_autoptr(GArray) folders = catalog_folders(*state);
    assert_int_equal(folders->len, 2);
    assert_true(g_array_index(folders, CatalogFolder, 0).id <
                g_array_index(folders, CatalogFolder, 1).id);

    catalog_drop_folder(*state, inbox);
    catalog_drop_folder(*state, inbox);
    CatalogFolder none;
    assert_false(catalog_folder(*state, inbox, &none));
    assert_int_not_equal(put_folder(*state, "INBOX"), inbox);
}

static void test_messages(void **state)
{
    uint32_t folder = put_folder(*state, "INBOX");
    put(*state, folder, 7, 700, "\\Seen");
    put(*state, folder, 5, 500, "");
    put(*state, folder, 9, 900, "$x \\Seen");
    put(*state, folder, 0, 1, ""); /* no UID */
    put(*state, folder + 5, 1, 1, "");
    assert_int_equal(get(*state, folder, 5).size, 500);
    assert_int_equal(get(*state, folder, 5).date, 1005);
    assert_int_equal(get(*state, folder, 5).proof, 0);
    assert_flags(*state, folder, 9, "\\Seen $x");
    /* What is not told again stays. */
    catalog_put_messages(*state, folder, &(MailMessage){7, MAIL_HAS_FLAGS, 1, 1, "\\Flagged", NULL},
                         1);
    assert_int_equal(get(*state, folder, 7).size, 700);
    assert_int_equal(get(*state, folder, 7).date, 1007);
    assert_flags(*state, folder, 7, "\\Flagged");

    CatalogMessage copies[5];
    assert_int_equal(catalog_messages_after(*state, folder, 0, copies, 5), 3);
    assert_int_equal(copies[0].uid, 5);
    assert_int_equal(copies[2].uid, 9);
    assert_int_equal(catalog_messages_after(*state, folder, 5, copies, 1), 1);
    assert_int_equal(copies[0].uid, 7);
    assert_int_equal(catalog_messages_after(*state, folder, 9, copies, 5), 0);
    assert_int_equal(catalog_messages_after(*state, folder + 5, 0, copies, 5), 0);
    assert_false(catalog_message(*state, folder, 6, copies));

    uint64_t folders, messages, bytes;
    catalog_totals(*state, &folders, &messages, &bytes);
    assert_int_equal(folders, 1);
    assert_int_equal(messages, 3);
    assert_int_equal(bytes, 2100);
}

static void test_vanished(void **state)
{
    uint32_t folder = put_folder(*state, "INBOX");
    for (uint32_t uid = 1; uid <= 100; uid++)
        put(*state, folder, uid, uid, "");
    const MailUidRange ranges[] = {{50, 60}, {5, 5}, {55, 65}, {99, UINT32_MAX}, {9, 8}};
    g_autoptr(GArray) gone = catalog_remove_ranges(*state, folder, ranges, 5);
    assert_int_equal(gone->len, 11 + 1 + 5 + 2);
    const CatalogMessage *first = &g_array_index(gone, CatalogMessage, 0);
    assert_int_equal(first->uid, 50);
    assert_int_equal(first->date, 1050);
    CatalogMessage message;
    assert_false(catalog_message(*state, folder, 5, &message));
    assert_true(catalog_message(*state, folder, 66, &message));
    uint64_t folders, messages, bytes;
    catalog_totals(*state, &folders, &messages, &bytes);
    assert_int_equal(messages, 81);
    assert_int_equal(bytes, 5050 - (50 + 65) * 16 / 2 - 5 - 99 - 100);
}

static void test_present(void **state)
{
    uint32_t folder = put_folder(*state, "INBOX");
    for (uint32_t uid = 1; uid <= 10; uid++)
        put(*state, folder, uid, 1, "");
    const uint32_t present[] = {9, 2, 77, 4, 4}; /* a server's word: in no order */
    g_autoptr(GArray) gone = catalog_keep_only(*state, folder, present, 5);
    assert_int_equal(gone->len, 7);
    CatalogMessage copies[10];
    assert_int_equal(catalog_messages_after(*state, folder, 0, copies, 10), 3);
    assert_int_equal(copies[1].uid, 4);
    g_autoptr(GArray) rest = catalog_keep_only(*state, folder, NULL, 0);
    assert_int_equal(rest->len, 3);
    g_autoptr(GArray) none = catalog_keep_only(*state, folder + 1, NULL, 0);
    assert_int_equal(none->len, 0);
}

static void assert_record(Catalog *catalog, uint64_t right, uint64_t wrong)
{
    uint64_t is_right, is_wrong;
    catalog_size_record(catalog, &is_right, &is_wrong);
    assert_int_equal(is_right, right);
    assert_int_equal(is_wrong, wrong);
}

static void test_prove(void **state)
{
    uint32_t folder = put_folder(*state, "INBOX");
    put(*state, folder, 1, 100, "");
    put(*state, folder, 2, 200, "");
    catalog_put_messages(*state, folder, &(MailMessage){3, MAIL_HAS_DATE, 0, 5, NULL, NULL}, 1);
    catalog_put_header_length(*state, folder, 1, 40);
    assert_int_equal(get(*state, folder, 1).header_length, 40);
    assert_int_equal(get(*state, folder, 1).proof, 0);
    catalog_prove(*state, folder, 1, 0, 100, 0);
    catalog_prove(*state, folder, 1, 0, 100, 0);
    assert_record(*state, 1, 0);
    catalog_prove(*state, folder, 2, 50, 222, CATALOG_WHOLE_BODY);
    assert_record(*state, 1, 1);
    catalog_prove(*state, folder, 3, 50, 333, 0); /* no size was claimed */
    catalog_prove(*state, folder, 4, 50, 333, 0); /* no such message */
    assert_record(*state, 1, 1);
    CatalogMessage message = get(*state, folder, 1);
    assert_int_equal(message.header_length, 40);
    assert_int_equal(message.proof, CATALOG_SIZE_PROVED);
    message = get(*state, folder, 2);
    assert_int_equal(message.size, 222);
    assert_int_equal(message.header_length, 50);
    assert_int_equal(message.proof, CATALOG_SIZE_PROVED | CATALOG_WHOLE_BODY);
    /* What was proved is not claimed away. */
    put(*state, folder, 2, 200, "");
    assert_int_equal(get(*state, folder, 2).size, 222);
}

static void test_state(void **state)
{
    uint32_t folder = put_folder(*state, "INBOX");
    assert_int_equal(catalog_reset_folder(*state, folder, 7), folder);
    put(*state, folder, 1, 1, "");
    catalog_put_state(*state, folder, &(MailFolderState){7, 2, 9, 1234, false});
    g_auto(CatalogFolder) copy = {0};
    assert_true(catalog_folder(*state, folder, &copy));
    assert_true(copy.listed);
    assert_int_equal(copy.state.uidnext, 2);
    assert_int_equal(copy.state.modseq, 9);
    assert_int_equal(copy.state.count, 1);
}

static void test_renewed(void **state)
{
    uint32_t folder = put_folder(*state, "INBOX");
    catalog_reset_folder(*state, folder, 7);
    put(*state, folder, 1, 1, "");
    catalog_put_state(*state, folder, &(MailFolderState){7, 2, 9, 1, false});
    uint32_t fresh = catalog_renew_folder(*state, folder);
    assert_int_not_equal(fresh, folder);
    CatalogFolder none;
    assert_false(catalog_folder(*state, folder, &none));
    g_auto(CatalogFolder) copy = {0};
    assert_true(catalog_folder(*state, fresh, &copy));
    assert_string_equal(copy.name, "INBOX");
    assert_int_equal(copy.state.uidvalidity, 7);
    assert_int_equal(copy.state.uidnext, 0);
    assert_int_equal(copy.state.modseq, 0);
    assert_int_equal(copy.state.count, 0);
    assert_false(copy.listed);
    assert_int_equal(catalog_renew_folder(*state, folder), folder);
}

static void test_reset_gives_a_new_id(void **state)
{
    uint32_t folder = put_folder(*state, "INBOX");
    catalog_reset_folder(*state, folder, 7);
    put(*state, folder, 1, 1, "");
    catalog_put_state(*state, folder, &(MailFolderState){7, 2, 9, 1, false});
    assert_int_equal(catalog_reset_folder(*state, folder, 7), folder);
    assert_int_equal(catalog_reset_folder(*state, folder, 0), folder);
    get(*state, folder, 1);
    uint32_t fresh = catalog_reset_folder(*state, folder, 8);
    assert_int_not_equal(fresh, folder);
    CatalogFolder none;
    assert_false(catalog_folder(*state, folder, &none));
    g_auto(CatalogFolder) copy = {0};
    assert_true(catalog_folder(*state, fresh, &copy));
    assert_string_equal(copy.name, "INBOX");
    assert_int_equal(copy.state.uidvalidity, 8);
    assert_int_equal(copy.state.uidnext, 0);
    assert_int_equal(copy.state.count, 0);
    assert_false(copy.listed);
    assert_int_equal(put_folder(*state, "INBOX"), fresh);
}

static void test_memory_alone_has_temporary_ids(void **state)
{
    assert_in_range(put_folder(*state, "a"), CATALOG_TEMPORARY, (1u << 27) - 1);
    assert_true(catalog_flush(*state));
}

static void assert_name(Catalog *catalog, uint32_t id, const char *expected)
{
    g_auto(CatalogFolder) folder = {0};
    assert_true(catalog_folder(catalog, id, &folder));
    assert_string_equal(folder.name, expected);
}

/* Its children go along, and not those whose names only begin alike. */
static void test_rename(void **state)
{
    static const char *const names[][2] = {{"a", "x/y"}, {"a/b", "x/y/b"}, {"a/b/c", "x/y/b/c"},
                                           {"ab", "ab"}, {"a.b", "a.b"},   {"z/a", "z/a"}};
    uint32_t ids[G_N_ELEMENTS(names)];
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        ids[i] = put_folder(*state, names[i][0]);
    put(*state, ids[1], 7, 700, "\\Seen");
    catalog_rename_folder(*state, ids[0], "x/y");
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        assert_name(*state, ids[i], names[i][1]);
        assert_int_equal(put_folder(*state, names[i][1]), ids[i]);
    }
    assert_int_equal(get(*state, ids[1], 7).size, 700);
    assert_int_not_equal(put_folder(*state, "a"), ids[0]);
    catalog_rename_folder(*state, 12345, "nothing");
}

/* Another one that was known under a new name is no more, nor is what it held. */
static void test_rename_onto_what_was_known(void **state)
{
    uint32_t folder = put_folder(*state, "a"), below = put_folder(*state, "a/b");
    uint32_t other = put_folder(*state, "x"), other_below = put_folder(*state, "x/b");
    CatalogFolder none;
    put(*state, other, 1, 100, "");
    put(*state, folder, 2, 200, "");
    catalog_rename_folder(*state, folder, "x");
    assert_name(*state, folder, "x");
    assert_name(*state, below, "x/b");
    assert_false(catalog_folder(*state, other, &none));
    assert_false(catalog_folder(*state, other_below, &none));
    CatalogMessage message;
    assert_false(catalog_message(*state, folder, 1, &message));
    assert_int_equal(get(*state, folder, 2).size, 200);
    catalog_rename_folder(*state, folder, "x");
    assert_name(*state, folder, "x");
}

/* "a" is the whole name of what has no delimiter. */
static void test_rename_without_delimiter(void **state)
{
    uint32_t flat = catalog_put_folder(*state, &(MailFolderInfo){"a", 0, 0});
    uint32_t alike = put_folder(*state, "a/b");
    catalog_rename_folder(*state, flat, "x");
    assert_name(*state, flat, "x");
    assert_name(*state, alike, "a/b");
}

/* Readers while the engine thread changes everything; a message is always seen whole. */
typedef struct {
    Catalog *catalog;
    uint32_t folder;
    int stop; /* atomic */
} Race;

static gpointer read_all_the_time(gpointer data)
{
    Race *race = data;
    CatalogMessage copies[100];
    uint64_t wrong = 0;
    while (!g_atomic_int_get(&race->stop)) {
        uint32_t after = 0;
        size_t n;
        while ((n = catalog_messages_after(race->catalog, race->folder, after, copies, 100)) > 0) {
            for (size_t i = 0; i < n; i++) {
                wrong += copies[i].uid <= after || copies[i].date != 1000 + copies[i].uid;
                after = copies[i].uid;
            }
            g_autofree char *flags = catalog_flags(race->catalog, copies[0].flag_set);
            wrong += flags[0] != 0 && flags[0] != 'k';
        }
        g_autoptr(GArray) folders = catalog_folders(race->catalog);
        wrong += folders->len != 1;
    }
    return GSIZE_TO_POINTER((gsize)wrong);
}

static void test_readers_meanwhile(void **state)
{
    Race race = {*state, put_folder(*state, "INBOX"), 0};
    GThread *threads[3];
    for (int i = 0; i < 3; i++)
        threads[i] = g_thread_new("reader", read_all_the_time, &race);
    uint64_t seed = 5;
    for (int i = 0; i < 3000; i++) {
        char flags[16];
        snprintf(flags, sizeof flags, "k%d", i);
        put(*state, race.folder, 1 + next_random(&seed) % 5000, 5, flags);
        catalog_prove(*state, race.folder, 1 + next_random(&seed) % 5000, 1, 6, 0);
        uint32_t first = next_random(&seed) % 5000;
        const MailUidRange range = {first, first + 20};
        g_array_unref(catalog_remove_ranges(*state, race.folder, &range, 1));
    }
    g_atomic_int_set(&race.stop, 1);
    for (int i = 0; i < 3; i++)
        assert_ptr_equal(g_thread_join(threads[i]), NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_folders, setup, teardown),
        cmocka_unit_test_setup_teardown(test_messages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_vanished, setup, teardown),
        cmocka_unit_test_setup_teardown(test_present, setup, teardown),
        cmocka_unit_test_setup_teardown(test_prove, setup, teardown),
        cmocka_unit_test_setup_teardown(test_state, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reset_gives_a_new_id, setup, teardown),
        cmocka_unit_test_setup_teardown(test_renewed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory_alone_has_temporary_ids, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rename, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rename_onto_what_was_known, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rename_without_delimiter, setup, teardown),
        cmocka_unit_test_setup_teardown(test_readers_meanwhile, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
