/* Closing that does not wait for the server, and what becomes of the files. */
#include "fs_named.h"
#include "fs_rename.h"
#include "fs_write.h"

#define LETTER_OF(name) "Subject: x\r\nMessage-ID: <" name "@y>\r\n\r\ntext\r\n"

static void assert_status(Scene *scene, unsigned n)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *expected = g_strdup_printf("files-to-be-stored: %u\n", n);

    fs_settle(scene->fs);
    letters_describe(scene->fs->mount.letters, text);
    assert_string_equal(text->str, expected);
}

/* A mount in which two files were stored, a.eml and b.eml, so that the next one is kept. */
static uint64_t begin(Scene *scene, void **state)
{
    uint64_t inbox = user_mount(scene, state);
    letters_retry_millis = 20;
    assert_int_equal(user_flush_it(scene->fs, user_file(scene->fs, inbox, "a.eml", LETTER_OF("a"))),
                     0);
    assert_int_equal(user_flush_it(scene->fs, user_file(scene->fs, inbox, "b.eml", LETTER_OF("b"))),
                     0);
    assert_int_equal(user_count(scene), 2);
    return inbox;
}

/* c.eml is kept, and the server says nothing. */
static uint64_t keep(Scene *scene, uint64_t inbox)
{
    uint64_t ino = user_file(scene->fs, inbox, "c.eml", LETTER_OF("c"));
    fake_hold(scene->server, true);
    assert_int_equal(user_flush_it(scene->fs, ino), 0);
    assert_int_equal(user_count(scene), 2);
    return ino;
}

static void await_count(Scene *scene, guint n)
{
    gint64 until = g_get_monotonic_time() + 60 * G_TIME_SPAN_SECOND;
    while (user_count(scene) != n && g_get_monotonic_time() < until)
        g_usleep(1000);
    assert_int_equal(user_count(scene), n);
}

static void await_none(Scene *scene)
{
    gint64 until = g_get_monotonic_time() + 60 * G_TIME_SPAN_SECOND;
    for (bool none = false; !none && g_get_monotonic_time() < until;) {
        g_autoptr(GString) text = g_string_new(NULL);
        fs_settle(scene->fs);
        letters_describe(scene->fs->mount.letters, text);
        none = strstr(text->str, ": 0\n") != NULL;
    }
    assert_status(scene, 0);
}

static uint64_t remount(Scene *scene, void **state)
{
    fs_unmount(scene->fs);
    fake_hold(scene->server, false);
    scene->fs = fs_mount(scene->server, *state);
    return fs_folder(scene->fs, FUSE_ROOT_ID, "INBOX");
}

static uint64_t send_fsync(Fs *fs, enum fuse_opcode opcode, uint64_t ino)
{
    struct fuse_fsync_in in = {0};
    return fs_send(fs, opcode, ino, &in, sizeof in, NULL, 0);
}

static void test_kept(void **state)
{
    Scene scene;
    uint64_t inbox = begin(&scene, state);
    keep(&scene, inbox);
    assert_status(&scene, 1);
    assert_listed(scene.fs, inbox, "a.eml b.eml c.eml ");
    uint64_t file = send_fsync(scene.fs, FUSE_FSYNC, ino_of(scene.fs, inbox, "c.eml"));
    uint64_t directory = send_fsync(scene.fs, FUSE_FSYNCDIR, inbox);
    fs_settle(scene.fs);
    assert_false(fs_is_replied(scene.fs, file));
    assert_false(fs_is_replied(scene.fs, directory));
    fake_hold(scene.server, false);
    assert_int_equal(fs_error(scene.fs, file), 0);
    assert_int_equal(fs_error(scene.fs, directory), 0);
    await_none(&scene);
    assert_server(&scene, "1:" LETTER_OF("a") ";2:" LETTER_OF("b") ";3:" LETTER_OF("c") ";");
    assert_listed(scene.fs, inbox, "a.eml b.eml c.eml ");
    assert_int_equal(ino_of(scene.fs, inbox, "c.eml"), fs_message(scene.fs, "INBOX", 3));
    remount(&scene, state);
    assert_status(&scene, 0);
    assert_int_equal(user_count(&scene), 3);
    scene_end(&scene);
}

