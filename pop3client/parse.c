#include "parse.h"

#include "../imapclient/net/quote.h"
#include "limits.h"

#include <errno.h>
#include <string.h>

typedef enum { IN_REPLY, IN_LINES, IN_CONTENT, STOPPED, BROKEN } Where;

/*
 * Where the content stands. A line of content begins only behind CR LF, as the server that stuffed
 * the dots counts lines: so a bare LF in a message can't forge the end.
 */
typedef enum {
    AT_START,     /* of a line */
    BEHIND_DOT,   /* the first of a line, not told */
    BEHIND_DOTCR, /* likewise, with a CR, neither told */
    IN_LINE,
    BEHIND_CR,
} ContentState;

/* line: of the reply or of the lines, as far as it came. */
struct Pop3Parser {
    const Pop3ParserEvents *events;
    gpointer data;
    Where where;
    ContentState content;
    GString *line;
};

Pop3Parser *pop3_parser_new(const Pop3ParserEvents *events, gpointer data)
{
    Pop3Parser *parser = g_new0(Pop3Parser, 1);

    parser->events = events;
    parser->data = data;
    parser->line = g_string_new(NULL);
    return parser;
}

void pop3_parser_free(Pop3Parser *parser)
{
    if (!parser)
        return;
    g_string_free(parser->line, TRUE);
    g_free(parser);
}

static bool fail(Pop3Parser *parser, const char *what, GError **error)
{
    g_autofree char *excerpt = quote_text(parser->line->str);

    parser->where = BROKEN;
    g_string_truncate(parser->line, 0);
    g_set_error(error, MAIL_ERROR, EPROTO, "%s: \"%s\"", what, excerpt);
    return false;
}

/* --- lines ----------------------------------------------------------------------------------- */

/* Whether the line is whole now. *used: bytes that were taken. */
static bool gather_line(Pop3Parser *parser, const uint8_t *bytes, size_t length, size_t *used)
{
    const uint8_t *end = memchr(bytes, '\n', length);
    size_t room = POP3_MAX_LINE + 1 - parser->line->len;

    *used = end ? (size_t)(end - bytes) + 1 : length;
    g_string_append_len(parser->line, (const char *)bytes,
                        (gssize)MIN(end ? *used - 1 : *used, room));
    if (!end || parser->line->len > POP3_MAX_LINE)
        return false;
    if (parser->line->len && parser->line->str[parser->line->len - 1] == '\r')
        g_string_truncate(parser->line, parser->line->len - 1);
    return true;
}

/* The text behind a word that begins a reply; NULL where it does not. */
static char *behind_word(char *line, const char *word)
{
    size_t length = strlen(word);

    if (g_ascii_strncasecmp(line, word, length) != 0)
        return NULL;
    if (line[length] == ' ' || line[length] == '\t')
        return line + length + 1;
    return line[length] ? NULL : line + length;
}

/* Takes "[CODE] " from the beginning of the text. */
static char *cut_code(char *text, char **rest)
{
    char *end = text[0] == '[' ? strchr(text, ']') : NULL;

    *rest = text;
    if (!end)
        return g_strdup("");
    *rest = end + 1 + strspn(end + 1, " ");
    return g_ascii_strup(text + 1, end - text - 1);
}

static bool take_reply(Pop3Parser *parser, GError **error)
{
    Pop3Reply reply = {POP3_OK, "", ""};
    g_autofree char *code = NULL;
    char *text, *rest;

    if ((text = behind_word(parser->line->str, "+OK")))
        reply.kind = POP3_OK;
    else if ((text = behind_word(parser->line->str, "-ERR")))
        reply.kind = POP3_ERR;
    else if ((text = behind_word(parser->line->str, "+")))
        reply.kind = POP3_CONTINUE;
    else
        return fail(parser, "the server said what is no reply of POP3", error);
    if (reply.kind == POP3_CONTINUE) {
        reply.text = text;
    } else {
        code = cut_code(text, &rest);
        reply.code = code;
        reply.text = rest;
    }
    switch (parser->events->reply(parser->data, &reply)) {
    case POP3_LINES:
        parser->where = IN_LINES;
        break;
    case POP3_CONTENT:
        parser->where = IN_CONTENT;
        parser->content = AT_START;
        break;
    case POP3_STOP:
        parser->where = STOPPED;
        break;
    case POP3_NOTHING:
    default:
        break;
    }
    return true;
}

