#include "../../pop3client/outcome.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

static void test_errnos(void **state)
{
    static const struct {
        const char *code;
        int error;
    } codes[] = {
        {"", EREMOTEIO},        {"IN-USE", EAGAIN},   {"LOGIN-DELAY", EAGAIN},
        {"AUTH", EACCES},       {"SYS/TEMP", EAGAIN}, {"SYS/PERM", EREMOTEIO},
        {"SYS/TEMP/X", EAGAIN}, {"SYS", EREMOTEIO},   {"AUTHENTIC", EREMOTEIO},
        {"IN-USER", EREMOTEIO},
    };
    const Pop3Reply good = {POP3_OK, "", "fine"};
    const Pop3Reply question = {POP3_CONTINUE, "", "?"};
    (void)state;
    assert_null(pop3_outcome(&good, "doing it"));
    g_autoptr(GError) asked = pop3_outcome(&question, "doing it");
    assert_int_equal(mail_errno(asked), EPROTO);
    for (size_t i = 0; i < G_N_ELEMENTS(codes); i++) {
        const Pop3Reply bad = {POP3_ERR, codes[i].code, "no\001t"};
        g_autoptr(GError) error = pop3_outcome(&bad, "doing it");
        assert_int_equal(mail_errno(error), codes[i].error);
    }
}

static void test_texts(void **state)
{
    const Pop3Reply coded = {POP3_ERR, "AUTH", "no\001t"};
    const Pop3Reply empty = {POP3_ERR, "", ""};
    g_autoptr(GError) with_code = pop3_outcome(&coded, "doing it");
    g_autoptr(GError) without = pop3_outcome(&empty, "doing it");
    (void)state;
    assert_string_equal(with_code->message, "doing it: the server answered -ERR [AUTH] no?t");
    assert_string_equal(without->message, "doing it: the server answered -ERR (no text)");
    assert_true(pop3_has_code(&coded, "AUTH"));
    assert_false(pop3_has_code(&coded, "AUT"));
}

/* What a server says, its code too, can't do anything to a terminal. */
static void test_control_characters(void **state)
{
    const Pop3Reply reply = {POP3_ERR, "IN-USE\r\33[2J\xff", "some\rbody\33"};
    g_autoptr(GError) error = pop3_outcome(&reply, "login");

    (void)state;
    assert_true(g_utf8_validate(error->message, -1, NULL));
    for (const char *c = error->message; *c; c++)
        assert_false(g_ascii_iscntrl(*c));
}

static void test_in_use(void **state)
{
    static const struct {
        const char *code, *text;
        bool in_use;
    } replies[] = {
        {"IN-USE", "", true},
        {"", "Unable to lock maildrop: Mailbox is locked by POP server", true},
        {"", "maildrop already locked", true},
        {"", "Another session is active", true},
        {"", "mailbox BUSY, try later", true},
        {"", "your mailbox is in use", true},
        {"", "authentication failed", false},
        {"", "Account locked, contact the admin", false},
        {"", "this account is in use", false},
        {"AUTH", "the mailbox is locked", false},
        {"SYS/TEMP", "could not lock", false},
    };
    const Pop3Reply good = {POP3_OK, "", "mailbox locked for you"};
    (void)state;
    assert_false(pop3_is_in_use(&good));
    for (size_t i = 0; i < G_N_ELEMENTS(replies); i++) {
        const Pop3Reply reply = {POP3_ERR, replies[i].code, replies[i].text};
        if (pop3_is_in_use(&reply) != replies[i].in_use)
            fail_msg("[%s] %s", replies[i].code, replies[i].text);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errnos),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_control_characters),
        cmocka_unit_test(test_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
