#include "removal.h"

#include <errno.h>

/*
 * Removes messages, or only marks them. The removal is made anew each time the operation begins:
 * nothing was told then, and doing it twice does nothing more.
 */
typedef struct {
    ImapChangeOp change;
    MailRemovedSink sink;
    bool expunges;
    ImapRemoval *removal;
} RemoveOp;

static void remove_told(ImapChangeOp *change, uint32_t uid)
{
    ((RemoveOp *)change)->sink(change->op.data, uid);
}

static void remove_done(ImapChangeOp *change, GError *error)
{
    imap_op_finish(&change->op, error);
}

static const ImapRemovalEvents removal_events = {remove_told, remove_done};

static void remove_ready(ImapChangeOp *change)
{
    imap_removal_go_on(((RemoveOp *)change)->removal);
}

static void remove_start(MailOp *op)
{
    RemoveOp *remove = (RemoveOp *)op;
    ImapChangeOp *change = &remove->change;
    unsigned what = IMAP_REMOVAL_MARKS;

    if (remove->expunges && !imap_change_can(change, IMAP_CAP_UIDPLUS)) {
        imap_op_finish(
            op, g_error_new(MAIL_ERROR, ENOTSUP, "the server can't remove messages by their UIDs"));
        return;
    }
    if (remove->expunges)
        what |= IMAP_REMOVAL_EXPUNGES;
    g_clear_pointer(&remove->removal, imap_removal_free);
    remove->removal = imap_removal_new(change, change->uids, change->n_uids, what, &removal_events);
    imap_change_start(change);
}

static void remove_free(MailOp *op)
{
    imap_removal_free(((RemoveOp *)op)->removal);
    imap_change_free((ImapChangeOp *)op);
}

static const ImapOpClass remove_class = {.start = remove_start, .free = remove_free};

static MailOp *remove_new(const MailRemove *request, bool expunges, MailRemovedSink sink,
                          MailDone done, gpointer data)
{
    ImapChangeOp *change = imap_change_new(sizeof(RemoveOp), &remove_class, request->folder,
                                           request->uidvalidity, request->uids, request->n_uids,
                                           done, data);
    RemoveOp *remove = (RemoveOp *)change;

    remove->sink = sink;
    remove->expunges = expunges;
    change->ready = remove_ready;
    return &change->op;
}

MailOp *imap_remove_new(const MailRemove *request, MailRemovedSink removed, MailDone done,
                        gpointer data)
{
    return remove_new(request, true, removed, done, data);
}

MailOp *imap_mark_new(const MailRemove *request, MailRemovedSink marked, MailDone done,
                      gpointer data)
{
    return remove_new(request, false, marked, done, data);
}
