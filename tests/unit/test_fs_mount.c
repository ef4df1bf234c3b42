#include "fs_harness.h"

static void test_folders_and_inodes(void **state)
{
    Scene scene = scene_new();
    uint64_t inbox = scene_mount(&scene, state);
    const Mount *mount = &scene.fs->mount;
    uint32_t id = inode_of(inbox).folder, folder = 99;
    assert_int_equal(mount_folder_ino(mount, id), inbox);
    assert_int_equal(mount_folder_ino(mount, 0), FUSE_ROOT_ID);
    assert_true(mount_ino_folder(mount, inbox, &folder));
    assert_int_equal(folder, id);
    assert_true(mount_ino_folder(mount, FUSE_ROOT_ID, &folder));
    assert_int_equal(folder, 0);
    static const uint64_t none[] = {0, 2, UINT64_MAX};
    for (size_t i = 0; i < G_N_ELEMENTS(none); i++)
        assert_false(mount_ino_folder(mount, none[i], &folder));
    assert_false(mount_ino_folder(mount, inode_number(INODE_MESSAGE, id, 1), &folder));
    assert_false(mount_ino_folder(mount, inode_number(INODE_CONTROL, 0, 0), &folder));
    scene_end(&scene);
}

/* A folder that is the mount's root has the root's number, and only that. */
static void test_a_folder_as_root(void **state)
{
    Scene scene = scene_new();
    static char root[] = "INBOX";
    uint32_t folder;
    scene.fs = fs_prepare(scene.server);
    scene.fs->options.url.folder = root;
    fs_begin(scene.fs, *state);
    const Mount *mount = &scene.fs->mount;
    assert_true(mount_ino_folder(mount, FUSE_ROOT_ID, &folder));
    assert_int_equal(folder, tree_root(mount->tree));
    assert_int_not_equal(folder, 0);
    assert_int_equal(mount_folder_ino(mount, folder), FUSE_ROOT_ID);
    scene_end(&scene);
}

static void note_quota(Fs *fs)
{
    mount_note_quota(&fs->mount);
    fs_call_done(fs, NULL);
}

static void test_quota(void **state)
{
    Scene scene = scene_new();
    scene.fs = fs_mount(scene.server, *state);
    Mount *mount = &scene.fs->mount;
    fs_call_async(scene.fs, note_quota);
    assert_false(mount->have_quota);
    fake_lock(scene.server);
    scene.server->have_quota = true;
    scene.server->quota = (MailQuota){10, 20, 3, 4};
    fake_unlock(scene.server);
    fs_call_async(scene.fs, note_quota);
    assert_true(mount->have_quota);
    assert_int_equal(mount->quota.used_bytes, 10);
    assert_int_equal(mount->quota.limit_bytes, 20);
    fake_lock(scene.server);
    scene.server->have_quota = false; /* it is not told any more */
    fake_unlock(scene.server);
    fs_call_async(scene.fs, note_quota);
    assert_false(mount->have_quota);
    scene_end(&scene);
}

static void test_timeout(void **state)
{
    (void)state;
    Options options = {.refresh = 0};
    const Mount mount = {.options = &options};
    assert_true(mount_kernel_timeout(&mount) >= 0 && mount_kernel_timeout(&mount) <= 0);
    options.refresh = 60;
    assert_int_equal((int)mount_kernel_timeout(&mount), 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_folders_and_inodes),
        TEST_IN_DIRECTORY(test_a_folder_as_root),
        TEST_IN_DIRECTORY(test_quota),
        cmocka_unit_test(test_timeout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
