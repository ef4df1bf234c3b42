/* Logins: greetings, STLS, USER and PASS, APOP, and SASL. */
#include "pop3_scene.h"

/* base64 of NUL ann NUL hunter2 */
#define PLAIN "AGFubgBodW50ZXIy"

/* --- greetings ---------------------------------------------------------------------------------
 */

static void test_greetings(void **state)
{
    static const struct {
        const char *greeting, *told, *says;
    } greetings[] = {
        {"S: -ERR no service\n", "error ECONNREFUSED\n", "no service"},
        {"S: -ERR [SYS/TEMP] later\n", "error EAGAIN\n", "later"},
        {"S: * OK IMAP4rev1 ready\n", "error EPROTO\n", "no reply of POP3"},
        {"S: +OKAY\n", "error EPROTO\n", "no reply of POP3"},
        {"S: + go on\n", "error EPROTO\n", "go on"},
        {"S: \n", "error EPROTO\n", "no reply of POP3"},
        {"e: +OK and on\n", "error EPROTO\n", "no end"},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(greetings); i++) {
        const Scene scene = {
            .scripts = {{greetings[i].greeting}},
            .play = play_connect,
            .told = {{greetings[i].told}},
            .says = greetings[i].says,
            .open_end = true,
            .whole_only = greetings[i].greeting[0] == 'e',
        };
        scene_run(&scene);
    }
}

static void test_silence(void **state)
{
    (void)state;
    static const Scene scene = {
        .scripts = {{"W:\n"}},
        .play = play_connect,
        .told = {{"error ETIMEDOUT\n"}},
        .timeout = 1,
        .open_end = true,
        .whole_only = true,
    };
    scene_run(&scene);
}

/* --- TLS ---------------------------------------------------------------------------------------
 */

static void test_stls(void **state)
{
    (void)state;
    static const Scene agreed = {
        .scripts = {{"S: +OK ready\n" CAPA("S: STLS\nS: SASL PLAIN\n") "C: STLS\nS: +OK\nT:\n",
                     CAPA("S: SASL LOGIN\n") USER_PASS CAPA("")}},
        .play = play_connect,
        .told = {{"ok\n"}},
        .tls = TLS_STARTTLS,
    };
    static const Scene no_capa = {
        .scripts = {{"S: +OK ready\nC: CAPA\nS: -ERR\nC: STLS\nS: +OK\nT:\n",
                     "C: CAPA\nS: -ERR\n" USER_PASS "C: CAPA\nS: -ERR\n"}},
        .play = play_connect,
        .told = {{"ok\n"}},
        .tls = TLS_STARTTLS,
    };
    static const Scene not_offered = {
        .scripts = {{"S: +OK ready\n" CAPA("S: USER\n")}},
        .play = play_connect,
        .told = {{"error EPROTO\n"}},
        .says = "pop3s://",
        .tls = TLS_STARTTLS,
    };
    static const Scene refused = {
        .scripts = {{"S: +OK ready\n" CAPA("S: STLS\n") "C: STLS\nS: -ERR no\n"}},
        .play = play_connect,
        .told = {{"error EREMOTEIO\n"}},
        .says = "tls=required",
        .tls = TLS_STARTTLS,
    };
    static const Scene injected = {
        .scripts = {{"S: +OK ready\n" CAPA("S: STLS\n") "C: STLS\nR: +OK\\r\\n+OK\\r\\n\n"}},
        .play = play_connect,
        .told = {{"error EPROTO\n"}},
        .says = "in clear",
        .tls = TLS_STARTTLS,
        .open_end = true,
        .whole_only = true,
    };
    static const Scene untrusted = {
        .scripts = {{"S: +OK ready\n" CAPA("S: STLS\n") "C: STLS\nS: +OK\nT:\n"}},
        .play = play_connect,
        .told = {{"error EKEYREJECTED\n"}},
        .tls = TLS_STARTTLS,
        .untrusted = true,
        .open_end = true,
        .whole_only = true,
    };
    scene_run(&agreed);
    scene_run(&no_capa);
    scene_run(&not_offered);
    scene_run(&refused);
    scene_run(&injected);
    scene_run(&untrusted);
}

