#include "../../pop3client/listing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "../../pop3client/limits.h"

static void take_names(Pop3Listing *listing, const char *const *lines)
{
    for (; *lines; lines++)
        assert_true(pop3_listing_take_name(listing, *lines, strlen(*lines), NULL));
}

static void take_sizes(Pop3Listing *listing, const char *const *lines)
{
    for (; *lines; lines++)
        assert_true(pop3_listing_take_size(listing, *lines, strlen(*lines), NULL));
}

/* "number name which size", each; the caller frees. */
static char *text_of(const Pop3Listing *listing)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < pop3_listing_count(listing); i++) {
        const Pop3Entry *entry = pop3_listing_entry(listing, i);
        g_string_append_printf(text, "%u %s %u %" G_GUINT64_FORMAT "\n", entry->number,
                               entry->name ? entry->name : "-", entry->which, (guint64)entry->size);
    }
    return g_string_free(text, FALSE);
}

#define LINES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_joined(void **state)
{
    g_autoptr(Pop3Listing) listing = pop3_listing_new();
    (void)state;
    take_names(listing, LINES("5 e", "1 a", "3 c"));
    assert_true(pop3_listing_join(listing, NULL));
    take_sizes(listing, LINES("3 30", "2 20", "1 10 more", "3 31"));
    assert_true(pop3_listing_join(listing, NULL));
    g_autofree char *joined = text_of(listing);
    assert_string_equal(joined, "1 a 0 10\n2 - 0 20\n3 c 0 30\n5 e 0 0\n");
    assert_int_equal(pop3_listing_nameless(listing, 0), 1);
    assert_int_equal(pop3_listing_nameless(listing, 2), 4);
    pop3_listing_name(listing, 1, "a"); /* as another has */
    pop3_listing_finish(listing);
    assert_int_equal(pop3_listing_find(listing, "a", 0)->number, 1);
    assert_int_equal(pop3_listing_find(listing, "a", 1)->number, 2);
    assert_null(pop3_listing_find(listing, "a", 2));
    assert_null(pop3_listing_find(listing, "x", 0));
}

static void test_repeated(void **state)
{
    g_autoptr(Pop3Listing) listing = pop3_listing_new();
    (void)state;
    take_names(listing, LINES("1 a", "2 b", "3 a", "4 a", "4 a", "5 ", "6"));
    assert_true(pop3_listing_join(listing, NULL));
    g_autofree char *joined = text_of(listing);
    assert_string_equal(joined, "1 - 0 0\n2 b 0 0\n3 - 0 0\n4 - 0 0\n5 - 0 0\n6 - 0 0\n");
}

static void test_contradiction(void **state)
{
    g_autoptr(Pop3Listing) listing = pop3_listing_new();
    g_autoptr(GError) error = NULL;
    (void)state;
    take_names(listing, LINES("1 a", "2 b", "1 c"));
    assert_false(pop3_listing_join(listing, &error));
    assert_int_equal(mail_errno(error), EPROTO);
}

static void test_bounds(void **state)
{
    g_autoptr(Pop3Listing) few = pop3_listing_new();
    g_autoptr(Pop3Listing) many = pop3_listing_new();
    g_autofree char *name = g_strnfill(POP3_MAX_NAME, 'x');
    g_autofree char *line = g_strconcat("1 ", name, NULL);
    bool taken = true;
    guint n = 0;
    (void)state;
    take_sizes(few, LINES("4294967295 9223372036854775807", "1 9223372036854775808"));
    assert_true(pop3_listing_join(few, NULL));
    g_autofree char *joined = text_of(few);
    assert_string_equal(joined, "1 - 0 0\n4294967295 - 0 9223372036854775807\n");
    while (taken && n <= POP3_MAX_MESSAGES) {
        taken = pop3_listing_take_name(many, line, strlen(line), NULL);
        n++;
    }
    assert_false(taken);
    assert_true(n <= POP3_MAX_MESSAGES && n > POP3_MAX_NAMES / (POP3_MAX_NAME + 1));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_joined),
        cmocka_unit_test(test_repeated),
        cmocka_unit_test(test_contradiction),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