static void take_line(Pop3Parser *parser)
{
    const GString *line = parser->line;
    size_t stuffed = line->len > 0 && line->str[0] == '.';

    if (stuffed && line->len == 1) {
        parser->where = IN_REPLY;
        parser->events->end(parser->data);
    } else {
        parser->events->line(parser->data, line->str + stuffed, line->len - stuffed);
    }
}

static bool feed_line(Pop3Parser *parser, const uint8_t *bytes, size_t length, size_t *used,
                      GError **error)
{
    bool fine = true;

    if (!gather_line(parser, bytes, length, used))
        return parser->line->len <= POP3_MAX_LINE ||
               fail(parser, "the server's line has no end", error);
    if (parser->where == IN_LINES)
        take_line(parser);
    else
        fine = take_reply(parser, error);
    g_string_truncate(parser->line, 0);
    return fine;
}

/* --- content --------------------------------------------------------------------------------- */

static ContentState behind(uint8_t byte)
{
    return byte == '\r' ? BEHIND_CR : IN_LINE;
}

/* How far a line goes on in which nothing happens. */
static size_t plain(const uint8_t *bytes, size_t length)
{
    const uint8_t *end = memchr(bytes, '\r', length);

    return end ? (size_t)(end - bytes) : length;
}

/* Whether the byte is content. */
static bool take_byte(Pop3Parser *parser, uint8_t byte)
{
    switch (parser->content) {
    case AT_START:
        parser->content = byte == '.' ? BEHIND_DOT : behind(byte);
        return byte != '.';
    case BEHIND_DOT:
        parser->content = byte == '\r' ? BEHIND_DOTCR : IN_LINE;
        return byte != '\r';
    case BEHIND_DOTCR:
        if (byte == '\n') {
            parser->where = IN_REPLY;
            return false;
        }
        parser->events->content(parser->data, (const uint8_t *)"\r", 1);
        parser->content = behind(byte);
        return true;
    case BEHIND_CR:
        parser->content = byte == '\n' ? AT_START : behind(byte);
        return true;
    case IN_LINE:
    default:
        parser->content = behind(byte);
        return true;
    }
}

static void tell(const Pop3Parser *parser, const uint8_t *bytes, size_t length)
{
    if (length > 0)
        parser->events->content(parser->data, bytes, length);
}

/* Tells content up to the end of the bytes, or of the content. *used: bytes that were taken. */
static void feed_content(Pop3Parser *parser, const uint8_t *bytes, size_t length, size_t *used)
{
    size_t told = 0; /* of the bytes, told or dropped */
    size_t i = 0;

    while (i < length && parser->where == IN_CONTENT) {
        if (parser->content == IN_LINE)
            i += plain(bytes + i, length - i);
        if (i == length)
            break;
        if (!take_byte(parser, bytes[i])) {
            tell(parser, bytes + told, i - told);
            told = i + 1;
        }
        i++;
    }
    tell(parser, bytes + told, i - told);
    *used = i;
    if (parser->where == IN_REPLY)
        parser->events->end(parser->data);
}

bool pop3_parser_feed(Pop3Parser *parser, const uint8_t *bytes, size_t length, size_t *consumed,
                      GError **error)
{
    size_t done = 0, used;

    if (parser->where == BROKEN)
        return fail(parser, "the server broke the protocol before", error);
    if (parser->where == STOPPED)
        parser->where = IN_REPLY;
    while (done < length && parser->where != STOPPED) {
        if (parser->where == IN_CONTENT)
            feed_content(parser, bytes + done, length - done, &used);
        else if (!feed_line(parser, bytes + done, length - done, &used, error))
            return false;
        done += used;
    }
    if (consumed)
        *consumed = done;
    return true;
}
