/* The content with its writer, and its messages read in a row. */
#include "cache_helpers.h"

#include "../../cache/catalog.h"
#include "../../cache/content.h"

#include <sqlite3.h>

enum { FOLDER = 70001, PLENTY = 64 << 20 };

static Content *open_writing(const char *directory)
{
    Content *content = content_open(directory, PLENTY);
    content_start_writer(content);
    return content;
}

static void put(Content *content, uint32_t folder, uint32_t uid, uint64_t offset, size_t length)
{
    for (size_t done = 0; done < length; done += CONTENT_BLOCK) {
        g_autoptr(GBytes)
            bytes = bytes_of(folder, uid, offset + done, MIN(length - done, CONTENT_BLOCK));
        content_put(content, folder, uid, (uint32_t)((offset + done) / CONTENT_BLOCK), bytes);
    }
}

static bool holds(Content *content, uint32_t uid, size_t length)
{
    g_autofree unsigned char *buffer = g_malloc(length + 1);
    if (!content_read(content, FOLDER, uid, 0, length, buffer))
        return false;
    assert_true(are_bytes_of(buffer, FOLDER, uid, 0, length));
    return true;
}

/* --- the writer ------------------------------------------------------------------------------ */

/* Nobody flushes: it gets to the disk all the same. */
static void test_by_itself(void **state)
{
    Content *content = open_writing(*state);
    put(content, FOLDER, 1, 0, 1000);
    put(content, CATALOG_TEMPORARY, 1, 0, 1000);
    for (int i = 0; content_pending(content) > 0 && i < 60000; i++)
        g_usleep(1000);
    assert_int_equal(content_pending(content), 0);
    Content *other = content_open(*state, PLENTY);
    assert_true(holds(other, 1, 1000));
    content_drop(content, FOLDER, 1);
    assert_false(holds(content, 1, 1000));
    for (int i = 0; content_held(other, FOLDER, 1, 0) && i < 60000; i++)
        g_usleep(1000);
    assert_int_equal(content_held(other, FOLDER, 1, 0), 0);
    content_close(other);
    content_close(content);
    assert_int_equal(warnings, 0);
}

/* A bound that is smaller than what there is holds, also where nothing is put any more. */
static void test_smaller_bound(void **state)
{
    ContentStats stats = {.bytes = PLENTY};
    Content *content = open_writing(*state);
    for (uint32_t uid = 1; uid <= 100; uid++)
        put(content, FOLDER, uid, 0, 60000);
    content_close(content);
    content = content_open(*state, 2 << 20);
    content_start_writer(content);
    for (int i = 0; stats.bytes > 2 << 20 && i < 60000; i++) {
        g_usleep(1000);
        content_stats(content, &stats);
    }
    assert_true(stats.bytes <= 2 << 20);
    content_close(content);
}

/* What is put in a hurry is written, and memory stays within its bound, as long as one looks. */
static void test_in_a_hurry(void **state)
{
    Content *content = open_writing(*state);
    for (uint32_t uid = 1; uid <= 500; uid++) {
        while (content_pending(content) > 8 << 20)
            g_usleep(100);
        put(content, FOLDER, uid, 0, 60000);
    }
    assert_true(content_flush(content));
    assert_int_equal(content_pending(content), 0);
    for (uint32_t uid = 1; uid <= 500; uid++)
        assert_true(holds(content, uid, 60000));
    content_close(content);
}

/* A disk that can't be used: the thread does not spin, and memory is bounded. */
static void test_no_disk(void **state)
{
    g_autofree char *file = g_build_filename(*state, "file", NULL);
    write_file(*state, "file", "x", 1);
    Content *content = open_writing(file);
    for (uint32_t uid = 1; uid <= 500; uid++)
        put(content, FOLDER, uid, 0, 60000);
    assert_int_equal(content_pending(content), 0);
    assert_true(content_flush(content));
    assert_true(holds(content, 500, 60000));
    assert_false(holds(content, 1, 60000));
    content_close(content);
    assert_int_equal(warnings, 1);
    content = open_writing(NULL);
    put(content, FOLDER, 1, 0, 1000);
    assert_true(content_flush(content));
    assert_true(holds(content, 1, 1000));
    content_close(content);
}

