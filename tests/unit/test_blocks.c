#include "cache_helpers.h"

#include "../../cache/blocks.h"

static Blocks *open_blocks(const char *directory)
{
    DatabaseState state;
    g_autofree char *why = NULL;
    Blocks *blocks = blocks_open(directory, &state, &why);
    assert_non_null(blocks);
    return blocks;
}

static void put(Blocks *blocks, uint32_t folder, uint32_t uid, uint32_t block, size_t length,
                int64_t used)
{
    g_autoptr(GBytes) bytes = bytes_of(folder, uid, (uint64_t)block << 16, length);
    blocks_put(blocks, (BlockKey){folder, uid, block}, bytes, used);
}

static void commit(Blocks *blocks)
{
    g_autofree char *why = NULL;
    assert_int_equal(blocks_commit(blocks, &why), DATABASE_OK);
}

static size_t length_of(Blocks *blocks, uint32_t folder, uint32_t uid, uint32_t block)
{
    bool damaged;
    size_t length = blocks_length(blocks, (BlockKey){folder, uid, block}, &damaged);
    assert_false(damaged);
    return length;
}

static BlockResult read_part(Blocks *blocks, BlockKey key, size_t offset, size_t length)
{
    g_autofree unsigned char *buffer = g_malloc0(length + 1);
    int64_t used;
    BlockResult result = blocks_read(blocks, key, offset, length, buffer, &used);
    if (result == BLOCK_HELD)
        assert_true(are_bytes_of(buffer, key.folder, key.uid, ((uint64_t)key.block << 16) + offset,
                                 length));
    return result;
}

static void test_put_and_read(void **state)
{
    Blocks *blocks = open_blocks(*state);
    assert_true(blocks_begin(blocks));
    put(blocks, 5, 6, 0, 65536, 100);
    put(blocks, 5, 6, 1, 1000, 100);
    put(blocks, 5, 6, BLOCKS_MOST - 1, 10, 100);
    put(blocks, UINT32_MAX, UINT32_MAX, 0, 1, 100);
    commit(blocks);
    Blocks *reader = blocks_connect(*state, blocks_file(blocks));
    assert_non_null(reader);
    assert_int_equal(read_part(reader, (BlockKey){5, 6, 0}, 0, 65536), BLOCK_HELD);
    assert_int_equal(read_part(reader, (BlockKey){5, 6, 0}, 65535, 1), BLOCK_HELD);
    assert_int_equal(read_part(reader, (BlockKey){5, 6, 1}, 100, 900), BLOCK_HELD);
    assert_int_equal(read_part(reader, (BlockKey){5, 6, 1}, 100, 901), BLOCK_NOT_HELD);
    assert_int_equal(read_part(reader, (BlockKey){5, 6, 1}, 1001, 0), BLOCK_NOT_HELD);
    assert_int_equal(read_part(reader, (BlockKey){5, 6, 1}, SIZE_MAX, 2), BLOCK_NOT_HELD);
    assert_int_equal(read_part(reader, (BlockKey){5, 6, 2}, 0, 1), BLOCK_NOT_HELD);
    assert_int_equal(read_part(reader, (BlockKey){5, 6, BLOCKS_MOST - 1}, 0, 10), BLOCK_HELD);
    assert_int_equal(read_part(reader, (BlockKey){UINT32_MAX, UINT32_MAX, 0}, 0, 1), BLOCK_HELD);
    assert_int_equal(length_of(reader, 5, 6, 1), 1000);
    assert_int_equal(length_of(reader, 5, 7, 1), 0);
    blocks_close(reader);
    blocks_close(blocks);
}

static void test_longer_replaces_shorter(void **state)
{
    Blocks *blocks = open_blocks(*state);
    const size_t lengths[] = {500, 200, 30000, 30000, 1};
    const size_t expected[] = {500, 500, 30000, 30000, 30000};
    for (int i = 0; i < 5; i++) {
        assert_true(blocks_begin(blocks));
        put(blocks, 1, 1, 0, lengths[i], 100);
        commit(blocks);
        assert_int_equal(length_of(blocks, 1, 1, 0), expected[i]);
        assert_int_equal(read_part(blocks, (BlockKey){1, 1, 0}, 0, expected[i]), BLOCK_HELD);
    }
    blocks_close(blocks);
}

