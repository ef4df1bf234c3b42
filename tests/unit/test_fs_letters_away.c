/* Files that are closed while the server is away: kept, and stored once it is there again. */
#include "fs_away.h"
#include "fs_named.h"
#include "fs_rename.h"
#include "fs_write.h"

#include "../../fs/undone.h"

#define FILES "files-to-be-stored"

static uint64_t begin(Scene *scene, void **state)
{
    uint64_t inbox = user_mount(scene, state);
    letters_retry_millis = 100000; /* what is tried before that is tried for another reason */
    away_lose(scene->fs);
    return inbox;
}

/* A file that was closed, all of them alike. */
static uint64_t keep(Scene *scene, uint64_t inbox, const char *name)
{
    uint64_t ino = user_file(scene->fs, inbox, name, LETTER);
    assert_int_equal(user_flush_it(scene->fs, ino), 0);
    return ino;
}

static int fsync_it(Fs *fs, uint64_t ino)
{
    struct fuse_fsync_in in = {0};
    return fs_error(fs, fs_send(fs, FUSE_FSYNC, ino, &in, sizeof in, NULL, 0));
}

/* It is found out while a file is being stored: whoever closes it does not wait for the server. */
static void test_lost(void **state)
{
    Scene scene;
    uint64_t inbox = user_mount(&scene, state);
    letters_retry_millis = 1;
    fake_fail(scene.server, FAKE_APPEND, EHOSTUNREACH, 1);
    assert_int_equal(user_flush_it(scene.fs, user_file(scene.fs, inbox, "a.eml", LETTER)), 0);
    assert_listed(scene.fs, inbox, "a.eml ");
    away_await(scene.fs, FILES, 0);
    assert_int_equal(user_count(&scene), 1);
    assert_int_equal(fake_started(scene.server, FAKE_APPEND), 2);
    assert_int_equal(fake_started(scene.server, FAKE_FIND), 0);
    scene_end(&scene);
}

/* The same, when it was sent already: it is looked for before it is sent again. */
static void test_silent(void **state)
{
    for (int arrived = 0; arrived < 2; arrived++) {
        Scene scene;
        uint64_t inbox = user_mount(&scene, state);
        letters_retry_millis = storing_again_millis = 1;
        scene.server->breaks_with = ETIMEDOUT;
        fake_break(scene.server, arrived, !arrived);
        assert_int_equal(user_flush_it(scene.fs, user_file(scene.fs, inbox, "a.eml", LETTER)), 0);
        away_await(scene.fs, FILES, 0);
        assert_int_equal(user_count(&scene), 1);
        assert_int_equal(fake_started(scene.server, FAKE_APPEND), arrived ? 1 : 2);
        assert_int_equal(fake_started(scene.server, FAKE_FIND), arrived ? 1 : 2);
        assert_listed(scene.fs, inbox, "a.eml ");
        scene_end(&scene);
    }
}

static uint64_t remount(Scene *scene, void **state)
{
    fs_unmount(scene->fs);
    for (FakeKind kind = 0; kind < FAKE_KINDS; kind++)
        fake_fail(scene->server, kind, 0, 0);
    scene->fs = fs_mount(scene->server, *state);
    return fs_folder(scene->fs, FUSE_ROOT_ID, "INBOX");
}

static unsigned appended(const Scene *scene)
{
    return fake_started(scene->server, FAKE_APPEND);
}

/* Each, also those that are alike; and nothing is asked before. */
static void test_stored_later(void **state)
{
    Scene scene;
    uint64_t inbox = begin(&scene, state), ino = keep(&scene, inbox, "a.eml");
    Fs *fs = scene.fs;
    keep(&scene, inbox, "b.eml");
    assert_int_equal(user_flush_it(fs, ino), 0);
    assert_int_equal(fsync_it(fs, ino), EHOSTUNREACH);
    assert_int_equal(named_fsyncdir(fs, inbox), EHOSTUNREACH);
    away_await(fs, FILES, 2);
    assert_listed(fs, inbox, "a.eml b.eml ");
    assert_int_equal(appended(&scene), 0);
    away_reach(fs);
    away_await(fs, FILES, 0);
    assert_int_equal(named_fsyncdir(fs, inbox), 0);
    assert_int_equal(user_count(&scene), 2);
    assert_int_equal(appended(&scene), 2);
    assert_int_equal(fake_started(scene.server, FAKE_FIND), 0);
    assert_listed(fs, inbox, "a.eml b.eml ");
    remount(&scene, state);
    away_await(scene.fs, FILES, 0);
    assert_int_equal(user_count(&scene), 2);
    scene_end(&scene);
    assert_int_equal(warnings, 1); /* that it is away */
}

/* fsync of what was never closed fails as well, and takes nothing away. */
static void test_fsync_first(void **state)
{
    Scene scene;
    uint64_t inbox = begin(&scene, state);
    uint64_t ino = user_file(scene.fs, inbox, "a.eml", LETTER);
    assert_int_equal(fsync_it(scene.fs, ino), EHOSTUNREACH);
    away_await(scene.fs, FILES, 0);
    assert_listed(scene.fs, inbox, "a.eml ");
    assert_int_equal(user_flush_it(scene.fs, ino), 0);
    away_await(scene.fs, FILES, 1);
    away_reach(scene.fs);
    away_await(scene.fs, FILES, 0);
    assert_int_equal(user_count(&scene), 1);
    scene_end(&scene);
}

