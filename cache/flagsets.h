/*
 * flagsets.h: the sets of flags that messages have, each kept once and named by a 16-bit number.
 *
 * No lock: the caller sees to that. A set's text is canonical: system flags first, then keywords,
 * each sorted and without duplicates. The number 0 is the empty set. What a server can fill is
 * bounded: where no room is left for a new set, its keywords are dropped and its system flags
 * (RFC 9051 section 2.3.2) kept, for all of whose combinations there is always room.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct FlagSets FlagSets;

FlagSets *flagsets_new(void);
void flagsets_free(FlagSets *sets);

/* flags: names with a space in between, in any order. */
uint16_t flagsets_intern(FlagSets *sets, const char *flags);
/* "" for a number that was never given. The sets' own. */
const char *flagsets_text(const FlagSets *sets, uint16_t set);
/* Whether \\Deleted is among them. */
bool flagsets_deleted(const FlagSets *sets, uint16_t set);
/* A hash of the text that stays the same for ever. */
uint64_t flagsets_hash(const FlagSets *sets, uint16_t set);

/* The number under which the index has the set; 0: none yet. */
int64_t flagsets_stored(const FlagSets *sets, uint16_t set);
void flagsets_set_stored(FlagSets *sets, uint16_t set, int64_t stored);
/* None is in the index, or one can't be sure. */
void flagsets_forget_stored(FlagSets *sets);
