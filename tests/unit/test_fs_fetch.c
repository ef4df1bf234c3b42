#include "fs_harness.h"

enum { MIB = 1 << 20 };

/* Bytes of TEXT (and BODY) that were asked for; whole sections count as `whole`. */
static uint64_t text_asked(FakeServer *server, uint64_t whole)
{
    uint64_t bytes = 0;
    fake_lock(server);
    for (guint i = 0; i < server->asked->len; i++) {
        const MailRange *range = &g_array_index(server->asked, FakeAsk, i).range;
        if (range->section != MAIL_SECTION_HEADER)
            bytes += range->length ? range->length : whole;
    }
    fake_unlock(server);
    return bytes;
}

/* --- what is asked --------------------------------------------------------------------------- */

static void test_small(void **state)
{
    Scene scene = scene_new();
    fake_add(scene.server, scene.inbox, 1, 300, 700);
    scene_mount(&scene, state);
    uint64_t ino = fs_message(scene.fs, "INBOX", 1);
    assert_int_equal(fs_open(scene.fs, ino), 0);
    assert_true(fs_reads_all(scene.fs, ino, 4096, 1000));
    assert_true(fs_reads_all(scene.fs, ino, 7, 1000));
    assert_int_equal(fs_open(scene.fs, ino), 0);
    fake_assert_asked(scene.server, "1:H 1:T");
    assert_int_equal(fake_started(scene.server, FAKE_FETCH), 1);
    scene_end(&scene);
}

static void test_header_of_a_long_one(void **state)
{
    Scene scene = scene_new();
    fake_add(scene.server, scene.inbox, 1, 3000, 2 * MIB);
    scene_mount(&scene, state);
    uint64_t ino = fs_message(scene.fs, "INBOX", 1), end = 3000 + 2 * MIB;
    assert_int_equal(fs_open(scene.fs, ino), 0);
    assert_int_equal(fs_size(scene.fs, ino), end);
    assert_true(fs_reads(scene.fs, ino, 0, 3000, end));
    assert_true(fs_reads(scene.fs, ino, 100, 50, end));
    fake_assert_asked(scene.server, "1:H 1:B2100150+3");
    fake_forget(scene.server);
    assert_true(fs_reads(scene.fs, ino, 0, 16384, end));
    fake_assert_asked(scene.server, "1:T0+62536 1:T2097150+3");
    scene_end(&scene);
}

static void test_scan_of_a_long_one(void **state)
{
    Scene scene = scene_new();
    fake_add(scene.server, scene.inbox, 1, 3000, 5 * MIB);
    scene_mount(&scene, state);
    uint64_t ino = fs_message(scene.fs, "INBOX", 1), end = 3000 + 5 * MIB;
    assert_int_equal(fs_open(scene.fs, ino), 0);
    assert_true(fs_reads_all(scene.fs, ino, 131072, end));
    /* Nothing twice, and in stretches that grow. */
    assert_true(text_asked(scene.server, 0) <= 5 * MIB + 65536 + 2);
    assert_in_range(fake_started(scene.server, FAKE_FETCH), 2, 12);
    fake_forget(scene.server);
    assert_true(fs_reads_all(scene.fs, ino, 100001, end));
    fake_assert_idle(scene.server);
    scene_end(&scene);
}

/* --- many at once ----------------------------------------------------------------------------- */

static void test_one_fetch_for_many(void **state)
{
    Scene scene = scene_new();
    uint64_t unique[60];
    fake_add(scene.server, scene.inbox, 1, 300, 700);
    scene_mount(&scene, state);
    uint64_t ino = fs_message(scene.fs, "INBOX", 1);
    fake_hold(scene.server, true);
    for (size_t i = 0; i < G_N_ELEMENTS(unique); i++)
        unique[i] = i % 2 ? fs_send_open(scene.fs, FUSE_OPEN, ino, O_RDONLY)
                          : fs_send_read(scene.fs, FUSE_READ, ino, 0, i * 10, 100);
    fs_settle(scene.fs);
    fake_hold(scene.server, false);
    for (size_t i = 0; i < G_N_ELEMENTS(unique); i++)
        assert_int_equal(fs_error(scene.fs, unique[i]), 0);
    fake_assert_asked(scene.server, "1:H 1:T");
    scene_end(&scene);
}

