/* Fetches of many messages. */
#include "imap_fetch_scenes.h"

enum { MANY = 1000, FIRST_OF_THEM = 700 };

/* No line is too long for a server; each message is told when it has come, those that are gone
 * are not, and what is wrong with some does not keep the others back. */
static void play_many(Bed *bed)
{
    uint32_t uids[MANY];

    for (uint32_t i = 0; i < MANY; i++)
        uids[i] = 4000000001U + 2 * i;
    Act *act = fetch(bed, uids, MANY, text_only, 1);
    if (!bed_run_to_wait(bed))
        return;
    bed_settle(bed);
    if (strcmp(act->log->str, "fetch 4000000001 TEXT t\nfetch 4000000003 TEXT t\n") != 0)
        act_tell(act, "not told at once");
    script_go_on(&bed->server);
}

static void append_command(GString *script, const char *tag, int from, int to)
{
    size_t start = script->len;

    g_string_append_printf(script, "C: %s UID FETCH ", tag);
    for (int i = from; i < to; i++)
        g_string_append_printf(script, "%s%u", i > from ? "," : "", 4000000001U + 2 * (unsigned)i);
    g_string_append(script, " (BODY.PEEK[TEXT])\n");
    assert_true(script->len - start < 8192);
}

static void check_many(const char *second_answer, const char *outcome)
{
    g_autoptr(GString) script = g_string_new(PREAUTH("IMAP4rev1") "C: A1 EXAMINE INBOX\n");

    append_command(script, "A2", 0, FIRST_OF_THEM);
    append_command(script, "A3", FIRST_OF_THEM, MANY);
    g_string_append_printf(script,
                           "%sS: * 1 FETCH (UID 4000000001 BODY[TEXT] \"t\")\n"
                           "S: * 2 FETCH (UID 4000000003 BODY[TEXT] \"t\")\n"
                           "W:\n"
                           "S: A2 NO [EXPUNGEISSUED] some are gone\n"
                           "S: * 3 FETCH (UID 4000001999 BODY[TEXT] \"t\")\n"
                           "S: A3 %s\n",
                           SELECTED, second_answer);
    const Scene scene = {
        .scripts = {{script->str}},
        .play = play_many,
        .told = {{"fetch 4000000001 TEXT t\n"
                  "fetch 4000000003 TEXT t\n"
                  "fetch 4000001999 TEXT t\n",
                  outcome}},
        .whole_only = true,
    };
    scene_run(&scene);
}

static void test_many(void **state)
{
    (void)state;
    check_many("OK done", "ok\n");
    check_many("NO [SERVERBUG] it broke", "error EREMOTEIO\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
