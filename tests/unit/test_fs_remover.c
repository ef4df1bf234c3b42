/* How an IMAP server is told of what was removed: for good, by a mark, or into the trash. */
#include "fs_named.h"

#define ALL (MAIL_STORE_CHANGES | MAIL_STORE_REMOVE | MAIL_STORE_MOVES | MAIL_STORE_NEW_UIDS)
#define PLAIN MAIL_STORE_CHANGES

static char file[4][NAMES_MESSAGE_MAX]; /* the names of messages 1 to 3 */

/* Three messages, on a server that can so much, not yet mounted. */
static Scene three_messages(unsigned changes)
{
    Scene scene = scene_new();
    for (uint32_t uid = 1; uid <= 3; uid++) {
        fake_add(scene.server, scene.inbox, uid, 10, 10);
        names_message(fake_date(uid), uid, file[uid]);
    }
    scene.server->changes = changes;
    scene.server->condstore = true;
    return scene;
}

static uint64_t mount_with(Scene *scene, void **state, ExpungeMode expunge, char *trash)
{
    scene->fs = fs_prepare(scene->server);
    scene->fs->options.expunge = expunge;
    scene->fs->options.trash = trash;
    fs_begin(scene->fs, *state);
    uint64_t inbox = fs_folder(scene->fs, FUSE_ROOT_ID, "INBOX");
    assert_int_equal(fs_list_first(scene->fs, inbox), 0);
    return inbox;
}

/* The names that are left, as fs_names has them. */
static void assert_left(Fs *fs, uint64_t inbox, unsigned left)
{
    g_autoptr(GString) expected = g_string_new(NULL);
    for (uint32_t uid = 1; uid <= 3; uid++)
        if (left & 1u << uid)
            g_string_append_printf(expected, "%s ", file[uid]);
    assert_names(fs, inbox, expected->str);
}

static void finish_now(Fs *fs)
{
    removals_finish(fs->mount.removals, fs_call_done, fs);
}

static guint server_messages(Scene *scene)
{
    fake_lock(scene->server);
    guint n = scene->inbox->messages->len;
    fake_unlock(scene->server);
    return n;
}

static void test_for_good(void **state)
{
    Scene scene = three_messages(ALL);
    uint64_t inbox = mount_with(&scene, state, EXPUNGE_NOW, NULL);
    assert_int_equal(named_unlink(scene.fs, inbox, file[2]), 0);
    assert_left(scene.fs, inbox, 1 << 1 | 1 << 3);
    assert_int_equal(named_fsyncdir(scene.fs, inbox), 0);
    assert_removals(scene.server, "2;");
    assert_int_equal(server_messages(&scene), 2);
    scene_end(&scene);
}

/* They are marked now, not seen any more, and go at the end. */
static void expect_at_unmount(void **state, unsigned server, ExpungeMode expunge)
{
    Scene scene = three_messages(server);
    uint64_t inbox = mount_with(&scene, state, expunge, NULL);
    assert_int_equal(named_unlink(scene.fs, inbox, file[1]), 0);
    assert_int_equal(named_fsyncdir(scene.fs, inbox), 0);
    assert_int_equal(named_unlink(scene.fs, inbox, file[3]), 0);
    assert_int_equal(named_fsyncdir(scene.fs, inbox), 0);
    assert_removals(scene.server, "m1;m3;");
    assert_left(scene.fs, inbox, 1 << 2);
    assert_int_equal(server_messages(&scene), 3);
    fs_call_async(scene.fs, finish_now);
    assert_removals(scene.server, "m1;m3;x1,3;");
    assert_int_equal(server_messages(&scene), 1);
    scene_end(&scene);
    assert_int_equal(warnings, 0);
}

static void test_at_unmount(void **state)
{
    expect_at_unmount(state, ALL, EXPUNGE_UNMOUNT);
}

/* A server that has no way to expunge some alone. */
static void test_plain_server(void **state)
{
    expect_at_unmount(state, PLAIN, EXPUNGE_NOW);
}

/* A server that can't expunge some alone, and what somebody else has marked: none goes. */
static void test_others_are_marked(void **state)
{
    Scene scene = three_messages(PLAIN);
    g_free(((FakeMessage *)scene.inbox->messages->pdata[1])->flags);
    ((FakeMessage *)scene.inbox->messages->pdata[1])->flags = g_strdup("\\Deleted");
    uint64_t inbox = mount_with(&scene, state, EXPUNGE_NOW, NULL);
    assert_left(scene.fs, inbox, 1 << 1 | 1 << 3);
    assert_int_equal(named_unlink(scene.fs, inbox, file[1]), 0);
    fs_call_async(scene.fs, finish_now);
    assert_removals(scene.server, "m1;x1;");
    assert_int_equal(server_messages(&scene), 3);
    assert_int_equal(warnings, 1);
    scene_end(&scene);
}

