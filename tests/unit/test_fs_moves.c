/* Messages that are moved to other folders, whatever the server tells of it; by a mount that keeps
 * no moves, so that rename(2) waits for the server. */
#include "fs_moves.h"

static Place place_mounted(void **state, FakeMoves moves)
{
    place_take_moves(*state);
    return place_mount(state, moves);
}

static int move(Place *place, const char *name, const char *new_name)
{
    return place_move(place, name, new_name);
}

/* It has its name, its bytes and its date, and nothing is asked for again; also by the old inode,
 * and after a remount. */
static void test_move(void **state)
{
    Place place = place_mounted(state, FAKE_MOVES_TELLING);
    Fs *fs = place.scene.fs;
    uint64_t old = fs_message(fs, "INBOX", 2), new = fs_message(fs, "Archive", 50);
    struct fuse_entry_out entry;
    assert_bytes(fs, old, 2, 22);
    unsigned fetched = fake_started(place.scene.server, FAKE_FETCH);
    assert_int_equal(move(&place, rename_usual(2), rename_usual(2)), 0);
    assert_int_equal(fs_lookup(fs, place.target, rename_usual(2), &entry), 0);
    assert_int_equal(entry.nodeid, new);
    assert_int_equal(entry.attr.size, 22);
    assert_int_equal(entry.attr.mtime, fake_date(2));
    assert_missing(fs, place.inbox, rename_usual(2));
    assert_bytes(fs, new, 2, 22);
    assert_bytes(fs, old, 2, 22);
    assert_int_equal(fake_started(place.scene.server, FAKE_FETCH), fetched);
    assert_int_equal(fake_started(place.scene.server, FAKE_FIND), 0);
    g_autofree char *left = g_strdup_printf("%s %s ", rename_usual(1), rename_usual(3));
    assert_names(fs, place.inbox, left);
    g_autofree char *there = g_strdup_printf("%s %s ", rename_usual(49), rename_usual(2));
    assert_names(fs, place.target, there);
    /* The kernel has moved the name itself. */
    pthread_mutex_lock(&fs->lock);
    assert_false(fs_has_note(fs, FUSE_NOTIFY_INVAL_ENTRY, rename_usual(2)));
    pthread_mutex_unlock(&fs->lock);
    assert_messages(&place, 2, 2);
    fs_flush(fs);
    named_remount(&place.scene, state);
    fs = place.scene.fs;
    place.target = fs_folder(fs, FUSE_ROOT_ID, "Archive");
    assert_int_equal(fs_list_first(fs, place.target), 0);
    assert_file(fs, place.target, rename_usual(2), new);
    assert_bytes(fs, new, 2, 22);
    assert_int_equal(fake_started(place.scene.server, FAKE_FETCH), 0);
    scene_end(&place.scene);
    assert_int_equal(warnings, 0);
}

/* Under another name, on, and back again. */
static void test_on_and_back(void **state)
{
    Place place = place_mounted(state, FAKE_MOVES_TELLING);
    Fs *fs = place.scene.fs;
    uint64_t old = fs_message(fs, "INBOX", 2);
    assert_int_equal(move(&place, rename_usual(2), "letter"), 0);
    assert_file(fs, place.target, "letter", fs_message(fs, "Archive", 50));
    assert_int_equal(rename_one(fs, place.target, "letter", place.target, "note"), 0);
    assert_int_equal(rename_one(fs, place.target, "note", place.inbox, "back"), 0);
    assert_file(fs, place.inbox, "back", fs_message(fs, "INBOX", 4));
    assert_missing(fs, place.target, "note");
    assert_bytes(fs, old, 2, 22);
    assert_bytes(fs, fs_message(fs, "Archive", 50), 2, 22);
    struct fuse_getattr_in in = {0};
    uint64_t unique = fs_send(fs, FUSE_GETATTR, old, &in, sizeof in, NULL, 0);
    struct fuse_attr_out out;
    size_t size;
    assert_int_equal(fs_error(fs, unique), 0);
    memcpy(&out, fs_body(fs, unique, &size), sizeof out);
    assert_int_equal(out.attr.ino, fs_message(fs, "INBOX", 4));
    assert_messages(&place, 3, 1);
    scene_end(&place.scene);
}

