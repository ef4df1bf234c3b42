#include "change.h"
#include "flagnames.h"
#include "outcome.h"
#include "search.h"

#include <errno.h>

typedef struct {
    struct FlagsOp *flags;
    const uint32_t *uids;
    size_t n_uids;
} Batch;

/*
 * UID STORE. With UNCHANGEDSINCE (RFC 7162) it is not asked for again of itself where a connection
 * is lost: what the lost command had changed would look as if somebody else had.
 */
typedef struct FlagsOp {
    ImapChangeOp change;
    const MailFlagsSink *sink;
    MailFlagsHow how;
    char **names;
    uint64_t unchanged_since;
    bool conditional; /* in this folder, at this server */
    bool asked;       /* what the folder can keep */
    size_t at;
    GPtrArray *batches;
    GError *failure;
} FlagsOp;

static void go_on(FlagsOp *flags)
{
    if (flags->at < flags->change.n_uids && !flags->failure)
        imap_change_open(&flags->change);
    else if (flags->batches->len == 0)
        imap_op_finish(&flags->change.op, g_steal_pointer(&flags->failure));
}

/* --- a batch -----------------------------------------------------------------------------------
 */

/* "[MODIFIED 7,9]": of these nothing was stored, of the others it was, also where it is a NO that
 * says so. */
static void tell_batch(const Batch *batch, const ImapSearch *modified)
{
    const FlagsOp *flags = batch->flags;
    gpointer data = flags->change.op.data;

    for (size_t i = 0; i < batch->n_uids; i++) {
        if (imap_search_found(modified, batch->uids[i]))
            flags->sink->modified(data, batch->uids[i]);
        else
            flags->sink->stored(data, batch->uids[i]);
    }
}

static void store_done(gpointer data, const ImapResponse *response, const GError *error)
{
    Batch *batch = data;
    FlagsOp *flags = batch->flags;
    g_autofree char *what = g_strdup_printf("changing flags in %s", flags->change.op.folder);
    g_autoptr(GError) refusal = error ? NULL : imap_refusal(response, what);
    bool conditional = response && imap_has_code(response, "MODIFIED");
    const char *set = conditional ? imap_value_text(imap_value_item(response->code, 1)) : NULL;
    ImapSearch modified = {.ranges = set ? imap_uid_set(set) : NULL};

    if (error) {
        imap_op_finish(&flags->change.op, g_error_copy(error));
        return;
    }
    if (conditional && !modified.ranges && !flags->failure) {
        flags->failure = g_error_new(MAIL_ERROR, EPROTO, "%s: the server's answer makes no sense",
                                     what);
    } else if (!refusal || conditional || imap_has_code(response, "EXPUNGEISSUED")) {
        flags->change.op.told = true;
        tell_batch(batch, &modified);
    } else if (!flags->failure) {
        flags->failure = g_steal_pointer(&refusal);
    }
    imap_search_clear(&modified);
    g_ptr_array_remove_fast(flags->batches, batch);
    go_on(flags);
}

static const ImapRequestEvents store_events = {.done = store_done};

static void send_batch(FlagsOp *flags)
{
    static const char *const items[] = {"FLAGS.SILENT", "+FLAGS.SILENT", "-FLAGS.SILENT"};
    MailOp *op = &flags->change.op;
    Batch *batch = g_new0(Batch, 1);
    ImapCommand *command = imap_command_new("UID STORE");
    g_autofree char *names = g_strjoinv(" ", flags->names);

    batch->flags = flags;
    batch->uids = flags->change.uids + flags->at;
    batch->n_uids = imap_command_fitting(batch->uids,
                                         MIN(flags->change.n_uids - flags->at, IMAP_BATCH_UIDS),
                                         IMAP_BATCH_BYTES / 2); /* flags may be as long */
    flags->at += batch->n_uids;
    g_ptr_array_add(flags->batches, batch);
    imap_command_uids(command, batch->uids, batch->n_uids);
    if (flags->conditional) {
        op->told = true;
        imap_command_rawf(command, "(UNCHANGEDSINCE %" G_GUINT64_FORMAT ")",
                          (guint64)flags->unchanged_since);
    }
    imap_command_rawf(command, "%s (%s)", items[flags->how], names);
    imap_conn_send_for(imap_session_conn(op->session), command, &store_events, batch, op);
}

/* --- the operation -----------------------------------------------------------------------------
 */

/* What can't be kept would be lost without a word. To take it away is no harm. */
static void ask_mailbox(FlagsOp *flags)
{
    const MailOp *op = &flags->change.op;
    const ImapMailbox *mailbox = imap_session_mailbox(op->session);

    flags->asked = true;
    flags->conditional = flags->unchanged_since && mailbox->modseq &&
                         imap_change_can(&flags->change, IMAP_CAP_CONDSTORE);
    flags->sink->permanent(op->data, mailbox->permanent);
    for (size_t i = 0; flags->names[i] && flags->how != MAIL_FLAGS_TAKE; i++)
        if (!imap_mailbox_keeps(mailbox, flags->names[i]) && !flags->failure)
            flags->failure = g_error_new(MAIL_ERROR, EINVAL, "folder %s can't keep the flag %s",
                                         op->folder, flags->names[i]);
}

static void flags_ready(ImapChangeOp *change)
{
    FlagsOp *flags = (FlagsOp *)change;

    if (!flags->asked)
        ask_mailbox(flags);
    while (flags->at < change->n_uids && flags->batches->len < IMAP_BATCHES && !flags->failure)
        send_batch(flags);
    if (flags->batches->len == 0)
        go_on(flags);
}

static void flags_start(MailOp *op)
{
    FlagsOp *flags = (FlagsOp *)op;

    flags->at = 0;
    flags->asked = false;
    g_ptr_array_set_size(flags->batches, 0);
    imap_change_start(&flags->change);
}

static void flags_free(MailOp *op)
{
    FlagsOp *flags = (FlagsOp *)op;

    g_ptr_array_unref(flags->batches);
    g_strfreev(flags->names);
    g_clear_error(&flags->failure);
    imap_change_free(&flags->change);
}

static const ImapOpClass flags_class = {.start = flags_start, .free = flags_free};

MailOp *imap_flags_new(const MailFlags *request, const MailFlagsSink *sink, MailDone done,
                       gpointer data)
{
    ImapChangeOp *change = imap_change_new(sizeof(FlagsOp), &flags_class, request->folder,
                                           request->uidvalidity, request->uids, request->n_uids,
                                           done, data);
    FlagsOp *flags = (FlagsOp *)change;

    change->ready = flags_ready;
    flags->sink = sink;
    flags->how = request->how;
    flags->unchanged_since = request->unchanged_since;
    flags->names = imap_flag_names(request->flags, &change->op.refusal);
    flags->batches = g_ptr_array_new_with_free_func(g_free);
    return &change->op;
}
