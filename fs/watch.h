/*
 * watch.h: what others change reaches the kernel, though nobody looks.
 *
 * The kernel believes what it was told of messages for a long time. So the store tells, of folders
 * that are in use, what changes, where its server does that (IMAP's IDLE and NOTIFY); of the
 * others it is asked where they stand, every refresh= seconds, as long as somebody has used them
 * within the last hour; where it can't say that (POP3), they are looked at, for ten minutes. A
 * folder that changed is looked at (refresh.h), and by that the kernel is told what is new, and
 * what is gone. However fast changes are told, a folder is looked at but twice a second.
 */
#pragma once

#include "mount.h"

Watcher *watcher_new(Mount *mount);
void watcher_free(Watcher *watcher);

/* Somebody looks at the folder (0: at the account's root), whatever is known of it. Any thread. */
void watcher_note_use(Watcher *watcher, uint32_t folder);

/* --- the engine thread ------------------------------------------------------------------------ */

/* The folder is looked at: from now on what is known of it is to be kept true, used or not. */
void watcher_note_look(Watcher *watcher, uint32_t folder);
/* Nothing is asked or told any more; before the store is closed. */
void watcher_stop(Watcher *watcher);
