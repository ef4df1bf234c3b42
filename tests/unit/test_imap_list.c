#include "../../imapclient/limits.h"
#include "imap_scene.h"

static void play_list(Bed *bed)
{
    act_list(bed);
}

#define LIST_ALL "C: A1 LIST \"\" \"*\"\n"
#define LISTED PREAUTH("IMAP4rev1") LIST_ALL
#define DONE "S: A1 OK done\n"

static void test_delimiters(void **state)
{
    (void)state;
    static const Scene slash = {
        .scripts = {{LISTED,
                     "S: * LIST (\\HasChildren) \"/\" INBOX\n"
                     "S: * LIST () \"/\" INBOX/Work\n",
                     DONE}},
        .play = play_list,
        .told = {{"folder INBOX /\n"
                  "folder INBOX/Work /\n"
                  "ok\n"}},
    };
    static const Scene dot = {
        .scripts = {{LISTED,
                     "S: * LIST () \".\" INBOX\n"
                     "S: * LIST () \".\" \"INBOX.a/b\"\n",
                     DONE}},
        .play = play_list,
        .told = {{"folder INBOX .\n"
                  "folder INBOX.a/b .\n"
                  "ok\n"}},
    };
    static const Scene nil = {
        .scripts = {{LISTED,
                     "S: * LIST () NIL INBOX\n"
                     "S: * LIST () nil a.b/c\n",
                     DONE}},
        .play = play_list,
        .told = {{"folder INBOX 0\n"
                  "folder a.b/c 0\n"
                  "ok\n"}},
    };
    static const Scene backslash = {
        .scripts = {{LISTED,
                     "S: * LIST () \"\\\\\" inbox\n"
                     "S: * LIST () \"\\\\\" \"a\\\\b\"\n"
                     "S: * LIST () \"ab\" two\n"
                     "S: * LIST () \"\" none\n",
                     DONE}},
        .play = play_list,
        .told = {{"folder INBOX \\\n"
                  "folder a\\\\b \\\n"
                  "folder two 0\n"
                  "folder none 0\n"
                  "ok\n"}},
    };
    scene_run(&slash);
    scene_run(&dot);
    scene_run(&nil);
    scene_run(&backslash);
}

static void test_attributes(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{LISTED,
                     "S: * LIST (\\Noselect \\HasChildren) \"/\" Lists\n"
                     "S: * LIST (\\nonexistent) \"/\" Lists/old\n"
                     "S: * LIST (\\NOINFERIORS \\Marked) \"/\" INBOX\n"
                     "S: * LIST (\\UnMarked \\Trash) \"/\" Deleted (\"CHILDINFO\" (\"X\"))\n"
                     "S: * LIST NIL \"/\" none\n",
                     DONE}},
        .play = play_list,
        .told = {{"folder Lists / noselect\n"
                  "folder Lists/old / noselect nonexistent\n"
                  "folder INBOX / noinferiors\n"
                  "folder Deleted / trash\n"
                  "folder none /\n"
                  "ok\n"}},
    };
    scene_run(&scene);
}

/* As atoms, quoted strings and literals; some with all that a name may have. */
static void test_forms_of_names(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{LISTED,
                     "S: * LIST () \"/\" a]b\n"
                     "S: * LIST () \"/\" \"b c\\\"d\\\\e\"\n"
                     "S: * LIST () \"/\" {5}\n"
                     "S: lit 1\n"
                     "S: * LIST () \"/\" {8}\n"
                     "R: two\\nli\\tn\n"
                     "S: \n"
                     "S: * LIST () \"/\" {3}\n"
                     "R: \\033[2\n"
                     "S: \n"
                     "S: * LIST () \"/\" 12\n",
                     DONE}},
        .play = play_list,
        .told = {{"folder a]b /\n"
                  "folder b c\\\"d\\\\e /\n"
                  "folder lit 1 /\n"
                  "folder \\377two\\nli\\tn\\376 /\n"
                  "folder \\377\\033[2\\376 /\n"
                  "folder 12 /\n"
                  "folder INBOX 0\n"
                  "ok\n"}},
    };
    scene_run(&scene);
}

