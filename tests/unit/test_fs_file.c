#include "fs_harness.h"

static uint64_t open_status(Fs *fs, struct fuse_open_out *out)
{
    struct fuse_entry_out entry;
    size_t size;
    assert_int_equal(fs_lookup(fs, FUSE_ROOT_ID, ".pullmail", &entry), 0);
    assert_int_equal(fs_lookup(fs, entry.nodeid, "status", &entry), 0);
    uint64_t unique = fs_send_open(fs, FUSE_OPEN, entry.nodeid, O_RDONLY);
    assert_int_equal(fs_error(fs, unique), 0);
    const void *body = fs_body(fs, unique, &size);
    assert_int_equal(size, sizeof *out);
    memcpy(out, body, size);
    return entry.nodeid;
}

static void test_writing_is_refused(void **state)
{
    static const int flags[] = {O_WRONLY, O_RDWR, O_RDONLY | O_TRUNC, O_RDWR | O_APPEND};
    Scene scene = scene_new();
    fake_add(scene.server, scene.inbox, 1, 300, 700);
    uint64_t inbox = scene_mount(&scene, state);
    uint64_t ino = fs_message(scene.fs, "INBOX", 1);
    uint64_t status = inode_number(INODE_CONTROL, 0, CONTROL_UID_STATUS);
    for (size_t i = 0; i < G_N_ELEMENTS(flags); i++) {
        assert_int_equal(fs_error(scene.fs, fs_send_open(scene.fs, FUSE_OPEN, ino, flags[i])),
                         EPERM);
        assert_int_equal(fs_error(scene.fs, fs_send_open(scene.fs, FUSE_OPEN, status, flags[i])),
                         EPERM);
    }
    assert_int_equal(fs_open(scene.fs, ino), 0);
    assert_int_equal(fs_release(scene.fs, ino, 0), 0);
    assert_int_equal(fs_open(scene.fs, fs_message(scene.fs, "INBOX", 2)), ESTALE);
    assert_int_equal(fs_open(scene.fs, inbox), ESTALE);
    scene_end(&scene);
}

/* The kernel keeps a message's pages from one open to the next; they never change, so that closing
 * it needs not be told. */
static void test_open_flags(void **state)
{
    Scene scene = scene_new();
    struct fuse_open_out out;
    size_t size;
    fake_add(scene.server, scene.inbox, 1, 300, 700);
    scene_mount(&scene, state);
    uint64_t ino = fs_message(scene.fs, "INBOX", 1);
    for (int i = 0; i < 2; i++) { /* behind a fetch, and without one */
        uint64_t unique = fs_send_open(scene.fs, FUSE_OPEN, ino, O_RDONLY);
        assert_int_equal(fs_error(scene.fs, unique), 0);
        const void *body = fs_body(scene.fs, unique, &size);
        memcpy(&out, body, sizeof out);
        assert_int_equal(out.open_flags, FOPEN_KEEP_CACHE | FOPEN_NOFLUSH);
    }
    uint64_t status = open_status(scene.fs, &out);
    assert_int_equal(out.open_flags, FOPEN_KEEP_CACHE | FOPEN_NOFLUSH);
    assert_int_equal(fs_release(scene.fs, status, out.fh), 0);
    scene_end(&scene);
}

static void test_read_at_and_beyond_the_end(void **state)
{
    Scene scene = scene_new();
    fake_add(scene.server, scene.inbox, 1, 300, 700);
    scene_mount(&scene, state);
    uint64_t ino = fs_message(scene.fs, "INBOX", 1);
    assert_int_equal(fs_open(scene.fs, ino), 0);
    assert_true(fs_reads(scene.fs, ino, 999, 1, 1000));
    assert_true(fs_reads(scene.fs, ino, 999, 10, 1000));
    assert_true(fs_reads(scene.fs, ino, 1000, 10, 1000));
    assert_true(fs_reads(scene.fs, ino, INT64_MAX, 10, 1000));
    assert_true(fs_reads(scene.fs, ino, 500, 0, 1000));
    assert_int_equal(fs_read_error(scene.fs, fs_message(scene.fs, "INBOX", 2), 0, 10), ENOENT);
    scene_end(&scene);
}

/* --- the status ---------------------------------------------------------------------------- */

static char *read_status(Fs *fs, uint64_t ino, uint64_t fh, size_t piece)
{
    GString *text = g_string_new(NULL);
    size_t size;
    do {
        uint64_t unique = fs_send_read(fs, FUSE_READ, ino, fh, text->len, piece);
        const char *bytes = fs_body(fs, unique, &size);
        assert_int_equal(fs_error(fs, unique), 0);
        g_string_append_len(text, bytes ? bytes : "", (gssize)size);
    } while (size);
    return g_string_free(text, FALSE);
}

