/* Removals: of the right message, and done only once the server has said so. */
#include "../../pop3client/limits.h"
#include "pop3_scene.h"

static void play_two(Bed *bed)
{
    if (synced(bed))
        act_remove(bed, pop3_uids, 2);
}

static void play_fetch_behind(Bed *bed)
{
    if (!synced(bed))
        return;
    act_remove(bed, pop3_uids, 1);
    fetch_first(bed, 2, pop3_body, 1);
    act_remove(bed, pop3_uids + 2, 1);
}

static void test_committed(void **state)
{
    (void)state;
    static const Scene pipelined = {
        .scripts = {{SYNCED(MODERN), "C: DELE 1\nC: DELE 2\nC: QUIT\n"
                                     "S: +OK\nS: +OK\nS: +OK bye\n"}},
        .play = play_two,
        .told = {{TOLD_SYNC}, {"removed 1\nremoved 2\nok\n"}},
    };
    static const Scene one_by_one = {
        .scripts = {{SYNCED_SLOWLY("S: UIDL\n"), "C: DELE 1\nS: +OK\nC: DELE 2\nS: +OK\n" QUIT}},
        .play = play_two,
        .told = {{TOLD_SYNC}, {"removed 1\nremoved 2\nok\n"}},
        .whole_only = true,
    };
    static const Scene refused = {
        .scripts = {{SYNCED(MODERN), "C: DELE 1\nC: DELE 2\nC: QUIT\n"
                                     "S: -ERR it is locked\nS: +OK\nS: +OK bye\n"}},
        .play = play_two,
        .told = {{TOLD_SYNC}, {"removed 2\nok\n"}},
    };
    static const Scene not_committed = {
        .scripts = {{SYNCED(MODERN), "C: DELE 1\nC: DELE 2\nC: QUIT\n"
                                     "S: +OK\nS: +OK\nS: -ERR some were not removed\n"}},
        .play = play_two,
        .told = {{TOLD_SYNC}, {"error EREMOTEIO\n"}},
        .says = "some were not removed",
    };
    scene_run(&pipelined);
    scene_run(&one_by_one);
    scene_run(&refused);
    scene_run(&not_committed);
}

/* A server that closes without a word has committed nothing that is known of: what is still there
 * is removed in the next session, by what it is called there. */
static void test_not_answered(void **state)
{
    (void)state;
    static const Scene again = {
        .scripts = {{SYNCED(MODERN), "C: DELE 1\nC: DELE 2\nC: QUIT\nS: +OK\nS: +OK\nX:\n"},
                    {LOGIN(MODERN), "C: UIDL\nS: +OK\nS: 1 c\nS: 2 b\nS: 3 x\nS: .\n"
                                    "C: DELE 2\nC: QUIT\nS: +OK\nS: +OK\n"}},
        .play = play_two,
        .told = {{TOLD_SYNC}, {"removed 1\nremoved 2\nok\n"}},
        .whole_only = true,
    };
    static const Scene gone = {
        .scripts = {{SYNCED(MODERN), "C: DELE 1\nC: DELE 2\nC: QUIT\nS: +OK\nX:\n"},
                    {LOGIN(MODERN), "C: UIDL\nS: +OK\nS: 1 c\nS: .\n"}},
        .play = play_two,
        .told = {{TOLD_SYNC}, {"removed 1\nremoved 2\nok\n"}},
        .whole_only = true,
    };
    static const Scene silent = {
        .scripts = {{SYNCED(MODERN), "C: DELE 1\nC: DELE 2\nC: QUIT\nS: +OK\nS: +OK\nW:\n"}},
        .play = play_two,
        .told = {{TOLD_SYNC}, {"error ETIMEDOUT\n"}},
        .timeout = 1,
        .open_end = true,
        .whole_only = true,
    };
    scene_run(&again);
    scene_run(&gone);
    scene_run(&silent);
}

