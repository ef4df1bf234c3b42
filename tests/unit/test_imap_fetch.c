#include "imap_scene.h"

/* Most scenes: INBOX with UIDVALIDITY 7, and the section limit of LIMIT. */
enum { LIMIT = 1000 };

static const MailRange header_and_text[] = {{MAIL_SECTION_HEADER, 0, 0}, {MAIL_SECTION_TEXT, 0, 0}};
static const MailRange text_only[] = {{MAIL_SECTION_TEXT, 0, 0}};
static const MailRange text_start[] = {{MAIL_SECTION_TEXT, 0, 10}};

static Act *fetch(Bed *bed, const uint32_t *uids, size_t n_uids, const MailRange *ranges, size_t n)
{
    return act_fetch(bed, &(MailFetch){"INBOX", 7, uids, n_uids, ranges, n, LIMIT, false});
}

static Act *fetch_one(Bed *bed, uint32_t uid, const MailRange *ranges, size_t n)
{
    return fetch(bed, &uid, 1, ranges, n);
}

static void play_both(Bed *bed)
{
    fetch_one(bed, 5, header_and_text, 2);
}

static void play_text(Bed *bed)
{
    fetch_one(bed, 5, text_only, 1);
}

static void play_start(Bed *bed)
{
    fetch_one(bed, 5, text_start, 1);
}

static void play_three(Bed *bed)
{
    static const uint32_t uids[] = {5, 6, 9};
    fetch(bed, uids, G_N_ELEMENTS(uids), text_only, 1);
}

#define SELECTED                                                                \
    "S: * 3 EXISTS\nS: * OK [UIDVALIDITY 7] valid\nS: * OK [UIDNEXT 12] next\n" \
    "S: A1 OK [READ-ONLY] EXAMINE completed\n"
#define ASKED(what) PREAUTH("IMAP4rev1") "C: A1 EXAMINE INBOX\nC: A2 UID FETCH " what "\n" SELECTED
#define ASKED_BOTH ASKED("5 (BODY.PEEK[HEADER] BODY.PEEK[TEXT])")
#define ASKED_TEXT ASKED("5 (BODY.PEEK[TEXT])")
#define ASKED_START ASKED("5 (BODY.PEEK[TEXT]<0.10>)")
#define ASKED_THREE ASKED("5:6,9 (BODY.PEEK[TEXT])")
#define DONE "S: A2 OK done\n"

/* --- what comes ------------------------------------------------------------------------------ */

static void test_header_and_text(void **state)
{
    (void)state;
    static const Scene literals = {
        .scripts = {{ASKED_BOTH,
                     "S: * 2 FETCH (UID 5 BODY[HEADER] {8}\n"
                     "R: A: b\\r\\n\\r\\n\n"
                     "S:  BODY[TEXT] {5}\n"
                     "R: hello\n"
                     "S: )\n",
                     DONE}},
        .play = play_both,
        .told = {{"fetch 5 HEADER A: b\\r\\n\\r\\n\n"
                  "fetch 5 TEXT hello\n"
                  "ok\n"}},
    };
    static const Scene empty_strings = {
        .scripts = {{ASKED_BOTH,
                     "S: * 2 FETCH (UID 5 BODY[TEXT] {0}\n"
                     "S:  BODY[HEADER] \"\")\n",
                     DONE}},
        .play = play_both,
        .told = {{"fetch 5 TEXT \n"
                  "fetch 5 HEADER \n"
                  "ok\n"}},
    };
    scene_run(&literals);
    scene_run(&empty_strings);
}

/* The two literals of a server of 2002, to the byte. */
static void test_exact_bytes(void **state)
{
    g_autoptr(GBytes) header = script_file("imap-header.bin");
    g_autofree char *sum = g_compute_checksum_for_bytes(G_CHECKSUM_MD5, header);
    g_autofree char *told = g_strdup_printf("fetch 5 HEADER 494 bytes %s\n"
                                            "fetch 5 TEXT This is a test message.\\r\\n\nok\n",
                                            sum);
    const Scene scene = {
        .scripts = {{ASKED_BOTH,
                     "S: * 1 FETCH (UID 5 BODY[HEADER] {494}\n"
                     "D: imap-header.bin\n"
                     "S:  BODY[TEXT] {25}\n"
                     "D: imap-text.bin\n"
                     "S: )\n"
                     "S: * 1 FETCH (FLAGS (\\Recent \\Seen))\n",
                     DONE}},
        .play = play_both,
        .told = {{told}},
    };
    (void)state;
    assert_int_equal(g_bytes_get_size(header), 494);
    scene_run(&scene);
}

