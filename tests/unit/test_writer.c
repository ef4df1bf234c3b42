#include "cache_helpers.h"

#include "../../cache/writer.h"

typedef struct {
    int left;  /* atomic: stretches of work */
    int calls; /* atomic */
    int busy;  /* atomic: the work is under way */
} Work;

static bool work(gpointer data)
{
    Work *work = data;
    g_atomic_int_inc(&work->calls);
    g_atomic_int_set(&work->busy, 1);
    g_usleep(2000);
    g_atomic_int_set(&work->busy, 0);
    return g_atomic_int_get(&work->left) == 0 || g_atomic_int_dec_and_test(&work->left);
}

/* Waits until it is so, without saying how long that may take. */
#define AWAIT(condition)                                            \
    do {                                                            \
        for (int tries = 0; !(condition) && tries < 60000; tries++) \
            g_usleep(1000);                                         \
        assert_true(condition);                                     \
    } while (0)

static void test_nothing_unasked(void **state)
{
    Work some = {.left = 3};
    (void)state;
    Writer *writer = writer_start(work, &some);
    g_usleep(20000);
    writer_stop(writer);
    writer_stop(NULL);
    assert_int_equal(some.calls, 0);
}

/* It goes on until nothing is left, and then waits to be woken again. */
static void test_all_of_it(void **state)
{
    Work some = {.left = 5};
    (void)state;
    Writer *writer = writer_start(work, &some);
    writer_wake(writer, 1);
    AWAIT(g_atomic_int_get(&some.left) == 0);
    writer_finish(writer);
    int calls = g_atomic_int_get(&some.calls);
    assert_in_range(calls, 5, 6);
    g_usleep(20000);
    assert_int_equal(g_atomic_int_get(&some.calls), calls);
    writer_wake(writer, 0);
    AWAIT(g_atomic_int_get(&some.calls) == calls + 1);
    writer_stop(writer);
}

/* The sooner of two calls counts. */
static void test_sooner_wins(void **state)
{
    Work some = {.left = 0};
    (void)state;
    Writer *writer = writer_start(work, &some);
    writer_wake(writer, 3600 * 1000);
    writer_wake(writer, 1);
    writer_wake(writer, 3600 * 1000);
    AWAIT(g_atomic_int_get(&some.calls) == 1);
    writer_stop(writer);
}

/* What was to be done when finish was called is done when it returns. */
static void test_finish(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        Work some = {.left = 3};
        Writer *writer = writer_start(work, &some);
        if (i % 2)
            writer_wake(writer, 0);
        writer_finish(writer);
        assert_int_equal(g_atomic_int_get(&some.left), 0);
        g_atomic_int_set(&some.left, 2);
        writer_finish(writer);
        assert_int_equal(g_atomic_int_get(&some.left), 0);
        writer_stop(writer);
    }
}

/* The end waits for the work under way, and not for what is left. */
static void test_stop(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        Work endless = {.left = 1 << 30};
        Writer *writer = writer_start(work, &endless);
        writer_wake(writer, 0);
        AWAIT(g_atomic_int_get(&endless.calls) > 0);
        writer_stop(writer);
        assert_int_equal(endless.busy, 0);
        int calls = endless.calls;
        g_usleep(3000);
        assert_int_equal(endless.calls, calls);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_unasked),
        cmocka_unit_test(test_all_of_it),
        cmocka_unit_test(test_sooner_wins),
        cmocka_unit_test(test_finish),
        cmocka_unit_test(test_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
