#include "look.h"

#include "../cache/scopedlock.h"
#include "dircache.h"
#include "filename.h"
#include "flag_changes.h"
#include "flush.h"
#include "inode.h"
#include "moves.h"

#include <stdlib.h>

/* --- first looks ------------------------------------------------------------------------------ */

static void set_horizon(Look *look, uint32_t uid)
{
    Refresher *refresher = look->refresher;
    SCOPED_LOCK(&refresher->lock);

    look->horizon = uid;
    g_hash_table_insert(refresher->horizons, GUINT_TO_POINTER(look->folder), GUINT_TO_POINTER(uid));
}

static void remove_horizon(Look *look)
{
    Refresher *refresher = look->refresher;
    SCOPED_LOCK(&refresher->lock);

    g_hash_table_remove(refresher->horizons, GUINT_TO_POINTER(look->folder));
}

void look_begin_first(Look *look, uint32_t known)
{
    look->first = true;
    look->prune = known > 0;
    look->last = 0;
    set_horizon(look, 0);
}

void look_end_first(Look *look)
{
    if (look->first)
        remove_horizon(look);
    look->first = look->opened = look->prune = false;
}

/* The server opened the folder. */
static void note_opened(Look *look)
{
    if (!look->first || look->opened)
        return;
    look->opened = true;
    refresh_note_reached(look->refresher);
    request_resume_all(&look->opening, NULL);
}

/* --- what a look finds --------------------------------------------------------------------- */

/*
 * The kernel believes what it was told of messages for a long time: it hears of each that is gone.
 */
typedef struct {
    Mount *mount;
    uint64_t parent;
    uint32_t folder;
    GArray *messages; /* CatalogMessage */
} Gone;

