/*
 * push.h: gives the kernel the bytes of the next messages ahead of somebody who reads one after the
 * other what the cache holds, so that most of his reads never come here.
 *
 * What is given is read without our knowing. So one message in PUSH_CHUNK is left out, the marker:
 * when that is asked for, the reader has come so far, and the kernel gets what follows. A thread of
 * its own reads the cache's disk for it.
 */
#pragma once

#include "mount.h"

#define PUSH_CHUNK 32 /* messages from marker to marker */

/* Starts the thread. */
Pusher *pusher_new(Mount *mount);
/* Ends it; what is noted afterwards is passed over. */
void pusher_stop(Pusher *pusher);
void pusher_free(Pusher *pusher);

/* A read of the message was answered from the cache. Any worker. */
void push_note(Pusher *pusher, uint32_t folder, const CatalogMessage *message);
