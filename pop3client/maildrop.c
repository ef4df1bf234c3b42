#include "maildrop.h"

#include "../imapclient/net/quote.h"
#include "limits.h"

#include <errno.h>

enum {
    FAREWELL_MILLIS = 1500,   /* how long QUIT may take where that is all that is waited for */
    FIRST_RETRY_MILLIS = 500, /* until a maildrop that is in use is tried again; then doubled, */
    LAST_RETRY_MILLIS = 5000, /* up to this */
    SNAPSHOT_SECONDS = 60,    /* so long a session that is at work is believed to be up to date */
    LONGEST_IDLE = 540,       /* seconds; a server may end the session after 600 */
};

/*
 * An operation is in `waiting` or `ahead_waiting` (its session NULL) or in `running`. Everything is
 * started from dispatch, which runs as a source of its own, and frees a session that is dead.
 */
struct Pop3Maildrop {
    Pop3Config config; /* strings owned */
    Pop3Session *session;
    GQueue running, waiting, ahead_waiting;
    GSource *dispatch;
    GSource *idle;  /* the session is left when it fires */
    GSource *retry; /* until then nobody connects */
    unsigned last_number;
    GHashTable *known;
    bool has_uidl;
    /* Of the session: */
    bool synced;      /* a sync took what it lists */
    bool was_idle;    /* since then */
    gint64 synced_at; /* monotonic */
    /* Of those before: */
    gint64 trying_since; /* monotonic; when who waits now was first turned away; 0: was not */
    unsigned retry_millis;
    gint64 logged_in_at; /* monotonic */
    unsigned login_delay;
    char *capabilities;
    MailDone closed; /* set: closing */
    bool told_closed;
    gpointer closed_data;
    GSource *farewell;
};

static void schedule_dispatch(Pop3Maildrop *maildrop);

static void drop_source(GSource **source)
{
    if (*source)
        g_source_destroy(*source);
    g_clear_pointer(source, g_source_unref);
}

static void attach(GSource **source, guint millis, GSourceFunc function, gpointer data)
{
    drop_source(source);
    *source = g_timeout_source_new(millis);
    g_source_set_callback(*source, function, data, NULL);
    g_source_attach(*source, g_main_context_get_thread_default());
}

static bool is_in_state(const Pop3Maildrop *maildrop, Pop3SessionState state)
{
    return maildrop->session && pop3_session_state(maildrop->session) == state;
}

static bool has_waiting(const Pop3Maildrop *maildrop)
{
    return maildrop->waiting.head || maildrop->ahead_waiting.head;
}

/* --- failing ------------------------------------------------------------------------------- */

/* All that waits now fails; for_good: even what could begin again. */
static void fail_waiting(Pop3Maildrop *maildrop, const GError *error, bool for_good)
{
    GQueue *const queues[] = {&maildrop->waiting, &maildrop->ahead_waiting};
    const guint lengths[] = {maildrop->waiting.length, maildrop->ahead_waiting.length};
    Pop3Op *op;

    for (size_t i = 0; i < G_N_ELEMENTS(queues); i++) {
        for (guint n = lengths[i]; n > 0 && (op = g_queue_pop_head(queues[i])); n--) {
            op->retried = op->retried || for_good;
            pop3_op_finish(op, g_error_copy(error));
        }
    }
}

static void fail_running(Pop3Maildrop *maildrop, const GError *error)
{
    Pop3Op *op;

    while ((op = g_queue_peek_head(&maildrop->running)))
        pop3_op_finish(op, g_error_copy(error));
}

/* --- being turned away --------------------------------------------------------------------- */

static gboolean retry_now(gpointer data)
{
    Pop3Maildrop *maildrop = data;

    g_clear_pointer(&maildrop->retry, g_source_unref);
    schedule_dispatch(maildrop);
    return G_SOURCE_REMOVE;
}

/* Nobody waits any more. */
static void stop_trying(Pop3Maildrop *maildrop)
{
    drop_source(&maildrop->retry);
    maildrop->trying_since = 0;
    maildrop->retry_millis = 0;
}

