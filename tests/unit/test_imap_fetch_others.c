/* Fetches beside other things: other operations, other messages, silence and the end. */
#include "imap_fetch_scenes.h"

/* --- whose is it? ---------------------------------------------------------------------------- */

/* A server that names no UID can only be believed while one message alone is asked for. */
static void test_without_uid(void **state)
{
    (void)state;
    static const Scene alone = {
        .scripts = {{ASKED_TEXT, "S: * 2 FETCH (BODY[TEXT] \"five\")\n", DONE}},
        .play = play_text,
        .told = {{"fetch 5 TEXT five\n"
                  "ok\n"}},
    };
    static const Scene three = {
        .scripts = {{ASKED_THREE,
                     "S: * 1 FETCH (BODY[TEXT] \"?\")\n"
                     "S: * 2 FETCH (UID 6 BODY[TEXT] \"six\")\n",
                     DONE}},
        .play = play_three,
        .told = {{"fetch 6 TEXT six\n"
                  "error EPROTO\n"}},
        .says = "UID",
    };
    scene_run(&alone);
    scene_run(&three);
}

static void play_two(Bed *bed)
{
    fetch_one(bed, 5, text_only, 1);
    fetch_one(bed, 6, text_only, 1);
}

static void play_one_cancelled(Bed *bed)
{
    Act *act = fetch_one(bed, 5, text_only, 1);
    if (!bed_run_to_wait(bed))
        return;
    act_cancel(act);
    fetch_one(bed, 6, text_only, 1);
    script_go_on(&bed->server);
}

static void test_without_uid_among_others(void **state)
{
    (void)state;
    /* What is answered here is the fetch that was cancelled. */
    static const Scene cancelled = {
        .scripts = {{ASKED_TEXT, "W:\n"
                                 "C: A3 UID FETCH 6 (BODY.PEEK[TEXT])\n"
                                 "S: * 2 FETCH (BODY[TEXT] \"five\")\n"
                                 "S: A2 OK done\n"
                                 "S: * 3 FETCH (UID 6 BODY[TEXT] \"six\")\n"
                                 "S: A3 OK done\n"}},
        .play = play_one_cancelled,
        .told = {{NULL},
                 {"fetch 6 TEXT six\n"
                  "error EPROTO\n"}},
        .whole_only = true,
    };
    scene_run(&cancelled);
}

/* Sequence numbers are others behind an EXPUNGE. */
static void test_expunge_between_parts(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{ASKED_THREE,
                     "S: * 1 FETCH (UID 5)\n"
                     "S: * 2 FETCH (UID 6)\n"
                     "S: * 1 EXPUNGE\n"
                     "S: * 1 FETCH (UID 6)\n"
                     "S: * 1 FETCH (BODY[TEXT] \"six\")\n"
                     "S: * 2 FETCH (BODY[TEXT] \"?\")\n",
                     DONE}},
        .play = play_three,
        .told = {{"fetch 6 TEXT six\n"
                  "error EPROTO\n"}},
    };
    scene_run(&scene);
}

static void test_pipelined(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{ASKED_TEXT, "C: A3 UID FETCH 6 (BODY.PEEK[TEXT])\n"
                                 "S: * 2 FETCH (UID 5 BODY[TEXT] \"five\")\n"
                                 "S: A2 OK done\n"
                                 "S: * 3 FETCH (UID 6 BODY[TEXT] \"six\")\n"
                                 "S: A3 OK done\n"}},
        .play = play_two,
        .told = {{"fetch 5 TEXT five\n"
                  "ok\n"},
                 {"fetch 6 TEXT six\n"
                  "ok\n"}},
    };
    static const Scene other_way_round = {
        .scripts = {{ASKED_TEXT, "C: A3 UID FETCH 6 (BODY.PEEK[TEXT])\n"
                                 "S: * 3 FETCH (UID 6 BODY[TEXT] \"six\")\n"
                                 "S: * 2 FETCH (UID 5 BODY[TEXT] \"five\")\n"
                                 "S: A3 OK done\n"
                                 "S: A2 OK done\n"}},
        .play = play_two,
        .told = {{"fetch 5 TEXT five\n"
                  "ok\n"},
                 {"fetch 6 TEXT six\n"
                  "ok\n"}},
    };
    scene_run(&scene);
    scene_run(&other_way_round);
}

static void play_new_message(Bed *bed)
{
    fetch_one(bed, 5, text_only, 1);
    if (!bed_run(bed))
        return;
    fetch_one(bed, 12, text_only, 1);
    fetch_one(bed, 11, text_only, 1);
}

