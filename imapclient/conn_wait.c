#include "conn_private.h"

#include "net/quote.h"
#include "trace.h"

#include <errno.h>
#include <string.h>

enum { FAREWELL = G_USEC_PER_SEC }; /* how long a server that said BYE may stay silent */

/* --- silence ------------------------------------------------------------------------------- */

void imap_conn_fail_farewell(ImapConn *conn)
{
    g_autofree char *text = quote_text(conn->farewell);
    g_autofree char *goodbye = g_strdup_printf("the server said goodbye: %s", text);

    imap_conn_fail_text(conn, ENOTCONN, goodbye);
}

/* An IDLE that has begun is the one command whose answer may take for ever. */
static bool is_expecting(const ImapConn *conn)
{
    if (!conn->greeted || conn->farewell || conn->literal)
        return true;
    if (conn->idling && conn->idle == IMAP_IDLE_BEGUN)
        return false;
    return conn->in_flight.length > 0;
}

static gboolean watch_tick(gpointer data)
{
    ImapConn *conn = data;
    gint64 silent = g_get_monotonic_time() - conn->heard;

    if (!is_expecting(conn) || conn->failure) {
        g_clear_pointer(&conn->watch, g_source_unref);
        return G_SOURCE_REMOVE;
    }
    if (conn->farewell && silent > FAREWELL) {
        imap_conn_fail_farewell(conn);
    } else if (silent > (gint64)conn->timeout * G_USEC_PER_SEC) {
        g_autofree char *text = g_strdup_printf("the server has not answered for %u s",
                                                conn->timeout);
        imap_conn_fail_text(conn, ETIMEDOUT, text);
    }
    return G_SOURCE_CONTINUE;
}

void imap_conn_expect_answer(ImapConn *conn)
{
    if (conn->watch)
        return;
    conn->heard = g_get_monotonic_time();
    conn->watch = g_timeout_source_new_seconds(1);
    g_source_set_callback(conn->watch, watch_tick, conn, NULL);
    g_source_attach(conn->watch, g_main_context_get_thread_default());
}

/* --- IDLE ---------------------------------------------------------------------------------- */

void imap_conn_idle_sent(ImapConn *conn, Request *request)
{
    conn->idling = request;
    conn->idle = IMAP_IDLE_SENT;
    conn->unwanted = false;
}

/* Until now the server was allowed to be silent. */
static void send_done(ImapConn *conn)
{
    if (conn->trace)
        imap_trace_sent(conn->number, "DONE");
    conn->idle = IMAP_IDLE_ENDING;
    conn->done = true;
    conn->heard = g_get_monotonic_time();
    imap_conn_expect_answer(conn);
    stream_write(conn->stream, "DONE\r\n", 6);
}

void imap_conn_idle_begun(ImapConn *conn)
{
    if (conn->idle != IMAP_IDLE_SENT)
        return;
    conn->idle = IMAP_IDLE_BEGUN;
    if (conn->unwanted)
        imap_conn_end_idle(conn);
}

void imap_conn_end_idle(ImapConn *conn)
{
    if (!conn->idling || conn->failure || conn->farewell || !conn->stream)
        return;
    conn->unwanted = true;
    if (conn->idle == IMAP_IDLE_BEGUN)
        send_done(conn);
}

bool imap_conn_idle_is_ending(const ImapConn *conn)
{
    return conn->idle == IMAP_IDLE_ENDING;
}

bool imap_conn_idle_was_crossed(const ImapConn *conn, const ImapResponse *response)
{
    return conn->done && g_ascii_strcasecmp(response->tag, "DONE") == 0;
}
