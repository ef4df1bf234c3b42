/* What the server tells by itself: NOTIFY and IDLE, on connections of their own or the only one. */
#include "imap_change_scenes.h"
#include "imap_pool_scenes.h"

static const char *const inbox_alone[] = {"INBOX", NULL};
static const char *const work_alone[] = {"Work", NULL};
static const char *const both[] = {"INBOX", "Work", NULL};

/* --- what is told ---------------------------------------------------------------------------- */

static GString *told;

static void on_changed(gpointer data, const char *folder)
{
    (void)data;
    g_string_append_printf(told, "changed %s\n", folder);
}

static void on_folders(gpointer data)
{
    (void)data;
    g_string_append(told, "folders\n");
}

static void on_began(gpointer data)
{
    (void)data;
    g_string_append(told, "began\n");
}

static const MailWatchSink sink = {on_changed, on_folders, on_began};

/*
 * From now on until there is nothing more to come, or all of this has been told. True: it has; a
 * connection that was broken off tells a beginning of it.
 */
static bool is_told(Bed *bed, const char *expected)
{
    while (strcmp(told->str, expected) != 0 && g_str_has_prefix(expected, told->str) &&
           !bed->late && !bed->server.problem && !bed->server.was_cut)
        g_main_context_iteration(bed->context, TRUE);
    bed_settle(bed);
    if (bed->server.was_cut && g_str_has_prefix(expected, told->str))
        return false;
    if (!bed->server.problem)
        assert_string_equal(told->str, expected);
    return !bed->server.was_cut && !bed->server.problem && !bed->late;
}

/* Until all transcripts are through, or one is broken off. */
static bool is_through(Bed *bed)
{
    while (!script_is_through(&bed->server) && !bed->late && !bed->server.problem &&
           !bed->server.was_cut)
        g_main_context_iteration(bed->context, TRUE);
    return !bed->server.was_cut && !bed->server.problem && !bed->late;
}

/* Logs in, and watches. False: it came to nothing. */
static bool begin_watch(Bed *bed, const char *const *folders)
{
    if (!told)
        told = g_string_new(NULL);
    g_string_truncate(told, 0);
    act_connect(bed);
    if (!bed_run(bed))
        return false;
    mail_store_watch(bed->store, folders, &sink, bed);
    return true;
}

static bool watches(Bed *bed, const char *folder)
{
    return mail_store_watches(bed->store, folder);
}

/* --- NOTIFY ---------------------------------------------------------------------------------- */

#define NOTIFYING PREAUTH("IMAP4rev1 NAMESPACE UNSELECT IDLE NOTIFY")
#define NOTIFY          \
    "C: A1 NAMESPACE\n" \
    "C: A2 NOTIFY SET (PERSONAL (MessageNew MessageExpunge FlagChange MailboxName))\n"
#define NOTIFIED                                                             \
    "S: * NAMESPACE ((\"\" \"/\")) ((\"~\" \"/\")) ((\"#shared/\" \"/\"))\n" \
    "S: A1 OK done\nS: A2 OK done\n"

static void play_notify(Bed *bed)
{
    if (!begin_watch(bed, both) ||
        !is_told(bed, "began\nchanged INBOX\nchanged Entw\303\274rfe\nfolders\nfolders\n"))
        return;
    assert_true(watches(bed, "INBOX"));
    assert_true(watches(bed, "whatever"));
    assert_true(watches(bed, NULL));
    assert_false(watches(bed, "~bob/INBOX"));
    assert_false(watches(bed, "#shared/news"));
}

static void test_notify(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{NOTIFYING},
                    {NOTIFYING, NOTIFY, NOTIFIED,
                     "S: * STATUS INBOX (MESSAGES 2 UIDNEXT 3)\n"
                     "S: * STATUS \"Entw&APw-rfe\" (HIGHESTMODSEQ 3)\n"
                     "S: * LIST () \"/\" New\nS: * LIST (\\NonExistent) \"/\" Old\n"
                     "S: * OK still here\n"}},
        .play = play_notify,
        .told = {{"ok\n"}},
        .connections = 2,
        .cut_connection = 1,
    };
    scene_run(&scene);
}

#define IDLING(tag) "C: " tag " IDLE\nS: + idling\n"
#define REFUSED_TOLD "began\nchanged INBOX\n"

