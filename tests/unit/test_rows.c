#include "cache_helpers.h"

#include "../../cache/rows.h"

/* The rows are exactly those UIDs of 1 to most for which is(uid) holds; blocks are as promised. */
static void assert_rows(const Rows *rows, uint32_t most, bool (*is)(uint32_t uid))
{
    size_t count = 0;
    RowsCursor cursor = rows_after(rows, 0);
    for (uint32_t uid = 1; uid <= most; uid++) {
        Row *found = rows_find(rows, uid);
        assert_int_equal(found != NULL, is(uid));
        if (!found)
            continue;
        assert_ptr_equal(rows_next(rows, &cursor), found);
        assert_int_equal(found->uid, uid);
        count++;
    }
    assert_null(rows_next(rows, &cursor));
    assert_int_equal(rows->count, count);
    for (guint i = 0; i < rows->blocks->len; i++) {
        const GArray *block = g_ptr_array_index(rows->blocks, i);
        assert_in_range(block->len, 1, ROWS_BLOCK);
    }
}

static bool every(uint32_t uid)
{
    return uid > 0;
}

static bool even(uint32_t uid)
{
    return uid % 2 == 0;
}

static bool none(uint32_t uid)
{
    return uid == 0;
}

static void add(Rows *rows, uint32_t uid)
{
    bool added;
    Row *row = rows_add(rows, uid, &added);
    assert_true(added);
    assert_int_equal(row->uid, uid);
    assert_int_equal(row->size, 0);
    assert_int_equal(row->change, ROW_CLEAN);
    row->size = uid;
}

static void test_ascending_is_packed(void **state)
{
    (void)state;
    Rows rows;
    rows_init(&rows);
    for (uint32_t uid = 1; uid <= 100000; uid++)
        add(&rows, uid);
    assert_rows(&rows, 100000, every);
    assert_true(sizeof(Row) <= 32);
    assert_int_equal(rows.blocks->len, (100000 + ROWS_BLOCK - 1) / ROWS_BLOCK);
    rows_clear(&rows);
}

static void test_any_order(void **state)
{
    (void)state;
    const uint32_t n = 200000;
    Rows rows;
    rows_init(&rows);
    for (uint32_t uid = n; uid > 0; uid--)
        add(&rows, uid);
    assert_rows(&rows, n, every);
    rows_clear(&rows);

    rows_init(&rows);
    for (uint32_t i = 0, uid = 1; i < n; i++, uid = (uid + 77773) % (n + 3))
        if (uid >= 1 && uid <= n)
            add(&rows, uid);
    for (uint32_t uid = 1; uid <= n; uid++) {
        bool added;
        rows_add(&rows, uid, &added);
    }
    assert_rows(&rows, n, every);
    rows_clear(&rows);
}

static void test_add_again_finds(void **state)
{
    (void)state;
    Rows rows;
    rows_init(&rows);
    for (uint32_t uid = 1; uid <= 3 * ROWS_BLOCK; uid++)
        add(&rows, uid);
    for (uint32_t uid = 1; uid <= 3 * ROWS_BLOCK; uid++) {
        bool added;
        assert_int_equal(rows_add(&rows, uid, &added)->size, uid);
        assert_false(added);
    }
    rows_clear(&rows);
}

static void test_cursor(void **state)
{
    (void)state;
    Rows rows;
    rows_init(&rows);
    RowsCursor cursor = rows_after(&rows, 0);
    assert_null(rows_next(&rows, &cursor));
    for (uint32_t uid = 10; uid <= 20000; uid += 10)
        add(&rows, uid);
    add(&rows, UINT32_MAX);
    for (uint32_t after = 0; after < 20000; after += 7) {
        cursor = rows_after(&rows, after);
        assert_int_equal(rows_next(&rows, &cursor)->uid, (after / 10 + 1) * 10);
    }
    cursor = rows_after(&rows, 20000);
    assert_int_equal(rows_next(&rows, &cursor)->uid, UINT32_MAX);
    assert_null(rows_next(&rows, &cursor));
    cursor = rows_after(&rows, UINT32_MAX);
    assert_null(rows_next(&rows, &cursor));
    rows_clear(&rows);
}

