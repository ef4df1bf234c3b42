#include "fs_harness.h"

enum { LIARS = 1000 }; /* UIDs from here on */

/* A kernel that can open files by itself; so many messages with true sizes, unread. */
static void begin(Scene *scene, void **state, unsigned honest, bool can_open)
{
    *scene = scene_new();
    for (uint32_t uid = 1; uid <= honest; uid++)
        fake_add(scene->server, scene->inbox, uid, 30, 70);
    scene->fs = fs_prepare(scene->server);
    if (can_open)
        scene->fs->init.flags |= FUSE_NO_OPEN_SUPPORT;
    fs_begin(scene->fs, *state);
}

static uint64_t inbox_of(Scene *scene)
{
    uint64_t inbox = fs_folder(scene->fs, FUSE_ROOT_ID, "INBOX");
    assert_int_equal(fs_opendir(scene->fs, inbox), 0);
    /* Its first listing is complete. */
    while (!refresh_is_fresh(scene->fs->mount.refresher, inode_of(inbox).folder))
        fs_settle(scene->fs);
    return inbox;
}

static int open_uid(Scene *scene, uint32_t uid)
{
    return fs_open(scene->fs, fs_message(scene->fs, "INBOX", uid));
}

static void read_all(Scene *scene, unsigned honest)
{
    for (uint32_t uid = 1; uid <= honest; uid++)
        assert_int_equal(open_uid(scene, uid), 0);
}

static void test_it_is_earned(void **state)
{
    Scene scene;
    begin(&scene, state, TRUST_AFTER + 2, true);
    inbox_of(&scene);
    read_all(&scene, TRUST_AFTER);
    assert_int_equal(open_uid(&scene, TRUST_AFTER + 1), ENOSYS);
    assert_int_equal(open_uid(&scene, 1), ENOSYS);
    /* Nothing is given out before its size is proved: the read sees to that. */
    uint64_t ino = fs_message(scene.fs, "INBOX", TRUST_AFTER + 2);
    assert_true(fs_reads(scene.fs, ino, 0, 4096, 100));
    uint64_t right, wrong;
    catalog_size_record(scene.fs->mount.catalog, &right, &wrong);
    assert_int_equal(right, TRUST_AFTER + 1);
    scene_end(&scene);
}

static void test_a_kernel_that_must_ask(void **state)
{
    Scene scene;
    begin(&scene, state, TRUST_AFTER + 1, false);
    inbox_of(&scene);
    read_all(&scene, TRUST_AFTER + 1);
    scene_end(&scene);
}

static void test_once_wrong_never_trusted(void **state)
{
    Scene scene;
    begin(&scene, state, TRUST_AFTER + 10, true);
    fake_claim(scene.server, fake_add(scene.server, scene.inbox, LIARS, 30, 70), 99);
    inbox_of(&scene);
    assert_int_equal(open_uid(&scene, LIARS), 0);
    read_all(&scene, TRUST_AFTER + 10);
    scene_end(&scene);
}

static unsigned count_notes(Fs *fs, int code)
{
    unsigned n = 0;
    pthread_mutex_lock(&fs->lock);
    for (guint i = 0; i < fs->notes->len; i++) {
        struct fuse_out_header header;
        memcpy(&header, g_bytes_get_data(fs->notes->pdata[i], NULL), sizeof header);
        n += header.error == code;
    }
    pthread_mutex_unlock(&fs->lock);
    return n;
}

static void await_notes(Fs *fs, int code, unsigned n)
{
    for (int i = 0; i < 12000 && count_notes(fs, code) < n; i++)
        g_usleep(10000);
    assert_int_equal(count_notes(fs, code), n);
}

static uint64_t looked_up_size(Scene *scene, uint64_t inbox, uint32_t uid,
                               struct fuse_entry_out *entry)
{
    char name[NAMES_MESSAGE_MAX];
    names_message(fake_date(uid), uid, name);
    assert_int_equal(fs_lookup(scene->fs, inbox, name, entry), 0);
    return entry->attr.size;
}

