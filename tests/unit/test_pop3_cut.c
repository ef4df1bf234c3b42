#include "../../pop3client/cut.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "../../pop3client/header.h"
#include "../../pop3client/limits.h"

static const MailRange header_and_text[] = {{MAIL_SECTION_HEADER, 0, 0}, {MAIL_SECTION_TEXT, 0, 0}};

static void take_part(gpointer data, const MailRange *asked, GBytes *bytes)
{
    gsize length = 0;
    const char *content = g_bytes_get_data(bytes, &length);
    g_autofree char *text = g_strndup(length ? content : "", length);
    g_autofree char *shown = length > 99 ? g_strdup_printf("(%zu)", length)
                                         : g_strescape(text, NULL);

    g_string_append_printf(data, "%c%" G_GUINT64_FORMAT "+%u=%s ", "HTB"[asked->section],
                           (guint64)asked -> offset, asked -> length, shown);
}

/* What is told of the message, fed in pieces of so many bytes; "too long" at the end where it was.
 * The caller frees. */
static char *cut(const char *message, size_t length, size_t piece, uint64_t limit,
                 const MailRange *ranges, size_t n)
{
    g_autoptr(GString) log = g_string_new(NULL);
    g_autoptr(Pop3Cut) cutter = pop3_cut_new(ranges, n, limit, take_part, log);
    g_autoptr(GError) error = NULL;

    for (size_t done = 0; done < length; done += piece)
        pop3_cut_take(cutter, (const uint8_t *)message + done, MIN(piece, length - done));
    if (!pop3_cut_end(cutter, &error)) {
        assert_int_equal(mail_errno(error), EFBIG);
        g_string_append(log, "too long");
    }
    return g_string_free(g_steal_pointer(&log), FALSE);
}

static void check(const char *message, uint64_t limit, const MailRange *ranges, size_t n,
                  const char *expected)
{
    for (size_t piece = 1; piece <= strlen(message) + 1; piece++) {
        g_autofree char *told = cut(message, strlen(message), piece, limit, ranges, n);
        assert_string_equal(told, expected);
    }
}

static void test_where_the_header_ends(void **state)
{
    static const struct {
        const char *message;
        size_t length;
    } messages[] = {
        {"A: b\r\n\r\ntext", 8},
        {"A: b\n\ntext", 6},
        {"A: b\n\r\ntext", 7},
        {"A: b\r\n\ntext", 7},
        {"\r\ntext\r\n\r\n", 2},
        {"\ntext", 1},
        {"A: b\r\n", 6},
        {"A: b", 4},
        {"", 0},
        {"A\r\n\r\r\n\r\n", 8},
        {"A\r\r\n\n", 5},
        {"A\r\n x\r\n", 7},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(messages); i++) {
        const uint8_t *bytes = (const uint8_t *)messages[i].message;
        size_t length = strlen(messages[i].message);
        for (size_t piece = 1; piece <= length; piece++) {
            HeaderScan scan = {0};
            size_t n = 0;
            for (size_t done = 0; done < length; done += piece)
                n += header_scan(&scan, bytes + done, MIN(piece, length - done));
            assert_int_equal(n, messages[i].length);
        }
    }
}

static void test_whole_sections(void **state)
{
    static const MailRange all[] = {
        {MAIL_SECTION_BODY, 0, 0}, {MAIL_SECTION_TEXT, 0, 0}, {MAIL_SECTION_HEADER, 0, 0}};
    (void)state;
    check("A: b\r\n\r\ntext", 100, header_and_text, 2, "H0+0=A: b\\r\\n\\r\\n T0+0=text ");
    check("A: b", 100, all, 3, "H0+0=A: b T0+0= B0+0=A: b ");
    check("", 100, all, 3, "H0+0= T0+0= B0+0= ");
    check("A: b\r\n\r\ntext", 8, header_and_text, 2, "H0+0=A: b\\r\\n\\r\\n T0+0=text ");
    check("A: b\r\n\r\ntext", 7, header_and_text, 2, "T0+0=text too long");
    check("A: b\r\n\r\ntext", 3, header_and_text, 2, "too long");
}

static void test_stretches(void **state)
{
    static const MailRange of_text[] = {
        {MAIL_SECTION_TEXT, 0, 2}, {MAIL_SECTION_TEXT, 1, 3}, {MAIL_SECTION_TEXT, 3, 9}};
    static const MailRange of_header[] = {{MAIL_SECTION_HEADER, 9, 1}, {MAIL_SECTION_HEADER, 0, 8}};
    (void)state;
    check("\ntext", 1, of_text, 3, "T0+2=te T1+3=ext T3+9=t ");
    check("\nt", 1, of_text, 3, "T0+2=t T1+3= T3+9= ");
    check("A: b\r\n\r\ntext", 1, of_header, 2, "H0+8=A: b\\r\\n\\r\\n H9+1= ");
}

static void test_pieces(void **state)
{
    static const struct {
        size_t length;
        const char *told;
    } texts[] = {
        {POP3_PIECE - 1, "H0+1=\\n H1+0= T0+65535=(65535) T65535+0= "},
        {POP3_PIECE, "H0+1=\\n H1+0= T0+65536=(65536) T65536+0= "},
        {POP3_PIECE + 1, "H0+1=\\n H1+0= T0+65536=(65536) T65536+1=x T65537+0= "},
        {2 * POP3_PIECE, "H0+1=\\n H1+0= T0+65536=(65536) T65536+65536=(65536) T131072+0= "},
    };
    (void)state;
    check("A: b\r\n\r\ntext", 0, header_and_text, 2,
          "H0+8=A: b\\r\\n\\r\\n H8+0= T0+4=text T4+0= ");
    check("", 0, header_and_text, 2, "H0+0= T0+0= ");
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autofree char *message = g_strnfill(texts[i].length + 1, 'x');
        message[0] = '\n';
        for (size_t piece = 1000; piece < 1000000; piece *= 9) {
            g_autofree char *told = cut(message, texts[i].length + 1, piece, 0, header_and_text, 2);
            assert_string_equal(told, texts[i].told);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where_the_header_ends),
        cmocka_unit_test(test_whole_sections),
        cmocka_unit_test(test_stretches),
        cmocka_unit_test(test_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
