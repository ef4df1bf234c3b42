/*
 * send_queue.h: the bytes that a stream has yet to send, in one piece, so that they leave in as
 * few packets as they fit. Belongs to stream.c and lives on its thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Zeroed: empty. The live bytes are [start, end); while secret is set, all others are wiped. */
typedef struct {
    uint8_t *bytes;
    size_t start;
    size_t end;
    size_t capacity;
    bool secret;
} SendQueue;

static inline size_t send_queue_length(const SendQueue *queue)
{
    return queue->end - queue->start;
}

static inline const uint8_t *send_queue_bytes(const SendQueue *queue)
{
    return queue->bytes + queue->start;
}

/* Copies. secret: no copy of them is left once they have been dropped. */
void send_queue_append(SendQueue *queue, const void *bytes, size_t length, bool secret);
/* Forgets the first length bytes, which have left. */
void send_queue_drop(SendQueue *queue, size_t length);
void send_queue_clear(SendQueue *queue);
