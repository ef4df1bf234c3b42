/*
 * draft.h: files that users are writing and that are no messages yet: their names, and their bytes
 * in private files (see privatefile.h).
 *
 * A draft is seen under its name, which belongs to nobody else, from its creation until it has been
 * stored (see storing.h): from then on its name means the message. The kernel is told to ask for
 * the name each time, so the next look finds the message under its own inode number. Who has the
 * file open goes on with the draft's: it stays what he wrote until the kernel forgets it, or, where
 * many others have been stored since, the message. A number is never given twice in a mount. What
 * is written to a draft that was stored makes it one that is to be stored again, in place of the
 * message that it was.
 *
 * A file that could not be stored loses its name, so that nobody takes it for a message; a write to
 * it gives the name back. A temporary name is one as rsync and editors make them (see
 * draft_is_temporary): such a file is not stored before it is renamed to another one, or the mount
 * ends.
 *
 * A message that a user writes over (`over`) is a draft without a name, that has the message's UID:
 * until it is stored the message's inode number means its bytes.
 *
 * Any thread, unless said otherwise. Functions that return an int return an errno, or 0. No lock is
 * held while bytes are read or written.
 */
#pragma once

#include "../cache/mail.h"

#include <sys/stat.h>

typedef struct Drafts Drafts;

/* A draft as it is at this moment. */
typedef struct {
    uint64_t ino;
    uint32_t folder;
    char *name;
    bool named;          /* it is seen under its name */
    bool removed;        /* the user removed it: it is not to be stored any more */
    bool temporary;      /* it is not stored under this name */
    bool changed;        /* it is not, or not as it is now, at the server */
    uint64_t version;    /* grows with each change */
    uint32_t uid;        /* of the message that it was stored as, or is over; 0: none */
    uint64_t over;       /* inode number of the message that it is over; 0: none */
    bool stored, copied; /* it was, maybe as a message whose UID is not known; by copying one */
    bool kept;           /* it is in the outbox (see letters.h) */
} Draft;

void draft_clear(Draft *draft);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Draft, draft_clear)

/* directory: for the private files; NULL: $TMPDIR. */
Drafts *drafts_new(const char *directory);
void drafts_free(Drafts *drafts);
const char *drafts_directory(const Drafts *drafts);

/* --- names ------------------------------------------------------------------------------------ */

/* ".a", "#a#" and "sedAbCdEf" are. */
bool draft_is_temporary(const char *name);
/* Makes an empty one, which the kernel has looked up once. EEXIST where another draft has the name;
 * what the disk says. */
int drafts_create(Drafts *drafts, uint32_t folder, const char *name, uint64_t *ino);
/* The inode number of the draft that is seen under that name; 0: there is none. */
uint64_t drafts_named(Drafts *drafts, uint32_t folder, const char *name);
/* The first one of the folder that is seen, by number, behind that number; false: no more. */
bool drafts_after(Drafts *drafts, uint32_t folder, uint64_t after, Draft *draft);
/* Another name in the same folder. ENOENT, EEXIST. */
int drafts_rename(Drafts *drafts, uint64_t ino, const char *name);
/* It is not seen, and not stored, any more. */
int drafts_unlink(Drafts *drafts, uint32_t folder, const char *name);
/* The same, of whatever name it has; if it is there. */
void drafts_drop(Drafts *drafts, uint64_t ino);

/* The draft that is over the message of that inode number; 0: there is none. */
uint64_t drafts_over(Drafts *drafts, uint64_t message);
/* Makes an empty one, or empties the one that there is, for that process. What the disk says. */
int drafts_begin_over(Drafts *drafts, uint64_t message, pid_t who);
/*
 * It could not be stored: the message is seen as it was. But a shell's first close comes ahead of
 * what it writes, so drafts_resume_over finds the draft yet, if it is one of the last few, and that
 * process's. Returns the message's inode number; 0: it was over none.
 */
uint64_t drafts_suspend_over(Drafts *drafts, uint64_t ino);
/* As drafts_over, of those too. */
uint64_t drafts_resume_over(Drafts *drafts, uint64_t message, pid_t who);
/* It is stored, and over a message no more; as above. */
uint64_t drafts_end_over(Drafts *drafts, uint64_t ino);

/* --- inodes ----------------------------------------------------------------------------------- */

/* The kernel looks it up; false: there is none such any more. */
bool drafts_look_up(Drafts *drafts, uint64_t ino);
/* The kernel forgets so many lookups of it. True: it is no more by that. */
bool drafts_forget(Drafts *drafts, uint64_t ino, uint64_t lookups);
bool drafts_find(Drafts *drafts, uint64_t ino, Draft *draft);

/* Size, times and blocks alone are filled in. */
int drafts_stat(Drafts *drafts, uint64_t ino, struct stat *st);
/* Returns how many bytes were read (0: at the end), or below 0 an errno. What was copied at the
 * server is not here: ESTALE. */
ssize_t drafts_read(Drafts *drafts, uint64_t ino, void *bytes, size_t size, off_t offset);
/* Of what was copied: EPERM. */
int drafts_write(Drafts *drafts, uint64_t ino, const void *bytes, size_t size, off_t offset);
int drafts_truncate(Drafts *drafts, uint64_t ino, off_t size);
/* As futimens(2). The modification time becomes the message's date. */
int drafts_set_times(Drafts *drafts, uint64_t ino, const struct timespec times[2]);

/* The inode numbers (uint64_t) of those that have a name and are not stored; the caller unrefs. */
GArray *drafts_left(Drafts *drafts);

/* A descriptor of its own on the file; below 0: there is none such any more. The caller closes. */
int drafts_open(Drafts *drafts, uint64_t ino);

/* --- what has become of one ------------------------------------------------------------------- */

/* Whether it is kept, if it is there. */
void drafts_set_kept(Drafts *drafts, uint64_t ino, bool kept);
/* Could not be stored. True: it has lost its name by that. */
bool drafts_failed(Drafts *drafts, uint64_t ino);
/*
 * That version is a message of this UID (0: not known) and date now: the draft has no name any
 * more, unless it was changed since. Engine thread.
 */
void drafts_stored(Drafts *drafts, uint64_t ino, uint64_t version, uint32_t uid, int64_t date);
/* The same of one that is a copy of a message of that size. */
void drafts_copied(Drafts *drafts, uint64_t ino, uint32_t uid, uint64_t size, int64_t date);

/*
 * Of those that have been stored, or could not be, and have no name, only the latest 64 hold their
 * bytes, each by a descriptor. These give that up:
 * true: the oldest one of more than that, and the UID that it was stored as (0: it was not);
 */
bool drafts_surplus(Drafts *drafts, uint64_t *ino, uint32_t *folder, uint32_t *uid);
/* it has no bytes any more (ESTALE): who has it open still is to be answered by the message. False:
 * it is in use just now. */
bool drafts_give_up(Drafts *drafts, uint64_t ino);
