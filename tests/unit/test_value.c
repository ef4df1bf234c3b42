#include "../../imapclient/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static ImapValue text_value(ImapKind kind, const char *text)
{
    return (ImapValue){.kind = kind, .length = strlen(text), .text = text};
}

static ImapValue atom(const char *text)
{
    return text_value(IMAP_ATOM, text);
}

static ImapValue string(const char *text)
{
    return text_value(IMAP_STRING, text);
}

static ImapValue list(const ImapValue *items, uint32_t n)
{
    return (ImapValue){.kind = IMAP_LIST, .count = n, .items = items};
}

static const ImapValue nil = {.kind = IMAP_NIL};

static void test_items(void **state)
{
    (void)state;
    const ImapValue items[] = {atom("a"), nil};
    const ImapValue two = list(items, 2), none = list(NULL, 0), a = atom("a");

    assert_int_equal(imap_value_count(&two), 2);
    assert_ptr_equal(imap_value_item(&two, 1), &items[1]);
    assert_null(imap_value_item(&two, 2));
    assert_null(imap_value_item(&two, SIZE_MAX));
    assert_int_equal(imap_value_count(&none), 0);
    assert_null(imap_value_item(&none, 0));
    assert_int_equal(imap_value_count(&a), 0);
    assert_null(imap_value_item(&a, 0));
    assert_int_equal(imap_value_count(NULL), 0);
    assert_null(imap_value_item(NULL, 0));
}

static void test_text(void **state)
{
    (void)state;
    const ImapValue a = atom("a"), s = string("s"), none = list(NULL, 0);
    const ImapValue discarded = {.kind = IMAP_STRING, .length = 7};

    assert_string_equal(imap_value_text(&a), "a");
    assert_string_equal(imap_value_text(&s), "s");
    assert_null(imap_value_text(&nil));
    assert_null(imap_value_text(&none));
    assert_null(imap_value_text(&discarded));
    assert_null(imap_value_text(NULL));
}

static void test_literals(void **state)
{
    (void)state;
    g_autoptr(GBytes) bytes = g_bytes_new("a\0b", 4);
    const ImapValue with_nul = {
        .kind = IMAP_STRING, .length = 3, .literal = bytes, .text = g_bytes_get_data(bytes, NULL)};
    ImapValue plain = with_nul;
    plain.length = 1;

    assert_null(imap_value_text(&with_nul));
    assert_string_equal(imap_value_text(&plain), "a");
    g_autoptr(GBytes) taken = imap_value_bytes(&with_nul);
    assert_ptr_equal(taken, bytes);

    const ImapValue quoted = string("hi");
    g_autoptr(GBytes) copy = imap_value_bytes(&quoted);
    assert_int_equal(g_bytes_get_size(copy), 2);
    assert_memory_equal(g_bytes_get_data(copy, NULL), "hi", 2);
    assert_ptr_not_equal(g_bytes_get_data(copy, NULL), quoted.text);
    const ImapValue discarded = {.kind = IMAP_STRING, .length = 7};
    assert_null(imap_value_bytes(&discarded));
    assert_null(imap_value_bytes(&nil));
    assert_null(imap_value_bytes(NULL));
}

static void test_is(void **state)
{
    (void)state;
    const ImapValue a = atom("Uid"), s = string("UID");

    assert_true(imap_value_is(&a, "UID"));
    assert_false(imap_value_is(&a, "UIDS"));
    assert_false(imap_value_is(&a, "UI"));
    assert_false(imap_value_is(&s, "UID"));
    assert_true(imap_value_is(&nil, "nil"));
    assert_false(imap_value_is(&nil, "UID"));
    assert_false(imap_value_is(NULL, "UID"));
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_number;
        uint64_t number;
    } texts[] = {
        {"0", true, 0},
        {"007", true, 7},
        {"4294967296", true, UINT64_C(4294967296)},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"18446744073709551620", false, 0},
        {"99999999999999999999999", false, 0},
        {"-1", false, 0},
        {"+1", false, 0},
        {"1a", false, 0},
        {"1:2", false, 0},
        {"", false, 0},
        {"\xb2", false, 0},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        const ImapValue value = atom(texts[i].text);
        uint64_t number = 0;
        assert_int_equal(imap_value_number(&value, &number), texts[i].is_number);
        assert_true(number == texts[i].number);
    }
    uint64_t untouched = 42;
    const ImapValue quoted = string("1"), none = list(NULL, 0);
    assert_false(imap_value_number(&quoted, &untouched));
    assert_false(imap_value_number(&none, &untouched));
    assert_false(imap_value_number(&nil, &untouched));
    assert_false(imap_value_number(NULL, &untouched));
    assert_int_equal(untouched, 42);
}

static void test_dates(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds;
    } dates[] = {
        {"01-Jan-1970 00:00:00 +0000", 0},
        {" 1-Jan-1970 00:00:00 +0000", 0},
        {"1-Jan-1970 00:00:00 +0000", 0},
        {"17-Jul-1996 02:44:25 -0700", 837596665},
        {"22-NOV-2026 19:05:07 +0000", 1795374307},
        {"29-Feb-2000 12:00:00 +0000", 951825600},
        {"29-feb-2024 23:59:59 +1400", 1709200799},
        {"31-Dec-1969 23:59:59 +0000", -1},
        {"01-Jan-1970 05:30:00 +0530", 0},
        {"31-Dec-1969 19:00:00 -0500", 0},
        {"01-Jan-1970 00:00:00 -0000", 0},
        {"19-Jan-2038 03:14:08 +0000", INT64_C(2147483648)},
        {"31-Dec-9999 23:59:59 +0000", INT64_C(253402300799)},
        {"01-Jan-0001 00:00:00 +0000", -INT64_C(62135596800)},
        {"01-Jan-0000 00:00:00 +0000", -INT64_C(62167219200)},
        {"31-Dec-2016 23:59:60 +0000", 1483228800},
        {"01-Mar-1900 00:00:00 +0000", -INT64_C(2203891200)},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(dates); i++) {
        const ImapValue value = string(dates[i].text);
        int64_t seconds = 42;
        if (!imap_value_date(&value, &seconds) || seconds != dates[i].seconds)
            fail_msg("\"%s\" is %lld", dates[i].text, (long long)seconds);
    }
}

