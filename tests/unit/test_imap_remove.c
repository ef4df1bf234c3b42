/* Removals: by UID alone, in few round trips, and told only where they are done. */
#include "imap_change_scenes.h"

static void play_three(Bed *bed)
{
    act_remove_from(bed, in_inbox(uids_three, 3));
}

static void play_mark(Bed *bed)
{
    act_mark(bed, in_inbox(uids_three, 3));
}

#define STORE "C: A2 UID STORE 5:6,9 +FLAGS.SILENT (\\Deleted)\n"
#define STORE_EXPUNGE STORE "C: A3 UID EXPUNGE 5:6,9\n"
#define EXPUNGED "S: * VANISHED 5\nS: * VANISHED 6,8:9\n"
#define LOOK "C: A4 UID SEARCH RETURN (ALL) UID 5:6,9\n"

static void test_removed(void **state)
{
    (void)state;
    static const Scene uidplus = {
        .scripts = {{NEW, OPENED, STORE_EXPUNGE, OK("A2"), EXPUNGED, OK("A3")}},
        .play = play_three,
        .told = {{"removed 5\nremoved 6\nremoved 9\nok\n"}},
        .writable = true,
    };
    static const Scene rev2 = {
        .scripts = {{PREAUTH("IMAP4rev2"), OPENED, STORE_EXPUNGE, OK("A2"), EXPUNGED, OK("A3")}},
        .play = play_three,
        .told = {{"removed 5\nremoved 6\nremoved 9\nok\n"}},
        .writable = true,
    };
    scene_run(&uidplus);
    scene_run(&rev2);
}

/* Whoever sees that a message was removed may rely on it: of a server that refuses anything a
 * search tells what came of it. */
static void test_refused(void **state)
{
    static const struct {
        const char *store, *expunge, *left, *told;
        const char *unmark; /* NULL: nothing was marked */
    } cases[] = {
        {"NO [NOPERM] not yours", "OK nothing to do", "5:6,9", "error EACCES\n", NULL},
        {"NO no", "NO no", "5:6,9", "error EACCES\n", NULL},
        {"NO [READ-ONLY] no", "NO no", "5:6,9", "error EROFS\n", NULL},
        {"OK done", "NO [INUSE] try later", "6", "removed 5\nremoved 9\nerror EBUSY\n",
         "C: A5 UID STORE 6 -FLAGS.SILENT (\\Deleted)\n" OK("A5")},
        {"OK done", "NO [NOPERM] not yours", "5:6,9", "error EACCES\n",
         "C: A5 UID STORE 5:6,9 -FLAGS.SILENT (\\Deleted)\nS: A5 NO neither that\n"},
        {"OK done", "OK ignored", "5:6,9", "ok\n",
         "C: A5 UID EXPUNGE 5:6,9\nS: A5 OK ignored\n"
         "C: A6 UID SEARCH RETURN (ALL) UID 5:6,9\n"
         "S: * ESEARCH (TAG \"A6\") UID ALL 5:6,9\n" OK(
             "A6") "C: A7 UID STORE 5:6,9 -FLAGS.SILENT (\\Deleted)\n" OK("A7")},
        {"OK done", "OK in part", "6,9", "removed 5\nremoved 6\nremoved 9\nok\n",
         "C: A5 UID EXPUNGE 6,9\nS: * VANISHED 6,9\n" OK(
             "A5") "C: A6 UID SEARCH RETURN (ALL) UID 5:6,9\nS: * ESEARCH (TAG \"A6\") "
                   "UID\n" OK("A6")},
        {"OK done", "OK in part", "6,9", "removed 5\nremoved 6\nerror EACCES\n",
         "C: A5 UID EXPUNGE 6,9\nS: * 4 EXPUNGE\nS: A5 NO no more\n"
         "C: A6 UID SEARCH RETURN (ALL) UID 5:6,9\n"
         "S: * ESEARCH (TAG \"A6\") UID ALL 9\n" OK(
             "A6") "C: A7 UID STORE 9 -FLAGS.SILENT (\\Deleted)\n" OK("A7")},
        {"OK done", "OK some were not there", NULL, "removed 5\nremoved 6\nremoved 9\nok\n", NULL},
        {"OK done", "NO no", NULL, "removed 5\nremoved 6\nremoved 9\nok\n", NULL},
        {"BAD what?", "BAD what?", "5:6,9", "error EPROTO\n", NULL},
        {"NO [EXPUNGEISSUED] some are gone", "OK done", NULL,
         "removed 5\nremoved 6\nremoved 9\nok\n", NULL},
        {"NO [EXPUNGEISSUED] some are gone", "OK done", "9",
         "removed 5\nremoved 6\nerror EREMOTEIO\n", NULL},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *answers = g_strdup_printf(
            "S: A2 %s\nS: A3 %s\n" LOOK "S: * ESEARCH (TAG \"A4\") UID%s%s\n" OK("A4"),
            cases[i].store, cases[i].expunge, cases[i].left ? " ALL " : "",
            cases[i].left ? cases[i].left : "");
        const Scene scene = {
            .scripts = {{NEW, OPENED, STORE_EXPUNGE, answers, cases[i].unmark}},
            .play = play_three,
            .told = {{cases[i].told}},
            .writable = true,
        };
        scene_run(&scene);
    }
}

