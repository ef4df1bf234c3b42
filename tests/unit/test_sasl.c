/*
 * test_sasl.c: which mechanism is chosen, and logins against libgsasl's server side and known
 * exchanges.
 */
#include "sasl_server.h"

/* --- The choice --- */

static void assert_choice(const SaslContext *context, const char *offered, const char *wanted,
                          const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) names = g_strsplit(offered, " ", -1);
    const char *name = sasl_choose(context, (const char *const *)names, wanted, &error);
    if (!name)
        fail_msg("none of %s: %s", offered, error->message);
    assert_null(error);
    assert_string_equal(name, expected);
}

static void assert_no_choice(const SaslContext *context, const char *offered, const char *wanted,
                             const char *word)
{
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) names = *offered ? g_strsplit(offered, " ", -1) : g_new0(char *, 1);
    assert_null(sasl_choose(context, (const char *const *)names, wanted, &error));
    assert_true(g_error_matches(error, MAIL_ERROR, EACCES));
    if (!strstr(error->message, word) || !strstr(error->message, offered))
        fail_msg("no \"%s\" or \"%s\" in: %s", word, offered, error->message);
}

static void test_choice_takes_the_strongest(void **state)
{
    (void)state;
    static const char *const order[] = {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS",
                                        "SCRAM-SHA-1",        "CRAM-MD5",      "PLAIN"};
    g_autoptr(Secret) password = secret_new("pencil", -1);
    SaslContext context = context_for("ann", password, &tls13);
    context.client_cert = true; /* no EXTERNAL where there is a password */
    for (size_t first = 0; first < G_N_ELEMENTS(order); first++) {
        GString *offered = g_string_new("GSSAPI OAUTHBEARER XOAUTH2 LOGIN EXTERNAL");
        for (size_t i = G_N_ELEMENTS(order); i > first; i--)
            g_string_append_printf(offered, " %s", order[i - 1]);
        assert_choice(&context, offered->str, NULL, order[first]);
        g_string_free(offered, TRUE);
    }
    assert_choice(&context, "plain Cram-Md5", NULL, "CRAM-MD5");
}

static void test_choice_of_external(void **state)
{
    (void)state;
    SaslContext context = context_for("ann", NULL, &tls13);
    context.client_cert = true;
    assert_choice(&context, "PLAIN SCRAM-SHA-256 EXTERNAL", NULL, "EXTERNAL");
    assert_no_choice(&context, "PLAIN SCRAM-SHA-256", NULL, "passfile=");
    context.client_cert = false;
    assert_no_choice(&context, "EXTERNAL", NULL, "cert=");
    assert_no_choice(&context, "EXTERNAL", "external", "cert=");
}

static void test_choice_in_clear(void **state)
{
    (void)state;
    g_autoptr(Secret) password = secret_new("pencil", -1);
    SaslContext context = context_for("ann", password, NULL);
    assert_no_choice(&context, "PLAIN", NULL, "TLS");
    assert_no_choice(&context, "PLAIN", "plain", "TLS");
    assert_no_choice(&context, "XOAUTH2", "xoauth2", "TLS");
    assert_no_choice(&context, "OAUTHBEARER", "oauthbearer", "TLS");
    assert_choice(&context, "PLAIN CRAM-MD5", NULL, "CRAM-MD5");
    assert_choice(&context, "SCRAM-SHA-256-PLUS SCRAM-SHA-1", NULL, "SCRAM-SHA-1");
    context.allow_clear = true;
    assert_choice(&context, "PLAIN", NULL, "PLAIN");
    assert_choice(&context, "XOAUTH2", "xoauth2", "XOAUTH2");
}

static void test_choice_with_binding(void **state)
{
    (void)state;
    Connection end_point_only = {"tls-server-end-point"};
    g_autoptr(Secret) password = secret_new("pencil", -1);
    SaslContext context = context_for("ann", password, &end_point_only);
    assert_choice(&context, "SCRAM-SHA-256-PLUS SCRAM-SHA-256", NULL, "SCRAM-SHA-256");
    assert_no_choice(&context, "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256-PLUS", "bind");
    context.data = &tls12;
    assert_choice(&context, "SCRAM-SHA-256-PLUS SCRAM-SHA-256", NULL, "SCRAM-SHA-256-PLUS");
    context.channel_binding = NULL;
    assert_choice(&context, "SCRAM-SHA-256-PLUS SCRAM-SHA-256", NULL, "SCRAM-SHA-256");
}

static void test_choice_of_the_user(void **state)
{
    (void)state;
    static const char all[] = "PLAIN SCRAM-SHA-256 XOAUTH2 OAUTHBEARER GSSAPI";
    g_autoptr(Secret) password = secret_new("pencil", -1);
    SaslContext context = context_for("ann", password, &tls13);
    assert_choice(&context, all, "plain", "PLAIN");
    assert_choice(&context, all, "XOAuth2", "XOAUTH2");
    assert_choice(&context, all, "oauthbearer", "OAUTHBEARER");
    assert_no_choice(&context, all, "cram-md5", "does not offer");
    assert_no_choice(&context, all, "gssapi", "not known");
    assert_no_choice(&context, "XOAUTH2 OAUTHBEARER", NULL, "auth=xoauth2");
    assert_no_choice(&context, "", NULL, "nothing");
}

