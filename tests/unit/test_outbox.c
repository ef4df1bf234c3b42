#include "cache_helpers.h"

#include "../../cache/mail.h"
#include "../../cache/outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

typedef struct {
    GMutex lock;
    GCond changed;
    bool told;
    int64_t id;
    int code;
} Told;

static void note(gpointer data, int64_t id, const GError *error)
{
    Told *told = data;

    g_mutex_lock(&told->lock);
    told->told = true;
    told->id = id;
    told->code = error ? mail_errno(error) : 0;
    g_cond_signal(&told->changed);
    g_mutex_unlock(&told->lock);
}

static int file_of(const char *directory, GBytes *bytes)
{
    int fd = open(directory, O_TMPFILE | O_RDWR, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes)),
                     (ssize_t)g_bytes_get_size(bytes));
    return fd;
}

/* The id, or below 0 the errno. */
static int64_t put(Outbox *outbox, const char *directory, const char *name, size_t size)
{
    g_autoptr(GBytes) bytes = bytes_of(1, (uint32_t)strlen(name), 0, size);
    Letter letter = {.folder = (char *)"Archive/2026",
                     .name = (char *)name,
                     .uidvalidity = 4000000000,
                     .first = 4000000001,
                     .date = 1700000000,
                     .size = size};
    Told told = {0};

    outbox_put(outbox, &letter, file_of(directory, bytes), note, &told);
    g_mutex_lock(&told.lock);
    while (!told.told)
        g_cond_wait(&told.changed, &told.lock);
    g_mutex_unlock(&told.lock);
    assert_true(told.code || told.id > 0);
    return told.code ? -told.code : told.id;
}

/* "name/size …", in the order that they are told; and their bytes are right. */
static void assert_taken(Outbox *outbox, const char *directory, const char *expected)
{
    g_autoptr(GPtrArray) letters = outbox_take(outbox);
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; i < letters->len; i++) {
        const Letter *letter = letters->pdata[i];
        g_autoptr(GBytes) right = bytes_of(1, (uint32_t)strlen(letter->name), 0, letter->size);
        g_autofree char *found = g_malloc(letter->size + 1);
        g_autoptr(GError) error = NULL;
        int fd = open(directory, O_TMPFILE | O_RDWR, 0600);
        assert_true(outbox_copy(outbox, letter, fd, &error));
        assert_int_equal(pread(fd, found, letter->size + 1, 0), (ssize_t)letter->size);
        assert_memory_equal(found, g_bytes_get_data(right, NULL), letter->size);
        close(fd);
        assert_string_equal(letter->folder, "Archive/2026");
        assert_int_equal(letter->uidvalidity, 4000000000);
        assert_int_equal(letter->first, 4000000001);
        assert_int_equal(letter->date, 1700000000);
        g_string_append_printf(text, "%s/%u ", letter->name, (unsigned)letter->size);
    }
    assert_string_equal(text->str, expected);
}

static void test_kept(void **state)
{
    Outbox *outbox = outbox_open(*state);
    int64_t one = put(outbox, *state, "a", 1), other;

    other = put(outbox, *state, "bb", 65536);
    assert_true(other > one);
    assert_true(put(outbox, *state, "ccc", 1000001) > other);
    assert_true(put(outbox, *state, "dddd", 0) > 0);
    outbox_close(outbox);
    outbox = outbox_open(*state);
    assert_taken(outbox, *state, "a/1 bb/65536 ccc/1000001 dddd/0 ");
    /* What is done with is not there any more; a name can be another one. */
    outbox_end(outbox, one, NULL, NULL);
    outbox_rename(outbox, other, "xx", NULL, NULL);
    outbox_close(outbox);
    outbox = outbox_open(*state);
    assert_taken(outbox, *state, "xx/65536 ccc/1000001 dddd/0 ");
    outbox_close(outbox);
    assert_int_equal(warnings, 0);
}

static void await(Told *told, int64_t id)
{
    g_mutex_lock(&told->lock);
    while (!told->told)
        g_cond_wait(&told->changed, &told->lock);
    g_mutex_unlock(&told->lock);
    assert_int_equal(told->code, 0);
    assert_int_equal(told->id, id);
}

/* Each is on the disk when that is told. */
static void test_changed(void **state)
{
    Told sent = {0}, named = {0}, ended = {0};
    Outbox *outbox = outbox_open(*state);
    int64_t one = put(outbox, *state, "a", 1), other = put(outbox, *state, "b", 1);

    outbox_send(outbox, one, 7, 8, note, &sent);
    outbox_rename(outbox, one, "c", note, &named);
    outbox_end(outbox, other, note, &ended);
    await(&sent, one);
    await(&named, one);
    await(&ended, other);
    outbox_close(outbox);
    outbox = outbox_open(*state);
    g_autoptr(GPtrArray) letters = outbox_take(outbox);
    assert_int_equal(letters->len, 1);
    const Letter *letter = letters->pdata[0];
    assert_string_equal(letter->name, "c");
    assert_int_equal(letter->uidvalidity, 7);
    assert_int_equal(letter->first, 8);
    outbox_close(outbox);
    assert_int_equal(warnings, 0);
}

