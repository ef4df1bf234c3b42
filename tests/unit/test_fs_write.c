/* Files that users make: what they see of them, and what can be done to them. */
#include "fs_rename.h"
#include "fs_write.h"

static void test_a_file_becomes_a_message(void **state)
{
    Scene scene;
    uint64_t inbox = user_mount(&scene, state);
    uint64_t ino = user_file(scene.fs, inbox, "a.eml", "Subject: x\n\ntext\n");
    struct fuse_setattr_in times = {.valid = FATTR_MTIME, .mtime = 1234567890};
    struct fuse_attr_out out;
    assert_listed(scene.fs, inbox, "a.eml ");
    assert_true(ino_of(scene.fs, inbox, "a.eml") == ino);
    assert_int_equal(fs_size(scene.fs, ino), 17);
    assert_int_equal(user_set(scene.fs, ino, times), 0);
    assert_int_equal(fake_started(scene.server, FAKE_APPEND), 0);
    assert_int_equal(user_flush_it(scene.fs, ino), 0);
    assert_server(&scene, "1:Subject: x\r\n\r\ntext\r\n;");
    uint64_t message = ino_of(scene.fs, inbox, "a.eml");
    assert_true(message == fs_message(scene.fs, "INBOX", 1));
    assert_int_equal(fs_getattr(scene.fs, message, &out), 0);
    assert_int_equal(out.attr.size, 20);
    assert_int_equal(out.attr.mtime, 1234567890);
    assert_int_equal(fs_size(scene.fs, ino), 17); /* who has it open goes on */
    assert_listed(scene.fs, inbox, "a.eml ");
    assert_int_equal(user_flush_it(scene.fs, ino), 0);
    assert_int_equal(fake_started(scene.server, FAKE_APPEND), 1);
    scene_end(&scene);
}

/* Who only reads a file that is being written does not store it. */
static void test_a_reader(void **state)
{
    Scene scene;
    uint64_t inbox = user_mount(&scene, state);
    uint64_t ino = user_file(scene.fs, inbox, "a.eml", LETTER), unique;
    struct fuse_open_out open;
    struct fuse_flush_in in = {0};
    size_t size;
    unique = fs_send_open(scene.fs, FUSE_OPEN, ino, O_RDONLY);
    memcpy(&open, fs_body(scene.fs, unique, &size), sizeof open);
    unique = fs_send_read(scene.fs, FUSE_READ, ino, open.fh, 0, 100);
    assert_memory_equal(fs_body(scene.fs, unique, &size), LETTER, strlen(LETTER));
    assert_int_equal(size, strlen(LETTER));
    in.fh = open.fh;
    assert_int_equal(
        fs_error(scene.fs, fs_send(scene.fs, FUSE_FLUSH, ino, &in, sizeof in, NULL, 0)), 0);
    assert_int_equal(fake_started(scene.server, FAKE_APPEND), 0);
    assert_int_equal(user_flush_it(scene.fs, ino), 0);
    assert_int_equal(fake_started(scene.server, FAKE_APPEND), 1);
    scene_end(&scene);
}

static void test_what_is_no_message(void **state)
{
    Scene scene;
    uint64_t inbox = user_mount(&scene, state);
    int error;
    uint64_t ino = user_create(scene.fs, inbox, "a.eml", &error);
    assert_int_equal(user_flush_it(scene.fs, ino), EINVAL);
    assert_listed(scene.fs, inbox, "");
    assert_int_equal(user_bytes(scene.fs, ino, "words\n", 0), 0);
    assert_listed(scene.fs, inbox, "a.eml ");
    assert_int_equal(user_flush_it(scene.fs, ino), EINVAL);
    assert_listed(scene.fs, inbox, "");
    assert_int_equal(user_bytes(scene.fs, ino, LETTER, 0), 0);
    assert_int_equal(user_flush_it(scene.fs, ino), 0);
    assert_server(&scene, "1:" LETTER ";");
    assert_listed(scene.fs, inbox, "a.eml ");
    scene.fs->options.any = true;
    ino = user_file(scene.fs, inbox, "b", "words\n");
    assert_int_equal(user_flush_it(scene.fs, ino), 0);
    assert_int_equal(user_count(&scene), 2);
    scene_end(&scene);
}

static int create_error(Fs *fs, uint64_t parent, const char *name)
{
    int error;
    user_create(fs, parent, name, &error);
    return error;
}

static void test_names_that_cannot_be(void **state)
{
    Scene scene;
    uint64_t inbox = user_mount(&scene, state);
    g_autofree char *longest = g_strnfill(256, 'x');
    user_file(scene.fs, inbox, "a.eml", LETTER);
    assert_int_equal(create_error(scene.fs, inbox, "a.eml"), EEXIST);
    assert_int_equal(create_error(scene.fs, inbox, longest), ENAMETOOLONG);
    assert_int_equal(create_error(scene.fs, inbox, ".pullmail"), EPERM);
    assert_int_equal(create_error(scene.fs, FUSE_ROOT_ID, "a.eml"), EPERM);
    assert_int_equal(create_error(scene.fs, FUSE_ROOT_ID, "INBOX"), EPERM);
    assert_int_equal(
        create_error(scene.fs, inode_number(INODE_CONTROL, 0, CONTROL_UID_DIRECTORY), "status"),
        EPERM);
    scene_end(&scene);
}

