/* Files that are being written. */
#include "../../fs/draft.h"

#include "../../fs/inode.h"
#include "cache_helpers.h"

#include <errno.h>

static uint64_t create(Drafts *drafts, uint32_t folder, const char *name)
{
    uint64_t ino = 0;
    assert_int_equal(drafts_create(drafts, folder, name, &ino), 0);
    assert_int_equal(inode_of(ino).kind, INODE_DRAFT);
    assert_true(drafts_named(drafts, folder, name) == ino);
    return ino;
}

static off_t size_of(Drafts *drafts, uint64_t ino)
{
    struct stat st = {0};
    assert_int_equal(drafts_stat(drafts, ino, &st), 0);
    return st.st_size;
}

static bool is_changed(Drafts *drafts, uint64_t ino)
{
    g_auto(Draft) draft = {0};
    assert_true(drafts_find(drafts, ino, &draft));
    return draft.changed;
}

static uint64_t version_of(Drafts *drafts, uint64_t ino)
{
    g_auto(Draft) draft = {0};
    assert_true(drafts_find(drafts, ino, &draft));
    return draft.version;
}

static void test_bytes(void **state)
{
    Drafts *drafts = drafts_new(*state);
    uint64_t ino = create(drafts, 7, "a.eml");
    char bytes[16];
    assert_int_equal(drafts_write(drafts, ino, "abcdef", 6, 2), 0);
    assert_int_equal(size_of(drafts, ino), 8);
    assert_int_equal(drafts_read(drafts, ino, bytes, sizeof bytes, 1), 7);
    assert_memory_equal(bytes, "\0abcdef", 7);
    assert_int_equal(drafts_truncate(drafts, ino, 3), 0);
    assert_int_equal(drafts_read(drafts, ino, bytes, sizeof bytes, 0), 3);
    assert_int_equal(drafts_read(drafts, ino, bytes, sizeof bytes, 3), 0);
    int fd = drafts_open(drafts, ino);
    assert_int_equal(pread(fd, bytes, sizeof bytes, 0), 3);
    close(fd);
    drafts_free(drafts);
}

static void test_times(void **state)
{
    Drafts *drafts = drafts_new(*state);
    uint64_t ino = create(drafts, 7, "a.eml");
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1234567890}};
    struct stat st;
    assert_int_equal(drafts_set_times(drafts, ino, times), 0);
    assert_int_equal(drafts_stat(drafts, ino, &st), 0);
    assert_int_equal(st.st_mtim.tv_sec, 1234567890);
    drafts_stored(drafts, ino, version_of(drafts, ino), 5, 1234567890);
    assert_int_equal(drafts_set_times(drafts, ino, times), 0);
    assert_false(is_changed(drafts, ino));
    const struct timespec others[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1234567891}};
    assert_int_equal(drafts_set_times(drafts, ino, others), 0);
    assert_true(is_changed(drafts, ino));
    drafts_free(drafts);
}

static void test_names(void **state)
{
    Drafts *drafts = drafts_new(*state);
    uint64_t a = create(drafts, 7, "a"), b = create(drafts, 7, "b"), other = create(drafts, 8, "a");
    uint64_t ino;
    assert_int_equal(drafts_create(drafts, 7, "a", &ino), EEXIST);
    assert_int_equal(drafts_rename(drafts, a, "b"), EEXIST);
    assert_int_equal(drafts_rename(drafts, a, "a"), 0);
    assert_int_equal(drafts_rename(drafts, a, "c"), 0);
    assert_true(drafts_named(drafts, 7, "a") == 0 && drafts_named(drafts, 7, "c") == a);
    g_auto(Draft) first = {0}, second = {0}, none = {0};
    assert_true(drafts_after(drafts, 7, 0, &first));
    assert_true(first.ino == a && strcmp(first.name, "c") == 0);
    assert_true(drafts_after(drafts, 7, a, &second));
    assert_true(second.ino == b);
    assert_false(drafts_after(drafts, 7, b, &none));
    assert_int_equal(drafts_unlink(drafts, 7, "b"), 0);
    assert_int_equal(drafts_unlink(drafts, 7, "b"), ENOENT);
    assert_int_equal(drafts_write(drafts, b, "x", 1, 0), 0); /* who has it open goes on, */
    assert_true(drafts_named(drafts, 7, "b") == 0);          /* and that gives no name */
    assert_true(drafts_named(drafts, 8, "a") == other);
    drafts_free(drafts);
}

/* A number is there as long as the kernel knows it or the name is, and is never given again. */
static void test_forgetting(void **state)
{
    Drafts *drafts = drafts_new(*state);
    uint64_t ino = create(drafts, 7, "a"), again;
    struct stat st;
    assert_true(drafts_look_up(drafts, ino));
    assert_int_equal(drafts_unlink(drafts, 7, "a"), 0);
    drafts_forget(drafts, ino, 1);
    assert_int_equal(drafts_stat(drafts, ino, &st), 0);
    drafts_forget(drafts, ino, 1);
    assert_int_equal(drafts_stat(drafts, ino, &st), ESTALE);
    assert_false(drafts_look_up(drafts, ino));
    again = create(drafts, 7, "a");
    assert_true(again > ino);
    drafts_forget(drafts, again, 1);
    assert_true(drafts_named(drafts, 7, "a") == again);
    drafts_free(drafts);
}

