#include "opttable.h"

#include "optvalue.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/*
 * mount(8) passes on what stands in fstab, with rw, nosuid, nodev and noexec ahead of it, and a
 * bare "user" where users may mount. It never adds a user=NAME of its own, so that is always a
 * login; but where an ordinary user mounts, it drops the NAME that fstab has.
 */

#define SUGGEST_DISTANCE 2 /* mistakes in a word that is still recognized */
#define SUGGEST_LETTERS 3  /* letters that there must be for each mistake */
#define WORD_MAX 32        /* longer than every name in the table */

typedef struct Option Option;
typedef bool OptionSetter(const Option *option, OptionTarget *target, const char *value,
                          GError **error);

struct Option {
    const char *name; /* ends in '=' where a value belongs to it */
    OptionSetter *set;
    size_t offset; /* of the member of Options that set fills in */
    unsigned minimum, maximum;
};

#define MEMBER(type, target, option) \
    ((type *)(void *)((char *)(target)->options + (option)->offset))

static bool set_text(const Option *option, OptionTarget *target, const char *value, GError **error)
{
    char **member = MEMBER(char *, target, option);

    if (!optvalue_text(option->name, value, error))
        return false;
    g_free(*member);
    *member = g_strdup(value);
    return true;
}

static bool set_path(const Option *option, OptionTarget *target, const char *value, GError **error)
{
    char **member = MEMBER(char *, target, option);
    char *path = optvalue_path(option->name, value, error);

    if (!path)
        return false;
    g_free(*member);
    *member = path;
    return true;
}

static bool set_number(const Option *option, OptionTarget *target, const char *value,
                       GError **error)
{
    return optvalue_number(option->name, value, option->minimum, option->maximum,
                           MEMBER(unsigned, target, option), error);
}

static bool set_size(const Option *option, OptionTarget *target, const char *value, GError **error)
{
    return optvalue_size(option->name, value, MEMBER(uint64_t, target, option), error);
}

static bool set_prefetch(const Option *option, OptionTarget *target, const char *value,
                         GError **error)
{
    uint64_t size = 0;

    if (g_ascii_strcasecmp(value, "off") != 0 && !optvalue_size(option->name, value, &size, error))
        return false;
    target->options->prefetch = (int64_t)size;
    return true;
}

static bool set_auth(const Option *option, OptionTarget *target, const char *value, GError **error)
{
    static const char *const known[] = {
        "auto",          "scram-sha-256-plus",
        "scram-sha-256", "scram-sha-1-plus",
        "scram-sha-1",   "cram-md5",
        "plain",         "login",
        "user",          "external",
        "xoauth2",       "oauthbearer",
        "apop",          NULL,
    };
    int choice = optvalue_choice(option->name, value, known, error);

    if (choice < 0)
        return false;
    g_free(target->options->auth);
    target->options->auth = g_strdup(known[choice]);
    return true;
}

static bool set_tls(const Option *option, OptionTarget *target, const char *value, GError **error)
{
    static const char *const known[] = {[TLS_REQUIRED] = "required", [TLS_OFF] = "off", NULL};
    int choice = optvalue_choice(option->name, value, known, error);

    if (choice >= 0)
        target->options->tls = (TlsMode)choice;
    return choice >= 0;
}

static bool set_pin(const Option *option, OptionTarget *target, const char *value, GError **error)
{
    Pin pin;

    (void)option;
    if (!pin_parse(value, &pin, error))
        return false;
    g_free(target->options->pin);
    target->options->pin = g_memdup2(&pin, sizeof pin);
    return true;
}

static bool set_compress(const Option *option, OptionTarget *target, const char *value,
                         GError **error)
{
    static const char *const known[] = {
        [COMPRESS_AUTO] = "auto",
        [COMPRESS_ON] = "on",
        [COMPRESS_OFF] = "off",
        NULL,
    };
    int choice = optvalue_choice(option->name, value, known, error);

    if (choice >= 0)
        target->options->compress = (CompressMode)choice;
    return choice >= 0;
}

static bool set_offline(const Option *option, OptionTarget *target, const char *value,
                        GError **error)
{
    static const char *const known[] = {
        [OFFLINE_AUTO] = "auto",
        [OFFLINE_NEVER] = "never",
        [OFFLINE_ALWAYS] = "always",
        NULL,
    };
    int choice = optvalue_choice(option->name, value, known, error);

    if (choice >= 0)
        target->options->offline = (OfflineMode)choice;
    return choice >= 0;
}

static bool set_expunge(const Option *option, OptionTarget *target, const char *value,
                        GError **error)
{
    static const char *const known[] = {
        [EXPUNGE_NOW] = "now",
        [EXPUNGE_UNMOUNT] = "unmount",
        [EXPUNGE_NEVER] = "never",
        NULL,
    };
    int choice = optvalue_choice(option->name, value, known, error);

    if (choice >= 0)
        target->options->expunge = (ExpungeMode)choice;
    return choice >= 0;
}

static bool set_uid(const Option *option, OptionTarget *target, const char *value, GError **error)
{
    return optvalue_uid(option->name, value, &target->options->uid, error);
}

