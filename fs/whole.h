/*
 * whole.h: a message that comes by one answer, whole, piece by piece in its order: what a store
 * with MAIL_STORE_WHOLE gives (POP3's RETR).
 *
 * Its pieces go into the cache as they come, but nothing counts before the message's end is told:
 * only then its size is proved. So nothing is served of one that was cut off.
 *
 * fetch.h's own; engine thread.
 */
#pragma once

#include "flight.h"

/* Whether the stretch of the message (size 0: proof of its size) has to be fetched. */
bool whole_is_wanted(Content *content, uint32_t folder, const CatalogMessage *message,
                     uint64_t offset, size_t size);

/* What to ask for. */
extern const MailRange whole_ranges[2];

/* Before each fetch. */
void whole_begin(Flight *flight);
/* As MailFetchSink. Where the disk is slower than the server, this waits for it. */
void whole_take(Flight *flight, const MailRange *asked, GBytes *bytes);
/* Whether anything came; and whether all did, which is then proved. */
bool whole_has_come(const Flight *flight);
bool whole_end(Flight *flight);
/* The fetch has failed: what came of it is forgotten. */
void whole_drop(Flight *flight);
