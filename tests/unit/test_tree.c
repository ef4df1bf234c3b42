#include "../../imapclient/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* A line as the parser would have it, scanned once. */
typedef struct {
    ImapTree tree;
    char *line;
    size_t position;
    ImapScanEnd end;
    ImapValue list;
} Scan;

static void scan_begin(Scan *scan, const char *text, ImapScanMode mode)
{
    *scan = (Scan){.line = g_strconcat(".", text, "\n", NULL), .position = 1};
    imap_tree_init(&scan->tree);
    scan->end = imap_tree_scan(&scan->tree, scan->line, &scan->position, strlen(scan->line) - 1,
                               mode);
}

static void scan_end(Scan *scan)
{
    imap_tree_clear(&scan->tree);
    g_free(scan->line);
}

static void test_flat_values(void **state)
{
    (void)state;
    Scan scan;
    scan_begin(&scan, "UID 12 nil \"a b\"  x", IMAP_SCAN_DATA);
    assert_int_equal(scan.end, IMAP_SCAN_END);
    imap_tree_finish(&scan.tree, scan.line, &scan.list);
    assert_int_equal(imap_value_count(&scan.list), 5);
    assert_string_equal(imap_value_text(imap_value_item(&scan.list, 0)), "UID");
    assert_string_equal(imap_value_text(imap_value_item(&scan.list, 1)), "12");
    assert_int_equal(imap_value_item(&scan.list, 2)->kind, IMAP_NIL);
    assert_int_equal(imap_value_item(&scan.list, 3)->kind, IMAP_STRING);
    assert_string_equal(imap_value_text(imap_value_item(&scan.list, 3)), "a b");
    assert_int_equal(imap_value_item(&scan.list, 3)->length, 3);
    assert_string_equal(imap_value_text(imap_value_item(&scan.list, 4)), "x");
    scan_end(&scan);
}

/* The items of a list stay in a row, whatever lists are among them. */
static void test_nested_lists(void **state)
{
    (void)state;
    Scan scan;
    scan_begin(&scan, "(a (b () (c d)) e)(f)", IMAP_SCAN_DATA);
    assert_int_equal(scan.end, IMAP_SCAN_END);
    imap_tree_finish(&scan.tree, scan.line, &scan.list);
    assert_int_equal(imap_value_count(&scan.list), 2);

    const ImapValue *first = imap_value_item(&scan.list, 0);
    const ImapValue *inner = imap_value_item(first, 1);
    assert_int_equal(imap_value_count(first), 3);
    assert_true(imap_value_is(imap_value_item(first, 0), "a"));
    assert_true(imap_value_is(imap_value_item(first, 2), "e"));
    assert_int_equal(imap_value_count(inner), 3);
    assert_int_equal(imap_value_item(inner, 1)->kind, IMAP_LIST);
    assert_int_equal(imap_value_count(imap_value_item(inner, 1)), 0);
    assert_true(imap_value_is(imap_value_item(imap_value_item(inner, 2), 1), "d"));
    assert_true(imap_value_is(imap_value_item(imap_value_item(&scan.list, 1), 0), "f"));
    scan_end(&scan);
}

