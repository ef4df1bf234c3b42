#include "session.h"

#include "naming.h"
#include "outcome.h"

#include <errno.h>

/*
 * While `listing_now`, what is listed is in flux: `answers` are still to come, or `naming` is under
 * way. `listed` is what is complete. Once `told` (dead or left) nothing more is.
 */
struct Pop3Session {
    const Pop3Config *config;
    const Pop3SessionEvents *events;
    gpointer data;
    unsigned number;
    Pop3SessionState state;
    Pop3Conn *conn;
    Pop3Login *login;
    Pop3LoginResult result;
    GSource *deadline; /* of the whole login */
    bool *has_uidl;
    bool no_top;
    bool was_ready;
    bool told;

    Pop3Listing *listing;
    Pop3Listed listed, wanted;
    bool listing_now;
    unsigned answers;
    bool no_uidl;
    GError *failure;
    Pop3Naming *naming;
};

/* --- the connection's events ------------------------------------------------------------------ */

static void on_ready(gpointer data)
{
    pop3_login_ready(((Pop3Session *)data)->login);
}

static void on_greeting(gpointer data, const Pop3Reply *reply)
{
    pop3_login_greeting(((Pop3Session *)data)->login, reply);
}

static void on_closed(gpointer data, const GError *error)
{
    Pop3Session *session = data;

    session->state = POP3_SESSION_DEAD;
    if (session->told)
        return;
    session->told = true;
    session->events->dead(session->data, error);
}

static const Pop3ConnEvents conn_events = {on_ready, on_greeting, on_closed};

static void drop_deadline(Pop3Session *session)
{
    if (session->deadline)
        g_source_destroy(session->deadline);
    g_clear_pointer(&session->deadline, g_source_unref);
}

static gboolean login_too_slow(gpointer data)
{
    Pop3Session *session = data;
    g_autoptr(GError)
        error = g_error_new(MAIL_ERROR, ETIMEDOUT, "%s:%u: logging in took longer than %u s",
                            session->config->host, session->config->port, session->config->timeout);

    drop_deadline(session);
    pop3_conn_fail(session->conn, error);
    return G_SOURCE_REMOVE;
}

static void on_login(gpointer data, const GError *error)
{
    Pop3Session *session = data;

    drop_deadline(session);
    if (error) {
        pop3_conn_fail(session->conn, error);
        return;
    }
    if (pop3_capabilities_have(&session->result.caps, POP3_CAP_PIPELINING))
        pop3_conn_pipeline(session->conn);
    session->state = POP3_SESSION_READY;
    session->was_ready = true;
    session->events->ready(session->data);
}

/* --- listing -----------------------------------------------------------------------------------
 */

/* error: taken over. */
static void finish_listing(Pop3Session *session, GError *error)
{
    g_autoptr(GError) owned = error;

    session->listing_now = false;
    g_clear_error(&session->failure);
    if (owned) {
        g_clear_pointer(&session->listing, pop3_listing_free);
        session->listed = POP3_LISTED_NOTHING;
    } else {
        pop3_listing_finish(session->listing);
        session->listed = session->wanted;
    }
    session->events->listed(session->data, owned);
}

static void note_failure(Pop3Session *session, GError *error)
{
    if (session->failure)
        g_error_free(error);
    else
        session->failure = error;
}

static void uidl_line(gpointer data, const char *line, size_t length)
{
    Pop3Session *session = data;
    GError *error = NULL;

    if (!session->failure && !pop3_listing_take_name(session->listing, line, length, &error))
        note_failure(session, error);
}

static void list_line(gpointer data, const char *line, size_t length)
{
    Pop3Session *session = data;
    GError *error = NULL;

    if (!session->failure && !pop3_listing_take_size(session->listing, line, length, &error))
        note_failure(session, error);
}

static void listed_all(Pop3Session *session);

static void answered(Pop3Session *session)
{
    if (--session->answers == 0)
        listed_all(session);
}

/* A server that once had UIDL, or says that it has, can't do without for a moment: all messages
 * would have other names. */
static bool lacks_uidl(const Pop3Session *session, const Pop3Reply *reply)
{
    return reply->kind == POP3_ERR && !*reply->code && !*session->has_uidl &&
           !pop3_capabilities_have(&session->result.caps, POP3_CAP_UIDL);
}

static void uidl_done(gpointer data, const Pop3Reply *reply, const GError *error)
{
    Pop3Session *session = data;
    GError *failure = error ? g_error_copy(error) : pop3_outcome(reply, "listing unique-ids");

    if (!failure) {
        *session->has_uidl = true;
    } else if (!error && lacks_uidl(session, reply)) {
        session->no_uidl = true;
        g_info("the server has no unique-ids (UIDL): the messages themselves are looked at");
        g_clear_error(&failure);
    }
    if (failure)
        note_failure(session, failure);
    answered(session);
}

static void list_done(gpointer data, const Pop3Reply *reply, const GError *error)
{
    Pop3Session *session = data;
    GError *failure = error ? g_error_copy(error) : pop3_outcome(reply, "listing messages");

    if (failure)
        note_failure(session, failure);
    answered(session);
}

static const Pop3RequestEvents uidl_events = {.line = uidl_line, .done = uidl_done};
static const Pop3RequestEvents list_events = {.line = list_line, .done = list_done};

static void send_list(Pop3Session *session)
{
    session->answers++;
    session->wanted = POP3_LISTED_SIZES;
    pop3_conn_send(session->conn, "LIST", POP3_REQUEST_LINES, 0, &list_events, session, session);
}

