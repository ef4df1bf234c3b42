/* APPEND: the exact bytes, in pieces, and what is known where the answer is lost. */
#include "imap_change_scenes.h"

#include <sys/mman.h>

#define TEXT "Subject: a\r\n\r\nhello\r\n"
#define SENT_TEXT "C: Subject: a\nC: \nC: hello\nC: \n"

static Act *append(Bed *bed, const char *folder, const char *text, MailAppend how)
{
    g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));

    how.folder = folder;
    how.flags = how.flags ? how.flags : "";
    how.bytes = bytes;
    how.fd = -1;
    return act_append(bed, how);
}

static void play_plain(Bed *bed)
{
    append(bed, "Work", TEXT, (MailAppend){0});
}

static void play_with_all(Bed *bed)
{
    append(bed, "Work", TEXT,
           (MailAppend){.flags = "\\Seen $Label1 \\seen",
                        .has_date = true,
                        .date = 1006457107 /* 22-Nov-2001 19:25:07 */});
}

static void test_literals(void **state)
{
    (void)state;
    static const Scene plus = {
        .scripts = {{NEW,
                     "C: A1 APPEND Work (\\Seen $Label1) \"22-Nov-2001 19:25:07 +0000\" {21+}\n",
                     SENT_TEXT, "S: A1 OK [APPENDUID 38505 3955] done\n"}},
        .play = play_with_all,
        .told = {{"appended 38505 3955\nok\n"}},
        .writable = true,
    };
    static const Scene minus = {
        .scripts = {{PREAUTH("IMAP4rev2"), "C: A1 APPEND Work {21+}\n", SENT_TEXT,
                     "S: * 3 EXISTS\nS: A1 OK [APPENDUID 38505 3955] done\n"}},
        .play = play_plain,
        .told = {{"appended 38505 3955\nok\n"}},
        .writable = true,
    };
    static const Scene asked_for = {
        .scripts = {{OLD, "C: A1 APPEND Work {21}\nS: + go ahead\n", SENT_TEXT, OK("A1")}},
        .play = play_plain,
        .told = {{"appended 0 0\nok\n"}},
        .writable = true,
    };
    static const Scene strange_code = {
        .scripts = {{NEW, "C: A1 APPEND Work {21+}\n", SENT_TEXT,
                     "S: A1 OK [APPENDUID 0 4294967296] done\n"}},
        .play = play_plain,
        .told = {{"appended 0 0\nok\n"}},
        .writable = true,
    };
    scene_run(&plus);
    scene_run(&minus);
    scene_run(&asked_for);
    scene_run(&strange_code);
}

static void play_dates(Bed *bed)
{
    append(bed, "Entw\303\274rfe", TEXT, (MailAppend){.has_date = true, .date = 0});
    append(bed, "a b", TEXT, (MailAppend){.has_date = true, .date = 253402300800});
}

/* Dates that the protocol can't have are left out; several follow each other at once. */
static void test_dates_and_names(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{NEW,
                     "C: A1 APPEND Entw&APw-rfe \"01-Jan-1970 00:00:00 +0000\" {21+}\n" SENT_TEXT,
                     "C: A2 APPEND \"a b\" {21+}\n" SENT_TEXT,
                     "S: A1 OK [APPENDUID 1 2] done\nS: A2 OK [APPENDUID 3 4] done\n"}},
        .play = play_dates,
        .told = {{"appended 1 2\nok\n"}, {"appended 3 4\nok\n"}},
        .writable = true,
        .served_once = true,
    };
    scene_run(&scene);
}

/* --- refusals ----------------------------------------------------------------------------------
 */

