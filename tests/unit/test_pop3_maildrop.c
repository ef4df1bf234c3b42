/* When a session begins and ends, and who is served in which. */
#include "pop3_scene.h"

#define LIST_3 "S: +OK\nS: 1 a\nS: 2 b\nS: 3 c\nS: .\n"

/* --- leaving -----------------------------------------------------------------------------------
 */

static void play_sync(Bed *bed)
{
    sync_inbox(bed);
}

static void play_sync_fetch(Bed *bed)
{
    if (!synced(bed))
        return;
    bed_settle(bed);
    fetch_first(bed, 2, pop3_body, 1);
}

/* Without work a session is left, and the next finds the messages under other numbers. */
static void test_left_when_idle(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{SYNCED(MODERN), QUIT},
                    {LOGIN(MODERN),
                     "C: UIDL\nS: +OK\nS: 1 c\nS: 2 a\nS: .\n"
                     "C: RETR 2\nS: +OK\nS: one\nS: .\n",
                     QUIT}},
        .play = play_sync_fetch,
        .told = {{TOLD_SYNC}, {"fetch 1 BODY one\\r\\n\nok\n"}}, /* and 2 is gone */
        .leaves = true,
        .whole_only = true,
    };
    scene_run(&scene);
}

/* Nobody waits long for a QUIT that has nothing to commit. */
static void test_quit_unanswered(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{SYNCED(MODERN), "C: QUIT\nW:\n"},
                    {LOGIN(MODERN), "C: UIDL\nS: +OK\nS: 1 c\nS: 2 a\nS: .\n"
                                    "C: RETR 2\nS: +OK\nS: one\nS: .\n" QUIT}},
        .play = play_sync_fetch,
        .told = {{TOLD_SYNC}, {"fetch 1 BODY one\\r\\n\nok\n"}},
        .timeout = 30,
        .leaves = true,
        .open_end = true,
        .whole_only = true,
    };
    scene_run(&scene);
}

/* A session that the server has ended meanwhile, with a word or without, is no error. */
static void test_ended_by_the_server(void **state)
{
    static const char *const ends[] = {"X:\n", "S: -ERR idle for too long\nX:\n",
                                       "S: +OK what now?\n"};
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
        const Scene scene = {
            .scripts = {{SYNCED(MODERN), ends[i]},
                        {LOGIN(MODERN), "C: UIDL\nS: +OK\nS: 2 b\nS: 1 a\nS: .\n"
                                        "C: RETR 1\nC: RETR 2\n"
                                        "S: +OK\nS: one\nS: .\nS: +OK\nS: two\nS: .\n"}},
            .play = play_sync_fetch,
            .told = {{TOLD_SYNC}, {"fetch 1 BODY one\\r\\n\nfetch 2 BODY two\\r\\n\nok\n"}},
            .open_end = true,
            .whole_only = true,
        };
        scene_run(&scene);
    }
}

/* One that ends them all is. */
static void test_ended_each_time(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{LOGIN(MODERN), "C: UIDL\nC: LIST\nX:\n"},
                    {LOGIN(MODERN), "C: UIDL\nC: LIST\nX:\n"}},
        .play = play_sync,
        .told = {{"error ENOTCONN\n"}},
        .whole_only = true,
    };
    scene_run(&scene);
}

/* --- a maildrop that others have ---------------------------------------------------------------
 */

static void test_in_use(void **state)
{
    (void)state;
    static const Scene by_code = {
        .scripts = {{"S: +OK ready\n" CAPA("") "C: USER ann\nS: +OK\nC: PASS hunter2\n"
                                               "S: -ERR [IN-USE] somebody is in\n"},
                    {LOGIN(MODERN)}},
        .play = play_connect,
        .told = {{"ok\n"}},
        .open_end = true,
        .whole_only = true,
    };
    static const Scene by_words = {
        .scripts = {{"S: +OK ready\n" CAPA("") "C: USER ann\nS: +OK\nC: PASS hunter2\n"
                                               "S: -ERR Unable to lock maildrop\n"},
                    {"S: -ERR mailbox in use\n"},
                    {LOGIN(MODERN)}},
        .play = play_connect,
        .told = {{"ok\n"}},
        .open_end = true,
        .whole_only = true,
    };
    static const Scene for_long = {
        .scripts = {{"S: +OK ready\n" CAPA("") "C: USER ann\nS: +OK\nC: PASS hunter2\n"
                                               "S: -ERR [IN-USE] somebody is in\n"},
                    {"S: +OK ready\n" CAPA("") "C: USER ann\nS: +OK\nC: PASS hunter2\n"
                                               "S: -ERR [IN-USE] he still is\n"}},
        .play = play_connect,
        .told = {{"error EAGAIN\n"}},
        .says = "in use by another client",
        .timeout = 1,
        .open_end = true,
        .whole_only = true,
    };
    static const Scene locked_account = {
        .scripts = {{"S: +OK ready\n" CAPA("") "C: USER ann\nS: +OK\nC: PASS hunter2\n"
                                               "S: -ERR account locked: too many failures\n"}},
        .play = play_connect,
        .told = {{"error EACCES\n"}},
        .open_end = true,
        .whole_only = true,
    };
    scene_run(&by_code);
    scene_run(&by_words);
    scene_run(&for_long);
    scene_run(&locked_account);
}

