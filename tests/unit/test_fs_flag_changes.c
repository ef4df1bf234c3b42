/* Flags that are set while the server is away: kept, seen, and done when it is there again. */
#include "fs_away.h"
#include "fs_moves.h"

#include "../../fs/undone.h"

#include <sys/xattr.h>

#define FLAGS "user.mail.flags"
#define TAGS "user.xdg.tags"
#define PENDING "flag-changes-pending"

/* As place_mount, with "\\Seen work" of all in INBOX. */
static Place mounted(void **state)
{
    Place place = place_mount(state, FAKE_MOVES_TELLING);
    fake_lock(place.scene.server);
    place.scene.server->condstore = true;
    for (guint i = 0; i < place.scene.inbox->messages->len; i++) {
        FakeMessage *message = place.scene.inbox->messages->pdata[i];
        g_free(message->flags);
        message->flags = g_strdup("\\Seen work");
    }
    fake_unlock(place.scene.server);
    named_remount(&place.scene, state);
    place.inbox = fs_folder(place.scene.fs, FUSE_ROOT_ID, "INBOX");
    assert_int_equal(fs_list_first(place.scene.fs, place.inbox), 0);
    place.target = fs_folder(place.scene.fs, FUSE_ROOT_ID, "Archive");
    assert_int_equal(fs_list_first(place.scene.fs, place.target), 0);
    return place;
}

static uint64_t message(Place *place, uint32_t uid)
{
    return fs_message(place->scene.fs, "INBOX", uid);
}

static int set(Fs *fs, uint64_t ino, const char *name, const char *value)
{
    struct fuse_setxattr_in in = {.size = (uint32_t)strlen(value)};
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_byte_array_append(bytes, (const guint8 *)name, (guint)strlen(name) + 1);
    g_byte_array_append(bytes, (const guint8 *)value, (guint)strlen(value));
    return fs_error(fs, fs_send(fs, FUSE_SETXATTR, ino, &in, FUSE_COMPAT_SETXATTR_IN_SIZE,
                                (const char *)bytes->data, bytes->len));
}

static void assert_here(Fs *fs, uint64_t ino, const char *flags)
{
    struct fuse_getxattr_in in = {.size = 1000};
    uint64_t unique = fs_send(fs, FUSE_GETXATTR, ino, &in, sizeof in, FLAGS, sizeof FLAGS);
    size_t size;
    const char *value = fs_body(fs, unique, &size);
    g_autofree char *found = g_strndup(value ? value : "", size);
    assert_int_equal(fs_error(fs, unique), 0);
    assert_string_equal(found, flags);
}

static void assert_there(Place *place, FakeFolder *folder, uint32_t uid, const char *flags)
{
    fake_lock(place->scene.server);
    const FakeMessage *found = fake_with_uid(folder, uid);
    g_autofree char *copy = g_strdup(found ? found->flags : NULL);
    fake_unlock(place->scene.server);
    assert_non_null(copy);
    assert_string_equal(copy, flags);
}

/* Another client's. */
static void change(Place *place, uint32_t uid, const char *flags)
{
    fake_lock(place->scene.server);
    FakeMessage *of = fake_with_uid(place->scene.inbox, uid);
    g_free(of->flags);
    of->flags = g_strdup(flags);
    of->modseq = ++place->scene.inbox->modseq;
    fake_unlock(place->scene.server);
}

static unsigned asked(const Place *place)
{
    return fake_started(place->scene.server, FAKE_FLAGS);
}

static void assert_undone(unsigned before, unsigned n)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *line = g_strdup_printf("changes-not-done: %u\n", before + n);
    undone_describe(text);
    if (!g_str_has_prefix(text->str, line))
        fail_msg("%u were to be added to %u, and it says:\n%s", n, before, text->str);
}

static unsigned undone(void)
{
    g_autoptr(GString) text = g_string_new(NULL);
    undone_describe(text);
    return (unsigned)g_ascii_strtoull(text->str + strlen("changes-not-done: "), NULL, 10);
}

