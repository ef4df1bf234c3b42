#include "cache_helpers.h"

#include "../../cache/recent.h"

static int setup(void **state)
{
    *state = recent_new();
    return 0;
}

static int teardown(void **state)
{
    recent_free(*state);
    return 0;
}

static void test_taken_once(void **state)
{
    recent_use(*state, 1, 2, 100, true);
    recent_use(*state, 1, 2, 101, false);
    recent_use(*state, 1, 3, 101, false);
    assert_true(recent_has_news(*state));
    g_autoptr(GArray) keys = recent_take(*state);
    assert_int_equal(keys->len, 1);
    assert_int_equal(g_array_index(keys, BlockKey, 0).uid, 2);
    assert_false(recent_has_news(*state));
    g_autoptr(GArray) none = recent_take(*state);
    assert_int_equal(none->len, 0);
    assert_true(recent_rank(*state, 1, 2));
    assert_true(recent_rank(*state, 1, 3));
    assert_false(recent_rank(*state, 2, 3));
}

static void test_expires(void **state)
{
    recent_use(*state, 1, 1, 100, false);
    recent_use(*state, 1, 2, 100, true);
    recent_use(*state, 1, 3, 105, false);
    recent_expire(*state, 100 + RECENT_SECONDS + 1);
    assert_false(recent_rank(*state, 1, 1));
    assert_true(recent_rank(*state, 1, 2)); /* to be taken yet */
    assert_true(recent_rank(*state, 1, 3));
}

static void test_order(void **state)
{
    for (uint32_t uid = 1; uid <= 3; uid++)
        recent_use(*state, 1, uid, 100, false);
    recent_use(*state, 1, 1, 100, true);
    assert_true(recent_rank(*state, 1, 2) < recent_rank(*state, 1, 3));
    assert_true(recent_rank(*state, 1, 3) < recent_rank(*state, 1, 1));
}

/* The latest are known, whatever came before. */
static void test_very_many(void **state)
{
    for (uint32_t uid = 1; uid <= 3 * RECENT_MOST; uid++)
        recent_use(*state, 1, uid, 100, false);
    assert_false(recent_rank(*state, 1, 1));
    for (uint32_t uid = 3 * RECENT_MOST - RECENT_MOST / 3; uid <= 3 * RECENT_MOST; uid++)
        assert_true(recent_rank(*state, 1, uid));
}

static void test_is_bounded(void **state)
{
    for (uint32_t uid = 1; uid <= 2 * RECENT_MOST; uid++)
        recent_use(*state, 1, uid, 100, true);
    g_autoptr(GArray) keys = recent_take(*state);
    assert_int_equal(keys->len, RECENT_MOST);
    recent_expire(*state, 200);
    recent_use(*state, 1, 2 * RECENT_MOST, 201, false);
    assert_true(recent_rank(*state, 1, 2 * RECENT_MOST));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_taken_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_expires, setup, teardown),
        cmocka_unit_test_setup_teardown(test_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_very_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_is_bounded, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
