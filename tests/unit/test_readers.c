#include "cache_helpers.h"

#include "../../cache/readers.h"

static void test_take_and_give(void **state)
{
    DatabaseState database_is;
    bool has_file = true;
    g_autofree char *why = NULL;
    Blocks *writer = blocks_open(*state, &database_is, &why);
    assert_non_null(writer);
    Readers *readers = readers_new(*state);
    assert_null(readers_take(readers, &has_file));
    assert_false(has_file);
    DatabaseFile file = blocks_file(writer);
    readers_set_file(readers, &file);
    Blocks *one = readers_take(readers, &has_file);
    Blocks *other = readers_take(readers, &has_file);
    assert_true(has_file);
    assert_non_null(one);
    assert_non_null(other);
    assert_ptr_not_equal(one, other);
    readers_give(readers, one);
    assert_ptr_equal(readers_take(readers, &has_file), one);
    /* Many at once are had, and not all kept. */
    Blocks *many[20];
    for (int i = 0; i < 20; i++)
        assert_non_null(many[i] = readers_take(readers, &has_file));
    for (int i = 0; i < 20; i++)
        readers_give(readers, many[i]);
    readers_give(readers, NULL);
    /* What was taken before goes when it comes back. */
    readers_set_file(readers, NULL);
    assert_null(readers_take(readers, &has_file));
    readers_give(readers, one);
    assert_null(readers_take(readers, &has_file));
    DatabaseFile another = {file.device, file.inode + 1};
    readers_set_file(readers, &another);
    readers_give(readers, other);
    assert_null(readers_take(readers, &has_file));
    assert_true(has_file); /* under that name, there is another */
    readers_free(readers);
    blocks_close(writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST_IN_DIRECTORY(test_take_and_give)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
