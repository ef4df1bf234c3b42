#include "cut.h"

#include "header.h"
#include "limits.h"

#include <errno.h>

/*
 * bytes: what was gathered of a range and not told yet; it begins at `offset` of the section where
 * that is told in pieces. done: the range was told, or can't be.
 */
typedef struct {
    MailRange range;
    GByteArray *bytes;
    uint64_t offset;
    bool done;
    bool too_long;
} Part;

/* length[s]: bytes of section s that came by. */
struct Pop3Cut {
    Pop3CutSink sink;
    gpointer data;
    uint64_t limit; /* 0: whole sections are told in pieces */
    HeaderScan scan;
    uint64_t length[MAIL_SECTION_BODY + 1];
    size_t n;
    Part parts[];
};

Pop3Cut *pop3_cut_new(const MailRange *ranges, size_t n, uint64_t limit, Pop3CutSink sink,
                      gpointer data)
{
    Pop3Cut *cut = g_malloc0(sizeof *cut + n * sizeof *cut->parts);

    cut->sink = sink;
    cut->data = data;
    cut->limit = limit;
    cut->n = n;
    for (size_t i = 0; i < n; i++) {
        cut->parts[i].range = ranges[i];
        cut->parts[i].bytes = g_byte_array_new();
    }
    return cut;
}

void pop3_cut_free(Pop3Cut *cut)
{
    if (!cut)
        return;
    for (size_t i = 0; i < cut->n; i++)
        g_byte_array_unref(cut->parts[i].bytes);
    g_free(cut);
}

/* Tells what was gathered, and gathers anew. */
static void tell(Pop3Cut *cut, Part *part, const MailRange *asked)
{
    g_autoptr(GBytes) bytes = g_byte_array_free_to_bytes(part->bytes);

    part->bytes = g_byte_array_new();
    cut->sink(cut->data, asked, bytes);
}

/* --- sections that are told in pieces, or whole ------------------------------------------------
 */

static void tell_piece(Pop3Cut *cut, Part *part)
{
    MailRange piece = {part->range.section, part->offset, part->bytes->len};

    part->offset += piece.length;
    tell(cut, part, &piece);
}

static void gather_pieces(Pop3Cut *cut, Part *part, const uint8_t *bytes, size_t length)
{
    while (length > 0) {
        size_t n = MIN(length, POP3_PIECE - part->bytes->len);
        g_byte_array_append(part->bytes, bytes, (guint)n);
        bytes += n;
        length -= n;
        if (part->bytes->len == POP3_PIECE)
            tell_piece(cut, part);
    }
}

static void end_pieces(Pop3Cut *cut, Part *part)
{
    if (part->bytes->len)
        tell_piece(cut, part);
    tell_piece(cut, part); /* of no bytes: the end */
}

static void gather_whole(const Pop3Cut *cut, Part *part, const uint8_t *bytes, size_t length)
{
    if (length > cut->limit - part->bytes->len) {
        part->too_long = part->done = true;
        g_byte_array_set_size(part->bytes, 0);
    } else {
        g_byte_array_append(part->bytes, bytes, (guint)length);
    }
}

/* --- stretches ---------------------------------------------------------------------------------
 */

/* at: where the bytes begin in the section. */
static void gather_stretch(Pop3Cut *cut, Part *part, uint64_t at, const uint8_t *bytes,
                           size_t length)
{
    const MailRange *range = &part->range;
    uint64_t skip = range->offset > at ? range->offset - at : 0;
    size_t n;

    if (skip >= length)
        return;
    n = MIN(length - (size_t)skip, range->length - part->bytes->len);
    g_byte_array_append(part->bytes, bytes + skip, (guint)n);
    if (part->bytes->len == range->length) {
        part->done = true;
        tell(cut, part, range);
    }
}

/* --- the message -------------------------------------------------------------------------------
 */

static void gather(Pop3Cut *cut, MailSection section, const uint8_t *bytes, size_t length)
{
    if (length == 0)
        return;
    for (size_t i = 0; i < cut->n; i++) {
        Part *part = &cut->parts[i];
        if (part->done || part->range.section != section)
            continue;
        if (part->range.length)
            gather_stretch(cut, part, cut->length[section], bytes, length);
        else if (cut->limit)
            gather_whole(cut, part, bytes, length);
        else
            gather_pieces(cut, part, bytes, length);
    }
    cut->length[section] += length;
}

static void end_section(Pop3Cut *cut, MailSection section)
{
    for (size_t i = 0; i < cut->n; i++) {
        Part *part = &cut->parts[i];
        if (part->done || part->range.section != section)
            continue;
        part->done = true;
        if (part->range.length || cut->limit)
            tell(cut, part, &part->range);
        else
            end_pieces(cut, part);
    }
}

void pop3_cut_take(Pop3Cut *cut, const uint8_t *bytes, size_t length)
{
    bool in_header = !cut->scan.ended;
    size_t n = in_header ? header_scan(&cut->scan, bytes, length) : 0;

    gather(cut, MAIL_SECTION_BODY, bytes, length);
    gather(cut, MAIL_SECTION_HEADER, bytes, n);
    if (in_header && cut->scan.ended)
        end_section(cut, MAIL_SECTION_HEADER);
    gather(cut, MAIL_SECTION_TEXT, bytes + n, length - n);
}

bool pop3_cut_end(Pop3Cut *cut, GError **error)
{
    end_section(cut, MAIL_SECTION_HEADER);
    end_section(cut, MAIL_SECTION_TEXT);
    end_section(cut, MAIL_SECTION_BODY);
    for (size_t i = 0; i < cut->n; i++) {
        if (cut->parts[i].too_long) {
            g_set_error_literal(error, MAIL_ERROR, EFBIG, "the message is longer than asked for");
            return false;
        }
    }
    return true;
}
