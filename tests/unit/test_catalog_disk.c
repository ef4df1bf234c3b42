/* What of the catalog gets to the disk and back, also where two have it. */
#include "catalog_bed.h"

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
