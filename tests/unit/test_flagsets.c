#include "cache_helpers.h"

#include "../../cache/flagsets.h"

static int setup(void **state)
{
    *state = flagsets_new();
    return 0;
}

static int teardown(void **state)
{
    flagsets_free(*state);
    return 0;
}

static void assert_canonical(FlagSets *sets, const char *flags, const char *canonical)
{
    uint16_t set = flagsets_intern(sets, flags);
    assert_string_equal(flagsets_text(sets, set), canonical);
    assert_int_equal(flagsets_intern(sets, canonical), set);
}

static void test_same_set_same_number(void **state)
{
    FlagSets *sets = *state;
    assert_int_equal(flagsets_intern(sets, ""), 0);
    assert_canonical(sets, "\\Seen", "\\Seen");
    assert_canonical(sets, "$Forwarded \\Seen", "\\Seen $Forwarded");
    assert_canonical(sets, "\\SEEN \\seen \\answered", "\\Answered \\Seen");
    assert_canonical(sets, "b a b  a ", "a b");
    assert_canonical(sets, "   ", "");
    assert_canonical(sets, "\\seen", "\\Seen");
    assert_canonical(sets, "\\Strange x", "\\Strange x");
    /* Keywords are told apart by case. */
    assert_int_not_equal(flagsets_intern(sets, "Work"), flagsets_intern(sets, "work"));
    assert_int_not_equal(flagsets_intern(sets, "\\Seen"), flagsets_intern(sets, "\\Flagged"));
}

static void test_unknown_number(void **state)
{
    assert_string_equal(flagsets_text(*state, 60000), "");
}

static void test_flood_keeps_system_flags(void **state)
{
    FlagSets *sets = *state;
    const char *const system_flags[] = {"\\Answered", "\\Deleted", "\\Draft",
                                        "\\Flagged",  "\\Recent",  "\\Seen"};
    for (int i = 0; i < 70000; i++) {
        char flags[32];
        snprintf(flags, sizeof flags, "\\Seen k%d", i);
        uint16_t set = flagsets_intern(sets, flags);
        assert_string_equal(flagsets_text(sets, set), i < 65535 - 64 ? flags : "\\Seen");
    }
    for (unsigned bits = 0; bits < 64; bits++) {
        g_autoptr(GString) flags = g_string_new(NULL);
        for (unsigned i = 0; i < 6; i++)
            if (bits & 1u << i)
                g_string_append_printf(flags, "%s%s", flags->len ? " " : "", system_flags[i]);
        assert_canonical(sets, flags->str, flags->str);
    }
    /* Nothing that was given has changed. */
    assert_canonical(sets, "k7 \\Seen", "\\Seen k7");
}

static void test_long_sets_are_bounded(void **state)
{
    FlagSets *sets = *state;
    g_autofree char *keyword = g_strnfill(100000, 'k');
    g_autofree char *flags = g_strconcat("\\Flagged ", keyword, NULL);
    assert_string_equal(flagsets_text(sets, flagsets_intern(sets, flags)), "\\Flagged");
    size_t bytes = 0;
    for (int i = 0; i < 10000; i++) {
        g_autofree char *each = g_strdup_printf("%.*s%d", 2000, keyword, i);
        bytes += strlen(flagsets_text(sets, flagsets_intern(sets, each)));
    }
    assert_in_range(bytes, 1 << 20, 4 << 20);
}

static void test_hash_is_of_the_text(void **state)
{
    FlagSets *other = flagsets_new();
    flagsets_intern(other, "first");
    uint16_t here = flagsets_intern(*state, "\\Seen x"), there = flagsets_intern(other, "x \\Seen");
    assert_int_not_equal(here, there);
    assert_true(flagsets_hash(*state, here) == flagsets_hash(other, there));
    assert_true(flagsets_hash(*state, here) != flagsets_hash(*state, 0));
    flagsets_free(other);
}

static void test_stored(void **state)
{
    uint16_t set = flagsets_intern(*state, "x");
    assert_int_equal(flagsets_stored(*state, set), 0);
    flagsets_set_stored(*state, set, 77);
    assert_int_equal(flagsets_stored(*state, set), 77);
    flagsets_forget_stored(*state);
    assert_int_equal(flagsets_stored(*state, set), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_same_set_same_number, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown_number, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flood_keeps_system_flags, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_sets_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hash_is_of_the_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stored, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
