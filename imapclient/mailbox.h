/*
 * mailbox.h: what the server says of a mailbox while it is being selected and afterwards
 * (RFC 9051 sections 6.3.2 and 7.4, RFC 7162). Sequence numbers end here.
 *
 * Plain data of the engine thread.
 */
#pragma once

#include "parse.h"

typedef struct {
    char *name; /* as in MailFolderInfo; NULL: nothing is selected */
    uint32_t uidvalidity;
    uint32_t uidnext; /* 0: the server does not tell */
    uint32_t exists;
    uint64_t modseq; /* HIGHESTMODSEQ; 0: the mailbox has none */
    bool changed;    /* something came, went or changed since it was selected */
    bool read_only;  /* nothing in it can be changed */
    char *permanent; /* PERMANENTFLAGS, as in MailMessage; NULL: the server does not tell */
} ImapMailbox;

void imap_mailbox_clear(ImapMailbox *mailbox);

/* Takes an untagged response in; false where it says nothing of a mailbox. */
bool imap_mailbox_take(ImapMailbox *mailbox, const ImapResponse *response);

/* Whether a message in it can be given this flag for good. */
bool imap_mailbox_keeps(const ImapMailbox *mailbox, const char *flag);

/* Sorts ranges of MailUidRange, and joins those that touch or overlap. */
void imap_uid_merge(GArray *ranges);

/*
 * Reads a set of UIDs ("1:3,7,9:*") as ascending, disjoint ranges of MailUidRange; NULL where it
 * is none, or longer than IMAP_MAX_ITEMS.
 */
GArray *imap_uid_set(const char *text);
