/* Which connection an operation is run on, how many there are, and those that end. */
#include "imap_pool_scenes.h"

/* --- which connection ------------------------------------------------------------------------ */

static void play_two_folders_at_once(Bed *bed)
{
    fetch(bed, "a", 1);
    fetch(bed, "b", 2);
    /* The first is not answered before the second one is. */
    while (!bed_has_ended(bed) && !((Act *)g_ptr_array_index(bed->acts, 1))->done)
        g_main_context_iteration(bed->context, TRUE);
    script_go_on(&bed->server);
    if (!bed_run(bed))
        return;
    fetch(bed, "b", 3);
    fetch(bed, "a", 4);
}

static void play_at_once(Bed *bed)
{
    fetch(bed, "a", 1);
    fetch(bed, "b", 2);
    fetch(bed, "a", 3);
}

static void test_one_connection(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{GREETING, EXAMINE("A1", "a"), FETCH("A2", "1"), EXAMINE("A3", "b"),
                     FETCH("A4", "2"), EXAMINE("A5", "a"), FETCH("A6", "3"), EXAMINED("A1"),
                     FETCHED("A2", "1"), EXAMINED("A3"), FETCHED("A4", "2"), EXAMINED("A5"),
                     FETCHED("A6", "3")}},
        .play = play_at_once,
        .told = {{TOLD("1")}, {TOLD("2")}, {TOLD("3")}},
        .connections = 1,
    };
    scene_run(&scene);
}

static void play_two_known_folders(Bed *bed)
{
    static const MailFolderState known = {.uidvalidity = 7, .uidnext = 6, .count = 1};

    act_sync(bed, "a", known);
    act_sync(bed, "b", known);
}

#define FOUND(tag) \
    "S: * 1 EXISTS\nS: * OK [UIDVALIDITY 7] x\nS: * OK [UIDNEXT 6] x\nS: " tag " OK done\n"
#define LISTED(tag, uid) \
    "C: " tag " UID FETCH 1:5 (FLAGS)\nS: * 1 FETCH (UID " uid " FLAGS ())\nS: " tag " OK done\n"

/* What is asked for once it is known how a folder was found is asked of that folder. */
static void test_no_folder_is_left_too_early(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{GREETING, EXAMINE("A1", "a"), FOUND("A1"), LISTED("A2", "1"),
                     EXAMINE("A3", "b"), FOUND("A3"), LISTED("A4", "2")}},
        .play = play_two_known_folders,
        .whole_only = true,
        .told = {{"message 1 flags .\npresent 1\nstate 7 uidnext 6 modseq 0 count 1\nok\n"},
                 {"message 2 flags .\npresent 2\nstate 7 uidnext 6 modseq 0 count 1\nok\n"}},
        .connections = 1,
    };
    scene_run(&scene);
}

/* The second is turned away: all goes through the first, and it is not tried again at once. */
static void test_no_second_connection(void **state)
{
    (void)state;
    static const Scene refused = {
        .scripts = {{GREETING, EXAMINE("A1", "a"), FETCH("A2", "1"), FETCH("A3", "3"),
                     EXAMINED("A1"), EXAMINE("A4", "b"), FETCH("A5", "2"), FETCHED("A2", "1"),
                     FETCHED("A3", "3"), EXAMINED("A4"), FETCHED("A5", "2")}},
        .play = play_at_once,
        .told = {{TOLD("1")}, {TOLD("2")}, {TOLD("3")}},
        .connections = 4,
        .served_once = true,
        .whole_only = true,
    };
    static const Scene turned_away = {
        .scripts = {{GREETING, EXAMINE("A1", "a"), FETCH("A2", "1"), FETCH("A3", "3"),
                     EXAMINED("A1"), EXAMINE("A4", "b"), FETCH("A5", "2"), FETCHED("A2", "1"),
                     FETCHED("A3", "3"), EXAMINED("A4"), FETCHED("A5", "2")},
                    {"S: * BYE too many connections\n"}},
        .play = play_at_once,
        .told = {{TOLD("1")}, {TOLD("2")}, {TOLD("3")}},
        .connections = 4,
        .whole_only = true,
    };
    scene_run(&refused);
    scene_run(&turned_away);
}

