/* Syncs with servers that tell the whole of a folder, first and again. */
#include "imap_sync_scenes.h"

/* --- the first time -------------------------------------------------------------------------- */

#define FIRST PREAUTH("IMAP4rev1") EXAMINED("3", "6")
#define ASK_ALL "C: A2 UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE)\n"
#define STATE_FIRST "state 7 uidnext 6 modseq 0 count 3\nok\n"

/* It takes one round trip. */
static void test_first_listing(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{PREAUTH("IMAP4rev1"), "C: A1 EXAMINE INBOX\n", ASK_ALL, SELECTED("3", "6"),
                     OPENED("A1"), NEW("1", "1"), NEW("2", "3"), NEW("3", "5"), "S: A2 OK done\n"}},
        .play = play_nothing,
        .told = {{"reset 7\n", TOLD_NEW("1"), TOLD_NEW("3"), TOLD_NEW("5"), STATE_FIRST}},
    };
    scene_run(&scene);
}

static void test_empty_folder(void **state)
{
    (void)state;
    static const char *const answers[] = {"S: A2 OK done\n", "S: A2 BAD no such message\n",
                                          "S: A2 NO no such message\n"};
    for (size_t i = 0; i < G_N_ELEMENTS(answers); i++) {
        const Scene unknown = {
            .scripts = {{PREAUTH("IMAP4rev1"), EXAMINED("0", "1"), ASK_ALL, answers[i]}},
            .play = play_nothing,
            .told = {{"reset 7\n"
                      "state 7 uidnext 1 modseq 0 count 0\n"
                      "ok\n"}},
        };
        scene_run(&unknown);
    }
    static const Scene emptied = {
        .scripts = {{PREAUTH("IMAP4rev1"), EXAMINED("0", "6")}},
        .play = play_plain,
        .told = {{"present\n"
                  "state 7 uidnext 6 modseq 0 count 0\n"
                  "ok\n"}},
    };
    scene_run(&emptied);
}

/* Items in any order, the UID behind them, an answer in parts, a date of one digit. */
static void test_any_order(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{FIRST, ASK_ALL,
                     "S: * 2 FETCH (FLAGS () INTERNALDATE \" 1-Jan-1970 00:01:40 +0000\" "
                     "RFC822.SIZE 100 UID 3)\n"
                     "S: * 1 FETCH (UID 1 RFC822.SIZE 100)\n"
                     "S: * 1 FETCH (FLAGS (\\Seen) UID 1)\n"
                     "S: * 1 FETCH (INTERNALDATE \"01-Jan-1970 01:01:40 +0100\" UID 1)\n"
                     "S: * 3 FETCH (X-OTHER (1 (2)) UID 5 RFC822.SIZE 4294967296 MODSEQ (1))\n"
                     "S: A2 OK done\n"}},
        .play = play_nothing,
        .told = {{"reset 7\n"
                  "message 3 size 100 date 100 flags .\n",
                  TOLD_NEW("1"), "message 5 size 4294967296\n", STATE_FIRST}},
    };
    scene_run(&scene);
}

/* The flags of a message come as a literal, its date as nonsense, and others' answers between. */
static void test_untagged_in_between(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{FIRST, ASK_ALL, NEW("1", "1"),
                     "S: * NO Trying to get mailbox lock from process 29559\n"
                     "S: * BAD what was that?\n"
                     "S: * 4 EXISTS\n"
                     "S: * 1 RECENT\n"
                     "S: * 3 FETCH (FLAGS (\\Flagged))\n"
                     "S: * 2 EXPUNGE\n"
                     "S: * OK still here\n"
                     "S: * 1 FETCH ()\n"
                     "S: * 1 FETCH (UID)\n"
                     "S: * 1 FETCH (UID x RFC822.SIZE 7)\n"
                     "S: * 1 FETCH NIL\n",
                     NEW("2", "5"),
                     "S: * 3 FETCH (UID 5)\n"
                     "S: A2 OK done\n"}},
        .play = play_nothing,
        .told = {{"reset 7\n", TOLD_NEW("1"), TOLD_NEW("5"), STATE_FIRST}},
    };
    scene_run(&scene);
}

