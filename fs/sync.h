/*
 * sync.h: waits until the server has all that users were told is done.
 */
#pragma once

#include "request.h"

/*
 * The request waits until all files that are kept are stored, and all messages that were moved and
 * removed are so at the server, or could not be, and is resumed with what failed first. As a task
 * of request_post; engine thread.
 */
void sync_wait(Request *request);
