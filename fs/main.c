/*
 * mount.pullmail: mounts a mailbox as a directory tree. See mount.pullmail.8.
 */
#include "../cache/directory.h"
#include "account.h"
#include "arrivals.h"
#include "control.h"
#include "daemon.h"
#include "dircache.h"
#include "draft.h"
#include "failure.h"
#include "fetch.h"
#include "flag_changes.h"
#include "flush.h"
#include "inode_map.h"
#include "letters.h"
#include "log.h"
#include "mountpoint.h"
#include "moves.h"
#include "offline.h"
#include "ops.h"
#include "prefetch.h"
#include "push.h"
#include "refresh.h"
#include "removal.h"
#include "request.h"
#include "service.h"
#include "storing.h"
#include "sync.h"
#include "trust.h"
#include "watch.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WORKERS = 4 };

/* --- waiting for the engine, before there are any requests --------------------------------------
 */

typedef struct {
    Mount *mount;
    GMutex lock;
    GCond answered;
    bool done;
    GError *error;
} Wait;

static void wait_done(gpointer data, const GError *error)
{
    Wait *wait = data;

    g_mutex_lock(&wait->lock);
    wait->done = true;
    wait->error = error ? g_error_copy(error) : NULL;
    g_cond_signal(&wait->answered);
    g_mutex_unlock(&wait->lock);
}

/* Runs the task on the engine thread; it (or what it starts) calls wait_done. */
static bool wait_for(Mount *mount, EngineTask task, GError **error)
{
    Wait wait = {.mount = mount};

    g_mutex_init(&wait.lock);
    g_cond_init(&wait.answered);
    engine_post(mount->engine, task, &wait);
    g_mutex_lock(&wait.lock);
    while (!wait.done)
        g_cond_wait(&wait.answered, &wait.lock);
    g_mutex_unlock(&wait.lock);
    g_mutex_clear(&wait.lock);
    g_cond_clear(&wait.answered);
    if (!wait.error)
        return true;
    g_propagate_error(error, wait.error);
    return false;
}

static void connected(gpointer data, const GError *error)
{
    Wait *wait = data;

    wait->mount->features = mail_store_features(wait->mount->store);
    if (!error)
        offline_note_features(wait->mount->offline);
    wait_done(wait, error);
}

/* A wrong password shows at once, even where the folders are known without a login. */
static void first_connect(gpointer data)
{
    Wait *wait = data;

    offline_begin(wait->mount->offline);
    mail_store_connect(wait->mount->store, connected, wait);
}

static void start_offline(gpointer data)
{
    Wait *wait = data;
    g_autoptr(GError) error = NULL;

    offline_start(wait->mount->offline, &error);
    wait_done(wait, error);
}

static void first_list(gpointer data)
{
    Wait *wait = data;

    refresh_list(wait->mount->refresher, wait_done, wait);
}

/* The engine has done what it was about: it is not telling the kernel anything either. */
static void engine_idle(gpointer data)
{
    wait_done(data, NULL);
}

static void begin_changes(gpointer data)
{
    Wait *wait = data;

    sync_begin(wait->mount);
    letters_begin(wait->mount->letters);
    wait_done(data, NULL);
}

static void finish_storing(gpointer data)
{
    Wait *wait = data;

    storer_finish(wait->mount->storer, wait->mount, wait_done, wait);
}

static void finish_letters(gpointer data)
{
    Wait *wait = data;

    letters_finish(wait->mount->letters, wait_done, wait);
}

static void finish_flags(gpointer data)
{
    Wait *wait = data;

    flag_changes_finish(wait->mount->flag_changes, wait_done, wait);
}

static void finish_moves(gpointer data)
{
    Wait *wait = data;

    moves_finish(wait->mount->moves, wait_done, wait);
}

static void finish_removals(gpointer data)
{
    Wait *wait = data;

    removals_finish(wait->mount->removals, wait_done, wait);
}

