#include "tree.h"

#include "names.h"

#include <errno.h>
#include <string.h>

enum {
    LONGEST = 4000,     /* bytes of a folder's name: no path could name what is longer */
    DEEPEST = 100,      /* levels of a folder's name */
    MOST_NODES = 60000, /* directories, those that the server did not list among them */
    WARN_AT_MOST = 10,  /* folders that can't be shown, by name */
};

typedef struct {
    uint32_t id, parent;
    unsigned attributes;
    char *name;          /* the file name */
    GHashTable *by_name; /* file name -> Node */
    GArray *children;    /* ids, ascending */
} Node;

/* Under `lock`. Every node but the account's root (id 0) is among its parent's children. */
struct Tree {
    GRWLock lock;
    GHashTable *nodes; /* id -> Node */
    uint32_t root;
    uint64_t version;
};

static void node_free(gpointer data)
{
    Node *node = data;

    g_free(node->name);
    g_hash_table_unref(node->by_name);
    g_array_unref(node->children);
    g_free(node);
}

static Node *node_new(uint32_t id, uint32_t parent, unsigned attributes, char *name)
{
    Node *node = g_new0(Node, 1);

    node->id = id;
    node->parent = parent;
    node->attributes = attributes;
    node->name = name;
    node->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    node->children = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    return node;
}

static GHashTable *new_nodes(void)
{
    GHashTable *nodes = g_hash_table_new_full(NULL, NULL, NULL, node_free);

    g_hash_table_insert(nodes, GUINT_TO_POINTER(0),
                        node_new(0, 0, MAIL_FOLDER_NOSELECT, g_strdup("")));
    return nodes;
}

Tree *tree_new(void)
{
    Tree *tree = g_new0(Tree, 1);

    g_rw_lock_init(&tree->lock);
    tree->nodes = new_nodes();
    return tree;
}

void tree_free(Tree *tree)
{
    if (!tree)
        return;
    g_hash_table_unref(tree->nodes);
    g_rw_lock_clear(&tree->lock);
    g_free(tree);
}

static Node *find(GHashTable *nodes, uint32_t id)
{
    return g_hash_table_lookup(nodes, GUINT_TO_POINTER(id));
}

/* --- building -------------------------------------------------------------------------------- */

typedef struct {
    GHashTable *nodes;  /* id -> Node */
    GHashTable *listed; /* server's name -> CatalogFolder */
    GHashTable *ids;    /* server's name -> id of its node */
    TreeParent make_parent;
    gpointer data;
} Builder;

static int by_id(gconstpointer a, gconstpointer b)
{
    const uint32_t *left = a, *right = b;

    return (*left > *right) - (*left < *right);
}

static void sort_children(GHashTable *nodes)
{
    GHashTableIter iter;
    gpointer node;

    g_hash_table_iter_init(&iter, nodes);
    while (g_hash_table_iter_next(&iter, NULL, &node))
        g_array_sort(((Node *)node)->children, by_id);
}

static bool add_node(Builder *builder, uint32_t id, uint32_t parent, unsigned attributes,
                     const char *level, const char *full_name)
{
    Node *above = find(builder->nodes, parent);
    char *name = names_folder(level);

    if (find(builder->nodes, id) || g_hash_table_contains(above->by_name, name)) {
        g_free(name);
        return false;
    }
    Node *node = node_new(id, parent, attributes, name);
    g_hash_table_insert(builder->nodes, GUINT_TO_POINTER(id), node);
    g_hash_table_insert(above->by_name, node->name, node);
    g_array_append_val(above->children, id);
    g_hash_table_insert(builder->ids, g_strdup(full_name), GUINT_TO_POINTER(id));
    return true;
}

/*
 * The node of the name's first `length` bytes, made with its parents where it isn't there; 0 where
 * it can't be.
 */
