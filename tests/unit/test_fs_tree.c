#include "../../fs/tree.h"
#include "cache_helpers.h"

#include <errno.h>

/* Folders as a server lists them, by name; ids count from 1 in the order of `add`. */
typedef struct {
    Tree *tree;
    GArray *folders; /* CatalogFolder */
    uint32_t last_id;
    GString *made; /* names of the parents that the tree asked for, each with a ';' behind */
} Planter;

static void clear_folder(gpointer folder)
{
    catalog_folder_clear(folder);
}

static int setup(void **state)
{
    Planter *planter = g_new0(Planter, 1);
    g_log_set_default_handler(count_warning, NULL);
    warnings = 0;
    planter->tree = tree_new();
    planter->folders = g_array_new(FALSE, FALSE, sizeof(CatalogFolder));
    g_array_set_clear_func(planter->folders, clear_folder);
    planter->made = g_string_new(NULL);
    *state = planter;
    return 0;
}

static int teardown(void **state)
{
    Planter *planter = *state;
    tree_free(planter->tree);
    g_array_unref(planter->folders);
    g_string_free(planter->made, TRUE);
    g_free(planter);
    return 0;
}

static uint32_t add_full(Planter *planter, const char *name, char delimiter, unsigned attributes)
{
    CatalogFolder folder = {.id = ++planter->last_id,
                            .name = g_strdup(name),
                            .delimiter = delimiter,
                            .attributes = attributes};
    g_array_append_val(planter->folders, folder);
    return folder.id;
}

static uint32_t add(Planter *planter, const char *name)
{
    return add_full(planter, name, '/', 0);
}

static uint32_t make_parent(gpointer data, const MailFolderInfo *info)
{
    Planter *planter = data;
    g_string_append_printf(planter->made, "%s;", info->name);
    assert_int_equal(info->attributes, MAIL_FOLDER_NONEXISTENT | MAIL_FOLDER_NOSELECT);
    return ++planter->last_id;
}

/* Returns the ids that are gone, each with a space behind; NULL: failed. The caller frees. */
static char *plant(Planter *planter, const char *root, GError **error)
{
    g_autoptr(GArray) gone = NULL;
    if (!tree_update(planter->tree, (const CatalogFolder *)(void *)planter->folders->data,
                     planter->folders->len, root, make_parent, planter, &gone, error))
        return NULL;
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < gone->len; i++)
        g_string_append_printf(text, "%u ", g_array_index(gone, TreeNode, i).id);
    return g_string_free(text, FALSE);
}

static void assert_planted(Planter *planter, const char *gone)
{
    g_autofree char *ids = plant(planter, NULL, NULL);
    assert_non_null(ids);
    assert_string_equal(ids, gone);
}

/* The id that a path of file names leads to, from the account's root; 0: none. */
static uint32_t walk(Planter *planter, const char *path)
{
    g_auto(GStrv) names = g_strsplit(path, "/", -1);
    TreeNode node = {0};
    for (char **name = names; *name; name++) {
        uint32_t parent = node.id;
        if (!tree_child(planter->tree, parent, *name, &node))
            return 0;
        assert_int_equal(node.parent, parent);
        assert_string_equal(node.name, *name);
    }
    return node.id;
}

static void test_empty(void **state)
{
    Planter *planter = *state;
    TreeNode node;
    assert_int_equal(tree_root(planter->tree), 0);
    assert_true(tree_node(planter->tree, 0, &node));
    assert_int_equal(node.children, 0);
    assert_true(node.attributes & MAIL_FOLDER_NOSELECT);
    assert_false(tree_node(planter->tree, 1, &node));
    assert_false(tree_child(planter->tree, 0, "INBOX", &node));
    assert_false(tree_child(planter->tree, 99, "INBOX", &node));
    assert_int_equal(tree_children_after(planter->tree, 99, 0, &node, 1), 0);
    assert_planted(planter, "");
}

static void test_nesting(void **state)
{
    Planter *planter = *state;
    uint32_t deep = add(planter, "a/b/c"); /* ahead of its parents */
    uint32_t top = add_full(planter, "a", '/', MAIL_FOLDER_NOINFERIORS);
    uint32_t middle = add(planter, "a/b");
    uint32_t other = add(planter, "b");
    TreeNode node;
    assert_planted(planter, "");
    assert_int_equal(walk(planter, "a"), top);
    assert_int_equal(walk(planter, "a/b"), middle);
    assert_int_equal(walk(planter, "a/b/c"), deep);
    assert_int_equal(walk(planter, "b"), other);
    assert_int_equal(walk(planter, "c"), 0);
    assert_true(tree_node(planter->tree, top, &node));
    assert_int_equal(node.attributes, MAIL_FOLDER_NOINFERIORS);
    assert_int_equal(node.children, 1);
    assert_true(tree_node(planter->tree, 0, &node));
    assert_int_equal(node.children, 2);
    assert_string_equal(planter->made->str, "");
    assert_int_equal(warnings, 0);
}

