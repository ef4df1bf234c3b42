#include "imap_scene.h"

static const MailRange header_only[] = {{MAIL_SECTION_HEADER, 0, 0}};
static const MailRange text_only[] = {{MAIL_SECTION_TEXT, 0, 0}};

static void fetch_first(Bed *bed, const MailRange *range)
{
    static const uint32_t uid = 1;
    act_fetch(bed, &(MailFetch){"INBOX", 997295985, &uid, 1, range, 1, 1000, false});
}

static void play_session(Bed *bed)
{
    act_connect(bed);
    if (!bed_run(bed))
        return;
    act_list(bed);
    if (!bed_run(bed))
        return;
    act_sync(bed, "INBOX", (MailFolderState){0});
    if (!bed_run(bed))
        return;
    fetch_first(bed, header_only);
    if (!bed_run(bed))
        return;
    fetch_first(bed, text_only);
    if (!bed_run(bed))
        return;
    act_close(bed);
}

/* A whole session with a UW IMAP server of 2002, which knows nothing newer than IMAP4rev1. */
static void test_old_server(void **state)
{
    g_autoptr(GBytes) bytes = script_file("imap-header.bin");
    g_autofree char *sum = g_compute_checksum_for_bytes(G_CHECKSUM_MD5, bytes);
    g_autofree char *told = g_strdup_printf("fetch 1 HEADER 494 bytes %s\nok\n", sum);
    const Scene scene = {
        .scripts = {{"S: * OK nessus.rodsbooks.com IMAP4rev1 v12.264.phall server ready\n"
                     "C: A1 CAPABILITY\n"
                     "S: * CAPABILITY IMAP4REV1 X-NETSCAPE NAMESPACE MAILBOX-REFERRALS SCAN SORT\n"
                     "S: A1 OK CAPABILITY completed\n"
                     "C: A2 LOGIN rodsmith password\n"
                     "S: A2 OK LOGIN completed\n"
                     "C: A3 CAPABILITY\n"
                     "S: * CAPABILITY IMAP4REV1 X-NETSCAPE\n"
                     "S: A3 OK CAPABILITY completed\n",
                     "C: A4 LIST \"\" \"*\"\n"
                     "S: * LIST (\\NoInferiors) NIL INBOX\n"
                     "S: * LIST (\\NoInferiors \\UnMarked) \"/\" demos\n"
                     "S: A4 OK LIST completed\n",
                     "C: A5 EXAMINE INBOX\n"
                     "S: * 1 EXISTS\n"
                     "S: * NO Trying to get mailbox lock from process 29559\n"
                     "S: * 1 RECENT\n"
                     "S: * OK [UIDVALIDITY 997295985] UID validity status\n"
                     "S: * OK [UIDNEXT 4] Predicted next UID\n"
                     "S: * FLAGS (\\Answered \\Flagged \\Deleted \\Draft \\Seen)\n"
                     "S: * OK [PERMANENTFLAGS ()] Permanent flags\n"
                     "S: * OK [UNSEEN 1] first unseen message in /var/spool/mail/rodsmith\n"
                     "S: A5 OK [READ-ONLY] EXAMINE completed\n",
                     "C: A6 UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE)\n"
                     "S: * 1 FETCH (FLAGS (\\Recent) INTERNALDATE "
                     "\" 8-Aug-2001 18:39:33 -0400\" RFC822.SIZE 519 UID 1)\n"
                     "S: A6 OK UID FETCH completed\n",
                     "C: A7 UID FETCH 1 (BODY.PEEK[HEADER])\n"
                     "S: * 1 FETCH (BODY[HEADER] {494}\n"
                     "D: imap-header.bin\n"
                     "S:  UID 1)\n"
                     "S: * 1 FETCH (FLAGS (\\Recent \\Seen))\n"
                     "S: A7 OK UID FETCH completed\n",
                     "C: A8 UID FETCH 1 (BODY.PEEK[TEXT])\n"
                     "S: * 1 FETCH (BODY[TEXT] {25}\n"
                     "D: imap-text.bin\n"
                     "S:  UID 1)\n"
                     "S: A8 OK UID FETCH completed\n",
                     "C: A9 LOGOUT\n"
                     "S: * BYE nessus.rodsbooks.com IMAP4rev1 server terminating connection\n"
                     "S: A9 OK LOGOUT completed\n"
                     "X:\n"}},
        .play = play_session,
        .told = {{"ok\n"},
                 {"folder INBOX 0 noinferiors\n"
                  "folder demos / noinferiors\n"
                  "ok\n"},
                 {"reset 997295985\n"
                  "message 1 size 519 date 997310373 flags .\n"
                  "state 997295985 uidnext 4 modseq 0 count 1\n"
                  "ok\n"},
                 {told},
                 {"fetch 1 TEXT This is a test message.\\r\\n\n"
                  "ok\n"},
                 {"ok\n"}},
        .user = "rodsmith",
        .password = "password",
        .open_end = true,
    };
    (void)state;
    scene_run(&scene);
}

