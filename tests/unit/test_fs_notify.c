#include "fs_harness.h"

/* A session that nobody is behind, and a notifier of its own. */
static Fs *begin(void **state)
{
    FakeServer *server = fake_server_new();
    Fs *fs = fs_mount(server, *state);
    notifier_stop(fs->mount.notifier);
    g_ptr_array_set_size(fs->notes, 0);
    return fs;
}

static void end(Fs *fs)
{
    FakeServer *server = fs->server;
    fs_unmount(fs);
    fake_server_free(server);
}

/* "inode 5 0+0; entry 5 name; deleted 5 6 name; " with all that was told, in order. */
static char *told(Fs *fs)
{
    GString *text = g_string_new(NULL);
    pthread_mutex_lock(&fs->lock);
    for (guint i = 0; i < fs->notes->len; i++) {
        const char *bytes = g_bytes_get_data(fs->notes->pdata[i], NULL);
        struct fuse_out_header header;
        struct fuse_notify_inval_inode_out inode;
        struct fuse_notify_inval_entry_out entry;
        struct fuse_notify_delete_out gone;
        struct fuse_notify_store_out stored;
        memcpy(&header, bytes, sizeof header);
        bytes += sizeof header;
        switch (header.error) {
        case FUSE_NOTIFY_INVAL_INODE:
            memcpy(&inode, bytes, sizeof inode);
            g_string_append_printf(text, "inode %" G_GUINT64_FORMAT " %" G_GINT64_FORMAT "; ",
                                   (guint64)inode.ino, (gint64)inode.off);
            break;
        case FUSE_NOTIFY_INVAL_ENTRY:
            memcpy(&entry, bytes, sizeof entry);
            g_string_append_printf(text, "entry %" G_GUINT64_FORMAT " %s; ", (guint64)entry.parent,
                                   bytes + sizeof entry);
            break;
        case FUSE_NOTIFY_STORE:
            memcpy(&stored, bytes, sizeof stored);
            g_string_append_printf(text, "store %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %.*s; ",
                                   (guint64)stored.nodeid, (guint64)stored.offset, (int)stored.size,
                                   bytes + sizeof stored);
            break;
        case FUSE_NOTIFY_DELETE:
            memcpy(&gone, bytes, sizeof gone);
            g_string_append_printf(text, "deleted %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %s; ",
                                   (guint64)gone.parent, (guint64)gone.child, bytes + sizeof gone);
            break;
        default:
            g_string_append_printf(text, "%d; ", header.error);
        }
    }
    pthread_mutex_unlock(&fs->lock);
    return g_string_free(text, FALSE);
}

static void await_notes(Fs *fs, guint n)
{
    struct timespec until = fs_deadline();
    int error = 0;
    pthread_mutex_lock(&fs->lock);
    while (fs->notes->len < n && !error)
        error = pthread_cond_timedwait(&fs->changed, &fs->lock, &until);
    pthread_mutex_unlock(&fs->lock);
    assert_int_equal(error, 0);
}

static void test_in_order(void **state)
{
    Fs *fs = begin(state);
    Notifier *notifier = notifier_new();
    notifier_start(notifier, fs->session);
    notify_inode(notifier, 5);
    notify_entry(notifier, 1, "INBOX");
    notify_deleted(notifier, 7, 8, "20261122-190507-17.eml");
    notify_inode(notifier, UINT64_MAX);
    await_notes(fs, 4);
    notifier_stop(notifier);
    notifier_free(notifier);
    g_autofree char *text = told(fs);
    assert_string_equal(text, "inode 5 0; entry 1 INBOX; deleted 7 8 20261122-190507-17.eml; "
                              "inode 18446744073709551615 0; ");
    end(fs);
}

static guint count_notes(Fs *fs)
{
    pthread_mutex_lock(&fs->lock);
    guint n = fs->notes->len;
    pthread_mutex_unlock(&fs->lock);
    return n;
}

/* What takes a directory's lock waits until nobody has one for long; all else does not. */
static void test_held(void **state)
{
    Fs *fs = begin(state);
    Notifier *notifier = notifier_new();
    notifier_start(notifier, fs->session);
    notifier_hold(notifier);
    notifier_hold(notifier);
    notify_inode(notifier, 5);
    notify_entry(notifier, 1, "INBOX");
    await_notes(fs, 1);
    notifier_release(notifier);
    g_usleep(20000);
    assert_int_equal(count_notes(fs), 1);
    notifier_release(notifier);
    await_notes(fs, 2);
    notifier_hold(notifier);
    notify_deleted(notifier, 1, 2, "a");
    g_usleep(20000);
    notifier_stop(notifier);
    notifier_release(notifier);
    notifier_free(notifier);
    g_autofree char *text = told(fs);
    assert_string_equal(text, "inode 5 0; entry 1 INBOX; ");
    end(fs);
}

