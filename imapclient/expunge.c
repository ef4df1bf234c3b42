#include "outcome.h"
#include "removal.h"
#include "search.h"

#include <errno.h>

/*
 * Expunges messages that were marked before. With UIDPLUS by their UIDs; else all that are marked
 * are searched, and where they are no others than ours, a plain EXPUNGE takes them. Either way a
 * search tells what is gone.
 *
 * A server may search what it last told this session of, but expunge what others have marked since;
 * behind the answer to NOOP it has told all.
 */
typedef struct {
    ImapChangeOp change;
    MailRemovedSink sink;
    enum { EXPUNGE_HEARS, EXPUNGE_SEARCHES, EXPUNGE_SEARCHED, EXPUNGE_REMOVES } stage;
    ImapSearch marked;
    ImapRemoval *removal;
} ExpungeOp;

static void expunge_told(ImapChangeOp *change, uint32_t uid)
{
    ((ExpungeOp *)change)->sink(change->op.data, uid);
}

static void expunge_over(ImapChangeOp *change, GError *error)
{
    imap_op_finish(&change->op, error);
}

static const ImapRemovalEvents removal_events = {expunge_told, expunge_over};

/* --- without UIDPLUS ---------------------------------------------------------------------------
 */

static bool is_ours(const ImapChangeOp *change, size_t *at, uint32_t uid)
{
    while (*at < change->n_uids && change->uids[*at] < uid)
        (*at)++;
    return *at < change->n_uids && change->uids[*at] == uid;
}

/* Whether all that are marked are ours. */
static bool are_all_ours(const ExpungeOp *expunge)
{
    const GArray *ranges = expunge->marked.ranges;
    size_t at = 0;

    for (guint i = 0; ranges && i < ranges->len; i++) {
        const MailUidRange *range = &g_array_index(ranges, MailUidRange, i);
        for (uint64_t uid = range->first; uid <= range->last; uid++)
            if (!is_ours(&expunge->change, &at, (uint32_t)uid))
                return false;
    }
    return true;
}

static bool is_open(const ImapChangeOp *change)
{
    g_autoptr(GError) error = imap_session_holds(change->op.session, change->op.folder,
                                                 change->uidvalidity, true);

    return !error;
}

static int next_stage(ExpungeOp *expunge)
{
    if (expunge->stage == EXPUNGE_HEARS)
        return EXPUNGE_SEARCHES;
    if (expunge->stage == EXPUNGE_SEARCHED || !expunge->marked.ranges)
        return EXPUNGE_REMOVES; /* which only looks */
    if (is_open(&expunge->change))
        return EXPUNGE_SEARCHED;
    imap_search_clear(&expunge->marked); /* by the time that it is, others may be marked */
    return EXPUNGE_HEARS;
}

static void part_done(gpointer data, const ImapResponse *response, const GError *error)
{
    ExpungeOp *expunge = data;
    MailOp *op = &expunge->change.op;
    g_autofree char *what = g_strdup_printf("expunging folder %s", op->folder);
    GError *failure = error ? g_error_copy(error) : imap_refusal(response, what);

    if (!failure && expunge->stage == EXPUNGE_SEARCHES && !imap_search_finish(&expunge->marked))
        failure = g_error_new(MAIL_ERROR, EPROTO, "%s: the server did not answer a search", what);
    if (!failure && expunge->stage == EXPUNGE_SEARCHES && !are_all_ours(expunge))
        failure = g_error_new(MAIL_ERROR, EBUSY,
                              "%s: messages that are marked there would be removed too", what);
    if (failure) {
        imap_op_finish(op, failure);
        return;
    }
    expunge->stage = next_stage(expunge);
    imap_change_open(&expunge->change);
}

static bool search_untagged(gpointer data, const ImapResponse *response)
{
    return imap_search_take(&((ExpungeOp *)data)->marked, response);
}

static const ImapRequestEvents search_events = {.untagged = search_untagged, .done = part_done};
static const ImapRequestEvents plain_events = {.done = part_done};

static void send_plain(ExpungeOp *expunge, const char *name)
{
    imap_conn_send(imap_session_conn(expunge->change.op.session), imap_command_new(name), 0,
                   &plain_events, expunge);
}

static void send_search(ExpungeOp *expunge)
{
    ImapSession *session = expunge->change.op.session;
    ImapCommand *command = imap_search_command(session);

    imap_command_raw(command, "DELETED");
    imap_conn_send(imap_session_conn(session), command, 0, &search_events, expunge);
}

/* --- the operation -----------------------------------------------------------------------------
 */

static void expunge_ready(ImapChangeOp *change)
{
    ExpungeOp *expunge = (ExpungeOp *)change;

    switch (expunge->stage) {
    case EXPUNGE_HEARS:
        send_plain(expunge, "NOOP");
        break;
    case EXPUNGE_SEARCHES:
        send_search(expunge);
        break;
    case EXPUNGE_SEARCHED:
        send_plain(expunge, "EXPUNGE");
        break;
    case EXPUNGE_REMOVES:
        imap_removal_go_on(expunge->removal);
        break;
    }
}

static void expunge_start(MailOp *op)
{
    ExpungeOp *expunge = (ExpungeOp *)op;
    ImapChangeOp *change = &expunge->change;
    bool by_uid = imap_change_can(change, IMAP_CAP_UIDPLUS);

    imap_search_clear(&expunge->marked);
    g_clear_pointer(&expunge->removal, imap_removal_free);
    expunge->removal = imap_removal_new(change, change->uids, change->n_uids,
                                        IMAP_REMOVAL_LOOKS | (by_uid ? IMAP_REMOVAL_EXPUNGES : 0),
                                        &removal_events);
    expunge->stage = by_uid ? EXPUNGE_REMOVES : EXPUNGE_HEARS;
    imap_change_start(change);
}

static void expunge_free(MailOp *op)
{
    ExpungeOp *expunge = (ExpungeOp *)op;

    imap_search_clear(&expunge->marked);
    imap_removal_free(expunge->removal);
    imap_change_free(&expunge->change);
}

static const ImapOpClass expunge_class = {.start = expunge_start, .free = expunge_free};

MailOp *imap_expunge_new(const MailRemove *request, MailRemovedSink removed, MailDone done,
                         gpointer data)
{
    ImapChangeOp *change = imap_change_new(sizeof(ExpungeOp), &expunge_class, request->folder,
                                           request->uidvalidity, request->uids, request->n_uids,
                                           done, data);
    ExpungeOp *expunge = (ExpungeOp *)change;

    expunge->sink = removed;
    change->ready = expunge_ready;
    return &change->op;
}
