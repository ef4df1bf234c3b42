/*
 * limits.h: how much of everything a server may say before it is cut off, and how much it is asked
 * at once.
 */
#pragma once

#define POP3_MAX_LINE (16 << 10)   /* bytes of a line that is no message content */
#define POP3_MAX_CAPABILITIES 200  /* lines that CAPA may tell */
#define POP3_MAX_MESSAGES 500000   /* that a maildrop may hold */
#define POP3_MAX_NAMES (32 << 20)  /* bytes of all unique-ids together */
#define POP3_MAX_NAME 70           /* characters of a unique-id (RFC 1939 section 7) */
#define POP3_MAX_SECTION (4 << 20) /* bytes of a section that is told in one piece */
#define POP3_PIECE (64 << 10)      /* bytes of a piece, where a section is told in pieces */

/*
 * Commands that may be unanswered at once, and bytes of their answers that may be outstanding: so
 * much as the link brings in this time, but between these two. Less leaves a link idle that is fast
 * or long; of more, who waits for a message would have to wait for all of it.
 */
#define POP3_PIPELINE_DEPTH 256
#define POP3_PIPELINE_MILLIS 400
#define POP3_PIPELINE_LEAST (1 << 20)
#define POP3_PIPELINE_MOST (16 << 20)
