#include "../../imapclient/section.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void check_asked(MailRange range, const char *expected)
{
    g_autoptr(GString) items = g_string_new(NULL);

    imap_section_append(items, &range);
    assert_string_equal(items->str, expected);
}

static void test_asked(void **state)
{
    (void)state;
    check_asked((MailRange){MAIL_SECTION_HEADER, 0, 0}, "BODY.PEEK[HEADER]");
    check_asked((MailRange){MAIL_SECTION_TEXT, 0, 0}, "BODY.PEEK[TEXT]");
    check_asked((MailRange){MAIL_SECTION_BODY, 0, 0}, "BODY.PEEK[]");
    check_asked((MailRange){MAIL_SECTION_TEXT, 0, 65536}, "BODY.PEEK[TEXT]<0.65536>");
    check_asked((MailRange){MAIL_SECTION_BODY, UINT64_MAX, UINT32_MAX},
                "BODY.PEEK[]<18446744073709551615.4294967295>");
}

static void test_several(void **state)
{
    static const MailRange ranges[] = {{MAIL_SECTION_HEADER, 0, 0}, {MAIL_SECTION_TEXT, 7, 8}};
    g_autoptr(GString) items = g_string_new(NULL);

    (void)state;
    imap_section_append(items, &ranges[0]);
    imap_section_append(items, &ranges[1]);
    assert_string_equal(items->str, "BODY.PEEK[HEADER] BODY.PEEK[TEXT]<7.8>");
}

static void test_answered(void **state)
{
    static const MailRange header = {MAIL_SECTION_HEADER, 0, 0}, text = {MAIL_SECTION_TEXT, 0, 0};
    static const MailRange body = {MAIL_SECTION_BODY, 0, 0}, start = {MAIL_SECTION_TEXT, 0, 100};
    static const MailRange rest = {MAIL_SECTION_TEXT, 5000000000, 100};

    (void)state;
    assert_true(imap_section_matches("BODY[HEADER]", &header));
    assert_true(imap_section_matches("body[Header]", &header));
    assert_true(imap_section_matches("BODY[TEXT]", &text));
    assert_true(imap_section_matches("BODY[]", &body));
    assert_true(imap_section_matches("BODY[TEXT]<0>", &start));
    assert_true(imap_section_matches("BODY[TEXT]<5000000000>", &rest));
    /* Some leave out where it begins, if that is where everything begins, or tell it always. */
    assert_true(imap_section_matches("BODY[TEXT]", &start));
    assert_true(imap_section_matches("BODY[TEXT]<0>", &text));
}

static void test_answered_something_else(void **state)
{
    static const char *const others[] = {
        "",
        "BODY",
        "BODY[",
        "BODY[TEXT",
        "BODY[]",
        "BODY[HEADER]",
        "BODY[TEXT]x",
        "BODY[TEXT]<",
        "BODY[TEXT]<7",
        "BODY[TEXT]<70>",
        "BODY[TEXT]<0>",
        "BODY[TEXT]",
        "BODY[TEXT]<7>x",
        "BODY[TEXT]<7.8>",
        "BODY[TEXT]<>",
        "BODY[TEXT]<18446744073709551623>",
        "BODY[TEXT]<x>",
        "BODY[1.TEXT]<7>",
        "BODY[TEXTX]<7>",
        "BODY.PEEK[TEXT]<7>",
        "BINARY[TEXT]<7>",
        "RFC822.TEXT",
    };
    static const MailRange range = {MAIL_SECTION_TEXT, 7, 8};

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
        assert_false(imap_section_matches(others[i], &range));
    assert_false(imap_section_matches("BODY[HEADER.FIELDS (SUBJECT)]",
                                      &(MailRange){MAIL_SECTION_HEADER, 0, 0}));
    assert_false(imap_section_matches("BODY[TEXT]", &(MailRange){MAIL_SECTION_BODY, 0, 0}));
    assert_false(imap_section_matches("BODY[TEXT]<7>", &(MailRange){MAIL_SECTION_TEXT, 0, 0}));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asked),
        cmocka_unit_test(test_several),
        cmocka_unit_test(test_answered),
        cmocka_unit_test(test_answered_something_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
