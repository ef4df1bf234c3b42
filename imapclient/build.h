/*
 * build.h: commands as bytes: quoting, literals, sequence sets (RFC 9051 section 9, RFC 7888).
 *
 * A command is a sequence of pieces; where a synchronizing literal is needed the sender stops
 * after a piece until the server's "+". A piece may be the content of a source. Sans-I/O, engine
 * thread.
 */
#pragma once

#include "source.h"

typedef enum {
    IMAP_LITERAL_SYNC,  /* {n}: wait for "+" */
    IMAP_LITERAL_MINUS, /* LITERAL-: {n+} up to 4096 bytes */
    IMAP_LITERAL_PLUS,  /* LITERAL+: {n+} */
} ImapLiteralMode;

typedef struct ImapCommand ImapCommand;

/* text: the verb, e.g. "UID FETCH"; no tag, no CRLF: these are conn's. */
ImapCommand *imap_command_new(const char *text);
void imap_command_free(ImapCommand *command); /* wipes */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImapCommand, imap_command_free)

/* Appends a space and the text as it is (trusted: never a server's or user's string). */
void imap_command_raw(ImapCommand *command, const char *text);
void imap_command_rawf(ImapCommand *command, const char *format, ...) G_GNUC_PRINTF(2, 3);
/*
 * Appends a space and a string in the simplest form that carries it: atom, quoted (also 8-bit
 * where utf8), or literal. NULL and what is longer than IMAP_MAX_STRING can't be sent: false with
 * EINVAL.
 */
bool imap_command_astring(ImapCommand *command, const char *string, bool utf8, ImapLiteralMode mode,
                          GError **error);
/* As astring, but the bytes are not shown in a protocol log. */
bool imap_command_secret(ImapCommand *command, const char *string, ImapLiteralMode mode,
                         GError **error);
/* As raw, but not shown in a log: for the initial response of SASL (RFC 4959). */
void imap_command_secret_raw(ImapCommand *command, const char *text);
/* How many of ascending UIDs, from the first on, a set of so many bytes has room for. */
size_t imap_command_fitting(const uint32_t *uids, size_t n, size_t bytes);
/* Appends a space and a sequence set: "1:3,7", from ascending UIDs. Nothing where n is 0. */
void imap_command_uids(ImapCommand *command, const uint32_t *uids, size_t n);

/* Appends a space and a date-time, in UTC; nothing where its year has not four digits. */
void imap_command_date(ImapCommand *command, int64_t seconds);
/* Appends a space and a literal with all that the source (referenced) has. */
void imap_command_source(ImapCommand *command, ImapSource *source, ImapLiteralMode mode);

/*
 * The pieces, in order, once the command is complete: nothing is appended any more. Where
 * imap_command_waits, the sender waits for a continuation behind the piece, which ends with the
 * CRLF of its literal. A piece that is a source (else NULL; it is the command's) is sent as it is;
 * of others the caller unrefs the piece; its memory is wiped with the last reference. *secret:
 * whether it holds a secret. *log (not NULL): the piece as a log may show it, in printable ASCII;
 * it is the command's. Both may be NULL.
 */
bool imap_command_waits(const ImapCommand *command, size_t i);
ImapSource *imap_command_source_at(const ImapCommand *command, size_t i);
size_t imap_command_pieces(const ImapCommand *command);
GBytes *imap_command_piece(const ImapCommand *command, size_t i, bool *secret, const char **log);
