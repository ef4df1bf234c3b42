#include "../../imapclient/build.h"
#include "../../imapclient/limits.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* The command's pieces with a '|' in between: as they go out, or as a log shows them. */
static char *sent(const ImapCommand *command)
{
    GString *all = g_string_new(NULL);
    for (size_t i = 0; i < imap_command_pieces(command); i++) {
        g_autoptr(GBytes) piece = imap_command_piece(command, i, NULL, NULL);
        if (i)
            g_string_append_c(all, '|');
        g_string_append_len(all, g_bytes_get_data(piece, NULL), (gssize)g_bytes_get_size(piece));
    }
    return g_string_free(all, FALSE);
}

static char *logged(const ImapCommand *command)
{
    GString *all = g_string_new(NULL);
    for (size_t i = 0; i < imap_command_pieces(command); i++) {
        const char *log = NULL;
        g_bytes_unref(imap_command_piece(command, i, NULL, &log));
        assert_non_null(log);
        for (const char *p = log; *p; p++)
            assert_true(g_ascii_isprint(*p));
        g_string_append_printf(all, "%s%s", i ? "|" : "", log);
    }
    return g_string_free(all, FALSE);
}

static void assert_sent(const ImapCommand *command, const char *expected)
{
    g_autofree char *bytes = sent(command);
    assert_string_equal(bytes, expected);
}

static void assert_logged(const ImapCommand *command, const char *expected)
{
    g_autofree char *log = logged(command);
    assert_string_equal(log, expected);
}

static void test_raw(void **state)
{
    (void)state;
    g_autoptr(ImapCommand) command = imap_command_new("UID FETCH");
    imap_command_raw(command, "1:*");
    imap_command_rawf(command, "(BODY.PEEK[TEXT]<%u.%u>)", 5u, 100u);
    assert_int_equal(imap_command_pieces(command), 1);
    assert_sent(command, "UID FETCH 1:* (BODY.PEEK[TEXT]<5.100>)");
    assert_logged(command, "UID FETCH 1:* (BODY.PEEK[TEXT]<5.100>)");

    g_autoptr(ImapCommand) bare = imap_command_new("NOOP");
    assert_sent(bare, "NOOP");
    imap_command_free(NULL);
}