static void test_hostile_uids(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{FIRST, ASK_ALL, NEW("3", "5"), NEW("1", "1"), NEW("3", "5"),
                     NEW("2", "4294967295"), NEW("9", "4294967296"), NEW("9", "0"), NEW("9", "-1"),
                     NEW("4294967299", "3"), "S: A2 OK done\n"}},
        .play = play_nothing,
        .told = {{"reset 7\n", TOLD_NEW("5"), TOLD_NEW("1"), TOLD_NEW("5"), TOLD_NEW("4294967295"),
                  TOLD_NEW("3"),
                  "state 7 uidnext 4294967295 modseq 0 count 3\n"
                  "ok\n"}},
    };
    scene_run(&scene);
}

/* What came too late for the listing, and was told only in part, is left to the next sync. */
static void test_new_while_listing(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{FIRST, ASK_ALL, NEW("1", "1"),
                     "S: * 4 EXISTS\n"
                     "S: * 4 FETCH (UID 6 FLAGS (\\Recent))\n"
                     "S: * 5 FETCH (UID 8 FLAGS (\\Recent))\n",
                     NEW("2", "3"), NEW("3", "5"), "S: A2 OK done\n"}},
        .play = play_nothing,
        .told = {{"reset 7\n", TOLD_NEW("1"), TOLD_NEW("3"), TOLD_NEW("5"), STATE_FIRST}},
    };
    static const Scene told_in_the_end = {
        .scripts = {{FIRST, ASK_ALL, NEW("1", "1"), "S: * 4 FETCH (UID 6 FLAGS (\\Recent))\n",
                     NEW("2", "3"), NEW("3", "5"), NEW("4", "6"), "S: A2 OK done\n"}},
        .play = play_nothing,
        .told = {{"reset 7\n", TOLD_NEW("1"), TOLD_NEW("3"), TOLD_NEW("5"), TOLD_NEW("6"),
                  "state 7 uidnext 7 modseq 0 count 3\n"
                  "ok\n"}},
    };
    scene_run(&scene);
    scene_run(&told_in_the_end);
}

static void test_listing_refused(void **state)
{
    (void)state;
    static const Scene no = {
        .scripts = {{FIRST, ASK_ALL, NEW("1", "1"), "S: A2 NO [SERVERBUG] it broke\n"}},
        .play = play_nothing,
        .told = {{"reset 7\n"
                  "error EREMOTEIO\n"}},
        .says = "listing folder INBOX: the server answered NO: it broke",
    };
    static const Scene examine = {
        .scripts = {{PREAUTH("IMAP4rev1"), "C: A1 EXAMINE INBOX\n", ASK_ALL,
                     "S: A1 NO no such mailbox\n"
                     "S: A2 BAD no mailbox is selected\n"}},
        .play = play_nothing,
        .told = {{"error ENOENT\n"}},
        .says = "opening folder INBOX: the server answered NO: no such mailbox",
    };
    static const Scene forbidden = {
        .scripts = {{PREAUTH("IMAP4rev1"), "C: A1 EXAMINE INBOX\n"
                                           "S: A1 NO [NOPERM] not yours\n"}},
        .play = play_plain,
        .told = {{"error EACCES\n"}},
    };
    static const Scene later = {
        .scripts = {{PREAUTH("IMAP4rev1"), "C: A1 EXAMINE INBOX\n"
                                           "S: A1 NO [UNAVAILABLE] later\n"}},
        .play = play_plain,
        .told = {{"error EAGAIN\n"}},
    };
    static const Scene bad = {
        .scripts = {{PREAUTH("IMAP4rev1"), "C: A1 EXAMINE INBOX\n"
                                           "S: A1 BAD what?\n"}},
        .play = play_plain,
        .told = {{"error EPROTO\n"}},
    };
    scene_run(&no);
    scene_run(&examine);
    scene_run(&forbidden);
    scene_run(&later);
    scene_run(&bad);
}

/* --- servers that tell less ------------------------------------------------------------------ */