/* The same in brief with a server of today, under TLS. */
static void test_new_server(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{"T:\n"
                     "S: * OK [CAPABILITY IMAP4rev1 IMAP4rev2 SASL-IR AUTH=PLAIN] ready\n"
                     "C: A1 AUTHENTICATE PLAIN AGFubgBodW50ZXIy\n"
                     "S: A1 OK [CAPABILITY IMAP4rev1 IMAP4rev2 QRESYNC QUOTA ID] in\n"
                     "C: A2 ENABLE QRESYNC\n"
                     "C: A3 ID (\"name\" \"pullmail\" \"version\" \"",
                     PULLMAIL_VERSION,
                     "\")\n"
                     "S: * ENABLED QRESYNC\n"
                     "S: A2 OK done\n"
                     "S: * ID (\"name\" \"Example\")\n"
                     "S: A3 OK done\n",
                     "C: A4 GETQUOTAROOT INBOX\n"
                     "S: * QUOTAROOT INBOX u\n"
                     "S: * QUOTA u (STORAGE 1 2)\n"
                     "S: A4 OK done\n"
                     "C: A5 NAMESPACE\n"
                     "C: A6 LIST \"\" \"*\"\n"
                     "S: * NAMESPACE ((\"\" \"/\")) NIL NIL\n"
                     "S: A5 OK done\n"
                     "S: * LIST () \"/\" INBOX\n"
                     "S: A6 OK done\n",
                     "C: A7 EXAMINE INBOX (CONDSTORE)\n"
                     "S: * 1 EXISTS\n"
                     "S: * OK [UIDVALIDITY 997295985] x\n"
                     "S: * OK [UIDNEXT 2] x\n"
                     "S: * OK [HIGHESTMODSEQ 5] x\n"
                     "S: A7 OK done\n"
                     "C: A8 UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE)\n"
                     "S: * 1 FETCH (UID 1 RFC822.SIZE 3 FLAGS ())\n"
                     "S: A8 OK done\n",
                     "C: A9 UID FETCH 1 (BODY.PEEK[HEADER])\n"
                     "S: * 1 FETCH (UID 1 BODY[HEADER] {1}\n"
                     "R: h)\\r\\n\n"
                     "S: A9 OK done\n"
                     "C: A10 UID FETCH 1 (BODY.PEEK[TEXT])\n"
                     "S: * 1 FETCH (UID 1 BODY[TEXT] {2}\n"
                     "R: tx)\\r\\n\n"
                     "S: A10 OK done\n"
                     "C: A11 LOGOUT\n"
                     "S: * BYE bye\n"
                     "S: A11 OK done\n"
                     "X:\n"}},
        .play = play_session,
        .told = {{"ok\n"},
                 {"folder INBOX /\n"
                  "ok\n"},
                 {"reset 997295985\n"
                  "message 1 size 3 flags .\n"
                  "state 997295985 uidnext 2 modseq 5 count 1\n"
                  "ok\n"},
                 {"fetch 1 HEADER h\n"
                  "ok\n"},
                 {"fetch 1 TEXT tx\n"
                  "ok\n"},
                 {"ok\n"}},
        .tls = TLS_IMPLICIT,
        .open_end = true,
    };
    scene_run(&scene);
}

static void play_described(Bed *bed)
{
    g_autoptr(GString) before = g_string_new(NULL), after = g_string_new(NULL);
    g_autofree char *place = g_strdup_printf("server: 127.0.0.1:%u", bed->server.port);
    Act *act;

    mail_store_describe(bed->store, before);
    assert_true(g_str_has_prefix(before->str, place));
    assert_non_null(strstr(before->str, "capabilities: \ncapabilities-in-use: \ntls: none\n"
                                        "certificate-expires: none\nconnections: 0\n"));
    act = act_sync(bed, "INBOX", (MailFolderState){0});
    if (!bed_run(bed))
        return;
    mail_store_describe(bed->store, after);
    if (!strstr(after->str, "capabilities: IMAP4rev1 X?Y\ncapabilities-in-use: IMAP4REV1\n"
                            "tls: none\ncertificate-expires: none\n") ||
        !strstr(after->str, "connections: 1\nconnection-1: ready, folder \"INBOX\""))
        g_string_append(act->log, after->str);
}

