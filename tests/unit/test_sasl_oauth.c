/*
 * test_sasl_oauth.c: XOAUTH2 and OAUTHBEARER, and a server's refusal in words.
 */
#include "../../imapclient/net/sasl_oauth.h"
#include "sasl_server.h"

/* As in Google's and Microsoft's documentation of the mechanism. */
static void test_xoauth2(void **state)
{
    (void)state;
    g_autoptr(Secret) token = secret_new("ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg", -1);
    SaslContext context = context_for("someuser@example.com", token, &tls13);
    g_autoptr(Sasl) sasl = must_begin("XOAUTH2", &context);
    g_autoptr(GError) error = NULL;
    assert_true(sasl_client_first(sasl));
    g_autoptr(Secret) answer = must_step(sasl, NULL);
    static const char expected[] = "user=someuser@example.com\1auth=Bearer "
                                   "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\1\1";
    assert_decoded(answer, expected, sizeof(expected) - 1);
    assert_true(sasl_finish(sasl, NULL));
    assert_null(sasl_failure(sasl));

    /* {"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"} */
    g_autoptr(Secret)
        reply = must_step(sasl, "eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUi"
                                "OiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ==");
    assert_string_equal(secret_text(reply), "");
    assert_string_equal(sasl_failure(sasl), "status 400");
    assert_false(sasl_finish(sasl, &error));
    assert_true(g_error_matches(error, MAIL_ERROR, EPROTO));
    g_clear_error(&error);
    assert_null(sasl_step(sasl, "", &error));
    assert_true(g_error_matches(error, MAIL_ERROR, EPROTO));
}

/* The example of RFC 7628 section 4.1, with this context's host and port. */
static void test_oauthbearer(void **state)
{
    (void)state;
    g_autoptr(Secret) token = secret_new("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==", -1);
    SaslContext context = context_for("us=er,1@example.com", token, &tls13);
    g_autoptr(Sasl) sasl = must_begin("OAUTHBEARER", &context);
    g_autoptr(Secret) answer = must_step(sasl, NULL);
    static const char expected[] =
        "n,a=us=3Der=2C1@example.com,\1host=mail.example.org\1port=993\1auth=Bearer "
        "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1";
    assert_decoded(answer, expected, sizeof(expected) - 1);
    assert_true(sasl_finish(sasl, NULL));
    /* {"status":"invalid_token","scope":"example_scope", … */
    g_autoptr(Secret) reply = must_step(
        sasl, "eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIiwic2NvcGUiOiJleGFtcGxlX3Njb3BlIiwib3BlbmlkLWNvbm"
              "ZpZ3VyYXRpb24iOiJodHRwczovL2V4YW1wbGUuY29tLy53ZWxsLWtub3duL29wZW5pZC1jb25maWd1cmF0"
              "aW9uIn0=");
    assert_string_equal(secret_text(reply), "AQ==");
    assert_string_equal(sasl_failure(sasl), "status invalid_token");
}

static void test_oauth_failure_texts(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *text;
    } cases[] = {
        {"{\"status\":\"401\",\"error\" : \"invalid_request\"}",
         "status 401, error invalid_request"},
        {"{ \"status\": 400 , \"schemes\":[\"a\",\"b\"]}", "status 400"},
        {"{\"a\":{\"error\":\"deep\"}}", "error deep"},
        {"{\"error_description\":\"say \\\"please\\\"\"}", "description say \"please\""},
        {"{\"error\":\"a\\u001b[2J\\nb\"}", "error au001b[2Jnb"},
        {"{\"error\":\"\33[2J\r\n\"}", "error  [2J  "},
        {"{\"error\":\"\377\"}", "error \357\277\275"},
        {"{\"error\":\"cut", "error cut"},
        {"{\"error\":\"cut\\", "error cut\\"},
        {"{\"error\":", "without a reason"},
        {"{\"error\"", "without a reason"},
        {"{\"error", "without a reason"},
        {"{\"error\":{}}", "without a reason"},
        {"{\"scope\":\"error\",\"x\":\"status\"}", "without a reason"},
        {"no JSON", "without a reason"},
        {"\"", "without a reason"},
        {"", "without a reason"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        size_t length = strlen(cases[i].json);
        /* In memory of its own, so that a read behind the end is noticed. */
        g_autofree char *json = length > 0 ? g_memdup2(cases[i].json, length) : NULL;
        g_autofree char *text = oauth_failure_text(json, length);
        assert_string_equal(text, cases[i].text);
    }
    g_autofree char *nul = oauth_failure_text("{\"error\":\"a\0b\"}", 15);
    assert_string_equal(nul, "error a b");
    g_autofree char *filling = g_strnfill(100000, 'x');
    g_autofree char *json = g_strdup_printf("{\"error\":\"%s\",\"status\":\"1\"}", filling);
    g_autofree char *text = oauth_failure_text(json, strlen(json));
    assert_true(strlen(text) < 300);
    assert_true(g_str_has_suffix(text, "x, status 1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_xoauth2),
        cmocka_unit_test(test_oauthbearer),
        cmocka_unit_test(test_oauth_failure_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