static void test_modified_utf7(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{LISTED,
                     "S: * LIST () \"/\" \"Entw&APw-rfe/&ZeVnLIqe-\"\n"
                     "S: * LIST () \"/\" \"Q&-A\"\n",
                     DONE}},
        .play = play_list,
        .told = {{"folder Entw\\303\\274rfe/\\346\\227\\245\\346\\234\\254\\350\\252\\236 /\n"
                  "folder Q&A /\n"
                  "folder INBOX 0\n"
                  "ok\n"}},
    };
    /* Broken ones, and one that could be shorter, are told apart from what they seem to say. */
    static const Scene broken = {
        .scripts = {{LISTED,
                     "S: * LIST () \"/\" \"x/&AOQ\"\n"
                     "S: * LIST () \"/\" \"&A-\"\n"
                     "S: * LIST () \"/\" \"&AEE-\"\n"
                     "S: * LIST () \"/\" A\n"
                     "S: * LIST () \"/\" {2}\n"
                     "R: \\303\\244\n"
                     "S: \n",
                     DONE}},
        .play = play_list,
        .told = {{"folder x/\\377&AOQ\\376 /\n"
                  "folder \\377&A-\\376 /\n"
                  "folder \\377&AEE-\\376 /\n"
                  "folder A /\n"
                  "folder \\377\\303\\244\\376 /\n"
                  "folder INBOX 0\n"
                  "ok\n"}},
    };
    scene_run(&scene);
    scene_run(&broken);
}

#define UTF8                                \
    PREAUTH("IMAP4rev1 ENABLE UTF8=ACCEPT") \
    "C: A1 ENABLE UTF8=ACCEPT\nS: * ENABLED UTF8=ACCEPT\nS: A1 OK done\n"

static void play_list_and_open(Bed *bed)
{
    act_list(bed);
    if (bed_run(bed))
        act_sync(bed, "Entw\303\274rfe", (MailFolderState){0});
}

static void test_utf8(void **state)
{
    (void)state;
    static const Scene enabled = {
        .scripts = {{UTF8, "C: A2 LIST \"\" \"*\"\n"
                           "R: * LIST () \"/\" \"Entw\\303\\274rfe\"\\r\\n\n"
                           "S: * LIST () \"/\" \"&AOQ-\"\n"
                           "S: A2 OK done\n"
                           "C: A3 EXAMINE \"Entw\303\274rfe\"\n"
                           "C: A4 UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE)\n"
                           "S: * 0 EXISTS\n"
                           "S: A3 OK done\n"
                           "S: A4 OK done\n"}},
        .play = play_list_and_open,
        .told = {{"folder Entw\\303\\274rfe /\n"
                  "folder &AOQ- /\n"
                  "folder INBOX 0\n"
                  "ok\n"},
                 {"reset 0\n"
                  "state 0 uidnext 1 modseq 0 count 0\n"
                  "ok\n"}},
    };
    static const Scene rev2_alone = {
        .scripts = {{PREAUTH("IMAP4rev2"), "C: A1 NAMESPACE\n"
                                           "C: A2 LIST \"\" \"*\"\n"
                                           "S: * NAMESPACE ((\"\" \"/\")) NIL NIL\n"
                                           "S: A1 OK done\n"
                                           "R: * LIST () \"/\" \"Entw\\303\\274rfe\"\\r\\n\n"
                                           "S: A2 OK done\n"
                                           "C: A3 EXAMINE \"Entw\303\274rfe\"\n"
                                           "C: A4 UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE)\n"
                                           "S: * 0 EXISTS\n"
                                           "S: A3 OK done\n"
                                           "S: A4 OK done\n"}},
        .play = play_list_and_open,
        .told = {{"folder Entw\\303\\274rfe /\n"
                  "folder INBOX 0\n"
                  "ok\n"},
                 {"reset 0\n"
                  "state 0 uidnext 1 modseq 0 count 0\n"
                  "ok\n"}},
    };
    static const Scene neither = {
        .scripts = {{LISTED, "S: * LIST () \"/\" \"Entw&APw-rfe\"\n", DONE,
                     "C: A2 EXAMINE Entw&APw-rfe\n"
                     "C: A3 UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE)\n"
                     "S: * 0 EXISTS\n"
                     "S: A2 OK done\n"
                     "S: A3 OK done\n"}},
        .play = play_list_and_open,
        .told = {{"folder Entw\\303\\274rfe /\n"
                  "folder INBOX 0\n"
                  "ok\n"},
                 {"reset 0\n"
                  "state 0 uidnext 1 modseq 0 count 0\n"
                  "ok\n"}},
    };
    scene_run(&enabled);
    scene_run(&rev2_alone);
    scene_run(&neither);
}

