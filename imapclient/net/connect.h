/*
 * connect.h: from a host's name to a connected socket, without blocking anyone.
 *
 * Belongs to stream.c. The name is looked up in GLib's thread pool, the addresses are tried in
 * turn (RFC 8305), proxies are not used. Runs in the thread's default GMainContext.
 */
#pragma once

#include "../../cache/mail.h"

typedef struct Connect Connect;

/*
 * Called once from the main loop unless cancelled; the Connect is gone then. fd: a connected,
 * non-blocking socket that the callee owns, or -1 with error (borrowed): ECONNREFUSED,
 * EHOSTUNREACH, ENETUNREACH or ETIMEDOUT. The message does not name host and port.
 */
typedef void (*ConnectDone)(gpointer data, int fd, const GError *error);

/*
 * timeout (seconds; 0: the system's): after so long without a word of a peer from whom some is due,
 * the kernel gives the connection up, with ETIMEDOUT; from one that has nothing to say it asks for
 * one meanwhile.
 */
Connect *connect_start(const char *host, uint16_t port, unsigned timeout, ConnectDone done,
                       gpointer data);
/* done is not called any more. */
void connect_cancel(Connect *connect);
