/*
 * removal.h: messages that the user removed: they are in the journal before he is told so, nobody
 * sees them from then on, and a little later the server is told, of all that came together by one
 * operation.
 *
 * What the server refuses to remove is shown again, and the log says so. What fails otherwise is
 * tried again, later and later, and by the next mount. Where the journal can't be written, the user
 * is told when the server has confirmed.
 */
#pragma once

#include "request.h"

typedef struct Removals Removals;

/* journal: borrowed. What it has pending is taken up. */
Removals *removals_new(Mount *mount, Journal *journal);
void removals_free(Removals *removals);

/* Whether the message has been removed, as far as a user is concerned, here or by another client
 * (\Deleted), or moved away (see arrivals.h and inode_map.h). Any thread. */
bool removals_hide(Removals *removals, uint32_t folder, const CatalogMessage *message);

/* --- the engine thread ----------------------------------------------------------------------- */

/* What an earlier mount left is done, once the store is connected. */
void removals_begin(Removals *removals);
/* A look at a folder has ended: what waited for it goes on. */
void removals_looked(Removals *removals);
/* The request, an unlink of the message request->ino, waits until it is kept or done. Fails with
 * ENOENT, EACCES (refused), and what the network says. */
void removals_add(Removals *removals, Request *request);
/* Another message has taken this one's place: it is removed as by unlink, with nobody waiting. */
void removals_drop(Removals *removals, uint32_t folder, uint32_t uid);
/* The request waits until all that were removed are gone from the server, or could not be. */
void removals_wait(Removals *removals, Request *request);
/* The server could not but mark the message \Deleted: nobody sees it any more, and it is expunged
 * when others that were marked are. */
void removals_note_marked(Removals *removals, uint32_t folder, uint32_t uid);
/*
 * Tries once more to have all done, for some seconds at most; done is told when nothing is left to
 * be waited for. The log says what is left to the next mount.
 */
void removals_finish(Removals *removals, MailDone done, gpointer data);

/* Appends lines for the status. */
void removals_describe(Removals *removals, GString *text);
