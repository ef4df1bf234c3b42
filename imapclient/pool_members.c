#include "limits.h"
#include "net/quote.h"
#include "outcome.h"
#include "pool_private.h"
#include "quota.h"

#include <errno.h>
#include <string.h>

enum {
    LIMITED_SECONDS = 60, /* how long a server's "no more connections" is remembered; doubles, */
    LIMITED_MOST = 3600,  /* up to this */
};

void imap_pool_member_free(gpointer data)
{
    ImapMember *member = data;

    if (member->pool->ahead == member)
        member->pool->ahead = NULL;
    imap_watcher_free(member->watcher);
    imap_session_free(member->session);
    g_queue_clear(&member->ops);
    g_free(member);
}

guint imap_pool_count(const ImapPool *pool, ImapSessionState state)
{
    guint n = 0;

    for (guint i = 0; i < pool->members->len; i++) {
        ImapMember *member = g_ptr_array_index(pool->members, i);
        n += imap_session_state(member->session) == state;
    }
    return n;
}

bool imap_pool_is_one_coming(const ImapPool *pool)
{
    for (guint i = 0; i < pool->members->len; i++) {
        ImapMember *member = g_ptr_array_index(pool->members, i);
        if (!member->watches && imap_session_state(member->session) != IMAP_SESSION_DEAD &&
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
    if (member->watcher)
        imap_watcher_take(member->watcher, response);
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

const ImapRequestEvents imap_pool_unheard = {.done = nothing_more};

static void on_ready(gpointer data, ImapSession *session)
{
    ImapMember *member = data;
    ImapPool *pool = member->pool;
    const ImapLoginResult *login = imap_session_login(session);

    g_info("connected to %s:%u as %s", pool->config.host, pool->config.port, pool->config.user);
    g_free(pool->capabilities);
    pool->capabilities = g_strdup(login->caps.text);
    pool->caps = login->caps.bits;
    g_free(pool->tls_lines);
    pool->tls_lines = stream_tls_lines(imap_conn_stream(imap_session_conn(session)));
    if (imap_capabilities_have(&login->caps, IMAP_CAP_QUOTA)) {
        ImapCommand *command = imap_command_new("GETQUOTAROOT");
        imap_command_raw(command, "INBOX");
        imap_conn_send(imap_session_conn(session), command, 0, &imap_pool_unheard, pool);
    }
    if (imap_link_compresses(pool->link, pool->config.compress))
        imap_session_compress(session);
    imap_pool_schedule(pool);
}

static void on_settled(gpointer data, ImapSession *session)
{
    ImapMember *member = data;
    ImapPool *pool = member->pool;

    member->was_settled = true;
    g_free(pool->server);
    pool->server = g_strdup(imap_session_login(session)->server);
    if (imap_pool_count(pool, IMAP_SESSION_READY) > pool->limit)
        pool->limited_long = 0;
    if (reach_state(pool->reach) == REACH_LOST || reach_state(pool->reach) == REACH_REFUSED)
        imap_pool_watch_again(pool);
    reach_worked(pool->reach);
    imap_pool_schedule(pool);
}

/* The server lets no more in; or at least it seems so. */
static void limit_connections(ImapPool *pool, const GError *error)
{
    pool->limit = imap_pool_count(pool, IMAP_SESSION_READY);
    pool->limited_long = pool->limited_long ? MIN(2 * pool->limited_long, LIMITED_MOST)
                                            : LIMITED_SECONDS;
    pool->limited_until = g_get_monotonic_time() + (gint64)pool->limited_long * G_USEC_PER_SEC;
    g_info("going on with %u connections: %s", pool->limit, error->message);
}

/* Whether the only sessions that are ready are those that watch: they have to do the work. */
static bool has_only_watching(const ImapPool *pool)
{
    bool one = false;

    for (guint i = 0; i < pool->members->len; i++) {
        const ImapMember *member = g_ptr_array_index(pool->members, i);
        if (imap_session_state(member->session) == IMAP_SESSION_DEAD)
            continue;
        if (!member->watches)
            return false;
        one = one || imap_session_state(member->session) == IMAP_SESSION_READY;
    }
    return one;
}

/* What one connection has found holds for those that have been as silent: nobody is to wait once
 * for each of them. */
static void drop_silent(ImapPool *pool, const GError *error)
{
    gint64 least = g_get_monotonic_time() - (gint64)pool->config.timeout * G_USEC_PER_SEC;

    for (guint i = 0; i < pool->members->len; i++) {
        const ImapMember *member = g_ptr_array_index(pool->members, i);
        ImapConn *conn = imap_session_conn(member->session);
        if (imap_session_state(member->session) == IMAP_SESSION_READY &&
            imap_conn_heard(conn) < least)
            imap_conn_fail(conn, error);
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
    imap_pool_schedule(pool);
    if (pool->closed)
        return;
    if (member->watches)
        imap_pool_watch_lost(pool);
    if (member->was_settled) {
        g_info("connection lost: %s", error->message);
        if (mail_errno(error) == ETIMEDOUT)
            drop_silent(pool, error);
    } else if (pool->watch.folders && !member->watches && has_only_watching(pool)) {
        imap_pool_stop_watching(pool, 0);
        limit_connections(pool, error);
    } else if (imap_pool_count(pool, IMAP_SESSION_READY) > 0) {
        limit_connections(pool, error);
    } else if (imap_pool_count(pool, IMAP_SESSION_CONNECTING) == 0 &&
               reach_failed(pool->reach, error)) {
        imap_pool_fail_waiting(pool, error);
    }
}

static const ImapSessionEvents session_events = {on_ready, on_settled, on_dead, on_untagged};

/* --- which there are --------------------------------------------------------------------------
 */

void imap_pool_drop_dead(ImapPool *pool)
{
    for (guint i = pool->members->len; i > 0; i--) {
        ImapMember *member = g_ptr_array_index(pool->members, i - 1);
        if (imap_session_state(member->session) == IMAP_SESSION_DEAD)
            g_ptr_array_remove_index(pool->members, i - 1);
    }
    if (pool->members->len == 0) /* the next may go another way */
        pool->link = IMAP_LINK_UNKNOWN;
}

void imap_pool_drop_connecting(ImapPool *pool)
{
    for (guint i = pool->members->len; i > 0; i--) {
        ImapMember *member = g_ptr_array_index(pool->members, i - 1);
        if (imap_session_state(member->session) == IMAP_SESSION_CONNECTING)
            g_ptr_array_remove_index(pool->members, i - 1);
    }
    reach_dropped(pool->reach);
}

ImapMember *imap_pool_add_member(ImapPool *pool)
{
    ImapMember *member = g_new0(ImapMember, 1);

    if (imap_pool_count(pool, IMAP_SESSION_READY) == 0 || reach_is_due(pool->reach))
        reach_trying(pool->reach);
    pool->config.password = reach_password(pool->reach);
    member->pool = pool;
    g_queue_init(&member->ops);
    member->number = ++pool->last_number;
    member->session = imap_session_new(&pool->config, member->number, &session_events, member);
    g_ptr_array_add(pool->members, member);
    return member;
}

unsigned imap_pool_limit(ImapPool *pool)
{
    if (pool->limit && g_get_monotonic_time() > pool->limited_until)
        pool->limit = 0;
    return pool->limit ? pool->limit : pool->config.connections;
}

bool imap_pool_may_add(ImapPool *pool)
{
    return pool->members->len < imap_pool_limit(pool) && reach_may_try(pool->reach);
}

bool imap_pool_drop_sleepers(ImapPool *pool)
{
    g_autoptr(GError) error = NULL;
    guint n = 0;

    if (!reach_was_asleep(pool->reach))
        return false;
    error = g_error_new(MAIL_ERROR, ENOTCONN, "the machine was suspended");
    for (guint i = 0; i < pool->members->len; i++) {
        ImapSession *session = ((ImapMember *)g_ptr_array_index(pool->members, i))->session;
        if (imap_session_state(session) == IMAP_SESSION_DEAD)
            continue;
        imap_conn_fail(imap_session_conn(session), error);
        n++;
    }
    return n > 0;
}
