#include "fs_harness.h"

static int lookup(Scene *scene, uint64_t parent, const char *name)
{
    struct fuse_entry_out entry;
    return fs_lookup(scene->fs, parent, name, &entry);
}

/* The file name of the message that the fake server gives this UID. */
static const char *name_of(uint32_t uid)
{
    static char name[NAMES_MESSAGE_MAX];
    names_message(fake_date(uid), uid, name);
    return name;
}

static void assert_names(Fs *fs, uint64_t folder, const char *expected)
{
    g_autofree char *names = fs_names(fs, folder);
    assert_string_equal(names, expected);
}

static void test_one_sync_for_many(void **state)
{
    Scene scene = scene_new();
    uint64_t unique[20];
    fake_add(scene.server, scene.inbox, 1, 10, 10);
    scene.fs = fs_mount(scene.server, *state);
    uint64_t inbox = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
    fake_hold(scene.server, true);
    for (size_t i = 0; i < G_N_ELEMENTS(unique); i++)
        unique[i] = i % 2 ? fs_send_lookup(scene.fs, inbox, name_of(1))
                          : fs_send_open(scene.fs, FUSE_OPENDIR, inbox, O_RDONLY);
    fs_settle(scene.fs);
    fake_hold(scene.server, false);
    for (size_t i = 0; i < G_N_ELEMENTS(unique); i++)
        assert_int_equal(fs_error(scene.fs, unique[i]), 0);
    assert_int_equal(fake_started(scene.server, FAKE_SYNC), 1);
    scene_end(&scene);
}

static void test_fresh_for_a_while(void **state)
{
    Scene scene = scene_new();
    fake_folder(scene.server, "other");
    uint64_t inbox = scene_mount(&scene, state);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fs_opendir(scene.fs, inbox), 0);
        assert_int_equal(lookup(&scene, inbox, name_of(1)), ENOENT);
        assert_int_equal(lookup(&scene, inbox, "no such folder"), ENOENT);
        assert_int_equal(fs_opendir(scene.fs, FUSE_ROOT_ID), 0);
    }
    fake_assert_idle(scene.server);
    assert_int_equal(fs_opendir(scene.fs, fs_folder(scene.fs, FUSE_ROOT_ID, "other")), 0);
    assert_int_equal(fake_started(scene.server, FAKE_SYNC), 1);
    scene_end(&scene);
}

static Scene scene_never_fresh(void **state)
{
    Scene scene = scene_new();
    scene.fs = fs_prepare(scene.server);
    scene.fs->options.refresh = 0;
    fs_begin(scene.fs, *state);
    fake_forget(scene.server);
    return scene;
}

static void test_stale_asks_again(void **state)
{
    Scene scene = scene_never_fresh(state);
    uint64_t inbox = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
    assert_false(refresh_is_fresh(scene.fs->mount.refresher, 0));
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(fs_list_first(scene.fs, inbox), 0);
        assert_int_equal(fake_started(scene.server, FAKE_SYNC), i);
        fake_add(scene.server, scene.inbox, i, 10, 10);
    }
    assert_int_equal(lookup(&scene, inbox, name_of(3)), 0);
    assert_int_equal(fake_started(scene.server, FAKE_SYNC), 4);
    assert_int_equal(lookup(&scene, inbox, name_of(3)), 0); /* it is known */
    assert_int_equal(fake_started(scene.server, FAKE_SYNC), 4);
    scene_end(&scene);
}

static void test_changes_alone(void **state)
{
    Scene scene = scene_never_fresh(state);
    scene.server->condstore = true;
    fake_add(scene.server, scene.inbox, 1, 10, 10);
    fake_add(scene.server, scene.inbox, 2, 10, 10);
    uint64_t inbox = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
    assert_int_equal(fs_list_first(scene.fs, inbox), 0);
    fake_remove(scene.server, scene.inbox, 1);
    fake_add(scene.server, scene.inbox, 3, 10, 10);
    assert_int_equal(fs_opendir(scene.fs, inbox), 0);
    g_autofree char *expected = g_strdup_printf("%s ", name_of(2));
    g_autofree char *all = g_strdup_printf("%s%s ", expected, name_of(3));
    assert_names(scene.fs, inbox, all);
    assert_int_equal(scene.server->compared, 0);
    scene_end(&scene);
}

