/*
 * fs_harness.h: a mount without a kernel: the real parts of fs/ and cache/ around a FakeServer, and
 * a FUSE session (see fs_session.h). At its end every request must have had its reply.
 */
#pragma once

#include "fs_session.h"

/* --- the engine ------------------------------------------------------------------------------ */

typedef struct {
    Fs *fs;
    void (*task)(Fs *fs);
} FsCall;

static void fs_call_done(gpointer data, const GError *error)
{
    Fs *fs = data;
    if (error)
        fprintf(stderr, "harness: %s\n", error->message);
    pthread_mutex_lock(&fs->lock);
    fs->done++;
    pthread_cond_broadcast(&fs->changed);
    pthread_mutex_unlock(&fs->lock);
}

static void fs_call_run(gpointer data)
{
    g_autofree FsCall *call = data;
    call->task(call->fs);
}

/* Runs the task on the engine thread and waits until fs_call_done was called. */
static void fs_call_async(Fs *fs, void (*task)(Fs *fs))
{
    FsCall *call = g_new0(FsCall, 1);
    struct timespec until = fs_deadline();
    int error = 0;
    *call = (FsCall){fs, task};
    unsigned number = ++fs->calls;
    engine_post(fs->mount.engine, fs_call_run, call);
    pthread_mutex_lock(&fs->lock);
    while (fs->done < number && !error)
        error = pthread_cond_timedwait(&fs->changed, &fs->lock, &until);
    pthread_mutex_unlock(&fs->lock);
    assert_int_equal(error, 0);
}

static void fs_nothing(Fs *fs)
{
    fs_call_done(fs, NULL);
}

/* All that was posted to the engine has run. */
static G_GNUC_UNUSED void fs_settle(Fs *fs)
{
    fs_call_async(fs, fs_nothing);
}

static void fs_stand_still(gpointer data)
{
    Fs *fs = data;
    pthread_mutex_lock(&fs->lock);
    fs->at_gate = true;
    pthread_cond_broadcast(&fs->changed);
    while (fs->gated)
        pthread_cond_wait(&fs->changed, &fs->lock);
    fs->at_gate = false;
    pthread_mutex_unlock(&fs->lock);
}

/* The engine stands still from when this returns until the gate is opened. */
static G_GNUC_UNUSED void fs_shut_gate(Fs *fs)
{
    fs->gated = true;
    engine_post(fs->mount.engine, fs_stand_still, fs);
    pthread_mutex_lock(&fs->lock);
    while (!fs->at_gate)
        pthread_cond_wait(&fs->changed, &fs->lock);
    pthread_mutex_unlock(&fs->lock);
}

static G_GNUC_UNUSED void fs_open_gate(Fs *fs)
{
    pthread_mutex_lock(&fs->lock);
    fs->gated = false;
    pthread_cond_broadcast(&fs->changed);
    pthread_mutex_unlock(&fs->lock);
}

static void fs_flush_now(Fs *fs)
{
    while (!content_flush(fs->mount.content))
        ;
    while (!catalog_flush(fs->mount.catalog))
        ;
    fs_call_done(fs, NULL);
}

/* All that is known and held is on disk. */
static G_GNUC_UNUSED void fs_flush(Fs *fs)
{
    fs_call_async(fs, fs_flush_now);
}

/* --- a mount's beginning and end ------------------------------------------------------------- */

static void fs_first_list(Fs *fs)
{
    refresh_list(fs->mount.refresher, fs_call_done, fs);
}

static void fs_begin_removals(Fs *fs)
{
    sync_begin(&fs->mount);
    letters_begin(fs->mount.letters);
    fs_call_done(fs, NULL);
}

static void fs_close_all(Fs *fs)
{
    g_autoptr(GError) error = g_error_new(MAIL_ERROR, ENOTCONN, "unmounted");
    watcher_stop(fs->mount.watcher);
    flag_changes_end(fs->mount.flag_changes);
    moves_end(fs->mount.moves);
    requests_fail(fs->mount.requests, error);
    storer_close(fs->mount.storer);
    mail_store_close(fs->mount.store, fs_call_done, fs);
}

