/* A folder's first listing, read while it arrives. */
#include "fs_harness.h"

enum { SMALL = 512 }; /* bytes of a READDIR: a few entries */

/* A reader of a directory, as a process that goes on from one READDIR to the next. */
typedef struct {
    Fs *fs;
    uint64_t ino, offset, unique;
    GArray *uids; /* uint32_t: what it saw */
    bool ended;
} Reader;

static void reader_begin(Reader *reader, Fs *fs, uint64_t ino)
{
    *reader = (Reader){fs, ino, 0, 0, g_array_new(FALSE, FALSE, sizeof(uint32_t)), false};
    assert_int_equal(fs_opendir(fs, ino), 0);
}

/* One READDIR; its errno. */
static int reader_step(Reader *reader)
{
    g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(FsEntry));
    int error = fs_readdir(reader->fs, reader->ino, false, reader->offset, SMALL, entries);
    for (guint i = 0; i < entries->len; i++) {
        const FsEntry *entry = &g_array_index(entries, FsEntry, i);
        uint32_t uid = inode_of(entry->ino).uid;
        reader->offset = entry->offset;
        if (entry->type == DT_REG)
            g_array_append_val(reader->uids, uid);
    }
    reader->ended = !error && entries->len == 0;
    return error;
}

/* Reads on until it has seen the message, which must be there. */
static void reader_read_to(Reader *reader, uint32_t uid)
{
    while (!reader->uids->len || g_array_index(reader->uids, uint32_t, reader->uids->len - 1) < uid)
        assert_int_equal(reader_step(reader), 0);
    assert_int_equal(g_array_index(reader->uids, uint32_t, reader->uids->len - 1), uid);
    assert_false(reader->ended);
}

/* Asks for what is not there yet. */
static void reader_ask(Reader *reader)
{
    reader->unique = fs_send_read(reader->fs, FUSE_READDIR, reader->ino, 0, reader->offset, SMALL);
    fs_settle(reader->fs);
    assert_false(fs_is_replied(reader->fs, reader->unique));
}

static void reader_finish(Reader *reader)
{
    while (!reader->ended)
        assert_int_equal(reader_step(reader), 0);
}

/* It saw first to last, each once, without the one that is left out (0: none). */
static void assert_saw(const Reader *reader, uint32_t first, uint32_t last, uint32_t without)
{
    uint32_t expected = first;
    for (guint i = 0; i < reader->uids->len; i++, expected++) {
        expected += expected == without;
        assert_int_equal(g_array_index(reader->uids, uint32_t, i), expected);
    }
    expected += expected == without;
    assert_int_equal(expected, last + 1);
}

static void listed_to(FakeServer *server, uint32_t uid)
{
    fake_lock(server);
    server->listed_to = uid;
    fake_unlock(server);
}

/* A folder of messages 1 to n, whose listing pauses behind one of them. */
static Reader begin(Scene *scene, void **state, uint32_t n, uint32_t pause)
{
    Reader reader;
    *scene = scene_new();
    for (uint32_t uid = 1; uid <= n; uid++)
        fake_add(scene->server, scene->inbox, uid, 10, 10);
    scene->server->listed_to = pause;
    scene->fs = fs_mount(scene->server, *state);
    reader_begin(&reader, scene->fs, fs_folder(scene->fs, FUSE_ROOT_ID, "INBOX"));
    return reader;
}

static void end(Scene *scene, Reader *reader)
{
    g_array_unref(reader->uids);
    scene_end(scene);
}

static void test_is_read_while_it_arrives(void **state)
{
    Scene scene;
    Reader reader = begin(&scene, state, 100, 30), other;
    reader_read_to(&reader, 30);
    reader_ask(&reader);
    listed_to(scene.server, 60);
    assert_int_equal(fs_error(scene.fs, reader.unique), 0);
    reader_read_to(&reader, 60);
    /* Another reader does not wait for the end either. */
    reader_begin(&other, scene.fs, reader.ino);
    reader_read_to(&other, 60);
    reader_ask(&reader);
    listed_to(scene.server, 0);
    assert_int_equal(fs_error(scene.fs, reader.unique), 0);
    reader_finish(&reader);
    reader_finish(&other);
    assert_saw(&reader, 1, 100, 0);
    assert_saw(&other, 1, 100, 0);
    assert_int_equal(fake_started(scene.server, FAKE_SYNC), 1);
    g_array_unref(other.uids);
    end(&scene, &reader);
}

