/* Messages that are moved to other folders, and of which the journal knows ahead of the server. */
#include "fs_moves.h"

#include "../../fs/moves.h"

static void assert_pending(Fs *fs, unsigned n)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *expected = g_strdup_printf("moves-pending: %u\n", n);
    moves_describe(fs->mount.moves, text);
    assert_string_equal(text->str, expected);
}

static int sync_all(Place *place)
{
    return named_fsyncdir(place->scene.fs, place->inbox);
}

/* However long the test takes, the server has been told of nothing before somebody waits. */
static void hold_moves(Place *place)
{
    fake_stall(place->scene.server, FAKE_MOVE, true);
}

static int sync_held(Place *place)
{
    struct fuse_fsync_in in = {0};
    Fs *fs = place->scene.fs;
    uint64_t syncing = fs_send(fs, FUSE_FSYNCDIR, place->inbox, &in, sizeof in, NULL, 0);
    fs_settle(fs);
    fake_stall(place->scene.server, FAKE_MOVE, false);
    return fs_error(fs, syncing);
}

/* What a crash leaves: the end of a mount that had no time for it. */
static void crash(Place *place, void **state)
{
    place->inbox = named_remount(&place->scene, state);
    place->target = fs_folder(place->scene.fs, FUSE_ROOT_ID, "Archive");
}

static uint64_t getattr_ino(Fs *fs, uint64_t ino)
{
    struct fuse_attr_out out;
    assert_int_equal(fs_getattr(fs, ino, &out), 0);
    return out.attr.ino;
}

/* Ahead of the server it is there under its new name, and is read where it was. */
static void test_ahead(void **state)
{
    Place place = place_mount(state, FAKE_MOVES_TELLING);
    Fs *fs = place.scene.fs;
    uint64_t old = fs_message(fs, "INBOX", 2), new = fs_message(fs, "Archive", 50);
    fake_stall(place.scene.server, FAKE_MOVE, true);
    assert_int_equal(place_move(&place, rename_usual(2), "letter"), 0);
    assert_pending(fs, 1);
    assert_missing(fs, place.inbox, rename_usual(2));
    assert_file(fs, place.target, "letter", old);
    assert_bytes(fs, old, 2, 22);
    assert_int_equal(place_move(&place, rename_usual(2), "x"), ENOENT);
    assert_int_equal(named_unlink(fs, place.inbox, rename_usual(2)), ENOENT);
    assert_int_equal(place_move(&place, rename_usual(3), "letter"), EEXIST);
    g_autofree char *left = g_strdup_printf("%s %s ", rename_usual(1), rename_usual(3));
    g_autofree char *there = g_strdup_printf("%s letter ", rename_usual(49));
    assert_names(fs, place.inbox, left);
    assert_names(fs, place.target, there);
    assert_messages(&place, 3, 1);
    fake_await(place.scene.server, FAKE_MOVE, 1);
    fake_stall(place.scene.server, FAKE_MOVE, false);
    assert_int_equal(sync_all(&place), 0);
    assert_messages(&place, 2, 2);
    assert_pending(fs, 0);
    assert_file(fs, place.target, "letter", new);
    assert_int_equal(getattr_ino(fs, old), new);
    assert_bytes(fs, old, 2, 22);
    assert_names(fs, place.inbox, left);
    assert_names(fs, place.target, there);
    crash(&place, state);
    assert_pending(place.scene.fs, 0);
    assert_file(place.scene.fs, place.target, "letter", new);
    assert_removals(place.scene.server, ">Archive:2;");
    scene_end(&place.scene);
    assert_int_equal(warnings, 0);
}

/* All that go the same way go together, the others in the same round. */
static void test_together(void **state)
{
    Place place = place_mount(state, FAKE_MOVES_TELLING);
    Fs *fs = place.scene.fs;
    assert_int_equal(place_move(&place, rename_usual(3), "3"), 0);
    assert_int_equal(place_move(&place, rename_usual(1), "1"), 0);
    assert_int_equal(rename_one(fs, place.target, rename_usual(49), place.inbox, "49"), 0);
    assert_int_equal(sync_all(&place), 0);
    assert_removals(place.scene.server, ">Archive:1,3;>INBOX:49;");
    assert_names(fs, place.target, "1 3 ");
    scene_end(&place.scene);
}

