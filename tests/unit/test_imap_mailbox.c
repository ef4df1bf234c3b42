#include "../../imapclient/mailbox.h"
#include "imap_response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void take(gpointer data, const ImapResponse *response)
{
    assert_true(imap_mailbox_take(data, response));
}

static void refuse(gpointer data, const ImapResponse *response)
{
    assert_false(imap_mailbox_take(data, response));
}

static void test_selection(void **state)
{
    ImapMailbox mailbox = {.name = g_strdup("INBOX")};

    (void)state;
    with_responses("* FLAGS (\\Seen)\n* 172 EXISTS\n* 1 RECENT\n* OK [UNSEEN 12] first\n"
                   "* OK [UIDVALIDITY 4294967295] valid\n* OK [UIDNEXT 4392] next\n"
                   "* OK [PERMANENTFLAGS (\\Deleted \\*)] limited\n"
                   "* OK [HIGHESTMODSEQ 18446744073709551615] highest\n* OK [NOMODSEQ] x\n"
                   "* OK [MAILBOXID (F2212ea87)] id\n* OK [READ-ONLY] x\n",
                   take, &mailbox);
    assert_string_equal(mailbox.name, "INBOX");
    assert_int_equal(mailbox.exists, 172);
    assert_int_equal(mailbox.uidvalidity, 4294967295);
    assert_int_equal(mailbox.uidnext, 4392);
    assert_true(mailbox.modseq == UINT64_MAX);
    assert_true(mailbox.read_only);
    assert_string_equal(mailbox.permanent, "\\Deleted \\*");
    imap_mailbox_clear(&mailbox);
    assert_null(mailbox.name);
    assert_null(mailbox.permanent);
    assert_int_equal(mailbox.exists, 0);
}

static void test_changes(void **state)
{
    static const char *const changes[] = {"* 4 EXISTS\n", "* 2 EXPUNGE\n", "* VANISHED 3\n",
                                          "* 1 FETCH (FLAGS ())\n"};

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
        ImapMailbox mailbox = {.exists = 3};
        with_responses(changes[i], take, &mailbox);
        assert_true(mailbox.changed);
    }
    ImapMailbox mailbox = {.exists = 3};
    with_responses("* 0 RECENT\n* FLAGS ()\n* OK [UNSEEN 1] x\n", take, &mailbox);
    assert_false(mailbox.changed);
    with_responses("* 2 EXPUNGE\n* 1 EXPUNGE\n", take, &mailbox);
    assert_int_equal(mailbox.exists, 1);
    /* One more than there are. */
    with_responses("* 1 EXPUNGE\n* 1 EXPUNGE\n* 7 EXPUNGE\n", take, &mailbox);
    assert_int_equal(mailbox.exists, 0);
    with_responses("* 4294967296 EXISTS\n", take, &mailbox);
    assert_int_equal(mailbox.exists, UINT32_MAX);
}

static void test_permanent_flags(void **state)
{
    static const struct {
        const char *response;
        const char *kept, *not_kept; /* by the mailbox, with a space in between */
    } cases[] = {
        {"* OK [UIDNEXT 3] x\n", "\\Deleted $Junk \\Seen", ""},
        {"* OK [PERMANENTFLAGS ()] x\n", "", "\\Deleted $Junk"},
        {"* OK [PERMANENTFLAGS (\\seen $junk)] x\n", "\\Seen $Junk", "\\Deleted $Label \\*"},
        {"* OK [PERMANENTFLAGS (\\Seen \\*)] x\n", "\\Seen $Junk", "\\Deleted"},
        {"* OK [PERMANENTFLAGS (\\Seen)] x\n* OK [PERMANENTFLAGS (\\Draft)] x\n", "\\Draft",
         "\\Seen"},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        ImapMailbox mailbox = {0};
        g_auto(GStrv) kept = g_strsplit(cases[i].kept, " ", -1);
        g_auto(GStrv) not_kept = g_strsplit(cases[i].not_kept, " ", -1);
        with_responses(cases[i].response, take, &mailbox);
        for (size_t k = 0; kept[k]; k++)
            assert_true(imap_mailbox_keeps(&mailbox, kept[k]));
        for (size_t k = 0; not_kept[k]; k++)
            assert_false(imap_mailbox_keeps(&mailbox, not_kept[k]));
        imap_mailbox_clear(&mailbox);
    }
}