/* A search that is not answered tells nothing. */
static void test_no_answer(void **state)
{
    static const char *const answers[] = {
        "S: A4 OK what search?\n",
        "S: A4 NO not now\n",
        "S: * ESEARCH (TAG \"A4\") UID ALL 5-9\nS: A4 OK done\n",
        "S: * SEARCH 5 x\nS: A4 OK done\n",
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(answers); i++) {
        const Scene scene = {
            .scripts = {{NEW, OPENED, STORE_EXPUNGE, "S: A2 OK done\nS: A3 NO [NOPERM] no\n", LOOK,
                         answers[i]}},
            .play = play_three,
            .told = {{"error EACCES\n"}},
            .writable = true,
        };
        scene_run(&scene);
    }
}

/* --- folders that are not what they were -------------------------------------------------------
 */

/* Nothing is sent before it is known to be the right folder, open for changes. */
static void test_not_opened(void **state)
{
    static const struct {
        const char *selected, *told;
    } cases[] = {
        {SELECTED_AS("A1", "8", "READ-WRITE"), "error ESTALE\n"},
        {SELECTED_AS("A1", "7", "READ-ONLY"), "error EROFS\n"},
        {"S: * OK [UIDVALIDITY 7] x\nS: * OK [READ-ONLY] x\nS: A1 OK done\n", "error EROFS\n"},
        {"S: * OK [UIDVALIDITY 7] x\nS: * OK [PERMANENTFLAGS (\\Seen \\*)] x\nS: A1 OK done\n",
         "error EACCES\n"},
        {"S: A1 NO [NONEXISTENT] gone\n", "error ENOENT\n"},
        {"S: A1 NO gone\n", "error ENOENT\n"},
        {"S: A1 NO [NOPERM] gone\n", "error EACCES\n"},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const Scene scene = {
            .scripts = {{NEW, SELECT("A1", "INBOX"), cases[i].selected}},
            .play = play_three,
            .told = {{cases[i].told}},
            .writable = true,
        };
        scene_run(&scene);
    }
}

static void play_twice(Bed *bed)
{
    act_remove_from(bed, in_inbox(uids_three, 1));
    if (bed_run(bed))
        act_remove_from(bed, in_inbox(uids_three + 1, 2));
}

/* A folder that stays open is not opened again, unless it can't be changed any more. */
static void test_stays_open(void **state)
{
    (void)state;
    static const Scene again = {
        .scripts = {{NEW, OPENED,
                     "C: A2 UID STORE 5 +FLAGS.SILENT (\\Deleted)\n"
                     "C: A3 UID EXPUNGE 5\n" OK("A2") "S: * VANISHED 5\n" OK("A3"),
                     "C: A4 UID STORE 6,9 +FLAGS.SILENT (\\Deleted)\n",
                     "C: A5 UID EXPUNGE 6,9\n" OK("A4") "S: * VANISHED 6,9\n" OK("A5")}},
        .play = play_twice,
        .told = {{"removed 5\nok\n"}, {"removed 6\nremoved 9\nok\n"}},
        .writable = true,
    };
    static const Scene closed = {
        .scripts = {{NEW, OPENED,
                     "C: A2 UID STORE 5 +FLAGS.SILENT (\\Deleted)\n"
                     "C: A3 UID EXPUNGE 5\n" OK("A2"),
                     "S: * VANISHED 5\nS: * OK [READ-ONLY] from now on\n" OK("A3")}},
        .play = play_twice,
        .told = {{"removed 5\nok\n"}, {"error EROFS\n"}},
        .writable = true,
    };
    scene_run(&again);
    scene_run(&closed);
}

