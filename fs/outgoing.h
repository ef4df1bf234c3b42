/*
 * outgoing.h: what a user wrote, as the message that is stored: whether it is one at all, and with
 * CRLF at the end of each line (RFC 5322 section 2.1, RFC 9051 section 4.3).
 *
 * Files are read and written in pieces, however long they are. Any thread; waits for the disk.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int fd; /* owned; -1: none */
    uint64_t size;
    char *message_id; /* the field's content, "<…>"; NULL: it has none that can be looked for */
} Outgoing;

#define OUTGOING_NONE \
    {                 \
        .fd = -1      \
    }

/*
 * What is to be sent of the file fd, up to its end: itself, or, where it has lines that end with LF
 * alone, a private copy (see privatefile.h) in directory. EINVAL: it is no message, since it is
 * empty, has a NUL in it, or, unless any is set, does not begin with a header field; else what the
 * disk says.
 */
bool outgoing_make(int fd, bool any, const char *directory, Outgoing *outgoing, GError **error);
void outgoing_clear(Outgoing *outgoing);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Outgoing, outgoing_clear)
