/*
 * netns.h: two network namespaces whose only way to each other is a TUN device at either end, so
 * that a program carries each packet from one kernel's TCP to the other's by hand.
 *
 * Needs CAP_SYS_ADMIN or leave to make user namespaces, and /dev/net/tun; no more privilege.
 */
#pragma once

#include <stdbool.h>

/* Of the two ends of the link. */
#define NETNS_NEAR "10.98.0.1"
#define NETNS_FAR "10.98.0.2"
#define NETNS_PORT 143

/*
 * Before the first thread is made: gets the leave that netns_enter() takes. Ends the process with
 * a line that says what is missing.
 */
void netns_prepare(void);

/*
 * Moves the calling thread alone to a new network namespace with one device of this address, and
 * returns the device's packets' descriptor (non-blocking; each packet is preceded by a struct
 * virtio_net_hdr). large: TCP may hand over segments of up to 64 KiB at once, as it does to a
 * network card. The namespace lives as long as the descriptor or a socket made in it. Ends the
 * process with a line that says what is missing.
 */
int netns_enter(const char *address, bool large);