/* All reads of one status see the same text, whatever happens meanwhile; a later look another. */
static void test_status_is_of_one_moment(void **state)
{
    Scene scene = scene_new();
    struct fuse_open_out out;
    scene_mount(&scene, state);
    uint64_t first = open_status(scene.fs, &out);
    g_autofree char *before = read_status(scene.fs, first, out.fh, 4096);
    assert_int_equal(fs_size(scene.fs, first), strlen(before));
    fake_folder(scene.server, "new");
    refresh_stale(scene.fs->mount.refresher, 0);
    fs_folder(scene.fs, FUSE_ROOT_ID, "new");
    uint64_t second = open_status(scene.fs, &out);
    assert_int_not_equal(first, second);
    g_autofree char *after = read_status(scene.fs, first, out.fh, 10);
    assert_string_equal(before, after);
    g_autofree char *now = read_status(scene.fs, second, out.fh, 4096);
    assert_non_null(strstr(before, "\nfolders: 1\n"));
    assert_non_null(strstr(now, "\nfolders: 2\n"));
    assert_int_equal(fs_release(scene.fs, first, 0), 0);
    assert_int_equal(fs_release(scene.fs, second, 0), 0);
    scene_end(&scene);
}

/* The name is looked up each time, the text never changes. */
static void test_status_lasts(void **state)
{
    Scene scene = scene_new();
    struct fuse_entry_out entry;
    scene_mount(&scene, state);
    uint64_t directory = fs_folder(scene.fs, FUSE_ROOT_ID, ".pullmail");
    assert_int_equal(fs_lookup(scene.fs, directory, "status", &entry), 0);
    assert_int_equal(entry.entry_valid, 0);
    assert_int_equal(entry.entry_valid_nsec, 0);
    assert_int_equal(entry.attr_valid, 86400);
    assert_int_equal(entry.attr.mode, S_IFREG | 0400);
    assert_true(entry.attr.size > 100);
    scene_end(&scene);
}

/* What the kernel has forgotten takes no memory. */
static void test_status_is_forgotten(void **state)
{
    Scene scene = scene_new();
    struct fuse_open_out out;
    struct fuse_attr_out attr;
    scene_mount(&scene, state);
    uint64_t first = open_status(scene.fs, &out), second = open_status(scene.fs, &out);
    struct fuse_forget_in in = {.nlookup = 1};
    fs_send(scene.fs, FUSE_FORGET, first, &in, sizeof in, NULL, 0);
    assert_null(control_text(scene.fs->mount.control, first));
    assert_int_equal(fs_getattr(scene.fs, first, &attr), ESTALE);
    assert_int_equal(fs_open(scene.fs, first), ESTALE);
    assert_int_equal(fs_read_error(scene.fs, first, 0, 10), ESTALE);
    assert_true(fs_size(scene.fs, second) > 100);
    scene_end(&scene);
}

/* The status is there while the server says nothing, and can be interrupted nevertheless. */
static void test_status_while_the_server_is_silent(void **state)
{
    Scene scene = scene_new();
    struct fuse_open_out out;
    scene_mount(&scene, state);
    uint64_t directory = fs_folder(scene.fs, FUSE_ROOT_ID, ".pullmail");
    fake_hold(scene.server, true);
    uint64_t ino = open_status(scene.fs, &out);
    assert_int_equal(fs_release(scene.fs, ino, out.fh), 0);
    fake_hold(scene.server, false);
    fs_shut_gate(scene.fs);
    uint64_t unique = fs_send_lookup(scene.fs, directory, "status");
    fs_interrupt(scene.fs, unique);
    fs_open_gate(scene.fs);
    assert_int_equal(fs_error(scene.fs, unique), EINTR);
    scene_end(&scene);
}

/* Who looked is gone: nobody will forget it, so that the text must not wait for that. */
static void test_status_of_one_who_left(void **state)
{
    Scene scene = scene_new();
    struct fuse_open_out out;
    scene_mount(&scene, state);
    uint64_t directory = fs_folder(scene.fs, FUSE_ROOT_ID, ".pullmail");
    uint64_t before = open_status(scene.fs, &out);
    pthread_mutex_lock(&scene.fs->lock);
    scene.fs->refused = scene.fs->last_unique + 2;
    pthread_mutex_unlock(&scene.fs->lock);
    uint64_t unique = fs_send_lookup(scene.fs, directory, "status");
    assert_int_equal(fs_error(scene.fs, unique), 0);
    fs_settle(scene.fs);
    uint64_t left = before + (UINT64_C(1) << 32); /* the next folder's number */
    g_autoptr(GBytes) text = control_text(scene.fs->mount.control, before);
    assert_non_null(text);
    assert_null(control_text(scene.fs->mount.control, left));
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_writing_is_refused),
        TEST_IN_DIRECTORY(test_open_flags),
        TEST_IN_DIRECTORY(test_read_at_and_beyond_the_end),
        TEST_IN_DIRECTORY(test_status_is_of_one_moment),
        TEST_IN_DIRECTORY(test_status_lasts),
        TEST_IN_DIRECTORY(test_status_is_forgotten),
        TEST_IN_DIRECTORY(test_status_while_the_server_is_silent),
        TEST_IN_DIRECTORY(test_status_of_one_who_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
