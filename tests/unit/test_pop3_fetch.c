/* Fetches: what comes, what does not, and by which command. */
#include "pop3_scene.h"

#define SIMPLE "S: +OK\nS: A: b\nS: \nS: text\nS: .\n"

static void play_header(Bed *bed)
{
    if (synced(bed))
        fetch_first(bed, 1, pop3_header, 1);
}

static void play_both(Bed *bed)
{
    if (synced(bed))
        fetch_first(bed, 1, pop3_both, 2);
}

static void play_body(Bed *bed)
{
    if (synced(bed))
        fetch_first(bed, 1, pop3_body, 1);
}

static void play_three(Bed *bed)
{
    if (synced(bed))
        fetch_first(bed, 3, pop3_body, 1);
}

static void test_header_by_top(void **state)
{
    (void)state;
    static const Scene top = {
        .scripts = {{SYNCED(MODERN), "C: TOP 1 0\nS: +OK\nS: A: b\nS: \nS: .\n"}},
        .play = play_header,
        .told = {{TOLD_SYNC}, {"fetch 1 HEADER A: b\\r\\n\\r\\n\nok\n"}},
    };
    /* Some send lines of the text whatever they are asked. */
    static const Scene more = {
        .scripts = {{SYNCED(MODERN), "C: TOP 1 0\nS: +OK\nS: A: b\nS: \nS: text\nS: \nS: .\n"}},
        .play = play_header,
        .told = {{TOLD_SYNC}, {"fetch 1 HEADER A: b\\r\\n\\r\\n\nok\n"}},
    };
    /* And some keep the empty line back, or know of no header's end. */
    static const Scene without_end = {
        .scripts = {{SYNCED(MODERN), "C: TOP 1 0\nS: +OK\nS: A: b\nS: .\nC: RETR 1\n" SIMPLE}},
        .play = play_header,
        .told = {{TOLD_SYNC}, {"fetch 1 HEADER A: b\\r\\n\\r\\n\nok\n"}},
    };
    static const Scene only_header = {
        .scripts = {{SYNCED(MODERN),
                     "C: TOP 1 0\nS: +OK\nS: A: b\nS: .\nC: RETR 1\nS: +OK\nS: A: b\nS: .\n"}},
        .play = play_header,
        .told = {{TOLD_SYNC}, {"fetch 1 HEADER A: b\\r\\n\nok\n"}},
    };
    static const Scene refused = {
        .scripts = {{SYNCED(MODERN), "C: TOP 1 0\nS: -ERR not this one\nC: RETR 1\n" SIMPLE}},
        .play = play_header,
        .told = {{TOLD_SYNC}, {"fetch 1 HEADER A: b\\r\\n\\r\\n\nok\n"}},
    };
    static const Scene not_offered = {
        .scripts = {{SYNCED("S: UIDL\nS: PIPELINING\n"), "C: RETR 1\n" SIMPLE}},
        .play = play_header,
        .told = {{TOLD_SYNC}, {"fetch 1 HEADER A: b\\r\\n\\r\\n\nok\n"}},
    };
    scene_run(&top);
    scene_run(&more);
    scene_run(&without_end);
    scene_run(&only_header);
    scene_run(&refused);
    scene_run(&not_offered);
}

static void test_parts_by_retr(void **state)
{
    (void)state;
    static const Scene both = {
        .scripts = {{SYNCED(MODERN), "C: RETR 1\n" SIMPLE}},
        .play = play_both,
        .told = {{TOLD_SYNC}, {"fetch 1 HEADER A: b\\r\\n\\r\\n\nfetch 1 TEXT text\\r\\n\nok\n"}},
    };
    static const Scene empty = {
        .scripts = {{SYNCED(MODERN), "C: RETR 1\nS: +OK\nS: .\n"}},
        .play = play_both,
        .told = {{TOLD_SYNC}, {"fetch 1 HEADER \nfetch 1 TEXT \nok\n"}},
    };
    scene_run(&both);
    scene_run(&empty);
}

/* Dots, bare LF and CR, 8-bit, and what looks like an end and is none. */
static void test_exact_bytes(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{SYNCED(MODERN), "C: RETR 1\n"
                                     "R: +OK\\r\\n..a\\n.\\r\\n...\\r\\n.. \\r\\n\\r.\\n.\\r"
                                     "\\303\\274\\r\\n.\\rb\\r\\n..\\r\\n.\\r\\n\n"}},
        .play = play_body,
        .told = {{TOLD_SYNC},
                 {"fetch 1 BODY .a\\n.\\r\\n..\\r\\n. \\r\\n\\r.\\n.\\r\\303\\274\\r\\n\\rb\\r\\n"
                  ".\\r\\n\nok\n"}},
    };
    scene_run(&scene);
}