static void play_one(Bed *bed)
{
    if (synced(bed))
        act_remove(bed, pop3_uids, 1);
}

#define SAME "S: +OK\nS: A: 1\nS: \nS: .\n"
#define TWINS                                                                              \
    "reset 1\nmessage 1 size 10 name %s\nmessage 2 size 20 name %s\npresent 1 2\nstate 1 " \
    "uidnext 3 modseq 0 count 2\nok\n"

/*
 * Of two messages that are the same, on a server without unique-ids, one was removed by a session
 * whose end nobody saw: the other one stays.
 */
static void test_twins(void **state)
{
    g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, "A: 1\r\n\r\n", -1);
    g_autofree char *name = g_strconcat("head-", sum, NULL);
    g_autofree char *told = g_strdup_printf(TWINS, name, name);
    const Scene scene = {
        .scripts = {{LOGIN("S: TOP\n"),
                     "C: UIDL\nS: -ERR what?\n"
                     "C: LIST\nS: +OK\nS: 1 10\nS: 2 20\nS: .\n"
                     "C: TOP 1 0\n" SAME "C: TOP 2 0\n" SAME "C: DELE 1\nS: +OK\nC: QUIT\nX:\n"},
                    {LOGIN("S: TOP\n"), "C: UIDL\nS: -ERR what?\n"
                                        "C: LIST\nS: +OK\nS: 1 20\nS: .\n"
                                        "C: TOP 1 0\n" SAME}},
        .play = play_one,
        .told = {{told}, {"removed 1\nok\n"}},
        .whole_only = true,
    };
    (void)state;
    scene_run(&scene);
}

/* The session ends with the removals; what came meanwhile waits for the next. */
static void test_others_wait(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{SYNCED(MODERN), "C: DELE 1\nC: DELE 3\nC: QUIT\nS: +OK\nS: +OK\nS: +OK\n"},
                    {LOGIN(MODERN), "C: UIDL\nS: +OK\nS: 1 b\nS: .\n"
                                    "C: RETR 1\nS: +OK\nS: two\nS: .\n"}},
        .play = play_fetch_behind,
        .told = {{TOLD_SYNC},
                 {"removed 1\nok\n"},
                 {"fetch 2 BODY two\\r\\n\nok\n"},
                 {"removed 3\nok\n"}},
        .served_once = true,
        .whole_only = true,
    };
    scene_run(&scene);
}

static void play_fetch_ahead(Bed *bed)
{
    if (!synced(bed))
        return;
    act_fetch(bed, &(MailFetch){"INBOX", 1, pop3_uids, 2, pop3_body, 1, POP3_LIMIT, true});
    if (!bed_run_to_wait(bed))
        return;
    act_remove(bed, pop3_uids + 2, 1);
    script_go_on(&bed->server);
}

/* What is under way is brought to its end first. */
static void test_behind_others(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{SYNCED_SLOWLY("S: UIDL\n"), "C: RETR 1\nW:\nS: +OK\nS: one\nS: .\n"
                                                 "C: DELE 3\nS: +OK\n"
                                                 "C: RETR 2\nS: +OK\nS: two\nS: .\n" QUIT}},
        .play = play_fetch_ahead,
        .told = {{TOLD_SYNC},
                 {"fetch 1 BODY one\\r\\n\nfetch 2 BODY two\\r\\n\nok\n"},
                 {"removed 3\nok\n"}},
        .whole_only = true,
    };
    scene_run(&scene);
}

static void play_refused(Bed *bed)
{
    act_remove(bed, pop3_uids, 1);
}

static void play_cancelled(Bed *bed)
{
    if (!synced(bed))
        return;
    Act *act = act_remove(bed, pop3_uids, 2);
    if (bed_run_to_wait(bed))
        act_cancel(act);
    script_go_on(&bed->server);
    fetch_first(bed, 1, pop3_body, 1);
}

