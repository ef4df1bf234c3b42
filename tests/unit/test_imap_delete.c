/* Folders are deleted only where they are empty. */
#include "imap_change_scenes.h"

static void play_delete(Bed *bed)
{
    act_delete(bed, "Work");
}

#define LOOK "C: A1 LIST \"\" Work\nC: A2 STATUS Work (MESSAGES)\n"
#define LISTED(attributes) "S: * LIST (" attributes ") \"/\" Work\n" OK("A1")
#define STATUS(n) "S: * STATUS Work (MESSAGES " n ")\n" OK("A2")
#define CHILDREN "C: A3 LIST \"\" \"Work/%\"\n"
#define DELETE "C: A4 DELETE Work\n"
#define UNSUBSCRIBED "C: A5 UNSUBSCRIBE Work\n" OK("A5")

static void test_deleted(void **state)
{
    (void)state;
    static const Scene plain = {
        .scripts = {{NEW, LOOK, LISTED(""), STATUS("0"), CHILDREN OK("A3"), DELETE OK("A4"),
                     UNSUBSCRIBED}},
        .play = play_delete,
        .told = {{"ok\n"}},
        .writable = true,
    };
    static const Scene flat = {
        .scripts = {{OLD, LOOK, "S: * LIST () NIL Work\n" OK("A1"), STATUS("0"),
                     "C: A3 DELETE Work\n" OK("A3"), "C: A4 UNSUBSCRIBE Work\nS: A4 NO no\n"}},
        .play = play_delete,
        .told = {{"ok\n"}},
        .writable = true,
    };
    static const Scene no_select = {
        .scripts = {{NEW, LOOK, LISTED("\\Noselect"), "S: A2 NO it has none\n", CHILDREN OK("A3"),
                     DELETE OK("A4"), UNSUBSCRIBED}},
        .play = play_delete,
        .told = {{"ok\n"}},
        .writable = true,
    };
    scene_run(&plain);
    scene_run(&flat);
    scene_run(&no_select);
}