static void test_offline_shows_what_is_known(void **state)
{
    static const int codes[] = {ETIMEDOUT,   ENOTCONN,     EHOSTUNREACH,
                                ENETUNREACH, ECONNREFUSED, EAGAIN};
    Scene scene = scene_never_fresh(state);
    fake_add(scene.server, scene.inbox, 1, 10, 10);
    uint64_t inbox = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
    assert_int_equal(fs_list_first(scene.fs, inbox), 0);
    g_autofree char *expected = g_strdup_printf("%s ", name_of(1));
    for (size_t i = 0; i < G_N_ELEMENTS(codes); i++) {
        fake_fail(scene.server, FAKE_SYNC, codes[i], 1);
        g_atomic_int_set(&warnings, 0);
        assert_int_equal(fs_opendir(scene.fs, inbox), 0);
        assert_int_equal(g_atomic_int_get(&warnings), 1); /* the log says so */
        assert_names(scene.fs, inbox, expected);
    }
    /* Other failures are no reason to believe that the folder is as it was. */
    fake_fail(scene.server, FAKE_SYNC, EACCES, 1);
    assert_int_equal(fs_opendir(scene.fs, inbox), EACCES);
    fake_fail(scene.server, FAKE_LIST, ETIMEDOUT, 1);
    assert_int_equal(lookup(&scene, FUSE_ROOT_ID, "nobody"), ENOENT);
    scene_end(&scene);
}

/* The same after a remount, from the index on disk. */
static void test_offline_after_a_remount(void **state)
{
    Scene scene = scene_new();
    fake_add(scene.server, scene.inbox, 1, 10, 10);
    scene_mount(&scene, state);
    fs_unmount(scene.fs);
    fake_fail(scene.server, FAKE_SYNC, ENOTCONN, 1);
    scene.fs = fs_mount(scene.server, *state);
    uint64_t inbox = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
    assert_int_equal(fs_opendir(scene.fs, inbox), 0);
    g_autofree char *expected = g_strdup_printf("%s ", name_of(1));
    assert_names(scene.fs, inbox, expected);
    scene_end(&scene);
}

/* One look that finds no server is enough for all folders that are known, for refresh= seconds. */
static void test_offline_asks_once(void **state)
{
    Scene scene = scene_new();
    FakeFolder *other = fake_folder(scene.server, "other");
    fake_folder(scene.server, "unknown");
    fake_add(scene.server, other, 7, 10, 10);
    scene_mount(&scene, state);
    uint64_t folder = fs_folder(scene.fs, FUSE_ROOT_ID, "other");
    assert_int_equal(fs_opendir(scene.fs, folder), 0);
    fs_unmount(scene.fs);

    scene.fs = fs_mount(scene.server, *state); /* all is known, and nothing fresh */
    uint64_t inbox = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
    folder = fs_folder(scene.fs, FUSE_ROOT_ID, "other");
    uint64_t unknown = fs_folder(scene.fs, FUSE_ROOT_ID, "unknown");
    fake_forget(scene.server);
    fake_fail(scene.server, FAKE_SYNC, ETIMEDOUT, 2);
    assert_int_equal(fs_opendir(scene.fs, inbox), 0);
    assert_int_equal(fs_opendir(scene.fs, folder), 0);
    g_autofree char *expected = g_strdup_printf("%s ", name_of(7));
    assert_names(scene.fs, folder, expected);
    assert_int_equal(lookup(&scene, folder, name_of(8)), ENOENT);
    assert_int_equal(fake_started(scene.server, FAKE_SYNC), 1);
    assert_int_equal(fs_opendir(scene.fs, unknown), ETIMEDOUT);
    assert_int_equal(fake_started(scene.server, FAKE_SYNC), 2);
    assert_int_equal(fs_opendir(scene.fs, unknown), 0); /* it is there again: all are looked at */
    assert_int_equal(fs_opendir(scene.fs, folder), 0);
    assert_int_equal(fake_started(scene.server, FAKE_SYNC), 4);
    scene_end(&scene);
}

