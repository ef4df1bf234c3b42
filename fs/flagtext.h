/*
 * flagtext.h: a message's flags as text, "\\Seen $Forwarded" (see MailMessage): what is in one and
 * not in another. Flags are the same whatever the case of their letters (RFC 9051, 2.3.2).
 *
 * Plain functions; the caller frees what they return, which is "" where there is none.
 */
#pragma once

#include <stdbool.h>

/* The flags that are not among the others. */
char *flagtext_without(const char *flags, const char *others);
/* These, and those of the others that are not among them. */
char *flagtext_with(const char *flags, const char *others);
/* Whether each can be set: a system flag but \Recent, or an atom; and all of them by one command.
 * What a folder can keep its server says. */
bool flagtext_can_be_set(const char *flags);
