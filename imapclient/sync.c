#include "op.h"

#include "limits.h"
#include "outcome.h"
#include "sync_batch.h"

#include <errno.h>
#include <string.h>

enum {
    /* A search result is one line: of more messages, only so many UIDs are searched at once; */
    SEARCH_AT_MOST = 50000,
    SEARCH_SPAN = 150000,
    SEARCHES = 64, /* and where that would be more searches, the UIDs are fetched instead */
    /* The flags of so many are told in a few packets. */
    FEW = 400,
    /* Listing more than so many keeps a connection busy for too long to read on it. */
    BULK = 1000,
};

/*
 * Opens the folder anew, which tells where it stands, then fetches what is not known:
 *   nothing known: everything, which is asked for at once, whatever the selection will tell;
 *   another UIDVALIDITY, or an earlier state of the folder (see is_restored): everything;
 *   QRESYNC: the selection itself tells changes and what is gone (RFC 7162 section 3.2.5);
 *   CONDSTORE: flags that changed, and the UIDs where the count says that some are gone;
 *   neither: UIDs and flags of what is known, to compare with; where flags may come later, the
 *   count alone says whether some are gone, as with CONDSTORE;
 * and the new messages by their UIDs. `running` counts commands under way; the selection is one.
 */
typedef struct {
    MailOp op;
    MailFolderState known;
    const MailSyncSink *sink;
    ImapMailbox mailbox; /* as the selection told it */
    SyncBatch *batch;
    bool early;   /* changes were told ahead of UIDVALIDITY: they can't be believed */
    bool compare; /* the UIDs that there are decide what is gone */
    bool counted; /* the count decides whether some are gone */
    bool flags_later;
    unsigned searches; /* were asked for, and have not been answered */
    uint32_t beyond;   /* the highest UID found where UIDNEXT says that there is none */
    bool guessed;      /* everything was asked for ahead of the answer to the selection */
    bool opened;
    unsigned running;
    GError *failure;
} SyncOp;

static void finish(SyncOp *sync);

/* --- while the folder is being opened --------------------------------------------------------- */

/* "* VANISHED (EARLIER) uids", or without (EARLIER) */
static void take_vanished(SyncOp *sync, const ImapResponse *response)
{
    size_t last = imap_value_count(response->values);
    const char *text = last ? imap_value_text(imap_value_item(response->values, last - 1)) : NULL;
    g_autoptr(GArray) ranges = text ? imap_uid_set(text) : NULL;

    if (!ranges) {
        sync->early = true;
        return;
    }
    imap_sync_batch_flush(sync->batch);
    sync->op.told = true;
    sync->sink->vanished(sync->op.data, (const MailUidRange *)(void *)ranges->data, ranges->len);
}

static bool open_untagged(gpointer data, const ImapResponse *response)
{
    SyncOp *sync = data;

    if (!sync->known.uidvalidity)
        return true;
    if (imap_session_incoming(sync->op.session) != sync->known.uidvalidity)
        sync->early = true;
    else if (strcmp(response->name, "VANISHED") == 0)
        take_vanished(sync, response);
    else if (imap_sync_batch_take(sync->batch, response))
        sync->op.told = true;
    return true;
}

/* --- the commands that follow -------------------------------------------------------------------
 */

static void fail(SyncOp *sync, const char *text)
{
    if (!sync->failure)
        sync->failure = g_error_new(MAIL_ERROR, EPROTO, "listing folder %s: %s", sync->op.folder,
                                    text);
}

/* Some servers refuse "1:*" where there is no message. */
static bool is_pointless(const SyncOp *sync)
{
    return sync->guessed && sync->opened && sync->mailbox.exists == 0;
}

static void part_done(gpointer data, const ImapResponse *response, const GError *error)
{
    SyncOp *sync = data;

    if (!sync->failure && (error || !is_pointless(sync))) {
        g_autofree char *what = g_strdup_printf("listing folder %s", sync->op.folder);
        sync->failure = error ? g_error_copy(error) : imap_outcome(response, what);
    }
    if (--sync->running == 0)
        finish(sync);
}

/* Whether the answer carries content, which somebody else asked for. */
static bool has_content(const ImapResponse *response)
{
    const ImapValue *items = imap_value_item(response->values, 0);

    for (size_t i = 0; i + 1 < imap_value_count(items); i += 2) {
        const char *item = imap_value_text(imap_value_item(items, i));
        if (item && g_ascii_strncasecmp(item, "BODY[", 5) == 0)
            return true;
    }
    return false;
}

