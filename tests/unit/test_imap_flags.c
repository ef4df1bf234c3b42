/* Flags: none that the folder would lose, and none over what somebody else changed. */
#include "imap_change_scenes.h"

static void play_set(Bed *bed)
{
    act_flags(bed, MAIL_FLAGS_SET, "\\Seen $Label1", 0);
}

static void play_set_none(Bed *bed)
{
    act_flags(bed, MAIL_FLAGS_SET, "", 0);
}

static void play_add(Bed *bed)
{
    act_flags(bed, MAIL_FLAGS_ADD, "\\Flagged", 0);
}

static void play_take(Bed *bed)
{
    act_flags(bed, MAIL_FLAGS_TAKE, "$Junk", 0);
}

static void play_unchanged(Bed *bed)
{
    act_flags(bed, MAIL_FLAGS_ADD, "\\Flagged", 40);
}

#define PERMANENT "permanent \\Answered \\Flagged \\Deleted \\Seen \\Draft \\*\n"
#define STORED "stored 5\nstored 6\nstored 9\nok\n"

static void test_stored(void **state)
{
    static const struct {
        void (*play)(Bed *bed);
        const char *command;
    } cases[] = {
        {play_set, "C: A2 UID STORE 5:6,9 FLAGS.SILENT (\\Seen $Label1)\n"},
        {play_set_none, "C: A2 UID STORE 5:6,9 FLAGS.SILENT ()\n"},
        {play_add, "C: A2 UID STORE 5:6,9 +FLAGS.SILENT (\\Flagged)\n"},
        {play_take, "C: A2 UID STORE 5:6,9 -FLAGS.SILENT ($Junk)\n"},
        {play_unchanged, "C: A2 UID STORE 5:6,9 +FLAGS.SILENT (\\Flagged)\n"},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const Scene scene = {
            .scripts = {{OLD, OPENED, cases[i].command, OK("A2")}},
            .play = cases[i].play,
            .told = {{PERMANENT STORED}},
            .writable = true,
            .served_once = true,
        };
        scene_run(&scene);
    }
}

/* --- what the folder can keep ------------------------------------------------------------------
 */

#define OPENED_WITH(flags) \
    SELECT("A1", "INBOX")  \
    "S: * OK [UIDVALIDITY 7] x\n" flags "S: A1 OK [READ-WRITE] done\n"

static void test_permanent(void **state)
{
    (void)state;
    static const Scene not_kept = {
        .scripts = {{OLD, OPENED_WITH("S: * OK [PERMANENTFLAGS (\\Seen \\Deleted)] x\n")}},
        .play = play_set,
        .told = {{"permanent \\Seen \\Deleted\nerror EINVAL\n"}},
        .says = "can't keep the flag $Label1",
        .writable = true,
        .served_once = true,
    };
    static const Scene taken_all_the_same = {
        .scripts = {{OLD, OPENED_WITH("S: * OK [PERMANENTFLAGS (\\Seen)] x\n"),
                     "C: A2 UID STORE 5:6,9 -FLAGS.SILENT ($Junk)\n", OK("A2")}},
        .play = play_take,
        .told = {{"permanent \\Seen\n" STORED}},
        .writable = true,
        .served_once = true,
    };
    static const Scene unknown = {
        .scripts = {{OLD, OPENED_WITH(""), "C: A2 UID STORE 5:6,9 FLAGS.SILENT (\\Seen $Label1)\n",
                     OK("A2")}},
        .play = play_set,
        .told = {{"permanent unknown\n" STORED}},
        .writable = true,
        .served_once = true,
    };
    scene_run(&not_kept);
    scene_run(&taken_all_the_same);
    scene_run(&unknown);
}

/* --- what was changed meanwhile ----------------------------------------------------------------
 */

