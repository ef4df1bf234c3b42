/*
 * removal.h: marks messages \Deleted and expunges them, and them alone (RFC 9051 sections 6.4.6 and
 * 6.4.9, RFC 4315), for the operations that remove or move.
 *
 * Engine thread. STORE and UID EXPUNGE of a batch go out together: if the first is refused, the
 * second takes only what somebody else had marked of messages that are to be removed anyway.
 *
 * OK to UID EXPUNGE proves nothing. Dovecot says so where an ACL does not allow it, and where
 * another session changed something just before, so that the marks of the STORE ahead of it were
 * not seen yet. What VANISHED did not tell of (RFC 7162) is therefore searched; what is there still
 * is expunged once more, and if that does not help, or the server had refused, unmarked: nobody
 * shall expunge later what its user was told is still there.
 *
 * The requests are the operation's.
 */
#pragma once

#include "change.h"

enum {
    IMAP_REMOVAL_MARKS = 1 << 0,    /* STORE +FLAGS.SILENT (\Deleted) */
    IMAP_REMOVAL_EXPUNGES = 1 << 1, /* UID EXPUNGE */
    IMAP_REMOVAL_LOOKS = 1 << 2,    /* UID SEARCH: only what is not there any more is told */
};

typedef struct {
    /* Marked, where it only marks; else gone. */
    void (*told)(ImapChangeOp *change, uint32_t uid);
    /* No request is under way. error is taken over; NULL: each message was told, or the server left
     * it there without saying why. */
    void (*done)(ImapChangeOp *change, GError *error);
} ImapRemovalEvents;

typedef struct ImapRemoval ImapRemoval;

/* uids are the caller's, ascending, and stay as they are. Nothing is sent yet. */
ImapRemoval *imap_removal_new(ImapChangeOp *change, const uint32_t *uids, size_t n_uids,
                              unsigned what, const ImapRemovalEvents *events);
void imap_removal_free(
    ImapRemoval *removal); /* NULL is allowed; its requests are forgotten by then */

/* The folder is open: sends what is next, of as many batches as may be under way. The operation's
 * `ready`. */
void imap_removal_go_on(ImapRemoval *removal);
