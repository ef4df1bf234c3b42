/* Messages that are on their way to another folder, as the folders show them. */
#include "cache_helpers.h"

#include "../../fs/arrivals.h"
#include "../../fs/inode.h"

enum { FROM = 3, TO = 5, OTHER = 4 };

static uint64_t ino(uint32_t folder, uint32_t uid)
{
    return inode_number(INODE_MESSAGE, folder, uid);
}

static void put(Arrivals *arrivals, uint32_t uid, uint32_t target, const char *name)
{
    arrivals_put(arrivals, ino(FROM, uid), &(CatalogMessage){.uid = uid, .size = 10 * uid}, target,
                 name);
}

/* "a:1 b:2* " of a folder; * has settled. */
static void assert_list(Arrivals *arrivals, uint32_t folder, const char *expected)
{
    g_autoptr(GString) text = g_string_new(NULL);
    uint64_t serial = 0;
    for (;;) {
        g_auto(Arrival) arrival = {0};
        if (!arrivals_after(arrivals, folder, serial, &arrival))
            break;
        assert_true(arrival.serial > serial);
        serial = arrival.serial;
        g_string_append_printf(text, "%s:%u%s ", arrival.name, inode_of(arrival.ino).uid,
                               arrival.settled ? "*" : "");
    }
    assert_string_equal(text->str, expected);
}

static void test_on_their_way(void **state)
{
    Arrivals *arrivals = arrivals_new();
    CatalogMessage message;
    (void)state;
    assert_false(arrivals_has(arrivals, ino(FROM, 1)));
    assert_list(arrivals, TO, "");
    put(arrivals, 2, TO, "b");
    put(arrivals, 1, TO, "a");
    put(arrivals, 3, OTHER, "a");
    assert_list(arrivals, TO, "b:2 a:1 ");
    assert_list(arrivals, OTHER, "a:3 ");
    assert_list(arrivals, FROM, "");
    assert_true(arrivals_named(arrivals, TO, "a") == ino(FROM, 1));
    assert_true(arrivals_named(arrivals, OTHER, "a") == ino(FROM, 3));
    assert_true(arrivals_named(arrivals, OTHER, "b") == 0);
    assert_true(arrivals_has(arrivals, ino(FROM, 3)));
    assert_true(arrivals_message(arrivals, ino(FROM, 3), &message));
    assert_int_equal(message.size, 30);
    arrivals_remove(arrivals, ino(FROM, 2));
    arrivals_remove(arrivals, ino(FROM, 2));
    assert_list(arrivals, TO, "a:1 ");
    assert_true(arrivals_named(arrivals, TO, "b") == 0);
    assert_false(arrivals_has(arrivals, ino(FROM, 2)));
    assert_false(arrivals_message(arrivals, ino(FROM, 2), &message));
    arrivals_free(arrivals);
}

/* Nobody has the directory open: there is nothing more to say of it. */
static void test_settled(void **state)
{
    Arrivals *arrivals = arrivals_new();
    (void)state;
    put(arrivals, 1, TO, "a");
    arrivals_opened(arrivals, OTHER);
    arrivals_settle(arrivals, ino(FROM, 1), ino(TO, 9));
    arrivals_settle(arrivals, ino(FROM, 2), ino(TO, 8));
    assert_list(arrivals, TO, "");
    assert_false(arrivals_lists(arrivals, ino(TO, 9)));
    arrivals_free(arrivals);
}

/* While anybody has, it stays among them, and nothing else is known of it any more. */
static void test_settled_in_the_midst(void **state)
{
    Arrivals *arrivals = arrivals_new();
    (void)state;
    put(arrivals, 1, TO, "a");
    put(arrivals, 2, TO, "b");
    arrivals_opened(arrivals, TO);
    arrivals_opened(arrivals, TO);
    arrivals_settle(arrivals, ino(FROM, 1), ino(TO, 9));
    assert_list(arrivals, TO, "a:9* b:2 ");
    assert_true(arrivals_lists(arrivals, ino(TO, 9)));
    assert_false(arrivals_lists(arrivals, ino(FROM, 1)));
    assert_false(arrivals_has(arrivals, ino(FROM, 1)));
    assert_true(arrivals_named(arrivals, TO, "a") == 0);
    put(arrivals, 4, TO, "a");
    arrivals_closed(arrivals, TO);
    assert_list(arrivals, TO, "a:9* b:2 a:4 ");
    arrivals_closed(arrivals, TO);
    assert_list(arrivals, TO, "b:2 a:4 ");
    assert_false(arrivals_lists(arrivals, ino(TO, 9)));
    arrivals_free(arrivals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_on_their_way),
        cmocka_unit_test(test_settled),
        cmocka_unit_test(test_settled_in_the_midst),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
