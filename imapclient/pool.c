#include "pool_private.h"

#include "limits.h"
#include "net/quote.h"
#include "outcome.h"
#include "quota.h"

#include <errno.h>
#include <string.h>

enum {
    LIMITED_SECONDS = 60,   /* how long a server's "no more connections" is remembered */
    FAREWELL_MILLIS = 1500, /* how long LOGOUT may take */
    AHEAD_DEPTH = 16,       /* operations that are fetched ahead, under way at once */
    /* What it costs to run an operation on a session; see cost(). */
    COST_MOST_LOAD = 200,
    COST_AHEAD = 200,
    COST_BUSY_BULK = 1000,
    COST_OTHER_FOLDER = 2000,
    COST_OPENING = 500, /* from here on another connection is the better choice */
};

static void schedule_dispatch(ImapPool *pool);

static ImapMember *member_of(ImapPool *pool, const ImapSession *session)
{
    for (guint i = 0; i < pool->members->len; i++) {
        ImapMember *member = g_ptr_array_index(pool->members, i);
        if (member->session == session)
            return member;
    }
    return NULL;
}

static void member_free(gpointer data)
{
    ImapMember *member = data;

    if (member->pool->ahead == member)
        member->pool->ahead = NULL;
    imap_session_free(member->session);
    g_queue_clear(&member->ops);
    g_free(member);
}

static guint count_in_state(ImapPool *pool, ImapSessionState state)
{
    guint n = 0;

    for (guint i = 0; i < pool->members->len; i++) {
        ImapMember *member = g_ptr_array_index(pool->members, i);
        n += imap_session_state(member->session) == state;
    }
    return n;
}

/* Whether there is one on which a folder can be opened before long. */
static bool is_one_coming(ImapPool *pool)
{
    for (guint i = 0; i < pool->members->len; i++) {
        ImapMember *member = g_ptr_array_index(pool->members, i);
        if (imap_session_state(member->session) != IMAP_SESSION_DEAD &&
            !imap_session_is_settled(member->session))
            return true;
    }
    return false;
}

/* --- what sessions tell -------------------------------------------------------------------- */

static void on_untagged(gpointer data, ImapSession *session, const ImapResponse *response)
{
    ImapMember *member = data;
    bool warning = strcmp(response->name, "NO") == 0 || strcmp(response->name, "BAD") == 0;

    (void)session;
    if (strcmp(response->name, "QUOTA") == 0) {
        member->pool->have_quota = imap_quota_read(&member->pool->quota, response) ||
                                   member->pool->have_quota;
    } else if (imap_has_code(response, "ALERT")) {
        g_autofree char *text = quote_text(response->text);
        if (++member->pool->alerts <= IMAP_MAX_ALERTS)
            g_warning("the server says: %s", text);
    } else if (warning) {
        g_autofree char *text = quote_text(response->text);
        g_info("the server warns: %s", text);
    }
}

static void nothing_more(gpointer data, const ImapResponse *response, const GError *error)
{
    (void)data;
    (void)response;
    (void)error;
}

static const ImapRequestEvents unheard = {.done = nothing_more};

static void on_ready(gpointer data, ImapSession *session)
{
    ImapMember *member = data;
    ImapPool *pool = member->pool;
    const ImapLoginResult *login = imap_session_login(session);

    g_info("connected to %s:%u as %s", pool->config.host, pool->config.port, pool->config.user);
    g_free(pool->capabilities);
    pool->capabilities = g_strdup(login->caps.text);
    pool->caps = login->caps.bits;
    if (imap_capabilities_have(&login->caps, IMAP_CAP_QUOTA)) {
        ImapCommand *command = imap_command_new("GETQUOTAROOT");
        imap_command_raw(command, "INBOX");
        imap_conn_send(imap_session_conn(session), command, 0, &unheard, pool);
    }
    if (imap_link_compresses(pool->link, pool->config.compress))
        imap_session_compress(session);
    schedule_dispatch(pool);
}

static void on_settled(gpointer data, ImapSession *session)
{
    ImapMember *member = data;
    ImapPool *pool = member->pool;

    member->was_settled = true;
    g_free(pool->server);
    pool->server = g_strdup(imap_session_login(session)->server);
    schedule_dispatch(pool);
}

/*
 * All that waits fails: there is no connection, and none can be had. What comes to wait meanwhile
 * does not.
 */
static void fail_waiting(ImapPool *pool, const GError *error)
{
    GQueue *const queues[] = {&pool->waiting, &pool->ahead_waiting};
    const guint lengths[] = {pool->waiting.length, pool->ahead_waiting.length};
    MailOp *op;

    for (size_t i = 0; i < G_N_ELEMENTS(queues); i++) {
        for (guint n = lengths[i]; n > 0 && (op = g_queue_pop_head(queues[i])); n--) {
            op->retried = true;
            imap_op_finish(op, g_error_copy(error));
        }
    }
}