static void test_delete(void **state)
{
    Blocks *blocks = open_blocks(*state);
    assert_true(blocks_begin(blocks));
    for (uint32_t folder = 1; folder <= 2; folder++)
        for (uint32_t uid = 1; uid <= 10; uid++)
            for (uint32_t block = 0; block < 3; block++)
                put(blocks, folder, uid, block, 5000, 100);
    unsigned budget = 5;
    assert_true(blocks_delete(blocks, (BlockKey){1, 1, 1}, &budget));
    assert_true(blocks_delete(blocks, (BlockKey){1, 2, BLOCK_ALL}, &budget));
    assert_true(blocks_delete(blocks, (BlockKey){1, 99, BLOCK_ALL}, &budget));
    assert_int_equal(budget, 2);
    assert_false(blocks_delete(blocks, (BlockKey){2, 0, BLOCK_ALL}, &budget));
    assert_int_equal(budget, 0);
    assert_false(blocks_delete(blocks, (BlockKey){1, 3, BLOCK_ALL}, &budget));
    commit(blocks);
    assert_int_equal(length_of(blocks, 1, 1, 0), 5000);
    assert_int_equal(length_of(blocks, 1, 1, 1), 0);
    assert_int_equal(length_of(blocks, 1, 2, 0), 0);
    assert_int_equal(length_of(blocks, 1, 2, 2), 0);
    assert_int_equal(length_of(blocks, 1, 3, 2), 5000);
    unsigned left = 0;
    for (uint32_t uid = 1; uid <= 10; uid++)
        left += length_of(blocks, 2, uid, 0) > 0;
    assert_int_equal(left, 8);
    budget = 8;
    assert_true(blocks_begin(blocks));
    assert_true(blocks_delete(blocks, (BlockKey){2, 0, BLOCK_ALL}, &budget));
    commit(blocks);
    assert_int_equal(length_of(blocks, 2, 10, 0), 0);
    assert_int_equal(length_of(blocks, 1, 10, 0), 5000);
    blocks_close(blocks);
}

static void test_least_used(void **state)
{
    Blocks *blocks = open_blocks(*state);
    assert_true(blocks_begin(blocks));
    put(blocks, 1, 1, 0, 10, 300);
    put(blocks, 1, 2, 0, 10, 100);
    put(blocks, 2, 3, 0, 10, 200);
    put(blocks, 2, 4, 0, 10, 50);
    blocks_touch(blocks, 2, 4, 400);
    blocks_touch(blocks, 1, 1, 10); /* never backwards */
    blocks_touch(blocks, 9, 9, 10);
    g_autoptr(GArray) messages = blocks_least_used(blocks, 3);
    assert_int_equal(messages->len, 3);
    const uint32_t order[] = {2, 3, 1};
    for (guint i = 0; i < 3; i++)
        assert_int_equal(g_array_index(messages, BlocksMessage, i).uid, order[i]);
    blocks_delete_message(blocks, g_array_index(messages, BlocksMessage, 0).id);
    commit(blocks);
    assert_int_equal(length_of(blocks, 1, 2, 0), 0);
    assert_int_equal(length_of(blocks, 2, 4, 0), 10);
    blocks_close(blocks);
}

static void test_space_is_given_back(void **state)
{
    Blocks *blocks = open_blocks(*state);
    assert_true(blocks_begin(blocks));
    for (uint32_t uid = 1; uid <= 200; uid++)
        put(blocks, 1, uid, 0, 60000, 100);
    commit(blocks);
    assert_true(blocks_log_bytes(blocks) > 200 * 60000);
    blocks_checkpoint(blocks);
    assert_int_equal(blocks_log_bytes(blocks), 0);
    uint64_t used = blocks_bytes_used(blocks);
    assert_in_range(used, 200 * 60000, 200 * 60000 * 5 / 4);
    unsigned budget = 1000;
    assert_true(blocks_begin(blocks));
    assert_true(blocks_delete(blocks, (BlockKey){1, 0, BLOCK_ALL}, &budget));
    assert_true(blocks_bytes_used(blocks) < used / 20);
    assert_true(blocks_bytes_total(blocks) >= used);
    for (int i = 0; i < 5; i++)
        blocks_shrink(blocks);
    assert_true(blocks_bytes_total(blocks) < used / 20);
    commit(blocks);
    blocks_checkpoint(blocks);
    g_autofree char *path = g_build_filename(*state, "content.db", NULL);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_true((uint64_t)st.st_size < used / 20);
    blocks_close(blocks);
}

/* A block that is under another message's key, or has other bytes, is never handed out. */
static void test_wrong_blocks(void **state)
{
    Blocks *blocks = open_blocks(*state);
    assert_true(blocks_begin(blocks));
    put(blocks, 1, 1, 0, 100, 100);
    put(blocks, 1, 2, 0, 100, 100);
    commit(blocks);
    blocks_close(blocks);
    g_autofree char *path = g_build_filename(*state, "content.db", NULL);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "UPDATE message SET uid = uid + 10", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    blocks = open_blocks(*state);
    assert_int_equal(read_part(blocks, (BlockKey){1, 11, 0}, 0, 100), BLOCK_WRONG);
    assert_int_equal(read_part(blocks, (BlockKey){1, 1, 0}, 0, 100), BLOCK_NOT_HELD);
    blocks_close(blocks);
}

