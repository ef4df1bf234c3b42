/* test_passwords.c: where a password is read again. */
#include "../../fs/passwords.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char *folder, *file;

static int set_up(void **state)
{
    (void)state;
    folder = g_dir_make_tmp("pullmail-test-XXXXXX", NULL);
    file = g_build_filename(folder, "password", NULL);
    return folder ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(file);
    rmdir(folder);
    g_free(folder);
    g_free(file);
    return 0;
}

static void write_file(const char *text)
{
    assert_true(
        g_file_set_contents_full(file, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, NULL));
}

static SecretSource *make(const Options *options, bool is_typed)
{
    g_auto(Credentials) credentials = {g_strdup("ann"), secret_new("old", -1), is_typed};

    return passwords_new(options, &credentials);
}

static void assert_reads(SecretSource *source, const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Secret) secret = source->read(source, &error);

    assert_null(error);
    assert_string_equal(secret_text(secret), expected);
}

static void test_file(void **state)
{
    Options options = {.passfile = file};
    g_autoptr(GError) error = NULL;

    (void)state;
    write_file("old\n");
    SecretSource *source = make(&options, false);
    assert_false(source->changed(source));
    write_file("new\nmore\n");
    assert_true(source->changed(source));
    assert_reads(source, "new");
    assert_false(source->changed(source));
    assert_int_equal(chmod(file, 0644), 0);
    assert_true(source->changed(source));
    assert_null(source->read(source, &error));
    assert_int_equal(error->code, EACCES);
    assert_int_equal(unlink(file), 0);
    assert_true(source->changed(source));
    secret_source_unref(source);
}

/* The command runs where it did at first. */
static void test_command(void **state)
{
    Options options = {.passcmd = (char *)"basename \"$PWD\""};
    g_autofree char *before = g_get_current_dir();
    g_autofree char *name = g_path_get_basename(folder);
    g_autoptr(GError) error = NULL;

    (void)state;
    assert_int_equal(chdir(folder), 0);
    SecretSource *source = make(&options, false);
    assert_int_equal(chdir("/"), 0);
    assert_false(source->changed(source)); /* nobody can know */
    assert_reads(source, name);
    secret_source_unref(source);
    options.passcmd = (char *)"exit 3";
    source = make(&options, false);
    assert_null(source->read(source, &error));
    assert_non_null(strstr(error->message, "passcmd exited with status 3"));
    secret_source_unref(source);
    assert_int_equal(chdir(before), 0);
}

static void test_netrc(void **state)
{
    Options options = {.url.host = (char *)"mail.example.org"};
    g_autoptr(GError) error = NULL;

    (void)state;
    g_setenv("NETRC", file, TRUE);
    write_file("machine mail.example.org login ann password old\n");
    SecretSource *source = make(&options, false);
    write_file("machine mail.example.org login bob password no\n"
               "machine mail.example.org login ann password new\n");
    assert_true(source->changed(source));
    assert_reads(source, "new");
    assert_false(source->changed(source));
    write_file("machine mail.example.org login bob password no\n");
    assert_null(source->read(source, &error));
    assert_int_equal(error->code, ENOKEY);
    secret_source_unref(source);
}

static void test_none(void **state)
{
    Options options = {.url.host = (char *)"mail.example.org"};
    const Credentials without = {(char *)"ann", NULL, false};

    (void)state;
    assert_null(make(&options, true));
    assert_null(passwords_new(&options, &without));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_command),
        cmocka_unit_test(test_netrc),
        cmocka_unit_test(test_none),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
