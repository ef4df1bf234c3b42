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

/*
 * Each lookup of the status finds an inode of its own, with a text that was made for it: so who has
 * it open reads one text to its end, of the moment when he opened it, also where the kernel opens
 * files without asking. The kernel forgets the inode when it is closed.
 */
Control *control_new(void);
void control_free(Control *control);

/* A request of the kernel's has come. */
void control_count(Control *control);

/* Type and permissions of the entry with this number; 0 where there is none. */
mode_t control_mode(uint32_t uid);
/* The inode number of a name in a directory of ours; 0 where there is none. */
fuse_ino_t control_lookup(fuse_ino_t parent, const char *name);

/* Whether the inode number is of a status, or stands for whichever comes next. */
bool control_is_status(fuse_ino_t ino);
/* The text that the status with this number has; NULL: it was forgotten. The caller unrefs. */
GBytes *control_text(Control *control, fuse_ino_t ino);
/* The kernel has forgotten the inode. */
void control_forget(Control *control, fuse_ino_t ino);

/* --- the engine thread ----------------------------------------------------------------------- */

/* The text of the status; the caller frees. */
GString *control_status(Mount *mount);
/* A status of this moment: its inode number. */
fuse_ino_t control_status_now(Mount *mount);
