#include "capability.h"

#include "limits.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    unsigned bits;
} names[] = {
    {"TOP", POP3_CAP_TOP},
    {"USER", POP3_CAP_USER},
    {"UIDL", POP3_CAP_UIDL},
    {"PIPELINING", POP3_CAP_PIPELINING},
    {"STLS", POP3_CAP_STLS},
    {"UTF8", POP3_CAP_UTF8},
    {"RESP-CODES", POP3_CAP_RESP_CODES},
};

static void begin(Pop3Capabilities *caps)
{
    if (caps->text)
        return;
    caps->text = g_string_new(NULL);
    caps->auth = g_ptr_array_new_with_free_func(g_free);
}

/* More than a day is no delay, but the end of it. */
static unsigned read_delay(const char *word)
{
    enum { LONGEST = 86400 };
    guint64 seconds = 0;

    if (!g_ascii_string_to_unsigned(word, 10, 0, UINT32_MAX, &seconds, NULL))
        return 0;
    return (unsigned)MIN(seconds, LONGEST);
}

void pop3_capabilities_read(Pop3Capabilities *caps, const char *line)
{
    g_autofree char *upper = g_ascii_strup(line, -1);
    g_auto(GStrv) words = g_strsplit_set(upper, " \t", -1);

    begin(caps);
    if (++caps->lines > POP3_MAX_CAPABILITIES || !words[0])
        return;
    g_string_append_printf(caps->text, "%s%s", caps->text->len ? ", " : "", line);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        if (strcmp(words[0], names[i].name) == 0)
            caps->bits |= names[i].bits;
    if (strcmp(words[0], "SASL") == 0)
        for (size_t i = 1; words[i]; i++)
            if (*words[i])
                g_ptr_array_add(caps->auth, g_strdup(words[i]));
    if (strcmp(words[0], "LOGIN-DELAY") == 0 && words[1])
        caps->login_delay = read_delay(words[1]);
}

void pop3_capabilities_end(Pop3Capabilities *caps)
{
    begin(caps);
    g_ptr_array_add(caps->auth, NULL);
    caps->known = true;
}

void pop3_capabilities_clear(Pop3Capabilities *caps)
{
    if (caps->text) {
        g_string_free(caps->text, TRUE);
        g_ptr_array_unref(caps->auth);
    }
    *caps = (Pop3Capabilities){0};
}

char *pop3_capabilities_names(unsigned bits)
{
    GString *text = g_string_new(NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        if (names[i].bits & bits)
            g_string_append_printf(text, "%s%s", text->len ? " " : "", names[i].name);
    return g_string_free(text, FALSE);
}

bool pop3_capabilities_have(const Pop3Capabilities *caps, unsigned bits)
{
    return (caps->bits & bits) == bits;
}