/* That messages are gone, and content, is also for others to hear. */
static bool list_untagged(gpointer data, const ImapResponse *response)
{
    SyncOp *sync = data;

    if (strcmp(response->name, "VANISHED") == 0) {
        imap_sync_batch_unfollow(sync->batch);
        take_vanished(sync, response);
        return false;
    }
    if (strcmp(response->name, "EXPUNGE") == 0)
        imap_sync_batch_unfollow(sync->batch);
    if (strcmp(response->name, "FETCH") != 0)
        return false;
    if (imap_sync_batch_take(sync->batch, response))
        sync->op.told = true;
    return !has_content(response);
}

static const ImapRequestEvents list_events = {.untagged = list_untagged, .done = part_done};

G_GNUC_PRINTF(2, 3)
static void send_fetch(SyncOp *sync, const char *format, ...)
{
    ImapCommand *command = imap_command_new("UID FETCH");
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    imap_command_raw(command, text);
    sync->running++;
    imap_conn_send(imap_session_conn(sync->op.session), command, 0, &list_events, sync);
}

/* The new messages, from UID `first` on, with all that a listing shows. */
static void send_new(SyncOp *sync, uint32_t first)
{
    if (first == 1)
        imap_sync_batch_follow(sync->batch);
    send_fetch(sync, "%u:* (FLAGS INTERNALDATE RFC822.SIZE)", first);
}

/* "* ESEARCH (TAG "A1") UID ALL 1:3,5"; without ALL: there is nothing. */
static bool search_untagged(gpointer data, const ImapResponse *response)
{
    SyncOp *sync = data;
    const ImapValue *values = response->values;

    if (strcmp(response->name, "ESEARCH") != 0)
        return list_untagged(data, response);
    if (sync->searches)
        sync->searches--;
    for (size_t i = 0; i + 1 < imap_value_count(values); i++) {
        const char *set = imap_value_text(imap_value_item(values, i + 1));
        g_autoptr(GArray) ranges = NULL;
        if (!imap_value_is(imap_value_item(values, i), "ALL") || !set)
            continue;
        ranges = imap_uid_set(set);
        if (!ranges || !imap_sync_batch_present(sync->batch, ranges, sync->mailbox.exists))
            fail(sync, "the server's search result makes no sense");
    }
    return true;
}

static const ImapRequestEvents search_events = {.untagged = search_untagged, .done = part_done};

static void send_search(SyncOp *sync, const char *what)
{
    ImapCommand *command = imap_command_new("UID SEARCH RETURN (ALL)");

    imap_command_raw(command, what);
    sync->running++;
    sync->searches++;
    imap_conn_send(imap_session_conn(sync->op.session), command, 0, &search_events, sync);
}

/* All UIDs below `end`, in searches whose results are not too long, however the UIDs lie. */
static void send_searches(SyncOp *sync, uint32_t end)
{
    for (uint64_t first = 1; first < end; first += SEARCH_SPAN) {
        g_autofree char *what = g_strdup_printf("UID %u:%u", (guint)first,
                                                (guint)MIN(first + SEARCH_SPAN, end) - 1);
        send_search(sync, what);
    }
}

/* All UIDs that there are. */
static void send_uids(SyncOp *sync)
{
    const ImapCapabilities *caps = &imap_session_login(sync->op.session)->caps;
    uint32_t end = imap_sync_batch_uidnext(sync->batch, sync->mailbox.uidnext);

    sync->compare = true;
    if (!imap_capabilities_have(caps, IMAP_CAP_ESEARCH))
        send_fetch(sync, "1:* (UID)");
    else if (sync->mailbox.exists <= SEARCH_AT_MOST)
        send_search(sync, "ALL");
    else if (sync->mailbox.uidnext && end / SEARCH_SPAN < SEARCHES)
        send_searches(sync, end);
    else
        send_fetch(sync, "1:* (UID)");
}

/* --- what to ask for ----------------------------------------------------------------------- */

