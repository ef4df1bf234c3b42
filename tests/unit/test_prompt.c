#include "../../fs/prompt.h"

#include "../../cache/mail.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#define QUESTION "Password for ann@mail.example.org: "
#define PATIENCE_MS 60000 /* only where the code is broken */

/* A child that asks on a terminal of its own. What it got comes through result. */
typedef struct {
    pid_t pid;
    int master, slave, result;
    GString *screen; /* all that the terminal showed */
} Session;

static void child(int slave, int result, bool with_terminal)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Secret) secret = NULL;
    g_autofree char *text = NULL;

    setsid();
    if (with_terminal && ioctl(slave, TIOCSCTTY, 0) < 0)
        _exit(99);
    secret = prompt_secret(QUESTION, &error);
    text = secret ? g_strconcat("=", secret_text(secret), NULL)
                  : g_strdup_printf("!%d", error->domain == MAIL_ERROR ? error->code : -1);
    if (write(result, text, strlen(text)) < 0)
        _exit(98);
    secret_free(g_steal_pointer(&secret));
    _exit(0);
}

static void start(Session *session, bool with_terminal)
{
    int ends[2];

    *session = (Session){.screen = g_string_new(NULL)};
    assert_int_equal(openpty(&session->master, &session->slave, NULL, NULL, NULL), 0);
    assert_int_equal(pipe(ends), 0);
    session->result = ends[0];
    session->pid = fork();
    assert_true(session->pid >= 0);
    if (session->pid == 0) {
        close(session->master);
        close(ends[0]);
        child(session->slave, ends[1], with_terminal);
    }
    close(ends[1]);
}

/* Until the terminal has shown the question count times: from then on there is no echo. */
static void await_question(Session *session, int count)
{
    struct pollfd input = {.fd = session->master, .events = POLLIN};
    char buffer[256];

    for (;;) {
        g_auto(GStrv) parts = g_strsplit(session->screen->str, QUESTION, -1);
        ssize_t length;

        if ((int)g_strv_length(parts) > count)
            return;
        assert_int_equal(poll(&input, 1, PATIENCE_MS), 1);
        length = read(session->master, buffer, sizeof buffer);
        assert_true(length > 0);
        g_string_append_len(session->screen, buffer, length);
    }
}

static void type(const Session *session, const char *text)
{
    assert_int_equal(write(session->master, text, strlen(text)), (ssize_t)strlen(text));
}

static bool has_echo(const Session *session)
{
    struct termios terminal;

    assert_int_equal(tcgetattr(session->slave, &terminal), 0);
    return terminal.c_lflag & ECHO;
}

/* Waits for the child; what it got, and *status as of waitpid. */
static char *finish(Session *session, int *status)
{
    char buffer[2048] = {0};
    struct pollfd screen = {.fd = session->master, .events = POLLIN};
    struct pollfd result = {.fd = session->result, .events = POLLIN};
    ssize_t length;

    assert_int_equal(poll(&result, 1, PATIENCE_MS), 1);
    length = read(session->result, buffer, sizeof buffer - 1);
    assert_true(length >= 0);
    assert_int_equal(waitpid(session->pid, status, 0), session->pid);
    assert_true(has_echo(session));
    while (poll(&screen, 1, 0) == 1) {
        char shown[256];
        ssize_t count = read(session->master, shown, sizeof shown);
        if (count <= 0)
            break;
        g_string_append_len(session->screen, shown, count);
    }
    assert_null(strstr(session->screen->str, "s3cret"));
    g_string_free(session->screen, TRUE);
    close(session->master);
    close(session->slave);
    close(session->result);
    return g_strdup(buffer);
}

static void assert_answer(const char *typed, const char *expected)
{
    Session session;
    g_autofree char *result = NULL;
    int status;

    start(&session, true);
    await_question(&session, 1);
    assert_false(has_echo(&session));
    type(&session, typed);
    result = finish(&session, &status);
    assert_string_equal(result, expected);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_answers(void **state)
{
    g_autofree char *most = g_strnfill(1024, 'x');
    g_autofree char *most_line = g_strconcat(most, "\n", NULL);
    g_autofree char *most_expected = g_strconcat("=", most, NULL);
    g_autofree char *more_line = g_strconcat(most, "x\n", NULL);
    g_autofree char *no_key = g_strdup_printf("!%d", ENOKEY);
    g_autofree char *invalid = g_strdup_printf("!%d", EINVAL);

    (void)state;
    assert_answer("s3cret\n", "=s3cret");
    assert_answer(" s3cret é \n", "= s3cret é ");
    assert_answer("s3crex\x7ft\n", "=s3cret"); /* the terminal's own editing */
    assert_answer("s3\x04"
                  "cret\n",
                  "=s3cret"); /* ^D inside a line only flushes it */
    assert_answer("\n", no_key);
    assert_answer("\x04", no_key);
    assert_answer(most_line, most_expected);
    assert_answer(more_line, invalid);
}

static void assert_killed(const char *typed, int number)
{
    Session session;
    g_autofree char *result = NULL;
    int status;

    start(&session, true);
    await_question(&session, 1);
    if (typed)
        type(&session, typed);
    else
        assert_int_equal(kill(session.pid, number), 0);
    result = finish(&session, &status); /* with the echo on again */
    assert_string_equal(result, "");
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), number);
}

static void test_signals(void **state)
{
    (void)state;
    assert_killed("s3cret\x03", SIGINT);
    assert_killed(NULL, SIGTERM);
    assert_killed(NULL, SIGHUP);
}

/* In a process group that nobody could continue, ^Z stops nothing: the question comes again. */
static void test_stop(void **state)
{
    Session session;
    g_autofree char *result = NULL;
    int status;

    (void)state;
    start(&session, true);
    await_question(&session, 1);
    type(&session, "s3c\x1a");
    await_question(&session, 2);
    type(&session, "ret\n");
    result = finish(&session, &status);
    assert_string_equal(result, "=ret");
}

static void test_no_terminal(void **state)
{
    Session session;
    g_autofree char *expected = g_strdup_printf("!%d", ENOTTY);
    g_autofree char *result = NULL;
    int status;

    (void)state;
    start(&session, false);
    result = finish(&session, &status);
    assert_string_equal(result, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_no_terminal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
