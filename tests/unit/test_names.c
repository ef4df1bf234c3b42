#include "../../fs/names.h"
#include "cache_helpers.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS 20000

static void assert_message(int64_t date, uint32_t uid, const char *expected)
{
    char name[NAMES_MESSAGE_MAX];

    names_message(date, uid, name);
    assert_string_equal(name, expected);
    assert_true(names_message_uid(name) == uid);
}

static void test_message(void **state)
{
    (void)state;
    assert_message(1795374307, 17, "20261122-190507-17.eml");
    assert_message(0, 1, "19700101-000000-1.eml");
    assert_message(-1, 4294967295, "19691231-235959-4294967295.eml");
    assert_message(INT64_C(253402300799), 2, "99991231-235959-2.eml");
    assert_message(INT64_C(-62167219200), 3, "00000101-000000-3.eml");
    /* What four digits can't tell is the epoch. */
    assert_message(INT64_C(253402300800), 4, "19700101-000000-4.eml");
    assert_message(INT64_C(-62167219201), 5, "19700101-000000-5.eml");
    assert_message(INT64_MAX, 6, "19700101-000000-6.eml");
    assert_message(INT64_MIN, 7, "19700101-000000-7.eml");
}

static void test_message_uid(void **state)
{
    static const char *const none[] = {
        "",
        "20261122",
        "20261122-190507",
        "20261122-190507-",
        "20261122-190507-17",
        "20261122-190507-.eml",
        "20261122-190507-0.eml",
        "20261122-190507-017.eml",
        "20261122-190507-+17.eml",
        "20261122-190507- 17.eml",
        "20261122-190507--17.eml",
        "20261122-190507-4294967296.eml",
        "20261122-190507-99999999999999999999999.eml",
        "20261122-190507-17.em",
        "20261122-190507-17.emlx",
        "20261122-190507-17.EML",
        "20261122-190507-17.eml ",
        "20261122-190507-17~.eml",
        "20261122-190507-17~1.eml",
        "20261122-190507-17~02.eml",
        "20261122-190507-17~4294967296.eml",
        "20261122-190507-17~2~2.eml",
        "2026112-190507-17.eml",
        "20261122_190507-17.eml",
        "20261122-190507_17.eml",
        "2026112a-190507-17.eml",
        "20261122-19050a-17.eml",
        "x20261122-190507-17.eml",
        "notes.eml",
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(none); i++)
        if (names_message_uid(none[i]) != 0)
            fail_msg("%s was taken for a message's name", none[i]);
    assert_int_equal(names_message_uid("20261122-190507-17.eml"), 17);
    assert_int_equal(names_message_uid("99999999-999999-1.eml"), 1);
}

static void test_other_message(void **state)
{
    char name[NAMES_MESSAGE_MAX];
    (void)state;
    names_message_other(1795374307, 17, 2, name);
    assert_string_equal(name, "20261122-190507-17~2.eml");
    assert_int_equal(names_message_uid(name), 17);
    names_message_other(0, UINT32_MAX, UINT_MAX, name);
    assert_string_equal(name, "19700101-000000-4294967295~4294967295.eml");
    assert_true(names_message_uid(name) == UINT32_MAX);
}

static void test_given(void **state)
{
    char longest[257];
    (void)state;
    memset(longest, 'x', sizeof longest);
    longest[255] = '\0';
    assert_int_equal(names_check_given(longest), 0);
    longest[255] = 'x';
    longest[256] = '\0';
    assert_int_equal(names_check_given(longest), ENAMETOOLONG);
    assert_int_equal(names_check_given("Grüße\n.eml"), 0);
    assert_int_equal(names_check_given(".pullmail.eml"), 0);
    assert_int_equal(names_check_given("20261122-190507-17.eml"), 0);
    assert_int_equal(names_check_given(".pullmail"), EPERM);
    assert_int_equal(names_check_given(".headers"), EPERM);
    assert_int_equal(names_check_given(".parts"), EPERM);
    assert_int_equal(names_check_given(".search"), EPERM);
    assert_int_equal(names_check_given(".."), EPERM);
    assert_int_equal(names_check_given(""), EINVAL);
    assert_int_equal(names_check_given("a/b"), EINVAL);
}

