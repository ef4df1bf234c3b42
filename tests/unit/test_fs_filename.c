/* Files that are named by the server's own names for messages. */
#include "fs_named.h"

static void add_named(Scene *scene, uint32_t uid, const char *name, unsigned which)
{
    FakeMessage *message = fake_add(scene->server, scene->inbox, uid, 10, 10);
    message->name = name;
    message->which = which;
}

static void test_names(void **state)
{
    Scene scene = named_scene();
    add_named(&scene, 1, "a/b", 0);
    add_named(&scene, 2, "..", 0);
    add_named(&scene, 3, "same", 0);
    add_named(&scene, 4, "same", 1);
    add_named(&scene, 5, "20261122-190507-1", 0);
    uint64_t inbox = scene_mount(&scene, state);
    assert_names(scene.fs, inbox, "a%2Fb.eml %2E..eml same.eml same%~2.eml 20261122-190507-1.eml ");
    assert_found(scene.fs, inbox, "a%2Fb.eml", 1);
    assert_found(scene.fs, inbox, "%2E..eml", 2);
    assert_found(scene.fs, inbox, "same%~2.eml", 4);
    assert_found(scene.fs, inbox, "20261122-190507-1.eml", 5);
    assert_missing(scene.fs, inbox, "a%2fb.eml");
    assert_missing(scene.fs, inbox, "a%2Fb");
    assert_missing(scene.fs, inbox, "same%~1.eml");
    assert_missing(scene.fs, inbox, "same%~3.eml");
    assert_missing(scene.fs, inbox, "s%61me.eml");
    scene_end(&scene);
}

/* Inode, name and date are the same in the next mount, in whatever order the server tells. */
static void test_remount(void **state)
{
    Scene scene = named_scene();
    add_named(&scene, 1, "z", 0);
    add_named(&scene, 2, "y", 0);
    uint64_t inbox = scene_mount(&scene, state);
    struct fuse_entry_out before, after;
    assert_int_equal(fs_lookup(scene.fs, inbox, "y.eml", &before), 0);
    fake_remove(scene.server, scene.inbox, 1);
    g_usleep(1100000); /* another second */
    add_named(&scene, 3, "z", 0);
    add_named(&scene, 4, "x", 0);
    inbox = named_remount(&scene, state);
    assert_names(scene.fs, inbox, "z.eml y.eml x.eml ");
    assert_int_equal(fs_lookup(scene.fs, inbox, "y.eml", &after), 0);
    assert_int_equal(after.nodeid, before.nodeid);
    assert_int_equal(after.attr.mtime, before.attr.mtime);
    assert_int_equal(fs_lookup(scene.fs, inbox, "z.eml", &after), 0);
    assert_int_equal(after.attr.mtime, before.attr.mtime);
    assert_int_equal(fs_lookup(scene.fs, inbox, "x.eml", &after), 0);
    assert_true(after.attr.mtime > before.attr.mtime);
    scene_end(&scene);
}

/* What the index has, but no name belongs to, is not shown. */
static void test_without_a_name(void **state)
{
    Scene scene = named_scene();
    add_named(&scene, 1, "a", 0);
    uint64_t inbox = scene_mount(&scene, state);
    uint32_t folder = inode_of(fs_message(scene.fs, "INBOX", 1)).folder;
    const MailMessage stray = {.uid = 77, .has = MAIL_HAS_SIZE, .size = 3};
    catalog_put_messages(scene.fs->mount.catalog, folder, &stray, 1);
    assert_names(scene.fs, inbox, "a.eml ");
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_names),
        TEST_IN_DIRECTORY(test_remount),
        TEST_IN_DIRECTORY(test_without_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
