#include "change.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A UID of 0 is none. */
static void sort_uids(ImapChangeOp *change)
{
    size_t kept = 0;

    if (change->n_uids)
        qsort(change->uids, change->n_uids, sizeof *change->uids, mail_compare_uids);
    for (size_t i = 0; i < change->n_uids; i++)
        if (change->uids[i] && (!kept || change->uids[i] != change->uids[kept - 1]))
            change->uids[kept++] = change->uids[i];
    change->n_uids = kept;
}

ImapChangeOp *imap_change_new(size_t size, const ImapOpClass *klass, const char *folder,
                              uint32_t uidvalidity, const uint32_t *uids, size_t n_uids,
                              MailDone done, gpointer data)
{
    ImapChangeOp *change = (ImapChangeOp *)imap_op_new(size, klass, folder, done, data);

    change->uidvalidity = uidvalidity;
    change->uids = g_memdup2(uids, n_uids * sizeof *uids);
    change->n_uids = n_uids;
    sort_uids(change);
    change->op.holds = folder != NULL;
    change->op.bulk = change->n_uids >= IMAP_BULK;
    return change;
}

void imap_change_free(ImapChangeOp *change)
{
    g_free(change->uids);
    imap_op_free(&change->op);
}

static void open_done(gpointer data, const ImapResponse *response, const GError *error)
{
    ImapChangeOp *change = data;

    change->opening = false;
    if (error)
        imap_op_finish(&change->op, g_error_copy(error));
    else if (strcmp(response->name, "OK") != 0)
        imap_op_finish(&change->op, imap_session_selected(change->op.session, change->op.folder,
                                                          change->uidvalidity));
    else
        imap_change_open(change);
}

static const ImapRequestEvents open_events = {.done = open_done};

static void released(gpointer data)
{
    ImapChangeOp *change = data;

    change->opening = false;
    imap_change_open(change);
}

/* A message that came by another session, as one that was moved here, would pass for gone. Once:
 * a server may tell a UIDNEXT that is wrong. */
static bool must_renew(const ImapChangeOp *change)
{
    return !change->fresh && change->n_uids &&
           imap_session_is_behind(change->op.session, change->uids[change->n_uids - 1]);
}

void imap_change_open(ImapChangeOp *change)
{
    ImapSession *session = change->op.session;
    GError *error;

    if (change->opening)
        return;
    error = imap_session_holds(session, change->op.folder, change->uidvalidity, !change->reads);
    if (!error && !must_renew(change)) {
        change->ready(change);
        return;
    }
    if (error && error->code != EAGAIN) {
        imap_op_finish(&change->op, error);
        return;
    }
    g_clear_error(&error);
    change->opening = true;
    if (imap_session_is_held(session)) {
        imap_session_wait(session, released, change);
        return;
    }
    change->fresh = true;
    if (change->reads)
        imap_session_select(session, change->op.folder, NULL, &open_events, change);
    else
        imap_session_select_to_change(session, change->op.folder, &open_events, change);
    imap_session_hold(session);
}

void imap_change_start(ImapChangeOp *change)
{
    change->opening = change->fresh = false;
    imap_change_open(change);
}

bool imap_change_can(const ImapChangeOp *change, unsigned caps)
{
    return imap_capabilities_have(&imap_session_login(change->op.session)->caps, caps);
}
