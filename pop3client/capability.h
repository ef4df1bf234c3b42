/*
 * capability.h: what a server said that it can do (RFC 2449).
 *
 * Plain data of the engine thread.
 */
#pragma once

#include "../cache/mail.h"

typedef enum {
    POP3_CAP_TOP = 1 << 0,
    POP3_CAP_USER = 1 << 1,
    POP3_CAP_UIDL = 1 << 2,
    POP3_CAP_PIPELINING = 1 << 3,
    POP3_CAP_STLS = 1 << 4,
    POP3_CAP_UTF8 = 1 << 5,
    POP3_CAP_RESP_CODES = 1 << 6,
} Pop3Cap;

/* Zeroed: nothing is known. */
typedef struct {
    unsigned bits;        /* Pop3Cap */
    GPtrArray *auth;      /* SASL mechanisms, upper case; NULL-terminated once known */
    unsigned login_delay; /* seconds from one login to the next; 0: none */
    GString *text;        /* as the server said it, for the status */
    unsigned lines;
    bool known; /* the server has told; false where it does not know CAPA */
} Pop3Capabilities;

/* Reads a line of CAPA's answer. */
void pop3_capabilities_read(Pop3Capabilities *caps, const char *line);
/* The answer is whole. */
void pop3_capabilities_end(Pop3Capabilities *caps);
/* Forgets: what was said before STLS or before the login holds no more. */
void pop3_capabilities_clear(Pop3Capabilities *caps);
/* The names of those that make a difference here, with a space in between; the caller frees. */
char *pop3_capabilities_names(unsigned bits);
bool pop3_capabilities_have(const Pop3Capabilities *caps, unsigned bits);
