/*
 * copyuid.h: "[COPYUID uidvalidity from to]", by which a server tells the UIDs of what it copied or
 * moved (RFC 4315 section 3, RFC 6851 section 4.3).
 *
 * Pure; engine thread.
 */
#pragma once

#include "parse.h"

typedef struct {
    uint32_t uid, copy;
} ImapCopyUid;

/*
 * The pairs of a response's code, in the server's order, as an array of ImapCopyUid; NULL where it
 * has no such code, or one that makes no sense: sets of different lengths, "*", more than `most`
 * UIDs. *uidvalidity is the target's.
 */
GArray *imap_copyuid_read(const ImapResponse *response, size_t most, uint32_t *uidvalidity);