/* Whether it is worth while to wait so long; then nobody connects before. */
static bool wait_for_maildrop(Pop3Maildrop *maildrop, gint64 millis)
{
    gint64 now = g_get_monotonic_time();
    gint64 end;

    if (!maildrop->trying_since)
        maildrop->trying_since = now;
    end = maildrop->trying_since + (gint64)maildrop->config.timeout * G_USEC_PER_SEC;
    if (now + millis * 1000 >= end) {
        stop_trying(maildrop);
        return false;
    }
    attach(&maildrop->retry, (guint)millis, retry_now, maildrop);
    return true;
}

/* The login was refused this time. */
static void turned_away(Pop3Maildrop *maildrop, bool in_use, const GError *error)
{
    g_autoptr(GError) failure = NULL;

    if (!maildrop->trying_since)
        g_message("the maildrop %s; waiting up to %u s (timeout=): %s",
                  in_use ? "is in use by another client" : "can't be opened again so soon",
                  maildrop->config.timeout, error->message);
    maildrop->retry_millis = maildrop->retry_millis
                                 ? MIN(2 * maildrop->retry_millis, LAST_RETRY_MILLIS)
                                 : FIRST_RETRY_MILLIS;
    if (wait_for_maildrop(maildrop, maildrop->retry_millis))
        return;
    failure = g_error_new(MAIL_ERROR, EAGAIN, "the maildrop %s, and timeout=%u is over: %s",
                          in_use ? "is in use by another client" : "can't be opened again so soon",
                          maildrop->config.timeout, error->message);
    g_warning("%s", failure->message);
    fail_waiting(maildrop, failure, true);
}

/* Whether LOGIN-DELAY lets us in now (RFC 2449 section 6.5); else waits, or fails what waits. */
static bool may_connect(Pop3Maildrop *maildrop)
{
    gint64 again = maildrop->logged_in_at + (gint64)maildrop->login_delay * G_USEC_PER_SEC;
    gint64 left = again - g_get_monotonic_time();
    g_autoptr(GError) error = NULL;

    if (!maildrop->login_delay || !maildrop->logged_in_at || left <= 0)
        return true;
    if (wait_for_maildrop(maildrop, left / 1000 + 1))
        return false;
    error = g_error_new(MAIL_ERROR, EAGAIN,
                        "%s:%u: the server lets us log in once in %u s (LOGIN-DELAY); the next "
                        "time is in %u s",
                        maildrop->config.host, maildrop->config.port, maildrop->login_delay,
                        (unsigned)(left / G_USEC_PER_SEC + 1));
    g_warning("%s", error->message);
    fail_waiting(maildrop, error, true);
    return false;
}

/* --- what the session tells ---------------------------------------------------------------- */

static void on_ready(gpointer data)
{
    Pop3Maildrop *maildrop = data;
    const Pop3LoginResult *login = pop3_session_login(maildrop->session);
    const GString *text = login->caps.text;

    maildrop->trying_since = 0;
    maildrop->retry_millis = 0;
    maildrop->logged_in_at = g_get_monotonic_time();
    maildrop->login_delay = login->login_delay;
    g_free(maildrop->capabilities);
    maildrop->capabilities = text ? quote_text(text->str) : NULL;
    schedule_dispatch(maildrop);
}

/* The maildrop can't be listed: what waits for that fails. */
static void on_listed(gpointer data, const GError *error)
{
    Pop3Maildrop *maildrop = data;

    if (error)
        fail_waiting(maildrop, error, false);
    schedule_dispatch(maildrop);
}

static void on_left(gpointer data, const GError *error)
{
    Pop3Maildrop *maildrop = data;
    g_autoptr(GQueue) ended = g_queue_copy(&maildrop->running);
    g_autoptr(GError) unanswered = g_error_new(MAIL_ERROR, ENOTCONN, "the session has ended");
    Pop3Op *op;

    while ((op = g_queue_pop_head(ended)))
        if (g_queue_find(&maildrop->running, op) && op->klass->left)
            op->klass->left(op, error);
    fail_running(maildrop, unanswered);
    schedule_dispatch(maildrop);
}

static void on_dead(gpointer data, const GError *error)
{
    Pop3Maildrop *maildrop = data;
    const Pop3LoginResult *login = pop3_session_login(maildrop->session);

    fail_running(maildrop, error);
    schedule_dispatch(maildrop);
    if (maildrop->closed)
        return;
    if (login->in_use || login->too_soon)
        turned_away(maildrop, login->in_use, error);
    else if (!pop3_session_was_ready(maildrop->session))
        fail_waiting(maildrop, error, true);
    else
        g_info("connection lost: %s", error->message);
}

