#include "session.h"

#include "names.h"
#include "net/quote.h"
#include "outcome.h"

#include <errno.h>
#include <string.h>

/*
 * `target` is the mailbox of the last selection queued; `mailbox` what responses up to now have
 * selected, with `refusal` set where the last selection failed. `selecting` is the queue of
 * selections under way, oldest first: untagged data belongs to its head once that was sent.
 */
struct ImapSession {
    const ImapConfig *config;
    const ImapSessionEvents *events;
    gpointer data;
    unsigned number;
    ImapSessionState state;
    bool settled;
    ImapConn *conn;
    ImapLogin *login;
    ImapLoginResult result;
    char *target;
    bool changing; /* the last selection queued is one that lets the mailbox be changed */
    ImapMailbox mailbox;
    GError *refusal;
    GQueue selecting;
    unsigned held;     /* how many of these are of somebody who waits for the outcome */
    GQueue waiting;    /* Waiter: until none is */
    GSource *deadline; /* of the whole login */
    bool compressing;  /* was asked for; what came of it the stream knows */
};

typedef struct {
    ImapSession *session;
    ImapMailbox incoming; /* without a name: nothing is to be selected any more */
    bool changing;
    bool held;
    const ImapRequestEvents *events; /* of the caller, or NULL */
    gpointer data;
} Selection;

typedef struct {
    void (*released)(gpointer data);
    gpointer data;
} Waiter;

static void selection_free(Selection *selection)
{
    imap_mailbox_clear(&selection->incoming);
    g_free(selection);
}

/* --- the connection's events ------------------------------------------------------------------ */

static void on_ready(gpointer data)
{
    ImapSession *session = data;

    imap_login_ready(session->login);
}

static void on_untagged(gpointer data, const ImapResponse *response)
{
    ImapSession *session = data;

    if (session->state == IMAP_SESSION_CONNECTING)
        imap_login_untagged(session->login, response);
    else if (!imap_mailbox_take(&session->mailbox, response))
        session->events->untagged(session->data, session, response);
}

static void on_closed(gpointer data, const GError *error)
{
    ImapSession *session = data;

    session->state = IMAP_SESSION_DEAD;
    session->events->dead(session->data, session, error);
}

static const ImapConnEvents conn_events = {on_ready, on_untagged, on_closed};

static void drop_deadline(ImapSession *session)
{
    if (session->deadline)
        g_source_destroy(session->deadline);
    g_clear_pointer(&session->deadline, g_source_unref);
}

static gboolean login_too_slow(gpointer data)
{
    ImapSession *session = data;
    const ImapConfig *config = session->config;
    g_autoptr(GError) error = NULL;

    /* A server that awaits TLS says nothing to one who does not begin with it. */
    if (imap_login_awaits_greeting(session->login))
        error = g_error_new(MAIL_ERROR, ETIMEDOUT, "%s:%u: the server did not greet within %u s%s",
                            config->host, config->port, config->timeout,
                            config->implicit_tls ? ""
                                                 : "; is it imaps://, where TLS begins at once?");
    else
        error = g_error_new(MAIL_ERROR, ETIMEDOUT, "%s:%u: logging in took longer than %u s",
                            config->host, config->port, config->timeout);
    drop_deadline(session);
    imap_conn_fail(session->conn, error);
    return G_SOURCE_REMOVE;
}

static void on_login(gpointer data, const GError *error)
{
    ImapSession *session = data;

    drop_deadline(session);
    if (error) {
        imap_conn_fail(session->conn, error);
        return;
    }
    session->state = IMAP_SESSION_READY;
    session->events->ready(session->data, session);
}

static void on_settled(gpointer data)
{
    ImapSession *session = data;

    session->settled = true;
    session->events->settled(session->data, session);
}

static const ImapLoginEvents login_events = {on_login, on_settled};

/* --- selecting ---------------------------------------------------------------------------------
 */

