#include "../../fs/walk.h"
#include "cache_helpers.h"

typedef struct {
    const char *name;
    unsigned attributes;
} Listed;

static uint32_t make_parent(gpointer data, const MailFolderInfo *info)
{
    (void)info;
    return ++*(uint32_t *)data;
}

/* Ids are 1, 2, 3 … as listed; parents that are not get 100 and up. */
static Tree *planted(const Listed *listed, size_t n, const char *root)
{
    Tree *tree = tree_new();
    g_autofree CatalogFolder *folders = g_new0(CatalogFolder, n);
    g_autoptr(GArray) gone = NULL;
    uint32_t last = 99;
    for (size_t i = 0; i < n; i++)
        folders[i] = (CatalogFolder){.id = (uint32_t)i + 1,
                                     .name = (char *)listed[i].name,
                                     .delimiter = '/',
                                     .attributes = listed[i].attributes};
    assert_true(tree_update(tree, folders, n, root, make_parent, &last, &gone, NULL));
    return tree;
}

/* In the order in which a recursive reader comes by: each directory's own messages last. */
static void walk(Tree *tree, uint32_t directory, GArray *order)
{
    TreeNode node, child;
    uint32_t after = 0;
    while (tree_children_after(tree, directory, after, &child, 1)) {
        walk(tree, child.id, order);
        after = child.id;
    }
    assert_true(tree_node(tree, directory, &node));
    if (!(node.attributes & MAIL_FOLDER_NOSELECT))
        g_array_append_val(order, directory);
}

static void assert_walked(Tree *tree, guint folders)
{
    g_autoptr(GArray) order = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    walk(tree, tree_root(tree), order);
    assert_int_equal(order->len, folders);
    for (guint i = 0; i < order->len; i++)
        assert_int_equal(walk_next(tree, g_array_index(order, uint32_t, i)),
                         i + 1 < order->len ? g_array_index(order, uint32_t, i + 1) : 0);
}

static void test_walk(void **state)
{
    static const Listed listed[] = {
        {"INBOX", 0},       {"Archive/2024", 0},
        {"Archive", 0},     {"Archive/2025/May", 0},
        {"Work/A/deep", 0}, {"Lists", MAIL_FOLDER_NOSELECT},
        {"Lists/x", 0},     {"Sent", 0},
    };
    g_autoptr(Tree) whole = planted(listed, G_N_ELEMENTS(listed), NULL);
    g_autoptr(Tree) below = planted(listed, G_N_ELEMENTS(listed), "Archive");
    assert_walked(whole, 7);
    assert_walked(below, 3);
    (void)state;
}

static void test_unknown(void **state)
{
    static const Listed listed[] = {{"INBOX", 0}};
    g_autoptr(Tree) tree = planted(listed, 1, NULL);
    assert_int_equal(walk_next(tree, 1), 0);
    assert_int_equal(walk_next(tree, 77), 0);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