static void on_dead(gpointer data, ImapSession *session, const GError *error)
{
    ImapMember *member = data;
    ImapPool *pool = member->pool;
    MailOp *op;

    (void)session;
    /* Operations that had no request under way, if any, have not been told yet. */
    while ((op = g_queue_peek_head(&member->ops)))
        imap_op_finish(op, g_error_copy(error));
    schedule_dispatch(pool);
    if (pool->closed) {
        return;
    } else if (member->was_settled) {
        g_info("connection lost: %s", error->message);
    } else if (count_in_state(pool, IMAP_SESSION_READY) > 0) {
        pool->limit = count_in_state(pool, IMAP_SESSION_READY);
        pool->limited_at = g_get_monotonic_time();
        g_info("going on with %u connections: %s", pool->limit, error->message);
    } else if (count_in_state(pool, IMAP_SESSION_CONNECTING) == 0) {
        fail_waiting(pool, error);
    }
}

static const ImapSessionEvents session_events = {on_ready, on_settled, on_dead, on_untagged};

/* --- dispatching ---------------------------------------------------------------------------- */

static unsigned cost(const ImapMember *member, const MailOp *op)
{
    const char *target = imap_session_target(member->session);
    unsigned load = (unsigned)imap_conn_load(imap_session_conn(member->session));
    unsigned sum = MIN(load, COST_MOST_LOAD);

    for (GList *l = member->ops.head; l; l = l->next)
        if (((MailOp *)l->data)->bulk && !((MailOp *)l->data)->ahead)
            sum += COST_BUSY_BULK;
    if (member->ahead)
        sum += COST_AHEAD;
    if (op->folder && g_strcmp0(target, op->folder) != 0)
        sum += member->ops.length > member->ahead ? COST_OTHER_FOLDER : target ? 2 : 1;
    return sum;
}

/* Whether one that runs on it needs its folder, and the operation another one. */
static bool is_held(const ImapMember *member, const MailOp *op)
{
    for (GList *l = member->ops.head; l && op->folder; l = l->next) {
        const MailOp *running = l->data;
        if (running->holds && strcmp(running->folder, op->folder) != 0)
            return true;
    }
    return false;
}

static bool is_held_somewhere(ImapPool *pool, const MailOp *op)
{
    for (guint i = 0; i < pool->members->len; i++)
        if (is_held(g_ptr_array_index(pool->members, i), op))
            return true;
    return false;
}

static ImapMember *choose(ImapPool *pool, const MailOp *op, bool may_grow)
{
    ImapMember *best = NULL;
    unsigned least = UINT_MAX;

    for (guint i = 0; i < pool->members->len; i++) {
        ImapMember *member = g_ptr_array_index(pool->members, i);
        if (imap_session_state(member->session) != IMAP_SESSION_READY ||
            ((op->folder || op->names) && !imap_session_is_settled(member->session)) ||
            is_held(member, op))
            continue;
        unsigned sum = cost(member, op);
        if (sum < least) {
            least = sum;
            best = member;
        }
    }
    return may_grow && least >= COST_OPENING ? NULL : best;
}

static void run(ImapMember *member, MailOp *op)
{
    op->session = member->session;
    op->on_older = member->number <= op->newest;
    g_queue_push_tail(&member->ops, op);
    if (op->ahead) {
        member->ahead++;
        member->pool->ahead = member;
    }
    op->klass->start(op);
}

static void drop_dead(ImapPool *pool)
{
    for (guint i = pool->members->len; i > 0; i--) {
        ImapMember *member = g_ptr_array_index(pool->members, i - 1);
        if (imap_session_state(member->session) == IMAP_SESSION_DEAD)
            g_ptr_array_remove_index(pool->members, i - 1);
    }
    if (pool->members->len == 0) /* the next may go another way */
        pool->link = IMAP_LINK_UNKNOWN;
}

static void add_member(ImapPool *pool)
{
    ImapMember *member = g_new0(ImapMember, 1);

    member->pool = pool;
    g_queue_init(&member->ops);
    member->number = ++pool->last_number;
    member->session = imap_session_new(&pool->config, member->number, &session_events, member);
    g_ptr_array_add(pool->members, member);
}

static unsigned connection_limit(ImapPool *pool)
{
    gint64 ago = g_get_monotonic_time() - pool->limited_at;

    if (pool->limit && ago > (gint64)LIMITED_SECONDS * G_USEC_PER_SEC)
        pool->limit = 0;
    return pool->limit ? pool->limit : pool->config.connections;
}