static void named_all(gpointer data, const GError *error)
{
    Pop3Session *session = data;
    GError *failure = error ? g_error_copy(error) : NULL; /* which is the naming's */

    g_clear_pointer(&session->naming, pop3_naming_free);
    finish_listing(session, failure);
}

static bool lacks_names(const Pop3Session *session)
{
    return pop3_listing_nameless(session->listing, 0) < pop3_listing_count(session->listing);
}

/* All answers are there. A message that has to be named by its content may be in LIST alone. */
static void listed_all(Pop3Session *session)
{
    GError *error = g_steal_pointer(&session->failure);

    if (error || !pop3_listing_join(session->listing, &error)) {
        finish_listing(session, error);
        return;
    }
    if (!lacks_names(session) && !session->no_uidl)
        finish_listing(session, NULL);
    else if (session->wanted != POP3_LISTED_SIZES)
        send_list(session);
    else if (lacks_names(session))
        session->naming = pop3_naming_new(
            session->conn, session->listing,
            pop3_capabilities_have(&session->result.caps, POP3_CAP_TOP), &session->no_top,
            named_all, session);
    else
        finish_listing(session, NULL);
}

void pop3_session_list(Pop3Session *session, Pop3Listed wanted)
{
    g_return_if_fail(!session->listing_now && wanted > session->listed);
    session->listing_now = true;
    session->wanted = wanted;
    session->answers = 0;
    if (!session->listing)
        session->listing = pop3_listing_new();
    if (session->listed < POP3_LISTED_NAMES) {
        session->answers++;
        pop3_conn_send(session->conn, "UIDL", POP3_REQUEST_LINES, 0, &uidl_events, session,
                       session);
    }
    if (wanted == POP3_LISTED_SIZES)
        send_list(session);
}

bool pop3_session_is_listing(const Pop3Session *session)
{
    return session->listing_now;
}

Pop3Listed pop3_session_listed(const Pop3Session *session)
{
    return session->listing_now ? POP3_LISTED_NOTHING : session->listed;
}

const Pop3Listing *pop3_session_listing(const Pop3Session *session)
{
    return session->listing;
}

bool pop3_session_has_top(const Pop3Session *session)
{
    const Pop3Capabilities *caps = &session->result.caps;

    return !session->no_top && (!caps->known || pop3_capabilities_have(caps, POP3_CAP_TOP));
}

void pop3_session_note_no_top(Pop3Session *session)
{
    session->no_top = session->no_top ||
                      !pop3_capabilities_have(&session->result.caps, POP3_CAP_TOP);
}

/* --- leaving -----------------------------------------------------------------------------------
 */

static void quit_done(gpointer data, const Pop3Reply *reply, const GError *error)
{
    Pop3Session *session = data;
    g_autoptr(GError) failure = error ? g_error_copy(error)
                                      : pop3_outcome(reply, "ending the session");

    session->state = POP3_SESSION_DEAD;
    session->told = true;
    session->events->left(session->data, failure);
}

static const Pop3RequestEvents quit_events = {.done = quit_done};

void pop3_session_quit(Pop3Session *session)
{
    session->state = POP3_SESSION_LEAVING;
    pop3_conn_send(session->conn, "QUIT", POP3_REQUEST_LAST, 0, &quit_events, session, session);
}

/* --- life and looks ------------------------------------------------------------------------------
 */

Pop3Session *pop3_session_new(const Pop3Config *config, unsigned number, bool *has_uidl,
                              const Pop3SessionEvents *events, gpointer data)
{
    Pop3Session *session = g_new0(Pop3Session, 1);

    session->config = config;
    session->events = events;
    session->data = data;
    session->number = number;
    session->has_uidl = has_uidl;
    session->conn = pop3_conn_new(config, number, &conn_events, session);
    session->login = pop3_login_new(config, session->conn, &session->result, on_login, session);
    session->deadline = g_timeout_source_new_seconds(config->timeout);
    g_source_set_callback(session->deadline, login_too_slow, session, NULL);
    g_source_attach(session->deadline, g_main_context_get_thread_default());
    return session;
}

void pop3_session_free(Pop3Session *session)
{
    if (!session)
        return;
    drop_deadline(session);
    pop3_naming_free(session->naming);
    pop3_conn_free(session->conn);
    pop3_login_free(session->login);
    pop3_login_result_clear(&session->result);
    pop3_listing_free(session->listing);
    g_clear_error(&session->failure);
    g_free(session);
}

bool pop3_session_was_ready(const Pop3Session *session)
{
    return session->was_ready;
}

Pop3SessionState pop3_session_state(const Pop3Session *session)
{
    return session->state;
}

Pop3Conn *pop3_session_conn(Pop3Session *session)
{
    return session->conn;
}

const Pop3LoginResult *pop3_session_login(const Pop3Session *session)
{
    return &session->result;
}

void pop3_session_describe(Pop3Session *session, GString *text)
{
    static const char *const states[] = {"connecting", "ready", "leaving", "dead"};
    Stream *stream = pop3_conn_stream(session->conn);
    uint64_t received = 0, sent = 0;

    if (stream)
        stream_counters(stream, &received, &sent);
    g_string_append_printf(text, "connection-%u: %s", session->number, states[session->state]);
    if (session->listed && !session->listing_now)
        g_string_append_printf(text, ", %u messages", pop3_listing_count(session->listing));
    g_string_append_printf(text,
                           ", %zu commands under way, %" G_GUINT64_FORMAT
                           " bytes received, %" G_GUINT64_FORMAT " sent, tls %s\n",
                           pop3_conn_load(session->conn), (guint64)received, (guint64)sent,
                           stream ? stream_tls_text(stream) : "none");
}
