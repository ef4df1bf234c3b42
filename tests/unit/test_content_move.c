/* What is held of a message goes along where the message is moved. */
#include "cache_helpers.h"

#include "../../cache/catalog.h"
#include "../../cache/content.h"

#define A 70001
#define B 70002
#define LENGTH 150000
#define BOUND (64u << 20)

/* The bytes are those of A's message, wherever it is by now. */
static void put(Content *content, uint32_t folder, uint32_t uid, uint32_t of)
{
    for (uint64_t at = 0; at < LENGTH; at += CONTENT_BLOCK) {
        g_autoptr(GBytes) bytes = bytes_of(A, of, at, MIN(CONTENT_BLOCK, LENGTH - at));
        content_put(content, folder, uid, (uint32_t)(at / CONTENT_BLOCK), bytes);
    }
}

static bool holds(Content *content, uint32_t folder, uint32_t uid, uint32_t of)
{
    static unsigned char buffer[LENGTH];
    if (!content_read(content, folder, uid, 0, LENGTH, buffer))
        return false;
    assert_true(are_bytes_of(buffer, A, of, 0, LENGTH));
    assert_int_equal(content_held(content, folder, uid, 0), CONTENT_BLOCK);
    return true;
}

static bool holds_any(Content *content, uint32_t folder, uint32_t uid)
{
    return content_held(content, folder, uid, 0) || content_held(content, folder, uid, 1);
}

static void flush(Content *content)
{
    while (!content_flush(content))
        ;
}

typedef struct {
    uint32_t of;
    uint64_t length;
} Taken;

static bool take(gpointer data, uint32_t uid, uint64_t offset, const void *bytes, size_t length)
{
    Taken *taken = data;
    (void)uid;
    assert_int_equal(offset, taken->length);
    assert_true(are_bytes_of(bytes, A, taken->of, offset, length));
    taken->length += length;
    return true;
}

static uint64_t in_a_row(Content *content, uint32_t folder, uint32_t uid, uint32_t of)
{
    Taken taken = {of, 0};
    content_next(content, folder, &uid, 1, take, &taken);
    return taken.length;
}

/* At each moment: in memory, on disk, on disk and yet to be moved there, and after the end. */
static void test_everywhere(void **state)
{
    for (int on_disk = 0; on_disk < 2; on_disk++) {
        for (int flushed = 0; flushed < 3; flushed++) {
            uint32_t uid = 1 + (uint32_t)(3 * on_disk + flushed);
            Content *content = content_open(*state, BOUND);
            put(content, A, uid, uid);
            if (on_disk)
                flush(content);
            content_move(content, A, uid, B, 100 + uid);
            assert_true(holds(content, B, 100 + uid, uid));
            assert_int_equal(in_a_row(content, B, 100 + uid, uid), LENGTH);
            if (flushed > 0)
                flush(content);
            if (flushed > 1) {
                content_close(content);
                content = content_open(*state, BOUND);
            }
            assert_true(holds(content, B, 100 + uid, uid));
            assert_int_equal(in_a_row(content, B, 100 + uid, uid), LENGTH);
            if (flushed)
                assert_false(holds_any(content, A, uid));
            content_close(content);
        }
    }
}

/* Some of it on disk, some in memory; moved on, and back, before and after it is written. */
static void test_moved_on(void **state)
{
    Content *content = content_open(*state, BOUND);
    put(content, A, 1, 1);
    put(content, A, 2, 2);
    flush(content);
    content_move(content, A, 1, B, 5);
    content_move(content, B, 5, A, 3);
    content_move(content, A, 2, B, 6);
    flush(content);
    content_move(content, B, 6, A, 4);
    assert_true(holds(content, A, 3, 1));
    assert_true(holds(content, A, 4, 2));
    flush(content);
    assert_true(holds(content, A, 3, 1));
    assert_true(holds(content, A, 4, 2));
    assert_false(holds_any(content, B, 5));
    assert_false(holds_any(content, B, 6));
    content_close(content);
}

/* What comes after the move belongs to it. */
static void test_put_afterwards(void **state)
{
    Content *content = content_open(*state, BOUND);
    g_autoptr(GBytes) begin = bytes_of(A, 1, 0, 100);
    content_put(content, A, 1, 0, begin);
    flush(content);
    content_move(content, A, 1, B, 5);
    put(content, B, 5, 1);
    assert_true(holds(content, B, 5, 1));
    flush(content);
    assert_true(holds(content, B, 5, 1));
    content_close(content);
    content = content_open(*state, BOUND);
    assert_true(holds(content, B, 5, 1));
    content_close(content);
}

