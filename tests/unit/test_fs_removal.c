/* Messages that were removed, until they are gone from the server: or are back. */
#include "fs_named.h"

#define FILE_1 "name%2F1.eml"
#define FILE_2 "name%2F2.eml"
#define FILE_3 "name%2F3.eml"

static Scene three_messages(void)
{
    Scene scene = named_scene();
    for (uint32_t uid = 1; uid <= 3; uid++)
        fake_add(scene.server, scene.inbox, uid, 10, 10);
    return scene;
}

static guint server_messages(Scene *scene)
{
    fake_lock(scene->server);
    guint n = scene->inbox->messages->len;
    fake_unlock(scene->server);
    return n;
}

static void assert_pending(Fs *fs, unsigned n)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *expected = g_strdup_printf("deletions-pending: %u\n", n);
    fs_settle(fs); /* who asked is told ahead of that */
    removals_describe(fs->mount.removals, text);
    assert_string_equal(text->str, expected);
}

static void finish_now(Fs *fs)
{
    removals_finish(fs->mount.removals, fs_call_done, fs);
}

/* They are gone for who looks at once, and go to the server together. */
static void test_together(void **state)
{
    Scene scene = three_messages();
    uint64_t inbox = scene_mount(&scene, state);
    assert_int_equal(named_unlink(scene.fs, inbox, FILE_3), 0);
    assert_int_equal(named_unlink(scene.fs, inbox, FILE_1), 0);
    assert_names(scene.fs, inbox, FILE_2 " ");
    assert_pending(scene.fs, 2);
    fake_await(scene.server, FAKE_REMOVE, 1);
    assert_int_equal(named_fsyncdir(scene.fs, inbox), 0);
    assert_removals(scene.server, "1,3;");
    assert_int_equal(server_messages(&scene), 1);
    assert_pending(scene.fs, 0);
    assert_names(scene.fs, inbox, FILE_2 " ");
    CatalogMessage message;
    assert_false(catalog_message(scene.fs->mount.catalog,
                                 inode_of(fs_message(scene.fs, "INBOX", 1)).folder, 1, &message));
    inbox = named_remount(&scene, state);
    assert_names(scene.fs, inbox, FILE_2 " ");
    assert_removals(scene.server, "1,3;");
    scene_end(&scene);
}

/* Who has read of one before, and asks when it is over, is not shown it. */
static void test_seen_before(void **state)
{
    Scene scene = three_messages();
    uint64_t inbox = scene_mount(&scene, state);
    assert_names(scene.fs, inbox, FILE_1 " " FILE_2 " " FILE_3 " ");
    uint32_t folder = inode_of(fs_message(scene.fs, "INBOX", 1)).folder;
    CatalogMessage gone, kept;
    assert_true(catalog_message(scene.fs->mount.catalog, folder, 1, &gone));
    assert_true(catalog_message(scene.fs->mount.catalog, folder, 2, &kept));
    assert_int_equal(named_unlink(scene.fs, inbox, FILE_1), 0);
    assert_true(removals_hide(scene.fs->mount.removals, folder, &gone));
    assert_int_equal(named_fsyncdir(scene.fs, inbox), 0);
    assert_true(removals_hide(scene.fs->mount.removals, folder, &gone));
    assert_false(removals_hide(scene.fs->mount.removals, folder, &kept));
    scene_end(&scene);
}

/* The server is away: they stay removed, and the next mount does it. */
static void test_left_to_the_next_mount(void **state)
{
    Scene scene = three_messages();
    uint64_t inbox = scene_mount(&scene, state);
    fake_fail(scene.server, FAKE_REMOVE, ENOTCONN, 1);
    assert_int_equal(named_unlink(scene.fs, inbox, FILE_2), 0);
    assert_int_equal(named_fsyncdir(scene.fs, inbox), ENOTCONN);
    assert_names(scene.fs, inbox, FILE_1 " " FILE_3 " ");
    assert_int_equal(server_messages(&scene), 3);
    assert_pending(scene.fs, 1);
    fs_unmount(scene.fs);
    scene.fs = fs_mount(scene.server, *state);
    inbox = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
    assert_int_equal(fs_list_first(scene.fs, inbox), 0);
    assert_int_equal(named_fsyncdir(scene.fs, inbox), 0);
    assert_removals(scene.server, "2;");
    assert_names(scene.fs, inbox, FILE_1 " " FILE_3 " ");
    scene_end(&scene);
}

/* It is tried again by itself. */
static void test_tried_again(void **state)
{
    Scene scene = three_messages();
    uint64_t inbox = scene_mount(&scene, state);
    fake_fail(scene.server, FAKE_REMOVE, ETIMEDOUT, 1);
    assert_int_equal(named_unlink(scene.fs, inbox, FILE_2), 0);
    fake_await(scene.server, FAKE_REMOVE, 2);
    assert_int_equal(named_fsyncdir(scene.fs, inbox), 0);
    assert_removals(scene.server, "2;");
    assert_int_equal(warnings, 1);
    scene_end(&scene);
}

/* That the store knows other UIDs is mended by a look. */
static void test_stale(void **state)
{
    Scene scene = three_messages();
    uint64_t inbox = scene_mount(&scene, state);
    fake_fail(scene.server, FAKE_REMOVE, ESTALE, 1);
    assert_int_equal(named_unlink(scene.fs, inbox, FILE_2), 0);
    assert_int_equal(named_fsyncdir(scene.fs, inbox), 0);
    assert_removals(scene.server, "2;");
    assert_true(fake_started(scene.server, FAKE_SYNC) > 0);
    assert_int_equal(warnings, 0);
    scene_end(&scene);
}

