/*
 * moved.h: where the messages are that were moved to other folders since the mount began.
 *
 * A moved message has another inode number. The kernel, which has moved its name itself, and who
 * has it open, have the old one until the name is looked up again: whatever is asked of the old one
 * is answered by the new one. And what was moved away is not shown in its old folder, though a look
 * at that, which had begun before, may tell of it once more.
 *
 * The engine thread puts; any thread asks, for every request, and so takes the lock only where
 * something was moved at all. Some 100 bytes for each message that was moved.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct Moved Moved;

Moved *moved_new(void);
void moved_free(Moved *moved); /* NULL is allowed */

/* to 0: nobody knows where it is. */
void moved_put(Moved *moved, uint64_t ino, uint64_t to);
/* Whether it was moved away. */
bool moved_has(Moved *moved, uint64_t ino);
/* The inode number that it has by now, after whatever moves; itself, where it was not moved; 0. */
uint64_t moved_follow(Moved *moved, uint64_t ino);
