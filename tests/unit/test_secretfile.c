#include "../../fs/secretfile.h"

#include "../../cache/mail.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char *folder;

static int set_up(void **state)
{
    (void)state;
    folder = g_dir_make_tmp("pullmail-test-XXXXXX", NULL);
    return folder ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    rmdir(folder);
    g_free(folder);
    return 0;
}

static void assert_error(const GError *error, int code, const char *why)
{
    if (!error) {
        fail_msg("no error: \"%s\"", why);
        return;
    }
    assert_true(error->domain == MAIL_ERROR);
    assert_int_equal(error->code, code);
    if (!strstr(error->message, why))
        fail_msg("\"%s\" does not say \"%s\"", error->message, why);
}

static void test_open(void **state)
{
    g_autofree char *path = g_build_filename(folder, "file", NULL);
    g_autofree char *fifo = g_build_filename(folder, "fifo", NULL);
    g_autoptr(GError) missing = NULL;
    g_autoptr(GError) directory = NULL;
    g_autoptr(GError) pipe_error = NULL;
    struct stat status;
    int fd;

    (void)state;
    assert_int_equal(secretfile_open(path, &status, &missing), -1);
    assert_error(missing, ENOENT, path);
    assert_int_equal(secretfile_open(folder, &status, &directory), -1);
    assert_error(directory, EINVAL, "no regular file");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(secretfile_open(fifo, &status, &pipe_error), -1);
    assert_error(pipe_error, EINVAL, "no regular file");
    assert_true(g_file_set_contents(path, "abc", 3, NULL));
    fd = secretfile_open(path, &status, NULL);
    assert_true(fd >= 0);
    assert_int_equal(status.st_size, 3);
    close(fd);
    unlink(path);
    unlink(fifo);
}

static void test_check(void **state)
{
    struct stat status = {.st_uid = geteuid(), .st_mode = S_IFREG | 0600};

    (void)state;
    assert_true(secretfile_check("/x", &status, NULL));
    status.st_mode = S_IFREG | 0400;
    assert_true(secretfile_check("/x", &status, NULL));
    status.st_uid = 0;
    assert_true(secretfile_check("/x", &status, NULL));
    for (mode_t bit = 1; bit <= 040; bit <<= 1) {
        g_autoptr(GError) error = NULL;
        status.st_mode = S_IFREG | 0600 | bit;
        assert_false(secretfile_check("/x", &status, &error));
        assert_error(error, EACCES, "chmod 600 /x");
    }
    g_autoptr(GError) error = NULL;
    status.st_mode = S_IFREG | 0600;
    status.st_uid = geteuid() + 1;
    assert_false(secretfile_check("/x", &status, &error));
    assert_error(error, EACCES, "somebody else");
}

/* Reads what a child writes in pieces of chunk bytes, total in all. */
static bool read_from_child(size_t total, size_t chunk, SecretText *text, GError **error)
{
    int ends[2];
    bool fine;
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        g_autofree char *data = g_strnfill(chunk, 'x');
        close(ends[0]);
        for (size_t done = 0; done < total; done += chunk)
            if (write(ends[1], data, MIN(chunk, total - done)) < 0)
                _exit(1);
        _exit(0);
    }
    close(ends[1]);
    fine = secretfile_read(ends[0], "it", text, error);
    close(ends[0]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return fine;
}

static void test_read(void **state)
{
    (void)state;
    g_auto(SecretText) pieces = {0};
    assert_true(read_from_child(1000, 7, &pieces, NULL));
    assert_int_equal(pieces.length, 1000);
    assert_int_equal(strlen(pieces.data), 1000);
    g_auto(SecretText) most = {0};
    assert_true(read_from_child(SECRETFILE_MAX, 4096, &most, NULL));
    assert_int_equal(most.length, SECRETFILE_MAX);
    g_auto(SecretText) more = {0};
    g_autoptr(GError) error = NULL;
    assert_false(read_from_child(SECRETFILE_MAX + 1, 4096, &more, &error));
    assert_error(error, EFBIG, "longer than 64 KiB");
    assert_null(more.data);
    g_auto(SecretText) none = {0};
    assert_true(read_from_child(0, 1, &none, NULL));
    assert_int_equal(none.length, 0);
    g_auto(SecretText) closed = {0};
    g_autoptr(GError) bad = NULL;
    assert_false(secretfile_read(-1, "it", &closed, &bad));
    assert_error(bad, EBADF, "can't read it");
}

static void assert_line(const char *data, size_t length, const char *expected)
{
    g_autoptr(Secret) secret = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *copy = g_strndup("", length);
    SecretText text = {.data = copy, .length = length};

    memcpy(copy, data, length);
    secret = secretfile_first_line(&text, "it", &error);
    assert_true((secret != NULL) == (error == NULL));
    if (expected) {
        assert_non_null(secret);
        assert_string_equal(secret_text(secret), expected);
        assert_int_equal(secret_length(secret), strlen(expected));
    } else {
        assert_error(error, memchr(data, 0, length) ? EINVAL : ENOKEY,
                     memchr(data, 0, length) ? "NUL" : "no password");
    }
}

static void test_first_line(void **state)
{
    (void)state;
    assert_line("s3cret", 6, "s3cret");
    assert_line("s3cret\n", 7, "s3cret");
    assert_line("s3cret\r\nmore", 12, "s3cret");
    assert_line(" a b \nx\n", 8, " a b ");
    assert_line("a\rb\n", 4, "a\rb");
    assert_line("", 0, NULL);
    assert_line("\nx", 2, NULL);
    assert_line("\r\n", 2, NULL);
    assert_line("a\0b\n", 4, NULL);
    assert_line("a\n\0", 3, "a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_first_line),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
