/* Copies and moves: on the server, with the new UIDs where it tells them, and never twice. */
#include "imap_change_scenes.h"

static void play_copy(Bed *bed)
{
    act_copy(bed, from_inbox(uids_three, 3, "Work"));
}

static void play_copy_one(Bed *bed)
{
    static const uint32_t uid = 1;

    act_copy(bed, from_inbox(&uid, 1, "demos"));
}

static void play_move(Bed *bed)
{
    act_move(bed, from_inbox(uids_three, 3, "Work"));
}

#define EXAMINED "C: A1 EXAMINE INBOX\n" SELECTED_AS("A1", "7", "READ-ONLY")
#define SEARCH "C: A2 UID SEARCH UID 5:6,9\n"
#define ESEARCH "C: A2 UID SEARCH RETURN (ALL) UID 5:6,9\n"
#define THERE "S: * SEARCH 5 6 9\n" OK("A2")
#define ETHERE "S: * ESEARCH (TAG \"A2\") UID ALL 5:6,9\n" OK("A2")
#define COPY "C: A3 UID COPY 5:6,9 Work\n"
#define MOVE "C: A3 UID MOVE 5:6,9 Work\n"
#define TOLD_COPIES "copied 5 to 70 101\ncopied 6 to 70 102\ncopied 9 to 70 103\n"

/* --- copies ------------------------------------------------------------------------------------
 */

static void test_copied(void **state)
{
    (void)state;
    static const Scene uidplus = {
        .scripts = {{NEW, EXAMINED, ESEARCH COPY, ETHERE,
                     "S: A3 OK [COPYUID 70 5:6,9 101:103] done\n"}},
        .play = play_copy,
        .told = {{TOLD_COPIES "ok\n"}},
        .writable = true,
    };
    static const Scene another_order = {
        .scripts = {{NEW, EXAMINED, ESEARCH COPY, ETHERE,
                     "S: A3 OK [COPYUID 70 9,5:6 103,101:102] done\n"}},
        .play = play_copy,
        .told = {{TOLD_COPIES "ok\n"}},
        .writable = true,
    };
    /* One has gone meanwhile. */
    static const Scene some = {
        .scripts = {{NEW, EXAMINED, ESEARCH COPY, ETHERE,
                     "S: A3 OK [COPYUID 70 5,9 101:102] done\n"}},
        .play = play_copy,
        .told = {{"copied 5 to 70 101\ncopied 9 to 70 102\nok\n"}},
        .writable = true,
    };
    static const Scene old = {
        .scripts = {{OLD, EXAMINED, "C: A2 UID SEARCH UID 1\nC: A3 UID COPY 1 demos\n",
                     "S: * SEARCH 1\n" OK("A2") OK("A3")}},
        .play = play_copy_one,
        .told = {{"copied 1 to 0 0\nok\n"}},
        .writable = true,
    };
    static const Scene old_and_gone = {
        .scripts = {{OLD, EXAMINED, SEARCH COPY, "S: * SEARCH 6\n" OK("A2") OK("A3")}},
        .play = play_copy,
        .told = {{"copied 6 to 0 0\nok\n"}},
        .writable = true,
    };
    static const Scene strange_code = {
        .scripts = {{NEW, EXAMINED, ESEARCH COPY, ETHERE,
                     "S: A3 OK [COPYUID 70 5:6,9 101:102] done\n"}},
        .play = play_copy,
        .told = {{"copied 5 to 0 0\ncopied 6 to 0 0\ncopied 9 to 0 0\nok\n"}},
        .writable = true,
    };
    /* A server that does not search, but copies: who knows what. */
    static const Scene unknown = {
        .scripts = {{OLD, EXAMINED, SEARCH COPY, "S: A2 NO no\n" OK("A3")}},
        .play = play_copy,
        .told = {{"unsure 5\nunsure 6\nunsure 9\nok\n"}},
        .writable = true,
        .whole_only = true,
    };
    scene_run(&uidplus);
    scene_run(&another_order);
    scene_run(&some);
    scene_run(&old);
    scene_run(&old_and_gone);
    scene_run(&strange_code);
    scene_run(&unknown);
}

