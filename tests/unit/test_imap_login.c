/* Logins: the greeting, TLS, LOGIN, and what follows. Mechanisms are test_imap_login_sasl.c. */
#include "imap_login_scenes.h"

#define SENT_ID(tag) "C: " tag " ID (\"name\" \"pullmail\" \"version\" \"" PULLMAIL_VERSION "\")\n"

/* --- greetings ------------------------------------------------------------------------------- */

static void test_greetings(void **state)
{
    (void)state;
    static const Scene ok = {
        .scripts = {{"S: * OK [CAPABILITY IMAP4rev1] ready\n"
                     "C: A1 LOGIN ann hunter2\n",
                     LOGGED_IN("A1")}},
        .play = play_connect,
        .told = {{"ok\n"}},
    };
    static const Scene preauth = {
        .scripts = {{"S: * PREAUTH welcome\n"
                     "C: A1 CAPABILITY\n"
                     "S: * CAPABILITY IMAP4rev1\n"
                     "S: A1 OK done\n"}},
        .play = play_connect,
        .told = {{"ok\n"}},
    };
    static const Scene bye = {
        .scripts = {{"S: * BYE too many connections\n"
                     "X:\n"}},
        .play = play_connect,
        .told = {{"error ECONNREFUSED\n"}},
        .says = "the server turned us away: too many connections",
        .open_end = true,
    };
    static const Scene later = {
        .scripts = {{"S: * BYE [UNAVAILABLE] come back later\n"}},
        .play = play_connect,
        .told = {{"error EAGAIN\n"}},
        .says = "come back later",
    };
    scene_run(&ok);
    scene_run(&preauth);
    scene_run(&bye);
    scene_run(&later);
}

static void test_no_imap_server(void **state)
{
    static const char *const greetings[] = {
        "S: +OK POP3 server ready\n",
        "S: 220 mail.example.org ESMTP\n",
        "S: SSH-2.0-OpenSSH_9.2p1\n",
        "S: HTTP/1.1 400 Bad Request\n",
        "S: \n",
        "S: * CAPABILITY IMAP4rev1\n",
        "S: * 5 EXISTS\n",
        "S: A1 OK ready\n",
        "S: OK ready\n",
        "S: * NO\n",
        "R: \\026\\003\\001\\n\n",
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(greetings); i++) {
        const Scene scene = {
            .scripts = {{greetings[i]}}, .play = play_connect, .told = {{"error EPROTO\n"}}};
        scene_run(&scene);
    }
}

static void test_silence(void **state)
{
    (void)state;
    static const Scene silent = {
        .scripts = {{"W:\n"}},
        .play = play_connect,
        .told = {{"error ETIMEDOUT\n"}},
        .says = "the server did not greet within 1 s; is it imaps://, where TLS begins at once?",
        .timeout = 1,
        .open_end = true,
        .whole_only = true,
    };
    static const Scene chatter = {
        .scripts = {{"S: * OK [CAPABILITY IMAP4rev1] ready\n"
                     "C: A1 LOGIN ann hunter2\n"
                     "E: * OK just a moment\n"}},
        .play = play_connect,
        .told = {{"error ETIMEDOUT\n"}},
        .says = "logging in took longer than 1 s",
        .timeout = 1,
        .open_end = true,
        .whole_only = true,
    };
    scene_run(&silent);
    scene_run(&chatter);
}

/* --- capabilities ---------------------------------------------------------------------------- */

