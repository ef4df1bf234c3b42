#include "imap_conn_bench.h"

/* --- order ----------------------------------------------------------------------------------- */

static void act_three(Bench *bench)
{
    ask_for(bench, "NOOP", 0);
    ask_for(bench, "ID NIL", 0);
    ask_for(bench, "CHECK", 0);
    assert_int_equal(imap_conn_load(bench->conn), 3);
}

/* Nothing leaves before the greeting; then all at once. */
static void test_pipelined(void **state)
{
    (void)state;
    play(GREETING "C: A1 NOOP\nC: A2 ID NIL\nC: A3 CHECK\n"
                  "S: A2 BAD\nS: * 3 EXISTS\nS: A1 OK done\nS: A3 NO sorry\n",
         act_three, GREETED "#2 BAD\nuntagged EXISTS\n#1 OK\n#3 NO\n");
}

static void act_barrier(Bench *bench)
{
    ask_for(bench, "NOOP", 0);
    ask_for(bench, "LOGIN a b", IMAP_REQUEST_BARRIER);
    ask_for(bench, "CHECK", 0);
    ask_for(bench, "ID NIL", 0);
}

static void test_barrier(void **state)
{
    (void)state;
    play(GREETING "C: A1 NOOP\nS: A1 OK done\nC: A2 LOGIN a b\nS: A2 NO no\n"
                  "C: A3 CHECK\nC: A4 ID NIL\nS: A3 OK done\nS: A4 OK done\n",
         act_barrier, GREETED "#1 OK\n#2 NO\n#3 OK\n#4 OK\n");
}

static void act_many(Bench *bench)
{
    for (int i = 0; i < MOST_REQUESTS; i++)
        ask_for(bench, "NOOP", 0);
}

/* What waits for its turn can still be taken back: so not everything is in flight. */
static void test_depth(void **state)
{
    enum { DEPTH = 64 };
    g_autoptr(GString) script = g_string_new(GREETING);
    g_autoptr(GString) expected = g_string_new(GREETED);

    (void)state;
    for (int i = 1; i <= DEPTH; i++)
        g_string_append_printf(script, "C: A%d NOOP\n", i);
    for (int i = 1; i <= MOST_REQUESTS; i++) {
        g_string_append_printf(script, "S: A%d OK done\n", i);
        if (i + DEPTH <= MOST_REQUESTS)
            g_string_append_printf(script, "C: A%d NOOP\n", i + DEPTH);
        g_string_append_printf(expected, "#%d OK\n", i);
    }
    play(script->str, act_many, expected->str);
}

/* --- who is told ----------------------------------------------------------------------------- */

static void act_claims(Bench *bench)
{
    ask_for(bench, "NOOP", 0);
    ask_for(bench, "X", 0)->claims = "LIST FETCH";
    ask_for(bench, "Y", 0)->claims = "FETCH SEARCH";
}

static void test_claims(void **state)
{
    (void)state;
    play(GREETING "C: A1 NOOP\nC: A2 X\nC: A3 Y\nS: * 1 FETCH ()\nS: * SEARCH 1\nS: * 1 EXISTS\n"
                  "S: * LIST () NIL a\nS: A2 OK done\nS: * 1 FETCH ()\nS: * LIST () NIL a\n"
                  "S: A3 OK done\nS: * SEARCH\nS: A1 OK done\n",
         act_claims,
         GREETED "#2 claims FETCH\n#3 claims SEARCH\nuntagged EXISTS\n#2 claims LIST\n#2 OK\n"
                 "#3 claims FETCH\nuntagged LIST\n#3 OK\nuntagged SEARCH\n#1 OK\n");
}

static void act_cancel_waiting(Bench *bench)
{
    Ask *ask;

    ask_for(bench, "LOGIN a b", IMAP_REQUEST_BARRIER);
    ask = ask_for(bench, "CHECK", 0);
    ask_for(bench, "NOOP", 0);
    imap_conn_cancel(bench->conn, ask);
    assert_int_equal(imap_conn_load(bench->conn), 2);
    ask->done = 1;
}

static void test_cancelled_before_it_was_sent(void **state)
{
    (void)state;
    play(GREETING "C: A1 LOGIN a b\nS: A1 OK done\nC: A2 NOOP\nS: A2 OK done\n", act_cancel_waiting,
         GREETED "#1 OK\n#3 OK\n");
}

static void test_cancelled_in_flight(void **state)
{
    static const char *const script = GREETING "C: A1 FETCH\nC: A2 NOOP\nW:\nS: * 1 FETCH ()\n"
                                               "S: + more\nS: A1 OK done\nS: A2 OK done\n";
    Bench bench;

    (void)state;
    begin(&bench, &script, PLAY_WHOLE, 0);
    Ask *ask = ask_for(&bench, "FETCH", 0);
    ask->claims = "FETCH";
    ask_for(&bench, "NOOP", 0);
    settle(&bench);
    imap_conn_cancel(bench.conn, ask);
    assert_int_equal(imap_conn_load(bench.conn), 2);
    script_go_on(&bench.server);
    settle(&bench);
    assert_string_equal(bench.log->str, GREETED "untagged FETCH\n#2 OK\n");
    assert_int_equal(imap_conn_load(bench.conn), 0);
    end(&bench);
}

