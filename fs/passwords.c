#include "passwords.h"

#include "../cache/scopedlock.h"
#include "netrc.h"
#include "secretfile.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* `signature` is what the file was when it was read last; all else does not change. */
typedef struct {
    SecretSource source;
    char *file;    /* or NULL */
    char *command; /* or NULL */
    char *directory;
    char *host, *user;    /* for netrc, which file is then; else NULL */
    pthread_mutex_t lock; /* of signature */
    struct stat signature;
} Passwords;

/* --- reading ---------------------------------------------------------------------------------- */

Secret *password_of_file(const char *path, GError **error)
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
Secret *password_of_command(const char *command, const char *directory, GError **error)
{
    const char *arguments[] = {"/bin/sh", "-c", command, NULL};
    g_auto(SecretText) text = {0};
    g_autoptr(GError) problem = NULL;
    GPid pid;
    int output;
    bool fine;

    if (!g_spawn_async_with_pipes(directory, (char **)arguments, NULL,
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

/* --- a source --------------------------------------------------------------------------------- */

static bool is_same_file(const struct stat *one, const struct stat *other)
{
    return one->st_dev == other->st_dev && one->st_ino == other->st_ino &&
           one->st_size == other->st_size && one->st_mtim.tv_sec == other->st_mtim.tv_sec &&
           one->st_mtim.tv_nsec == other->st_mtim.tv_nsec &&
           one->st_ctim.tv_sec == other->st_ctim.tv_sec &&
           one->st_ctim.tv_nsec == other->st_ctim.tv_nsec;
}

static void look_at_file(const Passwords *passwords, struct stat *status)
{
    memset(status, 0, sizeof *status);
    if (passwords->file && stat(passwords->file, status) < 0)
        memset(status, 0, sizeof *status);
}

static bool changed(SecretSource *source)
{
    Passwords *passwords = (Passwords *)source;
    struct stat now;

    look_at_file(passwords, &now);
    SCOPED_LOCK(&passwords->lock);
    return passwords->file && !is_same_file(&now, &passwords->signature);
}

static Secret *read_netrc(const Passwords *passwords, GError **error)
{
    g_auto(NetrcEntry) entry = {0};

    if (!netrc_find(passwords->host, passwords->user, true, &entry, error))
        return NULL;
    if (!entry.password)
        g_set_error(error, MAIL_ERROR, ENOKEY, "%s has no password for %s@%s any more",
                    passwords->file, passwords->user, passwords->host);
    return g_steal_pointer(&entry.password);
}

/* What changes while it is read is seen to have changed. */
static Secret *read_again(SecretSource *source, GError **error)
{
    Passwords *passwords = (Passwords *)source;
    struct stat now;

    look_at_file(passwords, &now);
    pthread_mutex_lock(&passwords->lock);
    passwords->signature = now;
    pthread_mutex_unlock(&passwords->lock);
    if (passwords->command)
        return password_of_command(passwords->command, passwords->directory, error);
    if (passwords->host)
        return read_netrc(passwords, error);
    return password_of_file(passwords->file, error);
}

static void passwords_free(SecretSource *source)
{
    Passwords *passwords = (Passwords *)source;

    g_free(passwords->file);
    g_free(passwords->command);
    g_free(passwords->directory);
    g_free(passwords->host);
    g_free(passwords->user);
    pthread_mutex_destroy(&passwords->lock);
    g_free(passwords);
}

SecretSource *passwords_new(const Options *options, const Credentials *credentials)
{
    Passwords *passwords;

    if (!credentials->password ||
        (!options->passfile && !options->passcmd && credentials->is_typed))
        return NULL;
    passwords = g_new0(Passwords, 1);
    passwords->source = (SecretSource){changed, read_again, passwords_free, 1};
    pthread_mutex_init(&passwords->lock, NULL);
    passwords->command = g_strdup(options->passcmd);
    passwords->directory = g_get_current_dir();
    if (!options->passfile && !options->passcmd) {
        passwords->file = netrc_path();
        passwords->host = g_strdup(options->url.host);
        passwords->user = g_strdup(credentials->user);
    } else {
        passwords->file = g_strdup(options->passfile);
    }
    look_at_file(passwords, &passwords->signature);
    return &passwords->source;
}
