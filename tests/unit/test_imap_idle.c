/* IDLE on a connection: what ends it, and how long the server may be silent. */
#include "imap_conn_bench.h"

static void idle_begun(gpointer data, const char *text)
{
    Ask *ask = data;

    g_string_append_printf(ask->bench->log, "%s idles: %s\n", ask->name, text);
}

static const ImapRequestEvents idle_events = {
    .untagged = ask_untagged, .continuation = idle_begun, .done = ask_done};

static Ask *ask_idle(Bench *bench)
{
    Ask *ask = &bench->asks[bench->n_asks++];

    ask->bench = bench;
    g_snprintf(ask->name, sizeof ask->name, "#%zu", bench->n_asks);
    imap_conn_send(bench->conn, imap_command_new("IDLE"), IMAP_REQUEST_IDLE, &idle_events, ask);
    return ask;
}

/* Until it is told, or can't be any more. */
static void run_to(Bench *bench, const char *told)
{
    while (!strstr(bench->log->str, told) && !bench->closed && !bench->late &&
           !bench->server.problem)
        g_main_context_iteration(bench->context, TRUE);
}

/* --- what ends it ---------------------------------------------------------------------------- */

static void act_noop_while_idling(Bench *bench)
{
    ask_idle(bench);
    run_to(bench, "untagged EXISTS");
    ask_for(bench, "NOOP", 0);
    ask_for(bench, "CHECK", 0);
}

/* What is sent behind it does not wait for its end. */
static void test_ended_by_a_command(void **state)
{
    (void)state;
    play(GREETING "C: A1 IDLE\nS: + idling\nS: * 3 EXISTS\nC: DONE\nC: A2 NOOP\nC: A3 CHECK\n"
                  "S: A1 OK done\nS: A2 OK done\nS: A3 OK done\n",
         act_noop_while_idling, GREETED "#1 idles: idling\nuntagged EXISTS\n#1 OK\n#2 OK\n#3 OK\n");
}

static void act_noop_at_once(Bench *bench)
{
    ask_for(bench, "CHECK", 0);
    ask_idle(bench);
    ask_for(bench, "NOOP", 0);
}

/* It waits for what is ahead of it; and what is behind it, for the server's "+". */
static void test_not_ended_before_it_began(void **state)
{
    (void)state;
    play(GREETING "C: A1 CHECK\nS: A1 OK done\nC: A2 IDLE\nS: * 3 EXISTS\nS: + idling\nC: DONE\n"
                  "C: A3 NOOP\nS: A2 OK done\nS: A3 OK done\n",
         act_noop_at_once, GREETED "#1 OK\nuntagged EXISTS\n#2 idles: idling\n#2 OK\n#3 OK\n");
}

static void act_barrier(Bench *bench)
{
    ask_idle(bench);
    ask_for(bench, "LOGIN a b", IMAP_REQUEST_BARRIER);
    ask_idle(bench);
    ask_for(bench, "NOOP", 0);
}

static void test_between_barriers(void **state)
{
    (void)state;
    play(GREETING "C: A1 IDLE\nS: + \nC: DONE\nS: A1 OK done\nC: A2 LOGIN a b\nS: A2 OK done\n"
                  "C: A3 IDLE\nS: + \nC: DONE\nC: A4 NOOP\nS: A3 OK done\nS: A4 OK done\n",
         act_barrier, GREETED "#1 idles: \n#1 OK\n#2 OK\n#3 idles: \n#3 OK\n#4 OK\n");
}

static void act_refused(Bench *bench)
{
    ask_idle(bench);
    ask_for(bench, "NOOP", 0);
}

static void test_refused(void **state)
{
    (void)state;
    play(GREETING "C: A1 IDLE\nS: A1 BAD what?\nC: A2 NOOP\nS: A2 OK done\n", act_refused,
         GREETED "#1 BAD\n#2 OK\n");
}

static void act_end(Bench *bench)
{
    imap_conn_end_idle(bench->conn); /* there is none */
    ask_idle(bench);
    run_to(bench, "idles");
    imap_conn_end_idle(bench->conn);
    imap_conn_end_idle(bench->conn);
}

static void test_ended_by_its_owner(void **state)
{
    (void)state;
    play(GREETING "C: A1 IDLE\nS: + idling\nC: DONE\nS: * 3 EXISTS\nS: A1 OK done\n", act_end,
         GREETED "#1 idles: idling\nuntagged EXISTS\n#1 OK\n");
}

