#include "parse.h"

#include "limits.h"
#include "tree.h"

#include <errno.h>
#include <string.h>

enum {
    FIRST_ROOM = 64 << 10, /* bytes that a literal gets before any of it arrived */
    KEPT_LINE = 64 << 10,  /* bytes of the line's buffer that are kept between responses */
    MAX_NAME = 63,
};

/*
 * line: the response so far, without the bytes of its literals; empty between two responses. Its
 * segments up to `scanned` are in the tree (a segment ends with LF; a literal follows each but the
 * last). kind, tag_length (the tag begins the line), name and number hold once a first segment is
 * scanned.
 *
 * While in_literal, `left` more bytes belong to a literal of `size` bytes. If it is kept, `have`
 * of them are in `bytes`, which has room for `room` and a NUL. kept counts all of a response.
 *
 * Once broken is set, nothing is taken any more.
 */
struct ImapParser {
    ImapParserEvents events;
    gpointer data;
    GByteArray *line;
    size_t scanned;
    ImapTree tree;
    ImapResponseKind kind;
    size_t tag_length;
    char name[MAX_NAME + 1];
    uint64_t number;
    bool has_number;

    bool in_literal;
    uint64_t size, left;
    char *bytes;
    uint64_t have, room, kept;

    GError *broken;
};

/* What became of the bytes that were looked at. */
typedef enum {
    GO_ON,
    STOP,   /* the owner wants no more */
    BROKEN, /* parser->broken says why */
} Outcome;

ImapParser *imap_parser_new(const ImapParserEvents *events, gpointer data)
{
    ImapParser *parser = g_new0(ImapParser, 1);
    parser->events = *events;
    parser->data = data;
    parser->line = g_byte_array_new();
    imap_tree_init(&parser->tree);
    return parser;
}

void imap_parser_free(ImapParser *parser)
{
    if (!parser)
        return;
    g_byte_array_unref(parser->line);
    imap_tree_clear(&parser->tree);
    g_free(parser->bytes);
    g_clear_error(&parser->broken);
    g_free(parser);
}

bool imap_parser_idle(const ImapParser *parser)
{
    return parser->line->len == 0 && !parser->broken;
}

static char *line_text(const ImapParser *parser)
{
    return (char *)parser->line->data;
}

/* Makes room for the next response. */
static void reset(ImapParser *parser)
{
    if (parser->line->len <= KEPT_LINE) {
        g_byte_array_set_size(parser->line, 0);
    } else {
        g_byte_array_unref(parser->line);
        parser->line = g_byte_array_new();
    }
    imap_tree_reset(&parser->tree);
    parser->scanned = 0;
    parser->kept = 0;
}

/* --- what is wrong ------------------------------------------------------------------------- */

/* The line around a place, printable, to be shown in a message. */
static char *excerpt(const ImapParser *parser, size_t place)
{
    enum { AHEAD = 48, BEHIND = 24 };
    const char *line = line_text(parser);
    size_t start = place > AHEAD ? place - AHEAD : 0;
    size_t end = MIN(place + BEHIND, parser->line->len);
    GString *text = g_string_new(start ? "..." : NULL);

    while (end > start && (line[end - 1] == '\r' || line[end - 1] == '\n'))
        end--;
    for (size_t i = start; i < end; i++) {
        if (g_ascii_isprint(line[i]))
            g_string_append_c(text, line[i]);
        else
            g_string_append_printf(text, "\\x%02x", (uint8_t)line[i]);
    }
    return g_string_free(text, FALSE);
}

static Outcome broken(ImapParser *parser, size_t place, const char *what)
{
    g_autofree char *shown = excerpt(parser, place);
    parser->broken = g_error_new(MAIL_ERROR, EPROTO,
                                 "the server broke the IMAP protocol (%s): \"%s\"", what, shown);
    return BROKEN;
}