/* Another session told of UID 12; this one, opened before, would find nothing under it. */
static void test_newer_than_the_selection(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{ASKED_TEXT, "S: * 2 FETCH (UID 5 BODY[TEXT] \"five\")\n", DONE,
                     "C: A3 EXAMINE INBOX\n"
                     "C: A4 UID FETCH 12 (BODY.PEEK[TEXT])\n"
                     "C: A5 UID FETCH 11 (BODY.PEEK[TEXT])\n"
                     "S: * 4 EXISTS\n"
                     "S: * OK [UIDVALIDITY 7] valid\n"
                     "S: * OK [UIDNEXT 13] next\n"
                     "S: A3 OK [READ-ONLY] EXAMINE completed\n"
                     "S: * 4 FETCH (UID 12 BODY[TEXT] \"new\")\n"
                     "S: A4 OK done\n"
                     "S: * 3 FETCH (UID 11 BODY[TEXT] \"old\")\n"
                     "S: A5 OK done\n"}},
        .play = play_new_message,
        .told = {{"fetch 5 TEXT five\nok\n"},
                 {"fetch 12 TEXT new\nok\n"},
                 {"fetch 11 TEXT old\nok\n"}},
        .whole_only = true,
    };
    scene_run(&scene);
}

static void play_fetch_behind_sync(Bed *bed)
{
    act_sync(bed, "INBOX", (MailFolderState){.uidvalidity = 7, .uidnext = 6, .count = 1});
    fetch_one(bed, 5, text_only, 1);
}

/* A server may answer two FETCHes at once (RFC 9051 section 5.5). */
static void test_beside_a_listing(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{PREAUTH("IMAP4rev1"), "C: A1 EXAMINE INBOX\n"
                                           "C: A2 UID FETCH 5 (BODY.PEEK[TEXT])\n"
                                           "S: * 1 EXISTS\n"
                                           "S: * OK [UIDVALIDITY 7] valid\n"
                                           "S: * OK [UIDNEXT 6] next\n"
                                           "S: A1 OK done\n"
                                           "C: A3 UID FETCH 1:5 (FLAGS)\n"
                                           "S: * 1 FETCH (UID 5 FLAGS ())\n"
                                           "S: A3 OK done\n"
                                           "S: * 1 FETCH (UID 5 BODY[TEXT] \"five\")\n"
                                           "S: A2 OK done\n"}},
        .play = play_fetch_behind_sync,
        .served_once = true,
        .told = {{"message 5 flags .\n"
                  "present 5\n"
                  "state 7 uidnext 6 modseq 0 count 1\n"
                  "ok\n"},
                 {"fetch 5 TEXT five\n"
                  "ok\n"}},
    };
    scene_run(&scene);
}

static void play_fetch_then_sync(Bed *bed)
{
    fetch_one(bed, 5, text_only, 1);
    if (!bed_run(bed))
        return;
    act_sync(bed, "INBOX", (MailFolderState){.uidvalidity = 7, .uidnext = 6, .count = 1});
    if (!bed_run_to_wait(bed))
        return;
    fetch_one(bed, 5, text_only, 1);
    script_go_on(&bed->server);
}

static void test_answered_while_a_listing_is(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{ASKED_TEXT, "S: * 1 FETCH (UID 5 BODY[TEXT] \"five\")\n", DONE,
                     "C: A3 EXAMINE INBOX\n"
                     "S: * 1 EXISTS\n"
                     "S: * OK [UIDVALIDITY 7] valid\n"
                     "S: * OK [UIDNEXT 6] next\n"
                     "S: A3 OK done\n"
                     "C: A4 UID FETCH 1:5 (FLAGS)\n"
                     "W:\n"
                     "C: A5 UID FETCH 5 (BODY.PEEK[TEXT])\n"
                     "S: * 1 FETCH (UID 5 FLAGS ())\n"
                     "S: * 1 FETCH (UID 5 BODY[TEXT] \"five\")\n"
                     "S: A5 OK done\n"
                     "S: A4 OK done\n"}},
        .play = play_fetch_then_sync,
        .told = {{"fetch 5 TEXT five\n"
                  "ok\n"},
                 {"message 5 flags .\n"
                  "present 5\n"
                  "state 7 uidnext 6 modseq 0 count 1\n"
                  "ok\n"},
                 {"fetch 5 TEXT five\n"
                  "ok\n"}},
    };
    scene_run(&scene);
}

/* --- cancelled, silent, broken --------------------------------------------------------------- */

static void play_cancel_first(Bed *bed)
{
    Act *act = fetch_one(bed, 5, text_only, 1);
    fetch_one(bed, 6, text_only, 1);
    if (bed_run_to_wait(bed))
        act_cancel(act);
    script_go_on(&bed->server);
}

