#include "../../fs/url.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    const char *text;
    Url url;
    const char *shown; /* by url_text; NULL: the text itself */
} Good;

static const Good good[] = {
    {"imaps://mail.example.org",
     {.tls = true, .host = (char *)"mail.example.org", .port = 993},
     NULL},
    {"imap://mail.example.org/",
     {.host = (char *)"mail.example.org", .port = 143},
     "imap://mail.example.org"},
    {"pop3://h", {.protocol = URL_POP3, .host = (char *)"h", .port = 110}, NULL},
    {"PoP3s://h/",
     {.protocol = URL_POP3, .tls = true, .host = (char *)"h", .port = 995},
     "pop3s://h"},
    {"IMAPS://ann%40example.org@mail.example.org:993/Archive",
     {.tls = true,
      .user = (char *)"ann@example.org",
      .host = (char *)"mail.example.org",
      .port = 993,
      .folder = (char *)"Archive"},
     "imaps://ann%40example.org@mail.example.org/Archive"},
    {"imap://ann;AUTH=*@h:1/a/b/",
     {.user = (char *)"ann", .host = (char *)"h", .port = 1, .folder = (char *)"a/b"},
     "imap://ann@h:1/a/b"},
    {"imap://ann;auth=Scram-Sha-256@h:65535",
     {.user = (char *)"ann", .auth = (char *)"SCRAM-SHA-256", .host = (char *)"h", .port = 65535},
     "imap://ann@h:65535"},
    {"imap://;AUTH=EXTERNAL@h",
     {.auth = (char *)"EXTERNAL", .host = (char *)"h", .port = 143},
     "imap://h"},
    {"pop3://ann;AUTH=+APOP@h",
     {.protocol = URL_POP3,
      .user = (char *)"ann",
      .auth = (char *)"+APOP",
      .host = (char *)"h",
      .port = 110},
     "pop3://ann@h"},
    {"imaps://a%3Ab%3Bc%2Fd%25%20%C3%A9@h",
     {.tls = true, .user = (char *)"a:b;c/d% é", .host = (char *)"h", .port = 993},
     NULL},
    {"imap://192.0.2.7:", {.host = (char *)"192.0.2.7", .port = 143}, "imap://192.0.2.7"},
    {"imaps://[2001:DB8::1]:1993/x",
     {.tls = true,
      .ipv6 = true,
      .host = (char *)"2001:db8::1",
      .port = 1993,
      .folder = (char *)"x"},
     "imaps://[2001:db8::1]:1993/x"},
    {"imap://[fe80::1%25eth0]", {.ipv6 = true, .host = (char *)"fe80::1%eth0", .port = 143}, NULL},
    {"imap://MAIL.Example.ORG.",
     {.host = (char *)"mail.example.org", .port = 143},
     "imap://mail.example.org"},
    {"imap://bücher.example",
     {.host = (char *)"xn--bcher-kva.example", .port = 143},
     "imap://xn--bcher-kva.example"},
    {"imap://h/Entw%C3%BCrfe%20%231",
     {.host = (char *)"h", .port = 143, .folder = (char *)"Entwürfe #1"},
     NULL},
    {"imap://h/Entwürfe alt",
     {.host = (char *)"h", .port = 143, .folder = (char *)"Entwürfe alt"},
     "imap://h/Entw%C3%BCrfe%20alt"},
    {"imap://h/~a@b:c&d=e,f//",
     {.host = (char *)"h", .port = 143, .folder = (char *)"~a@b:c&d=e,f"},
     "imap://h/~a@b:c&d=e,f"},
    {"imap://h//Archive%2F",
     {.host = (char *)"h", .port = 143, .folder = (char *)"/Archive"},
     "imap://h//Archive"},
};

static void assert_same(const char *a, const char *b)
{
    if (a && b)
        assert_string_equal(a, b);
    else
        assert_true(a == b);
}

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
        g_auto(Url) url = {0};
        g_autoptr(GError) error = NULL;
        g_autofree char *shown = NULL;

        if (!url_parse(good[i].text, &url, &error))
            fail_msg("%s: %s", good[i].text, error->message);
        assert_int_equal(url.protocol, good[i].url.protocol);
        assert_int_equal(url.tls, good[i].url.tls);
        assert_int_equal(url.ipv6, good[i].url.ipv6);
        assert_int_equal(url.port, good[i].url.port);
        assert_same(url.user, good[i].url.user);
        assert_same(url.auth, good[i].url.auth);
        assert_same(url.host, good[i].url.host);
        assert_same(url.folder, good[i].url.folder);
        shown = url_text(&url);
        assert_string_equal(shown, good[i].shown ? good[i].shown : good[i].text);
    }
}

static void assert_refused(const char *text, const char *why)
{
    Url url;
    g_autoptr(GError) error = NULL;

    if (url_parse(text, &url, &error))
        fail_msg("%s was taken", text);
    assert_true(error->domain == MAIL_ERROR);
    assert_int_equal(error->code, EINVAL);
    if (!strstr(error->message, why))
        fail_msg("%s: \"%s\" does not say \"%s\"", text, error->message, why);
    assert_non_null(strstr(error->message, "imaps://ann%40example.org@mail.example.org"));
    assert_null(strchr(error->message, '\n'));
    assert_null(strstr(error->message, "s3cret"));
    assert_null(url.host);
    assert_null(url.user);
}