/* More waiters in places apart than anybody may wait rounds: each gets his own. */
static void test_many_places_of_one_message(void **state)
{
    Scene scene = scene_new();
    uint64_t unique[60], end = 3000 + 16 * MIB;
    fake_add(scene.server, scene.inbox, 1, 3000, 16 * MIB);
    scene_mount(&scene, state);
    uint64_t ino = fs_message(scene.fs, "INBOX", 1);
    assert_int_equal(fs_open(scene.fs, ino), 0);
    fake_hold(scene.server, true);
    for (size_t i = 0; i < G_N_ELEMENTS(unique); i++)
        unique[i] = fs_send_read(scene.fs, FUSE_READ, ino, 0, (i * 37 % 60) * 4 * 65536, 1000);
    fs_settle(scene.fs);
    fake_hold(scene.server, false);
    for (size_t i = 0; i < G_N_ELEMENTS(unique); i++) {
        size_t length;
        uint64_t offset = (i * 37 % 60) * 4 * 65536;
        assert_int_equal(fs_error(scene.fs, unique[i]), 0);
        const void *bytes = fs_body(scene.fs, unique[i], &length);
        assert_int_equal(length, MIN(1000, end - offset));
        assert_true(are_bytes_of(bytes, FAKE_BYTES, 1, offset, length));
    }
    scene_end(&scene);
}

enum { READERS = 6 };

typedef struct {
    Fs *fs;
    uint64_t ino, end;
    size_t piece;
    unsigned wrong;
} Reader;

/* Forwards, then here and there. */
static gpointer read_odd_pieces(gpointer data)
{
    Reader *reader = data;
    uint64_t seed = reader->piece;
    reader->wrong += fs_open(reader->fs, reader->ino) != 0;
    reader->wrong += !fs_reads_all(reader->fs, reader->ino, reader->piece, reader->end);
    for (int i = 0; i < 200; i++) {
        uint64_t offset = next_random(&seed) % (reader->end + 1);
        size_t size = 1 + next_random(&seed) % 200000;
        reader->wrong += !fs_reads(reader->fs, reader->ino, offset, size, reader->end);
    }
    return NULL;
}

static void read_by_several(Fs *fs, uint64_t ino, uint64_t end)
{
    static const size_t pieces[READERS] = {4096, 131072, 65537, 100003, 777, 1048576};
    GThread *threads[READERS];
    Reader readers[READERS];
    for (int i = 0; i < READERS; i++) {
        readers[i] = (Reader){.fs = fs, .ino = ino, .end = end, .piece = pieces[i]};
        threads[i] = g_thread_new("reader", read_odd_pieces, &readers[i]);
    }
    for (int i = 0; i < READERS; i++) {
        g_thread_join(threads[i]);
        assert_int_equal(readers[i].wrong, 0);
    }
}

static void test_exact_bytes(void **state)
{
    static const struct {
        size_t header, text;
    } messages[] = {
        {300, 5000},  {1, 1},           {200, 16184},       {200, 16185},    {500, 65036},
        {500, 65037}, {3000, 2000000},  {65536, 65536},     {65535, 300000}, {65537, 300000},
        {150000, 1},  {200000, 200000}, {70000, 10 * 5000}, {1000, 131072},
    };
    Scene scene = scene_new();
    for (uint32_t i = 0; i < G_N_ELEMENTS(messages); i++)
        fake_add(scene.server, scene.inbox, i + 1, messages[i].header, messages[i].text);
    scene_mount(&scene, state);
    for (uint32_t i = 0; i < G_N_ELEMENTS(messages); i++) {
        uint64_t end = messages[i].header + messages[i].text;
        uint64_t ino = fs_message(scene.fs, "INBOX", i + 1);
        read_by_several(scene.fs, ino, end);
        assert_int_equal(fs_size(scene.fs, ino), end);
    }
    scene_end(&scene);
}

