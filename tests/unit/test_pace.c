/* test_pace.c: rates of trains of packets, with pauses, and read late. */
#include "../../imapclient/net/pace.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { PACKET = 1448 };

/* Packets arrive one each `gap` microseconds and are read at once. Returns the time behind them. */
static int64_t train(Pace *pace, int packets, int64_t gap, int64_t time)
{
    for (int i = 0; i < packets; i++) {
        time += gap;
        pace_read(pace, PACKET, time);
        pace_drained(pace, time);
    }
    return time;
}

static void assert_about(uint64_t rate, uint64_t expected)
{
    assert_in_range(rate, expected * 9 / 10, expected * 11 / 10);
}

static void test_train(void **state)
{
    Pace pace = {0};
    const uint64_t rate = PACKET * G_USEC_PER_SEC / 100;

    (void)state;
    train(&pace, 160, 100, 0);
    assert_int_equal(pace_best(&pace), 0); /* too short to tell */
    assert_false(pace_is_settled(&pace));
    train(&pace, 60, 100, 16000);
    assert_about(pace_best(&pace), rate);
    assert_false(pace_is_settled(&pace));
    train(&pace, 300, 100, 22000);
    assert_about(pace_best(&pace), rate);
    assert_true(pace_is_settled(&pace));
}

/* As with a round trip of 100 ms: the pauses between trains take nothing from the rate. */
static void test_pauses(void **state)
{
    Pace pace = {0};
    int64_t time = 0;

    (void)state;
    for (int packets = 10; packets <= 640; packets *= 2)
        time = train(&pace, packets, 20, time + 100000);
    assert_about(pace_best(&pace), PACKET * G_USEC_PER_SEC / 20);
}

/* While the window grows, what arrives slowly says nothing of the link. */
static void test_still_growing(void **state)
{
    Pace pace = {0};
    int64_t time = 0;

    (void)state;
    for (int packets = 100; packets <= 1600; packets *= 2) {
        time = train(&pace, packets, 100000 / packets, time);
        assert_false(pace_is_settled(&pace));
    }
    train(&pace, 4000, 100000 / 1600, time);
    assert_true(pace_is_settled(&pace));
}

/* As the listing of a folder comes, in four windows of a connection that has just begun. */
static void test_short(void **state)
{
    enum { FIRST_WINDOW = 10 };
    const uint64_t rate = PACKET * G_USEC_PER_SEC / 100;
    Pace pace = {0};
    int64_t time = 0;

    (void)state;
    for (int packets = FIRST_WINDOW; packets <= 8 * FIRST_WINDOW; packets *= 2) {
        assert_false(pace_stays_below(&pace, 2 * rate));
        time = train(&pace, packets, 100, time + 50000);
    }
    assert_true(pace_stays_below(&pace, 2 * rate));
    assert_false(pace_stays_below(&pace, rate / 2));
    assert_false(pace_is_settled(&pace));
}

/* A link stands still for a moment, and what it kept back comes at once. */
static void test_standstill(void **state)
{
    const uint64_t rate = PACKET * G_USEC_PER_SEC / 100;
    Pace pace = {0};
    int64_t time = 0;

    (void)state;
    for (int i = 0; i < 20; i++) {
        time = train(&pace, 200, 100, time);
        time = train(&pace, 50, 1, time + 4950);
    }
    assert_in_range(pace_best(&pace), rate * 9 / 10, rate * 3 / 2);
    assert_true(pace_is_settled(&pace));
}

/* Where a server spreads each window over the round trip, they say nothing of the link. */
static void test_short_spread(void **state)
{
    Pace pace = {0};
    int64_t time = 0;

    (void)state;
    for (int packets = 10; packets <= 1280; packets *= 2) {
        time = train(&pace, packets, 50000 / packets, time);
        assert_false(pace_stays_below(&pace, UINT64_MAX));
    }
}

/* What lay in wait while nobody read is not taken for having come in no time. */
static void test_read_late(void **state)
{
    Pace pace = {0};
    int64_t time = 0;

    (void)state;
    pace_drained(&pace, time);
    for (int i = 0; i < 20; i++) {
        time += 20000; /* busy with something else: 200 packets of 100 us each */
        for (int k = 0; k < 5; k++)
            pace_read(&pace, (size_t)40 * PACKET, time + k);
        pace_drained(&pace, time + 5);
    }
    assert_about(pace_best(&pace), PACKET * G_USEC_PER_SEC / 100);
}

/* More moments than are remembered, and none at all. */
static void test_extremes(void **state)
{
    Pace crumbs = {0}, flood = {0};

    (void)state;
    for (int i = 0; i < 300000; i++) {
        pace_read(&crumbs, 1, i);
        pace_drained(&crumbs, i);
        pace_drained(&crumbs, i);
    }
    assert_about(pace_best(&crumbs), G_USEC_PER_SEC);
    for (int i = 0; i < 100; i++)
        pace_read(&flood, 65536, 7);
    assert_int_equal(pace_best(&flood), 0);
    assert_false(pace_is_settled(&flood));
    pace_drained(&flood, 7);
    pace_read(&flood, PACE_STRETCH, 7);
    assert_true(pace_best(&flood) > 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_train),         cmocka_unit_test(test_pauses),
        cmocka_unit_test(test_still_growing), cmocka_unit_test(test_read_late),
        cmocka_unit_test(test_extremes),      cmocka_unit_test(test_short),
        cmocka_unit_test(test_short_spread),  cmocka_unit_test(test_standstill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
