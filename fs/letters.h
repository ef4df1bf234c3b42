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
/* The server has stored a file, or could not. */
void letters_note(Letters *letters, bool stored);
/*
 * Whether the closing of this draft, which is about to be stored, is to be answered when it is
 * kept. Then the request waits for that, or for the server where it can't be kept; and who stores
 * it tells letters_stored.
 */
bool letters_keep(Letters *letters, Request *request, uint64_t ino);
/* Whether that draft is kept, or about to be. */
bool letters_has(const Letters *letters, uint64_t ino);
/*
 * Whether that draft was sent before, and nobody saw what became of it: then it has to be looked
 * for among the messages from UID `first` on before it is sent again.
 */
bool letters_tried(const Letters *letters, uint64_t ino, uint32_t *uidvalidity, uint32_t *first);
/* Whether it stays under its name even if it can't be stored, since its closing was answered. */
bool letters_stay(const Letters *letters, uint64_t ino);
/* It is stored, or could not be; where it is none that is kept, nothing happens. */
void letters_stored(Letters *letters, uint64_t ino, const GError *error);
/*
 * The file request->ino, which is kept, is to be removed: the request waits until it is gone, or
 * is a message, which goes by its name.
 */
void letters_remove(Letters *letters, Request *request);
/* It has another name. */
void letters_rename(Letters *letters, uint64_t ino, const char *name);

/* The request waits until nothing that is kept is on its way; it fails where something of that
 * could not be stored. */
void letters_wait(Letters *letters, Request *request);
/* The mount ends, and done is told when nothing is on its way any more, or some seconds have
 * passed. The log says what is left to the next mount. */
void letters_finish(Letters *letters, MailDone done, gpointer data);

/* Appends lines for the status. */
void letters_describe(Letters *letters, GString *text);
