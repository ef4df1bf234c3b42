#include "trace.h"

#include <string.h>

enum { LONGEST_STRING = 200, LONGEST_LINE = 2000 };

static void append_value(GString *line, const ImapValue *value, bool content);

/* Whether what follows it in a FETCH is of a message. */
static bool announces_content(const ImapValue *item)
{
    const char *text = item->kind == IMAP_ATOM ? imap_value_text(item) : NULL;

    return text && g_ascii_strncasecmp(text, "BODY[", 5) == 0;
}

static void append_items(GString *line, const ImapValue *list)
{
    bool content = false;

    for (size_t i = 0; i < imap_value_count(list) && line->len <= LONGEST_LINE; i++) {
        const ImapValue *item = imap_value_item(list, i);
        if (i)
            g_string_append_c(line, ' ');
        append_value(line, item, content);
        content = announces_content(item);
    }
}

static void append_value(GString *line, const ImapValue *value, bool content)
{
    const char *text = imap_value_text(value);

    if (value->kind == IMAP_NIL) {
        g_string_append(line, "NIL");
    } else if (value->kind == IMAP_LIST) {
        g_string_append_c(line, '(');
        append_items(line, value);
        g_string_append_c(line, ')');
    } else if (value->kind == IMAP_ATOM && text) {
        g_string_append(line, text);
    } else if (text && !content && value->length <= LONGEST_STRING && !strpbrk(text, "\r\n")) {
        g_string_append_printf(line, "\"%s\"", text);
    } else {
        g_string_append_printf(line, "{%" G_GUINT64_FORMAT "}", (guint64)value->length);
    }
}

/* Makes it something that can be shown on a terminal. */
static void finish_line(GString *line)
{
    g_string_truncate(line, MIN(line->len, LONGEST_LINE));
    for (char *p = line->str; *p; p++)
        if (g_ascii_iscntrl(*p))
            *p = '?';
}

void imap_trace_response(unsigned connection, const ImapResponse *response)
{
    g_autoptr(GString) line = g_string_new(NULL);
    switch (response->kind) {
    case IMAP_CONTINUATION:
        g_string_append(line, "+");
        break;
    case IMAP_TAGGED:
        g_string_append_printf(line, "%s %s", response->tag, response->name);
        break;
    case IMAP_UNTAGGED:
        g_string_append(line, "* ");
        if (response->number)
            g_string_append_printf(line, "%" G_GUINT64_FORMAT " ", (guint64)response->number);
        g_string_append(line, response->name);
        break;
    }
    if (imap_value_count(response->values))
        g_string_append_c(line, ' ');
    append_items(line, response->values);
    if (response->code) {
        g_string_append(line, " code ");
        append_value(line, response->code, false);
    }
    if (response->text && *response->text)
        g_string_append_printf(line, " %s", response->text);
    finish_line(line);
    g_log(IMAP_TRACE_DOMAIN, G_LOG_LEVEL_DEBUG, "%u < %s", connection, line->str);
}

void imap_trace_challenge(unsigned connection)
{
    g_log(IMAP_TRACE_DOMAIN, G_LOG_LEVEL_DEBUG, "%u < + <a challenge that is not shown>",
          connection);
}

void imap_trace_sent(unsigned connection, const char *text)
{
    g_log(IMAP_TRACE_DOMAIN, G_LOG_LEVEL_DEBUG, "%u > %.*s", connection, LONGEST_LINE, text);
}