static void test_described(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{PREAUTH("IMAP4rev1 X\033Y"),
                     "C: A1 EXAMINE INBOX\n"
                     "C: A2 UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE)\n"
                     "S: * 0 EXISTS\n"
                     "S: A1 OK done\n"
                     "S: A2 OK done\n"}},
        .play = play_described,
        .told = {{"reset 0\n"
                  "state 0 uidnext 1 modseq 0 count 0\n"
                  "ok\n"}},
        .served_once = true,
    };
    scene_run(&scene);
}

static void play_features(Bed *bed)
{
    act_connect(bed);
    assert_int_equal(mail_store_features(bed->store),
                     MAIL_STORE_FOLDERS | MAIL_STORE_RANGES | MAIL_STORE_FLAGS | MAIL_STORE_WATCH);
}

static void test_features(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{PREAUTH("IMAP4rev1")}}, .play = play_features, .told = {{"ok\n"}}};
    scene_run(&scene);
}

/* All that the configuration points to may be gone once the store is made. */
static void test_configuration_is_copied(void **state)
{
    char host[] = "127.0.0.1", user[] = "ann", auth[] = "plain";
    Secret *password = secret_new("hunter2", -1);
    ImapConfig config = {.host = host,
                         .port = 1,
                         .clear = true,
                         .user = user,
                         .auth = auth,
                         .password = password,
                         .connections = 1,
                         .timeout = 5};
    MailStore *store = imap_store_new(&config);
    g_autoptr(GString) status = g_string_new(NULL);

    (void)state;
    memset(host, 'x', sizeof host - 1);
    memset(user, 'x', sizeof user - 1);
    memset(auth, 'x', sizeof auth - 1);
    secret_free(password);
    mail_store_describe(store, status);
    assert_true(g_str_has_prefix(status->str, "server: 127.0.0.1:1\n"));
    mail_store_free(store);
    mail_store_free(NULL);
}

static void told_too_late(gpointer data, const GError *error)
{
    (void)data;
    (void)error;
    fail_msg("told of an operation of a store that was freed");
}

/* Operations under way go with the store, without a word. */
static void test_freed_under_way(void **state)
{
    static const uint32_t uid = 1;
    const MailFetch wanted = {"INBOX", 7, &uid, 1, text_only, 1, 10, false};
    GMainContext *context = g_main_context_new();
    ImapConfig config = {
        .host = "127.0.0.1", .port = 1, .clear = true, .connections = 1, .timeout = 5};

    (void)state;
    g_main_context_push_thread_default(context);
    MailStore *store = imap_store_new(&config);
    mail_store_connect(store, told_too_late, NULL);
    mail_store_fetch(store, &wanted, NULL, told_too_late, NULL);
    mail_store_free(store);
    store = imap_store_new(&config);
    mail_store_sync(store, "INBOX", &(MailFolderState){0}, &act_sync_sink, told_too_late, NULL);
    g_main_context_iteration(context, FALSE);
    mail_store_free(store);
    while (g_main_context_iteration(context, FALSE))
        continue;
    g_main_context_pop_thread_default(context);
    g_main_context_unref(context);
}

static void play_freed_in_flight(Bed *bed)
{
    Act *act;

    fetch_first(bed, text_only);
    act = g_ptr_array_index(bed->acts, 0);
    if (bed_run_to_wait(bed)) {
        mail_store_free(bed->store);
        bed->store = scene_make_store(bed);
        act->cancelled = true;
    }
    script_go_on(&bed->server);
}

static void test_freed_in_flight(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{PREAUTH("IMAP4rev1"), "C: A1 EXAMINE INBOX\n"
                                           "C: A2 UID FETCH 1 (BODY.PEEK[TEXT])\n"
                                           "S: * 1 FETCH (UID 1 BODY[TEXT] {10}\n"
                                           "R: 12345\n"
                                           "W:\n"}},
        .play = play_freed_in_flight,
        .told = {{NULL}},
        .open_end = true,
        .whole_only = true,
    };
    scene_run(&scene);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_old_server),
        cmocka_unit_test(test_new_server),
        cmocka_unit_test(test_described),
        cmocka_unit_test(test_features),
        cmocka_unit_test(test_configuration_is_copied),
        cmocka_unit_test(test_freed_under_way),
        cmocka_unit_test(test_freed_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, scene_clean);
}
