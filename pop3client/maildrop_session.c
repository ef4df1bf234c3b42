#include "../imapclient/net/quote.h"
#include "maildrop_private.h"

#include <errno.h>

enum {
    FIRST_RETRY_MILLIS = 500, /* until a maildrop that is in use is tried again; then doubled, */
    LAST_RETRY_MILLIS = 5000, /* up to this */
};

/* --- being turned away --------------------------------------------------------------------- */

static gboolean retry_now(gpointer data)
{
    Pop3Maildrop *maildrop = data;

    g_clear_pointer(&maildrop->retry, g_source_unref);
    pop3_maildrop_schedule(maildrop);
    return G_SOURCE_REMOVE;
}

void pop3_maildrop_stop_trying(Pop3Maildrop *maildrop)
{
    pop3_maildrop_drop_source(&maildrop->retry);
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
        pop3_maildrop_stop_trying(maildrop);
        return false;
    }
    pop3_maildrop_attach(&maildrop->retry, (guint)millis, retry_now, maildrop);
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
    pop3_maildrop_fail_waiting(maildrop, failure, true);
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
    pop3_maildrop_fail_waiting(maildrop, error, true);
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
    reach_worked(maildrop->reach);
    maildrop->logged_in_at = g_get_monotonic_time();
    maildrop->login_delay = login->login_delay;
    g_free(maildrop->capabilities);
    maildrop->capabilities = text ? quote_text(text->str) : NULL;
    maildrop->caps = login->caps.bits;
    g_free(maildrop->tls_lines);
    maildrop->tls_lines = stream_tls_lines(pop3_conn_stream(pop3_session_conn(maildrop->session)));
    pop3_maildrop_schedule(maildrop);
}

/* The maildrop can't be listed: what waits for that fails. */
static void on_listed(gpointer data, const GError *error)
{
    Pop3Maildrop *maildrop = data;

    if (error)
        pop3_maildrop_fail_waiting(maildrop, error, false);
    pop3_maildrop_schedule(maildrop);
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
    pop3_maildrop_fail_running(maildrop, unanswered);
    pop3_maildrop_schedule(maildrop);
}

static void on_dead(gpointer data, const GError *error)
{
    Pop3Maildrop *maildrop = data;
    const Pop3LoginResult *login = pop3_session_login(maildrop->session);

    pop3_maildrop_fail_running(maildrop, error);
    pop3_maildrop_schedule(maildrop);
    if (maildrop->closed)
        return;
    if (login->in_use || login->too_soon)
        turned_away(maildrop, login->in_use, error);
    else if (pop3_session_was_ready(maildrop->session))
        g_info("connection lost: %s", error->message);
    else if (reach_failed(maildrop->reach, error))
        pop3_maildrop_fail_waiting(maildrop, error, true);
}

static const Pop3SessionEvents session_events = {on_ready, on_listed, on_left, on_dead};

/* --- which there is ----------------------------------------------------------------------------
 */

void pop3_maildrop_drop_session(Pop3Maildrop *maildrop)
{
    pop3_maildrop_drop_source(&maildrop->farewell);
    g_clear_pointer(&maildrop->session, pop3_session_free);
    maildrop->synced = maildrop->was_idle = false;
}

void pop3_maildrop_connect(Pop3Maildrop *maildrop)
{
    if (maildrop->retry)
        return;
    if (!reach_is_due(maildrop->reach) &&
        !(pop3_maildrop_has_waiting(maildrop) && reach_may_try(maildrop->reach))) {
        pop3_maildrop_fail_waiting(maildrop, NULL, true);
        return;
    }
    if (!may_connect(maildrop))
        return;
    reach_trying(maildrop->reach);
    maildrop->config.password = reach_password(maildrop->reach);
    maildrop->session = pop3_session_new(&maildrop->config, ++maildrop->last_number,
                                         &maildrop->has_uidl, &session_events, maildrop);
}

void pop3_maildrop_drop_sleeper(Pop3Maildrop *maildrop)
{
    g_autoptr(GError) error = NULL;

    if (!reach_was_asleep(maildrop->reach) || !pop3_maildrop_is(maildrop, POP3_SESSION_READY))
        return;
    error = g_error_new(MAIL_ERROR, ENOTCONN, "the machine was suspended");
    pop3_conn_fail(pop3_session_conn(maildrop->session), error);
}

void pop3_maildrop_drop_stalled(Pop3Maildrop *maildrop)
{
    if (!pop3_maildrop_has_waiting(maildrop) ||
        !pop3_maildrop_is(maildrop, POP3_SESSION_CONNECTING) || !reach_is_stalled(maildrop->reach))
        return;
    pop3_maildrop_drop_session(maildrop);
    reach_dropped(maildrop->reach);
}
