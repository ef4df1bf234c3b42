/*
 * utf7.h: modified UTF-7, in which IMAP4rev1 writes mailbox names (RFC 3501 section 5.1.3).
 *
 * Pure functions; any thread.
 */
#pragma once

/*
 * From a name on the wire to UTF-8. NULL where the name is no well-formed modified UTF-7, or
 * where encoding it again would not give the same bytes: the caller keeps its raw bytes then. The
 * caller frees.
 */
char *imap_utf7_decode(const char *name);

/* From UTF-8 to a name on the wire. NULL where the string is no valid UTF-8. The caller frees. */
char *imap_utf7_encode(const char *utf8);
