/* How drafts become messages: once, whatever becomes of the connection. */
#include "fs_write.h"

static void test_refusals(void **state)
{
    static const int codes[] = {EDQUOT, EACCES, EROFS, EFBIG, ENOENT};
    Scene scene;
    uint64_t inbox = user_mount(&scene, state);
    for (size_t i = 0; i < G_N_ELEMENTS(codes); i++) {
        uint64_t ino = user_file(scene.fs, inbox, "a.eml", LETTER);
        fake_fail(scene.server, FAKE_APPEND, codes[i], 1);
        assert_int_equal(user_flush_it(scene.fs, ino), codes[i]);
        assert_listed(scene.fs, inbox, "");
    }
    assert_int_equal(user_count(&scene), 0);
    uint64_t ino = user_file(scene.fs, inbox, "a.eml", LETTER);
    fake_fail(scene.server, FAKE_APPEND, EDQUOT, 1);
    assert_int_equal(user_flush_it(scene.fs, ino), EDQUOT);
    assert_int_equal(user_flush_it(scene.fs, ino), 0); /* another try of the same file */
    assert_listed(scene.fs, inbox, "a.eml ");
    scene_end(&scene);
}

/* The answer was lost, and the message is there. */
static void test_it_arrived(void **state)
{
    Scene scene;
    uint64_t inbox = user_mount(&scene, state);
    fake_break(scene.server, 1, 0);
    assert_int_equal(user_flush_it(scene.fs, user_file(scene.fs, inbox, "a.eml", LETTER)), 0);
    assert_server(&scene, "1:" LETTER ";");
    assert_int_equal(fake_started(scene.server, FAKE_APPEND), 1);
    assert_listed(scene.fs, inbox, "a.eml ");
    scene_end(&scene);
}

/* It is not there, and is sent once more; and no more than that. */
static void test_it_did_not_arrive(void **state)
{
    Scene scene;
    uint64_t inbox = user_mount(&scene, state);
    fake_break(scene.server, 0, 1);
    assert_int_equal(user_flush_it(scene.fs, user_file(scene.fs, inbox, "a.eml", LETTER)), 0);
    assert_server(&scene, "1:" LETTER ";");
    assert_int_equal(fake_started(scene.server, FAKE_APPEND), 2);
    fake_break(scene.server, 0, 2);
    assert_int_equal(user_flush_it(scene.fs, user_file(scene.fs, inbox, "b.eml", LETTER)),
                     ENOTCONN);
    assert_int_equal(fake_started(scene.server, FAKE_APPEND), 4);
    assert_listed(scene.fs, inbox, "a.eml ");
    scene_end(&scene);
}

/* A server that is only slow may store it yet. (What may be kept is: see test_fs_letters_away.c.)
 */
static void test_nobody_knows(void **state)
{
    Scene scene;
    uint64_t inbox = user_mount(&scene, state);
    scene.fs->options.offline = OFFLINE_NEVER;
    scene.server->breaks_with = ETIMEDOUT;
    fake_break(scene.server, 0, 1);
    assert_int_equal(user_flush_it(scene.fs, user_file(scene.fs, inbox, "a.eml", LETTER)),
                     ETIMEDOUT);
    assert_int_equal(fake_started(scene.server, FAKE_APPEND), 1);
    scene.server->breaks_with = ENOTCONN;
    fake_break(scene.server, 1, 0);
    fake_fail(scene.server, FAKE_FIND, ECONNREFUSED, 1);
    assert_int_equal(user_flush_it(scene.fs, user_file(scene.fs, inbox, "b.eml", LETTER)),
                     ENOTCONN);
    assert_int_equal(fake_started(scene.server, FAKE_APPEND), 2);
    assert_int_equal(user_count(&scene), 1);
    assert_true(g_atomic_int_get(&warnings) >= 2); /* what to look for */
    scene_end(&scene);
}

/* The same message is there already: that one is not taken for the new one. */
static void test_one_like_it(void **state)
{
    Scene scene;
    uint64_t inbox = user_mount(&scene, state);
    assert_int_equal(user_flush_it(scene.fs, user_file(scene.fs, inbox, "a.eml", LETTER)), 0);
    fake_break(scene.server, 0, 1);
    assert_int_equal(user_flush_it(scene.fs, user_file(scene.fs, inbox, "b.eml", LETTER)), 0);
    assert_server(&scene, "1:" LETTER ";2:" LETTER ";");
    assert_listed(scene.fs, inbox, "a.eml b.eml ");
    scene_end(&scene);
}