/* --- USER and PASS, APOP -----------------------------------------------------------------------
 */

static void test_user(void **state)
{
    (void)state;
    static const Scene wanted = {
        .scripts = {{"S: +OK ready\n" CAPA("S: SASL PLAIN\nS: USER\n") USER_PASS CAPA("")}},
        .play = play_connect,
        .told = {{"ok\n"}},
        .auth = "user",
    };
    static const Scene spaces = {
        .scripts = {{"S: +OK ready\n" CAPA(
            "") "C: USER a nn\nS: +OK\nC: PASS hun ter\nS: +OK\n" CAPA("")}},
        .play = play_connect,
        .told = {{"ok\n"}},
        .user = "a nn",
        .password = "hun ter",
        .auth = "login",
    };
    static const Scene no_such_user = {
        .scripts = {{"S: +OK ready\n" CAPA("") "C: USER ann\nS: -ERR never heard of\n"}},
        .play = play_connect,
        .told = {{"error EACCES\n"}},
        .says = "user ann",
    };
    static const Scene refused = {
        .scripts = {{"S: +OK ready\n" CAPA("") "C: USER ann\nS: +OK\nC: PASS hunter2\n"
                                               "S: -ERR [AUTH] wrong\n"}},
        .play = play_connect,
        .told = {{"error EACCES\n"}},
        .says = "wrong",
    };
    static const Scene broken = {
        .scripts = {{"S: +OK ready\n" CAPA("") "C: USER ann\nS: +OK\nC: PASS hunter2\n"
                                               "S: -ERR [SYS/PERM] ask the admin\n"}},
        .play = play_connect,
        .told = {{"error EREMOTEIO\n"}},
    };
    static const Scene injecting = {
        .scripts = {{"S: +OK ready\n" CAPA("") "C: USER ann\nS: +OK\n"}},
        .play = play_connect,
        .told = {{"error EACCES\n"}},
        .password = "x\r\nDELE 1",
        .says = "the password can't be sent",
    };
    static const Scene injecting_name = {
        .scripts = {{"S: +OK ready\n" CAPA("")}},
        .play = play_connect,
        .told = {{"error EACCES\n"}},
        .user = "x\nDELE 1",
        .says = "the login name can't be sent",
    };
    scene_run(&wanted);
    scene_run(&spaces);
    scene_run(&no_such_user);
    scene_run(&refused);
    scene_run(&broken);
    scene_run(&injecting);
    scene_run(&injecting_name);
}

/* RFC 1939's own example; never where it is not asked for. */
static void test_apop(void **state)
{
    (void)state;
    static const Scene wanted = {
        .scripts = {{"S: +OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>\n" CAPA(
                         "S: SASL PLAIN\n"),
                     "C: APOP mrose c4c9334bac560ecc979e58001b3e22fb\nS: +OK in\n" CAPA("")}},
        .play = play_connect,
        .told = {{"ok\n"}},
        .user = "mrose",
        .password = "tanstaaf",
        .auth = "apop",
    };
    static const Scene not_wanted = {
        .scripts = {{"S: +OK <1896.697170952@dbc.mtview.ca.us>\n" CAPA("") USER_PASS CAPA("")}},
        .play = play_connect,
        .told = {{"ok\n"}},
    };
    static const Scene no_timestamp = {
        .scripts = {{"S: +OK <nobody> at home\n" CAPA("")}},
        .play = play_connect,
        .told = {{"error EACCES\n"}},
        .auth = "apop",
        .says = "timestamp",
    };
    scene_run(&wanted);
    scene_run(&not_wanted);
    scene_run(&no_timestamp);
}

/* --- SASL --------------------------------------------------------------------------------------
 */

