#include "change.h"
#include "outcome.h"
#include "search.h"

#include <errno.h>
#include <string.h>

enum {
    LONGEST_ID = 900, /* of a Message-ID: a line has at most 998 bytes (RFC 5322) */
    MOST = 10000,     /* that are told */
};

/*
 * Looks for a message that may have come: opens the folder anew, since one that is open may not
 * show it, searches, and fetches the sizes of what was found.
 */
typedef struct {
    MailOp op;
    MailFoundSink sink;
    uint32_t uidvalidity; /* 0: any */
    uint32_t first;
    char *message_id; /* NULL: none */
    ImapSearch search;
    uint32_t opened_as; /* UIDVALIDITY */
    GHashTable *sizes;  /* UID -> boxed size, until all is answered */
} FindOp;

/* Whether what was sent behind the selection was about the right folder; else it is finished. */
static bool is_right(FindOp *find)
{
    const ImapMailbox *mailbox = imap_session_mailbox(find->op.session);
    uint32_t right = find->uidvalidity ? find->uidvalidity : find->opened_as;
    GError *error;

    if (!right && g_strcmp0(mailbox->name, find->op.folder) == 0)
        right = mailbox->uidvalidity;
    error = imap_session_selected(find->op.session, find->op.folder, right);
    find->opened_as = right;
    if (error)
        imap_op_finish(&find->op, error);
    return !error;
}

static GError *outcome(const FindOp *find, const ImapResponse *response, const GError *error)
{
    g_autofree char *what = g_strdup_printf("looking for a message in %s", find->op.folder);

    return error ? g_error_copy(error) : imap_outcome(response, what);
}

static void find_start(MailOp *op);

/*
 * Whether a command sent now finds the folder open: it may be opened again by then. (Who waited for
 * that, and opened it anew, would go on for ever with another one who does the same.)
 */
static bool will_be_open(const FindOp *find)
{
    return g_strcmp0(imap_session_target(find->op.session), find->op.folder) == 0;
}

/* Whether the folder was opened again behind the search, and is another one now, which will do too.
 */
static bool is_another(const FindOp *find)
{
    const ImapMailbox *mailbox = imap_session_mailbox(find->op.session);

    return !find->uidvalidity && g_strcmp0(mailbox->name, find->op.folder) == 0 &&
           mailbox->uidvalidity != find->opened_as;
}

/* --- sizes -------------------------------------------------------------------------------------
 */

static bool size_untagged(gpointer data, const ImapResponse *response)
{
    FindOp *find = data;
    const ImapValue *items = imap_value_item(response->values, 0);
    uint64_t uid = 0, size = 0;
    bool has_size = false;

    if (strcmp(response->name, "FETCH") != 0)
        return false;
    for (size_t i = 0; i + 1 < imap_value_count(items); i += 2) {
        const ImapValue *value = imap_value_item(items, i + 1);
        if (imap_value_is(imap_value_item(items, i), "UID"))
            imap_value_number(value, &uid);
        else if (imap_value_is(imap_value_item(items, i), "RFC822.SIZE"))
            has_size = imap_value_number(value, &size) || has_size;
    }
    if (has_size && uid <= UINT32_MAX && g_hash_table_size(find->sizes) < MOST &&
        imap_search_found(&find->search, (uint32_t)uid))
        g_hash_table_replace(find->sizes, GUINT_TO_POINTER((guint)uid),
                             g_memdup2(&size, sizeof size));
    return false; /* others may hear it too */
}

static int compare_uids(gconstpointer a, gconstpointer b)
{
    guint left = GPOINTER_TO_UINT(a), right = GPOINTER_TO_UINT(b);

    return (left > right) - (left < right);
}

static void tell(FindOp *find)
{
    g_autoptr(GList) uids = g_list_sort(g_hash_table_get_keys(find->sizes), compare_uids);

    for (const GList *l = uids; l; l = l->next)
        find->sink(find->op.data, find->opened_as, GPOINTER_TO_UINT(l->data),
                   *(uint64_t *)g_hash_table_lookup(find->sizes, l->data));
}

static void size_done(gpointer data, const ImapResponse *response, const GError *error)
{
    FindOp *find = data;
    GError *failure = error ? g_error_copy(error) : NULL;

    if (!failure && is_another(find)) {
        find_start(&find->op);
        return;
    }
    if (!failure && !is_right(find))
        return;
    if (!failure)
        failure = outcome(find, response, error);
    if (!failure)
        tell(find);
    imap_op_finish(&find->op, failure);
}