static void test_copy_refused(void **state)
{
    static const struct {
        const char *answer, *told;
    } cases[] = {
        {"NO [TRYCREATE] no such folder", "error ENOENT\n"},
        {"NO [OVERQUOTA] full", "error EDQUOT\n"},
        {"NO no", "error EACCES\n"},
        {"NO [COPYUID 70 5 101] no", "error EREMOTEIO\n"},
        {"BAD no", "error EPROTO\n"},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *answer = g_strdup_printf("S: A3 %s\n", cases[i].answer);
        const Scene scene = {
            .scripts = {{OLD, EXAMINED, SEARCH COPY, THERE, answer}},
            .play = play_copy,
            .told = {{cases[i].told}},
            .says = "copying messages from INBOX to Work",
            .writable = true,
        };
        scene_run(&scene);
    }
}

static void test_not_opened(void **state)
{
    (void)state;
    static const Scene copy = {
        .scripts = {{NEW, "C: A1 EXAMINE INBOX\n", SELECTED_AS("A1", "8", "READ-ONLY")}},
        .play = play_copy,
        .told = {{"error ESTALE\n"}},
        .writable = true,
    };
    static const Scene move = {
        .scripts = {{NEW, SELECT("A1", "INBOX") SELECTED_AS("A1", "7", "READ-ONLY")}},
        .play = play_move,
        .told = {{"error EROFS\n"}},
        .writable = true,
    };
    /* It would end as a copy. */
    static const Scene not_to_be_removed = {
        .scripts = {{OLD, SELECT("A1", "INBOX"),
                     "S: * OK [UIDVALIDITY 7] x\nS: * OK [PERMANENTFLAGS (\\Seen)] x\n" OK("A1")}},
        .play = play_move,
        .told = {{"error EACCES\n"}},
        .writable = true,
    };
    scene_run(&copy);
    scene_run(&move);
    scene_run(&not_to_be_removed);
}

/* --- moves -------------------------------------------------------------------------------------
 */

static void test_moved(void **state)
{
    (void)state;
    static const Scene move = {
        .scripts = {{NEW, OPENED, ESEARCH MOVE, ETHERE,
                     "S: * OK [COPYUID 70 5:6,9 101:103] moved\n",
                     "S: * 4 EXPUNGE\nS: * 2 EXPUNGE\nS: * 2 EXPUNGE\n" OK("A3")}},
        .play = play_move,
        .told = {{"copied 5 to 70 101\nremoved 5\ncopied 6 to 70 102\nremoved 6\n"
                  "copied 9 to 70 103\nremoved 9\nok\n"}},
        .writable = true,
    };
    static const Scene without_uids = {
        .scripts = {{PREAUTH("IMAP4rev1 MOVE"), OPENED, SEARCH MOVE, "S: * SEARCH 5 9\n" OK("A2"),
                     "S: * 4 EXPUNGE\nS: * 2 EXPUNGE\n" OK("A3")}},
        .play = play_move,
        .told = {{"copied 5 to 0 0\nremoved 5\ncopied 9 to 0 0\nremoved 9\nok\n"}},
        .writable = true,
    };
    static const Scene in_part = {
        .scripts = {{NEW, OPENED, ESEARCH MOVE, ETHERE, "S: * OK [COPYUID 70 5 101] moved\n",
                     "S: * 2 EXPUNGE\nS: A3 NO [OVERQUOTA] full\n"}},
        .play = play_move,
        .told = {{"copied 5 to 70 101\nremoved 5\nerror EDQUOT\n"}},
        .writable = true,
    };
    scene_run(&move);
    scene_run(&without_uids);
    scene_run(&in_part);
}