static void test_offline_and_never_listed(void **state)
{
    Scene scene = scene_new();
    fake_add(scene.server, scene.inbox, 1, 10, 10);
    scene.fs = fs_mount(scene.server, *state);
    uint64_t inbox = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
    fake_fail(scene.server, FAKE_SYNC, ETIMEDOUT, 2);
    assert_int_equal(fs_opendir(scene.fs, inbox), ETIMEDOUT);
    assert_int_equal(lookup(&scene, inbox, name_of(1)), ETIMEDOUT);
    assert_int_equal(fs_list_first(scene.fs, inbox), 0); /* a failure is not remembered */
    assert_int_equal(fake_started(scene.server, FAKE_SYNC), 3);
    scene_end(&scene);
}

static void test_another_uidvalidity(void **state)
{
    Scene scene = scene_never_fresh(state);
    struct fuse_attr_out attr;
    struct fuse_entry_out entry;
    fake_add(scene.server, scene.inbox, 1, 100, 100);
    uint64_t inbox = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
    assert_int_equal(fs_list_first(scene.fs, inbox), 0);
    uint64_t message = fs_message(scene.fs, "INBOX", 1);
    assert_int_equal(fs_open(scene.fs, message), 0);
    uint32_t old = inode_of(inbox).folder;

    fake_remake(scene.server, scene.inbox, 200);
    fake_add(scene.server, scene.inbox, 1, 50, 50);
    assert_int_equal(fs_opendir(scene.fs, inbox), ESTALE);
    assert_int_equal(fs_getattr(scene.fs, inbox, &attr), ESTALE);
    assert_int_equal(fs_opendir(scene.fs, inbox), ESTALE);
    assert_int_equal(fs_lookup(scene.fs, inbox, name_of(1), &entry), ESTALE);
    assert_int_equal(fs_getattr(scene.fs, message, &attr), ESTALE);
    assert_int_equal(fs_open(scene.fs, message), ESTALE);
    assert_int_equal(content_held(scene.fs->mount.content, old, 1, 0), 0);

    uint64_t again = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
    assert_int_not_equal(again, inbox);
    assert_int_equal(fs_opendir(scene.fs, again), 0);
    assert_int_equal(fs_lookup(scene.fs, again, name_of(1), &entry), 0);
    assert_int_not_equal(entry.nodeid, message);
    assert_int_equal(entry.attr.size, 100);
    assert_int_equal(fs_open(scene.fs, entry.nodeid), 0);
    assert_true(fs_reads(scene.fs, entry.nodeid, 0, 4096, 100));
    scene_end(&scene);
}

/* The UIDs are other messages' now, under the same UIDVALIDITY. */
static void test_restored(void **state)
{
    Scene scene = scene_never_fresh(state);
    struct fuse_entry_out entry;
    fake_add(scene.server, scene.inbox, 1, 100, 100);
    uint64_t inbox = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
    assert_int_equal(fs_list_first(scene.fs, inbox), 0);
    uint64_t message = fs_message(scene.fs, "INBOX", 1);
    assert_int_equal(fs_open(scene.fs, message), 0);
    uint32_t old = inode_of(inbox).folder;
    assert_int_not_equal(content_held(scene.fs->mount.content, old, 1, 0), 0);

    fake_restore(scene.server, scene.inbox);
    fake_add(scene.server, scene.inbox, 1, 50, 60);
    assert_int_equal(fs_opendir(scene.fs, inbox), ESTALE);
    assert_int_equal(fs_open(scene.fs, message), ESTALE);
    assert_int_equal(content_held(scene.fs->mount.content, old, 1, 0), 0);

    uint64_t again = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
    assert_int_not_equal(again, inbox);
    assert_int_equal(fs_opendir(scene.fs, again), 0);
    assert_int_equal(fs_lookup(scene.fs, again, name_of(1), &entry), 0);
    assert_int_not_equal(entry.nodeid, message);
    assert_int_equal(entry.attr.size, 110);
    assert_int_equal(fs_open(scene.fs, entry.nodeid), 0);
    assert_true(fs_reads(scene.fs, entry.nodeid, 0, 4096, 110));
    /* Once is enough. */
    assert_int_equal(fs_opendir(scene.fs, again), 0);
    scene_end(&scene);
}