static void test_closed(void **state)
{
    ImapMailbox mailbox = {.name = g_strdup("Work")};

    (void)state;
    with_responses("* 12 EXISTS\n* OK [PERMANENTFLAGS ()] x\n* OK [UIDVALIDITY 5] x\n* OK "
                   "[HIGHESTMODSEQ 9] x\n"
                   "* OK [CLOSED] the old one\n* OK [UIDVALIDITY 6] x\n",
                   take, &mailbox);
    assert_string_equal(mailbox.name, "Work");
    assert_int_equal(mailbox.uidvalidity, 6);
    assert_int_equal(mailbox.exists, 0);
    assert_true(mailbox.modseq == 0);
    assert_false(mailbox.changed);
    assert_null(mailbox.permanent);
    imap_mailbox_clear(&mailbox);
}

static void test_says_nothing_of_a_mailbox(void **state)
{
    ImapMailbox mailbox = {.uidvalidity = 5, .uidnext = 6};

    (void)state;
    with_responses("* OK still here\n* OK [ALERT] mind the gap\n* NO [UIDNEXT 7] x\n* BYE x\n"
                   "* CAPABILITY IMAP4rev1\n* LIST () NIL a\n* OK [X-OTHER 7] x\n* 3 FOO\n"
                   "* OK [UIDNEXT 4294967296] x\n* OK [UIDVALIDITY x] x\n* OK [UIDNEXT] x\n"
                   "* OK [UIDNEXT (7)] x\n* OK [UIDNEXT -7] x\n* STATUS INBOX (UIDNEXT 9)\n",
                   refuse, &mailbox);
    assert_int_equal(mailbox.uidvalidity, 5);
    assert_int_equal(mailbox.uidnext, 6);
    assert_false(mailbox.changed);
}

/* --- sets of UIDs ---------------------------------------------------------------------------- */

static char *set_as_text(const char *text)
{
    g_autoptr(GArray) ranges = imap_uid_set(text);
    GString *result = g_string_new(NULL);

    for (guint i = 0; ranges && i < ranges->len; i++) {
        const MailUidRange *range = &g_array_index(ranges, MailUidRange, i);
        g_string_append_printf(result, "%s%u-%u", i ? " " : "", range->first, range->last);
    }
    return g_string_free(result, FALSE);
}

static void test_uid_sets(void **state)
{
    static const struct {
        const char *text, *ranges;
    } cases[] = {
        {"1", "1-1"},
        {"1:3,7", "1-3 7-7"},
        {"7,1:3", "1-3 7-7"},
        {"9:*", "9-4294967295"},
        {"*", "4294967295-4294967295"},
        {"*:9", "9-4294967295"},
        {"3:1", "1-3"},
        {"1:3,2:5,6,8", "1-6 8-8"},
        {"1:100,2:3,50", "1-100"},
        {"4294967295,4294967294", "4294967294-4294967295"},
        {"1:4294967295,5", "1-4294967295"},
        {"5,5,5", "5-5"},
        {"0000000000000000000000000000001", "1-1"},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *ranges = set_as_text(cases[i].text);
        assert_string_equal(ranges, cases[i].ranges);
    }
}

static void test_no_uid_sets(void **state)
{
    static const char *const none[] = {
        "",  "0",  "0:5", ",",  "1,",         "1,,2",         "1:", ":1", "1:2:3",
        "a", "1a", "1 2", "-1", "4294967296", "1:4294967296", "+1", "$",  "99999999999999999999",
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(none); i++)
        assert_null(imap_uid_set(none[i]));
}

static void test_endless_uid_set(void **state)
{
    enum { NUMBERS = 300000 };
    g_autoptr(GString) text = g_string_new("1");

    (void)state;
    for (int i = 1; i < NUMBERS; i++)
        g_string_append_printf(text, ",%d", 2 * i + 1);
    assert_null(imap_uid_set(text->str));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_permanent_flags),
        cmocka_unit_test(test_selection),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_closed),
        cmocka_unit_test(test_says_nothing_of_a_mailbox),
        cmocka_unit_test(test_uid_sets),
        cmocka_unit_test(test_no_uid_sets),
        cmocka_unit_test(test_endless_uid_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
