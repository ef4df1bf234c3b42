/*
 * mountpoint.h: the directory to mount on: is it there, and is it free?
 *
 * Private to options.c, on the main thread.
 */
#pragma once

#include <glib.h>

/*
 * The absolute path of a directory that can be mounted on. Fails with ENOENT, ENOTDIR, EACCES; with
 * ENOTCONN where a pullmail that died is still mounted there, and with EBUSY where one is mounted
 * that lives. A mount of another kind is no hindrance: an automount point is one. The caller frees.
 */
char *mountpoint_resolve(const char *path, GError **error);

/*
 * The type ("fuse.pullmail") of what is mounted on an absolute path, topmost, by the text of
 * /proc/self/mountinfo (proc(5)); NULL: nothing is. The caller frees.
 */
char *mountpoint_type(const char *mountinfo, const char *path);
