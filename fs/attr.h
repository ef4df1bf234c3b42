/*
 * attr.h: what stat shows of a folder, a message, a draft, and pullmail's own files.
 *
 * Any thread; from memory, and of drafts from the local disk.
 */
#pragma once

#include "mount.h"

void attr_folder(const Mount *mount, const TreeNode *node, struct stat *st);
void attr_message(const Mount *mount, uint32_t folder, const CatalogMessage *message,
                  struct stat *st);

/* Of any inode number; false where there is none such (any more). */
bool attr_of(const Mount *mount, fuse_ino_t ino, struct stat *st);
