#include "tree.h"

#include <string.h>

/* What a character means inside an atom. */
enum {
    ENDS_ATOM = 1,
    ENDS_CODE = 2, /* in a response code, outside of its lists */
    SECTION = 4,   /* in a FETCH: perhaps the beginning of a section */
};

static const uint8_t meaning[256] = {
    [' '] = ENDS_ATOM,  ['\t'] = ENDS_ATOM, ['('] = ENDS_ATOM, [')'] = ENDS_ATOM,
    ['\r'] = ENDS_ATOM, [']'] = ENDS_CODE,  ['['] = SECTION,
};

enum { KEPT_ITEMS = 4096 }; /* that the arenas keep between responses */

/* Where a scan is. */
typedef struct {
    const char *line;
    size_t at;
    size_t end;
    ImapScanMode mode;
} Cursor;

void imap_tree_init(ImapTree *tree)
{
    *tree = (ImapTree){0};
    tree->open = g_array_new(FALSE, FALSE, sizeof(ImapValue));
    tree->closed = g_array_new(FALSE, FALSE, sizeof(ImapValue));
    tree->literals = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
}

void imap_tree_clear(ImapTree *tree)
{
    g_array_unref(tree->open);
    g_array_unref(tree->closed);
    g_ptr_array_unref(tree->literals);
}

static void reset_arena(GArray **arena)
{
    if ((*arena)->len <= KEPT_ITEMS) {
        g_array_set_size(*arena, 0);
    } else {
        g_array_unref(*arena);
        *arena = g_array_new(FALSE, FALSE, sizeof(ImapValue));
    }
}

void imap_tree_reset(ImapTree *tree)
{
    reset_arena(&tree->open);
    reset_arena(&tree->closed);
    if (tree->literals->len)
        g_ptr_array_set_size(tree->literals, 0);
    tree->depth = 0;
    tree->has_literal = false;
}

static ImapScanEnd problem(ImapTree *tree, ImapScanEnd end, const char *text)
{
    tree->problem = text;
    return end;
}

static const char too_many[] = "too many values in a response";

/* Whether there is no room for n more values. */
static bool is_full(const ImapTree *tree, guint n)
{
    return tree->open->len + tree->closed->len + n > IMAP_MAX_ITEMS;
}

/* --- literals ------------------------------------------------------------------------------ */

/* "{n}" or "{n+}" that fills line[at..end). Sizes beyond 64 bits are UINT64_MAX. */
static bool read_announcement(const char *line, size_t at, size_t end, uint64_t *size)
{
    uint64_t n = 0;
    size_t digits = 0;

    if (at >= end || line[at] != '{' || line[end - 1] != '}')
        return false;
    for (at++; g_ascii_isdigit(line[at]); at++, digits++) {
        if (__builtin_mul_overflow(n, 10, &n) ||
            __builtin_add_overflow(n, (uint64_t)(line[at] - '0'), &n))
            n = UINT64_MAX; /* and stays so, whatever digits follow */
    }
    if (line[at] == '+')
        at++;
    *size = n;
    return digits && at == end - 1;
}

/* Where an announcement at the end of line[start..end) begins; SIZE_MAX: there is none. */
static size_t find_announcement(const char *line, size_t start, size_t end, uint64_t *size)
{
    if (end == start || line[end - 1] != '}')
        return SIZE_MAX;
    const char *brace = memrchr(line + start, '{', end - start);
    if (!brace || !read_announcement(line, (size_t)(brace - line), end, size))
        return SIZE_MAX;
    return (size_t)(brace - line);
}

bool imap_tree_announces(const char *line, size_t start, size_t end)
{
    uint64_t size;
    return find_announcement(line, start, end, &size) != SIZE_MAX;
}

void imap_tree_add_literal(ImapTree *tree, uint64_t length, GBytes *bytes)
{
    ImapValue value = {.kind = IMAP_STRING, .length = length, .literal = bytes, .text = NULL};

    if (bytes) {
        value.text = length ? g_bytes_get_data(bytes, NULL) : "";
        g_ptr_array_add(tree->literals, bytes);
    }
    g_array_append_val(tree->open, value);
    tree->has_literal = true;
}

const ImapValue *imap_tree_item(const ImapTree *tree)
{
    if (tree->depth != 1 || tree->open->len <= tree->starts[0])
        return NULL;
    const ImapValue *last = &g_array_index(tree->open, ImapValue, tree->open->len - 1);
    return last->kind == IMAP_ATOM ? last : NULL;
}

/* --- atoms and strings --------------------------------------------------------------------- */

static void add_text(ImapTree *tree, ImapKind kind, size_t offset, size_t length)
{
    ImapValue value = {.kind = kind, .length = length, .offset = offset};
    g_array_append_val(tree->open, value);
}

