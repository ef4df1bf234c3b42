/*
 * trace.h: the protocol as text, for -d. Message contents are left out, and shown by their size;
 * so are strings too long to read. Lines are cut, and have no control characters.
 *
 * Engine thread. Called only where ImapConfig.trace is set.
 */
#pragma once

#include "parse.h"

#define IMAP_TRACE_DOMAIN "imap"

/* Logs what a connection received, and sent. */
void imap_trace_response(unsigned connection, const ImapResponse *response);
void imap_trace_sent(unsigned connection, const char *text);

/* A challenge of SASL was received. With the server's side of a SCRAM exchange (RFC 5802 section 9)
 * passwords can be tried without asking the server, so that no such bytes are shown. */
void imap_trace_challenge(unsigned connection);
