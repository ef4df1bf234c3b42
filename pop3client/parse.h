/*
 * parse.h: from the server's bytes to replies, incrementally and without any I/O (RFC 1939
 * section 3).
 *
 * Feed it what arrived, in pieces of any size. Used on the engine thread by conn. A line beyond
 * POP3_MAX_LINE or a reply that is none is an error (EPROTO, with a printable excerpt); the parser
 * is dead then and the connection goes. Content of messages may have lines of any length, and any
 * bytes: it is passed on as it comes, and nothing of it is kept.
 */
#pragma once

#include "../cache/mail.h"

typedef enum {
    POP3_OK,
    POP3_ERR,
    POP3_CONTINUE, /* "+ …": the server asks for more (RFC 5034) */
} Pop3Kind;

/* A reply's first line. The strings may hold any byte but NUL, CR and LF, and are not to be
 * trusted. */
typedef struct {
    Pop3Kind kind;
    const char *code; /* the extended response code (RFC 2449 section 8), upper case; "" for none */
    const char *text; /* behind it; for "+" the rest of the line */
} Pop3Reply;

/* What comes behind a reply's first line. */
typedef enum {
    POP3_NOTHING,
    POP3_LINES,   /* lines up to the "." */
    POP3_CONTENT, /* a message, or its beginning, up to the "." */
    POP3_STOP,    /* nothing is to be read any more: feed returns */
} Pop3Follows;

typedef struct {
    /* The first line of a reply, valid during the call. */
    Pop3Follows (*reply)(gpointer data, const Pop3Reply *reply);
    /* A line without its end and its dot-stuffing; NUL-terminated too. */
    void (*line)(gpointer data, const char *line, size_t length);
    /* Bytes of content, without dot-stuffing; each of its lines has its own end. Not empty. */
    void (*content)(gpointer data, const uint8_t *bytes, size_t length);
    /* The "." came: all of the lines, or of the content, were told. */
    void (*end)(gpointer data);
} Pop3ParserEvents;

typedef struct Pop3Parser Pop3Parser;

Pop3Parser *pop3_parser_new(const Pop3ParserEvents *events, gpointer data);
void pop3_parser_free(Pop3Parser *parser);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Pop3Parser, pop3_parser_free)

/*
 * Takes the bytes. A callback must not call the parser, nor free it. *consumed (which may be NULL)
 * is how many were taken: all, unless a callback said POP3_STOP. False: the stream is broken
 * (EPROTO), also when called again.
 */
bool pop3_parser_feed(Pop3Parser *parser, const uint8_t *bytes, size_t length, size_t *consumed,
                      GError **error);