static void test_copied_and_removed(void **state)
{
    (void)state;
    static const Scene uidplus = {
        .scripts = {{PREAUTH("IMAP4rev1 UIDPLUS"), OPENED, SEARCH COPY, THERE,
                     "S: A3 OK [COPYUID 70 5,9 101,103] done\n",
                     "C: A4 UID STORE 5,9 +FLAGS.SILENT (\\Deleted)\nC: A5 UID EXPUNGE 5,9\n",
                     OK("A4") "S: * VANISHED 5,9\n" OK("A5")}},
        .play = play_move,
        .told = {{"copied 5 to 70 101\ncopied 9 to 70 103\nremoved 5\nremoved 9\nok\n"}},
        .writable = true,
    };
    static const Scene old = {
        .scripts = {{OLD, OPENED, SEARCH COPY, THERE, OK("A3"),
                     "C: A4 UID STORE 5:6,9 +FLAGS.SILENT (\\Deleted)\n", OK("A4")}},
        .play = play_move,
        .told = {{"copied 5 to 0 0\ncopied 6 to 0 0\ncopied 9 to 0 0\n"
                  "marked 5\nmarked 6\nmarked 9\nok\n"}},
        .writable = true,
    };
    static const Scene not_copied = {
        .scripts = {{OLD, OPENED, SEARCH COPY, THERE, "S: A3 NO [TRYCREATE] no\n"}},
        .play = play_move,
        .told = {{"error ENOENT\n"}},
        .says = "moving messages from INBOX to Work",
        .writable = true,
    };
    static const Scene not_removed = {
        .scripts = {{OLD, OPENED, SEARCH COPY, THERE, OK("A3"),
                     "C: A4 UID STORE 5:6,9 +FLAGS.SILENT (\\Deleted)\n", "S: A4 NO no\n"}},
        .play = play_move,
        .told = {{"copied 5 to 0 0\ncopied 6 to 0 0\ncopied 9 to 0 0\nerror EACCES\n"}},
        .writable = true,
    };
    scene_run(&uidplus);
    scene_run(&old);
    scene_run(&not_copied);
    scene_run(&not_removed);
}

/* --- answers that are lost ---------------------------------------------------------------------
 */

/* What may have been done is not asked for again; what was not yet asked for is. */
static void test_lost_answers(void **state)
{
    (void)state;
    static const Scene copy = {
        .scripts = {{NEW, EXAMINED, ESEARCH COPY, ETHERE, "X:\n"}, {NEW}},
        .play = play_copy,
        .told = {{"unsure 5\nunsure 6\nunsure 9\nerror ENOTCONN\n"}},
        .open_end = true,
        .writable = true,
        .whole_only = true,
    };
    static const Scene not_copied_yet = {
        .scripts = {{NEW, "C: A1 EXAMINE INBOX\nX:\n"},
                    {NEW, EXAMINED, ESEARCH COPY, ETHERE,
                     "S: A3 OK [COPYUID 70 5:6,9 101:103] done\n"}},
        .play = play_copy,
        .told = {{TOLD_COPIES "ok\n"}},
        .writable = true,
        .whole_only = true,
    };
    static const Scene move = {
        .scripts = {{NEW, OPENED, ESEARCH MOVE, ETHERE, "X:\n"}, {NEW}},
        .play = play_move,
        .told = {{"unsure 5\nunsure 6\nunsure 9\nerror ENOTCONN\n"}},
        .open_end = true,
        .writable = true,
        .whole_only = true,
    };
    static const Scene not_moved_yet = {
        .scripts = {{NEW, "C: A1 SELECT INBOX\nX:\n"},
                    {NEW, OPENED, ESEARCH MOVE, ETHERE,
                     "S: * OK [COPYUID 70 5:6,9 101:103] moved\n" OK("A3")}},
        .play = play_move,
        .told = {{"copied 5 to 70 101\nremoved 5\ncopied 6 to 70 102\nremoved 6\n"
                  "copied 9 to 70 103\nremoved 9\nok\n"}},
        .writable = true,
        .whole_only = true,
    };
    static const Scene not_removed = {
        .scripts = {{OLD, OPENED, SEARCH COPY, THERE, OK("A3"),
                     "C: A4 UID STORE 5:6,9 +FLAGS.SILENT (\\Deleted)\nX:\n"},
                    {OLD}},
        .play = play_move,
        .told = {{"copied 5 to 0 0\ncopied 6 to 0 0\ncopied 9 to 0 0\nerror ENOTCONN\n"}},
        .open_end = true,
        .writable = true,
        .whole_only = true,
    };
    scene_run(&copy);
    scene_run(&not_copied_yet);
    scene_run(&move);
    scene_run(&not_moved_yet);
    scene_run(&not_removed);
}

/* --- what is refused without a word ------------------------------------------------------------
 */

static void play_refused_here(Bed *bed)
{
    act_move(bed, from_inbox(uids_three, 3, "INBOX"));
}

static void play_read_only(Bed *bed)
{
    play_copy(bed);
    play_move(bed);
}

static void test_refused_here(void **state)
{
    (void)state;
    static const Scene same = {
        .scripts = {{NULL}},
        .play = play_refused_here,
        .told = {{"error EINVAL\n"}},
        .writable = true,
    };
    static const Scene read_only = {
        .scripts = {{NULL}},
        .play = play_read_only,
        .told = {{"error EROFS\n"}, {"error EROFS\n"}},
    };
    scene_run(&same);
    scene_run(&read_only);
}

