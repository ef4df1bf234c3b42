/*
 * journal.h: changes of the mailbox that a user was told are done, and that the server has yet to
 * confirm. They are on the disk before the user is told, and are done again after a crash.
 *
 * They are kept in the index's file, by folder id and UID, and so live and die with what these
 * stand for: where the index is lost or a folder made anew, they are forgotten, and nothing is
 * changed that the user did not mean. A thread of its own writes, since each change takes an fsync;
 * those that come meanwhile share the next one, and are written in the order in which they came.
 *
 * Does not survive fork(2).
 */
#pragma once

#include "mail.h"

typedef struct Journal Journal;

/* Told on the journal's thread: whether the change is on the disk. error: the callee's until it
 * returns. */
typedef void (*JournalDone)(gpointer data, const GError *error);

/* directory: the cache's, in which the index has been opened; NULL: nothing is ever kept. */
Journal *journal_open(const char *directory);
/* Writes what is left. NULL is ignored. */
void journal_close(Journal *journal);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Journal, journal_close)

typedef struct {
    uint32_t folder, uid;
} JournalRemoval;

/* What there is to be removed, of JournalRemoval, by folder and UID; the caller unrefs. Before any
 * other call. */
GArray *journal_removals(Journal *journal);

/* The message is to be removed. Any thread. Fails with ENOSPC or EIO: nothing is kept. */
void journal_add_removal(Journal *journal, JournalRemoval removal, JournalDone done, gpointer data);
/*
 * done is told when all that was committed to the index's file before this call is on the disk
 * itself (names that users gave: catalog.h), so that not even the whole machine's crash takes it
 * back. Any thread. Fails with ENOSPC or EIO.
 */
void journal_sync(Journal *journal, JournalDone done, gpointer data);
/* It is removed, or will not be. Where that can't be written, a later mount tries once more. Any
 * thread; nobody is told. */
void journal_end_removal(Journal *journal, JournalRemoval removal);

/*
 * A message that was removed is marked \Deleted at the server, and is to be expunged at the end of
 * a mount: of this one, or, if it is killed, of the next. To be told ahead of the removal's end.
 * journal_marks is as journal_removals, the others as journal_end_removal.
 */
GArray *journal_marks(Journal *journal);
void journal_add_mark(Journal *journal, JournalRemoval mark);
void journal_end_mark(Journal *journal, JournalRemoval mark);

/*
 * A message that is to be moved to another folder and to be called `name` there. The folders' ids
 * stand for their UIDVALIDITYs too. What follows is for who has to look whether it was moved: in
 * the target it gets a UID from `first` on, and has this size and date.
 */
typedef struct {
    uint32_t folder, uid, target, first;
    uint64_t size;
    int64_t date;
    char *name;
} JournalMove;

/*
 * Whether what is to be moved, or to get other flags, is this process's to do. Of those that have
 * one cache directory open, the first that asks does it, until it ends: who moves a message twice
 * has it twice. Any thread but one at a time.
 */
bool journal_owns_moves(Journal *journal);
/* As journal_removals, of JournalMove, cleared with the array. Only for the owner. */
GArray *journal_moves(Journal *journal);
/* As journal_add_removal; copies the move. Replaces what was to become of the message. */
void journal_add_move(Journal *journal, const JournalMove *move, JournalDone done, gpointer data);
/* As journal_end_removal. */
void journal_end_move(Journal *journal, uint32_t folder, uint32_t uid);

/* Flags that a message is to get and to lose, each as in MailMessage. That can be done again: but
 * only by who owns the moves, since the user may have thought otherwise since. */
typedef struct {
    uint32_t folder, uid;
    char *add, *take;
} JournalFlags;

/* As journal_moves. */
GArray *journal_flags(Journal *journal);
/* As journal_add_move. */
void journal_add_flags(Journal *journal, const JournalFlags *flags, JournalDone done,
                       gpointer data);
/* As journal_end_removal. */
void journal_end_flags(Journal *journal, uint32_t folder, uint32_t uid);