static void test_where_nothing_can_be_written(void **state)
{
    Scene scene;
    uint64_t inbox = user_mount(&scene, state);
    struct fuse_setattr_in in = {.valid = FATTR_MODE, .mode = 0644};
    scene.fs->options.read_only = true;
    assert_int_equal(create_error(scene.fs, inbox, "a.eml"), EROFS);
    assert_int_equal(user_set(scene.fs, inbox, in), EROFS);
    assert_int_equal(user_flush_it(scene.fs, inbox), ENOSYS);
    scene.fs->options.read_only = false;
    scene.fs->mount.features &= ~(unsigned)MAIL_STORE_CHANGES;
    assert_int_equal(create_error(scene.fs, inbox, "a.eml"), EPERM);
    assert_int_equal(user_set(scene.fs, inbox, in), EPERM);
    assert_int_equal(user_flush_it(scene.fs, inbox), ENOSYS);
    scene_end(&scene);
}

static void test_attributes(void **state)
{
    Scene scene;
    uint64_t inbox = user_mount(&scene, state);
    struct fuse_setattr_in mode = {.valid = FATTR_MODE, .mode = 0755};
    struct fuse_setattr_in owner = {.valid = FATTR_UID | FATTR_GID, .uid = 1234, .gid = 5678};
    struct fuse_setattr_in other = {.valid = FATTR_UID, .uid = 1};
    struct fuse_setattr_in date = {.valid = FATTR_MTIME, .mtime = 1000000000};
    struct fuse_setattr_in now = {.valid = FATTR_MTIME | FATTR_MTIME_NOW};
    struct fuse_setattr_in size = {.valid = FATTR_SIZE, .size = 10};
    uint64_t draft = user_file(scene.fs, inbox, "a.eml", LETTER), ino;
    assert_int_equal(user_set(scene.fs, draft, date), 0);
    assert_int_equal(user_set(scene.fs, draft, mode), 0);
    assert_int_equal(user_set(scene.fs, draft, other), EPERM);
    assert_int_equal(user_flush_it(scene.fs, draft), 0);
    ino = ino_of(scene.fs, inbox, "a.eml");
    assert_int_equal(user_set(scene.fs, ino, mode), 0);
    assert_int_equal(user_set(scene.fs, ino, owner), 0);
    assert_int_equal(user_set(scene.fs, ino, date), 0);
    assert_int_equal(user_set(scene.fs, ino, other), EPERM);
    assert_int_equal(user_set(scene.fs, ino, now), EPERM);
    assert_int_equal(user_set(scene.fs, ino, size), EPERM);
    assert_int_equal(user_bytes(scene.fs, ino, "x", 0), EPERM);
    date.mtime++;
    assert_int_equal(user_set(scene.fs, ino, date), EPERM);
    assert_int_equal(user_set(scene.fs, inbox, date), 0);
    assert_int_equal(user_set(scene.fs, inbox, other), EPERM);
    size.size = 0;
    draft = user_file(scene.fs, inbox, "b.eml", "words");
    assert_int_equal(user_set(scene.fs, draft, size), 0);
    assert_int_equal(fs_size(scene.fs, draft), 0);
    scene_end(&scene);
}

/* As rsync and editors do it. */
static void test_temporary_names(void **state)
{
    Scene scene;
    uint64_t inbox = user_mount(&scene, state);
    uint64_t ino = user_file(scene.fs, inbox, ".a.eml.X1Y2", LETTER);
    struct fuse_setattr_in date = {.valid = FATTR_MTIME, .mtime = 1000000000};
    struct fuse_attr_out out;
    assert_int_equal(user_flush_it(scene.fs, ino), 0);
    assert_int_equal(user_set(scene.fs, ino, date), 0);
    assert_listed(scene.fs, inbox, ".a.eml.X1Y2 ");
    assert_server(&scene, "");
    assert_int_equal(rename_one(scene.fs, inbox, ".a.eml.X1Y2", inbox, "a.eml"), 0);
    assert_server(&scene, "1:" LETTER ";");
    assert_listed(scene.fs, inbox, "a.eml ");
    assert_int_equal(fs_getattr(scene.fs, ino_of(scene.fs, inbox, "a.eml"), &out), 0);
    assert_int_equal(out.attr.mtime, 1000000000);
    ino = user_file(scene.fs, inbox, ".swp", "\001\002\003");
    assert_int_equal(user_flush_it(scene.fs, ino), 0);
    assert_int_equal(rename_one(scene.fs, inbox, ".swp", inbox, "swp"), EINVAL);
    assert_int_equal(rename_one(scene.fs, inbox, ".swp", inbox, "a.eml"), EINVAL);
    assert_int_equal(
        fs_error(scene.fs, rename_send(scene.fs, inbox, ".swp", inbox, "a.eml", RENAME_NOREPLACE)),
        EEXIST);
    assert_int_equal(rename_one(scene.fs, inbox, ".swp", inbox, ".other"), 0);
    assert_listed(scene.fs, inbox, "a.eml .other ");
    assert_int_equal(
        fs_error(scene.fs, fs_send(scene.fs, FUSE_UNLINK, inbox, NULL, 0, ".other", 7)), 0);
    assert_int_equal(user_flush_it(scene.fs, ino), 0);
    assert_int_equal(user_count(&scene), 1);
    scene_end(&scene);
}