static void test_any_order(void **state)
{
    (void)state;
    static const Scene uid_behind = {
        .scripts = {{ASKED_BOTH,
                     "S: * 2 FETCH (BODY[TEXT] {5}\n"
                     "R: hello\n"
                     "S:  FLAGS (\\Seen) BODY[HEADER] \"x\" UID 5)\n",
                     DONE}},
        .play = play_both,
        .told = {{"fetch 5 TEXT hello\n"
                  "fetch 5 HEADER x\n"
                  "ok\n"}},
    };
    static const Scene split = {
        .scripts = {{ASKED_BOTH,
                     "S: * 2 FETCH (UID 5)\n"
                     "S: * 2 FETCH (BODY[TEXT] {5}\n"
                     "R: hello\n"
                     "S: )\n"
                     "S: * 4 EXISTS\n"
                     "S: * 2 FETCH (BODY[HEADER] \"x\")\n",
                     DONE}},
        .play = play_both,
        .told = {{"fetch 5 TEXT hello\n"
                  "fetch 5 HEADER x\n"
                  "ok\n"}},
    };
    static const Scene messages = {
        .scripts = {{ASKED_THREE,
                     "S: * 3 FETCH (UID 9 BODY[TEXT] \"nine\")\n"
                     "S: * 1 FETCH (BODY[TEXT] {4}\n"
                     "R: five\n"
                     "S:  UID 5)\n"
                     "S: * 2 FETCH (BODY[TEXT] \"s\\\\i\\\"x\" UID 6)\n",
                     DONE}},
        .play = play_three,
        .told = {{"fetch 9 TEXT nine\n"
                  "fetch 5 TEXT five\n"
                  "fetch 6 TEXT s\\\\i\\\"x\n"
                  "ok\n"}},
    };
    scene_run(&uid_behind);
    scene_run(&split);
    scene_run(&messages);
}

static void test_nil(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{ASKED_BOTH, "S: * 2 FETCH (UID 5 BODY[HEADER] NIL BODY[TEXT] nil)\n", DONE}},
        .play = play_both,
        .told = {{"fetch 5 HEADER \n"
                  "fetch 5 TEXT \n"
                  "ok\n"}},
    };
    scene_run(&scene);
}

static void play_ranges(Bed *bed)
{
    static const MailRange ranges[] = {{MAIL_SECTION_HEADER, 0, 0},
                                       {MAIL_SECTION_TEXT, 0, 65536},
                                       {MAIL_SECTION_BODY, 5000000000, 4}};
    fetch_one(bed, 5, ranges, G_N_ELEMENTS(ranges));
}

static void test_ranges(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{ASKED("5 (BODY.PEEK[HEADER] BODY.PEEK[TEXT]<0.65536> "
                           "BODY.PEEK[]<5000000000.4>)"),
                     "S: * 2 FETCH (UID 5 BODY[]<5000000000> \"abcd\" BODY[HEADER] \"h\" "
                     "body[text]<0> {3}\n"
                     "R: xyz\n"
                     "S: )\n",
                     DONE}},
        .play = play_ranges,
        .told = {{"fetch 5 BODY<5000000000.4> abcd\n"
                  "fetch 5 HEADER h\n"
                  "fetch 5 TEXT<0.65536> xyz\n"
                  "ok\n"}},
    };
    scene_run(&scene);
}

/* Success, and nothing came: the message is gone. */
static void test_gone(void **state)
{
    (void)state;
    static const Scene silent = {
        .scripts = {{ASKED_TEXT, DONE}}, .play = play_text, .told = {{"ok\n"}}};
    static const Scene one_of_three = {
        .scripts = {{ASKED_THREE, "S: * 1 FETCH (UID 5 BODY[TEXT] \"five\")\n"
                                  "S: * 2 EXPUNGE\n"
                                  "S: * 2 FETCH (UID 9 BODY[TEXT] \"nine\")\n"
                                  "S: A2 NO [EXPUNGEISSUED] some are gone\n"}},
        .play = play_three,
        .told = {{"fetch 5 TEXT five\n"
                  "fetch 9 TEXT nine\n"
                  "ok\n"}},
    };
    scene_run(&silent);
    scene_run(&one_of_three);
}

static void test_refused(void **state)
{
    (void)state;
    static const Scene no = {
        .scripts = {{ASKED_TEXT, "S: A2 NO it can't be read\n"}},
        .play = play_text,
        .told = {{"error EREMOTEIO\n"}},
        .says = "fetching from INBOX: the server answered NO: it can't be read",
    };
    static const Scene bad = {
        .scripts = {{ASKED_TEXT, "S: A2 BAD what?\n"}},
        .play = play_text,
        .told = {{"error EPROTO\n"}},
    };
    scene_run(&no);
    scene_run(&bad);
}