/* --- messages of odd shapes ------------------------------------------------------------------- */

static void test_odd_shapes(void **state)
{
    static const struct {
        size_t header, text;
    } messages[] = {{0, 0}, {100, 0}, {0, 100}, {0, 200000}, {300000, 0}, {2 * MIB, 10}};
    Scene scene = scene_new();
    for (uint32_t i = 0; i < G_N_ELEMENTS(messages); i++)
        fake_add(scene.server, scene.inbox, i + 1, messages[i].header, messages[i].text);
    scene_mount(&scene, state);
    for (uint32_t i = 0; i < G_N_ELEMENTS(messages); i++) {
        uint64_t end = messages[i].header + messages[i].text;
        uint64_t ino = fs_message(scene.fs, "INBOX", i + 1);
        assert_int_equal(fs_open(scene.fs, ino), 0);
        assert_int_equal(fs_size(scene.fs, ino), end);
        assert_true(fs_reads_all(scene.fs, ino, 65536, end));
        fake_forget(scene.server);
        assert_int_equal(fs_open(scene.fs, ino), 0);
        assert_true(fs_reads_all(scene.fs, ino, 8192, end));
        fake_assert_idle(scene.server);
    }
    scene_end(&scene);
}

/* --- failures --------------------------------------------------------------------------------- */

static void test_gone(void **state)
{
    Scene scene = scene_new();
    FakeMessage *small = fake_add(scene.server, scene.inbox, 1, 300, 700);
    fake_add(scene.server, scene.inbox, 2, 300, 2 * MIB);
    uint64_t inbox = scene_mount(&scene, state);
    uint64_t second = fs_message(scene.fs, "INBOX", 2);
    small->lost = true;
    assert_int_equal(fs_open(scene.fs, fs_message(scene.fs, "INBOX", 1)), ENOENT);
    /* The folder is looked at again. */
    assert_false(refresh_is_fresh(scene.fs->mount.refresher, inode_of(inbox).folder));
    /* One that goes while it is open. */
    assert_int_equal(fs_open(scene.fs, second), 0);
    fake_remove(scene.server, scene.inbox, 2);
    assert_int_equal(fs_read_error(scene.fs, second, MIB, 4096), ENOENT);
    assert_true(fs_reads(scene.fs, second, 0, 300, 300 + 2 * MIB)); /* what is held */
    scene_end(&scene);
}

static void test_failures_are_passed_on(void **state)
{
    static const int codes[] = {ETIMEDOUT, ENOTCONN, EHOSTUNREACH, ECONNREFUSED,
                                EACCES,    EPROTO,   EAGAIN,       EREMOTEIO};
    Scene scene = scene_new();
    fake_add(scene.server, scene.inbox, 1, 300, 2 * MIB);
    scene_mount(&scene, state);
    uint64_t ino = fs_message(scene.fs, "INBOX", 1);
    for (size_t i = 0; i < G_N_ELEMENTS(codes); i++) {
        fake_fail(scene.server, FAKE_FETCH, codes[i], 1);
        assert_int_equal(fs_open(scene.fs, ino), codes[i]);
    }
    assert_int_equal(fs_open(scene.fs, ino), 0);
    for (size_t i = 0; i < G_N_ELEMENTS(codes); i++) {
        fake_fail(scene.server, FAKE_FETCH, codes[i], 1);
        assert_int_equal(fs_read_error(scene.fs, ino, MIB, 4096), codes[i]);
    }
    assert_true(fs_reads_all(scene.fs, ino, 131072, 300 + 2 * MIB));
    scene_end(&scene);
}

