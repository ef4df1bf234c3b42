/* What is in one text of flags and not in another, and what can be set. */
#include "../../fs/flagtext.h"

#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void assert_text(char *found, const char *expected)
{
    assert_string_equal(found, expected);
    g_free(found);
}

static void test_without(void **state)
{
    (void)state;
    assert_text(flagtext_without("\\Seen a b", "\\SEEN b c"), "a");
    assert_text(flagtext_without("a", ""), "a");
    assert_text(flagtext_without("", "a"), "");
    assert_text(flagtext_without("a A", "a"), "");
}

static void test_with(void **state)
{
    (void)state;
    assert_text(flagtext_with("\\Seen a", "A b \\Flagged"), "\\Seen a b \\Flagged");
    assert_text(flagtext_with("", "a b"), "a b");
    assert_text(flagtext_with("a b", ""), "a b");
}

static void test_can_be_set(void **state)
{
    static const char *const good[] = {"", "\\Seen", "\\sEEN $Forwarded a", "a+b-c[", "\\Draft x"};
    static const char *const bad[] = {"\\Recent", "\\Foo", "\\", "\\*",  "a(b",  "a%",
                                      "a]",       "\"",    "{",  "a\tb", "\x7f", "caf\xc3\xa9"};
    g_autofree char *name = g_strnfill(4000, 'x'), *longer = g_strnfill(4001, 'x');

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(good); i++)
        assert_true(flagtext_can_be_set(good[i]));
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
        assert_false(flagtext_can_be_set(bad[i]));
    assert_true(flagtext_can_be_set(name));
    assert_false(flagtext_can_be_set(longer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without),
        cmocka_unit_test(test_with),
        cmocka_unit_test(test_can_be_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