static bool select_untagged(gpointer data, const ImapResponse *response)
{
    Selection *selection = data;
    bool content = strcmp(response->name, "FETCH") == 0 || strcmp(response->name, "VANISHED") == 0;

    if (selection->session->selecting.head->data != selection)
        return false;
    if (content) {
        if (selection->events && selection->events->untagged)
            return selection->events->untagged(selection->data, response);
        return false;
    }
    return imap_mailbox_take(&selection->incoming, response);
}

static void tell_waiting(ImapSession *session)
{
    for (guint n = session->waiting.length; n > 0 && session->waiting.head; n--) {
        g_autofree Waiter *waiter = g_queue_pop_head(&session->waiting);
        waiter->released(waiter->data);
    }
}

static void select_done(gpointer data, const ImapResponse *response, const GError *error)
{
    g_autoptr(GError) refusal = NULL;
    Selection *selection = data;
    ImapSession *session = selection->session;

    g_queue_remove(&session->selecting, selection);
    session->held -= selection->held;
    g_clear_error(&session->refusal);
    imap_mailbox_clear(&session->mailbox);
    if (response) {
        g_autofree char *what = selection->incoming.name
                                    ? g_strdup_printf("opening folder %s", selection->incoming.name)
                                    : g_strdup("leaving a folder");
        refusal = imap_outcome(response, what);
        /* A plain NO to EXAMINE says that there is no such mailbox, in the words of old servers. */
        if (refusal && refusal->code == EREMOTEIO)
            refusal->code = ENOENT;
    }
    if (response && !refusal) {
        session->mailbox = selection->incoming;
        session->mailbox.read_only = session->mailbox.read_only || !selection->changing ||
                                     imap_has_code(response, "READ-ONLY");
        session->mailbox.changed = false;
        if (!session->mailbox.uidvalidity)
            session->mailbox.uidvalidity = session->config->stand_in;
        selection->incoming = (ImapMailbox){0};
    } else {
        session->refusal = refusal ? g_steal_pointer(&refusal) : g_error_copy(error);
        if (g_queue_is_empty(&session->selecting)) {
            g_clear_pointer(&session->target, g_free);
            session->changing = false;
        }
    }
    if (selection->events)
        selection->events->done(selection->data, response, error);
    selection_free(selection);
    if (response && !session->held)
        tell_waiting(session);
}

static const ImapRequestEvents select_events = {.untagged = select_untagged, .done = select_done};

static ImapCommand *select_command(ImapSession *session, const char *name, bool changing,
                                   const MailFolderState *known, GError **error)
{
    g_autoptr(ImapCommand) command = imap_command_new(changing ? "SELECT" : "EXAMINE");

    if (!imap_session_add_mailbox(session, command, name, error))
        return NULL;
    if (known && known->uidvalidity && known->modseq && session->result.qresync)
        imap_command_rawf(command, "(QRESYNC (%u %" G_GUINT64_FORMAT "))", known->uidvalidity,
                          (guint64)known->modseq);
    else if (imap_capabilities_have(&session->result.caps, IMAP_CAP_CONDSTORE))
        imap_command_raw(command, "(CONDSTORE)");
    return g_steal_pointer(&command);
}

static void queue_selection(ImapSession *session, ImapCommand *command, Selection *selection)
{
    selection->session = session;
    session->changing = selection->changing;
    if (g_strcmp0(session->target, selection->incoming.name) != 0) {
        g_free(session->target);
        session->target = g_strdup(selection->incoming.name);
    }
    g_queue_push_tail(&session->selecting, selection);
    imap_conn_send(session->conn, command, 0, &select_events, selection);
}

static void select_mailbox(ImapSession *session, const char *name, bool changing,
                           const MailFolderState *known, const ImapRequestEvents *events,
                           gpointer data)
{
    g_autoptr(GError) error = NULL;
    ImapCommand *command = select_command(session, name, changing, known, &error);
    Selection *selection;

    if (!command) {
        imap_conn_fail(session->conn, error);
        return;
    }
    selection = g_new0(Selection, 1);
    selection->incoming.name = g_strdup(name);
    selection->changing = changing;
    selection->events = events;
    selection->data = data;
    queue_selection(session, command, selection);
}