static void test_without_uidnext(void **state)
{
    (void)state;
#define NO_UIDNEXT                         \
    PREAUTH("IMAP4rev1")                   \
    "C: A1 EXAMINE INBOX\nS: * 3 EXISTS\n" \
    "S: * OK [UIDVALIDITY 7] valid\n" OPENED("A1")
    static const Scene first = {
        .scripts = {{NO_UIDNEXT, ASK_ALL, NEW("1", "1"), NEW("2", "3"), NEW("3", "5"),
                     "S: A2 OK done\n"}},
        .play = play_nothing,
        .told = {{"reset 7\n", TOLD_NEW("1"), TOLD_NEW("3"), TOLD_NEW("5"), STATE_FIRST}},
    };
    /* "6:*" is answered with the highest message, though that is number 5. */
    static const Scene then = {
        .scripts = {{NO_UIDNEXT,
                     "C: A2 UID FETCH 1:5 (FLAGS)\n"
                     "C: A3 UID FETCH 6:* (FLAGS INTERNALDATE RFC822.SIZE)\n"
                     "S: * 1 FETCH (UID 1 FLAGS ())\n"
                     "S: * 2 FETCH (UID 3 FLAGS ())\n"
                     "S: * 3 FETCH (UID 5 FLAGS ())\n"
                     "S: A2 OK done\n",
                     NEW("3", "5"), "S: A3 OK done\n"}},
        .play = play_plain,
        .told = {{"message 1 flags .\n"
                  "message 3 flags .\n"
                  "message 5 size 100 date 100 flags \\Seen.\n"
                  "present 1 3 5\n",
                  STATE_FIRST}},
    };
    scene_run(&first);
    scene_run(&then);
}

static void test_without_uidvalidity(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{PREAUTH("IMAP4rev1"),
                     "C: A1 EXAMINE INBOX\n"
                     "S: * 1 EXISTS\n",
                     OPENED("A1"), ASK_ALL, NEW("1", "1"), "S: A2 OK done\n"}},
        .play = play_nothing,
        .told = {{"reset 0\n", TOLD_NEW("1"),
                  "state 0 uidnext 2 modseq 0 count 1\n"
                  "ok\n"}},
    };
    scene_run(&scene);
}

/* --- again, on a server with neither CONDSTORE nor QRESYNC ----------------------------------- */

static void test_compare(void **state)
{
    (void)state;
    static const Scene nothing_new = {
        .scripts = {{FIRST, "C: A2 UID FETCH 1:5 (FLAGS)\n"
                            "S: * 1 FETCH (UID 1 FLAGS (\\Seen))\n"
                            "S: * 2 FETCH (FLAGS () UID 3)\n"
                            "S: A2 OK done\n"}},
        .play = play_plain,
        .told = {{"message 1 flags \\Seen.\n"
                  "message 3 flags .\n"
                  "present 1 3\n",
                  STATE_FIRST}},
    };
    static const Scene one_new = {
        .scripts = {{PREAUTH("IMAP4rev1"), EXAMINED("2", "9"),
                     "C: A2 UID FETCH 1:5 (FLAGS)\n"
                     "C: A3 UID FETCH 6:* (FLAGS INTERNALDATE RFC822.SIZE)\n"
                     "S: * 1 FETCH (UID 3 FLAGS ())\n"
                     "S: A2 OK done\n",
                     NEW("2", "8"), "S: A3 OK done\n"}},
        .play = play_plain,
        .told = {{"message 3 flags .\n", TOLD_NEW("8"),
                  "present 3 8\n"
                  "state 7 uidnext 9 modseq 0 count 2\n"
                  "ok\n"}},
    };
    scene_run(&nothing_new);
    scene_run(&one_new);
}

static void play_later(Bed *bed)
{
    act_sync(
        bed, "INBOX",
        (MailFolderState){.uidvalidity = 7, .uidnext = 900, .count = 500, .flags_later = true});
}

