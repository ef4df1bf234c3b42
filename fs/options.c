#include "options.h"

#include "mountpoint.h"
#include "opttable.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM "mount.pullmail"

#define DEFAULT_UMASK 077
#define DEFAULT_CACHESIZE (UINT64_C(1) << 30)
#define DEFAULT_CONNECTIONS 4
#define DEFAULT_SECONDS 60
#define DEFAULT_IDLE 5

/* What is known while the command line is read. */
typedef struct {
    OptionTarget target;
    const char *url, *mountpoint; /* the caller's */
    GError *error;
} Parser;

enum { KEY_WITH_ARGUMENT = 1 }; /* of a fuse_opt */

static bool fail(GError **error, const char *message)
{
    g_set_error_literal(error, MAIL_ERROR, EINVAL, message);
    return false;
}

/* "-v", and letters in a row, as in "-fv". The "-r" and "-w" are mount(8)'s old ones. */
static bool set_letters(Parser *parser, const char *argument)
{
    Options *options = parser->target.options;

    for (const char *letter = argument + 1; *letter; letter++) {
        if (*letter == 'f')
            options->foreground = true;
        else if (*letter == 'v')
            options->verbose = true;
        else if (*letter == 'd')
            options->protocol = true;
        else if (*letter == 'h')
            options->help = true;
        else if (*letter == 'V')
            options->version = true;
        else if (*letter == 'r' || *letter == 'w')
            opttable_set(&parser->target, *letter == 'r' ? "ro" : "rw", NULL);
        else if (*letter != 's' && *letter != 'n') /* no meaning here */
            return false;
    }
    return argument[1] != 0;
}

static bool set_argument(Parser *parser, const char *argument)
{
    if (strcmp(argument, "--help") == 0)
        return parser->target.options->help = true;
    if (strcmp(argument, "--version") == 0)
        return parser->target.options->version = true;
    if (set_letters(parser, argument))
        return true;
    g_set_error(&parser->error, MAIL_ERROR, EINVAL, "unknown argument '%s'; see " PROGRAM " -h",
                argument);
    return false;
}

static bool set_operand(Parser *parser, const char *argument)
{
    if (!parser->url)
        parser->url = argument;
    else if (!parser->mountpoint)
        parser->mountpoint = argument;
    else /* what it says is not repeated: it may be a password */
        return fail(&parser->error,
                    "too many arguments: only a URL and a mount point are taken; see " PROGRAM
                    " -h");
    return true;
}

/* Called by libfuse's parser for each argument and each word of a list; it keeps none. */
static int take(void *data, const char *argument, int key, struct fuse_args *rest)
{
    Parser *parser = data;
    bool fine = true;

    (void)rest;
    if (key == FUSE_OPT_KEY_NONOPT)
        fine = set_operand(parser, argument);
    else if (key == FUSE_OPT_KEY_OPT && argument[0] == '-')
        fine = set_argument(parser, argument);
    else if (key == FUSE_OPT_KEY_OPT)
        fine = opttable_set(&parser->target, argument, &parser->error);
    return fine ? 0 : -1;
}

static bool read_arguments(Parser *parser, int argc, char **argv)
{
    static const struct fuse_opt with_argument[] = {
        FUSE_OPT_KEY("-t ", KEY_WITH_ARGUMENT),
        FUSE_OPT_KEY("-N ", KEY_WITH_ARGUMENT),
        FUSE_OPT_END,
    };
    struct fuse_args arguments = FUSE_ARGS_INIT(argc, argv);
    const char *last = argc > 1 ? argv[argc - 1] : "";

    /* libfuse would write its own line about that one to stderr. */
    if (strcmp(last, "-o") == 0 || strcmp(last, "-t") == 0 || strcmp(last, "-N") == 0) {
        g_set_error(&parser->error, MAIL_ERROR, EINVAL,
                    "something must follow '%s'; see " PROGRAM " -h", last);
        return false;
    }
    if (fuse_opt_parse(&arguments, parser, with_argument, take) < 0) {
        if (!parser->error)
            fail(&parser->error, "the arguments could not be read; see " PROGRAM " -h");
        return false;
    }
    fuse_opt_free_args(&arguments);
    return true;
}

