#include "refresh.h"

#include "../cache/scopedlock.h"
#include "dircache.h"
#include "flush.h"
#include "inode.h"
#include "names.h"
#include "prefetch.h"

#include <errno.h>

/* A look at a folder. It lives as long as the mount; `op` is set while it is under way. */
typedef struct {
    Refresher *refresher;
    uint32_t folder;
    MailOp *op;
    bool again;     /* what was told did not fit: everything is listed once more */
    bool lacking;   /* messages were told of that are new, without what a listing shows of them */
    bool changed;   /* other messages are there: the kernel has to look at the directory again */
    uint32_t count; /* messages, as the server told */
    GQueue waiting; /* Request */
} Look;

/*
 * `checked` is when folders were in step, monotonic seconds, by id (0: the list of folders), and
 * `lost` (where `is_lost`) is when a look found that the server can't be reached. They are shared,
 * under `lock`. All else is the engine thread's.
 */
struct Refresher {
    Mount *mount;
    pthread_mutex_t lock;
    GHashTable *checked;
    bool is_lost;
    guint lost;
    GHashTable *looks; /* folder id -> Look */
    /* The list of folders: */
    MailOp *list_op;
    GArray *listed; /* CatalogFolder */
    GQueue list_waiting;
    MailDone list_done;
    gpointer list_data;
};