/* Nobody waits: the server is told all the same. */
static void test_by_itself(void **state)
{
    Place place = place_mount(state, FAKE_MOVES_TELLING);
    assert_int_equal(place_move(&place, rename_usual(3), "3"), 0);
    fake_await(place.scene.server, FAKE_MOVE, 1);
    assert_int_equal(sync_all(&place), 0);
    assert_messages(&place, 2, 2);
    scene_end(&place.scene);
}

/* It is where it was, the kernel hears of both names, and who waits of the refusal. */
static void test_refused(void **state)
{
    static const int codes[] = {EACCES, EROFS, EDQUOT, ENOENT};
    Place place = place_mount(state, FAKE_MOVES_TELLING);
    Fs *fs = place.scene.fs;
    for (size_t i = 0; i < G_N_ELEMENTS(codes); i++) {
        g_autofree char *name = g_strdup_printf("x%zu", i);
        hold_moves(&place);
        fake_fail(place.scene.server, FAKE_MOVE, codes[i], 1);
        assert_int_equal(place_move(&place, rename_usual(2), name), 0);
        assert_int_equal(sync_held(&place), codes[i]);
        assert_file(fs, place.inbox, rename_usual(2), fs_message(fs, "INBOX", 2));
        assert_missing(fs, place.target, name);
        fs_await_note(fs, FUSE_NOTIFY_INVAL_ENTRY, name);
        fs_await_note(fs, FUSE_NOTIFY_INVAL_ENTRY, rename_usual(2));
        assert_pending(fs, 0);
        assert_int_equal(warnings, i + 1);
    }
    assert_int_equal(sync_all(&place), 0);
    crash(&place, state);
    assert_pending(place.scene.fs, 0);
    assert_messages(&place, 3, 1);
    scene_end(&place.scene);
}

/* Without a server it is tried again, and stays where the user put it. */
static void test_tried_again(void **state)
{
    Place place = place_mount(state, FAKE_MOVES_TELLING);
    Fs *fs = place.scene.fs;
    fake_fail(place.scene.server, FAKE_MOVE, ECONNREFUSED, UINT_MAX);
    assert_int_equal(place_move(&place, rename_usual(2), "x"), 0);
    assert_int_equal(sync_all(&place), ECONNREFUSED);
    assert_file(fs, place.target, "x", fs_message(fs, "INBOX", 2));
    assert_missing(fs, place.inbox, rename_usual(2));
    assert_int_equal(named_unlink(fs, place.target, "x"), ECONNREFUSED);
    assert_pending(fs, 1);
    assert_int_equal(warnings, 1);
    fake_fail(place.scene.server, FAKE_MOVE, 0, 0);
    assert_int_equal(named_unlink(fs, place.target, "x"), 0);
    assert_int_equal(sync_all(&place), 0);
    assert_messages(&place, 2, 1);
    scene_end(&place.scene);
}

/* The connection is lost, and with it what became of them; it is not asked twice for one. */
static void test_lost(void **state)
{
    Place place = place_mount(state, FAKE_MOVES_LOST_BEFORE);
    Fs *fs = place.scene.fs;
    assert_int_equal(place_move(&place, rename_usual(2), "x"), 0);
    assert_int_equal(sync_all(&place), ENOTCONN);
    assert_file(fs, place.target, "x", fs_message(fs, "INBOX", 2));
    hold_moves(&place);
    place.scene.server->moves = FAKE_MOVES_LOST;
    fake_fail(place.scene.server, FAKE_FIND, ETIMEDOUT, 3);
    assert_int_equal(sync_held(&place), ENOTCONN);
    assert_messages(&place, 2, 2);
    assert_int_equal(sync_all(&place), 0);
    assert_file(fs, place.target, "x", fs_message(fs, "Archive", 50));
    place.scene.server->moves = FAKE_MOVES_IN_BOTH;
    fake_fail(place.scene.server, FAKE_REMOVE, ECONNREFUSED, 5);
    hold_moves(&place);
    assert_int_equal(place_move(&place, rename_usual(3), "y"), 0);
    assert_int_equal(sync_held(&place), ECONNREFUSED);
    assert_messages(&place, 2, 3);
    assert_int_equal(sync_all(&place), 0);
    assert_file(fs, place.target, "y", fs_message(fs, "Archive", 51));
    assert_messages(&place, 1, 3);
    scene_end(&place.scene);
}