static void test_data_of_others_is_ignored(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{ASKED_TEXT,
                     "S: * 1 FETCH (UID 4 BODY[TEXT] {4}\n"
                     "R: four\n"
                     "S: )\n"
                     "S: * 3 FETCH (UID 4294967301 BODY[TEXT] \"5 + 2^32\")\n"
                     "S: * 3 FETCH (UID 0 BODY[TEXT] \"null\" X 1)\n"
                     "S: * 2 FETCH (UID 5 BODY[HEADER] \"not asked for\")\n"
                     "S: * 2 FETCH (UID 5 BODY[TEXT]<3> \"nor this\")\n"
                     "S: * 2 FETCH (UID 5 BODY[TEXT] \"five\")\n"
                     "S: * NO [ALERT] mind the gap\n"
                     "S: * 9 FOO (BAR)\n",
                     DONE}},
        .play = play_text,
        .told = {{"fetch 5 TEXT five\n"
                  "ok\n"}},
        .open_end = true,
    };
    scene_run(&scene);
}

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

/* --- too much -------------------------------------------------------------------------------- */

static void play_large(Bed *bed)
{
    fetch_one(bed, 5, text_only, 1);
    bed_run(bed);
    if (bed->server.was_cut)
        return;
    fetch_one(bed, 6, text_only, 1);
}

#define ANOTHER                                                                               \
    "C: A3 UID FETCH 6 (BODY.PEEK[TEXT])\nS: * 3 FETCH (UID 6 BODY[TEXT] \"six\")\nS: A3 OK " \
    "done\n"

static void test_longer_than_the_limit(void **state)
{
    g_autofree char *text = g_strnfill(LIMIT + 1, 'x');
    g_autofree char *script = g_strdup_printf(ASKED_TEXT "S: * 2 FETCH (UID 5 BODY[TEXT] {%d}\n"
                                                         "R: %s\nS: )\n" DONE ANOTHER,
                                              LIMIT + 1, text);
    const Scene scene = {
        .scripts = {{script}},
        .play = play_large,
        .told = {{"error EFBIG\n"},
                 {"fetch 6 TEXT six\n"
                  "ok\n"}},
    };
    (void)state;
    scene_run(&scene);
}

static void test_longer_than_the_range(void **state)
{
    (void)state;
    static const Scene literal = {
        .scripts = {{ASKED_START,
                     "S: * 2 FETCH (UID 5 BODY[TEXT]<0> {11}\n"
                     "R: 12345678901\n"
                     "S: )\n",
                     DONE}},
        .play = play_start,
        .told = {{"error EPROTO\n"}},
        .says = "more than was asked for",
    };
    static const Scene quoted = {
        .scripts = {{ASKED_START, "S: * 2 FETCH (UID 5 BODY[TEXT]<0> \"12345678901\")\n", DONE}},
        .play = play_start,
        .told = {{"error EPROTO\n"}},
    };
    static const Scene exact = {
        .scripts = {{ASKED_START,
                     "S: * 2 FETCH (UID 5 BODY[TEXT]<0> {10}\n"
                     "R: 1234567890\n"
                     "S: )\n",
                     DONE}},
        .play = play_start,
        .told = {{"fetch 5 TEXT<0.10> 1234567890\n"
                  "ok\n"}},
    };
    scene_run(&literal);
    scene_run(&quoted);
    scene_run(&exact);
}

/* What is no string is no content either, and no reason to believe that a message is gone. */
static void test_no_string(void **state)
{
    (void)state;
    static const Scene list = {
        .scripts = {{ASKED_TEXT, "S: * 2 FETCH (UID 5 BODY[TEXT] (a b))\n", DONE}},
        .play = play_text,
        .told = {{"error EPROTO\n"}},
    };
    static const Scene atom = {
        .scripts = {{ASKED_TEXT, "S: * 2 FETCH (UID 5 BODY[TEXT] 12)\n", DONE}},
        .play = play_text,
        .told = {{"error EPROTO\n"}},
    };
    scene_run(&list);
    scene_run(&atom);
}

static void test_enormous_literals(void **state)
{
    static const char *const sizes[] = {"4294967296", "4294967301", "18446744073709551615",
                                        "18446744073709551621", "100000000000000000000"};
    static const char *const items[] = {"BODY[TEXT]", "BODY[HEADER]", "BODY[TEXT]<0>", "X"};

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(sizes) * G_N_ELEMENTS(items); i++) {
        g_autofree char *script = g_strdup_printf(
            ASKED_TEXT "S: * 2 FETCH (UID 5 %s {%s}\nR: hello)\\r\\nA2 OK done\\r\\n\n",
            items[i / G_N_ELEMENTS(sizes)], sizes[i % G_N_ELEMENTS(sizes)]);
        const Scene scene = {.scripts = {{script}},
                             .play = play_text,
                             .told = {{"error EPROTO\n"}},
                             .open_end = true};
        scene_run(&scene);
    }
}