/* --- all at once ------------------------------------------------------------------------------ */

enum { MESSAGES = 60 };

/* Reads all the time, one by one and in a row; what it gets is right. */
typedef struct {
    Content *content;
    int stop; /* atomic */
    uint64_t seed;
} Reader;

static bool check(gpointer data, uint32_t uid, uint64_t offset, const void *bytes, size_t length)
{
    bool *right = data;
    *right &= are_bytes_of(bytes, FOLDER, uid, offset, length);
    return *right;
}

static gpointer read_all_the_time(gpointer data)
{
    Reader *reader = data;
    unsigned char buffer[10000];
    uint32_t uids[MESSAGES];
    bool right = true;
    for (uint32_t i = 0; i < MESSAGES; i++)
        uids[i] = i + 1;
    while (right && !g_atomic_int_get(&reader->stop)) {
        uint32_t uid = 1 + next_random(&reader->seed) % MESSAGES;
        size_t length = 1 + next_random(&reader->seed) % 10000;
        if (content_read(reader->content, FOLDER, uid, 0, length, buffer))
            right &= are_bytes_of(buffer, FOLDER, uid, 0, length);
        content_next(reader->content, FOLDER, uids, MESSAGES, check, &right);
    }
    return right ? NULL : reader;
}

/* What was put, in which length, is held; what was dropped is not, at once and for ever. */
static void test_meanwhile(void **state)
{
    Content *content = open_writing(*state);
    size_t lengths[MESSAGES + 1] = {0};
    Reader readers[3];
    GThread *threads[3];
    uint64_t seed = 5;
    for (int i = 0; i < 3; i++) {
        readers[i] = (Reader){content, 0, (uint64_t)i};
        threads[i] = g_thread_new("reader", read_all_the_time, &readers[i]);
    }
    for (int i = 0; i < 3000; i++) {
        uint32_t uid = 1 + next_random(&seed) % MESSAGES;
        if (next_random(&seed) % 3) {
            lengths[uid] = 1 + next_random(&seed) % 30000;
            content_drop(content, FOLDER, uid);
            put(content, FOLDER, uid, 0, lengths[uid]);
        } else {
            content_drop(content, FOLDER, uid);
            lengths[uid] = 0;
        }
        assert_int_equal(content_held(content, FOLDER, uid, 0), lengths[uid]);
        if (i % 300 == 0)
            content_flush(content);
    }
    for (int i = 0; i < 3; i++) {
        g_atomic_int_set(&readers[i].stop, 1);
        assert_null(g_thread_join(threads[i]));
    }
    for (uint32_t uid = 1; uid <= MESSAGES; uid++)
        assert_int_equal(content_held(content, FOLDER, uid, 0), lengths[uid]);
    content_close(content);
    content = content_open(*state, PLENTY);
    for (uint32_t uid = 1; uid <= MESSAGES; uid++)
        assert_int_equal(content_held(content, FOLDER, uid, 0), lengths[uid]);
    content_close(content);
    assert_int_equal(warnings, 0);
}

/* --- in a row --------------------------------------------------------------------------------- */

typedef struct {
    GString *told;
    unsigned most; /* stretches that are taken */
} Row;

static bool tell(gpointer data, uint32_t uid, uint64_t offset, const void *bytes, size_t length)
{
    Row *row = data;
    assert_true(are_bytes_of(bytes, FOLDER, uid, offset, length));
    g_string_append_printf(row->told, "%u@%u+%u ", uid, (unsigned)offset, (unsigned)length);
    return --row->most > 0;
}

