#include "../../fs/rate.h"
#include "cache_helpers.h"

enum { MILLI = 1000 };

static void test_counts(void **state)
{
    const gint64 begin = G_GINT64_CONSTANT(123456789) * MILLI;
    Rate *rate = rate_new();
    assert_true(rate_bytes(rate, begin) == 0);
    rate_add(rate, begin, 1000);
    rate_add(rate, begin + 100 * MILLI, UINT64_C(1) << 40);
    assert_true(rate_bytes(rate, begin + 100 * MILLI) == 1000 + (UINT64_C(1) << 40));
    assert_true(rate_bytes(rate, begin + 260 * MILLI) == UINT64_C(1) << 40);
    assert_true(rate_bytes(rate, begin + 400 * MILLI) == 0);
    rate_free(rate);
    (void)state;
}

/* In a steady stream, what came in the time that it tells of, but for a slot. */
static void test_steady(void **state)
{
    Rate *rate = rate_new();
    for (gint64 millis = 0; millis < 3000; millis += 10) {
        rate_add(rate, millis * MILLI, 10);
        if (millis > 2 * RATE_MILLIS)
            assert_in_range(rate_bytes(rate, millis * MILLI), RATE_MILLIS - 50, RATE_MILLIS);
    }
    rate_free(rate);
    (void)state;
}

static void test_long_silence(void **state)
{
    Rate *rate = rate_new();
    rate_add(rate, 0, 5);
    assert_true(rate_bytes(rate, G_MAXINT64) == 0);
    rate_add(rate, G_MAXINT64, 7);
    assert_true(rate_bytes(rate, G_MAXINT64) == 7);
    rate_free(rate);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_steady),
        cmocka_unit_test(test_long_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
