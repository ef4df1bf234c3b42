/* Folders that are made: below their parent, by the server's rules for names. */
#include "imap_change_scenes.h"

static void play_top(Bed *bed)
{
    act_create(bed, NULL, "Work");
}

static void play_below(Bed *bed)
{
    act_create(bed, "Work", "Entw\303\274rfe & mehr");
}

#define ASKED_TOP "C: A1 LIST \"\" \"\"\nS: * LIST (\\Noselect) \"/\" \"\"\n" OK("A1")
#define LOOKED "C: A2 LIST \"\" Work\n" OK("A2")
#define CREATE "C: A3 CREATE Work\n"
#define FOLLOWED                                       \
    "C: A4 SUBSCRIBE Work\nC: A5 LIST \"\" Work\n" OK( \
        "A4") "S: * LIST (\\HasNoChildren) \"/\" Work\n" OK("A5")

static void test_made(void **state)
{
    (void)state;
    static const Scene top = {
        .scripts = {{NEW, ASKED_TOP, LOOKED, CREATE OK("A3"), FOLLOWED}},
        .play = play_top,
        .told = {{"folder Work /\nok\n"}},
        .writable = true,
    };
    static const Scene below = {
        .scripts = {{NEW, "C: A1 LIST \"\" Work\nS: * LIST (\\Noselect) \".\" Work\n" OK("A1"),
                     "C: A2 LIST \"\" \"Work.Entw&APw-rfe &- mehr\"\n" OK("A2"),
                     "C: A3 CREATE \"Work.Entw&APw-rfe &- mehr\"\n" OK("A3"),
                     "C: A4 SUBSCRIBE \"Work.Entw&APw-rfe &- mehr\"\n"
                     "C: A5 LIST \"\" \"Work.Entw&APw-rfe &- mehr\"\n",
                     OK("A4") OK("A5")}},
        .play = play_below,
        .told = {{"folder Work.Entw\\303\\274rfe & mehr .\nok\n"}},
        .writable = true,
    };
    static const Scene utf8 = {
        .scripts = {{PREAUTH("IMAP4rev2"),
                     "C: A1 LIST \"\" Work\nS: * LIST () \"/\" Work\n" OK("A1"),
                     "C: A2 LIST \"\" \"Work/Entw\303\274rfe & mehr\"\n" OK("A2"),
                     "C: A3 CREATE \"Work/Entw\303\274rfe & mehr\"\n" OK("A3"),
                     "C: A4 SUBSCRIBE \"Work/Entw\303\274rfe & mehr\"\n"
                     "C: A5 LIST \"\" \"Work/Entw\303\274rfe & mehr\"\n",
                     "S: A4 NO not here\n" OK("A5")}},
        .play = play_below,
        .told = {{"folder Work/Entw\\303\\274rfe & mehr /\nok\n"}},
        .writable = true,
    };
    /* What is only the parent of others is made by itself; an old server says then that it can't
     * have others. */
    static const Scene parent_of_others = {
        .scripts = {{OLD, ASKED_TOP,
                     "C: A2 LIST \"\" Work\nS: * LIST (\\NonExistent) \"/\" Work\n" OK("A2"),
                     CREATE OK("A3"), "C: A4 SUBSCRIBE Work\nC: A5 LIST \"\" Work\n" OK("A4"),
                     "S: * LIST (\\NoInferiors) \"/\" Work\n" OK("A5")}},
        .play = play_top,
        .told = {{"folder Work / noinferiors\nok\n"}},
        .writable = true,
    };
    scene_run(&top);
    scene_run(&below);
    scene_run(&utf8);
    scene_run(&parent_of_others);
}

static void test_refused(void **state)
{
    static const struct {
        const char *answer, *told;
    } cases[] = {
        {"NO [ALREADYEXISTS] there", "error EEXIST\n"},
        {"NO [NOPERM] no", "error EACCES\n"},
        {"NO [CANNOT] bad name", "error EINVAL\n"},
        {"NO [OVERQUOTA] full", "error EDQUOT\n"},
        {"NO [NONEXISTENT] no parent", "error ENOENT\n"},
        {"NO no", "error EACCES\n"},
        {"BAD no", "error EPROTO\n"},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *answer = g_strdup_printf("S: A3 %s\n", cases[i].answer);
        const Scene scene = {
            .scripts = {{NEW, ASKED_TOP, LOOKED, CREATE, answer}},
            .play = play_top,
            .told = {{cases[i].told}},
            .says = "making folder Work",
            .writable = true,
        };
        scene_run(&scene);
    }
}

static void play_with_delimiter(Bed *bed)
{
    act_create(bed, "Work", "a.b");
}

