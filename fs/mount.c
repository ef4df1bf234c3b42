#include "mount.h"

#include "../cache/scopedlock.h"
#include "inode.h"

uint64_t mount_folder_ino(const Mount *mount, uint32_t folder)
{
    return folder == tree_root(mount->tree) ? inode_number(INODE_ROOT, 0, 0)
                                            : inode_number(INODE_FOLDER, folder, 0);
}

bool mount_ino_folder(const Mount *mount, uint64_t ino, uint32_t *folder)
{
    Inode inode = inode_of(ino);

    if (inode.kind == INODE_ROOT)
        *folder = tree_root(mount->tree);
    else if (inode.kind == INODE_FOLDER)
        *folder = inode.folder;
    else
        return false;
    return true;
}

/* With the farewells to the server, which take 1.5 s at most, it is less than 5 s. */
enum { PATIENCE_MILLIS = 3000 };

unsigned mount_patience(const Mount *mount)
{
    gint64 gone = mount->ending ? (g_get_monotonic_time() - mount->ending) / 1000 : 0;

    return (unsigned)CLAMP(PATIENCE_MILLIS - gone, 0, PATIENCE_MILLIS);
}

void mount_note_quota(Mount *mount)
{
    MailQuota quota = {0};
    bool have = mail_store_quota(mount->store, &quota);

    SCOPED_LOCK(&mount->quota_lock);
    mount->have_quota = have;
    mount->quota = quota;
}

double mount_kernel_timeout(const Mount *mount)
{
    return mount->options->refresh;
}