/* What is being written down is told to the engine afterwards. */
static void fs_finish_journal(Fs *fs)
{
    journal_sync(fs->mount.journal, fs_call_done, fs);
}

static void fs_free_store(Fs *fs)
{
    mail_store_free(g_steal_pointer(&fs->mount.store));
    flusher_free(g_steal_pointer(&fs->mount.flusher));
    fs_call_done(fs, NULL);
}

static void fs_begin_session(Fs *fs)
{
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    const struct fuse_custom_io io = {.writev = fs_take_reply, .read = fs_no_read};
    fuse_opt_add_arg(&args, "fs-test");
    fs->session = fuse_session_new(&args, &pullmail_ops, sizeof pullmail_ops, &fs->mount);
    fuse_opt_free_args(&args);
    assert_non_null(fs->session);
    assert_int_equal(
        fuse_session_custom_io(fs->session, &io, open("/dev/null", O_RDWR | O_CLOEXEC)), 0);
    assert_int_equal(fs_error(fs, fs_send(fs, FUSE_INIT, 0, &fs->init, sizeof fs->init, NULL, 0)),
                     0);
}

static Fs *fs_prepare(FakeServer *server)
{
    Fs *fs = g_new0(Fs, 1);
    fs->server = server;
    fs->options.refresh = 3600;
    fs->options.umask = 077;
    fs->options.uid = 1234;
    fs->options.gid = 5678;
    fs->options.cachesize = UINT64_C(1) << 30;
    fs->init = (struct fuse_init_in){.major = FUSE_KERNEL_VERSION,
                                     .minor = 31,
                                     .max_readahead = 1 << 20,
                                     .flags = FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO |
                                              FUSE_PARALLEL_DIROPS | FUSE_ASYNC_READ |
                                              FUSE_AUTO_INVAL_DATA};
    pthread_mutex_init(&fs->lock, NULL);
    pthread_cond_init(&fs->changed, NULL);
    fs->replies = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free,
                                        (GDestroyNotify)g_bytes_unref);
    fs->notes = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    return fs;
}

/* directory NULL: no cache on disk. What fs_prepare has set may be changed before. */
static void fs_begin(Fs *fs, const char *directory)
{
    Mount *mount = &fs->mount;
    mount->options = &fs->options;
    mount->url = g_strdup("imaps://ann@mail.example.org/");
    mount->started = 1600000000;
    mount->store = fake_store_new(fs->server);
    mount->features = mail_store_features(mount->store);
    pthread_mutex_init(&mount->quota_lock, NULL);
    mount->catalog = catalog_open(directory);
    mount->content = content_open(directory, fs->options.cachesize);
    content_start_writer(mount->content);
    mount->journal = journal_open(directory);
    mount->tree = tree_new();
    mount->requests = requests_new(mount);
    mount->offline = offline_new(mount);
    mount->refresher = refresher_new(mount);
    mount->watcher = watcher_new(mount);
    mount->moved = inode_map_new();
    mount->arrivals = arrivals_new();
    mount->removals = removals_new(mount, mount->journal);
    mount->drafts = drafts_new(directory);
    mount->storer = storer_new();
    mount->outbox = outbox_open(directory);
    mount->letters = letters_new(mount, mount->outbox);
    mount->moves = moves_new(mount);
    mount->flag_changes = flag_changes_new(mount);
    mount->fetcher = fetcher_new(mount);
    mount->prefetcher = prefetcher_new(mount, fs->prefetch);
    mount->flusher = flusher_new(mount);
    mount->notifier = notifier_new();
    mount->directories = dircache_new();
    mount->trust = trust_new(mount);
    mount->control = control_new();
    mount->pusher = pusher_new(mount);
    mount->engine = engine_start();
    fs_call_async(fs, fs_first_list);
    fs_call_async(fs, fs_begin_removals);
    fs_begin_session(fs);
    notifier_start(mount->notifier, fs->session);
}

static Fs *fs_mount(FakeServer *server, const char *directory)
{
    Fs *fs = fs_prepare(server);
    fs_begin(fs, directory);
    return fs;
}

