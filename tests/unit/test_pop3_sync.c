/* Syncs: by UIDL and LIST, by content, and what servers make of their lists. */
#include "pop3_scene.h"

static void play_sync(Bed *bed)
{
    sync_inbox(bed);
}

static void play_other_folder(Bed *bed)
{
    act_sync(bed, "Other", (MailFolderState){0});
}

static const MailFolderState known = {.uidvalidity = 1, .uidnext = 9, .count = 3};

/* Again in the same breath, then anew. */
static void play_again(Bed *bed)
{
    sync_inbox(bed);
    act_sync(bed, "INBOX", known);
    if (!bed_run(bed))
        return;
    bed_settle(bed);
    act_sync(bed, "INBOX", known);
}

static char *hash_name(const char *kind, const char *content)
{
    g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, content, -1);

    return g_strconcat(kind, "-", sum, NULL);
}

#define LIST_3 "S: +OK\nS: 1 10\nS: 2 20\nS: 3 30\nS: .\n"
#define ASK "C: UIDL\nC: LIST\n"

static void test_names_and_sizes(void **state)
{
    (void)state;
    static const Scene plain = {
        .scripts = {{SYNCED(MODERN)}},
        .play = play_sync,
        .told = {{TOLD_SYNC}},
    };
    static const Scene not_pipelined = {
        .scripts = {{LOGIN("S: UIDL\n"),
                     "C: UIDL\nS: +OK\nS: 1 a\nS: 2 b\nS: 3 c\nS: .\nC: LIST\n" LIST_3}},
        .play = play_sync,
        .told = {{TOLD_SYNC}},
    };
    static const Scene nothing = {
        .scripts = {{LOGIN(MODERN), ASK "S: +OK\nS: .\nS: +OK\nS: .\n"}},
        .play = play_sync,
        .told = {{"reset 1\npresent\nstate 1 uidnext 1 modseq 0 count 0\nok\n"}},
    };
    static const Scene no_folder = {
        .scripts = {{NULL}},
        .play = play_other_folder,
        .told = {{"error ENOENT\n"}},
        .whole_only = true,
    };
    scene_run(&plain);
    scene_run(&not_pipelined);
    scene_run(&nothing);
    scene_run(&no_folder);
}

static void play_unidentified(Bed *bed)
{
    static const MailSyncSink sink = {.messages = act_messages};
    const MailFolderState nothing = {0};
    Act *act = act_new(bed);

    act->op = mail_store_sync(bed->store, "INBOX", &nothing, &sink, act_done, act);
}

/* Who has no UIDs to give can't be told of messages. */
static void test_unidentified(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{NULL}},
        .play = play_unidentified,
        .told = {{"error EOPNOTSUPP\n"}},
        .whole_only = true,
    };
    scene_run(&scene);
}

/* What was said before the login holds no more behind it. */
static void test_other_capabilities(void **state)
{
    (void)state;
    static const Scene fewer = {
        .scripts = {{"S: +OK ready\n" CAPA(MODERN) USER_PASS CAPA("S: UIDL\n"),
                     "C: UIDL\nS: +OK\nS: 1 a\nS: 2 b\nS: 3 c\nS: .\nC: LIST\n" LIST_3}},
        .play = play_sync,
        .told = {{TOLD_SYNC}},
    };
    static const Scene unknown = {
        .scripts = {{"S: +OK ready\n" CAPA(MODERN) USER_PASS "C: CAPA\nS: -ERR what?\n",
                     "C: UIDL\nS: +OK\nS: 1 a\nS: 2 b\nS: 3 c\nS: .\nC: LIST\n" LIST_3}},
        .play = play_sync,
        .told = {{TOLD_SYNC}},
    };
    scene_run(&fewer);
    scene_run(&unknown);
}

/* Numbers in any order and with gaps, sizes that are none, and what the line has besides. */
static void test_odd_lists(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{LOGIN(MODERN),
                     ASK "S: +OK\nS: 7 c\nS: 4294967295  d \nS: 2 a\nS: 2 a\nS: 3\tb\nS: .\n"
                         "S: +OK\nS: 3 99999999999999999999\nS: 2 20 octets\nS: 7 x\nS: .\n"}},
        .play = play_sync,
        .told = {{"reset 1\nmessage 1 size 20 name a\nmessage 2 size 0 name b\n"
                  "message 3 size 0 name c\nmessage 4 size 0 name d\npresent 1 2 3 4\n"
                  "state 1 uidnext 5 modseq 0 count 4\nok\n"}},
    };
    scene_run(&scene);
}

