/*
 * listing.h: what a session shows of the maildrop: its messages by number, their unique names and
 * sizes, from the lines of UIDL and LIST (RFC 1939).
 *
 * Engine thread; one per session. Numbers may come in any order and with gaps, and a message may be
 * in one of the two only. A line that is none, a number out of range or a number that is given two
 * names is EPROTO: who is who would be anyone's guess, and nothing may be taken for gone.
 */
#pragma once

#include "../cache/mail.h"

typedef struct {
    uint32_t number; /* in this session: 1 to 2^32 - 1 */
    unsigned which;  /* of those of this name, in the order of their numbers */
    /* 1 to POP3_MAX_NAME characters of 0x21 to 0x7E; NULL until it has one. A unique-id that is
     * none (longer, or with other bytes) is represented by its hash. */
    const char *name;
    uint64_t size; /* 0 where the server tells none that can be believed */
} Pop3Entry;

typedef struct Pop3Listing Pop3Listing;

Pop3Listing *pop3_listing_new(void);
void pop3_listing_free(Pop3Listing *listing); /* NULL is allowed */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Pop3Listing, pop3_listing_free)

/* A line of UIDL's answer; of LIST's. */
bool pop3_listing_take_name(Pop3Listing *listing, const char *line, size_t length, GError **error);
bool pop3_listing_take_size(Pop3Listing *listing, const char *line, size_t length, GError **error);

/*
 * One of the answers is whole: sorts by number, and joins. Names that several messages have are
 * taken from all of them. Again after the other answer.
 */
bool pop3_listing_join(Pop3Listing *listing, GError **error);

guint pop3_listing_count(const Pop3Listing *listing);
const Pop3Entry *pop3_listing_entry(const Pop3Listing *listing, guint i); /* by number, ascending */

/* The first from `i` on that has no name; the count where there is none. */
guint pop3_listing_nameless(const Pop3Listing *listing, guint i);
/* Gives a name that was made of the message. */
void pop3_listing_name(Pop3Listing *listing, guint i, const char *name);

/* All have names: counts which is which, and makes pop3_listing_find possible. */
void pop3_listing_finish(Pop3Listing *listing);
/* NULL: there is none. */
const Pop3Entry *pop3_listing_find(const Pop3Listing *listing, const char *name, unsigned which);
