#include "imap_scene.h"

static const MailRange header_and_text[] = {{MAIL_SECTION_HEADER, 0, 0}, {MAIL_SECTION_TEXT, 0, 0}};

static void play_fetch(Bed *bed)
{
    static const uint32_t uid = 5;
    act_fetch(bed, &(MailFetch){"INBOX", 7, &uid, 1, header_and_text, 2, 100, false});
}

static void play_sync(Bed *bed)
{
    act_sync(bed, "INBOX", (MailFolderState){0});
}

static void play_list(Bed *bed)
{
    act_list(bed);
}

static void play_connect(Bed *bed)
{
    act_connect(bed);
}

#define GREETING PREAUTH("IMAP4rev1")
#define ASKED \
    GREETING "C: A1 EXAMINE INBOX\nC: A2 UID FETCH 5 (BODY.PEEK[HEADER] BODY.PEEK[TEXT])\n"
#define OPENED "S: * 1 EXISTS\nS: * OK [UIDVALIDITY 7] x\nS: * OK [UIDNEXT 6] x\nS: A1 OK done\n"
#define HEADER "S: * 1 FETCH (UID 5 BODY[HEADER] \"h\")\n"
#define TEXT "S: * 1 FETCH (UID 5 BODY[TEXT] \"t\")\n"
#define DONE "S: A2 OK done\n"
#define ANSWERED OPENED HEADER TEXT DONE
#define TOLD "fetch 5 HEADER h\nfetch 5 TEXT t\nok\n"

/* A connection that had been dropped unnoticed costs nobody an error: another one is made. */
static void test_begins_again(void **state)
{
    static const char *const ends[][2] = {
        {"X:\n"},
        {"S: * BYE autologout\nX:\n"},
        {OPENED, "X:\n"},
        {OPENED, "R: * 1 FETCH (UID 5 BODY[HEADER] {2}\\r\\nh\nX:\n"},
        {OPENED, "S: * 1 FETCH (UID 5 FLAGS ())\nX:\n"},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
        const Scene scene = {
            .scripts = {{ASKED, ends[i][0], ends[i][1]}, {ASKED, ANSWERED}},
            .play = play_fetch,
            .told = {{TOLD}},
            .whole_only = true,
        };
        scene_run(&scene);
    }
}

/* Once: a server that always hangs up is no reason to try for ever. */
static void test_begins_again_once(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{ASKED, "X:\n"}, {ASKED, "X:\n"}, {ASKED, ANSWERED}},
        .play = play_fetch,
        .told = {{"error ENOTCONN\n"}},
        .open_end = true,
        .whole_only = true,
    };
    static const Scene refused = {
        .scripts = {{ASKED, "X:\n"}},
        .play = play_fetch,
        .told = {{"error ECONNREFUSED\n"}},
        .whole_only = true,
    };
    static const Scene locked_out = {
        .scripts = {{ASKED, "X:\n"}, {"S: * BYE [UNAVAILABLE] not now\n"}},
        .play = play_fetch,
        .told = {{"error EAGAIN\n"}},
        .whole_only = true,
    };
    scene_run(&scene);
    scene_run(&refused);
    scene_run(&locked_out);
}

/* What was told can't be told again. */
static void test_not_when_something_was_told(void **state)
{
    (void)state;
    static const Scene fetch = {
        .scripts = {{ASKED, OPENED, HEADER, "X:\n"}, {ASKED, ANSWERED}},
        .play = play_fetch,
        .told = {{"fetch 5 HEADER h\n"
                  "error ENOTCONN\n"}},
        .open_end = true,
        .whole_only = true,
    };
    static const Scene sync = {
        .scripts = {{GREETING, "C: A1 EXAMINE INBOX\n", OPENED,
                     "C: A2 UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE)\nX:\n"},
                    {GREETING}},
        .play = play_sync,
        .told = {{"reset 7\n"
                  "error ENOTCONN\n"}},
        .open_end = true,
        .whole_only = true,
    };
    static const Scene list = {
        .scripts = {{GREETING, "C: A1 LIST \"\" \"*\"\n"
                               "S: * LIST () \"/\" a\n"
                               "X:\n"},
                    {GREETING}},
        .play = play_list,
        .told = {{"folder a /\n"
                  "error ENOTCONN\n"}},
        .open_end = true,
        .whole_only = true,
    };
    scene_run(&fetch);
    scene_run(&sync);
    scene_run(&list);
}