static void play_idle_instead(Bed *bed)
{
    if (!begin_watch(bed, inbox_alone) || !is_told(bed, REFUSED_TOLD))
        return;
    assert_true(watches(bed, "INBOX"));
    assert_false(watches(bed, "Work"));
    assert_false(watches(bed, NULL));
}

/* As Dovecot does without its index of mailboxes, and as a server does that never heard of it. */
static void test_notify_refused(void **state)
{
    (void)state;
    static const Scene no = {
        .scripts = {{NOTIFYING},
                    {NOTIFYING, NOTIFY, "S: A1 BAD what?\n",
                     "S: A2 NO [NOTIFICATIONOVERFLOW] not these mailboxes\n",
                     EXAMINE("A3", "INBOX"), EXAMINED("A3"), IDLING("A4"), "S: * 2 EXISTS\n"}},
        .play = play_idle_instead,
        .told = {{"ok\n"}},
        .connections = 2,
        .cut_connection = 1,
    };
    static const Scene bad = {
        .scripts = {{NOTIFYING},
                    {NOTIFYING, NOTIFY, "S: A1 OK done\nS: A2 BAD what?\n", EXAMINE("A3", "INBOX"),
                     EXAMINED("A3"), IDLING("A4"), "S: * 1 EXPUNGE\n"}},
        .play = play_idle_instead,
        .told = {{"ok\n"}},
        .connections = 2,
        .cut_connection = 1,
    };
    scene_run(&no);
    scene_run(&bad);
}

static void play_overflow(Bed *bed)
{
    if (!begin_watch(bed, inbox_alone) ||
        !is_told(bed, "began\nchanged Work\nbegan\nchanged INBOX\n"))
        return;
    assert_false(watches(bed, "Work"));
}

/* The server had more to tell than it can: from then on it tells nothing of that kind. */
static void test_overflow(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{NOTIFYING},
                    {NOTIFYING, NOTIFY, NOTIFIED, "S: * STATUS Work (MESSAGES 2 UIDNEXT 3)\n",
                     "S: * OK [NOTIFICATIONOVERFLOW] too much\n", EXAMINE("A3", "INBOX"),
                     EXAMINED("A3"), IDLING("A4"), "S: * VANISHED 1\n"}},
        .play = play_overflow,
        .told = {{"ok\n"}},
        .connections = 2,
        .cut_connection = 1,
    };
    scene_run(&scene);
}

static void play_renewed(Bed *bed)
{
    if (begin_watch(bed, inbox_alone))
        is_through(bed);
}

static void test_notify_renewed(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{NOTIFYING},
                    {NOTIFYING, NOTIFY, NOTIFIED, "C: A3 NOOP\nS: A3 OK done\nC: A4 NOOP\n"}},
        .play = play_renewed,
        .told = {{"ok\n"}},
        .connections = 2,
        .renew = 1,
        .whole_only = true,
    };
    scene_run(&scene);
}

/* --- IDLE ------------------------------------------------------------------------------------ */

#define IDLE_SERVER PREAUTH("IMAP4rev1 UNSELECT IDLE")

#define CHANGED "changed INBOX\n"

static void play_idle(Bed *bed)
{
    if (begin_watch(bed, inbox_alone))
        is_told(bed, "began\n" CHANGED CHANGED CHANGED CHANGED CHANGED);
}

/* What says nothing new is not told; how many a VANISHED has left is not counted. */
static void test_idle(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{IDLE_SERVER},
                    {IDLE_SERVER, EXAMINE("A1", "INBOX"), EXAMINED("A1"), IDLING("A2"),
                     "S: * 1 EXISTS\nS: * OK still here\nS: * 0 RECENT\nS: * 2 EXISTS\n"
                     "S: * 1 EXPUNGE\nS: * VANISHED 7\nS: * 1 EXISTS\n"
                     "S: * 1 FETCH (FLAGS (\\Seen))\nS: * STATUS Work (MESSAGES 1)\n"}},
        .play = play_idle,
        .told = {{"ok\n"}},
        .connections = 2,
        .cut_connection = 1,
    };
    scene_run(&scene);
}

static void play_idle_in_both(Bed *bed)
{
    if (!begin_watch(bed, both) || !is_told(bed, "began\nbegan\n"))
        return;
    assert_true(watches(bed, "INBOX"));
    assert_true(watches(bed, "Work"));
    assert_false(watches(bed, NULL));
}

