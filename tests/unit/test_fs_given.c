/* Files that have the names that users gave to messages: each has one name, each name one file. */
#include "../../fs/filename.h"
#include "fs_named.h"

typedef struct {
    uint32_t folder, uid;
    const char *name;
} Gift;

static Gift gift;

static void give_now(Fs *fs)
{
    g_autoptr(GError) error = NULL;
    catalog_give_name(fs->mount.catalog, gift.folder, gift.uid, gift.name, &error);
    fs_call_done(fs, error);
}

static uint32_t inbox_id(const Fs *fs)
{
    return inode_of(fs_message(fs, "INBOX", 1)).folder;
}

static void give(Fs *fs, uint32_t uid, const char *name)
{
    gift = (Gift){inbox_id(fs), uid, name};
    fs_call_async(fs, give_now);
}

static const char *usual(uint32_t uid)
{
    static char name[NAMES_MESSAGE_MAX];
    names_message(fake_date(uid), uid, name);
    return name;
}

static const char *other(uint32_t uid, unsigned n)
{
    static char name[NAMES_MESSAGE_MAX];
    names_message_other(fake_date(uid), uid, n, name);
    return name;
}

/* Takes text. */
static void assert_listed(Fs *fs, uint64_t inbox, char *text)
{
    g_autofree char *expected = text, *names = fs_names(fs, inbox);
    assert_string_equal(names, expected);
}

static Scene three_messages(void)
{
    Scene scene = scene_new();
    for (uint32_t uid = 1; uid <= 3; uid++)
        fake_add(scene.server, scene.inbox, uid, 10, 10);
    return scene;
}

static void look_again(Scene *scene, uint64_t inbox)
{
    refresh_stale(scene->fs->mount.refresher, inode_of(inbox).folder);
    assert_int_equal(fs_opendir(scene->fs, inbox), 0);
}

static void test_one_name(void **state)
{
    Scene scene = three_messages();
    uint64_t inbox = scene_mount(&scene, state);
    give(scene.fs, 2, "letter");
    assert_found(scene.fs, inbox, "letter", 2);
    assert_missing(scene.fs, inbox, usual(2));
    g_autofree char *first = g_strdup(usual(1));
    assert_listed(scene.fs, inbox, g_strdup_printf("%s letter %s ", first, usual(3)));
    give(scene.fs, 2, "note");
    assert_missing(scene.fs, inbox, "letter");
    assert_found(scene.fs, inbox, "note", 2);
    scene_end(&scene);
}

/* It is the same after a remount, and gone with its message. */
static void test_remount(void **state)
{
    Scene scene = three_messages();
    scene_mount(&scene, state);
    give(scene.fs, 2, "letter");
    fs_unmount(scene.fs);
    uint64_t inbox = scene_mount(&scene, state);
    assert_found(scene.fs, inbox, "letter", 2);
    fake_lock(scene.server);
    fake_drop(scene.inbox, fake_with_uid(scene.inbox, 2));
    fake_unlock(scene.server);
    look_again(&scene, inbox);
    assert_missing(scene.fs, inbox, "letter");
    give(scene.fs, 3, "letter");
    assert_found(scene.fs, inbox, "letter", 3);
    scene_end(&scene);
}

/* A message comes, and another has its usual name. */
static void test_usual_name_is_taken(void **state)
{
    Scene scene = three_messages();
    uint64_t inbox = scene_mount(&scene, state);
    g_autofree char *fourth = g_strdup(usual(4)), *fifth = g_strdup(other(4, 2));
    give(scene.fs, 1, fourth);
    give(scene.fs, 2, fifth);
    fake_add(scene.server, scene.inbox, 4, 10, 10);
    look_again(&scene, inbox);
    assert_found(scene.fs, inbox, fourth, 1);
    assert_found(scene.fs, inbox, fifth, 2);
    assert_found(scene.fs, inbox, other(4, 3), 4);
    assert_missing(scene.fs, inbox, other(4, 4));
    g_autofree char *third = g_strdup(usual(3));
    assert_listed(scene.fs, inbox,
                  g_strdup_printf("%s %s %s %s ", fourth, fifth, third, other(4, 3)));
    give(scene.fs, 1, "x");
    assert_found(scene.fs, inbox, fourth, 4);
    assert_missing(scene.fs, inbox, other(4, 3));
    scene_end(&scene);
}

