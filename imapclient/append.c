#include "change.h"
#include "flagnames.h"
#include "listing.h"
#include "outcome.h"

#include <errno.h>
#include <string.h>

enum {
    /* Below this no server has a limit, so that the mailbox's own one is not asked for. */
    SURELY_SMALL = 64 << 10,
    BULK = 512 << 10, /* more than this keeps a connection busy for long */
};

/*
 * APPEND, or UID REPLACE (RFC 8508) in the folder that is open. Once the source has begun the
 * message may be stored, whatever becomes of the connection.
 */
typedef struct {
    ImapChangeOp change; /* its op.folder is NULL where nothing has to be open */
    char *folder;
    char **flags;
    bool has_date;
    int64_t date;
    ImapSource *source;
    uint32_t replaces;
    const MailAppendSink *sink;
    bool answered;
    uint32_t uidvalidity, uid; /* APPENDUID */
    uint64_t limit;            /* of the mailbox */
} AppendOp;

static char *describe(const AppendOp *append)
{
    return g_strdup_printf("storing a message in %s", append->folder);
}

/* --- the answer --------------------------------------------------------------------------------
 */

/* "[APPENDUID uidvalidity uid]" (RFC 4315) */
static bool take_code(AppendOp *append, const ImapValue *code)
{
    uint64_t uidvalidity = 0, uid = 0;

    if (!imap_value_is(imap_value_item(code, 0), "APPENDUID"))
        return false;
    if (imap_value_number(imap_value_item(code, 1), &uidvalidity) &&
        imap_value_number(imap_value_item(code, 2), &uid) && uidvalidity > 0 && uid > 0 &&
        uidvalidity <= UINT32_MAX && uid <= UINT32_MAX) {
        append->uidvalidity = (uint32_t)uidvalidity;
        append->uid = (uint32_t)uid;
    }
    return true;
}

/* Of REPLACE it comes ahead of the tagged response. */
static bool append_untagged(gpointer data, const ImapResponse *response)
{
    AppendOp *append = data;

    return append->replaces && strcmp(response->name, "OK") == 0 &&
           take_code(append, response->code);
}

static GError *outcome(const AppendOp *append, const ImapResponse *response)
{
    g_autofree char *what = describe(append);
    GError *error = imap_refusal(response, what);

    if (error && imap_has_code(response, "LIMIT"))
        error->code = EFBIG;
    return error;
}

static GError *broken(const AppendOp *append, const GError *error)
{
    const GError *unread = imap_source_error(append->source);

    return g_error_copy(unread ? unread : error);
}

static void append_done(gpointer data, const ImapResponse *response, const GError *error)
{
    AppendOp *append = data;
    MailOp *op = &append->change.op;
    GError *failure = error ? broken(append, error) : outcome(append, response);

    append->answered = !error;
    op->told = imap_source_begun(append->source); /* it must not be sent again */
    if (!failure) {
        take_code(append, response->code);
        append->sink->appended(op->data, append->uidvalidity, append->uid);
    }
    imap_op_finish(op, failure);
}

static const ImapRequestEvents append_events = {.untagged = append_untagged, .done = append_done};

/* A message that could not be read to its end was not sent to its end, and is nowhere. */
static void append_failing(MailOp *op)
{
    AppendOp *append = (AppendOp *)op;

    if (append->source && !append->answered && imap_source_begun(append->source) &&
        !imap_source_error(append->source))
        append->sink->unsure(op->data);
}

/* --- sending -----------------------------------------------------------------------------------
 */

static void send_append(AppendOp *append)
{
    MailOp *op = &append->change.op;
    ImapSession *session = op->session;
    g_autoptr(ImapCommand) command = imap_command_new(append->replaces ? "UID REPLACE" : "APPEND");
    GError *error = NULL;

    if (append->replaces)
        imap_command_rawf(command, "%u", append->replaces);
    if (!imap_session_add_mailbox(session, command, append->folder, &error)) {
        imap_op_finish(op, error);
        return;
    }
    if (append->flags[0]) {
        g_autofree char *flags = g_strjoinv(" ", append->flags);
        imap_command_rawf(command, "(%s)", flags);
    }
    if (append->has_date)
        imap_command_date(command, append->date);
    imap_command_source(command, append->source, imap_session_literal_mode(session));
    /* What is told ahead of the end of a REPLACE does not say of which. */
    imap_conn_send(imap_session_conn(session), g_steal_pointer(&command),
                   append->replaces ? IMAP_REQUEST_BARRIER : 0, &append_events, append);
}