static void play_again_at_once(Bed *bed)
{
    if (!synced(bed))
        return;
    act_remove(bed, pop3_uids, 1);
    if (!bed_run(bed))
        return;
    fetch_first(bed, 2, pop3_body, 1);
}

#define DELAYED(seconds) "S: UIDL\nS: PIPELINING\nS: LOGIN-DELAY " seconds "\n"
#define REMOVED "C: DELE 1\nC: QUIT\nS: +OK\nS: +OK\n"

/* LOGIN-DELAY is waited for, or is the reason why not. */
static void test_login_delay(void **state)
{
    (void)state;
    static const Scene waited_for = {
        .scripts = {{SYNCED(DELAYED("1")), REMOVED},
                    {LOGIN(DELAYED("1")), "C: UIDL\nS: +OK\nS: 1 b\nS: .\n"
                                          "C: RETR 1\nS: +OK\nS: two\nS: .\n"}},
        .play = play_again_at_once,
        .told = {{TOLD_SYNC}, {"removed 1\nok\n"}, {"fetch 2 BODY two\\r\\n\nok\n"}},
        .whole_only = true,
    };
    static const Scene too_long = {
        .scripts = {{SYNCED(DELAYED("900")), REMOVED}},
        .play = play_again_at_once,
        .told = {{TOLD_SYNC}, {"removed 1\nok\n"}, {"error EAGAIN\n"}},
        .says = "LOGIN-DELAY",
        .whole_only = true,
    };
    static const Scene by_code = {
        .scripts = {{"S: +OK ready\n" CAPA("") "C: USER ann\nS: +OK\nC: PASS hunter2\n"
                                               "S: -ERR [LOGIN-DELAY] so soon\n"},
                    {LOGIN(MODERN)}},
        .play = play_connect,
        .told = {{"ok\n"}},
        .open_end = true,
        .whole_only = true,
    };
    /* Who could not come back stays. */
    static const Scene stays = {
        .scripts = {{SYNCED(DELAYED("900")), "C: RETR 1\nC: RETR 2\n"
                                             "S: +OK\nS: one\nS: .\nS: +OK\nS: two\nS: .\n"}},
        .play = play_sync_fetch,
        .told = {{TOLD_SYNC}, {"fetch 1 BODY one\\r\\n\nfetch 2 BODY two\\r\\n\nok\n"}},
        .leaves = true,
        .whole_only = true,
    };
    scene_run(&waited_for);
    scene_run(&too_long);
    scene_run(&by_code);
    scene_run(&stays);
}

/* --- who is served first -----------------------------------------------------------------------
 */

static void play_ahead(Bed *bed)
{
    if (!synced(bed))
        return;
    act_fetch(bed, &(MailFetch){"INBOX", 1, pop3_uids, 2, pop3_body, 1, POP3_LIMIT, true});
    if (!bed_run_to_wait(bed))
        return;
    act_fetch(bed, &(MailFetch){"INBOX", 1, pop3_uids + 2, 1, pop3_body, 1, POP3_LIMIT, false});
    script_go_on(&bed->server);
}

/* What is waited for goes ahead of what is not and is not sent yet. */
static void test_ahead_gives_way(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{SYNCED_SLOWLY("S: UIDL\n"), "C: RETR 1\nW:\nS: +OK\nS: one\nS: .\n"
                                                 "C: RETR 3\nS: +OK\nS: three\nS: .\n"
                                                 "C: RETR 2\nS: +OK\nS: two\nS: .\n"}},
        .play = play_ahead,
        .told = {{TOLD_SYNC},
                 {"fetch 1 BODY one\\r\\n\nfetch 2 BODY two\\r\\n\nok\n"},
                 {"fetch 3 BODY three\\r\\n\nok\n"}},
        .whole_only = true,
    };
    scene_run(&scene);
}

static void play_three(Bed *bed)
{
    sync_inbox(bed);
    if (bed_run(bed))
        fetch_first(bed, 3, pop3_body, 1);
}

