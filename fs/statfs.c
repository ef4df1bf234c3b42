#include "ops.h"

enum { STATFS_BLOCK = 4096 };

/* Free space where the server tells no quota: more than anybody asks for. */
#define STATFS_PLENTY (UINT64_C(1000) << 30)

void statfs_get(fuse_req_t req, fuse_ino_t ino)
{
    Mount *mount = fuse_req_userdata(req);
    struct statvfs st = {.f_bsize = STATFS_BLOCK, .f_frsize = STATFS_BLOCK, .f_namemax = 255};
    uint64_t folders, messages, used, limit;

    (void)ino;
    catalog_totals(mount->catalog, &folders, &messages, &used);
    used = MIN(used, UINT64_MAX - STATFS_PLENTY);
    limit = used + STATFS_PLENTY;
    pthread_mutex_lock(&mount->quota_lock);
    if (mount->have_quota && mount->quota.limit_bytes) {
        used = mount->quota.used_bytes;
        limit = MAX(mount->quota.limit_bytes, used);
    }
    pthread_mutex_unlock(&mount->quota_lock);
    st.f_blocks = limit / STATFS_BLOCK;
    st.f_bfree = st.f_bavail = (limit - used) / STATFS_BLOCK;
    st.f_files = messages + folders;
    fuse_reply_statfs(req, &st);
}