static void test_parents_that_are_not_listed(void **state)
{
    Planter *planter = *state;
    uint32_t leaf = add(planter, "x/y/z");
    uint32_t sibling = add(planter, "x/y/w");
    TreeNode node;
    assert_planted(planter, "");
    assert_int_equal(walk(planter, "x/y/z"), leaf);
    assert_int_equal(walk(planter, "x/y/w"), sibling);
    assert_string_equal(planter->made->str, "x;x/y;"); /* each once */
    assert_true(tree_node(planter->tree, walk(planter, "x"), &node));
    assert_int_equal(node.attributes, MAIL_FOLDER_NONEXISTENT | MAIL_FOLDER_NOSELECT);
}

static void test_delimiters(void **state)
{
    Planter *planter = *state;
    uint32_t dotted = add_full(planter, "a.b", '.', 0);
    uint32_t flat = add_full(planter, "c.d/e", 0, 0);
    uint32_t odd = add_full(planter, "f/g\\h", '\\', 0);
    assert_planted(planter, "");
    assert_int_equal(walk(planter, "a/b"), dotted);
    assert_int_equal(walk(planter, "c.d%2Fe"), flat);
    assert_int_equal(walk(planter, "f%2Fg/h"), odd);
}

/* Two folders for one place: one of them gets it, and the user is told. */
static void test_one_place_for_two(void **state)
{
    Planter *planter = *state;
    uint32_t first = add_full(planter, "a/b", '/', 0);
    add_full(planter, "a.b", '.', 0);
    assert_planted(planter, "");
    assert_int_equal(walk(planter, "a/b"), first);
    assert_int_equal(warnings, 1);
}

static void test_delimiter_at_the_end(void **state)
{
    Planter *planter = *state;
    add(planter, "mail/");
    uint32_t below = add(planter, "mail/x");
    add(planter, "both/");
    uint32_t both = add(planter, "both");
    TreeNode node;
    assert_planted(planter, "");
    assert_int_equal(walk(planter, "mail/x"), below);
    assert_int_equal(walk(planter, "both"), both);
    assert_true(tree_node(planter->tree, walk(planter, "mail"), &node));
    assert_int_equal(node.children, 1);
    assert_int_equal(warnings, 0);
}

static void test_duplicates(void **state)
{
    Planter *planter = *state;
    uint32_t id = add(planter, "a");
    add(planter, "a/b");
    planter->last_id = 0;
    assert_int_equal(add(planter, "a"), id);
    TreeNode nodes[4];
    assert_planted(planter, "");
    assert_int_equal(tree_children_after(planter->tree, 0, 0, nodes, 4), 1);
    assert_int_equal(nodes[0].id, id);
}

/* Whatever the server says, a folder is below the root, under a name that can be a file's. */
static void test_hostile_names(void **state)
{
    static const struct {
        const char *name, *path;
    } folders[] = {
        {"../../etc", "%2E./%2E./etc"},
        {"a/../b", "a/%2E./b"},
        {"./x", "%2E/x"},
        {"/abs", "%/abs"},
        {"", "%"},
        {"two//levels", "two/%/levels"},
        {"new\nline", "new%0Aline"},
        {"esc\x1b[2J", "esc%1B[2J"},
        {"bad\xff", "bad%FF"},
        {".pullmail", "%2Epullmail"},
        {"20261122-190507-17.eml", "%320261122-190507-17.eml"},
    };
    Planter *planter = *state;
    uint32_t ids[G_N_ELEMENTS(folders)];
    for (size_t i = 0; i < G_N_ELEMENTS(folders); i++)
        ids[i] = add(planter, folders[i].name);
    assert_planted(planter, "");
    for (size_t i = 0; i < G_N_ELEMENTS(folders); i++)
        if (walk(planter, folders[i].path) != ids[i])
            fail_msg("\"%s\" is not at \"%s\"", folders[i].name, folders[i].path);
    TreeNode node;
    assert_false(tree_child(planter->tree, 0, "..", &node));
    assert_false(tree_child(planter->tree, 0, ".", &node));
    assert_false(tree_child(planter->tree, 0, "", &node));
}

