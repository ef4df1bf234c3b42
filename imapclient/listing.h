/*
 * listing.h: "* LIST (attributes) delimiter name" (RFC 9051 section 7.3.1), and LSUB.
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
} ImapListing;

void imap_listing_clear(ImapListing *listing);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ImapListing, imap_listing_clear)

/* Reads a LIST or LSUB response; false where the name can't be told, or is too long. */
bool imap_listing_read(ImapListing *listing, const ImapSession *session,
                       const ImapResponse *response);