static void close_all(gpointer data)
{
    Wait *wait = data;
    Mount *mount = wait->mount;
    g_autoptr(GError) error = g_error_new(MAIL_ERROR, ENOTCONN, "pullmail was unmounted");

    watcher_stop(mount->watcher);
    flag_changes_end(mount->flag_changes);
    moves_end(mount->moves);
    requests_fail(mount->requests, error);
    storer_close(mount->storer);
    mail_store_close(mount->store, wait_done, wait);
}

/* What is being written down is told to the engine afterwards. */
static void finish_journal(gpointer data)
{
    Wait *wait = data;

    journal_sync(wait->mount->journal, wait_done, wait);
}

/* What must be freed where its sources live. */
static void free_store(gpointer data)
{
    Wait *wait = data;

    mail_store_free(g_steal_pointer(&wait->mount->store));
    flusher_free(g_steal_pointer(&wait->mount->flusher)); /* nothing arrives any more */
    wait_done(wait, NULL);
}

/* --- putting a mount together, and apart --------------------------------------------------- */

/* From here on the daemon works as the user that it works for. */
static char *find_directory(const Mount *mount, const char *key, GError **error)
{
    const Options *options = mount->options;
    const Privilege *privilege = &mount->privilege;
    char *directory = NULL;

    if (!privilege->drops || options->cachedir)
        return privilege_lend(privilege, error) ? cache_directory(options->cachedir, key, error)
                                                : NULL;
    directory = cache_directory_of(key, privilege->uid, privilege->gid, error);
    if (!privilege_lend(privilege, directory ? error : NULL))
        g_clear_pointer(&directory, g_free);
    return directory;
}

static void open_cache(Mount *mount, const char *key)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *directory = find_directory(mount, key, &error);

    if (!directory)
        g_warning("going on without a cache on disk: %s", error->message);
    mount->catalog = catalog_open(directory);
    mount->content = content_open(directory, mount->options->cachesize);
    content_start_writer(mount->content);
    mount->journal = journal_open(directory);
    mount->drafts = drafts_new(directory);
    mount->outbox = outbox_open(directory);
}

static void mount_begin(Mount *mount, const Options *options, MailStore *store, const char *key)
{
    mount->options = options;
    mount->url = url_text(&options->url);
    mount->started = time(NULL);
    mount->store = store;
    mount->privilege = privilege_of(options);
    pthread_mutex_init(&mount->quota_lock, NULL);
    open_cache(mount, key);
    mount->tree = tree_new();
    mount->requests = requests_new(mount);
    mount->offline = offline_new(mount);
    mount->refresher = refresher_new(mount);
    mount->watcher = watcher_new(mount);
    mount->moved = inode_map_new();
    mount->arrivals = arrivals_new();
    mount->removals = removals_new(mount, mount->journal);
    mount->storer = storer_new();
    mount->letters = letters_new(mount, mount->outbox);
    mount->moves = moves_new(mount);
    mount->flag_changes = flag_changes_new(mount);
    mount->fetcher = fetcher_new(mount);
    mount->prefetcher = prefetcher_new(mount, prefetch_bound(options));
    mount->flusher = flusher_new(mount);
    mount->notifier = notifier_new();
    mount->directories = dircache_new();
    mount->trust = trust_new(mount);
    mount->control = control_new();
    mount->pusher = pusher_new(mount);
    mount->engine = engine_start();
}

static void mount_end(Mount *mount)
{
    mount->ending = g_get_monotonic_time();
    pusher_stop(mount->pusher);
    notifier_stop(mount->notifier);
    if (mount->features) { /* it was connected */
        wait_for(mount, finish_letters, NULL);
        wait_for(mount, finish_storing, NULL);
        wait_for(mount, finish_flags, NULL);
        wait_for(mount, finish_moves, NULL);
        wait_for(mount, finish_removals, NULL);
    }
    wait_for(mount, close_all, NULL);
    wait_for(mount, finish_journal, NULL);
    wait_for(mount, engine_idle, NULL);
    wait_for(mount, free_store, NULL);
    outbox_finish(mount->outbox); /* it posts to the engine */
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
    *mount = (Mount){0};
}

/* --- serving ------------------------------------------------------------------------------- */

