/*
 * trace.h: the protocol as text, for -d. Contents of messages are shown by their size alone. Lines
 * are cut, and have no control characters.
 *
 * Engine thread. Called only where Pop3Config.trace is set.
 */
#pragma once

#include "parse.h"

#define POP3_TRACE_DOMAIN "pop3"

/* Logs what a connection received, and sent (without secrets: the caller sees to that). */
void pop3_trace_reply(unsigned connection, const Pop3Reply *reply);
void pop3_trace_line(unsigned connection, const char *line);
void pop3_trace_content(unsigned connection, uint64_t length);
void pop3_trace_sent(unsigned connection, const char *text);
