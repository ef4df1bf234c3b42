#include "fs_harness.h"

static char *name_of(uint32_t uid)
{
    char *name = g_malloc(NAMES_MESSAGE_MAX);
    names_message(fake_date(uid), uid, name);
    return name;
}

/* --- lookup ----------------------------------------------------------------------------------- */

static void test_lookup_message(void **state)
{
    Scene scene = scene_new();
    struct fuse_entry_out entry;
    g_autofree char *name = name_of(7);
    fake_add(scene.server, scene.inbox, 7, 300, 700);
    scene.fs = fs_mount(scene.server, *state);
    uint64_t inbox = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
    /* Not known yet: the folder is asked. */
    assert_int_equal(fs_lookup(scene.fs, inbox, name, &entry), 0);
    assert_int_equal(entry.nodeid, fs_message(scene.fs, "INBOX", 7));
    assert_int_equal(entry.attr.ino, entry.nodeid);
    assert_int_equal(entry.attr.size, 1000);
    assert_int_equal(entry.attr.mode, S_IFREG | 0600);
    assert_int_equal(entry.attr.mtime, fake_date(7));
    assert_int_equal(entry.entry_valid, 86400);
    assert_int_equal(entry.attr_valid, 86400);
    assert_int_equal(fake_started(scene.server, FAKE_FETCH), 0);
    scene_end(&scene);
}

static void test_lookup_needs_the_very_name(void **state)
{
    Scene scene = scene_new();
    struct fuse_entry_out entry;
    fake_add(scene.server, scene.inbox, 7, 300, 700);
    uint64_t inbox = scene_mount(&scene, state);
    static const char *const names[] = {
        "20231114-222019-7.eml",
        "20231114-222021-7.eml",
        "20231114-222020-8.eml",
        "20231114-222020-07.eml",
        "20231114-222020-7.EML",
        "7",
        "..",
        ".",
        "INBOX",
        "",
    };
    g_autofree char *right = name_of(7);
    assert_string_equal(right, "20231114-222020-7.eml");
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        assert_int_equal(fs_lookup(scene.fs, inbox, names[i], &entry), ENOENT);
    assert_int_equal(fs_lookup(scene.fs, FUSE_ROOT_ID, right, &entry), ENOENT);
    assert_int_equal(fs_lookup(scene.fs, fs_message(scene.fs, "INBOX", 7), "x", &entry), ENOENT);
    fake_assert_idle(scene.server);
    scene_end(&scene);
}

static void test_lookup_folders(void **state)
{
    Scene scene = scene_new();
    struct fuse_entry_out entry;
    fake_folder(scene.server, "a/b");
    FakeFolder *late = NULL;
    scene_mount(&scene, state);
    uint64_t a = fs_folder(scene.fs, FUSE_ROOT_ID, "a");
    assert_int_equal(fs_lookup(scene.fs, a, "b", &entry), 0);
    assert_int_equal(entry.attr.mode, S_IFDIR | 0700);
    assert_int_equal(entry.attr.nlink, 2);
    /* One that appears is found as soon as the list is not fresh any more. */
    late = fake_folder(scene.server, "a/late");
    assert_int_equal(fs_lookup(scene.fs, a, "late", &entry), ENOENT);
    refresh_stale(scene.fs->mount.refresher, 0);
    assert_int_equal(fs_lookup(scene.fs, a, "late", &entry), 0);
    /* A message's name below a folder that holds none asks nobody. */
    fake_forget(scene.server);
    assert_int_equal(fs_lookup(scene.fs, a, "20231114-222020-7.eml", &entry), ENOENT);
    fake_assert_idle(scene.server);
    assert_non_null(late);
    scene_end(&scene);
}

static void test_hidden(void **state)
{
    Scene scene = scene_new();
    struct fuse_entry_out entry;
    uint64_t inbox = scene_mount(&scene, state);
    assert_int_equal(fs_lookup(scene.fs, FUSE_ROOT_ID, ".pullmail", &entry), 0);
    uint64_t hidden = entry.nodeid;
    assert_int_equal(entry.attr.mode, S_IFDIR | 0500);
    assert_int_equal(fs_lookup(scene.fs, hidden, "status", &entry), 0);
    assert_int_equal(entry.attr.mode, S_IFREG | 0400);
    assert_int_equal(fs_lookup(scene.fs, hidden, "nothing", &entry), ENOENT);
    assert_int_equal(fs_lookup(scene.fs, hidden, ".pullmail", &entry), ENOENT);
    assert_int_equal(fs_lookup(scene.fs, inbox, ".pullmail", &entry), ENOENT);
    assert_int_equal(fs_opendir(scene.fs, hidden), 0);
    g_autofree char *root = fs_names(scene.fs, FUSE_ROOT_ID);
    assert_string_equal(root, "INBOX ");
    g_autoptr(GArray) inside = fs_list(scene.fs, hidden, false, 4096);
    assert_int_equal(inside->len, 0);
    scene_end(&scene);
}

