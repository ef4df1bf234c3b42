#include "net/quote.h"
#include "pool_private.h"

#include <string.h>

enum {
    RENEW_SECONDS = 600, /* RFC 2177 says before 29 minutes; what forwards packets forgets sooner */
    QUIET_MILLIS = 1000, /* of the only connection, before it idles */
    AGAIN_SECONDS = 30,  /* where the server ends an IDLE by itself */
    RETRY_LEAST = 5,     /* seconds, where a connection is lost; doubled each time */
    RETRY_MOST = 300,
    FEW_CONNECTIONS = 4, /* below that, only one of them watches */
};

/* --- what watchers tell ----------------------------------------------------------------------- */

static gboolean look_again(gpointer data)
{
    ImapPool *pool = data;

    g_clear_pointer(&pool->watch.later, g_source_unref);
    pool->watch.quiet = true;
    imap_pool_schedule(pool);
    return G_SOURCE_REMOVE;
}

static void drop_later(ImapPool *pool)
{
    if (pool->watch.later)
        g_source_destroy(pool->watch.later);
    g_clear_pointer(&pool->watch.later, g_source_unref);
}

static void look_later(ImapPool *pool, guint milliseconds)
{
    if (pool->watch.later)
        return;
    pool->watch.later = g_timeout_source_new(milliseconds);
    g_source_set_callback(pool->watch.later, look_again, pool, NULL);
    g_source_attach(pool->watch.later, g_main_context_get_thread_default());
}

/* NULL: nobody wants to be told any more. */
static const ImapPoolWatch *told_by(const ImapMember *member)
{
    return member->pool->watch.folders ? &member->pool->watch : NULL;
}

static void on_began(gpointer data)
{
    const ImapMember *member = data;
    const ImapPoolWatch *watch = told_by(member);

    member->pool->watch.delay = 0;
    if (watch)
        watch->sink->began(watch->data);
}

static void on_changed(gpointer data, const char *folder)
{
    const ImapPoolWatch *watch = told_by(data);

    if (watch)
        watch->sink->changed(watch->data, folder);
}

static void on_folders(gpointer data)
{
    const ImapPoolWatch *watch = told_by(data);

    if (watch)
        watch->sink->folders(watch->data);
}

static void on_paused(gpointer data, bool server)
{
    const ImapMember *member = data;

    if (server)
        look_later(member->pool, AGAIN_SECONDS * 1000);
    else
        imap_pool_schedule(member->pool);
}

static void on_refused(gpointer data, bool notify)
{
    ImapPool *pool = ((const ImapMember *)data)->pool;

    if (notify)
        pool->watch.no_notify = true;
    else
        pool->watch.no_idle = true;
    imap_pool_schedule(pool);
}

/* It is for the owner to find out why. */
static void on_unopened(gpointer data)
{
    const ImapMember *member = data;

    on_changed(data, imap_watcher_folder(member->watcher));
    look_later(member->pool, AGAIN_SECONDS * 1000);
}

static const ImapWatcherEvents watcher_events = {on_began,  on_changed, on_folders,
                                                 on_paused, on_refused, on_unopened};

static ImapWatcher *watcher_of(ImapMember *member)
{
    unsigned renew = member->pool->config.renew;

    if (!member->watcher)
        member->watcher = imap_watcher_new(member->session, renew ? renew : RENEW_SECONDS,
                                           &watcher_events, member);
    return member->watcher;
}

/* --- sessions of their own ---------------------------------------------------------------------
 */

static bool may_notify(const ImapPool *pool)
{
    return (pool->caps & IMAP_CAP_NOTIFY) && !pool->watch.no_notify;
}

static bool may_idle(const ImapPool *pool)
{
    return (pool->caps & IMAP_CAP_IDLE) && !pool->watch.no_idle;
}