/* Every range, against a plain array. */
static void test_remove_ranges(void **state)
{
    (void)state;
    uint64_t seed = 11;
    for (int round = 0; round < 40; round++) {
        const uint32_t n = 3000;
        bool there[3001];
        Rows rows;
        rows_init(&rows);
        for (uint32_t uid = 1; uid <= n; uid++) {
            there[uid] = true;
            add(&rows, uid);
        }
        for (int i = 0; i < 20; i++) {
            uint32_t first = 1 + next_random(&seed) % n;
            uint32_t last = first + next_random(&seed) % (i % 3 ? 30 : 1500);
            g_autoptr(GArray) gone = g_array_new(FALSE, FALSE, sizeof(Row));
            rows_remove_range(&rows, first, last, gone);
            guint k = 0;
            for (uint32_t uid = first; uid <= MIN(last, n); uid++) {
                if (there[uid])
                    assert_int_equal(g_array_index(gone, Row, k++).uid, uid);
                there[uid] = false;
            }
            assert_int_equal(gone->len, k);
        }
        size_t left = 0;
        for (uint32_t uid = 1; uid <= n; uid++) {
            assert_int_equal(rows_find(&rows, uid) != NULL, there[uid]);
            left += there[uid];
        }
        assert_int_equal(rows.count, left);
        rows_clear(&rows);
    }
}

static void test_remove_all(void **state)
{
    (void)state;
    Rows rows;
    rows_init(&rows);
    for (uint32_t uid = 1; uid <= 5000; uid++)
        add(&rows, uid);
    add(&rows, UINT32_MAX);
    g_autoptr(GArray) gone = g_array_new(FALSE, FALSE, sizeof(Row));
    rows_remove_range(&rows, 9000, 8000, gone);
    assert_int_equal(gone->len, 0);
    rows_remove_range(&rows, 0, UINT32_MAX, gone);
    assert_int_equal(gone->len, 5001);
    assert_rows(&rows, 5000, none);
    for (uint32_t uid = 2; uid <= 5000; uid += 2)
        add(&rows, uid);
    assert_rows(&rows, 5000, even);
    rows_clear(&rows);
}

static void test_keep_only(void **state)
{
    (void)state;
    Rows rows;
    rows_init(&rows);
    for (uint32_t uid = 1; uid <= 4000; uid++)
        add(&rows, uid);
    uint32_t uids[4000];
    for (uint32_t i = 0; i < 2000; i++)
        uids[i] = 2 * (i + 1);
    for (uint32_t i = 2000; i < 4000; i++)
        uids[i] = 10000 + i; /* never known */
    g_autoptr(GArray) gone = g_array_new(FALSE, FALSE, sizeof(Row));
    rows_keep_only(&rows, uids, 4000, gone);
    assert_int_equal(gone->len, 2000);
    assert_rows(&rows, 4000, even);
    /* Whole blocks go, in the middle and at both ends. */
    const uint32_t few[] = {1600, 1602, 3000};
    rows_keep_only(&rows, few, 3, gone);
    assert_int_equal(rows.count, 3);
    assert_non_null(rows_find(&rows, 1602));
    assert_non_null(rows_find(&rows, 3000));
    rows_keep_only(&rows, NULL, 0, gone);
    assert_int_equal(gone->len, 4000);
    assert_rows(&rows, 4000, none);
    for (uint32_t uid = 1; uid <= 4000; uid++)
        add(&rows, uid);
    assert_rows(&rows, 4000, every);
    rows_clear(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ascending_is_packed), cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_add_again_finds),     cmocka_unit_test(test_cursor),
        cmocka_unit_test(test_remove_ranges),       cmocka_unit_test(test_remove_all),
        cmocka_unit_test(test_keep_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