static void test_refused_here(void **state)
{
    (void)state;
    static const Scene read_only = {
        .scripts = {{NULL}},
        .play = play_refused,
        .told = {{"error EROFS\n"}},
        .read_only = true,
        .whole_only = true,
    };
    static const Scene unknown = {
        .scripts = {{LOGIN(MODERN), "C: UIDL\nS: +OK\nS: 1 a\nS: .\n"}},
        .play = play_refused,
        .told = {{"error ESTALE\n"}},
    };
    static const Scene cancelled = {
        .scripts = {{SYNCED(MODERN), "C: DELE 1\nC: DELE 2\nC: QUIT\nW:\nS: +OK\nS: +OK\nS: +OK\n"},
                    {LOGIN(MODERN), "C: UIDL\nS: +OK\nS: 1 c\nS: .\n"}},
        .play = play_cancelled,
        .told = {{TOLD_SYNC}, {NULL}, {"ok\n"}},
        .whole_only = true,
    };
    scene_run(&read_only);
    scene_run(&unknown);
    scene_run(&cancelled);
}

static void play_bulk(Bed *bed)
{
    enum { N = 1000 };
    uint32_t uids[N];

    sync_inbox(bed);
    if (!bed_run(bed))
        return;
    for (uint32_t i = 0; i < N; i++)
        uids[i] = i + 1;
    act_remove(bed, uids, N / 2);
    act_remove(bed, uids + N / 2, N / 2);
}

/* The template for each number, in the place of each '#'. */
static void append_numbers(GString *text, const char *template, int first, int last)
{
    for (int i = first; i <= last; i++) {
        for (const char *p = template; *p; p++) {
            if (*p == '#')
                g_string_append_printf(text, "%d", i);
            else
                g_string_append_c(text, *p);
        }
    }
}

/* A thousand are one session, and no more of them are unanswered than may be. */
static void test_bulk(void **state)
{
    enum { N = 1000, DEPTH = POP3_PIPELINE_DEPTH };
    g_autoptr(GString) steps = g_string_new("C: UIDL\nC: LIST\nS: +OK\n");
    g_autoptr(GString) listed = g_string_new("reset 1\n");
    g_autoptr(GString) one = g_string_new(NULL), other = g_string_new(NULL);
    (void)state;
    append_numbers(steps, "S: # u#\n", 1, N);
    g_string_append(steps, "S: .\nS: +OK\nS: .\n");
    append_numbers(steps, "C: DELE #\n", 1, DEPTH);
    for (int i = 1; i <= N; i++)
        g_string_append_printf(steps,
                               i <= N - DEPTH       ? "S: +OK\nC: DELE %d\n"
                               : i == N - DEPTH + 1 ? "S: +OK\nC: QUIT\n"
                                                    : "S: +OK\n",
                               i + DEPTH);
    g_string_append(steps, "S: +OK\n");
    append_numbers(listed, "message # size 0 name u#\n", 1, N);
    g_string_append(listed, "present");
    append_numbers(listed, " #", 1, N);
    g_string_append(listed, "\nstate 1 uidnext 1001 modseq 0 count 1000\nok\n");
    append_numbers(one, "removed #\n", 1, N / 2);
    append_numbers(other, "removed #\n", N / 2 + 1, N);
    const Scene scene = {
        .scripts = {{LOGIN(MODERN), steps->str}},
        .play = play_bulk,
        .told = {{listed->str}, {one->str, "ok\n"}, {other->str, "ok\n"}},
        .whole_only = true,
    };
    scene_run(&scene);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_committed),     cmocka_unit_test(test_not_answered),
        cmocka_unit_test(test_twins),         cmocka_unit_test(test_others_wait),
        cmocka_unit_test(test_behind_others), cmocka_unit_test(test_refused_here),
        cmocka_unit_test(test_bulk),
    };
    return cmocka_run_group_tests(tests, NULL, scene_clean);
}