static void test_two_folders(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{IDLE_SERVER},
                    {IDLE_SERVER, EXAMINE("A1", "INBOX"), EXAMINED("A1"), IDLING("A2")},
                    {IDLE_SERVER, EXAMINE("A1", "Work"), EXAMINED("A1"), IDLING("A2")}},
        .play = play_idle_in_both,
        .told = {{"ok\n"}},
        .connections = 4,
        .whole_only = true,
    };
    scene_run(&scene);
}

static void play_another_folder(Bed *bed)
{
    if (!begin_watch(bed, inbox_alone) || !is_told(bed, "began\n"))
        return;
    mail_store_watch(bed->store, work_alone, &sink, bed);
    if (!is_told(bed, "began\nbegan\nchanged Work\n"))
        return;
    assert_false(watches(bed, "INBOX"));
    assert_true(watches(bed, "Work"));
}

static void test_another_folder(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{IDLE_SERVER},
                    {IDLE_SERVER, EXAMINE("A1", "INBOX"), EXAMINED("A1"), IDLING("A2"), "C: DONE\n",
                     EXAMINE("A3", "Work"), OK("A2"), EXAMINED("A3"), IDLING("A4"),
                     "S: * 2 EXISTS\n"}},
        .play = play_another_folder,
        .told = {{"ok\n"}},
        .connections = 2,
        .cut_connection = 1,
    };
    scene_run(&scene);
}

static void test_idle_renewed(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{IDLE_SERVER},
                    {IDLE_SERVER, EXAMINE("A1", "INBOX"), EXAMINED("A1"), IDLING("A2"), "C: DONE\n",
                     OK("A2"), IDLING("A3"), "C: DONE\n", OK("A3"), IDLING("A4")}},
        .play = play_renewed,
        .told = {{"ok\n"}},
        .connections = 2,
        .renew = 1,
        .whole_only = true,
    };
    scene_run(&scene);
    assert_string_equal(told->str, "began\n");
}

static void play_without(Bed *bed)
{
    if (!begin_watch(bed, inbox_alone) || !is_through(bed))
        return;
    bed_settle(bed);
    assert_false(watches(bed, "INBOX"));
    assert_false(watches(bed, NULL));
}

static void test_idle_refused(void **state)
{
    (void)state;
    static const Scene no = {
        .scripts = {{IDLE_SERVER},
                    {IDLE_SERVER, EXAMINE("A1", "INBOX"), EXAMINED("A1"),
                     "C: A2 IDLE\nS: A2 NO not today\n"}},
        .play = play_without,
        .told = {{"ok\n"}},
        .connections = 2,
        .cut_connection = 1,
    };
    static const Scene ended = {
        .scripts = {{IDLE_SERVER},
                    {IDLE_SERVER, EXAMINE("A1", "INBOX"), EXAMINED("A1"), IDLING("A2"), OK("A2")}},
        .play = play_without,
        .told = {{"ok\n"}},
        .connections = 2,
        .cut_connection = 1,
    };
    static const Scene no_folder = {
        .scripts = {{IDLE_SERVER},
                    {IDLE_SERVER, EXAMINE("A1", "INBOX"), "S: A1 NO there is none\n"}},
        .play = play_without,
        .told = {{"ok\n"}},
        .connections = 2,
        .cut_connection = 1,
    };
    static const Scene neither = {
        .scripts = {{PREAUTH("IMAP4rev1")}},
        .play = play_without,
        .told = {{"ok\n"}},
        .connections = 4,
    };
    scene_run(&no);
    scene_run(&ended);
    assert_string_equal(told->str, "began\n"); /* of what is cut off */
    scene_run(&no_folder);
    scene_run(&neither);
    assert_string_equal(told->str, "");
}

/* --- the only connection --------------------------------------------------------------------- */

static const char *const in_use[] = {"b", "a", NULL};

static void play_only(Bed *bed)
{
    if (!begin_watch(bed, in_use))
        return;
    fetch(bed, "a", 1);
    if (!bed_run(bed) || !is_told(bed, "changed a\n"))
        return;
    assert_true(watches(bed, "a"));
    fetch(bed, "a", 2);
    if (!bed_run(bed))
        return;
    fetch(bed, "c", 3);
    if (bed_run(bed) && is_told(bed, "changed a\nbegan\n"))
        assert_true(watches(bed, "b"));
}

/*
 * It idles where it is, if that is a folder in use, and works as soon as there is something to do:
 * what is told in between of the folder that is open is told when it idles again.
 */