/* --- getattr, opendir --------------------------------------------------------------------------
 */

static void test_getattr(void **state)
{
    Scene scene = scene_new();
    struct fuse_attr_out out;
    fake_add(scene.server, scene.inbox, 7, 300, 700);
    uint64_t inbox = scene_mount(&scene, state);
    assert_int_equal(fs_getattr(scene.fs, FUSE_ROOT_ID, &out), 0);
    assert_int_equal(out.attr.ino, FUSE_ROOT_ID);
    assert_int_equal(out.attr.nlink, 3);
    assert_int_equal(fs_getattr(scene.fs, inbox, &out), 0);
    assert_int_equal(out.attr.mtime, fake_date(7));
    assert_int_equal(out.attr_valid, 3600);
    assert_int_equal(fs_getattr(scene.fs, fs_message(scene.fs, "INBOX", 7), &out), 0);
    assert_int_equal(out.attr.size, 1000);
    assert_int_equal(out.attr_valid, 86400);
    assert_int_equal(fs_getattr(scene.fs, fs_message(scene.fs, "INBOX", 8), &out), ESTALE);
    assert_int_equal(fs_getattr(scene.fs, inode_number(INODE_FOLDER, 999, 0), &out), ESTALE);
    assert_int_equal(fs_getattr(scene.fs, UINT64_MAX, &out), ESTALE);
    assert_int_equal(fs_opendir(scene.fs, inode_number(INODE_FOLDER, 999, 0)), ESTALE);
    fake_assert_idle(scene.server);
    scene_end(&scene);
}

/* Reading a directory of which nothing is known waits for the server; and says why it can't. */
static void test_opendir_waits(void **state)
{
    Scene scene = scene_new();
    fake_add(scene.server, scene.inbox, 1, 300, 700);
    scene.fs = fs_mount(scene.server, *state);
    uint64_t inbox = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
    fake_hold(scene.server, true);
    uint64_t unique = fs_send_open(scene.fs, FUSE_OPENDIR, inbox, O_RDONLY);
    fake_await(scene.server, FAKE_SYNC, 1);
    assert_false(fs_is_replied(scene.fs, unique));
    fake_hold(scene.server, false);
    assert_int_equal(fs_error(scene.fs, unique), 0);
    while (!refresh_is_fresh(scene.fs->mount.refresher, inode_of(inbox).folder))
        fs_settle(scene.fs);
    refresh_stale(scene.fs->mount.refresher, inode_of(inbox).folder);
    fake_fail(scene.server, FAKE_SYNC, EACCES, 1);
    assert_int_equal(fs_opendir(scene.fs, inbox), EACCES);
    scene_end(&scene);
}

/* --- reading directories ------------------------------------------------------------------------
 */

static void test_listing(void **state)
{
    Scene scene = scene_new();
    fake_folder(scene.server, "INBOX/z");
    fake_folder(scene.server, "INBOX/a");
    for (uint32_t uid = 3; uid > 0; uid--)
        fake_add(scene.server, scene.inbox, uid * 100, 300, uid);
    uint64_t inbox = scene_mount(&scene, state);
    g_autoptr(GArray) plain = fs_list(scene.fs, inbox, false, 4096);
    g_autoptr(GArray) plus = fs_list(scene.fs, inbox, true, 4096);
    static const char *const names[] = {
        ".",
        "..",
        "z",
        "a",
        "20231114-221500-100.eml",
        "20231114-221640-200.eml",
        "20231114-221820-300.eml",
    };
    assert_int_equal(plain->len, 7);
    assert_int_equal(plus->len, 7);
    for (guint i = 0; i < 7; i++) {
        const FsEntry *one = &g_array_index(plain, FsEntry, i);
        const FsEntry *other = &g_array_index(plus, FsEntry, i);
        assert_string_equal(one->name, other->name);
        assert_int_equal(one->ino, other->ino);
        assert_int_equal(one->offset, other->offset);
        assert_int_equal(one->type, i < 4 ? DT_DIR : DT_REG);
        /* The dots are not looked up: the kernel must not take a reference. */
        assert_int_equal(other->nodeid, i < 2 ? 0 : other->ino);
        if (i >= 4)
            assert_int_equal(other->size, 300 + i - 3);
    }
    for (guint i = 0; i < 7; i++) {
        if (i < 4)
            assert_string_equal(g_array_index(plain, FsEntry, i).name, names[i]);
        else
            assert_non_null(strstr(g_array_index(plain, FsEntry, i).name, ".eml"));
    }
    assert_int_equal(g_array_index(plain, FsEntry, 0).ino, inbox);
    assert_int_equal(g_array_index(plain, FsEntry, 1).ino, FUSE_ROOT_ID);
    fake_assert_idle(scene.server);
    scene_end(&scene);
}

