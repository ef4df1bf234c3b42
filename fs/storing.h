/*
 * storing.h: makes messages of drafts (see draft.h): by APPEND of what a user wrote, or by COPY of
 * a message that he copied.
 *
 * One draft is stored once at a time, however many ask. When it is done, the message is in the
 * catalog and has the draft's name before who waits is told. It is done once at the server: where
 * an answer was lost the message is looked for, among those that have come since, by its
 * Message-ID and size; what is there is a success, and what is surely not there is sent once more.
 * Where that can't be told, who waits gets the error, and the log says what to look for. Who is
 * interrupted meanwhile waits no more, and the storing goes on.
 *
 * A draft that was stored before, and changed since, is stored as a new message, and then the
 * former one is removed, as by unlink (see removal.h).
 *
 * Engine thread, unless said otherwise.
 */
#pragma once

#include "outgoing.h"
#include "request.h"

extern unsigned storing_again_millis; /* tests make it shorter */

Storer *storer_new(void);
/* After the engine has ended. */
void storer_free(Storer *storer);
/*
 * The mount ends: files with temporary names that are messages are stored under these; the log says
 * what is not. done is told when nothing is under way any more.
 */
void storer_finish(Storer *storer, Mount *mount, MailDone done, gpointer data);
/* Drafts that have been stored, or could not be, and hold more than they should, give it up (see
 * drafts_surplus). data: a Mount. */
void storing_let_go(gpointer data);
/*
 * Stores a draft once more that letters.c keeps, and that may have been stored as a message of that
 * UIDVALIDITY with a UID from first on, which is looked for; twice, before it is sent, with
 * storing_again_millis in between: a session that had been silent may be about to store what it has
 * got. letters_stored is told the outcome. False: it can't be; nobody is told. Waits for the disk.
 */
bool storing_again(Mount *mount, uint64_t ino, uint32_t uidvalidity, uint32_t first,
                   GError **error);
/* The same of one that was never sent: nothing is looked for. */
bool storing_first(Mount *mount, uint64_t ino, GError **error);
/* Stores the draft of a request that letters_take has, and that can't be kept. */
void storing_unkept(Request *request);
/* The store is about to be closed: what is yet to be looked for is given up. */
void storer_close(Storer *storer);

/* No message can have a lower UID that comes into the folder from now on. Any thread. */
uint32_t storing_least_uid(Catalog *catalog, const CatalogFolder *folder);

/* --- any worker --------------------------------------------------------------------------------
 */

/*
 * The request is about the draft request->ino: it is resumed when that is stored, as it is now or
 * was written later, or can't be: ENOENT, EDQUOT, EACCES, EROFS, EFBIG, ESTALE (the message that it
 * was is gone), and what the network says. rename_to: the name that the message shall have; NULL:
 * the draft's. replaced: the UID of the message that has that name, and goes when the new one is
 * there; 0: none has. Looks at the bytes. False: it is no message (EINVAL), or can't be read; the
 * request is the caller's then. closing: the request may be resumed when the draft is kept
 * (letters.h).
 */
bool storing_post(Request *request, const char *rename_to, uint32_t replaced, bool closing,
                  GError **error);

/*
 * The request waits until the message source is copied to be the draft request->ino, which is
 * empty. EOPNOTSUPP: nothing came of it, and it can be read and written instead. False: one of them
 * is gone; the request is the caller's then.
 */
bool copying_post(Request *request, uint64_t source);
