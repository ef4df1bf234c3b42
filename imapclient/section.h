/*
 * section.h: the item of a FETCH that carries message bytes: "BODY.PEEK[TEXT]<0.4096>" as asked,
 * "BODY[TEXT]<0>" as answered (RFC 9051 sections 6.4.5 and 7.5.2).
 *
 * Pure functions; any thread.
 */
#pragma once

#include "../cache/mail.h"

/* Appends the item that asks for the range, always with PEEK: reading never sets \Seen. */
void imap_section_append(GString *items, const MailRange *range);

/* Whether the item of an answer is what was asked for by range. */
bool imap_section_matches(const char *item, const MailRange *range);
