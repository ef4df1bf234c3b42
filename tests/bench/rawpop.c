/*
 * rawpop: the least that a client can do to read a POP3 maildrop: what it takes is the limit that
 * pullmail is measured against.
 *
 *   rawpop PORT USER PASSWORD
 *
 * The server is 127.0.0.1, without TLS. It waits for the greeting, for the login and for STAT,
 * sends a RETR for each message and QUIT, all at once, and reads what comes: more can't be
 * outstanding.
 *
 * Prints how many messages came and how many bytes of them.
 */
#include "rawclient.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* How an answer of several lines ends: lines of a message that begin with a dot have two (RFC 1939
 * section 3). Its first line ends in the same way as all others. */
static const char terminator[] = "\r\n.\r\n";

/* The answer to the only command that is under way; the caller frees. */
static char *ask(const char *command)
{
    unsigned char input[RAW_INPUT];
    GString *line = g_string_new(NULL);

    raw_send(command, strlen(command));
    do {
        size_t n = raw_receive(input);
        g_string_append_len(line, (const char *)input, (gssize)n);
    } while (!strchr(line->str, '\n'));
    if (!g_str_has_prefix(line->str, "+OK"))
        raw_fail(line->str);
    return g_string_free(line, FALSE);
}

static void say(const char *verb, const char *word)
{
    g_autofree char *command = g_strdup_printf("%s %s\r\n", verb, word);

    g_free(ask(command));
}

static unsigned count_messages(void)
{
    g_autofree char *answer = ask("STAT\r\n");

    return (unsigned)g_ascii_strtoull(answer + strlen("+OK"), NULL, 10);
}

/* The answer to QUIT begins behind the last message; it is not waited for. */
static guint64 read_messages(unsigned count)
{
    static unsigned char input[RAW_INPUT];
    guint64 bytes = 0;
    size_t matched = 0;
    bool begins = true;

    while (count > 0) {
        size_t n = raw_receive(input);
        bytes += n;
        for (size_t i = 0; i < n && count > 0; i++) {
            if (begins && input[i] != '+')
                raw_fail("a message was refused");
            begins = false;
            /* No shorter end of what matched is a beginning again, but for the CR. */
            matched = (char)input[i] == terminator[matched] ? matched + 1 : input[i] == '\r';
            if (matched == strlen(terminator)) {
                begins = true;
                matched = 0;
                count--;
            }
        }
    }
    return bytes;
}

int main(int argc, char **argv)
{
    g_autoptr(GString) commands = g_string_new(NULL);
    unsigned count;
    guint64 bytes;

    g_set_prgname("rawpop");
    if (argc != 4) {
        fputs("usage: rawpop PORT USER PASSWORD\n", stderr);
        return 2;
    }
    raw_connect(argv[1]);
    g_free(ask(""));
    say("USER", argv[2]);
    say("PASS", argv[3]);
    count = count_messages();
    for (unsigned number = 1; number <= count; number++)
        g_string_append_printf(commands, "RETR %u\r\n", number);
    g_string_append(commands, "QUIT\r\n");
    raw_send(commands->str, commands->len);
    bytes = read_messages(count);
    printf("%u %" G_GUINT64_FORMAT "\n", count, bytes);
    raw_close();
    return 0;
}