/* What names can't be made of: nothing may be taken for gone then. */
static void test_broken_lists(void **state)
{
    static const char *const lines[] = {
        "0 a", "4294967296 a", "99999999999999999999 a", "a 1", "-1 a", "1a a", "",
        "+ a", "2 another", /* than it had before */
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_autofree char *line = g_strdup_printf("S: %s\n", lines[i]);
        const Scene scene = {
            .scripts = {{LOGIN(MODERN), ASK "S: +OK\nS: 2 b\n", line,
                         "S: 3 c\nS: .\nS: +OK\nS: .\n"}},
            .play = play_sync,
            .told = {{"error EPROTO\n"}},
            .says = "list of messages",
            .whole_only = i > 0,
        };
        scene_run(&scene);
    }
    static const Scene size = {
        .scripts = {{LOGIN(MODERN), ASK "S: +OK\nS: 1 a\nS: .\nS: +OK\nS: one 10\nS: .\n"}},
        .play = play_sync,
        .told = {{"error EPROTO\n"}},
    };
    static const Scene endless = {
        .scripts = {{LOGIN(MODERN), ASK "S: +OK\ne: 1\n"}},
        .play = play_sync,
        .told = {{"error EPROTO\n"}},
        .says = "no end",
        .open_end = true,
        .whole_only = true,
    };
    scene_run(&size);
    scene_run(&endless);
}

/* Unique-ids with bytes that none may have, or too many, are represented. */
static void test_bad_names(void **state)
{
    g_autofree char *long_name = g_strnfill(71, 'x');
    g_autofree char *longest = g_strnfill(70, 'y');
    g_autofree char *eight = hash_name("uidl", "\303\274");
    g_autofree char *control = hash_name("uidl", "a\001");
    g_autofree char *space = hash_name("uidl", "a b");
    g_autofree char *much = hash_name("uidl", long_name);
    g_autofree char *steps = g_strdup_printf(
        "R: +OK\\r\\n1 \\303\\274\\r\\n2 a\\001\\r\\n3 a b\\r\\n"
        "4 %s\\r\\n5 %s\\r\\n.\\r\\n\nS: +OK\nS: .\n",
        long_name, longest);
    g_autofree char *told = g_strdup_printf(
        "reset 1\nmessage 1 size 0 name %s\nmessage 2 size 0 name %s\nmessage 3 size 0 name %s\n"
        "message 4 size 0 name %s\nmessage 5 size 0 name %s\npresent 1 2 3 4 5\n"
        "state 1 uidnext 6 modseq 0 count 5\nok\n",
        eight, control, space, much, longest);
    const Scene scene = {
        .scripts = {{LOGIN(MODERN), ASK, steps}},
        .play = play_sync,
        .told = {{told}},
    };
    (void)state;
    scene_run(&scene);
}

/* --- by content --------------------------------------------------------------------------------
 */

/* What two messages have is neither's name; and one that only LIST knows has none either. */
static void test_repeated_names(void **state)
{
    g_autofree char *one = hash_name("head", "A: 1\r\n\r\n");
    g_autofree char *same = hash_name("head", "A: 2\r\n\r\n");
    g_autofree char *told = g_strdup_printf(
        "reset 1\nmessage 1 size 10 name %s\nmessage 2 size 20 name b\nmessage 3 size 30 name %s\n"
        "message 4 size 40 name %s\npresent 1 2 3 4\nstate 1 uidnext 5 modseq 0 count 4\nok\n",
        one, same, same);
    const Scene scene = {
        .scripts = {{LOGIN(MODERN), ASK "S: +OK\nS: 1 a\nS: 2 b\nS: 3 a\nS: .\n"
                                        "S: +OK\nS: 1 10\nS: 2 20\nS: 3 30\nS: 4 40\nS: .\n"
                                        "C: TOP 1 0\nC: TOP 3 0\nC: TOP 4 0\n"
                                        "S: +OK\nS: A: 1\nS: \nS: .\n"
                                        "S: +OK\nS: A: 2\nS: \nS: not asked for\nS: .\n"
                                        "S: +OK\nS: A: 2\nS: \nS: .\n"}},
        .play = play_sync,
        .told = {{told}},
    };
    (void)state;
    scene_run(&scene);
}

