#include "copyuid.h"
#include "outcome.h"
#include "removal.h"
#include "search.h"

#include <errno.h>
#include <string.h>

enum { TRIES = 3 };

typedef struct {
    struct CopyOp *copy;
    size_t first, n_uids; /* of the operation's UIDs */
    unsigned running;
    unsigned tries;
    bool again;         /* it is to be sent once more */
    ImapSearch there;   /* those that are there when the command comes */
    bool searched;      /* that is known */
    GHashTable *copies; /* UID -> UID in the target; NULL: the server does not tell */
    uint32_t uidvalidity;
    GError *refusal;
} Batch;

/*
 * UID COPY, or UID MOVE (RFC 6851); where a server can't move, what was copied is removed behind
 * that. A server that does not tell the new UIDs says OK also of messages that are not there, so
 * that a search ahead of the command tells which are.
 *
 * Once it is sent, it is not asked for again: where a connection was lost, maybe since the server
 * ended in the midst of it, messages may be copied; of a move, and be here all the same.
 */
typedef struct CopyOp {
    ImapChangeOp change;
    char *target;
    bool moves;
    bool by_move;
    const MailCopySink *sink;
    bool *asked; /* of each UID: a command under way may copy it */
    size_t at;   /* those from here on have not been sent */
    GPtrArray *batches;
    GArray *copied; /* UIDs, ascending, that are to be removed */
    ImapRemoval *removal;
    GError *failure;
} CopyOp;

static void batch_free(gpointer data)
{
    Batch *batch = data;

    imap_search_clear(&batch->there);
    g_clear_pointer(&batch->copies, g_hash_table_unref);
    g_clear_error(&batch->refusal);
    g_free(batch);
}

static char *describe(const CopyOp *copy)
{
    return g_strdup_printf("%s messages from %s to %s", copy->moves ? "moving" : "copying",
                           copy->change.op.folder, copy->target);
}

/* --- removing what was copied -------------------------------------------------------------------
 */

static void removal_told(ImapChangeOp *change, uint32_t uid)
{
    const CopyOp *copy = (CopyOp *)change;

    if (imap_change_can(change, IMAP_CAP_UIDPLUS))
        copy->sink->removed(change->op.data, uid);
    else
        copy->sink->marked(change->op.data, uid);
}

static void removal_done(ImapChangeOp *change, GError *error)
{
    CopyOp *copy = (CopyOp *)change;

    if (!copy->failure)
        copy->failure = g_steal_pointer(&error);
    g_clear_error(&error);
    imap_op_finish(&change->op, g_steal_pointer(&copy->failure));
}

static const ImapRemovalEvents removal_events = {removal_told, removal_done};

static void begin_removal(CopyOp *copy)
{
    unsigned what = IMAP_REMOVAL_MARKS;

    if (imap_change_can(&copy->change, IMAP_CAP_UIDPLUS))
        what |= IMAP_REMOVAL_EXPUNGES;
    g_array_sort(copy->copied, mail_compare_uids); /* batches end in any order */
    copy->removal = imap_removal_new(&copy->change, (const uint32_t *)(void *)copy->copied->data,
                                     copy->copied->len, what, &removal_events);
    imap_change_open(&copy->change);
}

/* --- what came of a batch ----------------------------------------------------------------------
 */

static void tell_copied(const Batch *batch, uint32_t uid, uint32_t target_uid)
{
    CopyOp *copy = batch->copy;

    copy->change.op.told = true;
    copy->sink->copied(copy->change.op.data, uid, target_uid ? batch->uidvalidity : 0, target_uid);
    if (copy->by_move)
        copy->sink->removed(copy->change.op.data, uid);
    else if (copy->moves)
        g_array_append_val(copy->copied, uid);
}

/* The command was answered. A refused MOVE may have moved some, and tells which; COPY has not. */
static void tell_one(const Batch *batch, size_t i)
{
    CopyOp *copy = batch->copy;
    uint32_t uid = copy->change.uids[i];
    gpointer target = batch->copies ? g_hash_table_lookup(batch->copies, GUINT_TO_POINTER(uid))
                                    : NULL;
    bool found = imap_search_found(&batch->there, uid);

    if (target && (!batch->refusal || copy->by_move))
        tell_copied(batch, uid, GPOINTER_TO_UINT(target));
    else if (!batch->refusal && !batch->copies && found)
        tell_copied(batch, uid, 0);
    else if (!found && !batch->searched && !batch->refusal)
        copy->sink->unsure(copy->change.op.data, uid);
    copy->asked[i] = false;
}

