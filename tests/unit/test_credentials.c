#include "../../fs/credentials.h"

#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char *folder, *netrc, *passfile;

static int set_up(void **state)
{
    (void)state;
    folder = g_dir_make_tmp("pullmail-test-XXXXXX", NULL);
    netrc = g_build_filename(folder, "netrc", NULL);
    passfile = g_build_filename(folder, "password", NULL);
    g_setenv("NETRC", netrc, TRUE);
    g_setenv("USER", "login", TRUE);
    return folder ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(netrc);
    unlink(passfile);
    rmdir(folder);
    g_free(folder);
    g_free(netrc);
    g_free(passfile);
    return 0;
}

static void put(const char *path, const char *text, mode_t mode)
{
    unlink(path);
    assert_true(g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
    assert_int_equal(chmod(path, mode), 0);
}

static Options make_options(const char *user)
{
    return (Options){.url = {.host = (char *)"mail.example.org"}, .user = (char *)user};
}

static void assert_found(const Options *options, const char *user, const char *password)
{
    g_auto(Credentials) credentials = {0};
    g_autoptr(GError) error = NULL;

    if (!credentials_find(options, &credentials, &error))
        fail_msg("%s", error->message);
    assert_string_equal(credentials.user, user);
    if (password)
        assert_string_equal(secret_text(credentials.password), password);
    else
        assert_null(credentials.password);
}

static void assert_refused(const Options *options, int code, const char *why)
{
    Credentials credentials;
    g_autoptr(GError) error = NULL;

    assert_false(credentials_find(options, &credentials, &error));
    assert_true(error->domain == MAIL_ERROR);
    if (!strstr(error->message, why))
        fail_msg("\"%s\" does not say \"%s\"", error->message, why);
    assert_int_equal(error->code, code);
    assert_null(strstr(error->message, "s3cret"));
    assert_null(credentials.user);
    assert_null(credentials.password);
}

static void test_passfile(void **state)
{
    Options options = make_options("ann");
    g_autofree char *link = g_build_filename(folder, "link", NULL);

    (void)state;
    options.passfile = passfile;
    unlink(passfile);
    assert_refused(&options, ENOENT, passfile);
    put(passfile, "s3cret\r\nsecond line\n", 0600);
    assert_found(&options, "ann", "s3cret");
    put(passfile, "s3cret", 0400);
    assert_found(&options, "ann", "s3cret");
    put(passfile, "s3cret\n", 0640);
    assert_refused(&options, EACCES, "chmod 600");
    put(passfile, "s3cret\n", 0604);
    assert_refused(&options, EACCES, "chmod 600");
    put(passfile, "\ns3cret\n", 0600);
    assert_refused(&options, ENOKEY, "first line is empty");
    put(passfile, "s3cret\n", 0600);
    assert_int_equal(symlink(passfile, link), 0);
    options.passfile = link;
    assert_found(&options, "ann", "s3cret");
    unlink(link);
    options.passfile = folder;
    assert_refused(&options, EINVAL, "no regular file");
}

static void test_passfile_of_somebody_else(void **state)
{
    Options options = make_options("ann");

    (void)state;
    put(passfile, "s3cret\n", 0600);
    if (geteuid() == 0) {
        assert_int_equal(chown(passfile, 65534, 65534), 0);
        options.passfile = passfile;
        assert_refused(&options, EACCES, "somebody else");
    } else { /* root's own is fine, but can't be read */
        options.passfile = (char *)"/etc/shadow";
        assert_refused(&options, EACCES, "/etc/shadow");
    }
}

static void test_passcmd(void **state)
{
    Options options = make_options("ann");

    (void)state;
    options.passcmd = (char *)"printf 's3cret\\nmore\\n'";
    assert_found(&options, "ann", "s3cret");
    options.passcmd = (char *)"x=s3; echo \"${x}cret\" | cat; true";
    assert_found(&options, "ann", "s3cret");
    options.passcmd = (char *)"echo s3cret; exit 3";
    assert_refused(&options, EACCES, "passcmd exited with status 3");
    options.passcmd = (char *)"echo s3cret; kill -9 $$";
    assert_refused(&options, EACCES, "ended by signal 9");
    options.passcmd = (char *)"true";
    assert_refused(&options, ENOKEY, "no password");
    options.passcmd = (char *)"echo; echo s3cret";
    assert_refused(&options, ENOKEY, "no password");
    options.passcmd = (char *)"yes s3cret";
    assert_refused(&options, EFBIG, "longer than 64 KiB");
    options.passcmd = (char *)"trap '' TERM PIPE; yes s3cret 2>&-";
    assert_refused(&options, EFBIG, "longer than 64 KiB");
}

static void test_user(void **state)
{
    Options options = make_options("ann");
    const struct passwd *account = getpwuid(geteuid());

    (void)state;
    assert_non_null(account);
    unlink(netrc);
    options.passcmd = (char *)"echo pw";
    assert_found(&options, "ann", "pw");
    options.user = NULL;
    assert_found(&options, "login", "pw");
    g_unsetenv("USER");
    assert_found(&options, account->pw_name, "pw");
    g_setenv("USER", "", TRUE);
    assert_found(&options, account->pw_name, "pw");
    g_setenv("USER", "a\033[2Jb", TRUE);
    assert_refused(&options, EINVAL, "control character");
    g_setenv("USER", "login", TRUE);
    /* netrc's login, though its password is not wanted, and so may be readable. */
    put(netrc, "machine mail.example.org login netrc-ann password s3cret", 0644);
    assert_found(&options, "netrc-ann", "pw");
    options.user = (char *)"ann";
    put(netrc, "a \" that is never closed", 0600);
    assert_found(&options, "ann", "pw"); /* is not even looked at */
}

static void test_netrc(void **state)
{
    Options options = make_options(NULL);

    (void)state;
    put(netrc,
        "machine mail.example.org login ann password s3cret\n"
        "machine mail.example.org login bob password other\n",
        0600);
    assert_found(&options, "ann", "s3cret");
    options.user = (char *)"bob";
    assert_found(&options, "bob", "other");
    assert_int_equal(chmod(netrc, 0644), 0);
    assert_refused(&options, EACCES, "chmod 600");
    put(netrc, "machine mail.example.org password \"s3cret", 0600);
    assert_refused(&options, EINVAL, "never closed");
    unlink(netrc);
}

static void test_external(void **state)
{
    Options options = make_options("ann");

    (void)state;
    unlink(netrc);
    options.auth = (char *)"external";
    assert_found(&options, "ann", NULL);
    options.passcmd = (char *)"echo pw";
    assert_found(&options, "ann", "pw");
}

/* What a child of its own session finds: "user:password", or the error's number and text. */
static void tell_found(const Options *options, int result)
{
    g_auto(Credentials) credentials = {0};
    g_autoptr(GError) error = NULL;

    if (credentials_find(options, &credentials, &error))
        dprintf(result, "%s:%s", credentials.user, secret_text(credentials.password));
    else
        dprintf(result, "%d:%s", error->code, error->message);
}

/* With an answer, the child has a terminal, on which it is typed once question was asked. */
static char *found_in_session(const Options *options, const char *question, const char *answer)
{
    int master, slave, ends[2];
    char buffer[1024] = {0};
    g_autoptr(GString) screen = g_string_new(NULL);
    pid_t pid;

    assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
    assert_int_equal(pipe(ends), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        setsid();
        if (answer && ioctl(slave, TIOCSCTTY, 0) < 0)
            _exit(1);
        tell_found(options, ends[1]);
        _exit(0);
    }
    close(ends[1]);
    while (answer && !strstr(screen->str, question)) {
        struct pollfd input = {.fd = master, .events = POLLIN};
        char shown[256];
        ssize_t count;

        assert_int_equal(poll(&input, 1, 60000), 1);
        count = read(master, shown, sizeof shown);
        assert_true(count > 0);
        g_string_append_len(screen, shown, count);
    }
    if (answer)
        assert_int_equal(write(master, answer, strlen(answer)), (ssize_t)strlen(answer));
    assert_true(read(ends[0], buffer, sizeof buffer - 1) >= 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(master);
    close(slave);
    close(ends[0]);
    return g_strdup(buffer);
}

static void test_prompt(void **state)
{
    Options options = make_options("ann");
    g_autofree char *token = NULL;
    g_autofree char *none = NULL;
    g_autofree char *password = NULL;

    (void)state;
    put(netrc, "machine mail.example.org login ann\n", 0644);
    password = found_in_session(&options, "Password for ann@mail.example.org: ", "s3cret\n");
    assert_string_equal(password, "ann:s3cret");
    options.auth = (char *)"xoauth2";
    token = found_in_session(&options, "Access token for ann@mail.example.org: ", "t0ken\n");
    assert_string_equal(token, "ann:t0ken");
    none = found_in_session(&options, NULL, NULL);
    assert_int_equal(g_ascii_strtoll(none, NULL, 10), ENOKEY);
    assert_non_null(strstr(none, "ann@mail.example.org"));
    assert_non_null(strstr(none, "passfile="));
    assert_non_null(strstr(none, "passcmd="));
    assert_non_null(strstr(none, "~/.netrc"));
    unlink(netrc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passfile), cmocka_unit_test(test_passfile_of_somebody_else),
        cmocka_unit_test(test_passcmd),  cmocka_unit_test(test_user),
        cmocka_unit_test(test_netrc),    cmocka_unit_test(test_external),
        cmocka_unit_test(test_prompt),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
