/*
 * change.h: what operations on messages that change something have in common: a folder with the
 * right UIDVALIDITY, open before anything is sent, and UIDs that go out in batches.
 *
 * Engine thread. Reads are pipelined behind a selection, and thrown away where it turns out to be
 * of another mailbox; a change can't be taken back, so that it waits for the selection's outcome.
 * Other operations may select something else on the same session at any time: whoever has waited
 * for an answer asks again before the next command.
 */
#pragma once

#include "op.h"

enum {
    IMAP_BATCH_UIDS = 1000,  /* in a command at most; */
    IMAP_BATCH_BYTES = 7000, /* a line of 8192 octets every server takes (RFC 7162 section 4) */
    IMAP_BATCHES = 4,        /* under way at once, so that others get their turn */
    IMAP_BULK = 2000,        /* so many UIDs keep a session busy for long */
};

typedef struct ImapChangeOp ImapChangeOp;

/* What each such operation begins with. */
struct ImapChangeOp {
    MailOp op;
    uint32_t uidvalidity;
    bool reads;     /* of this folder it only reads */
    bool opening;   /* a selection is under way, or waited for */
    bool fresh;     /* it was opened by this operation, with all messages that there were */
    uint32_t *uids; /* ascending, each once */
    size_t n_uids;
    void (*ready)(ImapChangeOp *change);
};

/* Makes one (see imap_op_new); uids, in any order, are copied. */
ImapChangeOp *imap_change_new(size_t size, const ImapOpClass *klass, const char *folder,
                              uint32_t uidvalidity, const uint32_t *uids, size_t n_uids,
                              MailDone done, gpointer data);
void imap_change_free(ImapChangeOp *change);

/*
 * Opens the folder where it is not, then calls ready, maybe at once: what it sends finds the folder
 * open. Where it can't be opened the operation is finished: nothing of it may be used behind this.
 * While it is being opened, a second call does nothing.
 */
void imap_change_open(ImapChangeOp *change);
/* Likewise where the operation begins, maybe again on another session. */
void imap_change_start(ImapChangeOp *change);

/* Whether the session's server can all of these. */
bool imap_change_can(const ImapChangeOp *change, unsigned caps);