/* The kernel is told by which name a message is gone that had one of its own. */
static void test_kernel_hears_of_it(void **state)
{
    Scene scene = three_messages();
    uint64_t inbox = scene_mount(&scene, state);
    give(scene.fs, 1, usual(3));
    give(scene.fs, 2, "letter");
    fake_lock(scene.server);
    fake_drop(scene.inbox, fake_with_uid(scene.inbox, 1));
    fake_drop(scene.inbox, fake_with_uid(scene.inbox, 2));
    fake_unlock(scene.server);
    look_again(&scene, inbox);
    fs_await_note(scene.fs, FUSE_NOTIFY_DELETE, "letter");
    fs_await_note(scene.fs, FUSE_NOTIFY_DELETE, usual(3));
    fs_await_note(scene.fs, FUSE_NOTIFY_INVAL_ENTRY, other(3, 2));
    assert_found(scene.fs, inbox, usual(3), 3);
    scene_end(&scene);
}

/* A folder comes that is called so: it has the name, and the message its usual one. */
static void test_folder_takes_the_name(void **state)
{
    Scene scene = three_messages();
    uint64_t inbox = scene_mount(&scene, state);
    struct fuse_entry_out entry;
    give(scene.fs, 2, "Work");
    assert_found(scene.fs, inbox, "Work", 2);
    fake_folder(scene.server, "INBOX/Work");
    refresh_stale(scene.fs->mount.refresher, 0);
    assert_int_equal(fs_lookup(scene.fs, FUSE_ROOT_ID, "x", &entry), ENOENT);
    fs_await_note(scene.fs, FUSE_NOTIFY_INVAL_ENTRY, "Work");
    assert_int_equal(fs_lookup(scene.fs, inbox, "Work", &entry), 0);
    assert_true(S_ISDIR(entry.attr.mode));
    assert_found(scene.fs, inbox, usual(2), 2);
    g_autofree char *first = g_strdup(usual(1)), *second = g_strdup(usual(2));
    assert_listed(scene.fs, inbox, g_strdup_printf("Work %s %s %s ", first, second, usual(3)));
    scene_end(&scene);
}

static void test_check(void **state)
{
    Scene scene = three_messages();
    fake_folder(scene.server, "INBOX/Work");
    scene_mount(&scene, state);
    const Mount *mount = &scene.fs->mount;
    uint32_t folder = inbox_id(scene.fs);
    give(scene.fs, 2, "letter");
    give(scene.fs, 9, "yet to come");
    assert_int_equal(filename_check_given(mount, folder, 1, "x"), 0);
    assert_int_equal(filename_check_given(mount, folder, 1, "letter"), EEXIST);
    assert_int_equal(filename_check_given(mount, folder, 2, "letter"), 0);
    assert_int_equal(filename_check_given(mount, folder, 1, usual(3)), EEXIST);
    assert_int_equal(filename_check_given(mount, folder, 1, usual(2)), 0);
    assert_int_equal(filename_check_given(mount, folder, 1, usual(1)), 0);
    assert_int_equal(filename_check_given(mount, folder, 1, "Work"), EEXIST);
    assert_int_equal(filename_check_given(mount, folder, 1, "yet to come"), EEXIST);
    assert_int_equal(filename_check_given(mount, folder, 1, ".headers"), EPERM);
    scene_end(&scene);
}

/* A name that is given ahead of its message is a reason to look for it. */
static void test_looked_for(void **state)
{
    Scene scene = three_messages();
    uint64_t inbox = scene_mount(&scene, state);
    give(scene.fs, 4, "new");
    fake_add(scene.server, scene.inbox, 4, 10, 10);
    refresh_stale(scene.fs->mount.refresher, inbox_id(scene.fs));
    assert_found(scene.fs, inbox, "new", 4);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_one_name),
        TEST_IN_DIRECTORY(test_remount),
        TEST_IN_DIRECTORY(test_usual_name_is_taken),
        TEST_IN_DIRECTORY(test_kernel_hears_of_it),
        TEST_IN_DIRECTORY(test_folder_takes_the_name),
        TEST_IN_DIRECTORY(test_check),
        TEST_IN_DIRECTORY(test_looked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