/* So much is asked for at once as makes 1 MiB. */
static void test_pipelined_by_bytes(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{LOGIN(MODERN),
                     "C: UIDL\nC: LIST\n" LIST_3
                     "S: +OK\nS: 1 600000\nS: 2 400000\nS: 3 100000\nS: .\n",
                     "C: RETR 1\nC: RETR 2\nS: +OK\nS: one\nS: .\n"
                     "C: RETR 3\nS: +OK\nS: two\nS: .\nS: +OK\nS: three\nS: .\n"}},
        .play = play_three,
        .told =
            {{"reset 1\nmessage 1 size 600000 name a\nmessage 2 size 400000 name b\n"
              "message 3 size 100000 name c\npresent 1 2 3\n"
              "state 1 uidnext 4 modseq 0 count 3\nok\n"},
             {"fetch 1 BODY one\\r\\n\nfetch 2 BODY two\\r\\n\nfetch 3 BODY three\\r\\n\nok\n"}},
    };
    scene_run(&scene);
}

/* --- cancelling, closing, looking --------------------------------------------------------------
 */

static void play_cancel(Bed *bed)
{
    if (!synced(bed))
        return;
    Act *waiting = fetch_first(bed, 3, pop3_body, 1);
    if (bed_run_to_wait(bed))
        act_cancel(waiting);
    fetch_first(bed, 1, pop3_body, 1);
    act_cancel(sync_inbox(bed));
    script_go_on(&bed->server);
}

/* What is on the wire is thrown away. */
static void test_cancelled(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{SYNCED(MODERN), "C: RETR 1\nC: RETR 2\nC: RETR 3\nW:\n"
                                     "S: +OK\nS: one\nS: .\nS: -ERR no\nS: +OK\nS: three\nS: .\n"
                                     "C: RETR 1\nS: +OK\nS: again\nS: .\n"}},
        .play = play_cancel,
        .told = {{TOLD_SYNC}, {NULL}, {"fetch 1 BODY again\\r\\n\nok\n"}, {NULL}},
        .whole_only = true,
    };
    scene_run(&scene);
}

static void play_close(Bed *bed)
{
    if (!synced(bed))
        return;
    fetch_first(bed, 1, pop3_body, 1);
    if (!bed_run_to_wait(bed))
        return;
    act_close(bed);
    script_go_on(&bed->server);
}

static void play_close_early(Bed *bed)
{
    act_connect(bed);
    if (bed_run_to_wait(bed))
        act_close(bed);
}

static void test_closed(void **state)
{
    (void)state;
    static const Scene at_work = {
        .scripts = {{SYNCED(MODERN), "C: RETR 1\nW:\nC: QUIT\nS: +OK\nS: one\nS: .\nS: +OK\n"}},
        .play = play_close,
        .told = {{TOLD_SYNC}, {"error ECANCELED\n"}, {"ok\n"}},
        .whole_only = true,
    };
    static const Scene silent = {
        .scripts = {{SYNCED(MODERN), "C: RETR 1\nW:\nC: QUIT\n"}},
        .play = play_close,
        .told = {{TOLD_SYNC}, {"error ECANCELED\n"}, {"ok\n"}},
        .whole_only = true,
    };
    static const Scene connecting = {
        .scripts = {{"W:\n"}},
        .play = play_close_early,
        .told = {{"error ECANCELED\n"}, {"ok\n"}},
        .open_end = true,
        .whole_only = true,
    };
    scene_run(&at_work);
    scene_run(&silent);
    scene_run(&connecting);
}

static void play_describe(Bed *bed)
{
    g_autoptr(GString) text = g_string_new(NULL);

    if (!synced(bed))
        return;
    mail_store_describe(bed->store, text);
    if (!strstr(text->str, "capabilities: TOP, UIDL, PIPELINING, RESP-CODES\n"
                           "capabilities-in-use: TOP UIDL PIPELINING RESP-CODES\ntls: none\n"
                           "certificate-expires: none\nconnections: 1\n") ||
        !strstr(text->str, "connection-1: ready, 3 messages, 0 commands under way, "))
        fail_msg("described as \"%s\"", text->str);
}

static void test_described(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{SYNCED(MODERN)}},
        .play = play_describe,
        .told = {{TOLD_SYNC}},
        .whole_only = true,
    };
    scene_run(&scene);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_left_when_idle),
        cmocka_unit_test(test_quit_unanswered),
        cmocka_unit_test(test_ended_by_the_server),
        cmocka_unit_test(test_ended_each_time),
        cmocka_unit_test(test_in_use),
        cmocka_unit_test(test_login_delay),
        cmocka_unit_test(test_ahead_gives_way),
        cmocka_unit_test(test_pipelined_by_bytes),
        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_closed),
        cmocka_unit_test(test_described),
    };
    return cmocka_run_group_tests(tests, NULL, scene_clean);
}