static void list_all(SyncOp *sync)
{
    sync->op.told = true;
    sync->sink->reset(sync->op.data, sync->mailbox.uidvalidity);
    imap_sync_batch_reset(sync->batch, 1);
    sync->op.bulk = sync->mailbox.exists > BULK;
    if (sync->guessed)
        imap_sync_batch_follow(sync->batch);
    else if (sync->mailbox.exists > 0)
        send_new(sync, 1);
}

/* What is known belongs to messages that were lost at the server; nothing of it holds. */
static void list_restored(SyncOp *sync)
{
    sync->op.told = true;
    sync->early = false;
    sync->sink->restored(sync->op.data);
    imap_sync_batch_reset(sync->batch, 1);
    sync->op.bulk = sync->mailbox.exists > BULK;
    if (sync->mailbox.exists > 0)
        send_new(sync, 1);
}

static void list_changes(SyncOp *sync)
{
    const MailFolderState *known = &sync->known;
    const ImapMailbox *mailbox = &sync->mailbox;
    bool qresync = imap_session_login(sync->op.session)->qresync;
    bool modseq = known->modseq && mailbox->modseq >= known->modseq && !sync->early &&
                  (!mailbox->uidnext || mailbox->uidnext >= known->uidnext);

    sync->flags_later = known->flags_later && !mailbox->modseq && !sync->early && known->uidnext &&
                        mailbox->uidnext >= known->uidnext && mailbox->exists > FEW;
    imap_sync_batch_flush(sync->batch);
    imap_sync_batch_reset(sync->batch, known->uidnext);
    sync->counted = sync->flags_later || (modseq && !qresync);
    sync->compare = !modseq && !sync->counted;
    if (!modseq && !sync->flags_later && known->uidnext > 1 && mailbox->exists > 0)
        send_fetch(sync, "1:%u (FLAGS)", known->uidnext - 1);
    else if (modseq && !qresync && mailbox->modseq > known->modseq && known->uidnext > 1)
        send_fetch(sync, "1:%u (FLAGS) (CHANGEDSINCE %" G_GUINT64_FORMAT ")", known->uidnext - 1,
                   (guint64)known->modseq);
    if (mailbox->exists > 0 && (!mailbox->uidnext || mailbox->uidnext > known->uidnext))
        send_new(sync, known->uidnext ? known->uidnext : 1);
}

/* --- a restored backup --------------------------------------------------------------------------
 */

/*
 * UIDNEXT and HIGHESTMODSEQ never go down (RFC 9051 section 2.3.1.1, RFC 7162 section 3.1.2.2), but
 * where the server lost what came since. UIDs below the present UIDNEXT may have been given anew
 * already, so all of them are in doubt, and nothing tells which.
 */
static bool is_restored(const SyncOp *sync)
{
    return sync->mailbox.modseq && sync->mailbox.modseq < sync->known.modseq;
}

/* Or else the server is wrong about UIDNEXT, as it may always have been. */
static bool may_be_restored(const SyncOp *sync)
{
    return sync->mailbox.uidnext && sync->mailbox.uidnext < sync->known.uidnext;
}

static bool beyond_untagged(gpointer data, const ImapResponse *response)
{
    SyncOp *sync = data;
    const ImapValue *items = imap_value_item(response->values, 0);
    uint64_t uid = 0;

    if (strcmp(response->name, "FETCH") != 0)
        return list_untagged(data, response);
    for (size_t i = 0; i + 1 < imap_value_count(items); i += 2)
        if (imap_value_is(imap_value_item(items, i), "UID"))
            imap_value_number(imap_value_item(items, i + 1), &uid);
    sync->beyond = (uint32_t)CLAMP(uid, sync->beyond, UINT32_MAX);
    return !has_content(response);
}

static void beyond_done(gpointer data, const ImapResponse *response, const GError *error)
{
    SyncOp *sync = data;

    if (!error && !sync->failure && strcmp(response->name, "OK") == 0) {
        if (sync->beyond >= sync->mailbox.uidnext)
            list_changes(sync);
        else
            list_restored(sync);
    }
    part_done(data, response, error);
}

static const ImapRequestEvents beyond_events = {.untagged = beyond_untagged, .done = beyond_done};

static void look_beyond(SyncOp *sync)
{
    ImapCommand *command = imap_command_new("UID FETCH");

    imap_command_rawf(command, "%u:* (UID)", sync->mailbox.uidnext);
    sync->running++;
    imap_conn_send(imap_session_conn(sync->op.session), command, 0, &beyond_events, sync);
}