static void cancel_all(ImapPool *pool)
{
    g_autoptr(GError) error = g_error_new(MAIL_ERROR, ECANCELED, "pullmail is being unmounted");
    MailOp *op;

    fail_waiting(pool, error);
    for (guint i = 0; i < pool->members->len; i++) {
        ImapMember *member = g_ptr_array_index(pool->members, i);
        while ((op = g_queue_peek_head(&member->ops)))
            imap_op_finish(op, g_error_copy(error));
    }
}

/* Everybody has gone: tells so, once. */
static void close_finished(ImapPool *pool)
{
    MailDone closed = pool->closed;

    if (pool->farewell)
        g_source_destroy(pool->farewell);
    g_clear_pointer(&pool->farewell, g_source_unref);
    if (!pool->told_closed) {
        pool->told_closed = true;
        closed(pool->closed_data, NULL);
    }
}

/*
 * Starts operations that wait; true where one goes on waiting for a session. One that starts may
 * end at once, and its owner cancel others, or close.
 */
static bool start_waiting(ImapPool *pool)
{
    bool may_grow = pool->members->len < connection_limit(pool) || is_one_coming(pool);
    bool wanting = false, held = false;
    MailOp *op;

    for (guint n = pool->waiting.length;
         n > 0 && !pool->closed && (op = g_queue_pop_head(&pool->waiting)); n--) {
        bool waits = op->refusal || (held && op->holds);
        ImapMember *member = waits ? NULL : choose(pool, op, may_grow);
        if (op->refusal) {
            imap_op_finish(op, g_steal_pointer(&op->refusal));
        } else if (member) {
            run(member, op);
        } else {
            g_queue_push_tail(&pool->waiting, op);
            wanting = true;
            held = held || is_held_somewhere(pool, op);
        }
    }
    imap_pool_compress_behind(pool);
    return wanting;
}

/* Likewise what is fetched ahead; true where there is no session at all for it. */
static bool start_ahead(ImapPool *pool)
{
    MailOp *op;

    while (!pool->closed && (op = g_queue_peek_head(&pool->ahead_waiting))) {
        ImapMember *member = pool->ahead ? pool->ahead : choose(pool, op, false);
        if (!member || is_held(member, op))
            return true;
        if (!pool->ahead)
            imap_pool_begin_bulk(pool, member);
        imap_pool_look_at_link(pool, member);
        if (member->ahead >= AHEAD_DEPTH)
            break;
        run(member, g_queue_pop_head(&pool->ahead_waiting));
    }
    return false;
}

/* Whether all sessions are, or may soon be, busy with what is fetched ahead. */
static bool lacks_another(ImapPool *pool)
{
    return pool->ahead && pool->ahead->ahead && pool->members->len == 1;
}

static gboolean dispatch(gpointer data)
{
    ImapPool *pool = data;
    bool wanting;

    g_clear_pointer(&pool->dispatch, g_source_unref);
    drop_dead(pool);
    if (pool->closed) {
        cancel_all(pool);
        if (pool->members->len == 0)
            close_finished(pool);
        return G_SOURCE_REMOVE;
    }
    wanting = start_waiting(pool);
    wanting = start_ahead(pool) || wanting || lacks_another(pool);
    if (wanting && !pool->closed && !is_one_coming(pool) &&
        pool->members->len < connection_limit(pool))
        add_member(pool);
    return G_SOURCE_REMOVE;
}

static void schedule_dispatch(ImapPool *pool)
{
    if (pool->dispatch)
        return;
    pool->dispatch = g_idle_source_new();
    g_source_set_priority(pool->dispatch, G_PRIORITY_DEFAULT);
    g_source_set_callback(pool->dispatch, dispatch, pool, NULL);
    g_source_attach(pool->dispatch, g_main_context_get_thread_default());
}

/* --- operations ------------------------------------------------------------------------------ */

static GQueue *queue_of(ImapPool *pool, const MailOp *op)
{
    return op->ahead ? &pool->ahead_waiting : &pool->waiting;
}

void imap_pool_submit(ImapPool *pool, MailOp *op)
{
    op->pool = pool;
    op->newest = pool->last_number;
    g_queue_push_tail(queue_of(pool, op), op);
    schedule_dispatch(pool);
}

void imap_pool_leave(ImapPool *pool, MailOp *op, bool again)
{
    ImapMember *member = op->session ? member_of(pool, op->session) : NULL;

    if (member) {
        imap_session_forget(member->session, op);
        g_queue_remove(&member->ops, op);
        member->ahead -= op->ahead;
    } else {
        g_queue_remove(queue_of(pool, op), op);
    }
    op->session = NULL;
    op->on_older = false;
    if (again)
        g_queue_push_tail(queue_of(pool, op), op);
    schedule_dispatch(pool);
}