/* What is refused stays, and the next close tells its own outcome. */
static void test_refused(void **state)
{
    Scene scene;
    uint64_t inbox = begin(&scene, state), ino;
    letters_retry_millis = 100000;
    ino = keep(&scene, inbox);
    fake_fail(scene.server, FAKE_APPEND, EDQUOT, 2);
    uint64_t directory = send_fsync(scene.fs, FUSE_FSYNCDIR, inbox);
    fs_settle(scene.fs);
    fake_hold(scene.server, false);
    assert_int_equal(fs_error(scene.fs, directory), EDQUOT);
    assert_int_equal(named_fsyncdir(scene.fs, inbox), EDQUOT);
    assert_int_equal(g_atomic_int_get(&warnings), 1);
    assert_status(&scene, 1);
    assert_listed(scene.fs, inbox, "a.eml b.eml c.eml ");
    assert_int_equal(user_flush_it(scene.fs, user_file(scene.fs, inbox, "d.eml", LETTER_OF("d"))),
                     EDQUOT);
    assert_listed(scene.fs, inbox, "a.eml b.eml c.eml ");
    /* Who insists is told; and the next mount tries. */
    assert_int_equal(fs_error(scene.fs, send_fsync(scene.fs, FUSE_FSYNC, ino)), 0);
    assert_status(&scene, 0);
    assert_int_equal(named_fsyncdir(scene.fs, inbox), 0);
    assert_int_equal(user_count(&scene), 3);
    scene_end(&scene);
}

static void test_tried_again(void **state)
{
    Scene scene;
    uint64_t inbox = begin(&scene, state);
    keep(&scene, inbox);
    fake_fail(scene.server, FAKE_APPEND, EHOSTUNREACH, 2);
    fake_hold(scene.server, false);
    await_count(&scene, 3);
    await_none(&scene);
    assert_int_equal(g_atomic_int_get(&warnings), 1);
    assert_listed(scene.fs, inbox, "a.eml b.eml c.eml ");
    scene_end(&scene);
}

/* The server has it, and nobody saw the answer: who asks for it to be stored finds it there. */
static void test_asked_for_when_nobody_knows(void **state)
{
    Scene scene;
    uint64_t inbox = begin(&scene, state), ino;
    letters_retry_millis = 100000;
    ino = keep(&scene, inbox);
    fake_break(scene.server, 1, 0);
    fake_fail(scene.server, FAKE_FIND, ENOTCONN, 1);
    uint64_t directory = send_fsync(scene.fs, FUSE_FSYNCDIR, inbox);
    fs_settle(scene.fs);
    fake_hold(scene.server, false);
    assert_int_equal(fs_error(scene.fs, directory), ENOTCONN);
    assert_status(&scene, 1);
    assert_int_equal(user_count(&scene), 3);
    assert_int_equal(fs_error(scene.fs, send_fsync(scene.fs, FUSE_FSYNC, ino)), 0);
    assert_status(&scene, 0);
    assert_server(&scene, "1:" LETTER_OF("a") ";2:" LETTER_OF("b") ";3:" LETTER_OF("c") ";");
    assert_listed(scene.fs, inbox, "a.eml b.eml c.eml ");
    scene_end(&scene);
}

/* It was not sent; the next mount does that, once. */
static void test_left(void **state)
{
    Scene scene;
    uint64_t inbox = begin(&scene, state);
    keep(&scene, inbox);
    inbox = remount(&scene, state);
    await_count(&scene, 3);
    await_none(&scene);
    assert_listed(scene.fs, inbox, "a.eml b.eml c.eml ");
    inbox = remount(&scene, state);
    assert_listed(scene.fs, inbox, "a.eml b.eml c.eml ");
    assert_server(&scene, "1:" LETTER_OF("a") ";2:" LETTER_OF("b") ";3:" LETTER_OF("c") ";");
    scene_end(&scene);
}

/* The server has it, and nobody saw the answer: the next mount finds it. */
static void test_left_but_stored(void **state)
{
    Scene scene;
    uint64_t inbox = begin(&scene, state);
    letters_retry_millis = 100000;
    keep(&scene, inbox);
    fake_break(scene.server, 1, 0);
    fake_fail(scene.server, FAKE_FIND, ECONNREFUSED, 1);
    uint64_t directory = send_fsync(scene.fs, FUSE_FSYNCDIR, inbox);
    fs_settle(scene.fs);
    fake_hold(scene.server, false);
    assert_int_equal(fs_error(scene.fs, directory), ENOTCONN);
    assert_int_equal(user_count(&scene), 3);
    inbox = remount(&scene, state);
    await_none(&scene);
    assert_int_equal(user_count(&scene), 3);
    assert_listed(scene.fs, inbox, "a.eml b.eml c.eml ");
    assert_int_equal(fake_started(scene.server, FAKE_APPEND), 3);
    scene_end(&scene);
}