/* Those whose content pullmail relies on. */
static bool is_known(const char *name)
{
    static const char *const names[] = {
        "FETCH",      "LIST",    "LSUB",      "STATUS", "SEARCH",    "ESEARCH",
        "CAPABILITY", "ENABLED", "NAMESPACE", "QUOTA",  "QUOTAROOT", "FLAGS",
        "EXISTS",     "EXPUNGE", "VANISHED",  "RECENT", "ID",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static bool needs_number(const char *name)
{
    return strcmp(name, "FETCH") == 0 || strcmp(name, "EXISTS") == 0 ||
           strcmp(name, "EXPUNGE") == 0 || strcmp(name, "RECENT") == 0;
}

static bool is_result(const char *name)
{
    return strcmp(name, "OK") == 0 || strcmp(name, "NO") == 0 || strcmp(name, "BAD") == 0;
}

static bool is_status(const char *name)
{
    return is_result(name) || strcmp(name, "PREAUTH") == 0 || strcmp(name, "BYE") == 0;
}

/* --- a whole response ---------------------------------------------------------------------- */

static Outcome hand_over(ImapParser *parser, const ImapValue *code, const ImapValue *values,
                         const char *text)
{
    ImapResponse response = {
        .kind = parser->kind,
        .name = parser->name,
        .number = parser->number,
        .values = values,
        .code = code,
        .text = text,
    };

    if (parser->kind == IMAP_TAGGED) {
        line_text(parser)[parser->tag_length] = 0;
        response.tag = line_text(parser);
    }
    bool go_on = parser->events.response(parser->data, &response);
    reset(parser);
    return go_on ? GO_ON : STOP;
}

/* The human text from `start` on, without the characters that the owner shall never see. */
static char *human_text(ImapParser *parser, size_t start, size_t end)
{
    char *line = line_text(parser);
    if (start < end && line[start] == ' ')
        start++;
    line[end] = 0;
    for (size_t i = start; i < end; i++)
        if (line[i] == '\r')
            line[i] = ' ';
    return line + start;
}

/*
 * "[code] text". What is no code that can be understood is text: servers put anything there, and
 * what matters is the name ahead of it.
 */
static Outcome finish_status(ImapParser *parser, size_t at, size_t end)
{
    const ImapValue none = {.kind = IMAP_LIST};
    ImapValue code = none;
    bool has_code = false;
    size_t start = at;

    if (at < end && line_text(parser)[at] == '[') {
        size_t position = at + 1;
        ImapScanEnd result = imap_tree_scan(&parser->tree, line_text(parser), &position, end,
                                            IMAP_SCAN_CODE);
        if (result == IMAP_SCAN_REFUSED)
            return broken(parser, position, parser->tree.problem);
        has_code = result == IMAP_SCAN_BRACKET && parser->tree.open->len &&
                   g_array_index(parser->tree.open, ImapValue, 0).kind == IMAP_ATOM;
        if (has_code)
            start = position;
    }
    const char *text = human_text(parser, start, end);
    if (has_code)
        imap_tree_finish(&parser->tree, line_text(parser), &code);
    return hand_over(parser, has_code ? &code : NULL, &none, text);
}

static Outcome finish_data(ImapParser *parser)
{
    ImapValue values;
    imap_tree_finish(&parser->tree, line_text(parser), &values);
    return hand_over(parser, NULL, &values, "");
}

/* --- literals ------------------------------------------------------------------------------ */

static ImapLiteralFate ask_fate(ImapParser *parser, uint64_t *limit)
{
    const ImapValue *item = imap_tree_item(&parser->tree);
    char *line = line_text(parser);

    if (!parser->events.literal)
        return IMAP_LITERAL_KEEP;
    if (!item)
        return parser->events.literal(parser->data, parser->number, parser->name, NULL,
                                      parser->size, limit);
    char *behind = line + item->offset + item->length;
    char saved = *behind;
    *behind = 0;
    ImapLiteralFate fate = parser->events.literal(parser->data, parser->number, parser->name,
                                                  line + item->offset, parser->size, limit);
    *behind = saved;
    return fate;
}

static void end_literal(ImapParser *parser)
{
    GBytes *bytes = NULL;
    if (parser->bytes) {
        parser->bytes[parser->have] = 0;
        bytes = g_bytes_new_take(g_steal_pointer(&parser->bytes), parser->have);
    }
    parser->in_literal = false;
    imap_tree_add_literal(&parser->tree, parser->size, bytes);
}

/* Whether a literal may be kept that the owner accepts up to a limit. */
static Outcome check_size(ImapParser *parser, uint64_t limit)
{
    uint64_t together = MAX(limit, IMAP_MAX_KEPT);
    g_autofree char *problem = NULL;

    if (parser->size > limit)
        problem = g_strdup_printf("a literal of %" G_GUINT64_FORMAT
                                  " bytes, where %" G_GUINT64_FORMAT " are acceptable",
                                  (guint64)parser->size, (guint64)limit);
    else if (parser->kept > together - parser->size)
        problem = g_strdup_printf("literals of more than %" G_GUINT64_FORMAT " bytes together",
                                  (guint64)together);
    return problem ? broken(parser, parser->scanned, problem) : GO_ON;
}

static Outcome begin_literal(ImapParser *parser)
{
    uint64_t limit = IMAP_MAX_STRING;

    parser->size = parser->left = parser->tree.literal_size;
    parser->have = parser->room = 0;
    if (ask_fate(parser, &limit) == IMAP_LITERAL_KEEP) {
        if (check_size(parser, limit))
            return BROKEN;
        parser->kept += parser->size;
        parser->room = MIN(parser->size, FIRST_ROOM);
        parser->bytes = g_malloc(parser->room + 1);
    }
    parser->in_literal = true;
    return GO_ON;
}

static size_t take_literal(ImapParser *parser, const uint8_t *bytes, size_t length)
{
    size_t n = MIN(length, parser->left);

    if (parser->bytes) {
        if (parser->have + n > parser->room) {
            parser->room = MIN(MAX(parser->room * 2, parser->have + n), parser->size);
            parser->bytes = g_realloc(parser->bytes, parser->room + 1);
        }
        memcpy(parser->bytes + parser->have, bytes, n);
        parser->have += n;
    }
    parser->left -= n;
    if (parser->left == 0)
        end_literal(parser);
    return n;
}

/* --- the head of a response ---------------------------------------------------------------- */

static size_t skip_spaces(const char *line, size_t at, size_t end)
{
    while (at < end && (line[at] == ' ' || line[at] == '\t'))
        at++;
    return at;
}

static size_t skip_word(const char *line, size_t at, size_t end)
{
    while (at < end && line[at] != ' ' && line[at] != '\t')
        at++;
    return at;
}

/* Whether line[start..end) is made of characters that a name or a tag may have. */
static bool is_word(const char *line, size_t start, size_t end)
{
    for (size_t i = start; i < end; i++)
        if (g_ascii_iscntrl(line[i]) || strchr("(){\"", line[i]))
            return false;
    return end > start;
}

/* The number ahead of a name. *at is then behind it. */
static Outcome read_number(ImapParser *parser, size_t *at, size_t end)
{
    const char *line = line_text(parser);
    size_t i = *at;
    uint64_t n = 0;
    bool fits = true;

    for (; g_ascii_isdigit(line[i]); i++)
        fits = fits && !__builtin_mul_overflow(n, 10, &n) &&
               !__builtin_add_overflow(n, (uint64_t)(line[i] - '0'), &n);
    parser->number = 0;
    parser->has_number = i > *at && (i == end || line[i] == ' ' || line[i] == '\t');
    if (!parser->has_number)
        return GO_ON;
    if (!fits)
        return broken(parser, *at, "a number that is too large");
    parser->number = n;
    *at = skip_spaces(line, i, end);
    return GO_ON;
}

/* Reads the name that every response but "+" has; *at is then behind the spaces that follow it. */
static Outcome read_name(ImapParser *parser, size_t *at, size_t end)
{
    const char *line = line_text(parser);
    size_t stop = skip_word(line, *at, end), length = stop - *at;

    if (!is_word(line, *at, stop) || length > MAX_NAME)
        return broken(parser, *at, "a response without a name");
    for (size_t i = 0; i < length; i++)
        parser->name[i] = g_ascii_toupper(line[*at + i]);
    parser->name[length] = 0;
    *at = skip_spaces(line, stop, end);
    return GO_ON;
}

static Outcome read_tag(ImapParser *parser, size_t *at, size_t end)
{
    const char *line = line_text(parser);
    size_t stop = skip_word(line, 0, end);

    if (!is_word(line, 0, stop) || stop == end)
        return broken(parser, 0, end ? "no IMAP response" : "an empty line");
    parser->kind = IMAP_TAGGED;
    parser->tag_length = stop;
    parser->number = 0;
    *at = skip_spaces(line, stop, end);
    return GO_ON;
}

static Outcome read_star(ImapParser *parser, size_t *at, size_t end)
{
    const char *line = line_text(parser);

    *at = skip_spaces(line, 1, end);
    if (*at == end)
        return broken(parser, 0, "an empty response");
    if (*at == 1)
        return broken(parser, 0, "no IMAP response");
    parser->kind = IMAP_UNTAGGED;
    return read_number(parser, at, end);
}

/* --- lines --------------------------------------------------------------------------------- */

static Outcome scan_data(ImapParser *parser, size_t at, size_t end)
{
    const char *line = line_text(parser), *name = parser->name;
    ImapScanMode mode = strcmp(name, "FETCH") == 0 ? IMAP_SCAN_FETCH : IMAP_SCAN_DATA;
    size_t position = at;

    parser->scanned = parser->line->len;
    switch (imap_tree_scan(&parser->tree, line, &position, end, mode)) {
    case IMAP_SCAN_END:
    case IMAP_SCAN_BRACKET:
        return finish_data(parser);
    case IMAP_SCAN_LITERAL:
        return begin_literal(parser);
    case IMAP_SCAN_BROKEN:
        /* Nobody knows whether bytes follow that look like an announcement behind a break. */
        if (!is_known(name) && !imap_tree_announces(line, at, end))
            return finish_data(parser);
        break;
    case IMAP_SCAN_REFUSED:
        break;
    }
    return broken(parser, position, parser->tree.problem);
}

/* The first line of a response, without its end. */
static Outcome begin_response(ImapParser *parser, size_t end)
{
    const char *line = line_text(parser);
    const ImapValue none = {.kind = IMAP_LIST};
    size_t at = 0;

    if (line[0] == '+') {
        parser->kind = IMAP_CONTINUATION;
        parser->name[0] = 0;
        parser->number = 0;
        return hand_over(parser, NULL, &none, human_text(parser, 1, end));
    }
    if (line[0] == '*' ? read_star(parser, &at, end) : read_tag(parser, &at, end))
        return BROKEN;
    if (read_name(parser, &at, end))
        return BROKEN;
    const char *name = parser->name;
    if (parser->kind == IMAP_TAGGED && !is_result(name))
        return broken(parser, at, "a tagged response that is not OK, NO or BAD");
    if (is_status(name))
        return finish_status(parser, at, end);
    if (needs_number(name) && !parser->has_number)
        return broken(parser, at, "a message's response without its number");
    return scan_data(parser, at, end);
}

/* The line up to its LF is there. */
static Outcome end_line(ImapParser *parser)
{
    const char *line = line_text(parser);
    size_t end = parser->line->len - 1;

    while (end > parser->scanned && line[end - 1] == '\r')
        end--;
    if (parser->scanned == 0)
        return begin_response(parser, end);
    return scan_data(parser, parser->scanned, end);
}

/* Takes bytes up to the next LF. */
static Outcome take_line(ImapParser *parser, const uint8_t *bytes, size_t length, size_t *taken)
{
    const uint8_t *lf = memchr(bytes, '\n', length);
    size_t room = IMAP_MAX_LINE + 1 - parser->line->len;
    size_t n = MIN(lf ? (size_t)(lf - bytes) + 1 : length, room);
    const uint8_t *nul = memchr(bytes, 0, n);

    if (nul)
        n = (size_t)(nul - bytes) + 1;
    g_byte_array_append(parser->line, bytes, (guint)n);
    *taken = n;
    if (nul)
        return broken(parser, parser->line->len - 1, "a NUL byte");
    if (parser->line->len > IMAP_MAX_LINE)
        return broken(parser, 0, "a response without an end");
    return lf ? end_line(parser) : GO_ON;
}

bool imap_parser_feed(ImapParser *parser, const uint8_t *bytes, size_t length, size_t *consumed,
                      GError **error)
{
    size_t total = 0;
    Outcome outcome = parser->broken ? BROKEN : GO_ON;

    while (outcome == GO_ON && total < length) {
        size_t taken = 0;
        if (parser->in_literal)
            taken = take_literal(parser, bytes + total, length - total);
        else
            outcome = take_line(parser, bytes + total, length - total, &taken);
        total += taken;
    }
    if (consumed)
        *consumed = total;
    if (outcome == BROKEN && error)
        *error = g_error_copy(parser->broken);
    return outcome != BROKEN;
}
