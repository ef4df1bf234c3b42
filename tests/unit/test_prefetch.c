#include "fs_harness.h"

enum { MIB = 1 << 20, MESSAGES = 300, HEADER = 300 };

/* A scene with `n` messages in INBOX, whose text is of a length that `text_of` tells. */
static Scene scene_of(uint32_t n, size_t (*text_of)(uint32_t uid), uint64_t prefetch, void **state)
{
    Scene scene = scene_new();
    for (uint32_t uid = 1; uid <= n; uid++)
        fake_add(scene.server, scene.inbox, uid, HEADER, text_of(uid));
    scene.fs = fs_prepare(scene.server);
    scene.fs->prefetch = prefetch;
    fs_begin(scene.fs, *state);
    assert_int_equal(fs_list_first(scene.fs, fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX")), 0);
    fake_forget(scene.server);
    return scene;
}

static size_t small_text(uint32_t uid)
{
    return 500 + uid * 13 % 3000;
}

static size_t mixed_text(uint32_t uid)
{
    return uid % 7 == 3 ? 30000 + uid * 97 % 100000 : 500 + uid * 13 % 3000;
}

static size_t long_text(uint32_t uid)
{
    return 100000 + uid;
}

static bool read_whole(Scene *scene, uint32_t uid, size_t text)
{
    uint64_t ino = fs_message(scene->fs, "INBOX", uid);
    return fs_open(scene->fs, ino) == 0 && fs_reads_all(scene->fs, ino, 131072, HEADER + text);
}

/* How often a section of each message was asked for, at most. */
static unsigned most_asked(FakeServer *server, MailSection section)
{
    g_autoptr(GHashTable) times = g_hash_table_new(NULL, NULL);
    unsigned most = 0;
    fake_lock(server);
    for (guint i = 0; i < server->asked->len; i++) {
        const FakeAsk *ask = &g_array_index(server->asked, FakeAsk, i);
        gpointer key = GUINT_TO_POINTER(ask->uid);
        if (ask->range.section != section)
            continue;
        unsigned n = GPOINTER_TO_UINT(g_hash_table_lookup(times, key)) + 1;
        g_hash_table_insert(times, key, GUINT_TO_POINTER(n));
        most = MAX(most, n);
    }
    fake_unlock(server);
    return most;
}

/* How often a section was asked for, of all messages. */
static unsigned times_asked(FakeServer *server, MailSection section)
{
    unsigned n = 0;
    fake_lock(server);
    for (guint i = 0; i < server->asked->len; i++)
        n += g_array_index(server->asked, FakeAsk, i).range.section == section;
    fake_unlock(server);
    return n;
}

/* How many messages something was asked of. */
static unsigned messages_asked(FakeServer *server)
{
    g_autoptr(GHashTable) uids = g_hash_table_new(NULL, NULL);
    fake_lock(server);
    for (guint i = 0; i < server->asked->len; i++)
        g_hash_table_add(uids, GUINT_TO_POINTER(g_array_index(server->asked, FakeAsk, i).uid));
    unsigned n = g_hash_table_size(uids);
    fake_unlock(server);
    return n;
}

/* --- what sets it off ------------------------------------------------------------------------- */

static void test_a_few_reads(void **state)
{
    Scene scene = scene_of(MESSAGES, mixed_text, 16 * MIB, state);
    for (int i = 0; i < 5; i++) {
        assert_true(read_whole(&scene, 10, mixed_text(10)));
        assert_true(read_whole(&scene, 11, mixed_text(11)));
    }
    fs_settle(scene.fs);
    assert_int_equal(messages_asked(scene.server), 2);
    assert_int_equal(scene.server->ahead, 0);
    scene_end(&scene);
}

static void test_off(void **state)
{
    Scene scene = scene_of(50, mixed_text, 0, state);
    for (uint32_t uid = 1; uid <= 50; uid++)
        assert_true(read_whole(&scene, uid, mixed_text(uid)));
    assert_int_equal(scene.server->ahead, 0);
    scene_end(&scene);
}

/* The first message of a folder is enough where its reader listed that. */
static void test_reader_who_listed(void **state)
{
    Scene scene = scene_of(MESSAGES, long_text, 16 * MIB, state);
    assert_true(read_whole(&scene, 1, long_text(1)));
    fs_settle(scene.fs);
    /* He goes no further, and nor does what is fetched for him. */
    assert_in_range(scene.server->ahead, 1, 10);
    assert_in_range(messages_asked(scene.server), 3, 13);
    assert_int_equal(most_asked(scene.server, MAIL_SECTION_TEXT), 1);
    scene_end(&scene);
}

static size_t very_long_text(uint32_t uid)
{
    return 140000 + uid;
}

/* Another message than the first is not, nor a long one, nor the beginning of one. */
static void test_reader_who_looks(void **state)
{
    Scene one = scene_of(MESSAGES, very_long_text, 16 * MIB, state);
    assert_true(read_whole(&one, 1, very_long_text(1)));
    fs_settle(one.fs);
    assert_int_equal(one.server->ahead, 0);
    scene_end(&one);
    teardown_directory(state);
    assert_int_equal(setup_directory(state), 0);
    Scene scene = scene_of(MESSAGES, long_text, 16 * MIB, state);
    uint64_t ino = fs_message(scene.fs, "INBOX", 1);
    assert_int_equal(fs_open(scene.fs, ino), 0);
    assert_true(fs_reads(scene.fs, ino, 0, 16384, HEADER + long_text(1)));
    assert_true(read_whole(&scene, 3, long_text(3)));
    fs_settle(scene.fs);
    assert_int_equal(scene.server->ahead, 0);
    assert_int_equal(messages_asked(scene.server), 2);
    scene_end(&scene);
}

/* Short ones have no beginning that he could stop at: a few follow the first, up to a long one,
 * which tells; and that is fetched to its end once it is read. */
static size_t short_then_long(uint32_t uid)
{
    return uid == 4 ? 300000 : 2000 + uid;
}

static void test_reader_of_short_ones(void **state)
{
    Scene scene = scene_of(MESSAGES, short_then_long, 16 * MIB, state);
    assert_true(read_whole(&scene, 1, short_then_long(1)));
    fs_settle(scene.fs);
    assert_int_equal(messages_asked(scene.server), 4);
    assert_int_equal(scene.server->ahead, 2);
    for (uint32_t uid = 2; uid <= 4; uid++)
        assert_true(read_whole(&scene, uid, short_then_long(uid)));
    fs_settle(scene.fs);
    assert_in_range(messages_asked(scene.server), 20, MESSAGES);
    assert_int_equal(most_asked(scene.server, MAIL_SECTION_HEADER), 1);
    assert_int_equal(most_asked(scene.server, MAIL_SECTION_TEXT), 2);
    scene_end(&scene);
}

/* Of somebody else the first two. */
static void test_first_two(void **state)
{
    Scene scene = scene_of(MESSAGES, long_text, 16 * MIB, state);
    scene.fs->pid = (uint32_t)getpid() + 1;
    assert_true(read_whole(&scene, 1, long_text(1)));
    fs_settle(scene.fs);
    assert_int_equal(scene.server->ahead, 0);
    assert_int_equal(messages_asked(scene.server), 1);
    assert_true(read_whole(&scene, 2, long_text(2)));
    fs_settle(scene.fs);
    assert_in_range(scene.server->ahead, 1, 10);
    assert_in_range(messages_asked(scene.server), 4, 14);
    scene_end(&scene);
}

/* --- scans -------------------------------------------------------------------------------------
 */

static void scan(Scene *scene, const uint32_t *uids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_true(read_whole(scene, uids[i], mixed_text(uids[i])));
}

static void assert_scanned_well(Scene *scene, unsigned times)
{
    /* Each that often at most, and by far fewer commands than there are messages. */
    assert_int_equal(messages_asked(scene->server), MESSAGES);
    assert_in_range(most_asked(scene->server, MAIL_SECTION_HEADER), 1, times);
    assert_in_range(fake_started(scene->server, FAKE_FETCH), 3, MESSAGES / 4);
}

static void test_up_and_down(void **state)
{
    for (int down = 0; down < 2; down++) {
        Scene scene = scene_of(MESSAGES, mixed_text, 16 * MIB, state);
        uint32_t uids[MESSAGES];
        for (uint32_t i = 0; i < MESSAGES; i++)
            uids[i] = down ? MESSAGES - i : i + 1;
        content_drop_folder(scene.fs->mount.content, 1);
        scan(&scene, uids, MESSAGES);
        assert_scanned_well(&scene, 1);
        scene_end(&scene);
        teardown_directory(state); /* the second has a cache of its own */
        assert_int_equal(setup_directory(state), 0);
    }
}

/* Names in another order than UIDs, as after messages were moved in. */
static void test_by_name(void **state)
{
    Scene scene = scene_new();
    uint32_t uids[MESSAGES];
    for (uint32_t i = 0; i < MESSAGES; i++) {
        uids[i] = i * 137 % MESSAGES + 1;
        fake_add(scene.server, scene.inbox, uids[i], HEADER, mixed_text(uids[i]))->date = 1000 + i;
    }
    scene.fs = fs_prepare(scene.server);
    scene.fs->prefetch = 16 * MIB;
    fs_begin(scene.fs, *state);
    assert_int_equal(fs_list_first(scene.fs, fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX")), 0);
    fake_forget(scene.server);
    scan(&scene, uids, MESSAGES);
    assert_scanned_well(&scene, 1);
    scene_end(&scene);
}

static void test_shuffled(void **state)
{
    Scene scene = scene_of(MESSAGES, mixed_text, 16 * MIB, state);
    uint32_t uids[MESSAGES];
    uint64_t seed = 5;
    for (uint32_t i = 0; i < MESSAGES; i++)
        uids[i] = i + 1;
    for (uint32_t i = MESSAGES - 1; i > 0; i--) {
        uint32_t j = (uint32_t)(next_random(&seed) % (i + 1)), kept = uids[i];
        uids[i] = uids[j];
        uids[j] = kept;
    }
    scan(&scene, uids, MESSAGES);
    assert_scanned_well(&scene, 2);
    scene_end(&scene);
}

/* Several readers, each with a part of the folder. */
static gpointer read_part(gpointer data)
{
    Scene *scene = data;
    static gint next;
    uint32_t part = (uint32_t)g_atomic_int_add(&next, 1) % 3;
    bool right = true;
    for (uint32_t i = 0; i < MESSAGES / 3; i++) {
        uint32_t uid = part * (MESSAGES / 3) + i + 1;
        right &= read_whole(scene, uid, mixed_text(uid));
    }
    return GINT_TO_POINTER(right);
}

static void test_three_readers(void **state)
{
    Scene scene = scene_of(MESSAGES, mixed_text, 16 * MIB, state);
    GThread *threads[3];
    for (int i = 0; i < 3; i++)
        threads[i] = g_thread_new("reader", read_part, &scene);
    for (int i = 0; i < 3; i++)
        assert_true(g_thread_join(threads[i]));
    /* One may have been opened by its reader, and be fetched for another one's sake. */
    assert_scanned_well(&scene, 2);
    scene_end(&scene);
}

/* What is there already is not fetched again, also in a mount that comes later. */
static void test_held(void **state)
{
    Scene scene = scene_of(MESSAGES, mixed_text, 16 * MIB, state);
    uint32_t even[MESSAGES / 2], all[MESSAGES];
    for (uint32_t i = 0; i < MESSAGES / 2; i++)
        even[i] = 2 * i + 2;
    for (uint32_t i = 0; i < MESSAGES; i++)
        all[i] = i + 1;
    scan(&scene, even, MESSAGES / 2);
    scan(&scene, all, MESSAGES);
    assert_int_equal(most_asked(scene.server, MAIL_SECTION_HEADER), 1);
    fs_unmount(scene.fs);
    fake_forget(scene.server);
    scene.fs = fs_prepare(scene.server);
    scene.fs->prefetch = 16 * MIB;
    fs_begin(scene.fs, *state);
    assert_int_equal(fs_list_first(scene.fs, fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX")), 0);
    scan(&scene, all, MESSAGES);
    assert_int_equal(fake_started(scene.server, FAKE_FETCH), 0);
    scene_end(&scene);
}

/* --- how far -----------------------------------------------------------------------------------
 */

/* The reader stands still: no more is fetched than the bound says, and a command's worth. */
static void test_bound(void **state)
{
    Scene scene = scene_of(MESSAGES, long_text, MIB, state);
    uint64_t bytes = 0;
    for (uint32_t uid = 1; uid <= 10; uid++)
        assert_true(read_whole(&scene, uid, long_text(uid)));
    fs_settle(scene.fs);
    bytes = (uint64_t)messages_asked(scene.server) * (HEADER + long_text(1));
    assert_in_range(bytes, 11 * long_text(1), 10 * long_text(1) + MIB + 3 * 131072);
    scene_end(&scene);
}

/* What the kernel was given leaves room for more, although its reader never says that he came to
 * it. */
static void test_given(void **state)
{
    Scene scene = scene_of(MESSAGES, mixed_text, 256 << 10, state);
    uint32_t folder = inode_of(fs_message(scene.fs, "INBOX", 1)).folder;
    for (uint32_t uid = 1; uid <= 5; uid++)
        assert_true(read_whole(&scene, uid, mixed_text(uid)));
    fs_settle(scene.fs);
    unsigned before = messages_asked(scene.server);
    assert_in_range(before, 6, MESSAGES / 2);
    for (uint32_t uid = 6; uid <= before; uid++)
        prefetch_given(scene.fs->mount.prefetcher, folder, uid);
    fs_settle(scene.fs);
    fs_settle(scene.fs);
    assert_true(messages_asked(scene.server) > before + 5);
    scene_end(&scene);
}

/* Where the cache is in memory alone, nothing is dropped of what was fetched ahead. */
static void test_in_memory(void **state)
{
    (void)state;
    void *nowhere = NULL;
    Scene scene = scene_of(MESSAGES, long_text, 16 * MIB, &nowhere);
    for (uint32_t uid = 1; uid <= MESSAGES; uid++)
        assert_true(read_whole(&scene, uid, long_text(uid)));
    assert_int_equal(most_asked(scene.server, MAIL_SECTION_HEADER), 1);
    scene_end(&scene);
}

/* As a file manager does with a screen of files: a little is fetched ahead, and beginnings only. */
static void test_beginnings(void **state)
{
    Scene scene = scene_of(MESSAGES, long_text, 16 * MIB, state);
    unsigned fronts = 0;
    for (uint32_t uid = 1; uid <= 40; uid++) {
        uint64_t ino = fs_message(scene.fs, "INBOX", uid);
        assert_int_equal(fs_open(scene.fs, ino), 0);
        assert_true(fs_reads(scene.fs, ino, 0, 16384, HEADER + long_text(uid)));
    }
    fs_settle(scene.fs);
    assert_in_range(messages_asked(scene.server), 41, 61);
    fake_lock(scene.server);
    for (guint i = 0; i < scene.server->asked->len; i++) {
        const FakeAsk *ask = &g_array_index(scene.server->asked, FakeAsk, i);
        assert_true(ask->range.section == MAIL_SECTION_HEADER ||
                    (ask->range.length > 0 && ask->range.length <= 65536));
        fronts += ask->range.length == 16384;
    }
    fake_unlock(scene.server);
    assert_true(fronts >= 10);
    scene_end(&scene);
}

/* Somebody who reads beginnings of very many is given them; and none is asked for twice. */
static void test_many_beginnings(void **state)
{
    Scene scene = scene_of(MESSAGES, long_text, 16 * MIB, state);
    for (uint32_t uid = 1; uid <= MESSAGES; uid++) {
        uint64_t ino = fs_message(scene.fs, "INBOX", uid);
        assert_int_equal(fs_open(scene.fs, ino), 0);
        assert_true(fs_reads(scene.fs, ino, 0, 16384, HEADER + long_text(uid)));
    }
    assert_int_equal(most_asked(scene.server, MAIL_SECTION_HEADER), 1);
    assert_in_range(most_asked(scene.server, MAIL_SECTION_TEXT), 1, 2);
    /* One of them after all. */
    assert_true(read_whole(&scene, 200, long_text(200)));
    scene_end(&scene);
}

/* --- what goes wrong ---------------------------------------------------------------------------
 */

static void test_gone_and_false(void **state)
{
    Scene scene = scene_new();
    for (uint32_t uid = 1; uid <= MESSAGES; uid++) {
        FakeMessage *message = fake_add(scene.server, scene.inbox, uid, HEADER, small_text(uid));
        if (uid % 50 == 0)
            message->lost = true;
        else if (uid % 50 == 1)
            fake_claim(scene.server, message, uid % 100 == 1 ? 10 : 100000);
        else if (uid % 50 == 2)
            fake_set_parts(scene.server, message, 7, 7);
    }
    scene.fs = fs_prepare(scene.server);
    scene.fs->prefetch = 16 * MIB;
    fs_begin(scene.fs, *state);
    assert_int_equal(fs_list_first(scene.fs, fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX")), 0);
    for (uint32_t uid = 1; uid <= MESSAGES; uid++) {
        uint64_t ino = fs_message(scene.fs, "INBOX", uid);
        if (uid % 50 == 0)
            assert_int_equal(fs_open(scene.fs, ino), ENOENT);
        else
            assert_true(read_whole(&scene, uid, small_text(uid)));
        if (uid % 50)
            assert_int_equal(fs_size(scene.fs, ino), HEADER + small_text(uid));
    }
    scene_end(&scene);
}

static void cut_next(FakeServer *server)
{
    fake_lock(server);
    server->cut = 1;
    fake_unlock(server);
}

/* A batch that breaks off is begun again by those who wait, and what came of it is kept. */
static void test_cut(void **state)
{
    Scene scene = scene_of(MESSAGES, small_text, 16 * MIB, state);
    for (uint32_t uid = 1; uid <= MESSAGES; uid++) {
        if (uid == 10 || uid == 150)
            cut_next(scene.server);
        if (!read_whole(&scene, uid, small_text(uid)))
            assert_true(read_whole(&scene, uid, small_text(uid)));
    }
    assert_in_range(most_asked(scene.server, MAIL_SECTION_HEADER), 1, 4);
    scene_end(&scene);
}

static void test_dead_server(void **state)
{
    Scene scene = scene_of(MESSAGES, small_text, 16 * MIB, state);
    for (uint32_t uid = 1; uid <= 5; uid++)
        assert_true(read_whole(&scene, uid, small_text(uid)));
    fs_settle(scene.fs);
    fake_hold(scene.server, true);
    fake_fail(scene.server, FAKE_FETCH, ETIMEDOUT, UINT_MAX);
    uint64_t open = fs_send_open(scene.fs, FUSE_OPEN, fs_message(scene.fs, "INBOX", MESSAGES),
                                 O_RDONLY);
    fs_settle(scene.fs);
    fake_hold(scene.server, false);
    assert_int_equal(fs_error(scene.fs, open), ETIMEDOUT);
    fake_fail(scene.server, FAKE_FETCH, 0, 0);
    for (uint32_t uid = 1; uid <= MESSAGES; uid++)
        assert_true(read_whole(&scene, uid, small_text(uid)));
    scene_end(&scene);
}

/* A reader of one that is on its way with others is served as soon as it is there. */
static void test_waits_for_a_batch(void **state)
{
    Scene scene = scene_of(MESSAGES, small_text, 16 * MIB, state);
    uint64_t unique[20];
    for (uint32_t uid = 1; uid <= 3; uid++)
        assert_true(read_whole(&scene, uid, small_text(uid)));
    fake_hold(scene.server, true);
    for (uint32_t i = 0; i < G_N_ELEMENTS(unique); i++)
        unique[i] = fs_send_read(scene.fs, FUSE_READ, fs_message(scene.fs, "INBOX", 100 + i), 0, 0,
                                 4096);
    fs_settle(scene.fs);
    fake_hold(scene.server, false);
    for (uint32_t i = 0; i < G_N_ELEMENTS(unique); i++)
        assert_int_equal(fs_error(scene.fs, unique[i]), 0);
    assert_int_equal(most_asked(scene.server, MAIL_SECTION_HEADER), 1);
    scene_end(&scene);
}

/* --- from folder to folder ----------------------------------------------------------------------
 */

static void test_next_folder(void **state)
{
    Scene scene = scene_new();
    FakeFolder *second = fake_folder(scene.server, "Second");
    FakeFolder *third = fake_folder(scene.server, "Third");
    for (uint32_t uid = 1; uid <= 50; uid++) {
        fake_add(scene.server, scene.inbox, uid, HEADER, 20000);
        fake_add(scene.server, second, uid, HEADER, 20000);
        fake_add(scene.server, third, uid, HEADER, 20000);
    }
    scene.fs = fs_prepare(scene.server);
    scene.fs->prefetch = 16 * MIB;
    fs_begin(scene.fs, *state);
    assert_int_equal(fs_list_first(scene.fs, fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX")), 0);
    fake_forget(scene.server);
    for (uint32_t uid = 1; uid <= 50; uid++)
        assert_true(read_whole(&scene, uid, 20000));
    /* The others are listed and fetched, though nobody has looked at them. */
    fake_await(scene.server, FAKE_SYNC, 2);
    while (fs_settle(scene.fs), times_asked(scene.server, MAIL_SECTION_HEADER) <= 50)
        g_usleep(1000);
    assert_int_equal(fs_list_first(scene.fs, fs_folder(scene.fs, FUSE_ROOT_ID, "Second")), 0);
    for (uint32_t uid = 1; uid <= 50; uid++) {
        uint64_t ino = fs_message(scene.fs, "Second", uid);
        assert_int_equal(fs_open(scene.fs, ino), 0);
        assert_true(fs_reads_all(scene.fs, ino, 131072, HEADER + 20000));
    }
    assert_int_equal(fake_started(scene.server, FAKE_SYNC), 2);
    /* Of the first message, header and text by themselves; and where he was too quick, of another.
     */
    assert_in_range(fake_started(scene.server, FAKE_FETCH) - scene.server->ahead, 2, 4);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_a_few_reads),
        TEST_IN_DIRECTORY(test_off),
        TEST_IN_DIRECTORY(test_reader_who_listed),
        TEST_IN_DIRECTORY(test_reader_who_looks),
        TEST_IN_DIRECTORY(test_reader_of_short_ones),
        TEST_IN_DIRECTORY(test_first_two),
        TEST_IN_DIRECTORY(test_up_and_down),
        TEST_IN_DIRECTORY(test_by_name),
        TEST_IN_DIRECTORY(test_shuffled),
        TEST_IN_DIRECTORY(test_three_readers),
        TEST_IN_DIRECTORY(test_held),
        TEST_IN_DIRECTORY(test_bound),
        TEST_IN_DIRECTORY(test_given),
        TEST_IN_DIRECTORY(test_in_memory),
        TEST_IN_DIRECTORY(test_beginnings),
        TEST_IN_DIRECTORY(test_many_beginnings),
        TEST_IN_DIRECTORY(test_gone_and_false),
        TEST_IN_DIRECTORY(test_cut),
        TEST_IN_DIRECTORY(test_dead_server),
        TEST_IN_DIRECTORY(test_waits_for_a_batch),
        TEST_IN_DIRECTORY(test_next_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