static unsigned wanted_sessions(const ImapPool *pool, unsigned limit)
{
    guint folders = g_strv_length(pool->watch.folders);

    if (may_notify(pool))
        return 1;
    if (!may_idle(pool))
        return 0;
    return MIN(folders, limit >= FEW_CONNECTIONS ? 2 : 1);
}

static unsigned count_watching(const ImapPool *pool)
{
    unsigned n = 0;

    for (guint i = 0; i < pool->members->len; i++)
        n += ((const ImapMember *)g_ptr_array_index(pool->members, i))->watches;
    return n;
}

void imap_pool_stop_watching(ImapPool *pool, unsigned keep)
{
    for (guint i = 0; i < pool->members->len; i++) {
        ImapMember *member = g_ptr_array_index(pool->members, i);
        if (!member->watches)
            continue;
        if (keep > 0) {
            keep--;
            continue;
        }
        member->watches = false;
        g_clear_pointer(&member->watcher, imap_watcher_free);
    }
}

/* One on which nothing runs, while there is another for what comes. */
static ImapMember *spare_member(const ImapPool *pool)
{
    ImapMember *spare = NULL;
    unsigned workers = 0;

    for (guint i = 0; i < pool->members->len; i++) {
        ImapMember *member = g_ptr_array_index(pool->members, i);
        if (member->watches || !imap_session_is_settled(member->session))
            continue;
        workers++;
        if (member->ops.length == 0 && member != pool->ahead)
            spare = member;
    }
    return workers > 1 ? spare : NULL;
}

static void get_sessions(ImapPool *pool, unsigned wanted)
{
    unsigned n = count_watching(pool);
    ImapMember *member;

    if (n > wanted)
        imap_pool_stop_watching(pool, wanted);
    for (; n < wanted && !pool->watch.later; n++) {
        member = imap_pool_may_add(pool) ? imap_pool_add_member(pool) : spare_member(pool);
        if (!member)
            return;
        member->watches = true;
    }
}

/* Whether one of them is at it, or will be. */
static bool is_taken(const ImapPool *pool, const char *folder)
{
    for (guint i = 0; i < pool->members->len; i++) {
        const ImapMember *member = g_ptr_array_index(pool->members, i);
        if (member->watches && member->watcher &&
            g_strcmp0(imap_watcher_folder(member->watcher), folder) == 0)
            return true;
    }
    return false;
}

static bool is_wanted(const ImapPool *pool, const char *folder, unsigned wanted)
{
    for (unsigned i = 0; i < wanted; i++)
        if (g_strcmp0(pool->watch.folders[i], folder) == 0)
            return true;
    return false;
}

/* Stays where it is, if that is one of the folders that are wanted. */
static void place_idle(ImapPool *pool, ImapMember *member, unsigned wanted)
{
    ImapWatcher *watcher = watcher_of(member);
    const char *folder = imap_watcher_folder(watcher);

    if (folder && is_wanted(pool, folder, wanted)) {
        if (imap_watcher_rests(watcher) && !pool->watch.later)
            imap_watcher_idle(watcher, folder);
        return;
    }
    for (unsigned i = 0; i < wanted; i++) {
        if (is_taken(pool, pool->watch.folders[i]))
            continue;
        imap_watcher_idle(watcher, pool->watch.folders[i]);
        return;
    }
}

static void place_all(ImapPool *pool, unsigned wanted)
{
    bool notify = may_notify(pool);

    for (guint i = 0; i < pool->members->len; i++) {
        ImapMember *member = g_ptr_array_index(pool->members, i);
        if (!member->watches || !imap_session_is_settled(member->session))
            continue;
        if (!notify)
            place_idle(pool, member, wanted);
        else if (imap_watcher_rests(watcher_of(member)))
            imap_watcher_notify(member->watcher);
    }
}

/* --- the only session ------------------------------------------------------------------------ */

static ImapMember *only_member(const ImapPool *pool)
{
    ImapMember *member = pool->members->len == 1 ? g_ptr_array_index(pool->members, 0) : NULL;

    return member && imap_session_is_settled(member->session) && member->ops.length == 0 &&
                   !pool->waiting.length && !pool->ahead_waiting.length
               ? member
               : NULL;
}

