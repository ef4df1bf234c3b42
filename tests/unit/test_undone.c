/* What could not be done later: how many, and the last of them. */
#include "cache_helpers.h"

#include "../../fs/undone.h"

static void test_counts(void **state)
{
    g_autoptr(GString) text = g_string_new(NULL);

    (void)state;
    undone_describe(text);
    assert_string_equal(text->str, "changes-not-done: 0\nlast-not-done: none\n");
    undone_note(3, "folder \"%s\": %s", "a", "the first");
    undone_note(1, "message %u:\n%s", 7u, "the last");
    g_string_truncate(text, 0);
    undone_describe(text);
    assert_true(g_regex_match_simple(
        "^changes-not-done: 4\\n"
        "last-not-done: 20\\d\\d-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}Z message 7:\\\\x0athe "
        "last\\n$",
        text->str, 0, 0));
    assert_int_equal(warnings, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST_IN_DIRECTORY(test_counts)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
