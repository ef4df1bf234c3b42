/*
 * limits.h: how much of everything a server may say before it is cut off, and how much it is asked
 * at once.
 */
#pragma once

#define POP3_MAX_LINE (16 << 10)      /* bytes of a line that is no message content */
#define POP3_MAX_CAPABILITIES 200     /* lines that CAPA may tell */
#define POP3_MAX_MESSAGES 500000      /* that a maildrop may hold */
#define POP3_MAX_NAMES (32 << 20)     /* bytes of all unique-ids together */
#define POP3_MAX_NAME 70              /* characters of a unique-id (RFC 1939 section 7) */
#define POP3_MAX_SECTION (1 << 20)    /* bytes of a section that is told in one piece */
#define POP3_PIECE (64 << 10)         /* bytes of a piece, where a section is told in pieces */
#define POP3_PIPELINE_DEPTH 64        /* commands that may be unanswered at once */
#define POP3_PIPELINE_BYTES (1 << 20) /* bytes of the answers that are outstanding */
