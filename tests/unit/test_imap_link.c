/* test_imap_link.c: which links are fast, and who compresses. */
#include "../../imapclient/link.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static Pace pace_of(uint64_t best, bool settled)
{
    const PaceBest whole = {.best = best, .grown_at = 90 << 10};

    return (Pace){.total = settled ? 1 << 20 : 100 << 10, .whole = whole};
}

static void test_look(void **state)
{
    const Pace slow = pace_of(IMAP_LINK_FAST / 2, true);
    const Pace unsure = pace_of(IMAP_LINK_FAST / 2, false);
    const Pace fast = pace_of(IMAP_LINK_FAST, false);
    const Pace nothing = {0};

    (void)state;
    assert_int_equal(imap_link_look(IMAP_LINK_UNKNOWN, &nothing, IMAP_LINK_FAST),
                     IMAP_LINK_UNKNOWN);
    assert_int_equal(imap_link_look(IMAP_LINK_UNKNOWN, &unsure, IMAP_LINK_FAST), IMAP_LINK_UNKNOWN);
    assert_int_equal(imap_link_look(IMAP_LINK_UNKNOWN, &slow, IMAP_LINK_FAST), IMAP_LINK_IS_SLOW);
    assert_int_equal(imap_link_look(IMAP_LINK_UNKNOWN, &fast, IMAP_LINK_FAST), IMAP_LINK_IS_FAST);
    assert_int_equal(imap_link_look(IMAP_LINK_UNKNOWN, &fast, UINT64_MAX), IMAP_LINK_UNKNOWN);
    assert_int_equal(imap_link_look(IMAP_LINK_UNKNOWN, &slow, UINT64_MAX), IMAP_LINK_IS_SLOW);
    assert_int_equal(imap_link_look(IMAP_LINK_IS_SLOW, &fast, IMAP_LINK_FAST), IMAP_LINK_IS_SLOW);
    assert_int_equal(imap_link_look(IMAP_LINK_IS_FAST, &slow, IMAP_LINK_FAST), IMAP_LINK_IS_FAST);
}

/* A listing is too short for long stretches. */
static void test_look_early(void **state)
{
    Pace pace = {.total = 200 << 10, .brief = {.best = IMAP_LINK_FAST / 2, .grown_at = 40 << 10}};

    (void)state;
    assert_int_equal(imap_link_look(IMAP_LINK_UNKNOWN, &pace, IMAP_LINK_FAST), IMAP_LINK_IS_SLOW);
    pace.brief.best = IMAP_LINK_FAST;
    assert_int_equal(imap_link_look(IMAP_LINK_UNKNOWN, &pace, IMAP_LINK_FAST), IMAP_LINK_UNKNOWN);
}

static void test_near(void **state)
{
    (void)state;
    assert_true(imap_link_is_near(0, IMAP_LINK_FAST)); /* not known */
    assert_true(imap_link_is_near(IMAP_LINK_NEAR - 1, IMAP_LINK_FAST));
    assert_false(imap_link_is_near(IMAP_LINK_NEAR, IMAP_LINK_FAST));
    assert_false(imap_link_is_near(0, UINT64_MAX));
}

static void test_mode(void **state)
{
    (void)state;
    assert_false(imap_link_compresses(IMAP_LINK_UNKNOWN, IMAP_COMPRESS_AUTO));
    assert_false(imap_link_compresses(IMAP_LINK_IS_FAST, IMAP_COMPRESS_AUTO));
    assert_true(imap_link_compresses(IMAP_LINK_IS_SLOW, IMAP_COMPRESS_AUTO));
    assert_true(imap_link_compresses(IMAP_LINK_UNKNOWN, IMAP_COMPRESS_ON));
    assert_true(imap_link_compresses(IMAP_LINK_IS_FAST, IMAP_COMPRESS_ON));
    assert_false(imap_link_compresses(IMAP_LINK_IS_SLOW, IMAP_COMPRESS_OFF));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_look),
        cmocka_unit_test(test_look_early),
        cmocka_unit_test(test_near),
        cmocka_unit_test(test_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