/* What the server keeps is there again, and nothing of it is left in the journal. */
static void test_refused(void **state)
{
    Scene scene = three_messages();
    ((FakeMessage *)scene.inbox->messages->pdata[1])->kept = true;
    uint64_t inbox = scene_mount(&scene, state);
    assert_int_equal(named_unlink(scene.fs, inbox, FILE_2), 0);
    assert_int_equal(named_unlink(scene.fs, inbox, FILE_3), 0);
    assert_int_equal(named_fsyncdir(scene.fs, inbox), EACCES);
    assert_removals(scene.server, "2,3;");
    assert_names(scene.fs, inbox, FILE_1 " " FILE_2 " ");
    assert_int_equal(warnings, 1);
    inbox = named_remount(&scene, state);
    assert_names(scene.fs, inbox, FILE_1 " " FILE_2 " ");
    assert_int_equal(named_fsyncdir(scene.fs, inbox), 0);
    assert_removals(scene.server, "2,3;");
    scene_end(&scene);
}

/* Without a journal, who removes is told when the server has confirmed, or that it has not. */
static void test_without_a_journal(void **state)
{
    Scene scene = three_messages();
    struct fuse_entry_out entry;
    (void)state;
    scene.fs = fs_mount(scene.server, NULL);
    uint64_t inbox = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
    assert_int_equal(fs_list_first(scene.fs, inbox), 0);
    assert_int_equal(named_unlink(scene.fs, inbox, FILE_1), 0);
    assert_int_equal(server_messages(&scene), 2);
    assert_int_equal(fs_lookup(scene.fs, inbox, FILE_1, &entry), ENOENT);
    fake_fail(scene.server, FAKE_REMOVE, ENOTCONN, 1);
    assert_int_equal(named_unlink(scene.fs, inbox, FILE_2), ENOTCONN);
    assert_int_equal(fs_lookup(scene.fs, inbox, FILE_2, &entry), 0);
    assert_pending(scene.fs, 0);
    ((FakeMessage *)scene.inbox->messages->pdata[1])->kept = true;
    assert_int_equal(named_unlink(scene.fs, inbox, FILE_3), EACCES);
    assert_int_equal(fs_lookup(scene.fs, inbox, FILE_3, &entry), 0);
    assert_int_equal(server_messages(&scene), 2);
    scene_end(&scene);
}

/* A file that is open while it is removed can be read until the server has confirmed. */
static void test_open_file(void **state)
{
    Scene scene = three_messages();
    uint64_t inbox = scene_mount(&scene, state);
    uint64_t ino = fs_message(scene.fs, "INBOX", 1);
    assert_int_equal(fs_open(scene.fs, ino), 0);
    fake_hold(scene.server, true);
    assert_int_equal(named_unlink(scene.fs, inbox, FILE_1), 0);
    assert_true(fs_reads(scene.fs, ino, 0, 100, 20));
    fake_hold(scene.server, false);
    assert_int_equal(named_fsyncdir(scene.fs, inbox), 0);
    scene_end(&scene);
}

/* Unmounting does not wait for the pause, nor for a server that is away. */
static void test_finish(void **state)
{
    Scene scene = three_messages();
    uint64_t inbox = scene_mount(&scene, state);
    assert_int_equal(named_unlink(scene.fs, inbox, FILE_1), 0);
    fs_call_async(scene.fs, finish_now);
    assert_removals(scene.server, "1;");
    fake_fail(scene.server, FAKE_REMOVE, EHOSTUNREACH, UINT_MAX);
    assert_int_equal(named_unlink(scene.fs, inbox, FILE_2), 0);
    fs_call_async(scene.fs, finish_now);
    assert_pending(scene.fs, 1);
    fs_call_async(scene.fs, finish_now);
    scene_end(&scene);
}

/* An unlink that was interrupted ahead of the journal removes nothing. */
static void test_interrupted(void **state)
{
    Scene scene = three_messages();
    uint64_t inbox = scene_mount(&scene, state);
    fs_shut_gate(scene.fs);
    uint64_t unique = named_send_unlink(scene.fs, inbox, FILE_1);
    fs_interrupt(scene.fs, unique);
    fs_open_gate(scene.fs);
    assert_int_equal(fs_error(scene.fs, unique), EINTR);
    fs_settle(scene.fs);
    assert_names(scene.fs, inbox, FILE_1 " " FILE_2 " " FILE_3 " ");
    assert_int_equal(named_fsyncdir(scene.fs, inbox), 0);
    assert_removals(scene.server, "");
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_seen_before),
        TEST_IN_DIRECTORY(test_together),
        TEST_IN_DIRECTORY(test_left_to_the_next_mount),
        TEST_IN_DIRECTORY(test_tried_again),
        TEST_IN_DIRECTORY(test_stale),
        TEST_IN_DIRECTORY(test_refused),
        TEST_IN_DIRECTORY(test_without_a_journal),
        TEST_IN_DIRECTORY(test_open_file),
        TEST_IN_DIRECTORY(test_finish),
        TEST_IN_DIRECTORY(test_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