static int sync_all(Place *place)
{
    return named_fsyncdir(place->scene.fs, place->inbox);
}

/* What is set twice and back again is one change; what another client did stays. */
static void test_done_later(void **state)
{
    Place place = mounted(state);
    Fs *fs = place.scene.fs;
    uint64_t ino = message(&place, 1);
    away_lose(fs);
    assert_int_equal(set(fs, ino, FLAGS, "\\Seen work"), 0);
    away_await(fs, PENDING, 0);
    assert_int_equal(set(fs, ino, FLAGS, "\\Flagged home"), 0);
    assert_here(fs, ino, "\\Flagged home");
    assert_int_equal(set(fs, ino, TAGS, "one,two"), 0);
    assert_here(fs, ino, "\\Flagged one two");
    assert_int_equal(set(fs, ino, FLAGS, "\\Seen one"), 0);
    assert_here(fs, ino, "\\Seen one");
    assert_int_equal(set(fs, ino, FLAGS, "\\Seen a(b"), EINVAL);
    assert_int_equal(set(fs, ino, FLAGS, "\\Recent"), EINVAL);
    away_await(fs, PENDING, 1);
    assert_int_equal(sync_all(&place), EHOSTUNREACH);
    assert_int_equal(asked(&place), 0);
    assert_there(&place, place.scene.inbox, 1, "\\Seen work");
    change(&place, 1, "work \\Answered");
    away_reach(fs);
    away_await(fs, PENDING, 0);
    assert_int_equal(asked(&place), 2);
    assert_there(&place, place.scene.inbox, 1, "one \\Seen \\Answered");
    assert_int_equal(sync_all(&place), 0);
    assert_here(fs, ino, "\\Answered \\Seen one");
    /* And from now on at once. */
    assert_int_equal(set(fs, ino, FLAGS, "a"), 0);
    assert_there(&place, place.scene.inbox, 1, "a");
    scene_end(&place.scene);
    assert_int_equal(warnings, 1); /* that it is away */
}

/* Those that get the same, by one operation. */
static void test_together(void **state)
{
    Place place = mounted(state);
    Fs *fs = place.scene.fs;
    away_lose(fs);
    for (uint32_t uid = 1; uid <= 3; uid++)
        assert_int_equal(set(fs, message(&place, uid), FLAGS, "\\Seen work \\Flagged"), 0);
    away_await(fs, PENDING, 3);
    away_reach(fs);
    away_await(fs, PENDING, 0);
    assert_int_equal(asked(&place), 1);
    for (uint32_t uid = 1; uid <= 3; uid++)
        assert_there(&place, place.scene.inbox, uid, "\\Flagged \\Seen work");
    scene_end(&place.scene);
}

/* By the next mount; which shows them from its beginning. */
static void test_taken_up(void **state)
{
    Place place = mounted(state);
    away_lose(place.scene.fs);
    assert_int_equal(set(place.scene.fs, message(&place, 2), FLAGS, "later"), 0);
    for (FakeKind kind = 0; kind < FAKE_KINDS; kind++)
        fake_fail(place.scene.server, kind, 0, 0);
    fake_stall(place.scene.server, FAKE_FLAGS, true);
    named_remount(&place.scene, state);
    Fs *fs = place.scene.fs;
    assert_int_equal(fs_list_first(fs, fs_folder(fs, FUSE_ROOT_ID, "INBOX")), 0);
    assert_here(fs, message(&place, 2), "later");
    /* More of that message goes the same way, and comes behind. */
    assert_int_equal(set(fs, message(&place, 2), FLAGS, "\\Seen"), 0);
    assert_here(fs, message(&place, 2), "\\Seen");
    assert_there(&place, place.scene.inbox, 2, "\\Seen work");
    fake_stall(place.scene.server, FAKE_FLAGS, false);
    away_await(fs, PENDING, 0);
    assert_there(&place, place.scene.inbox, 2, "\\Seen");
    named_remount(&place.scene, state);
    away_await(place.scene.fs, PENDING, 0);
    scene_end(&place.scene);
}

