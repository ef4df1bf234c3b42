#include "../../imapclient/net/quote.h"
#include "../../imapclient/outcome.h"
#include "imap_response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>

static void take_outcome(gpointer data, const ImapResponse *response)
{
    *(GError **)data = imap_outcome(response, "listing INBOX");
}

static GError *outcome(const char *line)
{
    GError *error = NULL;

    assert_int_equal(with_responses(line, take_outcome, &error), 1);
    return error;
}

static void test_codes(void **state)
{
    static const struct {
        const char *line;
        int code;
    } cases[] = {
        {"A1 NO no\n", EREMOTEIO},
        {"A1 BAD what?\n", EPROTO},
        {"A1 NO [NONEXISTENT] no\n", ENOENT},
        {"A1 NO [TRYCREATE] no\n", ENOENT},
        {"A1 NO [NOPERM] no\n", EACCES},
        {"A1 NO [authenticationFailed] no\n", EACCES},
        {"A1 NO [AUTHORIZATIONFAILED] no\n", EACCES},
        {"A1 NO [EXPIRED] no\n", EACCES},
        {"A1 NO [PRIVACYREQUIRED] no\n", EACCES},
        {"A1 NO [CONTACTADMIN] no\n", EACCES},
        {"A1 NO [OVERQUOTA] no\n", EDQUOT},
        {"A1 NO [TOOBIG] no\n", EFBIG},
        {"A1 NO [ALREADYEXISTS] no\n", EEXIST},
        {"A1 NO [HASCHILDREN] no\n", ENOTEMPTY},
        {"A1 NO [INUSE] no\n", EBUSY},
        {"A1 NO [UNAVAILABLE] no\n", EAGAIN},
        {"A1 NO [LIMIT] no\n", EAGAIN},
        {"A1 BAD [LIMIT] no\n", EAGAIN},
        {"A1 NO [CANNOT] no\n", EINVAL},
        {"A1 NO [SERVERBUG] no\n", EREMOTEIO},
        {"A1 NO [READ-ONLY] no\n", EROFS},
        {"A1 NO [X-OTHER] no\n", EREMOTEIO},
        {"A1 NO [X-OTHER NOPERM] no\n", EREMOTEIO},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = outcome(cases[i].line);
        assert_non_null(error);
        assert_int_equal(error->domain, MAIL_ERROR);
        assert_int_equal(error->code, cases[i].code);
    }
    assert_null(outcome("A1 OK [NOPERM] fine\n"));
    assert_null(outcome("A1 OK\n"));
}

static void take_refusal(gpointer data, const ImapResponse *response)
{
    *(GError **)data = imap_refusal(response, "removing from INBOX");
}

/* A change that is refused without a reason is one that is not allowed. */
static void test_refusals(void **state)
{
    static const struct {
        const char *line;
        int code;
    } cases[] = {
        {"A1 NO no\n", EACCES},
        {"A1 NO [OVERQUOTA] no\n", EDQUOT},
        {"A1 NO [READ-ONLY] no\n", EROFS},
        {"A1 NO [SERVERBUG] no\n", EREMOTEIO},
        {"A1 BAD no\n", EPROTO},
        {"A1 NO [X-OTHER] no\n", EREMOTEIO},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        with_responses(cases[i].line, take_refusal, &error);
        assert_int_equal(error->code, cases[i].code);
    }
}

static void test_messages(void **state)
{
    g_autoptr(GError) plain = outcome("A1 NO [NOPERM] not yours\n");
    g_autoptr(GError) none = outcome("A1 BAD\n");
    g_autoptr(GError) escapes = outcome("A1 NO a\033[2Jb\177\tc\377d\n");

    (void)state;
    assert_string_equal(plain->message, "listing INBOX: the server answered NO: not yours");
    assert_string_equal(none->message, "listing INBOX: the server answered BAD: (no text)");
    assert_string_equal(escapes->message,
                        "listing INBOX: the server answered NO: a?[2Jb??c\357\277\275d");
}

static void test_quoted_text_has_an_end(void **state)
{
    g_autofree char *text = g_strnfill(100000, 'x');
    g_autofree char *quoted = quote_text(text);
    g_autofree char *wide = NULL;

    (void)state;
    assert_in_range(strlen(quoted), 100, 1000);
    for (size_t i = 0; i < 100000; i++)
        text[i] = i % 2 ? '\244' : '\303';
    wide = quote_text(text + 1); /* cut in the middle of characters on both sides */
    assert_true(g_utf8_validate(wide, -1, NULL));
    assert_in_range(strlen(wide), 100, 2000);
}

static void check_code(gpointer data, const ImapResponse *response)
{
    assert_int_equal(imap_has_code(response, data), true);
    assert_false(imap_has_code(response, "OTHER"));
}

static void check_no_code(gpointer data, const ImapResponse *response)
{
    assert_false(imap_has_code(response, data));
}

static void test_has_code(void **state)
{
    (void)state;
    with_responses("* OK [Alert] x\n* OK [ALERT (a b)] x\n", check_code, (gpointer) "ALERT");
    with_responses("* OK ALERT\n* OK [\"ALERT\"] x\n* OK []\n* OK [(ALERT)] x\n* OK [X ALERT] x\n",
                   check_no_code, (gpointer) "ALERT");
}

static void check_correlator(gpointer data, const ImapResponse *response)
{
    const char *tag = imap_correlator(response);

    if (data)
        assert_string_equal(tag, data);
    else
        assert_null(tag);
}

static void test_correlators(void **state)
{
    (void)state;
    with_responses("* ESEARCH (TAG \"A12\") UID ALL 3\n* ESEARCH (tag A12)\n", check_correlator,
                   (gpointer) "A12");
    with_responses("* ESEARCH\n* ESEARCH UID ALL 3\n* ESEARCH (TAG) ALL 3\n* ESEARCH (X \"A12\")\n"
                   "* SEARCH (TAG \"A12\")\n* ESEARCH (TAG (A12))\n",
                   check_correlator, NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes),    cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_messages), cmocka_unit_test(test_quoted_text_has_an_end),
        cmocka_unit_test(test_has_code), cmocka_unit_test(test_correlators),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