/* The next mount does what this one did not, and shows it until then. */
static void test_taken_up(void **state)
{
    Place place = place_mount(state, FAKE_MOVES_TELLING);
    hold_moves(&place);
    assert_int_equal(place_move(&place, rename_usual(2), "letter"), 0);
    assert_int_equal(place_move(&place, rename_usual(3), rename_usual(3)), 0);
    fake_fail(place.scene.server, FAKE_FETCH, ECONNREFUSED, UINT_MAX);
    crash(&place, state);
    fake_stall(place.scene.server, FAKE_MOVE, false);
    Fs *fs = place.scene.fs;
    assert_pending(fs, 2);
    assert_missing(fs, place.inbox, rename_usual(2));
    assert_file(fs, place.target, "letter", fs_message(fs, "INBOX", 2));
    assert_messages(&place, 3, 1);
    fake_fail(place.scene.server, FAKE_FETCH, 0, 0);
    assert_int_equal(sync_all(&place), 0);
    assert_removals(place.scene.server, ">Archive:2,3;");
    assert_file(fs, place.target, "letter", fs_message(fs, "Archive", 50));
    assert_file(fs, place.target, rename_usual(3), fs_message(fs, "Archive", 51));
    assert_messages(&place, 1, 3);
    crash(&place, state);
    assert_pending(place.scene.fs, 0);
    scene_end(&place.scene);
}

static FakeMessage *of_inbox(Place *place, uint32_t uid)
{
    for (guint i = 0; i < place->scene.inbox->messages->len; i++) {
        FakeMessage *message = place->scene.inbox->messages->pdata[i];
        if (message->uid == uid)
            return message;
    }
    return NULL;
}

/* The server had done it, or half of it, when the mount ended. Before that is known, no listing
 * shows any twice. */
static void test_done_unseen(void **state)
{
    Place place = place_mount(state, FAKE_MOVES_TELLING);
    hold_moves(&place);
    for (uint32_t uid = 1; uid <= 3; uid++) {
        g_autofree char *name = g_strdup_printf("%u", uid);
        assert_int_equal(place_move(&place, rename_usual(uid), name), 0);
    }
    fake_lock(place.scene.server);
    fake_transfer(place.scene.inbox, place.archive, of_inbox(&place, 1), false);
    fake_transfer(place.scene.inbox, place.archive, of_inbox(&place, 2), true);
    fake_unlock(place.scene.server);
    fs_unmount(place.scene.fs);
    fake_stall(place.scene.server, FAKE_MOVE, false);
    fake_stall(place.scene.server, FAKE_FETCH, true);
    place.scene.fs = fs_mount(place.scene.server, *state);
    Fs *fs = place.scene.fs;
    place.inbox = fs_folder(fs, FUSE_ROOT_ID, "INBOX");
    place.target = fs_folder(fs, FUSE_ROOT_ID, "Archive");
    uint64_t opening = fs_send_open(fs, FUSE_OPENDIR, place.target, O_RDONLY);
    fs_settle(fs);
    assert_false(fs_is_replied(fs, opening));
    fake_stall(place.scene.server, FAKE_FETCH, false);
    assert_int_equal(fs_error(fs, opening), 0);
    assert_int_equal(sync_all(&place), 0);
    g_autofree char *names = g_strdup_printf("%s 1 2 3 ", rename_usual(49));
    assert_names(fs, place.target, names);
    for (uint32_t uid = 1; uid <= 3; uid++) {
        g_autofree char *name = g_strdup_printf("%u", uid);
        assert_file(fs, place.target, name, fs_message(fs, "Archive", 49 + uid));
        assert_bytes(fs, fs_message(fs, "Archive", 49 + uid), uid, 20 + uid);
    }
    assert_messages(&place, 0, 4);
    scene_end(&place.scene);
    assert_int_equal(warnings, 0);
}

/* What has the name already has come, though others are as long. */
static void test_known_by_name(void **state)
{
    Place place = place_mount(state, FAKE_MOVES_TELLING);
    uint32_t archive = inode_of(place.target).folder;
    hold_moves(&place);
    assert_int_equal(place_move(&place, rename_usual(2), "letter"), 0);
    fake_lock(place.scene.server);
    fake_transfer(place.scene.inbox, place.archive, of_inbox(&place, 2), false);
    fake_unlock(place.scene.server);
    fake_add(place.scene.server, place.archive, 51, 10, 12);
    assert_true(catalog_give_name(place.scene.fs->mount.catalog, archive, 50, "letter", NULL));
    crash(&place, state);
    fake_stall(place.scene.server, FAKE_MOVE, false);
    assert_int_equal(sync_all(&place), 0);
    assert_file(place.scene.fs, place.target, "letter", fs_message(place.scene.fs, "Archive", 50));
    scene_end(&place.scene);
}