/* What readdirplus tells is what lookup would. */
static void test_plus_is_lookup(void **state)
{
    Scene scene = scene_new();
    fake_folder(scene.server, "INBOX/a");
    fake_add(scene.server, scene.inbox, 1, 300, 700);
    uint64_t inbox = scene_mount(&scene, state);
    g_autoptr(GArray) entries = fs_list(scene.fs, inbox, true, 4096);
    for (guint i = 2; i < entries->len; i++) {
        const FsEntry *listed = &g_array_index(entries, FsEntry, i);
        struct fuse_entry_out found;
        assert_int_equal(fs_lookup(scene.fs, inbox, listed->name, &found), 0);
        assert_int_equal(found.nodeid, listed->nodeid);
        assert_int_equal(found.attr.size, listed->size);
    }
    scene_end(&scene);
}

/* Whatever the buffer's size, all come, each once; a buffer for nothing brings nothing. */
static void test_small_buffers(void **state)
{
    static const size_t sizes[] = {184, 256, 333, 1000, 4096, 65536};
    Scene scene = scene_new();
    for (uint32_t i = 0; i < 30; i++) {
        g_autofree char *name = g_strdup_printf("INBOX/folder %u", i);
        fake_folder(scene.server, name);
    }
    for (uint32_t uid = 1; uid <= 150; uid++)
        fake_add(scene.server, scene.inbox, uid, 10, 10);
    uint64_t inbox = scene_mount(&scene, state);
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        for (int plus = 0; plus < 2; plus++) {
            g_autoptr(GArray) entries = fs_list(scene.fs, inbox, plus, sizes[i]);
            g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
            assert_int_equal(entries->len, 2 + 30 + 150);
            for (guint n = 0; n < entries->len; n++)
                assert_true(g_hash_table_add(seen, g_array_index(entries, FsEntry, n).name));
        }
    }
    g_autoptr(GArray) none = g_array_new(FALSE, FALSE, sizeof(FsEntry));
    assert_int_equal(fs_readdir(scene.fs, inbox, false, 0, 16, none), 0);
    assert_int_equal(none->len, 0);
    scene_end(&scene);
}

typedef struct {
    Scene *scene;
    uint64_t inbox;
    GArray *seen; /* FsEntry */
} Walk;

static void look_again(Walk *walk)
{
    refresh_stale(walk->scene->fs->mount.refresher, 0);
    refresh_stale(walk->scene->fs->mount.refresher, inode_of(walk->inbox).folder);
    assert_int_equal(fs_opendir(walk->scene->fs, walk->inbox), 0);
    assert_int_equal(fs_opendir(walk->scene->fs, FUSE_ROOT_ID), 0);
}

static unsigned times_seen(const Walk *walk, const char *name)
{
    unsigned n = 0;
    for (guint i = 0; i < walk->seen->len; i++)
        n += strcmp(g_array_index(walk->seen, FsEntry, i).name, name) == 0;
    return n;
}

/*
 * Between two calls messages and folders come and go, at, behind and ahead of the position: what
 * was there all the time is listed exactly once, and nothing twice.
 */