static void test_not_empty(void **state)
{
    static const struct {
        const char *script, *told, *says;
    } cases[] = {
        {LOOK LISTED("") STATUS("1"), "error ENOTEMPTY\n", "messages"},
        {LOOK LISTED("") STATUS("0") CHILDREN "S: * LIST () \"/\" Work/a\n" OK("A3"),
         "error ENOTEMPTY\n", "others below it"},
        {LOOK LISTED("") STATUS("0") CHILDREN "S: * LIST (\\NonExistent) \"/\" Work/a\n" OK("A3"),
         "error ENOTEMPTY\n", "others below it"},
        {LOOK LISTED("") STATUS("0") CHILDREN "S: A3 NO no\n", "error EACCES\n", NULL},
        /* What does not tell is not taken for empty. */
        {LOOK LISTED("") "S: A2 NO no\n", "error EACCES\n", NULL},
        {LOOK LISTED("") OK("A2"), "error EACCES\n", NULL},
        {LOOK LISTED("") "S: * STATUS Work (UNSEEN 0)\n" OK("A2"), "error EACCES\n", NULL},
        {LOOK LISTED("") "S: * STATUS Work (MESSAGES NIL)\n" OK("A2"), "error EACCES\n", NULL},
        {LOOK OK("A1") "S: A2 NO no\n", "error ENOENT\n", NULL},
        {LOOK "S: * LIST () \"/\" work\n" OK("A1") "S: A2 NO no\n", "error ENOENT\n", NULL},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const Scene scene = {
            .scripts = {{NEW, cases[i].script}},
            .play = play_delete,
            .told = {{cases[i].told}},
            .says = cases[i].says,
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
        {"NO [HASCHILDREN] no", "error ENOTEMPTY\n"}, {"NO [INUSE] no", "error EBUSY\n"},
        {"NO [NOPERM] no", "error EACCES\n"},         {"NO [NONEXISTENT] no", "error ENOENT\n"},
        {"NO [CANNOT] no", "error EINVAL\n"},         {"NO no", "error EACCES\n"},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *answer = g_strdup_printf("S: A4 %s\n", cases[i].answer);
        const Scene scene = {
            .scripts = {{NEW, LOOK, LISTED(""), STATUS("0"), CHILDREN OK("A3"), DELETE, answer}},
            .play = play_delete,
            .told = {{cases[i].told}},
            .says = "deleting folder Work",
            .writable = true,
        };
        scene_run(&scene);
    }
}

/* --- folders that are open ---------------------------------------------------------------------
 */

static void play_open(Bed *bed)
{
    act_sync(bed, "Work", (MailFolderState){.uidvalidity = 7, .uidnext = 1});
    if (bed_run(bed))
        play_delete(bed);
}

#define SYNCED                                                       \
    "C: A1 EXAMINE Work\nS: * 0 EXISTS\nS: * OK [UIDVALIDITY 7] x\n" \
    "S: * OK [UIDNEXT 1] x\n" OK("A1")
#define LOOKED(leave, left)                                                      \
    "C: A2 " leave "\nC: A3 LIST \"\" Work\nC: A4 STATUS Work (MESSAGES)\n" left \
    "S: * LIST () \"/\" Work\n" OK("A3") "S: * STATUS Work (MESSAGES 0)\n" OK(   \
        "A4") "C: A5 LIST \"\" \"Work/%\"\n" OK("A5")
#define UNSELECTED LOOKED("UNSELECT", OK("A2"))
#define DELETED "C: A6 DELETE Work\n" OK("A6") "C: A7 UNSUBSCRIBE Work\n" OK("A7")
#define TOLD_SYNC "present\nstate 7 uidnext 1 modseq 0 count 0\nok\n"

/* It is left before its messages are counted, and nothing expunged with it. */
static void test_left_first(void **state)
{
    (void)state;
    static const Scene unselect = {
        .scripts = {{PREAUTH("IMAP4rev1 UNSELECT"), SYNCED, UNSELECTED, DELETED}},
        .play = play_open,
        .told = {{TOLD_SYNC}, {"ok\n"}},
        .writable = true,
        .served_once = true,
    };
    static const Scene inbox_instead = {
        .scripts = {{OLD, SYNCED, LOOKED("EXAMINE INBOX", SELECTED_AS("A2", "3", "READ-ONLY")),
                     DELETED}},
        .play = play_open,
        .told = {{TOLD_SYNC}, {"ok\n"}},
        .writable = true,
        .served_once = true,
    };
    scene_run(&unselect);
    scene_run(&inbox_instead);
}

static void play_made_again(Bed *bed)
{
    play_open(bed);
    if (bed_run(bed))
        act_sync(bed, "Work", (MailFolderState){.uidvalidity = 7, .uidnext = 1});
}

/* One that is made again is another one, and is opened anew. */
static void test_made_again(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{PREAUTH("IMAP4rev1 UNSELECT"), SYNCED, UNSELECTED, DELETED,
                     "C: A8 EXAMINE Work\nS: * 0 EXISTS\nS: * OK [UIDVALIDITY 8] x\n" OK("A8")}},
        .play = play_made_again,
        .told = {{TOLD_SYNC}, {"ok\n"}, {"reset 8\nstate 8 uidnext 1 modseq 0 count 0\nok\n"}},
        .writable = true,
        .whole_only = true,
    };
    scene_run(&scene);
}

/* --- the rest ----------------------------------------------------------------------------------
 */

static void play_inbox(Bed *bed)
{
    act_delete(bed, "INBOX");
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
        .play = play_delete,
        .told = {{"error EROFS\n"}},
    };
    scene_run(&inbox);
    scene_run(&read_only);
}

static void test_lost_answer(void **state)
{
    (void)state;
    static const Scene deleted = {
        .scripts = {{NEW, LOOK, LISTED(""), STATUS("0"), CHILDREN OK("A3"), DELETE "X:\n"},
                    {NEW, LOOK, OK("A1"), "S: A2 NO [NONEXISTENT] no\n",
                     "C: A3 UNSUBSCRIBE Work\n" OK("A3")}},
        .play = play_delete,
        .told = {{"ok\n"}},
        .writable = true,
        .whole_only = true,
    };
    static const Scene not_empty_any_more = {
        .scripts = {{NEW, LOOK, LISTED(""), STATUS("0"), CHILDREN OK("A3"), DELETE "X:\n"},
                    {NEW, LOOK, LISTED(""), STATUS("1")}},
        .play = play_delete,
        .told = {{"error ENOTEMPTY\n"}},
        .writable = true,
        .whole_only = true,
    };
    scene_run(&deleted);
    scene_run(&not_empty_any_more);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deleted),     cmocka_unit_test(test_not_empty),
        cmocka_unit_test(test_refused),     cmocka_unit_test(test_left_first),
        cmocka_unit_test(test_made_again),  cmocka_unit_test(test_refused_here),
        cmocka_unit_test(test_lost_answer),
    };
    return cmocka_run_group_tests(tests, NULL, scene_clean);
}
