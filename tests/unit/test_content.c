#include "cache_helpers.h"

#include "../../cache/catalog.h"
#include "../../cache/content.h"

#define FOLDER 70001
#define BOUND (64u << 20)

static void put(Content *content, uint32_t folder, uint32_t uid, uint64_t from, size_t length)
{
    for (uint64_t at = from; at < from + length; at += CONTENT_BLOCK) {
        g_autoptr(GBytes) bytes = bytes_of(folder, uid, at, MIN(CONTENT_BLOCK, from + length - at));
        content_put(content, folder, uid, (uint32_t)(at / CONTENT_BLOCK), bytes);
    }
}

/* Whether the stretch is held; then its bytes are right. */
static bool holds(Content *content, uint32_t folder, uint32_t uid, uint64_t offset, size_t length)
{
    g_autofree unsigned char *buffer = g_malloc0(length + 1);
    if (!content_read(content, folder, uid, offset, length, buffer))
        return false;
    assert_true(are_bytes_of(buffer, folder, uid, offset, length));
    return true;
}

static void flush(Content *content)
{
    while (!content_flush(content))
        ;
}

static ContentStats stats_of(Content *content)
{
    ContentStats stats;
    content_stats(content, &stats);
    return stats;
}

static void test_put_is_there_at_once_and_later(void **state)
{
    Content *content = content_open(*state, BOUND);
    put(content, FOLDER, 1, 0, 200000);
    for (int round = 0; round < 3; round++) {
        assert_true(holds(content, FOLDER, 1, 0, 200000));
        assert_true(holds(content, FOLDER, 1, 65530, 20));
        assert_true(holds(content, FOLDER, 1, 199999, 1));
        assert_true(holds(content, FOLDER, 1, 0, 0));
        assert_false(holds(content, FOLDER, 1, 199999, 2));
        assert_false(holds(content, FOLDER, 2, 0, 1));
        assert_false(holds(content, FOLDER + 1, 1, 0, 1));
        assert_false(holds(content, FOLDER, 1, (uint64_t)1 << 40, 1));
        assert_int_equal(content_held(content, FOLDER, 1, 0), CONTENT_BLOCK);
        assert_int_equal(content_held(content, FOLDER, 1, 3), 200000 - 3 * CONTENT_BLOCK);
        assert_int_equal(content_held(content, FOLDER, 1, 4), 0);
        assert_int_equal(content_pending(content), round == 0 ? 200000 : 0);
        if (round == 0) {
            flush(content);
        } else if (round == 1) {
            content_close(content);
            content = content_open(*state, BOUND);
        }
    }
    ContentStats stats = stats_of(content);
    assert_true(stats.on_disk);
    assert_int_equal(stats.bound, BOUND);
    assert_int_equal(stats.hits, 4);
    assert_int_equal(stats.misses, 4);
    assert_int_equal(stats.damaged, 0);
    content_close(content);
    assert_int_equal(warnings, 0);
}

static void test_beginning_of_a_block(void **state)
{
    Content *content = content_open(*state, BOUND);
    put(content, FOLDER, 1, 0, 3000);
    flush(content);
    put(content, FOLDER, 1, 0, 1000);
    assert_int_equal(content_held(content, FOLDER, 1, 0), 3000);
    assert_true(holds(content, FOLDER, 1, 500, 2500)); /* more than what is pending */
    flush(content);
    assert_true(holds(content, FOLDER, 1, 0, 3000));
    put(content, FOLDER, 1, 0, 5000);
    assert_true(holds(content, FOLDER, 1, 0, 5000));
    flush(content);
    assert_true(holds(content, FOLDER, 1, 0, 5000));
    assert_false(holds(content, FOLDER, 1, 0, 5001));
    content_close(content);
}

