/* Messages that are being written over. */
#include "../../fs/draft.h"

#include "../../fs/inode.h"
#include "cache_helpers.h"

enum { ME = 100, OTHER = 200 };

static uint64_t message(uint32_t uid)
{
    return inode_number(INODE_MESSAGE, 3, uid);
}

static off_t size_of(Drafts *drafts, uint64_t ino)
{
    struct stat st = {0};
    assert_int_equal(drafts_stat(drafts, ino, &st), 0);
    return st.st_size;
}

static void test_over(void **state)
{
    Drafts *drafts = drafts_new(*state);
    g_auto(Draft) draft = {0};
    uint64_t ino;

    assert_int_equal(drafts_over(drafts, message(1)), 0);
    assert_int_equal(drafts_begin_over(drafts, message(1), ME), 0);
    ino = drafts_over(drafts, message(1));
    assert_int_equal(inode_of(ino).kind, INODE_DRAFT);
    assert_int_equal(drafts_over(drafts, message(2)), 0);
    assert_int_equal(drafts_resume_over(drafts, message(1), OTHER), ino);
    assert_int_equal(drafts_write(drafts, ino, "abc", 3, 0), 0);
    assert_int_equal(size_of(drafts, ino), 3);
    /* Once more: it is empty again. */
    assert_int_equal(drafts_begin_over(drafts, message(1), ME), 0);
    assert_int_equal(drafts_over(drafts, message(1)), ino);
    assert_int_equal(size_of(drafts, ino), 0);

    assert_true(drafts_find(drafts, ino, &draft));
    assert_false(draft.named);
    assert_true(draft.changed);
    assert_int_equal(draft.uid, 1);
    assert_int_equal(draft.folder, 3);
    assert_int_equal(draft.over, message(1));
    assert_int_equal(drafts_named(drafts, 3, ""), 0);

    assert_int_equal(drafts_end_over(drafts, ino), message(1));
    assert_int_equal(drafts_end_over(drafts, ino), 0);
    assert_int_equal(drafts_over(drafts, message(1)), 0);
    assert_int_equal(drafts_resume_over(drafts, message(1), ME), 0);
    drafts_free(drafts);
}

/* It could not be stored: only who began it goes on. */
static void test_suspended(void **state)
{
    Drafts *drafts = drafts_new(*state);
    uint64_t ino;

    drafts_begin_over(drafts, message(1), ME);
    ino = drafts_over(drafts, message(1));
    drafts_write(drafts, ino, "abc", 3, 0);
    assert_int_equal(drafts_suspend_over(drafts, ino), message(1));
    assert_int_equal(drafts_over(drafts, message(1)), 0);
    assert_int_equal(drafts_resume_over(drafts, message(1), OTHER), 0);
    assert_int_equal(drafts_over(drafts, message(1)), 0);
    assert_int_equal(drafts_resume_over(drafts, message(1), ME), ino);
    assert_int_equal(drafts_over(drafts, message(1)), ino);
    assert_int_equal(size_of(drafts, ino), 3);
    /* Another one begins anew. */
    drafts_suspend_over(drafts, ino);
    assert_int_equal(drafts_begin_over(drafts, message(1), OTHER), 0);
    assert_int_equal(drafts_over(drafts, message(1)), ino);
    assert_int_equal(size_of(drafts, ino), 0);
    drafts_suspend_over(drafts, ino);
    assert_int_equal(drafts_resume_over(drafts, message(1), ME), 0);
    drafts_free(drafts);
}

/* Of those that are suspended, files are kept of the last few alone. */
static void test_many(void **state)
{
    Drafts *drafts = drafts_new(*state);
    unsigned kept = 0;

    for (uint32_t uid = 1; uid <= 100; uid++) {
        drafts_begin_over(drafts, message(uid), ME);
        assert_int_equal(drafts_suspend_over(drafts, drafts_over(drafts, message(uid))),
                         message(uid));
    }
    assert_int_equal(drafts_resume_over(drafts, message(1), ME), 0);
    assert_true(drafts_resume_over(drafts, message(100), ME) != 0);
    for (uint32_t uid = 1; uid <= 100; uid++)
        kept += drafts_resume_over(drafts, message(uid), ME) != 0;
    assert_in_range(kept, 1, 16);
    drafts_free(drafts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_over),
        TEST_IN_DIRECTORY(test_suspended),
        TEST_IN_DIRECTORY(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
