/*
 * names.h: mailbox names: as the wire has them, and as everybody else here does (UTF-8).
 *
 * Pure functions; any thread. A level of a name that is not what we would make of its UTF-8
 * (broken or clumsy modified UTF-7, raw 8-bit) keeps its bytes between the marks 0xFF and 0xFE,
 * which no UTF-8 has: so no two mailboxes are taken for one, and the way back is exact.
 */
#pragma once

#include <stdbool.h>

/*
 * The name of a mailbox on the wire, whose levels delimiter separates (0: it has only one). utf8:
 * the wire has UTF-8 names (RFC 6855). NULL where the name is empty or has the marks in it: it
 * can't be told. The caller frees.
 */
char *imap_name_from_wire(const char *wire, char delimiter, bool utf8);

/* The way back. The caller frees. */
char *imap_name_to_wire(const char *name, bool utf8);