static const Pop3SessionEvents session_events = {on_ready, on_listed, on_left, on_dead};

/* --- dispatching ---------------------------------------------------------------------------- */

static void drop_session(Pop3Maildrop *maildrop)
{
    drop_source(&maildrop->farewell);
    g_clear_pointer(&maildrop->session, pop3_session_free);
    maildrop->synced = maildrop->was_idle = false;
}

static gboolean farewell_over(gpointer data)
{
    Pop3Maildrop *maildrop = data;

    g_clear_pointer(&maildrop->farewell, g_source_unref);
    drop_session(maildrop);
    schedule_dispatch(maildrop);
    return G_SOURCE_REMOVE;
}

static gboolean idle_over(gpointer data)
{
    Pop3Maildrop *maildrop = data;

    g_clear_pointer(&maildrop->idle, g_source_unref);
    if (is_in_state(maildrop, POP3_SESSION_READY))
        pop3_session_quit(maildrop->session);
    return G_SOURCE_REMOVE;
}

/* Who may not come again soon stays: nobody else could have the maildrop either. */
static void begin_idling(Pop3Maildrop *maildrop)
{
    unsigned seconds = MAX(maildrop->config.idle, MIN(maildrop->login_delay, LONGEST_IDLE));

    maildrop->was_idle = true;
    if (!maildrop->idle)
        attach(&maildrop->idle, seconds * 1000, idle_over, maildrop);
}

static bool sync_waits(const Pop3Maildrop *maildrop)
{
    for (GList *l = maildrop->waiting.head; l; l = l->next)
        if (((Pop3Op *)l->data)->sync)
            return true;
    return false;
}

/*
 * Whether a sync waits that should look at a newer snapshot than this session's: an idle one has no
 * reason to be kept, and one at work has none for ever.
 */
static bool wants_snapshot(const Pop3Maildrop *maildrop)
{
    gint64 age = g_get_monotonic_time() - maildrop->synced_at;
    gint64 login_age = g_get_monotonic_time() - maildrop->logged_in_at;

    if (!maildrop->synced || !sync_waits(maildrop) ||
        login_age < (gint64)maildrop->login_delay * G_USEC_PER_SEC)
        return false;
    if (age > (gint64)SNAPSHOT_SECONDS * G_USEC_PER_SEC)
        return true;
    return maildrop->was_idle && !maildrop->running.head && !maildrop->ahead_waiting.head;
}

/* The most that an operation needs which waits. */
static Pop3Listed needed(const Pop3Maildrop *maildrop)
{
    Pop3Listed most = maildrop->ahead_waiting.head ? POP3_LISTED_NAMES : POP3_LISTED_NOTHING;

    for (GList *l = maildrop->waiting.head; l; l = l->next)
        most = MAX(most, ((Pop3Op *)l->data)->needs);
    return most;
}

static void run(Pop3Maildrop *maildrop, Pop3Op *op)
{
    op->session = maildrop->session;
    g_queue_push_tail(&maildrop->running, op);
    if (op->sync) {
        maildrop->synced = true;
        maildrop->was_idle = false;
        maildrop->synced_at = g_get_monotonic_time();
    }
    op->klass->start(op);
}

static bool removal_runs(const Pop3Maildrop *maildrop)
{
    for (GList *l = maildrop->running.head; l; l = l->next)
        if (((Pop3Op *)l->data)->removes)
            return true;
    return false;
}

/*
 * Starts what can be started with so much listed. One that starts may end at once, and its owner
 * cancel others, or close. Behind a removal only other removals start: the session ends with them.
 */
static void start_waiting(Pop3Maildrop *maildrop, Pop3Listed listed)
{
    Pop3Op *op;

    for (guint n = maildrop->waiting.length;
         n > 0 && !maildrop->closed && (op = g_queue_pop_head(&maildrop->waiting)); n--) {
        if (op->needs > listed || (!op->removes && removal_runs(maildrop)))
            g_queue_push_tail(&maildrop->waiting, op);
        else
            run(maildrop, op);
    }
}

/* Likewise what is fetched ahead, as far as the connection is not full of it. */
static void start_ahead(Pop3Maildrop *maildrop)
{
    const Pop3Conn *conn = pop3_session_conn(maildrop->session);

    while (!maildrop->closed && maildrop->ahead_waiting.head &&
           pop3_conn_waiting(conn) < POP3_PIPELINE_DEPTH)
        run(maildrop, g_queue_pop_head(&maildrop->ahead_waiting));
}

