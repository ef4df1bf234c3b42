#include "../../fs/scan.h"
#include "cache_helpers.h"

static bool read_to(Scans *scans, uint32_t uid, int64_t date, uint64_t size, uint64_t end)
{
    const CatalogMessage message = {.uid = uid, .date = date, .size = size};
    return scan_note(scans, 1, &message, end, 0);
}

static ScanView view_of(Scans *scans)
{
    ScanView view;
    scan_view(scans, 1, &view);
    return view;
}

static void test_nothing(void **state)
{
    Scans *scans = scans_new();
    ScanView view = view_of(scans);
    assert_int_equal(view.run, 0);
    assert_true(view.over);
    assert_int_equal(view.depth, SCAN_UNKNOWN);
    assert_true(scan_ahead_bytes(scans) == 0);
    scans_free(scans);
    (void)state;
}

/* However often a message is read, it is one. */
static void test_run(void **state)
{
    Scans *scans = scans_new();
    for (int i = 0; i < 10; i++)
        read_to(scans, 5, 5, 100000, (uint64_t)i * 1000);
    assert_int_equal(view_of(scans).run, 1);
    for (int i = 0; i < 10; i++)
        read_to(scans, 6 - i % 2, 6, 1000, 1000);
    assert_int_equal(view_of(scans).run, 2);
    assert_false(view_of(scans).over);
    for (uint32_t uid = 7; uid <= 100; uid++)
        read_to(scans, uid, uid, 1000, 1000);
    assert_int_equal(view_of(scans).run, 96);
    scans_free(scans);
    (void)state;
}

static void test_orders(void **state)
{
    static const struct {
        int32_t uid_step, date_step;
        ScanOrder order;
    } orders[] = {
        {1, 1, SCAN_UIDS_UP},     {1, -1, SCAN_UIDS_UP},   {3, 0, SCAN_UIDS_UP},
        {-1, -1, SCAN_UIDS_DOWN}, {-1, 1, SCAN_UIDS_DOWN}, {-2, 0, SCAN_UIDS_DOWN},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(orders); i++) {
        Scans *scans = scans_new();
        for (int n = 0; n < 12; n++) {
            read_to(scans, (uint32_t)(1000 + n * orders[i].uid_step), 500 + n * orders[i].date_step,
                    10, 10);
            if (n >= 2)
                assert_int_equal(view_of(scans).order, orders[i].order);
        }
        scans_free(scans);
    }
    (void)state;
}

/* Names in the order of dates, with UIDs that tell nothing. */
static void test_orders_by_name(void **state)
{
    static const uint32_t uids[] = {5, 9, 2, 7, 1, 8, 3, 6, 4, 12, 11};
    Scans *up = scans_new(), *down = scans_new(), *mixed = scans_new();
    for (size_t i = 0; i < G_N_ELEMENTS(uids); i++) {
        read_to(up, uids[i], (int64_t)i, 10, 10);
        read_to(down, uids[i], -(int64_t)i, 10, 10);
        read_to(mixed, uids[i], uids[i] * 7 % 5, 10, 10);
    }
    assert_int_equal(view_of(up).order, SCAN_NAMES_UP);
    assert_int_equal(view_of(down).order, SCAN_NAMES_DOWN);
    assert_int_equal(view_of(mixed).order, SCAN_MIXED);
    scans_free(up);
    scans_free(down);
    scans_free(mixed);
    (void)state;
}

/* One step aside does not change it. */
static void test_order_is_steady(void **state)
{
    Scans *scans = scans_new();
    for (uint32_t uid = 1; uid <= 20; uid++)
        read_to(scans, uid, uid, 10, 10);
    read_to(scans, 1000, 1000, 10, 10);
    read_to(scans, 21, 21, 10, 10);
    assert_int_equal(view_of(scans).order, SCAN_UIDS_UP);
    scans_free(scans);
    (void)state;
}

static void test_depth(void **state)
{
    Scans *scans = scans_new();
    for (uint32_t uid = 1; uid <= 5; uid++)
        read_to(scans, uid, uid, SCAN_FRONT, SCAN_FRONT);
    assert_int_equal(view_of(scans).depth, SCAN_UNKNOWN); /* so short that it tells nothing */
    read_to(scans, 6, 6, SCAN_FRONT + 1, 0);
    assert_int_equal(view_of(scans).depth, SCAN_UNKNOWN); /* opened only */
    read_to(scans, 6, 6, SCAN_FRONT + 1, SCAN_FRONT);
    assert_int_equal(view_of(scans).depth, SCAN_FRONTS);
    read_to(scans, 6, 6, SCAN_FRONT + 1, 131072);
    assert_int_equal(view_of(scans).depth, SCAN_WHOLES);
    for (uint32_t uid = 7; uid <= 40; uid++)
        read_to(scans, uid, uid, 100000, SCAN_FRONT);
    assert_int_equal(view_of(scans).depth, SCAN_FRONTS); /* that was long ago */
    scans_free(scans);
    (void)state;
}