/* They are only names here; who makes files of them sees to it that they stay inside. */
static void test_hostile_names(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{LISTED,
                     "S: * LIST () \"/\" ../../etc/passwd\n"
                     "S: * LIST () \"/\" /\n"
                     "S: * LIST () \"/\" \"\"\n"
                     "S: * LIST () \"/\" NIL\n"
                     "S: * LIST ()\n"
                     "S: * LIST\n"
                     "S: * LIST () \"/\" (a)\n"
                     "S: * LIST \"/\" () b\n"
                     "S: * LIST () \"/\" {4}\n"
                     "R: \\377a\\376b\n"
                     "S: \n",
                     DONE}},
        .play = play_list,
        .told = {{"folder ../../etc/passwd /\n"
                  "folder / /\n"
                  "folder b 0\n"
                  "folder INBOX 0\n"
                  "ok\n"}},
    };
    scene_run(&scene);
}

static void test_each_once(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{LISTED,
                     "S: * LIST () \"/\" a\n"
                     "S: * NO mailbox lock\n"
                     "S: * LIST () \"/\" \"a\"\n"
                     "S: * LSUB () \"/\" c\n"
                     "S: * 3 EXISTS\n"
                     "S: * LIST () \"/\" inBox\n"
                     "S: * LIST () \"/\" INBOX\n",
                     DONE}},
        .play = play_list,
        .told = {{"folder a /\n"
                  "folder INBOX /\n"
                  "ok\n"}},
    };
    scene_run(&scene);
}

static void test_refused(void **state)
{
    (void)state;
    static const Scene no = {
        .scripts = {{LISTED, "S: * LIST () \"/\" a\n"
                             "S: A1 NO not now\n"}},
        .play = play_list,
        .told = {{"folder a /\n"
                  "error EREMOTEIO\n"}},
        .says = "listing folders: the server answered NO: not now",
    };
    static const Scene bad = {.scripts = {{LISTED, "S: A1 BAD what?\n"}},
                              .play = play_list,
                              .told = {{"error EPROTO\n"}}};
    scene_run(&no);
    scene_run(&bad);
}

/* --- namespaces ------------------------------------------------------------------------------ */

#define NAMESPACES PREAUTH("IMAP4rev1 NAMESPACE") "C: A1 NAMESPACE\nC: A2 LIST \"\" \"*\"\n"

static void test_namespaces(void **state)
{
    (void)state;
    static const Scene shown = {
        .scripts = {{NAMESPACES, "S: * NAMESPACE ((\"\" \"/\")) ((\"Other/\" \"/\")) NIL\n"
                                 "S: A1 OK done\n"
                                 "S: * LIST () \"/\" INBOX\n"
                                 "S: * LIST () \"/\" Other/ben\n"
                                 "S: A2 OK done\n"}},
        .play = play_list,
        .told = {{"folder INBOX /\n"
                  "folder Other/ben /\n"
                  "ok\n"}},
    };
    static const Scene hidden = {
        .scripts = {{NAMESPACES,
                     "S: * NAMESPACE ((\"INBOX.\" \".\")) ((\"~\" \"/\")(\"x*\" \"/\")) "
                     "((\"#shared/\" \"/\" \"X-PARAM\" (\"a\" \"b\"))(\"\" \"/\") x)\n"
                     "S: A1 OK done\n"
                     "S: * LIST () \".\" INBOX\n"
                     "S: A2 OK done\n"
                     "C: A3 LIST \"\" \"~*\"\n"
                     "C: A4 LIST \"\" \"#shared/*\"\n"
                     "S: * LIST () \"/\" ~ben\n"
                     "S: A3 OK done\n"
                     "S: * LIST () \"/\" \"#shared/news\"\n"
                     "S: A4 OK done\n"}},
        .play = play_list,
        .told = {{"folder INBOX .\n"
                  "folder ~ben /\n"
                  "folder #shared/news /\n"
                  "ok\n"}},
    };
    static const Scene refused = {
        .scripts = {{NAMESPACES, "S: A1 NO no namespaces\n"
                                 "S: * LIST () \"/\" INBOX\n"
                                 "S: A2 OK done\n"}},
        .play = play_list,
        .told = {{"folder INBOX /\n"
                  "ok\n"}},
    };
    static const Scene others_refused = {
        .scripts = {{NAMESPACES, "S: * NAMESPACE NIL ((\"~\" \"/\")) NIL\n"
                                 "S: A1 OK done\n"
                                 "S: * LIST () \"/\" INBOX\n"
                                 "S: A2 OK done\n"
                                 "C: A3 LIST \"\" \"~*\"\n"
                                 "S: A3 NO [NOPERM] not for you\n"}},
        .play = play_list,
        .told = {{"folder INBOX /\n"
                  "error EACCES\n"}},
    };
    scene_run(&shown);
    scene_run(&hidden);
    scene_run(&refused);
    scene_run(&others_refused);
}

