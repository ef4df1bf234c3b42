#include "../../fs/mountpoint.h"

#include "../../cache/mail.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char mountinfo[] =
    "22 1 0:20 / / rw,relatime - overlay overlay rw,lowerdir=/x\n"
    "30 22 0:40 / /home/ann/mail rw,nosuid,nodev - fuse.pullmail imaps://ann@h rw,user_id=1000\n"
    "31 22 0:41 / /mnt/My\\040Mail\\134x rw shared:5 master:1 - fuse.pullmail imaps://h rw\n"
    "32 22 0:42 / /mnt/auto rw - autofs systemd-1 rw\n"
    "33 32 0:43 / /mnt/auto rw - fuse.pullmail imaps://h rw\n"
    "34 22 0:44 / /mnt/covered rw - fuse.pullmail imaps://h rw\n"
    "35 34 0:45 / /mnt/covered rw - tmpfs tmpfs rw\n"
    "36 22 0:46 / /mnt/cut rw\n"
    "37 22 0:47 / /mnt/cut2 rw shared:1 -\n"
    "garbage\n";

static void assert_type(const char *path, const char *expected)
{
    g_autofree char *type = mountpoint_type(mountinfo, path);

    if (expected) {
        assert_non_null(type);
        assert_string_equal(type, expected);
    } else {
        assert_null(type);
    }
}

static void test_type(void **state)
{
    (void)state;
    assert_type("/", "overlay");
    assert_type("/home/ann/mail", "fuse.pullmail");
    assert_type("/mnt/My Mail\\x", "fuse.pullmail");
    assert_type("/mnt/auto", "fuse.pullmail");
    assert_type("/mnt/covered", "tmpfs");
    assert_type("/home/ann", NULL);
    assert_type("/home/ann/mail/INBOX", NULL);
    assert_type("/mnt/cut", NULL);
    assert_type("/mnt/cut2", NULL);
    assert_type("", NULL);
}

static void assert_refused(const char *path, int code, const char *why)
{
    g_autoptr(GError) error = NULL;

    assert_null(mountpoint_resolve(path, NULL, &error));
    assert_true(error->domain == MAIL_ERROR);
    assert_int_equal(error->code, code);
    assert_non_null(strstr(error->message, why));
    assert_non_null(strstr(error->message, path));
}

static void test_resolve(void **state)
{
    g_autofree char *folder = g_dir_make_tmp("pullmail-test-XXXXXX", NULL);
    g_autofree char *real = NULL;
    g_autofree char *file = g_build_filename(folder, "file", NULL);
    g_autofree char *link = g_build_filename(folder, "link", NULL);
    g_autofree char *missing = g_build_filename(folder, "missing", NULL);
    g_autofree char *below = g_build_filename(file, "below", NULL);
    g_autofree char *through = NULL;
    g_autofree char *dotted = g_build_filename(folder, ".", NULL);
    g_autofree char *plain = NULL;

    (void)state;
    assert_true(g_file_set_contents(file, "x", 1, NULL));
    assert_int_equal(symlink(folder, link), 0);
    real = mountpoint_resolve(folder, NULL, NULL);
    assert_non_null(real);
    assert_true(g_path_is_absolute(real));
    through = mountpoint_resolve(link, NULL, NULL);
    assert_string_equal(through, real);
    plain = mountpoint_resolve(dotted, NULL, NULL);
    assert_string_equal(plain, real);
    assert_refused(missing, ENOENT, "make it with mkdir");
    assert_refused(file, ENOTDIR, "not a directory");
    assert_refused(below, ENOTDIR, "not a directory");
    unlink(file);
    unlink(link);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_type),
        cmocka_unit_test(test_resolve),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