/* A mount that never put anything there leaves nothing behind. */
static void test_nothing(void **state)
{
    Outbox *outbox = outbox_open(*state);
    g_autoptr(GDir) dir = NULL;

    assert_taken(outbox, *state, "");
    outbox_close(outbox);
    dir = g_dir_open(*state, 0, NULL);
    assert_null(g_dir_read_name(dir));
}

/* Each process has its own; what a living one has put there is not taken. */
static void test_owners(void **state)
{
    Outbox *one = outbox_open(*state), *other = outbox_open(*state), *third;

    assert_true(put(one, *state, "a", 10) > 0);
    assert_true(put(other, *state, "bb", 20) > 0);
    third = outbox_open(*state);
    assert_taken(third, *state, "");
    outbox_close(third);
    outbox_close(one);
    third = outbox_open(*state);
    assert_taken(third, *state, "a/10 ");
    outbox_close(other);
    other = outbox_open(*state);
    assert_taken(other, *state, "bb/20 ");
    outbox_close(third);
    outbox_close(other);
}

static void test_killed(void **state)
{
    Outbox *outbox;
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (!child) {
        outbox = outbox_open(*state);
        put(outbox, *state, "a", 100);
        put(outbox, *state, "bb", 200);
        kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    outbox = outbox_open(*state);
    assert_taken(outbox, *state, "a/100 bb/200 ");
    outbox_close(outbox);
}

/* Nothing is kept of what the disk did not take, and all works again when there is room. */
static void test_a_full_disk(void **state)
{
    const struct rlimit little = {200000, RLIM_INFINITY}, much = {RLIM_INFINITY, RLIM_INFINITY};
    Outbox *outbox = outbox_open(*state);

    signal(SIGXFSZ, SIG_IGN);
    assert_true(put(outbox, *state, "a", 100) > 0);
    setrlimit(RLIMIT_FSIZE, &little);
    assert_true(put(outbox, *state, "bb", 190000) < 0);
    setrlimit(RLIMIT_FSIZE, &much);
    assert_true(put(outbox, *state, "ccc", 190000) > 0);
    outbox_close(outbox);
    outbox = outbox_open(*state);
    assert_taken(outbox, *state, "a/100 ccc/190000 ");
    outbox_close(outbox);
}

static void test_what_cant_be_kept(void **state)
{
    Outbox *outbox = outbox_open(NULL);
    Letter letter = {.folder = (char *)"INBOX", .name = (char *)"x", .size = 1000 * 1000 * 1000};
    Told told = {0};

    assert_int_equal(put(outbox, *state, "a", 10), -EROFS);
    outbox_close(outbox);
    outbox = outbox_open(*state);
    outbox_put(outbox, &letter, -1, note, &told);
    outbox_close(outbox);
    assert_int_equal(told.code, EFBIG);
    /* A file that has less in it than was said. */
    outbox = outbox_open(*state);
    letter.size = 100;
    outbox_put(outbox, &letter, open("/dev/null", O_RDONLY), note, &told);
    outbox_close(outbox);
    assert_int_equal(told.code, EIO);
    outbox = outbox_open(*state);
    assert_taken(outbox, *state, "");
    outbox_close(outbox);
}

/* It is moved aside, since somebody may want to have what is left in it. */
static void test_damaged(void **state)
{
    g_autofree char *path = g_build_filename(*state, "outbox.db", NULL);
    Outbox *outbox;

    assert_true(g_file_set_contents(path, "no database", -1, NULL));
    outbox = outbox_open(*state);
    assert_taken(outbox, *state, "");
    assert_int_equal(warnings, 1);
    assert_true(put(outbox, *state, "a", 10) > 0);
    outbox_close(outbox);
    outbox = outbox_open(*state);
    assert_taken(outbox, *state, "a/10 ");
    outbox_close(outbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_kept),
        TEST_IN_DIRECTORY(test_changed),
        TEST_IN_DIRECTORY(test_nothing),
        TEST_IN_DIRECTORY(test_owners),
        TEST_IN_DIRECTORY(test_killed),
        TEST_IN_DIRECTORY(test_a_full_disk),
        TEST_IN_DIRECTORY(test_what_cant_be_kept),
        TEST_IN_DIRECTORY(test_damaged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
