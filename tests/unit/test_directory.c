#include "cache_helpers.h"

#include "../../cache/directory.h"

#include <errno.h>

#define KEY "imaps://ann@mail.example.org:993"

static unsigned mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 07777;
}

/* The account's directory below base; asserts that there is one. */
static char *make(const char *base, const char *key)
{
    g_autoptr(GError) error = NULL;
    char *path = cache_directory(base, key, &error);
    assert_null(error);
    assert_non_null(path);
    return path;
}

static void assert_refused(const char *base, int code)
{
    g_autoptr(GError) error = NULL;
    assert_null(cache_directory(base, KEY, &error));
    assert_non_null(error);
    assert_int_equal(mail_errno(error), code);
    assert_non_null(strstr(error->message, base));
}

static void test_is_private_whatever_the_umask(void **state)
{
    g_autofree char *base = g_build_filename(*state, "a", "b", NULL);
    g_autofree char *parent = g_build_filename(*state, "a", NULL);
    mode_t old = umask(0);
    g_autofree char *path = make(base, KEY);
    umask(0377);
    g_autofree char *other_base = g_build_filename(*state, "c", NULL);
    g_autofree char *other = make(other_base, KEY);
    umask(old);
    assert_int_equal(mode_of(path), 0700);
    assert_int_equal(mode_of(base), 0700);
    assert_int_equal(mode_of(parent), 0700);
    assert_int_equal(mode_of(other), 0700);
    assert_int_equal(mode_of(other_base), 0700);
}

static void test_is_the_same_again(void **state)
{
    g_autofree char *first = make(*state, KEY);
    g_autofree char *second = make(*state, KEY);
    assert_string_equal(first, second);
}

static void test_name_is_readable_and_unique(void **state)
{
    g_autofree char *path = make(*state, KEY), *name = g_path_get_basename(path);
    g_autofree char *other = make(*state, "imap://ann@mail.example.org:993");
    assert_true(g_str_has_prefix(name, "ann@mail.example.org_993-"));
    assert_int_equal(strlen(name), strlen("ann@mail.example.org_993-") + 16);
    assert_string_not_equal(path, other);
}

static void test_name_stays_below_base(void **state)
{
    const char *const keys[] = {
        "imaps://../../etc",   "imaps://.hidden", "../x", "/", "", "a/b/../c",
        "imaps://x\ny\x1b[1m", "imaps://\xff\xfe"};
    g_autofree char *long_key = g_strnfill(5000, 'x');
    for (unsigned i = 0; i <= G_N_ELEMENTS(keys); i++) {
        g_autofree char *path = make(*state, i < G_N_ELEMENTS(keys) ? keys[i] : long_key);
        g_autofree char *parent = g_path_get_dirname(path), *name = g_path_get_basename(path);
        assert_string_equal(parent, *state);
        assert_true(name[0] != '.' && strlen(name) < 100);
        for (const char *c = name; *c; c++)
            assert_true(g_ascii_isgraph(*c));
    }
}

static void test_own_directory_is_made_private(void **state)
{
    g_autofree char *path = make(*state, KEY);
    assert_int_equal(chmod(path, 0755), 0);
    g_autofree char *again = make(*state, KEY);
    assert_int_equal(mode_of(again), 0700);
}

static void test_refuses_what_others_can_change(void **state)
{
    g_autofree char *path = make(*state, KEY);
    assert_int_equal(chmod(path, 0770), 0);
    assert_refused(*state, EACCES);
    assert_int_equal(chmod(path, 0700), 0);
    assert_int_equal(chmod(*state, 0777), 0);
    assert_refused(*state, EACCES);
    assert_int_equal(chmod(*state, 0720), 0);
    assert_refused(*state, EACCES);
    assert_int_equal(chmod(*state, 01777), 0);
    g_autofree char *sticky = make(*state, KEY);
    assert_string_equal(sticky, path);
}

static void test_refuses_what_is_no_directory(void **state)
{
    write_file(*state, "file", "x", 1);
    g_autofree char *base = g_build_filename(*state, "file", NULL);
    g_autofree char *below = g_build_filename(base, "x", NULL);
    assert_refused(base, ENOTDIR);
    assert_refused(below, ENOTDIR);

    g_autofree char *path = make(*state, KEY);
    assert_int_equal(rmdir(path), 0);
    assert_true(g_file_set_contents(path, "x", 1, NULL));
    assert_refused(*state, ENOTDIR);
    /* The account's directory is never a link, not even one's own. */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/tmp", path), 0);
    assert_refused(*state, ENOTDIR);
}

