#include "fs_harness.h"

/* One GETXATTR (name) or LISTXATTR (NULL) with room for so many bytes. */
static uint64_t ask(Fs *fs, uint64_t ino, const char *name, size_t room)
{
    struct fuse_getxattr_in in = {.size = (uint32_t)room};
    return fs_send(fs, name ? FUSE_GETXATTR : FUSE_LISTXATTR, ino, &in, sizeof in, name,
                   name ? strlen(name) + 1 : 0);
}

static size_t length_of(Fs *fs, uint64_t ino, const char *name)
{
    uint64_t unique = ask(fs, ino, name, 0);
    struct fuse_getxattr_out out;
    size_t size;
    assert_int_equal(fs_error(fs, unique), 0);
    const void *body = fs_body(fs, unique, &size);
    assert_int_equal(size, sizeof out);
    memcpy(&out, body, size);
    return out.size;
}

/* As a program asks: for the length, then with just that room; and with less, in vain. */
static GBytes *value_of(Fs *fs, uint64_t ino, const char *name)
{
    size_t length = length_of(fs, ino, name), size;
    if (!length)
        return g_bytes_new(NULL, 0);
    if (length > 1)
        assert_int_equal(fs_error(fs, ask(fs, ino, name, length - 1)), ERANGE);
    uint64_t unique = ask(fs, ino, name, length);
    assert_int_equal(fs_error(fs, unique), 0);
    const void *body = fs_body(fs, unique, &size);
    assert_int_equal(size, length);
    return g_bytes_new(body, size);
}

static void assert_value(Fs *fs, uint64_t ino, const char *name, const char *expected)
{
    g_autoptr(GBytes) value = value_of(fs, ino, name);
    assert_int_equal(g_bytes_get_size(value), strlen(expected));
    if (*expected)
        assert_memory_equal(g_bytes_get_data(value, NULL), expected, strlen(expected));
}

static void test_message(void **state)
{
    Scene scene = scene_new();
    fake_add(scene.server, scene.inbox, 4294967295, 300, 700);
    FakeMessage *plain = fake_add(scene.server, scene.inbox, 2, 300, 700);
    g_free(plain->flags);
    plain->flags = g_strdup("");
    scene_mount(&scene, state);
    uint64_t ino = fs_message(scene.fs, "INBOX", 4294967295);
    assert_value(scene.fs, ino, "user.mail.flags", "\\Seen");
    assert_value(scene.fs, ino, "user.mail.uid", "4294967295");
    assert_value(scene.fs, ino, "user.mail.uidvalidity", "100");
    assert_value(scene.fs, ino, "user.mime_type", "message/rfc822");
    assert_value(scene.fs, fs_message(scene.fs, "INBOX", 2), "user.mail.flags", "");
    fake_assert_idle(scene.server);
    scene_end(&scene);
}

static void test_what_is_not_there(void **state)
{
    static const char *const names[] = {"user.mail",           "user.mail.flags2",
                                        "security.capability", "system.posix_acl_access",
                                        "USER.MAIL.UID",       ""};
    Scene scene = scene_new();
    fake_add(scene.server, scene.inbox, 1, 300, 700);
    uint64_t inbox = scene_mount(&scene, state);
    uint64_t inos[] = {fs_message(scene.fs, "INBOX", 1), inbox, FUSE_ROOT_ID,
                       inode_number(INODE_CONTROL, 0, CONTROL_UID_STATUS)};
    for (size_t i = 0; i < G_N_ELEMENTS(inos); i++)
        for (size_t n = 0; n < G_N_ELEMENTS(names); n++)
            for (size_t room = 0; room < 200; room += 100)
                assert_int_equal(fs_error(scene.fs, ask(scene.fs, inos[i], names[n], room)),
                                 g_str_has_prefix(names[n], "user.") ? ENODATA : EOPNOTSUPP);
    assert_int_equal(
        fs_error(scene.fs, ask(scene.fs, fs_message(scene.fs, "INBOX", 2), "user.mail.uid", 100)),
        ENODATA);
    assert_int_equal(fs_error(scene.fs, ask(scene.fs, inbox, "user.mail.uid", 100)), ENODATA);
    scene_end(&scene);
}

static void test_list(void **state)
{
    static const char all[] = "user.mail.flags\0user.mail.uid\0user.mail.uidvalidity\0"
                              "user.mime_type";
    static const char folder[] = "user.mail.uidvalidity";
    Scene scene = scene_new();
    fake_add(scene.server, scene.inbox, 1, 300, 700);
    fake_folder(scene.server, "other");
    uint64_t inbox = scene_mount(&scene, state);
    uint64_t ino = fs_message(scene.fs, "INBOX", 1);
    g_autoptr(GBytes) of_message = value_of(scene.fs, ino, NULL);
    assert_int_equal(g_bytes_get_size(of_message), sizeof all);
    assert_memory_equal(g_bytes_get_data(of_message, NULL), all, sizeof all);
    g_autoptr(GBytes) of_folder = value_of(scene.fs, inbox, NULL);
    assert_int_equal(g_bytes_get_size(of_folder), sizeof folder);
    assert_memory_equal(g_bytes_get_data(of_folder, NULL), folder, sizeof folder);
    /* Each name that is listed has a value. */
    for (const char *name = all; name < all + sizeof all; name += strlen(name) + 1)
        assert_true(length_of(scene.fs, ino, name) > 0);
    /* One that was never looked at, the account, and our own have none. */
    uint64_t none[] = {fs_folder(scene.fs, FUSE_ROOT_ID, "other"), FUSE_ROOT_ID,
                       inode_number(INODE_CONTROL, 0, CONTROL_UID_DIRECTORY)};
    for (size_t i = 0; i < G_N_ELEMENTS(none); i++) {
        size_t size;
        assert_int_equal(length_of(scene.fs, none[i], NULL), 0);
        uint64_t unique = ask(scene.fs, none[i], NULL, 100);
        assert_int_equal(fs_error(scene.fs, unique), 0);
        fs_body(scene.fs, unique, &size);
        assert_int_equal(size, 0);
    }
    scene_end(&scene);
}

