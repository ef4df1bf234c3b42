/*
 * imap_conn_bench.h: a connection alone, the server of script.h, and a log of what was told: for
 * the tests of conn.c and conn_wait.c.
 */
#pragma once

#include "../../imapclient/conn.h"
#include "script.h"

enum { PATIENCE = 60, MOST_REQUESTS = 100 };

typedef struct Bench Bench;

/* What a connection's owner asks for, and how it went. */
typedef struct {
    Bench *bench;
    char name[8];
    const char *claims; /* the responses that it wants, or NULL */
    unsigned done;
} Ask;

/* A connection, its server, and what was told: a line for each callback. */
struct Bench {
    Script server;
    ImapConfig config;
    GMainContext *context;
    ImapConn *conn;
    GString *log;
    Ask asks[MOST_REQUESTS];
    size_t n_asks;
    unsigned closed;
    bool late;
};

/* --- what the connection tells --------------------------------------------------------------- */

static inline void on_ready(gpointer data)
{
    g_string_append(((Bench *)data)->log, "ready\n");
}

static inline void on_untagged(gpointer data, const ImapResponse *response)
{
    g_string_append_printf(((Bench *)data)->log, "untagged %s\n", response->name);
}

static inline void on_closed(gpointer data, const GError *error)
{
    Bench *bench = data;

    bench->closed++;
    for (size_t i = 0; i < bench->n_asks; i++)
        assert_int_equal(bench->asks[i].done, 1); /* all of them are told before */
    g_string_append_printf(bench->log, "closed %s\n", strerrorname_np(error->code));
}

static const ImapConnEvents conn_events = {on_ready, on_untagged, on_closed};

static inline bool ask_untagged(gpointer data, const ImapResponse *response)
{
    Ask *ask = data;

    if (!ask->claims || !strstr(ask->claims, response->name))
        return false;
    g_string_append_printf(ask->bench->log, "%s claims %s\n", ask->name, response->name);
    return true;
}

static inline void ask_continuation(gpointer data, const char *text)
{
    Ask *ask = data;

    g_string_append_printf(ask->bench->log, "%s is asked %s\n", ask->name, text);
    imap_conn_answer(ask->bench->conn, "an answer");
}

static inline void ask_done(gpointer data, const ImapResponse *response, const GError *error)
{
    Ask *ask = data;

    ask->done++;
    assert_true((response == NULL) == (error != NULL));
    g_string_append_printf(ask->bench->log, "%s %s\n", ask->name,
                           response ? response->name : strerrorname_np(mail_errno(error)));
}

static const ImapRequestEvents ask_events = {
    .untagged = ask_untagged, .continuation = ask_continuation, .done = ask_done};

/* --- what is asked --------------------------------------------------------------------------- */

static inline Ask *send_command(Bench *bench, ImapCommand *command, unsigned flags)
{
    size_t logged = bench->log->len;
    Ask *ask = &bench->asks[bench->n_asks++];

    ask->bench = bench;
    g_snprintf(ask->name, sizeof ask->name, "#%zu", bench->n_asks);
    imap_conn_send(bench->conn, command, flags, &ask_events, ask);
    assert_int_equal(bench->log->len, logged); /* nothing is told from inside a call */
    return ask;
}

static inline Ask *ask_for(Bench *bench, const char *text, unsigned flags)
{
    return send_command(bench, imap_command_new(text), flags);
}

static inline Ask *ask_with_literal(Bench *bench, const char *text, const char *literal)
{
    ImapCommand *command = imap_command_new(text);

    assert_true(imap_command_astring(command, literal, false, IMAP_LITERAL_SYNC, NULL));
    return send_command(bench, command, 0);
}

/* --- the run --------------------------------------------------------------------------------- */

static inline gboolean give_up(gpointer data)
{
    ((Bench *)data)->late = true;
    return G_SOURCE_REMOVE;
}

/* Until nothing more happens: the server waits for more, or the connection is closed. */
static inline void settle(Bench *bench)
{
    while (g_main_context_iteration(bench->context, FALSE))
        continue;
}

static inline void run_until_closed(Bench *bench)
{
    while (!bench->closed && !bench->late && !bench->server.problem)
        g_main_context_iteration(bench->context, TRUE);
}

/* Until all that was asked is answered. */
static inline void run(Bench *bench)
{
    size_t done = 0;

    while (done < bench->n_asks && !bench->late && !bench->server.problem) {
        g_main_context_iteration(bench->context, TRUE);
        done = 0;
        for (size_t i = 0; i < bench->n_asks; i++)
            done += bench->asks[i].done > 0;
    }
    settle(bench);
}

static inline void begin(Bench *bench, const char *const *scripts, ScriptPlay play, size_t cut)
{
    GSource *patience = g_timeout_source_new_seconds(PATIENCE);

    *bench = (Bench){.log = g_string_new(NULL), .context = g_main_context_new()};
    g_main_context_push_thread_default(bench->context);
    g_source_set_callback(patience, give_up, bench, NULL);
    g_source_attach(patience, bench->context);
    g_source_unref(patience);
    bench->server.scripts = scripts;
    bench->server.n_scripts = 1;
    bench->server.play = play;
    bench->server.cut = cut;
    script_begin(&bench->server);
    bench->config = (ImapConfig){
        .host = "127.0.0.1", .port = bench->server.port, .clear = true, .timeout = 5};
    bench->conn = imap_conn_new(&bench->config, 1, &conn_events, bench);
}

static inline void end(Bench *bench)
{
    g_autofree char *problem = g_strdup(bench->server.problem);

    imap_conn_free(bench->conn);
    script_end(&bench->server);
    settle(bench);
    g_main_context_pop_thread_default(bench->context);
    g_main_context_unref(bench->context);
    if (problem || bench->late)
        fail_msg("%s; told:\n%s", problem ? problem : "it hung", bench->log->str);
    g_string_free(bench->log, TRUE);
}

/* Plays it as it is and byte by byte, then broken off everywhere: each request is told once. */
static inline void play(const char *script, void (*act)(Bench *bench), const char *expected)
{
    Bench bench;

    for (ScriptPlay how = PLAY_WHOLE; how <= PLAY_BYTES; how++) {
        begin(&bench, &script, how, 0);
        act(&bench);
        run(&bench);
        if (!bench.server.problem && !bench.late)
            assert_string_equal(bench.log->str, expected);
        end(&bench);
    }
    for (size_t cut = 0; cut < script_halves(script); cut++) {
        begin(&bench, &script, PLAY_CUT, cut);
        act(&bench);
        run_until_closed(&bench);
        settle(&bench);
        assert_int_equal(bench.closed, 1);
        for (size_t i = 0; i < bench.n_asks; i++)
            assert_int_equal(bench.asks[i].done, 1);
        end(&bench);
    }
}

#define GREETING "S: * OK ready\n"
#define GREETED "ready\nuntagged OK\n"