static void test_positions_stay_right(void **state)
{
    for (int plus = 0; plus < 2; plus++) {
        Scene scene = scene_new();
        FakeFolder *goes = NULL;
        for (uint32_t i = 0; i < 20; i++) {
            g_autofree char *name = g_strdup_printf("INBOX/f%02u", i);
            FakeFolder *folder = fake_folder(scene.server, name);
            goes = i == 10 ? folder : goes;
        }
        for (uint32_t uid = 10; uid <= 1000; uid += 10)
            fake_add(scene.server, scene.inbox, uid, 10, 10);
        g_autofree char *directory = g_strdup_printf("%s/%d", (char *)*state, plus);
        g_mkdir(directory, 0700);
        scene.fs = fs_mount(scene.server, directory);
        Walk walk = {&scene, fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX"),
                     g_array_new(FALSE, FALSE, sizeof(FsEntry))};
        assert_int_equal(fs_opendir(scene.fs, walk.inbox), 0);
        uint64_t offset = 0;
        for (unsigned round = 0;; round++) {
            guint before = walk.seen->len;
            assert_int_equal(fs_readdir(scene.fs, walk.inbox, plus, offset, 1000, walk.seen), 0);
            if (walk.seen->len == before)
                break;
            const FsEntry *last = &g_array_index(walk.seen, FsEntry, walk.seen->len - 1);
            offset = last->offset;
            uint32_t uid = inode_of(last->ino).uid;
            if (round == 0) {
                fake_drop_folder(scene.server, goes);
                fake_folder(scene.server, "INBOX/new");
            }
            if (uid && uid % 10 == 0 && uid < 900) {
                fake_remove(scene.server, scene.inbox, uid);        /* where we are */
                fake_remove(scene.server, scene.inbox, uid - 20);   /* behind */
                fake_remove(scene.server, scene.inbox, uid + 50);   /* ahead */
                fake_add(scene.server, scene.inbox, uid + 5, 1, 1); /* just ahead */
                fake_add(scene.server, scene.inbox, uid - 5, 1, 1); /* just behind */
            }
            look_again(&walk);
        }
        for (guint i = 0; i < walk.seen->len; i++)
            assert_int_equal(times_seen(&walk, g_array_index(walk.seen, FsEntry, i).name), 1);
        /* All that are there now, but for those added behind, and none that was there throughout
         * is missing. */
        for (guint i = 0; i < scene.inbox->messages->len; i++) {
            const FakeMessage *message = scene.inbox->messages->pdata[i];
            g_autofree char *name = name_of(message->uid);
            if (message->uid % 10 == 0 && times_seen(&walk, name) != 1)
                fail_msg("%s was skipped", name);
        }
        for (uint32_t i = 0; i < 20; i++) {
            g_autofree char *name = g_strdup_printf("f%02u", i);
            if (i != 10)
                assert_int_equal(times_seen(&walk, name), 1);
        }
        g_array_unref(walk.seen);
        scene_end(&scene);
    }
}

/* The last message's position, and one beyond all. */
static void test_positions_at_the_end(void **state)
{
    Scene scene = scene_new();
    fake_add(scene.server, scene.inbox, UINT32_MAX - 1, 10, 10);
    fake_add(scene.server, scene.inbox, UINT32_MAX, 10, 10);
    uint64_t inbox = scene_mount(&scene, state);
    g_autoptr(GArray) entries = fs_list(scene.fs, inbox, false, 200);
    assert_int_equal(entries->len, 4);
    g_autoptr(GArray) none = g_array_new(FALSE, FALSE, sizeof(FsEntry));
    assert_int_equal(fs_readdir(scene.fs, inbox, false, INT64_MAX, 4096, none), 0);
    assert_int_equal(none->len, 0);
    scene_end(&scene);
}

/* The folder is made anew between two calls. */
static void test_listing_a_folder_that_is_gone(void **state)
{
    Scene scene = scene_new();
    fake_add(scene.server, scene.inbox, 1, 10, 10);
    uint64_t inbox = scene_mount(&scene, state);
    g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(FsEntry));
    fake_remake(scene.server, scene.inbox, 555);
    refresh_stale(scene.fs->mount.refresher, inode_of(inbox).folder);
    assert_int_equal(fs_opendir(scene.fs, inbox), ESTALE);
    assert_int_equal(fs_readdir(scene.fs, inbox, false, 0, 4096, entries), ESTALE);
    assert_int_equal(entries->len, 0);
    scene_end(&scene);
}

/* --- a folder as the mount's root ----------------------------------------------------------------
 */