static void test_cancelled_in_flight(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{ASKED_TEXT, "C: A3 UID FETCH 6 (BODY.PEEK[TEXT])\n"
                                 "W:\n"
                                 "S: * 2 FETCH (UID 5 BODY[TEXT] {4}\n"
                                 "R: five\n"
                                 "S: )\n"
                                 "S: A2 OK done\n"
                                 "S: * 3 FETCH (UID 6 BODY[TEXT] {3}\n"
                                 "R: six\n"
                                 "S: )\n"
                                 "S: A3 OK done\n"}},
        .play = play_cancel_first,
        .told = {{NULL},
                 {"fetch 6 TEXT six\n"
                  "ok\n"}},
        .whole_only = true,
    };
    scene_run(&scene);
}

static void play_cancel_in_literal(Bed *bed)
{
    Act *act = fetch_one(bed, 5, text_only, 1);
    if (bed_run_to_wait(bed))
        act_cancel(act);
    script_go_on(&bed->server);
    fetch_one(bed, 6, text_only, 1);
}

static void test_cancelled_in_a_literal(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{ASKED_TEXT,
                     "S: * 2 FETCH (UID 5 BODY[TEXT] {4}\n"
                     "R: fi\n"
                     "W:\n"
                     "R: ve\n"
                     "S: )\n",
                     DONE, ANOTHER}},
        .play = play_cancel_in_literal,
        .told = {{NULL},
                 {"fetch 6 TEXT six\n"
                  "ok\n"}},
        .whole_only = true,
    };
    scene_run(&scene);
}

static void play_cancel_at_once(Bed *bed)
{
    Act *act = fetch_one(bed, 5, text_only, 1);
    fetch_one(bed, 6, text_only, 1);
    act_cancel(act);
}

static void test_cancelled_before_it_was_sent(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{ASKED("6 (BODY.PEEK[TEXT])"), "S: * 3 FETCH (UID 6 BODY[TEXT] \"six\")\n",
                     DONE}},
        .play = play_cancel_at_once,
        .told = {{NULL},
                 {"fetch 6 TEXT six\n"
                  "ok\n"}},
    };
    scene_run(&scene);
}

static void test_silent_server(void **state)
{
    (void)state;
    static const Scene behind_the_command = {
        .scripts = {{ASKED_TEXT}},
        .play = play_text,
        .told = {{"error ETIMEDOUT\n"}},
        .says = "has not answered for 3 s",
        .timeout = 3,
        .whole_only = true,
    };
    static const Scene in_a_literal = {
        .scripts = {{ASKED_TEXT, "S: * 2 FETCH (UID 5 BODY[TEXT] {4}\n"
                                 "R: fi\n"}},
        .play = play_text,
        .told = {{"error ETIMEDOUT\n"}},
        .timeout = 3,
        .whole_only = true,
    };
    scene_run(&behind_the_command);
    scene_run(&in_a_literal);
}

static void test_goodbye(void **state)
{
    (void)state;
    static const Scene told = {
        .scripts = {{ASKED_BOTH, "S: * 2 FETCH (UID 5 BODY[HEADER] \"h\")\n"
                                 "S: * BYE out of memory\n"
                                 "X:\n"}},
        .play = play_both,
        .told = {{"fetch 5 HEADER h\n"
                  "error ENOTCONN\n"}},
        .says = "goodbye: out of memory",
    };
    /* It stays connected, and says nothing more. */
    static const Scene stays = {
        .scripts = {{ASKED_BOTH, "S: * 2 FETCH (UID 5 BODY[HEADER] \"h\")\n"
                                 "S: * BYE shutting down\n"}},
        .play = play_both,
        .told = {{"fetch 5 HEADER h\n"
                  "error ENOTCONN\n"}},
        .says = "goodbye: shutting down",
        .timeout = PATIENCE,
        .whole_only = true,
    };
    static const Scene again = {
        .scripts = {{ASKED_TEXT, "S: * BYE idle for too long\n"
                                 "X:\n"},
                    {ASKED_TEXT, "S: * 2 FETCH (UID 5 BODY[TEXT] \"five\")\n", DONE}},
        .play = play_text,
        .told = {{"fetch 5 TEXT five\n"
                  "ok\n"}},
        .whole_only = true,
    };
    scene_run(&told);
    scene_run(&stays);
    scene_run(&again);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_uid),
        cmocka_unit_test(test_without_uid_among_others),
        cmocka_unit_test(test_expunge_between_parts),
        cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_newer_than_the_selection),
        cmocka_unit_test(test_beside_a_listing),
        cmocka_unit_test(test_answered_while_a_listing_is),
        cmocka_unit_test(test_cancelled_in_flight),
        cmocka_unit_test(test_cancelled_in_a_literal),
        cmocka_unit_test(test_cancelled_before_it_was_sent),
        cmocka_unit_test(test_silent_server),
        cmocka_unit_test(test_goodbye),
    };
    return cmocka_run_group_tests(tests, NULL, scene_clean);
}