static void go_on(CopyOp *copy)
{
    if (copy->at < copy->change.n_uids && !copy->failure)
        imap_change_open(&copy->change);
    else if (copy->batches->len > 0)
        return;
    else if (copy->copied->len > 0)
        begin_removal(copy);
    else
        imap_op_finish(&copy->change.op, g_steal_pointer(&copy->failure));
}

static void batch_answered(Batch *batch)
{
    CopyOp *copy = batch->copy;

    if (--batch->running > 0)
        return;
    if (batch->again) {
        g_clear_error(&batch->refusal);
        imap_change_open(&copy->change);
        return;
    }
    for (size_t i = 0; i < batch->n_uids; i++)
        tell_one(batch, batch->first + i);
    if (!copy->failure)
        copy->failure = g_steal_pointer(&batch->refusal);
    g_ptr_array_remove_fast(copy->batches, batch);
    go_on(copy);
}

/* --- the commands of a batch -------------------------------------------------------------------
 */

static bool search_untagged(gpointer data, const ImapResponse *response)
{
    return imap_search_take(&((Batch *)data)->there, response);
}

static void search_done(gpointer data, const ImapResponse *response, const GError *error)
{
    Batch *batch = data;

    (void)response;
    if (error) {
        imap_op_finish(&batch->copy->change.op, g_error_copy(error));
        return;
    }
    batch->searched = imap_search_finish(&batch->there);
    if (!batch->searched)
        imap_search_clear(&batch->there);
    batch_answered(batch);
}

/* False where the code is of none of the batch's messages. */
static bool take_code(Batch *batch, const ImapResponse *response)
{
    const uint32_t *uids = batch->copy->change.uids + batch->first;
    uint32_t uidvalidity = 0;
    g_autoptr(GArray) pairs = imap_copyuid_read(response, IMAP_BATCH_UIDS, &uidvalidity);

    if (!pairs || g_array_index(pairs, ImapCopyUid, 0).uid < uids[0] ||
        g_array_index(pairs, ImapCopyUid, 0).uid > uids[batch->n_uids - 1])
        return false;
    if (!batch->copies || batch->uidvalidity != uidvalidity) {
        g_clear_pointer(&batch->copies, g_hash_table_unref);
        batch->copies = g_hash_table_new(NULL, NULL);
    }
    batch->uidvalidity = uidvalidity;
    for (guint i = 0; i < pairs->len && g_hash_table_size(batch->copies) < IMAP_BATCH_UIDS; i++) {
        const ImapCopyUid *pair = &g_array_index(pairs, ImapCopyUid, i);
        g_hash_table_replace(batch->copies, GUINT_TO_POINTER(pair->uid),
                             GUINT_TO_POINTER(pair->copy));
    }
    return true;
}

/* Of MOVE it comes ahead of the tagged response, and maybe of that of the batch before. */
static bool copy_untagged(gpointer data, const ImapResponse *response)
{
    return strcmp(response->name, "OK") == 0 && take_code(data, response);
}

static void copy_done(gpointer data, const ImapResponse *response, const GError *error)
{
    Batch *batch = data;
    g_autofree char *what = describe(batch->copy);

    if (error) {
        imap_op_finish(&batch->copy->change.op, g_error_copy(error));
        return;
    }
    take_code(batch, response);
    batch->refusal = imap_refusal(response, what);
    /* Another session has removed some of them just now (RFC 5530): the next time it knows which.
     */
    batch->again = batch->refusal && batch->tries < TRIES &&
                   imap_has_code(response, "EXPUNGEISSUED");
    batch_answered(batch);
}

static const ImapRequestEvents search_events = {.untagged = search_untagged, .done = search_done};
static const ImapRequestEvents copy_events = {.untagged = copy_untagged, .done = copy_done};

static void send(Batch *batch, ImapCommand *command, const ImapRequestEvents *events)
{
    MailOp *op = &batch->copy->change.op;

    batch->running++;
    imap_conn_send_for(imap_session_conn(op->session), command, events, batch, op);
}

/* The whole command for UIDs of a batch, but for the target. */
static ImapCommand *command_for(const Batch *batch, ImapCommand *command)
{
    imap_command_uids(command, batch->copy->change.uids + batch->first, batch->n_uids);
    return command;
}

