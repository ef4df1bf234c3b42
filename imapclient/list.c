#include "op.h"

#include "limits.h"
#include "listing.h"
#include "names.h"
#include "outcome.h"

#include <errno.h>
#include <string.h>

/*
 * LIST of all there is, and of the other namespaces where the first LIST did not show them
 * (RFC 9051 section 6.3.9, RFC 2342). `running` counts commands under way.
 */
typedef struct {
    MailOp op;
    MailFolderSink sink;
    GHashTable *seen;    /* names that were told */
    GPtrArray *prefixes; /* of other users' and shared namespaces, as on the wire */
    unsigned running;
    bool asked_others;
    size_t length; /* of all names together */
    bool flooded, strange;
    GError *failure;
} ListOp;

static void tell(ListOp *list, const char *name, char delimiter, unsigned attributes)
{
    MailFolderInfo info = {.name = name, .delimiter = delimiter, .attributes = attributes};

    if (g_hash_table_contains(list->seen, name))
        return;
    if (g_hash_table_size(list->seen) >= IMAP_MAX_FOLDERS ||
        list->length + strlen(name) > IMAP_MAX_NAMES) {
        if (!list->flooded)
            g_warning("the server has more folders than can be shown: only %u of them are",
                      g_hash_table_size(list->seen));
        list->flooded = true;
        return;
    }
    g_hash_table_add(list->seen, g_strdup(name));
    list->length += strlen(name);
    list->op.told = true;
    list->sink(list->op.data, &info);
}

static bool list_untagged(gpointer data, const ImapResponse *response)
{
    ListOp *list = data;
    g_auto(ImapListing) found = {0};

    if (strcmp(response->name, "LIST") != 0)
        return false;
    if (imap_listing_read(&found, list->op.session, response)) {
        tell(list, found.name, found.delimiter, found.attributes);
    } else if (!list->strange && !found.is_root) {
        list->strange = true;
        g_warning("folders whose names can't be told, or are too long, are not shown");
    }
    return false; /* others may have asked for the same */
}

static void next(ListOp *list);

static void list_done(gpointer data, const ImapResponse *response, const GError *error)
{
    ListOp *list = data;

    if (!list->failure)
        list->failure = error ? g_error_copy(error) : imap_outcome(response, "listing folders");
    next(list);
}

static const ImapRequestEvents list_events = {.untagged = list_untagged, .done = list_done};

static bool namespace_untagged(gpointer data, const ImapResponse *response)
{
    ListOp *list = data;

    return imap_namespaces_read(response, list->prefixes);
}

/* A server that refuses NAMESPACE is used without. */
static void namespace_done(gpointer data, const ImapResponse *response, const GError *error)
{
    ListOp *list = data;

    (void)response;
    if (error && !list->failure)
        list->failure = g_error_copy(error);
    next(list);
}

static const ImapRequestEvents namespace_events = {.untagged = namespace_untagged,
                                                   .done = namespace_done};

static bool shown_already(ListOp *list, const char *prefix)
{
    GHashTableIter iter;
    gpointer name;
    g_autofree char *utf8 = imap_name_from_wire(prefix, '\0', true);

    g_hash_table_iter_init(&iter, list->seen);
    while (g_hash_table_iter_next(&iter, &name, NULL))
        if (utf8 && g_str_has_prefix(name, utf8))
            return true;
    return false;
}

static void send_list(ListOp *list, const char *prefix)
{
    g_autoptr(ImapCommand) command = imap_command_new("LIST");
    g_autofree char *pattern = g_strconcat(prefix, "*", NULL);
    ImapLiteralMode mode = imap_session_literal_mode(list->op.session);
    GError *error = NULL;

    imap_command_raw(command, "\"\"");
    if (!imap_command_astring(command, pattern, false, mode, &error)) {
        if (!list->failure)
            list->failure = g_steal_pointer(&error);
        g_clear_error(&error);
        return;
    }
    list->running++;
    imap_conn_send(imap_session_conn(list->op.session), g_steal_pointer(&command), 0, &list_events,
                   list);
}

/* Every account has an INBOX, also where LIST does not show it (RFC 9051 section 5.1). */
static void finish(ListOp *list)
{
    if (!list->failure && !g_hash_table_contains(list->seen, "INBOX"))
        tell(list, "INBOX", '\0', 0);
    imap_op_finish(&list->op, g_steal_pointer(&list->failure));
}

static void next(ListOp *list)
{
    if (--list->running > 0)
        return;
    if (!list->failure && !list->asked_others) {
        list->asked_others = true;
        list->running++;
        for (guint i = 0; i < list->prefixes->len; i++)
            if (!shown_already(list, g_ptr_array_index(list->prefixes, i)))
                send_list(list, g_ptr_array_index(list->prefixes, i));
        list->running--;
        if (list->running > 0)
            return;
    }
    finish(list);
}

static void list_start(MailOp *op)
{
    ListOp *list = (ListOp *)op;
    const ImapCapabilities *caps = &imap_session_login(op->session)->caps;

    g_clear_error(&list->failure);
    list->asked_others = list->flooded = list->strange = false;
    list->length = 0;
    g_ptr_array_set_size(list->prefixes, 0);
    g_hash_table_remove_all(list->seen);
    list->running = 1;
    if (imap_capabilities_have(caps, IMAP_CAP_NAMESPACE)) {
        list->running++;
        imap_conn_send(imap_session_conn(op->session), imap_command_new("NAMESPACE"), 0,
                       &namespace_events, list);
    }
    send_list(list, "");
    next(list);
}

static void list_free(MailOp *op)
{
    ListOp *list = (ListOp *)op;

    g_hash_table_unref(list->seen);
    g_ptr_array_unref(list->prefixes);
    g_clear_error(&list->failure);
    imap_op_free(op);
}

static const ImapOpClass list_class = {.start = list_start, .free = list_free};

MailOp *imap_list_new(MailFolderSink sink, MailDone done, gpointer data)
{
    MailOp *op = imap_op_new(sizeof(ListOp), &list_class, NULL, done, data);
    ListOp *list = (ListOp *)op;

    list->sink = sink;
    list->seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    list->prefixes = g_ptr_array_new_with_free_func(g_free);
    return op;
}
