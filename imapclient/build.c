#include "build.h"

#include "limits.h"
#include "net/secret.h"

#include <errno.h>
#include <string.h>

enum {
    MAX_QUOTED = 1000,        /* bytes: servers have bounds for a line */
    MAX_LITERAL_MINUS = 4096, /* RFC 7888 section 5 */
    RANGE_TEXT = 32,          /* a range of UIDs */
};

/* Bytes that may be a secret: whatever memory they leave is wiped. */
typedef struct {
    char *bytes;
    size_t length;
    size_t room;
} Buffer;

typedef struct {
    Buffer *buffer; /* until the piece is asked for */
    GBytes *bytes;  /* from then on */
    GString *log;
    bool secret;
    bool waits;         /* for the server, behind it */
    ImapSource *source; /* instead of a buffer */
} Piece;

/* pieces has at least one Piece; what is appended goes to the last. */
struct ImapCommand {
    GPtrArray *pieces;
};

static void buffer_free(gpointer data)
{
    Buffer *buffer = data;
    if (buffer->bytes)
        secret_wipe(buffer->bytes, buffer->room);
    g_free(buffer->bytes);
    g_free(buffer);
}

static void buffer_append(Buffer *buffer, const char *bytes, size_t length)
{
    if (length == 0)
        return;
    if (length > buffer->room - buffer->length) {
        size_t room = MAX(buffer->room * 2, buffer->length + length + 64);
        char *larger = g_malloc(room);
        if (buffer->bytes) {
            memcpy(larger, buffer->bytes, buffer->length);
            secret_wipe(buffer->bytes, buffer->room);
        }
        g_free(buffer->bytes);
        buffer->bytes = larger;
        buffer->room = room;
    }
    memcpy(buffer->bytes + buffer->length, bytes, length);
    buffer->length += length;
}

static void piece_free(gpointer data)
{
    Piece *piece = data;
    g_clear_pointer(&piece->buffer, buffer_free);
    g_clear_pointer(&piece->bytes, g_bytes_unref);
    imap_source_unref(piece->source);
    g_string_free(piece->log, TRUE);
    g_free(piece);
}

static Piece *add_piece(ImapCommand *command)
{
    Piece *piece = g_new0(Piece, 1);
    piece->buffer = g_new0(Buffer, 1);
    piece->log = g_string_new(NULL);
    g_ptr_array_add(command->pieces, piece);
    return piece;
}

static Piece *last_piece(const ImapCommand *command)
{
    return g_ptr_array_index(command->pieces, command->pieces->len - 1);
}

/* --- appending ----------------------------------------------------------------------------- */

static void log_bytes(GString *log, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (g_ascii_isprint(bytes[i]))
            g_string_append_c(log, bytes[i]);
        else
            g_string_append_printf(log, "\\x%02x", (uint8_t)bytes[i]);
    }
}

/* Appends without telling the log. */
static void append_silently(ImapCommand *command, const char *bytes, size_t length)
{
    Piece *piece = last_piece(command);
    g_assert(piece->buffer);
    buffer_append(piece->buffer, bytes, length);
}

static void append(ImapCommand *command, const char *bytes, size_t length)
{
    append_silently(command, bytes, length);
    log_bytes(last_piece(command)->log, bytes, length);
}

static void append_text(ImapCommand *command, const char *text)
{
    append(command, text, strlen(text));
}

static void append_content(ImapCommand *command, const char *bytes, size_t length, bool secret)
{
    if (!secret) {
        append(command, bytes, length);
        return;
    }
    append_silently(command, bytes, length);
    last_piece(command)->secret = true;
}

static void log_secret(ImapCommand *command)
{
    g_string_append(last_piece(command)->log, "<secret>");
}

/* --- strings ------------------------------------------------------------------------------- */

typedef enum { ATOM, QUOTED, LITERAL } Form;

static bool is_astring_char(char c)
{
    return c > 0x20 && c < 0x7f && !strchr("(){%*\"\\", c);
}

/* The simplest form in which every server understands the string. */
static Form string_form(const char *string, size_t length, bool utf8)
{
    Form form = ATOM;

    if (length > MAX_QUOTED)
        return LITERAL;
    /* NIL would be no string, but the lack of one. */
    if (length == 0 || g_ascii_strcasecmp(string, "NIL") == 0)
        form = QUOTED;
    for (const char *p = string; *p; p++) {
        if (*p == '\r' || *p == '\n' || ((*p & 0x80) && !utf8))
            return LITERAL;
        if (!is_astring_char(*p))
            form = QUOTED;
    }
    return utf8 && !g_utf8_validate(string, (gssize)length, NULL) ? LITERAL : form;
}

static void append_quoted(ImapCommand *command, const char *string, bool secret)
{
    append_content(command, "\"", 1, secret);
    while (*string) {
        size_t plain = strcspn(string, "\"\\");
        append_content(command, string, plain, secret);
        string += plain;
        if (*string) {
            char escaped[] = {'\\', *string++};
            append_content(command, escaped, sizeof escaped, secret);
        }
    }
    append_content(command, "\"", 1, secret);
    if (secret)
        log_secret(command);
}

/* Whether the literal has to be asked for by the server. */
static bool must_wait(ImapLiteralMode mode, uint64_t length)
{
    return mode == IMAP_LITERAL_SYNC || (mode == IMAP_LITERAL_MINUS && length > MAX_LITERAL_MINUS);
}

