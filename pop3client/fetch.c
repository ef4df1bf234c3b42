#include "cut.h"
#include "header.h"
#include "limits.h"
#include "maildrop.h"
#include "outcome.h"

#include <errno.h>

enum {
    HEADER_BYTES = 4096,   /* what TOP n 0 is expected to answer */
    UNKNOWN_BYTES = 16384, /* and RETR, where LIST told nothing */
};

/* One message. What comes is put into `top` or `cut`. */
typedef struct {
    struct FetchOp *fetch;
    uint32_t uid;
    uint32_t number;
    uint64_t size;
    Pop3Cut *cut;
    /* TOP's answer, which is no header before it turns out to have its end. */
    GByteArray *top;
    HeaderScan scan;
} Message;

typedef struct FetchOp {
    Pop3Op op;
    MailFetchSink sink;
    uint32_t *uids;
    size_t n_uids;
    MailRange *ranges;
    size_t n_ranges;
    uint64_t limit;
    Message *messages; /* n_uids; those that are asked for in this session */
    size_t n_messages;
    size_t to_come;
    GError *refusal, *failure;
} FetchOp;

static void take_part(gpointer data, const MailRange *asked, GBytes *bytes)
{
    const Message *message = data;
    FetchOp *fetch = message->fetch;

    fetch->op.told = true;
    fetch->sink(fetch->op.data, message->uid, asked, bytes);
}

static void begin_cut(Message *message)
{
    FetchOp *fetch = message->fetch;

    if (!message->cut)
        message->cut = pop3_cut_new(fetch->ranges, fetch->n_ranges, fetch->limit, take_part,
                                    message);
}

static void message_clear(Message *message)
{
    g_clear_pointer(&message->cut, pop3_cut_free);
    g_clear_pointer(&message->top, g_byte_array_unref);
}

/* A message is through; error (taken over) says why it was not told. The last ends the fetch. */
static void message_done(Message *message, GError *error)
{
    FetchOp *fetch = message->fetch;

    message_clear(message);
    if (error && !fetch->failure)
        fetch->failure = g_steal_pointer(&error);
    g_clear_error(&error);
    if (--fetch->to_come == 0)
        pop3_op_finish(&fetch->op, g_steal_pointer(&fetch->failure));
}

/* --- RETR --------------------------------------------------------------------------------------
 */

static GError *outcome(const Message *message, const Pop3Reply *reply, const GError *error)
{
    g_autofree char *what = g_strdup_printf("fetching message %u", message->uid);

    return error ? g_error_copy(error) : pop3_outcome(reply, what);
}

static void retr_content(gpointer data, const uint8_t *bytes, size_t length)
{
    Message *message = data;

    begin_cut(message);
    pop3_cut_take(message->cut, bytes, length);
}

/* The connection's end is told of each message: that is the whole operation's. */
static void retr_done(gpointer data, const Pop3Reply *reply, const GError *error)
{
    Message *message = data;
    GError *failure = outcome(message, reply, error);

    if (error) {
        pop3_op_finish(&message->fetch->op, failure);
        return;
    }
    if (!failure) {
        begin_cut(message);
        if (!pop3_cut_end(message->cut, &failure))
            g_prefix_error(&failure, "message %u: ", message->uid);
    }
    message_done(message, failure);
}

static const Pop3RequestEvents retr_events = {.content = retr_content, .done = retr_done};

static void send(Message *message, const char *command, uint64_t expected,
                 const Pop3RequestEvents *events)
{
    FetchOp *fetch = message->fetch;
    unsigned flags = POP3_REQUEST_CONTENT | (fetch->op.ahead ? POP3_REQUEST_AHEAD : 0);

    pop3_conn_send(pop3_session_conn(fetch->op.session), command, flags, expected, events, fetch,
                   message);
}

static void send_retr(Message *message)
{
    g_autofree char *command = g_strdup_printf("RETR %u", message->number);

    send(message, command, message->size ? message->size : UNKNOWN_BYTES, &retr_events);
}

/* --- TOP ---------------------------------------------------------------------------------------
 */

static void top_content(gpointer data, const uint8_t *bytes, size_t length)
{
    Message *message = data;
    size_t n = header_scan(&message->scan, bytes, length);

    /* So long a header is better taken as it comes by. */
    if (message->top->len + n <= POP3_MAX_SECTION)
        g_byte_array_append(message->top, bytes, (guint)n);
    else
        message->top->len = POP3_MAX_SECTION;
}

