/*
 * prefetch.h: fetches ahead of somebody who reads one message after the other (see scan.h), so that
 * the connection never waits for him.
 *
 * A sweep follows the reader through a folder, in his order, with commands for many messages each.
 * What is ahead of him is bounded in bytes by a window, which is about what the connection brings
 * in half a second: wide enough that the server always knows what to send next, and no wider. When
 * a folder has been asked for, the sweep goes on in the one that a recursive reader comes to next.
 * A reader who stops reading stops it, since what is ahead is only made up for as it is read.
 *
 * Three messages one after the other are a scan. Two are enough where they are the first ones of
 * the folder, as it is listed, and one where its reader listed the folder just before; provided
 * that he reads beyond the beginning, as nobody does who looks what kind of files there are.
 *
 * Who reads no more than the beginnings gets no more than these. As long as nothing tells a scan
 * from a look at a few messages, less is fetched ahead than was read; or twice as much, where he
 * listed the folder and what he read was too short to have a beginning.
 *
 * Engine thread, unless said otherwise.
 */
#pragma once

#include "request.h"
#include "scan.h"

/* Bytes ahead of the readers at most, as the options say. */
uint64_t prefetch_bound(const Options *options);

/* most: bytes ahead of the readers; 0: nothing is fetched ahead. Any thread. */
Prefetcher *prefetcher_new(Mount *mount, uint64_t most);
/* After the engine has ended. */
void prefetcher_free(Prefetcher *prefetcher);

/* A message is being read (end 0: opened) by a process, up to byte number `end`. A worker calls. */
void prefetch_note(Prefetcher *prefetcher, uint32_t folder, const CatalogMessage *message,
                   uint64_t end, pid_t pid);
/* The kernel has the message's bytes (see push.h): what it reads there will not be told. Any
 * thread. */
void prefetch_given(Prefetcher *prefetcher, uint32_t folder, uint32_t uid);
/* A process has listed the folder to its end. Any thread. */
void prefetch_listing_read(Prefetcher *prefetcher, uint32_t folder, pid_t pid);
/* Whether who waits for a stretch of a message is going to read all of it. */
bool prefetch_reads_wholes(Prefetcher *prefetcher, uint32_t folder);
/* What somebody waited for is there: that he read nothing meanwhile does not count. */
void prefetch_touch(Prefetcher *prefetcher, uint32_t folder);
/* What is known of the folder's reader. Whether nothing is being fetched ahead of him. Any thread.
 */
bool prefetch_leaves_alone(Prefetcher *prefetcher, uint32_t folder, ScanView *view);
/* Somebody is about to wait for the message. */
void prefetch_missed(Prefetcher *prefetcher, uint64_t ino);
/* The fetch of a message brought so many bytes, and ended; error NULL: well. */
void prefetch_ended(Prefetcher *prefetcher, uint64_t ino, uint64_t bytes, const GError *error);
/* The folder is in step with the server now. */
void prefetch_listed(Prefetcher *prefetcher, uint32_t folder);

/* Appends lines for the status, one of them for each folder that is being scanned. */
void prefetch_describe(Prefetcher *prefetcher, GString *text);