/* --- another folder than we think ------------------------------------------------------------ */

static void test_other_uidvalidity(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{PREAUTH("IMAP4rev1"),
                     "C: A1 EXAMINE INBOX\n"
                     "C: A2 UID FETCH 5 (BODY.PEEK[TEXT])\n"
                     "S: * 3 EXISTS\n"
                     "S: * OK [UIDVALIDITY 8] valid\n"
                     "S: A1 OK done\n"
                     "S: * 2 FETCH (UID 5 BODY[TEXT] {6}\n"
                     "R: wrong!\n"
                     "S: )\n",
                     DONE}},
        .play = play_text,
        .told = {{"error ESTALE\n"}},
        .says = "UIDVALIDITY",
    };
    scene_run(&scene);
}

static void test_no_such_folder(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{PREAUTH("IMAP4rev1"), "C: A1 EXAMINE INBOX\n"
                                           "C: A2 UID FETCH 5 (BODY.PEEK[TEXT])\n"
                                           "S: A1 NO [NONEXISTENT] no such mailbox\n"
                                           "S: A2 BAD nothing is selected\n"}},
        .play = play_text,
        .told = {{"error ENOENT\n"}},
        .says = "opening folder INBOX",
    };
    scene_run(&scene);
}

static void play_two_folders(Bed *bed)
{
    static const uint32_t uid = 5;
    fetch_one(bed, 5, text_only, 1);
    if (!bed_run(bed))
        return;
    act_fetch(bed, &(MailFetch){"Work", 70, &uid, 1, text_only, 1, LIMIT, false});
    if (!bed_run(bed))
        return;
    act_fetch(bed, &(MailFetch){"Work", 70, &uid, 1, text_start, 1, LIMIT, false});
}

/* What the server still tells of the folder before is not taken for the new one's. */
static void test_folder_changes(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{ASKED_TEXT, "S: * 2 FETCH (UID 5 BODY[TEXT] \"inbox\")\n", DONE,
                     "C: A3 EXAMINE Work\n"
                     "C: A4 UID FETCH 5 (BODY.PEEK[TEXT])\n"
                     "S: * 2 EXPUNGE\n"
                     "S: * 1 FETCH (FLAGS ())\n"
                     "S: * OK [UIDVALIDITY 7] still INBOX\n"
                     "S: * OK [CLOSED] now Work\n"
                     "S: * 1 EXISTS\n"
                     "S: * OK [UIDVALIDITY 70] valid\n"
                     "S: A3 OK done\n"
                     "S: * 1 FETCH (UID 5 BODY[TEXT] \"work\")\n"
                     "S: A4 OK done\n"
                     "C: A5 UID FETCH 5 (BODY.PEEK[TEXT]<0.10>)\n"
                     "S: * 1 FETCH (UID 5 BODY[TEXT]<0> \"work\")\n"
                     "S: A5 OK done\n"}},
        .play = play_two_folders,
        .told = {{"fetch 5 TEXT inbox\n"
                  "ok\n"},
                 {"fetch 5 TEXT work\n"
                  "ok\n"},
                 {"fetch 5 TEXT<0.10> work\n"
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
        .says = "has not answered for 1 s",
        .timeout = 1,
        .whole_only = true,
    };
    static const Scene in_a_literal = {
        .scripts = {{ASKED_TEXT, "S: * 2 FETCH (UID 5 BODY[TEXT] {4}\n"
                                 "R: fi\n"}},
        .play = play_text,
        .told = {{"error ETIMEDOUT\n"}},
        .timeout = 1,
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
        cmocka_unit_test(test_header_and_text),
        cmocka_unit_test(test_exact_bytes),
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_nil),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_gone),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_data_of_others_is_ignored),
        cmocka_unit_test(test_without_uid),
        cmocka_unit_test(test_without_uid_among_others),
        cmocka_unit_test(test_expunge_between_parts),
        cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_beside_a_listing),
        cmocka_unit_test(test_answered_while_a_listing_is),
        cmocka_unit_test(test_longer_than_the_limit),
        cmocka_unit_test(test_longer_than_the_range),
        cmocka_unit_test(test_no_string),
        cmocka_unit_test(test_enormous_literals),
        cmocka_unit_test(test_other_uidvalidity),
        cmocka_unit_test(test_no_such_folder),
        cmocka_unit_test(test_folder_changes),
        cmocka_unit_test(test_cancelled_in_flight),
        cmocka_unit_test(test_cancelled_in_a_literal),
        cmocka_unit_test(test_cancelled_before_it_was_sent),
        cmocka_unit_test(test_silent_server),
        cmocka_unit_test(test_goodbye),
    };
    return cmocka_run_group_tests(tests, NULL, scene_clean);
}
