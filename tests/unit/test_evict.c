#include "cache_helpers.h"

#include "../../cache/evict.h"

#define LENGTH 40000

static Blocks *blocks;
static uint32_t recent_from, recent_to; /* UIDs */

/* The higher UIDs were used later. */
static uint64_t rank(gpointer data, uint32_t folder, uint32_t uid)
{
    assert_ptr_equal(data, &blocks);
    assert_int_equal(folder, 1);
    return uid >= recent_from && uid <= recent_to ? uid : 0;
}

/* Messages 1 to n, of which the higher UIDs were used earlier. */
static void fill(const char *directory, uint32_t n)
{
    DatabaseState state;
    g_autofree char *why = NULL;
    blocks = blocks_open(directory, &state, &why);
    assert_non_null(blocks);
    assert_true(blocks_begin(blocks));
    for (uint32_t uid = 1; uid <= n; uid++) {
        g_autoptr(GBytes) bytes = bytes_of(1, uid, 0, LENGTH);
        blocks_put(blocks, (BlockKey){1, uid, 0}, bytes, 100000 - uid);
    }
    recent_from = 1;
    recent_to = 0;
}

static EvictResult evict_to(uint64_t most, uint64_t *evicted)
{
    *evicted = 0;
    return evict(blocks, most, rank, &blocks, evicted);
}

static bool held(uint32_t uid)
{
    bool damaged;
    return blocks_length(blocks, (BlockKey){1, uid, 0}, &damaged) == LENGTH;
}

static void finish(void)
{
    g_autofree char *why = NULL;
    assert_int_equal(blocks_commit(blocks, &why), DATABASE_OK);
    blocks_close(blocks);
}

static void test_least_recently_used_goes_first(void **state)
{
    uint64_t evicted;
    fill(*state, 100);
    uint64_t used = blocks_bytes_used(blocks);
    assert_int_equal(evict_to(used, &evicted), EVICT_ROOM);
    assert_int_equal(evicted, 0);
    assert_int_equal(evict_to(used / 2, &evicted), EVICT_ROOM);
    assert_true(blocks_bytes_used(blocks) <= used / 2);
    assert_true(blocks_bytes_used(blocks) > used / 2 - 2 * 65536);
    assert_int_equal(evicted, used - blocks_bytes_used(blocks));
    uint32_t uid = 1;
    while (uid <= 100 && held(uid))
        uid++;
    assert_in_range(uid, 40, 60);
    for (; uid <= 100; uid++)
        assert_false(held(uid));
    finish();
}

static void test_recent_goes_last(void **state)
{
    uint64_t evicted;
    fill(*state, 100);
    recent_from = 91;
    recent_to = 100;
    uint64_t used = blocks_bytes_used(blocks);
    assert_int_equal(evict_to(used / 2, &evicted), EVICT_ROOM);
    for (uint32_t uid = 91; uid <= 100; uid++)
        assert_true(held(uid));
    assert_false(held(90));
    assert_true(held(1));
    /* But it goes where nothing else is left, what was used last behind all others. */
    assert_int_equal(evict_to(used / 20, &evicted), EVICT_ROOM);
    assert_false(held(1));
    assert_false(held(91));
    assert_true(held(100));
    finish();
}

static void test_all_recent(void **state)
{
    uint64_t evicted;
    fill(*state, 600);
    recent_from = 1;
    recent_to = 600;
    assert_int_equal(evict_to(20 * LENGTH * 2, &evicted), EVICT_AGAIN);
    assert_int_equal(evict_to(20 * LENGTH * 2, &evicted), EVICT_AGAIN);
    assert_int_equal(evict_to(20 * LENGTH * 2, &evicted), EVICT_ROOM);
    assert_true(held(600));
    assert_false(held(1));
    finish();
}

static void test_slices_and_end(void **state)
{
    uint64_t evicted, all = 0;
    fill(*state, 500);
    EvictResult result;
    unsigned slices = 0;
    while ((result = evict_to(1, &evicted)) == EVICT_AGAIN) {
        assert_true(evicted < 9 * 1024 * 1024);
        all += evicted;
        slices++;
    }
    assert_int_equal(result, EVICT_NOTHING);
    assert_true(slices >= 2);
    assert_true(all + evicted > 500 * LENGTH);
    assert_true(blocks_bytes_used(blocks) < 200000);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_least_recently_used_goes_first),
        TEST_IN_DIRECTORY(test_recent_goes_last),
        TEST_IN_DIRECTORY(test_all_recent),
        TEST_IN_DIRECTORY(test_slices_and_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
