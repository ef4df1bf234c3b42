/*
 * imap_response.h: for tests of what looks at responses: lets the parser make some from text.
 */
#pragma once

#include "../../imapclient/parse.h"

#include <string.h>

typedef struct {
    void (*look)(gpointer data, const ImapResponse *response);
    gpointer data;
    unsigned n;
} Onlooker;

static inline bool onlooker_response(gpointer data, const ImapResponse *response)
{
    Onlooker *onlooker = data;

    onlooker->look(onlooker->data, response);
    onlooker->n++;
    return true;
}

/* Calls look for each response in text, whose lines end with LF or CRLF; how many there were. */
static inline unsigned with_responses(const char *text,
                                      void (*look)(gpointer data, const ImapResponse *response),
                                      gpointer data)
{
    static const ImapParserEvents events = {.response = onlooker_response};
    Onlooker onlooker = {look, data, 0};
    g_autoptr(ImapParser) parser = imap_parser_new(&events, &onlooker);
    g_autoptr(GError) error = NULL;

    if (!imap_parser_feed(parser, (const uint8_t *)text, strlen(text), NULL, &error))
        g_assert_no_error(error);
    g_assert_true(imap_parser_idle(parser));
    return onlooker.n;
}
