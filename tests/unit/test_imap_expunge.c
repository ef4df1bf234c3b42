/* Expunging what was marked before: never what somebody else has marked. */
#include "imap_change_scenes.h"

static void play_three(Bed *bed)
{
    act_expunge(bed, in_inbox(uids_three, 3));
}

#define EXPUNGE "C: A2 UID EXPUNGE 5:6,9\n"
#define LOOK "C: A3 UID SEARCH RETURN (ALL) UID 5:6,9\n"

/* A search that goes out with the command may be answered from before it. */
static void test_by_uid(void **state)
{
    (void)state;
    static const Scene all = {
        .scripts = {{NEW, OPENED,
                     EXPUNGE "S: * 2 EXPUNGE\nS: * 2 EXPUNGE\nS: * 3 EXPUNGE\n" OK("A2"),
                     LOOK "S: * ESEARCH (TAG \"A3\") UID\n" OK("A3")}},
        .play = play_three,
        .told = {{"removed 5\nremoved 6\nremoved 9\nok\n"}},
        .writable = true,
    };
    /* Somebody has taken the mark off one of them. */
    static const Scene unmarked = {
        .scripts = {{NEW, OPENED, EXPUNGE OK("A2"),
                     LOOK "S: * ESEARCH (TAG \"A3\") UID ALL 6\n" OK("A3")}},
        .play = play_three,
        .told = {{"removed 5\nremoved 9\nok\n"}},
        .writable = true,
    };
    static const Scene refused = {
        .scripts = {{NEW, OPENED, EXPUNGE "S: A2 NO [NOPERM] no\n",
                     LOOK "S: * ESEARCH (TAG \"A3\") UID ALL 5:6\n" OK("A3")}},
        .play = play_three,
        .told = {{"removed 9\nerror EACCES\n"}},
        .writable = true,
    };
    scene_run(&all);
    scene_run(&unmarked);
    scene_run(&refused);
}

#undef LOOK
#define SEARCH "C: A2 NOOP\n" OK("A2") "C: A3 UID SEARCH DELETED\n"
#define LOOK "C: A5 UID SEARCH UID 5:6,9\n"

static void test_all_that_are_marked(void **state)
{
    (void)state;
    static const Scene all = {
        .scripts = {{OLD, OPENED, SEARCH "S: * SEARCH 9 5 6\n" OK("A3"),
                     "C: A4 EXPUNGE\nS: * 2 EXPUNGE\nS: * 2 EXPUNGE\nS: * 3 EXPUNGE\n" OK("A4"),
                     LOOK "S: * SEARCH\n" OK("A5")}},
        .play = play_three,
        .told = {{"removed 5\nremoved 6\nremoved 9\nok\n"}},
        .writable = true,
    };
    static const Scene one_is_not = {
        .scripts = {{OLD, OPENED, SEARCH "S: * SEARCH 5\nS: * SEARCH 9\n" OK("A3"),
                     "C: A4 EXPUNGE\nS: * 2 EXPUNGE\nS: * 3 EXPUNGE\n" OK("A4"),
                     LOOK "S: * SEARCH 6\n" OK("A5")}},
        .play = play_three,
        .told = {{"removed 5\nremoved 9\nok\n"}},
        .writable = true,
    };
    /* Nothing to expunge: nothing is, lest one be marked just now. */
    static const Scene none = {
        .scripts = {{OLD, OPENED, SEARCH "S: * SEARCH\n" OK("A3"),
                     "C: A4 UID SEARCH UID 5:6,9\nS: * SEARCH 6\n" OK("A4")}},
        .play = play_three,
        .told = {{"removed 5\nremoved 9\nok\n"}},
        .writable = true,
    };
    static const Scene refused = {
        .scripts = {{OLD, OPENED, SEARCH "S: * SEARCH 5\n" OK("A3"),
                     "C: A4 EXPUNGE\nS: A4 NO no\n"}},
        .play = play_three,
        .told = {{"error EACCES\n"}},
        .writable = true,
    };
    scene_run(&all);
    scene_run(&one_is_not);
    scene_run(&none);
    scene_run(&refused);
}

