/* Flags by attributes: what is stored, and what another client has changed meanwhile. */
#include "fs_harness.h"

#include <sys/xattr.h>

#define FLAGS "user.mail.flags"
#define TAGS "user.xdg.tags"

/* INBOX with message 1, whose flags are "\\Seen work". */
static uint64_t flags_mounted(Scene *scene, void **state, bool condstore)
{
    *scene = scene_new();
    FakeMessage *message = fake_add(scene->server, scene->inbox, 1, 10, 10);
    g_free(message->flags);
    message->flags = g_strdup("\\Seen work");
    scene->server->changes = MAIL_STORE_CHANGES;
    scene->server->condstore = condstore;
    scene_mount(scene, state);
    return fs_message(scene->fs, "INBOX", 1);
}

static uint64_t send_set(Fs *fs, uint64_t ino, const char *name, const char *value, size_t size,
                         int how)
{
    struct fuse_setxattr_in in = {.size = (uint32_t)size, .flags = (uint32_t)how};
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_byte_array_append(bytes, (const guint8 *)name, (guint)strlen(name) + 1);
    g_byte_array_append(bytes, (const guint8 *)value, (guint)size);
    return fs_send(fs, FUSE_SETXATTR, ino, &in, FUSE_COMPAT_SETXATTR_IN_SIZE,
                   (const char *)bytes->data, bytes->len);
}

static int set(Fs *fs, uint64_t ino, const char *name, const char *value)
{
    return fs_error(fs, send_set(fs, ino, name, value, strlen(value), 0));
}

static int take(Fs *fs, uint64_t ino, const char *name)
{
    return fs_error(fs, fs_send(fs, FUSE_REMOVEXATTR, ino, NULL, 0, name, strlen(name) + 1));
}

/* What the server has, and what the mount says. */
static void assert_flags(Scene *scene, uint64_t ino, const char *there, const char *here)
{
    struct fuse_getxattr_in in = {.size = 1000};
    fake_lock(scene->server);
    assert_string_equal(fake_with_uid(scene->inbox, 1)->flags, there);
    fake_unlock(scene->server);
    uint64_t unique = fs_send(scene->fs, FUSE_GETXATTR, ino, &in, sizeof in, FLAGS, sizeof FLAGS);
    size_t size;
    const char *value = fs_body(scene->fs, unique, &size);
    assert_int_equal(fs_error(scene->fs, unique), 0);
    assert_int_equal(size, strlen(here));
    assert_memory_equal(value ? value : "", here, size);
}

/* Another client's. */
static void change(Scene *scene, const char *flags)
{
    fake_lock(scene->server);
    FakeMessage *message = fake_with_uid(scene->inbox, 1);
    g_free(message->flags);
    message->flags = g_strdup(flags);
    message->modseq = ++scene->inbox->modseq;
    fake_unlock(scene->server);
}

static void test_set(void **state)
{
    Scene scene;
    uint64_t ino = flags_mounted(&scene, state, true);
    assert_int_equal(set(scene.fs, ino, FLAGS, "\\Flagged\t$x  \n"), 0);
    assert_flags(&scene, ino, "\\Flagged $x", "\\Flagged $x");
    assert_int_equal(set(scene.fs, ino, TAGS, "a, b,"), 0);
    assert_flags(&scene, ino, "\\Flagged a b", "\\Flagged a b");
    assert_int_equal(take(scene.fs, ino, TAGS), 0);
    assert_flags(&scene, ino, "\\Flagged", "\\Flagged");
    assert_int_equal(take(scene.fs, ino, TAGS), ENODATA);
    assert_int_equal(take(scene.fs, ino, FLAGS), 0);
    assert_flags(&scene, ino, "", "");
    scene_end(&scene);
}

static void test_what_cannot_be(void **state)
{
    Scene scene;
    uint64_t ino = flags_mounted(&scene, state, true);
    uint64_t inbox = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
    Fs *fs = scene.fs;
    assert_int_equal(fs_error(fs, send_set(fs, ino, FLAGS, "a\0b", 3, 0)), EINVAL);
    assert_int_equal(set(fs, ino, TAGS, "\\Seen"), EINVAL);
    assert_int_equal(set(fs, ino, TAGS, "a b"), EINVAL);
    assert_int_equal(fs_error(fs, send_set(fs, ino, FLAGS, "a", 1, XATTR_CREATE)), EEXIST);
    assert_int_equal(fs_error(fs, send_set(fs, ino, TAGS, "a", 1, XATTR_CREATE)), EEXIST);
    assert_int_equal(set(fs, ino, "user.other", "a"), EOPNOTSUPP);
    assert_int_equal(set(fs, inbox, FLAGS, "a"), EOPNOTSUPP);
    assert_int_equal(take(fs, inbox, FLAGS), EOPNOTSUPP);
    assert_int_equal(fake_started(scene.server, FAKE_FLAGS), 0);
    scene_end(&scene);
}

static void test_refused(void **state)
{
    static const int codes[] = {EINVAL, EACCES, EROFS, ENOTCONN, ETIMEDOUT, ESTALE};
    Scene scene;
    uint64_t ino = flags_mounted(&scene, state, true);
    for (size_t i = 0; i < G_N_ELEMENTS(codes); i++) {
        fake_fail(scene.server, FAKE_FLAGS, codes[i], 1);
        assert_int_equal(set(scene.fs, ino, FLAGS, "a"), codes[i]);
        assert_flags(&scene, ino, "\\Seen work", "\\Seen work");
    }
    scene_end(&scene);
}

