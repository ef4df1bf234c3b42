/* What others change reaches the kernel, though nobody looks. */
#include "fs_harness.h"

static Scene scene_watched(void)
{
    Scene scene = scene_new();
    scene.server->watches = scene.server->condstore = true;
    scene.server->tells = "*";
    fake_add(scene.server, scene.inbox, 1, 10, 10);
    fake_add(scene.server, scene.inbox, 2, 10, 10);
    return scene;
}

/* Mounts, lists INBOX, and waits until it is watched. */
static uint64_t mount_watched(Scene *scene, void **state)
{
    uint64_t inbox = scene_mount(scene, state);
    fake_await(scene->server, FAKE_WATCH, 1);
    fs_settle(scene->fs);
    fake_forget(scene->server);
    return inbox;
}

static const char *name_of(uint32_t uid)
{
    static char name[NAMES_MESSAGE_MAX];
    names_message(fake_date(uid), uid, name);
    return name;
}

/* What the server tells, n times at once. */
typedef struct {
    const FakeServer *server;
    const char *folder; /* NULL: of the list */
    unsigned n;
} Telling;

static void tell_now(gpointer data)
{
    g_autofree Telling *telling = data;
    const FakeServer *server = telling->server;
    for (unsigned i = 0; i < telling->n; i++) {
        if (telling->folder)
            server->watch_sink->changed(server->watch_data, telling->folder);
        else
            server->watch_sink->folders(server->watch_data);
    }
}

static void tell(const Scene *scene, const char *folder, unsigned n)
{
    Telling *telling = g_new(Telling, 1);
    *telling = (Telling){scene->server, folder, n};
    engine_post(scene->fs->mount.engine, tell_now, telling);
}

static void tell_began(gpointer data)
{
    const FakeServer *server = data;
    server->watch_sink->began(server->watch_data);
}

/* The kernel has forgotten what it kept of the directory. */
static bool has_inode_note(const Fs *fs, uint64_t ino)
{
    for (guint i = 0; i < fs->notes->len; i++) {
        const char *bytes = g_bytes_get_data(fs->notes->pdata[i], NULL);
        struct fuse_out_header header;
        struct fuse_notify_inval_inode_out note;
        memcpy(&header, bytes, sizeof header);
        if (header.error != FUSE_NOTIFY_INVAL_INODE)
            continue;
        memcpy(&note, bytes + sizeof header, sizeof note);
        if (note.ino == ino)
            return true;
    }
    return false;
}

static void await_inode_note(Fs *fs, uint64_t ino)
{
    struct timespec until = fs_deadline();
    int error = 0;
    pthread_mutex_lock(&fs->lock);
    while (!has_inode_note(fs, ino) && !error)
        error = pthread_cond_timedwait(&fs->changed, &fs->lock, &until);
    pthread_mutex_unlock(&fs->lock);
    assert_int_equal(error, 0);
}

static void forget_notes(Fs *fs)
{
    pthread_mutex_lock(&fs->lock);
    g_ptr_array_set_size(fs->notes, 0);
    pthread_mutex_unlock(&fs->lock);
}

static void assert_names(Fs *fs, uint64_t folder, const char *expected)
{
    g_autofree char *names = fs_names(fs, folder);
    assert_string_equal(names, expected);
}

/* --- what is told ---------------------------------------------------------------------------- */

static void test_delivery(void **state)
{
    Scene scene = scene_watched();
    uint64_t inbox = mount_watched(&scene, state);
    struct fuse_entry_out entry;
    forget_notes(scene.fs);
    assert_int_equal(fs_lookup(scene.fs, inbox, name_of(3), &entry), ENOENT);
    fake_add(scene.server, scene.inbox, 3, 10, 10);
    tell(&scene, "INBOX", 1);
    await_inode_note(scene.fs, inbox);
    assert_int_equal(fs_lookup(scene.fs, inbox, name_of(3), &entry), 0);
    assert_int_equal(fake_started(scene.server, FAKE_SYNC), 1);
    scene_end(&scene);
}

/* It may be looked for at once: nobody is shown what was. */
static void test_stale_at_once(void **state)
{
    Scene scene = scene_watched();
    uint64_t inbox = mount_watched(&scene, state);
    struct fuse_entry_out entry;
    fake_add(scene.server, scene.inbox, 3, 10, 10);
    tell(&scene, "INBOX", 1);
    fs_settle(scene.fs);
    assert_int_equal(fs_lookup(scene.fs, inbox, name_of(3), &entry), 0);
    scene_end(&scene);
}

