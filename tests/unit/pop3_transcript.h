/*
 * pop3_transcript.h: what the POP3 parser calls back with, as text, for its test and its fuzzer:
 * however the bytes are cut into pieces, the text must be the same.
 */
#pragma once

#include "../../pop3client/parse.h"

#include <string.h>

/* The n-th reply that is +OK is followed by what the n-th letter says: 'n'othing, 'l'ines,
 * 'c'ontent, or 's'top; over and over. */
typedef struct {
    const char *follows;
    GString *log;
    size_t n;
    bool in_content;
    uint64_t content;
} Pop3Transcript;

static inline void transcript_bytes(Pop3Transcript *transcript, const void *bytes, size_t length)
{
    const uint8_t *byte = bytes;

    for (size_t i = 0; i < length; i++)
        g_string_append_printf(transcript->log, g_ascii_isprint(byte[i]) ? "%c" : "\\%02x",
                               byte[i]);
}

static inline Pop3Follows transcript_reply(gpointer data, const Pop3Reply *reply)
{
    static const char *const kinds[] = {"OK", "ERR", "CONTINUE"};
    Pop3Transcript *transcript = data;

    g_string_append_printf(transcript->log, "%s [", kinds[reply->kind]);
    transcript_bytes(transcript, reply->code, strlen(reply->code));
    g_string_append(transcript->log, "] ");
    transcript_bytes(transcript, reply->text, strlen(reply->text));
    g_string_append_c(transcript->log, '\n');
    if (reply->kind != POP3_OK)
        return POP3_NOTHING;
    switch (transcript->follows[transcript->n++ % strlen(transcript->follows)]) {
    case 'l':
        return POP3_LINES;
    case 'c':
        return POP3_CONTENT;
    case 's':
        return POP3_STOP;
    default:
        return POP3_NOTHING;
    }
}

static inline void transcript_line(gpointer data, const char *line, size_t length)
{
    Pop3Transcript *transcript = data;

    g_assert_true(line[length] == '\0');
    g_string_append(transcript->log, "line ");
    transcript_bytes(transcript, line, length);
    g_string_append_c(transcript->log, '\n');
}

static inline void transcript_content(gpointer data, const uint8_t *bytes, size_t length)
{
    Pop3Transcript *transcript = data;

    g_assert_true(length > 0);
    transcript->content += length;
    transcript_bytes(transcript, bytes, length);
}

static inline void transcript_end(gpointer data)
{
    Pop3Transcript *transcript = data;

    g_string_append(transcript->log, ".\n");
}

/* Feeds pieces of `piece` bytes (0: all at once), or of random lengths up to that. What follows a
 * stop is not fed. The caller frees. */
static inline char *transcript_run(const char *follows, const void *bytes, size_t length,
                                   size_t piece, GRand *random)
{
    static const Pop3ParserEvents events = {transcript_reply, transcript_line, transcript_content,
                                            transcript_end};
    Pop3Transcript transcript = {.follows = follows, .log = g_string_new(NULL)};
    g_autoptr(Pop3Parser) parser = pop3_parser_new(&events, &transcript);
    size_t done = 0, consumed = 0;

    while (done < length) {
        size_t n = piece ? piece : length;
        g_autoptr(GError) error = NULL;
        if (random)
            n = (size_t)g_rand_int_range(random, 1, (gint32)piece + 1);
        n = MIN(n, length - done);
        if (!pop3_parser_feed(parser, (const uint8_t *)bytes + done, n, &consumed, &error)) {
            g_assert_cmpint(mail_errno(error), ==, EPROTO);
            g_string_append_printf(transcript.log, "error %s\n", error->message);
            break;
        }
        g_assert_true(consumed <= n);
        done += consumed;
        if (consumed < n ||
            (transcript.n && follows[(transcript.n - 1) % strlen(follows)] == 's')) {
            g_string_append_printf(transcript.log, "stopped at %zu\n", done);
            break;
        }
    }
    return g_string_free(transcript.log, FALSE);
}