static uint32_t build(Builder *builder, const char *name, size_t length, char delimiter)
{
    g_autofree char *full = g_strndup(name, length);
    const CatalogFolder *listed = g_hash_table_lookup(builder->listed, full);
    const char *separator = delimiter ? memrchr(full, delimiter, length) : NULL;
    unsigned attributes = MAIL_FOLDER_NONEXISTENT | MAIL_FOLDER_NOSELECT;
    uint32_t parent = 0, id;

    if (g_hash_table_contains(builder->ids, full))
        return GPOINTER_TO_UINT(g_hash_table_lookup(builder->ids, full));
    if (separator) {
        parent = build(builder, name, (size_t)(separator - full), delimiter);
        if (!parent)
            return 0;
    }
    if (g_hash_table_size(builder->nodes) >= MOST_NODES)
        return 0;
    if (listed) {
        id = listed->id;
        attributes = listed->attributes;
    } else {
        MailFolderInfo info = {.name = full, .delimiter = delimiter, .attributes = attributes};
        id = builder->make_parent(builder->data, &info);
    }
    if (!add_node(builder, id, parent, attributes, separator ? separator + 1 : full, full))
        return 0;
    return id;
}

static size_t count_levels(const char *name, char delimiter)
{
    size_t n = 1;

    for (; delimiter && *name; name++)
        n += *name == delimiter;
    return n;
}

static bool build_folder(Builder *builder, const CatalogFolder *folder)
{
    size_t length = strlen(folder->name);

    /* "mail/" says "mail", and that it has children. */
    if (length > 1 && folder->delimiter && folder->name[length - 1] == folder->delimiter)
        length--;
    return length <= LONGEST && count_levels(folder->name, folder->delimiter) <= DEEPEST &&
           build(builder, folder->name, length, folder->delimiter) != 0;
}

static void build_all(Builder *builder, const CatalogFolder *folders, size_t n)
{
    size_t hidden = 0;

    for (size_t i = 0; i < n; i++)
        if (!build_folder(builder, &folders[i]) && ++hidden <= WARN_AT_MOST)
            g_warning("folder \"%.200s\" is not shown: its name makes no place in a tree",
                      folders[i].name);
    if (hidden > WARN_AT_MOST)
        g_warning("%zu more folders are not shown for the same reason", hidden - WARN_AT_MOST);
}

static void copy_node(const Node *node, TreeNode *copy)
{
    copy->id = node->id;
    copy->parent = node->parent;
    copy->attributes = node->attributes;
    copy->children = node->children->len;
    g_strlcpy(copy->name, node->name, sizeof copy->name);
}

static GArray *only_in(GHashTable *before, GHashTable *after)
{
    GArray *gone = g_array_new(FALSE, FALSE, sizeof(TreeNode));
    GHashTableIter iter;
    gpointer node;

    g_hash_table_iter_init(&iter, before);
    while (g_hash_table_iter_next(&iter, NULL, &node)) {
        TreeNode copy;
        if (find(after, ((Node *)node)->id))
            continue;
        copy_node(node, &copy);
        g_array_append_val(gone, copy);
    }
    return gone;
}

/* Whether a reader of any directory would see a difference. */
static bool looks_alike(GHashTable *before, GHashTable *after)
{
    GHashTableIter iter;
    gpointer value;

    if (g_hash_table_size(before) != g_hash_table_size(after))
        return false;
    g_hash_table_iter_init(&iter, before);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Node *node = value, *other = find(after, node->id);
        if (!other || node->parent != other->parent || strcmp(node->name, other->name) != 0)
            return false;
    }
    return true;
}

/* 0: it is not there. INBOX is INBOX in any case (RFC 9051 section 5.1). */
static uint32_t find_root(GHashTable *ids, const char *root)
{
    const char *name = g_ascii_strcasecmp(root, "INBOX") == 0 ? "INBOX" : root;

    return GPOINTER_TO_UINT(g_hash_table_lookup(ids, name));
}