static void assert_row(Content *content, unsigned most, size_t dealt_with, const char *expected)
{
    static const uint32_t uids[] = {1, 2, 3, 5, 8, 9};
    Row row = {g_string_new(NULL), most};
    assert_int_equal(content_next(content, FOLDER, uids, G_N_ELEMENTS(uids), tell, &row),
                     dealt_with);
    assert_string_equal(row.told->str, expected);
    g_string_free(row.told, TRUE);
}

#define ALL "1@0+1000 3@0+65536 3@65536+65536 3@131072+7 5@0+65536 9@0+300 "

/* The same from memory, from the disk, and from both. */
static void test_in_a_row(void **state)
{
    Content *content = content_open(*state, PLENTY);
    put(content, FOLDER, 1, 0, 1000);
    put(content, FOLDER, 3, 0, 2 * CONTENT_BLOCK + 7);
    put(content, FOLDER, 4, 0, 10);
    put(content, FOLDER, 5, 0, CONTENT_BLOCK);
    put(content, FOLDER, 5, 2 * CONTENT_BLOCK, 10); /* behind a gap */
    put(content, FOLDER, 8, CONTENT_BLOCK, 10);     /* without a beginning */
    put(content, FOLDER + 1, 2, 0, 10);
    put(content, FOLDER, 9, 0, 300);
    assert_row(content, 100, 6, ALL);
    assert_true(content_flush(content));
    assert_row(content, 100, 6, ALL);
    put(content, FOLDER, 3, CONTENT_BLOCK, CONTENT_BLOCK);
    assert_row(content, 100, 6, ALL);
    /* No more than is wanted. */
    assert_row(content, 1, 1, "1@0+1000 ");
    assert_row(content, 3, 3, "1@0+1000 3@0+65536 3@65536+65536 ");
    assert_int_equal(content_next(content, FOLDER, NULL, 0, tell, NULL), 0);
    content_drop(content, FOLDER, 3);
    assert_row(content, 100, 6, "1@0+1000 5@0+65536 9@0+300 ");
    ContentStats stats;
    content_stats(content, &stats);
    assert_int_equal(stats.hits + stats.misses, 0);
    content_close(content);
}

static void test_in_a_row_without_a_disk(void **state)
{
    (void)state;
    Content *content = content_open(NULL, PLENTY);
    put(content, FOLDER, 1, 0, 1000);
    assert_row(content, 100, 6, "1@0+1000 ");
    content_close(content);
}

/* Wrong bytes end a message, and are forgotten. */
static void test_wrong_in_a_row(void **state)
{
    Content *content = content_open(*state, PLENTY);
    put(content, FOLDER, 1, 0, 1000);
    put(content, FOLDER, 3, 0, CONTENT_BLOCK + 7);
    put(content, FOLDER, 9, 0, 300);
    assert_true(content_flush(content));
    g_autofree char *path = g_build_filename(*state, "content.db", NULL);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "UPDATE block SET crc = crc + 1 WHERE length(bytes) = 7",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    assert_row(content, 100, 6, "1@0+1000 3@0+65536 9@0+300 ");
    ContentStats stats;
    content_stats(content, &stats);
    assert_int_equal(stats.damaged, 1);
    assert_int_equal(content_held(content, FOLDER, 3, 1), 0);
    assert_row(content, 100, 6, "1@0+1000 3@0+65536 9@0+300 ");
    content_stats(content, &stats);
    assert_int_equal(stats.damaged, 1);
    content_close(content);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_by_itself),
        TEST_IN_DIRECTORY(test_smaller_bound),
        TEST_IN_DIRECTORY(test_in_a_hurry),
        TEST_IN_DIRECTORY(test_no_disk),
        TEST_IN_DIRECTORY(test_meanwhile),
        TEST_IN_DIRECTORY(test_in_a_row),
        TEST_IN_DIRECTORY(test_in_a_row_without_a_disk),
        TEST_IN_DIRECTORY(test_wrong_in_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