static void test_what_has_become_of_it(void **state)
{
    Drafts *drafts = drafts_new(*state);
    uint64_t ino = create(drafts, 7, "a");
    g_auto(Draft) draft = {0};
    char byte;
    assert_true(is_changed(drafts, ino));
    assert_true(drafts_failed(drafts, ino));
    assert_true(drafts_named(drafts, 7, "a") == 0);
    assert_int_equal(drafts_write(drafts, ino, "x", 1, 0), 0);
    assert_true(drafts_named(drafts, 7, "a") == ino);
    uint64_t version = version_of(drafts, ino);
    assert_int_equal(drafts_write(drafts, ino, "y", 1, 0), 0); /* while it is sent */
    drafts_stored(drafts, ino, version, 12, 1000);
    assert_true(drafts_named(drafts, 7, "a") == 0);
    assert_true(is_changed(drafts, ino));
    drafts_stored(drafts, ino, version_of(drafts, ino), 13, 1000);
    assert_true(drafts_find(drafts, ino, &draft));
    assert_true(draft.stored && draft.uid == 13 && !draft.changed);
    assert_int_equal(drafts_read(drafts, ino, &byte, 1, 0), 1);
    drafts_forget(drafts, ino, 1);
    assert_true(drafts_open(drafts, ino) < 0);
    drafts_free(drafts);
}

static void test_temporary_names(void **state)
{
    Drafts *drafts = drafts_new(*state);
    uint64_t ino = create(drafts, 7, ".a.XXXX");
    g_auto(Draft) draft = {0}, renamed = {0};
    assert_true(drafts_find(drafts, ino, &draft));
    assert_true(draft.temporary);
    assert_false(drafts_failed(drafts, ino));
    g_autoptr(GArray) left = drafts_left(drafts);
    assert_int_equal(left->len, 1);
    assert_true(g_array_index(left, uint64_t, 0) == ino);
    assert_int_equal(drafts_rename(drafts, ino, "a"), 0);
    assert_true(drafts_find(drafts, ino, &renamed));
    assert_false(renamed.temporary);
    drafts_free(drafts);
}

static void test_copies(void **state)
{
    Drafts *drafts = drafts_new(*state);
    uint64_t ino = create(drafts, 7, "a");
    const struct timespec same[2] = {{.tv_nsec = UTIME_NOW}, {.tv_sec = 1000}};
    const struct timespec others[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1001}};
    char byte;
    drafts_copied(drafts, ino, 5, 4711, 1000);
    assert_int_equal(size_of(drafts, ino), 4711);
    assert_false(is_changed(drafts, ino));
    assert_int_equal(drafts_read(drafts, ino, &byte, 1, 0), -ESTALE);
    assert_int_equal(drafts_write(drafts, ino, "x", 1, 0), EPERM);
    assert_int_equal(drafts_truncate(drafts, ino, 0), EPERM);
    assert_int_equal(drafts_set_times(drafts, ino, same), 0);
    assert_int_equal(drafts_set_times(drafts, ino, others), EPERM);
    drafts_free(drafts);
}

/* Makes one that has been stored under that UID, or (0) could not be. */
static uint64_t finish(Drafts *drafts, uint32_t uid)
{
    g_autofree char *name = g_strdup_printf("%u", uid);
    uint64_t ino = create(drafts, 7, name);
    if (uid)
        drafts_stored(drafts, ino, version_of(drafts, ino), uid, 1000);
    else
        assert_true(drafts_failed(drafts, ino));
    return ino;
}

/* Only the latest have their bytes; what was changed since it was stored has them too. */
static void test_what_is_given_up(void **state)
{
    Drafts *drafts = drafts_new(*state);
    uint64_t failed = finish(drafts, 0), changed = finish(drafts, 1), first = finish(drafts, 2),
             last = 0, ino = 0;
    uint32_t folder, uid;
    char byte;
    assert_int_equal(drafts_write(drafts, changed, "x", 1, 0), 0);
    for (uint32_t i = 3; i < 64; i++)
        last = finish(drafts, i);
    assert_false(drafts_surplus(drafts, &ino, &folder, &uid));
    for (uint32_t i = 64; i < 67; i++)
        last = finish(drafts, i);
    assert_true(drafts_surplus(drafts, &ino, &folder, &uid));
    assert_true(ino == failed && folder == 7 && uid == 0);
    assert_true(drafts_give_up(drafts, ino));
    assert_int_equal(drafts_write(drafts, failed, "x", 1, 0), ESTALE);
    assert_true(drafts_surplus(drafts, &ino, &folder, &uid));
    assert_true(ino == first && uid == 2);
    assert_int_equal(drafts_read(drafts, first, &byte, 1, 0), 0);
    assert_true(drafts_give_up(drafts, ino));
    assert_int_equal(drafts_read(drafts, first, &byte, 1, 0), -ESTALE);
    assert_false(is_changed(drafts, first));
    assert_int_equal(drafts_read(drafts, changed, &byte, 1, 0), 1);
    assert_false(drafts_surplus(drafts, &ino, &folder, &uid));
    assert_false(drafts_forget(drafts, last, 0));
    assert_true(drafts_forget(drafts, first, 1));
    assert_true(drafts_forget(drafts, last, 1));
    drafts_free(drafts);
}

#define IN_DIRECTORY(test) \
    cmocka_unit_test_setup_teardown(test, setup_directory, teardown_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(test_bytes),
        IN_DIRECTORY(test_times),
        IN_DIRECTORY(test_names),
        IN_DIRECTORY(test_forgetting),
        IN_DIRECTORY(test_what_has_become_of_it),
        IN_DIRECTORY(test_temporary_names),
        IN_DIRECTORY(test_copies),
        IN_DIRECTORY(test_what_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