/* The session of a server of 2002, in what it tells and in what it does not know. */
static void test_asked_twice(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{"S: * OK nessus.rodsbooks.com IMAP4rev1 v12.264.phall server ready\n"
                     "C: A1 CAPABILITY\n"
                     "S: * CAPABILITY IMAP4REV1 AUTH=KERBEROS\n"
                     "S: A1 OK done\n"
                     "C: A2 LOGIN ann hunter2\n"
                     "S: A2 OK LOGIN completed\n"
                     "C: A3 CAPABILITY\n"
                     "S: * CAPABILITY IMAP4REV1 X-THING\n"
                     "S: A3 OK done\n"}},
        .play = play_connect,
        .told = {{"ok\n"}},
    };
    static const Scene told_unasked = {
        .scripts = {{"S: * OK [CAPABILITY IMAP4rev1] ready\n"
                     "C: A1 LOGIN ann hunter2\n"
                     "S: * CAPABILITY IMAP4rev1 ID\n"
                     "S: A1 OK welcome\n",
                     SENT_ID("A2"),
                     "S: * ID NIL\n"
                     "S: A2 OK done\n"}},
        .play = play_connect,
        .told = {{"ok\n"}},
    };
    scene_run(&scene);
    scene_run(&told_unasked);
}

static void test_capability_refused(void **state)
{
    (void)state;
    static const Scene bad = {
        .scripts = {{"S: * OK IMAP2bis server ready\n"
                     "C: A1 CAPABILITY\n"
                     "S: A1 BAD what?\n"}},
        .play = play_connect,
        .told = {{"error EPROTO\n"}},
        .says = "asking what the server can do: the server answered BAD: what?",
    };
    static const Scene nothing = {
        .scripts = {{"S: * OK ready\n"
                     "C: A1 CAPABILITY\n"
                     "S: A1 OK done\n"}},
        .play = play_connect,
        .told = {{"error EPROTO\n"}},
        .says = "does not tell what it can do",
    };
    scene_run(&bad);
    scene_run(&nothing);
}

/* --- TLS ------------------------------------------------------------------------------------- */

#define OFFERED \
    "S: * OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=EXTERNAL AUTH=PLAIN LOGINDISABLED] ready\n"

static void test_starttls(void **state)
{
    (void)state;
    /* What was said in clear holds no more. */
    static const Scene scene = {
        .scripts = {{OFFERED,
                     "C: A1 STARTTLS\n"
                     "S: * CAPABILITY IMAP4rev1 X\n"
                     "S: A1 OK begin\n"
                     "T:\n"
                     "C: A2 CAPABILITY\n"
                     "S: * CAPABILITY IMAP4rev1\n"
                     "S: A2 OK done\n"
                     "C: A3 LOGIN ann hunter2\n",
                     LOGGED_IN("A3")}},
        .play = play_connect,
        .told = {{"ok\n"}},
        .tls = TLS_STARTTLS,
    };
    static const Scene asked = {
        .scripts = {{"S: * OK ready\n"
                     "C: A1 CAPABILITY\n"
                     "S: * CAPABILITY IMAP4rev1 STARTTLS\n"
                     "S: A1 OK done\n"
                     "C: A2 STARTTLS\n"
                     "S: A2 OK begin\n"
                     "T:\n"
                     "C: A3 CAPABILITY\n"
                     "S: * CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR\n"
                     "S: A3 OK done\n",
                     SENT_PLAIN("A4"), LOGGED_IN("A4")}},
        .play = play_connect,
        .told = {{"ok\n"}},
        .tls = TLS_STARTTLS,
    };
    scene_run(&scene);
    scene_run(&asked);
}

static void test_no_starttls(void **state)
{
    (void)state;
    static const Scene not_offered = {
        .scripts = {{"S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\n"}},
        .play = play_connect,
        .told = {{"error EPROTO\n"}},
        .says = "offers no STARTTLS",
        .tls = TLS_STARTTLS,
    };
    static const Scene refused = {
        .scripts = {{OFFERED, "C: A1 STARTTLS\n"
                              "S: A1 NO no certificate\n"}},
        .play = play_connect,
        .told = {{"error EREMOTEIO\n"}},
        .says = "tls=required",
        .tls = TLS_STARTTLS,
    };
    static const Scene preauth = {
        .scripts = {{"S: * PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] welcome\n"}},
        .play = play_connect,
        .told = {{"error EPROTO\n"}},
        .says = "before TLS",
        .tls = TLS_STARTTLS,
    };
    scene_run(&not_offered);
    scene_run(&refused);
    scene_run(&preauth);
}