static void test_escapes(void **state)
{
    (void)state;
    static const struct {
        const char *quoted, *text;
    } strings[] = {
        {"\"\"", ""},
        {"\"a\\\"b\"", "a\"b"},
        {"\"\\\\\"", "\\"},
        {"\"\\\\\\\\\\\"\"", "\\\\\""},
        {"\"C:\\dir\\\\\"", "C:\\dir\\"},
        {"\"\xff\x01(){}\"", "\xff\x01(){}"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(strings); i++) {
        Scan scan;
        scan_begin(&scan, strings[i].quoted, IMAP_SCAN_DATA);
        assert_int_equal(scan.end, IMAP_SCAN_END);
        imap_tree_finish(&scan.tree, scan.line, &scan.list);
        const ImapValue *value = imap_value_item(&scan.list, 0);
        assert_string_equal(imap_value_text(value), strings[i].text);
        assert_int_equal(value->length, strlen(strings[i].text));
        scan_end(&scan);
    }
}

/* Brackets mean something in three places, and nothing elsewhere. */
static void test_brackets(void **state)
{
    (void)state;
    Scan scan;
    scan_begin(&scan, "BODY[HEADER.FIELDS (A)] x", IMAP_SCAN_DATA);
    imap_tree_finish(&scan.tree, scan.line, &scan.list);
    assert_true(imap_value_is(imap_value_item(&scan.list, 0), "BODY[HEADER.FIELDS"));
    assert_int_equal(imap_value_count(&scan.list), 4);
    scan_end(&scan);

    scan_begin(&scan, "binary.peek[1.2]<5> XBODY[A x]", IMAP_SCAN_FETCH);
    imap_tree_finish(&scan.tree, scan.line, &scan.list);
    assert_true(imap_value_is(imap_value_item(&scan.list, 0), "BINARY.PEEK[1.2]<5>"));
    assert_true(imap_value_is(imap_value_item(&scan.list, 1), "XBODY[A"));
    assert_int_equal(imap_value_count(&scan.list), 3);
    scan_end(&scan);

    scan_begin(&scan, "A (b]c) BODY[] d] text", IMAP_SCAN_CODE);
    assert_int_equal(scan.end, IMAP_SCAN_BRACKET);
    assert_string_equal(scan.line + scan.position, " d] text\n");
    imap_tree_finish(&scan.tree, scan.line, &scan.list);
    assert_int_equal(imap_value_count(&scan.list), 3);
    assert_true(imap_value_is(imap_value_item(&scan.list, 2), "BODY["));
    scan_end(&scan);
}

static void test_announcements(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool announces;
    } texts[] = {
        {"{5}", true},   {"x {5+}", true}, {"x{0}", true},  {"~{1}", true},
        {"{5", false},   {"5}", false},    {"{}", false},   {"{+}", false},
        {"{5-}", false}, {"{5} ", false},  {"{ 5}", false}, {"{{5}", true},
        {"", false},     {"}", false},     {"{5}}", false}, {"{5++}", false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autofree char *line = g_strconcat(texts[i].text, "\n", NULL);
        if (imap_tree_announces(line, 0, strlen(texts[i].text)) != texts[i].announces)
            fail_msg("\"%s\"", texts[i].text);
    }
    /* What is ahead of the start does not count. */
    assert_false(imap_tree_announces("{5}\n", 1, 3));
}

static void test_literal_joins_its_list(void **state)
{
    (void)state;
    Scan scan;
    scan_begin(&scan, "(UID 1 BODY[A (b)]<0> {4}", IMAP_SCAN_FETCH);
    assert_int_equal(scan.end, IMAP_SCAN_LITERAL);
    assert_int_equal(scan.tree.literal_size, 4);
    const ImapValue *item = imap_tree_item(&scan.tree);
    assert_non_null(item);
    assert_int_equal(strncmp(scan.line + item->offset, "BODY[A (b)]<0>", item->length), 0);

    imap_tree_add_literal(&scan.tree, 4, g_bytes_new_static("a\0bc", 5));
    assert_null(imap_tree_item(&scan.tree));
    static char rest[] = ") x";
    size_t position = 0;
    assert_int_equal(imap_tree_scan(&scan.tree, rest, &position, 1, IMAP_SCAN_FETCH),
                     IMAP_SCAN_END);
    imap_tree_finish(&scan.tree, scan.line, &scan.list);
    const ImapValue *literal = imap_value_item(imap_value_item(&scan.list, 0), 3);
    assert_int_equal(literal->length, 4);
    assert_null(imap_value_text(literal));
    scan_end(&scan);
}

static void test_discarded_literal(void **state)
{
    (void)state;
    Scan scan;
    scan_begin(&scan, "{9}", IMAP_SCAN_DATA);
    assert_int_equal(scan.end, IMAP_SCAN_LITERAL);
    assert_null(imap_tree_item(&scan.tree));
    imap_tree_add_literal(&scan.tree, 9, NULL);
    imap_tree_finish(&scan.tree, scan.line, &scan.list);
    const ImapValue *literal = imap_value_item(&scan.list, 0);
    assert_int_equal(literal->kind, IMAP_STRING);
    assert_int_equal(literal->length, 9);
    assert_null(imap_value_text(literal));
    assert_null(imap_value_bytes(literal));
    scan_end(&scan);
}

static void test_text_behind_a_literal(void **state)
{
    (void)state;
    static const struct {
        const char *rest;
        ImapScanEnd end;
    } rests[] = {
        {"", IMAP_SCAN_END},      {" x", IMAP_SCAN_END},     {"x", IMAP_SCAN_REFUSED},
        {"(", IMAP_SCAN_REFUSED}, {"\"", IMAP_SCAN_REFUSED}, {"{5}", IMAP_SCAN_REFUSED},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rests); i++) {
        Scan scan;
        size_t position = 0;
        scan_begin(&scan, "{1}", IMAP_SCAN_DATA);
        imap_tree_add_literal(&scan.tree, 1, NULL);
        g_autofree char *line = g_strconcat(rests[i].rest, "\n", NULL);
        assert_int_equal(
            imap_tree_scan(&scan.tree, line, &position, strlen(rests[i].rest), IMAP_SCAN_DATA),
            rests[i].end);
        scan_end(&scan);
    }
}

