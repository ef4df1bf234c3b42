#include "cache_helpers.h"

#include "../../cache/pending.h"

#define TEMPORARY 1000

static int setup(void **state)
{
    *state = pending_new(TEMPORARY);
    return 0;
}

static int teardown(void **state)
{
    pending_free(*state);
    return 0;
}

static void put(Pending *pending, uint32_t folder, uint32_t uid, uint32_t block, size_t length)
{
    g_autoptr(GBytes) bytes = bytes_of(folder, uid, 0, length);
    pending_put(pending, (BlockKey){folder, uid, block}, bytes);
}

/* Bytes held of a block; 0: not there. */
static size_t held(Pending *pending, uint32_t folder, uint32_t uid, uint32_t block)
{
    GBytes *bytes = pending_get(pending, (BlockKey){folder, uid, block});
    return bytes ? g_bytes_get_size(bytes) : 0;
}

static void test_longer_replaces_shorter(void **state)
{
    put(*state, 1, 1, 0, 100);
    put(*state, 1, 1, 0, 50);
    assert_int_equal(held(*state, 1, 1, 0), 100);
    put(*state, 1, 1, 0, 200);
    assert_int_equal(held(*state, 1, 1, 0), 200);
    assert_int_equal(pending_bytes(*state), 200);
    assert_int_equal(held(*state, 1, 1, 1), 0);
    assert_int_equal(held(*state, 1, 2, 0), 0);
    assert_int_equal(held(*state, 2, 1, 0), 0);
}

static void fill(Pending *pending)
{
    for (uint32_t folder = 1; folder <= 3; folder++)
        for (uint32_t uid = 1; uid <= 4; uid++)
            for (uint32_t block = 0; block < 5; block++)
                put(pending, folder, uid, block, 10);
}

static void test_remove(void **state)
{
    fill(*state);
    assert_int_equal(pending_bytes(*state), 600);
    pending_remove(*state, (BlockKey){1, 2, 3});
    assert_int_equal(pending_bytes(*state), 590);
    assert_int_equal(held(*state, 1, 2, 3), 0);
    assert_int_equal(held(*state, 1, 2, 2), 10);
    pending_remove(*state, (BlockKey){1, 2, BLOCK_ALL});
    pending_remove(*state, (BlockKey){1, 2, BLOCK_ALL});
    assert_int_equal(pending_bytes(*state), 550);
    assert_int_equal(held(*state, 1, 2, 0), 0);
    assert_int_equal(held(*state, 1, 3, 0), 10);
    pending_remove(*state, (BlockKey){3, 0, BLOCK_ALL});
    assert_int_equal(pending_bytes(*state), 350);
    assert_int_equal(held(*state, 3, 1, 0), 0);
    assert_int_equal(held(*state, 2, 4, 4), 10);
}

static void test_trim_drops_least_recently_used(void **state)
{
    for (uint32_t uid = 1; uid <= 100; uid++)
        put(*state, 1, uid, 0, 10000);
    held(*state, 1, 1, 0);
    pending_trim(*state, 500000);
    assert_in_range(pending_bytes(*state), 450000, 500000);
    assert_int_equal(held(*state, 1, 1, 0), 10000);
    assert_int_equal(held(*state, 1, 2, 0), 0);
    assert_int_equal(held(*state, 1, 100, 0), 10000);
    /* Many tiny blocks take memory too. */
    for (uint32_t uid = 1; uid <= 100000; uid++)
        put(*state, 2, uid, 0, 1);
    pending_trim(*state, 500000);
    assert_in_range(pending_bytes(*state), 1, 10000);
    pending_trim(*state, 0);
    assert_int_equal(pending_bytes(*state), 0);
}

static void test_has(void **state)
{
    put(*state, 1, 5, 3, 10);
    assert_true(pending_has(*state, 1, 5));
    assert_false(pending_has(*state, 1, 6));
    assert_false(pending_has(*state, 2, 5));
    pending_remove(*state, (BlockKey){1, 5, 3});
    assert_false(pending_has(*state, 1, 5));
}

static void test_oldest(void **state)
{
    for (uint32_t uid = 1; uid <= 10; uid++)
        put(*state, uid % 2 ? 1 : TEMPORARY, uid, 0, 1000);
    assert_int_equal(pending_bytes(*state), 5000);
    g_autoptr(GArray) some = pending_oldest(*state, 2500);
    assert_int_equal(some->len, 2);
    assert_int_equal(g_array_index(some, PendingBlock, 0).key.uid, 1);
    assert_int_equal(g_array_index(some, PendingBlock, 1).key.uid, 3);
    g_autoptr(GArray) one = pending_oldest(*state, 1);
    assert_int_equal(one->len, 1);
    g_autoptr(GArray) all = pending_oldest(*state, SIZE_MAX);
    assert_int_equal(all->len, 5);
}

static void test_written_is_removed_unless_replaced(void **state)
{
    put(*state, 1, 1, 0, 10);
    put(*state, 1, 2, 0, 10);
    g_autoptr(GArray) blocks = pending_oldest(*state, SIZE_MAX);
    put(*state, 1, 2, 0, 20);
    for (guint i = 0; i < blocks->len; i++) {
        const PendingBlock *block = &g_array_index(blocks, PendingBlock, i);
        pending_remove_written(*state, block->key, block->bytes);
    }
    assert_int_equal(held(*state, 1, 1, 0), 0);
    assert_int_equal(held(*state, 1, 2, 0), 20);
}

static void test_move(void **state)
{
    const BlockKey from = {1, 1, BLOCK_ALL}, to = {2, 7, BLOCK_ALL},
                   beyond = {TEMPORARY, 1, BLOCK_ALL};
    put(*state, 1, 1, 0, 10);
    put(*state, 1, 1, 3, 20);
    put(*state, 1, 2, 0, 5);
    pending_move(*state, from, to);
    assert_int_equal(held(*state, 2, 7, 0), 10);
    assert_int_equal(held(*state, 2, 7, 3), 20);
    assert_false(pending_has(*state, 1, 1));
    assert_true(pending_has(*state, 2, 7));
    assert_int_equal(pending_bytes(*state), 35);
    pending_move(*state, from, to);
    pending_move(*state, to, beyond);
    assert_int_equal(held(*state, TEMPORARY, 1, 3), 20);
    assert_int_equal(pending_bytes(*state), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_longer_replaces_shorter, setup, teardown),
        cmocka_unit_test_setup_teardown(test_remove, setup, teardown),
        cmocka_unit_test_setup_teardown(test_trim_drops_least_recently_used, setup, teardown),
        cmocka_unit_test_setup_teardown(test_has, setup, teardown),
        cmocka_unit_test_setup_teardown(test_move, setup, teardown),
        cmocka_unit_test_setup_teardown(test_oldest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_written_is_removed_unless_replaced, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
