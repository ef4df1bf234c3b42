/*
 * capability.h: what a server said that it can do (RFC 9051 section 7.2.2).
 *
 * Plain data of the engine thread.
 */
#pragma once

#include "value.h"

typedef enum {
    IMAP_CAP_REV1 = 1 << 0,
    IMAP_CAP_REV2 = 1 << 1,
    IMAP_CAP_STARTTLS = 1 << 2,
    IMAP_CAP_LOGINDISABLED = 1 << 3,
    IMAP_CAP_SASL_IR = 1 << 4,
    IMAP_CAP_ID = 1 << 5,
    IMAP_CAP_NAMESPACE = 1 << 6,
    IMAP_CAP_LITERAL_PLUS = 1 << 7,
    IMAP_CAP_LITERAL_MINUS = 1 << 8,
    IMAP_CAP_ENABLE = 1 << 9,
    IMAP_CAP_CONDSTORE = 1 << 10,
    IMAP_CAP_QRESYNC = 1 << 11,
    IMAP_CAP_UTF8_ACCEPT = 1 << 12,
    IMAP_CAP_QUOTA = 1 << 13,
    IMAP_CAP_ESEARCH = 1 << 14,
    IMAP_CAP_SPECIAL_USE = 1 << 15,
    IMAP_CAP_COMPRESS = 1 << 16, /* DEFLATE */
    IMAP_CAP_UIDPLUS = 1 << 17,
    IMAP_CAP_MOVE = 1 << 18,
    IMAP_CAP_REPLACE = 1 << 19,
    IMAP_CAP_UNSELECT = 1 << 20,
    IMAP_CAP_APPENDLIMIT = 1 << 21, /* each mailbox has its own (RFC 7889) */
    IMAP_CAP_IDLE = 1 << 22,
    IMAP_CAP_NOTIFY = 1 << 23,
} ImapCap;

typedef struct {
    unsigned bits;         /* ImapCap; with IMAP4rev2 also what it includes */
    GPtrArray *auth;       /* SASL mechanisms, upper case, NULL-terminated */
    char *text;            /* as the server said it, for the status */
    uint64_t append_limit; /* the most bytes that APPEND takes, anywhere; UINT64_MAX: not known */
    bool known;
} ImapCapabilities;

/* Reads the names from item `first` of a list on. Replaces what was known. */
void imap_capabilities_read(ImapCapabilities *caps, const ImapValue *list, size_t first);
/* Forgets: what was said before TLS or before login holds no more. */
void imap_capabilities_clear(ImapCapabilities *caps);
/* The names of those that make a difference here, with a space in between; the caller frees. */
char *imap_capabilities_names(unsigned bits);
bool imap_capabilities_have(const ImapCapabilities *caps, unsigned bits);