static void test_refused(void **state)
{
    static const struct {
        const char *answer, *told;
    } cases[] = {
        {"NO [TRYCREATE] no such folder", "error ENOENT\n"},
        {"NO [OVERQUOTA] full", "error EDQUOT\n"},
        {"NO [LIMIT] too many", "error EFBIG\n"},
        {"NO [TOOBIG] no", "error EFBIG\n"},
        {"NO no", "error EACCES\n"},
        {"NO [READ-ONLY] no", "error EROFS\n"},
        {"BAD what?", "error EPROTO\n"},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *answer = g_strdup_printf("S: A1 %s\n", cases[i].answer);
        const Scene asked_for = {
            .scripts = {{OLD, "C: A1 APPEND Work {21}\n", answer}},
            .play = play_plain,
            .told = {{cases[i].told}},
            .says = "storing a message in Work",
            .writable = true,
        };
        const Scene sent = {
            .scripts = {{NEW, "C: A1 APPEND Work {21+}\n", SENT_TEXT, answer}},
            .play = play_plain,
            .told = {{cases[i].told}},
            .writable = true,
        };
        scene_run(&asked_for);
        scene_run(&sent);
    }
}

static void play_refused_here(Bed *bed)
{
    append(bed, "Work", "", (MailAppend){0});
    append(bed, "Work", TEXT, (MailAppend){.flags = "\\Recent"});
    append(bed, "Work", TEXT, (MailAppend){.flags = "a)"});
    act_append(bed, (MailAppend){.folder = "Work", .flags = "", .size = 21, .fd = -1});
}

static void play_read_only(Bed *bed)
{
    append(bed, "Work", TEXT, (MailAppend){0});
    act_find(bed, (MailFind){.folder = "Work"});
}

static void test_refused_here(void **state)
{
    (void)state;
    static const Scene nonsense = {
        .scripts = {{NULL}},
        .play = play_refused_here,
        .told = {{"error EINVAL\n"}, {"error EINVAL\n"}, {"error EINVAL\n"}, {"error EBADF\n"}},
        .writable = true,
    };
    static const Scene read_only = {
        .scripts = {{NULL}},
        .play = play_read_only,
        .told = {{"error EROFS\n"}, {"error EROFS\n"}},
    };
    scene_run(&nonsense);
    scene_run(&read_only);
}

/* --- limits ------------------------------------------------------------------------------------
 */

enum { LARGE = 70000 };

static void play_large(Bed *bed)
{
    g_autofree char *text = g_strnfill(LARGE, 'x');

    append(bed, "Work", text, (MailAppend){0});
}

static void test_limits(void **state)
{
    (void)state;
    g_autofree char *text = g_strnfill(LARGE, 'x');
    g_autofree char *sent = g_strdup_printf("C: A2 APPEND Work {70000+}\nC: %s\n", text);
    static const Scene global = {
        .scripts = {{PREAUTH("IMAP4rev1 LITERAL+ APPENDLIMIT=20")}},
        .play = play_plain,
        .told = {{"error EFBIG\n"}},
        .says = "no more than 20 bytes",
        .writable = true,
    };
    static const Scene of_folder = {
        .scripts = {{PREAUTH("IMAP4rev1 LITERAL+ APPENDLIMIT"),
                     "C: A1 STATUS Work (APPENDLIMIT)\nS: * STATUS Work (APPENDLIMIT 69999)\n",
                     OK("A1")}},
        .play = play_large,
        .told = {{"error EFBIG\n"}},
        .writable = true,
    };
    const Scene none = {
        .scripts = {{PREAUTH("IMAP4rev1 LITERAL+ APPENDLIMIT"),
                     "C: A1 STATUS Work (APPENDLIMIT)\nS: * STATUS Work (APPENDLIMIT NIL)\n",
                     OK("A1"), sent, OK("A2")}},
        .play = play_large,
        .told = {{"appended 0 0\nok\n"}},
        .writable = true,
    };
    const Scene not_told = {
        .scripts = {{PREAUTH("IMAP4rev1 LITERAL+ APPENDLIMIT"),
                     "C: A1 STATUS Work (APPENDLIMIT)\nS: A1 NO [NONEXISTENT] no such folder\n",
                     sent, "S: A2 NO [TRYCREATE] no such folder\n"}},
        .play = play_large,
        .told = {{"error ENOENT\n"}},
        .writable = true,
    };
    scene_run(&global);
    scene_run(&of_folder);
    scene_run(&none);
    scene_run(&not_told);
}