static void test_own_link_as_base(void **state)
{
    g_autofree char *target = g_build_filename(*state, "target", NULL);
    g_autofree char *link = g_build_filename(*state, "link", NULL);
    assert_int_equal(mkdir(target, 0700), 0);
    assert_int_equal(symlink(target, link), 0);
    g_autofree char *path = make(link, KEY);
    assert_true(g_file_test(path, G_FILE_TEST_IS_DIR));
}

/*
 * Another user, as far as this process is concerned: for root, any other number is one; whoever
 * is not root can't make anything that belongs to somebody else, but the system has such things.
 */
static void test_refuses_what_belongs_to_another(void **state)
{
    if (geteuid() != 0) {
        g_autoptr(GError) error = NULL;
        assert_null(cache_directory("/proc/1", KEY, &error));
        assert_non_null(error);
        return;
    }
    g_autofree char *base = g_build_filename(*state, "theirs", NULL);
    assert_int_equal(mkdir(base, 0700), 0);
    assert_int_equal(chown(base, 12345, 12345), 0);
    assert_refused(base, EACCES);

    g_autofree char *link = g_build_filename(*state, "link", NULL);
    g_autofree char *own = g_build_filename(*state, "own", NULL);
    g_autofree char *below = g_build_filename(link, "x", NULL);
    assert_int_equal(mkdir(own, 0700), 0);
    assert_int_equal(symlink(own, link), 0);
    assert_int_equal(lchown(link, 12345, 12345), 0);
    g_autoptr(GError) error = NULL, second = NULL;
    assert_null(cache_directory(link, KEY, &error));
    assert_int_equal(mail_errno(error), EACCES);
    assert_null(cache_directory(below, KEY, &second));
    assert_int_equal(mail_errno(second), EACCES);

    g_autofree char *path = make(own, KEY);
    assert_int_equal(chown(path, 12345, 12345), 0);
    assert_refused(own, EACCES);
}

static void use_default_base(const char *home)
{
    if (geteuid() == 0) {
        CHILD_CHECK(chmod(home, 0700) == 0 && chown(home, 12345, 12345) == 0);
        CHILD_CHECK(setgid(12345) == 0 && setuid(12345) == 0);
    }
    g_autoptr(GError) error = NULL;
    g_setenv("HOME", home, TRUE);
    g_setenv("XDG_CACHE_HOME", "relative/is/ignored", TRUE);
    g_autofree char *path = cache_directory(NULL, KEY, &error);
    g_autofree char *home_base = g_build_filename(home, ".cache/pullmail/ann@", NULL);
    CHILD_CHECK(path && g_str_has_prefix(path, home_base));
    g_autofree char *xdg = g_build_filename(home, "xdg", NULL);
    g_setenv("XDG_CACHE_HOME", xdg, TRUE);
    g_autofree char *xdg_path = cache_directory(NULL, KEY, &error);
    g_autofree char *xdg_base = g_build_filename(xdg, "pullmail/ann@", NULL);
    CHILD_CHECK(xdg_path && g_str_has_prefix(xdg_path, xdg_base));
}

/* The default is looked up in a child, whose environment and user can be changed. */
static void test_default_base(void **state)
{
    pid_t child = fork();
    if (child == 0) {
        use_default_base(*state);
        _exit(0);
    }
    assert_child_succeeds(child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_is_private_whatever_the_umask),
        TEST_IN_DIRECTORY(test_is_the_same_again),
        TEST_IN_DIRECTORY(test_name_is_readable_and_unique),
        TEST_IN_DIRECTORY(test_name_stays_below_base),
        TEST_IN_DIRECTORY(test_own_directory_is_made_private),
        TEST_IN_DIRECTORY(test_refuses_what_others_can_change),
        TEST_IN_DIRECTORY(test_refuses_what_is_no_directory),
        TEST_IN_DIRECTORY(test_own_link_as_base),
        TEST_IN_DIRECTORY(test_refuses_what_belongs_to_another),
        TEST_IN_DIRECTORY(test_default_base),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
