/* Whole sessions, from the login to QUIT. */
#include "pop3_scene.h"

static const MailRange both[] = {{MAIL_SECTION_HEADER, 0, 0}, {MAIL_SECTION_TEXT, 0, 0}};
static const MailRange body[] = {{MAIL_SECTION_BODY, 0, 0}};
static const uint32_t first[] = {1};

static void play_old(Bed *bed)
{
    sync_inbox(bed);
    if (!bed_run(bed))
        return;
    act_fetch(bed, &(MailFetch){"INBOX", 1, first, 1, body, 1, 1000, false});
    if (!bed_run(bed))
        return;
    act_remove(bed, first, 1);
}

/*
 * A server that knows no CAPA, UIDL or TOP, and its one message to the byte: the message is known
 * by what is in it.
 */
static void test_old_server(void **state)
{
    g_autoptr(GBytes) bytes = script_file("pop3-message.bin");
    g_autofree char *sum = g_compute_checksum_for_bytes(G_CHECKSUM_MD5, bytes);
    g_autofree char *name = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, bytes);
    g_autofree char *listed = g_strdup_printf("reset 1\nmessage 1 size 531 name full-%s\n"
                                              "present 1\nstate 1 uidnext 2 modseq 0 count 1\nok\n",
                                              name);
    g_autofree char *told = g_strdup_printf("fetch 1 BODY 531 bytes %s\nok\n", sum);
    const Scene scene = {
        .scripts = {{"S: +OK POP3 nessus.rodsbooks.com v7.64 server ready\n"
                     "C: CAPA\n"
                     "S: -ERR Unknown AUTHORIZATION state command\n"
                     "C: USER rodsmith\n"
                     "S: +OK User name accepted, password please\n"
                     "C: PASS password\n"
                     "S: +OK Mailbox open, 1 messages\n"
                     "C: CAPA\n"
                     "S: -ERR Unknown TRANSACTION state command\n",
                     "C: UIDL\n"
                     "S: -ERR Unknown TRANSACTION state command\n"
                     "C: LIST\n"
                     "S: +OK Mailbox scan listing follows\n"
                     "S: 1 531\n"
                     "S: .\n"
                     "C: TOP 1 0\n"
                     "S: -ERR Unknown TRANSACTION state command\n"
                     "C: RETR 1\n"
                     "S: +OK 531 octets\n"
                     "D: pop3-message.bin\n"
                     "S: .\n",
                     "C: RETR 1\n"
                     "S: +OK 531 octets\n"
                     "D: pop3-message.bin\n"
                     "S: .\n",
                     "C: DELE 1\n"
                     "S: +OK Message deleted\n"
                     "C: QUIT\n"
                     "S: +OK Sayonara\n"}},
        .play = play_old,
        .told = {{listed}, {told}, {"removed 1\nok\n"}},
        .user = "rodsmith",
        .password = "password",
        .password_said = true,
        .served_once = true,
    };
    (void)state;
    assert_int_equal(g_bytes_get_size(bytes), 531);
    scene_run(&scene);
}

static void play_session(Bed *bed)
{
    static const uint32_t two[] = {1, 2};

    act_connect(bed);
    if (!bed_run(bed))
        return;
    act_list(bed);
    sync_inbox(bed);
    if (!bed_run(bed))
        return;
    act_fetch(bed, &(MailFetch){"INBOX", 1, two, 2, both, 2, 0, false});
    if (!bed_run(bed))
        return;
    act_close(bed);
}

/* The same in brief with a server of today, under TLS. */
static void test_new_server(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{"T:\nS: +OK ready\n", CAPA("S: SASL PLAIN\nS: UTF8\n"), "C: UTF8\nS: +OK\n",
                     "C: AUTH PLAIN AGFubgBodW50ZXIy\nS: +OK in\n", CAPA(MODERN),
                     "C: UIDL\nC: LIST\n"
                     "S: +OK\nS: 1 a\nS: 2 b/c\nS: .\n"
                     "S: +OK\nS: 1 14\nS: 2 20\nS: .\n",
                     "C: RETR 1\nC: RETR 2\n"
                     "S: +OK\nS: A: b\nS: \nS: hello\nS: .\n"
                     "S: +OK\nS: C: d\nS: \nS: ..\nS: .\n",
                     QUIT}},
        .play = play_session,
        .told = {{"ok\n"},
                 {"folder INBOX 0 noinferiors\nok\n"},
                 {"reset 1\nmessage 1 size 14 name a\nmessage 2 size 20 name b/c\n"
                  "present 1 2\nstate 1 uidnext 3 modseq 0 count 2\nok\n"},
                 {"fetch 1 HEADER<0.8> A: b\\r\\n\\r\\n\nfetch 1 HEADER \n"
                  "fetch 1 TEXT<0.7> hello\\r\\n\nfetch 1 TEXT \n"
                  "fetch 2 HEADER<0.8> C: d\\r\\n\\r\\n\nfetch 2 HEADER \n"
                  "fetch 2 TEXT<0.3> .\\r\\n\nfetch 2 TEXT \nok\n"},
                 {"ok\n"}},
        .tls = TLS_IMPLICIT,
        .open_end = true,
        .served_once = true,
    };
    scene_run(&scene);
}

static void test_looks(void **state)
{
    const Pop3Config config = {.host = "mail.example.org", .port = 995, .timeout = 1};
    g_autoptr(GString) text = g_string_new(NULL);
    MailStore *store = pop3_store_new(&config);
    MailQuota quota;

    (void)state;
    mail_store_describe(store, text);
    assert_string_equal(text->str, "server: mail.example.org:995\nlink: not tried yet\n"
                                   "capabilities: \ncapabilities-in-use: \ntls: none\n"
                                   "certificate-expires: none\nconnections: 0\n");
    assert_false(mail_store_quota(store, &quota));
    assert_int_equal(mail_store_features(store),
                     MAIL_STORE_WHOLE | MAIL_STORE_REMOVE | MAIL_STORE_NAMES);
    mail_store_free(store);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_old_server),
        cmocka_unit_test(test_new_server),
        cmocka_unit_test(test_looks),
    };
    return cmocka_run_group_tests(tests, NULL, scene_clean);
}
