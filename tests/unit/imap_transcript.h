/*
 * imap_transcript.h: what a parser made of some bytes, written down as text, so that tests can
 * compare it with what is expected, or with what it made of the same bytes in other pieces.
 *
 * A line per event:
 *   * 12 FETCH (UID 5 BODY[] "bytes" {7})     values; a literal that was thrown away is {n}
 *   * OK [UIDNEXT 4] |text                    code and text
 *   A1 NO |text    + |text
 *   literal FETCH 12 BODY[] 25 keep           the question what shall become of a literal
 *   ! the error's message                     the end
 * Bytes that are not printable are shown as \xNN.
 */
#pragma once

#include "../../imapclient/limits.h"
#include "../../imapclient/parse.h"

#include <errno.h>
#include <string.h>

typedef struct {
    GString *text;
    size_t responses;
    size_t stop_behind; /* feed returns behind this response; 0: never */
    uint64_t limit;     /* for literals of a FETCH; 0: IMAP_MAX_STRING stays */
    uint64_t discard;   /* literals of at least this size are thrown away; 0: none */
} Transcript;

static inline void transcript_bytes(GString *text, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (g_ascii_isprint(bytes[i]))
            g_string_append_c(text, bytes[i]);
        else
            g_string_append_printf(text, "\\x%02x", (uint8_t)bytes[i]);
    }
}

static inline void transcript_string(GString *text, const ImapValue *value)
{
    g_autoptr(GBytes) bytes = imap_value_bytes(value);
    const char *plain = imap_value_text(value);

    if (!bytes) {
        g_string_append_printf(text, "{%" G_GUINT64_FORMAT "}", (guint64)value->length);
        return;
    }
    g_assert_cmpuint(g_bytes_get_size(bytes), ==, value->length);
    if (plain)
        g_assert_cmpuint(strlen(plain), ==, value->length);
    else
        g_assert_nonnull(memchr(g_bytes_get_data(bytes, NULL), 0, value->length));
    g_string_append(text, value->kind == IMAP_STRING ? "\"" : "");
    transcript_bytes(text, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    g_string_append(text, value->kind == IMAP_STRING ? "\"" : "");
}

static inline void transcript_value(GString *text, const ImapValue *value);

static inline void transcript_items(GString *text, const ImapValue *list)
{
    for (size_t i = 0; i < imap_value_count(list); i++) {
        if (i)
            g_string_append_c(text, ' ');
        transcript_value(text, imap_value_item(list, i));
    }
}

static inline void transcript_value(GString *text, const ImapValue *value)
{
    switch (value->kind) {
    case IMAP_NIL:
        g_assert_null(imap_value_text(value));
        g_assert_true(imap_value_is(value, "nil"));
        g_string_append(text, "NIL");
        break;
    case IMAP_ATOM:
    case IMAP_STRING:
        transcript_string(text, value);
        break;
    case IMAP_LIST:
        g_assert_null(imap_value_item(value, imap_value_count(value)));
        g_string_append_c(text, '(');
        transcript_items(text, value);
        g_string_append_c(text, ')');
        break;
    }
}

static inline bool transcript_response(gpointer data, const ImapResponse *response)
{
    Transcript *transcript = data;
    GString *text = transcript->text;

    g_assert_nonnull(response->values);
    g_assert_null(strpbrk(response->text, "\r\n"));
    if (response->kind == IMAP_CONTINUATION)
        g_assert_cmpstr(response->name, ==, "");
    g_assert_true((response->kind == IMAP_TAGGED) == (response->tag != NULL));

    const char *start = response->kind == IMAP_CONTINUATION ? "+"
                        : response->kind == IMAP_UNTAGGED   ? "*"
                                                            : response->tag;
    transcript_bytes(text, start, strlen(start));
    if (response->number)
        g_string_append_printf(text, " %" G_GUINT64_FORMAT, (guint64)response->number);
    if (*response->name)
        g_string_append_c(text, ' ');
    transcript_bytes(text, response->name, strlen(response->name));
    if (imap_value_count(response->values))
        g_string_append_c(text, ' ');
    transcript_items(text, response->values);
    if (response->code) {
        g_assert_cmpint(imap_value_item(response->code, 0)->kind, ==, IMAP_ATOM);
        g_string_append(text, " [");
        transcript_items(text, response->code);
        g_string_append_c(text, ']');
    }
    if (*response->text)
        g_string_append(text, " |");
    transcript_bytes(text, response->text, strlen(response->text));
    g_string_append_c(text, '\n');
    return ++transcript->responses != transcript->stop_behind;
}

static inline ImapLiteralFate transcript_literal(gpointer data, uint64_t number, const char *name,
                                                 const char *item, uint64_t size, uint64_t *limit)
{
    Transcript *transcript = data;
    bool discard = transcript->discard && size >= transcript->discard;

    g_assert_cmpuint(*limit, ==, IMAP_MAX_STRING);
    if (transcript->limit && item)
        *limit = transcript->limit;
    g_string_append_printf(transcript->text, "literal %s %" G_GUINT64_FORMAT " ", name,
                           (guint64)number);
    transcript_bytes(transcript->text, item ? item : "-", strlen(item ? item : "-"));
    g_string_append_printf(transcript->text, " %" G_GUINT64_FORMAT " %s\n", (guint64)size,
                           discard ? "discard" : "keep");
    return discard ? IMAP_LITERAL_DISCARD : IMAP_LITERAL_KEEP;
}

static const ImapParserEvents transcript_events = {transcript_response, transcript_literal};

/*
 * Feeds a new parser. step: the bytes of each piece; 0: all at once. random (may be NULL): pieces
 * of up to `step` bytes. The caller frees the text.
 */
static inline char *transcript_run(Transcript *transcript, const void *bytes, size_t length,
                                   size_t step, GRand *random)
{
    g_autoptr(ImapParser) parser = imap_parser_new(&transcript_events, transcript);
    g_autoptr(GError) error = NULL;
    size_t at = 0, consumed = 0;

    transcript->text = g_string_new(NULL);
    transcript->responses = 0;
    while (at < length && !error) {
        size_t n = step ? step : length;
        if (random)
            n = (size_t)g_rand_int_range(random, 1, (gint32)step + 1);
        n = MIN(n, length - at);
        /* a copy of the very size lets the address sanitizer see a read beyond its end */
        g_autofree uint8_t *piece = g_memdup2((const uint8_t *)bytes + at, n);
        if (!imap_parser_feed(parser, piece, n, &consumed, &error))
            g_string_append_printf(transcript->text, "! %s\n", error->message);
        else if (consumed < n)
            g_assert_cmpuint(transcript->stop_behind, ==, transcript->responses);
        at += consumed;
    }
    if (error) {
        g_autoptr(GError) again = NULL;
        g_assert_true(error->domain == MAIL_ERROR && error->code == EPROTO);
        g_assert_false(imap_parser_feed(parser, (const uint8_t *)"+\n", 2, NULL, &again));
        g_assert_cmpstr(again->message, ==, error->message);
        g_assert_false(imap_parser_idle(parser));
    }
    return g_string_free(transcript->text, FALSE);
}
