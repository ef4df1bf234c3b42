/* The pool and its owner: calls from inside a callback, closing, quota, alerts. */
#include "../../imapclient/limits.h"
#include "imap_pool_scenes.h"

/* --- owners that do something from inside a callback ----------------------------------------- */

static Act *inner_victim;

static void cancel_victim(gpointer data, const GError *error)
{
    act_done(data, error);
    if (inner_victim->op)
        act_cancel(inner_victim);
}

static void play_cancel_from_inside(Bed *bed)
{
    Act *act = act_new(bed);

    act->op = mail_store_connect(bed->store, cancel_victim, act);
    inner_victim = fetch(bed, "a", 1);
    fetch(bed, "a", 2);
}

static void test_cancel_from_inside(void **state)
{
    (void)state;
    static const Scene connected = {
        .scripts = {{GREETING, EXAMINE("A1", "a"), FETCH("A2", "2"), EXAMINED("A1"),
                     FETCHED("A2", "2")}},
        .play = play_cancel_from_inside,
        .told = {{"ok\n"}, {NULL}, {TOLD("2")}},
        .whole_only = true,
    };
    static const Scene failed = {
        .play = play_cancel_from_inside,
        .told = {{"error ECONNREFUSED\n"}, {NULL}, {"error ECONNREFUSED\n"}},
        .whole_only = true,
    };
    scene_run(&connected);
    scene_run(&failed);
}

static void close_store(gpointer data, const GError *error)
{
    act_done(data, error);
    act_close(((Act *)data)->bed);
}

static void play_close_from_inside(Bed *bed)
{
    Act *act = act_new(bed);

    act->op = mail_store_connect(bed->store, close_store, act);
    fetch(bed, "a", 1);
}

static void test_close_from_inside(void **state)
{
    (void)state;
    static const Scene connected = {
        .scripts = {{GREETING, "C: A1 LOGOUT\n"
                               "S: * BYE bye\n"
                               "S: A1 OK done\n"
                               "X:\n"}},
        .play = play_close_from_inside,
        .told = {{"ok\n"}, {"error ECANCELED\n"}, {"ok\n"}},
        .whole_only = true,
    };
    static const Scene failed = {
        .play = play_close_from_inside,
        .told = {{"error ECONNREFUSED\n"}, {"error ECANCELED\n"}, {"ok\n"}},
        .whole_only = true,
    };
    scene_run(&connected);
    scene_run(&failed);
}

static void fetch_again(gpointer data, const GError *error)
{
    act_done(data, error);
    fetch(((Act *)data)->bed, "a", 2);
}

static void play_submit_while_closing(Bed *bed)
{
    static const uint32_t uid = 1;
    const MailFetch wanted = {"a", 7, &uid, 1, text_only, 1, 1000, false};
    Act *act = act_new(bed);

    act->op = mail_store_fetch(bed->store, &wanted, act_fetched, fetch_again, act);
    if (bed_run_to_wait(bed))
        act_close(bed);
    script_go_on(&bed->server);
    bed_run(bed);
    fetch(bed, "a", 3);
}

/* Whoever does not give up is told each time. */
static void test_submit_while_closing(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{GREETING, EXAMINE("A1", "a"), FETCH("A2", "1"),
                     "W:\n"
                     "C: A3 LOGOUT\n"
                     "S: * BYE bye\n"
                     "S: A3 OK done\n"
                     "X:\n"}},
        .play = play_submit_while_closing,
        .told = {{"error ECANCELED\n"}, {"ok\n"}, {"error ECANCELED\n"}, {"error ECANCELED\n"}},
        .whole_only = true,
    };
    scene_run(&scene);
}

/* --- closing --------------------------------------------------------------------------------- */

static void play_close_two(Bed *bed)
{
    fetch(bed, "a", 1);
    fetch(bed, "b", 2);
    if (bed_run(bed))
        act_close(bed);
}

static void test_logout(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{GREETING, EXAMINE("A1", "a"), FETCH("A2", "1"), EXAMINE("A3", "b"),
                     FETCH("A4", "2"), EXAMINED("A1"), FETCHED("A2", "1"), EXAMINED("A3"),
                     FETCHED("A4", "2"),
                     "C: A5 LOGOUT\n"
                     "S: * BYE bye\n"
                     "S: A5 OK done\n"
                     "X:\n"}},
        .play = play_close_two,
        .told = {{TOLD("1")}, {TOLD("2")}, {"ok\n"}},
        .whole_only = true,
    };
    scene_run(&scene);
}

static void play_close_at_once(Bed *bed)
{
    act_close(bed);
}

static void play_connect_and_close(Bed *bed)
{
    act_connect(bed);
    if (bed_run(bed))
        act_close(bed);
}