static bool serve(struct fuse_session *session)
{
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    int result;

    fuse_loop_cfg_set_max_threads(config, WORKERS);
    result = fuse_session_loop_mt(session, config);
    fuse_loop_cfg_destroy(config);
    /* Above 0: the signal that asked us to end. */
    return result >= 0;
}

/* The last thing that libfuse had to say: why it can't mount. */
static char fuse_complaint[256];

G_GNUC_PRINTF(2, 0)
static void log_fuse(enum fuse_log_level level, const char *format, va_list args)
{
    char line[sizeof fuse_complaint];

    g_vsnprintf(line, sizeof line, format, args);
    g_strchomp(line);
    if (level <= FUSE_LOG_WARNING)
        g_strlcpy(fuse_complaint, line, sizeof fuse_complaint);
    g_info("%s", line);
}

/* Where nothing at all can be changed, the kernel is to say so. */
static bool is_read_only(const Mount *mount)
{
    return mount->options->read_only ||
           !(mount->features & (MAIL_STORE_REMOVE | MAIL_STORE_CHANGES));
}

static struct fuse_session *new_session(Mount *mount, GError **error)
{
    const struct fuse_args *given = &mount->options->mount_args;
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    struct fuse_session *session;

    for (int i = 0; i < given->argc; i++)
        fuse_opt_add_arg(&args, given->argv[i]);
    if (is_read_only(mount))
        fuse_opt_add_arg(&args, "-oro");
    session = fuse_session_new(&args, &pullmail_ops, sizeof pullmail_ops, mount);
    fuse_opt_free_args(&args);
    if (!session)
        g_set_error(error, MAIL_ERROR, EINVAL, "the mount options are not good: %s",
                    fuse_complaint);
    return session;
}

static bool mount_session(struct fuse_session *session, const char *mountpoint, GError **error)
{
    if (fuse_set_signal_handlers(session) == 0 && fuse_session_mount(session, mountpoint) == 0)
        return true;
    g_set_error(error, MAIL_ERROR, EIO,
                "%s can't be mounted on%s%s; may you use /dev/fuse, and "
                "does the directory belong to you?",
                mountpoint, *fuse_complaint ? ": " : "", fuse_complaint);
    return false;
}

/* What is mounted is served as the user that it is for. */
static bool mount_as_root(const Mount *mount, struct fuse_session *session, GError **error)
{
    const Privilege *privilege = &mount->privilege;

    if (!privilege_take_back(privilege, error) ||
        !mount_session(session, mount->options->mountpoint, error))
        return false;
    if (privilege_drop(privilege, error))
        return true;
    fuse_session_unmount(session);
    return false;
}

/* The service manager shows it beside the unit. */
static void tell_manager(const char *state, const Mount *mount, const char *what)
{
    g_autofree char *place = log_printable(mount->options->mountpoint);
    g_autofree char *message = g_strdup_printf("%s\nSTATUS=%s %s %s", state, mount->url, what,
                                               place);

    service_notify(message);
}

/* The server may be there before long, and does not say that the mount is a mistake. */
static bool may_start_offline(const Options *options, const GError *error)
{
    return options->offline == OFFLINE_ALWAYS ||
           (options->offline == OFFLINE_AUTO &&
            (failure_is_lost(error) || mail_errno(error) == EAGAIN));
}

/*
 * The account is known, by the server's word, or by what is cached: then *absence says why. Where
 * that can't be either, the error is the server's.
 */
