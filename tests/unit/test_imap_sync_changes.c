/* Syncs with servers that tell what has changed: CONDSTORE, QRESYNC. */
#include "imap_sync_scenes.h"

/* --- CONDSTORE ------------------------------------------------------------------------------- */

#define CONDSTORE(exists, uidnext, modseq)                                                         \
    "C: A1 EXAMINE INBOX (CONDSTORE)\n" SELECTED(exists, uidnext) "S: * OK [HIGHESTMODSEQ " modseq \
                                                                  "] highest\n" OPENED("A1")

static void test_condstore_nothing_changed(void **state)
{
    (void)state;
    static const Scene nothing_at_all = {
        .scripts = {{PREAUTH("IMAP4rev1 CONDSTORE"), CONDSTORE("3", "6", "40")}},
        .play = play_marked,
        .told = {{"state 7 uidnext 6 modseq 40 count 3\n"
                  "ok\n"}},
    };
    static const Scene one_new = {
        .scripts = {{PREAUTH("IMAP4rev1 CONDSTORE"), CONDSTORE("4", "7", "40"),
                     "C: A2 UID FETCH 6:* (FLAGS INTERNALDATE RFC822.SIZE)\n", NEW("4", "6"),
                     "S: A2 OK done\n"}},
        .play = play_marked,
        .told = {{TOLD_NEW("6"), "state 7 uidnext 7 modseq 40 count 4\n"
                                 "ok\n"}},
    };
    scene_run(&nothing_at_all);
    scene_run(&one_new);
}

static void test_condstore_changes(void **state)
{
    (void)state;
    static const Scene flags = {
        .scripts = {{PREAUTH("IMAP4rev1 CONDSTORE"), CONDSTORE("3", "6", "18446744073709551615"),
                     "C: A2 UID FETCH 1:5 (FLAGS) (CHANGEDSINCE 40)\n"
                     "S: * 2 FETCH (UID 3 MODSEQ (41) FLAGS (\\Flagged $Junk))\n"
                     "S: A2 OK done\n"}},
        .play = play_marked,
        .told = {{"message 3 flags \\Flagged $Junk.\n"
                  "state 7 uidnext 6 modseq 18446744073709551615 count 3\n"
                  "ok\n"}},
    };
    static const Scene and_a_new_one = {
        .scripts = {{PREAUTH("IMAP4rev1 CONDSTORE"), CONDSTORE("4", "8", "42"),
                     "C: A2 UID FETCH 1:5 (FLAGS) (CHANGEDSINCE 40)\n"
                     "C: A3 UID FETCH 6:* (FLAGS INTERNALDATE RFC822.SIZE)\n"
                     "S: * 2 FETCH (UID 3 FLAGS () MODSEQ (41))\n"
                     "S: A2 OK done\n",
                     NEW("4", "7"), "S: A3 OK done\n"}},
        .play = play_marked,
        .told = {{"message 3 flags .\n", TOLD_NEW("7"),
                  "state 7 uidnext 8 modseq 42 count 4\n"
                  "ok\n"}},
    };
    scene_run(&flags);
    scene_run(&and_a_new_one);
}

#define SOME_GONE                                            \
    CONDSTORE("2", "7", "41")                                \
    "C: A2 UID FETCH 1:5 (FLAGS) (CHANGEDSINCE 40)\n"        \
    "C: A3 UID FETCH 6:* (FLAGS INTERNALDATE RFC822.SIZE)\n" \
    "S: A2 OK done\n" NEW("2", "6") "S: A3 OK done\n"
#define GONE_TOLD TOLD_NEW("6") "present 3 6\nstate 7 uidnext 7 modseq 41 count 2\nok\n"

/* The count says that some are gone; which, only the UIDs do. */
static void test_condstore_some_gone(void **state)
{
    (void)state;
    static const Scene fetched = {
        .scripts = {{PREAUTH("IMAP4rev1 CONDSTORE"), SOME_GONE,
                     "C: A4 UID FETCH 1:* (UID)\n"
                     "S: * 1 FETCH (UID 3)\n"
                     "S: * 2 FETCH (UID 6)\n"
                     "S: A4 OK done\n"}},
        .play = play_marked,
        .told = {{GONE_TOLD}},
    };
    static const Scene searched = {
        .scripts = {{PREAUTH("IMAP4rev1 CONDSTORE ESEARCH"), SOME_GONE,
                     "C: A4 UID SEARCH RETURN (ALL) ALL\n"
                     "S: * ESEARCH (TAG \"A4\") UID ALL 3,6\n"
                     "S: A4 OK done\n"}},
        .play = play_marked,
        .told = {{GONE_TOLD}},
    };
    scene_run(&fetched);
    scene_run(&searched);
}

