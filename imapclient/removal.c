#include "removal.h"

#include "outcome.h"
#include "search.h"

#include <errno.h>
#include <string.h>

/* Some UIDs, whose commands go out together. */
typedef struct {
    ImapRemoval *removal;
    const uint32_t *uids;
    size_t n_uids;
    unsigned running; /* commands under way */
    GError *refusal;
    bool looks;
    ImapSearch left;
} Batch;

/* uids[at..n) have not been sent yet. Once failure is set nothing more is sent. */
struct ImapRemoval {
    ImapChangeOp *change;
    const uint32_t *uids;
    size_t n_uids, at;
    unsigned what;
    const ImapRemovalEvents *events;
    GPtrArray *batches; /* under way */
    GError *failure;
};

static void batch_free(gpointer data)
{
    Batch *batch = data;

    imap_search_clear(&batch->left);
    g_clear_error(&batch->refusal);
    g_free(batch);
}

static char *describe(const ImapRemoval *removal)
{
    return g_strdup_printf("removing from %s", removal->change->op.folder);
}

static void send(Batch *batch, ImapCommand *command, const ImapRequestEvents *events)
{
    MailOp *op = &batch->removal->change->op;

    batch->running++;
    imap_conn_send_for(imap_session_conn(op->session), command, events, batch, op);
}

static void tell(ImapRemoval *removal, uint32_t uid)
{
    removal->change->op.told = true;
    removal->events->told(removal->change, uid);
}

/* --- looking what is left ----------------------------------------------------------------------
 */

static void batch_answered(Batch *batch);

static bool look_untagged(gpointer data, const ImapResponse *response)
{
    return imap_search_take(&((Batch *)data)->left, response);
}

static void look_done(gpointer data, const ImapResponse *response, const GError *error)
{
    Batch *batch = data;
    g_autofree char *what = describe(batch->removal);

    if (error) {
        imap_op_finish(&batch->removal->change->op, g_error_copy(error));
        return;
    }
    if (!batch->refusal)
        batch->refusal = imap_refusal(response, what);
    if (!imap_search_finish(&batch->left) && !batch->refusal)
        batch->refusal = g_error_new(MAIL_ERROR, EPROTO, "%s: the server did not answer a search",
                                     what);
    batch_answered(batch);
}

static const ImapRequestEvents look_events = {.untagged = look_untagged, .done = look_done};

static void send_look(Batch *batch)
{
    ImapCommand *command = imap_search_command(batch->removal->change->op.session);

    imap_command_raw(command, "UID");
    imap_command_uids(command, batch->uids, batch->n_uids);
    batch->looks = true;
    send(batch, command, &look_events);
}

/* --- a batch -----------------------------------------------------------------------------------
 */

static void go_on(ImapRemoval *removal)
{
    if (removal->at < removal->n_uids && !removal->failure)
        imap_change_open(removal->change);
    else if (removal->batches->len == 0)
        removal->events->done(removal->change, g_steal_pointer(&removal->failure));
}

/* Tells of all, or of those that a search has not found; false where it found some. */
static bool tell_batch(Batch *batch)
{
    bool all = true;

    if (batch->looks && !imap_search_finish(&batch->left))
        return false;
    for (size_t i = 0; i < batch->n_uids; i++) {
        if (batch->looks && imap_search_found(&batch->left, batch->uids[i]))
            all = false;
        else
            tell(batch->removal, batch->uids[i]);
    }
    return all;
}

/* A search in the same packet may still find what is being expunged. */
static bool needs_look(const Batch *batch)
{
    unsigned what = batch->removal->what;

    return (what & IMAP_REMOVAL_LOOKS) || (batch->refusal && (what & IMAP_REMOVAL_EXPUNGES));
}

static void batch_answered(Batch *batch)
{
    ImapRemoval *removal = batch->removal;

    if (--batch->running > 0)
        return;
    if (!batch->looks && needs_look(batch)) {
        send_look(batch);
        return;
    }
    if ((!batch->refusal || batch->looks) && tell_batch(batch))
        g_clear_error(&batch->refusal);
    if (!removal->failure)
        removal->failure = g_steal_pointer(&batch->refusal);
    g_ptr_array_remove_fast(removal->batches, batch);
    go_on(removal);
}

static void part_done(gpointer data, const ImapResponse *response, const GError *error)
{
    Batch *batch = data;
    g_autofree char *what = describe(batch->removal);
    bool others_did = response && imap_has_code(response, "EXPUNGEISSUED");

    if (error) {
        imap_op_finish(&batch->removal->change->op, g_error_copy(error));
        return;
    }
    /* A NO of that kind is about messages that are gone (RFC 5530). */
    if (!batch->refusal && !(others_did && batch->removal->what == IMAP_REMOVAL_MARKS))
        batch->refusal = imap_refusal(response, what);
    batch_answered(batch);
}

static const ImapRequestEvents part_events = {.done = part_done};

static void send_batch(ImapRemoval *removal)
{
    Batch *batch = g_new0(Batch, 1);
    ImapCommand *command;

    batch->removal = removal;
    batch->uids = removal->uids + removal->at;
    batch->n_uids = imap_command_fitting(
        batch->uids, MIN(removal->n_uids - removal->at, IMAP_BATCH_UIDS), IMAP_BATCH_BYTES);
    removal->at += batch->n_uids;
    g_ptr_array_add(removal->batches, batch);
    if (removal->what & IMAP_REMOVAL_MARKS) {
        command = imap_command_new("UID STORE");
        imap_command_uids(command, batch->uids, batch->n_uids);
        imap_command_raw(command, "+FLAGS.SILENT (\\Deleted)");
        send(batch, command, &part_events);
    }
    if (removal->what & IMAP_REMOVAL_EXPUNGES) {
        command = imap_command_new("UID EXPUNGE");
        imap_command_uids(command, batch->uids, batch->n_uids);
        send(batch, command, &part_events);
    }
    if (removal->what == IMAP_REMOVAL_LOOKS)
        send_look(batch);
}

void imap_removal_go_on(ImapRemoval *removal)
{
    const MailOp *op = &removal->change->op;

    if ((removal->what & IMAP_REMOVAL_MARKS) &&
        !imap_mailbox_keeps(imap_session_mailbox(op->session), "\\Deleted")) {
        if (!removal->failure)
            removal->failure = g_error_new(
                MAIL_ERROR, EACCES, "folder %s does not let messages be removed", op->folder);
    }
    while (removal->at < removal->n_uids && removal->batches->len < IMAP_BATCHES &&
           !removal->failure)
        send_batch(removal);
    if (removal->batches->len == 0)
        removal->events->done(removal->change, g_steal_pointer(&removal->failure));
}

ImapRemoval *imap_removal_new(ImapChangeOp *change, const uint32_t *uids, size_t n_uids,
                              unsigned what, const ImapRemovalEvents *events)
{
    ImapRemoval *removal = g_new0(ImapRemoval, 1);

    removal->change = change;
    removal->uids = uids;
    removal->n_uids = n_uids;
    removal->what = what;
    removal->events = events;
    removal->batches = g_ptr_array_new_with_free_func(batch_free);
    return removal;
}

void imap_removal_free(ImapRemoval *removal)
{
    if (!removal)
        return;
    g_ptr_array_unref(removal->batches);
    g_clear_error(&removal->failure);
    g_free(removal);
}
