#include "fs_harness.h"

enum { FOLDER = 5 };

/* What a new process would find on disk. */
static bool is_on_disk(const char *directory, uint32_t folder, uint32_t uid, size_t length)
{
    g_autoptr(Content) content = content_open(directory, UINT64_C(1) << 30);
    return content_held(content, folder, uid, 0) == length;
}

static bool folder_is_on_disk(const char *directory, uint32_t messages)
{
    g_autoptr(Catalog) catalog = catalog_open(directory);
    g_autoptr(GArray) folders = catalog_folders(catalog);
    return folders->len == 1 && g_array_index(folders, CatalogFolder, 0).listed &&
           g_array_index(folders, CatalogFolder, 0).state.count == messages;
}

/* Waits until it is so, without saying how long that may take. */
#define AWAIT(condition)                               \
    do {                                               \
        for (int i = 0; !(condition) && i < 6000; i++) \
            g_usleep(20000);                           \
        assert_true(condition);                        \
    } while (0)

/* Nobody asks for it: soon what was listed and read is on disk. */
static void test_by_itself(void **state)
{
    Scene scene = scene_new();
    fake_add(scene.server, scene.inbox, 1, 300, 700);
    scene_mount(&scene, state);
    uint64_t ino = fs_message(scene.fs, "INBOX", 1);
    AWAIT(folder_is_on_disk(*state, 1));
    assert_int_equal(fs_open(scene.fs, ino), 0);
    AWAIT(is_on_disk(*state, inode_of(ino).folder, 1, 1000));
    /* A second time, with a timer that has run out once. */
    fake_add(scene.server, scene.inbox, 2, 300, 800);
    refresh_stale(scene.fs->mount.refresher, inode_of(ino).folder);
    assert_int_equal(fs_opendir(scene.fs, fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX")), 0);
    assert_int_equal(fs_open(scene.fs, fs_message(scene.fs, "INBOX", 2)), 0);
    AWAIT(is_on_disk(*state, inode_of(ino).folder, 2, 1100));
    scene_end(&scene);
}

/* As a scan does: much in a short time, on the engine thread, so that no timer can run. */
static void put_much(Fs *fs)
{
    for (uint32_t uid = 1; uid <= 600; uid++) {
        g_autoptr(GBytes) bytes = bytes_of(FOLDER, uid, 0, CONTENT_BLOCK);
        while (content_pending(fs->mount.content) > 8 << 20)
            g_usleep(1000);
        content_put(fs->mount.content, FOLDER, uid, 0, bytes);
    }
    fs_call_done(fs, NULL);
}

/* What is read is written while the engine is busy; nothing gets lost for want of a timer. */
static void test_much_at_once(void **state)
{
    Scene scene = scene_new();
    scene_mount(&scene, state);
    fs_call_async(scene.fs, put_much);
    for (uint32_t uid = 1; uid <= 600; uid++) {
        g_autofree unsigned char *bytes = g_malloc(CONTENT_BLOCK);
        assert_true(content_read(scene.fs->mount.content, FOLDER, uid, 0, CONTENT_BLOCK, bytes));
        assert_true(are_bytes_of(bytes, FOLDER, uid, 0, CONTENT_BLOCK));
    }
    scene_end(&scene);
}

/* The mount ends with a timer running: it is gone, and what it would have done is done. */
static void test_ends_with_work_left(void **state)
{
    Scene scene = scene_new();
    fake_add(scene.server, scene.inbox, 1, 300, 700);
    scene_mount(&scene, state);
    uint64_t ino = fs_message(scene.fs, "INBOX", 1);
    assert_int_equal(fs_open(scene.fs, ino), 0);
    scene_end(&scene);
    assert_true(is_on_disk(*state, inode_of(ino).folder, 1, 1000));
    assert_true(folder_is_on_disk(*state, 1));
    flusher_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_by_itself),
        TEST_IN_DIRECTORY(test_much_at_once),
        TEST_IN_DIRECTORY(test_ends_with_work_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