/* What must fit together. */
static bool check(const Options *options, GError **error)
{
    if (options->passfile && options->passcmd)
        return fail(error, "passfile= and passcmd= exclude each other: give one of them");
    if (options->key && !options->cert)
        return fail(error, "key= needs cert=, the certificate that belongs to the key");
    if (options->url.protocol == URL_IMAP && g_strcmp0(options->auth, "user") == 0)
        return fail(error, "auth=user is POP3's USER and PASS; for IMAP, auth=login is the command "
                           "LOGIN");
    if (options->url.protocol == URL_IMAP && g_strcmp0(options->auth, "apop") == 0)
        return fail(error, "auth=apop is POP3's; for IMAP, auth=auto takes the strongest that both "
                           "sides have");
    if (options->tls == TLS_OFF && options->url.tls)
        return fail(error, "tls=off contradicts the URL: imaps:// and pop3s:// are TLS from the "
                           "first byte; only imap:// and pop3:// can do without it");
    if (options->pin && options->tls == TLS_OFF)
        return fail(error,
                    "pin= is about the server's certificate, and with tls=off there is none");
    if (options->pin && options->cafile)
        return fail(error, "cafile= and pin= exclude each other: with a pin no authority is asked");
    return true;
}

/* What the URL says, where no option says otherwise. */
static bool take_url(Parser *parser, GError **error)
{
    Options *options = parser->target.options;

    if (!url_parse(parser->url, &options->url, error))
        return false;
    if (!options->user)
        options->user = g_strdup(options->url.user);
    if (!options->auth && options->url.auth) {
        /* RFC 2384 has "+APOP" for what is no SASL mechanism. */
        const char *name = options->url.auth + (options->url.auth[0] == '+');
        g_autofree char *word = g_strconcat("auth=", name, NULL);
        if (!opttable_set(&parser->target, word, error))
            return false;
    }
    if (g_strcmp0(options->auth, "auto") == 0)
        g_clear_pointer(&options->auth, g_free);
    return true;
}

static void add_mount_argument(Options *options, const char *argument)
{
    if (fuse_opt_add_arg(&options->mount_args, argument) < 0)
        g_error("out of memory");
}

/* The kernel shall check permissions by what getattr says: others' access is decided there. */
static void make_mount_args(Parser *parser)
{
    OptionTarget *target = &parser->target;
    g_autofree char *text = url_text(&target->options->url);
    g_autofree char *fsname = g_strconcat("fsname=", text, NULL);

    opttable_pass(target, "default_permissions");
    if (!target->fsname)
        opttable_pass(target, fsname);
    if (!target->subtype)
        opttable_pass(target, "subtype=pullmail");
    add_mount_argument(target->options, PROGRAM);
    add_mount_argument(target->options, "-o");
    add_mount_argument(target->options, target->passed);
}

static bool parse(Parser *parser, int argc, char **argv)
{
    Options *options = parser->target.options;

    if (!read_arguments(parser, argc, argv))
        return false;
    if (options->help || options->version)
        return true;
    if (!parser->url || !parser->mountpoint)
        return fail(&parser->error, parser->url ? "the mount point is missing; see " PROGRAM " -h"
                                                : "a URL and a mount point are needed; see " PROGRAM
                                                  " -h");
    if (!take_url(parser, &parser->error) || !check(options, &parser->error))
        return false;
    options->mountpoint = mountpoint_resolve(parser->mountpoint, &options->stale, &parser->error);
    if (!options->mountpoint)
        return false;
    make_mount_args(parser);
    return true;
}