static char *repeat(const char *text, size_t times)
{
    GString *all = g_string_new(NULL);
    for (size_t i = 0; i < times; i++)
        g_string_append(all, text);
    return g_string_free(all, FALSE);
}

static void test_too_deep_and_too_long(void **state)
{
    Planter *planter = *state;
    g_autofree char *deep = repeat("a/", 10000);
    g_autofree char *deeper = repeat("b/", 101);
    g_autofree char *long_name = repeat("x", 100000);
    g_autofree char *wide = repeat("w", 3000);
    g_autofree char *hundred = repeat("c/", 100);
    TreeNode nodes[8];
    hundred[199] = 0;
    add(planter, deep);
    add(planter, deeper);
    add(planter, long_name);
    uint32_t cut = add(planter, wide), bottom = add(planter, hundred), good = add(planter, "INBOX");
    assert_planted(planter, "");
    assert_int_equal(warnings, 3);
    assert_int_equal(walk(planter, "INBOX"), good);
    assert_int_equal(walk(planter, hundred), bottom);
    assert_int_equal(tree_children_after(planter->tree, 0, 0, nodes, 8), 3);
    assert_true(tree_node(planter->tree, cut, &nodes[0]));
    assert_int_equal(strlen(nodes[0].name), 255);
}

/* Names that make many parents do not make a tree without an end, nor warnings. */
static void test_too_many(void **state)
{
    Planter *planter = *state;
    g_autofree char *levels = repeat("/x", 98);
    uint32_t inbox = add(planter, "INBOX");
    for (int i = 0; i < 3000; i++) {
        g_autofree char *name = g_strdup_printf("%d%s", i, levels);
        add(planter, name);
    }
    assert_planted(planter, "");
    assert_int_equal(walk(planter, "INBOX"), inbox);
    assert_true(planter->last_id < 110000);
    assert_true(warnings > 0 && warnings < 20);
}

static void test_gone(void **state)
{
    Planter *planter = *state;
    uint32_t stays = add(planter, "stays");
    add(planter, "goes");
    assert_planted(planter, "");
    assert_planted(planter, "");
    g_array_remove_index(planter->folders, 1);
    uint32_t comes = add(planter, "comes");
    assert_planted(planter, "2 ");
    assert_int_equal(walk(planter, "stays"), stays);
    assert_int_equal(walk(planter, "comes"), comes);
    assert_int_equal(walk(planter, "goes"), 0);
}

/* What is told of a node that is gone is what it was. */
static void test_gone_tells_names(void **state)
{
    Planter *planter = *state;
    uint32_t parent = add(planter, "a"), child = add(planter, "a/b c");
    g_autoptr(GArray) gone = NULL;
    assert_planted(planter, "");
    assert_true(tree_update(planter->tree, (const CatalogFolder *)(void *)planter->folders->data, 1,
                            NULL, make_parent, planter, &gone, NULL));
    assert_int_equal(gone->len, 1);
    const TreeNode *node = &g_array_index(gone, TreeNode, 0);
    assert_int_equal(node->id, child);
    assert_int_equal(node->parent, parent);
    assert_string_equal(node->name, "b c");
}

static void test_root_folder(void **state)
{
    Planter *planter = *state;
    uint32_t archive = add(planter, "Archive"), inbox = add(planter, "INBOX");
    add(planter, "Archive/2026");
    g_autofree char *gone = plant(planter, "Archive", NULL);
    assert_non_null(gone);
    assert_int_equal(tree_root(planter->tree), archive);
    g_autofree char *again = plant(planter, "Archive/2026", NULL);
    assert_int_equal(tree_root(planter->tree), 3);
    g_autofree char *any_case = plant(planter, "inBox", NULL);
    assert_int_equal(tree_root(planter->tree), inbox);
}

static void test_root_folder_missing(void **state)
{
    Planter *planter = *state;
    g_autoptr(GError) error = NULL;
    uint32_t inbox = add(planter, "INBOX");
    assert_planted(planter, "");
    add(planter, "other");
    assert_null(plant(planter, "no such", &error));
    assert_int_equal(mail_errno(error), ENOENT);
    assert_non_null(strstr(error->message, "\"no such\""));
    assert_int_equal(walk(planter, "INBOX"), inbox); /* it is as it was */
    assert_int_equal(walk(planter, "other"), 0);
}