Refresher *refresher_new(Mount *mount)
{
    Refresher *refresher = g_new0(Refresher, 1);

    refresher->mount = mount;
    pthread_mutex_init(&refresher->lock, NULL);
    refresher->checked = g_hash_table_new(NULL, NULL);
    refresher->looks = g_hash_table_new_full(NULL, NULL, NULL, g_free);
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

bool refresh_is_fresh(Refresher *refresher, uint32_t folder)
{
    gpointer key = GUINT_TO_POINTER(folder), checked = NULL;
    bool fresh, lost;

    pthread_mutex_lock(&refresher->lock);
    fresh = g_hash_table_lookup_extended(refresher->checked, key, NULL, &checked) &&
            is_recent(refresher, GPOINTER_TO_UINT(checked));
    lost = refresher->is_lost && is_recent(refresher, refresher->lost);
    pthread_mutex_unlock(&refresher->lock);
    /* Each folder would have to wait for the same silence. */
    return fresh || (lost && is_listed(refresher, folder));
}

static void set_fresh(Refresher *refresher, uint32_t folder)
{
    SCOPED_LOCK(&refresher->lock);

    g_hash_table_insert(refresher->checked, GUINT_TO_POINTER(folder),
                        GUINT_TO_POINTER(now_seconds()));
    refresher->is_lost = false;
}

void refresh_stale(Refresher *refresher, uint32_t folder)
{
    SCOPED_LOCK(&refresher->lock);

    g_hash_table_remove(refresher->checked, GUINT_TO_POINTER(folder));
    refresher->is_lost = false;
}

static bool is_network_failure(const GError *error)
{
    switch (mail_errno(error)) {
    case ETIMEDOUT:
    case ENOTCONN:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ECONNREFUSED:
    case EAGAIN:
        return true;
    default:
        return false;
    }
}

/* A look has failed. Of an EAGAIN the server itself has spoken, maybe of one folder alone. */
static void note_failure(Refresher *refresher, const GError *error)
{
    if (!is_network_failure(error) || mail_errno(error) == EAGAIN)
        return;
    SCOPED_LOCK(&refresher->lock);
    refresher->is_lost = true;
    refresher->lost = now_seconds();
}

/* --- what a look finds --------------------------------------------------------------------- */

/* The kernel believes what it was told of messages for a long time: it hears of each that is gone.
 */
typedef struct {
    uint64_t parent;
    uint32_t folder;
    GArray *messages; /* CatalogMessage */
} Gone;

static void tell_gone(Notifier *notifier, gpointer data)
{
    const Gone *gone = data;
    char name[NAMES_MESSAGE_MAX];

    for (guint i = 0; i < gone->messages->len; i++) {
        const CatalogMessage *message = &g_array_index(gone->messages, CatalogMessage, i);
        names_message(message->date, message->uid, name);
        if (!notify_deleted_now(notifier, gone->parent,
                                inode_number(INODE_MESSAGE, gone->folder, message->uid), name))
            return;
    }
}

static void gone_free(gpointer data)
{
    Gone *gone = data;

    g_array_unref(gone->messages);
    g_free(gone);
}

/* Takes the array. */
static void notify_gone(Mount *mount, uint32_t folder, GArray *messages)
{
    Gone *gone = g_new(Gone, 1);

    *gone = (Gone){mount_folder_ino(mount, folder), folder, messages};
    notify_task(mount->notifier, tell_gone, gone, gone_free);
}

/*
 * A folder that was made anew gets another inode, and with the old one's name the kernel forgets
 * all that was in it; but for the mount's root, which stays the same to the kernel.
 */
static void empty_root(Mount *mount, uint32_t folder, uint32_t uidvalidity)
{
    g_auto(CatalogFolder) about = {0};

    if (folder == tree_root(mount->tree) && catalog_folder(mount->catalog, folder, &about) &&
        about.state.uidvalidity != uidvalidity)
        notify_gone(mount, folder, catalog_keep_only(mount->catalog, folder, NULL, 0));
}

static void found_reset(gpointer data, uint32_t uidvalidity)
{
    Look *look = data;
    Mount *mount = look->refresher->mount;
    uint32_t old = look->folder, id;
    TreeNode node;

    empty_root(mount, old, uidvalidity);
    id = catalog_reset_folder(mount->catalog, old, uidvalidity);
    if (id == old)
        return;
    look->changed = true;
    g_message("a folder was made anew on the server (UIDVALIDITY %u): what was known of it is "
              "forgotten",
              uidvalidity);
    content_drop_folder(mount->content, old);
    tree_replace(mount->tree, old, id);
    refresh_stale(look->refresher, old);
    g_hash_table_steal(look->refresher->looks, GUINT_TO_POINTER(old));
    g_hash_table_insert(look->refresher->looks, GUINT_TO_POINTER(id), look);
    look->folder = id;
    if (!tree_node(mount->tree, id, &node))
        return;
    dircache_changed(mount->directories, mount_folder_ino(mount, id));
    if (id == tree_root(mount->tree))
        return;
    dircache_changed(mount->directories, mount_folder_ino(mount, node.parent));
    notify_directory(mount->notifier, mount_folder_ino(mount, node.parent));
    notify_entry(mount->notifier, mount_folder_ino(mount, node.parent), node.name);
}

/* What the kernel knows of a message is for ever; but a server may think otherwise. */
static void tell_difference(const Look *look, const CatalogMessage *before,
                            const MailMessage *message)
{
    Mount *mount = look->refresher->mount;
    char name[NAMES_MESSAGE_MAX];
    CatalogMessage after;

    if (!catalog_message(mount->catalog, look->folder, message->uid, &after))
        return;
    if (after.date != before->date) {
        names_message(before->date, before->uid, name);
        notify_entry(mount->notifier, mount_folder_ino(mount, look->folder), name);
    } else if (after.size != before->size) {
        notify_size(mount->notifier, inode_number(INODE_MESSAGE, look->folder, message->uid));
    }
}

/* A new message needs a date, since that makes its name, or at least a size. */
static void found_message(Look *look, const MailMessage *message)
{
    Catalog *catalog = look->refresher->mount->catalog;
    CatalogMessage before;
    bool known = catalog_message(catalog, look->folder, message->uid, &before);

    if (!known && !(message->has & (MAIL_HAS_SIZE | MAIL_HAS_DATE))) {
        look->lacking = true;
        return;
    }
    catalog_put_messages(catalog, look->folder, message, 1);
    look->changed |= !known || (message->has & MAIL_HAS_DATE && message->date != before.date);
    if (known)
        tell_difference(look, &before, message);
}

static void found_messages(gpointer data, const MailMessage *messages, size_t n)
{
    Look *look = data;
    Mount *mount = look->refresher->mount;

    for (size_t i = 0; i < n; i++)
        found_message(look, &messages[i]);
    if (look->changed)
        dircache_changed(mount->directories, mount_folder_ino(mount, look->folder));
}

static void forget_messages(Look *look, GArray *gone)
{
    Mount *mount = look->refresher->mount;

    for (guint i = 0; i < gone->len; i++)
        content_drop(mount->content, look->folder, g_array_index(gone, CatalogMessage, i).uid);
    if (gone->len) {
        look->changed = true;
        dircache_changed(mount->directories, mount_folder_ino(mount, look->folder));
    }
    notify_gone(mount, look->folder, gone);
}

static void found_vanished(gpointer data, const MailUidRange *ranges, size_t n)
{
    Look *look = data;

    forget_messages(
        look, catalog_remove_ranges(look->refresher->mount->catalog, look->folder, ranges, n));
}

static void found_present(gpointer data, const uint32_t *uids, size_t n)
{
    Look *look = data;

    forget_messages(look,
                    catalog_keep_only(look->refresher->mount->catalog, look->folder, uids, n));
}

static void found_state(gpointer data, const MailFolderState *state)
{
    Look *look = data;

    look->count = state->count;
    catalog_put_state(look->refresher->mount->catalog, look->folder, state);
    flush_soon(look->refresher->mount->flusher);
}

static const MailSyncSink look_sink = {
    .reset = found_reset,
    .messages = found_messages,
    .vanished = found_vanished,
    .present = found_present,
    .state = found_state,
};

/* --- looking at a folder ------------------------------------------------------------------- */

static void begin_look(Look *look, const CatalogFolder *folder);

/*
 * The server counts other messages than we do, or told of some by halves, as one does that was
 * wrong about UIDNEXT: once, everything is listed.
 */
static bool does_not_fit(Look *look, const CatalogFolder *folder)
{
    if (look->again || (folder->state.count == look->count && !look->lacking))
        return false;
    g_info("folder \"%s\": %u messages are known, and the server counts %u", folder->name,
           folder->state.count, look->count);
    return true;
}

static void look_done(gpointer data, const GError *error)
{
    Look *look = data;
    Mount *mount = look->refresher->mount;
    g_auto(CatalogFolder) folder = {0};
    bool known = catalog_folder(mount->catalog, look->folder, &folder);

    look->op = NULL;
    if (!error && known && does_not_fit(look, &folder)) {
        look->again = true;
        folder.state.modseq = 0;
        folder.state.uidnext = 0;
        begin_look(look, &folder);
        return;
    }
    look->again = look->lacking = false;
    mount_note_quota(mount);
    if (look->changed)
        notify_directory(mount->notifier, mount_folder_ino(mount, look->folder));
    look->changed = false;
    if (error)
        note_failure(look->refresher, error);
    if (!error) {
        set_fresh(look->refresher, look->folder);
    } else if (is_network_failure(error) && known && folder.listed) {
        g_warning("folder \"%s\" is shown as it was: %s", folder.name, error->message);
        error = NULL;
    } else {
        g_info("folder \"%s\": %s", known ? folder.name : "", error->message);
        if (mail_errno(error) == ENOENT)
            refresh_stale(look->refresher, 0);
    }
    request_resume_all(&look->waiting, error);
    prefetch_listed(mount->prefetcher, look->folder);
}

static void begin_look(Look *look, const CatalogFolder *folder)
{
    look->op = mail_store_sync(look->refresher->mount->store, folder->name, &folder->state,
                               &look_sink, look_done, look);
}

static Look *look_of(Refresher *refresher, uint32_t folder)
{
    Look *look = g_hash_table_lookup(refresher->looks, GUINT_TO_POINTER(folder));

    if (!look) {
        look = g_new0(Look, 1);
        look->refresher = refresher;
        look->folder = folder;
        g_queue_init(&look->waiting);
        g_hash_table_insert(refresher->looks, GUINT_TO_POINTER(folder), look);
    }
    return look;
}

static void wait_for_folder(Refresher *refresher, uint32_t id, Request *request)
{
    g_auto(CatalogFolder) folder = {0};

    if (!catalog_folder(refresher->mount->catalog, id, &folder)) {
        g_autoptr(GError) error = g_error_new(MAIL_ERROR, ESTALE, "no such folder any more");
        request_resume(request, error);
        return;
    }
    Look *look = look_of(refresher, id);
    request_wait(request, &look->waiting);
    if (!look->op)
        begin_look(look, &folder);
}

bool refresh_folder_soon(Refresher *refresher, uint32_t id)
{
    g_auto(CatalogFolder) folder = {0};
    Look *look;

    if (!catalog_folder(refresher->mount->catalog, id, &folder))
        return false;
    look = look_of(refresher, id);
    if (!look->op && !refresh_is_fresh(refresher, id))
        begin_look(look, &folder);
    return true;
}

/* --- the list of folders ------------------------------------------------------------------- */

static void found_folder(gpointer data, const MailFolderInfo *info)
{
    Refresher *refresher = data;
    CatalogFolder folder = {
        .id = catalog_put_folder(refresher->mount->catalog, info),
        .name = g_strdup(info->name),
        .delimiter = info->delimiter,
        .attributes = info->attributes,
    };

    g_array_append_val(refresher->listed, folder);
}

static uint32_t make_parent(gpointer data, const MailFolderInfo *info)
{
    Mount *mount = data;

    return catalog_put_folder(mount->catalog, info);
}

static void drop_folders(Mount *mount, const GArray *gone)
{
    for (guint i = 0; i < gone->len; i++) {
        const TreeNode *node = &g_array_index(gone, TreeNode, i);
        catalog_drop_folder(mount->catalog, node->id);
        content_drop_folder(mount->content, node->id);
        notify_entry(mount->notifier, mount_folder_ino(mount, node->parent), node->name);
    }
}

static bool plant_tree(Refresher *refresher, GError **error)
{
    Mount *mount = refresher->mount;
    g_autoptr(GArray) gone = NULL;
    uint64_t version = tree_version(mount->tree);

    if (!tree_update(mount->tree, (const CatalogFolder *)(void *)refresher->listed->data,
                     refresher->listed->len, mount->options->url.folder, make_parent, mount, &gone,
                     error))
        return false;
    drop_folders(mount, gone);
    if (tree_version(mount->tree) != version) {
        dircache_all_changed(mount->directories);
        notify_directory(mount->notifier, inode_number(INODE_ROOT, 0, 0));
    }
    set_fresh(refresher, 0);
    return true;
}

static void list_done(gpointer data, const GError *error)
{
    Refresher *refresher = data;
    g_autoptr(GError) failure = error ? g_error_copy(error) : NULL;
    MailDone done = refresher->list_done;

    refresher->list_op = NULL;
    refresher->list_done = NULL;
    mount_note_quota(refresher->mount);
    if (failure)
        note_failure(refresher, failure);
    else
        plant_tree(refresher, &failure);
    g_clear_pointer(&refresher->listed, g_array_unref);
    if (done)
        done(refresher->list_data, failure);
    else if (failure)
        g_warning("the folders are shown as they were: %s", failure->message);
    request_resume_all(&refresher->list_waiting, NULL);
}

void refresh_list(Refresher *refresher, MailDone done, gpointer data)
{
    refresher->list_done = done;
    refresher->list_data = data;
    if (refresher->list_op)
        return;
    refresher->listed = g_array_new(FALSE, FALSE, sizeof(CatalogFolder));
    g_array_set_clear_func(refresher->listed, (GDestroyNotify)catalog_folder_clear);
    refresher->list_op = mail_store_list(refresher->mount->store, found_folder, list_done,
                                         refresher);
}

void refresh_list_soon(Refresher *refresher)
{
    if (!refresher->list_op && !refresh_is_fresh(refresher, 0))
        refresh_list(refresher, NULL, NULL);
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