/* --- Logins --- */

static void test_logins(void **state)
{
    (void)state;
    static const char *const mechanisms[] = {"PLAIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"};
    for (size_t i = 0; i < G_N_ELEMENTS(mechanisms); i++) {
        check_login(mechanisms[i], "ann", "pencil", NULL);
        check_login(mechanisms[i], "ann@example.org", "p,e=n c%il\\\"", NULL);
        /* SASLprep: a soft hyphen goes, other letters stay (RFC 4013 section 3). */
        check_login(mechanisms[i], "ann", "gr\303\274n\302\255es", NULL);
    }
    check_login("EXTERNAL", "ann@example.org", NULL, NULL);
    check_login("scram-sha-256", "ann", "pencil", NULL);
}

static void test_wrong_password(void **state)
{
    (void)state;
    static const char *const mechanisms[] = {"PLAIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"};
    for (size_t i = 0; i < G_N_ELEMENTS(mechanisms); i++) {
        Server server = {.user = "ann", .password = "pencil"};
        g_autoptr(Secret) password = secret_new("pencils", -1);
        SaslContext context = context_for("ann", password, NULL);
        g_autoptr(Sasl) sasl = must_begin(mechanisms[i], &context);
        server_begin(&server, mechanisms[i]);
        carry(sasl, &server);
        assert_int_equal(server.status, GSASL_AUTHENTICATION_ERROR);
        server_end(&server);
    }
}

/* --- Known exchanges --- */

/* RFC 2195 section 2. */
static void test_cram_md5_vector(void **state)
{
    (void)state;
    g_autoptr(Secret) password = secret_new("tanstaaftanstaaf", -1);
    SaslContext context = context_for("tim", password, NULL);
    g_autoptr(Sasl) sasl = must_begin("CRAM-MD5", &context);
    assert_false(sasl_client_first(sasl));
    assert_false(sasl_finish(sasl, NULL));
    g_autoptr(Secret)
        answer = must_step(sasl, "PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+");
    assert_string_equal(secret_text(answer), "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw");
    assert_true(sasl_finish(sasl, NULL));
}

static void test_plain_message(void **state)
{
    (void)state;
    g_autoptr(Secret) password = secret_new("tanstaaftanstaaf", -1);
    SaslContext context = context_for("tim", password, &tls13);
    g_autoptr(Sasl) sasl = must_begin("PLAIN", &context);
    g_autoptr(GError) error = NULL;
    assert_true(sasl_client_first(sasl));
    g_autoptr(Secret) answer = must_step(sasl, NULL);
    assert_decoded(answer, "\0tim\0tanstaaftanstaaf", 21);
    assert_true(sasl_finish(sasl, NULL));
    /* The password is not told twice. */
    assert_null(sasl_step(sasl, "", &error));
    assert_true(g_error_matches(error, MAIL_ERROR, EPROTO));
}

/* A server may ask with an empty challenge, or with text that means nothing. */
static void test_first_challenge_is_ignored(void **state)
{
    (void)state;
    static const char *const challenges[] = {"", "Z28gYWhlYWQ=", "go ahead!"};
    for (size_t i = 0; i < G_N_ELEMENTS(challenges); i++) {
        g_autoptr(Secret) password = secret_new("pw", -1);
        SaslContext context = context_for("tim", password, &tls13);
        g_autoptr(Sasl) sasl = must_begin("PLAIN", &context);
        g_autoptr(Secret) answer = must_step(sasl, challenges[i]);
        assert_decoded(answer, "\0tim\0pw", 7);
    }
}

static void test_external_message(void **state)
{
    (void)state;
    static const char *const users[] = {"ann@example.org", "", NULL};
    for (size_t i = 0; i < G_N_ELEMENTS(users); i++) {
        SaslContext context = context_for(users[i], NULL, &tls13);
        context.client_cert = true;
        g_autoptr(Sasl) sasl = must_begin("EXTERNAL", &context);
        g_autoptr(Secret) answer = must_step(sasl, NULL);
        assert_decoded(answer, users[i] ? users[i] : "", users[i] ? strlen(users[i]) : 0);
        assert_true(sasl_finish(sasl, NULL));
    }
}

static void test_no_base64(void **state)
{
    (void)state;
    g_autoptr(Secret) password = secret_new("pencil", -1);
    SaslContext context = context_for("ann", password, NULL);
    g_autoptr(Sasl) sasl = must_begin("CRAM-MD5", &context);
    g_autoptr(GError) error = NULL;
    assert_null(sasl_step(sasl, "<1896.697170952@host>", &error));
    assert_true(g_error_matches(error, MAIL_ERROR, EPROTO));
    assert_false(sasl_finish(sasl, NULL));
}