static void test_children_by_id(void **state)
{
    Planter *planter = *state;
    TreeNode nodes[64];
    planter->last_id = 100;
    for (int i = 0; i < 20; i++) {
        g_autofree char *name = g_strdup_printf("f%02d", 19 - i);
        add(planter, name);
    }
    planter->last_id = 10;
    add(planter, "late");
    assert_planted(planter, "");
    assert_int_equal(tree_children_after(planter->tree, 0, 0, nodes, 64), 21);
    assert_int_equal(nodes[0].id, 11);
    for (int i = 1; i < 21; i++)
        assert_int_equal(nodes[i].id, 100 + i);
    assert_int_equal(tree_children_after(planter->tree, 0, 11, nodes, 3), 3);
    assert_int_equal(nodes[0].id, 101);
    assert_int_equal(nodes[2].id, 103);
    assert_int_equal(tree_children_after(planter->tree, 0, 50, nodes, 64), 20);
    assert_int_equal(tree_children_after(planter->tree, 0, 119, nodes, 64), 1);
    assert_int_equal(tree_children_after(planter->tree, 0, 120, nodes, 64), 0);
    assert_int_equal(tree_children_after(planter->tree, 0, UINT32_MAX, nodes, 64), 0);
    assert_int_equal(tree_children_after(planter->tree, 0, 0, nodes, 0), 0);
}

static void test_replace(void **state)
{
    Planter *planter = *state;
    uint32_t folder = add(planter, "a"), child = add(planter, "a/b"), other = add(planter, "c");
    TreeNode nodes[4];
    g_autofree char *gone = plant(planter, "a", NULL);
    tree_replace(planter->tree, folder, 50);
    assert_int_equal(tree_root(planter->tree), 50);
    assert_int_equal(walk(planter, "a"), 50);
    assert_int_equal(walk(planter, "a/b"), child);
    assert_false(tree_node(planter->tree, folder, nodes));
    assert_int_equal(tree_children_after(planter->tree, 0, 0, nodes, 4), 2);
    assert_int_equal(nodes[0].id, other); /* still by id */
    assert_int_equal(nodes[1].id, 50);
    tree_replace(planter->tree, 77, 78); /* nobody's */
    assert_false(tree_node(planter->tree, 78, nodes));
    /* The next list has the new id: nothing is gone. */
    g_array_index(planter->folders, CatalogFolder, 0).id = 50;
    g_autofree char *next = plant(planter, "a", NULL);
    assert_string_equal(next, "");
}

typedef struct {
    Tree *tree;
    gint over;
    unsigned wrong;
} Reader;

static gpointer read_on(gpointer data)
{
    Reader *reader = data;
    TreeNode nodes[8];
    while (!g_atomic_int_get(&reader->over)) {
        size_t n = tree_children_after(reader->tree, 0, 0, nodes, 8);
        reader->wrong += n != 2;
        reader->wrong += !tree_child(reader->tree, 0, "a", &nodes[0]);
        reader->wrong += !tree_child(reader->tree, nodes[0].id, "b", &nodes[1]);
        reader->wrong += !tree_node(reader->tree, 0, &nodes[0]) || nodes[0].children != 2;
    }
    return NULL;
}

/* Readers see the tree as it was or as it is, never in between. */
static void test_readers_while_it_changes(void **state)
{
    Planter *planter = *state;
    Reader reader = {.tree = planter->tree};
    add(planter, "a");
    add(planter, "a/b");
    add(planter, "x");
    add(planter, "x/y");
    assert_planted(planter, "");
    GThread *thread = g_thread_new("reader", read_on, &reader);
    for (int i = 0; i < 300; i++) {
        CatalogFolder *moving = &g_array_index(planter->folders, CatalogFolder, 3);
        g_free(moving->name);
        moving->name = g_strdup_printf("x/%d", i);
        g_autofree char *gone = plant(planter, NULL, NULL);
        tree_replace(planter->tree, 3, 1000);
    }
    g_atomic_int_set(&reader.over, 1);
    g_thread_join(thread);
    assert_int_equal(reader.wrong, 0);
}

#define TREE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TREE_TEST(test_empty),
        TREE_TEST(test_nesting),
        TREE_TEST(test_parents_that_are_not_listed),
        TREE_TEST(test_delimiters),
        TREE_TEST(test_one_place_for_two),
        TREE_TEST(test_delimiter_at_the_end),
        TREE_TEST(test_duplicates),
        TREE_TEST(test_hostile_names),
        TREE_TEST(test_too_deep_and_too_long),
        TREE_TEST(test_too_many),
        TREE_TEST(test_gone),
        TREE_TEST(test_gone_tells_names),
        TREE_TEST(test_root_folder),
        TREE_TEST(test_root_folder_missing),
        TREE_TEST(test_children_by_id),
        TREE_TEST(test_replace),
        TREE_TEST(test_readers_while_it_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