static void test_folder(void **state)
{
    static const char *const pairs[][2] = {
        {"INBOX", "INBOX"},
        {"Project X", "Project X"},
        {"Entwürfe", "Entwürfe"},
        {"日本語", "日本語"},
        {"a\xe2\x80\xa8"
         "b",
         "a\xe2\x80\xa8"
         "b"}, /* U+2028 is no control character */
        {"", "%"},
        {"%", "%25"},
        {"%%", "%%"},
        {"%2", "%2"},
        {"%2g", "%2g"},
        {"100%", "100%"},
        {"%2F", "%252F"},
        {"%af", "%25af"},
        {"%~", "%25~"},
        {"%%2F", "%%252F"},
        {"%/", "%%2F"},
        {"%A/", "%A%2F"},
        {"a/b", "a%2Fb"},
        {"../../etc", "..%2F..%2Fetc"},
        {".", "%2E"},
        {"..", "%2E."},
        {"...", "..."},
        {".profile", ".profile"},
        {".pullmail", "%2Epullmail"},
        {".headers", "%2Eheaders"},
        {".parts", "%2Eparts"},
        {".search", "%2Esearch"},
        {".Search", ".Search"},
        {"a\nb\x1b[31m\x7f", "a%0Ab%1B[31m%7F"},
        {"\xc2\x80\xc2\x9f\xc2\xa0", "%C2%80%C2%9F\xc2\xa0"},
        {"\xff\xc3(", "%FF%C3("},
        {"a\xc3", "a%C3"},
        {"\xc0\xaf", "%C0%AF"},               /* an overlong '/' */
        {"\xed\xa0\x80", "%ED%A0%80"},        /* a surrogate */
        {"\xf4\x90\x80\x80", "%F4%90%80%80"}, /* beyond U+10FFFF */
        {"\xf0\x9f\x93\xa7", "\xf0\x9f\x93\xa7"},
        {"20261122-190507-17.eml", "%320261122-190507-17.eml"},
        {"20261122-190507-0.eml", "20261122-190507-0.eml"},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(pairs); i++) {
        g_autofree char *name = names_folder(pairs[i][0]);
        g_autofree char *level = names_folder_decode(pairs[i][1]);

        assert_string_equal(name, pairs[i][1]);
        assert_non_null(level);
        assert_string_equal(level, pairs[i][0]);
    }
}

static void test_decode_refuses_what_is_never_made(void **state)
{
    static const char *const none[] = {
        "",
        ".",
        "..",
        ".pullmail",
        "a/b",
        "a\nb",
        "\xff",
        "%2f",
        "%41",
        "%00",
        "a%00",
        "%2Ea",
        "%25x",
        "%~",
        "a%~0123456789abcdef",
        "%2E%2E",
        "%C3%A9",
        "%252",
        "20261122-190507-17.eml",
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(none); i++) {
        g_autofree char *level = names_folder_decode(none[i]);
        if (level)
            fail_msg("%s was decoded to %s", none[i], level);
    }
}