/*
 * An answer without the empty line may be a whole message, or a header whose end the server kept
 * back: only the message itself can tell.
 */
static void top_done(gpointer data, const Pop3Reply *reply, const GError *error)
{
    Message *message = data;
    g_autoptr(GError) failure = outcome(message, reply, error);

    if (error) {
        pop3_op_finish(&message->fetch->op, g_steal_pointer(&failure));
        return;
    }
    if (failure)
        pop3_session_note_no_top(message->fetch->op.session);
    if (failure || !message->scan.ended || message->top->len >= POP3_MAX_SECTION) {
        send_retr(message);
        return;
    }
    begin_cut(message);
    pop3_cut_take(message->cut, message->top->data, message->top->len);
    pop3_cut_end(message->cut, &failure);
    message_done(message, g_steal_pointer(&failure));
}

static const Pop3RequestEvents top_events = {.content = top_content, .done = top_done};

static void send_top(Message *message)
{
    g_autofree char *command = g_strdup_printf("TOP %u 0", message->number);

    message->top = g_byte_array_new();
    send(message, command, HEADER_BYTES, &top_events);
}

/* --- the operation -----------------------------------------------------------------------------
 */

static bool wants_header_only(const FetchOp *fetch)
{
    for (size_t i = 0; i < fetch->n_ranges; i++)
        if (fetch->ranges[i].section != MAIL_SECTION_HEADER)
            return false;
    return true;
}

static void add_message(FetchOp *fetch, uint32_t uid, const Pop3Entry *entry)
{
    GHashTable *known = pop3_maildrop_known(fetch->op.maildrop);
    const Pop3Known *one = g_hash_table_lookup(known, GUINT_TO_POINTER(uid));
    Message *message = &fetch->messages[fetch->n_messages++];

    *message = (Message){
        .fetch = fetch,
        .uid = uid,
        .number = entry->number,
        .size = entry->size ? entry->size : one->size,
    };
}

static void forget_messages(FetchOp *fetch)
{
    for (size_t i = 0; i < fetch->n_messages; i++)
        message_clear(&fetch->messages[i]);
    fetch->n_messages = 0;
    g_clear_error(&fetch->failure);
}

static void fetch_start(Pop3Op *op)
{
    FetchOp *fetch = (FetchOp *)op;
    GError *error = g_steal_pointer(&fetch->refusal);
    bool by_top;

    forget_messages(fetch);
    for (size_t i = 0; !error && i < fetch->n_uids; i++) {
        const Pop3Entry *entry = pop3_op_find(op, fetch->uids[i], &error);
        if (entry)
            add_message(fetch, fetch->uids[i], entry);
    }
    if (error || fetch->n_messages == 0) {
        pop3_op_finish(op, error);
        return;
    }
    fetch->to_come = fetch->n_messages;
    by_top = wants_header_only(fetch) && pop3_session_has_top(op->session);
    for (size_t i = 0; i < fetch->n_messages; i++)
        (by_top ? send_top : send_retr)(&fetch->messages[i]);
}

static void fetch_free(Pop3Op *op)
{
    FetchOp *fetch = (FetchOp *)op;

    forget_messages(fetch);
    g_free(fetch->messages);
    g_free(fetch->uids);
    g_free(fetch->ranges);
    g_clear_error(&fetch->refusal);
    pop3_op_free(op);
}

static const Pop3OpClass fetch_class = {fetch_start, NULL, fetch_free};

Pop3Op *pop3_fetch_new(const MailFetch *request, MailFetchSink sink, MailDone done, gpointer data)
{
    Pop3Op *op = pop3_op_new(sizeof(FetchOp), &fetch_class, POP3_LISTED_NAMES, done, data);
    FetchOp *fetch = (FetchOp *)op;

    op->ahead = request->ahead;
    fetch->sink = sink;
    fetch->uids = g_memdup2(request->uids, request->n_uids * sizeof *request->uids);
    fetch->n_uids = request->n_uids;
    fetch->ranges = g_memdup2(request->ranges, request->n_ranges * sizeof *request->ranges);
    fetch->n_ranges = request->n_ranges;
    fetch->limit = MIN(request->limit, POP3_MAX_SECTION);
    fetch->messages = g_new0(Message, request->n_uids);
    fetch->refusal = pop3_op_check_folder(request->folder, request->uidvalidity);
    op->offline = fetch->refusal != NULL;
    return op;
}
