#include "daemon.h"

#include "../cache/mail.h"
#include "log.h"
#include "service.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* `word` is the child's end of the line to the parent; -1: there is none, or it was used. */
struct Daemon {
    int word;
    bool foreground;
    pid_t parent; /* of one in the background */
};

/* What the child says: a byte that is the exit status, and behind it the line to print. */

/* What a server put into a message does not reach the terminal as it is. */
static char *one_line(const GError *error)
{
    g_autofree char *line = g_strdup(error->message);

    return log_printable(g_strdelimit(line, "\r\n", ' '));
}

void daemon_print_error(const GError *error)
{
    g_autofree char *line = one_line(error);

    fprintf(stderr, "%s%s\n", service_has_journal() ? "<3>" : "mount.pullmail: ", line);
}

/* Says what the daemon says; the exit status that it wants, or that of one that died. */
static int wait_for_word(int fd, pid_t child)
{
    g_autoptr(GByteArray) word = g_byte_array_new();
    guint8 buffer[512];
    ssize_t n;

    while ((n = read(fd, buffer, sizeof buffer)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0)
            g_byte_array_append(word, buffer, (guint)n);
    if (word->len == 0) {
        int status = 0;
        waitpid(child, &status, 0);
        fprintf(stderr, "mount.pullmail: the daemon died before the mount worked (%s %d)\n",
                WIFSIGNALED(status) ? "signal" : "status",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        return EXIT_MOUNT;
    }
    if (word->len > 1)
        fprintf(stderr, "%.*s\n", (int)word->len - 1, (const char *)word->data + 1);
    return word->data[0];
}

/* Until the mount works; the parent may have been ended before the kernel knew. */
static void end_with_parent(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        raise(SIGTERM);
}

static Daemon *daemon_new(bool foreground, int word)
{
    Daemon *daemon = g_new0(Daemon, 1);

    daemon->foreground = foreground;
    daemon->word = word;
    return daemon;
}

Daemon *daemon_begin(bool foreground, GError **error)
{
    pid_t parent = getpid();
    int ends[2];
    pid_t child;

    if (foreground)
        return daemon_new(true, -1);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0 || (child = fork()) < 0) {
        g_set_error(error, MAIL_ERROR, errno, "can't go to the background: %s", strerror(errno));
        return NULL;
    }
    if (child > 0) {
        close(ends[1]);
        _exit(wait_for_word(ends[0], child));
    }
    close(ends[0]);
    setsid();
    Daemon *daemon = daemon_new(false, ends[1]);
    daemon->parent = parent;
    daemon_stay_with_parent(daemon);
    return daemon;
}

void daemon_stay_with_parent(const Daemon *daemon)
{
    if (!daemon->foreground)
        end_with_parent(daemon->parent);
}

static void say(Daemon *daemon, guint8 status, const char *line)
{
    size_t length = strlen(line);
    /* The parent may have been ended: then nobody listens. */
    ssize_t ignored = send(daemon->word, &status, 1, MSG_NOSIGNAL);

    if (length)
        ignored = send(daemon->word, line, length, MSG_NOSIGNAL);
    (void)ignored;
    close(daemon->word);
    daemon->word = -1;
}

static void let_go_of_terminal(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    log_to_syslog();
    for (int fd = 0; fd <= 2 && null >= 0; fd++)
        dup2(null, fd);
    if (null > 2)
        close(null);
}

void daemon_ready(Daemon *daemon)
{
    if (daemon->foreground)
        return;
    prctl(PR_SET_PDEATHSIG, 0);
    say(daemon, EXIT_SUCCESS, "");
    let_go_of_terminal();
}

void daemon_fail(Daemon *daemon, const GError *error, int exit_status)
{
    if (daemon->foreground) {
        daemon_print_error(error);
        return;
    }
    if (daemon->word < 0) {
        g_warning("%s", error->message);
        return;
    }
    g_autofree char *text = one_line(error);
    g_autofree char *line = g_strconcat("mount.pullmail: ", text, NULL);
    prctl(PR_SET_PDEATHSIG, 0);
    say(daemon, (guint8)exit_status, line);
}

void daemon_free(Daemon *daemon)
{
    if (!daemon)
        return;
    if (daemon->word >= 0)
        close(daemon->word);
    g_free(daemon);
}