static bool set_gid(const Option *option, OptionTarget *target, const char *value, GError **error)
{
    return optvalue_gid(option->name, value, &target->options->gid, error);
}

static bool set_umask(const Option *option, OptionTarget *target, const char *value, GError **error)
{
    return optvalue_umask(option->name, value, &target->options->umask, error);
}

void opttable_pass(OptionTarget *target, const char *word)
{
    if (fuse_opt_add_opt_escaped(&target->passed, word) < 0)
        g_error("out of memory");
}

static bool pass(const Option *option, OptionTarget *target, const char *value, GError **error)
{
    g_autofree char *word = g_strconcat(option->name, value, NULL);

    if (value && !optvalue_text(option->name, value, error))
        return false;
    opttable_pass(target, word);
    return true;
}

static bool pass_number(const Option *option, OptionTarget *target, const char *value,
                        GError **error)
{
    unsigned number;

    return optvalue_number(option->name, value, 0, INT32_MAX, &number, error) &&
           pass(option, target, value, error);
}

static bool pass_fsname(const Option *option, OptionTarget *target, const char *value,
                        GError **error)
{
    target->fsname = true;
    return pass(option, target, value, error);
}

static bool pass_subtype(const Option *option, OptionTarget *target, const char *value,
                         GError **error)
{
    target->subtype = true;
    return pass(option, target, value, error);
}

static bool pass_ro_rw(const Option *option, OptionTarget *target, const char *value,
                       GError **error)
{
    target->options->read_only = strcmp(option->name, "ro") == 0;
    return pass(option, target, value, error);
}

static bool set_any(const Option *option, OptionTarget *target, const char *value, GError **error)
{
    (void)option, (void)value, (void)error;
    return target->options->any = true;
}

static bool pass_allow_other(const Option *option, OptionTarget *target, const char *value,
                             GError **error)
{
    target->options->allow_other = true;
    return pass(option, target, value, error);
}

static bool ignore(const Option *option, OptionTarget *target, const char *value, GError **error)
{
    (void)option, (void)target, (void)value, (void)error;
    return true;
}

static bool refuse_remount(const Option *option, OptionTarget *target, const char *value,
                           GError **error)
{
    (void)option, (void)target, (void)value;
    g_set_error(error, MAIL_ERROR, EINVAL,
                "options can't be changed while a mailbox is mounted: unmount it, and mount it "
                "again");
    return false;
}

static bool refuse_password(const Option *option, OptionTarget *target, const char *value,
                            GError **error)
{
    (void)target, (void)value;
    g_set_error(error, MAIL_ERROR, EINVAL,
                "'%s' is not taken, since everyone can see a command line: use passfile=, "
                "passcmd=, ~/.netrc or the prompt",
                option->name);
    return false;
}

#define AT(member) offsetof(Options, member)

