#include "entry.h"

#include "attr.h"
#include "control.h"
#include "draft.h"
#include "inode.h"
#include "trust.h"

bool entry_message(const Mount *mount, fuse_ino_t ino, CatalogMessage *message)
{
    Inode inode = inode_of(ino);

    return inode.kind == INODE_MESSAGE &&
           catalog_message(mount->catalog, inode.folder, inode.uid, message);
}

/* What is in our own files never changes. */
double entry_timeout(const Mount *mount, fuse_ino_t ino)
{
    CatalogMessage message;

    if (inode_of(ino).kind == INODE_DRAFT || drafts_over(mount->drafts, ino))
        return 0;
    if (entry_message(mount, ino, &message))
        return trust_lasts(mount->trust, &message) ? MOUNT_MESSAGE_TIMEOUT : 0;
    return control_is_status(ino) ? MOUNT_MESSAGE_TIMEOUT : mount_kernel_timeout(mount);
}

/* The name of the status means another one each time. */
void entry_fill(const Mount *mount, struct fuse_entry_param *entry)
{
    entry->ino = entry->attr.st_ino;
    entry->attr_timeout = entry_timeout(mount, entry->ino);
    entry->entry_timeout = control_is_status(entry->ino) ? 0 : entry->attr_timeout;
}

bool entry_is_stale(const Mount *mount, fuse_ino_t ino)
{
    struct stat st;

    return !attr_of(mount, ino, &st);
}
