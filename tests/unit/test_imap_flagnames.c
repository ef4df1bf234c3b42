#include "../../imapclient/flagnames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>

static void test_flags(void **state)
{
    static const char *const cases[][2] = {
        {"", ""},
        {"\\Seen", "\\Seen"},
        {"\\Seen $Label1 NonJunk", "\\Seen $Label1 NonJunk"},
        {"  \\seen  \\Deleted ", "\\seen \\Deleted"},
        {"\\Seen \\SEEN a A \\Draft", "\\Seen a \\Draft"},
        {"\\Answered \\Flagged a+b/c.d-e~1", "\\Answered \\Flagged a+b/c.d-e~1"},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(GStrv) names = imap_flag_names(cases[i][0], NULL);
        assert_non_null(names);
        g_autofree char *text = g_strjoinv(" ", names);
        assert_string_equal(text, cases[i][1]);
    }
}

static void test_no_flags(void **state)
{
    static const char *const cases[] = {
        "\\Recent", "\\*",           "\\",   "\\X",  "a \\NonExistent", "(a)", "a)", "a{3}",
        "a\tb",     "a\nb",          "a\"b", "a\\b", "\303\274",        "a]",  "a%", "a*",
        "\177",     "\r\nA1 LOGOUT",
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        assert_null(imap_flag_names(cases[i], &error));
        assert_int_equal(error->code, EINVAL);
    }
    g_autofree char *endless = g_strnfill(5000, 'x');
    assert_null(imap_flag_names(endless, NULL));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_no_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