static void play_among_reads(Bed *bed)
{
    static const MailRange text[] = {{MAIL_SECTION_TEXT, 0, 0}};
    static const uint32_t uid = 6;

    act_fetch(bed, &(MailFetch){"INBOX", 7, &uid, 1, text, 1, 1000, false});
    if (!bed_run(bed))
        return;
    act_remove_from(bed, in_inbox(uids_three, 1));
    if (!bed_run(bed))
        return;
    act_sync(bed, "INBOX", (MailFolderState){.uidvalidity = 7, .uidnext = 20, .count = 11});
}

/* Reading needs EXAMINE; a folder that was changed stays open for it. */
static void test_examined_first(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{NEW, "C: A1 EXAMINE INBOX\nC: A2 UID FETCH 6 (BODY.PEEK[TEXT])\n",
                     SELECTED_AS("A1", "7", "READ-ONLY"),
                     "S: * 2 FETCH (UID 6 BODY[TEXT] \"six\")\n" OK("A2"),
                     SELECT("A3", "INBOX") SELECTED("A3"),
                     "C: A4 UID STORE 5 +FLAGS.SILENT (\\Deleted)\nC: A5 UID EXPUNGE 5\n",
                     OK("A4") "S: * VANISHED 5\n" OK("A5"),
                     SELECT("A6", "INBOX") "S: * 0 EXISTS\nS: * OK [UIDVALIDITY 7] x\n"
                                           "S: * OK [UIDNEXT 20] x\n" OK("A6")}},
        .play = play_among_reads,
        .told = {{"fetch 6 TEXT six\nok\n"},
                 {"removed 5\nok\n"},
                 {"present\nstate 7 uidnext 20 modseq 0 count 0\nok\n"}},
        .writable = true,
    };
    scene_run(&scene);
}

static void play_sync_meanwhile(Bed *bed)
{
    act_remove_from(bed, in_inbox(uids_three, 1));
    if (!bed_run_to_wait(bed))
        return;
    act_sync(bed, "INBOX", (MailFolderState){.uidvalidity = 7, .uidnext = 20, .count = 12});
    bed_settle(bed);
    script_go_on(&bed->server);
}

/* Where somebody else has opened the folder again, nothing is sent before that is answered: it may
 * have become another one. */
static void test_opened_meanwhile(void **state)
{
    (void)state;
    static const Scene same = {
        .scripts = {{NEW, SELECT("A1", "INBOX"), "W:\n", SELECTED("A1"), SELECT("A2", "INBOX"),
                     SELECT("A3", "INBOX"), SELECTED("A2"), "C: A4 UID FETCH 1:19 (FLAGS)\n",
                     SELECTED("A3"),
                     "C: A5 UID STORE 5 +FLAGS.SILENT (\\Deleted)\nC: A6 UID EXPUNGE 5\n", OK("A4"),
                     OK("A5") "S: * VANISHED 5\n" OK("A6")}},
        .play = play_sync_meanwhile,
        .told = {{"removed 5\nok\n"}, {"present\nstate 7 uidnext 20 modseq 0 count 12\nok\n"}},
        .writable = true,
        .whole_only = true,
    };
    static const Scene another = {
        .scripts = {{NEW, SELECT("A1", "INBOX"), "W:\n", SELECTED("A1"), SELECT("A2", "INBOX"),
                     SELECT("A3", "INBOX"), "S: * 0 EXISTS\nS: * OK [UIDVALIDITY 8] x\n" OK("A2"),
                     "S: * 0 EXISTS\nS: * OK [UIDVALIDITY 8] x\n" OK("A3")}},
        .play = play_sync_meanwhile,
        .told = {{"error ESTALE\n"}, {"reset 8\nstate 8 uidnext 1 modseq 0 count 0\nok\n"}},
        .writable = true,
        .whole_only = true,
    };
    scene_run(&same);
    scene_run(&another);
}

static void play_others_meanwhile(Bed *bed)
{
    static const MailRange text[] = {{MAIL_SECTION_TEXT, 0, 0}};
    static const uint32_t uid = 6;
    MailFetch fetch = {"Work", 70, &uid, 1, text, 1, 1000, false};

    act_remove_from(bed, in_inbox(uids_three, 1));
    if (!bed_run_to_wait(bed))
        return;
    act_fetch(bed, &fetch);
    act_remove_from(bed, in_inbox(uids_three + 1, 1));
    fetch.ahead = true;
    act_fetch(bed, &fetch);
    bed_settle(bed);
    script_go_on(&bed->server);
}