static void forget_40(Fs *fs)
{
    uint32_t folder = inode_of(fs_message(fs, "INBOX", 1)).folder;
    refresh_note_gone(fs->mount.refresher, folder, 40);
    fs_call_done(fs, NULL);
}

/* What another connection was told is gone by then is not shown when it is told; later it is. */
static void test_told_late(void **state)
{
    Scene scene;
    Reader reader = begin(&scene, state, 100, 30), later;
    reader_read_to(&reader, 30);
    fs_call_async(scene.fs, forget_40);
    listed_to(scene.server, 0);
    reader_finish(&reader);
    assert_saw(&reader, 1, 100, 40);
    refresh_stale(scene.fs->mount.refresher, inode_of(reader.ino).folder);
    reader_begin(&later, scene.fs, reader.ino);
    reader_finish(&later);
    assert_saw(&later, 1, 100, 0);
    g_array_unref(later.uids);
    end(&scene, &reader);
}

/* Beyond what was reached, nothing is shown, even where it is known. */
static void test_come_and_go(void **state)
{
    Scene scene;
    Reader reader = begin(&scene, state, 100, 30);
    reader_read_to(&reader, 30);
    fake_remove(scene.server, scene.inbox, 40);
    fake_add(scene.server, scene.inbox, 101, 10, 10);
    listed_to(scene.server, 50);
    reader_read_to(&reader, 50);
    fake_add(scene.server, scene.inbox, 102, 10, 10);
    listed_to(scene.server, 0);
    reader_finish(&reader);
    assert_saw(&reader, 1, 102, 40);
    end(&scene, &reader);
}

static void test_nothing_to_list(void **state)
{
    Scene scene;
    Reader reader = begin(&scene, state, 0, 1);
    assert_int_equal(reader_step(&reader), 0); /* the dots */
    reader_ask(&reader);
    listed_to(scene.server, 0);
    assert_int_equal(fs_error(scene.fs, reader.unique), 0);
    reader_finish(&reader);
    assert_int_equal(reader.uids->len, 0);
    end(&scene, &reader);
}

/* A listing that breaks off ends with an error, and never looks like a whole one. */
static void test_breaks_off(void **state)
{
    Scene scene;
    Reader reader = begin(&scene, state, 100, 30), again;
    reader_read_to(&reader, 30);
    reader_ask(&reader);
    fake_lock(scene.server);
    scene.server->broken_listing = ETIMEDOUT;
    scene.server->listed_to = 0;
    fake_unlock(scene.server);
    assert_int_equal(fs_error(scene.fs, reader.unique), ETIMEDOUT);
    /* Who goes on asks the server again; what is gone by now is not shown. */
    fake_remove(scene.server, scene.inbox, 7);
    fake_lock(scene.server);
    scene.server->broken_listing = 0;
    scene.server->listed_to = 20;
    fake_unlock(scene.server);
    reader_begin(&again, scene.fs, reader.ino);
    reader_read_to(&again, 20);
    reader_ask(&again);
    listed_to(scene.server, 0);
    assert_int_equal(fs_error(scene.fs, again.unique), 0);
    reader_finish(&again);
    assert_saw(&again, 1, 100, 7);
    reader_finish(&reader);
    assert_saw(&reader, 1, 100, 0);
    assert_int_equal(fake_started(scene.server, FAKE_SYNC), 2);
    g_array_unref(again.uids);
    end(&scene, &reader);
}

/* The same where nobody opens the directory anew, and the network stays away. */
static void test_goes_on_and_fails(void **state)
{
    Scene scene;
    Reader reader = begin(&scene, state, 100, 30);
    reader_read_to(&reader, 30);
    fake_fail(scene.server, FAKE_SYNC, EHOSTUNREACH, 1);
    fake_lock(scene.server);
    scene.server->broken_listing = ENOTCONN;
    scene.server->listed_to = 0;
    fake_unlock(scene.server);
    int error = reader_step(&reader);
    if (error == ENOTCONN) /* it was asked before the listing broke */
        error = reader_step(&reader);
    assert_int_equal(error, EHOSTUNREACH);
    assert_int_equal(reader.uids->len, 30);
    end(&scene, &reader);
}