static void test_refused(void **state)
{
    unsigned before = undone();
    Place place = mounted(state);
    Fs *fs = place.scene.fs;
    away_lose(fs);
    assert_int_equal(set(fs, message(&place, 1), FLAGS, "a"), 0);
    fake_stall(place.scene.server, FAKE_FLAGS, true);
    away_reach(fs);
    fake_fail(place.scene.server, FAKE_FLAGS, EACCES, 1);
    fake_stall(place.scene.server, FAKE_FLAGS, false);
    away_await(fs, PENDING, 0);
    assert_here(fs, message(&place, 1), "\\Seen work");
    assert_undone(before, 1);
    assert_int_equal(warnings, 2);
    named_remount(&place.scene, state);
    away_await(place.scene.fs, PENDING, 0);
    scene_end(&place.scene);
}

/* A server that lets nobody in says of each operation that it is refused. */
static void test_login_refused(void **state)
{
    unsigned before = undone();
    Place place = mounted(state);
    Fs *fs = place.scene.fs;
    away_lose(fs);
    for (FakeKind kind = 0; kind < FAKE_KINDS; kind++)
        fake_fail(fs->server, kind, EACCES, UINT_MAX);
    assert_int_equal(set(fs, message(&place, 1), FLAGS, "a"), 0);
    assert_int_equal(named_unlink(fs, place.inbox, rename_usual(2)), 0);
    assert_int_equal(place_move(&place, rename_usual(3), "letter"), 0);
    assert_int_not_equal(sync_all(&place), 0);
    away_await(fs, "deletions-pending", 1);
    away_await(fs, "moves-pending", 1);
    away_reach(fs);
    away_await(fs, PENDING, 0);
    away_await(fs, "moves-pending", 0);
    away_await(fs, "deletions-pending", 0);
    assert_messages(&place, 1, 2);
    assert_there(&place, place.scene.inbox, 1, "a");
    assert_undone(before, 0);
    scene_end(&place.scene);
}

static void test_tried_again(void **state)
{
    static const int codes[] = {EAGAIN, ENOTCONN, ESTALE};
    Place place = mounted(state);
    Fs *fs = place.scene.fs;
    for (size_t i = 0; i < G_N_ELEMENTS(codes); i++) {
        g_autofree char *flags = g_strdup_printf("a%u", (unsigned)i);
        away_lose(fs);
        assert_int_equal(set(fs, message(&place, 1), FLAGS, flags), 0);
        fake_stall(place.scene.server, FAKE_FLAGS, true);
        away_reach(fs);
        fake_fail(place.scene.server, FAKE_FLAGS, codes[i], 1);
        fake_stall(place.scene.server, FAKE_FLAGS, false);
        away_await(fs, PENDING, 0);
        assert_there(&place, place.scene.inbox, 1, flags);
    }
    scene_end(&place.scene);
}

/* What is gone meanwhile is said, and the others have their turn. */
static void test_gone(void **state)
{
    unsigned before = undone();
    Place place = mounted(state);
    Fs *fs = place.scene.fs;
    away_lose(fs);
    assert_int_equal(set(fs, message(&place, 1), FLAGS, "a"), 0);
    assert_int_equal(set(fs, message(&place, 3), FLAGS, "a"), 0);
    fake_lock(place.scene.server);
    uint32_t gone = 1;
    g_ptr_array_remove_index(place.scene.inbox->messages, 0);
    g_array_append_val(place.scene.inbox->vanished, gone);
    place.scene.inbox->modseq++;
    fake_unlock(place.scene.server);
    away_reach(fs);
    away_await(fs, PENDING, 0);
    assert_there(&place, place.scene.inbox, 3, "a");
    assert_undone(before, 1);
    scene_end(&place.scene);
}

/* The messages of a folder that was made anew are others. */
static void test_another_folder(void **state)
{
    unsigned before = undone();
    Place place = mounted(state);
    Fs *fs = place.scene.fs;
    away_lose(fs);
    assert_int_equal(set(fs, message(&place, 1), FLAGS, "a"), 0);
    fake_lock(place.scene.server);
    place.scene.inbox->uidvalidity++;
    fake_unlock(place.scene.server);
    away_reach(fs);
    away_await(fs, PENDING, 0);
    assert_int_equal(asked(&place), 0);
    assert_undone(before, 1);
    assert_there(&place, place.scene.inbox, 1, "\\Seen work");
    scene_end(&place.scene);
}

