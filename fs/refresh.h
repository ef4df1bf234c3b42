/*
 * refresh.h: keeps folders, and the list of folders, in step with the server: when somebody
 * looks, and what is known is older than refresh= seconds.
 *
 * One look at a folder at a time, however many wait for it. The first listing of a folder can be
 * read while it arrives, as far as nothing can come any more that would have been passed over; a
 * folder that has been listed before is shown when the look at it is done.
 */
#pragma once

#include "request.h"

Refresher *refresher_new(Mount *mount);
void refresher_free(Refresher *refresher);

/* --- any thread ------------------------------------------------------------------------------ */

/*
 * Whether the folder (or, for 0, the list of folders) was in step lately enough; or has to do as it
 * is, since it was in step once, and the server is away, or a look at any folder lately found it
 * silent.
 */
bool refresh_is_fresh(Refresher *refresher, uint32_t folder);
/*
 * True: all that is known of the folder may be listed. False: only messages up to *horizon may be
 * (0: none), and a listing that comes to an end there has to wait (refresh_wait_listed).
 */
bool refresh_is_listed(Refresher *refresher, uint32_t folder, uint32_t *horizon);

/*
 * Whether flags may have changed that the last look at the folder left out: a server without
 * CONDSTORE would have had to tell those of all messages. See refresh_wait_flags.
 */
bool refresh_is_behind(Refresher *refresher, uint32_t folder);

/* --- the engine thread ------------------------------------------------------------------------ */

/*
 * The request waits until the folder (0: the list of folders) is in step. Where the network fails
 * and the folder has been listed before, what is known has to do: the request is resumed without
 * error, and the log says so.
 */
void refresh_wait(Refresher *refresher, uint32_t folder, Request *request);
/*
 * The same for who wants to list a folder: the request is resumed as soon as the server opened it,
 * where it has never been listed before.
 */
void refresh_wait_opened(Refresher *refresher, uint32_t folder, Request *request);
/*
 * The request is resumed when there may be more to list than there was: when the horizon has moved
 * since, or the folder is listed. Where the listing fails, the request is resumed with the error,
 * whatever is known of the folder.
 */
void refresh_wait_listed(Refresher *refresher, uint32_t folder, Request *request);
/*
 * As refresh_wait, for a folder that is behind: the look tells all flags, unless one without them
 * was under way already. So who is resumed may find it behind still.
 */
void refresh_wait_flags(Refresher *refresher, uint32_t folder, Request *request);
/* Looks at the list of folders without anybody waiting, where it is not fresh. */
void refresh_list_soon(Refresher *refresher);
/* The same for a folder; false: there is none such any more. */
bool refresh_folder_soon(Refresher *refresher, uint32_t folder);
/* Whether a look at the folder is under way; when it ends, removals_looked is called. */
bool refresh_is_looking(const Refresher *refresher, uint32_t folder);
/*
 * The message is gone from the server, as an operation of this mount was told. A look that is under
 * way, by another connection, may have been told of it before, and hear so later: it is not taken.
 */
void refresh_note_gone(Refresher *refresher, uint32_t folder, uint32_t uid);
/*
 * A message is about to be put into the catalog of which no look has told: a look that is under
 * way, and may have begun before it was there, does not take it away.
 */
void refresh_placed(Refresher *refresher, uint32_t folder, uint32_t uid);
/* The folder turned out not to be as known: the next look asks the server. Any thread. */
void refresh_stale(Refresher *refresher, uint32_t folder);
/*
 * The folder, or the list of folders, has changed at the server: it is looked at, without anybody
 * waiting; and once more, where a look is under way that may have come too early.
 */
void refresh_folder_changed(Refresher *refresher, uint32_t folder);
void refresh_list_changed(Refresher *refresher);

/* The server was away, and is there again: what is looked at from now on is looked at there. */
void refresh_reached(Refresher *refresher);
/*
 * Shows the folders that the cache knows, none of them in step. Fails with ENOENT where it knows
 * none, or not the mount's root.
 */
bool refresh_list_known(Refresher *refresher, GError **error);

/*
 * Brings the list of folders up to date; done is told the outcome (also ENOENT, where the mount's
 * root is not among them).
 */
void refresh_list(Refresher *refresher, MailDone done, gpointer data);

/*
 * A folder is about to be made, deleted or renamed at the server; and, for each of these, it was,
 * or was not, by what error says. What is listed in between may be true of before or of after: it
 * is not taken, and the folders are listed once more when the changes are over. So whoever waits
 * for the list afterwards gets one that has the change.
 */
void refresh_folders_change(Refresher *refresher);
void refresh_folders_changed(Refresher *refresher, const GError *error);
