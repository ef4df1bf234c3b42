/* Messages that are written over, as the kernel asks for it. */
#include "fs_named.h"
#include "fs_rename.h"
#include "fs_write.h"

#define OTHER "Subject: y\r\nMessage-ID: <z@y>\r\n\r\nanother text\r\n"

/* A message a.eml; its inode. */
static uint64_t begin(Scene *scene, void **state, uint64_t *inbox)
{
    *inbox = user_mount(scene, state);
    assert_int_equal(user_flush_it(scene->fs, user_file(scene->fs, *inbox, "a.eml", LETTER)), 0);
    return ino_of(scene->fs, *inbox, "a.eml");
}

static int empty(Scene *scene, uint64_t ino)
{
    return user_set(scene->fs, ino, (struct fuse_setattr_in){.valid = FATTR_SIZE});
}

static void assert_is(Scene *scene, uint64_t ino, const char *text)
{
    size_t size = 0;
    const char *body;
    uint64_t unique = fs_send_read(scene->fs, FUSE_READ, ino, 0, 0, 4096);

    assert_int_equal(fs_size(scene->fs, ino), strlen(text));
    assert_int_equal(fs_error(scene->fs, unique), 0);
    body = fs_body(scene->fs, unique, &size);
    assert_int_equal(size, strlen(text));
    assert_memory_equal(body, text, size);
}

static void test_written_over(void **state)
{
    Scene scene;
    uint64_t inbox, ino = begin(&scene, state, &inbox);

    assert_int_equal(empty(&scene, ino), 0);
    assert_int_equal(fs_size(scene.fs, ino), 0);
    assert_int_equal(user_bytes(scene.fs, ino, OTHER, 0), 0);
    assert_is(&scene, ino, OTHER);
    assert_server(&scene, "1:" LETTER ";");
    assert_int_equal(user_flush_it(scene.fs, ino), 0);
    assert_listed(scene.fs, inbox, "a.eml ");
    assert_int_equal(ino_of(scene.fs, inbox, "a.eml"), fs_message(scene.fs, "INBOX", 2));
    assert_int_equal(named_fsyncdir(scene.fs, inbox), 0);
    assert_server(&scene, "2:" OTHER ";");
    assert_int_equal(user_flush_it(scene.fs, ino), 0);
    assert_int_equal(user_count(&scene), 1);
    scene_end(&scene);
}

/* Whoever refuses it: the message is as it was. */
static void test_refused(void **state)
{
    Scene scene;
    uint64_t inbox, ino = begin(&scene, state, &inbox);

    assert_int_equal(empty(&scene, ino), 0);
    assert_int_equal(user_flush_it(scene.fs, ino), EINVAL);
    assert_is(&scene, ino, LETTER);
    /* A shell goes on behind that. */
    assert_int_equal(user_bytes(scene.fs, ino, OTHER, 0), 0);
    fake_fail(scene.server, FAKE_APPEND, EDQUOT, 1);
    assert_int_equal(user_flush_it(scene.fs, ino), EDQUOT);
    assert_is(&scene, ino, LETTER);
    assert_server(&scene, "1:" LETTER ";");
    assert_listed(scene.fs, inbox, "a.eml ");
    assert_int_equal(empty(&scene, ino), 0);
    assert_int_equal(user_bytes(scene.fs, ino, OTHER, 0), 0);
    assert_int_equal(user_flush_it(scene.fs, ino), 0);
    assert_listed(scene.fs, inbox, "a.eml ");
    scene_end(&scene);
}

static void test_a_part(void **state)
{
    Scene scene;
    uint64_t inbox, ino = begin(&scene, state, &inbox);
    struct fuse_setattr_in shorter = {.valid = FATTR_SIZE, .size = 5};

    assert_int_equal(user_bytes(scene.fs, ino, OTHER, 0), EPERM);
    assert_int_equal(user_set(scene.fs, ino, shorter), EPERM);
    assert_is(&scene, ino, LETTER);
    scene_end(&scene);
}

/* The answer is lost: the new one is found, and takes the old one's place all the same. */
static void test_unseen(void **state)
{
    Scene scene;
    uint64_t inbox, ino = begin(&scene, state, &inbox);

    assert_int_equal(empty(&scene, ino), 0);
    assert_int_equal(user_bytes(scene.fs, ino, OTHER, 0), 0);
    fake_lock(scene.server);
    scene.server->does_and_breaks = 1;
    fake_unlock(scene.server);
    assert_int_equal(user_flush_it(scene.fs, ino), 0);
    assert_int_equal(named_fsyncdir(scene.fs, inbox), 0);
    assert_server(&scene, "2:" OTHER ";");
    assert_listed(scene.fs, inbox, "a.eml ");
    scene_end(&scene);
}