static void start_offline(Pop3Maildrop *maildrop)
{
    Pop3Op *op;

    for (guint n = maildrop->waiting.length;
         n > 0 && !maildrop->closed && (op = g_queue_pop_head(&maildrop->waiting)); n--) {
        if (op->offline)
            op->klass->start(op);
        else
            g_queue_push_tail(&maildrop->waiting, op);
    }
}

/* There is a session, and it is ready. */
static void work(Pop3Maildrop *maildrop)
{
    Pop3Session *session = maildrop->session;

    if (wants_snapshot(maildrop)) {
        if (!maildrop->running.head)
            pop3_session_quit(session);
        return;
    }
    if (pop3_session_listed(session) < needed(maildrop)) {
        start_waiting(maildrop, POP3_LISTED_NOTHING);
        if (needed(maildrop) > pop3_session_listed(session) && !pop3_session_is_listing(session))
            pop3_session_list(session, needed(maildrop));
        return;
    }
    start_waiting(maildrop, pop3_session_listed(session));
    if (maildrop->closed)
        return;
    if (removal_runs(maildrop))
        pop3_session_quit(session);
    else
        start_ahead(maildrop);
}

static void connect_now(Pop3Maildrop *maildrop)
{
    if (maildrop->retry || !may_connect(maildrop))
        return;
    maildrop->session = pop3_session_new(&maildrop->config, ++maildrop->last_number,
                                         &maildrop->has_uidl, &session_events, maildrop);
}

/* Everybody has gone: tells so, once. */
static void close_finished(Pop3Maildrop *maildrop)
{
    drop_source(&maildrop->farewell);
    if (!maildrop->told_closed) {
        maildrop->told_closed = true;
        maildrop->closed(maildrop->closed_data, NULL);
    }
}

static void cancel_all(Pop3Maildrop *maildrop)
{
    g_autoptr(GError) error = g_error_new(MAIL_ERROR, ECANCELED, "pullmail is being unmounted");

    fail_waiting(maildrop, error, true);
    fail_running(maildrop, error);
}

static gboolean dispatch(gpointer data)
{
    Pop3Maildrop *maildrop = data;

    g_clear_pointer(&maildrop->dispatch, g_source_unref);
    if (is_in_state(maildrop, POP3_SESSION_DEAD))
        drop_session(maildrop);
    if (maildrop->closed) {
        cancel_all(maildrop);
        if (!is_in_state(maildrop, POP3_SESSION_LEAVING))
            drop_session(maildrop);
        if (!maildrop->session)
            close_finished(maildrop);
        return G_SOURCE_REMOVE;
    }
    start_offline(maildrop);
    if (has_waiting(maildrop) || maildrop->running.head)
        drop_source(&maildrop->idle);
    else
        stop_trying(maildrop);
    if (is_in_state(maildrop, POP3_SESSION_READY)) {
        work(maildrop);
        if (is_in_state(maildrop, POP3_SESSION_READY) && !has_waiting(maildrop) &&
            !maildrop->running.head)
            begin_idling(maildrop);
    } else if (!maildrop->session && has_waiting(maildrop)) {
        connect_now(maildrop);
    } else if (is_in_state(maildrop, POP3_SESSION_LEAVING) && has_waiting(maildrop) &&
               !maildrop->running.head && !maildrop->farewell) {
        attach(&maildrop->farewell, FAREWELL_MILLIS, farewell_over, maildrop);
    }
    return G_SOURCE_REMOVE;
}

static void schedule_dispatch(Pop3Maildrop *maildrop)
{
    if (maildrop->dispatch)
        return;
    maildrop->dispatch = g_idle_source_new();
    g_source_set_priority(maildrop->dispatch, G_PRIORITY_DEFAULT);
    g_source_set_callback(maildrop->dispatch, dispatch, maildrop, NULL);
    g_source_attach(maildrop->dispatch, g_main_context_get_thread_default());
}

/* --- operations ------------------------------------------------------------------------------ */

static GQueue *queue_of(Pop3Maildrop *maildrop, const Pop3Op *op)
{
    return op->ahead && !op->offline ? &maildrop->ahead_waiting : &maildrop->waiting;
}

