#include "credentials.h"

#include "netrc.h"
#include "optvalue.h"
#include "passwords.h"
#include "prompt.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

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
    bool open = !options->passfile && !options->passcmd && !external &&
                options->offline != OFFLINE_ALWAYS;
    g_auto(NetrcEntry) entry = {0};

    if ((open || !options->user) &&
        !netrc_find(options->url.host, options->user, open, &entry, error))
        return false;
    credentials->user = find_user(options, &entry, error);
    if (!credentials->user)
        return false;
    if (options->offline == OFFLINE_ALWAYS) /* nobody logs in */
        return true;
    if (options->passfile) {
        credentials->password = password_of_file(options->passfile, error);
    } else if (options->passcmd) {
        credentials->password = password_of_command(options->passcmd, NULL, error);
    } else if (entry.password) {
        credentials->password = g_steal_pointer(&entry.password);
    } else if (open) {
        credentials->password = ask(options, credentials->user, error);
        credentials->is_typed = true;
    } else {
        return true;
    }
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
