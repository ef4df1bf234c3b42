/* Folders made, removed and renamed: what is asked, what is answered, and what is known of them
 * then. */
#include "fs_rename.h"

#define CAN (MAIL_STORE_CHANGES | MAIL_STORE_REMOVE | MAIL_STORE_MAKES)

/* INBOX with a message, and folders "a", "a/b" and "c". */
static Scene folders_mounted(void **state)
{
    Scene scene = scene_new();
    fake_add(scene.server, scene.inbox, 1, 10, 10);
    fake_add(scene.server, fake_folder(scene.server, "a"), 1, 10, 10);
    fake_folder(scene.server, "a/b");
    fake_folder(scene.server, "c");
    scene.server->changes = CAN;
    scene_mount(&scene, state);
    return scene;
}

static uint64_t send_mkdir(Fs *fs, uint64_t parent, const char *name)
{
    struct fuse_mkdir_in in = {.mode = 0700};
    return fs_send(fs, FUSE_MKDIR, parent, &in, sizeof in, name, strlen(name) + 1);
}

static uint64_t send_rmdir(Fs *fs, uint64_t parent, const char *name)
{
    return fs_send(fs, FUSE_RMDIR, parent, NULL, 0, name, strlen(name) + 1);
}

static bool server_has(FakeServer *server, const char *name)
{
    fake_lock(server);
    bool has = fake_find(server, name) != NULL;
    fake_unlock(server);
    return has;
}

/* --- mkdir ------------------------------------------------------------------------------------ */

static void test_mkdir(void **state)
{
    Scene scene = folders_mounted(state);
    uint64_t a = fs_folder(scene.fs, FUSE_ROOT_ID, "a");
    assert_int_equal(fs_error(scene.fs, send_mkdir(scene.fs, FUSE_ROOT_ID, "d")), 0);
    uint64_t unique = send_mkdir(scene.fs, a, "100%25 %2E");
    assert_int_equal(fs_error(scene.fs, unique), EINVAL);
    unique = send_mkdir(scene.fs, a, "50%2541");
    struct fuse_entry_out entry;
    size_t size;
    assert_int_equal(fs_error(scene.fs, unique), 0);
    const void *body = fs_body(scene.fs, unique, &size);
    assert_int_equal(size, sizeof entry);
    memcpy(&entry, body, size);
    assert_int_equal(entry.nodeid, fs_folder(scene.fs, a, "50%2541"));
    assert_true(S_ISDIR(entry.attr.mode));
    assert_true(server_has(scene.server, "d") && server_has(scene.server, "a/50%41"));
    scene_end(&scene);
}

/* A list that began before has not got it, and is not believed. */
static void test_mkdir_while_listed(void **state)
{
    Scene scene = folders_mounted(state);
    struct fuse_entry_out entry;
    fake_stall(scene.server, FAKE_LIST, true);
    refresh_stale(scene.fs->mount.refresher, 0);
    uint64_t looking = fs_send_lookup(scene.fs, FUSE_ROOT_ID, "nothing");
    fake_await(scene.server, FAKE_LIST, 1);
    uint64_t making = send_mkdir(scene.fs, FUSE_ROOT_ID, "d");
    fake_await(scene.server, FAKE_CREATE, 1);
    while (!server_has(scene.server, "d"))
        fs_settle(scene.fs);
    fs_settle(scene.fs);
    fake_stall(scene.server, FAKE_LIST, false);
    assert_int_equal(fs_error(scene.fs, making), 0);
    assert_int_equal(fs_error(scene.fs, looking), ENOENT);
    assert_int_equal(fake_started(scene.server, FAKE_LIST), 2);
    assert_int_equal(fs_lookup(scene.fs, FUSE_ROOT_ID, "d", &entry), 0);
    scene_end(&scene);
}

