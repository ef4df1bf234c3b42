/*
 * source.h: the bytes of a message that is sent, read in pieces while they leave: it is never in
 * memory as a whole.
 *
 * Engine thread. Shared by the operation that sends and the command that is being sent, which may
 * outlive it. Reading is from memory or a local file, and waits for nothing.
 */
#pragma once

#include "../cache/mail.h"
#include "net/stream.h"

typedef struct ImapSource ImapSource;

/* Of size bytes, from the file's beginning, whatever the descriptor's offset; it is duplicated.
 * NULL with the errno of dup. */
ImapSource *imap_source_new_file(int fd, uint64_t size, GError **error);
ImapSource *imap_source_new_bytes(GBytes *bytes); /* referenced */
ImapSource *imap_source_ref(ImapSource *source);
void imap_source_unref(ImapSource *source);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImapSource, imap_source_unref)

uint64_t imap_source_size(const ImapSource *source);
/* Whether any of it was read: it may be on the wire. */
bool imap_source_begun(const ImapSource *source);
/*
 * Reads what comes next, up to `room` bytes (not 0); 0 at the end. -1 where the file can't be read
 * or is shorter than was said (EIO), also when called again.
 */
gssize imap_source_read(ImapSource *source, uint8_t *bytes, size_t room);
/* Writes as much of it as the stream has room for (see stream_feed). True: that was the rest. */
bool imap_source_feed(ImapSource *source, Stream *stream);
/* Why reading failed, or NULL. */
const GError *imap_source_error(const ImapSource *source);
