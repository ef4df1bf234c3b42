/* Fetches by themselves: what comes, too much of it, and of the wrong folder. */
#include "imap_fetch_scenes.h"

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

/* --- too much -------------------------------------------------------------------------------- */

static void play_large(Bed *bed)
{
    fetch_one(bed, 5, text_only, 1);
    bed_run(bed);
    if (bed->server.was_cut)
        return;
    fetch_one(bed, 6, text_only, 1);
}

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
        cmocka_unit_test(test_longer_than_the_limit),
        cmocka_unit_test(test_longer_than_the_range),
        cmocka_unit_test(test_no_string),
        cmocka_unit_test(test_enormous_literals),
        cmocka_unit_test(test_other_uidvalidity),
        cmocka_unit_test(test_no_such_folder),
        cmocka_unit_test(test_folder_changes),
    };
    return cmocka_run_group_tests(tests, NULL, scene_clean);
}
