#include "../../imapclient/trace.h"
#include "imap_response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static GString *traced;

static void take_trace(const char *domain, GLogLevelFlags level, const char *message, gpointer data)
{
    (void)data;
    assert_string_equal(domain, "imap");
    assert_int_equal(level, G_LOG_LEVEL_DEBUG);
    g_string_append_printf(traced, "%s\n", message);
}

static void trace(gpointer data, const ImapResponse *response)
{
    (void)data;
    imap_trace_response(3, response);
}

static void check_traced(const char *text, const char *expected)
{
    g_string_truncate(traced, 0);
    with_responses(text, trace, NULL);
    assert_string_equal(traced->str, expected);
}

static void test_responses(void **state)
{
    (void)state;
    check_traced("* OK [CAPABILITY IMAP4rev1 ID] ready\n",
                 "3 < * OK code (CAPABILITY IMAP4rev1 ID) ready\n");
    check_traced("A12 NO no such mailbox\n", "3 < A12 NO no such mailbox\n");
    check_traced("+ go on\n+\n", "3 < + go on\n3 < +\n");
    check_traced("* 12 EXISTS\n", "3 < * 12 EXISTS\n");
    check_traced("* LIST (\\HasNoChildren) \"/\" {3}\na b\n",
                 "3 < * LIST (\\HasNoChildren) \"/\" \"a b\"\n");
    check_traced("* 1 FETCH (UID 5 FLAGS () X NIL)\n", "3 < * 1 FETCH (UID 5 FLAGS () X NIL)\n");
}

/* What a message says is its reader's business. */
static void test_contents_are_left_out(void **state)
{
    g_autofree char *content = g_strnfill(300, 'x');
    g_autofree char *text = g_strdup_printf("* 1 FETCH (BODY[TEXT] {300}\r\n%s BODY[HEADER] \"%s\" "
                                            "BODY[] {11}\r\nA: b\r\n\r\nsay UID 5)\n",
                                            content, content);

    (void)state;
    check_traced(text, "3 < * 1 FETCH (BODY[TEXT] {300} BODY[HEADER] {300} BODY[] {11} UID 5)\n");
    check_traced("* 1 FETCH (BODY[TEXT] \"short\" body[1]<0> {2}\r\nhi UID 5)\n",
                 "3 < * 1 FETCH (BODY[TEXT] {5} body[1]<0> {2} UID 5)\n");
}

static void test_no_control_characters(void **state)
{
    (void)state;
    check_traced("* OK a\033[2Jb\177\n", "3 < * OK a?[2Jb?\n");
    check_traced("* LIST () \"/\" {3}\r\na\001b\n", "3 < * LIST () \"/\" \"a?b\"\n");
}

static void test_long_lines_are_cut(void **state)
{
    g_autoptr(GString) flags = g_string_new("* FLAGS (");
    g_autofree char *text = g_strnfill(100000, 'x');
    g_autofree char *status = g_strdup_printf("* OK %s\n", text);
    g_autofree char *sent = g_strdup_printf("A1 LOGIN %s", text);

    (void)state;
    for (int i = 0; i < 100000; i++)
        g_string_append(flags, "\\Seen ");
    g_string_append(flags, ")\n");
    g_string_truncate(traced, 0);
    with_responses(flags->str, trace, NULL);
    assert_in_range(traced->len, 2000, 2100);
    assert_int_equal(strncmp(traced->str, "3 < * FLAGS (\\Seen \\Seen", 23), 0);
    g_string_truncate(traced, 0);
    with_responses(status, trace, NULL);
    assert_in_range(traced->len, 2000, 2100);
    g_string_truncate(traced, 0);
    imap_trace_sent(4, sent);
    assert_in_range(traced->len, 2000, 2100);
}

static void test_sent(void **state)
{
    (void)state;
    g_string_truncate(traced, 0);
    imap_trace_sent(12, "A1 LOGIN ann <secret> %s");
    assert_string_equal(traced->str, "12 > A1 LOGIN ann <secret> %s\n");
    g_string_truncate(traced, 0);
    imap_trace_challenge(12);
    assert_string_equal(traced->str, "12 < + <a challenge that is not shown>\n");
}

static int begin(void **state)
{
    (void)state;
    traced = g_string_new(NULL);
    g_log_set_default_handler(take_trace, NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    g_log_set_default_handler(g_log_default_handler, NULL);
    g_string_free(traced, TRUE);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_contents_are_left_out),
        cmocka_unit_test(test_no_control_characters),
        cmocka_unit_test(test_long_lines_are_cut),
        cmocka_unit_test(test_sent),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