static void test_drop(void **state)
{
    Content *content = content_open(*state, BOUND);
    for (uint32_t uid = 1; uid <= 4; uid++) {
        put(content, FOLDER, uid, 0, 100000);
        put(content, FOLDER + 1, uid, 0, 100000);
    }
    flush(content);
    put(content, FOLDER, 5, 0, 100);
    put(content, FOLDER + 1, 5, 0, 100);
    content_drop(content, FOLDER, 1);
    content_drop(content, FOLDER, 5);
    content_drop_folder(content, FOLDER + 1);
    /* At once, and put again before anything gets to the disk. */
    for (int round = 0; round < 3; round++) {
        assert_false(holds(content, FOLDER, 1, 0, 10));
        assert_false(holds(content, FOLDER, 5, 0, 10));
        assert_true(holds(content, FOLDER, 2, 0, 100000));
        assert_int_equal(content_held(content, FOLDER, 1, 1), 0);
        assert_int_equal(holds(content, FOLDER + 1, 2, 0, 10), round > 0);
        assert_false(holds(content, FOLDER + 1, 2, 65536, 10));
        assert_false(holds(content, FOLDER + 1, 3, 0, 10));
        assert_false(holds(content, FOLDER + 1, 5, 0, 10));
        if (round == 0)
            put(content, FOLDER + 1, 2, 0, 50);
        else
            flush(content);
    }
    content_close(content);
    content = content_open(*state, BOUND);
    assert_false(holds(content, FOLDER, 1, 0, 10));
    assert_true(holds(content, FOLDER + 1, 2, 0, 50));
    assert_false(holds(content, FOLDER + 1, 4, 0, 10));
    content_close(content);
}

static void test_bound_is_kept(void **state)
{
    const uint64_t bounds[] = {1 << 20, 2 << 20, 8 << 20, (8 << 20) + 12345};
    for (int b = 0; b < 4; b++) {
        Content *content = content_open(*state, bounds[b]);
        for (uint32_t uid = 1; uid <= 400; uid++) {
            put(content, FOLDER, uid, 0, 1 + uid * 7919 % 150000);
            if (uid % 13 == 0 || content_pending(content) > (4 << 20)) {
                flush(content);
                assert_int_equal(content_pending(content), 0);
                assert_true(directory_bytes(*state) <= bounds[b] + bounds[b] / 20);
                assert_true(stats_of(content).bytes <= bounds[b]);
            }
        }
        flush(content);
        assert_true(stats_of(content).evicted > 0);
        assert_true(stats_of(content).bytes > bounds[b] / 2);
        assert_true(holds(content, FOLDER, 400, 0, 1 + 400 * 7919 % 150000));
        assert_false(holds(content, FOLDER, 1, 0, 1));
        content_close(content);
        assert_true(directory_bytes(*state) <= bounds[b] + bounds[b] / 20);
    }
    assert_int_equal(warnings, 0);
}

static void test_lower_bound_shrinks_the_file(void **state)
{
    Content *content = content_open(*state, BOUND);
    for (uint32_t uid = 1; uid <= 500; uid++) {
        put(content, FOLDER, uid, 0, 60000);
        if (uid % 50 == 0)
            flush(content);
    }
    content_close(content);
    assert_true(directory_bytes(*state) > 30000000);
    content = content_open(*state, 4 << 20);
    flush(content);
    assert_true(holds(content, FOLDER, 500, 0, 60000));
    content_close(content);
    assert_true(directory_bytes(*state) <= (4 << 20) * 21 / 20);
}

static void test_tiny_bound_is_memory(void **state)
{
    content_close(content_open(*state, BOUND));
    assert_int_equal(count_names(*state, "content.db"), 1);
    const uint64_t bounds[] = {0, 1, 65535, 1000000};
    for (int b = 0; b < 4; b++) {
        Content *content = content_open(*state, bounds[b]);
        put(content, FOLDER, 1, 0, 100000);
        assert_true(content_flush(content));
        assert_int_equal(content_pending(content), 0);
        assert_true(holds(content, FOLDER, 1, 0, 100000));
        assert_false(stats_of(content).on_disk);
        assert_int_equal(count_names(*state, "content.db"), 0);
        content_close(content);
    }
    assert_int_equal(warnings, 0);
}

static void test_what_is_read_is_not_evicted(void **state)
{
    Content *content = content_open(*state, 4 << 20);
    for (uint32_t uid = 1; uid <= 200; uid++) {
        put(content, FOLDER, uid, 0, 60000);
        flush(content);
        assert_true(holds(content, FOLDER, 1, 0, 60000));
    }
    assert_false(holds(content, FOLDER, 2, 0, 60000));
    content_close(content);
}

static void test_memory_alone_is_bounded(void **state)
{
    (void)state;
    Content *content = content_open(NULL, BOUND);
    assert_int_equal(warnings, 1);
    for (uint32_t uid = 1; uid <= 400; uid++) {
        put(content, FOLDER, uid, 0, 60000);
        assert_true(holds(content, FOLDER, 1, 0, 60000));
    }
    assert_true(content_flush(content));
    assert_false(holds(content, FOLDER, 2, 0, 60000));
    assert_true(holds(content, FOLDER, 400, 0, 60000));
    unsigned held = 0;
    for (uint32_t uid = 1; uid <= 400; uid++)
        held += content_held(content, FOLDER, uid, 0) > 0;
    assert_in_range(held, 200, (16 << 20) / 60000);
    content_drop(content, FOLDER, 1);
    assert_false(holds(content, FOLDER, 1, 0, 1));
    content_close(content);
}