/* Who made it does not wait any more; it is made all the same. */
static void test_mkdir_interrupted(void **state)
{
    Scene scene = folders_mounted(state);
    struct fuse_entry_out entry;
    fake_stall(scene.server, FAKE_CREATE, true);
    uint64_t making = send_mkdir(scene.fs, FUSE_ROOT_ID, "d");
    fake_await(scene.server, FAKE_CREATE, 1);
    fs_interrupt(scene.fs, making);
    assert_int_equal(fs_error(scene.fs, making), EINTR);
    fake_stall(scene.server, FAKE_CREATE, false);
    while (!server_has(scene.server, "d"))
        fs_settle(scene.fs);
    fs_settle(scene.fs);
    assert_int_equal(fs_lookup(scene.fs, FUSE_ROOT_ID, "d", &entry), 0);
    scene_end(&scene);
}

/* The mount's end finds it under way. */
static void test_mkdir_at_the_end(void **state)
{
    Scene scene = folders_mounted(state);
    fake_hold(scene.server, true);
    uint64_t making = send_mkdir(scene.fs, FUSE_ROOT_ID, "d");
    fake_await(scene.server, FAKE_CREATE, 1);
    fs_close(scene.fs);
    assert_int_equal(fs_error(scene.fs, making), ENOTCONN);
    scene_end(&scene);
}

/* --- errors ----------------------------------------------------------------------------------- */

static void test_refusals(void **state)
{
    static const int codes[] = {EEXIST, ENOENT, ENOTEMPTY, EPERM, EDQUOT, EACCES, EBUSY};
    Scene scene = folders_mounted(state);
    for (size_t i = 0; i < G_N_ELEMENTS(codes); i++) {
        fake_fail(scene.server, FAKE_CREATE, codes[i], 1);
        assert_int_equal(fs_error(scene.fs, send_mkdir(scene.fs, FUSE_ROOT_ID, "d")), codes[i]);
        fake_fail(scene.server, FAKE_DELETE, codes[i], 1);
        assert_int_equal(fs_error(scene.fs, send_rmdir(scene.fs, FUSE_ROOT_ID, "c")), codes[i]);
        fake_fail(scene.server, FAKE_RENAME, codes[i], 1);
        assert_int_equal(
            fs_error(scene.fs, rename_send(scene.fs, FUSE_ROOT_ID, "c", FUSE_ROOT_ID, "e", 0)),
            codes[i]);
    }
    g_autofree char *names = fs_names(scene.fs, FUSE_ROOT_ID);
    assert_string_equal(names, "INBOX a c ");
    scene_end(&scene);
}

/* What another client did is seen as soon as it was in the way. */
static void test_refusals_show_the_truth(void **state)
{
    Scene scene = folders_mounted(state);
    struct fuse_entry_out entry;
    fake_folder(scene.server, "d");
    assert_int_equal(fs_error(scene.fs, send_mkdir(scene.fs, FUSE_ROOT_ID, "d")), EEXIST);
    assert_int_equal(fs_lookup(scene.fs, FUSE_ROOT_ID, "d", &entry), 0);
    scene_end(&scene);
}

