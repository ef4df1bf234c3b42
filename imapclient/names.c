#include "names.h"

#include "utf7.h"

#include <glib.h>
#include <string.h>

#define RAW_BEGIN "\xff"
#define RAW_END "\xfe"

static void append_level(GString *name, const char *level)
{
    g_autofree char *decoded = imap_utf7_decode(level);

    if (decoded)
        g_string_append(name, decoded);
    else
        g_string_append_printf(name, RAW_BEGIN "%s" RAW_END, level);
}

/* Whether it is the same in modified UTF-7, whatever it stands between. */
static bool is_separator(char delimiter)
{
    return delimiter >= ' ' && delimiter < 0x7f && delimiter != '&';
}

static void append_levels(GString *name, const char *wire, char delimiter)
{
    char separator[2] = {delimiter, '\0'};
    g_auto(GStrv) levels = is_separator(delimiter) ? g_strsplit(wire, separator, -1) : NULL;

    if (!levels) {
        append_level(name, wire);
        return;
    }
    for (size_t i = 0; levels[i]; i++) {
        if (i)
            g_string_append_c(name, delimiter);
        append_level(name, levels[i]);
    }
}

char *imap_name_from_wire(const char *wire, char delimiter, bool utf8)
{
    g_autoptr(GString) name = g_string_new(NULL);

    if (!*wire || strpbrk(wire, RAW_BEGIN RAW_END))
        return NULL;
    if (g_ascii_strcasecmp(wire, "INBOX") == 0) /* in any case: RFC 9051 section 5.1 */
        g_string_append(name, "INBOX");
    else if (utf8)
        g_string_append(name, wire);
    else
        append_levels(name, wire, delimiter);
    return g_string_free(g_steal_pointer(&name), FALSE);
}

static void encode_stretch(GString *wire, const char *text, size_t length)
{
    g_autofree char *stretch = g_strndup(text, length);
    g_autofree char *encoded = imap_utf7_encode(stretch);

    g_string_append(wire, encoded ? encoded : stretch);
}

char *imap_name_to_wire(const char *name, bool utf8)
{
    g_autoptr(GString) wire = g_string_new(NULL);

    if (utf8)
        return g_strdup(name);
    while (*name) {
        size_t plain = strcspn(name, RAW_BEGIN);
        encode_stretch(wire, name, plain);
        name += plain;
        if (*name) {
            size_t raw = strcspn(++name, RAW_END);
            g_string_append_len(wire, name, (gssize)raw);
            name += raw + (name[raw] ? 1 : 0);
        }
    }
    return g_string_free(g_steal_pointer(&wire), FALSE);
}
