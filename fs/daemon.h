/*
 * daemon.h: going to the background without leaving the user in the dark: the command returns
 * when the mount works, or fails with the reason.
 *
 * Main thread, before any other thread is started.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Exit statuses, as mount(8) has them. */
enum { EXIT_USAGE = 1, EXIT_MOUNT = 32 };

typedef struct Daemon Daemon;

/*
 * In the background: forks. The parent waits here for the child's word, prints a failure as one
 * line, and exits with the status of that word, or EXIT_MOUNT if the child dies without one; only
 * the child returns, in a session of its own. Where the parent is ended while it waits, the child
 * gets SIGTERM: what the user broke off is not mounted later.
 * In the foreground: returns at once.
 */
Daemon *daemon_begin(bool foreground, GError **error);

/* Once more, after who the process is has changed: it ends with its parent until it is ready. */
void daemon_stay_with_parent(const Daemon *daemon);

/* The mount works. In the background the terminal is let go of: logs go to syslog from now on. */
void daemon_ready(Daemon *daemon);

/* It does not, or not any more: tells why, to the user who waits, else to the log. */
void daemon_fail(Daemon *daemon, const GError *error, int exit_status);

/* "mount.pullmail: …" on stderr, in one line; "<3>…" where that is the journal's. */
void daemon_print_error(const GError *error);

void daemon_free(Daemon *daemon);
