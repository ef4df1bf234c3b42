/*
 * letters.h: files whose closing is answered when they are kept (see outbox.h) rather than when the
 * server has stored them, so that a program that copies many files into the mount, one after the
 * other, does not wait a round trip for each.
 *
 * The first files are waited for, and so tell at close() what the server says of such as these.
 * Once LETTERS_AFTER of them in a row were stored, each soon after the other, the next ones are
 * kept, and stored meanwhile. A failure ends that: from then on each close tells its own outcome
 * again. What was kept and could not be stored is not lost, nor hidden: its file stays, a warning
 * says why, and it is tried again, later and later, and by the next mount, which finds out what the
 * server has got (see storing.h). fsync(2) always waits for the server; so does the sync of a
 * directory, for all that is kept.
 *
 * While the server is known to be away (offline.h), each file that is closed, or renamed from a
 * temporary name, is kept, up to the number that can be at a time; and sent as soon as the server
 * is there again.
 *
 * Engine thread.
 */
#pragma once

#include "../cache/outbox.h"
#include "request.h"

typedef struct Letters Letters;

enum { LETTERS_AFTER = 2 };
/* Pause after the first failure; doubles. Tests make it shorter. */
extern unsigned letters_retry_millis;

/* outbox: borrowed. */
Letters *letters_new(Mount *mount, Outbox *outbox);
/* After the engine has ended. */
void letters_free(Letters *letters);

/* What earlier mounts left is shown, and stored, once the store is connected. */
void letters_begin(Letters *letters);
/* The server was away, and is there again. */
void letters_reached(Letters *letters);
/* The server has stored a file, or could not. */
void letters_note(Letters *letters, bool stored);
/*
 * Whether the closing of this draft, which is about to be stored, is to be answered when it is
 * kept. Then the request waits for that, or for the server where it can't be kept; and who stores
 * it tells letters_stored.
 */
bool letters_keep(Letters *letters, Request *request, uint64_t ino);
/*
 * Of a draft that is to be stored: where it is kept already, or the server is away and it can be
 * kept, under that name (NULL: its own), the request waits until it is, or, where that is not
 * enough (may_be_kept is false), until it is stored, or fails; the draft is then as it was. What
 * turns out not to be kept is given back by storing_unkept. False: the request is the caller's.
 */
bool letters_take(Letters *letters, Request *request, const char *name, bool may_be_kept);
/*
 * The server was lost, by that error, while it was being told of the draft: it is kept as if it had
 * been closed after that, and the request waits until it is, or fails with the error. first: the
 * least UID that it has, should the server have stored it; 0: it has not. False: the request is the
 * caller's, since it can't be kept.
 */
bool letters_keep_lost(Letters *letters, Request *request, const char *name, uint32_t first,
                       const GError *error);
/* Whether that draft is kept, or about to be. */
bool letters_has(const Letters *letters, uint64_t ino);
/* Whether it stays under its name even if it can't be stored, since its closing was answered. */
bool letters_stay(const Letters *letters, uint64_t ino);
/* It is stored, or could not be; where it is none that is kept, nothing happens. */
void letters_stored(Letters *letters, uint64_t ino, const GError *error);
/*
 * The file request->ino, which is kept, is to be removed: the request waits until it is gone, or
 * is a message, which goes by its name.
 */
void letters_remove(Letters *letters, Request *request);
/* The file request->ino has the name request->name now: the request waits until that is on the
 * disk, where it is kept. */
void letters_rename(Letters *letters, Request *request);

/* The request waits until nothing that is kept is on its way; it fails where something of that
 * could not be stored. */
void letters_wait(Letters *letters, Request *request);
/* The mount ends, and done is told when nothing is on its way any more, or some seconds have
 * passed. The log says what is left to the next mount. */
void letters_finish(Letters *letters, MailDone done, gpointer data);

/* Appends lines for the status. */
void letters_describe(Letters *letters, GString *text);