static void test_never(void **state)
{
    Scene scene = three_messages(ALL);
    uint64_t inbox = mount_with(&scene, state, EXPUNGE_NEVER, NULL);
    assert_int_equal(named_unlink(scene.fs, inbox, file[1]), 0);
    fs_call_async(scene.fs, finish_now);
    assert_removals(scene.server, "m1;");
    fs_unmount(scene.fs);
    inbox = mount_with(&scene, state, EXPUNGE_NOW, NULL);
    assert_left(scene.fs, inbox, 1 << 2 | 1 << 3);
    assert_removals(scene.server, "m1;");
    scene_end(&scene);
}

/* What another client marks is not seen any more, and is seen again when it takes that back. */
static void test_marked_by_another(void **state)
{
    Scene scene = three_messages(ALL);
    scene.fs = fs_prepare(scene.server);
    scene.fs->options.refresh = 0;
    fs_begin(scene.fs, *state);
    uint64_t inbox = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
    assert_int_equal(fs_list_first(scene.fs, inbox), 0);
    static const char *const flags[] = {"\\Deleted", "\\Seen"};
    for (size_t i = 0; i < G_N_ELEMENTS(flags); i++) {
        struct fuse_entry_out entry;
        FakeMessage *message = scene.inbox->messages->pdata[1];
        fake_lock(scene.server);
        g_free(message->flags);
        message->flags = g_strdup(flags[i]);
        message->modseq = ++scene.inbox->modseq;
        fake_unlock(scene.server);
        assert_int_equal(fs_list_first(scene.fs, inbox), 0);
        assert_left(scene.fs, inbox, 1 << 1 | 1 << 3 | (i ? 1 << 2 : 0));
        assert_int_equal(fs_lookup(scene.fs, inbox, file[2], &entry), i ? 0 : ENOENT);
    }
    scene_end(&scene);
}

static void test_trash(void **state)
{
    Scene scene = three_messages(ALL);
    fake_folder(scene.server, "Trash");
    uint64_t inbox = mount_with(&scene, state, EXPUNGE_NOW, (char *)"Trash");
    uint64_t trash = fs_folder(scene.fs, FUSE_ROOT_ID, "Trash");
    assert_int_equal(named_unlink(scene.fs, inbox, file[1]), 0);
    assert_int_equal(named_unlink(scene.fs, inbox, file[2]), 0);
    assert_int_equal(named_fsyncdir(scene.fs, inbox), 0);
    assert_removals(scene.server, ">Trash:1,2;");
    assert_left(scene.fs, inbox, 1 << 3);
    /* What is in the trash goes for good. */
    fake_add(scene.server, scene.server->folders->pdata[1], 3, 10, 10);
    assert_int_equal(fs_list_first(scene.fs, trash), 0);
    assert_int_equal(named_unlink(scene.fs, trash, file[3]), 0);
    assert_int_equal(named_fsyncdir(scene.fs, trash), 0);
    assert_removals(scene.server, ">Trash:1,2;3;");
    scene_end(&scene);
}

static void test_trash_by_use(void **state)
{
    Scene scene = three_messages(ALL);
    FakeFolder *trash = fake_folder(scene.server, "Papierkorb");
    trash->attributes = MAIL_FOLDER_TRASH;
    uint64_t inbox = mount_with(&scene, state, EXPUNGE_NOW, (char *)"auto");
    assert_int_equal(named_unlink(scene.fs, inbox, file[1]), 0);
    assert_int_equal(named_fsyncdir(scene.fs, inbox), 0);
    assert_removals(scene.server, ">Papierkorb:1;");
    scene_end(&scene);
}

/* Nothing is deleted for want of a trash. */
static void test_no_trash(void **state)
{
    static const char *const options[] = {"auto", "Missing"};
    for (size_t i = 0; i < G_N_ELEMENTS(options); i++) {
        Scene scene = three_messages(ALL);
        uint64_t inbox = mount_with(&scene, state, EXPUNGE_NOW, (char *)options[i]);
        assert_int_equal(named_unlink(scene.fs, inbox, file[1]), 0);
        assert_int_equal(named_fsyncdir(scene.fs, inbox), EACCES);
        assert_left(scene.fs, inbox, 1 << 1 | 1 << 2 | 1 << 3);
        assert_int_equal(server_messages(&scene), 3);
        assert_int_equal(warnings, 1 + (int)i);
        scene_end(&scene);
    }
}

