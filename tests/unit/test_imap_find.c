/* Looking for a message that may have come. */
#include "imap_change_scenes.h"

static void play_by_id(Bed *bed)
{
    act_find(bed, (MailFind){.folder = "Work", .first = 12, .message_id = "<a.b@x>"});
}

static void play_by_size(Bed *bed)
{
    act_find(bed, (MailFind){.folder = "Work", .uidvalidity = 70, .message_id = "<\303\274@x>"});
}

static void play_quoted(Bed *bed)
{
    act_find(bed, (MailFind){.folder = "Work", .first = 12, .message_id = "<\"a b\"@x>"});
}

#define EXAMINED(tag)                                                                 \
    "S: * 3 EXISTS\nS: * OK [UIDVALIDITY 70] valid\nS: * OK [PERMANENTFLAGS ()] no\n" \
    "S: " tag " OK [READ-ONLY] done\n"
/* Where there is no ESEARCH, nobody else's search may be under way. */
#define SEARCH "C: A2 UID SEARCH UID 12:* HEADER Message-ID <a.b@x>\n"
#define ASKED "C: A1 EXAMINE Work\n" EXAMINED("A1") SEARCH

static void test_found(void **state)
{
    (void)state;
    static const Scene one = {
        .scripts = {{OLD, ASKED, "S: * SEARCH 12\n" OK("A2"), "C: A3 UID FETCH 12 (RFC822.SIZE)\n",
                     "S: * 3 FETCH (UID 12 RFC822.SIZE 21)\n" OK("A3")}},
        .play = play_by_id,
        .told = {{"found 70 12 size 21\nok\n"}},
        .writable = true,
    };
    static const Scene none = {
        .scripts = {{OLD, ASKED, "S: * SEARCH\n" OK("A2")}},
        .play = play_by_id,
        .told = {{"ok\n"}},
        .writable = true,
    };
    /* "12:*" is also the last one there is. */
    static const Scene last = {
        .scripts = {{OLD, ASKED, "S: * SEARCH 9\n" OK("A2")}},
        .play = play_by_id,
        .told = {{"ok\n"}},
        .writable = true,
    };
    static const Scene several = {
        .scripts = {{PREAUTH("IMAP4rev1 ESEARCH"), "C: A1 EXAMINE Work\n",
                     "C: A2 UID SEARCH RETURN (ALL) UID 12:* HEADER Message-ID <a.b@x>\n",
                     EXAMINED("A1"), "S: * ESEARCH (TAG \"A2\") UID ALL 11:12,20\n" OK("A2"),
                     "C: A3 UID FETCH 12,20 (RFC822.SIZE)\n",
                     "S: * 5 FETCH (RFC822.SIZE 22 UID 20)\n"
                     "S: * 1 FETCH (UID 5 RFC822.SIZE 21)\n"
                     "S: * 2 FETCH (UID 12 FLAGS ())\n"
                     "S: * 3 FETCH (UID 12 RFC822.SIZE 21)\n" OK("A3")}},
        .play = play_by_id,
        .told = {{"found 70 12 size 21\nfound 70 20 size 22\nok\n"}},
        .writable = true,
    };
    scene_run(&one);
    scene_run(&none);
    scene_run(&last);
    scene_run(&several);
}

static void test_criteria(void **state)
{
    (void)state;
    static const Scene by_size = {
        .scripts = {{OLD, "C: A1 EXAMINE Work\n" EXAMINED("A1") "C: A2 UID SEARCH UID 1:*\n",
                     "S: * SEARCH\n" OK("A2")}},
        .play = play_by_size,
        .told = {{"ok\n"}},
        .writable = true,
    };
    static const Scene quoted = {
        .scripts = {{OLD, "C: A1 EXAMINE Work\n" EXAMINED("A1"),
                     "C: A2 UID SEARCH UID 12:* HEADER Message-ID \"<\\\"a b\\\"@x>\"\n",
                     "S: * SEARCH\n" OK("A2")}},
        .play = play_quoted,
        .told = {{"ok\n"}},
        .writable = true,
    };
    scene_run(&by_size);
    scene_run(&quoted);
}

/* Nobody may take it for not there where nobody knows. */
static void test_not_known(void **state)
{
    static const struct {
        void (*play)(Bed *bed);
        const char *asked, *answers, *told;
    } cases[] = {
        {play_by_id, ASKED, OK("A2"), "error EPROTO\n"},
        {play_by_id, ASKED, "S: A2 NO not now\n", "error EREMOTEIO\n"},
        {play_by_id, "C: A1 EXAMINE Work\nS: A1 NO [NONEXISTENT] gone\n" SEARCH,
         "S: A2 BAD nothing is open\n", "error ENOENT\n"},
        {play_by_size, "C: A1 EXAMINE Work\nS: * OK [UIDVALIDITY 71] x\nS: A1 OK done\n",
         "C: A2 UID SEARCH UID 1:*\nS: * SEARCH 4\nS: A2 OK done\n", "error ESTALE\n"},
        {play_by_id, ASKED,
         "S: * SEARCH 12\n" OK("A2") "C: A3 UID FETCH 12 (RFC822.SIZE)\nS: A3 NO no\n",
         "error EREMOTEIO\n"},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const Scene scene = {
            .scripts = {{OLD, cases[i].asked, cases[i].answers}},
            .play = cases[i].play,
            .told = {{cases[i].told}},
            .writable = true,
        };
        scene_run(&scene);
    }
}

