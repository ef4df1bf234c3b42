#include "credentials.h"

#include "netrc.h"
#include "optvalue.h"
#include "prompt.h"
#include "secretfile.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static Secret *read_passfile(const char *path, GError **error)
{
    g_auto(SecretText) text = {0};
    struct stat status;
    int fd = secretfile_open(path, &status, error);
    bool fine;

    if (fd < 0) {
        g_prefix_error(error, "passfile: ");
        return NULL;
    }
    fine = secretfile_check(path, &status, error) && secretfile_read(fd, path, &text, error);
    close(fd);
    if (!fine) {
        g_prefix_error(error, "passfile: ");
        return NULL;
    }
    return secretfile_first_line(&text, path, error);
}

/* Waits for the command's end; its status 0 is true. */
static bool reap(GPid pid, GError **error)
{
    int status = 0;
    pid_t ended;

    do
        ended = waitpid(pid, &status, 0);
    while (ended < 0 && errno == EINTR);
    if (ended < 0)
        g_set_error(error, MAIL_ERROR, EACCES, "how passcmd ended is not known: %s",
                    g_strerror(errno));
    else if (WIFSIGNALED(status))
        g_set_error(error, MAIL_ERROR, EACCES, "passcmd was ended by signal %d (%s)",
                    WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) != 0)
        g_set_error(error, MAIL_ERROR, EACCES, "passcmd exited with status %d",
                    WEXITSTATUS(status));
    else
        return true;
    return false;
}

/* The command shares stdin and stderr with us, since it may want to ask something itself. */
static Secret *run_passcmd(const char *command, GError **error)
{
    const char *arguments[] = {"/bin/sh", "-c", command, NULL};
    g_auto(SecretText) text = {0};
    g_autoptr(GError) problem = NULL;
    GPid pid;
    int output;
    bool fine;

    if (!g_spawn_async_with_pipes(NULL, (char **)arguments, NULL,
                                  G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_CHILD_INHERITS_STDIN |
                                      G_SPAWN_CLOEXEC_PIPES,
                                  NULL, NULL, &pid, NULL, &output, NULL, &problem)) {
        g_set_error(error, MAIL_ERROR, EACCES, "passcmd can't be run: %s", problem->message);
        return NULL;
    }
    fine = secretfile_read(output, "what passcmd prints", &text, error);
    close(output);
    if (!fine)
        kill(pid, SIGTERM);
    /* A failure to read is the first cause. */
    fine = reap(pid, fine ? error : NULL) && fine;
    g_spawn_close_pid(pid);
    return fine ? secretfile_first_line(&text, "what passcmd prints", error) : NULL;
}

static Secret *ask(const Options *options, const char *user, GError **error)
{
    g_autoptr(GError) problem = NULL;
    const char *auth = options->auth ? options->auth : "";
    bool token = strcmp(auth, "xoauth2") == 0 || strcmp(auth, "oauthbearer") == 0;
    g_autofree char *question = g_strdup_printf(
        "%s for %s@%s: ", token ? "Access token" : "Password", user, options->url.host);
    Secret *secret = prompt_secret(question, &problem);

    if (problem && problem->code == ENOTTY)
        g_set_error(error, MAIL_ERROR, ENOKEY,
                    "no password for %s@%s: give passfile=FILE or passcmd=COMMAND, put it into "
                    "~/.netrc, or mount from a terminal",
                    user, options->url.host);
    else if (problem)
        g_propagate_error(error, g_steal_pointer(&problem));
    return secret;
}

static char *find_user(const Options *options, const NetrcEntry *entry, GError **error)
{
    const char *variable = g_getenv("USER");
    const struct passwd *account;
    const char *user = options->user;

    if (!user)
        user = entry->login;
    if (!user && variable && variable[0])
        user = variable;
    if (!user && (account = getpwuid(geteuid())))
        user = account->pw_name;
    if (!user) {
        g_set_error(error, MAIL_ERROR, EINVAL,
                    "no login name: give user=LOGIN, or write it into the URL");
        return NULL;
    }
    return optvalue_text("user=", user, error) ? g_strdup(user) : NULL;
}

static bool find(const Options *options, Credentials *credentials, GError **error)
{
    bool external = g_strcmp0(options->auth, "external") == 0;
    bool open = !options->passfile && !options->passcmd && !external;
    g_auto(NetrcEntry) entry = {0};

    if ((open || !options->user) &&
        !netrc_find(options->url.host, options->user, open, &entry, error))
        return false;
    credentials->user = find_user(options, &entry, error);
    if (!credentials->user)
        return false;
    if (options->passfile)
        credentials->password = read_passfile(options->passfile, error);
    else if (options->passcmd)
        credentials->password = run_passcmd(options->passcmd, error);
    else if (entry.password)
        credentials->password = g_steal_pointer(&entry.password);
    else if (open)
        credentials->password = ask(options, credentials->user, error);
    else
        return true;
    return credentials->password != NULL;
}

bool credentials_find(const Options *options, Credentials *credentials, GError **error)
{
    *credentials = (Credentials){0};
    if (find(options, credentials, error))
        return true;
    credentials_clear(credentials);
    return false;
}

void credentials_clear(Credentials *credentials)
{
    g_free(credentials->user);
    secret_free(credentials->password);
    *credentials = (Credentials){0};
}
