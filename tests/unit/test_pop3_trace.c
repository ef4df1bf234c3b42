#include "../../pop3client/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static GString *logged;

static void take(const char *domain, GLogLevelFlags level, const char *message, gpointer data)
{
    (void)data;
    assert_string_equal(domain, "pop3");
    assert_int_equal(level & G_LOG_LEVEL_MASK, G_LOG_LEVEL_DEBUG);
    g_string_append_printf(logged, "%s\n", message);
}

static void test_lines(void **state)
{
    const Pop3Reply replies[] = {
        {POP3_OK, "", ""},      {POP3_OK, "", "re\033ady"},          {POP3_ERR, "IN-USE", "locked"},
        {POP3_ERR, "AUTH", ""}, {POP3_CONTINUE, "", "cGFzc3dvcmQ="},
    };
    (void)state;
    logged = g_string_new(NULL);
    g_log_set_default_handler(take, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(replies); i++)
        pop3_trace_reply(1, &replies[i]);
    pop3_trace_line(2, "1 a\tb");
    pop3_trace_content(2, 531);
    pop3_trace_sent(3, "RETR 1");
    g_log_set_default_handler(g_log_default_handler, NULL);
    assert_string_equal(logged->str, "1 < +OK\n"
                                     "1 < +OK re?ady\n"
                                     "1 < -ERR [IN-USE] locked\n"
                                     "1 < -ERR [AUTH]\n"
                                     "1 < + (a challenge that is not shown)\n"
                                     "2 < 1 a?b\n"
                                     "2 < {531 bytes}\n"
                                     "3 > RETR 1\n");
    g_string_free(logged, TRUE);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