void imap_pool_cancel(ImapPool *pool, MailOp *op)
{
    imap_pool_leave(pool, op, false);
    op->klass->free(op);
}

/* --- closing -----------------------------------------------------------------------------------
 */

static gboolean farewell_over(gpointer data)
{
    ImapPool *pool = data;

    g_clear_pointer(&pool->farewell, g_source_unref);
    g_ptr_array_set_size(pool->members, 0);
    schedule_dispatch(pool);
    return G_SOURCE_REMOVE;
}

void imap_pool_close(ImapPool *pool, MailDone done, gpointer data)
{
    cancel_all(pool);
    pool->closed = done;
    pool->closed_data = data;
    for (guint i = pool->members->len; i > 0; i--) {
        ImapMember *member = g_ptr_array_index(pool->members, i - 1);
        if (imap_session_state(member->session) == IMAP_SESSION_READY)
            imap_conn_send(imap_session_conn(member->session), imap_command_new("LOGOUT"), 0,
                           &unheard, pool);
        else
            g_ptr_array_remove_index(pool->members, i - 1);
    }
    pool->farewell = g_timeout_source_new(FAREWELL_MILLIS);
    g_source_set_callback(pool->farewell, farewell_over, pool, NULL);
    g_source_attach(pool->farewell, g_main_context_get_thread_default());
    schedule_dispatch(pool);
}

/* --- life and looks ------------------------------------------------------------------------------
 */

ImapPool *imap_pool_new(const ImapConfig *config)
{
    ImapPool *pool = g_new0(ImapPool, 1);

    pool->config = *config;
    pool->config.host = g_strdup(config->host);
    pool->config.user = g_strdup(config->user);
    pool->config.auth = g_strdup(config->auth);
    pool->config.password = config->password ? secret_copy(config->password) : NULL;
    pool->config.tls = config->tls ? tls_policy_ref(config->tls) : NULL;
    if (!config->fast_link)
        pool->config.fast_link = IMAP_LINK_FAST;
    pool->members = g_ptr_array_new_with_free_func(member_free);
    g_queue_init(&pool->waiting);
    g_queue_init(&pool->ahead_waiting);
    return pool;
}

void imap_pool_free(ImapPool *pool)
{
    MailOp *op;

    if (!pool)
        return;
    if (pool->dispatch)
        g_source_destroy(pool->dispatch);
    g_clear_pointer(&pool->dispatch, g_source_unref);
    if (pool->farewell)
        g_source_destroy(pool->farewell);
    g_clear_pointer(&pool->farewell, g_source_unref);
    while ((op = g_queue_pop_head(&pool->waiting)) || (op = g_queue_pop_head(&pool->ahead_waiting)))
        op->klass->free(op);
    for (guint i = 0; i < pool->members->len; i++) {
        ImapMember *member = g_ptr_array_index(pool->members, i);
        while ((op = g_queue_pop_head(&member->ops)))
            op->klass->free(op);
    }
    g_ptr_array_unref(pool->members);
    g_free((char *)pool->config.host);
    g_free((char *)pool->config.user);
    g_free((char *)pool->config.auth);
    secret_free((Secret *)pool->config.password);
    if (pool->config.tls)
        tls_policy_unref(pool->config.tls);
    g_free(pool->server);
    g_free(pool->capabilities);
    g_free(pool);
}

void imap_pool_release(ImapPool *pool, const char *folder)
{
    for (guint i = 0; i < pool->members->len; i++) {
        ImapSession *session = ((ImapMember *)g_ptr_array_index(pool->members, i))->session;
        const char *target = imap_session_target(session);
        if (imap_session_state(session) == IMAP_SESSION_READY && target &&
            g_str_has_prefix(target, folder))
            imap_session_unselect(session);
    }
}

void imap_pool_describe(ImapPool *pool, GString *text)
{
    g_autofree char *capabilities = quote_text(pool->capabilities ? pool->capabilities : "");

    g_string_append_printf(text, "server: %s:%u%s%s\n", pool->config.host, pool->config.port,
                           pool->server ? " " : "", pool->server ? pool->server : "");
    g_string_append_printf(text, "capabilities: %s\n", capabilities);
    g_string_append_printf(text, "connections: %u\n", count_in_state(pool, IMAP_SESSION_READY));
    for (guint i = 0; i < pool->members->len; i++)
        imap_session_describe(((ImapMember *)g_ptr_array_index(pool->members, i))->session, text);
}

bool imap_pool_quota(ImapPool *pool, MailQuota *quota)
{
    *quota = pool->quota;
    return pool->have_quota;
}

unsigned imap_pool_capabilities(const ImapPool *pool)
{
    return pool->caps;
}