/* Two that are alike are on their way at once: what one has become is not the other. */
static void test_two_at_once(void **state)
{
    Scene scene;
    uint64_t inbox = user_mount(&scene, state);
    uint64_t a = user_file(scene.fs, inbox, "a.eml", LETTER);
    uint64_t b = user_file(scene.fs, inbox, "b.eml", LETTER);
    fake_break(scene.server, 1, 1);
    uint64_t first = user_send_flush(scene.fs, a), second = user_send_flush(scene.fs, b);
    assert_int_equal(fs_error(scene.fs, first), 0);
    assert_int_equal(fs_error(scene.fs, second), 0);
    assert_server(&scene, "1:" LETTER ";2:" LETTER ";");
    assert_listed(scene.fs, inbox, "a.eml b.eml ");
    scene_end(&scene);
}

/* A server that tells no new UIDs is asked for them. */
static void test_a_silent_server(void **state)
{
    Scene scene;
    uint64_t inbox = user_mount(&scene, state);
    scene.server->silent = true;
    assert_int_equal(user_flush_it(scene.fs, user_file(scene.fs, inbox, "a.eml", LETTER)), 0);
    assert_int_equal(fake_started(scene.server, FAKE_FIND), 1);
    assert_listed(scene.fs, inbox, "a.eml ");
    fake_fail(scene.server, FAKE_FIND, ENOTCONN, 1);
    assert_int_equal(user_flush_it(scene.fs, user_file(scene.fs, inbox, "b.eml", LETTER)), 0);
    assert_int_equal(user_count(&scene), 2);
    scene_end(&scene);
}

/* Two who close the same file: it is sent once. */
static void test_two_flushes(void **state)
{
    Scene scene;
    uint64_t inbox = user_mount(&scene, state);
    uint64_t ino = user_file(scene.fs, inbox, "a.eml", LETTER), first, second;
    fake_stall(scene.server, FAKE_APPEND, true);
    first = user_send_flush(scene.fs, ino);
    second = user_send_flush(scene.fs, ino);
    fs_settle(scene.fs);
    assert_false(fs_is_replied(scene.fs, first) || fs_is_replied(scene.fs, second));
    fake_stall(scene.server, FAKE_APPEND, false);
    assert_int_equal(fs_error(scene.fs, first), 0);
    assert_int_equal(fs_error(scene.fs, second), 0);
    assert_int_equal(fake_started(scene.server, FAKE_APPEND), 1);
    scene_end(&scene);
}

/* And where it fails: one of those who wait sends it once more, and the others wait for that. */
static void test_flushes_behind_a_failure(void **state)
{
    Scene scene;
    uint64_t inbox = user_mount(&scene, state);
    uint64_t ino = user_file(scene.fs, inbox, "a.eml", LETTER), uniques[4];
    fake_stall(scene.server, FAKE_APPEND, true);
    for (size_t i = 0; i < G_N_ELEMENTS(uniques); i++)
        uniques[i] = user_send_flush(scene.fs, ino);
    fs_settle(scene.fs);
    fake_fail(scene.server, FAKE_APPEND, EDQUOT, 1);
    fake_stall(scene.server, FAKE_APPEND, false);
    assert_int_equal(fs_error(scene.fs, uniques[0]), EDQUOT);
    for (size_t i = 1; i < G_N_ELEMENTS(uniques); i++)
        assert_int_equal(fs_error(scene.fs, uniques[i]), 0);
    assert_int_equal(fake_started(scene.server, FAKE_APPEND), 2);
    assert_server(&scene, "1:" LETTER ";");
    scene_end(&scene);
}