static void play_meanwhile(Bed *bed)
{
    play_by_id(bed);
    if (!bed_run_to_wait(bed))
        return;
    act_sync(bed, "Work", (MailFolderState){.uidvalidity = 70, .uidnext = 13, .count = 0});
    bed_settle(bed);
    script_go_on(&bed->server);
}

/* Where the folder is opened again in between, what was found may be of another one. */
static void test_opened_meanwhile(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{OLD, ASKED, "W:\nS: * SEARCH 12\n" OK("A2"), "C: A3 EXAMINE Work\n",
                     "C: A4 UID FETCH 12 (RFC822.SIZE)\n",
                     "S: * 0 EXISTS\nS: * OK [UIDVALIDITY 71] x\n" OK("A3"), OK("A4"),
                     "C: A5 EXAMINE Work\nS: * 0 EXISTS\nS: * OK [UIDVALIDITY 71] x\n" OK("A5"),
                     "C: A6 UID SEARCH UID 12:* HEADER Message-ID <a.b@x>\nS: * SEARCH\n" OK(
                         "A6")}},
        .play = play_meanwhile,
        .told = {{"ok\n"}, {"reset 71\nstate 71 uidnext 1 modseq 0 count 0\nok\n"}},
        .writable = true,
        .whole_only = true,
    };
    scene_run(&scene);
}

static void play_two(Bed *bed)
{
    play_by_id(bed);
    play_by_id(bed);
}

/* Two that look in the same folder by the same connection both come to an end. */
static void test_two(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{PREAUTH("IMAP4rev1 ESEARCH"),
                     "C: A1 EXAMINE Work\n"
                     "C: A2 UID SEARCH RETURN (ALL) UID 12:* HEADER Message-ID <a.b@x>\n"
                     "C: A3 EXAMINE Work\nC: A4 UID SEARCH RETURN (ALL) UID 12:* HEADER Message-ID "
                     "<a.b@x>\n",
                     EXAMINED("A1") "S: * ESEARCH (TAG \"A2\") UID ALL 12\n" OK("A2"),
                     "C: A5 UID FETCH 12 (RFC822.SIZE)\n",
                     EXAMINED("A3") "S: * ESEARCH (TAG \"A4\") UID ALL 12\n" OK("A4"),
                     "C: A6 UID FETCH 12 (RFC822.SIZE)\n",
                     "S: * 2 FETCH (UID 12 RFC822.SIZE 21)\n" OK("A5"),

                     "S: * 2 FETCH (UID 12 RFC822.SIZE 21)\n" OK("A6")}},
        .play = play_two,
        .told = {{"found 70 12 size 21\nok\n"}, {"found 70 12 size 21\nok\n"}},
        .writable = true,
    };
    scene_run(&scene);
}

static void play_behind_a_listing(Bed *bed)
{
    act_sync(bed, "Work", (MailFolderState){0});
    play_by_id(bed);
}

/* The server may tell of the size while the listing ahead, which wants it too, is under way. */
static void test_behind_a_listing(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{PREAUTH("IMAP4rev1 ESEARCH"),
                     "C: A1 EXAMINE Work\nC: A2 UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE)\n"
                     "C: A3 EXAMINE Work\n"
                     "C: A4 UID SEARCH RETURN (ALL) UID 12:* HEADER Message-ID <a.b@x>\n",
                     EXAMINED("A1")
                         EXAMINED("A3") "S: * ESEARCH (TAG \"A4\") UID ALL 12\n" OK("A4"),
                     "C: A5 UID FETCH 12 (RFC822.SIZE)\n",
                     "S: * 3 FETCH (UID 12 FLAGS () RFC822.SIZE 21)\n"
                     "S: * 3 FETCH (UID 12 RFC822.SIZE 21)\n" OK("A2") OK("A5")}},
        .play = play_behind_a_listing,
        .told =
            {{"reset 70\nmessage 12 size 21 flags .\nstate 70 uidnext 13 modseq 0 count 3\nok\n"},
             {"found 70 12 size 21\nok\n"}},
        .writable = true,
        .whole_only = true,
    };
    scene_run(&scene);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found),     cmocka_unit_test(test_criteria),
        cmocka_unit_test(test_not_known), cmocka_unit_test(test_opened_meanwhile),
        cmocka_unit_test(test_two),       cmocka_unit_test(test_behind_a_listing),
    };
    return cmocka_run_group_tests(tests, NULL, scene_clean);
}
