#include "cache_helpers.h"

#include "../../cache/index.h"

static Index *open_index(const char *directory)
{
    Index *index = index_open(directory);
    assert_non_null(index);
    assert_true(index_usable(index));
    return index;
}

static uint32_t claim(Index *index, const char *name, uint32_t uidvalidity, bool found)
{
    const MailFolderInfo info = {name, '/', 0};
    IndexClaim result;
    assert_true(index_claim_folder(index, &info, uidvalidity, &result));
    assert_int_equal(result.found, found);
    assert_in_range(result.id, 1, CATALOG_TEMPORARY - 1);
    return result.id;
}

/* What index_load tells, as text: comparable at a glance. */
static void tell_folder(gpointer data, CatalogFolder *copy, IndexSum sum)
{
    g_string_append_printf(data, "folder %s %c %u %u %u %u %d %u %u\n", copy->name, copy->delimiter,
                           copy->attributes, copy->state.uidvalidity, copy->state.uidnext,
                           (unsigned)copy->state.modseq, copy->listed, sum.count,
                           (unsigned)sum.checksum);
    catalog_folder_clear(copy);
}

static void tell_flag_set(gpointer data, int64_t stored, const char *text)
{
    g_string_append_printf(data, "flags %d %s\n", (int)stored, text);
}

static void tell_identity(gpointer data, uint32_t folder, const Identity *identity)
{
    (void)folder;
    g_string_append_printf(data, "name %u %s %u %d%s\n", identity->uid, identity->name,
                           identity->which, (int)identity->seen, identity->stored ? "" : "?");
}

static void tell_given(gpointer data, uint32_t folder, uint32_t uid, const char *name)
{
    g_string_append_printf(data, "given %s %u %s\n", folder ? "in" : "nowhere", uid, name);
}

static void tell_message(gpointer data, uint32_t folder, const Row *row, int64_t flag_set)
{
    (void)folder;
    g_string_append_printf(data, "message %u %u %u %u %d %u\n", row->uid, (unsigned)row->size,
                           (unsigned)row->date, row->header_length, (int)flag_set, row->proof);
}

static void assert_told(Index *index, uint32_t only, const char *expected)
{
    static const IndexSink sink = {tell_folder, tell_flag_set, tell_identity, tell_given,
                                   tell_message};
    g_autoptr(GString) told = g_string_new(NULL);
    assert_int_equal(index_load(index, only, &sink, told), DATABASE_OK);
    assert_string_equal(told->str, expected);
}

static void put_folder(Index *index, uint32_t id, const char *name, uint32_t uidnext)
{
    g_autofree char *copy = g_strdup(name);
    const CatalogFolder folder = {.id = id,
                                  .name = copy,
                                  .delimiter = '/',
                                  .attributes = 4,
                                  .listed = true,
                                  .state = {7, uidnext, 99, 0, false}};
    assert_true(index_put_folder(index, &folder, (IndexSum){2, 1234}, false));
}

static void put_row(Index *index, uint32_t folder, uint32_t uid, uint8_t change, int64_t flags)
{
    const Row row = {.uid = uid,
                     .header_length = 5,
                     .size = 100,
                     .date = 1000 + uid,
                     .proof = 1,
                     .change = change};
    index_put_message(index, folder, &row, flags);
}