static void play_stretches(Bed *bed)
{
    static const MailRange ranges[] = {
        {MAIL_SECTION_HEADER, 2, 3}, {MAIL_SECTION_TEXT, 1, 2}, {MAIL_SECTION_TEXT, 3, 100},
        {MAIL_SECTION_TEXT, 100, 1}, {MAIL_SECTION_BODY, 0, 4},
    };

    if (synced(bed))
        fetch_first(bed, 1, ranges, G_N_ELEMENTS(ranges));
}

static void play_header_stretch(Bed *bed)
{
    static const MailRange ranges[] = {{MAIL_SECTION_HEADER, 0, 0}, {MAIL_SECTION_HEADER, 7, 9}};

    if (synced(bed))
        fetch_first(bed, 1, ranges, G_N_ELEMENTS(ranges));
}

static void test_stretches(void **state)
{
    (void)state;
    static const Scene all = {
        .scripts = {{SYNCED(MODERN), "C: RETR 1\n" SIMPLE}},
        .play = play_stretches,
        .told = {{TOLD_SYNC},
                 {"fetch 1 BODY<0.4> A: b\nfetch 1 HEADER<2.3>  b\\r\nfetch 1 TEXT<1.2> ex\n"
                  "fetch 1 TEXT<3.100> t\\r\\n\nfetch 1 TEXT<100.1> \nok\n"}},
        .whole_only = true, /* by bytes they come in another order */
    };
    static const Scene header = {
        .scripts = {{SYNCED(MODERN), "C: TOP 1 0\nS: +OK\nS: A: b\nS: \nS: .\n"}},
        .play = play_header_stretch,
        .told = {{TOLD_SYNC}, {"fetch 1 HEADER A: b\\r\\n\\r\\n\nfetch 1 HEADER<7.9> \\n\nok\n"}},
    };
    scene_run(&all);
    scene_run(&header);
}

/* --- what does not come ------------------------------------------------------------------------
 */

/* An -ERR in the midst of a pipelined run is of that message alone. */
static void test_refused(void **state)
{
    (void)state;
    static const Scene one = {
        .scripts = {{SYNCED(MODERN), "C: RETR 1\nC: RETR 2\nC: RETR 3\n",
                     "S: +OK\nS: one\nS: .\n"
                     "S: -ERR [SYS/PERM] it is broken\n"
                     "S: +OK\nS: three\nS: .\n"}},
        .play = play_three,
        .told = {{TOLD_SYNC},
                 {"fetch 1 BODY one\\r\\n\nfetch 3 BODY three\\r\\n\nerror EREMOTEIO\n"}},
        .says = "message 2: the server answered -ERR [SYS/PERM] it is broken",
    };
    static const Scene later = {
        .scripts = {{SYNCED(MODERN), "C: RETR 1\nS: -ERR [SYS/TEMP] try again\n"}},
        .play = play_both,
        .told = {{TOLD_SYNC}, {"error EAGAIN\n"}},
    };
    static const Scene ended = {
        .scripts = {{SYNCED(MODERN), "C: RETR 1\n"
                                     "S: +OK\n"
                                     "S: half a\n"
                                     "X:\n"}},
        .play = play_body,
        .told = {{TOLD_SYNC}, {"error ECONNREFUSED\n"}}, /* it is tried once more */
        .whole_only = true,
    };
    static const Scene question = {
        .scripts = {{SYNCED(MODERN), "C: RETR 1\nS: + what else?\n"}},
        .play = play_body,
        .told = {{TOLD_SYNC}, {"error EPROTO\n"}},
    };
    /* Nothing that comes behind it is taken for an answer to the next one. */
    static const Scene question_amidst = {
        .scripts = {{SYNCED(MODERN), "C: RETR 1\nC: RETR 2\nC: RETR 3\n",
                     "S: +OK\nS: one\nS: .\nS: + what else?\nS: +OK\nS: two\nS: .\n"}},
        .play = play_three,
        .told = {{TOLD_SYNC}, {"fetch 1 BODY one\\r\\n\nerror EPROTO\n"}},
        .whole_only = true,
    };
    scene_run(&one);
    scene_run(&later);
    scene_run(&ended);
    scene_run(&question);
    scene_run(&question_amidst);
}