/* A server that does not say what it can do, and has TOP, but no UIDL. */
static void test_no_uidl(void **state)
{
    g_autofree char *one = hash_name("head", "A: 1\r\n\r\n");
    g_autofree char *two = hash_name("full", "A: 2\r\n\r\n.\r\n");
    g_autofree char *told = g_strdup_printf(
        "reset 1\nmessage 1 size 10 name %s\nmessage 2 size 20 name %s\nmessage 3 size 30 name %s\n"
        "present 1 2 3\nstate 1 uidnext 4 modseq 0 count 3\nok\n",
        one, two, two);
    const Scene scene = {
        .scripts = {{LOGIN_OLD, "C: UIDL\nS: -ERR what?\nC: LIST\n" LIST_3,
                     "C: TOP 1 0\nS: +OK\nS: A: 1\nS: \nS: .\n"
                     "C: TOP 2 0\nS: -ERR not any more\n"
                     "C: RETR 2\nS: +OK\nS: A: 2\nS: \nS: ..\nS: .\n"
                     "C: RETR 3\nS: +OK\nS: A: 2\nS: \nS: ..\nS: .\n"}},
        .play = play_sync,
        .told = {{told}},
    };
    static const Scene nothing = {
        .scripts = {{LOGIN_OLD, "C: UIDL\nS: -ERR what?\nC: LIST\nS: +OK\nS: .\n"}},
        .play = play_sync,
        .told = {{"reset 1\npresent\nstate 1 uidnext 1 modseq 0 count 0\nok\n"}},
    };
    static const Scene broken = {
        .scripts = {{LOGIN_OLD, "C: UIDL\nS: -ERR what?\nC: LIST\n" LIST_3,
                     "C: TOP 1 0\nS: -ERR no\nC: RETR 1\nS: -ERR no\n"}},
        .play = play_sync,
        .told = {{"error EREMOTEIO\n"}},
        .says = "message 1",
    };
    (void)state;
    scene_run(&scene);
    scene_run(&nothing);
    scene_run(&broken);
}

/* A moment's failure of a server that has unique-ids gives nobody another name. */
static void test_refused(void **state)
{
    (void)state;
    static const Scene offered = {
        .scripts = {{LOGIN("S: UIDL\n"), "C: UIDL\nS: -ERR not now\nC: LIST\nS: +OK\nS: .\n"}},
        .play = play_sync,
        .told = {{"error EREMOTEIO\n"}},
        .says = "listing unique-ids",
    };
    static const Scene for_now = {
        .scripts = {{LOGIN_OLD, "C: UIDL\nS: -ERR [SYS/TEMP] not now\nC: LIST\nS: +OK\nS: .\n"}},
        .play = play_sync,
        .told = {{"error EAGAIN\n"}},
    };
    static const Scene no_list = {
        .scripts = {{LOGIN(MODERN), ASK "S: +OK\nS: .\nS: -ERR no\n"}},
        .play = play_sync,
        .told = {{"error EREMOTEIO\n"}},
        .says = "listing messages",
    };
    static const Scene no_uid = {
        .scripts = {{LOGIN(MODERN), ASK "S: +OK\nS: 1 unwanted\nS: .\nS: +OK\nS: .\n"}},
        .play = play_sync,
        .told = {{"reset 1\nerror ENOSPC\n"}},
    };
    scene_run(&offered);
    scene_run(&for_now);
    scene_run(&no_list);
    scene_run(&no_uid);
}

/* --- again -------------------------------------------------------------------------------------
 */

/*
 * In one breath the same snapshot does; after a pause there is a new one, whose numbers are others,
 * and only what is new is told.
 */
static void test_again(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{SYNCED(MODERN), QUIT},
                    {LOGIN(MODERN), ASK "S: +OK\nS: 1 c\nS: 2 d\nS: 3 a\nS: .\n"
                                        "S: +OK\nS: 1 30\nS: 2 40\nS: 3 11\nS: .\n"}},
        .play = play_again,
        .told = {{TOLD_SYNC},
                 {"present 1 2 3\nstate 1 uidnext 4 modseq 0 count 3\nok\n"},
                 {"message 4 size 40 name d\nmessage 1 size 11 name a\npresent 1 3 4\n"
                  "state 1 uidnext 5 modseq 0 count 3\nok\n"}},
        .served_once = true,
        .whole_only = true,
    };
    scene_run(&scene);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_and_sizes),
        cmocka_unit_test(test_unidentified),
        cmocka_unit_test(test_other_capabilities),
        cmocka_unit_test(test_odd_lists),
        cmocka_unit_test(test_broken_lists),
        cmocka_unit_test(test_bad_names),
        cmocka_unit_test(test_repeated_names),
        cmocka_unit_test(test_no_uidl),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_again),
    };
    return cmocka_run_group_tests(tests, NULL, scene_clean);
}