/* --- large ones --------------------------------------------------------------------------------
 */

enum { LINES = 30000, LINE = 80 };

static GString *large_message(const char *line_end)
{
    GString *text = g_string_new(NULL);

    for (int i = 0; i < LINES; i++)
        g_string_append_printf(text, "%0*d%s", LINE - 2, i, line_end);
    return text;
}

static void play_file(Bed *bed)
{
    g_autoptr(GString) text = large_message("\r\n");
    int fd = memfd_create("message", MFD_CLOEXEC);

    assert_int_equal(write(fd, text->str, text->len), (gssize)text->len);
    act_append(bed, (MailAppend){.folder = "Work", .flags = "", .size = text->len, .fd = fd});
    close(fd);
    act_connect(bed);
}

/* 2.4 MB from a file; what comes behind it on the connection comes behind all of it. */
static void test_file(void **state)
{
    g_autoptr(GString) lines = large_message("\nC: ");
    g_autofree char *script = g_strdup_printf("C: A1 APPEND Work {%d+}\nC: %s\n", LINES * LINE,
                                              lines->str);
    const Scene scene = {
        .scripts = {{NEW, script, "S: A1 OK [APPENDUID 7 8] done\n"}},
        .play = play_file,
        .told = {{"appended 7 8\nok\n"}, {"ok\n"}},
        .writable = true,
        .whole_only = true,
    };
    const Scene compressed = {
        .scripts = {{PREAUTH("IMAP4rev1 LITERAL+ COMPRESS=DEFLATE"),
                     "C: A1 COMPRESS DEFLATE\nS: A1 OK on\nZ:\n",
                     g_strdup_printf("C: A2 APPEND Work {%d+}\nC: %s\n", LINES * LINE, lines->str),
                     OK("A2")}},
        .play = play_file,
        .told = {{"appended 0 0\nok\n"}, {"ok\n"}},
        .compress = IMAP_COMPRESS_ON,
        .writable = true,
        .whole_only = true,
    };

    (void)state;
    scene_run(&scene);
    scene_run(&compressed);
    g_free((char *)compressed.scripts[0][2]);
}

static void play_short_file(Bed *bed)
{
    int fd = memfd_create("message", MFD_CLOEXEC);

    assert_int_equal(write(fd, "Subject: a\r\n", 12), 12);
    act_append(bed, (MailAppend){.folder = "Work", .flags = "", .size = 21, .fd = fd});
    close(fd);
}

/* The server waits for what was announced: it gets nothing more, and stores nothing. */
static void test_short_file(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{NEW, "C: A1 APPEND Work {21+}\nC: Subject: a\nC: never\n"}},
        .play = play_short_file,
        .told = {{"error EIO\n"}},
        .says = "shorter",
        .writable = true,
        .open_end = true,
        .whole_only = true,
    };
    scene_run(&scene);
}

static void play_two_large(Bed *bed)
{
    g_autoptr(GString) text = large_message("\r\n");

    append(bed, "Nowhere", text->str, (MailAppend){0});
    append(bed, "Work", TEXT, (MailAppend){0});
}

/* A refusal may come while a literal is on its way: it goes on, or the server would take the next
 * command for a part of it. */
static void test_answered_early(void **state)
{
    g_autoptr(GString) lines = large_message("\nC: ");
    g_autofree char *script = g_strdup_printf("C: A1 APPEND Nowhere {%d+}\n"
                                              "S: A1 NO [TRYCREATE] no such folder\nC: %s\n",
                                              LINES * LINE, lines->str);
    const Scene scene = {
        .scripts = {{NEW, script, "C: A2 APPEND Work {21+}\n", SENT_TEXT, OK("A2")}},
        .play = play_two_large,
        .told = {{"error ENOENT\n"}, {"appended 0 0\nok\n"}},
        .writable = true,
        .whole_only = true,
    };

    (void)state;
    scene_run(&scene);
}

