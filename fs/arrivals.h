/*
 * arrivals.h: messages that a user has moved to another folder, and that the server has yet to
 * move (see moves.h): what the folders show of them meanwhile.
 *
 * From rename(2) on such a message is seen in the target under its new name, and not where it was.
 * It keeps the inode number, and is read where it was, until it has settled: then the target has a
 * message of its own, with another inode number, that the old one stands for (see inode_map.h).
 *
 * A listing of the target that is going on when one settles would miss it, or have it twice, since
 * arrivals are listed behind messages. So while anybody has that directory open it is still listed
 * among the arrivals, and not among the messages.
 *
 * The engine thread changes it; any thread asks, and takes the lock only where there is any. From
 * memory.
 */
#pragma once

#include "../cache/catalog.h"

typedef struct Arrivals Arrivals;

/* One of a listing. ino: where it was; where it has `settled`, where it is. */
typedef struct {
    uint64_t serial;
    uint64_t ino;
    bool settled;
    char *name;
} Arrival;

void arrival_clear(Arrival *arrival);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Arrival, arrival_clear)

Arrivals *arrivals_new(void);
void arrivals_free(Arrivals *arrivals); /* NULL is allowed */

/* The message, whose inode number that is, is on its way to the folder; what is known of it is
 * copied. It must not be on its way already, and the name be nobody's. */
void arrivals_put(Arrivals *arrivals, uint64_t ino, const CatalogMessage *message, uint32_t target,
                  const char *name);
/* It has not come: it is where it was, or nowhere. */
void arrivals_remove(Arrivals *arrivals, uint64_t ino);
/* It is a message of the target now, that a listing finds there by itself. */
void arrivals_settle(Arrivals *arrivals, uint64_t ino, uint64_t to);

/* --- any thread ------------------------------------------------------------------------------ */

/* The inode number of the one that has that name in the folder; 0: none has. */
uint64_t arrivals_named(Arrivals *arrivals, uint32_t folder, const char *name);
/* Whether the message is on its way. */
bool arrivals_has(Arrivals *arrivals, uint64_t ino);
/* What was known of it when it left, for when its folder has it no more. */
bool arrivals_message(Arrivals *arrivals, uint64_t ino, CatalogMessage *copy);

/* Who lists the folder's directory says so ahead of and behind that. */
void arrivals_opened(Arrivals *arrivals, uint32_t folder);
void arrivals_closed(Arrivals *arrivals, uint32_t folder);
/* The folder's next one behind that serial; false: no more. */
bool arrivals_after(Arrivals *arrivals, uint32_t folder, uint64_t serial, Arrival *arrival);
/* Whether the message has settled, and is listed among the arrivals. */
bool arrivals_lists(Arrivals *arrivals, uint64_t ino);