/* Of a large folder, all flags are not told where they may come later. */
static void test_flags_later(void **state)
{
    (void)state;
    static const Scene as_it_was = {
        .scripts = {{PREAUTH("IMAP4rev1"), EXAMINED("500", "900")}},
        .play = play_later,
        .told = {{"state 7 uidnext 900 modseq 0 count 500 flags later\nok\n"}},
    };
    static const Scene one_new = {
        .scripts = {{PREAUTH("IMAP4rev1"), EXAMINED("501", "902"),
                     "C: A2 UID FETCH 900:* (FLAGS INTERNALDATE RFC822.SIZE)\n", NEW("501", "901"),
                     "S: A2 OK done\n"}},
        .play = play_later,
        .told = {{TOLD_NEW("901"), "state 7 uidnext 902 modseq 0 count 501 flags later\nok\n"}},
    };
    static const Scene some_gone = {
        .scripts = {{PREAUTH("IMAP4rev1 ESEARCH"), EXAMINED("499", "900"),
                     "C: A2 UID SEARCH RETURN (ALL) ALL\n"
                     "S: * ESEARCH (TAG \"A2\") UID ALL 2:4\n"
                     "S: A2 OK done\n"}},
        .play = play_later,
        .told = {{"present 2 3 4\nstate 7 uidnext 900 modseq 0 count 499 flags later\nok\n"}},
    };
    /* Those that would be few, and those of a server that will tell changes from now on. */
    static const Scene small = {
        .scripts = {{PREAUTH("IMAP4rev1"), EXAMINED("400", "900"),
                     "C: A2 UID FETCH 1:899 (FLAGS)\n"
                     "S: * 1 FETCH (UID 1 FLAGS ())\n"
                     "S: A2 OK done\n"}},
        .play = play_later,
        .told = {{"message 1 flags .\npresent 1\nstate 7 uidnext 900 modseq 0 count 400\nok\n"}},
    };
    static const Scene condstore = {
        .scripts =
            {{PREAUTH("IMAP4rev1 CONDSTORE"),
              "C: A1 EXAMINE INBOX (CONDSTORE)\n" SELECTED(
                  "500",
                  "900") "S: * OK [HIGHESTMODSEQ 5] highest\n" OPENED("A1") "C: A2 UID FETCH 1:899 "
                                                                            "(FLAGS)\n"
                                                                            "S: * 1 FETCH (UID 1 "
                                                                            "FLAGS ())\n"
                                                                            "S: A2 OK done\n"}},
        .play = play_later,
        .told = {{"message 1 flags .\npresent 1\nstate 7 uidnext 900 modseq 5 count 500\nok\n"}},
    };
    static const Scene without_uidnext = {
        .scripts = {{PREAUTH("IMAP4rev1"),
                     "C: A1 EXAMINE INBOX\n"
                     "S: * 500 EXISTS\n"
                     "S: * OK [UIDVALIDITY 7] valid\n" OPENED(
                         "A1") "C: A2 UID FETCH 1:899 (FLAGS)\n"
                               "C: A3 UID FETCH 900:* (FLAGS INTERNALDATE RFC822.SIZE)\n"
                               "S: * 1 FETCH (UID 1 FLAGS ())\n"
                               "S: A2 OK done\n"
                               "S: A3 OK done\n"}},
        .play = play_later,
        .told = {{"message 1 flags .\npresent 1\nstate 7 uidnext 2 modseq 0 count 500\nok\n"}},
    };
    scene_run(&as_it_was);
    scene_run(&one_new);
    scene_run(&some_gone);
    scene_run(&small);
    scene_run(&condstore);
    scene_run(&without_uidnext);
}

static void test_other_uidvalidity(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{PREAUTH("IMAP4rev1"),
                     "C: A1 EXAMINE INBOX\n"
                     "S: * 1 EXISTS\n"
                     "S: * OK [UIDVALIDITY 4294967295] valid\n"
                     "S: * OK [UIDNEXT 2] next\n",
                     OPENED("A1"), ASK_ALL, NEW("1", "1"), "S: A2 OK done\n"}},
        .play = play_marked,
        .told = {{"reset 4294967295\n", TOLD_NEW("1"),
                  "state 4294967295 uidnext 2 modseq 0 count 1\n"
                  "ok\n"}},
    };
    scene_run(&scene);
}

