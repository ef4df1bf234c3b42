#include "../../pop3client/apop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

/* RFC 1939's example. */
static void test_example(void **state)
{
    g_autoptr(Secret) password = secret_new("tanstaaf", -1);
    g_autofree char *argument = apop_argument("POP3 server ready <1896.697170952@dbc.mtview.ca.us>",
                                              "mrose", password, NULL);
    (void)state;
    assert_string_equal(argument, "mrose c4c9334bac560ecc979e58001b3e22fb");
}

/* Only what a msg-id is made of: other challenges are made to find the password out. */
static void test_timestamps(void **state)
{
    static const char *const greetings[] = {
        "ready", "<>",      "<a>",       "<@>",          "<@a>",      "<a@>",
        "<a@b",  "<a b@c>", "<a\001@b>", "<a@\303\274>", "<a@b<c@d>", "a@b>",
    };
    g_autoptr(Secret) password = secret_new("hunter2", -1);
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(greetings); i++) {
        g_autoptr(GError) error = NULL;
        if (apop_argument(greetings[i], "ann", password, &error))
            fail_msg("%s", greetings[i]);
        assert_int_equal(mail_errno(error), EACCES);
    }
    g_autofree char *least = apop_argument("x <a@b> y", "ann", password, NULL);
    assert_non_null(least);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example),
        cmocka_unit_test(test_timestamps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