/* A folder that is another one now, or none: nothing is moved, and that is said. */
static void test_folder_is_gone(void **state)
{
    for (int remade = 0; remade < 2; remade++) {
        Place place = place_mount(state, FAKE_MOVES_TELLING);
        Fs *fs = place.scene.fs;
        fake_fail(place.scene.server, FAKE_MOVE, ECONNREFUSED, UINT_MAX);
        assert_int_equal(place_move(&place, rename_usual(2), "x"), 0);
        assert_int_equal(sync_all(&place), ECONNREFUSED);
        int before = warnings;
        if (remade) {
            fake_remake(place.scene.server, place.archive, 77);
            refresh_stale(fs->mount.refresher, inode_of(place.target).folder);
            fs_opendir(fs, place.target);
        } else {
            fake_drop_folder(place.scene.server, place.archive);
            refresh_stale(fs->mount.refresher, 0);
            fs_opendir(fs, FUSE_ROOT_ID);
            fs_lookup(fs, FUSE_ROOT_ID, "none", &(struct fuse_entry_out){0});
        }
        assert_pending(fs, 0);
        assert_int_equal(warnings, before + 1);
        assert_file(fs, place.inbox, rename_usual(2), fs_message(fs, "INBOX", 2));
        assert_int_equal(sync_all(&place), 0);
        assert_removals(place.scene.server, "");
        scene_end(&place.scene);
        remove_tree(*state);
        g_mkdir(*state, 0700);
    }
}

/* What is asked of one that is on its way is done when it has come. */
static void test_on_its_way(void **state)
{
    Place place = place_mount(state, FAKE_MOVES_TELLING);
    Fs *fs = place.scene.fs;
    fake_add(place.scene.server, place.scene.inbox, 4, 10, 14);
    refresh_stale(fs->mount.refresher, inode_of(place.inbox).folder);
    assert_int_equal(fs_list_first(fs, place.inbox), 0);
    for (uint32_t uid = 1; uid <= 4; uid++) {
        g_autofree char *name = g_strdup_printf("%u", uid);
        assert_int_equal(place_move(&place, rename_usual(uid), name), 0);
    }
    assert_int_equal(named_unlink(fs, place.target, "1"), 0);
    assert_missing(fs, place.target, "1");
    assert_int_equal(rename_one(fs, place.target, "2", place.inbox, "back"), 0);
    assert_int_equal(rename_one(fs, place.inbox, "back", place.inbox, "again"), 0);
    assert_int_equal(rename_one(fs, place.inbox, "again", place.inbox, "again"), 0);
    assert_file(fs, place.inbox, "again", fs_message(fs, "INBOX", 5));
    assert_missing(fs, place.target, "2");
    scene_end(&place.scene);
}

/* Its folder has forgotten it, and the move is not answered yet: who reads waits for that. */
static void test_read_meanwhile(void **state)
{
    Place place = place_mount(state, FAKE_MOVES_LOST);
    Fs *fs = place.scene.fs;
    uint64_t old = fs_message(fs, "INBOX", 2);
    assert_int_equal(fs_list_first(fs, place.target), 0);
    fake_stall(place.scene.server, FAKE_FIND, true);
    assert_int_equal(place_move(&place, rename_usual(2), "x"), 0);
    fake_await(place.scene.server, FAKE_FIND, 1);
    refresh_stale(fs->mount.refresher, inode_of(place.inbox).folder);
    assert_int_equal(fs_list_first(fs, place.inbox), 0);
    CatalogMessage message;
    assert_false(catalog_message(fs->mount.catalog, inode_of(old).folder, 2, &message));
    assert_file(fs, place.target, "x", old);
    assert_int_equal(getattr_ino(fs, old), old);
    uint64_t reading = fs_send_read(fs, FUSE_READ, old, 0, 0, 1000);
    uint64_t opening = fs_send_open(fs, FUSE_OPEN, old, O_RDONLY);
    fs_settle(fs);
    assert_false(fs_is_replied(fs, reading));
    fake_stall(place.scene.server, FAKE_FIND, false);
    assert_int_equal(fs_error(fs, reading), 0);
    assert_int_equal(fs_error(fs, opening), 0);
    size_t length;
    const void *bytes = fs_body(fs, reading, &length);
    assert_int_equal(length, 22);
    assert_true(fake_are_bytes(bytes, 2, 0, length));
    assert_file(fs, place.target, "x", fs_message(fs, "Archive", 50));
    scene_end(&place.scene);
}

