#include "../../cache/mail.h"
#include "../../fs/daemon.h"
#include "cache_helpers.h"

#include <errno.h>
#include <fcntl.h>

/*
 * A command, as a shell would start it: a process of its own whose stderr the test reads. What
 * goes to the background tells the test through `report`, and stays until `leave` is closed.
 */
typedef struct {
    int report[2], leave[2];
    bool foreground;
} Command;

typedef void (*Act)(Command *command, Daemon *daemon);

static void await_leave(const Command *command)
{
    char byte;
    close(command->leave[1]);
    while (read(command->leave[0], &byte, 1) < 0 && errno == EINTR)
        ;
}

static void report(const Command *command, const char *text)
{
    if (write(command->report[1], text, strlen(text)) < 0)
        _exit(99);
}

static char *read_all(int fd)
{
    GString *text = g_string_new(NULL);
    char buffer[1000];
    ssize_t n;
    while ((n = read(fd, buffer, sizeof buffer)) > 0)
        g_string_append_len(text, buffer, n);
    close(fd);
    return g_string_free(text, FALSE);
}

static G_NORETURN void run_command(Command *command, int errors, Act act)
{
    g_autoptr(GError) error = NULL;
    dup2(errors, STDERR_FILENO);
    close(errors);
    close(command->report[0]);
    Daemon *daemon = daemon_begin(command->foreground, &error);
    if (!daemon)
        _exit(98);
    act(command, daemon);
    daemon_free(daemon);
    _exit(77);
}

static pid_t start(Command *command, Act act, int *errors)
{
    int ends[2];
    assert_int_equal(pipe2(command->report, O_CLOEXEC), 0);
    assert_int_equal(pipe2(command->leave, O_CLOEXEC), 0);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        run_command(command, ends[1], act);
    close(ends[1]);
    close(command->report[1]);
    close(command->leave[0]);
    *errors = ends[0];
    return child;
}

/* What the daemon reported, once it has left. */
static char *end(const Command *command)
{
    close(command->leave[1]);
    return read_all(command->report[0]);
}

/* Runs the command: its exit status, what it said until nobody had its stderr any more, and what
 * the daemon, which is then told to leave, reported. */
static void assert_run(Command command, Act act, int status, const char *said, const char *reported)
{
    int fd, ended;
    pid_t child = start(&command, act, &fd);
    g_autofree char *errors = read_all(fd);
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_true(WIFEXITED(ended));
    assert_int_equal(WEXITSTATUS(ended), status);
    assert_string_equal(errors, said);
    g_autofree char *text = end(&command);
    assert_string_equal(text, reported);
}

static void act_ready(Command *command, Daemon *daemon)
{
    daemon_ready(daemon);
    report(command, getsid(0) == getpid() ? "own session\n" : "another's session\n");
    await_leave(command);
    report(command, "left\n");
}

/* The command returns while the daemon lives on, and the terminal is let go of. */
static void test_ready(void **state)
{
    (void)state;
    assert_run((Command){0}, act_ready, 0, "", "own session\nleft\n");
}

static void act_fail(Command *command, Daemon *daemon)
{
    g_autoptr(GError) error = g_error_new(MAIL_ERROR, EACCES, "login refused:\r\nno\nsuch user");
    daemon_fail(daemon, error, 32);
    report(command, "failed\n");
}

/* One line on stderr, whatever a server put into it, and the status that was given. */
static void test_fail(void **state)
{
    (void)state;
    assert_run((Command){0}, act_fail, 32, "mount.pullmail: login refused:  no such user\n",
               "failed\n");
}

enum { LONG = 300000 };

static void act_fail_at_length(Command *command, Daemon *daemon)
{
    g_autofree char *text = g_strnfill(LONG, 'x');
    g_autoptr(GError) error = g_error_new_literal(MAIL_ERROR, EACCES, text);
    (void)command;
    daemon_fail(daemon, error, 1);
}