/* The next mount knows that they were not sent: it looks for none, also in a folder made anew. */
static void test_left(void **state)
{
    for (int anew = 0; anew < 2; anew++) {
        Scene scene;
        uint64_t inbox = begin(&scene, state);
        keep(&scene, inbox, "a.eml");
        keep(&scene, inbox, "b.eml");
        fake_lock(scene.server);
        scene.inbox->uidvalidity += anew;
        fake_unlock(scene.server);
        remount(&scene, state);
        away_await(scene.fs, FILES, 0);
        assert_int_equal(user_count(&scene), 2);
        assert_int_equal(fake_started(scene.server, FAKE_FIND), 0);
        scene_end(&scene);
        remove_tree(*state);
        g_mkdir(*state, 0700);
    }
}

/* One of which the answer was lost is looked for. */
static void test_answer_lost(void **state)
{
    Scene scene;
    uint64_t inbox = begin(&scene, state);
    keep(&scene, inbox, "a.eml");
    for (FakeKind kind = 0; kind < FAKE_KINDS; kind++)
        fake_fail(scene.server, kind, 0, 0);
    fake_fail(scene.server, FAKE_FIND, EHOSTUNREACH, 1);
    fake_break(scene.server, 1, 0);
    fs_call_async(scene.fs, away_tell_reached);
    assert_int_not_equal(named_fsyncdir(scene.fs, inbox), 0);
    assert_int_equal(user_count(&scene), 1);
    away_await(scene.fs, FILES, 1);
    remount(&scene, state);
    away_await(scene.fs, FILES, 0);
    assert_int_equal(user_count(&scene), 1);
    assert_int_equal(appended(&scene), 1);
    scene_end(&scene);
}

static void test_renamed_and_removed(void **state)
{
    Scene scene;
    uint64_t inbox = begin(&scene, state);
    Fs *fs = scene.fs;
    keep(&scene, inbox, "a.eml");
    keep(&scene, inbox, "b.eml");
    user_file(fs, inbox, ".c", LETTER);
    assert_int_equal(fs_error(fs, rename_send(fs, inbox, ".c", inbox, "c.eml", 0)), 0);
    assert_int_equal(fs_error(fs, rename_send(fs, inbox, "b.eml", inbox, "d.eml", 0)), 0);
    assert_int_equal(fs_error(fs, named_send_unlink(fs, inbox, "a.eml")), 0);
    away_await(fs, FILES, 2);
    assert_listed(fs, inbox, "d.eml c.eml ");
    inbox = remount(&scene, state);
    away_await(scene.fs, FILES, 0);
    assert_int_equal(user_count(&scene), 2);
    assert_listed(scene.fs, inbox, "d.eml c.eml ");
    scene_end(&scene);
}

/* It stays, and that is counted once. */
static void test_refused(void **state)
{
    Scene scene;
    uint64_t inbox = begin(&scene, state);
    g_autoptr(GString) before = g_string_new(NULL), after = g_string_new(NULL);
    undone_describe(before);
    keep(&scene, inbox, "a.eml");
    for (FakeKind kind = 0; kind < FAKE_KINDS; kind++)
        fake_fail(scene.server, kind, 0, 0);
    fake_fail(scene.server, FAKE_APPEND, EDQUOT, 2);
    for (int i = 0; i < 2; i++) {
        fs_call_async(scene.fs, away_tell_lost);
        fs_call_async(scene.fs, away_tell_reached);
        assert_int_equal(named_fsyncdir(scene.fs, inbox), EDQUOT);
    }
    undone_describe(after);
    assert_int_equal(g_ascii_strtoull(strstr(after->str, ": ") + 2, NULL, 10),
                     g_ascii_strtoull(strstr(before->str, ": ") + 2, NULL, 10) + 1);
    assert_non_null(strstr(after->str, "\"a.eml\""));
    assert_listed(scene.fs, inbox, "a.eml ");
    away_await(scene.fs, FILES, 1);
    scene_end(&scene);
}

/* Where nothing can be kept, each close says what there is to say. */
static void test_no_disk(void **state)
{
    Scene scene;
    uint64_t inbox = begin(&scene, state);
    g_autofree char *path = g_build_filename(*state, "outbox.db", NULL);
    assert_int_equal(g_mkdir(path, 0700), 0);
    for (int i = 0; i < 2; i++) {
        uint64_t ino = user_file(scene.fs, inbox, i ? "b.eml" : ".a", LETTER);
        assert_int_equal(i ? user_flush_it(scene.fs, ino)
                           : fs_error(scene.fs, rename_send(scene.fs, inbox, ".a", inbox, "a", 0)),
                         EHOSTUNREACH);
    }
    away_await(scene.fs, FILES, 0);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_stored_later), TEST_IN_DIRECTORY(test_fsync_first),
        TEST_IN_DIRECTORY(test_left),         TEST_IN_DIRECTORY(test_answer_lost),
        TEST_IN_DIRECTORY(test_refused),      TEST_IN_DIRECTORY(test_renamed_and_removed),
        TEST_IN_DIRECTORY(test_no_disk),      TEST_IN_DIRECTORY(test_lost),
        TEST_IN_DIRECTORY(test_silent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
