#include "imap_scene.h"

static const MailRange text_only[] = {{MAIL_SECTION_TEXT, 0, 0}};

static Act *fetch(Bed *bed, const char *folder, uint32_t uid, bool ahead)
{
    return act_fetch(bed, &(MailFetch){folder, 7, &uid, 1, text_only, 1, 1000, ahead});
}

#define GREETING PREAUTH("IMAP4rev1")
#define EXAMINE(tag, folder) "C: " tag " EXAMINE " folder "\n"
#define EXAMINED(tag) "S: * 1 EXISTS\nS: * OK [UIDVALIDITY 7] x\nS: " tag " OK done\n"
#define FETCH(tag, uid) "C: " tag " UID FETCH " uid " (BODY.PEEK[TEXT])\n"
#define FETCHED(tag, uid) "S: * 1 FETCH (UID " uid " BODY[TEXT] \"t\")\nS: " tag " OK done\n"
#define TOLD(uid) "fetch " uid " TEXT t\nok\n"

static Act *act_of(Bed *bed, guint i)
{
    return g_ptr_array_index(bed->acts, i);
}

static void run_until_done(Bed *bed, guint i)
{
    while (!bed_has_ended(bed) && !act_of(bed, i)->done)
        g_main_context_iteration(bed->context, TRUE);
}

/* What waits for nobody goes over one connection, folder by folder as it came; nobody who waits
 * for a message stands behind it where there is another connection. */
static void play_two_kinds(Bed *bed)
{
    fetch(bed, "a", 1, true);
    fetch(bed, "b", 2, true);
    if (!bed_run_to_wait(bed))
        return;
    /* the other connection is there without anybody's asking */
    bed_settle(bed);
    fetch(bed, "a", 3, false);
    fetch(bed, "a", 4, true);
    run_until_done(bed, 2);
    fetch(bed, "c", 5, false);
    run_until_done(bed, 4);
    script_go_on(&bed->server);
}

static void test_apart(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{GREETING, EXAMINE("A1", "a"), FETCH("A2", "1"), EXAMINE("A3", "b"),
                     FETCH("A4", "2"), "W:\n", EXAMINE("A5", "a"), FETCH("A6", "4"), EXAMINED("A1"),
                     FETCHED("A2", "1"), EXAMINED("A3"), FETCHED("A4", "2"), EXAMINED("A5"),
                     FETCHED("A6", "4")},
                    {GREETING, EXAMINE("A1", "a"), FETCH("A2", "3"), EXAMINED("A1"),
                     FETCHED("A2", "3"), EXAMINE("A3", "c"), FETCH("A4", "5"), EXAMINED("A3"),
                     FETCHED("A4", "5")}},
        .play = play_two_kinds,
        .told = {{TOLD("1")}, {TOLD("2")}, {TOLD("3")}, {TOLD("4")}, {TOLD("5")}},
        .connections = 4,
        .whole_only = true,
    };
    scene_run(&scene);
}

/* The server lets no other connection in, or not yet: then one that is waited for goes out at
 * once. */
static void play_nothing_else(Bed *bed)
{
    fetch(bed, "a", 1, true);
    if (!bed_run_to_wait(bed))
        return;
    fetch(bed, "a", 2, false);
    fetch(bed, "b", 3, false);
    bed_settle(bed);
    script_go_on(&bed->server);
}

static void test_together(void **state)
{
    (void)state;
#define ALL_ON_ONE                                                                                \
    GREETING, EXAMINE("A1", "a"), FETCH("A2", "1"), "W:\n", FETCH("A3", "2"), EXAMINE("A4", "b"), \
        FETCH("A5", "3"), EXAMINED("A1"), FETCHED("A2", "1"), FETCHED("A3", "2"), EXAMINED("A4"), \
        FETCHED("A5", "3")
    static const Scene only_one = {
        .scripts = {{ALL_ON_ONE}},
        .play = play_nothing_else,
        .told = {{TOLD("1")}, {TOLD("2")}, {TOLD("3")}},
        .connections = 1,
        .whole_only = true,
    };
    static const Scene turned_away = {
        .scripts = {{ALL_ON_ONE}, {"S: * BYE too many connections\n"}},
        .play = play_nothing_else,
        .told = {{TOLD("1")}, {TOLD("2")}, {TOLD("3")}},
        .connections = 4,
        .whole_only = true,
    };
    scene_run(&only_one);
    scene_run(&turned_away);
}

/* What is held back goes out when there is room, and behind what somebody began to wait for. */
enum { HELD_BACK = 20, UNDER_WAY = 16 };

