#include "names.h"

#include <limits.h>
#include <string.h>
#include <time.h>

#define DATE_LENGTH 15 /* "20261122-190507" */
#define SUFFIX ".eml"

#define CUT_MARK "%~"
#define CUT_DIGITS 32
#define CUT_KEPT (NAME_MAX - (sizeof CUT_MARK - 1) - CUT_DIGITS) /* bytes of a cut name's own */

static const char *const reserved[] = {".", "..", ".pullmail", ".headers", ".parts", ".search"};

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

uint32_t names_message_uid(const char *name)
{
    uint64_t uid = 0;

    for (size_t i = 0; i < DATE_LENGTH; i++)
        if (i == 8 ? name[i] != '-' : !g_ascii_isdigit(name[i]))
            return 0;
    name += DATE_LENGTH;
    if (name[0] != '-' || name[1] == '0')
        return 0;
    for (name++; g_ascii_isdigit(*name) && uid <= UINT32_MAX; name++)
        uid = uid * 10 + (unsigned)(*name - '0');
    return uid <= UINT32_MAX && strcmp(name, SUFFIX) == 0 ? (uint32_t)uid : 0;
}

static bool is_reserved(const char *level)
{
    for (size_t i = 0; i < G_N_ELEMENTS(reserved); i++)
        if (strcmp(level, reserved[i]) == 0)
            return true;
    return names_message_uid(level) != 0;
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

char *names_folder_decode(const char *name)
{
    g_autoptr(GString) level = g_string_new(NULL);
    g_autofree char *again = NULL;

    for (const char *p = name; *p && strcmp(name, "%") != 0; p++) {
        if (p[0] == '%' && g_ascii_isxdigit(p[1]) && g_ascii_isxdigit(p[2])) {
            int byte = g_ascii_xdigit_value(p[1]) * 16 + g_ascii_xdigit_value(p[2]);
            g_string_append_c(level, (char)byte);
            p += 2;
        } else {
            g_string_append_c(level, *p);
        }
    }
    /* Only one spelling of each level is right, so a cut name, "%2f", "%41" and "%00" fail here. */
    again = names_folder(level->str);
    return strcmp(again, name) == 0 ? g_string_free(g_steal_pointer(&level), FALSE) : NULL;
}