/* --- What can't be carried --- */

static void assert_not_started(const char *mechanism, const char *user, const char *password,
                               gssize length, const char *word)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Secret) secret = password ? secret_new(password, length) : NULL;
    SaslContext context = context_for(user, secret, &tls13);
    assert_null(sasl_new(mechanism, &context, &error));
    assert_true(g_error_matches(error, MAIL_ERROR, EACCES));
    if (!strstr(error->message, word))
        fail_msg("no \"%s\" in: %s", word, error->message);
}

static void test_what_is_refused_at_once(void **state)
{
    (void)state;
    assert_not_started("GSSAPI", "ann", "pw", -1, "not known");
    assert_not_started("PLAIN", "ann", NULL, 0, "passfile=");
    assert_not_started("PLAIN", NULL, "pw", -1, "user=");
    assert_not_started("PLAIN", "ann", "p\0w", 3, "NUL");
    assert_not_started("PLAIN", "an\nn", "pw", -1, "login name");
    assert_not_started("XOAUTH2", "ann", "to\1ken", -1, "token");
    assert_not_started("XOAUTH2", "ann\1auth=x", "token", -1, "login name");
    assert_not_started("OAUTHBEARER", "ann", "token\n", -1, "one line");
    assert_not_started("OAUTHBEARER", "ann", "to\0ken", 6, "NUL");
    sasl_free(NULL);
}

/* Neither by libgsasl nor here. */
static void test_password_is_wiped(void **state)
{
    (void)state;
    static const char *const mechanisms[] = {"PLAIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER"};
    for (size_t i = 0; i < G_N_ELEMENTS(mechanisms); i++) {
        g_autoptr(Secret) password = unmasked_password();
        SaslContext context = context_for("ann", password, &tls13);
        g_autoptr(Sasl) sasl = must_begin(mechanisms[i], &context);
        g_autoptr(Secret) answer = must_step(sasl, sasl_client_first(sasl) ? NULL : "PDE+");
        assert_true(secret_length(answer) > 0);
        if (passwords_in_heap() > 0)
            fail_msg("%s leaves the password behind", mechanisms[i]);
    }
}

/* What a server offers stands in the message, but can't do anything to a terminal. */
static void test_strange_offers(void **state)
{
    static const char *const offered[] = {"X\rY", "\33[2J\xff", NULL};
    const SaslContext context = {.user = "ann", .secure = true};
    g_autoptr(GError) error = NULL;

    (void)state;
    assert_null(sasl_choose(&context, offered, NULL, &error));
    assert_true(g_utf8_validate(error->message, -1, NULL));
    for (const char *c = error->message; *c; c++)
        assert_false(g_ascii_iscntrl(*c));
}

static void count_warning(const char *domain, GLogLevelFlags level, const char *text,
                          gpointer count)
{
    (void)domain;
    assert_true(level & G_LOG_LEVEL_WARNING);
    assert_null(strstr(text, "pencil"));
    ++*(unsigned *)count;
}

static void begin(const char *mechanism, const char *host, bool secure)
{
    g_autoptr(Secret) password = secret_new("pencil", -1);
    const SaslContext context = {.user = "ann",
                                 .password = password,
                                 .host = host,
                                 .service = "imap",
                                 .secure = secure,
                                 .allow_clear = true};
    g_autoptr(Sasl) sasl = sasl_new(mechanism, &context, NULL);

    assert_non_null(sasl);
}

/* Only where the password itself is sent, to another machine, and once. */
static void test_clear_text_is_warned_of(void **state)
{
    unsigned count = 0;

    (void)state;
    g_log_set_default_handler(count_warning, &count);
    begin("PLAIN", "localhost", false);
    begin("PLAIN", "::1", false);
    begin("PLAIN", "127.8.0.1", false);
    begin("PLAIN", "mail.example.org", true);
    begin("CRAM-MD5", "mail.example.org", false);
    assert_int_equal(count, 0);
    begin("PLAIN", "mail.example.org", false);
    assert_int_equal(count, 1);
    begin("XOAUTH2", "192.0.2.7", false);
    assert_int_equal(count, 1);
    g_log_set_default_handler(g_log_default_handler, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strange_offers),
        cmocka_unit_test(test_clear_text_is_warned_of),
        cmocka_unit_test(test_choice_takes_the_strongest),
        cmocka_unit_test(test_choice_of_external),
        cmocka_unit_test(test_choice_in_clear),
        cmocka_unit_test(test_choice_with_binding),
        cmocka_unit_test(test_choice_of_the_user),
        cmocka_unit_test(test_logins),
        cmocka_unit_test(test_wrong_password),
        cmocka_unit_test(test_cram_md5_vector),
        cmocka_unit_test(test_plain_message),
        cmocka_unit_test(test_first_challenge_is_ignored),
        cmocka_unit_test(test_external_message),
        cmocka_unit_test(test_no_base64),
        cmocka_unit_test(test_what_is_refused_at_once),
        cmocka_unit_test(test_password_is_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