/* The folder's state did not know of our own last change: that is looked at, and tried again. */
static void test_modified(void **state)
{
    static const struct {
        unsigned times, stores;
        int code;
    } cases[] = {{1, 2, 0}, {2, 3, 0}, {3, 3, EBUSY}};
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Scene scene;
        uint64_t ino = flags_mounted(&scene, state, true);
        scene.server->modified = cases[i].times;
        assert_int_equal(set(scene.fs, ino, FLAGS, "a"), cases[i].code);
        assert_int_equal(fake_started(scene.server, FAKE_FLAGS), cases[i].stores);
        const char *flags = cases[i].code ? "\\Seen work" : "a";
        assert_flags(&scene, ino, flags, flags);
        scene_end(&scene);
        remove_tree(*state);
        assert_int_equal(g_mkdir(*state, 0700), 0);
    }
}

static void test_changed_by_another(void **state)
{
    Scene scene;
    uint64_t ino = flags_mounted(&scene, state, true);
    change(&scene, "\\Answered");
    assert_int_equal(set(scene.fs, ino, FLAGS, "a"), EBUSY);
    assert_flags(&scene, ino, "\\Answered", "\\Answered");
    assert_int_equal(set(scene.fs, ino, FLAGS, "a"), 0);
    assert_flags(&scene, ino, "a", "a");
    /* The look that would tell what it is now fails. */
    change(&scene, "\\Answered");
    fake_fail(scene.server, FAKE_SYNC, EACCES, 1);
    assert_int_equal(set(scene.fs, ino, FLAGS, "b"), EACCES);
    assert_flags(&scene, ino, "\\Answered", "a");
    scene_end(&scene);
}

/* Without MODSEQs only what the user changes is changed. */
static void test_without_condstore(void **state)
{
    Scene scene;
    uint64_t ino = flags_mounted(&scene, state, false);
    change(&scene, "\\Answered \\Seen work");
    assert_int_equal(set(scene.fs, ino, FLAGS, "\\Seen a"), 0);
    assert_flags(&scene, ino, "a \\Answered \\Seen", "\\Seen a");
    assert_int_equal(fake_started(scene.server, FAKE_FLAGS), 2);
    assert_int_equal(set(scene.fs, ino, FLAGS, "\\sEEN A"), 0);
    assert_int_equal(fake_started(scene.server, FAKE_FLAGS), 2);
    assert_int_equal(set(scene.fs, ino, TAGS, "a,b"), 0);
    assert_int_equal(fake_started(scene.server, FAKE_FLAGS), 3);
    assert_int_equal(take(scene.fs, ino, TAGS), 0);
    assert_int_equal(fake_started(scene.server, FAKE_FLAGS), 4);
    assert_flags(&scene, ino, "\\Answered \\Seen", "\\Seen");
    /* The second of two steps fails: the error is told, and the first is seen at the next look. */
    fake_fail_after(scene.server, FAKE_FLAGS, EACCES, 1);
    assert_int_equal(set(scene.fs, ino, FLAGS, "c"), EACCES);
    scene_end(&scene);
}

static void test_interrupted(void **state)
{
    Scene scene;
    uint64_t ino = flags_mounted(&scene, state, true);
    fake_stall(scene.server, FAKE_FLAGS, true);
    uint64_t unique = send_set(scene.fs, ino, FLAGS, "a", 1, 0);
    fake_await(scene.server, FAKE_FLAGS, 1);
    fs_interrupt(scene.fs, unique);
    assert_int_equal(fs_error(scene.fs, unique), EINTR);
    fake_stall(scene.server, FAKE_FLAGS, false);
    for (bool done = false; !done; fs_settle(scene.fs)) {
        fake_lock(scene.server);
        done = strcmp(fake_with_uid(scene.inbox, 1)->flags, "a") == 0;
        fake_unlock(scene.server);
    }
    fs_settle(scene.fs);
    assert_flags(&scene, ino, "a", "a");
    scene_end(&scene);
}

/* It is gone by the time that the answer comes: it does not come back. */
static void test_gone(void **state)
{
    Scene scene;
    uint64_t ino = flags_mounted(&scene, state, true);
    uint64_t inbox = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
    CatalogMessage message;
    fake_stall(scene.server, FAKE_FLAGS, true);
    uint64_t unique = send_set(scene.fs, ino, FLAGS, "a", 1, 0);
    fake_await(scene.server, FAKE_FLAGS, 1);
    fake_remove(scene.server, scene.inbox, 1);
    refresh_stale(scene.fs->mount.refresher, inode_of(inbox).folder);
    assert_int_equal(fs_opendir(scene.fs, inbox), 0);
    fake_stall(scene.server, FAKE_FLAGS, false);
    assert_int_equal(fs_error(scene.fs, unique), ENOENT);
    assert_false(catalog_message(scene.fs->mount.catalog, inode_of(ino).folder, 1, &message));
    assert_int_equal(set(scene.fs, ino, FLAGS, "a"), ENOENT);
    assert_int_equal(take(scene.fs, ino, FLAGS), ENOENT);
    assert_int_equal(set(scene.fs, ino, "user.other", "a"), EOPNOTSUPP);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_set),
        TEST_IN_DIRECTORY(test_what_cannot_be),
        TEST_IN_DIRECTORY(test_refused),
        TEST_IN_DIRECTORY(test_modified),
        TEST_IN_DIRECTORY(test_changed_by_another),
        TEST_IN_DIRECTORY(test_without_condstore),
        TEST_IN_DIRECTORY(test_interrupted),
        TEST_IN_DIRECTORY(test_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
