#include "send_queue.h"
#include "secret.h"

#include <string.h>

enum {
    FIRST_CAPACITY = 4096,
    KEPT_CAPACITY = 256 * 1024, /* an empty queue gives back what is above */
};

/* Moves the live bytes to a new piece; realloc would leave a copy of them behind. */
static void resize(SendQueue *queue, size_t capacity)
{
    size_t length = send_queue_length(queue);
    uint8_t *bytes = g_malloc(capacity);
    if (length > 0)
        memcpy(bytes, send_queue_bytes(queue), length);
    if (queue->secret)
        secret_wipe(queue->bytes, queue->end);
    g_free(queue->bytes);
    queue->bytes = bytes;
    queue->start = 0;
    queue->end = length;
    queue->capacity = capacity;
}

static void make_room(SendQueue *queue, size_t length)
{
    size_t live = send_queue_length(queue);
    if (queue->capacity - queue->end >= length)
        return;
    if (length > G_MAXSIZE / 2 - live)
        g_error("a send queue of %zu bytes and %zu more is too long", live, length);
    resize(queue, MAX(MAX(FIRST_CAPACITY, 2 * live), live + length));
}

void send_queue_append(SendQueue *queue, const void *bytes, size_t length, bool secret)
{
    if (length == 0)
        return;
    make_room(queue, length);
    memcpy(queue->bytes + queue->end, bytes, length);
    queue->end += length;
    queue->secret = queue->secret || secret;
}

void send_queue_drop(SendQueue *queue, size_t length)
{
    g_assert(length <= send_queue_length(queue));
    if (queue->secret)
        secret_wipe(queue->bytes + queue->start, length);
    queue->start += length;
    if (queue->start < queue->end)
        return;
    if (queue->capacity > KEPT_CAPACITY) {
        send_queue_clear(queue);
        return;
    }
    queue->start = queue->end = 0;
    queue->secret = false;
}

void send_queue_clear(SendQueue *queue)
{
    if (queue->secret)
        secret_wipe(queue->bytes, queue->end);
    g_free(queue->bytes);
    *queue = (SendQueue){0};
}
