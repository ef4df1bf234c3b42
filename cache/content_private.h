/*
 * content_private.h: the content's inside, shared by content.c (what is in memory, and reading) and
 * content_disk.c (what gets to the disk).
 */
#pragma once

#include "catalog.h"
#include "content.h"
#include "readers.h"
#include "recent.h"
#include "scopedlock.h"
#include "writer.h"

/*
 * Invariants: what is in neither pending nor on disk is not held; what a key in doomed covers is
 * not held on disk, whatever is there; what a message in moved has on disk is there under the key
 * that it had before, and no longer that one's. What a reader could not read is doomed, so that
 * nobody takes for held what readers do not get. A block leaves pending, and a key doomed, only
 * after the transaction that wrote it, and only where it is the same that was collected for it:
 * what was put or dropped in between stays for the next one.
 *
 * The lock is held for memory operations alone; pending, doomed, moved, recent, stats (but for its
 * bound), damaged, dooms and retry_at are under it. The members marked "disk" are the writer's
 * while there is one, else of the thread that calls content_flush. All else does not change once
 * content is shared.
 */
struct Content {
    pthread_mutex_t lock;
    Pending *pending;
    GHashTable *doomed; /* BlockKey, to be deleted from the disk, to its number */
    uint64_t dooms;     /* the last number; grows with moved too */
    GHashTable *moved;  /* BlockKey of a message, to the BlockKey that it had before */
    Recent *recent;
    ContentStats stats;
    bool damaged;     /* a reader found the database so */
    int64_t retry_at; /* trouble's */
    Readers *readers;
    Writer *writer;
    char *directory;         /* NULL: memory alone */
    Blocks *blocks;          /* disk; NULL: not open at the moment */
    bool too_long;           /* disk: the file is longer than the bound */
    DatabaseTrouble trouble; /* disk */
    int64_t begun_anew;      /* disk: when the database last was damaged */
};

static inline int64_t content_now(void)
{
    return g_get_real_time() / G_USEC_PER_SEC;
}

/* --- content_disk.c: where the disk is written ------------------------------------------------ */

/* Opens the database where it can be; false: nothing can be written now. */
bool content_ready(Content *content);
/* As content_flush. */
bool content_write(Content *content);