#define ALL_GONE CONDSTORE("1", "6", "40") "C: A2 UID SEARCH RETURN (ALL) ALL\n"

static void test_search_results(void **state)
{
    (void)state;
    static const Scene none = {
        .scripts = {{PREAUTH("IMAP4rev1 CONDSTORE ESEARCH"), ALL_GONE,
                     "S: * ESEARCH (TAG \"A2\") UID\n"
                     "S: A2 OK done\n"}},
        .play = play_marked,
        .told = {{"present\n"
                  "state 7 uidnext 6 modseq 40 count 1\n"
                  "ok\n"}},
    };
    /* A message that came meanwhile is there, but not known: the next sync begins with it. */
    static const Scene one_came = {
        .scripts = {{PREAUTH("IMAP4rev1 CONDSTORE ESEARCH"), ALL_GONE,
                     "S: * ESEARCH (TAG \"A2\") UID ALL 5,9:8\n"
                     "S: A2 OK done\n"}},
        .play = play_marked,
        .told = {{"present 5 8 9\n"
                  "state 7 uidnext 8 modseq 40 count 1\n"
                  "ok\n"}},
    };
    static const Scene nonsense = {
        .scripts = {{PREAUTH("IMAP4rev1 CONDSTORE ESEARCH"), ALL_GONE,
                     "S: * ESEARCH (TAG \"A2\") UID ALL 1:*\n"
                     "S: * ESEARCH (TAG \"A2\") UID ALL x\n"
                     "S: A2 OK done\n"}},
        .play = play_marked,
        .told = {{"error EPROTO\n"}},
        .says = "makes no sense",
    };
    /* Silence does not mean that everything is gone. */
    static const Scene no_result = {
        .scripts = {{PREAUTH("IMAP4rev1 CONDSTORE ESEARCH"), ALL_GONE,
                     "S: * SEARCH 5\n"
                     "S: A2 OK done\n"}},
        .play = play_marked,
        .told = {{"error EPROTO\n"}},
        .says = "search",
    };
    scene_run(&none);
    scene_run(&one_came);
    scene_run(&nonsense);
    scene_run(&no_result);
}

static void play_large(Bed *bed)
{
    act_sync(bed, "INBOX",
             (MailFolderState){.uidvalidity = 7, .uidnext = 200001, .modseq = 40, .count = 60000});
}

/* A result is one line: the UIDs of a large folder are searched in parts, at once. */
static void test_search_in_parts(void **state)
{
    (void)state;
    static const Scene parts = {
        .scripts = {{PREAUTH("IMAP4rev1 CONDSTORE ESEARCH"), CONDSTORE("59999", "200001", "40"),
                     "C: A2 UID SEARCH RETURN (ALL) UID 1:150000\n"
                     "C: A3 UID SEARCH RETURN (ALL) UID 150001:200000\n"
                     "S: * ESEARCH (TAG \"A2\") UID ALL 1:2\n"
                     "S: A2 OK done\n"
                     "S: * ESEARCH (TAG \"A3\") UID ALL 150007\n"
                     "S: A3 OK done\n"}},
        .play = play_large,
        .told = {{"present 1 2 150007\nstate 7 uidnext 200001 modseq 40 count 59999\nok\n"}},
    };
    static const Scene one_is_missing = {
        .scripts = {{PREAUTH("IMAP4rev1 CONDSTORE ESEARCH"), CONDSTORE("59999", "200001", "40"),
                     "C: A2 UID SEARCH RETURN (ALL) UID 1:150000\n"
                     "C: A3 UID SEARCH RETURN (ALL) UID 150001:200000\n"
                     "S: * ESEARCH (TAG \"A2\") UID ALL 1:2\n"
                     "S: A2 OK done\n"
                     "S: A3 OK done\n"}},
        .play = play_large,
        .told = {{"error EPROTO\n"}},
        .says = "search",
    };
    /* They lie too far apart. */
    static const Scene sparse = {
        .scripts = {{PREAUTH("IMAP4rev1 CONDSTORE ESEARCH"), CONDSTORE("59999", "4000000000", "40"),
                     "C: A2 UID FETCH 200001:* (FLAGS INTERNALDATE RFC822.SIZE)\n"
                     "S: A2 OK done\n"
                     "C: A3 UID FETCH 1:* (UID)\n"
                     "S: * 1 FETCH (UID 5)\n"
                     "S: A3 OK done\n"}},
        .play = play_large,
        .told = {{"present 5\nstate 7 uidnext 4000000000 modseq 40 count 59999\nok\n"}},
    };
    scene_run(&parts);
    scene_run(&one_is_missing);
    scene_run(&sparse);
}

