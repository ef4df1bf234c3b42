#include "ops.h"

enum {
    BACKGROUND = 1024, /* requests that may wait at once */
    READ_AHEAD = 1024 * 1024,
};

static void init(void *userdata, struct fuse_conn_info *conn)
{
    (void)userdata;
    conn->max_background = BACKGROUND;
    conn->congestion_threshold = BACKGROUND;
    conn->max_readahead = READ_AHEAD;
    conn->want |= conn->capable & (FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO |
                                   FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_ASYNC_READ);
}

const struct fuse_lowlevel_ops pullmail_ops = {
    .init = init,
    .lookup = dir_lookup,
    .getattr = dir_getattr,
    .opendir = dir_opendir,
    .readdir = dir_readdir,
    .readdirplus = dir_readdirplus,
    .statfs = dir_statfs,
    .open = file_open,
    .read = file_read,
    .release = file_release,
    .getxattr = xattr_get,
    .listxattr = xattr_list,
};
