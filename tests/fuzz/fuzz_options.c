/*
 * fuzz_options.c: any command line: words that end with a NUL, behind the program's name. What is
 * taken is fit to be used, and no error repeats a password.
 */
#include "../../fs/options.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_WORDS = 12 };

static void check(bool fine, const char *what)
{
    if (!fine)
        g_error("%s", what);
}

static void check_good(const Options *options)
{
    if (options->help || options->version)
        return;
    check(options->url.host && options->url.port, "neither host nor port");
    check(options->mountpoint && g_path_is_absolute(options->mountpoint), "no mount point");
    check(options->connections >= 1 && options->connections <= 32, "so many connections");
    check(options->timeout && options->refresh, "no time");
    check(options->umask <= 0777, "a mode that is none");
    check(!options->user || g_utf8_validate(options->user, -1, NULL), "a user in no UTF-8");
    check(!options->cachedir || g_path_is_absolute(options->cachedir), "a relative cachedir");
    check(!options->cafile || g_path_is_absolute(options->cafile), "a relative cafile");
    check(options->tls == TLS_REQUIRED || !options->url.tls, "tls=off for a TLS scheme");
    check(!options->pin || options->tls == TLS_REQUIRED, "a pin without TLS");
    check(options->mount_args.argc == 3, "other arguments for libfuse");
    check(strstr(options->mount_args.argv[2], "default_permissions") != NULL,
          "nobody checks permissions");
}

/* argv, whose words are the caller's. */
static void parse(int argc, char **argv, const char *secret)
{
    g_auto(Options) options = {0};
    g_autoptr(GError) error = NULL;

    if (options_parse(argc, argv, &options, &error)) {
        check_good(&options);
        return;
    }
    check(error && error->domain == MAIL_ERROR && error->code > 0, "an error without an errno");
    check(!secret || !strstr(error->message, secret), "an error repeats a password");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup(size > 0 ? (const char *)data : "", size);
    char *copy = g_malloc(size + 1);
    g_autofree char *list = g_strconcat("password=s3cret-Gull,", text, NULL);
    char *words[MOST_WORDS + 2] = {(char *)"mount.pullmail"};
    char *fixed[] = {
        (char *)"mount.pullmail", (char *)"imaps://ann@h/", (char *)"/", (char *)"-o", list, NULL};
    int n = 1;

    memcpy(copy, size > 0 ? (const char *)data : "", size);
    copy[size] = '\0';
    for (size_t at = 0; at < size && n <= MOST_WORDS; at += strlen(copy + at) + 1)
        words[n++] = copy + at;
    parse(n, words, NULL);
    g_free(copy);
    parse(5, fixed, "s3cret-Gull");
    fixed[4] = text;
    parse(5, fixed, NULL);
    return 0;
}