static void set_flags(Scene *scene, uint32_t uid, const char *flags)
{
    fake_lock(scene->server);
    for (guint i = 0; i < scene->inbox->messages->len; i++) {
        FakeMessage *message = scene->inbox->messages->pdata[i];
        if (message->uid != uid)
            continue;
        g_free(message->flags);
        message->flags = g_strdup(flags);
    }
    fake_unlock(scene->server);
}

/* Flags that a look left out are asked for as soon as somebody wants them, and only then. */
static void test_flags_later(void **state)
{
    Scene scene = scene_new();
    fake_add(scene.server, scene.inbox, 1, 300, 700);
    scene.server->flags_later = true;
    uint64_t inbox = scene_mount(&scene, state);
    uint64_t ino = fs_message(scene.fs, "INBOX", 1);
    set_flags(&scene, 1, "\\Flagged");
    /* The first listing told them. */
    assert_value(scene.fs, ino, "user.mail.uid", "1");
    fake_assert_idle(scene.server);
    refresh_stale(scene.fs->mount.refresher, inode_of(inbox).folder);
    assert_int_equal(fs_opendir(scene.fs, inbox), 0);
    assert_int_equal(fake_started(scene.server, FAKE_SYNC), 1);
    assert_value(scene.fs, ino, "user.mail.uid", "1");
    assert_int_equal(fake_started(scene.server, FAKE_SYNC), 1);
    assert_value(scene.fs, ino, "user.mail.flags", "\\Flagged");
    assert_int_equal(fake_started(scene.server, FAKE_SYNC), 2);
    assert_value(scene.fs, ino, "user.mail.flags", "\\Flagged");
    assert_int_equal(fake_started(scene.server, FAKE_SYNC), 2);
    scene_end(&scene);
}

/* One asks while a look without flags is under way; and while the network is away. */
static void test_flags_later_in_trouble(void **state)
{
    Scene scene = scene_new();
    size_t size;
    fake_add(scene.server, scene.inbox, 1, 300, 700);
    scene.server->flags_later = true;
    uint64_t inbox = scene_mount(&scene, state);
    uint64_t ino = fs_message(scene.fs, "INBOX", 1);
    set_flags(&scene, 1, "\\Flagged");
    refresh_stale(scene.fs->mount.refresher, inode_of(inbox).folder);
    assert_int_equal(fs_opendir(scene.fs, inbox), 0);
    refresh_stale(scene.fs->mount.refresher, inode_of(inbox).folder);
    fake_hold(scene.server, true);
    uint64_t opening = fs_send_open(scene.fs, FUSE_OPENDIR, inbox, O_RDONLY);
    fs_settle(scene.fs);
    uint64_t asking = ask(scene.fs, ino, "user.mail.flags", 100);
    fs_settle(scene.fs);
    assert_false(fs_is_replied(scene.fs, asking));
    fake_hold(scene.server, false);
    assert_int_equal(fs_error(scene.fs, opening), 0);
    assert_int_equal(fs_error(scene.fs, asking), 0);
    assert_value(scene.fs, ino, "user.mail.flags", "\\Flagged");
    /* What is known has to do. */
    set_flags(&scene, 1, "\\Seen");
    refresh_stale(scene.fs->mount.refresher, inode_of(inbox).folder);
    assert_int_equal(fs_opendir(scene.fs, inbox), 0);
    fake_fail(scene.server, FAKE_SYNC, ETIMEDOUT, 2);
    asking = ask(scene.fs, ino, "user.mail.flags", 100);
    const void *value = fs_body(scene.fs, asking, &size);
    assert_int_equal(size, strlen("\\Flagged"));
    assert_memory_equal(value, "\\Flagged", size);
    fake_fail(scene.server, FAKE_SYNC, EACCES, 1);
    assert_int_equal(fs_error(scene.fs, ask(scene.fs, ino, "user.mail.flags", 100)), EACCES);
    assert_value(scene.fs, ino, "user.mail.flags", "\\Seen");
    scene_end(&scene);
}

static void test_folder(void **state)
{
    Scene scene = scene_new();
    uint64_t inbox = scene_mount(&scene, state);
    assert_value(scene.fs, inbox, "user.mail.uidvalidity", "100");
    assert_int_equal(fs_error(scene.fs, ask(scene.fs, FUSE_ROOT_ID, "user.mail.uidvalidity", 100)),
                     ENODATA);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_message),
        TEST_IN_DIRECTORY(test_what_is_not_there),
        TEST_IN_DIRECTORY(test_list),
        TEST_IN_DIRECTORY(test_flags_later),
        TEST_IN_DIRECTORY(test_flags_later_in_trouble),
        TEST_IN_DIRECTORY(test_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
