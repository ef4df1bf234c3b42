/*
 * rawfetch: the least that a client can do to read a folder: what it takes is the limit that
 * pullmail is measured against.
 *
 *   rawfetch [-z] PORT USER PASSWORD all           fetches all messages of the INBOX, by one
 * command rawfetch [-z] PORT USER PASSWORD list          their flags, dates and sizes rawfetch PORT
 * USER PASSWORD one UID...         these messages, one after the other
 *
 * -z turns on COMPRESS=DEFLATE (RFC 4978). The server is 127.0.0.1, without TLS. It waits for
 * the greeting, for the login and for COMPRESS, and sends all else at once.
 *
 * Prints how many FETCH responses came and how many bytes (before they were compressed); "one"
 * prints for each message the milliseconds until the first byte of its text came.
 */
#include "rawclient.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

static bool compressed;
static z_stream inflater, deflater;
static unsigned char input[RAW_INPUT], inflated[RAW_INPUT];
static const unsigned char *next; /* what was received and is not yet consumed */
static size_t available;
static guint64 bytes, responses;
static gint64 first_literal; /* when the current command's first literal began, us; 0: not yet */

/* Gets more bytes, now that all were consumed. */
static void fill(void)
{
    if (!compressed) {
        available = raw_receive(input);
        next = input;
    }
    while (compressed && available == 0) {
        /* The output may have been full the last time: then there is more without new input. */
        if (inflater.avail_in == 0 && inflater.avail_out != 0) {
            inflater.avail_in = (uInt)raw_receive(input);
            inflater.next_in = input;
        }
        inflater.next_out = inflated;
        inflater.avail_out = sizeof inflated;
        int status = inflate(&inflater, Z_SYNC_FLUSH);
        if (status != Z_OK && status != Z_BUF_ERROR)
            raw_fail("what the server sends is not compressed");
        next = inflated;
        available = sizeof inflated - inflater.avail_out;
    }
    bytes += available;
}

static void skip_literal(guint64 length)
{
    while (length > 0) {
        if (available == 0)
            fill();
        if (!first_literal)
            first_literal = g_get_monotonic_time();
        size_t n = (size_t)MIN(length, available);
        next += n;
        available -= n;
        length -= n;
    }
}

/* Appends to a line until its LF, or what there is of it. */
static bool take_line(GString *line)
{
    const unsigned char *end = available ? memchr(next, '\n', available) : NULL;
    size_t length = end ? (size_t)(end - next) + 1 : available;

    g_string_append_len(line, (const char *)next, (gssize)length);
    next += length;
    available -= length;
    if (line->len > 65536)
        raw_fail("a line is too long");
    return end != NULL;
}

/* The length of the literal that a line ends with; false if it ends with none. */
static bool literal_length(const GString *line, guint64 *length)
{
    const char *brace = line->len > 3 && strcmp(line->str + line->len - 3, "}\r\n") == 0
                            ? strrchr(line->str, '{')
                            : NULL;

    *length = brace ? g_ascii_strtoull(brace + 1, NULL, 10) : 0;
    return brace != NULL;
}

/* Reads responses until a line that begins with this word, which it fails for if it isn't OK. */
static void read_until(const char *word)
{
    g_autoptr(GString) line = g_string_new(NULL);
    bool continued = false; /* the line goes on after a literal */
    guint64 length;

    for (;;) {
        g_string_truncate(line, 0);
        while (!take_line(line))
            fill();
        if (!continued && g_str_has_prefix(line->str, word)) {
            if (!g_str_has_prefix(line->str + strlen(word), " OK"))
                raw_fail(line->str);
            return;
        }
        responses += !continued && strstr(line->str, " FETCH (") != NULL;
        continued = literal_length(line, &length);
        skip_literal(length);
    }
}

static G_GNUC_PRINTF(1, 2) void command(const char *format, ...)
{
    unsigned char packed[4096];
    va_list arguments;

    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    if (!compressed) {
        raw_send(text, strlen(text));
        return;
    }
    deflater.next_in = (unsigned char *)text;
    deflater.avail_in = (uInt)strlen(text);
    deflater.next_out = packed;
    deflater.avail_out = sizeof packed;
    deflate(&deflater, Z_SYNC_FLUSH);
    raw_send(packed, sizeof packed - deflater.avail_out);
}

static void log_in(const char *user, const char *password, bool compress)
{
    read_until("*");
    command("a LOGIN \"%s\" \"%s\"\r\n", user, password);
    read_until("a");
    if (!compress)
        return;
    command("b COMPRESS DEFLATE\r\n");
    read_until("b");
    /* Without zlib's header, as the RFC says. */
    if (inflateInit2(&inflater, -MAX_WBITS) != Z_OK ||
        deflateInit2(&deflater, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, MAX_MEM_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        raw_fail("zlib");
    inflater.avail_out = sizeof inflated;
    compressed = true;
}

static void fetch_all(const char *items)
{
    command("c EXAMINE INBOX\r\nd UID FETCH 1:* (%s)\r\n", items);
    read_until("d");
    printf("%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n", responses, bytes);
}

static void fetch_one(char **uids)
{
    command("c EXAMINE INBOX\r\n");
    read_until("c");
    for (; *uids; uids++) {
        gint64 begin = g_get_monotonic_time();
        first_literal = 0;
        command("d UID FETCH %s (BODY.PEEK[])\r\n", *uids);
        read_until("d");
        if (!first_literal)
            raw_fail("there is no such message");
        printf("%.3f\n", (double)(first_literal - begin) / 1000);
    }
}

int main(int argc, char **argv)
{
    bool compress = argc > 1 && strcmp(argv[1], "-z") == 0;
    char **words = argv + 1 + compress;

    g_set_prgname("rawfetch");
    if (argc - compress < 5) {
        fputs("usage: rawfetch [-z] PORT USER PASSWORD all|list|one UID...\n", stderr);
        return 2;
    }
    raw_connect(words[0]);
    log_in(words[1], words[2], compress);
    if (strcmp(words[3], "all") == 0)
        fetch_all("UID BODY.PEEK[]");
    else if (strcmp(words[3], "list") == 0)
        fetch_all("UID FLAGS INTERNALDATE RFC822.SIZE");
    else if (strcmp(words[3], "one") == 0)
        fetch_one(words + 4);
    else
        raw_fail("there is no such task");
    command("e LOGOUT\r\n");
    raw_close();
    return 0;
}