static void act_end_early(Bench *bench)
{
    run_to(bench, "untagged OK");
    ask_idle(bench);
    imap_conn_end_idle(bench->conn);
}

static void test_ended_before_it_began(void **state)
{
    (void)state;
    play(GREETING "C: A1 IDLE\nS: + idling\nC: DONE\nS: A1 OK done\n", act_end_early,
         GREETED "#1 idles: idling\n#1 OK\n");
}

/* Nobody hears of it any more; DONE is sent all the same. */
static void test_cancelled(void **state)
{
    static const char *const script = GREETING "C: A1 IDLE\nS: + idling\nC: DONE\nS: A1 OK done\n"
                                               "C: A2 NOOP\nS: A2 OK done\n";
    Bench bench;

    (void)state;
    begin(&bench, &script, PLAY_WHOLE, 0);
    Ask *idle = ask_idle(&bench);
    run_to(&bench, "idles");
    imap_conn_cancel(bench.conn, idle);
    idle->done = 1;
    settle(&bench);
    ask_for(&bench, "NOOP", 0);
    run(&bench);
    assert_string_equal(bench.log->str, GREETED "#1 idles: idling\n#2 OK\n");
    end(&bench);
}

/* The server ends it by itself while DONE is on its way, and takes that for a command. */
static void test_crossed(void **state)
{
    (void)state;
    play(GREETING "C: A1 IDLE\nS: + idling\nS: * 3 EXISTS\nC: DONE\nC: A2 NOOP\nC: A3 CHECK\n"
                  "S: A1 OK over\nS: DONE BAD what?\nS: A2 OK done\nS: A3 OK done\n",
         act_noop_while_idling, GREETED "#1 idles: idling\nuntagged EXISTS\n#1 OK\n#2 OK\n#3 OK\n");
}

/* Without a DONE there is no such answer. */
static void test_not_crossed(void **state)
{
    static const char *const script = GREETING "C: A1 NOOP\nS: DONE BAD what?\n";
    Bench bench;

    (void)state;
    begin(&bench, &script, PLAY_WHOLE, 0);
    ask_for(&bench, "NOOP", 0);
    run_until_closed(&bench);
    assert_string_equal(bench.log->str, GREETED "#1 EPROTO\nclosed EPROTO\n");
    end(&bench);
}

/* --- silence --------------------------------------------------------------------------------- */

static gboolean end_idle(gpointer data)
{
    imap_conn_end_idle(((Bench *)data)->conn);
    return G_SOURCE_REMOVE;
}

/* For twice as long as a silent server is given, and then its answer is missing. */
static void test_silent(void **state)
{
    static const char *const script = GREETING "C: A1 IDLE\nS: + idling\nC: DONE\n";
    static const char *const mute = GREETING "C: A1 IDLE\n";
    Bench bench;

    (void)state;
    begin(&bench, &script, PLAY_WHOLE, 0);
    bench.config.timeout = 1;
    imap_conn_free(bench.conn);
    bench.conn = imap_conn_new(&bench.config, 1, &conn_events, &bench);
    ask_idle(&bench);
    GSource *later = g_timeout_source_new_seconds(3);
    g_source_set_callback(later, end_idle, &bench, NULL);
    g_source_attach(later, bench.context);
    g_source_unref(later);
    run_until_closed(&bench);
    assert_string_equal(bench.log->str, GREETED "#1 idles: idling\n#1 ETIMEDOUT\n"
                                                "closed ETIMEDOUT\n");
    assert_true(script_is_through(&bench.server));
    end(&bench);
    begin(&bench, &mute, PLAY_WHOLE, 0);
    bench.config.timeout = 1;
    imap_conn_free(bench.conn);
    bench.conn = imap_conn_new(&bench.config, 1, &conn_events, &bench);
    ask_idle(&bench);
    run_until_closed(&bench);
    assert_string_equal(bench.log->str, GREETED "#1 ETIMEDOUT\nclosed ETIMEDOUT\n");
    end(&bench);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ended_by_a_command), cmocka_unit_test(test_not_ended_before_it_began),
        cmocka_unit_test(test_between_barriers),   cmocka_unit_test(test_refused),
        cmocka_unit_test(test_ended_by_its_owner), cmocka_unit_test(test_ended_before_it_began),
        cmocka_unit_test(test_cancelled),          cmocka_unit_test(test_crossed),
        cmocka_unit_test(test_not_crossed),        cmocka_unit_test(test_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