/* A server that does not say: found by its size, if there is one such alone. */
static void test_silent(void **state)
{
    for (int mode = 0; mode < 2; mode++) {
        Place place = place_mounted(state, mode ? FAKE_MOVES_UNSURE : FAKE_MOVES_SILENT);
        Fs *fs = place.scene.fs;
        uint64_t old = fs_message(fs, "INBOX", 2);
        assert_bytes(fs, old, 2, 22);
        unsigned fetched = fake_started(place.scene.server, FAKE_FETCH);
        assert_int_equal(fs_list_first(fs, place.target), 0);
        fake_add(place.scene.server, place.archive, 50, 10, 1); /* of another's */
        assert_int_equal(move(&place, rename_usual(2), "letter"), 0);
        assert_file(fs, place.target, "letter", fs_message(fs, "Archive", 51));
        assert_bytes(fs, old, 2, 22);
        assert_int_equal(fake_started(place.scene.server, FAKE_FETCH), fetched);
        scene_end(&place.scene);
        remove_tree(*state);
        g_mkdir(*state, 0700);
    }
}

/* Where there are two it could be, the header tells which, if that is held. */
static void test_told_by_header(void **state)
{
    Place place = place_mounted(state, FAKE_MOVES_SILENT);
    Fs *fs = place.scene.fs;
    assert_bytes(fs, fs_message(fs, "INBOX", 2), 2, 22);
    assert_int_equal(fs_list_first(fs, place.target), 0);
    fake_add(place.scene.server, place.archive, 50, 10, 12);
    assert_int_equal(move(&place, rename_usual(2), "letter"), 0);
    assert_file(fs, place.target, "letter", fs_message(fs, "Archive", 51));
    assert_bytes(fs, fs_message(fs, "Archive", 51), 2, 22);
    assert_messages(&place, 2, 3);
    scene_end(&place.scene);
}

/* Else no name and no bytes are given to the wrong one. */
static void test_doubtful(void **state)
{
    Place place = place_mounted(state, FAKE_MOVES_SILENT);
    Fs *fs = place.scene.fs;
    char name[NAMES_MESSAGE_MAX];
    uint64_t old = fs_message(fs, "INBOX", 2);
    assert_int_equal(fs_list_first(fs, place.target), 0);
    fake_add(place.scene.server, place.archive, 50, 10, 12);
    assert_int_equal(move(&place, rename_usual(2), "letter"), 0);
    assert_missing(fs, place.inbox, rename_usual(2));
    assert_missing(fs, place.target, "letter");
    names_message(fake_date(2), 51, name);
    refresh_stale(fs->mount.refresher, inode_of(place.target).folder);
    assert_file(fs, place.target, name, fs_message(fs, "Archive", 51));
    assert_bytes(fs, fs_message(fs, "Archive", 51), 2, 22);
    assert_bytes(fs, fs_message(fs, "Archive", 50), 50, 22);
    struct fuse_getattr_in in = {0};
    assert_int_equal(fs_error(fs, fs_send(fs, FUSE_GETATTR, old, &in, sizeof in, NULL, 0)), ESTALE);
    scene_end(&place.scene);
}

static void finish_now(Fs *fs)
{
    removals_finish(fs->mount.removals, fs_call_done, fs);
}

/* Without MOVE and UIDPLUS what was copied is but marked, and expunged at the end. */
static void test_marked(void **state)
{
    Place place = place_mounted(state, FAKE_MOVES_MARKING);
    Fs *fs = place.scene.fs;
    place.scene.server->changes = fs->mount.features = MAIL_STORE_CHANGES;
    assert_int_equal(move(&place, rename_usual(2), rename_usual(2)), 0);
    assert_file(fs, place.target, rename_usual(2), fs_message(fs, "Archive", 50));
    assert_missing(fs, place.inbox, rename_usual(2));
    refresh_stale(fs->mount.refresher, inode_of(place.inbox).folder);
    assert_missing(fs, place.inbox, rename_usual(2));
    assert_messages(&place, 3, 2);
    fs_call_async(fs, finish_now);
    assert_messages(&place, 2, 2);
    scene_end(&place.scene);
}

