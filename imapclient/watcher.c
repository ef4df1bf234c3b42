#include "watcher.h"

#include "listing.h"
#include "names.h"
#include "net/quote.h"
#include "outcome.h"

#include <string.h>

typedef enum {
    RESTING,
    OPENING, /* the folder of an IDLE to be */
    ASKING,  /* NOTIFY or IDLE was sent */
    TOLD,    /* the server tells what changes */
} WatcherState;

/*
 * `folder` is that of an IDLE; NULL: NOTIFY. `afresh`: it was selected for this IDLE. `others` are
 * the prefixes, on the wire, of what NOTIFY's PERSONAL does not cover.
 */
struct ImapWatcher {
    ImapSession *session;
    const ImapWatcherEvents *events;
    gpointer data;
    unsigned renew;
    GSource *renewal;
    WatcherState state;
    char *folder;
    bool afresh;
    bool ends; /* we have ended the IDLE */
    bool notifies;
    GPtrArray *others;
};

static ImapConn *conn_of(const ImapWatcher *watcher)
{
    return imap_session_conn(watcher->session);
}

/* --- what keeps a connection alive -------------------------------------------------------------
 */

static void drop_renewal(ImapWatcher *watcher)
{
    if (watcher->renewal)
        g_source_destroy(watcher->renewal);
    g_clear_pointer(&watcher->renewal, g_source_unref);
}

static void noop_done(gpointer data, const ImapResponse *response, const GError *error)
{
    (void)data;
    (void)response;
    (void)error;
}

static const ImapRequestEvents noop_events = {.done = noop_done};

/* Where the server does not answer the one or the other, the connection fails. */
static gboolean renew(gpointer data)
{
    ImapWatcher *watcher = data;

    if (watcher->state != TOLD)
        return G_SOURCE_CONTINUE;
    if (!watcher->folder) {
        imap_conn_send(conn_of(watcher), imap_command_new("NOOP"), 0, &noop_events, watcher);
    } else {
        watcher->ends = true;
        imap_conn_end_idle(conn_of(watcher));
    }
    return G_SOURCE_CONTINUE;
}

/* --- what the server tells -------------------------------------------------------------------- */

static void take_status(ImapWatcher *watcher, const ImapResponse *response)
{
    const char *wire = imap_value_text(imap_value_item(response->values, 0));
    g_autofree char *name =
        wire ? imap_name_from_wire(wire, '\0', imap_session_login(watcher->session)->utf8) : NULL;

    if (name)
        watcher->events->changed(watcher->data, name);
}

static void rest(ImapWatcher *watcher)
{
    watcher->state = RESTING;
    watcher->ends = false;
    drop_renewal(watcher);
}

void imap_watcher_take(ImapWatcher *watcher, const ImapResponse *response)
{
    if (!watcher->notifies || watcher->folder)
        return;
    if (strcmp(response->name, "STATUS") == 0) {
        take_status(watcher, response);
    } else if (strcmp(response->name, "LIST") == 0) {
        watcher->events->folders(watcher->data);
    } else if (imap_has_code(response, "NOTIFICATIONOVERFLOW")) {
        rest(watcher);
        watcher->notifies = false;
        watcher->events->refused(watcher->data, true);
    }
}

static void told(ImapWatcher *watcher)
{
    watcher->state = TOLD;
    drop_renewal(watcher);
    watcher->renewal = g_timeout_source_new_seconds(watcher->renew);
    g_source_set_callback(watcher->renewal, renew, watcher, NULL);
    g_source_attach(watcher->renewal, g_main_context_get_thread_default());
}

/* --- NOTIFY --------------------------------------------------------------------------------- */

static bool namespace_untagged(gpointer data, const ImapResponse *response)
{
    ImapWatcher *watcher = data;

    return imap_namespaces_read(response, watcher->others);
}

static const ImapRequestEvents namespace_events = {.untagged = namespace_untagged,
                                                   .done = noop_done};

static bool notify_untagged(gpointer data, const ImapResponse *response)
{
    if (strcmp(response->name, "STATUS") != 0 && strcmp(response->name, "LIST") != 0)
        return false;
    imap_watcher_take(data, response);
    return true;
}

static void notify_done(gpointer data, const ImapResponse *response, const GError *error)
{
    ImapWatcher *watcher = data;

    if (error)
        return;
    if (strcmp(response->name, "OK") == 0) {
        told(watcher);
        watcher->events->began(watcher->data);
        return;
    }
    g_autofree char *text = quote_text(response->text);
    g_info("the server does not take NOTIFY: %s", text);
    rest(watcher);
    watcher->notifies = false;
    watcher->events->refused(watcher->data, true);
}

static const ImapRequestEvents notify_events = {.untagged = notify_untagged, .done = notify_done};

/* The events of flags and of new and removed messages are told by STATUS, of names by LIST. */
void imap_watcher_notify(ImapWatcher *watcher)
{
    ImapCommand *command = imap_command_new("NOTIFY SET");

    watcher->notifies = true;
    watcher->state = ASKING;
    imap_session_unselect(watcher->session); /* PERSONAL does not mean what is selected */
    g_ptr_array_set_size(watcher->others, 0);
    if (imap_capabilities_have(&imap_session_login(watcher->session)->caps, IMAP_CAP_NAMESPACE))
        imap_conn_send(conn_of(watcher), imap_command_new("NAMESPACE"), 0, &namespace_events,
                       watcher);
    imap_command_raw(command, "(PERSONAL (MessageNew MessageExpunge FlagChange MailboxName))");
    imap_conn_send(conn_of(watcher), command, 0, &notify_events, watcher);
}

