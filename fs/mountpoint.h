/*
 * mountpoint.h: the directory to mount on: is it there, and is it free?
 *
 * Used by options.c and main.c, on the main thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/*
 * The absolute path of a directory that can be mounted on, once it is cleared where *stale (may be
 * NULL) is true: a pullmail that died has left its mount there. Fails with ENOENT, ENOTDIR, EACCES;
 * with ENOTCONN where another file system's daemon died, and with EBUSY where a pullmail is mounted
 * that lives. A mount of another kind is no hindrance: an automount point is one. The caller frees.
 */
char *mountpoint_resolve(const char *path, bool *stale, GError **error);

/*
 * Detaches what a pullmail that died has left on an absolute path: who is still in there gets
 * errors, as before. Fails with the errno of a mount that can't be detached (EPERM: it is another
 * user's).
 */
bool mountpoint_clear(const char *path, GError **error);

/*
 * The type ("fuse.pullmail") of what is mounted on an absolute path, topmost, by the text of
 * /proc/self/mountinfo (proc(5)); NULL: nothing is. The caller frees.
 */
char *mountpoint_type(const char *mountinfo, const char *path);
