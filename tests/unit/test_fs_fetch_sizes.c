#include "fs_harness.h"

/*
 * Servers that lie: about sizes, and with HEADER and TEXT that are not BODY[]. Whatever they say,
 * who has the file open sees the true bytes, and stat the true size.
 */

enum { MIB = 1 << 20 };

typedef struct {
    size_t header, text; /* of the true message */
    uint64_t claimed;
    bool zeros; /* HEADER and TEXT are no part of it: zeros, so many as below */
    size_t false_header, false_text;
} Lie;

static const Lie lies[] = {
    {300, 700, 999, false, 0, 0},
    {300, 700, 1001, false, 0, 0},
    {300, 700, 0, false, 0, 0},
    {300, 700, 1, false, 0, 0},
    {300, 700, 300, false, 0, 0},
    {300, 700, 20000, false, 0, 0},
    {300, 700, 70000, false, 0, 0},
    {300, 700, UINT64_C(1) << 40, false, 0, 0},
    {300, 700, INT64_MAX, false, 0, 0},
    {300, 700, UINT64_MAX, false, 0, 0},
    {300, 30000, 1000, false, 0, 0},
    {300, 30000, 30299, false, 0, 0},
    {300, 30000, 30301, false, 0, 0},
    {300, 2 * MIB, 100, false, 0, 0},
    {300, 2 * MIB, 20000, false, 0, 0},
    {300, 2 * MIB, 2 * MIB, false, 0, 0},
    {300, 2 * MIB, 2 * MIB + 299, false, 0, 0},
    {300, 2 * MIB, 2 * MIB + 301, false, 0, 0},
    {300, 2 * MIB, 30 * MIB, false, 0, 0},
    {300, MIB - 300, 5, false, 0, 0}, /* just as long as a stretch */
    {300, 2 * MIB - 300, 3 * MIB, false, 0, 0},
    {0, 0, 10, false, 0, 0},
    {0, 0, 100000, false, 0, 0},
    {0, 700, 800, false, 0, 0},
    {100000, 0, 800, false, 0, 0},
    {100000, 700, 65537, false, 0, 0},
    /* Another claim, and parts that do not add up. */
    {300, 700, 1001, true, 300, 690},
    {300, 700, 1000, true, 300, 600},
    {300, 700, 1000, true, 310, 700},
    {300, 700, 1000, true, 0, 0},
    {300, 700, 0, true, 400, 400},
    {300, 30000, 30300, true, 200, 29000},
    {300, 2 * MIB, 2 * MIB + 300, true, 0, 2 * MIB},
    {300, 2 * MIB, 1000, true, 200, 2 * MIB},
    {300, 2 * MIB, 2 * MIB, true, 200, 100},
    {300, 2 * MIB, 2 * MIB + 300, true, 200, 100},
    {300, 2 * MIB, 2 * MIB + 300, true, 300, 2 * MIB + 1},
    {300, 2 * MIB, 2 * MIB + 300, true, 299, 2 * MIB},
};

static FakeMessage *add_lie(Scene *scene, uint32_t uid, const Lie *lie)
{
    FakeMessage *message = fake_add(scene->server, scene->inbox, uid, lie->header, lie->text);
    fake_claim(scene->server, message, lie->claimed);
    if (lie->zeros)
        fake_set_parts(scene->server, message, lie->false_header, lie->false_text);
    return message;
}

static void test_opened(void **state)
{
    Scene scene = scene_new();
    for (uint32_t i = 0; i < G_N_ELEMENTS(lies); i++)
        add_lie(&scene, i + 1, &lies[i]);
    scene_mount(&scene, state);
    for (uint32_t i = 0; i < G_N_ELEMENTS(lies); i++) {
        uint64_t end = lies[i].header + lies[i].text, ino = fs_message(scene.fs, "INBOX", i + 1);
        assert_int_equal(fs_open(scene.fs, ino), 0);
        if (fs_size(scene.fs, ino) != end)
            fail_msg("lie %u: the size is %lu", i, (unsigned long)fs_size(scene.fs, ino));
        if (!fs_reads_all(scene.fs, ino, 100000, end) || !fs_reads_all(scene.fs, ino, 65536, end))
            fail_msg("lie %u: the bytes are wrong", i);
        assert_int_equal(fs_size(scene.fs, ino), end);
        fake_forget(scene.server);
        assert_int_equal(fs_open(scene.fs, ino), 0);
        assert_true(fs_reads_all(scene.fs, ino, 131072, end));
        fake_assert_idle(scene.server);
    }
    /* The truth outlives the mount. */
    fs_unmount(scene.fs);
    scene_mount(&scene, state);
    for (uint32_t i = 0; i < G_N_ELEMENTS(lies); i++) {
        uint64_t end = lies[i].header + lies[i].text, ino = fs_message(scene.fs, "INBOX", i + 1);
        assert_int_equal(fs_size(scene.fs, ino), end);
        assert_int_equal(fs_open(scene.fs, ino), 0);
        assert_true(fs_reads_all(scene.fs, ino, 65536, end));
    }
    fake_assert_idle(scene.server);
    scene_end(&scene);
}

/* What is evicted is fetched as what it was found to be. */
static void drop_contents(Fs *fs)
{
    content_drop_folder(fs->mount.content, inode_of(fs_message(fs, "INBOX", 1)).folder);
    fs_call_done(fs, NULL);
}

