/* Files without a name. */
#include "../../fs/privatefile.h"

#include "../../cache/mail.h"
#include "cache_helpers.h"

#include <fcntl.h>

static guint count_files(const char *directory)
{
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    guint n = 0;
    while (g_dir_read_name(dir))
        n++;
    return n;
}

static void assert_private(int fd)
{
    struct stat st;
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_nlink, 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(pwrite(fd, "abc", 3, 0), 3);
    close(fd);
}

static void test_in_a_directory(void **state)
{
    struct stat own, at;
    int fd = privatefile_open(*state, NULL);
    assert_int_equal(fstat(fd, &own), 0);
    assert_int_equal(stat(*state, &at), 0);
    assert_true(own.st_dev == at.st_dev);
    assert_private(fd);
    assert_int_equal(count_files(*state), 0);
}

static void test_elsewhere(void **state)
{
    g_autofree char *missing = g_build_filename(*state, "missing", NULL);
    assert_private(privatefile_open(NULL, NULL));
    assert_private(privatefile_open(missing, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_in_a_directory, setup_directory, teardown_directory),
        cmocka_unit_test_setup_teardown(test_elsewhere, setup_directory, teardown_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
