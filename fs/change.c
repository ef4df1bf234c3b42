#include "arrivals.h"
#include "filename.h"
#include "inode.h"
#include "letters.h"
#include "moves.h"
#include "ops.h"
#include "removal.h"
#include "sync.h"

#include <errno.h>

static Mount *mount_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

/* --- removing messages ------------------------------------------------------------------------ */

static bool reply_outcome(Request *request, const GError *error)
{
    fuse_reply_err(request->req, error ? mail_errno(error) : 0);
    return false;
}

static void unlink_submit(Request *request)
{
    removals_add(request->mount->removals, request);
}

/* It is a message of the folder by now, or was not moved. */
static bool unlink_settled(Request *request, const GError *error)
{
    if (error)
        fuse_reply_err(request->req, mail_errno(error));
    else
        change_unlink(request->req, request->ino, request->name);
    return false;
}

static void unlink_arrival(fuse_req_t req, fuse_ino_t parent, const char *name, uint64_t ino)
{
    Request *request = request_new(mount_of(req), req, unlink_settled);

    request->ino = parent;
    request->name = g_strdup(name);
    request->changes = true;
    request->follows = ino;
    moves_post(request);
}

void change_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    Mount *mount = mount_of(req);
    CatalogMessage message;
    Request *request;
    uint32_t folder;
    uint64_t arrival;
    TreeNode node;

    if (!mount_ino_folder(mount, parent, &folder)) {
        fuse_reply_err(req, EPERM); /* what is in .pullmail */
    } else if (tree_child(mount->tree, folder, name, &node)) {
        fuse_reply_err(req, EISDIR);
    } else if (write_unlink(req, parent, folder, name)) {
        return;
    } else if ((arrival = arrivals_named(mount->arrivals, folder, name))) {
        unlink_arrival(req, parent, name, arrival);
    } else if (!filename_message(mount, folder, name, &message) ||
               removals_hide(mount->removals, folder, &message)) {
        fuse_reply_err(req, ENOENT);
    } else if (!(mount->features & (MAIL_STORE_REMOVE | MAIL_STORE_CHANGES))) {
        fuse_reply_err(req, EPERM);
    } else {
        request = request_new(mount, req, reply_outcome);
        request->ino = inode_number(INODE_MESSAGE, folder, message.uid);
        request->changes = true;
        request_post(request, unlink_submit);
    }
}

bool change_unlink_message(Request *request)
{
    Mount *mount = request->mount;
    uint32_t folder = inode_of(request->ino).folder;
    CatalogMessage message;

    if (!filename_message(mount, folder, request->name, &message) ||
        removals_hide(mount->removals, folder, &message)) {
        fuse_reply_err(request->req, 0);
        return false;
    }
    request->ino = inode_number(INODE_MESSAGE, folder, message.uid);
    request->resume = reply_outcome;
    removals_add(mount->removals, request);
    return true;
}

void change_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *file)
{
    (void)ino, (void)datasync, (void)file;
    request_post(request_new(mount_of(req), req, reply_outcome), sync_wait);
}

/* --- what no mailbox of this kind can do -------------------------------------------------------
 */

void change_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
    (void)parent, (void)name, (void)mode, (void)device;
    fuse_reply_err(req, EPERM);
}

void change_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
    (void)target, (void)parent, (void)name;
    fuse_reply_err(req, EPERM);
}

void change_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
    (void)ino, (void)parent, (void)name;
    fuse_reply_err(req, EPERM);
}
