#include "optvalue.h"

#include "../cache/mail.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>

/* NULL where it can stand in a message, or what is wrong with it. */
static const char *unprintable(const char *value)
{
    if (!g_utf8_validate(value, -1, NULL))
        return "it is not valid UTF-8";
    for (const char *p = value; *p; p = g_utf8_next_char(p))
        if (g_unichar_iscntrl(g_utf8_get_char(p)))
            return "it holds a control character";
    return NULL;
}

static bool refuse(const char *name, const char *value, GError **error, const char *right)
{
    g_set_error(error, MAIL_ERROR, EINVAL, "bad option '%s%s': %s", name,
                unprintable(value) ? "…" : value, right);
    return false;
}

bool optvalue_number(const char *name, const char *value, unsigned minimum, unsigned maximum,
                     unsigned *number, GError **error)
{
    g_autofree char *right = NULL;
    guint64 parsed;

    if (g_ascii_string_to_unsigned(value, 10, minimum, maximum, &parsed, NULL)) {
        *number = (unsigned)parsed;
        return true;
    }
    right = g_strdup_printf("a number from %u to %u is needed", minimum, maximum);
    return refuse(name, value, error, right);
}

bool optvalue_size(const char *name, const char *value, uint64_t *size, GError **error)
{
    static const char suffixes[] = "KMGT";
    static const char right[] = "a size in bytes is needed, such as 500M or 2G (K, M, G, T)";
    size_t digits = strspn(value, "0123456789");
    g_autofree char *number = g_strndup(value, digits);
    const char *suffix = value[digits] ? strchr(suffixes, g_ascii_toupper(value[digits])) : NULL;
    unsigned shift = suffix ? 10 * ((unsigned)(suffix - suffixes) + 1) : 0;
    guint64 parsed;

    if (value[digits] && (!suffix || value[digits + 1]))
        return refuse(name, value, error, right);
    if (!g_ascii_string_to_unsigned(number, 10, 0, (guint64)INT64_MAX >> shift, &parsed, NULL))
        return refuse(name, value, error, right);
    *size = parsed << shift;
    return true;
}

bool optvalue_umask(const char *name, const char *value, mode_t *mask, GError **error)
{
    guint64 parsed;

    if (!g_ascii_string_to_unsigned(value, 8, 0, 0777, &parsed, NULL))
        return refuse(name, value, error, "an octal number up to 777 is needed, such as 077");
    *mask = (mode_t)parsed;
    return true;
}

/* True for a number that can be an id: the highest one means "none" to the system. */
static bool parse_id(const char *value, guint64 *id)
{
    return g_ascii_string_to_unsigned(value, 10, 0, UINT32_MAX - 1, id, NULL);
}

bool optvalue_uid(const char *name, const char *value, uid_t *uid, GError **error)
{
    guint64 id = 0;
    const struct passwd *user = NULL;

    if (!parse_id(value, &id) && !(user = getpwnam(value)))
        return refuse(name, value, error,
                      "there is no such user; a user's name or number is "
                      "needed");
    *uid = user ? user->pw_uid : (uid_t)id;
    return true;
}

bool optvalue_gid(const char *name, const char *value, gid_t *gid, GError **error)
{
    guint64 id = 0;
    const struct group *group = NULL;

    if (!parse_id(value, &id) && !(group = getgrnam(value)))
        return refuse(name, value, error,
                      "there is no such group; a group's name or number is "
                      "needed");
    *gid = group ? group->gr_gid : (gid_t)id;
    return true;
}

char *optvalue_path(const char *name, const char *value, GError **error)
{
    g_autofree char *folder = NULL;

    if (!value[0]) {
        refuse(name, value, error, "a path is needed");
        return NULL;
    }
    if (g_path_is_absolute(value))
        return g_strdup(value);
    if (g_str_has_prefix(value, "~/"))
        return g_build_filename(g_get_home_dir(), value + 2, NULL);
    folder = g_get_current_dir();
    return g_build_filename(folder, value, NULL);
}

bool optvalue_text(const char *name, const char *value, GError **error)
{
    const char *problem = value[0] ? unprintable(value) : "a value is needed";

    return !problem || refuse(name, value, error, problem);
}

int optvalue_choice(const char *name, const char *value, const char *const choices[],
                    GError **error)
{
    g_autofree char *list = NULL;
    g_autofree char *right = NULL;

    for (int i = 0; choices[i]; i++)
        if (g_ascii_strcasecmp(value, choices[i]) == 0)
            return i;
    list = g_strjoinv(", ", (char **)choices);
    right = g_strdup_printf("one of these is needed: %s", list);
    refuse(name, value, error, right);
    return -1;
}
