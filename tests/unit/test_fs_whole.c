/* Messages of a store that gives whole ones alone: one fetch each, and nothing of what was cut. */
#include "fs_named.h"

enum { KIB = 1024, MIB = 1 << 20 };

typedef struct {
    size_t header, text;
    uint64_t claimed;
} Case;

static const Case cases[] = {
    {300, 700, 1000},
    {300, 700, 0},
    {300, 700, 900},
    {300, 700, 99999},
    {300, 700, UINT64_MAX},
    {1000, 0, 1000},
    {0, 700, 700},
    {0, 0, 10},
    {300, 65536 - 300, 65536},
    {300, 65536 - 299, 65536},
    {65536, 65536, 131072},
    {65537, 65535, 131072},
    {200 * KIB, 5, 3},
    {300, 3 * MIB, 3 * MIB + 300},
    {300, 9 * MIB, 9 * MIB}, /* wrong, and longer than is fetched ahead */
};

static Scene scene_of_cases(void)
{
    Scene scene = named_scene();
    for (uint32_t i = 0; i < G_N_ELEMENTS(cases); i++)
        fake_claim(scene.server,
                   fake_add(scene.server, scene.inbox, i + 1, cases[i].header, cases[i].text),
                   cases[i].claimed);
    return scene;
}

/* Opened, read whole, and read again from the disk: by one fetch of both parts. */
static void test_true_bytes(void **state)
{
    Scene scene = scene_of_cases();
    scene_mount(&scene, state);
    for (int life = 0; life < 2; life++) {
        for (uint32_t i = 0; i < G_N_ELEMENTS(cases); i++) {
            uint64_t ino = fs_message(scene.fs, "INBOX", i + 1);
            uint64_t size = cases[i].header + cases[i].text;
            assert_int_equal(fs_open(scene.fs, ino), 0);
            assert_int_equal(fs_size(scene.fs, ino), size);
            assert_true(fs_reads_all(scene.fs, ino, 128 * KIB, size));
            g_autofree char *expected = g_strdup_printf("%u:H %u:T", i + 1, i + 1);
            fake_assert_asked(scene.server, life ? "" : expected);
            fake_forget(scene.server);
        }
        fs_flush(scene.fs);
        named_remount(&scene, state);
    }
    scene_end(&scene);
}

/* A read alone, where the kernel opens files by itself. */
static void test_read_without_open(void **state)
{
    Scene scene = scene_of_cases();
    scene_mount(&scene, state);
    for (uint32_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        uint64_t ino = fs_message(scene.fs, "INBOX", i + 1);
        uint64_t size = cases[i].header + cases[i].text;
        assert_true(fs_reads(scene.fs, ino, 0, 16 * KIB, size));
        assert_true(fs_reads_all(scene.fs, ino, 128 * KIB, size));
        assert_int_equal(fs_size(scene.fs, ino), size);
        assert_int_equal(fake_started(scene.server, FAKE_FETCH), 1);
        fake_forget(scene.server);
    }
    scene_end(&scene);
}

/* The connection breaks behind the header: an error, nothing kept; the next try gets it. */
static void test_cut(void **state)
{
    Scene scene = named_scene();
    fake_add(scene.server, scene.inbox, 1, 300 * KIB, 700 * KIB);
    scene_mount(&scene, state);
    uint64_t ino = fs_message(scene.fs, "INBOX", 1);
    fake_lock(scene.server);
    scene.server->cut = 2;
    fake_unlock(scene.server);
    assert_int_equal(fs_open(scene.fs, ino), ENOTCONN);
    assert_int_equal(fs_read_error(scene.fs, ino, 0, 4096), ENOTCONN);
    assert_int_equal(fs_size(scene.fs, ino), 1000 * KIB);
    assert_int_equal(content_held(scene.fs->mount.content, inode_of(ino).folder, 1, 0), 0);
    assert_int_equal(fs_open(scene.fs, ino), 0);
    assert_true(fs_reads_all(scene.fs, ino, 128 * KIB, 1000 * KIB));
    scene_end(&scene);
}