static void test_fail_at_length(void **state)
{
    (void)state;
    g_autofree char *text = g_strnfill(LONG, 'x');
    g_autofree char *line = g_strdup_printf("mount.pullmail: %s\n", text);
    assert_run((Command){0}, act_fail_at_length, 1, line, "");
}

static void act_crash(Command *command, Daemon *daemon)
{
    (void)command, (void)daemon;
    raise(SIGKILL);
}

static void act_exit(Command *command, Daemon *daemon)
{
    (void)command, (void)daemon;
    _exit(3);
}

static void act_forget(Command *command, Daemon *daemon)
{
    (void)command;
    daemon_free(daemon);
    _exit(0);
}

/* The daemon ends without a word: the user hears that, and it is no success. */
static void test_dies(void **state)
{
    (void)state;
    assert_run((Command){0}, act_crash, 32,
               "mount.pullmail: the daemon died before the mount worked (signal 9)\n", "");
    assert_run((Command){0}, act_exit, 32,
               "mount.pullmail: the daemon died before the mount worked (status 3)\n", "");
    assert_run((Command){0}, act_forget, 32,
               "mount.pullmail: the daemon died before the mount worked (status 0)\n", "");
}

static const Command *logging;

static void log_to_report(const char *domain, GLogLevelFlags level, const char *text, gpointer data)
{
    (void)domain, (void)data;
    if (level & G_LOG_LEVEL_WARNING)
        report(logging, text);
}

static void act_fail_later(Command *command, Daemon *daemon)
{
    g_autoptr(GError) error = g_error_new(MAIL_ERROR, EIO, "it broke");
    logging = command;
    g_log_set_default_handler(log_to_report, NULL);
    daemon_ready(daemon);
    daemon_fail(daemon, error, 32);
}

/* Nobody waits any more: the log has it. */
static void test_fails_when_it_had_worked(void **state)
{
    (void)state;
    assert_run((Command){0}, act_fail_later, 0, "", "it broke");
}

static void act_in_foreground(Command *command, Daemon *daemon)
{
    g_autoptr(GError) error = g_error_new(MAIL_ERROR, EIO, "it\nbroke");
    report(command, getsid(0) == getpid() ? "own session\n" : "the shell's session\n");
    daemon_ready(daemon);
    fputs("still here\n", stderr);
    daemon_fail(daemon, error, 32);
}

static void test_foreground(void **state)
{
    (void)state;
    assert_run((Command){.foreground = true}, act_in_foreground, 77,
               "still here\nmount.pullmail: it broke\n", "the shell's session\n");
}

static void act_ready_at_last(Command *command, Daemon *daemon)
{
    report(command, "?");
    await_leave(command);
    daemon_ready(daemon);
    report(command, "ready");
}

static void note_signal(int number)
{
    report(logging, number == SIGTERM ? "SIGTERM" : "another signal");
    _exit(0);
}

static void act_wait_for_signal(Command *command, Daemon *daemon)
{
    logging = command;
    signal(SIGTERM, note_signal);
    act_ready_at_last(command, daemon);
}

/* The user ends the command before the mount works: so does the daemon, and mounts nothing. */
static void test_nobody_waits(void **state)
{
    (void)state;
    Command command = {0};
    int fd, status;
    char byte = 0;
    pid_t child = start(&command, act_wait_for_signal, &fd);
    assert_int_equal(read(command.report[0], &byte, 1), 1);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    g_autofree char *text = read_all(command.report[0]);
    assert_string_equal(text, "SIGTERM");
    close(command.leave[1]);
    g_autofree char *errors = read_all(fd);
    assert_string_equal(errors, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ready),
        cmocka_unit_test(test_fail),
        cmocka_unit_test(test_fail_at_length),
        cmocka_unit_test(test_dies),
        cmocka_unit_test(test_fails_when_it_had_worked),
        cmocka_unit_test(test_foreground),
        cmocka_unit_test(test_nobody_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
