#include "../../fs/attr.h"
#include "../../fs/control.h"
#include "../../fs/draft.h"
#include "../../fs/entry.h"
#include "fs_harness.h"

static struct fuse_entry_param filled(Scene *scene, uint64_t ino)
{
    struct fuse_entry_param entry = {0};

    assert_true(attr_of(&scene->fs->mount, ino, &entry.attr));
    entry_fill(&scene->fs->mount, &entry);
    assert_int_equal(entry.ino, ino);
    return entry;
}

static void test_messages_and_folders(void **state)
{
    Scene scene = scene_new();
    struct fuse_entry_param entry;
    CatalogMessage message;
    fake_add(scene.server, scene.inbox, 7, 300, 700);
    uint64_t inbox = scene_mount(&scene, state);
    const Mount *mount = &scene.fs->mount;

    entry = filled(&scene, fs_message(scene.fs, "INBOX", 7));
    assert_true(entry.attr_timeout == MOUNT_MESSAGE_TIMEOUT);
    assert_true(entry.entry_timeout == MOUNT_MESSAGE_TIMEOUT);
    entry = filled(&scene, inbox);
    assert_true(entry.attr_timeout == mount_kernel_timeout(mount));
    assert_true(entry.entry_timeout == mount_kernel_timeout(mount));

    assert_true(entry_message(mount, fs_message(scene.fs, "INBOX", 7), &message));
    assert_int_equal(message.uid, 7);
    assert_false(entry_message(mount, fs_message(scene.fs, "INBOX", 8), &message));
    assert_false(entry_message(mount, inbox, &message));
    assert_false(entry_is_stale(mount, fs_message(scene.fs, "INBOX", 7)));
    assert_true(entry_is_stale(mount, fs_message(scene.fs, "INBOX", 8)));
    assert_false(entry_is_stale(mount, inbox));
    scene_end(&scene);
}

/* What it becomes has another inode number, so its name is asked for each time. */
static void test_a_draft(void **state)
{
    Scene scene = scene_new();
    uint64_t inbox = scene_mount(&scene, state), ino;
    struct fuse_entry_param entry;

    assert_int_equal(drafts_create(scene.fs->mount.drafts, inode_of(inbox).folder, "new.eml", &ino),
                     0);
    entry = filled(&scene, ino);
    assert_true(entry.attr_timeout == 0);
    assert_true(entry.entry_timeout == 0);
    assert_false(entry_is_stale(&scene.fs->mount, ino));
    drafts_unlink(scene.fs->mount.drafts, inode_of(inbox).folder, "new.eml");
    drafts_forget(scene.fs->mount.drafts, ino, 1);
    assert_true(entry_is_stale(&scene.fs->mount, ino));
    scene_end(&scene);
}

/* Each look makes another one, whose bytes stay. */
static void test_the_status(void **state)
{
    Scene scene = scene_new();
    struct fuse_entry_out control, status;
    struct fuse_entry_param entry;

    scene_mount(&scene, state);
    assert_int_equal(fs_lookup(scene.fs, FUSE_ROOT_ID, ".pullmail", &control), 0);
    assert_int_equal(fs_lookup(scene.fs, control.nodeid, "status", &status), 0);
    entry = filled(&scene, status.nodeid);
    assert_true(entry.attr_timeout == MOUNT_MESSAGE_TIMEOUT);
    assert_true(entry.entry_timeout == 0);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_messages_and_folders),
        TEST_IN_DIRECTORY(test_a_draft),
        TEST_IN_DIRECTORY(test_the_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
