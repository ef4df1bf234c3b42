#include "names.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <time.h>

#define DATE_LENGTH 15 /* "20261122-190507" */
#define SUFFIX ".eml"
#define OTHER_MARK '~'

#define CUT_MARK "%~"
#define CUT_DIGITS 32
#define CUT_KEPT (NAME_MAX - (sizeof CUT_MARK - 1) - CUT_DIGITS) /* bytes of a cut name's own */

static const char *const reserved[] = {".", "..", ".pullmail", ".headers", ".parts", ".search"};

void names_message_other(int64_t date, uint32_t uid, unsigned n, char name[NAMES_MESSAGE_MAX])
{
    size_t stem;

    names_message(date, uid, name);
    stem = strlen(name) - strlen(SUFFIX);
    g_snprintf(name + stem, NAMES_MESSAGE_MAX - stem, "%c%u" SUFFIX, OTHER_MARK, n);
}

void names_message(int64_t date, uint32_t uid, char name[NAMES_MESSAGE_MAX])
{
    static const time_t epoch = 0;
    time_t when = (time_t)date;
    struct tm utc;

    /* gmtime_r itself fails where the year does not fit into an int. */
    if (!gmtime_r(&when, &utc) || utc.tm_year < -1900 || utc.tm_year > 9999 - 1900)
        gmtime_r(&epoch, &utc);
    g_snprintf(name, NAMES_MESSAGE_MAX, "%04d%02d%02d-%02d%02d%02d-%" G_GUINT32_FORMAT SUFFIX,
               utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
               uid);
}

/* The number at *p, which is moved behind it; 0: none, or one that begins with 0 or is too large.
 */
static uint32_t take_number(const char **p)
{
    uint64_t number = 0;

    if (**p == '0')
        return 0;
    for (; g_ascii_isdigit(**p) && number <= UINT32_MAX; (*p)++)
        number = number * 10 + (unsigned)(**p - '0');
    return number <= UINT32_MAX ? (uint32_t)number : 0;
}

uint32_t names_message_uid(const char *name)
{
    uint32_t uid;

    for (size_t i = 0; i < DATE_LENGTH; i++)
        if (i == 8 ? name[i] != '-' : !g_ascii_isdigit(name[i]))
            return 0;
    name += DATE_LENGTH;
    if (*name++ != '-')
        return 0;
    uid = take_number(&name);
    if (*name == OTHER_MARK) {
        name++;
        if (take_number(&name) < 2)
            return 0;
    }
    return strcmp(name, SUFFIX) == 0 ? uid : 0;
}

static bool is_own(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(reserved); i++)
        if (strcmp(name, reserved[i]) == 0)
            return true;
    return false;
}

static bool is_reserved(const char *level)
{
    return is_own(level) || names_message_uid(level) != 0;
}

int names_check_given(const char *name)
{
    if (!*name || strchr(name, '/'))
        return EINVAL;
    if (strlen(name) > NAME_MAX)
        return ENAMETOOLONG;
    return is_own(name) ? EPERM : 0;
}

static void append_encoded(GString *name, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        g_string_append_printf(name, "%%%02X", (unsigned char)bytes[i]);
}

/* A '%' that names_folder_decode would take for one of its own. */
static bool is_ambiguous_percent(const char *p)
{
    return p[0] == '%' && (p[1] == '~' || (g_ascii_isxdigit(p[1]) && g_ascii_isxdigit(p[2])));
}

/* The character at p, as it shall stand in a file name; returns what comes after it. */
static const char *append_character(GString *name, const char *p)
{
    gunichar character = g_utf8_get_char_validated(p, -1);
    bool valid = character != (gunichar)-1 && character != (gunichar)-2;
    size_t length = valid ? (size_t)(g_utf8_next_char(p) - p) : 1;

    if (!valid || *p == '/' || g_unichar_iscntrl(character) || is_ambiguous_percent(p))
        append_encoded(name, p, length);
    else
        g_string_append_len(name, p, (gssize)length);
    return p + length;
}

char *names_folder(const char *level)
{
    GString *name = g_string_new(NULL);
    const char *p = level;
    size_t kept = 0; /* what a cut name keeps of this one */

    if (!level[0])
        g_string_append_c(name, '%');
    if (is_reserved(level) || strcmp(level, "%") == 0)
        append_encoded(name, p++, 1);
    while (*p) {
        p = append_character(name, p);
        if (name->len <= CUT_KEPT)
            kept = name->len;
    }
    if (name->len > NAME_MAX) {
        g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, level, -1);
        g_string_truncate(name, kept);
        g_string_append(name, CUT_MARK);
        g_string_append_len(name, digest, CUT_DIGITS);
    }
    return g_string_free(name, FALSE);
}

static GString *decode(const char *name)
{
    GString *decoded = g_string_new(NULL);

    for (const char *p = name; *p; p++) {
        if (p[0] == '%' && g_ascii_isxdigit(p[1]) && g_ascii_isxdigit(p[2])) {
            int byte = g_ascii_xdigit_value(p[1]) * 16 + g_ascii_xdigit_value(p[2]);
            g_string_append_c(decoded, (char)byte);
            p += 2;
        } else {
            g_string_append_c(decoded, *p);
        }
    }
    return decoded;
}

char *names_folder_decode(const char *name)
{
    g_autoptr(GString) level = strcmp(name, "%") == 0 ? g_string_new(NULL) : decode(name);
    g_autofree char *again = NULL;

    /* Only one spelling of each level is right, so a cut name, "%2f", "%41" and "%00" fail here. */
    again = names_folder(level->str);
    return strcmp(again, name) == 0 ? g_string_free(g_steal_pointer(&level), FALSE) : NULL;
}

/* --- unique names ----------------------------------------------------------------------------- */

bool names_unique(const char *unique, unsigned which, char *name, size_t size)
{
    g_autoptr(GString) encoded = g_string_new(NULL);

    for (const char *p = unique; *p; p++) {
        if (*p == '/' || (*p == '.' && p == unique) || is_ambiguous_percent(p))
            append_encoded(encoded, p, 1);
        else
            g_string_append_c(encoded, *p);
    }
    if (which)
        g_string_append_printf(encoded, "%s%u", CUT_MARK, which + 1);
    g_string_append(encoded, SUFFIX);
    return g_strlcpy(name, encoded->str, size) < size;
}

/* "%~2" and so on at the end are taken off. */
static unsigned take_which(char *name)
{
    char *mark = strstr(name, CUT_MARK);
    guint64 number = 0;

    if (!mark ||
        !g_ascii_string_to_unsigned(mark + strlen(CUT_MARK), 10, 2, UINT32_MAX, &number, NULL))
        return 0;
    *mark = '\0';
    return (unsigned)number - 1;
}

char *names_unique_decode(const char *name, unsigned *which)
{
    g_autofree char *encoded = NULL;
    g_autoptr(GString) unique = NULL;
    char again[NAME_MAX + 1];

    if (!g_str_has_suffix(name, SUFFIX))
        return NULL;
    encoded = g_strndup(name, strlen(name) - strlen(SUFFIX));
    *which = take_which(encoded);
    unique = decode(encoded);
    if (!unique->len || !names_unique(unique->str, *which, again, sizeof again) ||
        strcmp(again, name) != 0)
        return NULL;
    return g_string_free(g_steal_pointer(&unique), FALSE);
}