static void test_root_is_a_folder(void **state)
{
    Scene scene = scene_new();
    static char root[] = "INBOX";
    struct fuse_entry_out entry;
    fake_folder(scene.server, "other");
    fake_folder(scene.server, "INBOX/below");
    fake_add(scene.server, scene.inbox, 7, 300, 700);
    scene.fs = fs_prepare(scene.server);
    scene.fs->options.url.folder = root;
    fs_begin(scene.fs, *state);
    assert_int_equal(fs_opendir(scene.fs, FUSE_ROOT_ID), 0);
    g_autofree char *names = fs_names(scene.fs, FUSE_ROOT_ID);
    assert_string_equal(names, "below 20231114-222020-7.eml ");
    assert_int_equal(fs_lookup(scene.fs, FUSE_ROOT_ID, "other", &entry), ENOENT);
    assert_int_equal(fs_lookup(scene.fs, FUSE_ROOT_ID, "INBOX", &entry), ENOENT);
    assert_int_equal(fs_lookup(scene.fs, FUSE_ROOT_ID, "..", &entry), ENOENT);
    assert_int_equal(fs_lookup(scene.fs, FUSE_ROOT_ID, "20231114-222020-7.eml", &entry), 0);
    assert_int_equal(fs_lookup(scene.fs, FUSE_ROOT_ID, ".pullmail", &entry), 0);
    g_autoptr(GArray)
        below = fs_list(scene.fs, fs_folder(scene.fs, FUSE_ROOT_ID, "below"), false, 4096);
    assert_int_equal(g_array_index(below, FsEntry, 1).ino, FUSE_ROOT_ID);
    /* It is made anew: the root is the new one. */
    fake_remake(scene.server, scene.inbox, 555);
    fake_add(scene.server, scene.inbox, 8, 1, 1);
    refresh_stale(scene.fs->mount.refresher, tree_root(scene.fs->mount.tree));
    assert_int_equal(fs_opendir(scene.fs, FUSE_ROOT_ID), 0);
    g_autofree char *again = fs_names(scene.fs, FUSE_ROOT_ID);
    assert_string_equal(again, "below 20231114-222120-8.eml ");
    scene_end(&scene);
}

/* --- what the kernel may keep of a directory ---------------------------------------------------
 */

static struct fuse_open_out open_directory(Fs *fs, uint64_t ino)
{
    struct fuse_open_out out;
    size_t size;
    uint64_t unique = fs_send_open(fs, FUSE_OPENDIR, ino, O_RDONLY | O_DIRECTORY);
    assert_int_equal(fs_error(fs, unique), 0);
    const void *body = fs_body(fs, unique, &size);
    assert_int_equal(size, sizeof out);
    memcpy(&out, body, size);
    return out;
}

static void close_directory(Fs *fs, uint64_t ino, uint64_t fh)
{
    struct fuse_release_in in = {.fh = fh};
    assert_int_equal(fs_error(fs, fs_send(fs, FUSE_RELEASEDIR, ino, &in, sizeof in, NULL, 0)), 0);
}

static uint32_t directory_flags(Fs *fs, uint64_t ino)
{
    struct fuse_open_out out = open_directory(fs, ino);
    close_directory(fs, ino, out.fh);
    return out.open_flags;
}

static void make_stale(const Scene *scene, uint64_t ino)
{
    refresh_stale(scene->fs->mount.refresher, inode_of(ino).folder);
}