static void test_other_operations(void **state)
{
    (void)state;
#define LISTING \
    "C: A1 EXAMINE INBOX\nC: A2 UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE)\nS: * 0 EXISTS\n"
    static const Scene sync = {
        .scripts = {{GREETING, LISTING, "X:\n"},
                    {GREETING, LISTING,
                     "S: A1 OK done\n"
                     "S: A2 OK done\n"}},
        .play = play_sync,
        .told = {{"reset 0\n"
                  "state 0 uidnext 1 modseq 0 count 0\n"
                  "ok\n"}},
        .whole_only = true,
    };
    static const Scene list = {
        .scripts = {{GREETING, "C: A1 LIST \"\" \"*\"\n"
                               "X:\n"},
                    {GREETING, "C: A1 LIST \"\" \"*\"\n"
                               "S: * LIST () \"/\" a\n"
                               "S: A1 OK done\n"}},
        .play = play_list,
        .told = {{"folder a /\n"
                  "folder INBOX 0\n"
                  "ok\n"}},
        .whole_only = true,
    };
    /* Nobody is locked out of his account by being tried again and again. */
    static const Scene connect = {
        .scripts = {{"S: * OK [CAPABILITY IMAP4rev1] ready\n"
                     "C: A1 LOGIN ann hunter2\n"
                     "X:\n"},
                    {GREETING}},
        .play = play_connect,
        .told = {{"error ENOTCONN\n"}},
        .open_end = true,
        .whole_only = true,
    };
    scene_run(&sync);
    scene_run(&list);
    scene_run(&connect);
}

/* Only a connection that was dropped is a reason. */
static void test_not_for_other_failures(void **state)
{
    (void)state;
    static const Scene protocol = {
        .scripts = {{ASKED, OPENED,
                     "S: * 1 FETCH\n"
                     "S: nonsense\n"},
                    {GREETING}},
        .play = play_fetch,
        .told = {{"error EPROTO\n"}},
        .open_end = true,
        .whole_only = true,
    };
    static const Scene silence = {
        .scripts = {{ASKED, OPENED}, {GREETING}},
        .play = play_fetch,
        .told = {{"error ETIMEDOUT\n"}},
        .timeout = 3,
        .open_end = true,
        .whole_only = true,
    };
    scene_run(&protocol);
    scene_run(&silence);
}

static void play_sync_known(Bed *bed)
{
    act_sync(bed, "INBOX", (MailFolderState){.uidvalidity = 7, .uidnext = 6, .modseq = 4});
}

#define QRESYNC                                                \
    PREAUTH("IMAP4rev1 QRESYNC")                               \
    "C: A1 ENABLE QRESYNC\nS: * ENABLED QRESYNC\nS: A1 OK x\n" \
    "C: A2 EXAMINE INBOX (QRESYNC (7 4))\n"

/* What the first try gathered is not told by the second. */
static void test_second_try_is_fresh(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{QRESYNC, "S: * 1 EXISTS\n"
                              "S: * 1 FETCH (UID 3 FLAGS (\\Seen))\n"
                              "X:\n"},
                    {QRESYNC, "S: * 0 EXISTS\n"
                              "S: * OK [UIDVALIDITY 8] x\n"
                              "S: * OK [HIGHESTMODSEQ 4] x\n"
                              "S: A2 OK done\n"}},
        .play = play_sync_known,
        .told = {{"reset 8\n"
                  "state 8 uidnext 1 modseq 4 count 0\n"
                  "ok\n"}},
        .whole_only = true,
    };
    scene_run(&scene);
}

