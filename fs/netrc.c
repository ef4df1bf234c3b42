#include "netrc.h"

#include "../cache/mail.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* The words, cut out of the text in place. next <= end, and end[0] is a NUL that may be written. */
typedef struct {
    char *next, *end;
    bool line_ended; /* the last word was the last of its line */
    bool unclosed;   /* a '"' was not closed: there are no more words */
} Scanner;

/* An entry as it stands in the text; NULL where a part is missing. */
typedef struct {
    const char *login, *password;
    unsigned rank; /* the higher, the better it fits; 0: not at all */
} Candidate;

/* Ranks: the machine goes ahead of "default", an equal login ahead of none. */
enum { RANK_DEFAULT = 1, RANK_DEFAULT_LOGIN, RANK_MACHINE, RANK_MACHINE_LOGIN };

static bool is_space(char c)
{
    return c == 0 || g_ascii_isspace(c);
}

static void end_word(Scanner *scanner, char *word_end)
{
    scanner->line_ended = scanner->next == scanner->end || *scanner->next == '\n';
    if (scanner->next < scanner->end && is_space(*scanner->next))
        scanner->next++;
    *word_end = 0;
}

/* From behind the opening '"'. */
static const char *quoted_word(Scanner *scanner)
{
    char *word = scanner->next;
    char *out = word;

    for (; scanner->next < scanner->end && *scanner->next != '"'; scanner->next++) {
        if (*scanner->next == '\\' && scanner->next + 1 < scanner->end)
            scanner->next++;
        *out++ = *scanner->next;
    }
    if (scanner->next == scanner->end) {
        scanner->unclosed = true;
        return NULL;
    }
    scanner->next++;
    end_word(scanner, out);
    return word;
}

/* The next word, or NULL at the end. */
static const char *next_word(Scanner *scanner)
{
    char *word;

    while (scanner->next < scanner->end && is_space(*scanner->next))
        scanner->next++;
    if (scanner->next == scanner->end)
        return NULL;
    if (*scanner->next == '"') {
        scanner->next++;
        return quoted_word(scanner);
    }
    word = scanner->next;
    while (scanner->next < scanner->end && !is_space(*scanner->next))
        scanner->next++;
    end_word(scanner, scanner->next);
    return word;
}

static void skip_line(Scanner *scanner)
{
    while (!scanner->line_ended && scanner->next < scanner->end)
        scanner->line_ended = *scanner->next++ == '\n';
}

/* The body of a macro ends at an empty line. */
static void skip_macro(Scanner *scanner)
{
    next_word(scanner);
    skip_line(scanner);
    while (scanner->next < scanner->end && *scanner->next != '\n') {
        scanner->line_ended = false;
        skip_line(scanner);
    }
}

static unsigned rank(const Candidate *candidate, bool is_default, const char *user)
{
    bool same = user && candidate->login && strcmp(candidate->login, user) == 0;

    if (user && candidate->login && !same)
        return 0;
    if (is_default)
        return same ? RANK_DEFAULT_LOGIN : RANK_DEFAULT;
    return same ? RANK_MACHINE_LOGIN : RANK_MACHINE;
}

/* Reads the words of one entry, up to what begins the next one, which it returns. */
static const char *read_entry(Scanner *scanner, Candidate *candidate)
{
    const char *word;

    while ((word = next_word(scanner))) {
        if (strcmp(word, "machine") == 0 || strcmp(word, "default") == 0)
            break;
        if (word[0] == '#')
            skip_line(scanner);
        else if (strcmp(word, "login") == 0)
            candidate->login = next_word(scanner);
        else if (strcmp(word, "password") == 0)
            candidate->password = next_word(scanner);
        else if (strcmp(word, "account") == 0)
            next_word(scanner);
        else if (strcmp(word, "macdef") == 0)
            skip_macro(scanner);
    }
    return word;
}

bool netrc_parse(SecretText *text, const char *host, const char *user, NetrcEntry *entry,
                 GError **error)
{
    Scanner scanner = {.next = text->data, .end = text->data + text->length};
    Candidate best = {0};
    Candidate before = {0}; /* what stands ahead of the first entry belongs to none */
    const char *keyword = read_entry(&scanner, &before);

    *entry = (NetrcEntry){0};
    while (keyword) {
        Candidate candidate = {0};
        bool is_default = strcmp(keyword, "default") == 0;
        const char *machine = is_default ? NULL : next_word(&scanner);
        bool fits = is_default || (machine && g_ascii_strcasecmp(machine, host) == 0);

        keyword = read_entry(&scanner, &candidate);
        if (fits)
            candidate.rank = rank(&candidate, is_default, user);
        if (candidate.rank > best.rank)
            best = candidate;
    }
    if (scanner.unclosed) {
        g_set_error(error, MAIL_ERROR, EINVAL, "in the netrc file, a '\"' is never closed");
        return false;
    }
    entry->login = g_strdup(best.login);
    if (best.password && best.password[0])
        entry->password = secret_new(best.password, -1);
    return true;
}

/* Reads the file at path; text stays empty where there is none. A home directory that this user
 * can't enter has none. */
static bool read_file(const char *path, bool is_home, SecretText *text, struct stat *status,
                      GError **error)
{
    g_autoptr(GError) problem = NULL;
    int fd = secretfile_open(path, status, &problem);
    bool fine;

    if (fd < 0) {
        int code = problem->code;
        if (code == ENOENT || code == ENOTDIR || (code == EACCES && is_home))
            return true;
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    fine = secretfile_read(fd, path, text, error);
    close(fd);
    return fine;
}

static bool is_at_home(void)
{
    const char *variable = g_getenv("NETRC");

    return !variable || !variable[0];
}

char *netrc_path(void)
{
    return is_at_home() ? g_build_filename(g_get_home_dir(), ".netrc", NULL)
                        : g_strdup(g_getenv("NETRC"));
}

bool netrc_find(const char *host, const char *user, bool want_password, NetrcEntry *entry,
                GError **error)
{
    g_autofree char *path = netrc_path();
    g_auto(SecretText) text = {0};
    struct stat status;

    *entry = (NetrcEntry){0};
    if (!read_file(path, is_at_home(), &text, &status, error))
        return false;
    if (!text.data)
        return true;
    if (!netrc_parse(&text, host, user, entry, error)) {
        g_prefix_error(error, "%s: ", path);
        return false;
    }
    if (!want_password)
        g_clear_pointer(&entry->password, secret_free);
    if (entry->password && !secretfile_check(path, &status, error)) {
        netrc_entry_clear(entry);
        return false;
    }
    return true;
}

void netrc_entry_clear(NetrcEntry *entry)
{
    g_free(entry->login);
    secret_free(entry->password);
    *entry = (NetrcEntry){0};
}
