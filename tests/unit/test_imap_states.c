/* Where folders stand: STATUS, and NOOP of the one that is open. */
#include "imap_pool_scenes.h"

static const char *const three[] = {"INBOX", "a", "Entw\303\274rfe", NULL};
static const char *const none[] = {NULL};

static void act_told_state(gpointer data, const char *folder, const MailFolderState *state)
{
    if (state)
        act_tell(data, "%s: %u uidnext %u modseq %" G_GUINT64_FORMAT " count %u", folder,
                 state->uidvalidity, state->uidnext, (guint64)state->modseq, state->count);
    else
        act_tell(data, "%s: unknown", folder);
}

static Act *act_states(Bed *bed, const char *const *folders)
{
    Act *act = act_new(bed);

    act->op = mail_store_states(bed->store, folders, act_told_state, act_done, act);
    return act;
}

#define PLAIN "(UIDVALIDITY UIDNEXT MESSAGES)"
#define ASKED(items)                                           \
    "C: A1 STATUS INBOX " items "\nC: A2 STATUS a " items "\n" \
    "C: A3 STATUS Entw&APw-rfe " items "\n"
#define SAID(name, more) "S: * STATUS " name " (MESSAGES 3 UIDNEXT 9 UIDVALIDITY 7" more ")\n"

static void play_three(Bed *bed)
{
    act_states(bed, three);
}

static void test_asked(void **state)
{
    (void)state;
    static const Scene plain = {
        .scripts = {{GREETING, ASKED(PLAIN), SAID("inbox", ""), "S: A1 OK done\n", SAID("a", ""),
                     "S: A2 OK done\n", SAID("\"Entw&APw-rfe\"", ""), "S: A3 OK done\n"}},
        .play = play_three,
        .told = {{"INBOX: 7 uidnext 9 modseq 0 count 3\na: 7 uidnext 9 modseq 0 count 3\n"
                  "Entw\303\274rfe: 7 uidnext 9 modseq 0 count 3\nok\n"}},
    };
    static const Scene condstore = {
        .scripts = {{PREAUTH("IMAP4rev1 CONDSTORE"),
                     ASKED("(UIDVALIDITY UIDNEXT MESSAGES HIGHESTMODSEQ)"),
                     SAID("INBOX", " HIGHESTMODSEQ 12345678901"), SAID("a", ""),
                     "S: A1 OK done\nS: A2 OK done\nS: A3 NO [NONEXISTENT] where?\n"}},
        .play = play_three,
        .told = {{"INBOX: 7 uidnext 9 modseq 12345678901 count 3\n"
                  "a: 7 uidnext 9 modseq 0 count 3\nEntw\303\274rfe: unknown\nok\n"}},
    };
    scene_run(&plain);
    scene_run(&condstore);
}

/* What is left out, or is no number that can be, is not known. */
static void test_said_by_halves(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{GREETING, ASKED(PLAIN), "S: * STATUS INBOX (MESSAGES 3 UIDNEXT 9)\n",
                     "S: A1 OK done\n",
                     "S: * STATUS a (MESSAGES 4294967296 UIDNEXT 9 UIDVALIDITY 7)\n",
                     "S: A2 OK done\nS: * STATUS\nS: * STATUS b\nS: A3 OK done\n"}},
        .play = play_three,
        .told = {{"INBOX: unknown\na: unknown\nEntw\303\274rfe: unknown\nok\n"}},
    };
    scene_run(&scene);
}

/* Nothing is asked: nothing is sent. */
static void play_none(Bed *bed)
{
    act_states(bed, none);
}

static void test_none(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{GREETING}},
        .play = play_none,
        .told = {{"ok\n"}},
    };
    scene_run(&scene);
}

static const char *const open_and_other[] = {"a", "b", NULL};

static void play_open(Bed *bed)
{
    fetch(bed, "a", 1);
    if (bed_run(bed))
        act_states(bed, open_and_other);
}

#define OPENED_A EXAMINE("A1", "a"), FETCH("A2", "1"), EXAMINED("A1"), FETCHED("A2", "1")

static void test_open_folder(void **state)
{
    (void)state;
    static const Scene same = {
        .scripts = {{GREETING, OPENED_A, "C: A3 NOOP\nC: A4 STATUS b " PLAIN "\n",
                     "S: * 1 EXISTS\nS: A3 OK done\n", SAID("b", ""), "S: A4 OK done\n"}},
        .play = play_open,
        .told = {{TOLD("1")},
                 {"a: 7 uidnext 0 modseq 0 count 1\nb: 7 uidnext 9 modseq 0 count 3\nok\n"}},
        .served_once = true,
    };
    static const Scene changed = {
        .scripts = {{GREETING, OPENED_A, "C: A3 NOOP\nC: A4 STATUS b " PLAIN "\n",
                     "S: * 2 EXISTS\nS: A3 OK done\nS: A4 NO not that\n"}},
        .play = play_open,
        .told = {{TOLD("1")}, {"a: unknown\nb: unknown\nok\n"}},
        .served_once = true,
    };
    scene_run(&same);
    scene_run(&changed);
}

static void play_cancelled(Bed *bed)
{
    Act *act = act_states(bed, three);

    act_connect(bed);
    if (bed_run_to_wait(bed) && act->op)
        act_cancel(act);
    script_go_on(&bed->server);
}

static void test_cancelled(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{GREETING, ASKED(PLAIN), "W:\n", SAID("INBOX", ""),
                     "S: A1 OK done\nS: A2 OK done\nS: A3 OK done\n"}},
        .play = play_cancelled,
        .told = {{NULL}, {"ok\n"}},
        .whole_only = true,
    };
    scene_run(&scene);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asked),     cmocka_unit_test(test_said_by_halves),
        cmocka_unit_test(test_none),      cmocka_unit_test(test_open_folder),
        cmocka_unit_test(test_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, scene_clean);
}
