/*
 * draft_private.h: drafts from inside: shared by draft.c, draft_over.c, which has those that are
 * over messages, and draft_done.c, which has those that have been stored, or could not be.
 *
 * Any thread; functions with the lock held, unless said otherwise.
 */
#pragma once

#include "draft.h"

#include <pthread.h>

/*
 * A file. It is in the table while it has a name, or the kernel knows it; who uses its descriptor
 * without the lock has a reference. A name in a folder is that of one file at most.
 */
typedef struct {
    gint references;
    Draft about;
    uint64_t lookups;
    uint64_t stored_version;
    int64_t stored_date;
    uint64_t copied_size;
    pid_t who;      /* began to write over a message */
    bool suspended; /* that is seen all the same */
    bool resting;   /* in the queue of these */
    int fd;         /* below 0: its bytes have been given up */
} DraftFile;

/* All but the directory is under `lock`. */
struct Drafts {
    char *directory;
    pthread_mutex_t lock;
    GHashTable *files; /* ino -> DraftFile */
    uint32_t last;     /* of the numbers given */
    gint n_over;       /* atomic: how many are over messages, and not suspended */
    GQueue suspended;  /* DraftFile: those that are, the oldest first */
    GQueue resting; /* DraftFile: those that hold a file that nobody may need any more, likewise */
};

/* Drops a reference. Any time. */
void draft_file_unref(gpointer data);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DraftFile, draft_file_unref)
/* Takes the descriptor; one reference, looked up once. Any time. */
DraftFile *draft_file_new(uint32_t folder, const char *name, int fd);
/* NULL: there is none. */
DraftFile *drafts_file(const Drafts *drafts, uint64_t ino);
/* Takes it from the table if nobody can come to it any more. */
void drafts_drop_unused(Drafts *drafts, const DraftFile *file);

/* --- draft_done.c ------------------------------------------------------------------------------
 */

/* It was stored, or could not be. */
void drafts_rest(Drafts *drafts, DraftFile *file);
