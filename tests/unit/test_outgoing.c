/* What is a message, and its line ends. */
#include "../../fs/outgoing.h"

#include "../../cache/mail.h"
#include "../../fs/privatefile.h"
#include "cache_helpers.h"

#include <errno.h>

static int file_of(const void *bytes, size_t size)
{
    int fd = privatefile_open(NULL, NULL);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, size, 0), size);
    return fd;
}

/* The errno, or 0 and what is to be sent (the caller frees). */
static int make(const char *bytes, size_t size, bool any, char **sent, char **message_id)
{
    g_auto(Outgoing) outgoing = OUTGOING_NONE;
    g_autoptr(GError) error = NULL;
    int fd = file_of(bytes, size);
    bool made = outgoing_make(fd, any, NULL, &outgoing, &error);
    close(fd);
    *sent = *message_id = NULL;
    if (!made) {
        assert_int_equal(outgoing.fd, -1);
        return mail_errno(error);
    }
    *sent = g_malloc0(outgoing.size + 2);
    assert_int_equal(pread(outgoing.fd, *sent, outgoing.size + 1, 0), outgoing.size);
    *message_id = g_strdup(outgoing.message_id);
    return 0;
}

static void assert_sent(const char *written, const char *expected)
{
    g_autofree char *sent = NULL, *id = NULL;
    assert_int_equal(make(written, strlen(written), false, &sent, &id), 0);
    assert_string_equal(sent, expected);
}

static void test_line_ends(void **state)
{
    (void)state;
    assert_sent("A: b\n\nc\n", "A: b\r\n\r\nc\r\n");
    assert_sent("A: b\r\n\r\nc\r\n", "A: b\r\n\r\nc\r\n");
    assert_sent("A: b\r\n\nc\rd\n\r\n", "A: b\r\n\r\nc\rd\r\n\r\n");
    assert_sent("A: b", "A: b");
    assert_sent("A: b\n\n.", "A: b\r\n\r\n.");
}

/* A CR and its LF may be read in two pieces. */
static void test_long_ones(void **state)
{
    (void)state;
    for (size_t at = 65534; at <= 65537; at++) {
        g_autoptr(GString) crlf = g_string_new("A: b\r\n\r\n"), lf = g_string_new("A: b\r\n\r\n");
        while (crlf->len < at)
            g_string_append_c(crlf, 'x');
        g_string_assign(lf, crlf->str);
        g_string_append(crlf, "\r\ny\r\n");
        g_string_append(lf, "\ny\r\n");
        assert_sent(crlf->str, crlf->str);
        assert_sent(lf->str, crlf->str);
    }
    g_autoptr(GString) lf = g_string_new("A: b\n\n"), crlf = g_string_new("A: b\r\n\r\n");
    for (int i = 0; i < 100000; i++) {
        g_string_append_printf(lf, "%d\n", i);
        g_string_append_printf(crlf, "%d\r\n", i);
    }
    assert_sent(lf->str, crlf->str);
}

static int judge(const char *bytes, size_t size, bool any)
{
    g_autofree char *sent = NULL, *id = NULL;
    return make(bytes, size, any, &sent, &id);
}

static void test_what_is_a_message(void **state)
{
    static const char *const messages[] = {"Subject: x\n", "X-Y_z :\r\n\r\n", "a:b"};
    static const char *const none[] = {"no header",      "From ann Mon Jan  1\nSubject: x\n",
                                       ": x\n",          " a: b\n",
                                       "\nSubject: x\n", "\xc3\xa9: x\n",
                                       "a b: c\n"};
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(messages); i++)
        assert_int_equal(judge(messages[i], strlen(messages[i]), false), 0);
    for (size_t i = 0; i < G_N_ELEMENTS(none); i++) {
        assert_int_equal(judge(none[i], strlen(none[i]), false), EINVAL);
        assert_int_equal(judge(none[i], strlen(none[i]), true), 0);
    }
    assert_int_equal(judge("", 0, true), EINVAL);
    assert_int_equal(judge("A: b\r\n\r\nc\0d", 12, true), EINVAL);
}

static void assert_id(const char *header, const char *expected)
{
    g_autofree char *sent = NULL, *id = NULL;
    assert_int_equal(make(header, strlen(header), false, &sent, &id), 0);
    if (expected)
        assert_string_equal(id, expected);
    else
        assert_null(id);
}

static void test_message_id(void **state)
{
    (void)state;
    assert_id("A: b\r\nmessage-id: <a@b>\r\n\r\n", "<a@b>");
    assert_id("Message-ID:\n <a@b>\n\n", "<a@b>");
    assert_id("Message-ID: <a@b>", "<a@b>");
    assert_id("A: b\n\nMessage-ID: <a@b>\n", NULL);
    assert_id("Message-ID: a@b\nReferences: <c@d>\n\n", NULL);
    assert_id("Message-ID: <a b>\n\n", NULL);
    assert_id("Message-ID: <a@b\n\n", NULL);
    assert_id("X-Message-ID: <a@b>\n\n", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line_ends),
        cmocka_unit_test(test_long_ones),
        cmocka_unit_test(test_what_is_a_message),
        cmocka_unit_test(test_message_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