/* --- IDLE ----------------------------------------------------------------------------------- */

/* EXISTS is said again by servers that want to be heard only. How many there are behind a VANISHED
 * nobody counts. */
static bool is_change(const ImapWatcher *watcher, const ImapResponse *response)
{
    const ImapMailbox *mailbox = imap_session_mailbox(watcher->session);

    if (strcmp(response->name, "EXISTS") == 0)
        return mailbox->changed || mailbox->exists != response->number;
    return strcmp(response->name, "EXPUNGE") == 0 || strcmp(response->name, "VANISHED") == 0 ||
           strcmp(response->name, "FETCH") == 0;
}

static bool idle_untagged(gpointer data, const ImapResponse *response)
{
    ImapWatcher *watcher = data;

    if (is_change(watcher, response))
        watcher->events->changed(watcher->data, watcher->folder);
    return false; /* the session counts messages */
}

static void idle_begun(gpointer data, const char *text)
{
    ImapWatcher *watcher = data;
    bool afresh = watcher->afresh;

    (void)text;
    if (watcher->state != ASKING)
        return;
    watcher->afresh = false;
    told(watcher);
    if (afresh)
        watcher->events->began(watcher->data);
}

static void idle_done(gpointer data, const ImapResponse *response, const GError *error)
{
    ImapWatcher *watcher = data;
    bool server = !watcher->ends && imap_conn_load(conn_of(watcher)) == 0;

    rest(watcher);
    if (error)
        return;
    if (strcmp(response->name, "OK") == 0) {
        watcher->events->paused(watcher->data, server);
        return;
    }
    g_autofree char *what = quote_text(response->text);
    g_info("the server does not take IDLE: %s", what);
    watcher->events->refused(watcher->data, false);
}

static const ImapRequestEvents idle_events = {
    .untagged = idle_untagged, .continuation = idle_begun, .done = idle_done};

static void send_idle(ImapWatcher *watcher)
{
    watcher->state = ASKING;
    watcher->ends = false;
    imap_conn_send(conn_of(watcher), imap_command_new("IDLE"), IMAP_REQUEST_IDLE, &idle_events,
                   watcher);
}

static void open_done(gpointer data, const ImapResponse *response, const GError *error)
{
    ImapWatcher *watcher = data;

    if (error)
        return;
    if (strcmp(response->name, "OK") == 0) {
        watcher->afresh = true;
        send_idle(watcher);
        return;
    }
    rest(watcher);
    watcher->events->unopened(watcher->data);
}

static const ImapRequestEvents open_events = {.done = open_done};

/* What was told of a folder that stays selected, between two IDLEs, has not been passed on. */
void imap_watcher_idle(ImapWatcher *watcher, const char *folder)
{
    bool selected = g_strcmp0(imap_session_target(watcher->session), folder) == 0;

    imap_session_forget(watcher->session, watcher);
    rest(watcher);
    if (watcher->folder != folder) {
        g_free(watcher->folder);
        watcher->folder = g_strdup(folder);
    }
    watcher->afresh = false;
    if (!selected) {
        watcher->state = OPENING;
        imap_session_select(watcher->session, folder, NULL, &open_events, watcher);
        return;
    }
    if (imap_session_mailbox(watcher->session)->changed)
        watcher->events->changed(watcher->data, folder);
    send_idle(watcher);
}

/* --- life and looks ------------------------------------------------------------------------------
 */

ImapWatcher *imap_watcher_new(ImapSession *session, unsigned renew_seconds,
                              const ImapWatcherEvents *events, gpointer data)
{
    ImapWatcher *watcher = g_new0(ImapWatcher, 1);

    watcher->session = session;
    watcher->renew = renew_seconds;
    watcher->events = events;
    watcher->data = data;
    watcher->others = g_ptr_array_new_with_free_func(g_free);
    return watcher;
}

static void forget_notify(ImapWatcher *watcher)
{
    ImapCommand *command = imap_command_new("NOTIFY NONE");

    imap_conn_send(conn_of(watcher), command, 0, &noop_events, NULL);
}

void imap_watcher_free(ImapWatcher *watcher)
{
    if (!watcher)
        return;
    rest(watcher);
    if (imap_session_state(watcher->session) == IMAP_SESSION_READY) {
        imap_session_forget(watcher->session, watcher);
        if (watcher->notifies)
            forget_notify(watcher);
    }
    g_ptr_array_unref(watcher->others);
    g_free(watcher->folder);
    g_free(watcher);
}

bool imap_watcher_rests(const ImapWatcher *watcher)
{
    return watcher->state == RESTING;
}

const char *imap_watcher_folder(const ImapWatcher *watcher)
{
    return watcher->folder;
}

static bool is_personal(const ImapWatcher *watcher, const char *folder)
{
    g_autofree char *wire = imap_name_to_wire(folder, imap_session_login(watcher->session)->utf8);

    for (guint i = 0; i < watcher->others->len; i++)
        if (g_str_has_prefix(wire, g_ptr_array_index(watcher->others, i)))
            return false;
    return true;
}

bool imap_watcher_watches(const ImapWatcher *watcher, const char *folder)
{
    if (watcher->state != TOLD)
        return false;
    if (watcher->folder)
        return g_strcmp0(watcher->folder, folder) == 0;
    return !folder || (is_personal(watcher, folder) &&
                       g_strcmp0(imap_session_target(watcher->session), folder) != 0);
}
