#include "refresh.h"

#include "../cache/scopedlock.h"
#include "failure.h"
#include "flag_changes.h"
#include "look.h"
#include "offline.h"
#include "prefetch.h"
#include "removal.h"
#include "watch.h"

#include <errno.h>

static void look_free(gpointer data)
{
    Look *look = data;

    g_clear_pointer(&look->gone, g_hash_table_unref);
    g_array_unref(look->placed);
    g_free(look);
}

Refresher *refresher_new(Mount *mount)
{
    Refresher *refresher = g_new0(Refresher, 1);

    refresher->mount = mount;
    pthread_mutex_init(&refresher->lock, NULL);
    refresher->checked = g_hash_table_new(NULL, NULL);
    refresher->horizons = g_hash_table_new(NULL, NULL);
    refresher->behind = g_hash_table_new(NULL, NULL);
    refresher->looks = g_hash_table_new_full(NULL, NULL, NULL, look_free);
    g_queue_init(&refresher->list_waiting);
    return refresher;
}

void refresher_free(Refresher *refresher)
{
    if (!refresher)
        return;
    if (refresher->listed)
        g_array_unref(refresher->listed);
    g_hash_table_unref(refresher->looks);
    g_hash_table_unref(refresher->checked);
    g_hash_table_unref(refresher->horizons);
    g_hash_table_unref(refresher->behind);
    pthread_mutex_destroy(&refresher->lock);
    g_free(refresher);
}

/* --- freshness ---------------------------------------------------------------------------------
 */

static guint now_seconds(void)
{
    return (guint)(g_get_monotonic_time() / G_USEC_PER_SEC);
}

static bool is_recent(const Refresher *refresher, guint when)
{
    return now_seconds() - when < refresher->mount->options->refresh;
}

/* Whether the folder (0: the list) can be shown as it was, should there be no server. */
static bool is_listed(const Refresher *refresher, uint32_t id)
{
    g_auto(CatalogFolder) folder = {0};

    return !id || (catalog_folder(refresher->mount->catalog, id, &folder) && folder.listed);
}

/* While the server is away, and known to be. */
static bool does_as_it_is(const Refresher *refresher, uint32_t id)
{
    Offline *offline = refresher->mount->offline;

    if (!offline_is(offline) || !is_listed(refresher, id))
        return false;
    offline_need(offline);
    return true;
}

bool refresh_is_fresh(Refresher *refresher, uint32_t folder)
{
    gpointer key = GUINT_TO_POINTER(folder), checked = NULL;
    bool fresh, lost;

    pthread_mutex_lock(&refresher->lock);
    fresh = g_hash_table_lookup_extended(refresher->checked, key, NULL, &checked) &&
            is_recent(refresher, GPOINTER_TO_UINT(checked));
    lost = refresher->is_lost && is_recent(refresher, refresher->lost);
    pthread_mutex_unlock(&refresher->lock);
    /* Who looks has the server tried; and each folder would have to wait for the same silence. */
    return does_as_it_is(refresher, folder) || fresh || (lost && is_listed(refresher, folder));
}

void refresh_set_fresh(Refresher *refresher, uint32_t folder)
{
    SCOPED_LOCK(&refresher->lock);

    g_hash_table_insert(refresher->checked, GUINT_TO_POINTER(folder),
                        GUINT_TO_POINTER(now_seconds()));
    refresher->is_lost = false;
}

bool refresh_is_behind(Refresher *refresher, uint32_t folder)
{
    SCOPED_LOCK(&refresher->lock);

    return g_hash_table_contains(refresher->behind, GUINT_TO_POINTER(folder));
}

void refresh_set_behind(Refresher *refresher, uint32_t folder, bool behind)
{
    SCOPED_LOCK(&refresher->lock);

    if (behind)
        g_hash_table_add(refresher->behind, GUINT_TO_POINTER(folder));
    else
        g_hash_table_remove(refresher->behind, GUINT_TO_POINTER(folder));
}

void refresh_stale(Refresher *refresher, uint32_t folder)
{
    SCOPED_LOCK(&refresher->lock);

    g_hash_table_remove(refresher->checked, GUINT_TO_POINTER(folder));
    refresher->is_lost = false;
}

void refresh_note_reached(Refresher *refresher)
{
    SCOPED_LOCK(&refresher->lock);

    refresher->is_lost = false;
}

