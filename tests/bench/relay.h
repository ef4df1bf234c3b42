/*
 * relay.h: passes TCP connections on: whoever connects to a listening socket is connected to
 * another address, in the network namespace of the thread that runs the relay.
 *
 * What a relay holds back is small (its buffers on the loopback are bounded), so that a reader
 * who stops is felt by the server as over one connection.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>

/* A listening socket in the calling thread's namespace; port 0 takes a free one. */
int relay_listen(const char *address, in_port_t port);

typedef struct {
    int listener;
    struct sockaddr_in target;
    bool target_is_far; /* the connection made is the long one; else the one accepted is */
} Relay;

/* Runs a relay, for good. argument: Relay. */
void *relay_run(void *argument);
