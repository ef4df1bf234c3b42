/* test_imap_compress.c: transcripts of connections that are compressed (RFC 4978). */
#include "imap_scene.h"

static const MailRange text_only[] = {{MAIL_SECTION_TEXT, 0, 0}};

#define GREETING PREAUTH("IMAP4rev1 COMPRESS=DEFLATE")
#define EXAMINE(tag) "C: " tag " EXAMINE a\n"
#define EXAMINED(tag) "S: * 1 EXISTS\nS: * OK [UIDVALIDITY 7] x\nS: " tag " OK done\n"
#define FETCH(tag, uid) "C: " tag " UID FETCH " uid " (BODY.PEEK[TEXT])\n"
#define FETCHED(tag, uid) "S: * 1 FETCH (UID " uid " BODY[TEXT] \"t\")\nS: " tag " OK done\n"
#define TOLD "fetch 1 TEXT t\nok\n"

static void play_fetch(Bed *bed)
{
    uint32_t uid = 1;

    act_fetch(bed, &(MailFetch){"a", 7, &uid, 1, text_only, 1, 1000, false});
}

/* Nothing leaves between the command and its answer; all behind is compressed, also what comes
 * in one piece with the answer. */
static void test_agreed(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{GREETING,
                     "C: A1 COMPRESS DEFLATE\n"
                     "S: A1 OK go ahead\n"
                     "Z:\n"
                     "S: * OK still here\n",
                     EXAMINE("A2"), FETCH("A3", "1"), EXAMINED("A2"), FETCHED("A3", "1")}},
        .play = play_fetch,
        .told = {{TOLD}},
        .compress = IMAP_COMPRESS_ON,
    };
    scene_run(&scene);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "S: A1 NO [COMPRESSIONACTIVE] TLS does it\n",
        "S: A1 BAD what?\n",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(answers); i++) {
        const Scene scene = {
            .scripts = {{GREETING, "C: A1 COMPRESS DEFLATE\n", answers[i], EXAMINE("A2"),
                         FETCH("A3", "1"), EXAMINED("A2"), FETCHED("A3", "1")}},
            .play = play_fetch,
            .told = {{TOLD}},
            .compress = IMAP_COMPRESS_ON,
        };
        scene_run(&scene);
    }
}

static void test_not_asked(void **state)
{
    (void)state;
    static const Scene unable = {
        .scripts = {{PREAUTH("IMAP4rev1"), EXAMINE("A1"), FETCH("A2", "1"), EXAMINED("A1"),
                     FETCHED("A2", "1")}},
        .play = play_fetch,
        .told = {{TOLD}},
        .compress = IMAP_COMPRESS_ON,
    };
    static const Scene unwanted = {
        .scripts = {{GREETING, EXAMINE("A1"), FETCH("A2", "1"), EXAMINED("A1"),
                     FETCHED("A2", "1")}},
        .play = play_fetch,
        .told = {{TOLD}},
        .compress = IMAP_COMPRESS_OFF,
    };
    scene_run(&unable);
    scene_run(&unwanted);
}

/* Above TLS, and behind a login. */
static void test_under_tls(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{"T:\n"
                     "S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\n"
                     "C: A1 AUTHENTICATE PLAIN AGFubgBodW50ZXIy\n"
                     "S: A1 OK [CAPABILITY IMAP4rev1 COMPRESS=DEFLATE] in\n"
                     "C: A2 COMPRESS DEFLATE\n"
                     "S: A2 OK go ahead\n"
                     "Z:\n",
                     EXAMINE("A3"), FETCH("A4", "1"), EXAMINED("A3"), FETCHED("A4", "1")}},
        .play = play_fetch,
        .told = {{TOLD}},
        .tls = TLS_IMPLICIT,
        .compress = IMAP_COMPRESS_ON,
    };
    scene_run(&scene);
}

/* What comes in clear behind the answer is no deflate stream, and nothing of it is believed. */
static void test_clear_behind(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{GREETING, "C: A1 COMPRESS DEFLATE\n"
                               "R: A1 OK go ahead\\r\\n* BYE and goodbye\\r\\n\n"}},
        .play = play_fetch,
        .told = {{"error EPROTO\n"}},
        .says = "compression is broken",
        .compress = IMAP_COMPRESS_ON,
        .open_end = true,
        .whole_only = true,
    };
    scene_run(&scene);
}

/* The server agrees to what it was not asked yet. */
static void test_agreed_too_soon(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{GREETING, "S: A1 OK go ahead\n"}},
        .play = play_fetch,
        .told = {{"error EPROTO\n"}},
        .compress = IMAP_COMPRESS_ON,
        .open_end = true,
        .whole_only = true,
    };
    scene_run(&scene);
}

/* Megabytes of nothing from a few bytes: a literal that is longer than was asked for is passed
 * over, not kept. */
static void test_bomb(void **state)
{
    enum { MUCH = 8 << 20 };
    g_autoptr(GString) bomb = g_string_new(NULL);
    (void)state;
    g_string_printf(bomb, "S: * 1 FETCH (UID 1 BODY[TEXT] {%d}\nR: ", MUCH);
    for (int i = 0; i < MUCH; i++)
        g_string_append_c(bomb, 'x');
    g_string_append(bomb, "\nS: )\nS: A3 OK done\n");
    const Scene scene = {
        .scripts = {{GREETING, "C: A1 COMPRESS DEFLATE\nS: A1 OK go ahead\nZ:\n", EXAMINE("A2"),
                     FETCH("A3", "1"), EXAMINED("A2"), bomb->str}},
        .play = play_fetch,
        .told = {{"error EFBIG\n"}},
        .compress = IMAP_COMPRESS_ON,
        .whole_only = true,
    };
    scene_run(&scene);
}