/* A failure is for all who wait, and for nobody who comes later. */
static void test_failure_for_many(void **state)
{
    Scene scene = scene_new();
    uint64_t unique[10];
    fake_add(scene.server, scene.inbox, 1, 300, 700);
    scene_mount(&scene, state);
    uint64_t ino = fs_message(scene.fs, "INBOX", 1);
    fake_hold(scene.server, true);
    for (size_t i = 0; i < G_N_ELEMENTS(unique); i++)
        unique[i] = fs_send_open(scene.fs, FUSE_OPEN, ino, O_RDONLY);
    fs_settle(scene.fs);
    fake_fail(scene.server, FAKE_FETCH, ETIMEDOUT, 1);
    fake_hold(scene.server, false);
    for (size_t i = 0; i < G_N_ELEMENTS(unique); i++)
        assert_int_equal(fs_error(scene.fs, unique[i]), ETIMEDOUT);
    assert_int_equal(fake_started(scene.server, FAKE_FETCH), 1);
    assert_int_equal(fs_open(scene.fs, ino), 0);
    scene_end(&scene);
}

/* Once, it is asked for again. */
static void test_nothing_is_kept_of_what_was_cut_off(void **state)
{
    Scene scene = scene_new();
    fake_add(scene.server, scene.inbox, 1, 300, 700);
    fake_add(scene.server, scene.inbox, 2, 300, 2 * MIB);
    uint64_t inbox = scene_mount(&scene, state);
    for (uint32_t uid = 1; uid <= 2; uid++) {
        uint64_t ino = fs_message(scene.fs, "INBOX", uid);
        fake_forget(scene.server);
        scene.server->cut = 2;
        assert_int_equal(fs_open(scene.fs, ino), ENOTCONN);
        assert_int_equal(fake_started(scene.server, FAKE_FETCH), 2);
        assert_int_equal(content_held(scene.fs->mount.content, inode_of(inbox).folder, uid, 0), 0);
        scene.server->cut = 1;
        assert_int_equal(fs_open(scene.fs, ino), 0);
        assert_int_equal(scene.server->cut, 0);
        assert_true(fs_reads_all(scene.fs, ino, 65536, uid == 1 ? 1000 : 300 + 2 * MIB));
    }
    scene_end(&scene);
}

/* A server that says OK and leaves out a part: an error in the end, and never wrong bytes. */
static void test_parts_that_never_come(void **state)
{
    static const size_t texts[] = {700, 30000, 2 * MIB};
    Scene scene = scene_new();
    for (uint32_t i = 0; i < G_N_ELEMENTS(texts); i++)
        fake_add(scene.server, scene.inbox, i + 1, 300, texts[i]);
    scene_mount(&scene, state);
    for (uint32_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        uint64_t ino = fs_message(scene.fs, "INBOX", i + 1);
        scene.server->only_text = true;
        assert_int_not_equal(fs_read_error(scene.fs, ino, 0, 16384), 0);
        scene.server->only_text = false;
        scene.server->only_header = true;
        assert_int_not_equal(fs_read_error(scene.fs, ino, 0, 16384), 0);
        scene.server->only_header = false;
        assert_int_equal(fs_open(scene.fs, ino), 0);
        assert_true(fs_reads_all(scene.fs, ino, 65536, 300 + texts[i]));
    }
    assert_true(fake_started(scene.server, FAKE_FETCH) < 200);
    scene_end(&scene);
}

static void drop_message_1(Fs *fs)
{
    MailUidRange range = {1, 1};
    uint32_t folder = inode_of(fs_message(fs, "INBOX", 1)).folder;
    g_array_unref(catalog_remove_ranges(fs->mount.catalog, folder, &range, 1));
    content_drop(fs->mount.content, folder, 1);
    fs_call_done(fs, NULL);
}