static void test_strings(void **state)
{
    (void)state;
    static const struct {
        const char *string;
        bool utf8;
        const char *sent;
    } strings[] = {
        {"INBOX", false, "X INBOX"},
        {"a]b[c!#$&'+,-./:;<=>?@^_`|}~", false, "X a]b[c!#$&'+,-./:;<=>?@^_`|}~"},
        {"", false, "X \"\""},
        {"NIL", false, "X \"NIL\""},
        {"nil", false, "X \"nil\""},
        {"NILS", false, "X NILS"},
        {"two words", false, "X \"two words\""},
        {"a(b", false, "X \"a(b\""},
        {"a)b", false, "X \"a)b\""},
        {"a{b", false, "X \"a{b\""},
        {"a%b", false, "X \"a%b\""},
        {"a*b", false, "X \"a*b\""},
        {"a\"b\\c\"", false, "X \"a\\\"b\\\\c\\\"\""},
        {"\\", false, "X \"\\\\\""},
        {"tab\t\x01\x7f", false, "X \"tab\t\x01\x7f\""},
        {"caf\xc3\xa9", true, "X \"caf\xc3\xa9\""},
        {"caf\xc3\xa9", false, "X {5}\r\n|caf\xc3\xa9"},
        {"caf\xe9", true, "X {4}\r\n|caf\xe9"},
        {"a\r", false, "X {2}\r\n|a\r"},
        {"a\nb c", true, "X {5}\r\n|a\nb c"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(strings); i++) {
        g_autoptr(ImapCommand) command = imap_command_new("X");
        assert_true(imap_command_astring(command, strings[i].string, strings[i].utf8,
                                         IMAP_LITERAL_SYNC, NULL));
        assert_sent(command, strings[i].sent);
    }
}

static void test_literal_modes(void **state)
{
    (void)state;
    static const struct {
        size_t length;
        const char *announcement;
        ImapLiteralMode mode;
        bool waits;
    } literals[] = {
        {1001, "{1001}\r\n", IMAP_LITERAL_SYNC, true},
        {4097, "{4097}\r\n", IMAP_LITERAL_SYNC, true},
        {1001, "{1001+}\r\n", IMAP_LITERAL_MINUS, false},
        {4096, "{4096+}\r\n", IMAP_LITERAL_MINUS, false},
        {4097, "{4097}\r\n", IMAP_LITERAL_MINUS, true},
        {4097, "{4097+}\r\n", IMAP_LITERAL_PLUS, false},
        {IMAP_MAX_STRING, "{65536+}\r\n", IMAP_LITERAL_PLUS, false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(literals); i++) {
        g_autofree char *string = g_strnfill(literals[i].length, 'x');
        g_autoptr(ImapCommand) command = imap_command_new("X");
        assert_true(imap_command_astring(command, string, false, literals[i].mode, NULL));
        imap_command_raw(command, "end");
        g_autofree char *expected = g_strconcat("X ", literals[i].announcement,
                                                literals[i].waits ? "|" : "", string, " end", NULL);
        assert_sent(command, expected);
        assert_int_equal(imap_command_pieces(command), literals[i].waits ? 2 : 1);
    }
}

static void test_longest_quoted_string(void **state)
{
    (void)state;
    g_autofree char *string = g_strnfill(1000, ' ');
    g_autofree char *expected = g_strconcat("X \"", string, "\"", NULL);
    g_autoptr(ImapCommand) command = imap_command_new("X");
    assert_true(imap_command_astring(command, string, false, IMAP_LITERAL_SYNC, NULL));
    assert_sent(command, expected);
}

static void test_several_literals(void **state)
{
    (void)state;
    g_autoptr(ImapCommand) command = imap_command_new("RENAME");
    assert_true(imap_command_astring(command, "a\n", false, IMAP_LITERAL_SYNC, NULL));
    assert_true(imap_command_astring(command, "\xe9", false, IMAP_LITERAL_SYNC, NULL));
    assert_sent(command, "RENAME {2}\r\n|a\n {1}\r\n|\xe9");
    assert_logged(command, "RENAME {2}|a\\x0a {1}|\\xe9");

    g_autoptr(ImapCommand) plus = imap_command_new("RENAME");
    assert_true(imap_command_astring(plus, "a\n", false, IMAP_LITERAL_PLUS, NULL));
    assert_true(imap_command_astring(plus, "b", false, IMAP_LITERAL_PLUS, NULL));
    assert_sent(plus, "RENAME {2+}\r\na\n b");
    assert_logged(plus, "RENAME {2+} a\\x0a b");
}

static void test_what_cannot_be_sent(void **state)
{
    (void)state;
    g_autofree char *string = g_strnfill(IMAP_MAX_STRING + 1, 'x');
    const char *const strings[] = {NULL, string};
    for (size_t i = 0; i < G_N_ELEMENTS(strings); i++) {
        g_autoptr(ImapCommand) command = imap_command_new("X");
        g_autoptr(GError) error = NULL, secret_error = NULL;
        assert_false(imap_command_astring(command, strings[i], false, IMAP_LITERAL_PLUS, &error));
        assert_true(g_error_matches(error, MAIL_ERROR, EINVAL));
        assert_false(imap_command_secret(command, strings[i], IMAP_LITERAL_PLUS, &secret_error));
        assert_true(g_error_matches(secret_error, MAIL_ERROR, EINVAL));
        assert_sent(command, "X");
    }
}

/* --- secrets ------------------------------------------------------------------------------- */

static void test_secrets(void **state)
{
    (void)state;
    static const struct {
        const char *secret;
        ImapLiteralMode mode;
        const char *sent, *logged;
    } secrets[] = {
        {"hunter2", IMAP_LITERAL_SYNC, "LOGIN ann hunter2", "LOGIN ann <secret>"},
        {"", IMAP_LITERAL_SYNC, "LOGIN ann \"\"", "LOGIN ann <secret>"},
        {"a \"b\\", IMAP_LITERAL_SYNC, "LOGIN ann \"a \\\"b\\\\\"", "LOGIN ann <secret>"},
        {"p\xc3\xa4ss", IMAP_LITERAL_PLUS, "LOGIN ann {5+}\r\np\xc3\xa4ss",
         "LOGIN ann {?+} <secret>"},
        {"p\xc3\xa4ss", IMAP_LITERAL_SYNC, "LOGIN ann {5}\r\n|p\xc3\xa4ss",
         "LOGIN ann {?}|<secret>"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(secrets); i++) {
        g_autoptr(ImapCommand) command = imap_command_new("LOGIN");
        assert_true(imap_command_astring(command, "ann", false, secrets[i].mode, NULL));
        assert_true(imap_command_secret(command, secrets[i].secret, secrets[i].mode, NULL));
        assert_sent(command, secrets[i].sent);
        assert_logged(command, secrets[i].logged);

        size_t last = imap_command_pieces(command) - 1;
        bool secret = false;
        g_bytes_unref(imap_command_piece(command, last, &secret, NULL));
        assert_true(secret);
        if (last) {
            g_bytes_unref(imap_command_piece(command, 0, &secret, NULL));
            assert_false(secret);
        }
    }
}

static void test_secret_raw(void **state)
{
    (void)state;
    bool secret = false;
    g_autoptr(ImapCommand) command = imap_command_new("AUTHENTICATE");
    imap_command_raw(command, "PLAIN");
    imap_command_secret_raw(command, "AGFubgBodW50ZXIy");
    g_bytes_unref(imap_command_piece(command, 0, &secret, NULL));
    assert_true(secret);
    assert_sent(command, "AUTHENTICATE PLAIN AGFubgBodW50ZXIy");
    assert_logged(command, "AUTHENTICATE PLAIN <secret>");
}

static void test_no_secret(void **state)
{
    (void)state;
    bool secret = true;
    g_autoptr(ImapCommand) command = imap_command_new("NOOP");
    g_bytes_unref(imap_command_piece(command, 0, &secret, NULL));
    assert_false(secret);
}

/* A piece that is still being sent may outlive its command. */
static void test_piece_outlives_its_command(void **state)
{
    (void)state;
    ImapCommand *command = imap_command_new("LOGIN");
    assert_true(imap_command_secret(command, "hunter2", IMAP_LITERAL_SYNC, NULL));
    g_autoptr(GBytes) piece = imap_command_piece(command, 0, NULL, NULL);
    imap_command_free(command);
    assert_int_equal(g_bytes_get_size(piece), strlen("LOGIN hunter2"));
    assert_memory_equal(g_bytes_get_data(piece, NULL), "LOGIN hunter2", strlen("LOGIN hunter2"));
}

/* --- sequence sets ------------------------------------------------------------------------- */

#define UIDS(...) \
    (const uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)

static void test_uids(void **state)
{
    (void)state;
    const struct {
        const uint32_t *uids;
        size_t n;
        const char *sent;
    } sets[] = {
        {NULL, 0, "X"},
        {UIDS(7), "X 7"},
        {UIDS(1, 2), "X 1:2"},
        {UIDS(1, 2, 3, 7), "X 1:3,7"},
        {UIDS(1, 3, 4, 5, 9, 10), "X 1,3:5,9:10"},
        {UIDS(2, 4, 6), "X 2,4,6"},
        {UIDS(5, 5, 6, 6, 8), "X 5:6,8"},
        {UIDS(5, 5), "X 5"},
        {UIDS(4294967294, 4294967295), "X 4294967294:4294967295"},
        {UIDS(4294967295, 1), "X 4294967295,1"},
        {UIDS(9, 8, 7), "X 9,8,7"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(sets); i++) {
        g_autoptr(ImapCommand) command = imap_command_new("X");
        imap_command_uids(command, sets[i].uids, sets[i].n);
        assert_sent(command, sets[i].sent);
        assert_logged(command, sets[i].sent);
    }
}

static void test_fitting(void **state)
{
    static const uint32_t uids[] = {1, 2, 3, 7, 10, 11, 4294967295}; /* " 1:3,7,10:11,4294967295" */
    static const size_t fitting[][2] = {{0, 0},  {3, 0},  {4, 3},  {5, 3},  {6, 4},
                                        {11, 4}, {12, 6}, {22, 6}, {23, 7}, {100, 7}};

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(fitting); i++)
        assert_int_equal(imap_command_fitting(uids, G_N_ELEMENTS(uids), fitting[i][0]),
                         fitting[i][1]);
    assert_int_equal(imap_command_fitting(uids, 2, 100), 2);
    assert_int_equal(imap_command_fitting(uids, 0, 100), 0);
}

static void test_a_large_run_is_short(void **state)
{
    (void)state;
    enum { N = 100000 };
    g_autofree uint32_t *uids = g_new(uint32_t, N);
    for (uint32_t i = 0; i < N; i++)
        uids[i] = i + 1000;
    g_autoptr(ImapCommand) command = imap_command_new("UID FETCH");
    imap_command_uids(command, uids, N);
    imap_command_raw(command, "(FLAGS)");
    assert_sent(command, "UID FETCH 1000:100999 (FLAGS)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_raw),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_literal_modes),
        cmocka_unit_test(test_longest_quoted_string),
        cmocka_unit_test(test_several_literals),
        cmocka_unit_test(test_what_cannot_be_sent),
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_secret_raw),
        cmocka_unit_test(test_no_secret),
        cmocka_unit_test(test_piece_outlives_its_command),
        cmocka_unit_test(test_uids),
        cmocka_unit_test(test_fitting),
        cmocka_unit_test(test_a_large_run_is_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