static void test_round_trip(void **state)
{
    Index *index = open_index(*state);
    uint32_t id = claim(index, "INBOX", 7, false);
    uint32_t other = claim(index, "A\xff/B", 0, false);
    assert_int_not_equal(id, other);
    assert_true(index_begin(index));
    int64_t flags = index_put_flag_set(index, "\\Seen x");
    assert_int_equal(index_put_flag_set(index, "\\Seen x"), flags);
    put_row(index, id, 2, ROW_NEW, flags);
    put_row(index, id, 1, ROW_NEW, flags);
    put_row(index, other, 3, ROW_NEW, flags);
    put_folder(index, id, "INBOX", 3);
    index_add_sizes(index, 3, 1);
    assert_true(index_commit(index));
    index_close(index);

    index = open_index(*state);
    assert_told(index, 0,
                "folder INBOX / 4 7 3 99 1 2 1234\nfolder A\xff/B / 0 0 0 0 0 0 0\n"
                "flags 1 \\Seen x\n"
                "message 1 100 1001 5 1 1\nmessage 2 100 1002 5 1 1\nmessage 3 100 1003 5 1 1\n");
    assert_told(index, other,
                "folder A\xff/B / 0 0 0 0 0 0 0\nflags 1 \\Seen x\nmessage 3 100 1003 5 1 1\n");
    uint64_t right, wrong;
    assert_true(index_begin(index));
    index_add_sizes(index, 1, 1);
    assert_true(index_commit(index));
    index_load_sizes(index, &right, &wrong);
    assert_int_equal(right, 4);
    assert_int_equal(wrong, 2);
    index_close(index);
    assert_int_equal(warnings, 0);
}

static void test_deletions(void **state)
{
    Index *index = open_index(*state);
    uint32_t id = claim(index, "a", 7, false), other = claim(index, "b", 7, false);
    assert_true(index_begin(index));
    for (uint32_t uid = 1; uid <= 3; uid++) {
        put_row(index, id, uid, ROW_NEW, 0);
        put_row(index, other, uid, ROW_NEW, 0);
    }
    index_delete_message(index, id, 2);
    index_clear_messages(index, other);
    put_row(index, other, 2, ROW_CHANGED, 0); /* gone by now: stays so */
    assert_true(index_commit(index));
    assert_told(index, id,
                "folder a / 0 7 0 0 0 0 0\nmessage 1 100 1001 5 0 1\nmessage 3 100 1003 5 0 1\n");
    assert_told(index, other, "folder b / 0 7 0 0 0 0 0\n");
    assert_true(index_begin(index));
    index_delete_folder(index, id);
    assert_true(index_commit(index));
    assert_told(index, 0, "folder b / 0 7 0 0 0 0 0\n");
    /* No id is given twice. */
    assert_true(claim(index, "a", 7, false) > other);
    index_close(index);
}

static void test_two_agree_on_ids(void **state)
{
    Index *one = open_index(*state), *other = open_index(*state);
    uint32_t id = claim(one, "x", 0, false);
    assert_int_equal(claim(other, "x", 0, true), id);
    /* The UIDVALIDITY gets known. */
    assert_int_equal(claim(one, "x", 7, true), id);
    assert_int_equal(claim(other, "x", 7, true), id);
    /* It changes, and both find out, one after the other. */
    uint32_t changed = claim(one, "x", 8, false);
    assert_int_not_equal(changed, id);
    assert_int_equal(claim(other, "x", 8, true), changed);
    assert_int_equal(claim(one, "x", 0, true), changed);
    /* One that has not noticed can't write the old state. */
    g_autofree char *name = g_strdup("x");
    const CatalogFolder old = {.id = id, .name = name, .state = {7, 5, 5, 0, false}};
    const CatalogFolder other_name = {.id = changed, .name = name, .state = {9, 5, 5, 0, false}};
    assert_true(index_begin(other));
    assert_false(index_put_folder(other, &old, (IndexSum){0, 0}, false));
    assert_false(index_put_folder(other, &old, (IndexSum){0, 0}, true));
    assert_false(index_put_folder(other, &other_name, (IndexSum){0, 0}, false));
    assert_true(index_commit(other));
    assert_told(one, 0, "folder x / 0 8 0 0 0 0 0\n");
    index_close(one);
    index_close(other);
}

static void test_failed_transaction_leaves_nothing(void **state)
{
    Index *index = open_index(*state), *other = open_index(*state);
    uint32_t id = claim(index, "x", 7, false);
    assert_true(index_begin(index));
    put_row(index, id, 1, ROW_NEW, 0);
    index_close(index); /* as a crash would */
    assert_told(other, id, "folder x / 0 7 0 0 0 0 0\n");
    index_close(other);
}