/* A folder that was made anew does not get what was meant for the old one. */
static void test_another_folder(void **state)
{
    Scene scene;
    uint64_t inbox = begin(&scene, state);
    keep(&scene, inbox);
    fs_unmount(scene.fs);
    fake_hold(scene.server, false);
    fake_lock(scene.server);
    g_ptr_array_set_size(scene.inbox->messages, 0);
    scene.inbox->uidvalidity++;
    fake_unlock(scene.server);
    letters_retry_millis = 100000;
    scene.fs = fs_mount(scene.server, *state);
    fs_list_first(scene.fs, fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX"));
    inbox = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
    assert_int_equal(fs_list_first(scene.fs, inbox), 0);
    named_fsyncdir(scene.fs, inbox); /* it has been tried */
    assert_status(&scene, 1);
    assert_int_equal(user_count(&scene), 0);
    assert_int_equal(g_atomic_int_get(&warnings), 1);
    /* Later mounts show it, and don't store it either. */
    inbox = remount(&scene, state);
    assert_int_equal(fs_list_first(scene.fs, inbox), 0);
    assert_listed(scene.fs, inbox, "c.eml ");
    assert_int_equal(named_fsyncdir(scene.fs, inbox), ESTALE);
    assert_status(&scene, 1);
    assert_int_equal(user_count(&scene), 0);
    scene_end(&scene);
}

static void test_removed(void **state)
{
    Scene scene;
    uint64_t inbox = begin(&scene, state), unlinked;
    keep(&scene, inbox);
    unlinked = named_send_unlink(scene.fs, inbox, "c.eml");
    fs_settle(scene.fs);
    assert_false(fs_is_replied(scene.fs, unlinked));
    fake_hold(scene.server, false);
    assert_int_equal(fs_error(scene.fs, unlinked), 0);
    assert_listed(scene.fs, inbox, "a.eml b.eml ");
    assert_int_equal(named_fsyncdir(scene.fs, inbox), 0);
    assert_int_equal(user_count(&scene), 2);
    assert_status(&scene, 0);
    scene_end(&scene);
}

/* Nothing of it is left to the next mount. */
static void test_removed_when_refused(void **state)
{
    Scene scene;
    uint64_t inbox = begin(&scene, state);
    letters_retry_millis = 100000;
    keep(&scene, inbox);
    fake_fail(scene.server, FAKE_APPEND, EACCES, 1);
    uint64_t directory = send_fsync(scene.fs, FUSE_FSYNCDIR, inbox);
    fs_settle(scene.fs);
    fake_hold(scene.server, false);
    assert_int_equal(fs_error(scene.fs, directory), EACCES);
    assert_int_equal(fs_error(scene.fs, named_send_unlink(scene.fs, inbox, "c.eml")), 0);
    assert_status(&scene, 0);
    assert_listed(scene.fs, inbox, "a.eml b.eml ");
    remount(&scene, state);
    assert_status(&scene, 0);
    assert_int_equal(user_count(&scene), 2);
    scene_end(&scene);
}

static void test_renamed(void **state)
{
    Scene scene;
    uint64_t inbox = begin(&scene, state);
    keep(&scene, inbox);
    assert_int_equal(fs_error(scene.fs, rename_send(scene.fs, inbox, "c.eml", inbox, "d.eml", 0)),
                     0);
    fs_settle(scene.fs);
    inbox = remount(&scene, state);
    await_none(&scene);
    assert_listed(scene.fs, inbox, "a.eml b.eml d.eml ");
    assert_int_equal(user_count(&scene), 3);
    scene_end(&scene);
}

/* Where nothing can be kept, each close waits. */
static void test_no_disk(void **state)
{
    Scene scene;
    uint64_t inbox = begin(&scene, state), ino, unique;
    g_autofree char *path = g_build_filename(*state, "outbox.db", NULL);
    assert_int_equal(g_mkdir(path, 0700), 0);
    ino = user_file(scene.fs, inbox, "c.eml", LETTER_OF("c"));
    fake_hold(scene.server, true);
    unique = user_send_flush(scene.fs, ino);
    outbox_finish(scene.fs->mount.outbox);
    fs_settle(scene.fs);
    assert_false(fs_is_replied(scene.fs, unique));
    fake_fail(scene.server, FAKE_APPEND, EDQUOT, 1);
    fake_hold(scene.server, false);
    assert_int_equal(fs_error(scene.fs, unique), EDQUOT);
    assert_listed(scene.fs, inbox, "a.eml b.eml ");
    assert_status(&scene, 0);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_kept),
        TEST_IN_DIRECTORY(test_refused),
        TEST_IN_DIRECTORY(test_tried_again),
        TEST_IN_DIRECTORY(test_asked_for_when_nobody_knows),
        TEST_IN_DIRECTORY(test_left),
        TEST_IN_DIRECTORY(test_left_but_stored),
        TEST_IN_DIRECTORY(test_another_folder),
        TEST_IN_DIRECTORY(test_removed),
        TEST_IN_DIRECTORY(test_removed_when_refused),
        TEST_IN_DIRECTORY(test_renamed),
        TEST_IN_DIRECTORY(test_no_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