static void test_several_connections(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{GREETING, EXAMINE("A1", "a"), FETCH("A2", "1"), "W:\n", EXAMINED("A1"),
                     FETCHED("A2", "1"), FETCH("A3", "4"), FETCHED("A3", "4")},
                    {GREETING, EXAMINE("A1", "b"), FETCH("A2", "2"), EXAMINED("A1"),
                     FETCHED("A2", "2"), FETCH("A3", "3"), FETCHED("A3", "3")}},
        .play = play_two_folders_at_once,
        .told = {{TOLD("1")}, {TOLD("2")}, {TOLD("3")}, {TOLD("4")}},
        .connections = 2,
        .whole_only = true,
    };
    scene_run(&scene);
}

static void play_one_after_the_other(Bed *bed)
{
    fetch(bed, "a", 1);
    if (bed_run(bed))
        fetch(bed, "b", 2);
}

/* Nobody needs a second connection while one is idle, whatever it has open. */
static void test_idle_connection(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{GREETING, EXAMINE("A1", "a"), FETCH("A2", "1"), EXAMINED("A1"),
                     FETCHED("A2", "1"), EXAMINE("A3", "b"), FETCH("A4", "2"), EXAMINED("A3"),
                     FETCHED("A4", "2")},
                    {GREETING}},
        .play = play_one_after_the_other,
        .told = {{TOLD("1")}, {TOLD("2")}},
        .connections = 4,
        .open_end = true,
        .whole_only = true,
    };
    scene_run(&scene);
}

/* --- how many -------------------------------------------------------------------------------- */

static guint connections_made(const Bed *bed)
{
    return bed->server.peers->len;
}

static bool connection_ended(const Bed *bed, guint number)
{
    return number < connections_made(bed) &&
           ((ScriptPeer *)g_ptr_array_index(bed->server.peers, number))->fd < 0;
}

static void cancel_all(Bed *bed)
{
    for (guint i = 0; i < bed->acts->len; i++)
        act_cancel(g_ptr_array_index(bed->acts, i));
}

static void play_three_folders(Bed *bed)
{
    fetch(bed, "a", 1);
    assert_true(bed_run_to_wait(bed));
    bed->server.waiting = false;
    fetch(bed, "b", 2);
    assert_true(bed_run_to_wait(bed));
    assert_int_equal(connections_made(bed), 2);
    fetch(bed, "c", 3);
    bed_settle(bed);
    assert_int_equal(connections_made(bed), 2);
    cancel_all(bed);
}

static void test_no_more_than_the_limit(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{GREETING, EXAMINE("A1", "a"), FETCH("A2", "1"), "W:\n"},
                    {GREETING, EXAMINE("A1", "b"), FETCH("A2", "2"), "W:\n"},
                    {GREETING}},
        .play = play_three_folders,
        .told = {{NULL}, {NULL}, {NULL}},
        .connections = 2,
        .open_end = true,
        .whole_only = true,
    };
    scene_run(&scene);
}

static void play_turned_away(Bed *bed)
{
    fetch(bed, "a", 1);
    assert_true(bed_run_to_wait(bed));
    fetch(bed, "b", 2);
    while (!bed_has_ended(bed) && !connection_ended(bed, 1))
        g_main_context_iteration(bed->context, TRUE);
    fetch(bed, "c", 3);
    bed_settle(bed);
    assert_int_equal(connections_made(bed), 2);
    cancel_all(bed);
}

/* A server that lets no more in is not asked again by the next who could use a connection. */
static void test_limit_of_the_server(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{GREETING, EXAMINE("A1", "a"), FETCH("A2", "1"), "W:\n"},
                    {"S: * BYE too many connections\nX:\n"},
                    {GREETING}},
        .play = play_turned_away,
        .told = {{NULL}, {NULL}, {NULL}},
        .connections = 4,
        .open_end = true,
        .whole_only = true,
    };
    scene_run(&scene);
}

static void play_beside_a_listing(Bed *bed)
{
    act_sync(bed, "a", (MailFolderState){0});
    if (!bed_run_to_wait(bed))
        return;
    fetch(bed, "a", 1);
    while (!bed_has_ended(bed) && !((Act *)g_ptr_array_index(bed->acts, 1))->done)
        g_main_context_iteration(bed->context, TRUE);
    script_go_on(&bed->server);
}

