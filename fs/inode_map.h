/*
 * inode_map.h: a few inode numbers, each with another one that it stands for; or a set of them.
 *
 * The removals have those that nobody may see any more. The mount has those of messages that were
 * moved to other folders or written over since it began: such a message has another inode number,
 * but the kernel, which has moved its name itself, and who has it open, have the old one until the
 * name is looked up again. Whatever is asked of the old one is answered by the new one, and it is
 * not shown in its old folder, though a look at that, which had begun before, may tell of it once
 * more.
 *
 * The engine thread changes it; any thread asks, for every request, and so takes the lock only
 * where there is anything in it at all. Some 100 bytes for each.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct InodeMap InodeMap;

InodeMap *inode_map_new(void);
void inode_map_free(InodeMap *map); /* NULL is allowed */

/* to 0: it stands for none that is known. Replaces what was there. */
void inode_map_put(InodeMap *map, uint64_t ino, uint64_t to);
void inode_map_remove(InodeMap *map, uint64_t ino);
bool inode_map_has(InodeMap *map, uint64_t ino);
/* What it stands for by now, through however many steps; itself, where it is not in the map; 0. */
uint64_t inode_map_follow(InodeMap *map, uint64_t ino);
