/*
 * deflate.h: both directions of a connection under COMPRESS=DEFLATE (RFC 4978): raw deflate
 * (RFC 1951) without header and checksum. Belongs to stream.c and lives on its thread; no I/O.
 *
 * Memory is the same whatever the server sends: what it compresses well comes out in steps.
 */
#pragma once

#include "send_queue.h"

typedef struct Deflate Deflate;

Deflate *deflate_new(void);
void deflate_free(Deflate *layer); /* NULL is allowed */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Deflate, deflate_free)

/*
 * Where compressed bytes from the server can be put, and how many, at least DEFLATE_ROOM once
 * deflate_read came to an end; then says how many were put there.
 */
#define DEFLATE_ROOM (64 * 1024)
uint8_t *deflate_room(Deflate *layer, size_t *size);
void deflate_put(Deflate *layer, size_t length);

/*
 * Uncompresses up to size bytes of what was put. *length less than size: all that was put is used.
 * False with EPROTO for what is no deflate stream, or goes on behind its end; *length bytes came
 * before that.
 */
bool deflate_read(Deflate *layer, uint8_t *bytes, size_t size, size_t *length, GError **error);

/* Compresses and appends to the queue, in such a way that the server can read all of it. */
void deflate_write(Deflate *layer, const uint8_t *bytes, size_t length, SendQueue *queue,
                   bool secret);