/* --- answers that are lost ---------------------------------------------------------------------
 */

static void test_lost_answer(void **state)
{
    static const char *const ends[] = {"X:\n", "S: * BYE going down\nX:\n"};

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
        const Scene sent = {
            .scripts = {{NEW, "C: A1 APPEND Work {21+}\n", SENT_TEXT, ends[i]}, {NEW}},
            .play = play_plain,
            .told = {{"unsure\nerror ENOTCONN\n"}},
            .open_end = true,
            .writable = true,
            .whole_only = true,
        };
        /* As long as the server has not asked for it, it can be sent again. */
        const Scene not_sent = {
            .scripts = {{OLD, "C: A1 APPEND Work {21}\n", ends[i]},
                        {OLD, "C: A1 APPEND Work {21}\nS: + go ahead\n", SENT_TEXT, OK("A1")}},
            .play = play_plain,
            .told = {{"appended 0 0\nok\n"}},
            .writable = true,
            .whole_only = true,
        };
        scene_run(&sent);
        scene_run(&not_sent);
    }
    static const Scene silence = {
        .scripts = {{NEW, "C: A1 APPEND Work {21+}\n", SENT_TEXT, "W:\n"}},
        .play = play_plain,
        .told = {{"unsure\nerror ETIMEDOUT\n"}},
        .timeout = 1,
        .open_end = true,
        .writable = true,
        .whole_only = true,
    };
    scene_run(&silence);
}

static void play_closed(Bed *bed)
{
    play_plain(bed);
    if (bed_run_to_wait(bed))
        act_close(bed);
    script_go_on(&bed->server);
}

static void test_closed_meanwhile(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{NEW, "C: A1 APPEND Work {21+}\n", SENT_TEXT, "W:\n" OK("A1"),
                     "C: A2 LOGOUT\nS: * BYE\n" OK("A2") "X:\n"}},
        .play = play_closed,
        .told = {{"unsure\nerror ECANCELED\n"}, {"ok\n"}},
        .writable = true,
        .whole_only = true,
    };
    scene_run(&scene);
}

/* --- replacing ---------------------------------------------------------------------------------
 */

static void play_replace(Bed *bed)
{
    append(bed, "INBOX", TEXT, (MailAppend){.replaces = 5, .uidvalidity = 7, .flags = "\\Draft"});
}

static void test_replaced(void **state)
{
    (void)state;
    static const Scene replaced = {
        .scripts = {{PREAUTH("IMAP4rev1 LITERAL+ UIDPLUS REPLACE"), OPENED,
                     "C: A2 UID REPLACE 5 INBOX (\\Draft) {21+}\n", SENT_TEXT,
                     "S: * OK [APPENDUID 7 20] stored\nS: * 13 EXISTS\nS: * 2 EXPUNGE\n" OK("A2")}},
        .play = play_replace,
        .told = {{"appended 7 20\nok\n"}},
        .writable = true,
    };
    static const Scene other_folder = {
        .scripts = {{PREAUTH("IMAP4rev1 LITERAL+ UIDPLUS REPLACE"), SELECT("A1", "INBOX"),
                     SELECTED_AS("A1", "8", "READ-WRITE")}},
        .play = play_replace,
        .told = {{"error ESTALE\n"}},
        .writable = true,
    };
    static const Scene can_not = {
        .scripts = {{NEW}},
        .play = play_replace,
        .told = {{"error EOPNOTSUPP\n"}},
        .writable = true,
    };
    scene_run(&replaced);
    scene_run(&other_folder);
    scene_run(&can_not);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literals),    cmocka_unit_test(test_dates_and_names),
        cmocka_unit_test(test_refused),     cmocka_unit_test(test_refused_here),
        cmocka_unit_test(test_limits),      cmocka_unit_test(test_file),
        cmocka_unit_test(test_short_file),  cmocka_unit_test(test_answered_early),
        cmocka_unit_test(test_lost_answer), cmocka_unit_test(test_closed_meanwhile),
        cmocka_unit_test(test_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, scene_clean);
}
