#include "flagtext.h"

#include <glib.h>
#include <string.h>

enum { MOST_BYTES = 4000 };

static bool is_among(char **names, const char *flag)
{
    for (; *names; names++)
        if (g_ascii_strcasecmp(*names, flag) == 0)
            return true;
    return false;
}

static void append(GString *text, const char *flag)
{
    g_string_append_printf(text, "%s%s", text->len ? " " : "", flag);
}

static void append_without(GString *text, const char *flags, const char *others)
{
    g_auto(GStrv) names = g_strsplit(flags, " ", -1), known = g_strsplit(others, " ", -1);

    for (char **name = names; *name; name++)
        if (**name && !is_among(known, *name))
            append(text, *name);
}

char *flagtext_without(const char *flags, const char *others)
{
    GString *text = g_string_new(NULL);

    append_without(text, flags, others);
    return g_string_free(text, FALSE);
}

char *flagtext_with(const char *flags, const char *others)
{
    GString *text = g_string_new(flags);

    append_without(text, others, flags);
    return g_string_free(text, FALSE);
}

static bool is_atom(const char *flag)
{
    for (const char *p = flag; *p; p++)
        if (*p <= ' ' || *p >= 0x7f || strchr("(){%*\"\\]", *p))
            return false;
    return true;
}

bool flagtext_can_be_set(const char *flags)
{
    static const char *const system[] = {"\\Answered", "\\Flagged", "\\Deleted",
                                         "\\Seen",     "\\Draft",   NULL};
    g_auto(GStrv) names = g_strsplit(flags, " ", -1);

    for (char **name = names; *name; name++)
        if (!is_atom(*name) && !is_among((char **)system, *name))
            return false;
    return strlen(flags) <= MOST_BYTES;
}
