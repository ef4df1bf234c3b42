#include "watch.h"

#include "../cache/scopedlock.h"
#include "refresh.h"

#include <string.h>

enum {
    BEGIN_MILLIS = 300,   /* from the first use of any folder to its being watched; */
    SETTLE_MILLIS = 3000, /* and from the use of another: there may be many */
    FIRST_MILLIS = 20,    /* from a change to the look: there may be more of them */
    NEXT_MILLIS = 500,    /* from one look to the next */
    LATELY = 3600,        /* seconds for which a folder counts as in use; */
    LATELY_LOOKED = 600,  /* where it has to be looked at, which keeps others from a maildrop */
    MOST_FOLDERS = 32,    /* that are asked for, or watched */
};

/*
 * `used` has folders that the kernel may know something of, and when they were used last, in
 * monotonic seconds; 0: they were not, but only looked at. `posted`: the engine is to see what is
 * new in it. These and `last` (when anything was used) are shared, under `lock`. All else is the
 * engine thread's. `changed` and `list_changed` are what is to be looked at when `burst` comes.
 */
struct Watcher {
    Mount *mount;
    pthread_mutex_t lock;
    GHashTable *used; /* folder id -> seconds */
    bool posted;
    guint last;
    bool stopped;
    GSource *settling, *polling, *burst;
    char **watched;      /* as the store was told last; NULL: never */
    GHashTable *changed; /* names */
    bool list_changed;
    gint64 looked; /* when burst came last, monotonic */
    MailOp *asking;
    bool ask_again; /* of all, when that is done */
};

static guint now_seconds(void)
{
    return (guint)(g_get_monotonic_time() / G_USEC_PER_SEC) + 1;
}

static bool has_watch(const Watcher *watcher)
{
    return watcher->mount->features & MAIL_STORE_WATCH;
}

/* --- which folders are in use ----------------------------------------------------------------- */

typedef struct {
    uint32_t id;
    guint when;
} Use;

static int latest_first(gconstpointer a, gconstpointer b)
{
    const Use *left = a, *right = b;

    return (left->when < right->when) - (left->when > right->when);
}

/* Use, the latest first: of all, or of those that were used since. */
static GArray *get_uses(Watcher *watcher, guint since)
{
    GArray *uses = g_array_new(FALSE, FALSE, sizeof(Use));
    GHashTableIter iter;
    gpointer id, when;

    pthread_mutex_lock(&watcher->lock);
    g_hash_table_iter_init(&iter, watcher->used);
    while (g_hash_table_iter_next(&iter, &id, &when)) {
        const Use use = {GPOINTER_TO_UINT(id), GPOINTER_TO_UINT(when)};
        if (use.when >= since)
            g_array_append_val(uses, use);
    }
    pthread_mutex_unlock(&watcher->lock);
    g_array_sort(uses, latest_first);
    return uses;
}

static void forget(Watcher *watcher, uint32_t id)
{
    SCOPED_LOCK(&watcher->lock);

    g_hash_table_remove(watcher->used, GUINT_TO_POINTER(id));
}

/* The server's name; NULL: there is no such folder any more, or it can't have messages. The caller
 * frees. */
static char *name_of(Watcher *watcher, uint32_t id)
{
    g_auto(CatalogFolder) folder = {0};

    if (!catalog_folder(watcher->mount->catalog, id, &folder))
        forget(watcher, id);
    else if (!(folder.attributes & MAIL_FOLDER_NOSELECT))
        return g_steal_pointer(&folder.name);
    return NULL;
}

/* 0: it is not among those that the kernel may know something of. */
static uint32_t find_used(Watcher *watcher, const char *name)
{
    g_autoptr(GArray) uses = get_uses(watcher, 0);

    for (guint i = 0; i < uses->len; i++) {
        uint32_t id = g_array_index(uses, Use, i).id;
        g_autofree char *other = name_of(watcher, id);
        if (g_strcmp0(other, name) == 0)
            return id;
    }
    return 0;
}

static guint lately(const Watcher *watcher)
{
    guint now = now_seconds(), most = has_watch(watcher) ? LATELY : LATELY_LOOKED;

    return now > most ? now - most : 1;
}

/* Names of folders that were used lately, the latest first, up to a NULL. */
static char **names_in_use(Watcher *watcher)
{
    g_autoptr(GArray) uses = get_uses(watcher, lately(watcher));
    GPtrArray *names = g_ptr_array_new();

    for (guint i = 0; i < uses->len && names->len < MOST_FOLDERS; i++) {
        char *name = name_of(watcher, g_array_index(uses, Use, i).id);
        if (name)
            g_ptr_array_add(names, name);
    }
    g_ptr_array_add(names, NULL);
    return (char **)g_ptr_array_free(names, FALSE);
}