static void test_evicted(void **state)
{
    Scene scene = scene_new();
    for (uint32_t i = 0; i < G_N_ELEMENTS(lies); i++)
        add_lie(&scene, i + 1, &lies[i]);
    scene_mount(&scene, state);
    for (uint32_t i = 0; i < G_N_ELEMENTS(lies); i++) {
        uint64_t end = lies[i].header + lies[i].text, ino = fs_message(scene.fs, "INBOX", i + 1);
        assert_int_equal(fs_open(scene.fs, ino), 0);
        fs_call_async(scene.fs, drop_contents);
        if (end && !fs_reads(scene.fs, ino, end / 2, 1000, end))
            fail_msg("lie %u: the middle is wrong", i);
        fs_call_async(scene.fs, drop_contents);
        if (!fs_reads_all(scene.fs, ino, 65536, end))
            fail_msg("lie %u: the bytes are wrong", i);
        assert_int_equal(fs_size(scene.fs, ino), end);
    }
    scene_end(&scene);
}

/* Several who open and read at once, whatever comes first. */
typedef struct {
    Fs *fs;
    uint64_t ino, end;
    unsigned wrong;
} Reader;

static gpointer open_and_read(gpointer data)
{
    Reader *reader = data;
    reader->wrong += fs_open(reader->fs, reader->ino) != 0;
    reader->wrong += !fs_reads_all(reader->fs, reader->ino, 50000, reader->end);
    return NULL;
}

static void test_several_readers(void **state)
{
    enum { READERS = 4 };
    Scene scene = scene_new();
    for (uint32_t i = 0; i < G_N_ELEMENTS(lies); i++)
        add_lie(&scene, i + 1, &lies[i]);
    scene_mount(&scene, state);
    for (uint32_t i = 0; i < G_N_ELEMENTS(lies); i++) {
        GThread *threads[READERS];
        Reader readers[READERS];
        for (int r = 0; r < READERS; r++) {
            readers[r] = (Reader){.fs = scene.fs,
                                  .ino = fs_message(scene.fs, "INBOX", i + 1),
                                  .end = lies[i].header + lies[i].text};
            threads[r] = g_thread_new("reader", open_and_read, &readers[r]);
        }
        for (int r = 0; r < READERS; r++) {
            g_thread_join(threads[r]);
            if (readers[r].wrong)
                fail_msg("lie %u", i);
        }
    }
    scene_end(&scene);
}

/* A fetch fails in the middle of finding the truth, at each point; then it is found. */
static void test_failures_on_the_way(void **state)
{
    Scene scene = scene_new();
    for (uint32_t i = 0; i < G_N_ELEMENTS(lies); i++)
        add_lie(&scene, i + 1, &lies[i]);
    scene_mount(&scene, state);
    for (uint32_t i = 0; i < G_N_ELEMENTS(lies); i++) {
        uint64_t end = lies[i].header + lies[i].text, ino = fs_message(scene.fs, "INBOX", i + 1);
        for (unsigned good = 0; good < 5; good++) {
            fake_forget(scene.server);
            fake_fail_after(scene.server, FAKE_FETCH, ENOTCONN, good);
            int error = fs_open(scene.fs, ino);
            fake_fail(scene.server, FAKE_FETCH, 0, 0);
            if (error == 0)
                break;
            assert_int_equal(error, ENOTCONN);
        }
        assert_int_equal(fs_open(scene.fs, ino), 0);
        assert_int_equal(fs_size(scene.fs, ino), end);
        if (!fs_reads_all(scene.fs, ino, 65536, end))
            fail_msg("lie %u: the bytes are wrong", i);
    }
    scene_end(&scene);
}

/* The kernel must not go on believing the size. */
static void test_the_kernel_is_told(void **state)
{
    Scene scene = scene_new();
    add_lie(&scene, 1, &(Lie){.header = 300, .text = 700, .claimed = 999});
    add_lie(&scene, 2, &(Lie){.header = 300, .text = 700, .claimed = 1000});
    scene_mount(&scene, state);
    for (uint32_t uid = 1; uid <= 2; uid++) {
        notifier_stop(scene.fs->mount.notifier);
        g_ptr_array_set_size(scene.fs->notes, 0);
        notifier_start(scene.fs->mount.notifier, scene.fs->session);
        assert_int_equal(fs_open(scene.fs, fs_message(scene.fs, "INBOX", uid)), 0);
        /* It is told ahead of the answer: whoever sees the file open sees its size. */
        pthread_mutex_lock(&scene.fs->lock);
        guint n = scene.fs->notes->len;
        pthread_mutex_unlock(&scene.fs->lock);
        assert_int_equal(n > 0, uid == 1);
    }
    scene_end(&scene);
}

/* A message without an end is given up, and nothing of it is kept. */
static void test_endless(void **state)
{
    Scene scene = scene_new();
    add_lie(&scene, 1, &(Lie){.header = 300, .text = 700, .claimed = 100000});
    scene.fs = fs_prepare(scene.server);
    scene.fs->options.cachesize = 0;
    fs_begin(scene.fs, *state);
    assert_int_equal(fs_opendir(scene.fs, fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX")), 0);
    fake_lock(scene.server);
    scene.server->endless = UINT64_MAX;
    fake_unlock(scene.server);
    uint64_t ino = fs_message(scene.fs, "INBOX", 1);
    assert_int_equal(fs_open(scene.fs, ino), EFBIG);
    assert_int_equal(fake_started(scene.server, FAKE_FETCH), 1 + 4097);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_opened),
        TEST_IN_DIRECTORY(test_evicted),
        TEST_IN_DIRECTORY(test_several_readers),
        TEST_IN_DIRECTORY(test_failures_on_the_way),
        TEST_IN_DIRECTORY(test_the_kernel_is_told),
        TEST_IN_DIRECTORY(test_endless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
