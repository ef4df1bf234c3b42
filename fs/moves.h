/*
 * moves.h: messages that the user moved to other folders: they are in the journal before he is told
 * so, and are seen in the target from then on, and no more where they were (see arrivals.h). A
 * little later the server moves them, all that go the same way by one operation; at once, where
 * anybody waits.
 *
 * A message that was moved keeps what is cached of it, and the name that it was moved to; open
 * files stay good (see inode_map.h). Where the server does not say which UID it has now, it is
 * looked for in the target, among what is new there, by its size, and where that leaves a doubt by
 * its header, if that is held; else it is shown there under its usual name, and fetched again.
 *
 * It is moved once. Where a connection was lost on the way, or the mount ended without knowing, one
 * looks where it is, ahead of asking again: a server that ended in the midst of it may have it in
 * both folders, and then the old one is removed, if the other one's header is the same.
 *
 * What the server refuses is where it was again, and the log says so. What fails otherwise is tried
 * again, later and later, and by the next mount. Where the journal can't be written, or another
 * mount that has the same cache moves what is in it, the user is told when the server has moved it.
 */
#pragma once

#include "request.h"

typedef struct Moves Moves;

/* What the mount's journal has left is taken up, and shown; but not where nothing may be changed:
 * there it is left to another mount. After mount->arrivals. */
Moves *moves_new(Mount *mount);
void moves_free(Moves *moves); /* NULL is allowed */

/* --- any thread ------------------------------------------------------------------------------ */

/* Whether an earlier mount left moves of which it is not known yet whether they were done, so that
 * listings have to wait (moves_wait_sure). */
bool moves_are_unsure(Moves *moves);
/* Posts a request that has to wait until request->follows, the inode number of a message on its
 * way, has settled, and is resumed then: without an error, where the message has come or is where
 * it was; with what the network says, where it has to be tried again. */
void moves_post(Request *request);

/* --- the engine thread ----------------------------------------------------------------------- */

/* What an earlier mount left is done, once the store is connected. */
void moves_begin(Moves *moves);
/*
 * The request, for the message request->ino and its new name request->name, waits until its move to
 * the folder `target`, whose messages are known, is kept; or, where it can't be kept, done. Fails
 * with ENOENT (the message is gone), and where it waits for the server, with ENOENT (the folder is
 * gone), EACCES, EROFS, ESTALE, and what the network says; then it is where it was, unless the log
 * says otherwise.
 */
void moves_add(Moves *moves, Request *request, uint32_t target);
/* As moves_post, of a request that was posted: false, and the request is the caller's: the message
 * is not on its way. */
bool moves_wait_for(Moves *moves, Request *request, uint64_t ino);
/* The request waits until all that was moved has settled, or could not. */
void moves_wait(Moves *moves, Request *request);
/* The request waits until it is known where all is that an earlier mount moved from or to the
 * folder, or that can't be found out now. False, and the request is the caller's: it is known. */
bool moves_wait_sure(Moves *moves, Request *request, uint32_t folder);
/* There is no such folder any more, or it was made anew: what is on its way from there or to there
 * is where the server has it, and the log says so. */
void moves_forget_folder(Moves *moves, uint32_t folder);
/* Tries once more to have all done, for some seconds at most; done is told when nothing is left to
 * be waited for. The log says what is left to the next mount. */
void moves_finish(Moves *moves, MailDone done, gpointer data);
/* The mount ends: what is under way is left to the server. Ahead of the store's closing. */
void moves_end(Moves *moves);

/* Appends lines for the status. */
void moves_describe(Moves *moves, GString *text);