static void test_deletion(void **state)
{
    Scene scene = scene_watched();
    mount_watched(&scene, state);
    fake_remove(scene.server, scene.inbox, 1);
    tell(&scene, "INBOX", 1);
    fs_await_note(scene.fs, FUSE_NOTIFY_DELETE, name_of(1));
    scene_end(&scene);
}

/* However much is told, there is one look. */
static void test_burst(void **state)
{
    Scene scene = scene_watched();
    uint64_t inbox = mount_watched(&scene, state);
    forget_notes(scene.fs);
    fake_add(scene.server, scene.inbox, 3, 10, 10);
    tell(&scene, "INBOX", 10000);
    tell(&scene, NULL, 10000);
    await_inode_note(scene.fs, inbox);
    fake_await(scene.server, FAKE_LIST, 1);
    fs_settle(scene.fs);
    assert_int_equal(fake_started(scene.server, FAKE_SYNC), 1);
    assert_int_equal(fake_started(scene.server, FAKE_LIST), 1);
    scene_end(&scene);
}

/* A look that is under way may have come too early. */
static void test_told_during_a_look(void **state)
{
    Scene scene = scene_watched();
    mount_watched(&scene, state);
    fake_hold(scene.server, true);
    tell(&scene, "INBOX", 1);
    tell(&scene, NULL, 1);
    fake_await(scene.server, FAKE_SYNC, 1);
    fake_await(scene.server, FAKE_LIST, 1);
    tell(&scene, "INBOX", 1);
    tell(&scene, NULL, 1);
    fs_settle(scene.fs);
    g_usleep(G_USEC_PER_SEC); /* half of it lies between two looks */
    assert_int_equal(fake_started(scene.server, FAKE_SYNC), 1);
    fake_hold(scene.server, false);
    fake_await(scene.server, FAKE_SYNC, 2);
    fake_await(scene.server, FAKE_LIST, 2);
    scene_end(&scene);
}

/* Nothing that the kernel could know of is looked at, nor what is not there. */
static void test_not_used(void **state)
{
    Scene scene = scene_watched();
    fake_folder(scene.server, "Work");
    mount_watched(&scene, state);
    tell(&scene, "Work", 1);
    tell(&scene, "Nowhere", 1);
    tell(&scene, "INBOX", 1);
    fake_await(scene.server, FAKE_SYNC, 1);
    fs_settle(scene.fs);
    assert_int_equal(fake_started(scene.server, FAKE_SYNC), 1);
    scene_end(&scene);
}

static void test_folders(void **state)
{
    Scene scene = scene_watched();
    FakeFolder *old = fake_folder(scene.server, "Old");
    fake_folder(scene.server, "INBOX/a");
    uint64_t inbox = mount_watched(&scene, state);
    assert_names(scene.fs, FUSE_ROOT_ID, "INBOX Old ");
    forget_notes(scene.fs);
    fake_folder(scene.server, "INBOX/b");
    tell(&scene, NULL, 1);
    await_inode_note(scene.fs, inbox);
    await_inode_note(scene.fs, FUSE_ROOT_ID);
    fs_folder(scene.fs, inbox, "b");
    fake_lock(scene.server);
    fake_drop_folder(scene.server, old);
    fake_unlock(scene.server);
    tell(&scene, NULL, 1);
    fs_await_note(scene.fs, FUSE_NOTIFY_DELETE, "Old");
    assert_names(scene.fs, FUSE_ROOT_ID, "INBOX ");
    assert_int_equal(fake_started(scene.server, FAKE_LIST), 2);
    scene_end(&scene);
}

/* --- which folders --------------------------------------------------------------------------- */

static void await_watched(FakeServer *server, const char *folders)
{
    struct timespec until = fs_deadline();
    int error = 0;
    pthread_mutex_lock(&server->lock);
    while (g_strcmp0(server->watched, folders) != 0 && !error)
        error = pthread_cond_timedwait(&server->changed, &server->lock, &until);
    pthread_mutex_unlock(&server->lock);
    assert_int_equal(error, 0);
}

/* The last one first; then INBOX, where it is in use. */
static void test_order(void **state)
{
    Scene scene = scene_watched();
    fake_folder(scene.server, "a");
    fake_folder(scene.server, "b");
    fake_folder(scene.server, "never");
    mount_watched(&scene, state);
    await_watched(scene.server, "INBOX");
    g_usleep(G_USEC_PER_SEC * 11 / 10); /* use is told in seconds */
    fs_opendir(scene.fs, fs_folder(scene.fs, FUSE_ROOT_ID, "a"));
    g_usleep(G_USEC_PER_SEC * 11 / 10);
    fs_opendir(scene.fs, fs_folder(scene.fs, FUSE_ROOT_ID, "b"));
    await_watched(scene.server, "b INBOX a");
    scene_end(&scene);
}