/* On the only connection, who needs another folder waits; but not for those that came later. */
static void test_others_wait(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{NEW, SELECT("A1", "INBOX"), "W:\n", SELECTED("A1"),
                     "C: A2 UID STORE 5 +FLAGS.SILENT (\\Deleted)\nC: A3 UID EXPUNGE 5\n" OK(
                         "A2") "S: * VANISHED 5\n" OK("A3"),
                     "C: A4 EXAMINE Work\nC: A5 UID FETCH 6 (BODY.PEEK[TEXT])\n",
                     SELECT("A6", "INBOX"), SELECTED_AS("A4", "70", "READ-ONLY"),
                     "S: * 2 FETCH (UID 6 BODY[TEXT] \"six\")\n" OK("A5"), SELECTED("A6"),
                     "C: A7 UID STORE 6 +FLAGS.SILENT (\\Deleted)\nC: A8 UID EXPUNGE 6\n" OK(
                         "A7") "S: * VANISHED 6\n" OK("A8"),
                     "C: A9 EXAMINE Work\nC: A10 UID FETCH 6 (BODY.PEEK[TEXT])\n",
                     SELECTED_AS("A9", "70", "READ-ONLY"),
                     "S: * 2 FETCH (UID 6 BODY[TEXT] \"six\")\n" OK("A10")}},
        .play = play_others_meanwhile,
        .told = {{"removed 5\nok\n"},
                 {"fetch 6 TEXT six\nok\n"},
                 {"removed 6\nok\n"},
                 {"fetch 6 TEXT six\nok\n"}},
        .writable = true,
        .whole_only = true,
    };
    scene_run(&scene);
}

static void play_two_batches(Bed *bed)
{
    uint32_t uids[1002];

    for (uint32_t i = 0; i < G_N_ELEMENTS(uids); i++)
        uids[i] = i + 1;
    act_remove_from(bed, in_inbox(uids, G_N_ELEMENTS(uids)));
}

/* What is told of one batch, or of messages that somebody else has removed, proves nothing of
 * another. */
static void test_proof(void **state)
{
    g_autoptr(GString) told = g_string_new(NULL);

    (void)state;
    for (unsigned i = 1; i <= 1002; i++)
        g_string_append_printf(told, "removed %u\n", i);
    g_string_append(told, "ok\n");
    const Scene scene = {
        .scripts = {{NEW, OPENED,
                     "C: A2 UID STORE 1:1000 +FLAGS.SILENT (\\Deleted)\nC: A3 UID EXPUNGE 1:1000\n"
                     "C: A4 UID STORE 1001:1002 +FLAGS.SILENT (\\Deleted)\n",
                     "C: A5 UID EXPUNGE 1001:1002\nS: * VANISHED (EARLIER) 1001:1002\n",
                     "S: * VANISHED 1:1001,1004:2000\nS: * 1 EXPUNGE\n",
                     OK("A2") OK("A3") OK("A4") OK("A5"),
                     "C: A6 UID SEARCH RETURN (ALL) UID 1001:1002\n",
                     "S: * ESEARCH (TAG \"A6\") UID ALL 1002\n" OK("A6"),
                     "C: A7 UID EXPUNGE 1002\nS: * VANISHED 1002\n" OK("A7")}},
        .play = play_two_batches,
        .told = {{told->str}},
        .writable = true,
        .whole_only = true,
    };
    scene_run(&scene);
}

/* --- many --------------------------------------------------------------------------------------
 */

enum { MANY = 10000 };

/* 10,000 messages with a hole behind each third. */
static void play_many(Bed *bed)
{
    g_autofree uint32_t *uids = g_new(uint32_t, MANY);

    for (uint32_t i = 0; i < MANY; i++) /* in any order */
        uids[(i * 7919) % MANY] = 100000 + i + i / 3;
    act_remove_from(bed, in_inbox(uids, MANY));
}

/* The lines of a batch that begins with the i-th of them. */
static void append_batch(GString *lines, unsigned tag, uint32_t *i)
{
    g_autoptr(GString) set = g_string_new(NULL);
    uint32_t n = 0;

    while (*i < MANY && n < 1000) {
        uint32_t first = *i + *i / 3, last = MIN(*i - *i % 3 + 2, MANY - 1);
        last = MIN(last, *i + 999 - n);
        g_autofree char *range = first == last + last / 3
                                     ? g_strdup_printf(",%u", 100000 + first)
                                     : g_strdup_printf(",%u:%u", 100000 + first,
                                                       100000 + last + last / 3);
        if (set->len + strlen(range) > 7000)
            break;
        g_string_append(set, range);
        n += last - *i + 1;
        *i = last + 1;
    }
    g_string_append_printf(lines, "C: A%u UID STORE %s +FLAGS.SILENT (\\Deleted)\n", tag,
                           set->str + 1);
    g_string_append_printf(lines, "C: A%u UID EXPUNGE %s\n", tag + 1, set->str + 1);
}

