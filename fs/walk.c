#include "walk.h"

enum { STEPS_MOST = 1000 }; /* past directories that hold no messages */

static bool first_child_after(Tree *tree, uint32_t parent, uint32_t after, TreeNode *child)
{
    return tree_children_after(tree, parent, after, child, 1) == 1;
}

/* The directory whose messages come first, of node and all below it. */
static void descend(Tree *tree, TreeNode *node)
{
    TreeNode child;

    for (int i = 0; i < STEPS_MOST && first_child_after(tree, node->id, 0, &child); i++)
        *node = child;
}

/* The one whose messages come after node's. */
static bool step(Tree *tree, TreeNode *node)
{
    TreeNode next;

    if (node->id == tree_root(tree))
        return false;
    if (first_child_after(tree, node->parent, node->id, &next)) {
        descend(tree, &next);
    } else if (!tree_node(tree, node->parent, &next)) {
        return false;
    }
    *node = next;
    return true;
}

uint32_t walk_next(Tree *tree, uint32_t folder)
{
    TreeNode node;

    if (!tree_node(tree, folder, &node))
        return 0;
    for (int i = 0; i < STEPS_MOST && step(tree, &node); i++)
        if (!(node.attributes & MAIL_FOLDER_NOSELECT))
            return node.id;
    return 0;
}