static void test_long_names_are_cut(void **state)
{
    g_autofree char *exact = g_strnfill(255, 'a');
    g_autofree char *longer = g_strnfill(256, 'a');
    g_autofree char *other = g_strconcat(exact, "b", NULL);
    g_autofree char *slashes = g_strnfill(86, '/'); /* 258 when encoded */
    g_autofree char *kept = names_folder(exact);
    g_autofree char *cut = names_folder(longer);
    g_autofree char *other_cut = names_folder(other);
    g_autofree char *slashes_cut = names_folder(slashes);
    g_autofree char *back = names_folder_decode(cut);
    g_autoptr(GString) wide = g_string_new("ab");
    g_autofree char *wide_cut = NULL;

    (void)state;
    assert_string_equal(kept, exact);
    assert_int_equal(strlen(cut), 255);
    assert_memory_equal(cut, exact, 221);
    assert_memory_equal(cut + 221, "%~", 2);
    assert_int_equal(strspn(cut + 223, "0123456789abcdef"), 32);
    assert_string_not_equal(cut, other_cut);
    assert_null(back);
    /* Cut between characters: after 73 whole "%2F" of three. */
    assert_int_equal(strlen(slashes_cut), 73 * 3 + 34);
    assert_memory_equal(slashes_cut + 72 * 3, "%2F%~", 5);
    while (wide->len < 300)
        g_string_append(wide, "\xf0\x9f\x93\xa7"); /* 2 + 54 * 4 = 218 fit into 221 */
    wide_cut = names_folder(wide->str);
    assert_true(g_utf8_validate(wide_cut, -1, NULL));
    assert_int_equal(strlen(wide_cut), 218 + 34);
}

/* A level made of what matters to the encoding, of whole characters, or of any bytes. */
static char *random_level(GRand *random)
{
    static const char *const pieces[] = {"%",         "%2",   "2F", "F",  "~",    "%~",
                                         ".",         "..",   "/",  "a",  "\xc2", "\x80",
                                         ".pullmail", "\x01", "é",  "25", "%25"};
    GString *level = g_string_new(NULL);
    int kind = g_rand_int_range(random, 0, 3);
    int count = g_rand_int_range(random, 0, g_rand_boolean(random) ? 5 : 300);

    for (int i = 0; i < count; i++) {
        gunichar character = (gunichar)g_rand_int_range(random, 1, 0x110000);
        if (kind == 0)
            g_string_append(level,
                            pieces[g_rand_int_range(random, 0, (gint32)G_N_ELEMENTS(pieces))]);
        else if (kind == 1)
            g_string_append_c(level, (char)g_rand_int_range(random, 1, 256));
        else if (g_unichar_validate(character))
            g_string_append_unichar(level, character >> g_rand_int_range(random, 0, 14));
    }
    return g_string_free(level, FALSE);
}

static void assert_fit_for_a_file(const char *name)
{
    assert_true(name[0] && strlen(name) <= 255);
    assert_null(strchr(name, '/'));
    assert_true(strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
    assert_true(strcmp(name, ".pullmail") != 0);
    assert_true(names_message_uid(name) == 0);
    assert_true(g_utf8_validate(name, -1, NULL));
    for (const char *p = name; *p; p = g_utf8_next_char(p))
        assert_false(g_unichar_iscntrl(g_utf8_get_char(p)));
}

static void test_any_name_goes_there_and_back(void **state)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(20261122);
    g_autoptr(GHashTable) levels = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        g_autofree char *level = random_level(random);
        char *name = names_folder(level);
        g_autofree char *back = names_folder_decode(name);
        const char *before = g_hash_table_lookup(levels, name);

        assert_fit_for_a_file(name);
        if (back)
            assert_string_equal(back, level);
        else
            assert_true(strlen(name) > 200 && strstr(name, "%~"));
        if (before)
            assert_string_equal(before, level);
        g_hash_table_replace(levels, name, g_steal_pointer(&level));
    }
}

/* Whatever name is asked for, it means one level at most. */
static void test_only_one_name_means_a_level(void **state)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(7);

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        g_autofree char *name = random_level(random);
        g_autofree char *level = names_folder_decode(name);
        g_autofree char *again = level ? names_folder(level) : NULL;

        if (level)
            assert_string_equal(again, name);
    }
}

/* --- unique names ----------------------------------------------------------------------------- */