/* Without asking the server. */
static void test_what_cannot_be(void **state)
{
    Scene scene = folders_mounted(state);
    Fs *fs = scene.fs;
    char message[NAMES_MESSAGE_MAX];
    uint64_t root = FUSE_ROOT_ID, a = fs_folder(fs, root, "a"), b = fs_folder(fs, a, "b");
    uint64_t inbox = fs_folder(fs, root, "INBOX");
    uint64_t control = inode_number(INODE_CONTROL, 0, CONTROL_UID_DIRECTORY);
    names_message(fake_date(1), 1, message);
    assert_int_equal(fs_error(fs, send_mkdir(fs, root, "%41")), EINVAL);
    assert_int_equal(fs_error(fs, send_mkdir(fs, control, "a")), EPERM);
    assert_int_equal(fs_error(fs, send_rmdir(fs, root, "a")), ENOTEMPTY);
    assert_int_equal(fs_error(fs, send_rmdir(fs, root, "none")), ENOENT);
    assert_int_equal(fs_error(fs, send_rmdir(fs, root, ".pullmail")), EPERM);
    assert_int_equal(fs_error(fs, rename_send(fs, root, "a", b, "a", 0)), EINVAL);
    assert_int_equal(fs_error(fs, rename_send(fs, root, "a", a, "x", 0)), EINVAL);
    assert_int_equal(fs_error(fs, rename_send(fs, root, "a", root, "c", 0)), EEXIST);
    assert_int_equal(fs_error(fs, rename_send(fs, root, "a", root, "c", RENAME_NOREPLACE)), EEXIST);
    assert_int_equal(fs_error(fs, rename_send(fs, root, "a", inbox, message, 0)), EEXIST);
    assert_int_equal(fs_error(fs, rename_send(fs, root, "a", root, "c", RENAME_EXCHANGE)), EINVAL);
    assert_int_equal(fs_error(fs, rename_send(fs, root, "none", root, "d", 0)), ENOENT);
    assert_int_equal(fs_error(fs, rename_send(fs, root, ".pullmail", root, "d", 0)), EPERM);
    assert_int_equal(fs_error(fs, rename_send(fs, root, "a", control, "d", 0)), EPERM);
    assert_int_equal(fs_error(fs, rename_send(fs, root, "a", root, "%41", 0)), EINVAL);
    assert_int_equal(fake_started(scene.server, FAKE_CREATE), 0);
    assert_int_equal(fake_started(scene.server, FAKE_DELETE), 0);
    assert_int_equal(fake_started(scene.server, FAKE_RENAME), 0);
    scene_end(&scene);
}

/* --- rmdir ------------------------------------------------------------------------------------ */

/* What is being removed from it is gone before it is asked for. */
static void test_rmdir_after_its_messages(void **state)
{
    Scene scene = folders_mounted(state);
    uint64_t a = fs_folder(scene.fs, FUSE_ROOT_ID, "a");
    char message[NAMES_MESSAGE_MAX];
    struct fuse_entry_out entry;
    names_message(fake_date(1), 1, message);
    assert_int_equal(fs_list_first(scene.fs, a), 0);
    assert_int_equal(named_unlink(scene.fs, a, message), 0);
    assert_int_equal(fs_error(scene.fs, send_rmdir(scene.fs, a, "b")), 0);
    assert_int_equal(fs_error(scene.fs, send_rmdir(scene.fs, FUSE_ROOT_ID, "a")), 0);
    assert_int_equal(fs_lookup(scene.fs, FUSE_ROOT_ID, "a", &entry), ENOENT);
    assert_false(server_has(scene.server, "a"));
    scene_end(&scene);
}

/* --- rename ----------------------------------------------------------------------------------- */

static void test_rename_keeps_what_is_known(void **state)
{
    Scene scene = folders_mounted(state);
    uint64_t a = fs_folder(scene.fs, FUSE_ROOT_ID, "a"), b = fs_folder(scene.fs, a, "b");
    uint64_t c = fs_folder(scene.fs, FUSE_ROOT_ID, "c");
    assert_int_equal(fs_list_first(scene.fs, a), 0);
    uint64_t ino = fs_message(scene.fs, "a", 1);
    assert_true(fs_reads(scene.fs, ino, 0, 100, 20));
    unsigned fetched = fake_started(scene.server, FAKE_FETCH);
    assert_int_equal(fs_error(scene.fs, rename_send(scene.fs, FUSE_ROOT_ID, "a", c, "d", 0)), 0);
    assert_int_equal(fs_folder(scene.fs, c, "d"), a);
    assert_int_equal(fs_folder(scene.fs, a, "b"), b);
    assert_int_equal(fs_message(scene.fs, "c/d", 1), ino);
    assert_true(fs_reads(scene.fs, ino, 0, 100, 20));
    assert_int_equal(fake_started(scene.server, FAKE_FETCH), fetched);
    scene_end(&scene);
}

