/*
 * fetch.h: gets messages from the server into the cache, for those who wait for them.
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
