/*
 * log.h: where GLib's log messages go: stderr in the foreground, syslog in the background. Where
 * stderr is the journal's, a line begins with its priority, "<4>", in place of our name.
 *
 * All parts log by g_critical (a bug), g_warning (something the user should know), g_message
 * (once in a while: mounted, reconnected), g_info (-v) and g_debug (-d: the protocol, by the
 * domains "imap" and "pop3"; never a secret). One line each; control characters that came from a
 * server are shown as \xNN. Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* verbose: g_info too; protocol: g_debug too. */
void log_open(bool verbose, bool protocol);
/* The text as a line may show it: control characters and broken UTF-8 as \xNN. The caller frees. */
char *log_printable(const char *text);
/*
 * What went wrong last, be it a warning or an error that a system call failed with: who asks for
 * the status is told. Keeps a copy of the text.
 */
void log_note_error(const char *text);
/* That, printable, and when it was, microseconds since the epoch; the caller frees. NULL: nothing.
 */
char *log_last_error(int64_t *when);
/* "2026-11-25T19:05:07.123456Z" of microseconds since the epoch; the caller frees. */
char *log_time(int64_t micros);
/* From now on syslog (facility daemon, "mount.pullmail"), since stderr is going away. */
void log_to_syslog(void);