static void tell_gone(Notifier *notifier, gpointer data)
{
    const Gone *gone = data;
    char name[FILENAME_MAX_BYTES];

    for (guint i = 0; i < gone->messages->len; i++) {
        const CatalogMessage *message = &g_array_index(gone->messages, CatalogMessage, i);
        if (!filename_of(gone->mount, gone->folder, message, name))
            continue;
        if (!notify_deleted_now(notifier, gone->parent,
                                inode_number(INODE_MESSAGE, gone->folder, message->uid), name))
            return;
        if (message->named)
            filename_freed(gone->mount, gone->folder, name);
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

    *gone = (Gone){mount, mount_folder_ino(mount, folder), folder, messages};
    notify_task(mount->notifier, tell_gone, gone, gone_free);
}

/*
 * A folder that was made anew gets another inode, and with the old one's name the kernel forgets
 * all that was in it; but for the mount's root, which stays the same to the kernel.
 */
static void empty_root(Mount *mount, uint32_t folder)
{
    if (folder == tree_root(mount->tree))
        notify_gone(mount, folder, catalog_keep_only(mount->catalog, folder, NULL, 0));
}

/* The folder has another id now: with the old one goes all that was known of it. */
static void exchange_folder(Look *look, uint32_t id)
{
    Mount *mount = look->refresher->mount;
    uint32_t old = look->folder;
    TreeNode node;

    moves_forget_folder(mount->moves, old);
    flag_changes_forget_folder(mount->flag_changes, old);
    look->changed = true;
    content_drop_folder(mount->content, old);
    tree_replace(mount->tree, old, id);
    refresh_stale(look->refresher, old);
    g_hash_table_steal(look->refresher->looks, GUINT_TO_POINTER(old));
    g_hash_table_insert(look->refresher->looks, GUINT_TO_POINTER(id), look);
    look_end_first(look);
    g_clear_pointer(&look->gone, g_hash_table_unref);
    look->folder = id;
    look_begin_first(look, 0);
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
static void tell_difference(Look *look, const CatalogMessage *before, const MailMessage *message)
{
    Mount *mount = look->refresher->mount;
    char name[FILENAME_MAX_BYTES];
    CatalogMessage after;

    if (!catalog_message(mount->catalog, look->folder, message->uid, &after))
        return;
    look->changed |= after.deleted != before->deleted;
    if (after.deleted && !before->deleted && filename_of(mount, look->folder, &after, name)) {
        notify_deleted(mount->notifier, mount_folder_ino(mount, look->folder),
                       inode_number(INODE_MESSAGE, look->folder, message->uid), name);
    } else if (after.date != before->date && filename_of(mount, look->folder, before, name)) {
        notify_entry(mount->notifier, mount_folder_ino(mount, look->folder), name);
    } else if (after.size != before->size) {
        notify_size(mount->notifier, inode_number(INODE_MESSAGE, look->folder, message->uid));
    }
}

static void found_reset(gpointer data, uint32_t uidvalidity)
{
    Look *look = data;
    Catalog *catalog = look->refresher->mount->catalog;
    g_auto(CatalogFolder) about = {0};
    uint32_t id;

    if (catalog_folder(catalog, look->folder, &about) && about.state.uidvalidity != uidvalidity)
        empty_root(look->refresher->mount, look->folder);
    id = catalog_reset_folder(catalog, look->folder, uidvalidity);
    if (id != look->folder) {
        g_message("a folder was made anew on the server (UIDVALIDITY %u): what was known of it is "
                  "forgotten",
                  uidvalidity);
        exchange_folder(look, id);
    }
    note_opened(look);
}

static void found_restored(gpointer data)
{
    Look *look = data;
    Mount *mount = look->refresher->mount;
    g_auto(CatalogFolder) about = {0};
    uint32_t id;

    if (catalog_folder(mount->catalog, look->folder, &about))
        g_message("folder \"%s\" is in an earlier state than it was, as from a backup: what was "
                  "known of it is forgotten",
                  about.name);
    empty_root(mount, look->folder);
    id = catalog_renew_folder(mount->catalog, look->folder);
    if (id != look->folder)
        exchange_folder(look, id);
    note_opened(look);
}

static bool is_gone(const Look *look, uint32_t uid)
{
    return look->gone && g_hash_table_contains(look->gone, GUINT_TO_POINTER(uid));
}

void look_not_placed(Look *look, uint32_t uid)
{
    for (guint i = 0; i < look->placed->len; i++) {
        if (g_array_index(look->placed, uint32_t, i) == uid) {
            g_array_remove_index_fast(look->placed, i);
            return;
        }
    }
}

/* A new message needs a date, since that makes its name, or at least a size. */
static void found_message(Look *look, const MailMessage *message)
{
    Catalog *catalog = look->refresher->mount->catalog;
    CatalogMessage before;
    bool known = catalog_message(catalog, look->folder, message->uid, &before);

    if (is_gone(look, message->uid))
        return;
    if (!known && !(message->has & (MAIL_HAS_SIZE | MAIL_HAS_DATE))) {
        look->lacking = true;
        return;
    }
    catalog_put_messages(catalog, look->folder, message, 1);
    look_not_placed(look, message->uid);
    look->changed |= !known || (message->has & MAIL_HAS_DATE && message->date != before.date);
    if (known)
        tell_difference(look, &before, message);
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

/* Of a first look that failed: what it told, and this one does not, is gone since. */
static void prune_between(Look *look, const MailMessage *messages, size_t n)
{
    g_autoptr(GArray) gaps = g_array_new(FALSE, FALSE, sizeof(MailUidRange));

    for (size_t i = 0; i < n; i++) {
        MailUidRange gap = {look->last + 1, messages[i].uid - 1};
        if (messages[i].uid <= look->last)
            continue;
        if (gap.first <= gap.last)
            g_array_append_val(gaps, gap);
        look->last = messages[i].uid;
    }
    forget_messages(look,
                    catalog_remove_ranges(look->refresher->mount->catalog, look->folder,
                                          (const MailUidRange *)(void *)gaps->data, gaps->len));
}

/* Of a folder of which nothing is known: all at once. */
static void found_first(Look *look, const MailMessage *messages, size_t n)
{
    Catalog *catalog = look->refresher->mount->catalog;
    size_t done = 0;

    for (size_t i = 0; i < n; i++) {
        bool gone = is_gone(look, messages[i].uid);
        bool lacking = !(messages[i].has & (MAIL_HAS_SIZE | MAIL_HAS_DATE));
        if (!gone && !lacking)
            continue;
        look->lacking |= !gone;
        catalog_put_messages(catalog, look->folder, messages + done, i - done);
        done = i + 1;
    }
    catalog_put_messages(catalog, look->folder, messages + done, n - done);
    look->changed = true;
}

static void found_messages(gpointer data, const MailMessage *messages, size_t n)
{
    Look *look = data;
    Mount *mount = look->refresher->mount;

    if (look->prune)
        prune_between(look, messages, n);
    if (look->first && !look->prune && !look->placed->len)
        found_first(look, messages, n);
    else
        for (size_t i = 0; i < n; i++)
            found_message(look, &messages[i]);
    if (look->changed)
        dircache_changed(mount->directories, mount_folder_ino(mount, look->folder));
}

static void found_reached(gpointer data, uint32_t uid)
{
    Look *look = data;

    if (!look->first || uid <= look->horizon)
        return;
    set_horizon(look, uid);
    note_opened(look);
    request_resume_all(&look->listing, NULL);
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
    g_autoptr(GArray) all = NULL;

    for (guint i = look->placed->len; i > 0; i--) {
        uint32_t uid = g_array_index(look->placed, uint32_t, i - 1);
        if (bsearch(&uid, uids, n, sizeof uid, mail_compare_uids))
            g_array_remove_index_fast(look->placed, i - 1);
    }
    all = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    if (look->placed->len) {
        g_array_append_vals(all, uids, (guint)n);
        g_array_append_vals(all, look->placed->data, look->placed->len);
        uids = (const uint32_t *)(void *)all->data;
        n = all->len;
    }
    forget_messages(look,
                    catalog_keep_only(look->refresher->mount->catalog, look->folder, uids, n));
}

static void found_state(gpointer data, const MailFolderState *state)
{
    Look *look = data;

    look->count = state->count;
    look->lacking |= !catalog_identified(look->refresher->mount->catalog);
    refresh_set_behind(look->refresher, look->folder, state->flags_later);
    catalog_put_state(look->refresher->mount->catalog, look->folder, state);
    flush_soon(look->refresher->mount->flusher);
}

static uint32_t found_identify(gpointer data, const char *name, unsigned which)
{
    Look *look = data;

    return catalog_identify(look->refresher->mount->catalog, look->folder, name, which);
}

const MailSyncSink look_sink = {
    .reset = found_reset,
    .restored = found_restored,
    .messages = found_messages,
    .reached = found_reached,
    .vanished = found_vanished,
    .present = found_present,
    .state = found_state,
    .identify = found_identify,
};
