/*
 * flagnames.h: which texts are flags that a client may set (RFC 9051 sections 2.3.2 and 9).
 *
 * Pure functions; any thread.
 */
#pragma once

#include "../cache/mail.h"

/*
 * "\\Seen $Label1", names with spaces in between, as a list of its own for each, without what comes
 * twice. NULL with EINVAL where one is no keyword and none of \Answered, \Flagged, \Deleted, \Seen,
 * \Draft, or where they are too many for a command. The caller frees with g_strfreev.
 */
char **imap_flag_names(const char *flags, GError **error);
