#include "prompt.h"

#include "../cache/mail.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define ANSWER_MAX 1024 /* bytes */

static const int signals[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGTSTP};

/*
 * The signals are blocked from begin() to end() but inside ppoll, so that none can come between
 * turning the echo off and on again. answer has no NUL; line_ended: it is whole.
 */
typedef struct {
    int tty;
    struct termios terminal;
    struct sigaction actions[G_N_ELEMENTS(signals)];
    sigset_t mask;      /* as it was */
    sigset_t poll_mask; /* with the signals let in */
    char answer[ANSWER_MAX + 2];
    size_t length;
    bool line_ended;
} Prompt;

static volatile sig_atomic_t caught; /* the signal that interrupted the prompt, or 0 */

static void on_signal(int number)
{
    caught = number;
}

static void set_terminal(const Prompt *prompt, const struct termios *terminal)
{
    /* EINTR: stopped in the background, and continued. */
    while (tcsetattr(prompt->tty, TCSAFLUSH, terminal) < 0 && errno == EINTR)
        ;
}

static void begin(Prompt *prompt)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct termios silent;
    sigset_t blocked;

    caught = 0;
    sigemptyset(&blocked);
    for (size_t i = 0; i < G_N_ELEMENTS(signals); i++)
        sigaddset(&blocked, signals[i]);
    pthread_sigmask(SIG_BLOCK, &blocked, &prompt->mask);
    prompt->poll_mask = prompt->mask;
    for (size_t i = 0; i < G_N_ELEMENTS(signals); i++) {
        sigdelset(&prompt->poll_mask, signals[i]);
        sigaction(signals[i], NULL, &prompt->actions[i]);
        if (prompt->actions[i].sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
    }
    silent = prompt->terminal;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    silent.c_lflag |= ICANON | ISIG;
    set_terminal(prompt, &silent);
}

static void end(Prompt *prompt)
{
    set_terminal(prompt, &prompt->terminal);
    for (size_t i = 0; i < G_N_ELEMENTS(signals); i++)
        sigaction(signals[i], &prompt->actions[i], NULL);
    pthread_sigmask(SIG_SETMASK, &prompt->mask, NULL);
}

static void say(const Prompt *prompt, const char *text)
{
    size_t length = strlen(text);

    while (length > 0) {
        ssize_t written = write(prompt->tty, text, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        text += written;
        length -= (size_t)written;
    }
}

/* Up to the end of the line or of the terminal, a signal, or the buffer. */
static void read_line(Prompt *prompt)
{
    struct pollfd input = {.fd = prompt->tty, .events = POLLIN};
    size_t length = 0;

    while (!caught && !prompt->line_ended && length < sizeof prompt->answer) {
        ssize_t count;

        if (ppoll(&input, 1, NULL, &prompt->poll_mask) < 0)
            continue; /* caught, or a signal of somebody else's */
        count = read(prompt->tty, prompt->answer + length, sizeof prompt->answer - length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            break;
        length += (size_t)count;
        prompt->line_ended = prompt->answer[length - 1] == '\n';
    }
    prompt->length = length;
}

/* Asks until a line is there; false where a signal came that ends the prompt. */
static bool ask(Prompt *prompt, const char *question)
{
    for (;;) {
        int number;

        begin(prompt);
        say(prompt, question);
        read_line(prompt);
        say(prompt, "\n");
        number = caught;
        end(prompt);
        if (number == 0)
            return true;
        kill(getpid(), number);
        if (number != SIGTSTP)
            return false;
        prompt->length = 0; /* continued after a stop: ask again */
    }
}

static Secret *answer(Prompt *prompt, const char *question, GError **error)
{
    if (!ask(prompt, question)) {
        g_set_error(error, MAIL_ERROR, EINTR, "interrupted");
        return NULL;
    }
    if (prompt->line_ended)
        prompt->length--;
    if (prompt->length > ANSWER_MAX) {
        g_set_error(error, MAIL_ERROR, EINVAL, "the password is longer than %d bytes", ANSWER_MAX);
        return NULL;
    }
    if (prompt->length == 0) {
        g_set_error(error, MAIL_ERROR, ENOKEY, "no password was given");
        return NULL;
    }
    return secret_new(prompt->answer, (gssize)prompt->length);
}

Secret *prompt_secret(const char *question, GError **error)
{
    Prompt *prompt = g_new0(Prompt, 1);
    Secret *secret = NULL;

    prompt->tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (prompt->tty >= 0 && tcgetattr(prompt->tty, &prompt->terminal) == 0)
        secret = answer(prompt, question, error);
    else
        g_set_error(error, MAIL_ERROR, ENOTTY, "there is no terminal to ask on");
    if (prompt->tty >= 0)
        close(prompt->tty);
    secret_wipe(prompt, sizeof *prompt);
    g_free(prompt);
    return secret;
}
