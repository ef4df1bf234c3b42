/*
 * notify.h: tells the kernel what it must forget, and gives it what it will want.
 *
 * The kernel takes a directory's lock for some of it, and the locks of a file's pages, and a
 * process may hold these while it waits for an answer of ours. So neither the engine nor a worker
 * may tell it; a thread of its own does, in the order of posting, and may wait for as long as it
 * takes. Any thread posts, unless said otherwise.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
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
/*
 * In between, names are not told (what is posted is told later): a request is under way for whose
 * answer the kernel holds directories locked. The thread would wait for that within the kernel,
 * where not even SIGKILL ends it; and the requests of a process that is not quite dead are never
 * given up. The kernel locks before it asks, so that names are told again only when a while has
 * passed without such requests. Any thread; as often as it likes, in pairs.
 */
void notifier_hold(Notifier *notifier);
void notifier_release(Notifier *notifier);
/* Ends the thread; what is posted afterwards is dropped. */
void notifier_stop(Notifier *notifier);
void notifier_free(Notifier *notifier);

/* The attributes of an inode (its size) are others now, and its cached pages no longer hold. */
void notify_inode(Notifier *notifier, uint64_t ino);
/*
 * The size of a file is another, and nothing of it was read so far: the kernel has forgotten the
 * size when this returns, so it may be called ahead of an answer that proves another. That takes no
 * lock, unlike dropping pages. An answer about the attributes that is under way meanwhile does not
 * count for the kernel, which is why no more than this one notice is given. The engine thread
 * calls.
 */
void notify_size(Notifier *notifier, uint64_t ino);
/*
 * A directory has other entries now: when this returns the kernel has forgotten its attributes, and
 * the entries that it keeps for readdir. A directory's pages are never locked while somebody waits
 * for us, so that the engine thread may call this.
 */
void notify_directory(Notifier *notifier, uint64_t ino);
/* The name in the directory means something else now, or nothing any more. */
void notify_entry(Notifier *notifier, uint64_t parent, const char *name);
/* The entry is gone, and so is the inode: watchers of it hear that it was deleted. */
void notify_deleted(Notifier *notifier, uint64_t parent, uint64_t child, const char *name);

/*
 * Writes such a file's bytes from offset on into the kernel's page cache, so that no read is asked
 * for them. Only pages that are covered whole become valid, and the last one of the file if the
 * bytes end where the file does: offset is a multiple of the page size, and the size that the
 * kernel knows is the true one, else the kernel just reads. An inode that the kernel does not know
 * is passed over. Takes a reference on bytes. False: more than NOTIFY_STORED bytes would be
 * waiting, or nothing is told; they are dropped.
 */
#define NOTIFY_STORED (UINT64_C(8) << 20)
bool notify_store(Notifier *notifier, uint64_t ino, uint64_t offset, GBytes *bytes);
/* How many bytes wait to be stored. */
uint64_t notify_stored(Notifier *notifier);

/*
 * For very many entries: task(notifier, data) runs on the notifier's thread, in its turn, and calls
 * the two functions below; free_data(data) follows in any case, maybe without the task.
 */
typedef void (*NotifyTask)(Notifier *notifier, gpointer data);
void notify_task(Notifier *notifier, NotifyTask task, gpointer data, GDestroyNotify free_data);
/* As notify_entry and notify_deleted, at once. False: nothing is told any more. Only in a task. */
bool notify_entry_now(Notifier *notifier, uint64_t parent, const char *name);
bool notify_deleted_now(Notifier *notifier, uint64_t parent, uint64_t child, const char *name);
