#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "../../pop3client/limits.h"
#include "pop3_transcript.h"

/* Whole, byte by byte, and in uneven pieces. */
static void check_bytes(const char *follows, const char *bytes, size_t length, const char *expected)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(1);

    for (size_t piece = 0; piece < 5; piece++) {
        g_autofree char *told = transcript_run(follows, bytes, length, piece,
                                               piece == 4 ? random : NULL);
        assert_string_equal(told, expected);
    }
}

static void check(const char *follows, const char *bytes, const char *expected)
{
    check_bytes(follows, bytes, strlen(bytes), expected);
}

static void test_replies(void **state)
{
    (void)state;
    check(
        "n", "+OK\r\n+OK ready\r\n-ERR\r\n-ERR no\r\n+ \r\n+ YQ==\r\n+\r\n",
        "OK [] \nOK [] ready\nERR [] \nERR [] no\nCONTINUE [] \nCONTINUE [] YQ==\nCONTINUE [] \n");
    check("n", "+ok\ta\n-err b\n", "OK [] a\nERR [] b\n");
    check("n", "-ERR [in-use] locked\r\n-ERR [SYS/TEMP]\r\n+OK [a b]c\r\n-ERR [x\r\n",
          "ERR [IN-USE] locked\nERR [SYS/TEMP] \nOK [A B] c\nERR [] [x\n");
}

static void test_no_replies(void **state)
{
    static const char *const lines[] = {"* OK", "+OKAY", "+x", "-ERROR", "-", "", "220 ready"};
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_autofree char *bytes = g_strconcat("+OK\r\n", lines[i], "\r\n+OK\r\n", NULL);
        g_autofree char *told = g_strdup_printf(
            "OK [] \nerror the server said what is no reply of POP3: \"%s\"\n", lines[i]);
        check("n", bytes, told);
    }
}

static void test_lines(void **state)
{
    (void)state;
    check("l", "+OK\r\na\r\n..\r\n.b\r\n\r\nc\n.\r\n-ERR\r\n",
          "OK [] \nline a\nline .\nline b\nline \nline c\n.\nERR [] \n");
    check("l", "+OK\r\n.\n+OK\r\n.\r\n", "OK [] \n.\nOK [] \n.\n");
    check_bytes("l", "+OK\r\na\0b\r\n.\r\n", 13, "OK [] \nline a\\00b\n.\n");
}

static void test_content(void **state)
{
    (void)state;
    check("c", "+OK\r\n.\r\n+OK\r\n\r\n.\r\n", "OK [] \n.\nOK [] \n\\0d\\0a.\n");
    check("c", "+OK\r\n..\r\n...a\r\n.b\r\nc.\r\n.\r\n",
          "OK [] \n.\\0d\\0a..a\\0d\\0ab\\0d\\0ac.\\0d\\0a.\n");
    /* Only CR LF begins a line, and only CR LF ends the last. */
    check("c", "+OK\r\na\n.\r\n.\n.\r.\r\r\n.\rx\r\n.\r\r\n.\r\n+OK\r\n",
          "OK [] \na\\0a.\\0d\\0a\\0a.\\0d.\\0d\\0d\\0a\\0dx\\0d\\0a\\0d\\0d\\0a.\nOK [] \n");
    check_bytes("c", "+OK\r\n\0\xff\r\n.\r\n", 12, "OK [] \n\\00\\ff\\0d\\0a.\n");
    /* What follows is the next reply. */
    check("cl", "+OK\r\na\r\n.\r\n+OK\r\nb\r\n.\r\n-ERR c\r\n",
          "OK [] \na\\0d\\0a.\nOK [] \nline b\n.\nERR [] c\n");
}

static void test_stop(void **state)
{
    (void)state;
    check("ns", "+OK\r\n+OK\r\n\x16\x03", "OK [] \nOK [] \nstopped at 10\n");
}

/* Lines have a bound, content has none. */
static void test_long_lines(void **state)
{
    g_autofree char *longest = g_strnfill(POP3_MAX_LINE, 'x');
    g_autofree char *fits = g_strconcat("+OK\r\n", longest, "\n.\r\n", NULL);
    g_autofree char *reply = g_strconcat("+OK ", longest, NULL);
    g_autofree char *line = g_strconcat("+OK\r\n", longest, "xxxx", NULL);
    g_autofree char *told = transcript_run("l", reply, strlen(reply), 100, NULL);
    g_autofree char *of_line = transcript_run("l", line, strlen(line), 100, NULL);
    g_autofree char *of_content = transcript_run("c", line, strlen(line), 100, NULL);
    g_autofree char *of_fitting = transcript_run("l", fits, strlen(fits), 100, NULL);
    (void)state;
    assert_true(g_str_has_prefix(told, "error the server's line has no end: \"+OK xxx"));
    assert_true(g_str_has_prefix(of_line, "OK [] \nerror the server's line has no end: \"xxx"));
    assert_null(strstr(of_content, "error"));
    assert_true(g_str_has_suffix(of_fitting, "x\n.\n"));
}

static void test_dead(void **state)
{
    static const Pop3ParserEvents events = {transcript_reply, transcript_line, transcript_content,
                                            transcript_end};
    Pop3Transcript transcript = {.follows = "n", .log = g_string_new(NULL)};
    g_autoptr(Pop3Parser) parser = pop3_parser_new(&events, &transcript);
    (void)state;
    assert_false(pop3_parser_feed(parser, (const uint8_t *)"x\n", 2, NULL, NULL));
    for (int i = 0; i < 2; i++) {
        g_autoptr(GError) error = NULL;
        assert_false(pop3_parser_feed(parser, (const uint8_t *)"+OK\r\n", 5, NULL, &error));
        assert_int_equal(mail_errno(error), EPROTO);
    }
    assert_string_equal(transcript.log->str, "");
    g_string_free(transcript.log, TRUE);
    pop3_parser_free(NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies), cmocka_unit_test(test_no_replies),
        cmocka_unit_test(test_lines),   cmocka_unit_test(test_content),
        cmocka_unit_test(test_stop),    cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_dead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