/* As from a backup: the UIDs that are known may be other messages' by now. */
static void test_lower_uidnext(void **state)
{
    (void)state;
    static const Scene restored = {
        .scripts = {{PREAUTH("IMAP4rev1 CONDSTORE"), "C: A1 EXAMINE INBOX (CONDSTORE)\n",
                     SELECTED("1", "4"), "S: * OK [HIGHESTMODSEQ 50] highest\n", OPENED("A1"),
                     "C: A2 UID FETCH 4:* (UID)\n"
                     "S: * 1 FETCH (UID 3)\n"
                     "S: A2 OK done\n"
                     "C: A3 UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE)\n",
                     NEW("1", "3"), "S: A3 OK done\n"}},
        .play = play_marked,
        .told = {{"restored\n", TOLD_NEW("3"), "state 7 uidnext 4 modseq 50 count 1\nok\n"}},
    };
    static const Scene emptied = {
        .scripts = {{PREAUTH("IMAP4rev1"), EXAMINED("0", "1")}},
        .play = play_plain,
        .told = {{"restored\nstate 7 uidnext 1 modseq 0 count 0\nok\n"}},
    };
    scene_run(&restored);
    scene_run(&emptied);
}

/* There are messages from UIDNEXT on: it is just wrong, as it may always have been. */
static void test_wrong_uidnext(void **state)
{
    (void)state;
    static const Scene wrong = {
        .scripts = {{PREAUTH("IMAP4rev1"), EXAMINED("1", "4"),
                     "C: A2 UID FETCH 4:* (UID)\n"
                     "S: * 1 FETCH (UID 5)\n"
                     "S: A2 OK done\n"
                     "C: A3 UID FETCH 1:5 (FLAGS)\n"
                     "S: * 1 FETCH (UID 5 FLAGS ())\n"
                     "S: A3 OK done\n"}},
        .play = play_plain,
        .told = {{"message 5 flags .\npresent 5\nstate 7 uidnext 6 modseq 0 count 1\nok\n"}},
    };
    static const Scene refused = {
        .scripts = {{PREAUTH("IMAP4rev1"), EXAMINED("1", "4"),
                     "C: A2 UID FETCH 4:* (UID)\n"
                     "S: A2 NO not now\n"}},
        .play = play_plain,
        .told = {{"error EREMOTEIO\n"}},
    };
    scene_run(&wrong);
    scene_run(&refused);
}

/* --- more than there can be ------------------------------------------------------------------ */

static void test_flags_without_end(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{FIRST, ASK_ALL,
                     "R: * 1 FETCH (UID 1 FLAGS (\n"
                     "e: \\Seen $Forwarded "}},
        .play = play_nothing,
        .told = {{"reset 7\n"
                  "error EPROTO\n"}},
        .open_end = true,
        .whole_only = true,
    };
    scene_run(&scene);
}

static void play_cancelled(Bed *bed)
{
    Act *act = act_sync(bed, "INBOX", plain);
    if (!bed_run_to_wait(bed))
        return;
    act_cancel(act);
    script_go_on(&bed->server);
    act_sync(bed, "INBOX", marked);
}

static void test_cancelled(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{PREAUTH("IMAP4rev1"), "C: A1 EXAMINE INBOX\n", SELECTED("3", "6"), "W:\n",
                     OPENED("A1"), "C: A2 EXAMINE INBOX\n", SELECTED("1", "6"), OPENED("A2"),
                     "C: A3 UID FETCH 1:5 (FLAGS)\n"
                     "S: * 1 FETCH (UID 3 FLAGS ())\n"
                     "S: A3 OK done\n"}},
        .play = play_cancelled,
        .told = {{NULL},
                 {"message 3 flags .\n"
                  "present 3\n"
                  "state 7 uidnext 6 modseq 0 count 1\n"
                  "ok\n"}},
        .whole_only = true,
    };
    scene_run(&scene);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_listing),       cmocka_unit_test(test_empty_folder),
        cmocka_unit_test(test_any_order),           cmocka_unit_test(test_untagged_in_between),
        cmocka_unit_test(test_hostile_uids),        cmocka_unit_test(test_new_while_listing),
        cmocka_unit_test(test_listing_refused),     cmocka_unit_test(test_without_uidnext),
        cmocka_unit_test(test_without_uidvalidity), cmocka_unit_test(test_compare),
        cmocka_unit_test(test_flags_later),         cmocka_unit_test(test_other_uidvalidity),
        cmocka_unit_test(test_lower_uidnext),       cmocka_unit_test(test_wrong_uidnext),
        cmocka_unit_test(test_flags_without_end),   cmocka_unit_test(test_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, scene_clean);
}
