#include "cache_helpers.h"

#include "../../cache/given.h"

static void test_both_ways(void **state)
{
    GivenNames *names = given_names_new();
    (void)state;
    assert_null(given_names_of(names, 1));
    assert_null(given_names_find(names, "a"));
    given_names_put(names, 1, "a", true);
    given_names_put(names, UINT32_MAX, "b", false);
    assert_string_equal(given_names_of(names, 1)->name, "a");
    assert_true(given_names_of(names, 1)->stored);
    assert_int_equal(given_names_find(names, "b")->uid, UINT32_MAX);
    assert_false(given_names_find(names, "b")->stored);
    given_names_put(names, 1, given_names_of(names, 1)->name, false);
    assert_false(given_names_find(names, "a")->stored);
    given_names_put(names, 1, "c", true);
    assert_null(given_names_find(names, "a"));
    given_names_put(names, 1, NULL, true);
    given_names_put(names, 7, NULL, true);
    assert_null(given_names_of(names, 1));
    assert_null(given_names_find(names, "c"));
    given_names_free(names);
    given_names_free(NULL);
}

static void test_one_at_a_time(void **state)
{
    GivenNames *names = given_names_new();
    (void)state;
    given_names_put(names, 1, "a", true);
    given_names_put(names, 2, "a", true);
    assert_null(given_names_of(names, 1));
    assert_int_equal(given_names_find(names, "a")->uid, 2);
    given_names_free(names);
}

static void test_gone(void **state)
{
    GivenNames *names = given_names_new();
    GHashTableIter iter;
    (void)state;
    given_names_put(names, 1, "a", true);
    given_names_put(names, 2, "b", true);
    given_names_free_name(names, 1);
    given_names_free_name(names, 1);
    given_names_free_name(names, 9);
    assert_null(given_names_find(names, "a"));
    assert_string_equal(given_names_of(names, 1)->name, "a");
    assert_true(given_names_of(names, 1)->gone);
    given_names_begin(names, &iter);
    assert_int_equal(given_names_next(&iter)->uid, 2);
    assert_null(given_names_next(&iter));
    given_names_put(names, 3, "a", true);
    given_names_put(names, 1, "c", true); /* the UID was not gone after all */
    assert_int_equal(given_names_find(names, "a")->uid, 3);
    assert_int_equal(given_names_find(names, "c")->uid, 1);
    given_names_free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways),
        cmocka_unit_test(test_one_at_a_time),
        cmocka_unit_test(test_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