/* --- continuations --------------------------------------------------------------------------- */

static void act_literals(Bench *bench)
{
    ImapCommand *command = imap_command_new("LOGIN");

    assert_true(imap_command_astring(command, "\303\244", false, IMAP_LITERAL_SYNC, NULL));
    assert_true(imap_command_secret(command, "\303\266", IMAP_LITERAL_SYNC, NULL));
    send_command(bench, command, 0);
    ask_for(bench, "NOOP", 0);
}

/* Nothing comes between the pieces of a command. */
static void test_literals(void **state)
{
    (void)state;
    play(GREETING "C: A1 LOGIN {2}\nS: * 1 EXISTS\nS: + go on\nC: \303\244 {2}\nS: +\n"
                  "C: \303\266\nC: A2 NOOP\nS: A1 OK done\nS: A2 OK done\n",
         act_literals, GREETED "untagged EXISTS\n#1 OK\n#2 OK\n");
}

static void act_literal_then_noop(Bench *bench)
{
    ask_with_literal(bench, "EXAMINE", "\303\244");
    ask_for(bench, "NOOP", 0);
}

static void test_literal_refused(void **state)
{
    (void)state;
    play(GREETING "C: A1 EXAMINE {2}\nS: A1 NO too long\nC: A2 NOOP\nS: + and?\nC: an answer\n"
                  "S: A2 OK done\n",
         act_literal_then_noop, GREETED "#1 NO\n#2 is asked and?\n#2 OK\n");
}

static void act_exchange(Bench *bench)
{
    ask_for(bench, "AUTHENTICATE X", IMAP_REQUEST_BARRIER);
}

static void test_exchange(void **state)
{
    (void)state;
    play(GREETING "C: A1 AUTHENTICATE X\nS: + challenge\nC: an answer\nS: +\n"
                  "C: an answer\nS: A1 OK done\n",
         act_exchange, GREETED "#1 is asked challenge\n#1 is asked \n#1 OK\n");
}

/* --- ends ------------------------------------------------------------------------------------ */

static void check_end(const char *script, const char *expected)
{
    Bench bench;

    for (ScriptPlay how = PLAY_WHOLE; how <= PLAY_BYTES; how++) {
        begin(&bench, &script, how, 0);
        ask_for(&bench, "NOOP", 0);
        ask_for(&bench, "LOGIN a b", IMAP_REQUEST_BARRIER);
        run_until_closed(&bench);
        settle(&bench);
        if (!bench.server.problem && !bench.late)
            assert_string_equal(bench.log->str, expected);
        assert_int_equal(bench.closed, 1);
        end(&bench);
    }
}

#define ALL_BROKEN "#1 EPROTO\n#2 EPROTO\nclosed EPROTO\n"
#define SENT GREETING "C: A1 NOOP\n"

static void test_broken_grammar(void **state)
{
    (void)state;
    check_end(SENT "S: A7 OK done\n", GREETED ALL_BROKEN);
    check_end(SENT "S: A2 OK it was not sent yet\n", GREETED ALL_BROKEN);
    check_end(SENT "S: nonsense\n", GREETED ALL_BROKEN);
    check_end(SENT "S: * 1 FETCH (UID\n", GREETED ALL_BROKEN);
    check_end("S: + no greeting\n", "ready\n" ALL_BROKEN);
    check_end("S: A1 OK no greeting\n", "ready\n" ALL_BROKEN);
}

static void test_goodbye(void **state)
{
    (void)state;
    check_end(SENT "S: * BYE tired\nX:\n",
              GREETED "untagged BYE\n#1 ENOTCONN\n#2 ENOTCONN\nclosed ENOTCONN\n");
    /* What was sent may still be answered; nothing more is sent. */
    check_end(SENT "S: * BYE tired\nS: A1 OK done\nX:\n",
              GREETED "untagged BYE\n#1 OK\n#2 ENOTCONN\nclosed ENOTCONN\n");
    /* It stays, and says no more. */
    check_end(SENT "S: * BYE tired\nS: A1 OK done\n",
              GREETED "untagged BYE\n#1 OK\n#2 ENOTCONN\nclosed ENOTCONN\n");
}

/* All of it is cut off long before it would fill the memory. */
static void check_flood(const char *flood)
{
    enum { BOUND = 16 << 20 };
    g_autofree char *script = g_strconcat(SENT, flood, NULL);
    const char *scripts = script;
    Bench bench;

    begin(&bench, &scripts, PLAY_WHOLE, 0);
    ask_for(&bench, "NOOP", 0);
    run_until_closed(&bench);
    assert_true(g_str_has_suffix(bench.log->str, "#1 EPROTO\nclosed EPROTO\n"));
    assert_in_range(bench.server.sent, 1, BOUND);
    end(&bench);
}

