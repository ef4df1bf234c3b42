#include "../../imapclient/names.h"

#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* There, and back again. */
static void check(const char *wire, char delimiter, const char *expected)
{
    g_autofree char *name = imap_name_from_wire(wire, delimiter, false);

    assert_non_null(name);
    assert_string_equal(name, expected);
    g_autofree char *back = imap_name_to_wire(name, false);
    assert_string_equal(back, wire);
}

static void test_modified_utf7(void **state)
{
    (void)state;
    check("Work", '/', "Work");
    check("a/b.c d", '/', "a/b.c d");
    check("Entw&APw-rfe", '/', "Entw\303\274rfe");
    check("&ZeVnLIqe-.&U,BTFw-", '.',
          "\346\227\245\346\234\254\350\252\236.\345\217\260\345\214\227");
    check("Q&-A", '/', "Q&A");
    check("../../etc", '/', "../../etc");
    check("//", '/', "//");
}

static void test_broken_levels(void **state)
{
    (void)state;
    check("&AOQ", '/', "\377&AOQ\376");
    check("a/&AEE-/&APw-", '/', "a/\377&AEE-\376/\303\274");
    check("\303\244/b", '/', "\377\303\244\376/b");
    check("&/&", '/', "\377&\376/\377&\376");
    /* No level is taken for another one. */
    check("A", '/', "A");
    check("&AEE-", '/', "\377&AEE-\376");
}

static void test_delimiters(void **state)
{
    (void)state;
    check("a/b", 0, "a/b");
    check("&AOQ-/&AOQ", 0, "\377&AOQ-/&AOQ\376");
    check("&AOQ-/&AOQ", '/', "\303\244/\377&AOQ\376");
    /* Delimiters that are something else in modified UTF-7 separate nothing. */
    check("a&-b", '&', "a&b");
    check("&AOQ-", 'A', "\377&\376AOQ-");
}

static void test_inbox(void **state)
{
    static const char *const inboxes[] = {"INBOX", "inbox", "InBox"};

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(inboxes); i++) {
        g_autofree char *name = imap_name_from_wire(inboxes[i], '/', i % 2);
        assert_string_equal(name, "INBOX");
    }
    check("inbox2", '/', "inbox2");
    check("Work/inbox", '/', "Work/inbox");
}

static void test_utf8(void **state)
{
    static const char *const names[] = {"Entw\303\274rfe", "&AOQ-", "a/&", "broken \303 8-bit"};

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *name = imap_name_from_wire(names[i], '/', true);
        g_autofree char *wire = imap_name_to_wire(name, true);
        assert_string_equal(name, names[i]);
        assert_string_equal(wire, names[i]);
    }
}

static void test_no_names(void **state)
{
    static const char *const none[] = {"", "\377", "a\376b", "\377&AOQ\376"};

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(none); i++) {
        assert_null(imap_name_from_wire(none[i], '/', false));
        assert_null(imap_name_from_wire(none[i], '/', true));
    }
}

/* Names that nobody gave: the way to the wire ends, whatever it makes of them. */
static void test_marks_without_end(void **state)
{
    static const char *const names[] = {"\377", "\376", "a\377b", "\377\377",
                                        "a\377&\376\376b\303"};

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *wire = imap_name_to_wire(names[i], false);
        assert_non_null(wire);
    }
}

/* The way back is exact; so no two names on the wire become one. */
static void test_random_names(void **state)
{
    enum { ROUNDS = 50000, LONGEST = 12 };
    static const char alphabet[] = "&&&&---AOQaB,+/../ \001~\303\244\"\\%*";
    static const char delimiters[] = "/./.&-A,\001\303 \\\"%";
    g_autoptr(GRand) random = g_rand_new_with_seed(20261122);

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        char wire[LONGEST + 1] = "";
        int length = g_rand_int_range(random, 1, LONGEST);
        char delimiter = delimiters[g_rand_int_range(random, 0, sizeof delimiters)];
        for (int i = 0; i < length; i++)
            wire[i] = alphabet[g_rand_int_range(random, 0, sizeof alphabet - 1)];
        g_autofree char *name = imap_name_from_wire(wire, delimiter, false);
        g_autofree char *back = imap_name_to_wire(name, false);
        assert_string_equal(back, wire);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modified_utf7), cmocka_unit_test(test_broken_levels),
        cmocka_unit_test(test_delimiters),    cmocka_unit_test(test_inbox),
        cmocka_unit_test(test_utf8),          cmocka_unit_test(test_no_names),
        cmocka_unit_test(test_random_names),  cmocka_unit_test(test_marks_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