static bool look_around(Mount *mount, char **absence, GError **error)
{
    const Options *options = mount->options;
    g_autoptr(GError) failure = NULL;
    g_autoptr(GError) nothing = NULL;

    if (wait_for(mount, first_connect, &failure) && wait_for(mount, first_list, &failure))
        return true;
    if (may_start_offline(options, failure) && wait_for(mount, start_offline, &nothing)) {
        if (options->offline == OFFLINE_AUTO)
            *absence = g_strdup_printf("mounted offline, by what is cached: %s", failure->message);
        return true;
    }
    if (options->offline == OFFLINE_ALWAYS)
        g_propagate_error(error, g_steal_pointer(&nothing));
    else
        g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

/* To who mounts, and to the log, which are one in the foreground. */
static void tell_absence(Daemon *daemon, const Options *options, const char *absence)
{
    if (absence)
        g_warning("%s", absence);
    daemon_ready(daemon);
    if (absence && !options->foreground)
        g_warning("%s", absence);
}

static bool run_session(Mount *mount, Daemon *daemon, const char *absence, GError **error)
{
    const Options *options = mount->options;
    struct fuse_session *session = new_session(mount, error);
    bool served;

    if (!session || !mount_as_root(mount, session, error)) {
        if (session)
            fuse_session_destroy(session);
        return false;
    }
    notifier_start(mount->notifier, session);
    if (chdir("/") != 0)
        g_info("can't change to /: %s", g_strerror(errno));
    wait_for(mount, begin_changes, NULL);
    tell_absence(daemon, options, absence);
    g_message("%s is mounted on %s", mount->url, options->mountpoint);
    tell_manager("READY=1", mount, "is mounted on");
    served = serve(session);
    tell_manager("STOPPING=1", mount, "is being unmounted from");
    fuse_remove_signal_handlers(session);
    notifier_quiet(mount->notifier);
    wait_for(mount, engine_idle, NULL);
    privilege_raise_to_unmount(&mount->privilege);
    fuse_session_unmount(session);
    mount_end(mount);
    fuse_session_destroy(session);
    if (!served)
        g_set_error(error, MAIL_ERROR, EIO, "the kernel's FUSE connection failed");
    return served;
}

static bool mount_and_serve(const Options *options, Credentials *credentials, Daemon *daemon,
                            GError **error)
{
    g_autofree char *key = account_key(options, credentials);
    MailStore *store = account_store(options, credentials, error);
    g_autofree char *absence = NULL;
    Mount mount = {0};

    /* The store has a copy of the password, in memory that this process has locked. */
    credentials_clear(credentials);
    if (!store)
        return false;
    mount_begin(&mount, options, store, key);
    daemon_stay_with_parent(daemon);
    if (!look_around(&mount, &absence, error) || !run_session(&mount, daemon, absence, error)) {
        if (mount.engine)
            mount_end(&mount);
        return false;
    }
    return true;
}

/* A limit on the size of files (ulimit -f) is to the cache what a full disk is: an error, no end.
 */
static void ignore_file_limits(void)
{
    signal(SIGXFSZ, SIG_IGN);
}

/* Many files may be written at once, and each takes descriptors. */
static void raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* Nobody may look into our memory: no core dumps, no ptrace by others of the same user. */
static void guard_memory(void)
{
    const struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
}

/* What a daemon that died has left. */
static bool clear_stale(const Options *options, GError **error)
{
    if (!mountpoint_clear(options->mountpoint, error))
        return false;
    g_message("a pullmail that died was still mounted on %s; that is cleared away",
              options->mountpoint);
    return true;
}

static int run(const Options *options)
{
    g_auto(Credentials) credentials = {0};
    g_autoptr(GError) error = NULL;
    Daemon *daemon;
    int status = EXIT_SUCCESS;

    guard_memory();
    ignore_file_limits();
    raise_descriptors();
    service_open();
    if (!options->foreground)
        service_close(); /* what it started ends now */
    umask(077);
    fuse_set_log_func(log_fuse);
    if ((options->stale && !clear_stale(options, &error)) ||
        !credentials_find(options, &credentials, &error) ||
        !(daemon = daemon_begin(options->foreground, &error))) {
        daemon_print_error(error);
        return EXIT_MOUNT;
    }
    if (!mount_and_serve(options, &credentials, daemon, &error)) {
        status = EXIT_MOUNT;
        daemon_fail(daemon, error, status);
    }
    daemon_free(daemon);
    service_close();
    return status;
}

int main(int argc, char **argv)
{
    g_auto(Options) options = {0};
    g_autoptr(GError) error = NULL;

    if (!options_parse(argc, argv, &options, &error)) {
        daemon_print_error(error);
        return EXIT_USAGE;
    }
    if (options.help || options.version) {
        fputs(options.help ? options_help() : options_version(), stdout);
        return EXIT_SUCCESS;
    }
    log_open(options.verbose, options.protocol);
    return run(&options);
}
