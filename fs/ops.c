#include "ops.h"

#include "control.h"
#include "inode_map.h"
#include "offline.h"
#include "trust.h"

#include <errno.h>

enum {
    BACKGROUND = 1024, /* requests that may wait at once */
    READ_AHEAD = 1024 * 1024,
};

static void init(void *userdata, struct fuse_conn_info *conn)
{
    const Mount *mount = userdata;

    conn->max_background = BACKGROUND;
    conn->congestion_threshold = BACKGROUND;
    conn->max_readahead = READ_AHEAD;
    conn->want |= conn->capable &
                  (FUSE_CAP_READDIRPLUS | FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_ASYNC_READ);
    /* Which listing gets attributes is for dir.c to say. */
    conn->want &= ~(unsigned)FUSE_CAP_READDIRPLUS_AUTO;
    /* All of it is told to the kernel (notify.h), and looking at mtime would cost requests. */
    conn->want &= ~(unsigned)FUSE_CAP_AUTO_INVAL_DATA;
    /* A file that the kernel opens by itself it would truncate without a word. */
    conn->want &= ~(unsigned)FUSE_CAP_ATOMIC_O_TRUNC;
    trust_set_kernel(mount->trust, conn->capable & FUSE_CAP_NO_OPEN_SUPPORT);
}

/* --- every request is counted, for the status --------------------------------------------------
 */

#define COUNTED(operation, parameters, arguments)    \
    static void counted_##operation parameters       \
    {                                                \
        const Mount *mount = fuse_req_userdata(req); \
        control_count(mount->control);               \
        operation arguments;                         \
    }

/* The same, of a message, which may have been moved since the kernel knew it (see inode_map.h). */
#define FOLLOWED(operation, parameters, arguments)   \
    static void counted_##operation parameters       \
    {                                                \
        const Mount *mount = fuse_req_userdata(req); \
        control_count(mount->control);               \
        ino = inode_map_follow(mount->moved, ino);   \
        operation arguments;                         \
    }

typedef struct fuse_file_info File;

/* With offline=never nothing is changed that the server does not hear of at once. */
static bool is_refused(fuse_req_t req)
{
    const Mount *mount = fuse_req_userdata(req);

    if (mount->options->offline != OFFLINE_NEVER || !offline_is(mount->offline))
        return false;
    offline_need(mount->offline);
    fuse_reply_err(req, EROFS);
    return true;
}

#define GUARDED(operation, parameters, arguments) \
    static void guarded_##operation parameters    \
    {                                             \
        if (!is_refused(req))                     \
            operation arguments;                  \
    }

GUARDED(change_unlink, (fuse_req_t req, fuse_ino_t parent, const char *name), (req, parent, name))
GUARDED(write_create,
        (fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, File *file),
        (req, parent, name, mode, file))
GUARDED(write_setattr, (fuse_req_t req, fuse_ino_t ino, struct stat *st, int to_set, File *file),
        (req, ino, st, to_set, file))
GUARDED(write_copy,
        (fuse_req_t req, fuse_ino_t from, off_t from_offset, File *from_file, fuse_ino_t to,
         off_t to_offset, File *to_file, size_t length, int flags),
        (req, from, from_offset, from_file, to, to_offset, to_file, length, flags))
GUARDED(folders_mkdir, (fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode),
        (req, parent, name, mode))
GUARDED(folders_rmdir, (fuse_req_t req, fuse_ino_t parent, const char *name), (req, parent, name))
GUARDED(rename_entry,
        (fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
         const char *new_name, unsigned flags),
        (req, parent, name, new_parent, new_name, flags))
GUARDED(flags_setxattr,
        (fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int how),
        (req, ino, name, value, size, how))
GUARDED(flags_removexattr, (fuse_req_t req, fuse_ino_t ino, const char *name), (req, ino, name))

COUNTED(dir_lookup, (fuse_req_t req, fuse_ino_t parent, const char *name), (req, parent, name))
FOLLOWED(dir_getattr, (fuse_req_t req, fuse_ino_t ino, File *file), (req, ino, file))
COUNTED(listing_opendir, (fuse_req_t req, fuse_ino_t ino, File *file), (req, ino, file))
COUNTED(listing_readdir, (fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, File *file),
        (req, ino, size, offset, file))