/* The connection is lost: one looks where the message is. */
static void test_lost(void **state)
{
    Place place = place_mounted(state, FAKE_MOVES_LOST);
    Fs *fs = place.scene.fs;
    assert_int_equal(move(&place, rename_usual(2), "letter"), 0);
    assert_file(fs, place.target, "letter", fs_message(fs, "Archive", 50));
    place.scene.server->moves = FAKE_MOVES_LOST_BEFORE;
    assert_int_equal(move(&place, rename_usual(3), "note"), ENOTCONN);
    assert_file(fs, place.inbox, rename_usual(3), fs_message(fs, "INBOX", 3));
    assert_missing(fs, place.target, "note");
    place.scene.server->moves = FAKE_MOVES_LOST;
    fake_fail(place.scene.server, FAKE_FETCH, ETIMEDOUT, 3);
    assert_int_equal(move(&place, rename_usual(3), "note"), ENOTCONN);
    refresh_stale(fs->mount.refresher, inode_of(place.inbox).folder);
    assert_int_equal(fs_opendir(fs, place.inbox), 0);
    assert_missing(fs, place.inbox, rename_usual(3)); /* as it turns out */
    fake_remove(place.scene.server, place.scene.inbox, 1);
    assert_int_equal(move(&place, rename_usual(1), "x"), ENOENT);
    assert_messages(&place, 0, 3);
    scene_end(&place.scene);
}

/* Copied, and then the connection is lost: the rest is done by another one, or told. */
static void test_half(void **state)
{
    Place place = place_mounted(state, FAKE_MOVES_HALF);
    Fs *fs = place.scene.fs;
    assert_int_equal(move(&place, rename_usual(2), "letter"), 0);
    assert_file(fs, place.target, "letter", fs_message(fs, "Archive", 50));
    assert_messages(&place, 2, 2);
    fake_fail(place.scene.server, FAKE_REMOVE, EACCES, 1);
    assert_int_equal(warnings, 0);
    assert_int_equal(move(&place, rename_usual(3), "note"), ENOTCONN);
    assert_int_equal(warnings, 1);
    assert_file(fs, place.inbox, rename_usual(3), fs_message(fs, "INBOX", 3));
    assert_messages(&place, 2, 3);
    scene_end(&place.scene);
}

/* The server ended in the midst of it, and has it in both: the old one goes, and it alone. */
static void test_in_both(void **state)
{
    Place place = place_mounted(state, FAKE_MOVES_IN_BOTH);
    Fs *fs = place.scene.fs;
    fake_fail(place.scene.server, FAKE_FIND, ECONNREFUSED, 1);
    fake_fail(place.scene.server, FAKE_REMOVE, ENOTCONN, 1);
    assert_int_equal(move(&place, rename_usual(2), "letter"), 0);
    assert_file(fs, place.target, "letter", fs_message(fs, "Archive", 50));
    assert_missing(fs, place.inbox, rename_usual(2));
    assert_messages(&place, 2, 2);
    assert_removals(place.scene.server, ">Archive:2;2;");
    scene_end(&place.scene);
}

/* One that came meanwhile is as long, and another: nothing is removed for its sake. */
static void test_not_in_both(void **state)
{
    Place place = place_mounted(state, FAKE_MOVES_LOST_BEFORE);
    Fs *fs = place.scene.fs;
    assert_int_equal(fs_list_first(fs, place.target), 0);
    fake_add(place.scene.server, place.archive, 50, 10, 12);
    assert_int_equal(move(&place, rename_usual(2), "letter"), ENOTCONN);
    assert_file(fs, place.inbox, rename_usual(2), fs_message(fs, "INBOX", 2));
    assert_messages(&place, 3, 2);
    assert_removals(place.scene.server, ">Archive:2;>Archive:2;>Archive:2;");
    scene_end(&place.scene);
}

static void test_what_fails(void **state)
{
    Place place = place_mounted(state, FAKE_MOVES_TELLING);
    Fs *fs = place.scene.fs;
    static const int codes[] = {EACCES, EROFS, ETIMEDOUT, ENOTCONN, EDQUOT, ENOENT};
    for (size_t i = 0; i < G_N_ELEMENTS(codes); i++) {
        fake_fail(place.scene.server, FAKE_MOVE, codes[i], 1);
        assert_int_equal(move(&place, rename_usual(2), "x"), codes[i]);
        assert_file(fs, place.inbox, rename_usual(2), fs_message(fs, "INBOX", 2));
        assert_missing(fs, place.target, "x");
    }
    assert_int_equal(move(&place, rename_usual(2), rename_usual(49)), EEXIST);
    assert_int_equal(named_unlink(fs, place.inbox, rename_usual(2)), 0);
    assert_int_equal(move(&place, rename_usual(2), "x"), ENOENT);
    fake_remove(place.scene.server, place.scene.inbox, 3);
    assert_int_equal(move(&place, rename_usual(3), "x"), ENOENT);
    assert_int_equal(fs_error(fs, rename_send(fs, place.inbox, rename_usual(1), place.target, "x",
                                              RENAME_NOREPLACE)),
                     0);
    fake_drop_folder(place.scene.server, place.archive);
    assert_int_equal(rename_one(fs, place.target, "x", place.inbox, "x"), ESTALE);
    scene_end(&place.scene);
}

