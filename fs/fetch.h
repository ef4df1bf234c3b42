/*
 * fetch.h: gets messages from the server into the cache, for those who wait for them, and ahead of
 * those who will.
 *
 * One fetch of a message is under way at a time, however many wait. A reader's file is BODY[HEADER]
 * followed by BODY[TEXT]. Where these do not add up to what RFC822.SIZE claimed, BODY[] decides,
 * and the size is put right. Nothing is kept of an answer that was cut off.
 *
 * Engine thread.
 */
#pragma once

#include "request.h"

Fetcher *fetcher_new(Mount *mount);
void fetcher_free(Fetcher *fetcher);

/*
 * The request (an open of request->ino) waits until the message's true size is known. Of a tiny
 * message, all of it is there then.
 */
void fetch_prove(Fetcher *fetcher, Request *request);
/*
 * The request (a read) waits until request->size bytes from request->offset are in the cache, or
 * it is known that the message ends before.
 */
void fetch_range(Fetcher *fetcher, Request *request);

/*
 * What another mount with the same cache has proved of the message since: then message is as it is
 * known by that, and what the other has read is in the cache.
 */
void fetch_learn(Mount *mount, uint64_t ino, CatalogMessage *message);

/* Whether the message is being fetched. */
bool fetch_is_under_way(Fetcher *fetcher, uint64_t ino);

/* Appends lines for the status. */
void fetch_describe(Fetcher *fetcher, GString *text);

/*
 * Fetches messages that nobody waits for yet, by one command: HEADER and TEXT, whole. uids: of
 * folder id, ascending, none of them under way, none longer than FETCH_WHOLE_MOST as far as is
 * known. The prefetcher is told of each that ended, and why.
 */
void fetch_ahead(Fetcher *fetcher, uint32_t id, const uint32_t *uids, size_t n);
/* The same of one message, of which only the first `size` bytes are wanted. */
void fetch_front_ahead(Fetcher *fetcher, uint32_t folder, uint32_t uid, size_t size);