/* --- asking ---------------------------------------------------------------------------------- */

/* With refresh=1, and a server that tells of nothing, or of INBOX. */
static Scene scene_polled(void **state, const char *tells, bool watches)
{
    Scene scene = scene_watched();
    scene.server->tells = tells;
    scene.server->watches = watches;
    scene.fs = fs_prepare(scene.server);
    scene.fs->options.refresh = 1;
    fs_begin(scene.fs, *state);
    assert_int_equal(fs_list_first(scene.fs, fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX")), 0);
    fake_forget(scene.server);
    return scene;
}

/* As long as nothing changes nothing is looked at. */
static void test_asked(void **state)
{
    Scene scene = scene_polled(state, NULL, true);
    fake_await(scene.server, FAKE_STATES, 2);
    fs_settle(scene.fs);
    assert_int_equal(fake_started(scene.server, FAKE_SYNC), 0);
    fake_remove(scene.server, scene.inbox, 2);
    fs_await_note(scene.fs, FUSE_NOTIFY_DELETE, name_of(2));
    assert_true(fake_started(scene.server, FAKE_LIST) > 0);
    scene_end(&scene);
}

/* Nobody asks for what is told. */
static void test_told_is_not_asked(void **state)
{
    Scene scene = scene_polled(state, "INBOX", true);
    fake_await(scene.server, FAKE_LIST, 2);
    assert_int_equal(fake_started(scene.server, FAKE_STATES), 0);
    scene_end(&scene);
}

/* Of what came before, nothing may have been told. */
static void test_began(void **state)
{
    Scene scene = scene_watched();
    mount_watched(&scene, state);
    fake_remove(scene.server, scene.inbox, 1);
    engine_post(scene.fs->mount.engine, tell_began, scene.server);
    fs_await_note(scene.fs, FUSE_NOTIFY_DELETE, name_of(1));
    assert_int_equal(fake_started(scene.server, FAKE_STATES), 1);
    fake_await(scene.server, FAKE_LIST, 1);
    /* Again while that is being asked: */
    fake_hold(scene.server, true);
    engine_post(scene.fs->mount.engine, tell_began, scene.server);
    engine_post(scene.fs->mount.engine, tell_began, scene.server);
    fs_settle(scene.fs);
    assert_int_equal(fake_started(scene.server, FAKE_STATES), 2);
    fake_hold(scene.server, false);
    fake_await(scene.server, FAKE_STATES, 3);
    scene_end(&scene);
}

/* A store that can tell nothing at all, as POP3's: it is looked at. */
static void test_looked_at(void **state)
{
    Scene scene = scene_polled(state, NULL, false);
    fake_remove(scene.server, scene.inbox, 2);
    fs_await_note(scene.fs, FUSE_NOTIFY_DELETE, name_of(2));
    assert_int_equal(fake_started(scene.server, FAKE_WATCH), 0);
    assert_int_equal(fake_started(scene.server, FAKE_STATES), 0);
    scene_end(&scene);
}

/* The mount ends while there is something to look at. */
static void test_stopped(void **state)
{
    Scene scene = scene_watched();
    mount_watched(&scene, state);
    fake_hold(scene.server, true);
    engine_post(scene.fs->mount.engine, tell_began, scene.server);
    tell(&scene, "INBOX", 1);
    fs_close(scene.fs);
    tell(&scene, "INBOX", 1);
    tell(&scene, NULL, 1);
    engine_post(scene.fs->mount.engine, tell_began, scene.server);
    fs_settle(scene.fs);
    assert_int_equal(fake_started(scene.server, FAKE_SYNC), 0);
    scene_end(&scene);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_delivery),
        TEST_IN_DIRECTORY(test_stale_at_once),
        TEST_IN_DIRECTORY(test_deletion),
        TEST_IN_DIRECTORY(test_burst),
        TEST_IN_DIRECTORY(test_told_during_a_look),
        TEST_IN_DIRECTORY(test_not_used),
        TEST_IN_DIRECTORY(test_folders),
        TEST_IN_DIRECTORY(test_order),
        TEST_IN_DIRECTORY(test_asked),
        TEST_IN_DIRECTORY(test_told_is_not_asked),
        TEST_IN_DIRECTORY(test_began),
        TEST_IN_DIRECTORY(test_looked_at),
        TEST_IN_DIRECTORY(test_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