/* What was in step before has been so without the server's word since. */
void refresh_reached(Refresher *refresher)
{
    SCOPED_LOCK(&refresher->lock);

    refresher->is_lost = false;
    g_hash_table_remove_all(refresher->checked);
}

void refresh_note_failure(Refresher *refresher, const GError *error)
{
    if (!failure_is_lost(error))
        return;
    SCOPED_LOCK(&refresher->lock);
    refresher->is_lost = true;
    refresher->lost = now_seconds();
}

/* --- first looks ------------------------------------------------------------------------------ */

bool refresh_is_listed(Refresher *refresher, uint32_t folder, uint32_t *horizon)
{
    gpointer key = GUINT_TO_POINTER(folder), value = NULL;
    g_auto(CatalogFolder) known = {0};
    bool under_way;

    pthread_mutex_lock(&refresher->lock);
    under_way = g_hash_table_lookup_extended(refresher->horizons, key, NULL, &value);
    pthread_mutex_unlock(&refresher->lock);
    *horizon = GPOINTER_TO_UINT(value);
    /* A look that ended in between has put the folder in step before. */
    return !under_way &&
           (!catalog_folder(refresher->mount->catalog, folder, &known) || known.listed);
}

/* --- looking at a folder ------------------------------------------------------------------- */

static void begin_look(Look *look, const CatalogFolder *folder);

/*
 * The server counts other messages than we do, or told of some by halves, as one does that was
 * wrong about UIDNEXT: once, everything is listed.
 */
static bool does_not_fit(Look *look, const CatalogFolder *folder)
{
    if (look->again || (folder->state.count == look->count + look->placed->len && !look->lacking))
        return false;
    g_info("folder \"%s\": %u messages are known, and the server counts %u", folder->name,
           folder->state.count, look->count);
    return true;
}

/* The folder as it was has to do. EAGAIN is the server's word, maybe of this folder alone. */
static bool is_passing(const GError *error)
{
    return failure_is_lost(error) || mail_errno(error) == EAGAIN;
}

static void look_done(gpointer data, const GError *error)
{
    Look *look = data;
    Mount *mount = look->refresher->mount;
    const GError *failure = error;
    g_auto(CatalogFolder) folder = {0};
    bool known = catalog_folder(mount->catalog, look->folder, &folder);

    look->op = NULL;
    catalog_identified(mount->catalog); /* of a look that failed */
    if (!error && known && does_not_fit(look, &folder)) {
        look->again = true;
        folder.state.modseq = 0;
        folder.state.uidnext = 0;
        begin_look(look, &folder);
        return;
    }
    look->again = look->lacking = look->flags = false;
    g_clear_pointer(&look->gone, g_hash_table_unref);
    mount_note_quota(mount);
    if (look->changed)
        notify_directory(mount->notifier, mount_folder_ino(mount, look->folder));
    look->changed = false;
    if (error)
        refresh_note_failure(look->refresher, error);
    look_end_first(look);
    if (!error) {
        refresh_set_fresh(look->refresher, look->folder);
    } else if (known && folder.listed && is_passing(error)) {
        g_warning("folder \"%s\" is shown as it was: %s", folder.name, error->message);
        error = NULL;
    } else {
        g_info("folder \"%s\": %s", known ? folder.name : "", error->message);
        if (mail_errno(error) == ENOENT)
            refresh_stale(look->refresher, 0);
    }
    request_resume_all(&look->listing, failure);
    request_resume_all(&look->opening, error);
    request_resume_all(&look->waiting, error);
    prefetch_listed(mount->prefetcher, look->folder);
    removals_looked(mount->removals);
    flag_changes_listed(mount->flag_changes, look->folder, failure);
    if (look->outdated && !error)
        refresh_folder_changed(look->refresher, look->folder);
}

static void begin_look(Look *look, const CatalogFolder *folder)
{
    MailFolderState known = folder->state;

    look->outdated = false;
    watcher_note_look(look->refresher->mount->watcher, look->folder);
    known.flags_later = !look->flags && !look->again;
    g_array_set_size(look->placed, 0);
    look->op = mail_store_sync(look->refresher->mount->store, folder->name, &known, &look_sink,
                               look_done, look);
}