/* Who lists the target meanwhile sees each once. */
static void test_listed_meanwhile(void **state)
{
    Place place = place_mount(state, FAKE_MOVES_TELLING);
    Fs *fs = place.scene.fs;
    g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(FsEntry));
    assert_int_equal(fs_list_first(fs, place.target), 0);
    for (uint32_t uid = 1; uid <= 3; uid++)
        assert_int_equal(place_move(&place, rename_usual(uid), rename_usual(uid)), 0);
    /* ".", "..", and the message that was there */
    assert_int_equal(fs_readdir(fs, place.target, false, 0, 140, entries), 0);
    assert_int_equal(entries->len, 3);
    uint64_t offset = g_array_index(entries, FsEntry, 2).offset;
    assert_int_equal(sync_all(&place), 0);
    assert_int_equal(fs_readdir(fs, place.target, false, offset, 4096, entries), 0);
    assert_int_equal(entries->len, 6);
    g_autofree char *names = g_strdup_printf("%s %s %s %s ", rename_usual(49), rename_usual(1),
                                             rename_usual(2), rename_usual(3));
    assert_names(fs, place.target, names);
    arrivals_closed(fs->mount.arrivals, inode_of(place.target).folder);
    arrivals_closed(fs->mount.arrivals, inode_of(place.target).folder);
    assert_names(fs, place.target, names);
    scene_end(&place.scene);
}

static void finish_now(Fs *fs)
{
    moves_finish(fs->mount.moves, fs_call_done, fs);
}

/* The end of the mount has it done; or it is left, if there is no server. */
static void test_finish(void **state)
{
    Place place = place_mount(state, FAKE_MOVES_TELLING);
    assert_int_equal(place_move(&place, rename_usual(1), "x"), 0);
    fs_call_async(place.scene.fs, finish_now);
    assert_messages(&place, 2, 2);
    fake_fail(place.scene.server, FAKE_MOVE, ECONNREFUSED, UINT_MAX);
    assert_int_equal(place_move(&place, rename_usual(2), "y"), 0);
    fs_call_async(place.scene.fs, finish_now);
    assert_messages(&place, 2, 2);
    crash(&place, state);
    fake_fail(place.scene.server, FAKE_MOVE, 0, 0);
    assert_int_equal(sync_all(&place), 0);
    assert_messages(&place, 1, 3);
    scene_end(&place.scene);
}

/* A request that is interrupted ahead of the journal's answer stops nothing. */
static void test_interrupted(void **state)
{
    Place place = place_mount(state, FAKE_MOVES_TELLING);
    Fs *fs = place.scene.fs;
    fake_stall(place.scene.server, FAKE_SYNC, true);
    refresh_stale(fs->mount.refresher, inode_of(place.target).folder);
    uint64_t moving = rename_send(fs, place.inbox, rename_usual(1), place.target, "x", 0);
    fs_settle(fs);
    fs_interrupt(fs, moving);
    assert_int_equal(fs_error(fs, moving), EINTR);
    fake_stall(place.scene.server, FAKE_SYNC, false);
    assert_int_equal(sync_all(&place), 0);
    assert_file(fs, place.inbox, rename_usual(1), fs_message(fs, "INBOX", 1));
    assert_messages(&place, 3, 1);
    scene_end(&place.scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_ahead),
        TEST_IN_DIRECTORY(test_together),
        TEST_IN_DIRECTORY(test_by_itself),
        TEST_IN_DIRECTORY(test_refused),
        TEST_IN_DIRECTORY(test_tried_again),
        TEST_IN_DIRECTORY(test_lost),
        TEST_IN_DIRECTORY(test_taken_up),
        TEST_IN_DIRECTORY(test_done_unseen),
        TEST_IN_DIRECTORY(test_known_by_name),
        TEST_IN_DIRECTORY(test_folder_is_gone),
        TEST_IN_DIRECTORY(test_on_its_way),
        TEST_IN_DIRECTORY(test_read_meanwhile),
        TEST_IN_DIRECTORY(test_listed_meanwhile),
        TEST_IN_DIRECTORY(test_finish),
        TEST_IN_DIRECTORY(test_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