void pop3_maildrop_submit(Pop3Maildrop *maildrop, Pop3Op *op)
{
    op->maildrop = maildrop;
    g_queue_push_tail(queue_of(maildrop, op), op);
    schedule_dispatch(maildrop);
}

void pop3_maildrop_leave(Pop3Maildrop *maildrop, Pop3Op *op, bool again)
{
    if (op->session) {
        pop3_conn_cancel(pop3_session_conn(op->session), op);
        g_queue_remove(&maildrop->running, op);
    } else {
        g_queue_remove(queue_of(maildrop, op), op);
    }
    op->session = NULL;
    if (again)
        g_queue_push_tail(queue_of(maildrop, op), op);
    schedule_dispatch(maildrop);
}

void pop3_maildrop_cancel(Pop3Maildrop *maildrop, Pop3Op *op)
{
    pop3_maildrop_leave(maildrop, op, false);
    op->klass->free(op);
}

GHashTable *pop3_maildrop_known(const Pop3Maildrop *maildrop)
{
    return maildrop->known;
}

void pop3_maildrop_learn(Pop3Maildrop *maildrop, GHashTable *known)
{
    g_clear_pointer(&maildrop->known, g_hash_table_unref);
    maildrop->known = known;
}

/* --- closing -----------------------------------------------------------------------------------
 */

void pop3_maildrop_close(Pop3Maildrop *maildrop, MailDone done, gpointer data)
{
    cancel_all(maildrop);
    maildrop->closed = done;
    maildrop->closed_data = data;
    drop_source(&maildrop->retry);
    drop_source(&maildrop->idle);
    if (is_in_state(maildrop, POP3_SESSION_READY))
        pop3_session_quit(maildrop->session);
    attach(&maildrop->farewell, FAREWELL_MILLIS, farewell_over, maildrop);
    schedule_dispatch(maildrop);
}

/* --- life and looks ------------------------------------------------------------------------------
 */

Pop3Maildrop *pop3_maildrop_new(const Pop3Config *config)
{
    Pop3Maildrop *maildrop = g_new0(Pop3Maildrop, 1);

    maildrop->config = *config;
    maildrop->config.host = g_strdup(config->host);
    maildrop->config.user = g_strdup(config->user);
    maildrop->config.auth = g_strdup(config->auth);
    maildrop->config.password = config->password ? secret_copy(config->password) : NULL;
    maildrop->config.tls = config->tls ? tls_policy_ref(config->tls) : NULL;
    g_queue_init(&maildrop->running);
    g_queue_init(&maildrop->waiting);
    g_queue_init(&maildrop->ahead_waiting);
    return maildrop;
}

static void free_queue(GQueue *queue)
{
    Pop3Op *op;

    while ((op = g_queue_pop_head(queue)))
        op->klass->free(op);
}

void pop3_maildrop_free(Pop3Maildrop *maildrop)
{
    if (!maildrop)
        return;
    drop_source(&maildrop->dispatch);
    drop_source(&maildrop->idle);
    drop_source(&maildrop->retry);
    drop_source(&maildrop->farewell);
    free_queue(&maildrop->running);
    free_queue(&maildrop->waiting);
    free_queue(&maildrop->ahead_waiting);
    drop_session(maildrop);
    if (maildrop->known)
        g_hash_table_unref(maildrop->known);
    g_free((char *)maildrop->config.host);
    g_free((char *)maildrop->config.user);
    g_free((char *)maildrop->config.auth);
    secret_free((Secret *)maildrop->config.password);
    if (maildrop->config.tls)
        tls_policy_unref(maildrop->config.tls);
    g_free(maildrop->capabilities);
    g_free(maildrop);
}

void pop3_maildrop_describe(Pop3Maildrop *maildrop, GString *text)
{
    g_string_append_printf(text, "server: %s:%u\n", maildrop->config.host, maildrop->config.port);
    g_string_append_printf(text, "capabilities: %s\n",
                           maildrop->capabilities ? maildrop->capabilities : "");
    g_string_append_printf(text, "connections: %u\n", is_in_state(maildrop, POP3_SESSION_READY));
    if (maildrop->retry)
        g_string_append(text, "waiting: the maildrop is in use, or it is too soon to log in\n");
    if (maildrop->session)
        pop3_session_describe(maildrop->session, text);
}