static void test_others_are_marked(void **state)
{
    static const char *const answers[] = {
        "S: * SEARCH 5 6 7 9\nS: A3 OK done\n",
        "S: * SEARCH 4\nS: A3 OK done\n",
        "S: * SEARCH 5 6 9 4294967295\nS: A3 OK done\n",
        "S: * ESEARCH (TAG \"A3\") UID ALL 5:4294967295\nS: A3 OK done\n",
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(answers); i++) {
        const Scene scene = {
            .scripts = {{OLD, OPENED, SEARCH, answers[i]}},
            .play = play_three,
            .told = {{"error EBUSY\n"}},
            .says = "would be removed too",
            .writable = true,
        };
        scene_run(&scene);
    }
}

/* What is not known to be ours is not expunged. */
static void test_no_answer(void **state)
{
    static const struct {
        const char *answer, *told;
    } cases[] = {
        {"S: A3 OK done\n", "error EPROTO\n"},
        {"S: * SEARCH 5 0\nS: A3 OK done\n", "error EPROTO\n"},
        {"S: A3 NO no\n", "error EACCES\n"},
        {"S: A3 BAD no\n", "error EPROTO\n"},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const Scene scene = {
            .scripts = {{OLD, OPENED, SEARCH, cases[i].answer}},
            .play = play_three,
            .told = {{cases[i].told}},
            .writable = true,
        };
        scene_run(&scene);
    }
}

static void play_meanwhile(Bed *bed)
{
    act_expunge(bed, in_inbox(uids_three, 3));
    if (!bed_run_to_wait(bed))
        return;
    act_sync(bed, "INBOX", (MailFolderState){.uidvalidity = 7, .uidnext = 20, .count = 12});
    bed_settle(bed);
    script_go_on(&bed->server);
}

/* Where the folder is opened again in between, others may have marked something by then. */
static void test_opened_meanwhile(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{OLD, OPENED, SEARCH, "W:\nS: * SEARCH 5\n" OK("A3"), SELECT("A4", "INBOX"),
                     SELECT("A5", "INBOX"), SELECTED("A4"), "C: A6 UID FETCH 1:19 (FLAGS)\n",
                     SELECTED("A5"), "C: A7 NOOP\n" OK("A6") OK("A7") "C: A8 UID SEARCH DELETED\n",
                     "S: * SEARCH 7\n" OK("A8")}},
        .play = play_meanwhile,
        .told = {{"error EBUSY\n"}, {"present\nstate 7 uidnext 20 modseq 0 count 12\nok\n"}},
        .writable = true,
        .whole_only = true,
    };
    scene_run(&scene);
}

static void play_two_batches(Bed *bed)
{
    g_autofree uint32_t *uids = g_new(uint32_t, 1001);

    for (uint32_t i = 0; i < 1001; i++)
        uids[i] = i + 1;
    act_expunge(bed, in_inbox(uids, 1001));
}

/* A server may answer both searches before it completes the first. */
static void test_completed_later(void **state)
{
    g_autoptr(GString) told = g_string_new(NULL);

    (void)state;
    for (int i = 1; i < 1000; i++)
        g_string_append_printf(told, "removed %d\n", i);
    g_string_append(told, "removed 1001\nok\n");
    const Scene scene = {
        .scripts = {{NEW, OPENED,
                     "C: A2 UID EXPUNGE 1:1000\nC: A3 UID EXPUNGE 1001\n" OK("A2") OK("A3"),
                     "C: A4 UID SEARCH RETURN (ALL) UID 1:1000\n"
                     "C: A5 UID SEARCH RETURN (ALL) UID 1001\n",
                     "S: * ESEARCH (TAG \"A4\") UID ALL 1000\n",
                     "S: * ESEARCH (TAG \"A5\") UID\n" OK("A4") OK("A5")}},
        .play = play_two_batches,
        .told = {{told->str}},
        .writable = true,
        .whole_only = true,
    };
    scene_run(&scene);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_uid),
        cmocka_unit_test(test_all_that_are_marked),
        cmocka_unit_test(test_others_are_marked),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_opened_meanwhile),
        cmocka_unit_test(test_completed_later),
    };
    return cmocka_run_group_tests(tests, NULL, scene_clean);
}