/* It vanishes from the folder while its bytes are on their way: they are not kept. */
static void test_vanishes_under_a_fetch(void **state)
{
    static const size_t texts[] = {700, 2 * MIB};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        Scene scene = scene_new();
        fake_add(scene.server, scene.inbox, 1, 300, texts[i]);
        scene.fs = fs_mount(scene.server, NULL);
        uint64_t inbox = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
        assert_int_equal(fs_list_first(scene.fs, inbox), 0);
        uint64_t ino = fs_message(scene.fs, "INBOX", 1);
        fake_hold(scene.server, true);
        uint64_t open = fs_send_open(scene.fs, FUSE_OPEN, ino, O_RDONLY);
        uint64_t read = fs_send_read(scene.fs, FUSE_READ, ino, 0, 0, 100);
        fake_await(scene.server, FAKE_FETCH, 1);
        fs_call_async(scene.fs, drop_message_1);
        fake_hold(scene.server, false);
        assert_int_equal(fs_error(scene.fs, open), ENOENT);
        assert_int_equal(fs_error(scene.fs, read), ENOENT);
        assert_int_equal(content_held(scene.fs->mount.content, inode_of(ino).folder, 1, 0), 0);
        scene_end(&scene);
    }
    (void)state;
}

/* --- the cache ---------------------------------------------------------------------------------
 */

/* Nothing is held on disk, and little in memory: all is served nevertheless. */
static void test_without_a_cache(void **state)
{
    for (int on_disk = 0; on_disk < 2; on_disk++) {
        Scene scene = scene_new();
        fake_add(scene.server, scene.inbox, 1, 300, 700);
        fake_add(scene.server, scene.inbox, 2, 300, 12 * MIB);
        scene.fs = fs_prepare(scene.server);
        scene.fs->options.cachesize = 0;
        fs_begin(scene.fs, on_disk ? *state : NULL);
        uint64_t inbox = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
        assert_int_equal(fs_list_first(scene.fs, inbox), 0);
        for (uint32_t uid = 1; uid <= 2; uid++) {
            uint64_t ino = fs_message(scene.fs, "INBOX", uid);
            uint64_t end = uid == 1 ? 1000 : 300 + 12 * MIB;
            assert_int_equal(fs_open(scene.fs, ino), 0);
            assert_true(fs_reads_all(scene.fs, ino, 131072, end));
            assert_true(fs_reads(scene.fs, ino, 0, 4096, end));
            assert_true(fs_reads(scene.fs, ino, end - 100, 4096, end));
        }
        scene_end(&scene);
    }
}

static void test_after_a_remount(void **state)
{
    Scene scene = scene_new();
    fake_add(scene.server, scene.inbox, 1, 300, 700);
    fake_add(scene.server, scene.inbox, 2, 300, 2 * MIB);
    for (int i = 0; i < 2; i++) {
        scene_mount(&scene, state);
        for (uint32_t uid = 1; uid <= 2; uid++) {
            uint64_t ino = fs_message(scene.fs, "INBOX", uid);
            assert_int_equal(fs_open(scene.fs, ino), 0);
            assert_true(fs_reads_all(scene.fs, ino, 65536, uid == 1 ? 1000 : 300 + 2 * MIB));
        }
        if (i)
            assert_int_equal(fake_started(scene.server, FAKE_FETCH), 0);
        fs_unmount(scene.fs);
    }
    fake_server_free(scene.server);
}

static void drop_contents(Fs *fs)
{
    uint32_t folder = inode_of(fs_message(fs, "INBOX", 1)).folder;
    content_drop_folder(fs->mount.content, folder);
    fs_call_done(fs, NULL);
}

/* What was evicted is fetched again, and its size stays proved. */
static void test_evicted(void **state)
{
    static const size_t texts[] = {700, 30000, 2 * MIB};
    Scene scene = scene_new();
    for (uint32_t i = 0; i < G_N_ELEMENTS(texts); i++)
        fake_add(scene.server, scene.inbox, i + 1, 300, texts[i]);
    scene_mount(&scene, state);
    for (uint32_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        uint64_t ino = fs_message(scene.fs, "INBOX", i + 1), end = 300 + texts[i];
        assert_int_equal(fs_open(scene.fs, ino), 0);
        assert_true(fs_reads_all(scene.fs, ino, 65536, end));
        fs_call_async(scene.fs, drop_contents);
        fake_forget(scene.server);
        assert_int_equal(fs_open(scene.fs, ino), 0);
        fake_assert_idle(scene.server);
        assert_true(fs_reads(scene.fs, ino, end - 10, 100, end));
        assert_true(fs_reads_all(scene.fs, ino, 65536, end));
    }
    scene_end(&scene);
}