bool tree_update(Tree *tree, const CatalogFolder *folders, size_t n, const char *root,
                 TreeParent make_parent, gpointer data, GArray **gone, GError **error)
{
    g_autoptr(GHashTable) nodes = new_nodes();
    g_autoptr(GHashTable) listed = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GHashTable) ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Builder builder = {nodes, listed, ids, make_parent, data};
    uint32_t root_id = 0;

    for (size_t i = 0; i < n; i++)
        g_hash_table_insert(listed, folders[i].name, (gpointer)&folders[i]);
    build_all(&builder, folders, n);
    sort_children(nodes);
    if (root) {
        root_id = find_root(ids, root);
        if (!root_id) {
            g_set_error(error, MAIL_ERROR, ENOENT,
                        "the server has no folder \"%s\"; leave it out of the URL to see which "
                        "there are",
                        root);
            return false;
        }
    }
    *gone = only_in(tree->nodes, nodes);
    g_rw_lock_writer_lock(&tree->lock);
    GHashTable *old = tree->nodes;
    tree->version += !looks_alike(old, nodes);
    tree->nodes = g_steal_pointer(&nodes);
    tree->root = root_id;
    g_rw_lock_writer_unlock(&tree->lock);
    g_hash_table_unref(old);
    return true;
}

static void replace_child(Node *parent, Node *node, uint32_t id)
{
    for (guint i = 0; i < parent->children->len; i++)
        if (g_array_index(parent->children, uint32_t, i) == id)
            g_array_index(parent->children, uint32_t, i) = node->id;
    g_array_sort(parent->children, by_id);
}

void tree_replace(Tree *tree, uint32_t id, uint32_t new_id)
{
    gpointer stolen = NULL;

    g_rw_lock_writer_lock(&tree->lock);
    tree->version++;
    if (g_hash_table_steal_extended(tree->nodes, GUINT_TO_POINTER(id), NULL, &stolen)) {
        Node *node = stolen;
        node->id = new_id;
        g_hash_table_insert(tree->nodes, GUINT_TO_POINTER(new_id), node);
        replace_child(find(tree->nodes, node->parent), node, id);
        for (guint i = 0; i < node->children->len; i++)
            find(tree->nodes, g_array_index(node->children, uint32_t, i))->parent = new_id;
        if (tree->root == id)
            tree->root = new_id;
    }
    g_rw_lock_writer_unlock(&tree->lock);
}

/* --- reading -----------------------------------------------------------------------------------
 */

uint32_t tree_root(Tree *tree)
{
    g_rw_lock_reader_lock(&tree->lock);
    uint32_t root = tree->root;
    g_rw_lock_reader_unlock(&tree->lock);
    return root;
}

uint64_t tree_version(Tree *tree)
{
    g_rw_lock_reader_lock(&tree->lock);
    uint64_t version = tree->version;
    g_rw_lock_reader_unlock(&tree->lock);
    return version;
}

bool tree_node(Tree *tree, uint32_t id, TreeNode *copy)
{
    g_rw_lock_reader_lock(&tree->lock);
    const Node *node = find(tree->nodes, id);
    if (node)
        copy_node(node, copy);
    g_rw_lock_reader_unlock(&tree->lock);
    return node != NULL;
}

bool tree_child(Tree *tree, uint32_t parent, const char *name, TreeNode *copy)
{
    g_rw_lock_reader_lock(&tree->lock);
    const Node *above = find(tree->nodes, parent);
    const Node *node = above ? g_hash_table_lookup(above->by_name, name) : NULL;
    if (node)
        copy_node(node, copy);
    g_rw_lock_reader_unlock(&tree->lock);
    return node != NULL;
}

/* The index of the first child with an id above `after`. */
static guint first_above(const GArray *children, uint32_t after)
{
    guint low = 0, high = children->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;
        if (g_array_index(children, uint32_t, middle) > after)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

size_t tree_children_after(Tree *tree, uint32_t parent, uint32_t after, TreeNode *copies, size_t n)
{
    size_t found = 0;

    g_rw_lock_reader_lock(&tree->lock);
    const Node *above = find(tree->nodes, parent);
    if (above)
        for (guint i = first_above(above->children, after); i < above->children->len && found < n;
             i++)
            copy_node(find(tree->nodes, g_array_index(above->children, uint32_t, i)),
                      &copies[found++]);
    g_rw_lock_reader_unlock(&tree->lock);
    return found;
}