void imap_session_select(ImapSession *session, const char *name, const MailFolderState *known,
                         const ImapRequestEvents *events, gpointer data)
{
    bool changing = session->changing && g_strcmp0(session->target, name) == 0;

    select_mailbox(session, name, changing, known, events, data);
}

void imap_session_select_to_change(ImapSession *session, const char *name,
                                   const ImapRequestEvents *events, gpointer data)
{
    g_assert(!session->config->read_only);
    select_mailbox(session, name, true, NULL, events, data);
}

/*
 * CLOSE would expunge what anybody marked. Where there is no UNSELECT (RFC 3691), another mailbox
 * is opened, and INBOX always exists.
 */
void imap_session_unselect(ImapSession *session)
{
    if (!session->target)
        return;
    if (imap_capabilities_have(&session->result.caps, IMAP_CAP_UNSELECT))
        queue_selection(session, imap_command_new("UNSELECT"), g_new0(Selection, 1));
    else
        select_mailbox(session, "INBOX", false, NULL, NULL, NULL);
}

bool imap_session_is_behind(const ImapSession *session, uint32_t uid)
{
    return session->selecting.length == 0 && session->mailbox.uidnext &&
           uid >= session->mailbox.uidnext;
}

/* The caller of a selection goes away; the selection itself goes on. */
void imap_session_forget(ImapSession *session, gpointer data)
{
    for (GList *l = session->selecting.head; l; l = l->next) {
        Selection *selection = l->data;
        if (selection->data == data)
            selection->events = NULL;
    }
    for (GList *l = session->waiting.head, *next; l; l = next) {
        next = l->next;
        if (((Waiter *)l->data)->data != data)
            continue;
        g_free(l->data);
        g_queue_delete_link(&session->waiting, l);
    }
    imap_conn_cancel(session->conn, data);
}

void imap_session_hold(ImapSession *session)
{
    Selection *last = g_queue_peek_tail(&session->selecting);

    if (!last || last->held)
        return;
    last->held = true;
    session->held++;
}

bool imap_session_is_held(const ImapSession *session)
{
    return session->held > 0;
}

void imap_session_wait(ImapSession *session, void (*released)(gpointer data), gpointer data)
{
    Waiter *waiter = g_new(Waiter, 1);

    *waiter = (Waiter){released, data};
    g_queue_push_tail(&session->waiting, waiter);
}

GError *imap_session_selected(const ImapSession *session, const char *name, uint32_t uidvalidity)
{
    if (session->refusal)
        return g_error_copy(session->refusal);
    if (g_strcmp0(session->mailbox.name, name) != 0)
        return g_error_new(MAIL_ERROR, EAGAIN, "folder %s is not open", name);
    if (session->mailbox.uidvalidity != uidvalidity)
        return g_error_new(MAIL_ERROR, ESTALE,
                           "folder %s is another one by now (its UIDVALIDITY changed)", name);
    return NULL;
}

GError *imap_session_holds(const ImapSession *session, const char *name, uint32_t uidvalidity,
                           bool to_change)
{
    GError *error;

    if (session->selecting.length > 0 || g_strcmp0(session->target, name) != 0 ||
        (to_change && !session->changing))
        return g_error_new(MAIL_ERROR, EAGAIN, "folder %s is not open", name);
    error = imap_session_selected(session, name, uidvalidity);
    if (!error && to_change && session->mailbox.read_only)
        error = g_error_new(MAIL_ERROR, EROFS, "folder %s can only be read", name);
    return error;
}

/* --- compression ---------------------------------------------------------------------------- */

/* A server that refuses goes on without; a connection that is lost is told elsewhere. */
static void compress_done(gpointer data, const ImapResponse *response, const GError *error)
{
    ImapSession *session = data;

    if (!error && strcmp(response->name, "OK") != 0) {
        g_autofree char *text = quote_text(response->text);
        g_info("connection %u is not compressed: %s", session->number, text);
    }
}

static const ImapRequestEvents compress_events = {.done = compress_done};

