#include "removal.h"

#include "outcome.h"
#include "search.h"

#include <errno.h>
#include <string.h>

/* Some UIDs, whose commands go out together. */
typedef struct Batch Batch;

struct Batch {
    ImapRemoval *removal;
    const uint32_t *uids;
    size_t n_uids;
    unsigned running; /* commands under way */
    bool marked;      /* by us, and to be unmarked if they can't be expunged */
    size_t vanished;  /* of so many the server said, by their UIDs, that they are gone */
    bool unproved;    /* not of all */
    bool again;       /* UID EXPUNGE was sent a second time */
    GError *refusal;
    bool looks;
    ImapSearch left;
    void (*next)(Batch *batch); /* sends what is to be sent once the folder is open; or NULL */
};

/* uids[at..n) have not been sent yet. Once failure is set nothing more is begun. */
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

/* --- taking the marks back ---------------------------------------------------------------------
 */

static void unmark_done(gpointer data, const ImapResponse *response, const GError *error)
{
    Batch *batch = data;

    (void)response; /* it is refused already */
    if (error)
        imap_op_finish(&batch->removal->change->op, g_error_copy(error));
    else
        batch_answered(batch);
}

static const ImapRequestEvents unmark_events = {.done = unmark_done};

/* Those that were found; the caller frees. */
static GArray *collect_left(Batch *batch)
{
    GArray *uids = g_array_new(FALSE, FALSE, sizeof *batch->uids);

    if (!imap_search_finish(&batch->left))
        return uids;
    for (size_t i = 0; i < batch->n_uids; i++)
        if (imap_search_found(&batch->left, batch->uids[i]))
            g_array_append_val(uids, batch->uids[i]);
    return uids;
}

static bool is_any_left(Batch *batch)
{
    g_autoptr(GArray) uids = collect_left(batch);

    return uids->len > 0;
}

static void send_unmark(Batch *batch)
{
    g_autoptr(GArray) uids = collect_left(batch);
    ImapCommand *command = imap_command_new("UID STORE");

    batch->marked = false;
    imap_command_uids(command, (const uint32_t *)(void *)uids->data, uids->len);
    imap_command_raw(command, "-FLAGS.SILENT (\\Deleted)");
    send(batch, command, &unmark_events);
}

/* --- a batch -----------------------------------------------------------------------------------
 */

static bool has_next(const ImapRemoval *removal)
{
    for (guint i = 0; i < removal->batches->len; i++)
        if (((const Batch *)removal->batches->pdata[i])->next)
            return true;
    return false;
}

static void go_on(ImapRemoval *removal)
{
    if (has_next(removal) || (removal->at < removal->n_uids && !removal->failure))
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

    return (what & IMAP_REMOVAL_LOOKS) || batch->refusal || batch->unproved;
}

static void batch_finish(Batch *batch)
{
    ImapRemoval *removal = batch->removal;

    if ((!batch->refusal || batch->looks) && tell_batch(batch))
        g_clear_error(&batch->refusal);
    if (!removal->failure)
        removal->failure = g_steal_pointer(&batch->refusal);
    g_ptr_array_remove_fast(removal->batches, batch);
}

static void send_again(Batch *batch);

/* What is to be sent of a batch of which all was answered; NULL: nothing. */
static void (*choose_next(Batch *batch))(Batch *)
{
    if (!(batch->removal->what & IMAP_REMOVAL_EXPUNGES))
        return NULL;
    if (!batch->looks)
        return needs_look(batch) ? send_look : NULL;
    if (!batch->marked || !is_any_left(batch))
        return NULL;
    return batch->again || batch->refusal ? send_unmark : send_again;
}

static void batch_answered(Batch *batch)
{
    ImapRemoval *removal = batch->removal;

    if (--batch->running > 0)
        return;
    batch->next = choose_next(batch);
    if (!batch->next)
        batch_finish(batch);
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

static void mark_done(gpointer data, const ImapResponse *response, const GError *error)
{
    Batch *batch = data;

    batch->marked = response && strcmp(response->name, "OK") == 0;
    part_done(data, response, error);
}

/* How many of the UIDs are less than this one. */
static size_t count_below(const Batch *batch, uint64_t uid)
{
    size_t low = 0, high = batch->n_uids;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (batch->uids[middle] < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* EXPUNGE would tell a sequence number, maybe of a message that somebody else has removed. */
static bool expunge_untagged(gpointer data, const ImapResponse *response)
{
    Batch *batch = data;
    const char *set = NULL;

    if (strcmp(response->name, "VANISHED") == 0)
        set = imap_value_text(imap_value_item(response->values, 0));
    g_autoptr(GArray) ranges = set ? imap_uid_set(set) : NULL;
    for (guint i = 0; ranges && i < ranges->len; i++) {
        const MailUidRange *range = &g_array_index(ranges, MailUidRange, i);
        batch->vanished += count_below(batch, (uint64_t)range->last + 1) -
                           count_below(batch, range->first);
    }
    return false; /* others hear it too */
}

static void expunge_done(gpointer data, const ImapResponse *response, const GError *error)
{
    Batch *batch = data;

    batch->unproved = batch->vanished < batch->n_uids;
    part_done(data, response, error);
}

static const ImapRequestEvents mark_events = {.done = mark_done};
static const ImapRequestEvents expunge_events = {.untagged = expunge_untagged,
                                                 .done = expunge_done};

static void send_expunge(Batch *batch, const uint32_t *uids, size_t n_uids)
{
    ImapCommand *command = imap_command_new("UID EXPUNGE");

    imap_command_uids(command, uids, n_uids);
    send(batch, command, &expunge_events);
}

/* Of those that were left. */
static void send_again(Batch *batch)
{
    g_autoptr(GArray) uids = collect_left(batch);

    batch->again = true;
    batch->looks = false;
    imap_search_clear(&batch->left);
    send_expunge(batch, (const uint32_t *)(void *)uids->data, uids->len);
}

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
        send(batch, command, &mark_events);
    }
    if (removal->what & IMAP_REMOVAL_EXPUNGES)
        send_expunge(batch, batch->uids, batch->n_uids);
    if (removal->what == IMAP_REMOVAL_LOOKS)
        send_look(batch);
}

static void send_next(Batch *batch)
{
    void (*next)(Batch *) = batch->next;

    batch->next = NULL;
    if (next)
        next(batch);
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
    for (guint i = 0; i < removal->batches->len; i++)
        send_next(removal->batches->pdata[i]);
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