/* The mailbox has no mod-sequences any more. */
static void test_condstore_not_here(void **state)
{
    (void)state;
#define COMPARED "C: A2 UID FETCH 1:5 (FLAGS)\nS: * 1 FETCH (UID 3 FLAGS ())\nS: A2 OK done\n"
    static const Scene nomodseq = {
        .scripts = {{PREAUTH("IMAP4rev1 CONDSTORE"), "C: A1 EXAMINE INBOX (CONDSTORE)\n",
                     SELECTED("1", "6"), "S: * OK [NOMODSEQ] none\n", OPENED("A1"), COMPARED}},
        .play = play_marked,
        .told = {{"message 3 flags .\n"
                  "present 3\n"
                  "state 7 uidnext 6 modseq 0 count 1\n"
                  "ok\n"}},
    };
    scene_run(&nomodseq);
}

/* Lower ones than it had: an earlier state, whatever has come to it since. */
static void test_condstore_restored(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{PREAUTH("IMAP4rev1 CONDSTORE"), CONDSTORE("1", "8", "39"),
                     "C: A2 UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE)\n", NEW("1", "5"),
                     "S: A2 OK done\n"}},
        .play = play_marked,
        .told = {{"restored\n", TOLD_NEW("5"), "state 7 uidnext 8 modseq 39 count 1\nok\n"}},
    };
    scene_run(&scene);
}

/* --- QRESYNC --------------------------------------------------------------------------------- */

#define QRESYNC                                           \
    PREAUTH("IMAP4rev1 ENABLE CONDSTORE QRESYNC ESEARCH") \
    "C: A1 ENABLE QRESYNC\nS: * ENABLED QRESYNC\nS: A1 OK enabled\n"
#define RESYNC QRESYNC "C: A2 EXAMINE INBOX (QRESYNC (7 40))\n"

static void test_qresync(void **state)
{
    (void)state;
    static const Scene first = {
        .scripts = {{QRESYNC, "C: A2 EXAMINE INBOX (CONDSTORE)\n", SELECTED("1", "2"),
                     "S: * OK [HIGHESTMODSEQ 40] highest\n", OPENED("A2"),
                     "C: A3 UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE)\n", NEW("1", "1"),
                     "S: A3 OK done\n"}},
        .play = play_nothing,
        .told = {{"reset 7\n", TOLD_NEW("1"),
                  "state 7 uidnext 2 modseq 40 count 1\n"
                  "ok\n"}},
    };
    static const Scene nothing_changed = {
        .scripts = {{RESYNC, SELECTED("3", "6"), "S: * OK [HIGHESTMODSEQ 40] highest\n",
                     OPENED("A2")}},
        .play = play_marked,
        .told = {{"state 7 uidnext 6 modseq 40 count 3\n"
                  "ok\n"}},
    };
    scene_run(&first);
    scene_run(&nothing_changed);
}

/* The new message is told of by its flags while the folder is opened, and then fetched. */
static void test_qresync_changes(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{RESYNC, SELECTED("3", "8"),
                     "S: * OK [HIGHESTMODSEQ 45] highest\n"
                     "S: * VANISHED (EARLIER) 1,3:4,41\n"
                     "S: * 2 FETCH (UID 5 FLAGS (\\Seen) MODSEQ (44))\n"
                     "S: * 3 FETCH (UID 7 FLAGS () MODSEQ (45))\n",
                     OPENED("A2"), "C: A3 UID FETCH 6:* (FLAGS INTERNALDATE RFC822.SIZE)\n",
                     NEW("3", "7"),
                     "S: * VANISHED 5\n"
                     "S: A3 OK done\n"}},
        .play = play_marked,
        .told = {{"vanished 1:1 3:4 41:41\n"
                  "message 5 flags \\Seen.\n",
                  TOLD_NEW("7"),
                  "vanished 5:5\n"
                  "state 7 uidnext 8 modseq 45 count 3\n"
                  "ok\n"}},
    };
    scene_run(&scene);
}