/* --- many --------------------------------------------------------------------------------------
 */

enum { MANY = 3000 };

static void play_many(Bed *bed)
{
    g_autofree uint32_t *uids = g_new(uint32_t, MANY);

    for (uint32_t i = 0; i < MANY; i++)
        uids[i] = MANY - i;
    act_move(bed, from_inbox(uids, MANY, "Work"));
}

/* All at once; what is told second may be answered first. */
static void test_many(void **state)
{
    g_autoptr(GString) told = g_string_new(NULL);
    static const int order[] = {1, 0, 2};

    (void)state;
    for (int batch = 0; batch < 3; batch++)
        for (int i = 1; i <= 1000; i++)
            g_string_append_printf(told, "copied %d to 70 %d\n", order[batch] * 1000 + i,
                                   order[batch] * 1000 + i + 50000);
    for (int i = 1; i <= MANY; i++)
        g_string_append_printf(told, "removed %d\n", i);
    g_string_append(told, "ok\n");
    const Scene scene = {
        .scripts = {{PREAUTH("IMAP4rev1 UIDPLUS ESEARCH"), OPENED,
                     "C: A2 UID SEARCH RETURN (ALL) UID 1:1000\nC: A3 UID COPY 1:1000 Work\n"
                     "C: A4 UID SEARCH RETURN (ALL) UID 1001:2000\nC: A5 UID COPY 1001:2000 Work\n"
                     "C: A6 UID SEARCH RETURN (ALL) UID 2001:3000\nC: A7 UID COPY 2001:3000 Work\n",
                     "S: * ESEARCH (TAG \"A2\") UID ALL 1:1000\n" OK("A2"),
                     "S: * ESEARCH (TAG \"A4\") UID ALL 1001:2000\n" OK("A4"),
                     "S: A5 OK [COPYUID 70 1001:2000 51001:52000] done\n",
                     "S: A3 OK [COPYUID 70 1:1000 50001:51000] done\n",
                     "S: * ESEARCH (TAG \"A6\") UID ALL 2001:3000\n" OK("A6"),
                     "S: A7 OK [COPYUID 70 2001:3000 52001:53000] done\n",
                     "C: A8 UID STORE 1:1000 +FLAGS.SILENT (\\Deleted)\nC: A9 UID EXPUNGE 1:1000\n"
                     "C: A10 UID STORE 1001:2000 +FLAGS.SILENT (\\Deleted)\n"
                     "C: A11 UID EXPUNGE 1001:2000\n"
                     "C: A12 UID STORE 2001:3000 +FLAGS.SILENT (\\Deleted)\n"
                     "C: A13 UID EXPUNGE 2001:3000\n",
                     OK("A8") "S: * VANISHED 1:1000\n" OK("A9"),
                     OK("A10") "S: * VANISHED 1001:3000\n" OK("A11") OK("A12") OK("A13")}},
        .play = play_many,
        .told = {{told->str}},
        .writable = true,
        .whole_only = true,
    };
    scene_run(&scene);
}

/* A server may tell of several commands before it completes the first; those that say whose they
 * are, or of what, are not taken for another's. */
static void play_two_batches(Bed *bed)
{
    g_autofree uint32_t *uids = g_new(uint32_t, 1001);

    for (uint32_t i = 0; i < 1001; i++)
        uids[i] = i + 1;
    act_move(bed, from_inbox(uids, 1001, "Work"));
}

static void test_completed_later(void **state)
{
    g_autoptr(GString) told = g_string_new(NULL);
    static const char *const searches[] = {"UID SEARCH RETURN (ALL)", "UID SEARCH"};
    static const char *const found[][2] = {
        {"ESEARCH (TAG \"A2\") UID ALL 1:1000", "ESEARCH (TAG \"A4\") UID ALL 1001"},
        {"SEARCH 1 1000", "SEARCH 1001"},
    };

    (void)state;
    for (int i = 1; i <= 1000; i++)
        g_string_append_printf(told, "copied %d to 70 %d\nremoved %d\n", i, i + 5000, i);
    g_string_append(told, "copied 1001 to 70 6001\nremoved 1001\nok\n");
    for (size_t i = 0; i < G_N_ELEMENTS(searches); i++) {
        g_autofree char *script = g_strdup_printf(
            "C: A2 %s UID 1:1000\nC: A3 UID MOVE 1:1000 Work\n"
            "C: A4 %s UID 1001\nC: A5 UID MOVE 1001 Work\n"
            "S: * %s\nS: * %s\n"
            "S: * OK [COPYUID 70 1:1000 5001:6000] moved\nS: * OK [COPYUID 70 1001 6001] moved\n"
            "S: A2 OK done\nS: A3 OK done\nS: A4 OK done\nS: A5 OK done\n",
            searches[i], searches[i], found[i][0], found[i][1]);
        const Scene scene = {
            .scripts = {{i ? PREAUTH("IMAP4rev1 MOVE UIDPLUS") : NEW, OPENED, script}},
            .play = play_two_batches,
            .told = {{told->str}},
            .writable = true,
            .whole_only = true,
        };
        scene_run(&scene);
    }
}

