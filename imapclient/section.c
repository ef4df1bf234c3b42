#include "section.h"

#include <string.h>

static const char *const names[] = {
    [MAIL_SECTION_HEADER] = "HEADER",
    [MAIL_SECTION_TEXT] = "TEXT",
    [MAIL_SECTION_BODY] = "",
};

void imap_section_append(GString *items, const MailRange *range)
{
    g_string_append_printf(items, "%sBODY.PEEK[%s]", items->len ? " " : "", names[range->section]);
    if (range->length)
        g_string_append_printf(items, "<%" G_GUINT64_FORMAT ".%u>", (guint64)range->offset,
                               range->length);
}

bool imap_section_matches(const char *item, const MailRange *range)
{
    const char *name = names[range->section];
    guint64 origin = 0;

    if (g_ascii_strncasecmp(item, "BODY[", 5) != 0)
        return false;
    item += 5;
    if (g_ascii_strncasecmp(item, name, strlen(name)) != 0)
        return false;
    item += strlen(name);
    if (*item++ != ']')
        return false;
    if (*item == '<') {
        char *end = NULL;
        origin = g_ascii_strtoull(item + 1, &end, 10);
        item = end;
        if (*item++ != '>')
            return false;
    }
    return !*item && origin == (range->length ? range->offset : 0);
}
