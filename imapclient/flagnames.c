#include "flagnames.h"

#include "limits.h"

#include <errno.h>
#include <string.h>

enum { MAX_BYTES = 4000 }; /* of all flags in a command: servers have bounds for a line */

static bool is_system_flag(const char *flag)
{
    static const char *const names[] = {"\\Answered", "\\Flagged", "\\Deleted", "\\Seen",
                                        "\\Draft"};

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        if (g_ascii_strcasecmp(flag, names[i]) == 0)
            return true;
    return false;
}

/* An atom. */
static bool is_keyword(const char *flag)
{
    for (const char *p = flag; *p; p++)
        if (*p <= ' ' || *p >= 0x7f || strchr("(){%*\"\\]", *p))
            return false;
    return *flag != '\0';
}

static bool is_among(const GPtrArray *names, const char *flag)
{
    for (guint i = 0; i < names->len; i++)
        if (g_ascii_strcasecmp(names->pdata[i], flag) == 0)
            return true;
    return false;
}

char **imap_flag_names(const char *flags, GError **error)
{
    g_auto(GStrv) words = g_strsplit(flags, " ", -1);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

    if (strlen(flags) > MAX_BYTES) {
        g_set_error(error, MAIL_ERROR, EINVAL, "so many flags can't be sent in a command");
        return NULL;
    }
    for (size_t i = 0; words[i]; i++) {
        if (!*words[i] || is_among(names, words[i]))
            continue;
        if (!is_system_flag(words[i]) && !is_keyword(words[i])) {
            g_set_error(error, MAIL_ERROR, EINVAL, "a flag is not one that can be set");
            return NULL;
        }
        g_ptr_array_add(names, g_strdup(words[i]));
    }
    g_ptr_array_add(names, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&names), FALSE);
}