/* Nobody waits for a message behind the listing of thousands. */
static void test_beside_a_listing(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{GREETING, EXAMINE("A1", "a"),
                     "S: * 5000 EXISTS\n"
                     "S: * OK [UIDVALIDITY 7] x\n"
                     "S: A1 OK done\n"
                     "C: A2 UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE)\n"
                     "W:\n"
                     "S: A2 OK done\n"},
                    {GREETING, EXAMINE("A1", "a"), FETCH("A2", "1"), EXAMINED("A1"),
                     FETCHED("A2", "1")}},
        .play = play_beside_a_listing,
        .told = {{"reset 7\n"
                  "state 7 uidnext 1 modseq 0 count 5000\n"
                  "ok\n"},
                 {TOLD("1")}},
        .connections = 2,
        .whole_only = true,
    };
    scene_run(&scene);
}

static void play_nobody_there(Bed *bed)
{
    fetch(bed, "a", 1);
    act_list(bed);
    act_connect(bed);
}

static void test_all_that_waits_fails(void **state)
{
    (void)state;
    static const Scene nobody = {
        .play = play_nobody_there,
        .told = {{"error ECONNREFUSED\n"}, {"error ECONNREFUSED\n"}, {"error ECONNREFUSED\n"}},
        .whole_only = true,
    };
    static const Scene wrong_password = {
        .scripts = {{"S: * OK [CAPABILITY IMAP4rev1] ready\n"
                     "C: A1 LOGIN ann hunter2\n"
                     "S: A1 NO [AUTHENTICATIONFAILED] no\n"}},
        .play = play_nobody_there,
        .told = {{"error EACCES\n"}, {"error EACCES\n"}, {"error EACCES\n"}},
    };
    scene_run(&nobody);
    scene_run(&wrong_password);
}

static void play_until_it_works(Bed *bed)
{
    Act *act = act_connect(bed);

    bed_run(bed);
    assert_true(act->failed);
    scene_ahead += G_USEC_PER_SEC;
    act_connect(bed);
}

/* A failure is not for ever. */
static void test_next_try(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{"S: * BYE [UNAVAILABLE] starting\n"}, {GREETING}},
        .play = play_until_it_works,
        .told = {{"error EAGAIN\n"}, {"ok\n"}},
        .whole_only = true,
    };
    scene_run(&scene);
}

static void play_known_to_be_away(Bed *bed)
{
    act_connect(bed);
    bed_run(bed);
    fetch(bed, "a", 1); /* fails, without a connection */
    act_list(bed);
    bed_run(bed);
    scene_ahead += G_USEC_PER_SEC;
    fetch(bed, "a", 2);
}

/* What comes within the second has the same cause, and makes no connection. */
static void test_known_to_be_away(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{"S: * BYE not now\n"},
                    {GREETING, EXAMINE("A1", "a"), FETCH("A2", "2"), EXAMINED("A1"),
                     FETCHED("A2", "2")}},
        .play = play_known_to_be_away,
        .told = {{"error ECONNREFUSED\n"},
                 {"error ECONNREFUSED\n"},
                 {"error ECONNREFUSED\n"},
                 {TOLD("2")}},
        .whole_only = true,
    };
    scene_run(&scene);
}

static void play_suspended(Bed *bed)
{
    fetch(bed, "a", 1);
    if (!bed_run(bed))
        return;
    scene_slept += (gint64)3600 * G_USEC_PER_SEC;
    fetch(bed, "a", 2);
}

/* Whether a connection outlived that nobody knows: another one is made. */
static void test_suspended(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{GREETING, EXAMINE("A1", "a"), FETCH("A2", "1"), EXAMINED("A1"),
                     FETCHED("A2", "1")},
                    {GREETING, EXAMINE("A1", "a"), FETCH("A2", "2"), EXAMINED("A1"),
                     FETCHED("A2", "2")}},
        .play = play_suspended,
        .told = {{TOLD("1")}, {TOLD("2")}},
        .whole_only = true,
    };
    scene_run(&scene);
}

static void play_dropped_while_idle(Bed *bed)
{
    g_autoptr(GString) status = g_string_new(NULL);

    fetch(bed, "a", 1);
    while (!bed->late && !connection_ended(bed, 0))
        g_main_context_iteration(bed->context, TRUE);
    bed_settle(bed);
    mail_store_describe(bed->store, status);
    assert_non_null(strstr(status->str, "connections: 0\n"));
    assert_null(strstr(status->str, "connection-1"));
    fetch(bed, "a", 2);
}

