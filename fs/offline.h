/*
 * offline.h: whether the account's server can be reached, for those who need not wait for it.
 *
 * The store finds out, and tells it on the engine thread (mail_store_watch); workers ask. While the
 * server is away, what is cached is shown as it was, without a look at the server (see refresh.h),
 * and the store fails what needs it at once.
 */
#pragma once

#include "mount.h"

Offline *offline_new(Mount *mount);
void offline_free(Offline *offline);

/* From here on the store's word counts. Engine thread, before the first operation. */
void offline_begin(Offline *offline);

/* Any thread. */
bool offline_is(const Offline *offline);
/* Why the server is away; the caller frees. Engine thread. */
GError *offline_error(const Offline *offline);
/* Whether the server refuses an operation by that error (failure_is_refusal); while it lets nobody
 * in, it says so of each, and means none. */
bool offline_is_refusal(const Offline *offline, const GError *error);
/* Somebody would look at the server if it was there: it is tried, at most once a second. Any
 * thread, but that of the engine does not try at once. */
void offline_need(Offline *offline);

/*
 * The mount begins without the server, by what is cached: what it can do, and its folders. Fails
 * with ENOENT where nothing of that is. Engine thread.
 */
bool offline_start(Offline *offline, GError **error);
/* What the server can do is known: kept for such a beginning. Engine thread. */
void offline_note_features(Offline *offline);