/* Another session removed one at that very moment. */
static void test_removed_meanwhile(void **state)
{
    (void)state;
#define GONE(tag) "S: " tag " NO [EXPUNGEISSUED] Some of them no longer exist\n"
#define AGAIN(a, b, verb) \
    "C: " a " UID SEARCH RETURN (ALL) UID 5:6,9\nC: " b " UID " verb " 5:6,9 Work\n"
    static const Scene copied = {
        .scripts = {{NEW, EXAMINED, ESEARCH COPY, ETHERE, "S: * VANISHED 6\n" GONE("A3"),
                     AGAIN("A4", "A5", "COPY"), "S: * ESEARCH (TAG \"A4\") UID ALL 5,9\n" OK("A4"),
                     "S: A5 OK [COPYUID 70 5,9 101:102] done\n"}},
        .play = play_copy,
        .told = {{"copied 5 to 70 101\ncopied 9 to 70 102\nok\n"}},
        .writable = true,
        .whole_only = true,
    };
    /* For ever. */
    static const Scene never = {
        .scripts = {{NEW, EXAMINED, ESEARCH COPY, ETHERE, GONE("A3"), AGAIN("A4", "A5", "COPY"),
                     "S: * ESEARCH (TAG \"A4\") UID ALL 5:6,9\n" OK("A4") GONE("A5"),
                     AGAIN("A6", "A7", "COPY"),
                     "S: * ESEARCH (TAG \"A6\") UID ALL 5:6,9\n" OK("A6") GONE("A7")}},
        .play = play_copy,
        .told = {{"error EREMOTEIO\n"}},
        .writable = true,
        .whole_only = true,
    };
    scene_run(&copied);
    scene_run(&never);
}

static void play_one_that_came(Bed *bed)
{
    static const uint32_t uid = 25;

    play_copy_one(bed);
    if (!bed_run_to_wait(bed))
        return;
    act_copy(bed, from_inbox(&uid, 1, "Work"));
    bed_settle(bed);
    script_go_on(&bed->server);
}

/* Of what came since the folder was opened, as by a move of another session, it may know nothing.
 */
static void test_came_since(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{NEW, EXAMINED,
                     "C: A2 UID SEARCH RETURN (ALL) UID 1\nC: A3 UID COPY 1 demos\nW:\n",
                     "S: * ESEARCH (TAG \"A2\") UID ALL 1\n" OK("A2"),
                     "S: A3 OK [COPYUID 70 1 101] done\nC: A4 EXAMINE INBOX\n",
                     SELECTED_AS("A4", "7", "READ-ONLY"),
                     "C: A5 UID SEARCH RETURN (ALL) UID 25\nC: A6 UID COPY 25 Work\n",
                     "S: * ESEARCH (TAG \"A5\") UID ALL 25\n" OK("A5"),
                     "S: A6 OK [COPYUID 70 25 102] done\n"}},
        .play = play_one_that_came,
        .told = {{"copied 1 to 70 101\nok\n"}, {"copied 25 to 70 102\nok\n"}},
        .writable = true,
        .whole_only = true,
    };
    scene_run(&scene);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copied),
        cmocka_unit_test(test_copy_refused),
        cmocka_unit_test(test_not_opened),
        cmocka_unit_test(test_moved),
        cmocka_unit_test(test_copied_and_removed),
        cmocka_unit_test(test_lost_answers),
        cmocka_unit_test(test_refused_here),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_completed_later),
        cmocka_unit_test(test_removed_meanwhile),
        cmocka_unit_test(test_came_since),
    };
    return cmocka_run_group_tests(tests, NULL, scene_clean);
}