static void test_unique(void **state)
{
    static const struct {
        const char *unique;
        unsigned which;
        const char *name;
    } pairs[] = {
        {"000000016b070b8a", 0, "000000016b070b8a.eml"},
        {"000000016b070b8a", 1, "000000016b070b8a%~2.eml"},
        {"a", UINT32_MAX - 1, "a%~4294967295.eml"},
        {"a/b", 0, "a%2Fb.eml"},
        {"../../x", 0, "%2E.%2F..%2Fx.eml"},
        {".", 0, "%2E.eml"},
        {".pullmail", 2, "%2Epullmail%~3.eml"},
        {"%2F", 0, "%252F.eml"},
        {"a%~2", 0, "a%25~2.eml"},
        {"a%~2", 1, "a%25~2%~2.eml"},
        {"100%", 0, "100%.eml"},
        {"x.eml", 0, "x.eml.eml"},
        {"20261122-190507-17", 0, "20261122-190507-17.eml"},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(pairs); i++) {
        char name[256];
        unsigned which = 99;
        assert_true(names_unique(pairs[i].unique, pairs[i].which, name, sizeof name));
        assert_string_equal(name, pairs[i].name);
        g_autofree char *unique = names_unique_decode(name, &which);
        assert_non_null(unique);
        assert_string_equal(unique, pairs[i].unique);
        assert_int_equal(which, pairs[i].which);
    }
}

static void test_no_unique_name(void **state)
{
    static const char *const none[] = {
        "",          ".eml",     "a",         "a.EML",     "a%~.eml",
        "a%~0.eml",  "a%~1.eml", "a%~02.eml", "a%~2x.eml", "a%~4294967296.eml",
        "a%2fb.eml", "%41.eml",  "%~2.eml",   ".a.eml",    "a%252F%~1.eml",
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(none); i++) {
        unsigned which;
        g_autofree char *unique = names_unique_decode(none[i], &which);
        if (unique)
            fail_msg("%s was taken for %s", none[i], unique);
    }
}

static void make_unique(uint64_t *seed, int i, char unique[71])
{
    static const char few[] = "%~/.2aF";
    size_t length = 1 + next_random(seed) % (i % 2 ? 4 : 70);

    for (size_t at = 0; at < length; at++) {
        if (i % 3)
            unique[at] = few[next_random(seed) % (sizeof few - 1)];
        else
            unique[at] = (char)(0x21 + next_random(seed) % 94);
    }
    unique[length] = '\0';
}

/* All that a server may say: apart, and back; no path, and never longer than a name. */
static void test_unique_at_random(void **state)
{
    g_autoptr(GHashTable) keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    uint64_t seed = 5;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        char unique[71], name[256];
        unsigned which = next_random(&seed) % 3, back;
        make_unique(&seed, i, unique);
        assert_true(names_unique(unique, which, name, sizeof name));
        assert_null(strchr(name, '/'));
        assert_true(name[0] != '.');
        g_autofree char *decoded = names_unique_decode(name, &back);
        assert_non_null(decoded);
        assert_string_equal(decoded, unique);
        assert_int_equal(back, which);
        char *key = g_strdup_printf("%u %s", which, unique);
        const char *other = g_hash_table_lookup(keys, name);
        if (other)
            assert_string_equal(other, key);
        g_hash_table_replace(keys, g_strdup(name), key);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message),
        cmocka_unit_test(test_message_uid),
        cmocka_unit_test(test_other_message),
        cmocka_unit_test(test_given),
        cmocka_unit_test(test_folder),
        cmocka_unit_test(test_decode_refuses_what_is_never_made),
        cmocka_unit_test(test_long_names_are_cut),
        cmocka_unit_test(test_any_name_goes_there_and_back),
        cmocka_unit_test(test_only_one_name_means_a_level),
        cmocka_unit_test(test_unique),
        cmocka_unit_test(test_no_unique_name),
        cmocka_unit_test(test_unique_at_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