static void play_many(Bed *bed)
{
    for (uint32_t uid = 1; uid <= HELD_BACK; uid++)
        fetch(bed, "a", uid, true);
    if (!bed_run_to_wait(bed))
        return;
    fetch(bed, "a", 100, false);
    bed_settle(bed);
    for (guint i = HELD_BACK - 1; i > HELD_BACK - 3; i--)
        act_cancel(act_of(bed, i));
    script_go_on(&bed->server);
}

static char *many_script(void)
{
    GString *text = g_string_new(GREETING EXAMINE("A1", "a"));

    for (int i = 1; i <= UNDER_WAY; i++)
        g_string_append_printf(text, FETCH("A%d", "%d"), i + 1, i);
    g_string_append_printf(text, "W:\n" FETCH("A%d", "100") EXAMINED("A1"), UNDER_WAY + 2);
    for (int i = 1; i <= UNDER_WAY; i++)
        g_string_append_printf(text, FETCHED("A%d", "%d"), i, i + 1);
    g_string_append_printf(text, FETCHED("A%d", "100"), UNDER_WAY + 2);
    for (int i = 1; i <= 2; i++) {
        int tag = UNDER_WAY + 2 + i;
        g_string_append_printf(text, FETCH("A%d", "%d"), tag, UNDER_WAY + i);
    }
    for (int i = 1; i <= 2; i++) {
        int tag = UNDER_WAY + 2 + i;
        g_string_append_printf(text, FETCHED("A%d", "%d"), UNDER_WAY + i, tag);
    }
    return g_string_free(text, FALSE);
}

static void test_held_back(void **state)
{
    g_autofree char *script = many_script();
    char *told[HELD_BACK + 1] = {NULL};
    Scene scene = {.scripts = {{script}}, .play = play_many, .connections = 1, .whole_only = true};

    (void)state;
    for (int i = 0; i <= HELD_BACK; i++) {
        told[i] = g_strdup_printf(TOLD("%d"), i < HELD_BACK ? i + 1 : 100);
        scene.told[i][0] = told[i];
    }
    scene_run(&scene);
    for (int i = 0; i <= HELD_BACK; i++)
        g_free(told[i]);
}

/* --- when the connection goes ----------------------------------------------------------------- */

static void play_lost(Bed *bed)
{
    fetch(bed, "a", 1, true);
    fetch(bed, "a", 2, true);
    if (!bed_run_to_wait(bed))
        return;
    bed_settle(bed);
    script_go_on(&bed->server);
}

/* All goes on over the other one, in the same order. */
static void test_lost(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{GREETING, EXAMINE("A1", "a"), FETCH("A2", "1"), FETCH("A3", "2"), "W:\n",
                     "X:\n"},
                    {GREETING, EXAMINE("A1", "a"), FETCH("A2", "1"), FETCH("A3", "2"),
                     EXAMINED("A1"), FETCHED("A2", "1"), FETCHED("A3", "2")}},
        .play = play_lost,
        .told = {{TOLD("1")}, {TOLD("2")}},
        .connections = 2,
        .whole_only = true,
    };
    scene_run(&scene);
}

static void play_nobody_there(Bed *bed)
{
    fetch(bed, "a", 1, true);
    fetch(bed, "a", 2, false);
    fetch(bed, "a", 3, true);
}

static void test_nobody_there(void **state)
{
    (void)state;
    static const Scene scene = {
        .play = play_nobody_there,
        .told = {{"error ECONNREFUSED\n"}, {"error ECONNREFUSED\n"}, {"error ECONNREFUSED\n"}},
        .connections = 2,
        .whole_only = true,
    };
    scene_run(&scene);
}

static void play_close(Bed *bed)
{
    play_many(bed);
    act_close(bed);
}

static void test_closed(void **state)
{
    Scene scene = {.scripts = {{"W:\n"}},
                   .play = play_close,
                   .connections = 2,
                   .open_end = true,
                   .whole_only = true};

    (void)state;
    for (int i = 0; i <= HELD_BACK; i++)
        scene.told[i][0] = "error ECANCELED\n";
    scene.told[HELD_BACK + 1][0] = "ok\n";
    scene_run(&scene);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_apart),        cmocka_unit_test(test_together),
        cmocka_unit_test(test_held_back),    cmocka_unit_test(test_lost),
        cmocka_unit_test(test_nobody_there), cmocka_unit_test(test_closed),
    };
    return cmocka_run_group_tests(tests, NULL, scene_clean);
}