#define CONDSTORE PREAUTH("IMAP4rev1 CONDSTORE")
#define OPENED_WITH_MODSEQ(code)       \
    "C: A1 SELECT INBOX (CONDSTORE)\n" \
    "S: * OK [UIDVALIDITY 7] x\nS: * OK [" code "] x\nS: A1 OK [READ-WRITE] done\n"
#define CONDITIONAL "C: A2 UID STORE 5:6,9 (UNCHANGEDSINCE 40) +FLAGS.SILENT (\\Flagged)\n"

static void test_unchanged_since(void **state)
{
    static const struct {
        const char *answer, *told;
    } cases[] = {
        {"S: * 1 FETCH (UID 5 MODSEQ (41))\nS: A2 OK done\n",
         "permanent unknown\nstored 5\nstored 6\nstored 9\nok\n"},
        {"S: A2 OK [MODIFIED 6,9] some\n",
         "permanent unknown\nstored 5\nmodified 6\nmodified 9\nok\n"},
        {"S: A2 NO [MODIFIED 5] some are gone\n",
         "permanent unknown\nmodified 5\nstored 6\nstored 9\nok\n"},
        {"S: A2 OK [MODIFIED 1:20] all\n",
         "permanent unknown\nmodified 5\nmodified 6\nmodified 9\nok\n"},
        {"S: A2 OK [MODIFIED x] some\n", "permanent unknown\nerror EPROTO\n"},
        {"S: A2 OK [MODIFIED] some\n", "permanent unknown\nerror EPROTO\n"},
        {"S: A2 NO no\n", "permanent unknown\nerror EACCES\n"},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const Scene scene = {
            .scripts = {{CONDSTORE, OPENED_WITH_MODSEQ("HIGHESTMODSEQ 50"), CONDITIONAL,
                         cases[i].answer}},
            .play = play_unchanged,
            .told = {{cases[i].told}},
            .writable = true,
            .served_once = true,
        };
        scene_run(&scene);
    }
    static const Scene without = {
        .scripts = {{CONDSTORE, OPENED_WITH_MODSEQ("NOMODSEQ"),
                     "C: A2 UID STORE 5:6,9 +FLAGS.SILENT (\\Flagged)\n", OK("A2")}},
        .play = play_unchanged,
        .told = {{"permanent unknown\n" STORED}},
        .writable = true,
        .served_once = true,
    };
    scene_run(&without);
}

/* Only what can be repeated is. */
static void test_lost_answers(void **state)
{
    (void)state;
    static const Scene plain = {
        .scripts = {{OLD, OPENED, "C: A2 UID STORE 5:6,9 +FLAGS.SILENT (\\Flagged)\nX:\n"},
                    {OLD, OPENED, "C: A2 UID STORE 5:6,9 +FLAGS.SILENT (\\Flagged)\n", OK("A2")}},
        .play = play_add,
        .told = {{PERMANENT PERMANENT STORED}},
        .writable = true,
        .whole_only = true,
    };
    static const Scene conditional = {
        .scripts = {{CONDSTORE, OPENED_WITH_MODSEQ("HIGHESTMODSEQ 50"), CONDITIONAL, "X:\n"},
                    {CONDSTORE}},
        .play = play_unchanged,
        .told = {{"permanent unknown\nerror ENOTCONN\n"}},
        .open_end = true,
        .writable = true,
        .whole_only = true,
    };
    scene_run(&plain);
    scene_run(&conditional);
}

/* --- what is refused ---------------------------------------------------------------------------
 */

static void play_nonsense(Bed *bed)
{
    act_flags(bed, MAIL_FLAGS_SET, "\\Recent", 0);
    act_flags(bed, MAIL_FLAGS_ADD, "a) b", 0);
}