/* --- by itself -------------------------------------------------------------------------------- */

static void play_ahead(Bed *bed)
{
    uint32_t uids[] = {1, 2, 3, 4};
    MailFetch fetch = {"a", 7, uids, 1, text_only, 1, 1 << 20, true};

    for (size_t i = 0; i < G_N_ELEMENTS(uids); i++) {
        fetch.uids = &uids[i];
        act_fetch(bed, &fetch);
        bed_run(bed);
        bed_settle(bed); /* also a connection that is opened besides */
    }
}

/* Once much has arrived, and slowly, the connection that bulk goes over is compressed, then the
 * other one where nobody waits for it, and whatever comes later. */
static void check_by_itself(uint64_t fast_link, bool compresses)
{
    enum { MUCH = 300 << 10 };
    g_autoptr(GString) much = g_string_new(NULL);
    g_autofree char *content = g_strnfill(MUCH, 'x');
    g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_MD5, content, MUCH);
    g_autofree char *told = g_strdup_printf("fetch 2 TEXT %d bytes %s\nok\n", MUCH, sum);

    g_string_printf(much, "S: * 2 FETCH (UID 2 BODY[TEXT] {%d}\nR: %s\nS: )\nS: A3 OK done\n", MUCH,
                    content);
#define BEGINNING                                                                  \
    GREETING, EXAMINE("A1"), FETCH("A2", "1"), EXAMINED("A1"), FETCHED("A2", "1"), \
        FETCH("A3", "2"), much->str
    const Scene compressed = {
        .scripts = {{BEGINNING, "C: A4 COMPRESS DEFLATE\nS: A4 OK go ahead\nZ:\n", FETCH("A5", "3"),
                     FETCHED("A5", "3"), FETCH("A6", "4"), FETCHED("A6", "4")},
                    {GREETING, "C: A1 COMPRESS DEFLATE\nS: A1 OK go ahead\nZ:\n"}},
        .play = play_ahead,
        .told = {{TOLD}, {told}, {"fetch 3 TEXT t\nok\n"}, {"fetch 4 TEXT t\nok\n"}},
        .fast_link = fast_link,
        .connections = 2,
        .whole_only = true,
    };
    const Scene plain = {
        .scripts = {{BEGINNING, FETCH("A4", "3"), FETCHED("A4", "3"), FETCH("A5", "4"),
                     FETCHED("A5", "4")},
                    {GREETING}},
        .play = play_ahead,
        .told = {{TOLD}, {told}, {"fetch 3 TEXT t\nok\n"}, {"fetch 4 TEXT t\nok\n"}},
        .fast_link = fast_link,
        .connections = 2,
        .whole_only = true,
    };
    scene_run(compresses ? &compressed : &plain);
}

static void test_by_itself(void **state)
{
    (void)state; /* by the clock, the loopback may be anything in between */
    check_by_itself(UINT64_MAX, true);
    check_by_itself(1, false);
}

static void play_one_by_one(Bed *bed)
{
    uint32_t uids[] = {2, 3, 4};
    MailFetch fetch = {"a", 7, uids, 1, text_only, 1, 1 << 20, false};

    for (size_t i = 0; i < G_N_ELEMENTS(uids); i++) {
        fetch.uids = &uids[i];
        act_fetch(bed, &fetch);
        bed_run(bed);
        bed_settle(bed);
    }
}

/* Without bulk it is asked for behind a command that somebody waits for, which is not held up. */
static void test_behind(void **state)
{
    enum { MUCH = 300 << 10 };
    g_autoptr(GString) much = g_string_new(NULL);
    g_autofree char *content = g_strnfill(MUCH, 'x');
    g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_MD5, content, MUCH);
    g_autofree char *told = g_strdup_printf("fetch 2 TEXT %d bytes %s\nok\n", MUCH, sum);

    (void)state;
    g_string_printf(much, "S: * 2 FETCH (UID 2 BODY[TEXT] {%d}\nR: %s\nS: )\nS: A2 OK done\n", MUCH,
                    content);
    const Scene scene = {
        .scripts = {{GREETING, EXAMINE("A1"), FETCH("A2", "2"), EXAMINED("A1"), much->str,
                     FETCH("A3", "3"), "C: A4 COMPRESS DEFLATE\n", FETCHED("A3", "3"),
                     "S: A4 OK go ahead\nZ:\n", FETCH("A5", "4"), FETCHED("A5", "4")}},
        .play = play_one_by_one,
        .told = {{told}, {"fetch 3 TEXT t\nok\n"}, {"fetch 4 TEXT t\nok\n"}},
        .fast_link = UINT64_MAX,
        .connections = 1,
        .whole_only = true,
    };
    scene_run(&scene);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agreed),       cmocka_unit_test(test_refused),
        cmocka_unit_test(test_not_asked),    cmocka_unit_test(test_under_tls),
        cmocka_unit_test(test_clear_behind), cmocka_unit_test(test_agreed_too_soon),
        cmocka_unit_test(test_bomb),         cmocka_unit_test(test_by_itself),
        cmocka_unit_test(test_behind),
    };
    return cmocka_run_group_tests(tests, NULL, scene_clean);
}
