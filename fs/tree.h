/*
 * tree.h: the folders as directories: who is whose child, under which file name.
 *
 * The engine thread changes it; any thread reads and gets copies. Folders are known by their ids
 * in the catalog; the account's root is id 0, and no folder. A level of a name that the server
 * does not list itself becomes a directory without messages (its id is made by the caller).
 */
#pragma once

#include "../cache/catalog.h"

#define TREE_NAME_MAX 256

typedef struct Tree Tree;

typedef struct {
    uint32_t id;
    uint32_t parent;
    unsigned attributes;      /* MAIL_FOLDER_ bits */
    uint32_t children;        /* how many */
    char name[TREE_NAME_MAX]; /* its file name */
} TreeNode;

Tree *tree_new(void);
void tree_free(Tree *tree);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Tree, tree_free)

/* --- the engine thread --------------------------------------------------------------------- */

/* Makes the id of a parent that the server did not list. */
typedef uint32_t (*TreeParent)(gpointer data, const MailFolderInfo *info);

/*
 * Replaces the tree by these folders. root (NULL: the account's root) is the name of the folder
 * that is the mount's root; false with ENOENT where it is not among them. Returns in *gone
 * (TreeNode elements; the caller unrefs) what was there before and is no more.
 */
bool tree_update(Tree *tree, const CatalogFolder *folders, size_t n, const char *root,
                 TreeParent make_parent, gpointer data, GArray **gone, GError **error);

/* A folder has another id from now on. */
void tree_replace(Tree *tree, uint32_t id, uint32_t new_id);

/* --- any thread ------------------------------------------------------------------------------ */

/* The folder that is the mount's root; 0: the account's root. */
uint32_t tree_root(Tree *tree);
/* Another number whenever some directory has other folders in it than before. */
uint64_t tree_version(Tree *tree);
bool tree_node(Tree *tree, uint32_t id, TreeNode *copy);
bool tree_child(Tree *tree, uint32_t parent, const char *name, TreeNode *copy);
/* The children with an id above `after`, by id, at most n; returns how many. */
size_t tree_children_after(Tree *tree, uint32_t parent, uint32_t after, TreeNode *copies, size_t n);
