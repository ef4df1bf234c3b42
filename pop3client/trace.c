#include "trace.h"

#include "../imapclient/net/quote.h"

/* Logs with g_log, whose messages have no other way to a domain that is not the file's. */
static void trace(unsigned connection, char direction, const char *text)
{
    g_autofree char *shown = quote_text(text);

    g_log(POP3_TRACE_DOMAIN, G_LOG_LEVEL_DEBUG, "%u %c %s", connection, direction, shown);
}

void pop3_trace_reply(unsigned connection, const Pop3Reply *reply)
{
    static const char *const kinds[] = {
        [POP3_OK] = "+OK", [POP3_ERR] = "-ERR", [POP3_CONTINUE] = "+"};
    /* What "+" asks may be made of a secret. */
    const char *text = reply->kind == POP3_CONTINUE ? "(a challenge that is not shown)"
                                                    : reply->text;
    g_autofree char *line = g_strdup_printf("%s%s%s%s%s%s", kinds[reply->kind],
                                            *reply->code ? " [" : "", reply->code,
                                            *reply->code ? "]" : "", *text ? " " : "", text);

    trace(connection, '<', line);
}

void pop3_trace_line(unsigned connection, const char *line)
{
    trace(connection, '<', line);
}

void pop3_trace_content(unsigned connection, uint64_t length)
{
    g_autofree char *line = g_strdup_printf("{%" G_GUINT64_FORMAT " bytes}", (guint64)length);

    trace(connection, '<', line);
}

void pop3_trace_sent(unsigned connection, const char *text)
{
    trace(connection, '>', text);
}
