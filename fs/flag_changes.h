/*
 * flag_changes.h: flags that the user set while the server was away (see offline.h): they are in
 * the journal before he is told so, and are seen from then on. When the server is there again it is
 * told what is to be added and what is to be taken away, of all messages that get the same by one
 * operation, so that what another client has changed meanwhile stays; doing that twice does no
 * harm. While a message has such a change, further ones go the same way, and become one with it.
 *
 * They do not touch what the catalog has, which is the server's word: so no look at a folder takes
 * them away, and where one can't be done, the flags are seen as the server has them. The server is
 * told when the folder has been looked at, since it says nothing of messages that are gone.
 *
 * What the server refuses, and what was to be done to a message or a folder that is no more, is
 * given up, and the log and the status say so (undone.h). What fails otherwise is tried again,
 * later and later, and by the next mount. Of mounts that share a cache, one does all this
 * (journal_owns_moves); in the others nothing is kept.
 */
#pragma once

#include "request.h"

typedef struct FlagChanges FlagChanges;

/* What the mount's journal has left is taken up, and shown; but not where nothing may be changed:
 * there it is left to another mount. */
FlagChanges *flag_changes_new(Mount *mount);
void flag_changes_free(FlagChanges *changes); /* NULL is allowed */

/* --- any thread ------------------------------------------------------------------------------ */

/* The flags that the message of that inode number is shown to have; the caller frees. */
char *flag_changes_shown(FlagChanges *changes, uint64_t ino, const CatalogMessage *message);
/* Whether what the user wants of the message's flags now is to be kept, and done later. */
bool flag_changes_are_kept(FlagChanges *changes, uint64_t ino);

/* --- the engine thread ----------------------------------------------------------------------- */

/*
 * The server is told of all that there is, as it can be reached again; done is called when each had
 * its turn, or none can have it.
 */
void flag_changes_begin(FlagChanges *changes, MailDone done, gpointer data);
/* The request, for the flags request->name of the message request->ino, waits until that is kept.
 * Fails with ENOENT (the message is gone), ENOSPC or EIO, and, where nothing is kept here, with why
 * the server is away. */
void flag_changes_add(FlagChanges *changes, Request *request);
/* The request waits until the server has been told of all, or could not be. */
void flag_changes_wait(FlagChanges *changes, Request *request);
/* A look at the folder has ended. */
void flag_changes_listed(FlagChanges *changes, uint32_t folder, const GError *error);
/* The message is another one now, whose inode number is `to`; 0: nobody knows which. */
void flag_changes_moved(FlagChanges *changes, uint64_t ino, uint64_t to);
/* The message was removed, by the user himself. */
void flag_changes_drop(FlagChanges *changes, uint64_t ino);
/* There is no such folder any more, or it was made anew. */
void flag_changes_forget_folder(FlagChanges *changes, uint32_t folder);
/* As moves_finish and moves_end. */
void flag_changes_finish(FlagChanges *changes, MailDone done, gpointer data);
void flag_changes_end(FlagChanges *changes);

/* Appends lines for the status. */
void flag_changes_describe(FlagChanges *changes, GString *text);
