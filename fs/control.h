/*
 * control.h: pullmail's own files in the tree: .pullmail/ and .pullmail/status. Not listed, but
 * there when named; only their owner may look.
 *
 * Any thread, unless said otherwise.
 */
#pragma once

#include "mount.h"

#define CONTROL_DIRECTORY ".pullmail"

/* Whose inode numbers' uid they are. */
enum { CONTROL_UID_DIRECTORY = 0, CONTROL_UID_STATUS = 1 };

/* Type and permissions of the entry with this number; 0 where there is none. */
mode_t control_mode(uint32_t uid);
/* The inode number of a name in a directory of ours; 0 where there is none. */
fuse_ino_t control_lookup(fuse_ino_t parent, const char *name);

/* The text of the status; the caller frees. Engine thread. */
GString *control_status(Mount *mount);
