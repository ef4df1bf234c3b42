/*
 * fetch_plan.h: what to ask the server for, so that somebody who reads a stretch of a message
 * gets it, with no more text than is of use.
 *
 * Pure but for looking what the cache holds; engine thread.
 */
#pragma once

#include "../cache/catalog.h"
#include "../cache/content.h"

#define FETCH_AT_MOST (1U << 20) /* bytes of a stretch */
#define FETCH_WHOLE_MOST                                                               \
    (4U << 20)            /* up to here a message is fetched whole ahead of its reader \
                           */
#define FETCH_SMALL 65536 /* up to here a text is fetched whole, with its header */
#define FETCH_TINY                                                                  \
    16384              /* up to here nobody can read the header alone: the kernel's \
                          smallest read-ahead takes in all of the message */
#define FETCH_RANGES 3 /* ranges of a plan, at most */

/*
 * How a message is being read: `frontier` is where the last stretch ended, `blocks` its length.
 *
 * No stretch may begin with an LF: some servers (Dovecot 2.4, in a message with bare LFs) put a CR
 * ahead of it that is no part of the stretch. So a stretch begins one byte early, unless the cache
 * has that byte and it is no CR. An answer that begins with CR LF all the same may have one CR too
 * many, where the cache does not know better: it is doubtful. Then the next stretch begins two
 * bytes early (`earlier`), which makes a server without that fault give an answer that is not; and
 * after a second doubt (go_back) in block number `back`, from where on all is known.
 */
typedef struct {
    uint64_t frontier;
    uint32_t blocks;
    bool earlier, go_back;
    uint64_t back;
} ReadAhead;

typedef enum {
    PLAN_NOTHING, /* it is all there */
    PLAN_RANGES,  /* fetch the ranges */
    PLAN_SIZING,  /* only BODY[] tells what the message is: fetch it up to its end */
} Plan;

/*
 * offset and size: the stretch of the file that is wanted, and with it proof of the message's size,
 * before which nothing of it is given out; size 0: the proof alone.
 * Fills in ranges (FETCH_RANGES of them) and *n.
 */
Plan fetch_plan(Content *content, uint32_t folder, const CatalogMessage *message, uint64_t offset,
                size_t size, ReadAhead *ahead, MailRange *ranges, size_t *n);

/* The same for the first `size` bytes of a message of which nothing is held, before anybody reads
 * them: with proof of its size, so that opening it waits for nothing more. */
Plan fetch_plan_front(const CatalogMessage *message, size_t size, MailRange *ranges, size_t *n);

/*
 * Whether the range is the probe of the message's end: three bytes of BODY[] from the last but one
 * on. Exactly FETCH_PROBE_GOOD come where the claimed size is true.
 */
#define FETCH_PROBE_GOOD 2
bool fetch_is_probe(const MailRange *range, const CatalogMessage *message);