static void test_renamed_while_it_is_written(void **state)
{
    Scene scene;
    uint64_t inbox = user_mount(&scene, state);
    uint64_t ino = user_file(scene.fs, inbox, "a.eml", LETTER);
    assert_int_equal(rename_one(scene.fs, inbox, "a.eml", inbox, "b.eml"), 0);
    assert_int_equal(user_flush_it(scene.fs, ino), 0);
    assert_listed(scene.fs, inbox, "b.eml ");
    assert_true(ino_of(scene.fs, inbox, "b.eml") == fs_message(scene.fs, "INBOX", 1));
    scene_end(&scene);
}

static void test_removed_while_it_is_written(void **state)
{
    Scene scene;
    uint64_t inbox = user_mount(&scene, state);
    uint64_t ino = user_file(scene.fs, inbox, "a.eml", LETTER);
    assert_int_equal(fs_error(scene.fs, fs_send(scene.fs, FUSE_UNLINK, inbox, NULL, 0, "a.eml", 6)),
                     0);
    assert_listed(scene.fs, inbox, "");
    assert_int_equal(user_flush_it(scene.fs, ino), 0);
    assert_int_equal(fake_started(scene.server, FAKE_APPEND), 0);
    scene_end(&scene);
}

static uint64_t send_copy(Fs *fs, uint64_t from, uint64_t offset, uint64_t to, uint64_t length)
{
    struct fuse_copy_file_range_in in = {.off_in = offset, .nodeid_out = to, .len = length};
    return fs_send(fs, FUSE_COPY_FILE_RANGE, from, &in, sizeof in, NULL, 0);
}

static void test_copy(void **state)
{
    Scene scene;
    uint64_t inbox = user_mount(&scene, state), ino, copy, unique;
    struct fuse_write_out out;
    size_t size;
    int error;
    assert_int_equal(user_flush_it(scene.fs, user_file(scene.fs, inbox, "a.eml", LETTER)), 0);
    ino = ino_of(scene.fs, inbox, "a.eml");
    copy = user_create(scene.fs, inbox, "b.eml", &error);
    assert_int_equal(fs_error(scene.fs, send_copy(scene.fs, ino, 1, copy, 1000)), EOPNOTSUPP);
    assert_int_equal(fs_error(scene.fs, send_copy(scene.fs, ino, 0, copy, 5)), EOPNOTSUPP);
    assert_int_equal(fs_error(scene.fs, send_copy(scene.fs, inbox, 0, copy, 1000)), EOPNOTSUPP);
    assert_int_equal(fs_error(scene.fs, send_copy(scene.fs, ino, 0, ino, 1000)), EOPNOTSUPP);
    assert_int_equal(fake_started(scene.server, FAKE_COPY), 0);
    unique = send_copy(scene.fs, ino, 0, copy, 1000);
    assert_int_equal(fs_error(scene.fs, unique), 0);
    memcpy(&out, fs_body(scene.fs, unique, &size), sizeof out);
    assert_int_equal(out.size, strlen(LETTER));
    assert_int_equal(user_flush_it(scene.fs, copy), 0);
    assert_server(&scene, "1:" LETTER ";2:" LETTER ";");
    assert_int_equal(fake_started(scene.server, FAKE_APPEND), 1);
    assert_listed(scene.fs, inbox, "a.eml b.eml ");
    assert_true(ino_of(scene.fs, inbox, "b.eml") == fs_message(scene.fs, "INBOX", 2));
    assert_int_equal(fs_error(scene.fs, send_copy(scene.fs, ino, 0, copy, 1000)), EOPNOTSUPP);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_a_file_becomes_a_message),
        TEST_IN_DIRECTORY(test_a_reader),
        TEST_IN_DIRECTORY(test_what_is_no_message),
        TEST_IN_DIRECTORY(test_names_that_cannot_be),
        TEST_IN_DIRECTORY(test_where_nothing_can_be_written),
        TEST_IN_DIRECTORY(test_attributes),
        TEST_IN_DIRECTORY(test_temporary_names),
        TEST_IN_DIRECTORY(test_renamed_while_it_is_written),
        TEST_IN_DIRECTORY(test_removed_while_it_is_written),
        TEST_IN_DIRECTORY(test_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
