/*
 * link.h: what the connections of an account found out about the link to its server, and so
 * whether they compress (RFC 4978). Compression can't be undone: on a fast link the server's
 * processor would become what bounds a transfer.
 *
 * Engine thread; the pool's.
 */
#pragma once

#include "net/pace.h"
#include "store.h"

/* Bytes a second from which on a link is fast: about what a server can compress. */
#define IMAP_LINK_FAST (200u * 1000 * 1000 / 8)

/* Microseconds of a round trip below which a server is near. */
#define IMAP_LINK_NEAR 10000

typedef enum { IMAP_LINK_UNKNOWN, IMAP_LINK_IS_SLOW, IMAP_LINK_IS_FAST } ImapLink;

/* What is known after a look at how fast a connection's bytes arrived; what was known stays. fast:
 * IMAP_LINK_FAST. */
ImapLink imap_link_look(ImapLink link, const Pace *pace, uint64_t fast);
/*
 * Whether a listing says nothing of the link. A server makes one at about IMAP_LINK_FAST; over a
 * long link it has been made when the congestion window lets it go, over a short one it arrives as
 * it is made, and only messages' contents tell.
 */
bool imap_link_is_near(uint32_t round_trip, uint64_t fast);
/* Whether a connection shall be compressed. */
bool imap_link_compresses(ImapLink link, ImapCompress mode);