bool options_parse(int argc, char **argv, Options *options, GError **error)
{
    Parser parser = {.target.options = options};
    bool fine;

    *options = (Options){
        .uid = geteuid(),
        .gid = getegid(),
        .umask = DEFAULT_UMASK,
        .cachesize = DEFAULT_CACHESIZE,
        .connections = DEFAULT_CONNECTIONS,
        .prefetch = -1,
        .refresh = DEFAULT_SECONDS,
        .timeout = DEFAULT_SECONDS,
        .idle = DEFAULT_IDLE,
    };
    fine = parse(&parser, argc, argv);
    free(parser.target.passed);
    if (!fine) {
        options_clear(options);
        g_propagate_error(error, parser.error);
    } else if (options->help || options->version) {
        Options asked = {.help = options->help, .version = options->version};
        options_clear(options);
        *options = asked;
    }
    return fine;
}

void options_clear(Options *options)
{
    url_clear(&options->url);
    g_free(options->mountpoint);
    g_free(options->user);
    g_free(options->passfile);
    g_free(options->passcmd);
    g_free(options->auth);
    g_free(options->cafile);
    g_free(options->cert);
    g_free(options->key);
    g_free(options->pin);
    g_free(options->cachedir);
    g_free(options->trash);
    fuse_opt_free_args(&options->mount_args);
    *options = (Options){0};
}

const char *options_help(void)
{
    return "usage: " PROGRAM " URL MOUNTPOINT [-f] [-v] [-d] [-o OPTION[,OPTION…]]\n"
           "\n"
           "Mounts a mailbox as a directory tree. To unmount: fusermount3 -u MOUNTPOINT\n"
           "\n"
           "URL: imaps://USER@HOST[:PORT][/FOLDER], or imap://, pop3s://, pop3://\n"
           "     (an '@' in USER is written %40)\n"
           "\n"
           "  -f  stay in the foreground\n"
           "  -v  tell more\n"
           "  -d  print the protocol, without secrets\n"
           "  -h  print this\n"
           "  -V  print the version\n"
           "\n"
           "Options of -o, with their defaults:\n"
           "  user=LOGIN           login name (the URL's, netrc's, $USER)\n"
           "  passfile=FILE        its first line is the password; mode 0600\n"
           "  passcmd=COMMAND      prints the password (netrc, then a prompt)\n"
           "  auth=MECHANISM       auto, login, user, apop, plain, cram-md5, scram-sha-1,\n"
           "                       scram-sha-256, external, xoauth2, oauthbearer (auto)\n"
           "  tls=required|off     for imap:// and pop3:// (required)\n"
           "  cafile=FILE          a CA to trust besides the system's\n"
           "  pin=sha256:HASH      accept this certificate or public key of the server, no other\n"
           "  cert=FILE, key=FILE  client certificate\n"
           "  ro                   mount read-only\n"
           "  uid=, gid=, umask=   owner and mode of what is shown (yours, 077)\n"
           "  allow_other          let other users in, as umask= says\n"
           "  cachedir=FOLDER      where the cache lives\n"
           "                       ($XDG_CACHE_HOME/pullmail; /var/cache/pullmail for root)\n"
           "  cachesize=SIZE       the most it holds (1G)\n"
           "  connections=N        the most IMAP connections at once, 1 to 32 (4)\n"
           "  prefetch=SIZE|off    how far to read ahead of a scan, at most (16M)\n"
           "  offline=WHEN         auto, never or always (auto: where the server is away)\n"
           "  compress=WHEN        auto, on or off (auto: where the link is slow)\n"
           "  refresh=SECONDS      between looks at the server (60)\n"
           "  timeout=SECONDS      until a silent server is an error (60)\n"
           "  idle=SECONDS         without work until a POP3 session is left (5)\n"
           "  expunge=WHEN         now, unmount or never (now)\n"
           "  trash=FOLDER         unlink moves messages there\n"
           "  any                  store files that do not look like messages too\n"
           "\n"
           "See mount.pullmail(8).\n";
}

const char *options_version(void)
{
    return "pullmail " PULLMAIL_VERSION "\n";
}
