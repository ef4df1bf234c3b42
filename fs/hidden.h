/*
 * hidden.h: the messages that a user has removed and nobody shall see any more, though the catalog
 * has them yet.
 *
 * The engine thread changes it; any thread asks, for every name that is looked up or listed, and so
 * takes the lock only where there is something hidden at all.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct Hidden Hidden;

Hidden *hidden_new(void);
void hidden_free(Hidden *hidden);

/* By the message's inode number. */
void hidden_add(Hidden *hidden, uint64_t ino);
void hidden_remove(Hidden *hidden, uint64_t ino);
bool hidden_has(Hidden *hidden, uint64_t ino);
