#include "../../cache/fileio.h"
#include "cache_helpers.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

static int open_in(void **state)
{
    int fd = open(*state, O_TMPFILE | O_RDWR, 0600);

    assert_true(fd >= 0);
    return fd;
}

static void test_both(void **state)
{
    int fd = open_in(state);
    char bytes[16] = "";

    assert_int_equal(file_write_at(fd, "world", 5, 6), 0);
    assert_int_equal(file_write_at(fd, "hello ", 6, 0), 0);
    assert_int_equal(file_write_at(fd, "", 0, 100), 0);
    assert_int_equal(file_read_at(fd, bytes, 5, 6), 5);
    assert_memory_equal(bytes, "world", 5);
    assert_int_equal(file_read_at(fd, bytes, sizeof bytes, 0), 11);
    assert_memory_equal(bytes, "hello world", 11);
    assert_int_equal(file_read_at(fd, bytes, sizeof bytes, 11), 0);
    assert_int_equal(file_read_at(fd, bytes, sizeof bytes, 1000), 0);
    close(fd);
}

static void test_errors(void **state)
{
    int fd = open_in(state), reader = open("/dev/null", O_RDONLY);
    char byte;

    assert_int_equal(file_write_at(reader, "x", 1, 0), EBADF);
    close(reader);
    close(fd);
    assert_int_equal(file_read_at(fd, &byte, 1, 0), -EBADF);
    assert_int_equal(file_write_at(fd, "x", 1, 0), EBADF);
}

/* As much as the limit lets through is written; the rest is told. */
static void test_a_limit(void **state)
{
    const struct rlimit little = {10, RLIM_INFINITY}, much = {RLIM_INFINITY, RLIM_INFINITY};
    int fd = open_in(state), code;
    char bytes[16];

    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &little);
    code = file_write_at(fd, "0123456789abcdef", 16, 0);
    setrlimit(RLIMIT_FSIZE, &much);
    assert_int_equal(code, EFBIG);
    assert_int_equal(file_read_at(fd, bytes, sizeof bytes, 0), 10);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_both),
        TEST_IN_DIRECTORY(test_errors),
        TEST_IN_DIRECTORY(test_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
