/*
 * moves.h: messages that are moved to other folders, by the server and before the answer: those
 * that are to go the same way at the same time, by one operation.
 *
 * A message that was moved keeps what is cached of it, and the name that it was moved to; open
 * files stay good (moved.h). Where the server does not say which UID it has now, it is looked for
 * in the target, among what is new there, by its size; and where that leaves a doubt, it is shown
 * there under its usual name, and fetched again. Where a connection was lost on the way, one looks
 * where it is: a server that ended in the midst of it may have it in both folders, and then the old
 * one is removed, if the other one's header is the same. Who is interrupted does not stop the
 * move.
 */
#pragma once

#include "request.h"

typedef struct Moves Moves;

Moves *moves_new(Mount *mount);
void moves_free(Moves *moves); /* NULL is allowed */

/* --- the engine thread ----------------------------------------------------------------------- */

/*
 * The request, for the message request->ino and its new name request->name, waits until it is moved
 * to the folder `target`, whose messages are known. Fails with ENOENT (the message or a folder is
 * gone), EACCES, EROFS, ESTALE, and what the network says; then it is where it was, unless the log
 * says otherwise.
 */
void moves_add(Moves *moves, Request *request, uint32_t target);
/* The mount ends: what is under way is left to the server. Ahead of the store's closing. */
void moves_end(Moves *moves);