/* Four batches of a thousand are under way at once. */
static void test_many(void **state)
{
    g_autoptr(GString) script = g_string_new(NULL);
    g_autoptr(GString) told = g_string_new(NULL);
    uint32_t at = 0, ends[MANY];
    unsigned asked = 2, answered = 2;

    (void)state;
    ends[0] = 0;
    while (answered < asked || at < MANY) {
        while (at < MANY && asked < answered + 8) {
            append_batch(script, asked, &at);
            ends[asked / 2] = at;
            asked += 2;
        }
        uint32_t first = ends[answered / 2 - 1], last = ends[answered / 2] - 1;
        g_string_append_printf(script, "S: A%u OK done\nS: * VANISHED %u:%u\nS: A%u OK done\n",
                               answered, 100000 + first + first / 3, 100000 + last + last / 3,
                               answered + 1);
        answered += 2;
    }
    for (uint32_t i = 0; i < MANY; i++)
        g_string_append_printf(told, "removed %u\n", 100000 + i + i / 3);
    g_string_append(told, "ok\n");
    const Scene scene = {
        .scripts = {{NEW, OPENED, script->str}},
        .play = play_many,
        .told = {{told->str}},
        .writable = true,
        .whole_only = true,
    };
    scene_run(&scene);
}

/* --- marking -----------------------------------------------------------------------------------
 */

static void test_marked(void **state)
{
    (void)state;
    static const Scene marked = {
        .scripts = {{OLD, OPENED, STORE, OK("A2")}},
        .play = play_mark,
        .told = {{"marked 5\nmarked 6\nmarked 9\nok\n"}},
        .writable = true,
    };
    static const Scene some_are_gone = {
        .scripts = {{OLD, OPENED, STORE, "S: A2 NO [EXPUNGEISSUED] some are gone\n"}},
        .play = play_mark,
        .told = {{"marked 5\nmarked 6\nmarked 9\nok\n"}},
        .writable = true,
    };
    static const Scene refused = {
        .scripts = {{OLD, OPENED, STORE, "S: A2 NO no\n"}},
        .play = play_mark,
        .told = {{"error EACCES\n"}},
        .says = "removing from INBOX",
        .writable = true,
    };
    scene_run(&marked);
    scene_run(&some_are_gone);
    scene_run(&refused);
}

/* --- what is refused without a word to the server ----------------------------------------------
 */

static void test_old_server(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{OLD}},
        .play = play_three,
        .told = {{"error EOPNOTSUPP\n"}},
        .writable = true,
    };
    scene_run(&scene);
}

static void play_read_only(Bed *bed)
{
    act_remove_from(bed, in_inbox(uids_three, 3));
    act_mark(bed, in_inbox(uids_three, 3));
    act_expunge(bed, in_inbox(uids_three, 3));
}

/* Not even a connection is made. */
static void test_read_only(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{NULL}},
        .play = play_read_only,
        .told = {{"error EROFS\n"}, {"error EROFS\n"}, {"error EROFS\n"}},
    };
    scene_run(&scene);
}

static void play_cancelled(Bed *bed)
{
    Act *act = act_remove_from(bed, in_inbox(uids_three, 3));

    if (bed_run_to_wait(bed))
        act_cancel(act);
    script_go_on(&bed->server);
    act_connect(bed);
    bed_settle(bed);
}

static void test_cancelled(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{NEW, OPENED, STORE_EXPUNGE, "W:\n", OK("A2"), OK("A3")}},
        .play = play_cancelled,
        .told = {{""}, {"ok\n"}},
        .writable = true,
        .whole_only = true,
    };
    scene_run(&scene);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_removed),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_not_opened),
        cmocka_unit_test(test_stays_open),
        cmocka_unit_test(test_examined_first),
        cmocka_unit_test(test_opened_meanwhile),
        cmocka_unit_test(test_others_wait),
        cmocka_unit_test(test_proof),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_marked),
        cmocka_unit_test(test_old_server),
        cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, scene_clean);
}
