#include "cache_helpers.h"

#include "../../cache/identity.h"

static Identity *add(Identities *identities, uint32_t uid, const char *name, unsigned which)
{
    return identities_add(
        identities, &(Identity){.uid = uid, .which = which, .seen = uid, .name = (char *)name});
}

static void test_both_ways(void **state)
{
    Identities *identities = identities_new();
    (void)state;
    assert_null(identities_find(identities, "a", 0));
    assert_null(identities_of(identities, 1));
    assert_non_null(add(identities, 1, "a", 0));
    assert_non_null(add(identities, 2, "a", 1));
    assert_non_null(add(identities, UINT32_MAX, "", 0));
    assert_int_equal(identities_find(identities, "a", 0)->uid, 1);
    assert_int_equal(identities_find(identities, "a", 1)->uid, 2);
    assert_int_equal(identities_find(identities, "", 0)->uid, UINT32_MAX);
    assert_null(identities_find(identities, "a", 2));
    assert_null(identities_find(identities, "A", 0));
    assert_string_equal(identities_of(identities, 2)->name, "a");
    assert_int_equal(identities_of(identities, 2)->which, 1);
    assert_int_equal(identities_of(identities, 2)->seen, 2);
    identities_free(identities);
}

/* The names are copies. */
static void test_names_are_kept(void **state)
{
    Identities *identities = identities_new();
    char name[] = "abc";
    (void)state;
    add(identities, 1, name, 0);
    name[0] = 'x';
    assert_non_null(identities_find(identities, "abc", 0));
    assert_null(identities_find(identities, "xbc", 0));
    identities_free(identities);
}

static void test_nothing_is_replaced(void **state)
{
    Identities *identities = identities_new();
    (void)state;
    add(identities, 1, "a", 0);
    assert_null(add(identities, 1, "b", 0));
    assert_null(add(identities, 2, "a", 0));
    assert_null(identities_find(identities, "b", 0));
    assert_null(identities_of(identities, 2));
    identities_free(identities);
}

static void test_remove(void **state)
{
    Identities *identities = identities_new();
    GHashTableIter iter;
    uint32_t sum = 0;
    (void)state;
    for (uint32_t uid = 1; uid <= 4; uid++) {
        char name[] = {(char)('a' + uid), '\0'};
        add(identities, uid, name, 0);
    }
    identities_remove(identities, 2);
    identities_remove(identities, 7);
    assert_null(identities_of(identities, 2));
    assert_null(identities_find(identities, "c", 0));
    identities_begin(identities, &iter);
    for (const Identity *identity; (identity = identities_next(&iter));)
        sum += identity->uid;
    assert_int_equal(sum, 1 + 3 + 4);
    assert_non_null(add(identities, 2, "c", 0));
    identities_free(identities);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways),
        cmocka_unit_test(test_names_are_kept),
        cmocka_unit_test(test_nothing_is_replaced),
        cmocka_unit_test(test_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