/* The closing quote of the string that opens at `at`; SIZE_MAX: there is none. */
static size_t find_quote(const char *line, size_t at, size_t end)
{
    for (at++; at < end && line[at] != '"'; at++)
        if (line[at] == '\\')
            at++;
    return at < end ? at : SIZE_MAX;
}

static ImapScanEnd scan_quoted(ImapTree *tree, Cursor *cursor)
{
    size_t quote = find_quote(cursor->line, cursor->at, cursor->end);
    if (quote == SIZE_MAX)
        return problem(tree, IMAP_SCAN_BROKEN, "a quoted string has no end");
    add_text(tree, IMAP_STRING, cursor->at + 1, quote - cursor->at - 1);
    cursor->at = quote + 1;
    return IMAP_SCAN_END;
}

/* Whether a section may follow this atom ahead of a '[' (RFC 9051 section 6.4.5, RFC 3516). */
static bool has_section(const char *name, size_t length)
{
    static const char *const names[] = {"BODY", "BODY.PEEK", "BINARY", "BINARY.PEEK",
                                        "BINARY.SIZE"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        if (strlen(names[i]) == length && g_ascii_strncasecmp(name, names[i], length) == 0)
            return true;
    return false;
}

/* The ']' of the section that opens at `at`; SIZE_MAX: there is none. */
static size_t find_section_end(const char *line, size_t at, size_t end)
{
    for (at++; at < end && line[at] != ']'; at++) {
        if (line[at] == '"' && (at = find_quote(line, at, end)) == SIZE_MAX)
            return SIZE_MAX;
        if (line[at] == '\r')
            return SIZE_MAX;
    }
    return at < end ? at : SIZE_MAX;
}

static bool is_nil(const char *text, size_t length)
{
    return length == 3 && g_ascii_strncasecmp(text, "NIL", 3) == 0;
}

/* An atom that the segment's end cuts may be an atom and, without a space, a literal. */
static ImapScanEnd finish_atom(ImapTree *tree, Cursor *cursor, size_t start)
{
    ImapScanEnd result = IMAP_SCAN_END;
    size_t stop = cursor->at;

    if (stop == cursor->end && cursor->mode != IMAP_SCAN_CODE) {
        size_t brace = find_announcement(cursor->line, start, stop, &tree->literal_size);
        if (brace != SIZE_MAX && is_full(tree, 2))
            return problem(tree, IMAP_SCAN_REFUSED, too_many);
        if (brace != SIZE_MAX) {
            stop = brace > start && cursor->line[brace - 1] == '~' ? brace - 1 : brace;
            result = IMAP_SCAN_LITERAL;
        }
    }
    if (stop > start) {
        bool nil = is_nil(cursor->line + start, stop - start);
        add_text(tree, nil ? IMAP_NIL : IMAP_ATOM, start, nil ? 0 : stop - start);
    }
    return result;
}

static ImapScanEnd scan_atom(ImapTree *tree, Cursor *cursor)
{
    const char *line = cursor->line;
    size_t start = cursor->at, at = start;
    unsigned stops = ENDS_ATOM | (cursor->mode == IMAP_SCAN_FETCH ? SECTION : 0) |
                     (cursor->mode == IMAP_SCAN_CODE && tree->depth == 0 ? ENDS_CODE : 0);

    for (; at < cursor->end; at++) {
        unsigned stop = meaning[(uint8_t)line[at]] & stops;
        if (!stop)
            continue;
        if (stop != SECTION)
            break;
        if (!has_section(line + start, at - start))
            continue;
        size_t section_end = find_section_end(line, at, cursor->end);
        if (section_end == SIZE_MAX)
            return problem(tree, IMAP_SCAN_BROKEN, "a section has no end");
        at = section_end;
    }
    cursor->at = at;
    return finish_atom(tree, cursor, start);
}

/* --- lists --------------------------------------------------------------------------------- */

static ImapScanEnd open_list(ImapTree *tree, Cursor *cursor)
{
    if (tree->depth == IMAP_MAX_DEPTH)
        return problem(tree, IMAP_SCAN_REFUSED,
                       "more than " G_STRINGIFY(IMAP_MAX_DEPTH) " parentheses within each other");
    add_text(tree, IMAP_LIST, 0, 0);
    tree->starts[tree->depth++] = tree->open->len;
    cursor->at++;
    return IMAP_SCAN_END;
}

/* Moves the items of the innermost list to where they stay. */
static void end_list(ImapTree *tree)
{
    guint start = tree->starts[--tree->depth];
    guint n = tree->open->len - start;
    ImapValue *list = &g_array_index(tree->open, ImapValue, start - 1);

    list->offset = tree->closed->len;
    list->count = n;
    if (n) {
        g_array_append_vals(tree->closed, list + 1, n);
        g_array_set_size(tree->open, start);
    }
}

static ImapScanEnd close_list(ImapTree *tree, Cursor *cursor)
{
    if (tree->depth == 0)
        return problem(tree, IMAP_SCAN_BROKEN, "a parenthesis is closed that was not opened");
    end_list(tree);
    cursor->at++;
    return IMAP_SCAN_END;
}

/* --- the scan ------------------------------------------------------------------------------ */

static bool begins_literal(const Cursor *cursor)
{
    const char *text = cursor->line + cursor->at;
    return text[0] == '{' || (text[0] == '~' && cursor->at + 1 < cursor->end && text[1] == '{');
}

static ImapScanEnd scan_literal(ImapTree *tree, Cursor *cursor)
{
    size_t brace = cursor->at + (cursor->line[cursor->at] == '~');
    if (!read_announcement(cursor->line, brace, cursor->end, &tree->literal_size))
        return problem(tree, IMAP_SCAN_BROKEN, "a literal is not announced by its size");
    cursor->at = cursor->end;
    return IMAP_SCAN_LITERAL;
}

static ImapScanEnd scan_value(ImapTree *tree, Cursor *cursor)
{
    char c = cursor->line[cursor->at];

    if (c == ')')
        return close_list(tree, cursor);
    if (is_full(tree, 1))
        return problem(tree, IMAP_SCAN_REFUSED, too_many);
    if (c == '(')
        return open_list(tree, cursor);
    if (c == '"')
        return scan_quoted(tree, cursor);
    if (c == '\r')
        return problem(tree, IMAP_SCAN_BROKEN, "a carriage return within a line");
    if (cursor->mode != IMAP_SCAN_CODE && begins_literal(cursor))
        return scan_literal(tree, cursor);
    return scan_atom(tree, cursor);
}

static ImapScanEnd scan_values(ImapTree *tree, Cursor *cursor)
{
    while (cursor->at < cursor->end) {
        char c = cursor->line[cursor->at];
        if (c == ' ' || c == '\t') {
            cursor->at++;
            continue;
        }
        if (c == ']' && cursor->mode == IMAP_SCAN_CODE && tree->depth == 0) {
            cursor->at++;
            return IMAP_SCAN_BRACKET;
        }
        ImapScanEnd end = scan_value(tree, cursor);
        if (end != IMAP_SCAN_END)
            return end;
    }
    if (cursor->mode == IMAP_SCAN_CODE)
        return problem(tree, IMAP_SCAN_BROKEN, "a response code has no end");
    if (tree->depth)
        return problem(tree, IMAP_SCAN_BROKEN, "a parenthesis is not closed");
    return IMAP_SCAN_END;
}

ImapScanEnd imap_tree_scan(ImapTree *tree, const char *line, size_t *position, size_t end,
                           ImapScanMode mode)
{
    Cursor cursor = {line, *position, end, mode};

    /* Anything else here tells that the size was wrong, and the string perhaps cut. All segments
     * but the first are behind a literal. */
    if (tree->has_literal && cursor.at < end && !strchr(" \t)", line[cursor.at]))
        return problem(tree, IMAP_SCAN_REFUSED, "text right behind a literal");
    ImapScanEnd result = scan_values(tree, &cursor);
    *position = cursor.at;
    return result;
}

/* --- the whole ----------------------------------------------------------------------------- */

/* Takes out the backslash ahead of a quote or a backslash; others are taken for themselves. */
static size_t unescape(char *text, size_t length)
{
    char *to = memchr(text, '\\', length);
    if (!to)
        return length;
    const char *end = text + length;
    for (const char *from = to; from < end; from++) {
        if (*from == '\\' && from + 1 < end && (from[1] == '"' || from[1] == '\\'))
            from++;
        *to++ = *from;
    }
    return (size_t)(to - text);
}

static void resolve(const ImapTree *tree, char *line, ImapValue *value)
{
    /* A literal has its text already, NULL where it was thrown away. No quoted string looks so:
     * its text is never at offset 0, where the response begins. */
    bool is_literal = value->kind == IMAP_STRING && (value->literal || value->offset == 0);

    if (value->kind == IMAP_LIST) {
        value->items = value->count ? &g_array_index(tree->closed, ImapValue, value->offset) : NULL;
    } else if (value->kind == IMAP_NIL) {
        value->text = NULL;
    } else if (!is_literal) {
        char *text = line + value->offset;
        if (value->kind == IMAP_STRING)
            value->length = unescape(text, value->length);
        text[value->length] = 0;
        value->text = text;
    }
}

void imap_tree_finish(ImapTree *tree, char *line, ImapValue *list)
{
    while (tree->depth)
        end_list(tree);
    for (guint i = 0; i < tree->closed->len; i++)
        resolve(tree, line, &g_array_index(tree->closed, ImapValue, i));
    for (guint i = 0; i < tree->open->len; i++)
        resolve(tree, line, &g_array_index(tree->open, ImapValue, i));
    *list = (ImapValue){.kind = IMAP_LIST, .count = tree->open->len};
    list->items = tree->open->len ? &g_array_index(tree->open, ImapValue, 0) : NULL;
}