/* Those that come while one is under way share the next operation. */
static void test_together(void **state)
{
    Place place = place_mounted(state, FAKE_MOVES_TELLING);
    Fs *fs = place.scene.fs;
    uint64_t asked[3];
    for (uint32_t uid = 4; uid <= 6; uid++)
        fake_add(place.scene.server, place.scene.inbox, uid, 10, 10);
    refresh_stale(fs->mount.refresher, inode_of(place.inbox).folder);
    assert_int_equal(fs_opendir(fs, place.inbox), 0);
    fake_stall(place.scene.server, FAKE_MOVE, true);
    uint64_t first = rename_send(fs, place.inbox, rename_usual(1), place.target, "1", 0);
    fake_await(place.scene.server, FAKE_MOVE, 1);
    for (uint32_t i = 0; i < 3; i++) {
        g_autofree char *name = g_strdup_printf("%u", i + 4);
        asked[i] = rename_send(fs, place.inbox, rename_usual(i + 4), place.target, name, 0);
    }
    fs_settle(fs);
    fake_stall(place.scene.server, FAKE_MOVE, false);
    assert_int_equal(fs_error(fs, first), 0);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(fs_error(fs, asked[i]), 0);
    assert_removals(place.scene.server, ">Archive:1;>Archive:4,5,6;");
    g_autofree char *names = g_strdup_printf("%s 1 4 5 6 ", rename_usual(49));
    assert_names(fs, place.target, names);
    scene_end(&place.scene);
}

/* Who was interrupted has it moved all the same, and the kernel hears of both names. */
static void test_interrupted(void **state)
{
    Place place = place_mounted(state, FAKE_MOVES_TELLING);
    Fs *fs = place.scene.fs;
    fake_stall(place.scene.server, FAKE_MOVE, true);
    uint64_t moving = rename_send(fs, place.inbox, rename_usual(1), place.target, "x", 0);
    fake_await(place.scene.server, FAKE_MOVE, 1);
    fs_interrupt(fs, moving);
    assert_int_equal(fs_error(fs, moving), EINTR);
    fake_stall(place.scene.server, FAKE_MOVE, false);
    fs_await_note(fs, FUSE_NOTIFY_INVAL_ENTRY, "x");
    fs_await_note(fs, FUSE_NOTIFY_INVAL_ENTRY, rename_usual(1));
    assert_file(fs, place.target, "x", fs_message(fs, "Archive", 50));
    scene_end(&place.scene);
}

/* The mount's end finds it under way. */
static void test_at_the_end(void **state)
{
    Place place = place_mounted(state, FAKE_MOVES_TELLING);
    fake_stall(place.scene.server, FAKE_MOVE, true);
    uint64_t moving = rename_send(place.scene.fs, place.inbox, rename_usual(1), place.target, "x",
                                  0);
    fake_await(place.scene.server, FAKE_MOVE, 1);
    uint64_t next = rename_send(place.scene.fs, place.inbox, rename_usual(2), place.target, "y", 0);
    fs_settle(place.scene.fs);
    fs_close(place.scene.fs);
    assert_int_equal(fs_error(place.scene.fs, moving), ENOTCONN);
    assert_int_equal(fs_error(place.scene.fs, next), ENOTCONN);
    scene_end(&place.scene);
}

