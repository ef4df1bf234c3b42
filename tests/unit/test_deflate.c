/* test_deflate.c: what goes in comes out, in any pieces; bombs, nonsense and ends. */
#include "../../cache/mail.h"
#include "../../imapclient/net/deflate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <zlib.h>

/* What a server makes of the bytes. */
static GByteArray *compressed(const void *bytes, size_t length, int flush)
{
    z_stream stream = {0};
    GByteArray *out = g_byte_array_new();
    uint8_t step[1024];

    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (Bytef *)bytes;
    stream.avail_in = (uInt)length;
    do {
        stream.next_out = step;
        stream.avail_out = sizeof step;
        deflate(&stream, flush);
        g_byte_array_append(out, step, (guint)(sizeof step - stream.avail_out));
    } while (stream.avail_out == 0);
    deflateEnd(&stream);
    return out;
}

/* Puts all of it as far as there is room, in pieces, and reads in pieces. False: refused. */
static bool read_all(Deflate *layer, const GByteArray *bytes, size_t put_at_once,
                     size_t read_at_once, GByteArray *out, GError **error)
{
    static uint8_t piece[DEFLATE_ROOM];
    size_t length = 0;

    for (size_t at = 0; at < bytes->len;) {
        size_t room;
        uint8_t *place = deflate_room(layer, &room);
        size_t n = MIN(MIN(room, put_at_once), bytes->len - at);
        assert_true(room >= DEFLATE_ROOM);
        memcpy(place, bytes->data + at, n);
        deflate_put(layer, n);
        at += n;
        do {
            bool fine = deflate_read(layer, piece, read_at_once, &length, error);
            assert_true(length <= read_at_once);
            g_byte_array_append(out, piece, (guint)length);
            if (!fine)
                return false;
        } while (length == read_at_once);
    }
    return true;
}

static void test_any_pieces(void **state)
{
    static const size_t sizes[] = {1, 2, 7, 1000, DEFLATE_ROOM};
    g_autoptr(GByteArray) text = g_byte_array_new();
    g_autoptr(GRand) random = g_rand_new_with_seed(1);

    (void)state;
    for (int i = 0; i < 3000; i++) {
        g_autofree char *line = g_strdup_printf("* %d FETCH (UID %u)\r\n", i, g_rand_int(random));
        g_byte_array_append(text, (const uint8_t *)line, (guint)strlen(line));
    }
    g_autoptr(GByteArray) wire = compressed(text->data, text->len, Z_SYNC_FLUSH);
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        for (size_t j = 0; j < G_N_ELEMENTS(sizes); j++) {
            g_autoptr(Deflate) layer = deflate_new();
            g_autoptr(GByteArray) out = g_byte_array_new();
            assert_true(read_all(layer, wire, sizes[i], sizes[j], out, NULL));
            assert_int_equal(out->len, text->len);
            assert_memory_equal(out->data, text->data, text->len);
        }
    }
}

/* A thousand times of what came is handed on in steps of the reader's size. */
static void test_bomb(void **state)
{
    enum { MUCH = 16 << 20 };
    static uint8_t zeros[MUCH], piece[DEFLATE_ROOM];
    g_autoptr(GByteArray) wire = compressed(zeros, MUCH, Z_SYNC_FLUSH);
    g_autoptr(Deflate) layer = deflate_new();
    size_t room, length = DEFLATE_ROOM, total = 0, steps = 0;

    (void)state;
    memcpy(deflate_room(layer, &room), wire->data, wire->len);
    assert_true(wire->len < room);
    deflate_put(layer, wire->len);
    for (; length == DEFLATE_ROOM; steps++) {
        assert_true(deflate_read(layer, piece, DEFLATE_ROOM, &length, NULL));
        total += length;
    }
    assert_int_equal(total, MUCH);
    assert_true(steps > MUCH / DEFLATE_ROOM);
}

static void assert_refused(const GByteArray *wire, size_t put_at_once, const char *told)
{
    g_autoptr(Deflate) layer = deflate_new();
    g_autoptr(GByteArray) out = g_byte_array_new();
    g_autoptr(GError) error = NULL;

    assert_false(read_all(layer, wire, put_at_once, 100, out, &error));
    assert_true(g_error_matches(error, MAIL_ERROR, EPROTO));
    assert_string_equal((const char *)out->data, told);
}

static void test_broken(void **state)
{
    static const uint8_t nonsense[] = {0x07, 'x', 'y'};
    g_autoptr(GByteArray) flushed = compressed("hello", 6, Z_SYNC_FLUSH);
    g_autoptr(GByteArray) ended = compressed("hello", 6, Z_FINISH);
    g_autoptr(Deflate) layer = deflate_new();
    g_autoptr(GByteArray) out = g_byte_array_new();

    (void)state;
    /* the end alone is no mistake: the server may close now */
    assert_true(read_all(layer, ended, 1, 100, out, NULL));
    assert_string_equal((const char *)out->data, "hello");
    g_byte_array_append(flushed, nonsense, sizeof nonsense);
    assert_refused(flushed, DEFLATE_ROOM, "hello");
    g_byte_array_append(ended, (const uint8_t *)"x", 1);
    assert_refused(ended, 1, "hello");
}

/* All that is written can be read at once, and what is secret leaves no trace in the queue. */
static void test_write(void **state)
{
    static const size_t sizes[] = {1, 100, 4095, 4096, 100000};
    g_autoptr(Deflate) layer = deflate_new();
    g_autoptr(GRand) random = g_rand_new_with_seed(2);
    z_stream server = {0};

    (void)state;
    assert_int_equal(inflateInit2(&server, -15), Z_OK);
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autofree uint8_t *sent = g_malloc(sizes[i]);
        g_autofree uint8_t *got = g_malloc(sizes[i] + 1);
        SendQueue queue = {0};
        for (size_t k = 0; k < sizes[i]; k++)
            sent[k] = (uint8_t)g_rand_int(random);
        deflate_write(layer, sent, sizes[i], &queue, i == 1);
        assert_true(queue.secret == (i == 1));
        server.next_in = (Bytef *)send_queue_bytes(&queue);
        server.avail_in = (uInt)send_queue_length(&queue);
        server.next_out = got;
        server.avail_out = (uInt)sizes[i] + 1;
        assert_int_equal(inflate(&server, Z_SYNC_FLUSH), Z_OK);
        assert_int_equal(server.avail_in, 0);
        assert_int_equal(server.avail_out, 1);
        assert_memory_equal(got, sent, sizes[i]);
        send_queue_clear(&queue);
    }
    inflateEnd(&server);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_pieces),
        cmocka_unit_test(test_bomb),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
