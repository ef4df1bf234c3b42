/* What changes the tree: unlink, and all that is refused. */
#include "fs_named.h"

static Scene two_messages(void)
{
    Scene scene = named_scene();
    fake_add(scene.server, scene.inbox, 1, 10, 10);
    fake_add(scene.server, scene.inbox, 2, 10, 10);
    return scene;
}

static void test_unlink(void **state)
{
    Scene scene = two_messages();
    uint64_t inbox = scene_mount(&scene, state);
    struct fuse_entry_out entry;
    assert_int_equal(named_unlink(scene.fs, inbox, "name%2F1.eml"), 0);
    assert_names(scene.fs, inbox, "name%2F2.eml ");
    assert_int_equal(fs_lookup(scene.fs, inbox, "name%2F1.eml", &entry), ENOENT);
    assert_int_equal(named_unlink(scene.fs, inbox, "name%2F1.eml"), ENOENT);
    assert_int_equal(named_fsyncdir(scene.fs, inbox), 0);
    assert_removals(scene.server, "1;");
    scene_end(&scene);
}

static void test_unlink_of_what_is_no_message(void **state)
{
    Scene scene = two_messages();
    uint64_t inbox = scene_mount(&scene, state);
    uint64_t control = inode_number(INODE_CONTROL, 0, CONTROL_UID_DIRECTORY);
    assert_int_equal(named_unlink(scene.fs, FUSE_ROOT_ID, "INBOX"), EISDIR);
    assert_int_equal(named_unlink(scene.fs, inbox, "other.eml"), ENOENT);
    assert_int_equal(named_unlink(scene.fs, inbox, "other"), ENOENT);
    assert_int_equal(named_unlink(scene.fs, control, "status"), EPERM);
    assert_removals(scene.server, "");
    scene_end(&scene);
}

/* Of a server that can't. The kernel doesn't even ask, since the mount is read-only. */
static void test_unlink_where_nothing_is_removed(void **state)
{
    Scene scene = scene_new();
    char name[NAMES_MESSAGE_MAX];
    fake_add(scene.server, scene.inbox, 1, 10, 10);
    uint64_t inbox = scene_mount(&scene, state);
    names_message(fake_date(1), 1, name);
    assert_int_equal(named_unlink(scene.fs, inbox, name), EPERM);
    scene_end(&scene);
}

static void assert_refused(Fs *fs, enum fuse_opcode opcode, uint64_t ino, size_t size,
                           const char *names)
{
    static const char zeros[128];
    size_t length = 0;
    for (const char *name = names; *name; name += strlen(name) + 1)
        length = (size_t)(name - names) + strlen(name) + 1;
    assert_int_equal(fs_error(fs, fs_send(fs, opcode, ino, zeros, size, names, length)), EPERM);
}

static void test_refused(void **state)
{
    Scene scene = two_messages();
    uint64_t inbox = scene_mount(&scene, state);
    uint64_t ino = fs_message(scene.fs, "INBOX", 1);
    assert_refused(scene.fs, FUSE_MKNOD, inbox, sizeof(struct fuse_mknod_in), "a\0");
    assert_refused(scene.fs, FUSE_MKDIR, inbox, sizeof(struct fuse_mkdir_in), "a\0");
    assert_refused(scene.fs, FUSE_RMDIR, FUSE_ROOT_ID, 0, "INBOX\0");
    assert_refused(scene.fs, FUSE_SYMLINK, inbox, 0, "a\0b\0");
    assert_refused(scene.fs, FUSE_LINK, inbox, sizeof(struct fuse_link_in), "a\0");
    assert_refused(scene.fs, FUSE_RENAME, inbox, sizeof(struct fuse_rename_in),
                   "name%2F1.eml\0b\0");
    assert_refused(scene.fs, FUSE_SETATTR, ino, sizeof(struct fuse_setattr_in), "");
    assert_refused(scene.fs, FUSE_WRITE, ino, sizeof(struct fuse_write_in), "");
    assert_names(scene.fs, inbox, "name%2F1.eml name%2F2.eml ");
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_unlink),
        TEST_IN_DIRECTORY(test_unlink_of_what_is_no_message),
        TEST_IN_DIRECTORY(test_unlink_where_nothing_is_removed),
        TEST_IN_DIRECTORY(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
