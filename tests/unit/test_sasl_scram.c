/*
 * test_sasl_scram.c: SCRAM with and without channel binding, and servers that cheat.
 */
#include "sasl_server.h"

/* The very case that libgsasl 2.2.0 fails in: a binding could be had, and -PLUS is not used. */
static void test_scram_without_plus_under_tls(void **state)
{
    (void)state;
    Server server = {.user = "ann", .password = "pencil"};
    g_autoptr(Secret) password = secret_new("pencil", -1);
    SaslContext context = context_for("ann", password, &tls13);
    g_autoptr(Sasl) sasl = must_begin("SCRAM-SHA-256", &context);
    server_begin(&server, "SCRAM-SHA-256");
    carry(sasl, &server);
    assert_int_equal(server.status, GSASL_OK);
    assert_true(sasl_finish(sasl, NULL));
    server_end(&server);
}

/* The client's first message, decoded. */
static char *first_message(const char *mechanism, Connection *connection)
{
    gsize length;
    g_autoptr(Secret) password = secret_new("pencil", -1);
    SaslContext context = context_for("ann", password, connection);
    g_autoptr(Sasl) sasl = must_begin(mechanism, &context);
    g_autoptr(Secret) answer = must_step(sasl, NULL);
    g_autofree guchar *bytes = g_base64_decode(secret_text(answer), &length);
    return g_strndup((char *)bytes, length);
}

static void test_plus(void **state)
{
    (void)state;
    check_login("SCRAM-SHA-256-PLUS", "ann", "pencil", &tls13);
    check_login("SCRAM-SHA-256-PLUS", "ann", "pencil", &tls12);
    check_login("SCRAM-SHA-1-PLUS", "ann", "pencil", &tls13);
    g_autofree char *new_tls = first_message("SCRAM-SHA-256-PLUS", &tls13);
    assert_true(g_str_has_prefix(new_tls, "p=tls-exporter,,n=ann,r="));
    g_autofree char *old_tls = first_message("SCRAM-SHA-256-PLUS", &tls12);
    assert_true(g_str_has_prefix(old_tls, "p=tls-unique,,n=ann,r="));
    g_autofree char *plain = first_message("SCRAM-SHA-256", &tls13);
    assert_true(g_str_has_prefix(plain, "n,,n=ann,r="));
}

static GBytes *other_binding(gpointer data, const char *type)
{
    (void)data;
    return g_str_equal(type, "tls-exporter") ? g_bytes_new_static("other", 5) : NULL;
}

/* Somebody in between has another connection to each side. */
static void test_plus_notices_who_is_between(void **state)
{
    (void)state;
    Server server = {.user = "ann", .password = "pencil", .connection = &tls13};
    g_autoptr(Secret) password = secret_new("pencil", -1);
    SaslContext context = context_for("ann", password, &tls13);
    context.channel_binding = other_binding;
    g_autoptr(Sasl) sasl = must_begin("SCRAM-SHA-256-PLUS", &context);
    g_autoptr(GError) error = NULL;
    server_begin(&server, "SCRAM-SHA-256-PLUS");
    carry(sasl, &server);
    assert_int_not_equal(server.status, GSASL_OK);
    assert_false(sasl_finish(sasl, &error));
    server_end(&server);
}

/* --- Servers that cheat --- */

static char *encode_text(const char *text)
{
    return g_base64_encode((const guchar *)text, strlen(text));
}

/* An exchange of SCRAM up to the server's signature, in whose stead `last` is sent. NULL: the
 * server's own. Returns whether the client takes the login for good. */
static bool scram_ends(const char *last, int *code, char **failure)
{
    Server server = {.user = "ann", .password = "pencil"};
    g_autoptr(Secret) password = secret_new("pencil", -1);
    SaslContext context = context_for("ann", password, NULL);
    g_autoptr(Sasl) sasl = must_begin("SCRAM-SHA-256", &context);
    g_autoptr(GError) error = NULL;
    server_begin(&server, "SCRAM-SHA-256");
    g_autoptr(Secret) first = must_step(sasl, NULL);
    g_autofree char *challenge = server_step(&server, secret_text(first));
    g_autoptr(Secret) proof = must_step(sasl, challenge);
    g_autofree char *signature = server_step(&server, secret_text(proof));
    assert_int_equal(server.status, GSASL_OK);
    g_autofree char *sent = last ? encode_text(last) : g_strdup(signature);
    g_autoptr(Secret) end = sasl_step(sasl, sent, &error);
    *code = end ? 0 : error->code;
    *failure = g_strdup(sasl_failure(sasl));
    if (end)
        assert_int_equal(secret_length(end), 0);
    bool good = sasl_finish(sasl, NULL);
    server_end(&server);
    return good;
}