/* The attributes are forgotten when the call returns, and nothing follows. */
static void test_size_is_told_at_once(void **state)
{
    Fs *fs = begin(state);
    Notifier *notifier = notifier_new();
    notifier_start(notifier, fs->session);
    notify_size(notifier, 5);
    pthread_mutex_lock(&fs->lock);
    guint n = fs->notes->len;
    pthread_mutex_unlock(&fs->lock);
    assert_int_equal(n, 1);
    notify_directory(notifier, 6);
    notifier_stop(notifier);
    notifier_free(notifier);
    g_autofree char *text = told(fs);
    assert_string_equal(text, "inode 5 -1; inode 6 0; ");
    end(fs);
}

static void test_nothing_ahead_of_the_start(void **state)
{
    Fs *fs = begin(state);
    Notifier *notifier = notifier_new();
    notify_inode(notifier, 1);
    notify_size(notifier, 1);
    notify_entry(notifier, 1, "a");
    notify_deleted(notifier, 1, 2, "a");
    notifier_start(notifier, fs->session);
    notify_inode(notifier, 3);
    await_notes(fs, 1);
    notifier_stop(notifier);
    notifier_free(notifier);
    g_autofree char *text = told(fs);
    assert_string_equal(text, "inode 3 0; ");
    end(fs);
}

static void test_nothing_behind_the_end(void **state)
{
    Fs *fs = begin(state);
    Notifier *notifier = notifier_new();
    notifier_start(notifier, fs->session);
    notifier_stop(notifier);
    notify_inode(notifier, 1);
    notify_size(notifier, 1);
    notify_entry(notifier, 1, "a");
    notify_deleted(notifier, 1, 2, "a");
    notifier_stop(notifier);
    notifier_free(notifier);
    g_autofree char *text = told(fs);
    assert_string_equal(text, "");
    end(fs);
}

/* Bytes go out in their turn, and are counted until then. */
static void test_store(void **state)
{
    Fs *fs = begin(state);
    Notifier *notifier = notifier_new();
    g_autoptr(GBytes) bytes = g_bytes_new_static("some text", 9);
    assert_false(notify_store(notifier, 5, 0, bytes));
    notifier_start(notifier, fs->session);
    notify_inode(notifier, 4);
    assert_true(notify_store(notifier, 5, 4096, bytes));
    notify_entry(notifier, 1, "a");
    await_notes(fs, 3);
    assert_int_equal(notify_stored(notifier), 0);
    notifier_stop(notifier);
    assert_false(notify_store(notifier, 5, 0, bytes));
    notifier_free(notifier);
    g_autofree char *text = told(fs);
    assert_string_equal(text, "inode 4 0; store 5 4096 some text; entry 1 a; ");
    end(fs);
}

typedef struct {
    GMutex lock;
    GCond changed;
    bool entered, leave, freed;
} Hold;

static void hold_up(Notifier *notifier, gpointer data)
{
    Hold *hold = data;
    g_mutex_lock(&hold->lock);
    hold->entered = true;
    g_cond_broadcast(&hold->changed);
    while (!hold->leave)
        g_cond_wait(&hold->changed, &hold->lock);
    g_mutex_unlock(&hold->lock);
    assert_true(notify_entry_now(notifier, 1, "now"));
    assert_true(notify_deleted_now(notifier, 1, 2, "gone"));
}

static void hold_freed(gpointer data)
{
    ((Hold *)data)->freed = true;
}