static void test_sasl(void **state)
{
    (void)state;
    static const Scene initial = {
        .scripts = {{"S: +OK ready\n" CAPA("S: USER\nS: SASL LOGIN PLAIN\n"),
                     "C: AUTH PLAIN " PLAIN "\nS: +OK in\n" CAPA("")}},
        .play = play_connect,
        .told = {{"ok\n"}},
    };
    static const Scene utf8 = {
        .scripts = {{"S: +OK ready\n" CAPA("S: UTF8 USER\nS: SASL PLAIN\n") "C: UTF8\nS: +OK\n",
                     "C: AUTH PLAIN " PLAIN "\nS: +OK in\n" CAPA("")}},
        .play = play_connect,
        .told = {{"ok\n"}},
    };
    static const Scene utf8_refused = {
        .scripts = {{"S: +OK ready\n" CAPA("S: UTF8\n") "C: UTF8\nS: -ERR no\n" USER_PASS CAPA(
            "")}},
        .play = play_connect,
        .told = {{"ok\n"}},
    };
    /* RFC 2195's example. */
    static const Scene challenge = {
        .scripts = {{"S: +OK ready\n" CAPA("S: SASL PLAIN CRAM-MD5\n"),
                     "C: AUTH CRAM-MD5\n"
                     "S: + PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+\n"
                     "C: dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\n"
                     "S: +OK in\n" CAPA("")}},
        .play = play_connect,
        .told = {{"ok\n"}},
        .user = "tim",
        .password = "tanstaaftanstaaf",
    };
    static const Scene nonsense = {
        .scripts = {{"S: +OK ready\n" CAPA("S: SASL CRAM-MD5\n"), "C: AUTH CRAM-MD5\n"
                                                                  "S: + !!!\n"
                                                                  "C: *\n"
                                                                  "S: -ERR cancelled\n"}},
        .play = play_connect,
        .told = {{"error EPROTO\n"}},
    };
    static const Scene refused = {
        .scripts = {{"S: +OK ready\n" CAPA("S: SASL PLAIN\n"), "C: AUTH PLAIN " PLAIN "\n"
                                                               "S: -ERR [AUTH] wrong\n"}},
        .play = play_connect,
        .told = {{"error EACCES\n"}},
        .says = "wrong",
    };
    static const Scene not_offered = {
        .scripts = {{"S: +OK ready\n" CAPA("S: SASL PLAIN\n")}},
        .play = play_connect,
        .told = {{"error EACCES\n"}},
        .auth = "scram-sha-256",
    };
    scene_run(&initial);
    scene_run(&utf8);
    scene_run(&utf8_refused);
    scene_run(&challenge);
    scene_run(&nonsense);
    scene_run(&refused);
    scene_run(&not_offered);
}

/* A first answer that makes the line longer than 255 octets waits to be asked for. */
static void test_long_initial_response(void **state)
{
    g_autofree char *token = g_strnfill(300, 't');
    g_autofree char *message = g_strconcat("user=ann\001auth=Bearer ", token, "\001\001", NULL);
    g_autofree char *base64 = g_base64_encode((const guchar *)message, strlen(message));
    g_autofree char *answer = g_strconcat("C: ", base64, "\n", NULL);
    const Scene scene = {
        .scripts = {{"S: +OK ready\n" CAPA("S: SASL XOAUTH2\n") "C: AUTH XOAUTH2\nS: + \n", answer,
                     "S: +OK in\n" CAPA("")}},
        .play = play_connect,
        .told = {{"ok\n"}},
        .auth = "xoauth2",
        .password = token,
    };
    (void)state;
    scene_run(&scene);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greetings),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_stls),
        cmocka_unit_test(test_user),
        cmocka_unit_test(test_apop),
        cmocka_unit_test(test_sasl),
        cmocka_unit_test(test_long_initial_response),
    };
    return cmocka_run_group_tests(tests, NULL, scene_clean);
}
