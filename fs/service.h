/*
 * service.h: what the service manager that started this process is told: the notification protocol
 * of sd_notify(3), which is one datagram to a socket for each message.
 *
 * Main thread. Where no manager listens, nothing happens.
 */
#pragma once

#include <stdbool.h>

/* Takes $NOTIFY_SOCKET out of the environment, so that no command that is run here speaks for us.
 */
void service_open(void);
void service_close(void);

/* "READY=1", "STATUS=…", several with line ends in between; it never waits. */
void service_notify(const char *message);

/* Whether stderr is the journal's ($JOURNAL_STREAM), which reads priorities (sd-daemon(3)). */
bool service_has_journal(void);