/* Whoever can speak in clear behind the OK could otherwise speak as the server under TLS. */
static void test_injection(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{OFFERED, "C: A1 STARTTLS\n"
                              "S: A1 OK begin\n"
                              "S: * CAPABILITY IMAP4rev1 AUTH=PLAIN\n"
                              "T:\n"}},
        .play = play_connect,
        .told = {{"error EPROTO\n"}},
        .tls = TLS_STARTTLS,
        .open_end = true,
    };
    static const Scene half_a_line = {
        .scripts = {{OFFERED, "C: A1 STARTTLS\n"
                              "S: A1 OK begin\n"
                              "R: A2 OK\n"
                              "T:\n"}},
        .play = play_connect,
        .told = {{"error EPROTO\n"}},
        .tls = TLS_STARTTLS,
        .open_end = true,
    };
    scene_run(&scene);
    scene_run(&half_a_line);
}

static void test_certificate(void **state)
{
    (void)state;
    static const Scene implicit = {
        .scripts = {{"T:\n"
                     "S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] ready\n",
                     SENT_PLAIN("A1"), LOGGED_IN("A1")}},
        .play = play_connect,
        .told = {{"ok\n"}},
        .tls = TLS_IMPLICIT,
    };
    static const Scene preauth = {
        .scripts = {{"T:\n"
                     "S: * PREAUTH [CAPABILITY IMAP4rev1] by certificate\n"}},
        .play = play_connect,
        .told = {{"ok\n"}},
        .tls = TLS_IMPLICIT,
    };
    static const Scene stranger = {
        .scripts = {{"T:\n"}},
        .play = play_connect,
        .told = {{"error EKEYREJECTED\n"}},
        .tls = TLS_IMPLICIT,
        .untrusted = true,
        .open_end = true,
        .whole_only = true,
    };
    static const Scene stranger_behind_starttls = {
        .scripts = {{OFFERED, "C: A1 STARTTLS\n"
                              "S: A1 OK begin\n"
                              "T:\n"}},
        .play = play_connect,
        .told = {{"error EKEYREJECTED\n"}},
        .tls = TLS_STARTTLS,
        .untrusted = true,
        .open_end = true,
        .whole_only = true,
    };
    scene_run(&implicit);
    scene_run(&preauth);
    scene_run(&stranger);
    scene_run(&stranger_behind_starttls);
}

/* --- LOGIN ----------------------------------------------------------------------------------- */

static void login_with(const char *capabilities, const char *user, const char *password,
                       const char *commands)
{
    g_autofree char *script = g_strdup_printf(
        "S: * OK [CAPABILITY IMAP4rev1%s] ready\n%s" LOGGED_IN("A1"), capabilities, commands);
    const Scene scene = {.scripts = {{script}},
                         .play = play_connect,
                         .told = {{"ok\n"}},
                         .user = user,
                         .password = password};
    scene_run(&scene);
}

static void test_login_quoting(void **state)
{
    g_autofree char *long_password = g_strnfill(5000, 'p');
    g_autofree char *synchronized = g_strdup_printf("C: A1 LOGIN ann {5000}\nS: + go on\nC: %s\n",
                                                    long_password);
    g_autofree char *at_once = g_strdup_printf("C: A1 LOGIN ann {5000+}\nC: %s\n", long_password);

    (void)state;
    login_with("", "ann@example.org", "a b", "C: A1 LOGIN ann@example.org \"a b\"\n");
    login_with("", "an n", "a\"b\\c", "C: A1 LOGIN \"an n\" \"a\\\"b\\\\c\"\n");
    login_with("", "ann", "p\303\244ss",
               "C: A1 LOGIN ann {5}\nS: * 3 EXISTS\nS: + go on\nC: p\303\244ss\n");
    login_with(" LITERAL-", "ann", "p\303\244ss", "C: A1 LOGIN ann {5+}\nC: p\303\244ss\n");
    login_with(" LITERAL+", "ann", "p\303\244ss", "C: A1 LOGIN ann {5+}\nC: p\303\244ss\n");
    login_with("", "\303\244nn", "p\303\244ss",
               "C: A1 LOGIN {4}\nS: + \nC: \303\244nn {5}\nS: +\nC: p\303\244ss\n");
    login_with(" LITERAL-", "ann", long_password, synchronized);
    login_with(" LITERAL+", "ann", long_password, at_once);
    login_with("", "ann", long_password, synchronized);
}