static void test_gone(void **state)
{
    Scene scene = named_scene();
    fake_add(scene.server, scene.inbox, 1, 300, 700);
    scene_mount(&scene, state);
    fake_remove(scene.server, scene.inbox, 1);
    assert_int_equal(fs_open(scene.fs, fs_message(scene.fs, "INBOX", 1)), ENOENT);
    scene_end(&scene);
}

/* A part of it was evicted: all of it comes again. */
static void test_evicted(void **state)
{
    Scene scene = named_scene();
    fake_add(scene.server, scene.inbox, 1, 300 * KIB, 700 * KIB);
    scene_mount(&scene, state);
    uint64_t ino = fs_message(scene.fs, "INBOX", 1);
    assert_int_equal(fs_open(scene.fs, ino), 0);
    content_drop(scene.fs->mount.content, inode_of(ino).folder, 1);
    assert_true(fs_reads(scene.fs, ino, 900 * KIB, 128 * KIB, 1000 * KIB));
    fake_assert_asked(scene.server, "1:H 1:T 1:H 1:T");
    scene_end(&scene);
}

/* What memory alone can't hold is an error that says so, and no endless fetching. */
static void test_too_long_for_memory(void **state)
{
    Scene scene = named_scene();
    FakeMessage *message = fake_add(scene.server, scene.inbox, 1, 300, 20 * MIB);
    (void)state;
    scene.fs = fs_mount(scene.server, NULL);
    assert_int_equal(fs_list_first(scene.fs, fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX")), 0);
    fake_forget(scene.server);
    uint64_t ino = fs_message(scene.fs, "INBOX", message->given);
    assert_int_equal(fs_open(scene.fs, ino), 0);
    assert_int_equal(fs_size(scene.fs, ino), 20 * MIB + 300);
    assert_int_equal(fs_read_error(scene.fs, ino, 0, 4096), ENOSPC);
    assert_in_range(fake_started(scene.server, FAKE_FETCH), 1, 4);
    scene_end(&scene);
}

/* A scan fetches ahead in batches, each message by one fetch of both parts, whatever its size. */
static void test_scan(void **state)
{
    Scene scene = named_scene();
    for (uint32_t uid = 1; uid <= 60; uid++)
        fake_claim(scene.server,
                   fake_add(scene.server, scene.inbox, uid, 300, uid == 30 ? 5 * MIB : 5000),
                   uid == 40   ? 1
                   : uid == 30 ? 5 * MIB + 300
                               : 5300);
    scene.fs = fs_prepare(scene.server);
    scene.fs->prefetch = 16 * MIB;
    fs_begin(scene.fs, *state);
    assert_int_equal(fs_list_first(scene.fs, fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX")), 0);
    fake_forget(scene.server);
    for (uint32_t uid = 1; uid <= 60; uid++) {
        uint64_t ino = fs_message(scene.fs, "INBOX", uid);
        uint64_t size = 300 + (uid == 30 ? 5 * MIB : 5000);
        assert_int_equal(fs_open(scene.fs, ino), 0);
        assert_int_equal(fs_size(scene.fs, ino), size);
        assert_true(fs_reads_all(scene.fs, ino, 128 * KIB, size));
    }
    fake_lock(scene.server);
    assert_int_equal(scene.server->asked->len, 2 * 60);
    assert_true(scene.server->ahead > 0);
    fake_unlock(scene.server);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_true_bytes), TEST_IN_DIRECTORY(test_read_without_open),
        TEST_IN_DIRECTORY(test_cut),        TEST_IN_DIRECTORY(test_gone),
        TEST_IN_DIRECTORY(test_evicted),    TEST_IN_DIRECTORY(test_too_long_for_memory),
        TEST_IN_DIRECTORY(test_scan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