/* A list that began before tells the old name: that is not another folder. */
static void test_rename_while_listed(void **state)
{
    Scene scene = folders_mounted(state);
    uint64_t a = fs_folder(scene.fs, FUSE_ROOT_ID, "a"), b = fs_folder(scene.fs, a, "b");
    struct fuse_entry_out entry;
    fake_stall(scene.server, FAKE_LIST, true);
    refresh_stale(scene.fs->mount.refresher, 0);
    uint64_t looking = fs_send_lookup(scene.fs, FUSE_ROOT_ID, "nothing");
    fake_await(scene.server, FAKE_LIST, 1);
    uint64_t renaming = rename_send(scene.fs, FUSE_ROOT_ID, "a", FUSE_ROOT_ID, "d", 0);
    while (!server_has(scene.server, "d/b"))
        fs_settle(scene.fs);
    fs_settle(scene.fs);
    fake_stall(scene.server, FAKE_LIST, false);
    assert_int_equal(fs_error(scene.fs, renaming), 0);
    assert_int_equal(fs_error(scene.fs, looking), ENOENT);
    assert_int_equal(fs_folder(scene.fs, FUSE_ROOT_ID, "d"), a);
    assert_int_equal(fs_folder(scene.fs, a, "b"), b);
    assert_int_equal(fs_lookup(scene.fs, FUSE_ROOT_ID, "a", &entry), ENOENT);
    scene_end(&scene);
}

/* Nor does one that tells the new name already, ahead of the answer to the change. */
static void test_listed_before_the_answer(void **state)
{
    Scene scene = folders_mounted(state);
    uint64_t a = fs_folder(scene.fs, FUSE_ROOT_ID, "a");
    fake_stall(scene.server, FAKE_RENAME, true);
    uint64_t renaming = rename_send(scene.fs, FUSE_ROOT_ID, "a", FUSE_ROOT_ID, "d", 0);
    fake_await(scene.server, FAKE_RENAME, 1);
    fake_lock(scene.server);
    g_autoptr(GError) error = fake_rename_folder(scene.server, "a", "e");
    fake_unlock(scene.server);
    assert_null(error);
    refresh_stale(scene.fs->mount.refresher, 0);
    uint64_t looking = fs_send_lookup(scene.fs, FUSE_ROOT_ID, "e");
    fs_settle(scene.fs);
    fake_lock(scene.server);
    error = fake_rename_folder(scene.server, "e", "a");
    fake_unlock(scene.server);
    assert_null(error);
    fake_stall(scene.server, FAKE_RENAME, false);
    assert_int_equal(fs_error(scene.fs, renaming), 0);
    assert_int_equal(fs_error(scene.fs, looking), ENOENT);
    assert_int_equal(fs_folder(scene.fs, FUSE_ROOT_ID, "d"), a);
    scene_end(&scene);
}

/* The kernel, which was told of an interruption, has to hear that the old name is gone. */
static void test_rename_interrupted(void **state)
{
    Scene scene = folders_mounted(state);
    uint64_t a = fs_folder(scene.fs, FUSE_ROOT_ID, "a");
    fake_stall(scene.server, FAKE_RENAME, true);
    uint64_t renaming = rename_send(scene.fs, FUSE_ROOT_ID, "a", FUSE_ROOT_ID, "d", 0);
    fake_await(scene.server, FAKE_RENAME, 1);
    fs_interrupt(scene.fs, renaming);
    assert_int_equal(fs_error(scene.fs, renaming), EINTR);
    fake_stall(scene.server, FAKE_RENAME, false);
    while (!server_has(scene.server, "d"))
        fs_settle(scene.fs);
    fs_settle(scene.fs);
    assert_int_equal(fs_folder(scene.fs, FUSE_ROOT_ID, "d"), a);
    scene_end(&scene);
}