static void test_invalid_dates(void **state)
{
    (void)state;
    static const char *const dates[] = {
        "",
        "29-Feb-2023 00:00:00 +0000",
        "29-Feb-1900 00:00:00 +0000",
        "30-Feb-2000 00:00:00 +0000",
        "31-Apr-2020 00:00:00 +0000",
        "32-Jan-2020 00:00:00 +0000",
        "00-Jan-2020 00:00:00 +0000",
        " 0-Jan-2020 00:00:00 +0000",
        "  1-Jan-2020 00:00:00 +0000",
        " 11-Jan-2020 00:00:00 +0000",
        "-1-Jan-2020 00:00:00 +0000",
        "01-Foo-2020 00:00:00 +0000",
        "01-anf-2020 00:00:00 +0000",
        "01-01-2020 00:00:00 +0000",
        "01-Jan-20 00:00:00 +0000",
        "01-Jan-02020 00:00:00 +0000",
        "01-Jan-2020 24:00:00 +0000",
        "01-Jan-2020 00:60:00 +0000",
        "01-Jan-2020 00:00:61 +0000",
        "01-Jan-2020 0:00:00 +0000",
        "01-Jan-2020 00:00 +0000",
        "01-Jan-2020 00:00:00",
        "01-Jan-2020 00:00:00 ",
        "01-Jan-2020 00:00:00 GMT",
        "01-Jan-2020 00:00:00 0000",
        "01-Jan-2020 00:00:00 +000",
        "01-Jan-2020 00:00:00 +00000",
        "01-Jan-2020 00:00:00 +0060",
        "01-Jan-2020 00:00:00 +2400",
        "01-Jan-2020 00:00:00 +0000 ",
        "01-Jan-2020T00:00:00 +0000",
        "Wed, 01 Jan 2020 00:00:00 +0000",
    };
    int64_t untouched = 42;
    for (size_t i = 0; i < G_N_ELEMENTS(dates); i++) {
        const ImapValue value = string(dates[i]);
        if (imap_value_date(&value, &untouched))
            fail_msg("\"%s\" is taken", dates[i]);
    }
    const ImapValue unquoted = atom("01-Jan-2020 00:00:00 +0000");
    const ImapValue discarded = {.kind = IMAP_STRING, .length = 26};
    assert_false(imap_value_date(&unquoted, &untouched));
    assert_false(imap_value_date(&discarded, &untouched));
    assert_false(imap_value_date(&nil, &untouched));
    assert_false(imap_value_date(NULL, &untouched));
    assert_int_equal(untouched, 42);
}

/* No date cut short is read beyond its end, nor taken for a whole one. */
static void test_cut_dates(void **state)
{
    (void)state;
    const char *date = "17-Jul-1996 02:44:25 -0700";
    for (size_t n = 0; n < strlen(date); n++) {
        g_autofree char *cut = g_strndup(date, n);
        const ImapValue value = string(cut);
        int64_t seconds;
        assert_false(imap_value_date(&value, &seconds));
    }
}

/* Every day of some 800 years, as the C library has it. */
static void test_calendar(void **state)
{
    (void)state;
    for (int64_t day = -200000; day < 100000; day++) {
        time_t time = (time_t)(day * 86400 + 3661);
        struct tm tm;
        char text[64];
        int64_t seconds = 0;
        assert_non_null(gmtime_r(&time, &tm));
        assert_int_not_equal(strftime(text, sizeof text, "%d-%b-%Y %H:%M:%S +0000", &tm), 0);
        const ImapValue value = string(text);
        assert_true(imap_value_date(&value, &seconds));
        assert_true(seconds == time);
    }
}

static void assert_flags(const ImapValue *value, const char *expected)
{
    g_autofree char *flags = imap_value_flags(value);
    assert_string_equal(flags, expected);
}

static void test_flags(void **state)
{
    (void)state;
    const ImapValue items[] = {atom("\\Recent"), atom("\\Seen"), nil,
                               string("quoted"), atom("$Junk"),  atom("\\RECENT"),
                               list(NULL, 0),    atom("a]\xe9"), atom("gr\xc3\xbcn")};
    const ImapValue all = list(items, G_N_ELEMENTS(items)), recent = list(items, 1);
    const ImapValue a = atom("\\Seen");

    assert_flags(&all, "\\Seen $Junk gr\xc3\xbcn");
    assert_flags(&recent, "");
    assert_flags(&a, "");
    assert_flags(&nil, "");
    assert_flags(NULL, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items),         cmocka_unit_test(test_text),
        cmocka_unit_test(test_literals),      cmocka_unit_test(test_is),
        cmocka_unit_test(test_numbers),       cmocka_unit_test(test_dates),
        cmocka_unit_test(test_invalid_dates), cmocka_unit_test(test_cut_dates),
        cmocka_unit_test(test_calendar),      cmocka_unit_test(test_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
