/*
 * parse.h: from the server's bytes to responses, incrementally and without any I/O.
 *
 * Feed it what arrived, in pieces of any size; it calls back for each whole response. Used on the
 * engine thread by conn. What breaks the grammar or a bound of limits.h is an error (EPROTO, with
 * a text that quotes a printable excerpt); the parser is dead then and the connection goes.
 */
#pragma once

#include "../cache/mail.h"
#include "value.h"

typedef enum {
    IMAP_UNTAGGED,     /* "* …" */
    IMAP_CONTINUATION, /* "+ …" */
    IMAP_TAGGED,       /* "<tag> …" */
} ImapResponseKind;

/*
 * A whole response. For OK, NO, BAD, PREAUTH and BYE (name): code is the content of "[…]" as a
 * list whose first item is the code's atom (NULL where there is none, or none that can be
 * understood: text has it then), text is the rest of the line. For "+": text is the rest of the
 * line. For all other responses: number is the number ahead of the name ("* 12 FETCH": 12; 0 where
 * there is none), values is the list of what follows the name. Tagged responses are OK, NO or BAD.
 * FETCH, EXISTS, EXPUNGE and RECENT have a number. An unknown response that breaks the grammar
 * has the values ahead of the break. Text and names may hold any byte but NUL, CR and LF; texts are
 * not to be trusted.
 */
typedef struct {
    ImapResponseKind kind;
    const char *tag;  /* IMAP_TAGGED only */
    const char *name; /* upper case: "OK", "FETCH", "CAPABILITY"; "" for IMAP_CONTINUATION */
    uint64_t number;
    const ImapValue *values; /* a list, maybe empty; never NULL */
    const ImapValue *code;
    const char *text; /* never NULL */
} ImapResponse;

/* What shall become of a literal. */
typedef enum {
    IMAP_LITERAL_KEEP,    /* becomes a string value, as far as limit allows: longer is an error */
    IMAP_LITERAL_DISCARD, /* is passed over; becomes a string value without text */
} ImapLiteralFate;

typedef struct {
    /* A response is whole. It is the parser's, and valid only during the call. Returning false
     * makes imap_parser_feed return at once, with what follows the response not consumed. */
    bool (*response)(gpointer data, const ImapResponse *response);
    /*
     * A literal of `size` bytes (UINT64_MAX: or more) begins inside "* number name": item is the
     * atom ahead of it (in a FETCH the section, e.g. "BODY[TEXT]<0>"; else NULL). Decides its fate,
     * and for KEEP the most bytes that are acceptable (*limit, IMAP_MAX_STRING to begin with).
     * All that is kept of a response may come to IMAP_MAX_KEPT, or to the last limit where that is
     * more. Memory grows with what really arrives, not with `size`. NULL: all are kept.
     */
    ImapLiteralFate (*literal)(gpointer data, uint64_t number, const char *name, const char *item,
                               uint64_t size, uint64_t *limit);
} ImapParserEvents;

typedef struct ImapParser ImapParser;

ImapParser *imap_parser_new(const ImapParserEvents *events, gpointer data);
void imap_parser_free(ImapParser *parser);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImapParser, imap_parser_free)

/*
 * Takes the bytes. A callback must not call the parser, nor free it. *consumed (which may be NULL)
 * is how many were taken: all, unless a callback returned false. False: the stream is broken
 * (EPROTO), also when called again.
 */
bool imap_parser_feed(ImapParser *parser, const uint8_t *bytes, size_t length, size_t *consumed,
                      GError **error);

/* Whether it is between two responses: a connection that ends now was not cut in the middle. */
bool imap_parser_idle(const ImapParser *parser);
