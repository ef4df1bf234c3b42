/*
 * rawappend: the least that a client can do to put messages into a folder: what it takes is the
 * limit that pullmail is measured against.
 *
 *   rawappend PORT USER PASSWORD FOLDER FILE...
 *
 * The server is 127.0.0.1, without TLS, and knows LITERAL+ (RFC 7888). It waits for the greeting
 * and for the login, sends an APPEND for each file and LOGOUT, all at once, and reads what comes.
 *
 * Prints how many messages were stored and how many bytes of them were sent.
 */
#include "rawclient.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static GString *received; /* what has come and was not yet consumed */

/* The next line without its end; the caller frees. */
static char *take_line(void)
{
    unsigned char input[RAW_INPUT];
    const char *end;

    while (!(end = strstr(received->str, "\r\n"))) {
        size_t n = raw_receive(input);
        g_string_append_len(received, (const char *)input, (gssize)n);
    }
    char *line = g_strndup(received->str, (gsize)(end - received->str));
    g_string_erase(received, 0, end - received->str + 2);
    return line;
}

/* Reads to the answer of a command with this tag ("*": the next line), which must be OK. */
static void expect_ok(const char *tag)
{
    for (;;) {
        g_autofree char *line = take_line();
        if (!g_str_has_prefix(line, tag) || line[strlen(tag)] != ' ')
            continue;
        if (!g_str_has_prefix(line + strlen(tag), " OK"))
            raw_fail(line);
        return;
    }
}

static guint64 send_file(const char *folder, const char *path)
{
    g_autofree char *text = NULL;
    g_autofree char *command = NULL;
    gsize length;

    if (!g_file_get_contents(path, &text, &length, NULL))
        raw_fail(path);
    command = g_strdup_printf("b APPEND \"%s\" {%" G_GSIZE_FORMAT "+}\r\n", folder, length);
    raw_send(command, strlen(command));
    raw_send(text, length);
    raw_send("\r\n", 2);
    return length;
}

int main(int argc, char **argv)
{
    guint64 bytes = 0;

    g_set_prgname("rawappend");
    if (argc < 6) {
        fputs("usage: rawappend PORT USER PASSWORD FOLDER FILE...\n", stderr);
        return 2;
    }
    received = g_string_new(NULL);
    raw_connect(argv[1]);
    expect_ok("*");
    g_autofree char *login = g_strdup_printf("a LOGIN \"%s\" \"%s\"\r\n", argv[2], argv[3]);
    raw_send(login, strlen(login));
    expect_ok("a");
    for (int i = 5; i < argc; i++)
        bytes += send_file(argv[4], argv[i]);
    raw_send("c LOGOUT\r\n", strlen("c LOGOUT\r\n"));
    for (int i = 5; i < argc; i++)
        expect_ok("b");
    printf("%d %" G_GUINT64_FORMAT "\n", argc - 5, bytes);
    raw_close();
    g_string_free(received, TRUE);
    return 0;
}