/* A name with a '=' and the same without are two options. */
static const Option table[] = {
    {"user=", set_text, AT(user), 0, 0},
    {"passfile=", set_path, AT(passfile), 0, 0},
    {"passcmd=", set_text, AT(passcmd), 0, 0},
    {"auth=", set_auth, 0, 0, 0},
    {"tls=", set_tls, 0, 0, 0},
    {"cafile=", set_path, AT(cafile), 0, 0},
    {"pin=", set_pin, 0, 0, 0},
    {"cert=", set_path, AT(cert), 0, 0},
    {"key=", set_path, AT(key), 0, 0},
    {"uid=", set_uid, 0, 0, 0},
    {"gid=", set_gid, 0, 0, 0},
    {"umask=", set_umask, 0, 0, 0},
    {"cachedir=", set_path, AT(cachedir), 0, 0},
    {"cachesize=", set_size, AT(cachesize), 0, 0},
    {"connections=", set_number, AT(connections), 1, 32},
    {"compress=", set_compress, 0, 0, 0},
    {"prefetch=", set_prefetch, 0, 0, 0},
    {"refresh=", set_number, AT(refresh), 1, 86400},
    {"timeout=", set_number, AT(timeout), 1, 3600},
    {"offline=", set_offline, 0, 0, 0},
    {"idle=", set_number, AT(idle), 0, 3600},
    {"expunge=", set_expunge, 0, 0, 0},
    {"trash=", set_text, AT(trash), 0, 0},
    {"any", set_any, 0, 0, 0},

    {"password=", refuse_password, 0, 0, 0},
    {"pass=", refuse_password, 0, 0, 0},
    {"remount", refuse_remount, 0, 0, 0},

    /* libfuse's and the kernel's, as libfuse 3.14 and fusermount3 know them */
    {"ro", pass_ro_rw, 0, 0, 0},
    {"rw", pass_ro_rw, 0, 0, 0},
    {"allow_other", pass_allow_other, 0, 0, 0},
    {"allow_root", pass, 0, 0, 0},
    {"auto_unmount", pass, 0, 0, 0},
    {"fsname=", pass_fsname, 0, 0, 0},
    {"subtype=", pass_subtype, 0, 0, 0},
    {"max_read=", pass_number, 0, 0, 0},
    {"context=", pass, 0, 0, 0},
    {"fscontext=", pass, 0, 0, 0},
    {"defcontext=", pass, 0, 0, 0},
    {"rootcontext=", pass, 0, 0, 0},
    {"suid", pass, 0, 0, 0},
    {"nosuid", pass, 0, 0, 0},
    {"dev", pass, 0, 0, 0},
    {"nodev", pass, 0, 0, 0},
    {"exec", pass, 0, 0, 0},
    {"noexec", pass, 0, 0, 0},
    {"sync", pass, 0, 0, 0},
    {"async", pass, 0, 0, 0},
    {"dirsync", pass, 0, 0, 0},
    {"noatime", pass, 0, 0, 0},

    /* always so, or without a meaning here */
    {"default_permissions", ignore, 0, 0, 0},
    {"atime", ignore, 0, 0, 0},
    {"diratime", ignore, 0, 0, 0},
    {"nodiratime", ignore, 0, 0, 0},
    {"relatime", ignore, 0, 0, 0},
    {"norelatime", ignore, 0, 0, 0},
    {"strictatime", ignore, 0, 0, 0},
    {"nostrictatime", ignore, 0, 0, 0},
    {"lazytime", ignore, 0, 0, 0},
    {"nolazytime", ignore, 0, 0, 0},
    {"silent", ignore, 0, 0, 0},
    {"loud", ignore, 0, 0, 0},
    {"mand", ignore, 0, 0, 0},
    {"nomand", ignore, 0, 0, 0},
    {"iversion", ignore, 0, 0, 0},
    {"noiversion", ignore, 0, 0, 0},
    {"nonempty", ignore, 0, 0, 0},

    /* fstab's own */
    {"defaults", ignore, 0, 0, 0},
    {"auto", ignore, 0, 0, 0},
    {"noauto", ignore, 0, 0, 0},
    {"user", ignore, 0, 0, 0},
    {"nouser", ignore, 0, 0, 0},
    {"users", ignore, 0, 0, 0},
    {"nousers", ignore, 0, 0, 0},
    {"owner", ignore, 0, 0, 0},
    {"noowner", ignore, 0, 0, 0},
    {"group", ignore, 0, 0, 0},
    {"nogroup", ignore, 0, 0, 0},
    {"nofail", ignore, 0, 0, 0},
    {"_netdev", ignore, 0, 0, 0},
    {"comment=", ignore, 0, 0, 0},
};

static const Option *find(const char *word, size_t length)
{
    for (size_t i = 0; i < G_N_ELEMENTS(table); i++)
        if (strlen(table[i].name) == length && strncmp(table[i].name, word, length) == 0)
            return &table[i];
    return NULL;
}

/* The mistakes between two words: letters left out, added or changed (Levenshtein). */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t row[WORD_MAX + 1];

    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t changed = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = MIN(changed, MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[b_length];
}

/* The name of the option that was probably meant, or NULL. */
static const char *suggest(const char *word, size_t length)
{
    const char *best = NULL;
    size_t least = MIN(SUGGEST_DISTANCE, length / SUGGEST_LETTERS) + 1;

    for (size_t i = 0; length < WORD_MAX && i < G_N_ELEMENTS(table); i++) {
        size_t mistakes = distance(word, length, table[i].name, strcspn(table[i].name, "="));
        if (mistakes < least) {
            least = mistakes;
            best = table[i].name;
        }
    }
    return best;
}

static bool refuse_unknown(const char *word, size_t length, GError **error)
{
    const char *meant = suggest(word, length);

    if (meant)
        g_set_error(error, MAIL_ERROR, EINVAL,
                    "unknown option '%.*s'; did you mean '%s'? see mount.pullmail(8)", (int)length,
                    word, meant);
    else
        g_set_error(error, MAIL_ERROR, EINVAL, "unknown option '%.*s'; see mount.pullmail(8)%s",
                    (int)length, word,
                    word[length] == '"' || g_str_has_suffix(word, "\"")
                        ? " (a comma within a value is written \\,)"
                        : "");
    return false;
}

bool opttable_set(OptionTarget *target, const char *word, GError **error)
{
    size_t length = strcspn(word, "=");
    bool has_value = word[length] == '=';
    const Option *option = find(word, length + has_value);
    g_autofree char *other = has_value ? g_strndup(word, length) : g_strconcat(word, "=", NULL);

    if (option)
        return option->set(option, target, has_value ? word + length + 1 : NULL, error);
    /* "x-systemd.automount", "X-mount.mkdir=0700": anybody's */
    if (!word[0] || g_ascii_strncasecmp(word, "x-", 2) == 0)
        return true;
    if (!find(other, strlen(other)))
        return refuse_unknown(word, length, error);
    if (has_value)
        g_set_error(error, MAIL_ERROR, EINVAL, "option '%s' takes no value", other);
    else
        g_set_error(error, MAIL_ERROR, EINVAL, "option '%s' needs a value: %s…", word, other);
    return false;
}