static void test_login_refused(void **state)
{
    (void)state;
    static const Scene no = {
        .scripts = {{"S: * OK [CAPABILITY IMAP4rev1] ready\n"
                     "C: A1 LOGIN ann hunter2\n"
                     "S: A1 NO wrong password\n"}},
        .play = play_connect,
        .told = {{"error EACCES\n"}},
        .says = "user ann: login refused: the server answered NO: wrong password (are login name "
                "and password right?)",
    };
    static const Scene reason = {
        .scripts = {{"S: * OK [CAPABILITY IMAP4rev1] ready\n"
                     "C: A1 LOGIN ann hunter2\n"
                     "S: A1 NO [EXPIRED] ask for a new one\n"}},
        .play = play_connect,
        .told = {{"error EACCES\n"}},
        .says = "user ann: login refused: the server answered NO: ask for a new one",
    };
    static const Scene literal = {
        .scripts = {{"S: * OK [CAPABILITY IMAP4rev1] ready\n"
                     "C: A1 LOGIN ann {3}\n"
                     "S: A1 NO not in this way\n"}},
        .play = play_connect,
        .told = {{"error EACCES\n"}},
        .password = "p\303\244",
    };
    static const Scene unavailable = {
        .scripts = {{"S: * OK [CAPABILITY IMAP4rev1] ready\n"
                     "C: A1 LOGIN ann hunter2\n"
                     "S: A1 NO [UNAVAILABLE] the directory is down\n"}},
        .play = play_connect,
        .told = {{"error EAGAIN\n"}},
    };
    static const Scene goodbye_first = {
        .scripts = {{"S: * OK [CAPABILITY IMAP4rev1] ready\n"
                     "C: A1 LOGIN ann hunter2\n"
                     "S: * BYE too many failures\n"
                     "S: A1 NO [AUTHENTICATIONFAILED] no\n"
                     "X:\n"}},
        .play = play_connect,
        .told = {{"error EACCES\n"}},
        .open_end = true,
    };
    static const Scene disabled = {
        .scripts = {{"S: * OK [CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=GSSAPI] ready\n"}},
        .play = play_connect,
        .told = {{"error EACCES\n"}},
        .says = "LOGINDISABLED",
    };
    scene_run(&no);
    scene_run(&reason);
    scene_run(&literal);
    scene_run(&unavailable);
    scene_run(&goodbye_first);
    scene_run(&disabled);
}

/* A server that asks where there is nothing to say. */
static void test_login_asked_for_more(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{"S: * OK [CAPABILITY IMAP4rev1] ready\n"
                     "C: A1 LOGIN ann hunter2\n"
                     "S: + and?\n"
                     "S: + \n",
                     LOGGED_IN("A1")}},
        .play = play_connect,
        .told = {{"ok\n"}},
    };
    static const Scene behind_a_literal = {
        .scripts = {{"S: * OK [CAPABILITY IMAP4rev1] ready\n"
                     "C: A1 LOGIN ann {3}\n"
                     "S: + go\n"
                     "C: p\303\244\n"
                     "S: + and?\n"
                     "S: A1 NO no\n"}},
        .play = play_connect,
        .told = {{"error EACCES\n"}},
        .password = "p\303\244",
    };
    scene_run(&scene);
    scene_run(&behind_a_literal);
}

/* --- behind the login ------------------------------------------------------------------------ */

#define ENABLES                                        \
    PREAUTH("IMAP4rev1 ENABLE ID QRESYNC UTF8=ACCEPT") \
    "C: A1 ENABLE QRESYNC UTF8=ACCEPT\n" SENT_ID("A2")

