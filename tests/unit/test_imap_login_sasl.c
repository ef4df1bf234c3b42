/* Logins by AUTHENTICATE, with every kind of mechanism. */
#include "imap_login_scenes.h"
#include "sasl_server.h"

/* --- AUTHENTICATE ---------------------------------------------------------------------------- */

#define OFFERS(mechanisms) "S: * OK [CAPABILITY IMAP4rev1 " mechanisms "] ready\n"

static void test_plain(void **state)
{
    (void)state;
    static const Scene initial = {
        .scripts = {{OFFERS("AUTH=PLAIN SASL-IR"), SENT_PLAIN("A1"), LOGGED_IN("A1")}},
        .play = play_connect,
        .told = {{"ok\n"}},
    };
    static const Scene asked = {
        .scripts = {{OFFERS("AUTH=PLAIN"), "C: A1 AUTHENTICATE PLAIN\n"
                                           "S: + \n"
                                           "C: " PLAIN "\n" LOGGED_IN("A1")}},
        .play = play_connect,
        .told = {{"ok\n"}},
    };
    static const Scene rev2 = {
        .scripts = {{"S: * OK [CAPABILITY IMAP4rev2 AUTH=PLAIN] ready\n", SENT_PLAIN("A1"),
                     LOGGED_IN("A1")}},
        .play = play_connect,
        .told = {{"ok\n"}},
    };
    static const Scene login_wanted = {
        .scripts = {{OFFERS("AUTH=PLAIN"), "C: A1 LOGIN ann hunter2\n", LOGGED_IN("A1")}},
        .play = play_connect,
        .told = {{"ok\n"}},
        .auth = "login",
    };
    scene_run(&initial);
    scene_run(&asked);
    scene_run(&rev2);
    scene_run(&login_wanted);
}

/* What was refused once is not tried in another, weaker way. */
static void test_no_second_try(void **state)
{
    (void)state;
    static const Scene refused = {
        .scripts = {{OFFERS("AUTH=CRAM-MD5 AUTH=PLAIN SASL-IR"), "C: A1 AUTHENTICATE CRAM-MD5\n"
                                                                 "S: A1 NO not today\n"}},
        .play = play_connect,
        .told = {{"error EACCES\n"}},
        .says = "not today",
    };
    static const Scene bad = {
        .scripts = {{OFFERS("AUTH=PLAIN SASL-IR"), SENT_PLAIN("A1"), "S: A1 BAD what?\n"}},
        .play = play_connect,
        .told = {{"error EPROTO\n"}},
    };
    static const Scene unavailable = {
        .scripts = {{OFFERS("AUTH=PLAIN SASL-IR"), SENT_PLAIN("A1"),
                     "S: A1 NO [UNAVAILABLE] later\n"}},
        .play = play_connect,
        .told = {{"error EAGAIN\n"}},
    };
    static const Scene not_offered = {
        .scripts = {{OFFERS("AUTH=PLAIN SASL-IR")}},
        .play = play_connect,
        .told = {{"error EACCES\n"}},
        .auth = "SCRAM-SHA-256",
    };
    scene_run(&refused);
    scene_run(&bad);
    scene_run(&unavailable);
    scene_run(&not_offered);
}

/* We break off where the server's challenge makes no sense, whatever it says then. */
static void test_broken_off(void **state)
{
    (void)state;
    static const Scene no = {
        .scripts = {{OFFERS("AUTH=CRAM-MD5"), "C: A1 AUTHENTICATE CRAM-MD5\n"
                                              "S: + !!!\n"
                                              "C: *\n"
                                              "S: + ??\n"
                                              "S: A1 BAD cancelled\n"}},
        .play = play_connect,
        .told = {{"error EPROTO\n"}},
    };
    static const Scene more = {
        .scripts = {{OFFERS("AUTH=PLAIN SASL-IR"), SENT_PLAIN("A1"),
                     "S: + \n"
                     "C: *\n"
                     "S: A1 OK welcome all the same\n"}},
        .play = play_connect,
        .told = {{"error EPROTO\n"}},
    };
    scene_run(&no);
    scene_run(&more);
}

static void test_oauth(void **state)
{
    (void)state;
    /* user=ann^Aauth=Bearer token^A^A; {"status":"401"} */
    static const Scene refused = {
        .scripts = {{OFFERS("AUTH=XOAUTH2 SASL-IR"),
                     "C: A1 AUTHENTICATE XOAUTH2 dXNlcj1hbm4BYXV0aD1CZWFyZXIgdG9rZW4BAQ==\n"
                     "S: + eyJzdGF0dXMiOiI0MDEifQ==\n"
                     "C: \n"
                     "S: A1 NO login failed\n"}},
        .play = play_connect,
        .told = {{"error EACCES\n"}},
        .says = "401",
        .auth = "xoauth2",
        .password = "token",
    };
    scene_run(&refused);
}

/* --- SCRAM, whose messages differ each time -------------------------------------------------- */

static Server scram;
static bool scram_forges;
static SSL *scram_ssl;