static void test_a_directory_is_kept_until_it_changes(void **state)
{
    enum { READ = FOPEN_CACHE_DIR, KEPT = FOPEN_CACHE_DIR | FOPEN_KEEP_CACHE };
    Scene scene = scene_new();
    fake_add(scene.server, scene.inbox, 1, 300, 700);
    scene.fs = fs_mount(scene.server, *state);
    uint64_t inbox = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
    /* While it is listed for the first time nothing is kept. */
    fake_hold(scene.server, true);
    uint64_t first = fs_send_open(scene.fs, FUSE_OPENDIR, inbox, O_RDONLY | O_DIRECTORY);
    fake_hold(scene.server, false);
    assert_int_equal(fs_error(scene.fs, first), 0);
    fs_message(scene.fs, "INBOX", 1);
    while (!refresh_is_fresh(scene.fs->mount.refresher, inode_of(inbox).folder))
        fs_settle(scene.fs);
    close_directory(scene.fs, inbox,
                    ((const struct fuse_open_out *)fs_body(scene.fs, first, &(size_t){0}))->fh);
    assert_int_equal(directory_flags(scene.fs, inbox), READ);
    assert_int_equal(directory_flags(scene.fs, inbox), KEPT);
    /* A look that finds nothing new, or other flags alone, changes nothing. */
    make_stale(&scene, inbox);
    assert_int_equal(directory_flags(scene.fs, inbox), KEPT);
    fake_add(scene.server, scene.inbox, 2, 300, 700);
    make_stale(&scene, inbox);
    assert_int_equal(directory_flags(scene.fs, inbox), READ);
    assert_int_equal(directory_flags(scene.fs, inbox), KEPT);
    fake_remove(scene.server, scene.inbox, 1);
    make_stale(&scene, inbox);
    /* Who began before it may still be reading: then nothing is kept of what others read. */
    struct fuse_open_out old = open_directory(scene.fs, inbox);
    assert_int_equal(old.open_flags, READ);
    fake_add(scene.server, scene.inbox, 3, 300, 700);
    make_stale(&scene, inbox);
    assert_int_equal(directory_flags(scene.fs, inbox), 0);
    assert_int_equal(directory_flags(scene.fs, inbox), 0);
    close_directory(scene.fs, inbox, old.fh);
    assert_int_equal(directory_flags(scene.fs, inbox), READ);
    assert_int_equal(directory_flags(scene.fs, inbox), KEPT);
    /* So it is with folders. */
    assert_int_equal(directory_flags(scene.fs, FUSE_ROOT_ID), READ);
    assert_int_equal(directory_flags(scene.fs, FUSE_ROOT_ID), KEPT);
    fake_folder(scene.server, "other");
    refresh_stale(scene.fs->mount.refresher, 0);
    assert_int_equal(directory_flags(scene.fs, FUSE_ROOT_ID), READ);
    refresh_stale(scene.fs->mount.refresher, 0);
    assert_int_equal(directory_flags(scene.fs, FUSE_ROOT_ID), KEPT);
    scene_end(&scene);
}

static unsigned with_attributes(const GArray *entries)
{
    unsigned n = 0;
    for (guint i = 0; i < entries->len; i++)
        n += g_array_index(entries, FsEntry, i).nodeid != 0;
    return n;
}

/* In a large folder messages come with attributes only to those who look them up as well. */
static void test_attributes_in_a_large_folder(void **state)
{
    Scene scene = scene_new();
    struct fuse_entry_out entry;
    for (uint32_t uid = 1; uid <= 20001; uid++)
        fake_add(scene.server, scene.inbox, uid, 1, 1);
    uint64_t inbox = scene_mount(&scene, state);
    g_autoptr(GArray) bare = g_array_new(FALSE, FALSE, sizeof(FsEntry));
    g_autoptr(GArray) full = g_array_new(FALSE, FALSE, sizeof(FsEntry));
    g_autoptr(GArray) again = g_array_new(FALSE, FALSE, sizeof(FsEntry));
    assert_int_equal(fs_readdir(scene.fs, inbox, true, 0, 65536, bare), 0);
    assert_true(bare->len > 100);
    assert_int_equal(with_attributes(bare), 0);
    g_autofree char *name = name_of(5);
    assert_int_equal(fs_lookup(scene.fs, inbox, name, &entry), 0);
    assert_int_equal(fs_readdir(scene.fs, inbox, true, 0, 65536, full), 0);
    assert_int_equal(with_attributes(full), full->len - 2);
    assert_int_equal(fs_readdir(scene.fs, inbox, true, 0, 65536, again), 0);
    assert_int_equal(with_attributes(again), 0);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_attributes_in_a_large_folder),
        TEST_IN_DIRECTORY(test_a_directory_is_kept_until_it_changes),
        TEST_IN_DIRECTORY(test_lookup_message),
        TEST_IN_DIRECTORY(test_lookup_needs_the_very_name),
        TEST_IN_DIRECTORY(test_lookup_folders),
        TEST_IN_DIRECTORY(test_hidden),
        TEST_IN_DIRECTORY(test_getattr),
        TEST_IN_DIRECTORY(test_opendir_waits),
        TEST_IN_DIRECTORY(test_listing),
        TEST_IN_DIRECTORY(test_plus_is_lookup),
        TEST_IN_DIRECTORY(test_small_buffers),
        TEST_IN_DIRECTORY(test_positions_stay_right),
        TEST_IN_DIRECTORY(test_positions_at_the_end),
        TEST_IN_DIRECTORY(test_listing_a_folder_that_is_gone),
        TEST_IN_DIRECTORY(test_root_is_a_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