/* All who wait for a folder while it turns out to be another one hear so. */
static void test_another_uidvalidity_for_many(void **state)
{
    Scene scene = scene_never_fresh(state);
    uint64_t unique[5];
    uint64_t inbox = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
    assert_int_equal(fs_list_first(scene.fs, inbox), 0);
    fake_remake(scene.server, scene.inbox, 200);
    fake_hold(scene.server, true);
    for (size_t i = 0; i < G_N_ELEMENTS(unique); i++)
        unique[i] = fs_send_open(scene.fs, FUSE_OPENDIR, inbox, O_RDONLY);
    fs_settle(scene.fs);
    fake_hold(scene.server, false);
    for (size_t i = 0; i < G_N_ELEMENTS(unique); i++)
        assert_int_equal(fs_error(scene.fs, unique[i]), ESTALE);
    assert_int_equal(fs_opendir(scene.fs, fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX")), 0);
    scene_end(&scene);
}

/* A fetch is told that the folder is another one: the next look asks. */
static void test_fetch_finds_another_uidvalidity(void **state)
{
    Scene scene = scene_new();
    fake_add(scene.server, scene.inbox, 1, 100, 100);
    uint64_t inbox = scene_mount(&scene, state);
    fake_remake(scene.server, scene.inbox, 200);
    assert_int_equal(fs_open(scene.fs, fs_message(scene.fs, "INBOX", 1)), ESTALE);
    assert_int_equal(fs_opendir(scene.fs, inbox), ESTALE);
    assert_int_equal(fake_started(scene.server, FAKE_SYNC), 1);
    scene_end(&scene);
}

static void test_count_differs(void **state)
{
    Scene scene = scene_never_fresh(state);
    scene.server->condstore = true;
    for (uint32_t uid = 1; uid <= 3; uid++)
        fake_add(scene.server, scene.inbox, uid, 10, 10);
    uint64_t inbox = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
    assert_int_equal(fs_list_first(scene.fs, inbox), 0);
    assert_int_equal(fake_started(scene.server, FAKE_SYNC), 1);

    /* One vanishes, and the server forgets to say so. */
    fake_remove(scene.server, scene.inbox, 2);
    g_array_set_size(scene.inbox->vanished, 0);
    assert_int_equal(fs_opendir(scene.fs, inbox), 0);
    assert_int_equal(fake_started(scene.server, FAKE_SYNC), 3);
    assert_int_equal(scene.server->compared, 1);
    assert_int_equal(lookup(&scene, inbox, name_of(2)), ENOENT);

    /* A server that can't count is asked once more each time, and not for ever. */
    fake_lock(scene.server);
    scene.inbox->miscount = 5;
    fake_unlock(scene.server);
    fake_forget(scene.server);
    assert_int_equal(fs_opendir(scene.fs, inbox), 0);
    assert_int_equal(fake_started(scene.server, FAKE_SYNC), 2);
    assert_int_equal(scene.server->compared, 1);
    scene_end(&scene);
}

static void test_vanished_drops_content(void **state)
{
    Scene scene = scene_never_fresh(state);
    for (uint32_t uid = 1; uid <= 4; uid++)
        fake_add(scene.server, scene.inbox, uid, 100, 100);
    uint64_t inbox = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
    assert_int_equal(fs_list_first(scene.fs, inbox), 0);
    uint32_t folder = inode_of(inbox).folder;
    for (uint32_t uid = 1; uid <= 4; uid++)
        assert_int_equal(fs_open(scene.fs, fs_message(scene.fs, "INBOX", uid)), 0);
    for (int condstore = 0; condstore < 2; condstore++) {
        uint32_t gone = condstore ? 3 : 2;
        scene.server->condstore = condstore;
        assert_int_equal(fs_opendir(scene.fs, inbox), 0);
        fake_remove(scene.server, scene.inbox, gone);
        assert_int_equal(content_held(scene.fs->mount.content, folder, gone, 0), 200);
        assert_int_equal(fs_opendir(scene.fs, inbox), 0);
        assert_int_equal(content_held(scene.fs->mount.content, folder, gone, 0), 0);
        assert_int_equal(content_held(scene.fs->mount.content, folder, 1, 0), 200);
        assert_int_equal(content_held(scene.fs->mount.content, folder, 4, 0), 200);
        assert_int_equal(fs_read_error(scene.fs, fs_message(scene.fs, "INBOX", gone), 0, 10),
                         ENOENT);
    }
    scene_end(&scene);
}

/* Counts what the kernel was told. */
static unsigned count_notes(Fs *fs, int code)
{
    unsigned n = 0;
    notifier_stop(fs->mount.notifier);
    for (guint i = 0; i < fs->notes->len; i++) {
        struct fuse_out_header header;
        memcpy(&header, g_bytes_get_data(fs->notes->pdata[i], NULL), sizeof header);
        n += header.error == code;
    }
    g_ptr_array_set_size(fs->notes, 0);
    notifier_start(fs->mount.notifier, fs->session);
    return n;
}

/* Waits until everything that was posted is told, by one more note. */
static void await_note_of(Fs *fs, uint64_t ino)
{
    struct timespec until = fs_deadline();
    bool found = false;
    int error = 0;
    notify_inode(fs->mount.notifier, ino);
    pthread_mutex_lock(&fs->lock);
    while (!found && !error) {
        for (guint i = 0; i < fs->notes->len && !found; i++) {
            const char *bytes = g_bytes_get_data(fs->notes->pdata[i], NULL);
            struct fuse_notify_inval_inode_out out;
            memcpy(&out, bytes + sizeof(struct fuse_out_header), sizeof out);
            found = out.ino == ino;
        }
        if (!found)
            error = pthread_cond_timedwait(&fs->changed, &fs->lock, &until);
    }
    pthread_mutex_unlock(&fs->lock);
    assert_int_equal(error, 0);
}

static void test_the_kernel_is_told(void **state)
{
    Scene scene = scene_never_fresh(state);
    for (uint32_t uid = 1; uid <= 1500; uid++)
        fake_add(scene.server, scene.inbox, uid, 10, 10);
    uint64_t inbox = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
    assert_int_equal(fs_list_first(scene.fs, inbox), 0);
    await_note_of(scene.fs, 99);
    assert_int_equal(count_notes(scene.fs, FUSE_NOTIFY_DELETE), 0);
    fake_lock(scene.server);
    g_ptr_array_set_size(scene.inbox->messages, 1400);
    fake_unlock(scene.server);
    assert_int_equal(fs_opendir(scene.fs, inbox), 0);
    await_note_of(scene.fs, 98);
    assert_int_equal(count_notes(scene.fs, FUSE_NOTIFY_DELETE), 100);
    /* However many they are, each is told: what the kernel knows of messages does not expire. */
    fake_lock(scene.server);
    g_ptr_array_set_size(scene.inbox->messages, 100);
    fake_unlock(scene.server);
    assert_int_equal(fs_opendir(scene.fs, inbox), 0);
    await_note_of(scene.fs, 97);
    assert_int_equal(count_notes(scene.fs, FUSE_NOTIFY_DELETE), 1300);
    g_autoptr(GArray) entries = fs_list(scene.fs, inbox, false, 4096);
    assert_int_equal(entries->len, 2 + 100);
    scene_end(&scene);
}

/* --- the list of folders ---------------------------------------------------------------------- */

static void test_folders_come_and_go(void **state)
{
    Scene scene = scene_never_fresh(state);
    FakeFolder *other = fake_folder(scene.server, "other");
    fake_add(scene.server, other, 1, 10, 10);
    uint64_t ino = fs_folder(scene.fs, FUSE_ROOT_ID, "other");
    assert_int_equal(fs_list_first(scene.fs, ino), 0);
    assert_int_equal(fs_open(scene.fs, fs_message(scene.fs, "other", 1)), 0);
    fake_drop_folder(scene.server, other);
    /* The folder can't be looked at any more, and the list is asked next. */
    assert_int_equal(fs_opendir(scene.fs, ino), ENOENT);
    assert_int_equal(fs_opendir(scene.fs, FUSE_ROOT_ID), 0);
    assert_int_equal(lookup(&scene, FUSE_ROOT_ID, "other"), ENOENT);
    assert_int_equal(fs_opendir(scene.fs, ino), ESTALE);
    assert_int_equal(content_held(scene.fs->mount.content, inode_of(ino).folder, 1, 0), 0);
    g_autoptr(GArray) folders = catalog_folders(scene.fs->mount.catalog);
    assert_int_equal(folders->len, 1);
    scene_end(&scene);
}

/* A folder that is dropped while it is being looked at. */
static void test_dropped_under_a_look(void **state)
{
    Scene scene = scene_never_fresh(state);
    FakeFolder *other = fake_folder(scene.server, "other");
    fake_add(scene.server, other, 1, 10, 10);
    uint64_t ino = fs_folder(scene.fs, FUSE_ROOT_ID, "other");
    fake_hold(scene.server, true);
    uint64_t list = fs_send_open(scene.fs, FUSE_OPENDIR, FUSE_ROOT_ID, O_RDONLY);
    fake_await(scene.server, FAKE_LIST, 2);
    uint64_t look = fs_send_open(scene.fs, FUSE_OPENDIR, ino, O_RDONLY);
    fake_await(scene.server, FAKE_SYNC, 1);
    fake_drop_folder(scene.server, other);
    fake_hold(scene.server, false);
    assert_int_equal(fs_error(scene.fs, list), 0);
    int error = fs_error(scene.fs, look);
    assert_true(error == ENOENT || error == ESTALE);
    scene_end(&scene);
}

static void test_many_wait_for_the_list(void **state)
{
    Scene scene = scene_never_fresh(state);
    uint64_t unique[10];
    fake_hold(scene.server, true);
    for (size_t i = 0; i < G_N_ELEMENTS(unique); i++)
        unique[i] = fs_send_lookup(scene.fs, FUSE_ROOT_ID, "new");
    fs_settle(scene.fs);
    fake_folder(scene.server, "new");
    fake_hold(scene.server, false);
    for (size_t i = 0; i < G_N_ELEMENTS(unique); i++)
        assert_int_equal(fs_error(scene.fs, unique[i]), 0);
    assert_int_equal(fake_started(scene.server, FAKE_LIST), 1);
    scene_end(&scene);
}

/* The list fails, or has lost the mount's root: the folders stay as they were, with a warning. */
static void test_list_fails(void **state)
{
    Scene scene = scene_new();
    static char root[] = "INBOX";
    scene.fs = fs_prepare(scene.server);
    scene.fs->options.refresh = 0;
    scene.fs->options.url.folder = root;
    FakeFolder *below = fake_folder(scene.server, "INBOX/below");
    fs_begin(scene.fs, *state);
    assert_int_equal(lookup(&scene, FUSE_ROOT_ID, "below"), 0);
    fake_fail(scene.server, FAKE_LIST, ENOTCONN, 1);
    assert_int_equal(lookup(&scene, FUSE_ROOT_ID, "x"), ENOENT);
    assert_int_equal(g_atomic_int_get(&warnings), 1);
    fake_drop_folder(scene.server, below);
    fake_drop_folder(scene.server, scene.inbox);
    assert_int_equal(lookup(&scene, FUSE_ROOT_ID, "x"), ENOENT);
    assert_int_equal(g_atomic_int_get(&warnings), 2);
    assert_int_equal(lookup(&scene, FUSE_ROOT_ID, "below"), 0);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_one_sync_for_many),
        TEST_IN_DIRECTORY(test_fresh_for_a_while),
        TEST_IN_DIRECTORY(test_stale_asks_again),
        TEST_IN_DIRECTORY(test_changes_alone),
        TEST_IN_DIRECTORY(test_offline_shows_what_is_known),
        TEST_IN_DIRECTORY(test_offline_after_a_remount),
        TEST_IN_DIRECTORY(test_offline_asks_once),
        TEST_IN_DIRECTORY(test_offline_and_never_listed),
        TEST_IN_DIRECTORY(test_another_uidvalidity),
        TEST_IN_DIRECTORY(test_restored),
        TEST_IN_DIRECTORY(test_another_uidvalidity_for_many),
        TEST_IN_DIRECTORY(test_fetch_finds_another_uidvalidity),
        TEST_IN_DIRECTORY(test_count_differs),
        TEST_IN_DIRECTORY(test_vanished_drops_content),
        TEST_IN_DIRECTORY(test_the_kernel_is_told),
        TEST_IN_DIRECTORY(test_folders_come_and_go),
        TEST_IN_DIRECTORY(test_dropped_under_a_look),
        TEST_IN_DIRECTORY(test_many_wait_for_the_list),
        TEST_IN_DIRECTORY(test_list_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
