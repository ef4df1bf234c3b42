#include "maildrop_private.h"

#include "limits.h"

#include <errno.h>

enum {
    FAREWELL_MILLIS = 1500, /* how long QUIT may take where that is all that is waited for */
    SNAPSHOT_SECONDS = 60,  /* so long a session that is at work is believed to be up to date */
    LONGEST_IDLE = 540,     /* seconds; a server may end the session after 600 */
};

void pop3_maildrop_drop_source(GSource **source)
{
    if (*source)
        g_source_destroy(*source);
    g_clear_pointer(source, g_source_unref);
}

void pop3_maildrop_attach(GSource **source, guint millis, GSourceFunc function, gpointer data)
{
    pop3_maildrop_drop_source(source);
    *source = g_timeout_source_new(millis);
    g_source_set_callback(*source, function, data, NULL);
    g_source_attach(*source, g_main_context_get_thread_default());
}

bool pop3_maildrop_is(const Pop3Maildrop *maildrop, Pop3SessionState state)
{
    return maildrop->session && pop3_session_state(maildrop->session) == state;
}

bool pop3_maildrop_has_waiting(const Pop3Maildrop *maildrop)
{
    return maildrop->waiting.head || maildrop->ahead_waiting.head;
}

/* --- failing ------------------------------------------------------------------------------- */

void pop3_maildrop_fail_waiting(Pop3Maildrop *maildrop, const GError *error, bool for_good)
{
    GQueue *const queues[] = {&maildrop->waiting, &maildrop->ahead_waiting};
    const guint lengths[] = {maildrop->waiting.length, maildrop->ahead_waiting.length};
    Pop3Op *op;

    for (size_t i = 0; i < G_N_ELEMENTS(queues); i++) {
        for (guint n = lengths[i]; n > 0 && (op = g_queue_pop_head(queues[i])); n--) {
            const GError *verdict = error ? error : reach_verdict(maildrop->reach, op->since);
            if (!verdict) {
                g_queue_push_tail(queues[i], op);
                continue;
            }
            op->retried = op->retried || for_good;
            pop3_op_finish(op, g_error_copy(verdict));
        }
    }
}

void pop3_maildrop_fail_running(Pop3Maildrop *maildrop, const GError *error)
{
    Pop3Op *op;

    while ((op = g_queue_peek_head(&maildrop->running)))
        pop3_op_finish(op, g_error_copy(error));
}

/* --- dispatching ---------------------------------------------------------------------------- */

static gboolean farewell_over(gpointer data)
{
    Pop3Maildrop *maildrop = data;

    g_clear_pointer(&maildrop->farewell, g_source_unref);
    pop3_maildrop_drop_session(maildrop);
    pop3_maildrop_schedule(maildrop);
    return G_SOURCE_REMOVE;
}

static gboolean idle_over(gpointer data)
{
    Pop3Maildrop *maildrop = data;

    g_clear_pointer(&maildrop->idle, g_source_unref);
    if (pop3_maildrop_is(maildrop, POP3_SESSION_READY))
        pop3_session_quit(maildrop->session);
    return G_SOURCE_REMOVE;
}

