#include "../../fs/log.h"

#define G_LOG_DOMAIN "imap"
#include <errno.h>
#include <glib.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * In place of libc's: what goes to syslog is written to stdout. With _FORTIFY_SOURCE, syslog() is
 * __syslog_chk(), whose parameters have libc's names here.
 */
/* NOLINTNEXTLINE(readability-*): libc declares it only where it is used */
void __syslog_chk(int __pri, int __flag, const char *__fmt, ...) G_GNUC_PRINTF(3, 4);

static void take_syslog(int priority, const char *format, va_list arguments) G_GNUC_PRINTF(2, 0);
static void take_syslog(int priority, const char *format, va_list arguments)
{
    g_autofree char *text = g_strdup_vprintf(format, arguments);

    dprintf(STDOUT_FILENO, "<%d>%s\n", priority, text);
}

void __syslog_chk(int __pri, int __flag, const char *__fmt, ...)
{
    va_list arguments;

    (void)__flag;
    va_start(arguments, __fmt);
    take_syslog(__pri, __fmt, arguments);
    va_end(arguments);
}

#undef syslog
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): libc has reserved ones */
void syslog(int priority, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    take_syslog(priority, format, arguments);
    va_end(arguments);
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
void openlog(const char *name, int options, int facility)
{
    (void)options;
    dprintf(STDOUT_FILENO, "openlog %s %d\n", name, facility);
}

typedef void Body(void);

/* What a child that runs body writes to stdout and stderr; *status is as of waitpid. */
static char *output_of(Body *body, int *status)
{
    GString *output = g_string_new(NULL);
    char buffer[4096];
    ssize_t count;
    int ends[2];
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        body();
        _exit(0);
    }
    close(ends[1]);
    while ((count = read(ends[0], buffer, sizeof buffer)) > 0)
        g_string_append_len(output, buffer, count);
    close(ends[0]);
    assert_int_equal(waitpid(pid, status, 0), pid);
    return g_string_free(output, FALSE);
}

static void log_all(void)
{
    g_critical("a bug");
    g_warning("careful");
    g_message("mounted");
    g_info("more");
    g_debug("C: A1 NOOP");
    g_log_structured("imap", G_LOG_LEVEL_DEBUG, "MESSAGE", "S: %s", "A1 OK");
}

static void quiet(void)
{
    log_open(false, false);
    log_all();
}

static void verbose(void)
{
    log_open(true, false);
    log_all();
}

static void protocol(void)
{
    log_open(false, false);
    log_open(false, true); /* the last one counts */
    log_all();
}

static void assert_output(Body *body, const char *expected)
{
    int status;
    g_autofree char *output = output_of(body, &status);

    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_string_equal(output, expected);
}

#define ALWAYS                      \
    "mount.pullmail: imap: a bug\n" \
    "mount.pullmail: careful\n"     \
    "mount.pullmail: mounted\n"

static void test_levels(void **state)
{
    (void)state;
    assert_output(quiet, ALWAYS);
    assert_output(verbose, ALWAYS "mount.pullmail: more\n");
    assert_output(protocol, ALWAYS "mount.pullmail: imap: C: A1 NOOP\n"
                                   "mount.pullmail: imap: S: A1 OK\n");
}

static void hostile(void)
{
    log_open(false, false);
    g_warning("* BAD \r\nforged: line\t\x1b[31m\x7f|\xc2\x9b|\xff\xc3|é\xe2\x82\xac|100%%|a\\b");
}

static void test_control_characters(void **state)
{
    (void)state;
    assert_output(hostile,
                  "mount.pullmail: * BAD \\x0d\\x0aforged: line\\x09\\x1b[31m\\x7f|\\xc2\\x9b|"
                  "\\xff\\xc3|é\xe2\x82\xac|100%|a\\b\n");
}

static void in_background(void)
{
    log_open(true, true);
    g_message("before");
    log_to_syslog();
    log_all();
    g_warning("%s", "two\nlines %s");
}

static void test_syslog(void **state)
{
    g_autofree char *expected = g_strdup_printf("mount.pullmail: before\n"
                                                "openlog mount.pullmail %d\n"
                                                "<%d>imap: a bug\n"
                                                "<%d>careful\n"
                                                "<%d>mounted\n"
                                                "<%d>more\n"
                                                "<%d>imap: C: A1 NOOP\n"
                                                "<%d>imap: S: A1 OK\n"
                                                "<%d>two\\x0alines %%s\n",
                                                LOG_DAEMON, LOG_ERR, LOG_WARNING, LOG_NOTICE,
                                                LOG_INFO, LOG_DEBUG, LOG_DEBUG, LOG_WARNING);

    (void)state;
    assert_output(in_background, expected);
}