/* No more of it than the limit is kept; the others come all the same. */
static void test_longer_than_the_limit(void **state)
{
    g_autofree char *text = g_strnfill(POP3_LIMIT, 'x');
    g_autofree char *line = g_strconcat("S: +OK\nS: ", text, "\nS: .\n", NULL);
    const Scene scene = {
        .scripts = {{SYNCED(MODERN), "C: RETR 1\nC: RETR 2\nC: RETR 3\n", "S: +OK\nS: one\nS: .\n",
                     line, "S: +OK\nS: three\nS: .\n"}},
        .play = play_three,
        .told = {{TOLD_SYNC}, {"fetch 1 BODY one\\r\\n\nfetch 3 BODY three\\r\\n\nerror EFBIG\n"}},
        .says = "message 2",
    };
    (void)state;
    scene_run(&scene);
}

static void play_others(Bed *bed)
{
    static const uint32_t uids[] = {3, 4};

    act_fetch(bed, &(MailFetch){"INBOX", 1, uids, 1, pop3_body, 1, POP3_LIMIT, false});
    bed_run(bed);
    act_fetch(bed, &(MailFetch){"Other", 1, uids, 1, pop3_body, 1, POP3_LIMIT, false});
    bed_run(bed);
    act_fetch(bed, &(MailFetch){"INBOX", 2, uids, 1, pop3_body, 1, POP3_LIMIT, false});
    bed_run(bed);
    sync_inbox(bed);
    bed_run(bed);
    act_fetch(bed, &(MailFetch){"INBOX", 1, uids, 2, pop3_body, 1, POP3_LIMIT, false});
}

/* Nobody knows what a UID is before the first sync; after it, what was not found is gone. */
static void test_others(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{LOGIN(MODERN), "C: UIDL\nS: +OK\nS: 1 a\nS: 2 b\nS: 3 c\nS: .\n"
                                    "C: LIST\nS: +OK\nS: 1 10\nS: 2 20\nS: 3 30\nS: .\n"
                                    "C: RETR 3\nS: +OK\nS: three\nS: .\n"}},
        .play = play_others,
        .told = {{"error ESTALE\n"},
                 {"error ENOENT\n"},
                 {"error ESTALE\n"},
                 {TOLD_SYNC},
                 {"fetch 3 BODY three\\r\\n\nok\n"}},
        .whole_only = true,
    };
    scene_run(&scene);
}

/* --- in pieces ---------------------------------------------------------------------------------
 */

enum { PIECES_LINE = 98, PIECES_LINES = 2000 };

static void play_pieces(Bed *bed)
{
    if (synced(bed))
        act_fetch(bed, &(MailFetch){"INBOX", 1, pop3_uids, 1, pop3_both, 2, 0, false});
}

static char *digest(const char *bytes, gsize length)
{
    return g_compute_checksum_for_data(G_CHECKSUM_MD5, (const guchar *)bytes, length);
}

/* A long message is told as it comes by, in pieces of 64 KiB, and its end is told. */
static void test_pieces(void **state)
{
    enum { PIECE = 65536, LENGTH = PIECES_LINES * (PIECES_LINE + 2), REST = LENGTH % PIECE };
    g_autofree char *text = g_malloc(LENGTH);
    g_autoptr(GString) steps = g_string_new("C: RETR 1\nS: +OK\nS: A: b\nS: \n");
    g_autoptr(GString) told = g_string_new("fetch 1 HEADER<0.8> A: b\\r\\n\\r\\n\n"
                                           "fetch 1 HEADER \n");
    (void)state;
    for (int i = 0; i < PIECES_LINES; i++) {
        char *line = text + (size_t)i * (PIECES_LINE + 2);
        memset(line, 'a' + i % 26, PIECES_LINE);
        line[PIECES_LINE] = '\r';
        line[PIECES_LINE + 1] = '\n';
        g_string_append_printf(steps, "S: %.*s\n", PIECES_LINE, line);
    }
    g_string_append(steps, "S: .\n");
    for (int at = 0; at < LENGTH; at += PIECE) {
        int length = MIN(PIECE, LENGTH - at);
        g_autofree char *sum = digest(text + at, (gsize)length);
        g_string_append_printf(told, "fetch 1 TEXT<%d.%d> %d bytes %s\n", at, length, length, sum);
    }
    g_string_append(told, "fetch 1 TEXT \nok\n");
    const Scene scene = {
        .scripts = {{SYNCED(MODERN), steps->str}},
        .play = play_pieces,
        .told = {{TOLD_SYNC}, {told->str}},
        .whole_only = true,
    };
    assert_int_not_equal(REST, 0);
    scene_run(&scene);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header_by_top), cmocka_unit_test(test_parts_by_retr),
        cmocka_unit_test(test_exact_bytes),   cmocka_unit_test(test_stretches),
        cmocka_unit_test(test_refused),       cmocka_unit_test(test_longer_than_the_limit),
        cmocka_unit_test(test_others),        cmocka_unit_test(test_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, scene_clean);
}