/* Whose it is, is in the checksums; what was wrong before does not get right by it. */
static void test_move(void **state)
{
    Blocks *blocks = open_blocks(*state);
    assert_true(blocks_begin(blocks));
    for (uint32_t block = 0; block < 3; block++) {
        g_autoptr(GBytes) bytes = bytes_of(9, 9, (uint64_t)block << 16, 65536);
        blocks_put(blocks, (BlockKey){1, 2, block}, bytes, 100);
    }
    put(blocks, 1, 3, 0, 50, 100);
    put(blocks, 9, 8, 0, 50, 100);
    blocks_move(blocks, (BlockKey){1, 2, BLOCK_ALL}, (BlockKey){9, 9, BLOCK_ALL});
    blocks_move(blocks, (BlockKey){1, 3, BLOCK_ALL}, (BlockKey){9, 8, BLOCK_ALL}); /* is there */
    blocks_move(blocks, (BlockKey){1, 4, BLOCK_ALL}, (BlockKey){9, 7, BLOCK_ALL}); /* is not */
    commit(blocks);
    for (uint32_t block = 0; block < 3; block++) {
        assert_int_equal(read_part(blocks, (BlockKey){9, 9, block}, 0, 65536), BLOCK_HELD);
        assert_int_equal(length_of(blocks, 1, 2, block), 0);
    }
    assert_int_equal(length_of(blocks, 1, 3, 0), 0);
    assert_int_equal(read_part(blocks, (BlockKey){9, 8, 0}, 0, 50), BLOCK_HELD);
    assert_int_equal(length_of(blocks, 9, 7, 0), 0);
    blocks_close(blocks);
}

static void test_move_of_wrong_blocks(void **state)
{
    Blocks *blocks = open_blocks(*state);
    assert_true(blocks_begin(blocks));
    put(blocks, 1, 2, 0, 100, 100);
    put(blocks, 1, 2, 1, 100, 100);
    commit(blocks);
    blocks_close(blocks);
    g_autofree char *path = g_build_filename(*state, "content.db", NULL);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "UPDATE block SET crc = crc + 1 WHERE id % 2 = 0", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    blocks = open_blocks(*state);
    assert_true(blocks_begin(blocks));
    blocks_move(blocks, (BlockKey){1, 2, BLOCK_ALL}, (BlockKey){1, 9, BLOCK_ALL});
    commit(blocks);
    assert_int_equal(length_of(blocks, 1, 9, 0), 0);
    assert_int_equal(length_of(blocks, 1, 9, 1), 100);
    blocks_close(blocks);
}

static void test_other_tables(void **state)
{
    g_autofree char *path = g_build_filename(*state, "content.db", NULL);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "CREATE TABLE block(x); PRAGMA user_version = 1", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    Blocks *blocks = open_blocks(*state);
    assert_int_equal(warnings, 1);
    assert_int_equal(length_of(blocks, 1, 1, 0), 0);
    blocks_close(blocks);
}

static void test_failure_leaves_nothing(void **state)
{
    Blocks *blocks = open_blocks(*state), *other = open_blocks(*state);
    g_autofree char *why = NULL;
    assert_true(blocks_begin(other));
    assert_false(blocks_begin(blocks));
    put(blocks, 1, 1, 0, 100, 100);
    assert_int_equal(blocks_failure(blocks), DATABASE_BUSY);
    assert_int_equal(blocks_commit(blocks, &why), DATABASE_BUSY);
    assert_non_null(why);
    commit(other);
    assert_int_equal(length_of(other, 1, 1, 0), 0);
    assert_true(blocks_begin(blocks));
    commit(blocks);
    blocks_close(blocks);
    blocks_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_put_and_read),
        TEST_IN_DIRECTORY(test_longer_replaces_shorter),
        TEST_IN_DIRECTORY(test_delete),
        TEST_IN_DIRECTORY(test_least_used),
        TEST_IN_DIRECTORY(test_space_is_given_back),
        TEST_IN_DIRECTORY(test_wrong_blocks),
        TEST_IN_DIRECTORY(test_move),
        TEST_IN_DIRECTORY(test_move_of_wrong_blocks),
        TEST_IN_DIRECTORY(test_other_tables),
        TEST_IN_DIRECTORY(test_failure_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