static void to_journal(void)
{
    struct stat about;

    if (fstat(STDERR_FILENO, &about) != 0)
        _exit(1);
    g_autofree char *stream = g_strdup_printf("%ju:%ju", (uintmax_t)about.st_dev,
                                              (uintmax_t)about.st_ino);
    g_setenv("JOURNAL_STREAM", stream, TRUE);
    log_open(true, true);
    log_all();
}

static void to_another_stream(void)
{
    g_setenv("JOURNAL_STREAM", "1:1", TRUE);
    quiet();
}

/* The journal reads the priority, and knows our name. */
static void test_journal(void **state)
{
    (void)state;
    assert_output(to_journal, "<3>imap: a bug\n<4>careful\n<5>mounted\n<6>more\n"
                              "<7>imap: C: A1 NOOP\n<7>imap: S: A1 OK\n");
    assert_output(to_another_stream, ALWAYS);
}

static void last_errors(void)
{
    int64_t when = 0, begun = g_get_real_time();
    char *text;

    log_open(false, false);
    if (log_last_error(&when))
        _exit(1);
    g_warning("careful");
    g_message("mounted");
    text = log_last_error(&when);
    if (!text || strcmp(text, "careful") != 0 || when < begun || when > g_get_real_time())
        _exit(2);
    log_note_error("no\nserver");
    text = log_last_error(&when);
    if (!text || strcmp(text, "no\\x0aserver") != 0)
        _exit(3);
    g_critical("a bug");
    text = log_last_error(&when);
    if (!text || strcmp(text, "a bug") != 0)
        _exit(4);
}

static void test_last_error(void **state)
{
    (void)state;
    assert_output(last_errors, "mount.pullmail: careful\n"
                               "mount.pullmail: mounted\n"
                               "mount.pullmail: imap: a bug\n");
}

static void end_by_error(void)
{
    log_open(false, false);
    g_error("the end");
}

static void end_by_fatal_warning(void)
{
    log_open(false, false);
    g_log_set_always_fatal(G_LOG_LEVEL_WARNING);
    g_warning("the end");
}

static void end_by_flag(void)
{
    log_open(false, false);
    g_log_structured("imap", G_LOG_LEVEL_WARNING | G_LOG_FLAG_FATAL, "MESSAGE", "the end");
}

static void test_fatal(void **state)
{
    static Body *const bodies[] = {end_by_error, end_by_fatal_warning, end_by_flag};

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(bodies); i++) {
        int status;
        g_autofree char *output = output_of(bodies[i], &status);

        assert_true(WIFSIGNALED(status));
        assert_true(WTERMSIG(status) == SIGABRT || WTERMSIG(status) == SIGTRAP);
        assert_non_null(strstr(output, "the end\n"));
    }
}

#define THREADS 8
#define LINES 200

static gpointer chatter(gpointer data)
{
    for (int i = 0; i < LINES; i++)
        g_warning("thread %d line %d end", GPOINTER_TO_INT(data), i);
    return NULL;
}

static void many_threads(void)
{
    GThread *threads[THREADS];

    log_open(false, false);
    for (int i = 0; i < THREADS; i++)
        threads[i] = g_thread_new("chatter", chatter, GINT_TO_POINTER(i));
    for (int i = 0; i < THREADS; i++)
        g_thread_join(threads[i]);
}

static void test_lines_stay_whole(void **state)
{
    int status;
    g_autofree char *output = output_of(many_threads, &status);
    g_auto(GStrv) lines = g_strsplit(output, "\n", -1);

    (void)state;
    assert_int_equal(g_strv_length(lines), THREADS * LINES + 1);
    for (int i = 0; i < THREADS * LINES; i++) {
        assert_true(g_str_has_prefix(lines[i], "mount.pullmail: thread "));
        assert_true(g_str_has_suffix(lines[i], " end"));
        assert_null(strstr(lines[i] + 1, "mount.pullmail"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),           cmocka_unit_test(test_control_characters),
        cmocka_unit_test(test_syslog),           cmocka_unit_test(test_journal),
        cmocka_unit_test(test_last_error),       cmocka_unit_test(test_fatal),
        cmocka_unit_test(test_lines_stay_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
