#include "sasl_oauth.h"

#include <string.h>

enum {
    LONGEST_VALUE = 200, /* bytes of each of the server's texts that are told */
    LONGEST_TEXT = 600,  /* and of all */
};

/* Joins the strings up to NULL, leaving no other copy of them. */
static Secret *join(const char *const *parts)
{
    size_t length = 0;
    for (const char *const *part = parts; *part; part++)
        length += strlen(*part);
    char *text = g_malloc(length + 1);
    char *end = text;
    for (const char *const *part = parts; *part; part++)
        end = g_stpcpy(end, *part);
    Secret *joined = secret_new(text, (gssize)length);
    secret_wipe(text, length);
    g_free(text);
    return joined;
}

Secret *oauth_xoauth2_message(const SaslContext *context)
{
    const char *parts[] = {"user=", context->user, "\1auth=Bearer ", secret_text(context->password),
                           "\1\1",  NULL};
    return join(parts);
}

/* A saslname (RFC 5801 section 4): ',' and '=' are written as =2C and =3D. */
static char *saslname(const char *user)
{
    GString *name = g_string_new(NULL);
    for (const char *c = user; *c; c++) {
        if (*c == ',')
            g_string_append(name, "=2C");
        else if (*c == '=')
            g_string_append(name, "=3D");
        else
            g_string_append_c(name, *c);
    }
    return g_string_free(name, FALSE);
}

Secret *oauth_bearer_message(const SaslContext *context)
{
    g_autofree char *name = saslname(context->user);
    g_autofree char *header = g_strdup_printf("n,a=%s,\1host=%s\1port=%u\1auth=Bearer ", name,
                                              context->host, context->port);
    const char *parts[] = {header, secret_text(context->password), "\1\1", NULL};
    return join(parts);
}

/* The JSON string at *cursor (behind its opening quote); *cursor moves behind its closing one. An
 * escaped character stands for itself, except that no control character is made. */
static char *scan_string(const char **cursor, const char *end)
{
    GString *text = g_string_new(NULL);
    const char *c = *cursor;
    while (c < end && *c != '"') {
        if (*c == '\\' && c + 1 < end)
            c++;
        if (text->len < LONGEST_VALUE)
            g_string_append_c(text, g_ascii_iscntrl(*c) || *c == '\0' ? ' ' : *c);
        c++;
    }
    *cursor = c < end ? c + 1 : end;
    char *valid = g_utf8_make_valid(text->str, (gssize)text->len);
    g_string_free(text, TRUE);
    return valid;
}

/* A number or word at *cursor, as far as it goes. */
static char *scan_word(const char **cursor, const char *end)
{
    const char *start = *cursor;
    const char *c = start;
    while (c < end && (g_ascii_isalnum(*c) || *c == '-' || *c == '.'))
        c++;
    *cursor = c;
    return g_strndup(start, MIN((size_t)(c - start), LONGEST_VALUE));
}

static const char *skip_space(const char *c, const char *end)
{
    while (c < end && g_ascii_isspace(*c))
        c++;
    return c;
}

/* Which member of the message is worth telling; NULL for others. */
static const char *label_of(const char *key)
{
    static const char *const told[] = {"status", "error", "error_description"};
    static const char *const labels[] = {"status", "error", "description"};
    for (size_t i = 0; i < G_N_ELEMENTS(told); i++)
        if (g_str_equal(key, told[i]))
            return labels[i];
    return NULL;
}

/*
 * Goes through the text for  "key" : value  without minding how objects nest: a message that is
 * only told to a user needs no more, and nothing in it can make this fail.
 */
char *oauth_failure_text(const char *json, size_t length)
{
    GString *text = g_string_new(NULL);
    const char *c = json;
    const char *end = json + length;
    while (c < end && text->len < LONGEST_TEXT) {
        if (*c++ != '"')
            continue;
        g_autofree char *key = scan_string(&c, end);
        c = skip_space(c, end);
        if (c == end || *c != ':')
            continue;
        c = skip_space(c + 1, end);
        bool quoted = c < end && *c == '"';
        c += quoted ? 1 : 0;
        g_autofree char *value = quoted ? scan_string(&c, end) : scan_word(&c, end);
        const char *label = label_of(key);
        if (label && *value)
            g_string_append_printf(text, "%s%s %s", text->len > 0 ? ", " : "", label, value);
    }
    if (text->len == 0)
        g_string_append(text, "without a reason");
    return g_string_free(text, FALSE);
}