/* While the kernel takes its time no more than a bound of bytes waits; the order stays. */
static void test_store_is_bounded(void **state)
{
    Fs *fs = begin(state);
    Notifier *notifier = notifier_new();
    Hold hold = {0};
    g_autoptr(GBytes) large = g_bytes_new_take(g_malloc0(NOTIFY_STORED - 1), NOTIFY_STORED - 1);
    g_autoptr(GBytes) two = g_bytes_new_static("22", 2);
    g_autoptr(GBytes) one = g_bytes_new_static("1", 1);
    g_mutex_init(&hold.lock);
    g_cond_init(&hold.changed);
    notifier_start(notifier, fs->session);
    notify_task(notifier, hold_up, &hold, hold_freed);
    g_mutex_lock(&hold.lock);
    while (!hold.entered)
        g_cond_wait(&hold.changed, &hold.lock);
    g_mutex_unlock(&hold.lock);
    assert_true(notify_store(notifier, 5, 0, large));
    assert_int_equal(notify_stored(notifier), NOTIFY_STORED - 1);
    assert_false(notify_store(notifier, 6, 0, two));
    assert_true(notify_store(notifier, 7, 0, one));
    assert_false(notify_store(notifier, 8, 0, one));
    assert_int_equal(notify_stored(notifier), NOTIFY_STORED);
    g_mutex_lock(&hold.lock);
    hold.leave = true;
    g_cond_broadcast(&hold.changed);
    g_mutex_unlock(&hold.lock);
    await_notes(fs, 4);
    notifier_stop(notifier);
    assert_int_equal(notify_stored(notifier), 0);
    assert_true(hold.freed);
    notifier_free(notifier);
    g_autofree char *text = told(fs);
    assert_true(g_str_has_prefix(text, "entry 1 now; deleted 1 2 gone; store 5 0 "));
    assert_true(g_str_has_suffix(text, "; store 7 0 1; "));
    g_mutex_clear(&hold.lock);
    g_cond_clear(&hold.changed);
    end(fs);
}

/* What waits at the end is freed, and tells nothing. */
static void test_a_task_at_the_end(void **state)
{
    Fs *fs = begin(state);
    Notifier *notifier = notifier_new();
    Hold hold = {0};
    notify_task(notifier, hold_up, &hold, hold_freed);
    assert_true(hold.freed);
    notifier_start(notifier, fs->session);
    notifier_stop(notifier);
    hold.freed = false;
    notify_task(notifier, hold_up, &hold, hold_freed);
    assert_true(hold.freed);
    assert_false(hold.entered);
    assert_false(notify_entry_now(notifier, 1, "a"));
    assert_false(notify_deleted_now(notifier, 1, 2, "a"));
    notifier_free(notifier);
    end(fs);
}

static void test_never_started(void **state)
{
    (void)state;
    Notifier *notifier = notifier_new();
    notify_inode(notifier, 1);
    notifier_stop(notifier);
    notifier_free(notifier);
    notifier_free(NULL);
}

enum { POSTERS = 4, EACH = 500 };

static gpointer post_many(gpointer notifier)
{
    for (uint64_t i = 1; i <= EACH; i++)
        notify_inode(notifier, i);
    return NULL;
}

static void test_from_many_threads(void **state)
{
    Fs *fs = begin(state);
    Notifier *notifier = notifier_new();
    GThread *threads[POSTERS];
    notifier_start(notifier, fs->session);
    for (int i = 0; i < POSTERS; i++)
        threads[i] = g_thread_new("poster", post_many, notifier);
    for (int i = 0; i < POSTERS; i++)
        g_thread_join(threads[i]);
    await_notes(fs, POSTERS * EACH);
    notifier_stop(notifier);
    notifier_free(notifier);
    assert_int_equal(fs->notes->len, POSTERS * EACH);
    end(fs);
}

/* The end comes while others post: it does not hang, and what is left over is freed. */
static void test_stopped_while_others_post(void **state)
{
    Fs *fs = begin(state);
    for (int i = 0; i < 20; i++) {
        Notifier *notifier = notifier_new();
        notifier_start(notifier, fs->session);
        GThread *thread = g_thread_new("poster", post_many, notifier);
        notifier_stop(notifier);
        g_thread_join(thread);
        notifier_free(notifier);
    }
    end(fs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_in_order),
        TEST_IN_DIRECTORY(test_held),
        TEST_IN_DIRECTORY(test_size_is_told_at_once),
        TEST_IN_DIRECTORY(test_nothing_ahead_of_the_start),
        TEST_IN_DIRECTORY(test_nothing_behind_the_end),
        TEST_IN_DIRECTORY(test_store),
        TEST_IN_DIRECTORY(test_store_is_bounded),
        TEST_IN_DIRECTORY(test_a_task_at_the_end),
        TEST_IN_DIRECTORY(test_never_started),
        TEST_IN_DIRECTORY(test_from_many_threads),
        TEST_IN_DIRECTORY(test_stopped_while_others_post),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
