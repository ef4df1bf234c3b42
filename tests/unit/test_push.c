#include "fs_harness.h"

enum { MESSAGES = 300, HEADER = 300, MIB = 1 << 20 };

static size_t text_of(uint32_t uid)
{
    return uid % 10 == 4 ? 70000 + uid : 500 + uid * 13 % 3000;
}

static bool read_whole(Scene *scene, uint32_t uid)
{
    uint64_t ino = fs_message(scene->fs, "INBOX", uid);
    return fs_reads_all(scene->fs, ino, 131072, HEADER + text_of(uid));
}

/* A mount that comes after another one, which has read all messages. */
static Scene scene_held(void **state)
{
    Scene scene = scene_new();
    for (uint32_t uid = 1; uid <= MESSAGES; uid++)
        fake_add(scene.server, scene.inbox, uid, HEADER, text_of(uid));
    for (int i = 0; i < 2; i++) {
        scene_mount(&scene, state);
        if (i == 0) {
            for (uint32_t uid = 1; uid <= MESSAGES; uid++)
                assert_true(read_whole(&scene, uid));
            fs_unmount(scene.fs);
        }
    }
    return scene;
}

typedef struct {
    uint64_t ino, offset;
    const unsigned char *bytes;
    size_t length;
} Stored;

/* What of a note is a FUSE_NOTIFY_STORE. */
static bool read_note(GBytes *note, Stored *stored)
{
    gsize length;
    const unsigned char *bytes = g_bytes_get_data(note, &length);
    struct fuse_out_header header;
    struct fuse_notify_store_out out;
    memcpy(&header, bytes, sizeof header);
    if (header.error != FUSE_NOTIFY_STORE)
        return false;
    memcpy(&out, bytes + sizeof header, sizeof out);
    *stored = (Stored){out.nodeid, out.offset, bytes + sizeof header + sizeof out, out.size};
    assert_int_equal(length, sizeof header + sizeof out + out.size);
    return true;
}

/* The messages that the kernel was given whole, as a set of UIDs; every byte is looked at. */
static GHashTable *given(Scene *scene)
{
    GHashTable *bytes = g_hash_table_new(NULL, NULL), *whole = g_hash_table_new(NULL, NULL);
    GHashTableIter iter;
    gpointer uid, length;
    pthread_mutex_lock(&scene->fs->lock);
    for (guint i = 0; i < scene->fs->notes->len; i++) {
        Stored stored;
        if (!read_note(scene->fs->notes->pdata[i], &stored))
            continue;
        uint32_t of = inode_of(stored.ino).uid;
        size_t before = GPOINTER_TO_SIZE(g_hash_table_lookup(bytes, GUINT_TO_POINTER(of)));
        assert_true(stored.offset % 4096 == 0);
        assert_true(are_bytes_of(stored.bytes, FAKE_BYTES, of, stored.offset, stored.length));
        g_hash_table_insert(bytes, GUINT_TO_POINTER(of), GSIZE_TO_POINTER(before + stored.length));
    }
    pthread_mutex_unlock(&scene->fs->lock);
    g_hash_table_iter_init(&iter, bytes);
    while (g_hash_table_iter_next(&iter, &uid, &length))
        if (GPOINTER_TO_SIZE(length) >= HEADER + text_of(GPOINTER_TO_UINT(uid)))
            g_hash_table_add(whole, uid);
    g_hash_table_unref(bytes);
    return whole;
}

/* Waits until the kernel was given the message. */
static void await_given(Scene *scene, uint32_t uid)
{
    for (int i = 0; i < 12000; i++) {
        g_autoptr(GHashTable) whole = given(scene);
        if (g_hash_table_contains(whole, GUINT_TO_POINTER(uid)))
            return;
        g_usleep(10000);
    }
    fail();
}

/* The reader of the kernel's pages: he asks only for what it has not been given. */
static unsigned scan(Scene *scene, const uint32_t *uids, size_t n)
{
    unsigned asked = 0;
    for (size_t i = 0; i < n; i++) {
        g_autoptr(GHashTable) whole = given(scene);
        if (g_hash_table_contains(whole, GUINT_TO_POINTER(uids[i])))
            continue;
        asked++;
        assert_true(read_whole(scene, uids[i]));
        /* A kernel that waits for nothing would be ahead of the thread always. */
        if (asked >= 3 && i + 8 < n && i % PUSH_CHUNK < 8)
            g_usleep(20000);
    }
    return asked;
}

static void test_up_and_down(void **state)
{
    for (int down = 0; down < 2; down++) {
        Scene scene = scene_held(state);
        uint32_t uids[MESSAGES];
        for (uint32_t i = 0; i < MESSAGES; i++)
            uids[i] = down ? MESSAGES - i : i + 1;
        assert_in_range(scan(&scene, uids, MESSAGES), 3, MESSAGES / 2);
        fake_assert_idle(scene.server);
        scene_end(&scene);
    }
}

/* So much, and no more, before the reader has come to the marker. */
static void test_waits_for_the_reader(void **state)
{
    Scene scene = scene_held(state);
    for (uint32_t uid = 1; uid <= 3; uid++)
        assert_true(read_whole(&scene, uid));
    await_given(&scene, 41);
    g_usleep(50000);
    g_autoptr(GHashTable) whole = given(&scene);
    assert_in_range(g_hash_table_size(whole), PUSH_CHUNK, 3 * PUSH_CHUNK);
    assert_false(g_hash_table_contains(whole, GUINT_TO_POINTER(MESSAGES)));
    /* One in a chunk is left out. */
    uint32_t marker = 4;
    while (g_hash_table_contains(whole, GUINT_TO_POINTER(marker)) || marker < 8)
        marker++;
    assert_in_range(marker, 8, 8 + PUSH_CHUNK);
    for (int i = 0; i < 2; i++)
        assert_true(read_whole(&scene, marker + (uint32_t)i * PUSH_CHUNK));
    await_given(&scene, marker + 2 * PUSH_CHUNK + 1);
    scene_end(&scene);
}

static void test_a_few_reads(void **state)
{
    Scene scene = scene_held(state);
    for (int i = 0; i < 10; i++) {
        assert_true(read_whole(&scene, 100));
        assert_true(read_whole(&scene, 101));
    }
    g_usleep(50000);
    g_autoptr(GHashTable) whole = given(&scene);
    assert_int_equal(g_hash_table_size(whole), 0);
    scene_end(&scene);
}

/* What is not held, or whose size nobody knows yet, is not given. */
static void test_not_held(void **state)
{
    Scene scene = scene_new();
    for (uint32_t uid = 1; uid <= MESSAGES; uid++)
        fake_add(scene.server, scene.inbox, uid, HEADER, text_of(uid));
    scene_mount(&scene, state);
    for (uint32_t uid = 1; uid <= 50; uid += 5)
        assert_true(read_whole(&scene, uid));
    fs_flush(scene.fs);
    for (uint32_t uid = 1; uid <= 20; uid += 5)
        assert_true(read_whole(&scene, uid));
    await_given(&scene, 46);
    g_autoptr(GHashTable) whole = given(&scene);
    for (uint32_t uid = 1; uid <= MESSAGES; uid++)
        if (uid > 50 || uid % 5 != 1)
            assert_false(g_hash_table_contains(whole, GUINT_TO_POINTER(uid)));
    assert_int_equal(fake_started(scene.server, FAKE_FETCH), 10);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_up_and_down),
        TEST_IN_DIRECTORY(test_waits_for_the_reader),
        TEST_IN_DIRECTORY(test_a_few_reads),
        TEST_IN_DIRECTORY(test_not_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