static bool is_in_use(const ImapPool *pool, const char *folder)
{
    return folder && g_strv_contains((const char *const *)pool->watch.folders, folder);
}

/* It idles in the folder that it has open, when there has been nothing to do for a while. */
static void place_on_only(ImapPool *pool)
{
    ImapMember *member = only_member(pool);
    const char *folder;

    if (!member || !may_idle(pool) || !pool->watch.folders[0] ||
        (member->watcher && !imap_watcher_rests(member->watcher))) {
        pool->watch.quiet = false;
        return;
    }
    if (!pool->watch.quiet) {
        look_later(pool, pool->config.quiet ? pool->config.quiet : QUIET_MILLIS);
        return;
    }
    pool->watch.quiet = false;
    folder = imap_session_target(member->session);
    if (imap_conn_load(imap_session_conn(member->session)) == 0)
        imap_watcher_idle(watcher_of(member),
                          is_in_use(pool, folder) ? folder : pool->watch.folders[0]);
}

/* --- the pool's part ------------------------------------------------------------------------- */

void imap_pool_place_watch(ImapPool *pool)
{
    unsigned limit = imap_pool_limit(pool), wanted;

    if (!pool->watch.folders || !pool->caps || pool->closed)
        return;
    if (limit <= 1) {
        imap_pool_stop_watching(pool, 0);
        place_on_only(pool);
        return;
    }
    wanted = wanted_sessions(pool, limit);
    get_sessions(pool, wanted);
    place_all(pool, wanted);
}

/* What is lost is not sought again at once, and ever less often. */
void imap_pool_watch_lost(ImapPool *pool)
{
    ImapPoolWatch *watch = &pool->watch;

    watch->delay = watch->delay ? MIN(2 * watch->delay, RETRY_MOST) : RETRY_LEAST;
    look_later(pool, watch->delay * 1000);
}

void imap_pool_watch_again(ImapPool *pool)
{
    drop_later(pool);
    pool->watch.delay = 0;
}

void imap_pool_watch_released(ImapPool *pool)
{
    look_later(pool, RETRY_LEAST * 1000);
}

void imap_pool_watch_clear(ImapPool *pool)
{
    drop_later(pool);
    g_clear_pointer(&pool->watch.folders, g_strfreev);
}

void imap_pool_watch(ImapPool *pool, const char *const *folders, const MailWatchSink *sink,
                     gpointer data)
{
    g_strfreev(pool->watch.folders);
    pool->watch.folders = g_strdupv((char **)folders);
    pool->watch.sink = sink;
    pool->watch.data = data;
    imap_pool_schedule(pool);
}

static bool member_watches(const ImapMember *member, const char *folder)
{
    return member->watcher && imap_session_state(member->session) == IMAP_SESSION_READY &&
           imap_watcher_watches(member->watcher, folder);
}

bool imap_pool_watches(const ImapPool *pool, const char *folder)
{
    for (guint i = 0; i < pool->members->len; i++)
        if (member_watches(g_ptr_array_index(pool->members, i), folder))
            return true;
    return false;
}

void imap_pool_describe_watch(const ImapPool *pool, GString *text)
{
    const char *separator = "";

    g_string_append(text, "watching: ");
    for (guint i = 0; i < pool->members->len; i++) {
        const ImapMember *member = g_ptr_array_index(pool->members, i);
        const char *folder = member->watcher ? imap_watcher_folder(member->watcher) : NULL;
        g_autofree char *name = quote_text(folder ? folder : "");
        if (!member_watches(member, folder))
            continue;
        g_string_append(text, separator);
        if (folder)
            g_string_append_printf(text, "\"%s\"", name);
        else
            g_string_append(text, "all folders");
        separator = ", ";
    }
    g_string_append(text, *separator ? "\n" : "nothing\n");
}
