/*
 * content.h: the bytes of messages, on disk and for a moment in memory.
 *
 * A message is kept as its file image (what a reader of the file sees), cut into blocks of
 * CONTENT_BLOCK bytes; a block may be held only in part, from its beginning (the header of a
 * message whose text nobody wanted yet). So the store knows nothing of headers, texts or
 * protocols. Everything here may be lost without harm: it is fetched again.
 *
 * The engine thread puts; any thread gets. A put is in memory at once and on disk soon, many in one
 * transaction and without an fsync: by a thread of the content's own (content_start_writer), so
 * that neither the network nor a reader waits for the disk. A crash loses at most what was not yet
 * written, which is no more than 16 MB. Nothing is ever handed out whose checksum does not fit:
 * such a block, and one that can't be read, is dropped and reported as not held.
 *
 * What is to be written stays readable in memory until it is on disk; a drop holds at once, also
 * for what is being written at that moment.
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
/*
 * From now on a thread writes what is put and dropped: when there is 1 MB of it, or after half a
 * second. To be called once, before the content is shared. Without it, content_flush does all.
 */
void content_start_writer(Content *content);
void content_close(Content *content); /* flushes */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Content, content_close)

/* --- any thread ----------------------------------------------------------------------------- */

/*
 * Copies length bytes of the file image from offset into buffer. True only where all of them are
 * held. The caller never asks beyond the end of the message. Reads the disk, never the network.
 */
bool content_read(Content *content, uint32_t folder, uint32_t uid, uint64_t offset, size_t length,
                  void *buffer);
/*
 * How many bytes of block number `block` are held, from its beginning. Does not count as a use.
 */
size_t content_held(Content *content, uint32_t folder, uint32_t uid, uint32_t block);

/* A stretch of a message's file image. bytes are valid during the call. False: no more. */
typedef bool (*ContentTake)(gpointer data, uint32_t uid, uint64_t offset, const void *bytes,
                            size_t length);
/*
 * Hands over all that is held of messages from their beginnings, in the order of uids and each
 * message in order, a stretch a block: what content_read would give, at less than its cost where
 * uids ascend as the messages were put. Of a message that is not held nothing is told. Ends where
 * take returns false. Returns how many of uids were dealt with. Counts neither as hits nor as uses.
 * take is called without a lock, and may call any function of this header.
 */
size_t content_next(Content *content, uint32_t folder, const uint32_t *uids, size_t n,
                    ContentTake take, gpointer data);
void content_stats(Content *content, ContentStats *stats);
/*
 * Bytes that were put and are not yet on disk; 0 where the disk can't be used at the moment. Of
 * more than 16 MB in memory, what was put or read least recently is dropped: who can wait should
 * fetch nothing further from 8 MB on.
 */
size_t content_pending(Content *content);
/*
 * Writes what was put, and when things were used, in a few transactions; drops what was used least
 * recently to keep the bound. True: nothing is left that can be written now. With a writer, waits
 * until it has done so; without, it does some 10 ms of it, and one thread at a time may call. A
 * full or failing disk is warned of once; the last 16 MB of what was put are then kept in memory,
 * and the disk is tried again after a minute. Content of temporary folders (CATALOG_TEMPORARY in
 * catalog.h) is held in the same way, and never written.
 */
bool content_flush(Content *content);

/* --- the engine thread ---------------------------------------------------------------------- */

/*
 * Holds bytes, the beginning of block number `block` (at most CONTENT_BLOCK). Replaces what is
 * held of that block unless that is longer.
 */
void content_put(Content *content, uint32_t folder, uint32_t uid, uint32_t block, GBytes *bytes);
/*
 * What is held of a message is another one's from now on, of which nothing was held so far: at once
 * for who reads, and soon on disk. For a message that the server has moved.
 */
void content_move(Content *content, uint32_t folder, uint32_t uid, uint32_t to_folder,
                  uint32_t to_uid);
/* Forgets a message, or a whole folder. */
void content_drop(Content *content, uint32_t folder, uint32_t uid);
void content_drop_folder(Content *content, uint32_t folder);