/* What was being read of it goes on. */
static void test_read_meanwhile(void **state)
{
    Place place = place_mounted(state, FAKE_MOVES_TELLING);
    Fs *fs = place.scene.fs;
    uint64_t old = fs_message(fs, "INBOX", 2);
    assert_int_equal(fs_list_first(fs, place.target), 0);
    fake_stall(place.scene.server, FAKE_FETCH, true);
    uint64_t reading = fs_send_read(fs, FUSE_READ, old, 0, 0, 1000);
    fake_await(place.scene.server, FAKE_FETCH, 1);
    assert_int_equal(move(&place, rename_usual(2), "x"), 0);
    fake_stall(place.scene.server, FAKE_FETCH, false);
    assert_int_equal(fs_error(fs, reading), 0);
    size_t length;
    const void *bytes = fs_body(fs, reading, &length);
    assert_int_equal(length, 22);
    assert_true(fake_are_bytes(bytes, 2, 0, length));
    scene_end(&place.scene);
}

/* A look at the target that began before does not take it away again. */
static void test_looked_at_meanwhile(void **state)
{
    Place place = place_mounted(state, FAKE_MOVES_TELLING);
    Fs *fs = place.scene.fs;
    uint32_t target = inode_of(place.target).folder;
    assert_int_equal(fs_list_first(fs, place.target), 0);
    fake_stall(place.scene.server, FAKE_MOVE, true);
    uint64_t moving = rename_send(fs, place.inbox, rename_usual(2), place.target, "x", 0);
    fake_await(place.scene.server, FAKE_MOVE, 1);
    fake_stall(place.scene.server, FAKE_SYNC, true);
    unsigned looks = fake_started(place.scene.server, FAKE_SYNC);
    refresh_stale(fs->mount.refresher, target);
    uint64_t looking = fs_send_lookup(fs, place.target, "19700101-000000-1.eml");
    fake_await(place.scene.server, FAKE_SYNC, looks + 1);
    fake_stall(place.scene.server, FAKE_MOVE, false);
    assert_int_equal(fs_error(fs, moving), 0);
    /* As a look tells that has not seen it. */
    fake_lock(place.scene.server);
    FakeMessage *moved = g_ptr_array_steal_index(place.archive->messages, 1);
    place.archive->uidnext--;
    fake_unlock(place.scene.server);
    fake_stall(place.scene.server, FAKE_SYNC, false);
    assert_int_equal(fs_error(fs, looking), ENOENT);
    assert_file(fs, place.target, "x", fs_message(fs, "Archive", 50));
    assert_int_equal(fake_started(place.scene.server, FAKE_SYNC), looks + 1);
    fake_lock(place.scene.server);
    g_ptr_array_add(place.archive->messages, moved);
    place.archive->uidnext++;
    fake_unlock(place.scene.server);
    refresh_stale(fs->mount.refresher, target);
    assert_int_equal(fs_opendir(fs, place.target), 0);
    assert_file(fs, place.target, "x", fs_message(fs, "Archive", 50));
    scene_end(&place.scene);
}

/* Nor does one at the folder where it was show it there once more. */
static void test_seen_once_more(void **state)
{
    Place place = place_mounted(state, FAKE_MOVES_TELLING);
    Fs *fs = place.scene.fs;
    assert_int_equal(move(&place, rename_usual(2), "x"), 0);
    fake_add(place.scene.server, place.scene.inbox, 2, 10, 12);
    refresh_stale(fs->mount.refresher, inode_of(place.inbox).folder);
    assert_int_equal(fs_opendir(fs, place.inbox), 0);
    assert_missing(fs, place.inbox, rename_usual(2));
    scene_end(&place.scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_move),           TEST_IN_DIRECTORY(test_on_and_back),
        TEST_IN_DIRECTORY(test_silent),         TEST_IN_DIRECTORY(test_told_by_header),
        TEST_IN_DIRECTORY(test_doubtful),       TEST_IN_DIRECTORY(test_marked),
        TEST_IN_DIRECTORY(test_lost),           TEST_IN_DIRECTORY(test_half),
        TEST_IN_DIRECTORY(test_in_both),        TEST_IN_DIRECTORY(test_not_in_both),
        TEST_IN_DIRECTORY(test_what_fails),     TEST_IN_DIRECTORY(test_together),
        TEST_IN_DIRECTORY(test_interrupted),    TEST_IN_DIRECTORY(test_at_the_end),
        TEST_IN_DIRECTORY(test_read_meanwhile), TEST_IN_DIRECTORY(test_looked_at_meanwhile),
        TEST_IN_DIRECTORY(test_seen_once_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