static void fs_assert_all_replied(Fs *fs)
{
    GHashTableIter iter;
    gpointer reply;
    assert_int_equal(fs->surplus, 0);
    g_hash_table_iter_init(&iter, fs->replies);
    while (g_hash_table_iter_next(&iter, NULL, &reply))
        assert_non_null(reply);
}

/* libfuse keeps an INTERRUPT that came too late until the next request. */
static void fs_shake_off_interrupts(Fs *fs)
{
    struct fuse_getattr_in in = {0};
    for (int i = 0; i < g_atomic_int_get(&fs->interrupts); i++)
        fs_send(fs, FUSE_GETATTR, FUSE_ROOT_ID, &in, sizeof in, NULL, 0);
}

/* The mount's last deed: what still waits fails. */
static void fs_close(Fs *fs)
{
    if (fs->closed)
        return;
    fs->closed = true;
    fs_shake_off_interrupts(fs);
    pusher_stop(fs->mount.pusher);
    notifier_stop(fs->mount.notifier);
    fs_call_async(fs, fs_close_all);
}

static void fs_unmount(Fs *fs)
{
    Mount *mount = &fs->mount;
    fs_close(fs);
    fs_call_async(fs, fs_finish_journal);
    fs_call_async(fs, fs_free_store);
    outbox_finish(mount->outbox);
    engine_stop(mount->engine);
    outbox_close(mount->outbox);
    letters_free(mount->letters);
    fetcher_free(mount->fetcher);
    prefetcher_free(mount->prefetcher);
    pusher_free(mount->pusher);
    storer_free(mount->storer);
    drafts_free(mount->drafts);
    flag_changes_free(mount->flag_changes);
    moves_free(mount->moves);
    removals_free(mount->removals);
    arrivals_free(mount->arrivals);
    inode_map_free(mount->moved);
    watcher_free(mount->watcher);
    refresher_free(mount->refresher);
    offline_free(mount->offline);
    requests_free(mount->requests);
    notifier_free(mount->notifier);
    control_free(mount->control);
    trust_free(mount->trust);
    dircache_free(mount->directories);
    tree_free(mount->tree);
    content_close(mount->content);
    journal_close(mount->journal);
    catalog_close(mount->catalog);
    pthread_mutex_destroy(&mount->quota_lock);
    g_free(mount->url);
    fuse_session_destroy(fs->session);
    fs_assert_all_replied(fs);
    g_hash_table_unref(fs->replies);
    g_ptr_array_unref(fs->notes);
    pthread_mutex_destroy(&fs->lock);
    pthread_cond_destroy(&fs->changed);
    g_free(fs);
}

/* --- a test's usual beginning ----------------------------------------------------------------- */

/* A server with an INBOX, mounted, with a cache in the test's own directory. */
typedef struct {
    FakeServer *server;
    FakeFolder *inbox;
    Fs *fs;
} Scene;

/* What the test adds to the server before it calls scene_mount is there from the beginning. */
static G_GNUC_UNUSED Scene scene_new(void)
{
    Scene scene = {.server = fake_server_new()};
    scene.inbox = fake_folder(scene.server, "INBOX");
    return scene;
}

/* Opens a directory and reads all of it: a first listing is done then. */
static G_GNUC_UNUSED int fs_list_first(Fs *fs, uint64_t ino)
{
    int error = fs_opendir(fs, ino);
    if (!error)
        g_free(fs_names(fs, ino));
    return error;
}

/* Mounts, and looks at INBOX; returns its inode. What the server saw of it is forgotten. */
static G_GNUC_UNUSED uint64_t scene_mount(Scene *scene, void **state)
{
    scene->fs = fs_mount(scene->server, *state);
    uint64_t inbox = fs_folder(scene->fs, FUSE_ROOT_ID, "INBOX");
    assert_int_equal(fs_list_first(scene->fs, inbox), 0);
    fake_forget(scene->server);
    return inbox;
}

static G_GNUC_UNUSED void scene_end(Scene *scene)
{
    fs_unmount(scene->fs);
    fake_server_free(scene->server);
}