static int scram_property(Gsasl *library, Gsasl_session *session, Gsasl_property property)
{
    enum { LENGTH = 32 };
    static const char label[] = "EXPORTER-Channel-Binding";
    guchar bytes[LENGTH];

    (void)library;
    if (property == GSASL_PASSWORD)
        return gsasl_property_set(session, property, "hunter2");
    if (property != GSASL_CB_TLS_EXPORTER || !scram_ssl ||
        SSL_export_keying_material(scram_ssl, bytes, LENGTH, label, strlen(label), NULL, 0, 0) != 1)
        return GSASL_NO_CALLBACK;
    g_autofree char *text = g_base64_encode(bytes, LENGTH);
    return gsasl_property_set(session, property, text);
}

static void scram_end(void)
{
    if (scram.session)
        server_end(&scram);
    scram.session = NULL;
}

/* "v=" and the signature, with one bit of it changed. */
static char *forge(char *challenge)
{
    gsize length = 0;
    g_autofree guchar *bytes = g_base64_decode(challenge, &length);
    g_autofree guchar *signature = g_base64_decode((const char *)bytes + 2, &length);
    g_autofree char *text = NULL, *message = NULL;

    g_free(challenge);
    signature[0] ^= 1;
    text = g_base64_encode(signature, length);
    message = g_strconcat("v=", text, NULL);
    return g_base64_encode((const guchar *)message, strlen(message));
}

/* A1 AUTHENTICATE mechanism message, and then messages alone. */
static char *scram_answer(gpointer data, SSL *ssl, const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, " ", -1);
    bool first = g_str_has_prefix(line, "A1 AUTHENTICATE ");
    g_autofree char *challenge = NULL;

    (void)data;
    if (first) {
        scram_end();
        scram_ssl = ssl;
        server_begin(&scram, words[2]);
        gsasl_callback_set(scram.library, scram_property);
    }
    challenge = server_step(&scram, first ? words[3] : line);
    if (!challenge)
        return g_strdup("A1 NO [AUTHENTICATIONFAILED] no");
    if (!first && scram_forges)
        challenge = forge(g_steal_pointer(&challenge));
    return g_strconcat("+ ", challenge, NULL);
}

static int scram_teardown(void **state)
{
    (void)state;
    scram_end();
    scram_forges = false;
    return 0;
}

#define SCRAM_DONE "F:\nF:\nC: \n" LOGGED_IN("A1")

static void test_scram(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{OFFERS("AUTH=PLAIN AUTH=SCRAM-SHA-256 SASL-IR"), SCRAM_DONE}},
        .play = play_connect,
        .told = {{"ok\n"}},
        .answer = scram_answer,
    };
    static const Scene wrong_password = {
        .scripts = {{OFFERS("AUTH=PLAIN AUTH=SCRAM-SHA-256 SASL-IR"), "F:\n"
                                                                      "F:\n"}},
        .play = play_connect,
        .told = {{"error EACCES\n"}},
        .answer = scram_answer,
        .password = "wrong",
    };
    scene_run(&scene);
    scene_run(&wrong_password);
}

static void test_scram_plus(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{"T:\n", OFFERS("AUTH=SCRAM-SHA-256 AUTH=SCRAM-SHA-256-PLUS SASL-IR"),
                     SCRAM_DONE}},
        .play = play_connect,
        .told = {{"ok\n"}},
        .tls = TLS_IMPLICIT,
        .answer = scram_answer,
    };
    scene_run(&scene);
}

/* A server that does not know the password is not believed, though it says OK. */
static void test_scram_forged(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{OFFERS("AUTH=SCRAM-SHA-256 SASL-IR"), "F:\n"
                                                           "F:\n"
                                                           "C: *\n"
                                                           "S: A1 OK welcome\n"}},
        .play = play_connect,
        .told = {{"error EACCES\n"}},
        .says = "did not prove that it knows the password",
        .answer = scram_answer,
    };
    scram_forges = true;
    scene_run(&scene);
}

static char *ok_at_once(gpointer data, SSL *ssl, const char *line)
{
    (void)data;
    (void)ssl;
    (void)line;
    return g_strdup("A1 OK [CAPABILITY IMAP4rev1] welcome");
}

static void test_scram_without_proof(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{OFFERS("AUTH=SCRAM-SHA-256 SASL-IR"), "F:\n"}},
        .play = play_connect,
        .told = {{"error EPROTO\n"}},
        .answer = ok_at_once,
    };
    scene_run(&scene);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_no_second_try),
        cmocka_unit_test(test_broken_off),
        cmocka_unit_test(test_oauth),
        cmocka_unit_test_teardown(test_scram, scram_teardown),
        cmocka_unit_test_teardown(test_scram_plus, scram_teardown),
        cmocka_unit_test_teardown(test_scram_forged, scram_teardown),
        cmocka_unit_test(test_scram_without_proof),
    };
    return cmocka_run_group_tests(tests, NULL, scene_clean);
}