/* What is written to a file that was stored takes the place of what it was. */
static void test_written_again(void **state)
{
    Scene scene;
    uint64_t inbox = user_mount(&scene, state);
    uint64_t ino = user_file(scene.fs, inbox, "a.eml", LETTER);
    assert_int_equal(user_flush_it(scene.fs, ino), 0);
    assert_int_equal(user_bytes(scene.fs, ino, "more\r\n", strlen(LETTER)), 0);
    fake_fail(scene.server, FAKE_APPEND, EDQUOT, 1);
    assert_int_equal(user_flush_it(scene.fs, ino), EDQUOT);
    assert_listed(scene.fs, inbox, "a.eml ");
    assert_int_equal(user_count(&scene), 1);
    assert_int_equal(user_flush_it(scene.fs, ino), 0);
    assert_listed(scene.fs, inbox, "a.eml ");
    assert_true(ino_of(scene.fs, inbox, "a.eml") == fs_message(scene.fs, "INBOX", 2));
    fake_await(scene.server, FAKE_REMOVE, 1);
    struct fuse_fsync_in in = {0};
    assert_int_equal(
        fs_error(scene.fs, fs_send(scene.fs, FUSE_FSYNCDIR, inbox, &in, sizeof in, NULL, 0)), 0);
    assert_server(&scene, "2:" LETTER "more\r\n;");
    scene_end(&scene);
}

/* Of a message that is gone, nothing comes back. */
static void test_written_after_its_removal(void **state)
{
    Scene scene;
    uint64_t inbox = user_mount(&scene, state);
    uint64_t ino = user_file(scene.fs, inbox, "a.eml", LETTER);
    assert_int_equal(user_flush_it(scene.fs, ino), 0);
    assert_int_equal(fs_error(scene.fs, fs_send(scene.fs, FUSE_UNLINK, inbox, NULL, 0, "a.eml", 6)),
                     0);
    assert_int_equal(user_bytes(scene.fs, ino, "more\r\n", strlen(LETTER)), 0);
    assert_int_equal(user_flush_it(scene.fs, ino), ESTALE);
    assert_int_equal(fake_started(scene.server, FAKE_APPEND), 1);
    scene_end(&scene);
}

static void test_removed_while_it_is_sent(void **state)
{
    Scene scene;
    uint64_t inbox = user_mount(&scene, state);
    uint64_t ino = user_file(scene.fs, inbox, "a.eml", LETTER), unique;
    fake_stall(scene.server, FAKE_APPEND, true);
    unique = user_send_flush(scene.fs, ino);
    fake_await(scene.server, FAKE_APPEND, 1);
    assert_int_equal(fs_error(scene.fs, fs_send(scene.fs, FUSE_UNLINK, inbox, NULL, 0, "a.eml", 6)),
                     0);
    fake_stall(scene.server, FAKE_APPEND, false);
    assert_int_equal(fs_error(scene.fs, unique), 0);
    assert_listed(scene.fs, inbox, "");
    fake_await(scene.server, FAKE_REMOVE, 1);
    scene_end(&scene);
}

/* A look that began before may know nothing of it, and takes nothing away. */
static void test_a_look_under_way(void **state)
{
    Scene scene;
    uint64_t inbox = user_mount(&scene, state);
    uint64_t ino = user_file(scene.fs, inbox, "a.eml", LETTER), unique, looked;
    fake_stall(scene.server, FAKE_SYNC, true);
    refresh_stale(scene.fs->mount.refresher, inode_of(inbox).folder);
    looked = fs_send_open(scene.fs, FUSE_OPENDIR, inbox, O_RDONLY | O_DIRECTORY);
    fake_await(scene.server, FAKE_SYNC, 1);
    unique = user_send_flush(scene.fs, ino);
    fake_await(scene.server, FAKE_APPEND, 1);
    assert_int_equal(fs_error(scene.fs, unique), 0);
    fake_stall(scene.server, FAKE_SYNC, false);
    assert_int_equal(fs_error(scene.fs, looked), 0);
    assert_listed(scene.fs, inbox, "a.eml ");
    scene_end(&scene);
}

/* Who is interrupted knows nothing; the message is stored. */
static void test_interrupted(void **state)
{
    Scene scene;
    uint64_t inbox = user_mount(&scene, state);
    uint64_t ino = user_file(scene.fs, inbox, "a.eml", LETTER), unique;
    fake_stall(scene.server, FAKE_APPEND, true);
    unique = user_send_flush(scene.fs, ino);
    fake_await(scene.server, FAKE_APPEND, 1);
    fs_interrupt(scene.fs, unique);
    assert_int_equal(fs_error(scene.fs, unique), EINTR);
    fake_stall(scene.server, FAKE_APPEND, false);
    assert_int_equal(user_flush_it(scene.fs, ino), 0);
    assert_int_equal(fake_started(scene.server, FAKE_APPEND), 1);
    assert_listed(scene.fs, inbox, "a.eml ");
    scene_end(&scene);
}

