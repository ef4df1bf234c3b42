#include "arrivals.h"
#include "attr.h"
#include "control.h"
#include "dircache.h"
#include "filename.h"
#include "names.h"
#include "ops.h"
#include "refresh.h"
#include "request.h"
#include "sync.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A change of folders that the server is making. A request that is interrupted meanwhile is gone;
 * the change is not. */
typedef struct {
    Mount *mount;
    uint64_t waiting; /* the request's id */
    uint32_t folder;  /* what is renamed or removed */
    char *made;       /* the new name, once the server has told it */
} Change;

static Mount *mount_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

/* --- what is meant ---------------------------------------------------------------------------- */

/* The server's name of the folder that a directory is. *name NULL: the account's root, which has
 * none. False: it is no directory of a folder. The caller frees. */
static bool folder_name(const Mount *mount, fuse_ino_t ino, char **name)
{
    g_auto(CatalogFolder) folder = {0};
    uint32_t id;

    *name = NULL;
    if (!mount_ino_folder(mount, ino, &id))
        return false;
    if (!id)
        return true;
    if (!catalog_folder(mount->catalog, id, &folder))
        return false;
    *name = g_strdup(folder.name);
    return true;
}

static void fail(Request *request, int code, const char *text)
{
    g_autoptr(GError) error = g_error_new_literal(MAIL_ERROR, code, text);

    request_resume(request, error);
}

/* --- when the server has done it -------------------------------------------------------------- */

static void change_free(Change *change)
{
    g_free(change->made);
    g_free(change);
}

/* The kernel renames what it knows itself, unless it was told that the request was interrupted. */
static void take_name(const Change *change, bool interrupted)
{
    Mount *mount = change->mount;
    TreeNode node;

    catalog_rename_folder(mount->catalog, change->folder, change->made);
    if (interrupted && tree_node(mount->tree, change->folder, &node))
        notify_entry(mount->notifier, mount_folder_ino(mount, node.parent), node.name);
}

/* The list of folders is another now: whoever waits does so for the new one. */
static void change_done(gpointer data, const GError *error)
{
    Change *change = data;
    Mount *mount = change->mount;
    Request *request = request_find(mount->requests, change->waiting);

    if (error)
        g_info("%s", error->message);
    if (!error && change->made && change->folder)
        take_name(change, !request);
    change_free(change);
    refresh_folders_changed(mount->refresher, error);
    if (!request)
        return;
    if (error)
        request_resume(request, error);
    else
        refresh_wait(mount->refresher, 0, request);
}

static void note_made(gpointer data, const MailFolderInfo *folder)
{
    Change *change = data;

    g_free(change->made);
    change->made = g_strdup(folder->name);
}

static Change *change_new(const Request *request, uint32_t folder)
{
    Change *change = g_new0(Change, 1);

    refresh_folders_change(request->mount->refresher);
    change->mount = request->mount;
    change->waiting = request->id;
    change->folder = folder;
    return change;
}

/* The list could not be had, or the server has it under another name. */
static bool wait_once_more(Request *request)
{
    if (++request->rounds > 2)
        return false;
    refresh_stale(request->mount->refresher, 0);
    refresh_wait(request->mount->refresher, 0, request);
    return true;
}

/* --- mkdir ------------------------------------------------------------------------------------ */

static bool mkdir_resume(Request *request, const GError *error)
{
    Mount *mount = request->mount;
    struct fuse_entry_param entry = {0};
    uint32_t parent = 0;
    TreeNode node;

    if (error) {
        fuse_reply_err(request->req, mail_errno(error));
        return false;
    }
    mount_ino_folder(mount, request->ino, &parent);
    if (!tree_child(mount->tree, parent, request->name, &node)) {
        if (wait_once_more(request))
            return true;
        fuse_reply_err(request->req, EPROTO); /* made, but not told */
        return false;
    }
    attr_folder(mount, &node, &entry.attr);
    entry.ino = entry.attr.st_ino;
    entry.attr_timeout = entry.entry_timeout = mount_kernel_timeout(mount);
    fuse_reply_entry(request->req, &entry);
    return false;
}

static void mkdir_submit(Request *request)
{
    g_autofree char *parent = NULL, *level = names_folder_decode(request->name);

    if (!level)
        fail(request, EINVAL, "no folder can have that name");
    else if (!folder_name(request->mount, request->ino, &parent))
        fail(request, ENOENT, "the folder is gone");
    else
        mail_store_create(request->mount->store, parent, level, note_made, change_done,
                          change_new(request, 0));
}

void folders_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    Mount *mount = mount_of(req);
    Request *request;
    uint32_t folder;

    (void)mode; /* all folders are alike */
    if (!(mount->features & MAIL_STORE_MAKES) || !mount_ino_folder(mount, parent, &folder)) {
        fuse_reply_err(req, EPERM);
        return;
    }
    request = request_new(mount, req, mkdir_resume);
    request->changes = true;
    request->ino = parent;
    request->name = g_strdup(name);
    request_post(request, mkdir_submit);
}

