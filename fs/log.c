#include "log.h"

#include "service.h"

#include <errno.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define PROGRAM "mount.pullmail"

/* Read by every thread that logs. */
static gint wanted; /* GLogLevelFlags */
static gint use_syslog;
static gint use_priorities; /* on stderr */

/* Under last_lock. */
static GMutex last_lock;
static char *last_text;
static gint64 last_time;

/* In one line: what could act on a terminal or forge a line is shown as \xNN. */
static void append_escaped(GString *line, const char *text)
{
    for (const char *p = text; *p;) {
        gunichar character = g_utf8_get_char_validated(p, -1);
        bool valid = character != (gunichar)-1 && character != (gunichar)-2;
        const char *next = valid ? g_utf8_next_char(p) : p + 1;

        if (valid && !g_unichar_iscntrl(character))
            g_string_append_len(line, p, next - p);
        else
            for (; p < next; p++)
                g_string_append_printf(line, "\\x%02x", (unsigned char)*p);
        p = next;
    }
}

char *log_printable(const char *text)
{
    GString *line = g_string_new(NULL);

    append_escaped(line, text);
    return g_string_free(line, FALSE);
}

static const char *field(const GLogField *fields, gsize count, const char *key)
{
    for (gsize i = 0; i < count; i++)
        if (strcmp(fields[i].key, key) == 0 && fields[i].length < 0)
            return fields[i].value;
    return NULL;
}

static int syslog_priority(GLogLevelFlags level)
{
    if (level & G_LOG_LEVEL_ERROR)
        return LOG_CRIT;
    if (level & G_LOG_LEVEL_CRITICAL)
        return LOG_ERR;
    if (level & G_LOG_LEVEL_WARNING)
        return LOG_WARNING;
    if (level & G_LOG_LEVEL_MESSAGE)
        return LOG_NOTICE;
    if (level & G_LOG_LEVEL_INFO)
        return LOG_INFO;
    return LOG_DEBUG;
}

/* By one write where that is possible, so that lines of several threads do not mingle. */
static void write_stderr(const char *line, size_t length)
{
    while (length > 0) {
        ssize_t written = write(STDERR_FILENO, line, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        line += written;
        length -= (size_t)written;
    }
}

/* GLib's own chatter tells nothing of the protocol. */
static bool is_chatter(GLogLevelFlags level, const char *domain)
{
    return (level & (G_LOG_LEVEL_DEBUG | G_LOG_LEVEL_INFO)) && domain &&
           g_str_has_prefix(domain, "GLib");
}

void log_note_error(const char *text)
{
    char *copy = log_printable(text);

    g_mutex_lock(&last_lock);
    g_free(last_text);
    last_text = copy;
    last_time = g_get_real_time();
    g_mutex_unlock(&last_lock);
}

char *log_last_error(int64_t *when)
{
    char *copy;

    g_mutex_lock(&last_lock);
    copy = g_strdup(last_text);
    *when = last_time;
    g_mutex_unlock(&last_lock);
    return copy;
}

char *log_time(int64_t micros)
{
    g_autoptr(GDateTime) seconds = g_date_time_new_from_unix_utc(micros / G_USEC_PER_SEC);
    g_autoptr(GDateTime) when = g_date_time_add(seconds, micros % G_USEC_PER_SEC);
    g_autofree char *date = g_date_time_format(when, "%Y-%m-%dT%H:%M:%S");

    return g_strdup_printf("%s.%06dZ", date, g_date_time_get_microsecond(when));
}

static GLogWriterOutput write_log(GLogLevelFlags level, const GLogField *fields, gsize count,
                                  gpointer unused)
{
    const char *domain = field(fields, count, "GLIB_DOMAIN");
    const char *message = field(fields, count, "MESSAGE");
    g_autoptr(GString) line = NULL;
    (void)unused;

    if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING) && message)
        log_note_error(message);
    if ((level & (GLogLevelFlags)g_atomic_int_get(&wanted)) && !is_chatter(level, domain)) {
        line = g_string_new(NULL);
        /* The protocol's, or where to look for a bug. */
        if (domain && level & (G_LOG_LEVEL_DEBUG | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_ERROR)) {
            append_escaped(line, domain);
            g_string_append(line, ": ");
        }
        append_escaped(line, message ? message : "(no message)");
        if (g_atomic_int_get(&use_syslog)) {
            syslog(syslog_priority(level), "%s", line->str);
        } else {
            g_autofree char *priority = g_strdup_printf("<%d>", syslog_priority(level));
            g_string_prepend(line, g_atomic_int_get(&use_priorities) ? priority : PROGRAM ": ");
            g_string_append_c(line, '\n');
            write_stderr(line->str, line->len);
        }
    }
    if (level & G_LOG_FLAG_FATAL)
        abort();
    return G_LOG_WRITER_HANDLED;
}

void log_open(bool verbose, bool protocol)
{
    static gsize done;
    GLogLevelFlags levels = G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING |
                            G_LOG_LEVEL_MESSAGE | (verbose ? G_LOG_LEVEL_INFO : 0) |
                            (protocol ? G_LOG_LEVEL_DEBUG : 0);

    g_atomic_int_set(&wanted, (gint)levels);
    g_atomic_int_set(&use_priorities, service_has_journal());
    if (g_once_init_enter(&done)) { /* GLib takes a writer only once */
        g_log_set_writer_func(write_log, NULL, NULL);
        g_once_init_leave(&done, 1);
    }
}

void log_to_syslog(void)
{
    openlog(PROGRAM, LOG_PID | LOG_NDELAY, LOG_DAEMON);
    g_atomic_int_set(&use_syslog, 1);
}