/* More messages than are remembered as being read. */
static void test_many_messages(void **state)
{
    enum { MESSAGES = 200 };
    Scene scene = scene_new();
    uint64_t unique[MESSAGES];
    for (uint32_t uid = 1; uid <= MESSAGES; uid++)
        fake_add(scene.server, scene.inbox, uid, 100 + uid, 500);
    scene_mount(&scene, state);
    for (uint32_t uid = 1; uid <= MESSAGES; uid++)
        unique[uid - 1] = fs_send_open(scene.fs, FUSE_OPEN, fs_message(scene.fs, "INBOX", uid),
                                       O_RDONLY);
    for (int i = 0; i < MESSAGES; i++)
        assert_int_equal(fs_error(scene.fs, unique[i]), 0);
    for (uint32_t uid = 1; uid <= MESSAGES; uid++)
        assert_true(fs_reads_all(scene.fs, fs_message(scene.fs, "INBOX", uid), 4096, 600 + uid));
    scene_end(&scene);
}

/* --- no trust -----------------------------------------------------------------------------------
 */

/* However many sizes were true: the next is looked at before anybody has the file open. */
static void test_no_trust(void **state)
{
    Scene scene = scene_new();
    for (uint32_t uid = 1; uid <= 20; uid++)
        fake_add(scene.server, scene.inbox, uid, 300, 700);
    fake_claim(scene.server, fake_add(scene.server, scene.inbox, 21, 300, 700), 900);
    fake_claim(scene.server, fake_add(scene.server, scene.inbox, 22, 300, 2 * MIB), 0);
    fake_add(scene.server, scene.inbox, 23, 300, 2 * MIB);
    scene_mount(&scene, state);
    for (uint32_t uid = 1; uid <= 23; uid++) {
        uint64_t ino = fs_message(scene.fs, "INBOX", uid), end = uid < 22 ? 1000 : 300 + 2 * MIB;
        fake_forget(scene.server);
        assert_int_equal(fs_open(scene.fs, ino), 0);
        assert_true(fake_started(scene.server, FAKE_FETCH) > 0);
        assert_int_equal(fs_size(scene.fs, ino), end);
        assert_true(fs_reads_all(scene.fs, ino, 65536, end));
    }
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_small),
        TEST_IN_DIRECTORY(test_header_of_a_long_one),
        TEST_IN_DIRECTORY(test_scan_of_a_long_one),
        TEST_IN_DIRECTORY(test_one_fetch_for_many),
        TEST_IN_DIRECTORY(test_many_places_of_one_message),
        TEST_IN_DIRECTORY(test_exact_bytes),
        TEST_IN_DIRECTORY(test_odd_shapes),
        TEST_IN_DIRECTORY(test_gone),
        TEST_IN_DIRECTORY(test_failures_are_passed_on),
        TEST_IN_DIRECTORY(test_failure_for_many),
        TEST_IN_DIRECTORY(test_nothing_is_kept_of_what_was_cut_off),
        TEST_IN_DIRECTORY(test_parts_that_never_come),
        TEST_IN_DIRECTORY(test_vanishes_under_a_fetch),
        TEST_IN_DIRECTORY(test_without_a_cache),
        TEST_IN_DIRECTORY(test_after_a_remount),
        TEST_IN_DIRECTORY(test_evicted),
        TEST_IN_DIRECTORY(test_many_messages),
        TEST_IN_DIRECTORY(test_no_trust),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