static void test_emptied_by_another(void **state)
{
    Index *index = open_index(*state);
    uint32_t id = claim(index, "x", 7, false);
    g_autofree char *path = g_build_filename(*state, "index.db", NULL);
    g_autofree char *log = g_strconcat(path, "-wal", NULL);
    assert_int_equal(g_unlink(log), 0);
    assert_int_equal(g_unlink(path), 0);
    Index *other = open_index(*state);
    assert_true(index_usable(index));
    assert_true(index_was_emptied(index));
    assert_false(index_was_emptied(index));
    assert_told(index, 0, "");
    /* Ids of a lost index are not given again. */
    assert_int_not_equal(claim(other, "y", 1, false), id);
    index_close(index);
    index_close(other);
}

static void test_damaged_later(void **state)
{
    Index *index = open_index(*state);
    uint32_t id = claim(index, "x", 7, false);
    assert_true(index_begin(index));
    for (uint32_t uid = 1; uid <= 20000; uid++)
        put_row(index, id, uid, ROW_NEW, 0);
    assert_true(index_commit(index));
    index_close(index);
    /* Every page but the first is garbage. */
    g_autofree char *path = g_build_filename(*state, "index.db", NULL);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, 4096, SEEK_SET);
    for (int i = 0; i < 60 * 4096; i++)
        fputc(byte_of(1, 1, (uint64_t)i), file);
    fclose(file);
    index = open_index(*state);
    static const IndexSink sink = {tell_folder, tell_flag_set, tell_identity, tell_given,
                                   tell_message};
    g_autoptr(GString) told = g_string_new(NULL);
    assert_int_equal(index_load(index, 0, &sink, told), DATABASE_DAMAGED);
    assert_true(index_usable(index));
    claim(index, "x", 7, false);
    assert_int_equal(warnings, 1);
    assert_in_range(count_names(*state, "index.db.damaged-"), 1, 2); /* with its log */
    index_close(index);
}

static uint32_t identify(Index *index, uint32_t id, const char *name, unsigned which, int64_t seen)
{
    Identity identity = {.name = (char *)name, .which = which, .seen = seen};
    return index_identify(index, id, 1000, &identity) ? identity.uid : 0;
}

/* Names get UIDs one after the other, and keep them and their first sight; also those that are
 * given by another connection. */
static void test_names(void **state)
{
    Index *index = open_index(*state), *other = open_index(*state);
    uint32_t id = claim(index, "INBOX", 1, false), second = claim(index, "x", 1, false);
    Identity known = {.name = (char *)"b", .seen = 99};
    assert_true(index_begin(index));
    assert_int_equal(identify(index, id, "b", 0, 10), 1);
    assert_int_equal(identify(index, id, "a", 0, 11), 2);
    assert_int_equal(identify(index, id, "a", 1, 12), 3);
    assert_int_equal(identify(index, second, "a", 0, 13), 1);
    assert_true(index_commit(index));
    assert_true(index_begin(other));
    assert_int_equal(identify(other, id, "a", 1, 20), 3);
    assert_int_equal(identify(other, id, "c", 0, 21), 4);
    assert_true(index_identify(other, id, 1000, &known));
    assert_int_equal(known.seen, 10);
    assert_true(index_commit(other));
    assert_told(index, id,
                "folder INBOX / 0 1 0 0 0 0 0\n"
                "name 1 b 0 10\nname 2 a 0 11\nname 3 a 1 12\nname 4 c 0 21\n");
    assert_true(index_begin(index));
    index_delete_folder(index, id);
    assert_true(index_commit(index));
    assert_told(index, id, "");
    assert_told(index, second, "folder x / 0 1 0 0 0 0 0\nname 1 a 0 13\n");
    index_close(other);
    index_close(index);
}