static void test_floods(void **state)
{
    g_autofree char *parentheses = g_strnfill(10000, '(');
    g_autofree char *nested = g_strdup_printf("S: * 1 FETCH %s\n", parentheses);
    g_autofree char *unknown = g_strdup_printf("S: * FOO %s\n", parentheses);

    (void)state;
    check_flood(nested);
    check_flood(unknown);
    check_flood("R: * OK \ne: and so on, ");
    check_flood("R: * LIST (\ne: \\Marked ");
    check_flood("R: * SEARCH\ne:  1");
    check_flood("R: A\ne: A");
    check_flood("R: * 1 FETCH (FLAGS (\"\ne: x");
    check_flood("S: * LIST () \"/\" {4294967296}\ne: x");
    check_flood("S: * LIST () \"/\" {100000000000000000000}\ne: x");
    check_flood("S: * 1 FETCH (BODY[] {18446744073709551615}\ne: x");
    check_flood("S: * OK [X {4294967296}\ne: x");
}

/* Responses without end, each of them harmless: they are all told, and none is kept. */
static void test_chatter(void **state)
{
    static const char *const script = SENT "E: * 1 EXISTS\n";
    enum { MANY = 100000 };
    Bench bench;

    (void)state;
    begin(&bench, &script, PLAY_WHOLE, 0);
    ask_for(&bench, "NOOP", 0);
    for (size_t told = 0; told < MANY && !bench.late;) {
        g_main_context_iteration(bench.context, TRUE);
        told += bench.log->len / strlen("untagged EXISTS\n");
        g_string_truncate(bench.log, 0);
    }
    assert_int_equal(bench.asks[0].done + bench.closed, 0);
    end(&bench);
}

static void test_given_up(void **state)
{
    static const char *const script = SENT;
    g_autoptr(GError) error = g_error_new(MAIL_ERROR, EKEYREJECTED, "not with this one");
    g_autoptr(GError) second = g_error_new(MAIL_ERROR, EIO, "too late");
    Bench bench;

    (void)state;
    begin(&bench, &script, PLAY_WHOLE, 0);
    ask_for(&bench, "NOOP", 0);
    ask_for(&bench, "LOGIN a b", IMAP_REQUEST_BARRIER);
    settle(&bench);
    imap_conn_fail(bench.conn, error);
    imap_conn_fail(bench.conn, second);
    assert_string_equal(bench.log->str, GREETED);
    ask_for(&bench, "CHECK", 0);
    settle(&bench);
    assert_string_equal(bench.log->str, GREETED "#1 EKEYREJECTED\n#2 EKEYREJECTED\n"
                                                "#3 EKEYREJECTED\nclosed EKEYREJECTED\n");
    assert_null(imap_conn_stream(bench.conn));
    /* What is asked of a dead connection is told so too. */
    ask_for(&bench, "CHECK", 0);
    imap_conn_answer(bench.conn, "nobody hears it");
    settle(&bench);
    assert_true(g_str_has_suffix(bench.log->str, "#4 EKEYREJECTED\n"));
    assert_int_equal(bench.closed, 1);
    end(&bench);
}

static void test_refused(void **state)
{
    static const char *const script = "";
    Bench bench;

    (void)state;
    begin(&bench, &script, PLAY_WHOLE, 0);
    script_refuse(&bench.server);
    ask_for(&bench, "NOOP", 0);
    run_until_closed(&bench);
    assert_string_equal(bench.log->str, "#1 ECONNREFUSED\nclosed ECONNREFUSED\n");
    end(&bench);
}

/* Nobody is told of anything by the end of it. */
static void test_freed(void **state)
{
    static const char *const script = GREETING "C: A1 NOOP\nC: A2 EXAMINE {2}\n";
    Bench bench;

    (void)state;
    begin(&bench, &script, PLAY_WHOLE, 0);
    ask_for(&bench, "NOOP", 0);
    ask_with_literal(&bench, "EXAMINE", "\303\244");
    ask_for(&bench, "CHECK", 0);
    settle(&bench);
    g_clear_pointer(&bench.conn, imap_conn_free);
    settle(&bench);
    assert_string_equal(bench.log->str, GREETED);
    end(&bench);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_barrier),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_cancelled_before_it_was_sent),
        cmocka_unit_test(test_cancelled_in_flight),
        cmocka_unit_test(test_literals),
        cmocka_unit_test(test_literal_refused),
        cmocka_unit_test(test_exchange),
        cmocka_unit_test(test_broken_grammar),
        cmocka_unit_test(test_goodbye),
        cmocka_unit_test(test_floods),
        cmocka_unit_test(test_chatter),
        cmocka_unit_test(test_given_up),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