/* What was scanned ahead of a break is there, lists that are open included. */
static void test_broken_text_gives_what_it_had(void **state)
{
    (void)state;
    Scan scan;
    scan_begin(&scan, "a (b (c \"d", IMAP_SCAN_DATA);
    assert_int_equal(scan.end, IMAP_SCAN_BROKEN);
    assert_string_equal(scan.tree.problem, "a quoted string has no end");
    assert_string_equal(scan.line + scan.position, "\"d\n");
    imap_tree_finish(&scan.tree, scan.line, &scan.list);
    const ImapValue *b = imap_value_item(&scan.list, 1);
    assert_int_equal(imap_value_count(&scan.list), 2);
    assert_int_equal(imap_value_count(b), 2);
    assert_true(imap_value_is(imap_value_item(imap_value_item(b, 1), 0), "c"));
    scan_end(&scan);
}

static void test_reset_forgets(void **state)
{
    (void)state;
    Scan scan;
    for (int large = 0; large < 2; large++) {
        g_autoptr(GString) text = g_string_new("((a");
        for (int i = 0; large && i < 20000; i++)
            g_string_append(text, " (b)");
        scan_begin(&scan, text->str, IMAP_SCAN_DATA);
        imap_tree_add_literal(&scan.tree, 1, g_bytes_new("x", 2));
        imap_tree_reset(&scan.tree);
        size_t position = 0;
        char line[] = "y\n";
        assert_int_equal(imap_tree_scan(&scan.tree, line, &position, 1, IMAP_SCAN_DATA),
                         IMAP_SCAN_END);
        imap_tree_finish(&scan.tree, line, &scan.list);
        assert_int_equal(imap_value_count(&scan.list), 1);
        assert_true(imap_value_is(imap_value_item(&scan.list, 0), "y"));
        scan_end(&scan);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flat_values),
        cmocka_unit_test(test_nested_lists),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_brackets),
        cmocka_unit_test(test_announcements),
        cmocka_unit_test(test_literal_joins_its_list),
        cmocka_unit_test(test_discarded_literal),
        cmocka_unit_test(test_text_behind_a_literal),
        cmocka_unit_test(test_broken_text_gives_what_it_had),
        cmocka_unit_test(test_reset_forgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