/* --- limits ------------------------------------------------------------------------------------
 */

static bool is_too_large(AppendOp *append, uint64_t limit)
{
    g_autofree char *what = describe(append);

    if (imap_source_size(append->source) <= limit)
        return false;
    imap_op_finish(&append->change.op,
                   g_error_new(MAIL_ERROR, EFBIG,
                               "%s: the server takes no more than %" G_GUINT64_FORMAT " bytes",
                               what, (guint64)limit));
    return true;
}

/* "* STATUS folder (APPENDLIMIT 257890)", or NIL for none (RFC 7889) */
static bool status_untagged(gpointer data, const ImapResponse *response)
{
    AppendOp *append = data;

    imap_status_read(append->change.op.session, response, append->folder, "APPENDLIMIT",
                     &append->limit);
    return false; /* others may ask for the same */
}

/* A server that does not say its limit may still refuse. */
static void status_done(gpointer data, const ImapResponse *response, const GError *error)
{
    AppendOp *append = data;

    (void)response;
    if (error)
        imap_op_finish(&append->change.op, g_error_copy(error));
    else if (is_too_large(append, append->limit))
        return;
    else if (append->replaces)
        imap_change_open(&append->change);
    else
        send_append(append);
}

static const ImapRequestEvents status_events = {.untagged = status_untagged, .done = status_done};

static void ask_limit(AppendOp *append)
{
    ImapSession *session = append->change.op.session;
    g_autoptr(ImapCommand) command = imap_command_new("STATUS");
    GError *error = NULL;

    if (!imap_session_add_mailbox(session, command, append->folder, &error)) {
        imap_op_finish(&append->change.op, error);
        return;
    }
    imap_command_raw(command, "(APPENDLIMIT)");
    imap_conn_send(imap_session_conn(session), g_steal_pointer(&command), 0, &status_events,
                   append);
}

/* --- the operation -----------------------------------------------------------------------------
 */

static void append_ready(ImapChangeOp *change)
{
    send_append((AppendOp *)change);
}

static void append_start(MailOp *op)
{
    AppendOp *append = (AppendOp *)op;
    const ImapCapabilities *caps = &imap_session_login(op->session)->caps;

    append->limit = UINT64_MAX;
    append->uidvalidity = append->uid = 0;
    append->change.opening = false;
    if (append->replaces && !imap_capabilities_have(caps, IMAP_CAP_REPLACE))
        imap_op_finish(op, g_error_new(MAIL_ERROR, ENOTSUP, "the server can't replace messages"));
    else if (is_too_large(append, caps->append_limit))
        return;
    else if (imap_capabilities_have(caps, IMAP_CAP_APPENDLIMIT) &&
             imap_source_size(append->source) > SURELY_SMALL)
        ask_limit(append);
    else if (append->replaces)
        imap_change_open(&append->change);
    else
        send_append(append);
}

static void append_free(MailOp *op)
{
    AppendOp *append = (AppendOp *)op;

    imap_source_unref(append->source);
    g_strfreev(append->flags);
    g_free(append->folder);
    imap_change_free(&append->change);
}

static const ImapOpClass append_class = {
    .start = append_start, .free = append_free, .failing = append_failing};

MailOp *imap_append_new(const MailAppend *request, const MailAppendSink *sink, MailDone done,
                        gpointer data)
{
    ImapChangeOp *change = imap_change_new(sizeof(AppendOp), &append_class,
                                           request->replaces ? request->folder : NULL,
                                           request->uidvalidity, NULL, 0, done, data);
    AppendOp *append = (AppendOp *)change;
    GError **refusal = &change->op.refusal;

    change->ready = append_ready;
    change->op.names = true;
    append->folder = g_strdup(request->folder);
    append->has_date = request->has_date;
    append->date = request->date;
    append->replaces = request->replaces;
    append->sink = sink;
    append->flags = imap_flag_names(request->flags, refusal);
    if (request->bytes)
        append->source = imap_source_new_bytes(request->bytes);
    else
        append->source = imap_source_new_file(request->fd, request->size,
                                              *refusal ? NULL : refusal);
    if (append->source && imap_source_size(append->source) == 0 && !*refusal)
        *refusal = g_error_new(MAIL_ERROR, EINVAL, "a message that is empty is not stored");
    if (append->source)
        change->op.bulk = imap_source_size(append->source) > BULK;
    return &change->op;
}
