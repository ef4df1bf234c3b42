#include "inode.h"

#define KIND_SHIFT 60
#define FOLDER_SHIFT 32
#define FOLDER_MAX ((UINT32_C(1) << (KIND_SHIFT - FOLDER_SHIFT)) - 1)
#define ROOT_NUMBER 1 /* FUSE_ROOT_ID */

uint64_t inode_number(InodeKind kind, uint32_t folder, uint32_t uid)
{
    uint64_t number = (uint64_t)kind << KIND_SHIFT | (uint64_t)folder << FOLDER_SHIFT | uid;

    if (kind == INODE_ROOT)
        return ROOT_NUMBER;
    if (kind == INODE_INVALID || folder > FOLDER_MAX || inode_of(number).kind != kind)
        return 0;
    return number;
}

Inode inode_of(uint64_t number)
{
    const Inode invalid = {.kind = INODE_INVALID};
    const Inode root = {.kind = INODE_ROOT};
    Inode inode = {
        .kind = (InodeKind)(number >> KIND_SHIFT),
        .folder = (uint32_t)(number >> FOLDER_SHIFT) & FOLDER_MAX,
        .uid = (uint32_t)number,
    };

    switch (inode.kind) {
    case INODE_ROOT:
        return number == ROOT_NUMBER ? root : invalid;
    case INODE_FOLDER:
        return inode.uid == 0 ? inode : invalid;
    case INODE_MESSAGE:
    case INODE_DRAFT:
        return inode.uid != 0 ? inode : invalid;
    case INODE_CONTROL:
        return inode;
    default:
        return invalid;
    }
}