/* What was asked of the old name, and is answered after the change, is asked once more. */
static void test_read_while_renamed(void **state)
{
    Scene scene = folders_mounted(state);
    uint64_t a = fs_folder(scene.fs, FUSE_ROOT_ID, "a");
    assert_int_equal(fs_list_first(scene.fs, a), 0);
    uint64_t ino = fs_message(scene.fs, "a", 1);
    fake_stall(scene.server, FAKE_FETCH, true);
    uint64_t reading = fs_send_read(scene.fs, FUSE_READ, ino, 0, 0, 100);
    fake_await(scene.server, FAKE_FETCH, 1);
    assert_int_equal(
        fs_error(scene.fs, rename_send(scene.fs, FUSE_ROOT_ID, "a", FUSE_ROOT_ID, "d", 0)), 0);
    fake_stall(scene.server, FAKE_FETCH, false);
    size_t size;
    assert_int_equal(fs_error(scene.fs, reading), 0);
    fs_body(scene.fs, reading, &size);
    assert_int_equal(size, 20);
    scene_end(&scene);
}

/* Messages that wait to be removed are so under the old name, before. */
static void test_rename_after_removals(void **state)
{
    Scene scene = folders_mounted(state);
    uint64_t a = fs_folder(scene.fs, FUSE_ROOT_ID, "a");
    char message[NAMES_MESSAGE_MAX];
    names_message(fake_date(1), 1, message);
    assert_int_equal(fs_list_first(scene.fs, a), 0);
    assert_int_equal(named_unlink(scene.fs, a, message), 0);
    assert_int_equal(
        fs_error(scene.fs, rename_send(scene.fs, FUSE_ROOT_ID, "a", FUSE_ROOT_ID, "d", 0)), 0);
    assert_removals(scene.server, "1;");
    scene_end(&scene);
}

static void finish_now(Fs *fs)
{
    removals_finish(fs->mount.removals, fs_call_done, fs);
}

/* Those that are only marked by now are expunged from where they are at the end. */
static void test_rename_of_marked(void **state)
{
    Scene scene = scene_new();
    FakeFolder *folder = fake_folder(scene.server, "a");
    char message[NAMES_MESSAGE_MAX];
    fake_add(scene.server, folder, 1, 10, 10);
    scene.server->changes = CAN;
    scene.fs = fs_prepare(scene.server);
    scene.fs->options.expunge = EXPUNGE_UNMOUNT;
    fs_begin(scene.fs, *state);
    uint64_t a = fs_folder(scene.fs, FUSE_ROOT_ID, "a");
    names_message(fake_date(1), 1, message);
    assert_int_equal(fs_list_first(scene.fs, a), 0);
    assert_int_equal(named_unlink(scene.fs, a, message), 0);
    assert_int_equal(named_fsyncdir(scene.fs, a), 0);
    assert_int_equal(
        fs_error(scene.fs, rename_send(scene.fs, FUSE_ROOT_ID, "a", FUSE_ROOT_ID, "d", 0)), 0);
    fs_call_async(scene.fs, finish_now);
    assert_removals(scene.server, "m1;x1;");
    assert_int_equal(folder->messages->len, 0);
    scene_end(&scene);
    assert_int_equal(warnings, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_mkdir),
        TEST_IN_DIRECTORY(test_mkdir_while_listed),
        TEST_IN_DIRECTORY(test_mkdir_interrupted),
        TEST_IN_DIRECTORY(test_mkdir_at_the_end),
        TEST_IN_DIRECTORY(test_refusals),
        TEST_IN_DIRECTORY(test_refusals_show_the_truth),
        TEST_IN_DIRECTORY(test_what_cannot_be),
        TEST_IN_DIRECTORY(test_rmdir_after_its_messages),
        TEST_IN_DIRECTORY(test_rename_keeps_what_is_known),
        TEST_IN_DIRECTORY(test_rename_while_listed),
        TEST_IN_DIRECTORY(test_listed_before_the_answer),
        TEST_IN_DIRECTORY(test_rename_interrupted),
        TEST_IN_DIRECTORY(test_read_while_renamed),
        TEST_IN_DIRECTORY(test_rename_after_removals),
        TEST_IN_DIRECTORY(test_rename_of_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