static void test_bad(void **state)
{
    static const char *const bad[][2] = {
        {"", "must begin with"},
        {"mail.example.org", "must begin with"},
        {"http://mail.example.org", "must begin with"},
        {"imap:mail.example.org", "must begin with"},
        {"s3cret://h", "must begin with"},
        {"imaps://", "host name is missing"},
        {"imaps:///Archive", "host name is missing"},
        {"imaps://ann@", "host name is missing"},
        {"imaps://@h", "user name ahead of the '@' is empty"},
        {"imaps://ann@example.org@h", "written %40"},
        {"imaps://a%zz@h", "two hexadecimal digits"},
        {"imaps://a%4@h", "two hexadecimal digits"},
        {"imaps://a%", "no host name"},
        {"imaps://a%00b@h", "holds %00"},
        {"imaps://a%0ab@h", "user name holds a control character"},
        {"imaps://a%ff@h", "not valid UTF-8"},
        {"imaps://h/%C2%85", "folder's name holds a control character"},
        {"imaps://h/a%00", "holds %00"},
        {"imaps://h/%C3", "not valid UTF-8"},
        {"imaps://h/a%2", "two hexadecimal digits"},
        {"imaps://h/a\nb", "control character"},
        {"imaps://h/\xff", "not valid UTF-8"},
        {"imaps://ann;PASS=s3cret@h", "only ';AUTH=…'"},
        {"imaps://ann;AUTH=@h", "name of a SASL mechanism"},
        {"imaps://ann;AUTH=a b@h", "name of a SASL mechanism"},
        {"imaps://ann;AUTH=PLAIN;AUTH=LOGIN@h", "name of a SASL mechanism"},
        {"imaps://h:0", "1 to 65535"},
        {"imaps://h:65536", "1 to 65535"},
        {"imaps://h:99999999999999999999", "1 to 65535"},
        {"imaps://h:12x", "1 to 65535"},
        {"imaps://h:-1", "1 to 65535"},
        {"imaps://::1/", "brackets"},
        {"imaps://2001:db8::1", "brackets"},
        {"imaps://[2001:db8::1", "']' after"},
        {"imaps://[2001:db8::1]x", "may follow the ']'"},
        {"imaps://[192.0.2.1]", "an IPv6 address must stand"},
        {"imaps://[fe80::1%eth0]", "a zone follows"},
        {"imaps://[fe80::1%25]", "a zone follows"},
        {"imaps://[fe80::1%25e/]", "']' after"},
        {"imaps://300.1.1.1", "no IPv4 address"},
        {"imaps://1.2.3", "no IPv4 address"},
        {"imaps://a..b", "no host name"},
        {"imaps://.", "no host name"},
        {"imaps://a%2eb", "no host name"},
        {"imaps://a b", "no host name"},
        {"imaps://h/x;UIDVALIDITY=1/;UID=20", "only a folder"},
        {"imaps://h/;UID=20", "only a folder"},
        {"imaps://h/x?SUBJECT%20y", "search"},
        {"imaps://h?x", "search"},
        {"imaps://h/#news", "%23"},
        {"pop3://h/INBOX", "POP3 has no folders"},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
        assert_refused(bad[i][0], bad[i][1]);
}

static void test_password_is_refused_and_not_repeated(void **state)
{
    (void)state;
    assert_refused("imaps://ann:s3cret@mail.example.org/", "holds a password");
    assert_refused("imaps://:s3cret@mail.example.org/", "holds a password");
    assert_refused("imaps://ann:s3cret;AUTH=PLAIN@h/", "holds a password");
    assert_refused("imaps://ann:s3cret@x@h/", "holds a password");
    /* Where the password's own characters end the authority early. */
    assert_refused("imaps://ann:s3cret/x@h/", "no password may stand in a URL");
    assert_refused("imaps://ann:1?s3cret@h/", "search");
    assert_refused("ann:s3cret@h", "must begin with");
    assert_refused("xmap://ann:s3cret@h", "must begin with");
}

static void test_length(void **state)
{
    g_autoptr(GString) text = g_string_new("imaps://h/");
    g_autoptr(GString) host = g_string_new("imaps://");
    g_auto(Url) url = {0};

    (void)state;
    while (text->len < 4096)
        g_string_append_c(text, 'x');
    assert_true(url_parse(text->str, &url, NULL));
    assert_int_equal(strlen(url.folder), 4096 - strlen("imaps://h/"));
    g_string_append_c(text, 'x');
    assert_refused(text->str, "longer than 4096");

    for (int i = 0; i < 63; i++)
        g_string_append_c(host, 'h');
    url_clear(&url);
    assert_true(url_parse(host->str, &url, NULL));
    g_string_append_c(host, 'h');
    assert_refused(host->str, "no host name");
    g_string_assign(host, "imaps://");
    for (int i = 0; i < 127; i++)
        g_string_append(host, "a.");
    assert_true(host->len - strlen("imaps://") == 254);
    url_clear(&url);
    assert_true(url_parse(host->str, &url, NULL)); /* 253 without the last dot */
    g_string_append(host, "bc");
    assert_refused(host->str, "no host name");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_password_is_refused_and_not_repeated),
        cmocka_unit_test(test_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