/* An idle connection that ended is forgotten, and another one made when it is needed. */
static void test_dropped_while_idle(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{GREETING, EXAMINE("A1", "a"), FETCH("A2", "1"), EXAMINED("A1"),
                     FETCHED("A2", "1"), "X:\n"},
                    {GREETING, EXAMINE("A1", "a"), FETCH("A2", "2"), EXAMINED("A1"),
                     FETCHED("A2", "2")}},
        .play = play_dropped_while_idle,
        .told = {{TOLD("1")}, {TOLD("2")}},
        .whole_only = true,
    };
    scene_run(&scene);
}

static void play_second_dies(Bed *bed)
{
    Act *second;

    fetch(bed, "a", 1);
    assert_true(bed_run_to_wait(bed));
    second = fetch(bed, "b", 2);
    while (!bed_has_ended(bed) && !second->done)
        g_main_context_iteration(bed->context, TRUE);
    script_go_on(&bed->server);
}

/* What runs on the others goes on. Nor has the server said that it lets fewer in. */
static void test_one_of_two_dies(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{GREETING, EXAMINE("A1", "a"), FETCH("A2", "1"), "W:\n", EXAMINED("A1"),
                     FETCHED("A2", "1")},
                    {GREETING, EXAMINE("A1", "b"), FETCH("A2", "2"), "X:\n"},
                    {GREETING, EXAMINE("A1", "b"), FETCH("A2", "2"), EXAMINED("A1"),
                     FETCHED("A2", "2")}},
        .play = play_second_dies,
        .told = {{TOLD("1")}, {TOLD("2")}},
        .connections = 2,
        .whole_only = true,
    };
    scene_run(&scene);
}

/* --- cancelled ------------------------------------------------------------------------------- */

static void play_cancelled_while_waiting(Bed *bed)
{
    Act *first = fetch(bed, "a", 1);

    fetch(bed, "b", 2);
    if (bed_run_to_wait(bed))
        act_cancel(first);
    script_go_on(&bed->server);
}

/* The server never hears of it; who waits behind it is not held up. */
static void test_cancelled_while_waiting(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{"W:\n", GREETING, EXAMINE("A1", "b"), FETCH("A2", "2"), EXAMINED("A1"),
                     FETCHED("A2", "2")}},
        .play = play_cancelled_while_waiting,
        .told = {{NULL}, {TOLD("2")}},
        .whole_only = true,
    };
    scene_run(&scene);
}

static void play_cancelled_in_flight(Bed *bed)
{
    Act *first = fetch(bed, "a", 1);

    if (bed_run_to_wait(bed))
        act_cancel(first);
    fetch(bed, "b", 2);
    script_go_on(&bed->server);
}

/* What still comes for it is nobody's, and the connection serves the next. */
static void test_cancelled_in_flight(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{GREETING, EXAMINE("A1", "a"), FETCH("A2", "1"), "W:\n", EXAMINED("A1"),
                     FETCHED("A2", "1"), EXAMINE("A3", "b"), FETCH("A4", "2"), EXAMINED("A3"),
                     FETCHED("A4", "2")}},
        .play = play_cancelled_in_flight,
        .told = {{NULL}, {TOLD("2")}},
        .whole_only = true,
    };
    scene_run(&scene);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_connection),
        cmocka_unit_test(test_several_connections),
        cmocka_unit_test(test_no_folder_is_left_too_early),
        cmocka_unit_test(test_no_second_connection),
        cmocka_unit_test(test_idle_connection),
        cmocka_unit_test(test_no_more_than_the_limit),
        cmocka_unit_test(test_limit_of_the_server),
        cmocka_unit_test(test_beside_a_listing),
        cmocka_unit_test(test_all_that_waits_fails),
        cmocka_unit_test(test_next_try),
        cmocka_unit_test(test_known_to_be_away),
        cmocka_unit_test(test_suspended),
        cmocka_unit_test(test_dropped_while_idle),
        cmocka_unit_test(test_one_of_two_dies),
        cmocka_unit_test(test_cancelled_while_waiting),
        cmocka_unit_test(test_cancelled_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, scene_clean);
}
