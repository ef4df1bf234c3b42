/*
 * entry.h: what the kernel is told of an entry that was looked up or listed, and for how long it
 * may believe that.
 *
 * Any thread; from memory.
 */
#pragma once

#include "mount.h"

/* The message that the inode number means, if it is one, and is known. */
bool entry_message(const Mount *mount, fuse_ino_t ino, CatalogMessage *message);
/* Seconds for which the attributes are good. */
double entry_timeout(const Mount *mount, fuse_ino_t ino);
/* All but attr, which is there already. */
void entry_fill(const Mount *mount, struct fuse_entry_param *entry);
/* There is no such inode any more. */
bool entry_is_stale(const Mount *mount, fuse_ino_t ino);
