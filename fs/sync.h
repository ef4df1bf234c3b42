/*
 * sync.h: when the server is told of all that users were told is done, and who waits until it has
 * it.
 */
#pragma once

#include "request.h"

/*
 * The server is told of what is in the journal, since it was connected, or can be reached again:
 * of flags ahead of moves and removals, as they are of the messages where these are now. Engine
 * thread.
 */
void sync_begin(Mount *mount);
/*
 * The request waits until all files that are kept are stored, and all messages that were moved,
 * flagged and removed are so at the server, or could not be, and is resumed with what failed first.
 * As a task of request_post; engine thread.
 */
void sync_wait(Request *request);
