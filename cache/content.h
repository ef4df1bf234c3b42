/*
 * content.h: the bytes of messages, on disk and for a moment in memory.
 *
 * A message is kept as its file image (what a reader of the file sees), cut into blocks of
 * CONTENT_BLOCK bytes; a block may be held only in part, from its beginning (the header of a
 * message whose text nobody wanted yet). So the store knows nothing of headers, texts or
 * protocols. Everything here may be lost without harm: it is fetched again.
 *
 * The engine thread puts; any thread gets. A put is in memory at once and on disk with the next
 * content_flush, many in one transaction and without an fsync each; a crash loses at most what
 * was not flushed. Nothing is ever handed out whose checksum does not fit: such a block, and one
 * that can't be read, is dropped and reported as not held.
 */
#pragma once

#include "mail.h"

#include <sys/types.h>

#define CONTENT_BLOCK 65536

typedef struct Content Content;

typedef struct {
    uint64_t bytes, bound; /* held on disk; cachesize */
    uint64_t hits, misses; /* of content_read */
    uint64_t evicted;      /* bytes dropped to keep the bound */
    uint64_t damaged;      /* blocks dropped for a wrong checksum */
    bool on_disk;          /* false: the disk can't be used at the moment, memory alone */
} ContentStats;

/*
 * Opens (or makes) the store in directory, which exists; NULL or one that can't be used: memory
 * alone, after one warning. bound: the most bytes to hold on disk; below 1 MiB nothing is held
 * there, and what was is deleted. A damaged database is deleted and begun anew. Two processes may
 * have one directory open. Never fails. Does not survive fork(2): a process that goes into the
 * background opens it afterwards.
 */
Content *content_open(const char *directory, uint64_t bound);
void content_close(Content *content); /* flushes */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Content, content_close)

/* --- any thread ----------------------------------------------------------------------------- */

/*
 * Copies length bytes of the file image from offset into buffer. True only where all of them are
 * held. The caller never asks beyond the end of the message. Reads the disk, never the network.
 */
bool content_read(Content *content, uint32_t folder, uint32_t uid, uint64_t offset, size_t length,
                  void *buffer);
void content_stats(Content *content, ContentStats *stats);

/* --- the engine thread ---------------------------------------------------------------------- */

/*
 * How many bytes of block number `block` are held, from its beginning. Does not count as a use.
 */
size_t content_held(Content *content, uint32_t folder, uint32_t uid, uint32_t block);
/*
 * Holds bytes, the beginning of block number `block` (at most CONTENT_BLOCK). Replaces what is
 * held of that block unless that is longer.
 */
void content_put(Content *content, uint32_t folder, uint32_t uid, uint32_t block, GBytes *bytes);
/* Forgets a message, or a whole folder. */
void content_drop(Content *content, uint32_t folder, uint32_t uid);
void content_drop_folder(Content *content, uint32_t folder);
/*
 * Writes what was put, and when things were used, in a few transactions (some 10 ms of work);
 * drops what was used least recently to keep the bound. True: nothing is left that can be written
 * now. A full or failing disk is warned of once; the last 8 MB of what was put are then kept in
 * memory, and the disk is tried again after a minute. Content of temporary folders
 * (CATALOG_TEMPORARY in catalog.h) is held in the same way, and never written.
 */
bool content_flush(Content *content);
/* Bytes that the next flush would write. More than 8 MB are not kept: flush at some 4 MB. */
size_t content_pending(Content *content);