static void play_described(Bed *bed)
{
    g_autoptr(GString) text = g_string_new(NULL);
    Act *act = act_connect(bed);

    if (!bed_run(bed))
        return;
    bed_settle(bed); /* the login does not wait for the server's name */
    mail_store_describe(bed->store, text);
    if (!bed->server.was_cut && !strstr(text->str, " Dove?cot\n"))
        g_string_append(act->log, text->str);
}

static void test_enable_and_id(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{ENABLES, "S: * ENABLED QRESYNC UTF8=ACCEPT\n"
                              "S: A1 OK done\n"
                              "S: * ID (\"version\" NIL \"name\" \"Dove\tcot\" \"odd\")\n"
                              "S: A2 OK done\n"}},
        .play = play_described,
        .told = {{"ok\n"}},
    };
    static const Scene refused = {
        .scripts = {{ENABLES, "S: A1 BAD no\n"
                              "S: * ID (\"name\" (\"x\"))\n"
                              "S: A2 NO no\n"}},
        .play = play_connect,
        .told = {{"ok\n"}},
    };
    static const Scene nothing_to_enable = {
        .scripts = {{PREAUTH("IMAP4rev1 ENABLE CONDSTORE")}},
        .play = play_connect,
        .told = {{"ok\n"}},
    };
    scene_run(&scene);
    scene_run(&refused);
    scene_run(&nothing_to_enable);
}

static void play_at_once(Bed *bed)
{
    act_connect(bed);
    act_list(bed);
    act_sync(bed, "INBOX", (MailFolderState){.uidvalidity = 7, .uidnext = 5, .modseq = 9});
}

static void test_sent_as_soon_as_may_be(void **state)
{
    (void)state;
    /* Nothing of it waits for the answer before, but what names a mailbox: how it is to be written,
     * and opened, ENABLE decides. */
    static const Scene scene = {
        .scripts = {{"S: * OK [CAPABILITY IMAP4rev1] ready\n"
                     "C: A1 LOGIN ann hunter2\n"
                     "S: A1 OK [CAPABILITY IMAP4rev1 QRESYNC ID QUOTA NAMESPACE] done\n"
                     "C: A2 ENABLE QRESYNC\n",
                     SENT_ID("A3"),
                     "C: A4 GETQUOTAROOT INBOX\n"
                     "C: A5 NAMESPACE\n"
                     "C: A6 LIST \"\" \"*\"\n"
                     "S: * ENABLED QRESYNC\n"
                     "S: A2 OK done\n"
                     "S: A3 OK done\n"
                     "C: A7 EXAMINE INBOX (QRESYNC (7 9))\n"
                     "S: A4 OK done\n"
                     "S: A5 OK done\n"
                     "S: A6 OK done\n"
                     "S: * 0 EXISTS\n"
                     "S: * OK [UIDVALIDITY 7] x\n"
                     "S: * OK [UIDNEXT 5] x\n"
                     "S: * OK [HIGHESTMODSEQ 9] x\n"
                     "S: A7 OK done\n"}},
        .play = play_at_once,
        .told = {{"ok\n"},
                 {"folder INBOX 0\n"
                  "ok\n"},
                 {"state 7 uidnext 5 modseq 9 count 0\n"
                  "ok\n"}},
        .open_end = true,
        .served_once = true,
    };
    scene_run(&scene);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greetings),
        cmocka_unit_test(test_no_imap_server),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_asked_twice),
        cmocka_unit_test(test_capability_refused),
        cmocka_unit_test(test_starttls),
        cmocka_unit_test(test_no_starttls),
        cmocka_unit_test(test_injection),
        cmocka_unit_test(test_certificate),
        cmocka_unit_test(test_login_quoting),
        cmocka_unit_test(test_login_refused),
        cmocka_unit_test(test_login_asked_for_more),
        cmocka_unit_test(test_enable_and_id),
        cmocka_unit_test(test_sent_as_soon_as_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, scene_clean);
}