static void play_close_while_connecting(Bed *bed)
{
    act_connect(bed);
    fetch(bed, "a", 1);
    if (bed_run_to_wait(bed))
        act_close(bed);
}

static void test_close(void **state)
{
    (void)state;
    static const Scene at_once = {
        .play = play_close_at_once, .told = {{"ok\n"}}, .whole_only = true};
    static const Scene while_connecting = {
        .scripts = {{"W:\n"}},
        .play = play_close_while_connecting,
        .told = {{"error ECANCELED\n"}, {"error ECANCELED\n"}, {"ok\n"}},
        .open_end = true,
        .whole_only = true,
    };
    static const Scene no_answer = {
        .scripts = {{GREETING, "C: A1 LOGOUT\n"}},
        .play = play_connect_and_close,
        .told = {{"ok\n"}, {"ok\n"}},
        .whole_only = true,
    };
    static const Scene dropped = {
        .scripts = {{GREETING, "C: A1 LOGOUT\n"
                               "X:\n"}},
        .play = play_connect_and_close,
        .told = {{"ok\n"}, {"ok\n"}},
        .whole_only = true,
    };
    static const Scene stays = {
        .scripts = {{GREETING, "C: A1 LOGOUT\n"
                               "S: * BYE bye\n"
                               "S: A1 OK done\n"}},
        .play = play_connect_and_close,
        .told = {{"ok\n"}, {"ok\n"}},
        .whole_only = true,
    };
    scene_run(&at_once);
    scene_run(&while_connecting);
    scene_run(&no_answer);
    scene_run(&dropped);
    scene_run(&stays);
}

/* --- quota, alerts --------------------------------------------------------------------------- */

static void play_quota(Bed *bed)
{
    MailQuota quota = {0};
    Act *act = act_connect(bed);

    assert_false(mail_store_quota(bed->store, &quota));
    if (!bed_run(bed))
        return;
    bed_settle(bed);
    if (!mail_store_quota(bed->store, &quota))
        g_string_append(act->log, "none\n");
    else
        g_string_append_printf(act->log,
                               "%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                               " bytes, %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT "\n",
                               (guint64)quota.used_bytes, (guint64)quota.limit_bytes,
                               (guint64)quota.used_messages, (guint64)quota.limit_messages);
}

static void check_quota(const char *answer, const char *expected)
{
    const Scene scene = {
        .scripts = {{PREAUTH("IMAP4rev1 QUOTA"), "C: A1 GETQUOTAROOT INBOX\n", answer,
                     "S: A1 OK done\n"}},
        .play = play_quota,
        .told = {{"ok\n", expected}},
        .whole_only = true,
    };
    scene_run(&scene);
}

static void test_quota(void **state)
{
    (void)state;
    check_quota("S: * QUOTAROOT INBOX root\nS: * QUOTA root (STORAGE 10 512 MESSAGE 20 30)\n",
                "10240 of 524288 bytes, 20 of 30\n");
    check_quota("S: * QUOTA \"\" (STORAGE 600 512)\n", "524288 of 524288 bytes, 0 of 0\n");
    check_quota("S: * QUOTA \"\" (STORAGE 1 18446744073709551615)\n", "none\n");
    check_quota("S: * QUOTA \"\" (STORAGE 1)\nS: * QUOTA\nS: * QUOTA (x) y\n", "none\n");
    check_quota("S: * QUOTA \"\" (X-A b c STORAGE x 1 STORAGE 1 2)\n",
                "1024 of 2048 bytes, 0 of 0\n");
    check_quota("S: * QUOTA \"\" ()\n", "none\n");
}

static void play_alerts(Bed *bed)
{
    Act *act = act_connect(bed);
    size_t told = 0;

    bed_run(bed);
    bed_settle(bed);
    for (const char *at = scene_log->str; (at = strstr(at, "the server says: mind?")); at++)
        told++;
    g_string_append(act->log, told == IMAP_MAX_ALERTS ? "alerts\n" : "no alerts, or a flood\n");
}

static void test_alerts(void **state)
{
    g_autoptr(GString) alerts = g_string_new(GREETING);

    (void)state;
    for (int i = 0; i < 100; i++)
        g_string_append(alerts, "S: * OK [ALERT] mind\tthe gap\n");
    const Scene scene = {.scripts = {{alerts->str}},
                         .play = play_alerts,
                         .told = {{"ok\n", "alerts\n"}},
                         .whole_only = true};
    scene_run(&scene);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cancel_from_inside),
        cmocka_unit_test(test_close_from_inside),
        cmocka_unit_test(test_submit_while_closing),
        cmocka_unit_test(test_logout),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_quota),
        cmocka_unit_test(test_alerts),
    };
    return cmocka_run_group_tests(tests, NULL, scene_clean);
}