static void finish_now(Fs *fs)
{
    storer_finish(fs->mount.storer, &fs->mount, fs_call_done, fs);
}

/* What has a temporary name is not lost with the mount, if it is a message. */
static void test_what_is_left(void **state)
{
    Scene scene;
    uint64_t inbox = user_mount(&scene, state);
    user_file(scene.fs, inbox, ".a.eml.X", LETTER);
    user_file(scene.fs, inbox, ".swp", "words");
    user_file(scene.fs, inbox, "open.eml", LETTER "more");
    fs_call_async(scene.fs, finish_now);
    assert_server(&scene, "1:" LETTER ";");
    assert_true(ino_of(scene.fs, inbox, ".a.eml.X") == fs_message(scene.fs, "INBOX", 1));
    fs_call_async(scene.fs, finish_now);
    assert_int_equal(user_count(&scene), 1);
    scene_end(&scene);
}

static void test_the_mount_ends(void **state)
{
    Scene scene;
    uint64_t inbox = user_mount(&scene, state);
    uint64_t ino = user_file(scene.fs, inbox, "a.eml", LETTER), unique;
    fake_stall(scene.server, FAKE_APPEND, true);
    unique = user_send_flush(scene.fs, ino);
    fake_await(scene.server, FAKE_APPEND, 1);
    fs_close(scene.fs);
    assert_int_equal(fs_error(scene.fs, unique), ENOTCONN);
    scene_end(&scene);
}

/* A copy whose answer was lost; and one that was not made is made by reading and writing. */
static void test_copies(void **state)
{
    Scene scene;
    uint64_t inbox = user_mount(&scene, state), ino, copy;
    struct fuse_copy_file_range_in in = {.len = 1000};
    int error;
    assert_int_equal(user_flush_it(scene.fs, user_file(scene.fs, inbox, "a.eml", LETTER)), 0);
    ino = ino_of(scene.fs, inbox, "a.eml");
    fake_break(scene.server, 1, 1);
    in.nodeid_out = user_create(scene.fs, inbox, "b.eml", &error);
    assert_int_equal(
        fs_error(scene.fs, fs_send(scene.fs, FUSE_COPY_FILE_RANGE, ino, &in, sizeof in, NULL, 0)),
        0);
    assert_true(ino_of(scene.fs, inbox, "b.eml") == fs_message(scene.fs, "INBOX", 2));
    in.nodeid_out = copy = user_create(scene.fs, inbox, "c.eml", &error);
    assert_int_equal(
        fs_error(scene.fs, fs_send(scene.fs, FUSE_COPY_FILE_RANGE, ino, &in, sizeof in, NULL, 0)),
        EOPNOTSUPP);
    assert_int_equal(user_bytes(scene.fs, copy, LETTER, 0), 0);
    assert_int_equal(user_flush_it(scene.fs, copy), 0);
    assert_int_equal(user_count(&scene), 3);
    fake_fail(scene.server, FAKE_COPY, EDQUOT, 1);
    in.nodeid_out = user_create(scene.fs, inbox, "d.eml", &error);
    assert_int_equal(
        fs_error(scene.fs, fs_send(scene.fs, FUSE_COPY_FILE_RANGE, ino, &in, sizeof in, NULL, 0)),
        EDQUOT);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_refusals),
        TEST_IN_DIRECTORY(test_it_arrived),
        TEST_IN_DIRECTORY(test_it_did_not_arrive),
        TEST_IN_DIRECTORY(test_nobody_knows),
        TEST_IN_DIRECTORY(test_one_like_it),
        TEST_IN_DIRECTORY(test_two_at_once),
        TEST_IN_DIRECTORY(test_a_silent_server),
        TEST_IN_DIRECTORY(test_two_flushes),
        TEST_IN_DIRECTORY(test_flushes_behind_a_failure),
        TEST_IN_DIRECTORY(test_written_again),
        TEST_IN_DIRECTORY(test_written_after_its_removal),
        TEST_IN_DIRECTORY(test_removed_while_it_is_sent),
        TEST_IN_DIRECTORY(test_a_look_under_way),
        TEST_IN_DIRECTORY(test_interrupted),
        TEST_IN_DIRECTORY(test_what_is_left),
        TEST_IN_DIRECTORY(test_the_mount_ends),
        TEST_IN_DIRECTORY(test_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