static void fetch_text(Bed *bed, const char *folder, uint32_t uid)
{
    static const MailRange text_only[] = {{MAIL_SECTION_TEXT, 0, 0}};
    act_fetch(bed, &(MailFetch){
                       .folder = folder,
                       .uidvalidity = 7,
                       .uids = &uid,
                       .n_uids = 1,
                       .ranges = text_only,
                       .n_ranges = 1,
                       .limit = 100,
                   });
}

static void play_two_stale(Bed *bed)
{
    fetch_text(bed, "a", 1);
    fetch_text(bed, "b", 2);
    while (!bed_has_ended(bed) && !((Act *)g_ptr_array_index(bed->acts, 1))->done)
        g_main_context_iteration(bed->context, TRUE);
    script_go_on(&bed->server);
    if (bed_run(bed))
        fetch_text(bed, "a", 3);
}

/* Where all connections had been dropped unnoticed, none of them is worth an error. */
static void test_older_sessions(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{GREETING,
                     "C: A1 EXAMINE a\n"
                     "C: A2 UID FETCH 1 (BODY.PEEK[TEXT])\n"
                     "W:\n",
                     OPENED,
                     "S: * 1 FETCH (UID 1 BODY[TEXT] \"t\")\n"
                     "S: A2 OK done\n"
                     "C: A3 UID FETCH 3 (BODY.PEEK[TEXT])\n"
                     "X:\n"},
                    {GREETING,
                     "C: A1 EXAMINE b\n"
                     "C: A2 UID FETCH 2 (BODY.PEEK[TEXT])\n",
                     OPENED,
                     "S: * 1 FETCH (UID 2 BODY[TEXT] \"t\")\n"
                     "S: A2 OK done\n"
                     "C: A3 EXAMINE a\n"
                     "C: A4 UID FETCH 3 (BODY.PEEK[TEXT])\n"
                     "S: * BYE the folder was deleted\n"
                     "X:\n"},
                    {GREETING, "C: A1 EXAMINE a\n"
                               "C: A2 UID FETCH 3 (BODY.PEEK[TEXT])\n"
                               "X:\n"},
                    {GREETING,
                     "C: A1 EXAMINE a\n"
                     "C: A2 UID FETCH 3 (BODY.PEEK[TEXT])\n",
                     OPENED,
                     "S: * 1 FETCH (UID 3 BODY[TEXT] \"t\")\n"
                     "S: A2 OK done\n"}},
        .play = play_two_stale,
        .told = {{"fetch 1 TEXT t\nok\n"}, {"fetch 2 TEXT t\nok\n"}, {"fetch 3 TEXT t\nok\n"}},
        .connections = 2,
        .whole_only = true,
    };
    scene_run(&scene);
}

static void play_two(Bed *bed)
{
    play_fetch(bed);
    play_list(bed);
}

/* All that was under way moves to the new connection, each once. */
static void test_several(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{ASKED, "C: A3 LIST \"\" \"*\"\n", OPENED, "X:\n"},
                    {ASKED, "C: A3 LIST \"\" \"*\"\n", ANSWERED,
                     "S: * LIST () \"/\" a\n"
                     "S: A3 OK done\n"}},
        .play = play_two,
        .told = {{TOLD}, {"folder a /\nfolder INBOX 0\nok\n"}},
        .whole_only = true,
    };
    scene_run(&scene);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begins_again),
        cmocka_unit_test(test_begins_again_once),
        cmocka_unit_test(test_not_when_something_was_told),
        cmocka_unit_test(test_other_operations),
        cmocka_unit_test(test_not_for_other_failures),
        cmocka_unit_test(test_second_try_is_fresh),
        cmocka_unit_test(test_older_sessions),
        cmocka_unit_test(test_several),
    };
    return cmocka_run_group_tests(tests, NULL, scene_clean);
}
