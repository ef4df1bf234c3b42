/*
 * fuzz_deflate.c: whatever a server calls compressed, uncompressing it survives, never hands on
 * more than there is room for, and makes the same of it in any pieces. And what is compressed here
 * comes out the same. The first byte chooses the pieces.
 */
#include "../../imapclient/net/deflate.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ENOUGH = 1 << 20 /* of what a bomb makes */ };

/* What comes out, up to ENOUGH; *broken: and then an error. */
static GByteArray *uncompressed(const uint8_t *data, size_t size, size_t put_at_once,
                                size_t read_at_once, bool *broken)
{
    g_autoptr(Deflate) layer = deflate_new();
    static uint8_t piece[DEFLATE_ROOM];
    GByteArray *out = g_byte_array_new();
    size_t room, length;

    *broken = false;
    for (size_t at = 0; at < size && !*broken && out->len < ENOUGH;) {
        uint8_t *place = deflate_room(layer, &room);
        size_t n = MIN(MIN(room, put_at_once), size - at);
        g_assert_cmpuint(room, >=, DEFLATE_ROOM);
        memcpy(place, data + at, n);
        deflate_put(layer, n);
        at += n;
        do {
            *broken = !deflate_read(layer, piece, read_at_once, &length, NULL);
            g_assert_cmpuint(length, <=, read_at_once);
            g_byte_array_append(out, piece, (guint)length);
        } while (length == read_at_once && !*broken && out->len < ENOUGH);
    }
    g_byte_array_set_size(out, MIN(out->len, ENOUGH));
    return out;
}

static void check_same(const uint8_t *data, size_t size, size_t pieces)
{
    bool whole_broken, broken;
    g_autoptr(GByteArray) whole = uncompressed(data, size, DEFLATE_ROOM, 4096, &whole_broken);
    g_autoptr(GByteArray) other = uncompressed(data, size, pieces, pieces, &broken);

    g_assert_cmpmem(whole->data, whole->len, other->data, other->len);
    if (whole->len < ENOUGH)
        g_assert_true(broken == whole_broken);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    g_autoptr(Deflate) layer = deflate_new();
    SendQueue queue = {0};
    bool broken;

    check_same(data + 1, size - 1, 1 + (size_t)data[0]);
    deflate_write(layer, data + 1, size - 1, &queue, data[0] & 1);
    g_autoptr(GByteArray) back = uncompressed(send_queue_bytes(&queue), send_queue_length(&queue),
                                              1 + (size_t)data[0], 1000, &broken);
    g_assert_false(broken);
    g_assert_cmpmem(back->data, back->len, data + 1, MIN(size - 1, ENOUGH));
    send_queue_clear(&queue);
    return 0;
}