COUNTED(listing_readdirplus,
        (fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, File *file),
        (req, ino, size, offset, file))
COUNTED(listing_releasedir, (fuse_req_t req, fuse_ino_t ino, File *file), (req, ino, file))
COUNTED(statfs_get, (fuse_req_t req, fuse_ino_t ino), (req, ino))
FOLLOWED(file_open, (fuse_req_t req, fuse_ino_t ino, File *file), (req, ino, file))
FOLLOWED(file_read, (fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, File *file),
         (req, ino, size, offset, file))
COUNTED(file_release, (fuse_req_t req, fuse_ino_t ino, File *file), (req, ino, file))
FOLLOWED(xattr_get, (fuse_req_t req, fuse_ino_t ino, const char *name, size_t size),
         (req, ino, name, size))
FOLLOWED(xattr_list, (fuse_req_t req, fuse_ino_t ino, size_t size), (req, ino, size))
COUNTED(guarded_change_unlink, (fuse_req_t req, fuse_ino_t parent, const char *name),
        (req, parent, name))
COUNTED(change_fsyncdir, (fuse_req_t req, fuse_ino_t ino, int datasync, File *file),
        (req, ino, datasync, file))
COUNTED(guarded_write_create,
        (fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, File *file),
        (req, parent, name, mode, file))
COUNTED(write_write,
        (fuse_req_t req, fuse_ino_t ino, const char *bytes, size_t size, off_t offset, File *file),
        (req, ino, bytes, size, offset, file))
COUNTED(write_flush, (fuse_req_t req, fuse_ino_t ino, File *file), (req, ino, file))
COUNTED(write_fsync, (fuse_req_t req, fuse_ino_t ino, int datasync, File *file),
        (req, ino, datasync, file))
COUNTED(guarded_write_setattr,
        (fuse_req_t req, fuse_ino_t ino, struct stat *st, int to_set, File *file),
        (req, ino, st, to_set, file))
COUNTED(guarded_write_copy,
        (fuse_req_t req, fuse_ino_t from, off_t from_offset, File *from_file, fuse_ino_t to,
         off_t to_offset, File *to_file, size_t length, int flags),
        (req, from, from_offset, from_file, to, to_offset, to_file, length, flags))
COUNTED(guarded_folders_mkdir, (fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode),
        (req, parent, name, mode))
COUNTED(guarded_folders_rmdir, (fuse_req_t req, fuse_ino_t parent, const char *name),
        (req, parent, name))
COUNTED(guarded_rename_entry,
        (fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
         const char *new_name, unsigned flags),
        (req, parent, name, new_parent, new_name, flags))
FOLLOWED(guarded_flags_setxattr,
         (fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
          int how),
         (req, ino, name, value, size, how))
FOLLOWED(guarded_flags_removexattr, (fuse_req_t req, fuse_ino_t ino, const char *name),
         (req, ino, name))

const struct fuse_lowlevel_ops pullmail_ops = {
    .init = init,
    .lookup = counted_dir_lookup,
    .forget = dir_forget,
    .forget_multi = dir_forget_many,
    .getattr = counted_dir_getattr,
    .opendir = counted_listing_opendir,
    .readdir = counted_listing_readdir,
    .readdirplus = counted_listing_readdirplus,
    .releasedir = counted_listing_releasedir,
    .statfs = counted_statfs_get,
    .open = counted_file_open,
    .read = counted_file_read,
    .release = counted_file_release,
    .getxattr = counted_xattr_get,
    .listxattr = counted_xattr_list,
    .setxattr = counted_guarded_flags_setxattr,
    .removexattr = counted_guarded_flags_removexattr,
    .unlink = counted_guarded_change_unlink,
    .fsyncdir = counted_change_fsyncdir,
    .mknod = change_mknod,
    .mkdir = counted_guarded_folders_mkdir,
    .rmdir = counted_guarded_folders_rmdir,
    .rename = counted_guarded_rename_entry,
    .symlink = change_symlink,
    .link = change_link,
    .create = counted_guarded_write_create,
    .write = counted_write_write,
    .flush = counted_write_flush,
    .fsync = counted_write_fsync,
    .setattr = counted_guarded_write_setattr,
    .copy_file_range = counted_guarded_write_copy,
};