static bool send_batch(Batch *batch)
{
    CopyOp *copy = batch->copy;
    MailOp *op = &copy->change.op;
    ImapCommand *search = imap_search_command(op->session);
    g_autoptr(ImapCommand) command = NULL;

    batch->again = false;
    batch->tries++;
    imap_search_clear(&batch->there);
    imap_command_raw(search, "UID");
    send(batch, command_for(batch, search), &search_events);
    command = command_for(batch, imap_command_new(copy->by_move ? "UID MOVE" : "UID COPY"));
    if (!imap_session_add_mailbox(op->session, command, copy->target, &copy->failure))
        return false;
    for (size_t i = 0; i < batch->n_uids; i++)
        copy->asked[batch->first + i] = true;
    op->told = true; /* it can't be asked for again */
    send(batch, g_steal_pointer(&command), &copy_events);
    return true;
}

static Batch *next_batch(CopyOp *copy)
{
    const uint32_t *uids = copy->change.uids + copy->at;
    Batch *batch = g_new0(Batch, 1);

    batch->copy = copy;
    batch->first = copy->at;
    batch->n_uids = imap_command_fitting(uids, MIN(copy->change.n_uids - copy->at, IMAP_BATCH_UIDS),
                                         IMAP_BATCH_BYTES);
    copy->at += batch->n_uids;
    g_ptr_array_add(copy->batches, batch);
    return batch;
}

/* --- the operation -----------------------------------------------------------------------------
 */

/* A move that would end as a copy is not begun with. */
static bool is_refused(CopyOp *copy)
{
    const ImapMailbox *mailbox = imap_session_mailbox(copy->change.op.session);

    if (!copy->moves || copy->by_move || imap_mailbox_keeps(mailbox, "\\Deleted"))
        return false;
    imap_op_finish(&copy->change.op,
                   g_error_new(MAIL_ERROR, EACCES, "folder %s does not let messages be removed",
                               copy->change.op.folder));
    return true;
}

static void copy_ready(ImapChangeOp *change)
{
    CopyOp *copy = (CopyOp *)change;
    bool sent = true;

    if (copy->removal) {
        imap_removal_go_on(copy->removal);
        return;
    }
    if (copy->at == 0 && is_refused(copy))
        return;
    for (guint i = 0; sent && i < copy->batches->len; i++) {
        Batch *batch = g_ptr_array_index(copy->batches, i);
        if (batch->again && batch->running == 0)
            sent = send_batch(batch);
    }
    while (sent && copy->at < change->n_uids && copy->batches->len < IMAP_BATCHES && !copy->failure)
        sent = send_batch(next_batch(copy));
    if (!sent)
        imap_op_finish(&change->op, g_steal_pointer(&copy->failure));
    else if (copy->batches->len == 0)
        go_on(copy);
}

static void copy_start(MailOp *op)
{
    CopyOp *copy = (CopyOp *)op;

    copy->by_move = copy->moves && imap_change_can(&copy->change, IMAP_CAP_MOVE);
    copy->at = 0;
    g_ptr_array_set_size(copy->batches, 0);
    imap_change_start(&copy->change);
}

static void copy_failing(MailOp *op)
{
    const CopyOp *copy = (CopyOp *)op;

    for (size_t i = 0; i < copy->change.n_uids; i++)
        if (copy->asked[i])
            copy->sink->unsure(op->data, copy->change.uids[i]);
}

static void copy_free(MailOp *op)
{
    CopyOp *copy = (CopyOp *)op;

    imap_removal_free(copy->removal);
    g_ptr_array_unref(copy->batches);
    g_array_unref(copy->copied);
    g_clear_error(&copy->failure);
    g_free(copy->asked);
    g_free(copy->target);
    imap_change_free(&copy->change);
}

static const ImapOpClass copy_class = {
    .start = copy_start, .free = copy_free, .failing = copy_failing};

MailOp *imap_copy_new(const MailCopy *request, bool moves, const MailCopySink *sink, MailDone done,
                      gpointer data)
{
    ImapChangeOp *change = imap_change_new(sizeof(CopyOp), &copy_class, request->folder,
                                           request->uidvalidity, request->uids, request->n_uids,
                                           done, data);
    CopyOp *copy = (CopyOp *)change;

    change->ready = copy_ready;
    change->reads = !moves;
    copy->target = g_strdup(request->target);
    copy->moves = moves;
    copy->sink = sink;
    copy->asked = g_new0(bool, change->n_uids + 1);
    copy->batches = g_ptr_array_new_with_free_func(batch_free);
    copy->copied = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    if (moves && g_strcmp0(request->folder, request->target) == 0)
        change->op.refusal = g_error_new(MAIL_ERROR, EINVAL,
                                         "messages are not moved to the folder where they are");
    return &change->op;
}