static void test_is_interrupted(void **state)
{
    Scene scene;
    Reader reader = begin(&scene, state, 100, 30);
    reader_read_to(&reader, 30);
    reader_ask(&reader);
    fs_interrupt(scene.fs, reader.unique);
    assert_int_equal(fs_error(scene.fs, reader.unique), EINTR);
    listed_to(scene.server, 0);
    reader_finish(&reader);
    assert_saw(&reader, 1, 100, 0);
    end(&scene, &reader);
}

/* A folder that could not be opened. */
static void test_is_refused(void **state)
{
    Scene scene = scene_new();
    scene.fs = fs_mount(scene.server, *state);
    uint64_t inbox = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
    fake_fail(scene.server, FAKE_SYNC, EACCES, 2);
    assert_int_equal(fs_opendir(scene.fs, inbox), EACCES);
    g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(FsEntry));
    assert_int_equal(fs_readdir(scene.fs, inbox, false, 0, SMALL, entries), 0); /* the dots */
    assert_int_equal(entries->len, 2);
    uint64_t behind = g_array_index(entries, FsEntry, 1).offset;
    assert_int_equal(fs_readdir(scene.fs, inbox, false, behind, SMALL, entries), EACCES);
    scene_end(&scene);
}

/* The server counts others than it told: what was passed over is listed before the end is told. */
static void test_does_not_fit(void **state)
{
    Scene scene;
    Reader reader = begin(&scene, state, 100, 30);
    reader_read_to(&reader, 30);
    fake_lock(scene.server);
    scene.inbox->miscount = 1;
    scene.server->listed_to = 0;
    fake_unlock(scene.server);
    reader_finish(&reader);
    assert_saw(&reader, 1, 100, 0);
    assert_int_equal(fake_started(scene.server, FAKE_SYNC), 2);
    end(&scene, &reader);
}

/* A name waits for the whole listing, for only that tells that it is none. */
static void test_lookup_meanwhile(void **state)
{
    Scene scene;
    Reader reader = begin(&scene, state, 100, 30);
    struct fuse_entry_out entry;
    char name[NAMES_MESSAGE_MAX];
    reader_read_to(&reader, 30);
    names_message(fake_date(30), 30, name);
    assert_int_equal(fs_lookup(scene.fs, reader.ino, name, &entry), 0);
    names_message(fake_date(31), 31, name);
    uint64_t unique = fs_send_lookup(scene.fs, reader.ino, name);
    fs_settle(scene.fs);
    assert_false(fs_is_replied(scene.fs, unique));
    listed_to(scene.server, 0);
    assert_int_equal(fs_error(scene.fs, unique), 0);
    end(&scene, &reader);
}

/* The mount ends while somebody waits for more. */
static void test_unmounted_meanwhile(void **state)
{
    Scene scene;
    Reader reader = begin(&scene, state, 100, 30);
    reader_read_to(&reader, 30);
    reader_ask(&reader);
    fs_close(scene.fs);
    assert_int_not_equal(fs_error(scene.fs, reader.unique), 0);
    end(&scene, &reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_is_read_while_it_arrives),
        TEST_IN_DIRECTORY(test_told_late),
        TEST_IN_DIRECTORY(test_come_and_go),
        TEST_IN_DIRECTORY(test_nothing_to_list),
        TEST_IN_DIRECTORY(test_breaks_off),
        TEST_IN_DIRECTORY(test_goes_on_and_fails),
        TEST_IN_DIRECTORY(test_is_interrupted),
        TEST_IN_DIRECTORY(test_is_refused),
        TEST_IN_DIRECTORY(test_does_not_fit),
        TEST_IN_DIRECTORY(test_lookup_meanwhile),
        TEST_IN_DIRECTORY(test_unmounted_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
