/* Messages that get other names in their folder: the server is asked for nothing. */
#include "fs_rename.h"

#include <stdio.h>

#define CAN (MAIL_STORE_CHANGES | MAIL_STORE_REMOVE | MAIL_STORE_MAKES)

/* INBOX with messages 1 to 3 and a folder "Work" in it. */
static Scene three_mounted(void **state, uint64_t *inbox)
{
    Scene scene = scene_new();
    for (uint32_t uid = 1; uid <= 3; uid++)
        fake_add(scene.server, scene.inbox, uid, 10, 10);
    fake_folder(scene.server, "INBOX/Work");
    scene.server->changes = CAN;
    *inbox = scene_mount(&scene, state);
    return scene;
}

static void test_rename(void **state)
{
    uint64_t inbox;
    Scene scene = three_mounted(state, &inbox);
    Fs *fs = scene.fs;
    uint64_t ino = fs_message(fs, "INBOX", 2);
    assert_int_equal(rename_one(fs, inbox, rename_usual(2), inbox, "letter"), 0);
    assert_file(fs, inbox, "letter", ino);
    assert_missing(fs, inbox, rename_usual(2));
    assert_int_equal(rename_one(fs, inbox, "letter", inbox, "Grüße.eml"), 0);
    assert_missing(fs, inbox, "letter");
    g_autofree char *expected = g_strdup_printf("Work %s Grüße.eml %s ", rename_usual(1),
                                                rename_usual(3));
    assert_names(fs, inbox, expected);
    assert_true(fs_reads(fs, ino, 0, 100, 20));
    assert_int_equal(rename_one(fs, inbox, "Grüße.eml", inbox, rename_usual(2)), 0);
    assert_file(fs, inbox, rename_usual(2), ino);
    assert_int_equal(catalog_given(fs->mount.catalog, inode_of(ino).folder, rename_usual(2)), 0);
    assert_int_equal(fake_started(scene.server, FAKE_MOVE), 0);
    assert_int_equal(fake_started(scene.server, FAKE_RENAME), 0);
    scene_end(&scene);
}

static void test_remount(void **state)
{
    uint64_t inbox;
    Scene scene = three_mounted(state, &inbox);
    assert_int_equal(rename_one(scene.fs, inbox, rename_usual(2), inbox, "letter"), 0);
    inbox = named_remount(&scene, state);
    assert_file(scene.fs, inbox, "letter", fs_message(scene.fs, "INBOX", 2));
    assert_missing(scene.fs, inbox, rename_usual(2));
    scene_end(&scene);
}

/* The listing that the kernel keeps is told to be another. */
static void test_listing_is_not_kept(void **state)
{
    uint64_t inbox;
    Scene scene = three_mounted(state, &inbox);
    DirCacheOpen before = dircache_opened(scene.fs->mount.directories, inbox);
    assert_int_equal(rename_one(scene.fs, inbox, rename_usual(2), inbox, "letter"), 0);
    DirCacheOpen after = dircache_opened(scene.fs->mount.directories, inbox);
    assert_true(after.handle > before.handle);
    assert_false(after.use_kept);
    dircache_closed(scene.fs->mount.directories, inbox, before.handle);
    dircache_closed(scene.fs->mount.directories, inbox, after.handle);
    scene_end(&scene);
}

