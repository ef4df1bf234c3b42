/*
 * outbox.h: messages that a user was told are kept, and that the server has yet to store: with
 * their bytes, on the disk before the user is told. What is left by a mount that ended, however it
 * did, the next one finds.
 *
 * They are in a database of their own in the account's cache directory, and go by the server's name
 * of the folder, so that they outlive the index. Several processes may share it: each has its own
 * letters, and takes over those of processes that are no more, by locks on files (flock(2)), one
 * for each process that has put anything there.
 *
 * A thread of its own writes, one letter after the other. Does not survive fork(2).
 */
#pragma once

#include "mail.h"

typedef struct Outbox Outbox;

/* `id`, above 0, is given by outbox_put, or was. The strings are the Letter's own in what
 * outbox_take returns, else the caller's. */
typedef struct {
    int64_t id;
    char *folder;         /* the server's name */
    char *name;           /* the file's */
    uint32_t uidvalidity; /* the folder's when it was put here, or is sent, */
    uint32_t first;       /* and the least UID that it can get; 0: it has not been sent yet */
    int64_t date;         /* seconds since the epoch */
    uint64_t size;        /* of the message */
} Letter;

/* Told on the outbox's thread. error: the callee's until it returns. */
typedef void (*OutboxDone)(gpointer data, int64_t id, const GError *error);

/* directory: the account's; NULL: nothing can be kept. */
Outbox *outbox_open(const char *directory);
/* Waits until all that was put there is written, and told. */
void outbox_finish(Outbox *outbox);
/* Waits until all is written. What is left there is for a later process. NULL is ignored. */
void outbox_close(Outbox *outbox);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Outbox, outbox_close)

/* What processes that are no more have left, of Letter, oldest first; from now on it is this one's.
 * The caller unrefs. Waits for the disk; before any other call. */
GPtrArray *outbox_take(Outbox *outbox);
/* The message's bytes, at the beginning of the file fd. Waits for the disk; before any call but
 * outbox_take. */
bool outbox_copy(Outbox *outbox, const Letter *letter, int fd, GError **error);

/* --- any thread ------------------------------------------------------------------------------- */

/*
 * Keeps the message, letter->size bytes from the beginning of the file fd, which is the outbox's
 * from now on. done is told its id when it is on the disk; or ENOSPC, EROFS, EFBIG (beyond what the
 * database takes, about 1 GB) or EIO: nothing is kept.
 */
void outbox_put(Outbox *outbox, const Letter *letter, int fd, OutboxDone done, gpointer data);
/* The server has it, or will not; where that can't be written, a later mount looks for it. done may
 * be NULL, else it is told when that is on the disk. */
void outbox_end(Outbox *outbox, int64_t id, OutboxDone done, gpointer data);
/* It is about to be sent for the first time: see Letter. done is told when that is on the disk. */
void outbox_send(Outbox *outbox, int64_t id, uint32_t uidvalidity, uint32_t first, OutboxDone done,
                 gpointer data);
/* Its file has another name now; done as in outbox_end. */
void outbox_rename(Outbox *outbox, int64_t id, const char *name, OutboxDone done, gpointer data);
