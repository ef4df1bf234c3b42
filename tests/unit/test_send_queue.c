/* test_send_queue.c: order of bytes, growth, and that nothing secret stays behind. */
#include "../../imapclient/net/send_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static bool is_zero(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

static void test_order(void **state)
{
    (void)state;
    SendQueue queue = {0};
    send_queue_append(&queue, "a1 NOOP\r\n", 9, false);
    send_queue_append(&queue, "a2 NOOP\r\n", 9, false);
    send_queue_append(&queue, "", 0, false);
    assert_int_equal(send_queue_length(&queue), 18);
    assert_memory_equal(send_queue_bytes(&queue), "a1 NOOP\r\na2 NOOP\r\n", 18);
    send_queue_drop(&queue, 12);
    assert_int_equal(send_queue_length(&queue), 6);
    assert_memory_equal(send_queue_bytes(&queue), "NOOP\r\n", 6);
    send_queue_drop(&queue, 6);
    assert_int_equal(send_queue_length(&queue), 0);
    send_queue_clear(&queue);
}

/* A stream of numbered bytes through a queue that never runs empty. */
static void test_growth(void **state)
{
    (void)state;
    SendQueue queue = {0};
    uint8_t next_in = 0;
    uint8_t next_out = 0;
    for (int round = 0; round < 3000; round++) {
        uint8_t bytes[301];
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = next_in++;
        send_queue_append(&queue, bytes, sizeof(bytes), round % 7 == 0);
        size_t out = round < 1500 ? 250 : MIN(340, send_queue_length(&queue));
        for (size_t i = 0; i < out; i++)
            assert_int_equal(send_queue_bytes(&queue)[i], next_out++);
        send_queue_drop(&queue, out);
        assert_true(queue.capacity < 4 * 1024 * 1024);
    }
    send_queue_clear(&queue);
    assert_int_equal(send_queue_length(&queue), 0);
}

static void test_secret_is_wiped(void **state)
{
    (void)state;
    SendQueue queue = {0};
    send_queue_append(&queue, "open ", 5, false);
    send_queue_append(&queue, "sesame", 6, true);
    send_queue_append(&queue, "\r\n", 2, false);
    const uint8_t *memory = queue.bytes;
    send_queue_drop(&queue, 8);
    assert_true(is_zero(memory, 8));
    assert_memory_equal(send_queue_bytes(&queue), "ame\r\n", 5);
    send_queue_drop(&queue, 5);
    assert_ptr_equal(queue.bytes, memory);
    assert_true(is_zero(memory, 13));
    assert_false(queue.secret);
    send_queue_clear(&queue);
}

static void test_large_memory_is_given_back(void **state)
{
    (void)state;
    SendQueue queue = {0};
    g_autofree char *large = g_strnfill(1 << 20, 'x');
    send_queue_append(&queue, large, 1 << 20, true);
    send_queue_drop(&queue, 1 << 20);
    assert_int_equal(queue.capacity, 0);
    send_queue_append(&queue, "again", 5, false);
    assert_memory_equal(send_queue_bytes(&queue), "again", 5);
    send_queue_clear(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_growth),
        cmocka_unit_test(test_secret_is_wiped),
        cmocka_unit_test(test_large_memory_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
