/*
 * cut.h: from the bytes of one message, as they come by, to the ranges of it that were asked for.
 *
 * Engine thread. Memory holds what is being gathered: at most POP3_PIECE of a section that is told
 * in pieces, `limit` of one that is told whole, and stretches as long as they were asked for.
 */
#pragma once

#include "../cache/mailstore.h"

typedef struct Pop3Cut Pop3Cut;

/* bytes is the callee's only until it returns. */
typedef void (*Pop3CutSink)(gpointer data, const MailRange *asked, GBytes *bytes);

/* ranges: borrowed. limit: see MailFetch. */
Pop3Cut *pop3_cut_new(const MailRange *ranges, size_t n, uint64_t limit, Pop3CutSink sink,
                      gpointer data);
void pop3_cut_free(Pop3Cut *cut); /* NULL is allowed */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Pop3Cut, pop3_cut_free)

/* The next bytes of the message: tells what is complete with them. */
void pop3_cut_take(Pop3Cut *cut, const uint8_t *bytes, size_t length);

/* The message is through: tells the rest. False where a section was longer than the limit (EFBIG);
 * the others were told. */
bool pop3_cut_end(Pop3Cut *cut, GError **error);