/* Who may not come again soon stays: nobody else could have the maildrop either. */
static void begin_idling(Pop3Maildrop *maildrop)
{
    unsigned seconds = MAX(maildrop->config.idle, MIN(maildrop->login_delay, LONGEST_IDLE));

    maildrop->was_idle = true;
    if (!maildrop->idle)
        pop3_maildrop_attach(&maildrop->idle, seconds * 1000, idle_over, maildrop);
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

/* Everybody has gone: tells so, once. */
static void close_finished(Pop3Maildrop *maildrop)
{
    pop3_maildrop_drop_source(&maildrop->farewell);
    if (!maildrop->told_closed) {
        maildrop->told_closed = true;
        maildrop->closed(maildrop->closed_data, NULL);
    }
}

static void cancel_all(Pop3Maildrop *maildrop)
{
    g_autoptr(GError) error = g_error_new(MAIL_ERROR, ECANCELED, "pullmail is being unmounted");

    pop3_maildrop_fail_waiting(maildrop, error, true);
    pop3_maildrop_fail_running(maildrop, error);
}

static gboolean dispatch(gpointer data)
{
    Pop3Maildrop *maildrop = data;

    g_clear_pointer(&maildrop->dispatch, g_source_unref);
    if (pop3_maildrop_is(maildrop, POP3_SESSION_DEAD))
        pop3_maildrop_drop_session(maildrop);
    if (maildrop->closed) {
        cancel_all(maildrop);
        if (!pop3_maildrop_is(maildrop, POP3_SESSION_LEAVING))
            pop3_maildrop_drop_session(maildrop);
        if (!maildrop->session)
            close_finished(maildrop);
        return G_SOURCE_REMOVE;
    }
    start_offline(maildrop);
    pop3_maildrop_drop_sleeper(maildrop);
    pop3_maildrop_drop_stalled(maildrop);
    if (pop3_maildrop_has_waiting(maildrop) || maildrop->running.head)
        pop3_maildrop_drop_source(&maildrop->idle);
    else
        pop3_maildrop_stop_trying(maildrop);
    if (pop3_maildrop_is(maildrop, POP3_SESSION_READY)) {
        work(maildrop);
        if (pop3_maildrop_is(maildrop, POP3_SESSION_READY) &&
            !pop3_maildrop_has_waiting(maildrop) && !maildrop->running.head)
            begin_idling(maildrop);
    } else if (!maildrop->session) {
        pop3_maildrop_connect(maildrop);
    } else if (!pop3_maildrop_is(maildrop, POP3_SESSION_LEAVING)) {
        pop3_maildrop_fail_waiting(maildrop, NULL, true);
    } else if (pop3_maildrop_is(maildrop, POP3_SESSION_LEAVING) &&
               pop3_maildrop_has_waiting(maildrop) && !maildrop->running.head &&
               !maildrop->farewell) {
        pop3_maildrop_attach(&maildrop->farewell, FAREWELL_MILLIS, farewell_over, maildrop);
    }
    return G_SOURCE_REMOVE;
}

void pop3_maildrop_schedule(Pop3Maildrop *maildrop)
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
    op->since = reach_now(maildrop->reach);
    g_queue_push_tail(queue_of(maildrop, op), op);
    pop3_maildrop_schedule(maildrop);
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
    pop3_maildrop_schedule(maildrop);
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
    pop3_maildrop_drop_source(&maildrop->retry);
    pop3_maildrop_drop_source(&maildrop->idle);
    if (pop3_maildrop_is(maildrop, POP3_SESSION_READY))
        pop3_session_quit(maildrop->session);
    pop3_maildrop_attach(&maildrop->farewell, FAREWELL_MILLIS, farewell_over, maildrop);
    pop3_maildrop_schedule(maildrop);
}

/* --- life and looks ------------------------------------------------------------------------------
 */

static void look(gpointer data)
{
    pop3_maildrop_schedule(data);
}

Pop3Maildrop *pop3_maildrop_new(const Pop3Config *config)
{
    Pop3Maildrop *maildrop = g_new0(Pop3Maildrop, 1);

    maildrop->config = *config;
    maildrop->config.host = g_strdup(config->host);
    maildrop->config.user = g_strdup(config->user);
    maildrop->config.auth = g_strdup(config->auth);
    maildrop->config.password = NULL;
    maildrop->config.source = NULL;
    maildrop->reach = reach_new(&(ReachConfig){.never = config->never,
                                               .timeout = config->timeout,
                                               .password = config->password,
                                               .source = config->source,
                                               .look = look,
                                               .data = maildrop});
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
    pop3_maildrop_drop_source(&maildrop->dispatch);
    pop3_maildrop_drop_source(&maildrop->idle);
    pop3_maildrop_drop_source(&maildrop->retry);
    pop3_maildrop_drop_source(&maildrop->farewell);
    free_queue(&maildrop->running);
    free_queue(&maildrop->waiting);
    free_queue(&maildrop->ahead_waiting);
    pop3_maildrop_drop_session(maildrop);
    if (maildrop->known)
        g_hash_table_unref(maildrop->known);
    g_free((char *)maildrop->config.host);
    g_free((char *)maildrop->config.user);
    g_free((char *)maildrop->config.auth);
    reach_free(maildrop->reach);
    if (maildrop->config.tls)
        tls_policy_unref(maildrop->config.tls);
    g_free(maildrop->capabilities);
    g_free(maildrop->tls_lines);
    g_free(maildrop);
}

void pop3_maildrop_watch_link(Pop3Maildrop *maildrop, MailDone told, gpointer data)
{
    reach_watch(maildrop->reach, told, data);
}

void pop3_maildrop_describe(Pop3Maildrop *maildrop, GString *text)
{
    g_autofree char *reached = reach_text(maildrop->reach);
    g_autofree char *in_use = pop3_capabilities_names(maildrop->caps);
    g_autofree char *none = stream_tls_lines(NULL);

    g_string_append_printf(text, "server: %s:%u\nlink: %s\n", maildrop->config.host,
                           maildrop->config.port, reached);
    g_string_append_printf(text, "capabilities: %s\ncapabilities-in-use: %s\n",
                           maildrop->capabilities ? maildrop->capabilities : "", in_use);
    g_string_append(text, maildrop->tls_lines ? maildrop->tls_lines : none);
    g_string_append_printf(text, "connections: %u\n",
                           pop3_maildrop_is(maildrop, POP3_SESSION_READY));
    if (maildrop->retry)
        g_string_append(text, "waiting: the maildrop is in use, or it is too soon to log in\n");
    if (maildrop->session)
        pop3_session_describe(maildrop->session, text);
}
