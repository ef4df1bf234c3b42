/*
 * identity.h: the unique names that a server gives its messages (POP3's UIDL), and the UIDs that
 * stand for them here, of one folder.
 *
 * Part of the catalog, under its lock. A name keeps its UID, and the moment it was first seen, also
 * while its message is gone. Invariants: no UID stands for two names, no name for two UIDs.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Identities Identities;

typedef struct {
    uint32_t uid;
    unsigned which; /* of several messages with that name: 0 for the first */
    int64_t seen;   /* seconds since the epoch */
    bool stored;    /* the index has it */
    char *name;
} Identity;

Identities *identities_new(void);
void identities_free(Identities *identities); /* NULL is allowed */

/* NULL where there is none. The pointers stay valid until it is removed. */
Identity *identities_find(const Identities *identities, const char *name, unsigned which);
Identity *identities_of(const Identities *identities, uint32_t uid);
/* Adds a copy; NULL where the name or the UID is taken. */
Identity *identities_add(Identities *identities, const Identity *identity);
void identities_remove(Identities *identities, uint32_t uid);

guint identities_count(const Identities *identities);
/* All of them, in no order. */
void identities_begin(const Identities *identities, GHashTableIter *iter);
Identity *identities_next(GHashTableIter *iter);
