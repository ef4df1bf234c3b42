#include "filename.h"
#include "inode.h"
#include "ops.h"
#include "removal.h"

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

void change_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    Mount *mount = mount_of(req);
    CatalogMessage message;
    Request *request;
    uint32_t folder;
    TreeNode node;

    if (!mount_ino_folder(mount, parent, &folder)) {
        fuse_reply_err(req, EPERM); /* what is in .pullmail */
    } else if (tree_child(mount->tree, folder, name, &node)) {
        fuse_reply_err(req, EISDIR);
    } else if (write_unlink(mount, parent, folder, name)) {
        fuse_reply_err(req, 0);
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

static void fsyncdir_submit(Request *request)
{
    removals_wait(request->mount->removals, request);
}

void change_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *file)
{
    (void)ino, (void)datasync, (void)file;
    request_post(request_new(mount_of(req), req, reply_outcome), fsyncdir_submit);
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