static void test_what_cannot_be(void **state)
{
    uint64_t inbox;
    Scene scene = three_mounted(state, &inbox);
    Fs *fs = scene.fs;
    const char *one = rename_usual(1), *two = rename_usual(2);
    uint64_t control = inode_number(INODE_CONTROL, 0, CONTROL_UID_DIRECTORY);
    char long_name[257];
    memset(long_name, 'x', sizeof long_name);
    long_name[256] = '\0';
    assert_int_equal(rename_one(fs, inbox, one, inbox, one), 0);
    assert_int_equal(rename_one(fs, inbox, one, inbox, two), EEXIST);
    assert_int_equal(fs_error(fs, rename_send(fs, inbox, one, inbox, two, RENAME_NOREPLACE)),
                     EEXIST);
    assert_int_equal(fs_error(fs, rename_send(fs, inbox, one, inbox, two, RENAME_EXCHANGE)),
                     EINVAL);
    assert_int_equal(rename_one(fs, inbox, one, inbox, "Work"), EEXIST);
    assert_int_equal(rename_one(fs, inbox, one, inbox, ".headers"), EPERM);
    assert_int_equal(rename_one(fs, inbox, one, inbox, long_name), ENAMETOOLONG);
    assert_int_equal(rename_one(fs, inbox, one, FUSE_ROOT_ID, "x"), EPERM);
    assert_int_equal(rename_one(fs, inbox, one, control, "x"), EPERM);
    assert_int_equal(rename_one(fs, inbox, "none", inbox, "x"), ENOENT);
    assert_int_equal(fs_error(fs, rename_send(fs, inbox, one, inbox, "x", RENAME_NOREPLACE)), 0);
    assert_int_equal(rename_one(fs, inbox, two, inbox, "x"), EEXIST);
    assert_int_equal(named_unlink(fs, inbox, "x"), 0);
    assert_int_equal(rename_one(fs, inbox, "x", inbox, "y"), ENOENT);
    assert_int_equal(rename_one(fs, inbox, two, inbox, "x"),
                     0); /* the name of one that is removed */
    assert_file(fs, inbox, "x", fs_message(fs, "INBOX", 2));
    scene_end(&scene);
}

/* A server that can't change anything, and one whose messages are named by it. */
static void test_not_everywhere(void **state)
{
    Scene scene = named_scene();
    FakeMessage *message = fake_add(scene.server, scene.inbox, 1, 10, 10);
    message->name = "a";
    uint64_t inbox = scene_mount(&scene, state);
    assert_int_equal(rename_one(scene.fs, inbox, "a.eml", inbox, "b.eml"), EPERM);
    scene_end(&scene);
}

/* Without a disk nothing would be kept: it is not done. */
static void test_no_cache(void **state)
{
    Scene scene = scene_new();
    void *nowhere = NULL;
    (void)state;
    fake_add(scene.server, scene.inbox, 1, 10, 10);
    scene.server->changes = CAN;
    uint64_t inbox = scene_mount(&scene, &nowhere);
    assert_int_equal(rename_one(scene.fs, inbox, rename_usual(1), inbox, "x"), ENOSPC);
    assert_file(scene.fs, inbox, rename_usual(1), fs_message(scene.fs, "INBOX", 1));
    assert_missing(scene.fs, inbox, "x");
    scene_end(&scene);
}

/* Who was told that he was interrupted has it renamed all the same, and the kernel hears of it. */
static void test_interrupted(void **state)
{
    uint64_t inbox;
    Scene scene = three_mounted(state, &inbox);
    uint64_t ino = fs_message(scene.fs, "INBOX", 2);
    fs_shut_gate(scene.fs);
    uint64_t renaming = rename_send(scene.fs, inbox, rename_usual(2), inbox, "letter", 0);
    uint64_t other = rename_send(scene.fs, inbox, rename_usual(3), inbox, "note", 0);
    fs_interrupt(scene.fs, other);
    fs_open_gate(scene.fs);
    assert_int_equal(fs_error(scene.fs, renaming), 0);
    int error = fs_error(scene.fs, other);
    assert_true(error == EINTR || error == 0);
    assert_file(scene.fs, inbox, "letter", ino);
    fs_settle(scene.fs);
    assert_file(scene.fs, inbox, error ? rename_usual(3) : "note",
                fs_message(scene.fs, "INBOX", 3));
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_rename),
        TEST_IN_DIRECTORY(test_remount),
        TEST_IN_DIRECTORY(test_listing_is_not_kept),
        TEST_IN_DIRECTORY(test_what_cannot_be),
        TEST_IN_DIRECTORY(test_not_everywhere),
        TEST_IN_DIRECTORY(test_no_cache),
        TEST_IN_DIRECTORY(test_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