/* What will not get better with time brings the message back, and is told once. */
static void test_refused(void **state)
{
    Scene scene = three_messages(ALL);
    uint64_t inbox = mount_with(&scene, state, EXPUNGE_NOW, NULL);
    fake_fail(scene.server, FAKE_REMOVE, EROFS, 1);
    assert_int_equal(named_unlink(scene.fs, inbox, file[1]), 0);
    assert_int_equal(named_unlink(scene.fs, inbox, file[2]), 0);
    assert_int_equal(named_fsyncdir(scene.fs, inbox), EROFS);
    assert_left(scene.fs, inbox, 1 << 1 | 1 << 2 | 1 << 3);
    assert_int_equal(warnings, 1);
    fs_unmount(scene.fs);
    inbox = mount_with(&scene, state, EXPUNGE_NOW, NULL);
    assert_left(scene.fs, inbox, 1 << 1 | 1 << 2 | 1 << 3);
    assert_removals(scene.server, "");
    scene_end(&scene);
}

/* A folder that fails does not keep another waiting, nor what is to be expunged at the end; one
 * that is gone is found to be. */
static void test_other_folder_fails(void **state)
{
    Scene scene = three_messages(ALL);
    FakeFolder *other = fake_folder(scene.server, "Other");
    fake_add(scene.server, other, 1, 10, 10);
    uint64_t inbox = mount_with(&scene, state, EXPUNGE_UNMOUNT, NULL);
    uint64_t folder = fs_folder(scene.fs, FUSE_ROOT_ID, "Other");
    assert_int_equal(fs_list_first(scene.fs, folder), 0);
    fake_fail(scene.server, FAKE_MARK, ENOENT, 1);
    assert_int_equal(named_unlink(scene.fs, folder, file[1]), 0);
    assert_int_equal(named_unlink(scene.fs, inbox, file[1]), 0);
    guint lists = fake_started(scene.server, FAKE_LIST);
    assert_int_equal(named_fsyncdir(scene.fs, inbox), ENOENT);
    assert_removals(scene.server, "m1;"); /* one of them, whichever came first */
    assert_int_equal(fake_started(scene.server, FAKE_LIST), lists + 1);
    fake_fail(scene.server, FAKE_MARK, EREMOTEIO, 1);
    assert_int_equal(named_unlink(scene.fs, inbox, file[2]), 0);
    assert_int_equal(named_fsyncdir(scene.fs, inbox), EREMOTEIO);
    fs_call_async(scene.fs, finish_now);
    assert_int_equal(server_messages(&scene) + other->messages->len, 1);
    scene_end(&scene);
}

/* What is left of another mount is not touched by one that may change nothing, and not lost. */
static void test_read_only(void **state)
{
    Scene scene = three_messages(ALL);
    uint64_t inbox = mount_with(&scene, state, EXPUNGE_NOW, NULL);
    fake_fail(scene.server, FAKE_REMOVE, ENOTCONN, 1);
    assert_int_equal(named_unlink(scene.fs, inbox, file[1]), 0);
    assert_int_equal(named_fsyncdir(scene.fs, inbox), ENOTCONN);
    fs_unmount(scene.fs);
    scene.fs = fs_prepare(scene.server);
    scene.fs->options.read_only = true;
    fs_begin(scene.fs, *state);
    inbox = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
    assert_left(scene.fs, inbox, 1 << 2 | 1 << 3);
    assert_int_equal(named_fsyncdir(scene.fs, inbox), 0);
    fs_call_async(scene.fs, finish_now);
    assert_removals(scene.server, "");
    fs_unmount(scene.fs);
    inbox = mount_with(&scene, state, EXPUNGE_NOW, NULL);
    assert_int_equal(named_fsyncdir(scene.fs, inbox), 0);
    assert_removals(scene.server, "1;");
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_for_good),     TEST_IN_DIRECTORY(test_at_unmount),
        TEST_IN_DIRECTORY(test_plain_server), TEST_IN_DIRECTORY(test_others_are_marked),
        TEST_IN_DIRECTORY(test_never),        TEST_IN_DIRECTORY(test_marked_by_another),
        TEST_IN_DIRECTORY(test_trash),        TEST_IN_DIRECTORY(test_trash_by_use),
        TEST_IN_DIRECTORY(test_no_trash),     TEST_IN_DIRECTORY(test_refused),
        TEST_IN_DIRECTORY(test_read_only),    TEST_IN_DIRECTORY(test_other_folder_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
