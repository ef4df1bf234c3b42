#include "outgoing.h"

#include "../cache/fileio.h"
#include "../cache/mail.h"
#include "privatefile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum {
    PIECE = 64 << 10,        /* bytes read at once */
    HEADER_LOOKED_AT = PIECE /* a Message-ID beyond is not looked for */
};

/* What a look at the whole file has found. */
typedef struct {
    uint64_t size;
    uint64_t bare; /* lines that end with LF alone */
    bool nul;
    bool header; /* it begins with a field's name */
    char *message_id;
} Look;

static bool fail(GError **error, int code, const char *what)
{
    g_set_error(error, MAIL_ERROR, code, "%s: %s", what, g_strerror(code));
    return false;
}

/* --- what it is --------------------------------------------------------------------------------
 */

/* "Subject:", or "Subject :" as it once was allowed (RFC 5322 sections 3.6.8 and 4.5). */
static bool begins_with_field(const char *bytes, size_t length)
{
    size_t i = 0;

    while (i < length && bytes[i] > 32 && bytes[i] < 127 && bytes[i] != ':')
        i++;
    if (i == 0)
        return false;
    while (i < length && (bytes[i] == ' ' || bytes[i] == '\t'))
        i++;
    return i < length && bytes[i] == ':';
}

/* The line from `at` on, without its end; *next is where the one behind it begins. */
static size_t line_length(const char *bytes, size_t length, size_t at, size_t *next)
{
    const char *end = memchr(bytes + at, '\n', length - at);
    size_t n = end ? (size_t)(end - bytes) - at : length - at;

    *next = end ? at + n + 1 : length;
    return n && bytes[at + n - 1] == '\r' ? n - 1 : n;
}

/* "<…>" behind the name, maybe on the next line, which is folded then. */
static char *identifier(const char *bytes, size_t length)
{
    const char *open = memchr(bytes, '<', length), *close;

    if (!open)
        return NULL;
    close = memchr(open, '>', length - (size_t)(open - bytes));
    for (const char *p = open; close && p <= close; p++)
        if (*p <= 32 || *p >= 127)
            return NULL;
    return close ? g_strndup(open, (gsize)(close - open) + 1) : NULL;
}

static char *find_message_id(const char *bytes, size_t length)
{
    static const char name[] = "Message-ID:";
    size_t next = 0;

    for (size_t at = 0; at < length; at = next) {
        size_t n = line_length(bytes, length, at, &next);
        if (n == 0)
            break;
        if (n < sizeof name - 1 || g_ascii_strncasecmp(bytes + at, name, sizeof name - 1) != 0)
            continue;
        while (next < length && (bytes[next] == ' ' || bytes[next] == '\t'))
            line_length(bytes, length, next, &next);
        return identifier(bytes + at, next - at);
    }
    return NULL;
}

/* Lines of a piece that end with LF alone; cr: whether the byte ahead of it was a CR. */
static uint64_t count_bare(const char *bytes, size_t length, bool cr)
{
    const char *end = bytes + length;
    uint64_t n = 0;

    for (const char *p = bytes; (p = memchr(p, '\n', (size_t)(end - p))); p++)
        n += p == bytes ? !cr : p[-1] != '\r';
    return n;
}

static bool look(int fd, Look *look, GError **error)
{
    g_autofree char *bytes = g_malloc(PIECE);
    ssize_t n;
    bool cr = false;

    for (; (n = file_read_at(fd, bytes, PIECE, (off_t)look->size)) > 0; look->size += (uint64_t)n) {
        if (look->size == 0) {
            look->header = begins_with_field(bytes, (size_t)n);
            look->message_id = find_message_id(bytes, MIN((size_t)n, HEADER_LOOKED_AT));
        }
        look->bare += count_bare(bytes, (size_t)n, cr);
        look->nul |= memchr(bytes, 0, (size_t)n) != NULL;
        cr = bytes[n - 1] == '\r';
    }
    return n == 0 || fail(error, (int)-n, "what was written can't be read");
}

/* --- line ends ---------------------------------------------------------------------------------
 */

static void add_lines(GString *lines, const char *bytes, size_t length, bool cr)
{
    g_string_truncate(lines, 0);
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\n' && !cr)
            g_string_append_c(lines, '\r');
        g_string_append_c(lines, bytes[i]);
        cr = bytes[i] == '\r';
    }
}

/* *written: the size of what is made. */
static bool convert(int from, int to, uint64_t size, uint64_t *written, GError **error)
{
    g_autofree char *bytes = g_malloc(PIECE);
    g_autoptr(GString) lines = g_string_sized_new(2 * PIECE);
    bool cr = false;

    *written = 0;
    for (uint64_t at = 0; at < size;) {
        ssize_t n = file_read_at(from, bytes, (size_t)MIN((uint64_t)PIECE, size - at), (off_t)at);
        int code;
        if (n <= 0)
            return fail(error, n < 0 ? (int)-n : EIO, "what was written can't be read");
        add_lines(lines, bytes, (size_t)n, cr);
        code = file_write_at(to, lines->str, lines->len, (off_t)*written);
        if (code)
            return fail(error, code, "a message can't be written down");
        cr = bytes[n - 1] == '\r';
        at += (uint64_t)n;
        *written += lines->len;
    }
    return true;
}

/* --- both --------------------------------------------------------------------------------------
 */

static bool is_message(const Look *look, bool any, GError **error)
{
    const char *why = NULL;

    if (look->size == 0)
        why = "it is empty";
    else if (look->nul)
        why = "it has a NUL in it";
    else if (!look->header && !any)
        why = "it does not begin with a header field";
    if (why)
        g_set_error(error, MAIL_ERROR, EINVAL, "what was written is no message: %s", why);
    return !why;
}

static bool take_file(int fd, const Look *found, const char *directory, Outgoing *outgoing,
                      GError **error)
{
    if (found->bare) {
        outgoing->fd = privatefile_open(directory, error);
        return outgoing->fd >= 0 && convert(fd, outgoing->fd, found->size, &outgoing->size, error);
    }
    outgoing->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    outgoing->size = found->size;
    return outgoing->fd >= 0 || fail(error, errno, "a message can't be read");
}

bool outgoing_make(int fd, bool any, const char *directory, Outgoing *outgoing, GError **error)
{
    Look found = {0};

    *outgoing = (Outgoing)OUTGOING_NONE;
    if (look(fd, &found, error) && is_message(&found, any, error) &&
        take_file(fd, &found, directory, outgoing, error)) {
        outgoing->message_id = found.message_id;
        return true;
    }
    g_free(found.message_id);
    outgoing_clear(outgoing);
    return false;
}

void outgoing_clear(Outgoing *outgoing)
{
    if (outgoing->fd >= 0)
        close(outgoing->fd);
    g_free(outgoing->message_id);
    *outgoing = (Outgoing)OUTGOING_NONE;
}