static void open_done(gpointer data, const ImapResponse *response, const GError *error)
{
    SyncOp *sync = data;
    const ImapMailbox *mailbox = imap_session_mailbox(sync->op.session);

    (void)response;
    if (error || g_strcmp0(mailbox->name, sync->op.folder) != 0) {
        imap_op_finish(&sync->op, error ? g_error_copy(error)
                                        : imap_session_selected(sync->op.session, sync->op.folder,
                                                                sync->known.uidvalidity));
        return;
    }
    if (!sync->guessed && g_strcmp0(imap_session_target(sync->op.session), sync->op.folder) != 0) {
        imap_op_finish(&sync->op, g_error_new(MAIL_ERROR, EAGAIN, "folder %s was left meanwhile",
                                              sync->op.folder));
        return;
    }
    sync->mailbox = *mailbox;
    sync->mailbox.name = sync->mailbox.permanent = NULL;
    sync->opened = true;
    /* A server that has no UIDVALIDITY keeps its UIDs for ever, or not at all. */
    if (!sync->known.uidvalidity || mailbox->uidvalidity != sync->known.uidvalidity)
        list_all(sync);
    else if (is_restored(sync) || (may_be_restored(sync) && mailbox->exists == 0))
        list_restored(sync);
    else if (may_be_restored(sync))
        look_beyond(sync);
    else
        list_changes(sync);
    if (--sync->running == 0)
        finish(sync);
}

static const ImapRequestEvents open_events = {.untagged = open_untagged, .done = open_done};

/* --- the end ------------------------------------------------------------------------------- */

static void finish(SyncOp *sync)
{
    MailFolderState state = {
        .uidvalidity = sync->mailbox.uidvalidity,
        .modseq = sync->mailbox.modseq,
        .count = sync->mailbox.exists,
        .flags_later = sync->flags_later,
    };

    if (imap_sync_batch_is_flooded(sync->batch))
        fail(sync, "the server tells of more messages than there can be");
    if (sync->searches)
        fail(sync, "the server did not answer a search");
    if (sync->failure) /* the rest of what is told of the last message may be missing */
        imap_sync_batch_reset(sync->batch, 1);
    imap_sync_batch_flush(sync->batch);
    if (!sync->failure && sync->counted) {
        sync->counted = false;
        if (sync->known.count + imap_sync_batch_new(sync->batch) != sync->mailbox.exists) {
            send_uids(sync);
            return;
        }
    }
    if (!sync->failure) {
        sync->op.told = true;
        if (sync->compare)
            imap_sync_batch_tell_present(sync->batch);
        state.uidnext = imap_sync_batch_uidnext(sync->batch, sync->mailbox.uidnext);
        sync->sink->state(sync->op.data, &state);
    }
    imap_op_finish(&sync->op, g_steal_pointer(&sync->failure));
}

static void sync_start(MailOp *op)
{
    SyncOp *sync = (SyncOp *)op;

    g_clear_error(&sync->failure);
    sync->early = sync->compare = sync->counted = sync->flags_later = op->bulk = false;
    sync->guessed = sync->opened = false;
    sync->searches = 0;
    sync->beyond = 0;
    imap_sync_batch_reset(sync->batch, sync->known.uidnext);
    sync->running = 1;
    imap_session_select(op->session, op->folder, &sync->known, &open_events, sync);
    if (!sync->known.uidvalidity) {
        sync->guessed = true;
        send_new(sync, 1);
    }
}

static void sync_free(MailOp *op)
{
    SyncOp *sync = (SyncOp *)op;

    imap_sync_batch_free(sync->batch);
    g_clear_error(&sync->failure);
    imap_op_free(op);
}

static const ImapOpClass sync_class = {.start = sync_start, .free = sync_free};

MailOp *imap_sync_new(const char *folder, const MailFolderState *known, const MailSyncSink *sink,
                      MailDone done, gpointer data)
{
    MailOp *op = imap_op_new(sizeof(SyncOp), &sync_class, folder, done, data);
    SyncOp *sync = (SyncOp *)op;

    /* What is asked for depends on how the folder was found: it must be open still. */
    op->holds = known->uidvalidity != 0;
    sync->known = *known;
    sync->sink = sink;
    sync->batch = imap_sync_batch_new_for(sink, data);
    return op;
}