/* What can't be believed or read is made up for by comparing. */
static void test_qresync_in_doubt(void **state)
{
    (void)state;
#define MADE_UP_FOR \
    OPENED("A2")    \
    "C: A3 UID FETCH 1:5 (FLAGS)\nS: * 1 FETCH (UID 3 FLAGS ())\nS: A3 OK done\n"
#define TOLD_MADE_UP_FOR "message 3 flags .\npresent 3\nstate 7 uidnext 6 modseq 45 count 1\nok\n"
    static const Scene before_uidvalidity = {
        .scripts = {{RESYNC,
                     "S: * 1 FETCH (UID 3 FLAGS (\\Deleted))\n"
                     "S: * VANISHED (EARLIER) 3\n",
                     SELECTED("1", "6"), "S: * OK [HIGHESTMODSEQ 45] highest\n", MADE_UP_FOR}},
        .play = play_marked,
        .told = {{TOLD_MADE_UP_FOR}},
    };
    static const Scene no_set = {
        .scripts = {{RESYNC, SELECTED("1", "6"),
                     "S: * OK [HIGHESTMODSEQ 45] highest\n"
                     "S: * VANISHED (EARLIER) all\n",
                     MADE_UP_FOR}},
        .play = play_marked,
        .told = {{TOLD_MADE_UP_FOR}},
    };
    scene_run(&before_uidvalidity);
    scene_run(&no_set);
}

static void test_qresync_other_uidvalidity(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{RESYNC,
                     "S: * 1 EXISTS\n"
                     "S: * OK [UIDVALIDITY 8] valid\n"
                     "S: * VANISHED (EARLIER) 1:5\n"
                     "S: * 1 FETCH (UID 3 FLAGS ())\n"
                     "S: * OK [UIDNEXT 2] next\n",
                     OPENED("A2"), "C: A3 UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE)\n",
                     NEW("1", "1"), "S: A3 OK done\n"}},
        .play = play_marked,
        .told = {{"reset 8\n", TOLD_NEW("1"),
                  "state 8 uidnext 2 modseq 0 count 1\n"
                  "ok\n"}},
    };
    scene_run(&scene);
}

/* What the selection tells, told before or after HIGHESTMODSEQ, does not count. */
static void test_qresync_restored(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{RESYNC, SELECTED("2", "8"),
                     "S: * VANISHED (EARLIER) 1\n"
                     "S: * OK [HIGHESTMODSEQ 20] highest\n"
                     "S: * VANISHED (EARLIER) 2\n",
                     OPENED("A2"), "C: A3 UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE)\n",
                     NEW("1", "5"), NEW("2", "7"), "S: A3 OK done\n"}},
        .play = play_marked,
        .told = {{"vanished 1:1\nvanished 2:2\nrestored\n", TOLD_NEW("5"), TOLD_NEW("7"),
                  "state 7 uidnext 8 modseq 20 count 2\nok\n"}},
    };
    scene_run(&scene);
}

/* It is offered, and then not enabled. */
static void test_qresync_refused(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{PREAUTH("IMAP4rev1 QRESYNC"),
                     "C: A1 ENABLE QRESYNC\n"
                     "S: A1 BAD no\n"
                     "C: A2 EXAMINE INBOX (CONDSTORE)\n",
                     SELECTED("3", "6"), "S: * OK [HIGHESTMODSEQ 40] highest\n", OPENED("A2")}},
        .play = play_marked,
        .told = {{"state 7 uidnext 6 modseq 40 count 3\n"
                  "ok\n"}},
    };
    scene_run(&scene);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_condstore_nothing_changed),
        cmocka_unit_test(test_condstore_changes),
        cmocka_unit_test(test_condstore_some_gone),
        cmocka_unit_test(test_search_results),
        cmocka_unit_test(test_search_in_parts),
        cmocka_unit_test(test_condstore_not_here),
        cmocka_unit_test(test_condstore_restored),
        cmocka_unit_test(test_qresync_restored),
        cmocka_unit_test(test_qresync),
        cmocka_unit_test(test_qresync_changes),
        cmocka_unit_test(test_qresync_in_doubt),
        cmocka_unit_test(test_qresync_other_uidvalidity),
        cmocka_unit_test(test_qresync_refused),
    };
    return cmocka_run_group_tests(tests, NULL, scene_clean);
}