static void test_refused(void **state)
{
    (void)state;
    static const Scene nonsense = {
        .scripts = {{NULL}},
        .play = play_nonsense,
        .told = {{"error EINVAL\n"}, {"error EINVAL\n"}},
        .writable = true,
    };
    static const Scene read_only = {
        .scripts = {{NULL}},
        .play = play_set,
        .told = {{"error EROFS\n"}},
    };
    static const Scene read_only_folder = {
        .scripts = {{OLD, SELECT("A1", "INBOX") SELECTED_AS("A1", "7", "READ-ONLY")}},
        .play = play_set,
        .told = {{"error EROFS\n"}},
        .writable = true,
    };
    static const Scene by_server = {
        .scripts = {{OLD, OPENED, "C: A2 UID STORE 5:6,9 +FLAGS.SILENT (\\Flagged)\n",
                     "S: A2 NO [NOPERM] no\n"}},
        .play = play_add,
        .told = {{PERMANENT "error EACCES\n"}},
        .says = "changing flags in INBOX",
        .writable = true,
        .served_once = true,
    };
    scene_run(&nonsense);
    scene_run(&read_only);
    scene_run(&read_only_folder);
    scene_run(&by_server);
}

/* --- several at once ----------------------------------------------------------------------------
 */

static void play_twice(Bed *bed)
{
    play_set_none(bed);
    play_add(bed);
    play_take(bed);
}

static void play_two_folders(Bed *bed)
{
    static const uint32_t uid = 1;
    const MailFlags work = {.folder = "Work",
                            .uidvalidity = 8,
                            .uids = &uid,
                            .n_uids = 1,
                            .how = MAIL_FLAGS_ADD,
                            .flags = "\\Flagged"};

    play_set_none(bed);
    act_flags_of(bed, &work);
    play_take(bed);
}

#define WORK(tag)                 \
    SELECT(tag, "Work")           \
    "S: * OK [UIDVALIDITY 8] x\n" \
    "S: * OK [PERMANENTFLAGS (\\Flagged)] x\nS: " tag " OK [READ-WRITE] done\n"
#define INBOX(tag)                \
    SELECT(tag, "INBOX")          \
    "S: * OK [UIDVALIDITY 7] x\n" \
    "S: * OK [PERMANENTFLAGS (\\Flagged)] x\nS: " tag " OK [READ-WRITE] done\n"

/* They wait for the same selection, and take turns where they need different ones. */
static void test_several_at_once(void **state)
{
    (void)state;
    static const Scene one_folder = {
        .scripts = {{OLD, OPENED, "C: A2 UID STORE 5:6,9 FLAGS.SILENT ()\n",
                     "C: A3 UID STORE 5:6,9 +FLAGS.SILENT (\\Flagged)\n",
                     "C: A4 UID STORE 5:6,9 -FLAGS.SILENT ($Junk)\n", OK("A2"), OK("A3"),
                     OK("A4")}},
        .play = play_twice,
        .told = {{PERMANENT STORED}, {PERMANENT STORED}, {PERMANENT STORED}},
        .writable = true,
        .served_once = true,
    };
    static const Scene two_folders = {
        .scripts = {{OLD, OPENED, "C: A2 UID STORE 5:6,9 FLAGS.SILENT ()\n", OK("A2"), WORK("A3"),
                     "C: A4 UID STORE 1 +FLAGS.SILENT (\\Flagged)\n", OK("A4"), INBOX("A5"),
                     "C: A6 UID STORE 5:6,9 -FLAGS.SILENT ($Junk)\n", OK("A6")}},
        .play = play_two_folders,
        .told = {{PERMANENT STORED},
                 {"permanent \\Flagged\nstored 1\nok\n"},
                 {"permanent \\Flagged\n" STORED}},
        .writable = true,
        .whole_only = true,
    };
    scene_run(&one_folder);
    scene_run(&two_folders);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stored),          cmocka_unit_test(test_permanent),
        cmocka_unit_test(test_unchanged_since), cmocka_unit_test(test_lost_answers),
        cmocka_unit_test(test_refused),         cmocka_unit_test(test_several_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, scene_clean);
}