static void test_only_connection(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{IDLE_SERVER, EXAMINE("A1", "a"), FETCH("A2", "1"), EXAMINED("A1"),
                     FETCHED("A2", "1"), IDLING("A3"), "S: * 2 EXISTS\n", "C: DONE\n",
                     FETCH("A4", "2"), OK("A3"), FETCHED("A4", "2"), EXAMINE("A5", "c"),
                     FETCH("A6", "3"), EXAMINED("A5"), FETCHED("A6", "3"), EXAMINE("A7", "b"),
                     EXAMINED("A7"), IDLING("A8")}},
        .play = play_only,
        .told = {{"ok\n"}, {TOLD("1")}, {TOLD("2")}, {TOLD("3")}},
        .connections = 1,
        .served_once = true,
    };
    scene_run(&scene);
}

static void play_turned_away(Bed *bed)
{
    if (begin_watch(bed, inbox_alone))
        is_told(bed, "began\nchanged INBOX\n");
}

/* Of a server that lets no second one in. */
static void test_turned_away(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{IDLE_SERVER, EXAMINE("A1", "INBOX"), EXAMINED("A1"), IDLING("A2"),
                     "S: * 2 EXISTS\n"},
                    {"S: * BYE too many connections\n"}},
        .play = play_turned_away,
        .told = {{"ok\n"}},
        .connections = 4,
        .whole_only = true,
    };
    scene_run(&scene);
}

/* --- others' work ---------------------------------------------------------------------------- */

static void play_deleted(Bed *bed)
{
    if (!begin_watch(bed, work_alone) || !is_told(bed, "began\n"))
        return;
    act_delete(bed, "Work");
    bed_run(bed);
}

/* A folder that goes is not kept open by who watches it; nor is it opened again at once. */
static void test_folder_deleted(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{IDLE_SERVER,
                     "C: A1 LIST \"\" Work\nC: A2 STATUS Work (MESSAGES)\n"
                     "S: * LIST () \"/\" Work\nS: A1 OK done\nS: * STATUS Work (MESSAGES 0)\n"
                     "S: A2 OK done\nC: A3 LIST \"\" \"Work/%\"\nS: A3 OK done\n"
                     "C: A4 DELETE Work\nS: A4 OK done\nC: A5 UNSUBSCRIBE Work\nS: A5 OK done\n"},
                    {IDLE_SERVER, EXAMINE("A1", "Work"), EXAMINED("A1"), IDLING("A2"), "C: DONE\n",
                     "C: A3 UNSELECT\n", OK("A2"), OK("A3")}},
        .play = play_deleted,
        .told = {{"ok\n"}, {"ok\n"}},
        .connections = 2,
        .writable = true,
        .whole_only = true,
    };
    scene_run(&scene);
}

static void play_closed(Bed *bed)
{
    if (!begin_watch(bed, inbox_alone) || !is_told(bed, "began\n"))
        return;
    act_close(bed);
    bed_run(bed);
    assert_false(watches(bed, "INBOX"));
}

static void test_closed(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{IDLE_SERVER, "C: A1 LOGOUT\nS: * BYE bye\nS: A1 OK done\nX:\n"},
                    {IDLE_SERVER, EXAMINE("A1", "INBOX"), EXAMINED("A1"), IDLING("A2"), "C: DONE\n",
                     "C: A3 LOGOUT\n", OK("A2"),
                     "S: * 5 EXISTS\nS: * BYE bye\nS: A3 OK done\nX:\n"}},
        .play = play_closed,
        .told = {{"ok\n"}, {"ok\n"}},
        .connections = 2,
        .whole_only = true,
    };
    scene_run(&scene);
    assert_string_equal(told->str, "began\n");
}

static int clean(void **state)
{
    g_string_free(told, TRUE);
    return scene_clean(state);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_notify),         cmocka_unit_test(test_notify_refused),
        cmocka_unit_test(test_overflow),       cmocka_unit_test(test_notify_renewed),
        cmocka_unit_test(test_idle),           cmocka_unit_test(test_two_folders),
        cmocka_unit_test(test_another_folder), cmocka_unit_test(test_idle_renewed),
        cmocka_unit_test(test_idle_refused),   cmocka_unit_test(test_only_connection),
        cmocka_unit_test(test_turned_away),    cmocka_unit_test(test_folder_deleted),
        cmocka_unit_test(test_closed),
    };
    return cmocka_run_group_tests(tests, NULL, clean);
}
