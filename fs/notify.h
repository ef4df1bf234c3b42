/*
 * notify.h: tells the kernel what it must forget.
 *
 * The kernel takes a directory's lock for some of it, and a process may hold that lock while it
 * waits for an answer of ours. So neither the engine nor a worker may tell it; a thread of its own
 * does, in the order of posting, and may wait for as long as it takes. Any thread posts.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

struct fuse_session;
typedef struct Notifier Notifier;

/* Nothing is told until notifier_start; what is posted before is dropped. */
Notifier *notifier_new(void);
void notifier_start(Notifier *notifier, struct fuse_session *session);
/*
 * Nothing more is told. Waits until what is being told has been, but not for long: the kernel may
 * wait for somebody who waits for us, until the unmounting frees all. To be called before that.
 */
void notifier_quiet(Notifier *notifier);
/* Ends the thread; what is posted afterwards is dropped. */
void notifier_stop(Notifier *notifier);
void notifier_free(Notifier *notifier);

/* The attributes of an inode (its size) are others now, and its cached pages no longer hold. */
void notify_inode(Notifier *notifier, uint64_t ino);
/*
 * The same for a file whose size was wrong, called ahead of the answer that proved it so: the
 * kernel has forgotten the size when this returns. That takes no lock, unlike the pages, which
 * follow. The engine thread calls.
 */
void notify_size(Notifier *notifier, uint64_t ino);
/* The name in the directory means something else now, or nothing any more. */
void notify_entry(Notifier *notifier, uint64_t parent, const char *name);
/* The entry is gone, and so is the inode: watchers of it hear that it was deleted. */
void notify_deleted(Notifier *notifier, uint64_t parent, uint64_t child, const char *name);
