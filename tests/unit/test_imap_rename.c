/* Folders are renamed with all below them, and with their subscriptions. */
#include "imap_change_scenes.h"

static void play_top(Bed *bed)
{
    act_rename(bed, "Old", NULL, "New");
}

static void play_below(Bed *bed)
{
    act_rename(bed, "Old", "Work", "New");
}

#define LOOK "C: A1 LIST \"\" Old\nC: A2 LIST \"\" \"\"\n"
#define LISTED "S: * LIST () \"/\" Old\n" OK("A1") "S: * LIST (\\Noselect) \"/\" \"\"\n" OK("A2")
#define LOOK_NEW "C: A3 LIST \"\" New\nC: A4 LSUB \"\" Old\nC: A5 LSUB \"\" \"Old/*\"\n"
#define NOT_SUBSCRIBED OK("A3") OK("A4") OK("A5")
#define RENAME "C: A6 RENAME Old New\n"
#define LISTED_NEW(tag) "C: " tag " LIST \"\" New\nS: * LIST (\\HasChildren) \"/\" New\n" OK(tag)

static void test_renamed(void **state)
{
    (void)state;
    static const Scene plain = {
        .scripts = {{NEW, LOOK, LISTED, LOOK_NEW, NOT_SUBSCRIBED, RENAME OK("A6"),
                     LISTED_NEW("A7")}},
        .play = play_top,
        .told = {{"folder New /\nok\n"}},
        .writable = true,
    };
    static const Scene subscribed = {
        .scripts =
            {{NEW, LOOK, LISTED, LOOK_NEW,
              OK("A3") "S: * LSUB () \"/\" Old\n" OK(
                  "A4") "S: * LSUB () \"/\" \"Old/a b\"\nS: * LSUB () \"/\" Older\n" OK("A5"),
              RENAME OK("A6"),
              "C: A7 UNSUBSCRIBE Old\nC: A8 SUBSCRIBE New\n"
              "C: A9 UNSUBSCRIBE \"Old/a b\"\nC: A10 SUBSCRIBE \"New/a b\"\n"
              "C: A11 LIST \"\" New\n",
              OK("A7") OK("A8") "S: A9 NO no\n" OK("A10") OK("A11")}},
        .play = play_top,
        .told = {{"folder New /\nok\n"}},
        .writable = true,
    };
    static const Scene rev2 = {
        .scripts = {{PREAUTH("IMAP4rev2"), LOOK, LISTED,
                     "C: A3 LIST \"\" New\n"
                     "C: A4 LIST (SUBSCRIBED) \"\" Old\nC: A5 LIST (SUBSCRIBED) \"\" \"Old/*\"\n",
                     OK("A3") "S: * LIST (\\Subscribed) \"/\" Old\n" OK("A4") OK("A5"),
                     RENAME OK("A6"),
                     "C: A7 UNSUBSCRIBE Old\nC: A8 SUBSCRIBE New\nC: A9 LIST \"\" New\n",
                     OK("A7") OK("A8") OK("A9")}},
        .play = play_top,
        .told = {{"folder New /\nok\n"}},
        .writable = true,
    };
    /* To where the server has another delimiter. */
    static const Scene delimiters = {
        .scripts = {{NEW, "C: A1 LIST \"\" Old\nC: A2 LIST \"\" Work\n",
                     "S: * LIST () \"/\" Old\n" OK("A1") "S: * LIST () \".\" Work\n" OK("A2"),
                     "C: A3 LIST \"\" Work.New\nC: A4 LSUB \"\" Old\nC: A5 LSUB \"\" \"Old/*\"\n",
                     OK("A3") OK("A4") "S: * LSUB () \"/\" Old/a/b\n" OK("A5"),
                     "C: A6 RENAME Old Work.New\n" OK("A6"),
                     "C: A7 UNSUBSCRIBE Old/a/b\nC: A8 SUBSCRIBE Work.New.a.b\n"
                     "C: A9 LIST \"\" Work.New\n",
                     OK("A7") OK("A8") OK("A9")}},
        .play = play_below,
        .told = {{"folder Work.New .\nok\n"}},
        .writable = true,
    };
    scene_run(&plain);
    scene_run(&subscribed);
    scene_run(&rev2);
    scene_run(&delimiters);
}

static void play_below_itself(Bed *bed)
{
    act_rename(bed, "Work", "Work/a", "b");
}

static void play_same(Bed *bed)
{
    act_rename(bed, "Old", NULL, "Old");
}

static void play_with_delimiter(Bed *bed)
{
    act_rename(bed, "Old", NULL, "a/b");
}

