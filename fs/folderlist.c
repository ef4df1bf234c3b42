#include "look.h"

#include "dircache.h"
#include "flag_changes.h"
#include "inode.h"
#include "moves.h"

#include <errno.h>

static void found_folder(gpointer data, const MailFolderInfo *info)
{
    Refresher *refresher = data;
    CatalogFolder folder = {
        .name = g_strdup(info->name),
        .delimiter = info->delimiter,
        .attributes = info->attributes,
    };

    g_array_append_val(refresher->listed, folder);
}

static uint32_t make_parent(gpointer data, const MailFolderInfo *info)
{
    Mount *mount = data;

    return catalog_put_folder(mount->catalog, info);
}

/* Watchers of a directory hear of it, where nothing in it is in use. */
static void drop_folders(Mount *mount, const GArray *gone)
{
    for (guint i = 0; i < gone->len; i++) {
        const TreeNode *node = &g_array_index(gone, TreeNode, i);
        moves_forget_folder(mount->moves, node->id);
        flag_changes_forget_folder(mount->flag_changes, node->id);
        catalog_drop_folder(mount->catalog, node->id);
        content_drop_folder(mount->content, node->id);
        notify_deleted(mount->notifier, mount_folder_ino(mount, node->parent),
                       inode_number(INODE_FOLDER, node->id, 0), node->name);
        notify_directory(mount->notifier, mount_folder_ino(mount, node->parent));
    }
}

/* Ids of folders that are not in the tree yet. */
static GArray *new_folders(const Refresher *refresher)
{
    GArray *ids = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    TreeNode node;

    for (guint i = 0; i < refresher->listed->len; i++) {
        uint32_t id = g_array_index(refresher->listed, CatalogFolder, i).id;
        if (!tree_node(refresher->mount->tree, id, &node))
            g_array_append_val(ids, id);
    }
    return ids;
}

/* What the kernel knows of the directories that they are in. */
static void show_folders(Mount *mount, const GArray *ids)
{
    TreeNode node;

    for (guint i = 0; i < ids->len; i++)
        if (tree_node(mount->tree, g_array_index(ids, uint32_t, i), &node))
            notify_directory(mount->notifier, mount_folder_ino(mount, node.parent));
}

static void identify_folders(const Refresher *refresher)
{
    for (guint i = 0; i < refresher->listed->len; i++) {
        CatalogFolder *folder = &g_array_index(refresher->listed, CatalogFolder, i);
        const MailFolderInfo info = {folder->name, folder->delimiter, folder->attributes};
        folder->id = catalog_put_folder(refresher->mount->catalog, &info);
    }
}

/* A new folder has its name, whichever message had it. */
static void take_names(const Refresher *refresher)
{
    Mount *mount = refresher->mount;
    TreeNode node;

    for (guint i = 0; i < refresher->listed->len; i++) {
        uint32_t id = g_array_index(refresher->listed, CatalogFolder, i).id;
        if (tree_node(mount->tree, id, &node) &&
            catalog_given(mount->catalog, node.parent, node.name))
            notify_entry(mount->notifier, mount_folder_ino(mount, node.parent), node.name);
    }
}

/* By what is in `listed`. */
static bool plant_tree(Refresher *refresher, GError **error)
{
    Mount *mount = refresher->mount;
    g_autoptr(GArray) gone = NULL, made = NULL;
    uint64_t version = tree_version(mount->tree);

    identify_folders(refresher);
    made = new_folders(refresher);
    if (!tree_update(mount->tree, (const CatalogFolder *)(void *)refresher->listed->data,
                     refresher->listed->len, mount->options->url.folder, make_parent, mount, &gone,
                     error))
        return false;
    drop_folders(mount, gone);
    if (tree_version(mount->tree) != version) {
        take_names(refresher);
        dircache_all_changed(mount->directories);
        show_folders(mount, made);
        notify_directory(mount->notifier, inode_number(INODE_ROOT, 0, 0));
    }
    return true;
}

bool refresh_list_known(Refresher *refresher, GError **error)
{
    bool planted;

    refresher->listed = catalog_folders(refresher->mount->catalog);
    planted = refresher->listed->len > 0 && plant_tree(refresher, error);
    if (!refresher->listed->len)
        g_set_error(error, MAIL_ERROR, ENOENT, "nothing of this account is cached");
    g_clear_pointer(&refresher->listed, g_array_unref);
    return planted;
}

static void begin_list(Refresher *refresher);

static void list_done(gpointer data, const GError *error)
{
    Refresher *refresher = data;
    g_autoptr(GError) failure = error ? g_error_copy(error) : NULL;
    MailDone done = refresher->list_done;

    refresher->list_op = NULL;
    mount_note_quota(refresher->mount);
    if (!failure && (refresher->changes || refresher->list_outdated)) {
        begin_list(refresher);
        return;
    }
    refresher->list_done = NULL;
    if (failure)
        refresh_note_failure(refresher, failure);
    else if (plant_tree(refresher, &failure))
        refresh_set_fresh(refresher, 0);
    g_clear_pointer(&refresher->listed, g_array_unref);
    if (done)
        done(refresher->list_data, failure);
    else if (failure)
        g_warning("the folders are shown as they were: %s", failure->message);
    request_resume_all(&refresher->list_waiting, NULL);
}

/* Or leaves that to the last of the changes. */
static void begin_list(Refresher *refresher)
{
    g_clear_pointer(&refresher->listed, g_array_unref);
    refresher->list_outdated = false;
    if (refresher->changes)
        return;
    refresher->listed = g_array_new(FALSE, FALSE, sizeof(CatalogFolder));
    g_array_set_clear_func(refresher->listed, (GDestroyNotify)catalog_folder_clear);
    refresher->list_op = mail_store_list(refresher->mount->store, found_folder, list_done,
                                         refresher);
}

void refresh_list(Refresher *refresher, MailDone done, gpointer data)
{
    if (done) {
        refresher->list_done = done;
        refresher->list_data = data;
    }
    if (!refresher->list_op)
        begin_list(refresher);
}

void refresh_folders_change(Refresher *refresher)
{
    refresher->changes++;
}

/* What was refused may show that the folders are others than they were; and of what failed nobody
 * knows whether it was done. */
void refresh_folders_changed(Refresher *refresher, const GError *error)
{
    refresher->changes--;
    refresher->list_outdated = true;
    refresh_stale(refresher, 0);
    if (error)
        refresh_note_failure(refresher, error);
    if (!refresher->changes && !refresher->list_op &&
        (refresher->list_done || refresher->list_waiting.length))
        begin_list(refresher);
}

/* What is being changed by us is listed at the end of that. */
void refresh_list_changed(Refresher *refresher)
{
    refresh_stale(refresher, 0);
    if (refresher->list_op)
        refresher->list_outdated = true;
    else if (!refresher->changes)
        refresh_list(refresher, NULL, NULL);
}

void refresh_list_soon(Refresher *refresher)
{
    if (!refresher->list_op && !refresh_is_fresh(refresher, 0))
        refresh_list(refresher, NULL, NULL);
}
