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
