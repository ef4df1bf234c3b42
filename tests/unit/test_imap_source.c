#include "../../imapclient/build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int file_with(const char *text)
{
    int fd = memfd_create("message", MFD_CLOEXEC);

    assert_int_equal(write(fd, text, strlen(text)), (gssize)strlen(text));
    return fd;
}

static void check_reads(ImapSource *source)
{
    uint8_t bytes[8];

    assert_int_equal(imap_source_size(source), 10);
    assert_false(imap_source_begun(source));
    assert_int_equal(imap_source_read(source, bytes, 8), 8);
    assert_true(imap_source_begun(source));
    assert_memory_equal(bytes, "01234567", 8);
    assert_int_equal(imap_source_read(source, bytes, 8), 2);
    assert_memory_equal(bytes, "89", 2);
    assert_int_equal(imap_source_read(source, bytes, 8), 0);
    assert_null(imap_source_error(source));
    imap_source_unref(source);
}

static void test_bytes(void **state)
{
    g_autoptr(GBytes) bytes = g_bytes_new_static("0123456789", 10);

    (void)state;
    check_reads(imap_source_new_bytes(bytes));
}

/* From its beginning, though somebody else uses the descriptor, and closes it. */
static void test_file(void **state)
{
    int fd = file_with("0123456789 and more");
    ImapSource *source = imap_source_new_file(fd, 10, NULL);

    (void)state;
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 19);
    close(fd);
    check_reads(source);
}

static void test_short_file(void **state)
{
    int fd = file_with("0123");
    g_autoptr(ImapSource) source = imap_source_new_file(fd, 10, NULL);
    uint8_t bytes[8];

    (void)state;
    close(fd);
    assert_int_equal(imap_source_read(source, bytes, 8), 4);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(imap_source_read(source, bytes, 8), -1);
        assert_int_equal(mail_errno(imap_source_error(source)), EIO);
    }
}

static void test_unreadable(void **state)
{
    g_autoptr(GError) error = NULL;
    int ends[2];
    uint8_t bytes[8];

    (void)state;
    assert_null(imap_source_new_file(-1, 10, &error));
    assert_int_equal(error->code, EBADF);
    assert_int_equal(pipe(ends), 0);
    g_autoptr(ImapSource) source = imap_source_new_file(ends[0], 10, NULL);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(imap_source_read(source, bytes, 8), -1);
    assert_int_equal(mail_errno(imap_source_error(source)), EIO);
    assert_false(imap_source_begun(source));
}

/* --- in a command ------------------------------------------------------------------------------
 */

static void check_command(ImapLiteralMode mode, size_t size, const char *first, bool waits)
{
    g_autofree char *text = g_strnfill(size, 'x');
    g_autoptr(GBytes) bytes = g_bytes_new(text, size);
    ImapSource *source = imap_source_new_bytes(bytes);
    g_autoptr(ImapCommand) command = imap_command_new("APPEND a");
    const char *log = NULL;

    imap_command_source(command, source, mode);
    imap_source_unref(source);
    assert_int_equal(imap_command_pieces(command), 3);
    g_autoptr(GBytes) piece = imap_command_piece(command, 0, NULL, &log);
    g_autofree char *line = g_strconcat(first, "\r\n", NULL);
    assert_int_equal(g_bytes_get_size(piece), strlen(line));
    assert_memory_equal(g_bytes_get_data(piece, NULL), line, strlen(line));
    assert_string_equal(log, first);
    assert_int_equal(imap_command_waits(command, 0), waits);
    assert_null(imap_command_source_at(command, 0));
    assert_ptr_equal(imap_command_source_at(command, 1), source);
    assert_false(imap_command_waits(command, 1));
    g_autoptr(GBytes) end = imap_command_piece(command, 2, NULL, &log);
    assert_int_equal(g_bytes_get_size(end), 0);
    assert_null(imap_command_source_at(command, 2));
}

static void test_in_a_command(void **state)
{
    (void)state;
    check_command(IMAP_LITERAL_PLUS, 5000, "APPEND a {5000+}", false);
    check_command(IMAP_LITERAL_MINUS, 4096, "APPEND a {4096+}", false);
    check_command(IMAP_LITERAL_MINUS, 4097, "APPEND a {4097}", true);
    check_command(IMAP_LITERAL_SYNC, 1, "APPEND a {1}", true);
}

static void test_dates(void **state)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {
        {0, "X \"01-Jan-1970 00:00:00 +0000\""},
        {951782399, "X \"28-Feb-2000 23:59:59 +0000\""},
        {951782400, "X \"29-Feb-2000 00:00:00 +0000\""},
        {-1, "X \"31-Dec-1969 23:59:59 +0000\""},
        {253402300799, "X \"31-Dec-9999 23:59:59 +0000\""},
        {253402300800, "X"},
        {-30610224001, "X"}, /* in the year 999 */
        {INT64_MIN, "X"},
        {INT64_MAX, "X"},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(ImapCommand) command = imap_command_new("X");
        const char *log = NULL;
        imap_command_date(command, cases[i].seconds);
        g_bytes_unref(imap_command_piece(command, 0, NULL, &log));
        assert_string_equal(log, cases[i].text);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),        cmocka_unit_test(test_file),
        cmocka_unit_test(test_short_file),   cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_in_a_command), cmocka_unit_test(test_dates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