static void test_seen_before(void **state)
{
    static const struct {
        void (*play)(Bed *bed);
        const char *script, *told;
    } cases[] = {
        {play_top, LOOK OK("A1") "S: * LIST () \"/\" \"\"\n" OK("A2") LOOK_NEW NOT_SUBSCRIBED,
         "error ENOENT\n"},
        {play_top, LOOK LISTED LOOK_NEW "S: * LIST () \"/\" New\n" NOT_SUBSCRIBED,
         "error EEXIST\n"},
        {play_below_itself,
         "C: A1 LIST \"\" Work\nC: A2 LIST \"\" Work/a\nS: * LIST () \"/\" Work\n" OK(
             "A1") "S: * LIST () \"/\" Work/a\n" OK("A2"),
         "error EINVAL\n"},
        {play_same, LOOK LISTED, "error EINVAL\n"},
        {play_with_delimiter, LOOK LISTED, "error EINVAL\n"},
        {play_below,
         "C: A1 LIST \"\" Old\nC: A2 LIST \"\" Work\nS: * LIST () \"/\" Old\n" OK("A1") OK("A2"),
         "error ENOENT\n"},
        {play_below,
         "C: A1 LIST \"\" Old\nC: A2 LIST \"\" Work\nS: * LIST () \"/\" Old\n" OK(
             "A1") "S: * LIST (\\NoInferiors) \"/\" Work\n" OK("A2"),
         "error EPERM\n"},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const Scene scene = {
            .scripts = {{NEW, cases[i].script}},
            .play = cases[i].play,
            .told = {{cases[i].told}},
            .writable = true,
        };
        scene_run(&scene);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *answer, *told;
    } cases[] = {
        {"NO [ALREADYEXISTS] there", "error EEXIST\n"}, {"NO [NOPERM] no", "error EACCES\n"},
        {"NO [CANNOT] no", "error EINVAL\n"},           {"NO [INUSE] no", "error EBUSY\n"},
        {"NO [NONEXISTENT] no", "error ENOENT\n"},      {"NO no", "error EACCES\n"},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *answer = g_strdup_printf("S: A6 %s\n", cases[i].answer);
        const Scene scene = {
            .scripts = {{NEW, LOOK, LISTED, LOOK_NEW, NOT_SUBSCRIBED, RENAME, answer}},
            .play = play_top,
            .told = {{cases[i].told}},
            .says = "renaming folder Old",
            .writable = true,
        };
        scene_run(&scene);
    }
}

static void play_inbox(Bed *bed)
{
    act_rename(bed, "INBOX", NULL, "New");
}

static void test_refused_here(void **state)
{
    (void)state;
    static const Scene inbox = {
        .scripts = {{NULL}},
        .play = play_inbox,
        .told = {{"error EPERM\n"}},
        .writable = true,
    };
    static const Scene read_only = {
        .scripts = {{NULL}},
        .play = play_top,
        .told = {{"error EROFS\n"}},
    };
    scene_run(&inbox);
    scene_run(&read_only);
}

/* Where the answer was lost: what has the new name then, and the old one is gone, was renamed. */
static void test_lost_answer(void **state)
{
    (void)state;
    static const Scene renamed = {
        .scripts = {{NEW, LOOK, LISTED, LOOK_NEW, NOT_SUBSCRIBED, RENAME "X:\n"},
                    {NEW, LOOK, OK("A1") "S: * LIST (\\Noselect) \"/\" \"\"\n" OK("A2"), LOOK_NEW,
                     "S: * LIST () \"/\" New\n" OK("A3")
                         OK("A4") "S: * LSUB () \"/\" Old/a\n" OK("A5"),
                     "C: A6 UNSUBSCRIBE Old/a\nC: A7 SUBSCRIBE New/a\nC: A8 LIST \"\" New\n",
                     OK("A6") OK("A7") OK("A8")}},
        .play = play_top,
        .told = {{"folder New /\nok\n"}},
        .writable = true,
        .whole_only = true,
    };
    static const Scene not_renamed = {
        .scripts = {{NEW, LOOK, LISTED, LOOK_NEW, NOT_SUBSCRIBED, RENAME "X:\n"},
                    {NEW, LOOK, LISTED, LOOK_NEW, NOT_SUBSCRIBED, RENAME OK("A6"),
                     LISTED_NEW("A7")}},
        .play = play_top,
        .told = {{"folder New /\nok\n"}},
        .writable = true,
        .whole_only = true,
    };
    scene_run(&renamed);
    scene_run(&not_renamed);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_renamed),     cmocka_unit_test(test_seen_before),
        cmocka_unit_test(test_refused),     cmocka_unit_test(test_refused_here),
        cmocka_unit_test(test_lost_answer),
    };
    return cmocka_run_group_tests(tests, NULL, scene_clean);
}