static void test_names_that_are_taken(void **state)
{
    Index *index = open_index(*state);
    uint32_t id = claim(index, "INBOX", 1, false);
    assert_true(index_begin(index));
    index_put_identity(index, id, &(Identity){.uid = 998, .name = (char *)"a", .seen = 1});
    index_put_identity(index, id, &(Identity){.uid = 998, .name = (char *)"b", .seen = 1});
    index_put_identity(index, id, &(Identity){.uid = 5, .name = (char *)"a", .seen = 1});
    index_put_identity(index, id, &(Identity){.uid = 2000, .name = (char *)"far", .seen = 1});
    assert_int_equal(identify(index, id, "c", 0, 2), 999);
    assert_int_equal(identify(index, id, "d", 0, 2), 0); /* no UID is left */
    assert_int_equal(identify(index, id, "a", 0, 2), 998);
    assert_true(index_commit(index));
    assert_told(index, id,
                "folder INBOX / 0 1 0 0 0 0 0\n"
                "name 998 a 0 1\nname 999 c 0 2\nname 2000 far 0 1\n");
    index_close(index);
}

/* One name is one message's; deleted with the folder, or by itself. */
static void test_given(void **state)
{
    Index *index = open_index(*state);
    uint32_t id = claim(index, "INBOX", 1, false), second = claim(index, "x", 1, false);
    assert_true(index_begin(index));
    index_put_given(index, id, 1, "a");
    index_put_given(index, id, 2, "a");
    index_put_given(index, id, 3, "b");
    index_put_given(index, id, 3, "c");
    index_put_given(index, id, 4, "d");
    index_put_given(index, second, 1, "a");
    index_delete_given(index, id, 4);
    index_delete_given(index, id, 5);
    assert_true(index_commit(index));
    assert_told(index, id, "folder INBOX / 0 1 0 0 0 0 0\ngiven in 2 a\ngiven in 3 c\n");
    assert_true(index_begin(index));
    index_delete_folder(index, id);
    assert_true(index_commit(index));
    assert_told(index, id, "");
    assert_told(index, second, "folder x / 0 1 0 0 0 0 0\ngiven in 1 a\n");
    index_close(index);
}

/* The log is carried over while the index is open, and not only at its end. */
static void test_log_is_carried_over(void **state)
{
    Index *index = open_index(*state);
    uint32_t id = claim(index, "x", 7, false);
    g_autofree char *path = g_build_filename(*state, "index.db", NULL);
    struct stat st;
    for (int i = 0; i < 60; i++) {
        assert_true(index_begin(index));
        for (int j = 0; j < 5000; j++) {
            Row row = {.uid = (uint32_t)(1 + i * 5000 + j), .change = ROW_NEW};
            index_put_message(index, id, &row, 0);
        }
        assert_true(index_commit(index));
    }
    for (int i = 0; i < 60000; i++) {
        assert_int_equal(stat(path, &st), 0);
        if (st.st_size > 1 << 20)
            break;
        g_usleep(1000);
    }
    assert_true(st.st_size > 1 << 20);
    index_close(index);
    assert_int_equal(warnings, 0);
}

static void test_no_directory(void **state)
{
    g_autofree char *absent = g_build_filename(*state, "absent", NULL);
    assert_null(index_open(absent));
    assert_int_equal(warnings, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_round_trip),
        TEST_IN_DIRECTORY(test_deletions),
        TEST_IN_DIRECTORY(test_two_agree_on_ids),
        TEST_IN_DIRECTORY(test_failed_transaction_leaves_nothing),
        TEST_IN_DIRECTORY(test_emptied_by_another),
        TEST_IN_DIRECTORY(test_damaged_later),
        TEST_IN_DIRECTORY(test_names),
        TEST_IN_DIRECTORY(test_names_that_are_taken),
        TEST_IN_DIRECTORY(test_given),
        TEST_IN_DIRECTORY(test_log_is_carried_over),
        TEST_IN_DIRECTORY(test_no_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
