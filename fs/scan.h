/*
 * scan.h: sees which messages of a folder are being read, and tells whether somebody reads one
 * after the other, in which order, and how much of each; and knows what was fetched ahead of him.
 *
 * Any thread. The workers note what is read, the engine asks.
 */
#pragma once

#include "../cache/catalog.h"

#include <sys/types.h>

typedef struct Scans Scans;

typedef enum {
    SCAN_UIDS_UP, /* as the folder is listed, which is also by inode number */
    SCAN_UIDS_DOWN,
    SCAN_NAMES_UP, /* by date, then UID */
    SCAN_NAMES_DOWN,
    SCAN_MIXED, /* several readers, or none of these */
} ScanOrder;

typedef enum {
    SCAN_UNKNOWN, /* none was long enough to tell */
    SCAN_FRONTS,  /* only the beginnings are read */
    SCAN_WHOLES,
} ScanDepth;

typedef struct {
    unsigned run; /* different messages that were read, each soon after the one before */
    ScanOrder order;
    ScanDepth depth;
    bool over;   /* nothing was read for a while */
    bool listed; /* who read the first of them had listed the folder to its end just before */
} ScanView;

/* Of a message longer than this somebody may read the beginning alone. */
#define SCAN_FRONT 16384

Scans *scans_new(void);
void scans_free(Scans *scans);

/*
 * A message is being read by a process, up to byte number `end` (0: it is being opened). True: so
 * much of what was fetched ahead has been read since this last was true that the prefetcher should
 * look.
 */
bool scan_note(Scans *scans, uint32_t folder, const CatalogMessage *message, uint64_t end,
               pid_t pid);

/* The kernel was given the message, and will answer its reader: likewise, but that nobody has read
 * it yet. */
bool scan_given(Scans *scans, uint32_t folder, uint32_t uid);

/* A process has listed the folder to its end. pid 0: it is not known which. */
void scan_listed(Scans *scans, uint32_t folder, pid_t pid);

/* The reader of the folder's last message had to wait until now. */
void scan_touch(Scans *scans, uint32_t folder);

/* What is to be said of a folder's reader; run is 0 where there was none. */
void scan_view(Scans *scans, uint32_t folder, ScanView *view);

/* --- what is ahead of the reader: fetched, or asked for, and not read yet ------------------------
 */

void scan_expect(Scans *scans, uint32_t folder, uint32_t uid, uint64_t bytes);
/* Whether it is ahead of the reader, or one of those that he read last. */
bool scan_has(Scans *scans, uint32_t folder, uint32_t uid);
/* It will not come. */
void scan_unexpect(Scans *scans, uint32_t folder, uint32_t uid);
/* Nobody will read the rest. */
void scan_forget(Scans *scans, uint32_t folder);
/* Bytes, of all folders. */
uint64_t scan_ahead_bytes(Scans *scans);
/* Messages of one folder. */
unsigned scan_ahead_count(Scans *scans, uint32_t folder);