/* Nothing is asked for that can't be. */
static void test_seen_before(void **state)
{
    (void)state;
    static const Scene there = {
        .scripts = {{NEW, ASKED_TOP, "C: A2 LIST \"\" Work\nS: * LIST () \"/\" Work\n" OK("A2")}},
        .play = play_top,
        .told = {{"error EEXIST\n"}},
        .writable = true,
    };
    static const Scene no_parent = {
        .scripts = {{NEW, "C: A1 LIST \"\" Work\n" OK("A1")}},
        .play = play_below,
        .told = {{"error ENOENT\n"}},
        .writable = true,
    };
    static const Scene no_inferiors = {
        .scripts = {{OLD, "C: A1 LIST \"\" Work\nS: * LIST (\\NoInferiors) \"/\" Work\n" OK("A1")}},
        .play = play_below,
        .told = {{"error EPERM\n"}},
        .writable = true,
    };
    static const Scene flat = {
        .scripts = {{OLD, "C: A1 LIST \"\" Work\nS: * LIST () NIL Work\n" OK("A1")}},
        .play = play_below,
        .told = {{"error EPERM\n"}},
        .writable = true,
    };
    static const Scene with_delimiter = {
        .scripts = {{NEW, "C: A1 LIST \"\" Work\nS: * LIST () \".\" Work\n" OK("A1")}},
        .play = play_with_delimiter,
        .told = {{"error EINVAL\n"}},
        .says = "delimiter .",
        .writable = true,
    };
    static const Scene not_listed = {
        .scripts = {{NEW, "C: A1 LIST \"\" \"\"\nS: A1 NO no\n"}},
        .play = play_top,
        .told = {{"error EACCES\n"}},
        .writable = true,
    };
    scene_run(&there);
    scene_run(&no_parent);
    scene_run(&no_inferiors);
    scene_run(&flat);
    scene_run(&with_delimiter);
    scene_run(&not_listed);
}

static void play_pattern(Bed *bed)
{
    act_create(bed, NULL, "a%b*");
}

/* A name that is a pattern too finds others, which are not meant. */
static void test_pattern(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{NEW, ASKED_TOP, "C: A2 LIST \"\" \"a%b*\"\nS: * LIST () \"/\" axb\n" OK("A2"),
                     "C: A3 CREATE \"a%b*\"\n" OK("A3"),
                     "C: A4 SUBSCRIBE \"a%b*\"\nC: A5 LIST \"\" \"a%b*\"\n" OK("A4"),
                     "S: * LIST (\\NoInferiors) \"/\" axb\n" OK("A5")}},
        .play = play_pattern,
        .told = {{"folder a%b* /\nok\n"}},
        .writable = true,
    };
    scene_run(&scene);
}

static void play_nonsense(Bed *bed)
{
    act_create(bed, NULL, "");
    act_create(bed, NULL, "a\nb");
    act_create(bed, "Work", "\377raw\376");
}

static void test_refused_here(void **state)
{
    (void)state;
    static const Scene nonsense = {
        .scripts = {{NULL}},
        .play = play_nonsense,
        .told = {{"error EINVAL\n"}, {"error EINVAL\n"}, {"error EINVAL\n"}},
        .writable = true,
    };
    static const Scene read_only = {
        .scripts = {{NULL}},
        .play = play_top,
        .told = {{"error EROFS\n"}},
    };
    scene_run(&nonsense);
    scene_run(&read_only);
}

/* Where the answer to CREATE was lost, the folder that is there then may well be ours. */
static void test_lost_answer(void **state)
{
    (void)state;
    static const Scene made = {
        .scripts = {{NEW, ASKED_TOP, LOOKED, CREATE "X:\n"},
                    {NEW, ASKED_TOP, "C: A2 LIST \"\" Work\nS: * LIST () \"/\" Work\n" OK("A2"),
                     "C: A3 SUBSCRIBE Work\nC: A4 LIST \"\" Work\n" OK("A3"),
                     "S: * LIST () \"/\" Work\n" OK("A4")}},
        .play = play_top,
        .told = {{"folder Work /\nok\n"}},
        .writable = true,
        .whole_only = true,
    };
    static const Scene not_made = {
        .scripts = {{NEW, ASKED_TOP, LOOKED, CREATE "X:\n"},
                    {NEW, ASKED_TOP, LOOKED, CREATE OK("A3"), FOLLOWED}},
        .play = play_top,
        .told = {{"folder Work /\nok\n"}},
        .writable = true,
        .whole_only = true,
    };
    scene_run(&made);
    scene_run(&not_made);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_made),         cmocka_unit_test(test_refused),
        cmocka_unit_test(test_seen_before),  cmocka_unit_test(test_pattern),
        cmocka_unit_test(test_refused_here), cmocka_unit_test(test_lost_answer),
    };
    return cmocka_run_group_tests(tests, NULL, scene_clean);
}
