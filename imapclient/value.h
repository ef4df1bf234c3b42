/*
 * value.h: what an IMAP response is made of: atoms, numbers, strings, lists (RFC 9051 section 9).
 *
 * A tree that the parser makes and its receiver reads, on the engine thread. All of it is the
 * parser's memory, used again for the next response: a value and the texts in it are valid only
 * during the call that hands the response over. What shall live longer is copied, or taken with
 * imap_value_bytes.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum {
    IMAP_NIL,    /* the atom NIL, any case */
    IMAP_ATOM,   /* also flags (\Seen), numbers, sequence sets, "BODY[HEADER]<0>" as one atom */
    IMAP_STRING, /* quoted string or literal: any bytes */
    IMAP_LIST,   /* ( … ) */
} ImapKind;

/*
 * Receivers read kind and length, and use the functions below for the rest. There is one of these
 * per atom of a listing of a million messages, so it is small and owns nothing.
 */
typedef struct ImapValue ImapValue;
struct ImapValue {
    ImapKind kind;
    uint32_t count;  /* list: its items */
    uint64_t length; /* bytes of an atom or string, also of a literal that was thrown away */
    GBytes *literal; /* the parser's reference to a kept literal; else NULL */
    union {
        size_t offset;          /* of text or items in the parser's arenas, until it is whole */
        const char *text;       /* atom, string: NUL behind its end; NULL: thrown away */
        const ImapValue *items; /* list */
    };
};

/* A list's item, or NULL beyond its end or where value is NULL or no list. */
const ImapValue *imap_value_item(const ImapValue *value, size_t i);
size_t imap_value_count(const ImapValue *value); /* 0 for what is no list */
/* The text of an atom or a string without NUL in it; NULL for all else, also for value NULL. */
const char *imap_value_text(const ImapValue *value);
/*
 * The bytes of an atom or a string, to be kept: a literal's are not copied. The caller unrefs.
 * NULL for all else, a literal that was thrown away among it. No NUL follows the bytes.
 */
GBytes *imap_value_bytes(const ImapValue *value);
/* Whether it is an atom that equals name, any case. NIL equals "NIL". */
bool imap_value_is(const ImapValue *value, const char *name);
/* An atom of digits alone that fits; false for all else. */
bool imap_value_number(const ImapValue *value, uint64_t *number);
/*
 * "dd-Mon-yyyy hh:mm:ss +zzzz", as a string (RFC 9051 date-time), as seconds since the epoch. A day
 * of one digit may lack the space ahead of it. False for what is no date of the calendar.
 */
bool imap_value_date(const ImapValue *value, int64_t *seconds);
/*
 * The flags of a list, with a space in between, e.g. "\\Seen $Junk"; \Recent is left out, and so is
 * what is no UTF-8, and what comes behind IMAP_MAX_FLAGS. "" for what is no list. The caller frees.
 */
char *imap_value_flags(const ImapValue *value);