static void test_scram_signature(void **state)
{
    (void)state;
    int code;
    char *failure;
    assert_true(scram_ends(NULL, &code, &failure));
    assert_int_equal(code, 0);
    assert_null(failure);
    assert_false(scram_ends("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", &code, &failure));
    assert_int_equal(code, EACCES);
    assert_null(failure);
    assert_false(scram_ends("", &code, &failure));
    assert_int_not_equal(code, 0);
    assert_false(scram_ends("nonsense", &code, &failure));
    assert_int_equal(code, EPROTO);
    assert_false(scram_ends("e=invalid-\33proof", &code, &failure));
    assert_int_equal(code, EACCES);
    assert_string_equal(failure, "invalid- proof");
    g_free(failure);
}

/* "OK" without a proof of the server's. */
static void test_scram_without_signature(void **state)
{
    (void)state;
    Server server = {.user = "ann", .password = "pencil"};
    g_autoptr(Secret) password = secret_new("pencil", -1);
    SaslContext context = context_for("ann", password, NULL);
    g_autoptr(Sasl) sasl = must_begin("SCRAM-SHA-256", &context);
    g_autoptr(GError) error = NULL;
    server_begin(&server, "SCRAM-SHA-256");
    g_autoptr(Secret) first = must_step(sasl, NULL);
    assert_false(sasl_finish(sasl, NULL));
    g_autofree char *challenge = server_step(&server, secret_text(first));
    g_autoptr(Secret) proof = must_step(sasl, challenge);
    assert_true(secret_length(proof) > 0);
    assert_false(sasl_finish(sasl, &error));
    assert_true(g_error_matches(error, MAIL_ERROR, EPROTO));
    server_end(&server);
}

/* A server's first message that keeps the client's nonce, with this salt and number of rounds. */
static char *scram_challenge(const Secret *first, const char *salt, const char *rounds)
{
    gsize length;
    g_autofree guchar *bytes = g_base64_decode(secret_text(first), &length);
    g_autofree char *message = g_strndup((char *)bytes, length);
    const char *nonce = strstr(message, "r=");
    g_autofree char *challenge = g_strdup_printf("%sXY,s=%s,i=%s", nonce, salt, rounds);
    return encode_text(challenge);
}

static GError *scram_refusal(const char *salt, const char *rounds)
{
    GError *error = NULL;
    g_autoptr(Secret) password = secret_new("pencil", -1);
    SaslContext context = context_for("ann", password, NULL);
    g_autoptr(Sasl) sasl = must_begin("SCRAM-SHA-256", &context);
    g_autoptr(Secret) first = must_step(sasl, NULL);
    g_autofree char *challenge = scram_challenge(first, salt, rounds);
    g_autoptr(Secret) answer = sasl_step(sasl, challenge, &error);
    assert_true(!answer == (error != NULL));
    return error;
}

/* Rounds without end would hold up the engine. */
static void test_scram_rounds(void **state)
{
    (void)state;
    static const char *const refused[] = {"1000001", "4294967295", "0", "-1",
                                          "99999999999999999999999"};
    for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autoptr(GError) error = scram_refusal("QSXCR+Q6sek8bf92", refused[i]);
        assert_true(g_error_matches(error, MAIL_ERROR, EPROTO));
    }
    g_autoptr(GError) too_many = scram_refusal("QSXCR+Q6sek8bf92", "1000001");
    assert_non_null(strstr(too_many->message, "1000001"));
    assert_null(scram_refusal("QSXCR+Q6sek8bf92", "10000"));
}

static void test_scram_other_nonce(void **state)
{
    (void)state;
    g_autoptr(Secret) password = secret_new("pencil", -1);
    SaslContext context = context_for("ann", password, NULL);
    g_autoptr(Sasl) sasl = must_begin("SCRAM-SHA-256", &context);
    g_autoptr(GError) error = NULL;
    g_autoptr(Secret) first = must_step(sasl, NULL);
    assert_true(secret_length(first) > 0);
    g_autofree char *challenge = encode_text("r=somebodyelses,s=QSXCR+Q6sek8bf92,i=4096");
    assert_null(sasl_step(sasl, challenge, &error));
    assert_non_null(error);
}

static void test_password_is_wiped(void **state)
{
    (void)state;
    static const char *const mechanisms[] = {"SCRAM-SHA-1", "SCRAM-SHA-256"};
    for (size_t i = 0; i < G_N_ELEMENTS(mechanisms); i++) {
        g_autoptr(Secret) password = unmasked_password();
        SaslContext context = context_for("ann", password, NULL);
        g_autoptr(Sasl) sasl = must_begin(mechanisms[i], &context);
        g_autoptr(Secret) first = must_step(sasl, NULL);
        g_autofree char *challenge = scram_challenge(first, "QSXCR+Q6sek8bf92", "4096");
        g_autoptr(Secret) proof = must_step(sasl, challenge);
        assert_true(secret_length(proof) > 0);
        if (passwords_in_heap() > 0)
            fail_msg("%s leaves the password behind", mechanisms[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scram_without_plus_under_tls),
        cmocka_unit_test(test_plus),
        cmocka_unit_test(test_plus_notices_who_is_between),
        cmocka_unit_test(test_scram_signature),
        cmocka_unit_test(test_scram_without_signature),
        cmocka_unit_test(test_scram_rounds),
        cmocka_unit_test(test_scram_other_nonce),
        cmocka_unit_test(test_password_is_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