/* It is moved, ahead of its flags being set: they are its own there. */
static void test_moved(void **state)
{
    unsigned before = undone();
    Place place = mounted(state);
    Fs *fs = place.scene.fs;
    uint64_t ino = message(&place, 2);
    away_lose(fs);
    assert_int_equal(set(fs, ino, FLAGS, "\\Seen mine"), 0);
    assert_int_equal(place_move(&place, rename_usual(2), "letter"), 0);
    assert_int_equal(set(fs, ino, FLAGS, "\\Flagged mine"), 0);
    assert_here(fs, ino, "mine \\Flagged");
    fake_stall(place.scene.server, FAKE_FLAGS, true);
    away_reach(fs);
    away_await(fs, "moves-pending", 0);
    assert_here(fs, fs_message(fs, "Archive", 50), "mine \\Flagged");
    fake_stall(place.scene.server, FAKE_FLAGS, false);
    away_await(fs, PENDING, 0);
    assert_there(&place, place.archive, 50, "mine \\Flagged");
    assert_undone(before, 0);
    scene_end(&place.scene);
}

/* What the user removes needs no flags. */
static void test_removed(void **state)
{
    unsigned before = undone();
    Place place = mounted(state);
    Fs *fs = place.scene.fs;
    away_lose(fs);
    assert_int_equal(set(fs, message(&place, 2), FLAGS, "a"), 0);
    assert_int_equal(named_unlink(fs, place.inbox, rename_usual(2)), 0);
    away_reach(fs);
    away_await(fs, "deletions-pending", 0);
    away_await(fs, PENDING, 0);
    assert_messages(&place, 2, 1);
    assert_undone(before, 0);
    scene_end(&place.scene);
}

/* Another mount has the journal; or there is none. */
static void test_not_kept(void **state)
{
    Place place;
    place_take_moves(*state);
    place = mounted(state);
    away_lose(place.scene.fs);
    assert_int_equal(set(place.scene.fs, message(&place, 1), FLAGS, "a"), EHOSTUNREACH);
    assert_here(place.scene.fs, message(&place, 1), "\\Seen work");
    scene_end(&place.scene);
}

/* A disk that takes no more. */
static void test_no_disk(void **state)
{
    Place place = mounted(state);
    Fs *fs = place.scene.fs;
    away_lose(fs);
    assert_int_equal(set(fs, message(&place, 1), FLAGS, "a"), 0);
    fs_flush(fs);
    g_autofree char *path = g_build_filename(*state, "index.db", NULL);
    g_autofree char *aside = g_build_filename(*state, "aside", NULL);
    assert_int_equal(rename(path, aside), 0);
    assert_int_equal(g_mkdir(path, 0700), 0);
    assert_int_not_equal(set(fs, message(&place, 1), FLAGS, "b"), 0);
    assert_int_not_equal(set(fs, message(&place, 2), FLAGS, "b"), 0);
    assert_here(fs, message(&place, 1), "a");
    assert_here(fs, message(&place, 2), "\\Seen work");
    away_await(fs, PENDING, 1);
    scene_end(&place.scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_done_later),     TEST_IN_DIRECTORY(test_together),
        TEST_IN_DIRECTORY(test_taken_up),       TEST_IN_DIRECTORY(test_refused),
        TEST_IN_DIRECTORY(test_login_refused),  TEST_IN_DIRECTORY(test_tried_again),
        TEST_IN_DIRECTORY(test_gone),           TEST_IN_DIRECTORY(test_moved),
        TEST_IN_DIRECTORY(test_another_folder), TEST_IN_DIRECTORY(test_removed),
        TEST_IN_DIRECTORY(test_no_disk),        TEST_IN_DIRECTORY(test_not_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
