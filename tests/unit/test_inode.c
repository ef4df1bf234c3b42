#include "../../fs/inode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void assert_round_trip(InodeKind kind, uint32_t folder, uint32_t uid, uint64_t number)
{
    Inode inode = inode_of(number);

    assert_true(inode_number(kind, folder, uid) == number);
    assert_int_equal(inode.kind, kind);
    assert_true(inode.folder == folder);
    assert_true(inode.uid == uid);
}

static void test_layout(void **state)
{
    (void)state;
    assert_round_trip(INODE_ROOT, 0, 0, 1);
    assert_round_trip(INODE_FOLDER, 1, 0, UINT64_C(0x1000000100000000));
    assert_round_trip(INODE_FOLDER, 0x0fffffff, 0, UINT64_C(0x1fffffff00000000));
    assert_round_trip(INODE_MESSAGE, 1, 1, UINT64_C(0x2000000100000001));
    assert_round_trip(INODE_MESSAGE, 0, 17, UINT64_C(0x2000000000000011));
    assert_round_trip(INODE_MESSAGE, 0x0abcdef1, UINT32_MAX, UINT64_C(0x2abcdef1ffffffff));
    assert_round_trip(INODE_CONTROL, 0, 0, UINT64_C(0x3000000000000000));
    assert_round_trip(INODE_CONTROL, 5, 2, UINT64_C(0x3000000500000002));
    assert_round_trip(INODE_DRAFT, 5, 2, UINT64_C(0x4000000500000002));
}

static void test_numbers_that_are_none(void **state)
{
    static const uint64_t none[] = {
        0,
        2,
        UINT64_C(0x0000000100000000),
        UINT64_C(0x0fffffffffffffff),
        UINT64_C(0x1000000100000001), /* a folder with a UID */
        UINT64_C(0x2000000100000000), /* a message without one */
        UINT64_C(0x4000000100000000), /* a draft without a number */
        UINT64_C(0x5000000000000001),
        UINT64_C(0xf000000000000000),
        UINT64_MAX,
    };

    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_int_equal(inode_of(none[i]).kind, INODE_INVALID);
}

static void test_what_has_no_number(void **state)
{
    (void)state;
    assert_true(inode_number(INODE_FOLDER, 0x10000000, 0) == 0);
    assert_true(inode_number(INODE_MESSAGE, UINT32_MAX, 1) == 0);
    assert_true(inode_number(INODE_FOLDER, 1, 1) == 0);
    assert_true(inode_number(INODE_MESSAGE, 1, 0) == 0);
    assert_true(inode_number(INODE_INVALID, 1, 1) == 0);
    assert_true(inode_number((InodeKind)5, 1, 1) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_numbers_that_are_none),
        cmocka_unit_test(test_what_has_no_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
