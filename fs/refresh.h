/*
 * refresh.h: keeps folders, and the list of folders, in step with the server: when somebody
 * looks, and what is known is older than refresh= seconds.
 *
 * One look at a folder at a time, however many wait for it.
 */
#pragma once

#include "request.h"

Refresher *refresher_new(Mount *mount);
void refresher_free(Refresher *refresher);

/* --- any thread ------------------------------------------------------------------------------ */

/*
 * Whether the folder (or, for 0, the list of folders) was in step lately enough; or has to do as it
 * is, since it was in step once, and a look at any folder lately found no server.
 */
bool refresh_is_fresh(Refresher *refresher, uint32_t folder);

/* --- the engine thread ------------------------------------------------------------------------ */

/*
 * The request waits until the folder (0: the list of folders) is in step. Where the network fails
 * and the folder has been listed before, what is known has to do: the request is resumed without
 * error, and the log says so.
 */
void refresh_wait(Refresher *refresher, uint32_t folder, Request *request);
/* Looks at the list of folders without anybody waiting, where it is not fresh. */
void refresh_list_soon(Refresher *refresher);
/* The same for a folder; false: there is none such any more. */
bool refresh_folder_soon(Refresher *refresher, uint32_t folder);
/* The folder turned out not to be as known: the next look asks the server. */
void refresh_stale(Refresher *refresher, uint32_t folder);

/*
 * Brings the list of folders up to date; done is told the outcome (also ENOENT, where the mount's
 * root is not among them).
 */
void refresh_list(Refresher *refresher, MailDone done, gpointer data);