/* --- rmdir ------------------------------------------------------------------------------------ */

static bool rmdir_resume(Request *request, const GError *error)
{
    uint32_t parent = 0;
    TreeNode node;

    mount_ino_folder(request->mount, request->ino, &parent);
    if (!error && tree_child(request->mount->tree, parent, request->name, &node) &&
        wait_once_more(request))
        return true;
    fuse_reply_err(request->req, error ? mail_errno(error) : 0);
    return false;
}

/* What was in it is gone from the server by now, or could not be removed or moved. */
static bool rmdir_emptied(Request *request, const GError *error)
{
    Mount *mount = request->mount;
    g_auto(CatalogFolder) folder = {0};
    uint32_t parent = 0;
    TreeNode node;

    request->resume = rmdir_resume;
    mount_ino_folder(mount, request->ino, &parent);
    if (error) {
        fuse_reply_err(request->req, mail_errno(error));
        return false;
    }
    if (!tree_child(mount->tree, parent, request->name, &node) ||
        !catalog_folder(mount->catalog, node.id, &folder)) {
        fuse_reply_err(request->req, ENOENT);
        return false;
    }
    mail_store_delete(mount->store, folder.name, change_done, change_new(request, 0));
    return true;
}

void folders_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    Mount *mount = mount_of(req);
    Request *request;
    uint32_t folder;
    TreeNode node;

    if (!(mount->features & MAIL_STORE_MAKES) || !mount_ino_folder(mount, parent, &folder)) {
        fuse_reply_err(req, EPERM);
    } else if (!tree_child(mount->tree, folder, name, &node)) {
        fuse_reply_err(req, control_lookup(parent, name) ? EPERM : ENOENT);
    } else if (node.children) {
        fuse_reply_err(req, ENOTEMPTY);
    } else {
        request = request_new(mount, req, rmdir_emptied);
        request->changes = true;
        request->ino = parent;
        request->name = g_strdup(name);
        request_post(request, sync_wait);
    }
}

/* --- rename ----------------------------------------------------------------------------------- */

static bool rename_resume(Request *request, const GError *error)
{
    fuse_reply_err(request->req, error ? mail_errno(error) : 0);
    return false;
}

static bool is_within(const Tree *tree, uint32_t folder, uint32_t ancestor)
{
    TreeNode node;

    for (; folder; folder = node.parent)
        if (folder == ancestor || !tree_node((Tree *)tree, folder, &node))
            return folder == ancestor;
    return false;
}

/* request->name is the new one, request->offset the folder's id. */
static bool rename_settled(Request *request, const GError *error)
{
    Mount *mount = request->mount;
    g_autofree char *parent = NULL, *level = names_folder_decode(request->name);
    g_auto(CatalogFolder) folder = {0};
    uint32_t id = (uint32_t)request->offset;

    request->resume = rename_resume;
    if (error)
        return rename_resume(request, error);
    if (!level)
        fail(request, EINVAL, "no folder can have that name");
    else if (!folder_name(mount, request->ino, &parent) ||
             !catalog_folder(mount->catalog, id, &folder))
        fail(request, ENOENT, "the folder is gone");
    else
        mail_store_rename(mount->store, folder.name, parent, level, note_made, change_done,
                          change_new(request, id));
    return true;
}

/* Why the folder can't be renamed so: an errno; 0: it can be. */
static int check_rename(const Mount *mount, const TreeNode *node, uint32_t to, const char *new_name)
{
    CatalogMessage message;
    TreeNode there;

    if (!(mount->features & MAIL_STORE_MAKES))
        return EPERM;
    if (is_within(mount->tree, to, node->id))
        return EINVAL;
    if (tree_child(mount->tree, to, new_name, &there) ||
        filename_message(mount, to, new_name, &message) ||
        arrivals_named(mount->arrivals, to, new_name))
        return EEXIST;
    return 0;
}

void folders_rename(fuse_req_t req, const TreeNode *node, fuse_ino_t new_parent,
                    const char *new_name)
{
    Mount *mount = mount_of(req);
    Request *request;
    uint32_t to = 0;
    int code = mount_ino_folder(mount, new_parent, &to) ? check_rename(mount, node, to, new_name)
                                                        : EPERM;

    if (code) {
        fuse_reply_err(req, code);
        return;
    }
    request = request_new(mount, req, rename_settled);
    request->changes = true;
    request->ino = new_parent;
    request->name = g_strdup(new_name);
    request->offset = node->id;
    request_post(request, sync_wait); /* what is removed or moved is so under the name it has */
}
