/*
 * listing.h: "* LIST (attributes) delimiter name" (RFC 9051 section 7.3.1), LSUB, STATUS, and
 * NAMESPACE.
 *
 * Engine thread.
 */
#pragma once

#include "../cache/mailstore.h"
#include "session.h"

typedef struct {
    char *name; /* as in MailFolderInfo */
    char delimiter;
    unsigned attributes;
    bool subscribed; /* LSUB, or \Subscribed */
    bool is_root;    /* it has no name: only the delimiter of the topmost level is told */
} ImapListing;

void imap_listing_clear(ImapListing *listing);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ImapListing, imap_listing_clear)

/*
 * Whether a STATUS response is of that folder, and has that item; *number is its value. False also
 * where that is no number.
 */
bool imap_status_read(const ImapSession *session, const ImapResponse *response, const char *folder,
                      const char *item, uint64_t *number);

/* Reads a LIST or LSUB response; false where the name can't be told, or is too long. */
bool imap_listing_read(ImapListing *listing, const ImapSession *session,
                       const ImapResponse *response);

/*
 * Reads "* NAMESPACE personal others shared" (RFC 9051 section 7.3.3): adds the prefixes of other
 * users' and shared namespaces, as on the wire, to `others`. False: it is another response.
 */
bool imap_namespaces_read(const ImapResponse *response, GPtrArray *others);
