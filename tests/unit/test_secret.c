/* test_secret.c: secrets hold exactly what they were given, and wiping wipes. */
#include "../../imapclient/net/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void test_text_and_length(void **state)
{
    (void)state;
    g_autoptr(Secret) whole = secret_new("correct horse", -1);
    assert_string_equal(secret_text(whole), "correct horse");
    assert_int_equal(secret_length(whole), 13);

    g_autoptr(Secret) part = secret_new("correct horse", 7);
    assert_string_equal(secret_text(part), "correct");
    assert_int_equal(secret_length(part), 7);

    g_autoptr(Secret) empty = secret_new("", -1);
    assert_string_equal(secret_text(empty), "");
    assert_int_equal(secret_length(empty), 0);
}

static void test_embedded_nul(void **state)
{
    (void)state;
    g_autoptr(Secret) secret = secret_new("ab\0cd", 5);
    assert_int_equal(secret_length(secret), 5);
    assert_memory_equal(secret_text(secret), "ab\0cd", 6);
}

static void test_copy_is_independent(void **state)
{
    (void)state;
    Secret *first = secret_new("x\0y", 3);
    g_autoptr(Secret) second = secret_copy(first);
    assert_ptr_not_equal(secret_text(first), secret_text(second));
    secret_free(first);
    assert_int_equal(secret_length(second), 3);
    assert_memory_equal(secret_text(second), "x\0y", 4);
}

/* Around the borders of pages, where the NUL needs one more. */
static void test_any_length(void **state)
{
    (void)state;
    for (size_t length = 4000; length < 4200; length++) {
        g_autofree char *text = g_strnfill(length, 'p');
        g_autoptr(Secret) secret = secret_new(text, (gssize)length);
        assert_int_equal(secret_length(secret), length);
        assert_string_equal(secret_text(secret), text);
    }
    g_autofree char *large = g_strnfill(1 << 20, 'q');
    g_autoptr(Secret) secret = secret_new(large, -1);
    assert_string_equal(secret_text(secret), large);
}

static void test_wipe(void **state)
{
    (void)state;
    char memory[] = "0123456789";
    secret_wipe(memory + 2, 5);
    assert_memory_equal(memory,
                        "01\0\0\0\0\0"
                        "789",
                        sizeof(memory));
    secret_wipe(memory, 0);
    assert_int_equal(memory[0], '0');
    secret_wipe(NULL, 0);
    secret_free(NULL);
}

/* The kernel's flags of the mapping that holds address: "rd wr … dd" (see proc(5), smaps). */
static char *mapping_flags(const void *address)
{
    g_autofree char *maps = NULL;
    assert_true(g_file_get_contents("/proc/self/smaps", &maps, NULL, NULL));
    g_auto(GStrv) lines = g_strsplit(maps, "\n", -1);
    gboolean inside = FALSE;
    for (char **line = lines; *line; line++) {
        char *dash;
        char *space;
        guint64 first = g_ascii_strtoull(*line, &dash, 16);
        guint64 end = *dash == '-' ? g_ascii_strtoull(dash + 1, &space, 16) : 0;
        if (end > 0 && *space == ' ')
            inside = (uintptr_t)address >= first && (uintptr_t)address < end;
        else if (inside && g_str_has_prefix(*line, "VmFlags:"))
            return g_strconcat(*line, " ", NULL);
    }
    return NULL;
}

static void test_kept_out_of_core_dumps(void **state)
{
    (void)state;
    g_autoptr(Secret) secret = secret_new("not for the core", -1);
    g_autofree char *flags = mapping_flags(secret_text(secret));
    assert_non_null(flags);
    assert_non_null(strstr(flags, " dd "));
}

static void test_memory_is_given_back(void **state)
{
    (void)state;
    for (int i = 0; i < 200000; i++) /* far more than the limit of mappings */
        secret_free(secret_new("pw", -1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_and_length),
        cmocka_unit_test(test_embedded_nul),
        cmocka_unit_test(test_copy_is_independent),
        cmocka_unit_test(test_any_length),
        cmocka_unit_test(test_wipe),
        cmocka_unit_test(test_kept_out_of_core_dumps),
        cmocka_unit_test(test_memory_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