static void test_dropped(void **state)
{
    Content *content = content_open(*state, BOUND);
    for (uint32_t uid = 1; uid <= 4; uid++)
        put(content, A, uid, uid);
    flush(content);
    content_move(content, A, 1, B, 5);
    content_drop(content, B, 5);
    content_move(content, A, 2, B, 6);
    content_move(content, A, 3, B + 1, 7);
    content_drop_folder(content, B);
    for (int i = 0; i < 2; i++) {
        assert_false(holds_any(content, B, 5));
        assert_false(holds_any(content, B, 6));
        assert_true(holds(content, B + 1, 7, 3));
        assert_true(holds(content, A, 4, 4));
        flush(content);
    }
    content_drop(content, A, 4);
    content_move(content, A, 4, B, 8);
    assert_false(holds_any(content, B, 8));
    flush(content);
    assert_false(holds_any(content, B, 8));
    content_close(content);
}

/* More than go to the disk at once. */
static void test_many(void **state)
{
    Content *content = content_open(*state, BOUND);
    content_start_writer(content);
    for (uint32_t uid = 1; uid <= 300; uid++) {
        g_autoptr(GBytes) bytes = bytes_of(A, uid, 0, 1000);
        content_put(content, A, uid, 0, bytes);
    }
    flush(content);
    for (uint32_t uid = 1; uid <= 300; uid++)
        content_move(content, A, uid, B, uid);
    for (int i = 0; i < 2; i++) {
        for (uint32_t uid = 1; uid <= 300; uid++) {
            unsigned char buffer[1000];
            assert_true(content_read(content, B, uid, 0, 1000, buffer));
            assert_true(are_bytes_of(buffer, A, uid, 0, 1000));
        }
        flush(content);
    }
    content_close(content);
}

/* Into a folder that this mount alone knows: nothing of it may be on disk. */
static void test_temporary(void **state)
{
    Content *content = content_open(*state, BOUND);
    put(content, A, 1, 1);
    put(content, CATALOG_TEMPORARY, 2, 2);
    put(content, A, 3, 3);
    flush(content);
    content_move(content, A, 1, CATALOG_TEMPORARY, 1);
    content_move(content, CATALOG_TEMPORARY, 2, CATALOG_TEMPORARY + 1, 2);
    assert_false(holds_any(content, A, 1));
    assert_true(holds(content, CATALOG_TEMPORARY + 1, 2, 2));
    put(content, A, 4, 4);
    content_move(content, A, 4, CATALOG_TEMPORARY, 4);
    assert_true(holds(content, CATALOG_TEMPORARY, 4, 4));
    flush(content);
    content_close(content);
    content = content_open(*state, BOUND);
    assert_false(holds_any(content, A, 1));
    assert_false(holds_any(content, A, 4));
    assert_false(holds_any(content, CATALOG_TEMPORARY, 4));
    assert_true(holds(content, A, 3, 3));
    content_close(content);
}

static void test_memory_alone(void **state)
{
    (void)state;
    Content *content = content_open(NULL, BOUND);
    put(content, A, 1, 1);
    content_move(content, A, 1, B, 5);
    assert_true(holds(content, B, 5, 1));
    assert_false(holds_any(content, A, 1));
    content_close(content);
}

/* --- readers while it is moved to and fro -------------------------------------------------------
 */

typedef struct {
    Content *content;
    gint place; /* UID in B; atomic */
    gint stop;
    unsigned read;
} Reading;

static gpointer read_on(gpointer data)
{
    Reading *reading = data;
    unsigned char buffer[1000];
    while (!g_atomic_int_get(&reading->stop)) {
        uint32_t uid = (uint32_t)g_atomic_int_get(&reading->place);
        bool held = content_read(reading->content, B, uid, 0, sizeof buffer, buffer);
        if (held && !are_bytes_of(buffer, A, 1, 0, sizeof buffer))
            break;
        reading->read += held;
    }
    return NULL;
}

static void test_read_meanwhile(void **state)
{
    Reading reading = {.content = content_open(*state, BOUND), .place = 1};
    g_autoptr(GBytes) bytes = bytes_of(A, 1, 0, 1000);
    content_put(reading.content, B, 1, 0, bytes);
    content_start_writer(reading.content);
    flush(reading.content);
    GThread *thread = g_thread_new("reader", read_on, &reading);
    for (uint32_t uid = 1; uid < 300; uid++) {
        content_move(reading.content, B, uid, B, uid + 1);
        g_atomic_int_set(&reading.place, (gint)uid + 1);
        if (uid % 3)
            flush(reading.content);
    }
    g_atomic_int_set(&reading.stop, 1);
    g_thread_join(thread);
    assert_true(reading.read > 0);
    content_close(reading.content);
    Content *content = content_open(*state, BOUND);
    assert_int_equal(content_held(content, B, 300, 0), 1000);
    content_close(content);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_everywhere),     TEST_IN_DIRECTORY(test_moved_on),
        TEST_IN_DIRECTORY(test_put_afterwards), TEST_IN_DIRECTORY(test_dropped),
        TEST_IN_DIRECTORY(test_many),           TEST_IN_DIRECTORY(test_temporary),
        TEST_IN_DIRECTORY(test_memory_alone),   TEST_IN_DIRECTORY(test_read_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
