#include "fs_harness.h"

static struct fuse_kstatfs statfs_of(Fs *fs)
{
    struct fuse_statfs_out out;
    uint64_t unique = fs_send(fs, FUSE_STATFS, FUSE_ROOT_ID, NULL, 0, NULL, 0);
    size_t size;
    const void *body = fs_body(fs, unique, &size);
    assert_int_equal(fs_error(fs, unique), 0);
    assert_int_equal(size, sizeof out);
    memcpy(&out, body, sizeof out);
    return out.st;
}

static void set_quota(Scene *scene, uint64_t used, uint64_t limit)
{
    fake_lock(scene->server);
    scene->server->have_quota = true;
    scene->server->quota = (MailQuota){.used_bytes = used, .limit_bytes = limit};
    fake_unlock(scene->server);
    /* The store knows more behind each look. */
    uint64_t inbox = fs_folder(scene->fs, FUSE_ROOT_ID, "INBOX");
    refresh_stale(scene->fs->mount.refresher, inode_of(inbox).folder);
    assert_int_equal(fs_opendir(scene->fs, inbox), 0);
}

static void test_statfs(void **state)
{
    Scene scene = scene_new();
    fake_add(scene.server, scene.inbox, 1, 300000, 724000);
    fake_add(scene.server, scene.inbox, 2, 10, 10);
    scene_mount(&scene, state);
    fake_hold(scene.server, true); /* it never waits */
    struct fuse_kstatfs st = statfs_of(scene.fs);
    fake_hold(scene.server, false);
    assert_int_equal(st.bsize, 4096);
    assert_int_equal(st.frsize, 4096);
    assert_int_equal(st.namelen, 255);
    assert_int_equal(st.blocks - st.bfree, 250);
    assert_int_equal(st.bavail, st.bfree);
    assert_true(st.bfree > 1000000);
    assert_int_equal(st.files, 3);

    set_quota(&scene, 4096 * 600, 4096 * 1000);
    st = statfs_of(scene.fs);
    assert_int_equal(st.blocks, 1000);
    assert_int_equal(st.bfree, 400);
    assert_int_equal(st.bavail, 400);
    set_quota(&scene, 4096 * 1200, 4096 * 1000); /* over it */
    st = statfs_of(scene.fs);
    assert_int_equal(st.bfree, 0);
    assert_int_equal(st.blocks, 1200);
    set_quota(&scene, 4096 * 600, 0); /* a quota of messages alone */
    assert_true(statfs_of(scene.fs).bfree > 1000000);
    scene_end(&scene);
}

/* Sizes that can't be: the sums are no sizes either, but the free space is not negative. */
static void test_statfs_of_absurd_sizes(void **state)
{
    Scene scene = scene_new();
    for (uint32_t uid = 1; uid <= 3; uid++)
        fake_claim(scene.server, fake_add(scene.server, scene.inbox, uid, 1, 1), UINT64_MAX);
    scene_mount(&scene, state);
    struct fuse_kstatfs st = statfs_of(scene.fs);
    assert_true(st.bfree <= st.blocks);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_statfs),
        TEST_IN_DIRECTORY(test_statfs_of_absurd_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
