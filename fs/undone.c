#include "undone.h"

#include "log.h"

/* Under `lock`. */
static GMutex lock;
static guint count;
static char *last;
static gint64 when;

void undone_note(guint changes, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    g_warning("%s", text);
    g_mutex_lock(&lock);
    count += changes;
    g_free(last);
    last = log_printable(text);
    when = g_get_real_time();
    g_mutex_unlock(&lock);
}

void undone_describe(GString *text)
{
    g_mutex_lock(&lock);
    g_string_append_printf(text, "changes-not-done: %u\nlast-not-done: ", count);
    if (last) {
        g_autofree char *date = log_time(when);
        g_string_append_printf(text, "%s %s\n", date, last);
    } else {
        g_string_append(text, "none\n");
    }
    g_mutex_unlock(&lock);
}