static void test_temporary_folders_stay_in_memory(void **state)
{
    Content *content = content_open(*state, BOUND);
    put(content, CATALOG_TEMPORARY + 3, 1, 0, 1000);
    put(content, FOLDER, 1, 0, 1000);
    assert_int_equal(content_pending(content), 1000);
    flush(content);
    assert_true(holds(content, CATALOG_TEMPORARY + 3, 1, 0, 1000));
    content_close(content);
    content = content_open(*state, BOUND);
    assert_false(holds(content, CATALOG_TEMPORARY + 3, 1, 0, 1000));
    assert_true(holds(content, FOLDER, 1, 0, 1000));
    content_close(content);
}

/* A long put, of which only a stretch is this block's. */
static void test_put_copies(void **state)
{
    Content *content = content_open(*state, BOUND);
    g_autoptr(GBytes) all = bytes_of(FOLDER, 1, 0, 1 << 20);
    g_autoptr(GBytes) part = g_bytes_new_from_bytes(all, CONTENT_BLOCK, 100);
    content_put(content, FOLDER, 1, 1, part);
    g_autoptr(GBytes) nothing = g_bytes_new(NULL, 0);
    content_put(content, FOLDER, 1, 2, nothing);
    content_put(content, FOLDER, 1, UINT32_MAX, part);
    assert_true(holds(content, FOLDER, 1, CONTENT_BLOCK, 100));
    assert_int_equal(content_pending(content), 100);
    content_close(content);
}

/* Threads read while the engine puts, drops and flushes; what they get is right. */
typedef struct {
    Content *content;
    int stop; /* atomic */
    int hits; /* atomic */
    uint64_t seed;
} Reader;

static gpointer read_all_the_time(gpointer data)
{
    Reader *reader = data;
    unsigned char buffer[10000];
    while (!g_atomic_int_get(&reader->stop)) {
        uint32_t uid = 1 + next_random(&reader->seed) % 40;
        uint64_t offset = next_random(&reader->seed) % 90000;
        size_t length = 1 + next_random(&reader->seed) % 10000;
        if (!content_read(reader->content, FOLDER, uid, offset, length, buffer))
            continue;
        if (!are_bytes_of(buffer, FOLDER, uid, offset, length))
            return reader;
        g_atomic_int_inc(&reader->hits);
    }
    return NULL;
}

static void test_readers_meanwhile(void **state)
{
    Content *content = content_open(*state, 2 << 20);
    Reader readers[4];
    GThread *threads[4];
    for (int i = 0; i < 4; i++) {
        readers[i] = (Reader){content, 0, 0, (uint64_t)i};
        threads[i] = g_thread_new("reader", read_all_the_time, &readers[i]);
    }
    uint64_t seed = 3;
    for (int i = 0; i < 400; i++) {
        put(content, FOLDER, 1 + next_random(&seed) % 40, 0, 1 + next_random(&seed) % 100000);
        if (i % 9 == 0)
            content_drop(content, FOLDER, 1 + next_random(&seed) % 40);
        if (i % 5 == 0)
            content_flush(content);
    }
    for (int i = 0; i < 4; i++) {
        g_atomic_int_set(&readers[i].stop, 1);
        assert_null(g_thread_join(threads[i]));
    }
    assert_int_equal(stats_of(content).damaged, 0);
    content_close(content);
    assert_int_equal(warnings, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_put_is_there_at_once_and_later),
        TEST_IN_DIRECTORY(test_beginning_of_a_block),
        TEST_IN_DIRECTORY(test_drop),
        TEST_IN_DIRECTORY(test_bound_is_kept),
        TEST_IN_DIRECTORY(test_lower_bound_shrinks_the_file),
        TEST_IN_DIRECTORY(test_tiny_bound_is_memory),
        TEST_IN_DIRECTORY(test_what_is_read_is_not_evicted),
        TEST_IN_DIRECTORY(test_memory_alone_is_bounded),
        TEST_IN_DIRECTORY(test_temporary_folders_stay_in_memory),
        TEST_IN_DIRECTORY(test_put_copies),
        TEST_IN_DIRECTORY(test_readers_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