static const ImapRequestEvents size_events = {
    .untagged = size_untagged, .overhears = true, .done = size_done};

/* A range that the server told may be long: what is not there costs nothing. */
static void send_sizes(FindOp *find)
{
    g_autoptr(GString) set = g_string_new(NULL);
    ImapCommand *command = imap_command_new("UID FETCH");

    for (guint i = 0; i < find->search.ranges->len && set->len < IMAP_BATCH_BYTES; i++) {
        const MailUidRange *range = &g_array_index(find->search.ranges, MailUidRange, i);
        g_string_append_printf(set, set->len ? ",%u" : "%u", range->first);
        if (range->last > range->first)
            g_string_append_printf(set, ":%u", range->last);
    }
    imap_command_raw(command, set->str);
    imap_command_raw(command, "(RFC822.SIZE)");
    imap_conn_send(imap_session_conn(find->op.session), command, 0, &size_events, find);
}

/* --- the search --------------------------------------------------------------------------------
 */

static bool search_untagged(gpointer data, const ImapResponse *response)
{
    return imap_search_take(&((FindOp *)data)->search, response);
}

/* "12:*" also finds the last message, whatever its UID. */
static void drop_older(FindOp *find)
{
    GArray *ranges = find->search.ranges;

    while (ranges && ranges->len && g_array_index(ranges, MailUidRange, 0).last < find->first)
        g_array_remove_index(ranges, 0);
    if (ranges && ranges->len && g_array_index(ranges, MailUidRange, 0).first < find->first)
        g_array_index(ranges, MailUidRange, 0).first = find->first;
}

static void search_done(gpointer data, const ImapResponse *response, const GError *error)
{
    FindOp *find = data;
    GError *failure = error ? g_error_copy(error) : NULL;

    if (!failure && !is_right(find))
        return;
    if (!failure)
        failure = outcome(find, response, error);
    if (!failure && !imap_search_finish(&find->search))
        failure = g_error_new(MAIL_ERROR, EPROTO,
                              "looking for a message in %s: the server did not answer a search",
                              find->op.folder);
    drop_older(find);
    if (failure || !find->search.ranges || !find->search.ranges->len)
        imap_op_finish(&find->op, failure);
    else if (will_be_open(find))
        send_sizes(find);
    else /* somebody else has opened another one */
        find_start(&find->op);
}

static const ImapRequestEvents search_events = {.untagged = search_untagged, .done = search_done};

static void find_start(MailOp *op)
{
    FindOp *find = (FindOp *)op;
    g_autoptr(ImapCommand) command = imap_search_command(op->session);
    ImapLiteralMode mode = imap_session_literal_mode(op->session);
    GError *error = NULL;

    imap_search_clear(&find->search);
    g_hash_table_remove_all(find->sizes);
    find->opened_as = 0;
    imap_session_select(op->session, op->folder, NULL, NULL, NULL);
    imap_command_rawf(command, "UID %u:*", find->first);
    if (find->message_id) {
        imap_command_raw(command, "HEADER Message-ID");
        if (!imap_command_astring(command, find->message_id, false, mode, &error)) {
            imap_op_finish(op, error);
            return;
        }
    }
    /* Nobody else's answer may be taken for that of this one. */
    imap_conn_send(imap_session_conn(op->session), g_steal_pointer(&command),
                   imap_search_is_extended(op->session) ? 0 : IMAP_REQUEST_BARRIER, &search_events,
                   find);
}

static void find_free(MailOp *op)
{
    FindOp *find = (FindOp *)op;

    imap_search_clear(&find->search);
    g_hash_table_unref(find->sizes);
    g_free(find->message_id);
    imap_op_free(op);
}

static const ImapOpClass find_class = {.start = find_start, .free = find_free};

/* One that is no plain text is not searched for: the sizes have to do. */
static bool is_plain(const char *message_id)
{
    for (const char *p = message_id; *p; p++)
        if (!g_ascii_isprint(*p))
            return false;
    return *message_id && strlen(message_id) <= LONGEST_ID;
}

MailOp *imap_find_new(const MailFind *request, MailFoundSink found, MailDone done, gpointer data)
{
    MailOp *op = imap_op_new(sizeof(FindOp), &find_class, request->folder, done, data);
    FindOp *find = (FindOp *)op;

    op->holds = true;
    find->sink = found;
    find->uidvalidity = request->uidvalidity;
    find->first = MAX(request->first, 1);
    if (request->message_id && is_plain(request->message_id))
        find->message_id = g_strdup(request->message_id);
    find->sizes = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    return op;
}