/* Another client removed it meanwhile: so nobody takes its place. */
static void test_gone(void **state)
{
    Scene scene;
    uint64_t inbox, ino = begin(&scene, state, &inbox);

    assert_int_equal(empty(&scene, ino), 0);
    assert_int_equal(user_bytes(scene.fs, ino, OTHER, 0), 0);
    assert_int_equal(named_unlink(scene.fs, inbox, "a.eml"), 0);
    assert_int_equal(user_flush_it(scene.fs, ino), ESTALE);
    assert_listed(scene.fs, inbox, "");
    scene_end(&scene);
}

/* A server that does it in one step; or refuses that. */
static void test_replace(void **state)
{
    Scene scene = scene_new();
    uint64_t inbox, ino;

    scene.server->changes = MAIL_STORE_CHANGES | MAIL_STORE_REMOVE | MAIL_STORE_REPLACES;
    scene.server->breaks_with = ENOTCONN;
    inbox = scene_mount(&scene, state);
    assert_int_equal(user_flush_it(scene.fs, user_file(scene.fs, inbox, "a.eml", LETTER)), 0);
    ino = ino_of(scene.fs, inbox, "a.eml");
    assert_int_equal(empty(&scene, ino), 0);
    assert_int_equal(user_bytes(scene.fs, ino, OTHER, 0), 0);
    assert_int_equal(user_flush_it(scene.fs, ino), 0);
    assert_server(&scene, "2:" OTHER ";");
    assert_int_equal(fake_started(scene.server, FAKE_REMOVE), 0);
    assert_listed(scene.fs, inbox, "a.eml ");

    ino = ino_of(scene.fs, inbox, "a.eml");
    assert_int_equal(empty(&scene, ino), 0);
    assert_int_equal(user_bytes(scene.fs, ino, LETTER, 0), 0);
    fake_fail(scene.server, FAKE_APPEND, EREMOTEIO, 1);
    assert_int_equal(user_flush_it(scene.fs, ino), 0);
    assert_int_equal(named_fsyncdir(scene.fs, inbox), 0);
    assert_server(&scene, "3:" LETTER ";");
    assert_listed(scene.fs, inbox, "a.eml ");

    /* The answer is lost. */
    ino = ino_of(scene.fs, inbox, "a.eml");
    assert_int_equal(empty(&scene, ino), 0);
    assert_int_equal(user_bytes(scene.fs, ino, OTHER, 0), 0);
    fake_lock(scene.server);
    scene.server->does_and_breaks = 1;
    fake_unlock(scene.server);
    assert_int_equal(user_flush_it(scene.fs, ino), 0);
    assert_int_equal(named_fsyncdir(scene.fs, inbox), 0);
    assert_server(&scene, "4:" OTHER ";");
    assert_listed(scene.fs, inbox, "a.eml ");
    scene_end(&scene);
}

static void test_renamed_over(void **state)
{
    Scene scene;
    uint64_t inbox;

    begin(&scene, state, &inbox);
    user_file(scene.fs, inbox, ".a.eml.X1Y2", OTHER);
    fake_fail(scene.server, FAKE_APPEND, EDQUOT, 1);
    assert_int_equal(rename_one(scene.fs, inbox, ".a.eml.X1Y2", inbox, "a.eml"), EDQUOT);
    assert_listed(scene.fs, inbox, "a.eml .a.eml.X1Y2 ");
    assert_int_equal(rename_one(scene.fs, inbox, ".a.eml.X1Y2", inbox, "a.eml"), 0);
    assert_listed(scene.fs, inbox, "a.eml ");
    assert_int_equal(named_fsyncdir(scene.fs, inbox), 0);
    assert_server(&scene, "2:" OTHER ";");
    /* What has a lasting name replaces nothing. */
    assert_int_equal(user_flush_it(scene.fs, user_file(scene.fs, inbox, "b.eml", LETTER)), 0);
    assert_int_equal(rename_one(scene.fs, inbox, "b.eml", inbox, "a.eml"), EEXIST);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_written_over), TEST_IN_DIRECTORY(test_refused),
        TEST_IN_DIRECTORY(test_a_part),       TEST_IN_DIRECTORY(test_unseen),
        TEST_IN_DIRECTORY(test_gone),         TEST_IN_DIRECTORY(test_replace),
        TEST_IN_DIRECTORY(test_renamed_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