static void play_cancelled(Bed *bed)
{
    Act *act = act_list(bed);
    if (!bed_run_to_wait(bed))
        return;
    act_cancel(act);
    script_go_on(&bed->server);
    bed_settle(bed); /* all of it is thrown away */
    act_list(bed);
}

static void test_cancelled(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{NAMESPACES, "W:\n"
                                 "S: * NAMESPACE NIL ((\"~\" \"/\")) NIL\n"
                                 "S: A1 OK done\n"
                                 "S: * LIST () \"/\" a\n"
                                 "S: A2 OK done\n"
                                 "C: A3 NAMESPACE\n"
                                 "C: A4 LIST \"\" \"*\"\n"
                                 "S: A3 OK done\n"
                                 "S: * LIST () \"/\" b\n"
                                 "S: A4 OK done\n"}},
        .play = play_cancelled,
        .told = {{NULL},
                 {"folder b /\n"
                  "folder INBOX 0\n"
                  "ok\n"}},
        .whole_only = true,
    };
    scene_run(&scene);
}

/* --- floods ---------------------------------------------------------------------------------- */

static size_t flood_told;

static void count_folder(gpointer data, const MailFolderInfo *folder)
{
    (void)data;
    flood_told += strlen(folder->name);
}

static void play_flood(Bed *bed)
{
    Act *act = act_new(bed);
    act->op = mail_store_list(bed->store, count_folder, act_done, act);
}

/* Large names, and so many of them that all of memory would be theirs. */
static void test_flood_of_names(void **state)
{
    enum { LONG = IMAP_MAX_NAME };
    enum { FOLDERS = IMAP_MAX_NAMES / LONG + 1000 };
    g_autoptr(GString) script = g_string_new(LISTED);
    g_autofree char *filler = g_strnfill(LONG - 10, 'x');
    g_autofree char *too_long = g_strnfill(IMAP_MAX_NAME + 1, 'y');

    (void)state;
    for (int i = 0; i < FOLDERS; i++)
        g_string_append_printf(script, "S: * LIST () \"/\" %d%s\nS: * LIST () \"/\" %s\n", i,
                               filler, too_long);
    g_string_append(script, DONE);
    const Scene scene = {
        .scripts = {{script->str}}, .play = play_flood, .told = {{"ok\n"}}, .whole_only = true};
    flood_told = 0;
    scene_run(&scene);
    assert_in_range(flood_told, IMAP_MAX_NAMES / 2, IMAP_MAX_NAMES + 5);
}

static void test_flood_of_namespaces(void **state)
{
    g_autoptr(GString) script = g_string_new(NAMESPACES);

    (void)state;
    for (int i = 0; i < 2 * IMAP_MAX_NAMESPACES; i++)
        g_string_append_printf(script, "S: * NAMESPACE NIL ((\"%d/\" \"/\")) NIL\n", i);
    g_string_append(script, "S: A1 OK done\nS: A2 OK done\n");
    for (int i = 0; i < IMAP_MAX_NAMESPACES; i++)
        g_string_append_printf(script, "C: A%d LIST \"\" \"%d/*\"\nS: A%d OK done\n", i + 3, i,
                               i + 3);
    const Scene scene = {.scripts = {{script->str}},
                         .play = play_list,
                         .told = {{"folder INBOX 0\n"
                                   "ok\n"}},
                         .whole_only = true};
    scene_run(&scene);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delimiters),     cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_forms_of_names), cmocka_unit_test(test_modified_utf7),
        cmocka_unit_test(test_utf8),           cmocka_unit_test(test_hostile_names),
        cmocka_unit_test(test_each_once),      cmocka_unit_test(test_refused),
        cmocka_unit_test(test_namespaces),     cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_flood_of_names), cmocka_unit_test(test_flood_of_namespaces),
    };
    return cmocka_run_group_tests(tests, NULL, scene_clean);
}