/* Trust is lost by the first lie: larger ones are told ahead of the answer, and no attributes are
 * forgotten where the kernel is to correct itself. */
static void test_it_is_lost(void **state)
{
    Scene scene;
    struct fuse_entry_out entry;
    begin(&scene, state, TRUST_AFTER, true);
    for (uint32_t uid = LIARS; uid < LIARS + 6; uid++)
        fake_claim(scene.server, fake_add(scene.server, scene.inbox, uid, 300, 700),
                   uid % 2 ? 900 : 1100);
    uint64_t inbox = inbox_of(&scene);
    read_all(&scene, TRUST_AFTER);
    assert_int_equal(open_uid(&scene, LIARS), ENOSYS);
    /* Trusted, claims are told without a fetch. */
    fake_forget(scene.server);
    assert_int_equal(looked_up_size(&scene, inbox, LIARS, &entry), 1100);
    assert_int_equal(entry.attr_valid, 86400);
    assert_int_equal(fs_size(scene.fs, fs_message(scene.fs, "INBOX", LIARS + 1)), 900);
    fake_assert_idle(scene.server);
    assert_true(fs_reads(scene.fs, fs_message(scene.fs, "INBOX", LIARS), 0, 4096, 1000));
    /* What the kernel reads ahead behind the true end is answered too, if late. */
    assert_true(fs_reads(scene.fs, fs_message(scene.fs, "INBOX", LIARS), 4096, 4096, 1000));
    /* Its own name, and those of the other five. */
    await_notes(scene.fs, FUSE_NOTIFY_INVAL_ENTRY, 6);
    assert_int_equal(count_notes(scene.fs, FUSE_NOTIFY_INVAL_INODE), 1); /* INBOX, once */
    /* From now on they are proved first. */
    g_autoptr(GArray) entries = fs_list(scene.fs, inbox, true, 65536);
    for (guint i = 0; i < entries->len; i++) {
        const FsEntry *each = &g_array_index(entries, FsEntry, i);
        uint32_t uid = inode_of(each->ino).uid;
        assert_int_equal(each->nodeid != 0, uid != 0 && uid <= LIARS);
    }
    assert_int_equal(looked_up_size(&scene, inbox, LIARS + 2, &entry), 1000);
    assert_int_equal(fs_size(scene.fs, fs_message(scene.fs, "INBOX", LIARS + 1)), 1000);
    /* Where the proof can't be had, the claim has to do, for the moment. */
    fake_fail(scene.server, FAKE_FETCH, ETIMEDOUT, 1);
    assert_int_equal(looked_up_size(&scene, inbox, LIARS + 3, &entry), 900);
    assert_int_equal(entry.attr_valid, 0);
    assert_int_equal(entry.entry_valid, 0);
    assert_int_equal(looked_up_size(&scene, inbox, LIARS + 3, &entry), 1000);
    scene_end(&scene);
}

/* The kernel asks for no byte of an empty file: it is no claim to be kept. */
static void test_empty_is_not_believed(void **state)
{
    Scene scene;
    struct fuse_entry_out entry;
    begin(&scene, state, TRUST_AFTER, true);
    fake_claim(scene.server, fake_add(scene.server, scene.inbox, LIARS, 300, 700), 0);
    uint64_t inbox = inbox_of(&scene);
    assert_int_equal(looked_up_size(&scene, inbox, LIARS, &entry), 0);
    assert_int_equal(entry.attr_valid, 0);
    read_all(&scene, TRUST_AFTER);
    assert_int_equal(open_uid(&scene, 1), ENOSYS);
    assert_int_equal(fs_size(scene.fs, fs_message(scene.fs, "INBOX", LIARS)), 1000);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_it_is_earned),
        TEST_IN_DIRECTORY(test_a_kernel_that_must_ask),
        TEST_IN_DIRECTORY(test_once_wrong_never_trusted),
        TEST_IN_DIRECTORY(test_it_is_lost),
        TEST_IN_DIRECTORY(test_empty_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