static Look *look_of(Refresher *refresher, uint32_t folder)
{
    Look *look = g_hash_table_lookup(refresher->looks, GUINT_TO_POINTER(folder));

    if (!look) {
        look = g_new0(Look, 1);
        look->refresher = refresher;
        look->folder = folder;
        g_queue_init(&look->waiting);
        g_queue_init(&look->opening);
        g_queue_init(&look->listing);
        look->placed = g_array_new(FALSE, FALSE, sizeof(uint32_t));
        g_hash_table_insert(refresher->looks, GUINT_TO_POINTER(folder), look);
    }
    return look;
}

/*
 * The look at a folder, begun where there is none, and then with flags where wanted. NULL, and the
 * request is gone: no such folder.
 */
static Look *look_for(Refresher *refresher, uint32_t id, bool flags, Request *request)
{
    g_auto(CatalogFolder) folder = {0};
    Look *look;

    if (!catalog_folder(refresher->mount->catalog, id, &folder)) {
        g_autoptr(GError) error = g_error_new(MAIL_ERROR, ESTALE, "no such folder any more");
        request_resume(request, error);
        return NULL;
    }
    look = look_of(refresher, id);
    if (!look->op) {
        look->flags = flags;
        if (!folder.listed)
            look_begin_first(look, folder.state.count);
        begin_look(look, &folder);
    }
    return look;
}

static void wait_for_folder(Refresher *refresher, uint32_t id, Request *request)
{
    Look *look = look_for(refresher, id, false, request);

    if (look)
        request_wait(request, &look->waiting);
}

void refresh_wait_opened(Refresher *refresher, uint32_t folder, Request *request)
{
    Look *look = folder ? look_for(refresher, folder, false, request) : NULL;

    if (!folder)
        refresh_wait(refresher, 0, request);
    else if (look && look->opened)
        request_resume(request, NULL);
    else if (look)
        request_wait(request, &look->opening);
}

void refresh_wait_flags(Refresher *refresher, uint32_t folder, Request *request)
{
    Look *look = look_for(refresher, folder, true, request);

    if (look)
        request_wait(request, &look->waiting);
}

void refresh_wait_listed(Refresher *refresher, uint32_t folder, Request *request)
{
    Look *look = look_for(refresher, folder, false, request);

    if (look)
        request_wait(request, &look->listing);
}

void refresh_note_gone(Refresher *refresher, uint32_t folder, uint32_t uid)
{
    Look *look = g_hash_table_lookup(refresher->looks, GUINT_TO_POINTER(folder));

    if (!look || !look->op)
        return;
    look_not_placed(look, uid);
    if (!look->gone)
        look->gone = g_hash_table_new(NULL, NULL);
    g_hash_table_add(look->gone, GUINT_TO_POINTER(uid));
}

void refresh_placed(Refresher *refresher, uint32_t folder, uint32_t uid)
{
    Look *look = g_hash_table_lookup(refresher->looks, GUINT_TO_POINTER(folder));
    CatalogMessage message;

    if (look && look->op && !catalog_message(refresher->mount->catalog, folder, uid, &message))
        g_array_append_val(look->placed, uid);
}

bool refresh_folder_soon(Refresher *refresher, uint32_t id)
{
    g_auto(CatalogFolder) folder = {0};
    Look *look;

    if (!catalog_folder(refresher->mount->catalog, id, &folder))
        return false;
    look = look_of(refresher, id);
    if (!look->op && !refresh_is_fresh(refresher, id)) {
        if (!folder.listed)
            look_begin_first(look, folder.state.count);
        begin_look(look, &folder);
    }
    return true;
}

bool refresh_is_looking(const Refresher *refresher, uint32_t folder)
{
    const Look *look = g_hash_table_lookup(refresher->looks, GUINT_TO_POINTER(folder));

    return look && look->op;
}

void refresh_folder_changed(Refresher *refresher, uint32_t folder)
{
    Look *look = g_hash_table_lookup(refresher->looks, GUINT_TO_POINTER(folder));

    refresh_stale(refresher, folder);
    if (look && look->op)
        look->outdated = true;
    else
        refresh_folder_soon(refresher, folder);
}

void refresh_wait(Refresher *refresher, uint32_t folder, Request *request)
{
    if (folder) {
        wait_for_folder(refresher, folder, request);
        return;
    }
    request_wait(request, &refresher->list_waiting);
    if (!refresher->list_op)
        refresh_list(refresher, NULL, NULL);
}