/* Behind the folder used last: where one more can be watched, it is where mail arrives. */
static void put_inbox_second(char **names)
{
    for (guint i = 2; names[0] && names[1] && names[i]; i++) {
        if (strcmp(names[i], "INBOX") != 0)
            continue;
        char *inbox = names[i];
        memmove(names + 2, names + 1, (i - 1) * sizeof *names);
        names[1] = inbox;
        return;
    }
}

/* --- what changed ----------------------------------------------------------------------------- */

static gboolean look_at_changed(gpointer data)
{
    Watcher *watcher = data;
    g_autoptr(GHashTable) changed = watcher->changed;
    bool list_changed = watcher->list_changed;
    GHashTableIter iter;
    gpointer name;

    engine_cancel(&watcher->burst);
    watcher->changed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    watcher->list_changed = false;
    watcher->looked = g_get_monotonic_time();
    if (list_changed)
        refresh_list_changed(watcher->mount->refresher);
    g_hash_table_iter_init(&iter, changed);
    while (g_hash_table_iter_next(&iter, &name, NULL)) {
        uint32_t id = find_used(watcher, name);
        if (id)
            refresh_folder_changed(watcher->mount->refresher, id);
    }
    return G_SOURCE_REMOVE;
}

static void look_soon(Watcher *watcher)
{
    gint64 ago = (g_get_monotonic_time() - watcher->looked) / 1000;

    if (watcher->burst || watcher->stopped)
        return;
    watcher->burst = engine_after(ago < NEXT_MILLIS ? (guint)(NEXT_MILLIS - ago) : FIRST_MILLIS,
                                  look_at_changed, watcher);
}

/* From now on whoever looks is shown what is true now. */
static void on_changed(gpointer data, const char *folder)
{
    Watcher *watcher = data;
    uint32_t id;

    if (watcher->stopped || g_hash_table_contains(watcher->changed, folder))
        return;
    id = find_used(watcher, folder);
    if (!id)
        return;
    g_hash_table_add(watcher->changed, g_strdup(folder));
    refresh_stale(watcher->mount->refresher, id);
    look_soon(watcher);
}

static void on_folders(gpointer data)
{
    Watcher *watcher = data;

    if (watcher->stopped || watcher->list_changed)
        return;
    watcher->list_changed = true;
    refresh_stale(watcher->mount->refresher, 0);
    look_soon(watcher);
}

/* --- asking ----------------------------------------------------------------------------------- */

/* An uidnext or a modseq that the server does not tell says nothing. */
static bool is_in_step(const MailFolderState *known, const MailFolderState *state)
{
    return known->uidvalidity == state->uidvalidity && known->count == state->count &&
           (!state->uidnext || known->uidnext == state->uidnext) &&
           (!state->modseq || known->modseq == state->modseq);
}

static void on_state(gpointer data, const char *folder, const MailFolderState *state)
{
    Watcher *watcher = data;
    g_auto(CatalogFolder) known = {0};
    uint32_t id = find_used(watcher, folder);

    if (!id || !catalog_folder(watcher->mount->catalog, id, &known))
        return;
    if (!state || !is_in_step(&known.state, state))
        on_changed(watcher, folder);
}

static void ask_states(Watcher *watcher, bool all);

static void states_done(gpointer data, const GError *error)
{
    Watcher *watcher = data;

    watcher->asking = NULL;
    if (error)
        g_info("asking where folders stand: %s", error->message);
    else if (watcher->ask_again && !watcher->stopped)
        ask_states(watcher, true);
}

/* all: of those too of which changes are being told. */
static void ask_states(Watcher *watcher, bool all)
{
    MailStore *store = watcher->mount->store;
    g_auto(GStrv) names = names_in_use(watcher);
    g_autoptr(GPtrArray) asked = g_ptr_array_new();

    for (char **name = names; *name; name++)
        if (all || !mail_store_watches(store, *name))
            g_ptr_array_add(asked, *name);
    g_ptr_array_add(asked, NULL);
    if (watcher->asking) {
        watcher->ask_again = watcher->ask_again || all;
        return;
    }
    watcher->ask_again = false;
    if (asked->len > 1)
        watcher->asking = mail_store_states(store, (const char *const *)asked->pdata, on_state,
                                            states_done, watcher);
}

