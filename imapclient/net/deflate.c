#include "deflate.h"

#include "../../cache/mail.h"
#include "secret.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

enum {
    STEP = 4096, /* of compressed output; commands are short */
    /* Commands profit little from much memory: this is 32 KiB, the default 256 KiB. */
    SENT_WINDOW_BITS = 12,
    SENT_MEMORY_LEVEL = 5,
};

/* received.next_in and avail_in are what was put into `input` and is not used yet. */
struct Deflate {
    z_stream received, sent;
    bool at_end; /* the server has ended its stream */
    uint8_t input[DEFLATE_ROOM];
};

/* As GLib: out of memory is the end of the program. */
static voidpf allocate(voidpf opaque, uInt items, uInt size)
{
    (void)opaque;
    return g_malloc_n(items, size);
}

static void release(voidpf opaque, voidpf memory)
{
    (void)opaque;
    g_free(memory);
}

Deflate *deflate_new(void)
{
    Deflate *layer = g_malloc(sizeof *layer);

    layer->at_end = false;
    layer->received = layer->sent = (z_stream){.zalloc = allocate, .zfree = release};
    layer->received.next_in = layer->input;
    if (inflateInit2(&layer->received, -MAX_WBITS) != Z_OK ||
        deflateInit2(&layer->sent, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -SENT_WINDOW_BITS,
                     SENT_MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
        g_error("zlib %s is not the one that this program was made for", zlibVersion());
    return layer;
}

void deflate_free(Deflate *layer)
{
    if (!layer)
        return;
    inflateEnd(&layer->received);
    deflateEnd(&layer->sent);
    g_free(layer);
}

uint8_t *deflate_room(Deflate *layer, size_t *size)
{
    z_stream *received = &layer->received;

    if (received->avail_in > 0)
        memmove(layer->input, received->next_in, received->avail_in);
    received->next_in = layer->input;
    *size = DEFLATE_ROOM - received->avail_in;
    return layer->input + received->avail_in;
}

void deflate_put(Deflate *layer, size_t length)
{
    layer->received.avail_in += (uInt)length;
}

static bool refuse(GError **error, const char *why)
{
    g_set_error(error, MAIL_ERROR, EPROTO, "the server's compression is broken: %s", why);
    return false;
}

static bool check_end(const Deflate *layer, GError **error)
{
    return layer->received.avail_in == 0 || refuse(error, "more comes behind its end");
}

bool deflate_read(Deflate *layer, uint8_t *bytes, size_t size, size_t *length, GError **error)
{
    z_stream *received = &layer->received;
    int result;

    *length = 0;
    if (layer->at_end)
        return check_end(layer, error);
    received->next_out = bytes;
    received->avail_out = (uInt)MIN(size, G_MAXUINT32);
    result = inflate(received, Z_SYNC_FLUSH);
    *length = (size_t)(received->next_out - bytes);
    switch (result) {
    case Z_STREAM_END:
        layer->at_end = true;
        return check_end(layer, error);
    case Z_OK:
    case Z_BUF_ERROR: /* nothing to do: it needs more */
        return true;
    default:
        return refuse(error, received->msg ? received->msg : "it needs a dictionary");
    }
}

void deflate_write(Deflate *layer, const uint8_t *bytes, size_t length, SendQueue *queue,
                   bool secret)
{
    z_stream *sent = &layer->sent;
    uint8_t step[STEP];

    sent->next_in = (Bytef *)bytes;
    sent->avail_in = 0;
    do {
        if (sent->avail_in == 0) {
            sent->avail_in = (uInt)MIN(length, G_MAXUINT32);
            length -= sent->avail_in;
        }
        sent->next_out = step;
        sent->avail_out = sizeof step;
        deflate(sent, length ? Z_NO_FLUSH : Z_SYNC_FLUSH);
        send_queue_append(queue, step, sizeof step - sent->avail_out, secret);
        /* A flush is complete where it leaves room (zlib.h). */
    } while (length > 0 || sent->avail_in > 0 || sent->avail_out == 0);
    if (secret)
        secret_wipe(step, sizeof step);
}