void imap_session_compress(ImapSession *session)
{
    ImapCommand *command;

    if (session->compressing || session->state != IMAP_SESSION_READY ||
        !imap_capabilities_have(&session->result.caps, IMAP_CAP_COMPRESS))
        return;
    session->compressing = true;
    command = imap_command_new("COMPRESS DEFLATE");
    imap_conn_send(session->conn, command, IMAP_REQUEST_COMPRESS, &compress_events, session);
}

/* --- life and looks ------------------------------------------------------------------------------
 */

ImapSession *imap_session_new(const ImapConfig *config, unsigned number,
                              const ImapSessionEvents *events, gpointer data)
{
    ImapSession *session = g_new0(ImapSession, 1);

    session->config = config;
    session->events = events;
    session->data = data;
    session->number = number;
    g_queue_init(&session->selecting);
    g_queue_init(&session->waiting);
    session->conn = imap_conn_new(config, number, &conn_events, session);
    session->login = imap_login_new(config, session->conn, &session->result, &login_events,
                                    session);
    session->deadline = g_timeout_source_new_seconds(config->timeout);
    g_source_set_callback(session->deadline, login_too_slow, session, NULL);
    g_source_attach(session->deadline, g_main_context_get_thread_default());
    return session;
}

void imap_session_free(ImapSession *session)
{
    if (!session)
        return;
    drop_deadline(session);
    imap_conn_free(session->conn);
    imap_login_free(session->login);
    imap_login_result_clear(&session->result);
    imap_mailbox_clear(&session->mailbox);
    g_queue_clear_full(&session->selecting, (GDestroyNotify)selection_free);
    g_queue_clear_full(&session->waiting, g_free);
    g_clear_error(&session->refusal);
    g_free(session->target);
    g_free(session);
}

ImapSessionState imap_session_state(const ImapSession *session)
{
    return session->state;
}

bool imap_session_is_settled(const ImapSession *session)
{
    return session->settled && session->state == IMAP_SESSION_READY;
}

ImapConn *imap_session_conn(ImapSession *session)
{
    return session->conn;
}

const ImapLoginResult *imap_session_login(const ImapSession *session)
{
    return &session->result;
}

const char *imap_session_target(const ImapSession *session)
{
    return session->target;
}

uint32_t imap_session_incoming(const ImapSession *session)
{
    const Selection *selection = session->selecting.head ? session->selecting.head->data : NULL;

    return selection ? selection->incoming.uidvalidity : 0;
}

const ImapMailbox *imap_session_mailbox(const ImapSession *session)
{
    return &session->mailbox;
}

ImapLiteralMode imap_session_literal_mode(const ImapSession *session)
{
    if (imap_capabilities_have(&session->result.caps, IMAP_CAP_LITERAL_PLUS))
        return IMAP_LITERAL_PLUS;
    if (imap_capabilities_have(&session->result.caps, IMAP_CAP_LITERAL_MINUS))
        return IMAP_LITERAL_MINUS;
    return IMAP_LITERAL_SYNC;
}

bool imap_session_add_mailbox(const ImapSession *session, ImapCommand *command, const char *name,
                              GError **error)
{
    g_autofree char *wire = imap_name_to_wire(name, session->result.utf8);

    return imap_command_astring(command, wire, session->result.utf8,
                                imap_session_literal_mode(session), error);
}

void imap_session_describe(ImapSession *session, GString *text)
{
    static const char *const states[] = {"connecting", "ready", "dead"};
    Stream *stream = imap_conn_stream(session->conn);
    uint64_t received = 0, sent = 0;

    if (stream)
        stream_counters(stream, &received, &sent);
    g_string_append_printf(text, "connection-%u: %s", session->number, states[session->state]);
    if (session->mailbox.name) {
        g_autofree char *name = quote_text(session->mailbox.name);
        g_string_append_printf(text, ", folder \"%s\"", name);
    }
    g_string_append_printf(text,
                           ", %zu commands under way, %" G_GUINT64_FORMAT
                           " bytes received, %" G_GUINT64_FORMAT " sent, tls %s%s\n",
                           imap_conn_load(session->conn), (guint64)received, (guint64)sent,
                           stream ? stream_tls_text(stream) : "none",
                           stream && stream_is_deflated(stream) ? ", compressed" : "");
}