/* A store that can't tell where a folder stands has it looked at. */
static void look_at_all(Watcher *watcher)
{
    g_autoptr(GArray) uses = get_uses(watcher, lately(watcher));

    for (guint i = 0; i < uses->len && i < MOST_FOLDERS; i++)
        if (!refresh_folder_soon(watcher->mount->refresher, g_array_index(uses, Use, i).id))
            forget(watcher, g_array_index(uses, Use, i).id);
}

static bool is_idle(Watcher *watcher)
{
    SCOPED_LOCK(&watcher->lock);

    return watcher->last < lately(watcher);
}

static gboolean poll(gpointer data)
{
    Watcher *watcher = data;
    Mount *mount = watcher->mount;

    if (is_idle(watcher)) {
        engine_cancel(&watcher->polling);
        return G_SOURCE_REMOVE;
    }
    if (!has_watch(watcher)) {
        look_at_all(watcher);
        return G_SOURCE_CONTINUE;
    }
    ask_states(watcher, false);
    if (!mail_store_watches(mount->store, NULL))
        refresh_list_soon(mount->refresher);
    return G_SOURCE_CONTINUE;
}

static void on_began(gpointer data)
{
    Watcher *watcher = data;

    if (watcher->stopped)
        return;
    ask_states(watcher, true);
    if (mail_store_watches(watcher->mount->store, NULL))
        on_folders(watcher);
}

/* --- what is used ----------------------------------------------------------------------------- */

static const MailWatchSink watch_sink = {on_changed, on_folders, on_began};

static gboolean settled(gpointer data)
{
    Watcher *watcher = data;
    char **names = names_in_use(watcher);

    engine_cancel(&watcher->settling);
    put_inbox_second(names);
    if (watcher->watched &&
        g_strv_equal((const char *const *)names, (const char *const *)watcher->watched)) {
        g_strfreev(names);
        return G_SOURCE_REMOVE;
    }
    g_strfreev(watcher->watched);
    watcher->watched = names;
    mail_store_watch(watcher->mount->store, (const char *const *)names, &watch_sink, watcher);
    return G_SOURCE_REMOVE;
}

static void take_uses(gpointer data)
{
    Watcher *watcher = data;
    guint refresh = watcher->mount->options->refresh;

    pthread_mutex_lock(&watcher->lock);
    watcher->posted = false;
    pthread_mutex_unlock(&watcher->lock);
    if (watcher->stopped)
        return;
    if (!watcher->settling && has_watch(watcher))
        watcher->settling = engine_after(watcher->watched ? SETTLE_MILLIS : BEGIN_MILLIS, settled,
                                         watcher);
    if (!watcher->polling && refresh)
        watcher->polling = engine_after(refresh * 1000, poll, watcher);
}

/* True: the engine has to see to it. Often called, so that little is done in the same second. */
static bool put_use(Watcher *watcher, uint32_t folder)
{
    gpointer key = GUINT_TO_POINTER(folder);
    guint now = now_seconds();
    SCOPED_LOCK(&watcher->lock);

    if (folder && GPOINTER_TO_UINT(g_hash_table_lookup(watcher->used, key)) == now)
        return false;
    if (!folder && watcher->last == now)
        return false;
    watcher->last = now;
    if (folder)
        g_hash_table_insert(watcher->used, key, GUINT_TO_POINTER(now));
    if (watcher->posted)
        return false;
    watcher->posted = true;
    return true;
}

void watcher_note_use(Watcher *watcher, uint32_t folder)
{
    if (put_use(watcher, folder))
        engine_post(watcher->mount->engine, take_uses, watcher);
}

void watcher_note_look(Watcher *watcher, uint32_t folder)
{
    SCOPED_LOCK(&watcher->lock);

    if (!g_hash_table_contains(watcher->used, GUINT_TO_POINTER(folder)))
        g_hash_table_insert(watcher->used, GUINT_TO_POINTER(folder), GUINT_TO_POINTER(0));
}

/* --- life ------------------------------------------------------------------------------------- */

Watcher *watcher_new(Mount *mount)
{
    Watcher *watcher = g_new0(Watcher, 1);

    watcher->mount = mount;
    pthread_mutex_init(&watcher->lock, NULL);
    watcher->used = g_hash_table_new(NULL, NULL);
    watcher->changed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return watcher;
}

void watcher_stop(Watcher *watcher)
{
    watcher->stopped = true;
    engine_cancel(&watcher->settling);
    engine_cancel(&watcher->polling);
    engine_cancel(&watcher->burst);
}

void watcher_free(Watcher *watcher)
{
    if (!watcher)
        return;
    g_hash_table_unref(watcher->used);
    g_hash_table_unref(watcher->changed);
    g_strfreev(watcher->watched);
    pthread_mutex_destroy(&watcher->lock);
    g_free(watcher);
}