static void test_ahead(void **state)
{
    Scans *scans = scans_new();
    for (uint32_t uid = 1; uid <= 8; uid++)
        scan_expect(scans, 1, uid, 1000);
    scan_expect(scans, 2, 1, 500);
    scan_expect(scans, 1, 8, 1500);
    assert_true(scan_ahead_bytes(scans) == 9000);
    assert_int_equal(scan_ahead_count(scans, 1), 8);
    assert_true(scan_has(scans, 1, 3));
    assert_false(scan_has(scans, 2, 3));
    assert_false(scan_has(scans, 1, 9));
    read_to(scans, 9, 9, 10, 10);
    assert_true(scan_has(scans, 1, 9));
    scan_unexpect(scans, 1, 8);
    scan_unexpect(scans, 1, 8);
    scan_unexpect(scans, 3, 8);
    assert_true(scan_ahead_bytes(scans) == 7500);
    scan_forget(scans, 2);
    assert_true(scan_ahead_bytes(scans) == 7000);
    scans_free(scans);
    (void)state;
}

/* The prefetcher is called when a good part of what was ahead has been read, and once for it. */
static void test_consumed(void **state)
{
    Scans *scans = scans_new();
    unsigned calls = 0;
    for (uint32_t uid = 1; uid <= 100; uid++)
        scan_expect(scans, 1, uid, 1000);
    assert_false(read_to(scans, 1, 1, 1000, 0)); /* opened only */
    assert_int_equal(scan_ahead_count(scans, 1), 100);
    for (uint32_t uid = 1; uid <= 20; uid++)
        calls += read_to(scans, uid, uid, 1000, 1000);
    assert_int_equal(calls, 1);
    assert_false(read_to(scans, 20, 20, 1000, 1000));
    assert_false(read_to(scans, 500, 500, 1000, 1000)); /* was not ahead */
    for (uint32_t uid = 21; uid <= 100; uid++)
        calls += read_to(scans, uid, uid, 1000, 1000);
    assert_in_range(calls, 4, 30);
    assert_true(scan_ahead_bytes(scans) == 0);
    scans_free(scans);
    (void)state;
}

/* What the kernel was given is ahead no more, and yet nobody has read it. */
static void test_given(void **state)
{
    Scans *scans = scans_new();
    unsigned calls = 0;
    assert_false(scan_given(scans, 1, 5));
    read_to(scans, 1, 1, 1000, 1000);
    for (uint32_t uid = 2; uid <= 101; uid++)
        scan_expect(scans, 1, uid, 1000);
    for (uint32_t uid = 2; uid <= 101; uid++) {
        calls += scan_given(scans, 1, uid);
        assert_false(scan_given(scans, 1, uid));
    }
    assert_in_range(calls, 4, 30);
    assert_true(scan_ahead_bytes(scans) == 0);
    assert_int_equal(view_of(scans).run, 1);
    scans_free(scans);
    (void)state;
}

/* Who reads the first message of a run is the one that listed the folder, or not. */
static void test_listed(void **state)
{
    static const struct {
        pid_t lister, reader;
        bool listed;
    } cases[] = {{7, 7, true}, {7, 8, false}, {0, 0, false}};
    const CatalogMessage one = {.uid = 1, .size = 10}, two = {.uid = 2, .size = 10};
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Scans *scans = scans_new();
        scan_listed(scans, 2, cases[i].reader);
        scan_listed(scans, 1, cases[i].lister);
        assert_int_equal(view_of(scans).run, 0);
        scan_note(scans, 1, &one, 0, cases[i].reader);
        assert_int_equal(view_of(scans).listed, cases[i].listed);
        scan_note(scans, 1, &two, 10, 9);
        assert_int_equal(view_of(scans).listed, cases[i].listed);
        scans_free(scans);
    }
    (void)state;
}

/* More folders than are remembered. */
static void test_many_folders(void **state)
{
    Scans *scans = scans_new();
    const CatalogMessage message = {.uid = 1, .size = 10};
    for (uint32_t folder = 1; folder <= 1000; folder++) {
        scan_note(scans, folder, &message, 10, 0);
        scan_expect(scans, folder, 2, 10);
    }
    assert_true(scan_ahead_bytes(scans) <= 640);
    scan_forget(scans, 1000);
    for (uint32_t folder = 1; folder < 1000; folder++)
        scan_unexpect(scans, folder, 2);
    assert_true(scan_ahead_bytes(scans) == 0);
    scans_free(scans);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),         cmocka_unit_test(test_run),
        cmocka_unit_test(test_orders),          cmocka_unit_test(test_orders_by_name),
        cmocka_unit_test(test_order_is_steady), cmocka_unit_test(test_depth),
        cmocka_unit_test(test_ahead),           cmocka_unit_test(test_consumed),
        cmocka_unit_test(test_given),           cmocka_unit_test(test_listed),
        cmocka_unit_test(test_many_folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