static void append_literal(ImapCommand *command, const char *string, size_t length,
                           ImapLiteralMode mode, bool secret)
{
    bool wait = must_wait(mode, length);
    g_autofree char *size = g_strdup_printf("{%zu%s}", length, wait ? "" : "+");

    append_silently(command, size, strlen(size));
    append_silently(command, "\r\n", 2);
    if (secret)
        g_string_append(last_piece(command)->log, wait ? "{?}" : "{?+} ");
    else
        g_string_append_printf(last_piece(command)->log, wait ? "%s" : "%s ", size);
    if (wait) {
        last_piece(command)->waits = true;
        add_piece(command);
    }
    append_content(command, string, length, secret);
    if (secret)
        log_secret(command);
}

static bool append_string(ImapCommand *command, const char *string, bool utf8, ImapLiteralMode mode,
                          bool secret, GError **error)
{
    size_t length = string ? strlen(string) : 0;

    if (!string || length > IMAP_MAX_STRING) {
        g_set_error(error, MAIL_ERROR, EINVAL, "a string of %zu bytes can't be sent in a command",
                    length);
        return false;
    }
    append_text(command, " ");
    switch (string_form(string, length, utf8)) {
    case ATOM:
        append_content(command, string, length, secret);
        if (secret)
            log_secret(command);
        break;
    case QUOTED:
        append_quoted(command, string, secret);
        break;
    case LITERAL:
        append_literal(command, string, length, mode, secret);
        break;
    }
    return true;
}

/* --- the public face ----------------------------------------------------------------------- */

ImapCommand *imap_command_new(const char *text)
{
    ImapCommand *command = g_new0(ImapCommand, 1);
    command->pieces = g_ptr_array_new_with_free_func(piece_free);
    add_piece(command);
    append_text(command, text);
    return command;
}

void imap_command_free(ImapCommand *command)
{
    if (!command)
        return;
    g_ptr_array_unref(command->pieces);
    g_free(command);
}

void imap_command_raw(ImapCommand *command, const char *text)
{
    append_text(command, " ");
    append_text(command, text);
}

void imap_command_rawf(ImapCommand *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    imap_command_raw(command, text);
}

bool imap_command_astring(ImapCommand *command, const char *string, bool utf8, ImapLiteralMode mode,
                          GError **error)
{
    return append_string(command, string, utf8, mode, false, error);
}

bool imap_command_secret(ImapCommand *command, const char *string, ImapLiteralMode mode,
                         GError **error)
{
    return append_string(command, string, false, mode, true, error);
}

void imap_command_secret_raw(ImapCommand *command, const char *text)
{
    append_text(command, " ");
    append_content(command, text, strlen(text), true);
    log_secret(command);
}

/* Writes the range that uids[i] begins, with what stands ahead of it; where the next one begins. */
static size_t range_text(const uint32_t *uids, size_t i, size_t n, char *text, size_t size)
{
    uint32_t last = uids[i];
    size_t next;

    for (next = i + 1; next < n && uids[next] - last <= 1; next++)
        last = uids[next];
    if (last == uids[i])
        g_snprintf(text, size, "%c%u", i ? ',' : ' ', last);
    else
        g_snprintf(text, size, "%c%u:%u", i ? ',' : ' ', uids[i], last);
    return next;
}

size_t imap_command_fitting(const uint32_t *uids, size_t n, size_t bytes)
{
    size_t at = 0;

    while (at < n) {
        char text[RANGE_TEXT];
        size_t next = range_text(uids, at, n, text, sizeof text);
        if (strlen(text) > bytes)
            break;
        bytes -= strlen(text);
        at = next;
    }
    return at;
}

void imap_command_uids(ImapCommand *command, const uint32_t *uids, size_t n)
{
    for (size_t i = 0; i < n;) {
        char text[RANGE_TEXT];
        i = range_text(uids, i, n, text, sizeof text);
        append_text(command, text);
    }
}

void imap_command_date(ImapCommand *command, int64_t seconds)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    g_autoptr(GDateTime) date = g_date_time_new_from_unix_utc(seconds);

    if (date && g_date_time_get_year(date) >= 1000)
        imap_command_rawf(
            command, "\"%02d-%s-%04d %02d:%02d:%02d +0000\"", g_date_time_get_day_of_month(date),
            months[g_date_time_get_month(date) - 1], g_date_time_get_year(date),
            g_date_time_get_hour(date), g_date_time_get_minute(date), g_date_time_get_second(date));
}

void imap_command_source(ImapCommand *command, ImapSource *source, ImapLiteralMode mode)
{
    uint64_t size = imap_source_size(source);
    bool wait = must_wait(mode, size);
    Piece *piece;

    imap_command_rawf(command, "{%" G_GUINT64_FORMAT "%s}", (guint64)size, wait ? "" : "+");
    append_silently(command, "\r\n", 2);
    last_piece(command)->waits = wait;
    piece = add_piece(command);
    g_clear_pointer(&piece->buffer, buffer_free);
    piece->source = imap_source_ref(source);
    add_piece(command);
}

bool imap_command_waits(const ImapCommand *command, size_t i)
{
    return ((Piece *)g_ptr_array_index(command->pieces, i))->waits;
}

ImapSource *imap_command_source_at(const ImapCommand *command, size_t i)
{
    return ((Piece *)g_ptr_array_index(command->pieces, i))->source;
}

size_t imap_command_pieces(const ImapCommand *command)
{
    return command->pieces->len;
}

GBytes *imap_command_piece(const ImapCommand *command, size_t i, bool *secret, const char **log)
{
    Piece *piece = g_ptr_array_index(command->pieces, i);

    if (piece->buffer) {
        Buffer *buffer = g_steal_pointer(&piece->buffer);
        piece->bytes = g_bytes_new_with_free_func(buffer->bytes, buffer->length, buffer_free,
                                                  buffer);
    }
    if (secret)
        *secret = piece->secret;
    if (log)
        *log = piece->log->str;
    return g_bytes_ref(piece->bytes);
}
