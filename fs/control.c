#include "control.h"

#include "../cache/scopedlock.h"
#include "fetch.h"
#include "flag_changes.h"
#include "inode.h"
#include "letters.h"
#include "log.h"
#include "moves.h"
#include "prefetch.h"
#include "removal.h"
#include "trust.h"
#include "undone.h"

#include <string.h>

/* The folder in the inode number of a status is its number; 0 stands for the one to be made. */
#define NUMBER_MASK ((UINT32_C(1) << 28) - 1)

typedef struct {
    uint64_t ino;
    GBytes *text;
} Status;

/* `texts` is under `lock`; `requests` is atomic. `last` is the engine's. */
struct Control {
    pthread_mutex_t lock;
    GHashTable *texts; /* ino -> Status */
    uint32_t last;
    guint64 requests;
};

static void status_free(gpointer data)
{
    Status *status = data;

    g_bytes_unref(status->text);
    g_free(status);
}

Control *control_new(void)
{
    Control *control = g_new0(Control, 1);

    pthread_mutex_init(&control->lock, NULL);
    control->texts = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, status_free);
    return control;
}

void control_free(Control *control)
{
    if (!control)
        return;
    g_hash_table_unref(control->texts);
    pthread_mutex_destroy(&control->lock);
    g_free(control);
}

void control_count(Control *control)
{
    __atomic_add_fetch(&control->requests, 1, __ATOMIC_RELAXED);
}

/* --- names and inodes ------------------------------------------------------------------------ */

mode_t control_mode(uint32_t uid)
{
    switch (uid) {
    case CONTROL_UID_DIRECTORY:
        return S_IFDIR | 0500;
    case CONTROL_UID_STATUS:
        return S_IFREG | 0400;
    default:
        return 0;
    }
}

fuse_ino_t control_lookup(fuse_ino_t parent, const char *name)
{
    fuse_ino_t directory = inode_number(INODE_CONTROL, 0, CONTROL_UID_DIRECTORY);

    if (inode_of(parent).kind == INODE_ROOT && strcmp(name, CONTROL_DIRECTORY) == 0)
        return directory;
    if (parent == directory && strcmp(name, "status") == 0)
        return inode_number(INODE_CONTROL, 0, CONTROL_UID_STATUS);
    return 0;
}

bool control_is_status(fuse_ino_t ino)
{
    Inode inode = inode_of(ino);

    return inode.kind == INODE_CONTROL && inode.uid == CONTROL_UID_STATUS;
}

GBytes *control_text(Control *control, fuse_ino_t ino)
{
    uint64_t key = ino;

    SCOPED_LOCK(&control->lock);
    const Status *status = g_hash_table_lookup(control->texts, &key);
    return status ? g_bytes_ref(status->text) : NULL;
}

void control_forget(Control *control, fuse_ino_t ino)
{
    uint64_t key = ino;

    if (!control_is_status(ino))
        return;
    SCOPED_LOCK(&control->lock);
    g_hash_table_remove(control->texts, &key);
}

fuse_ino_t control_status_now(Mount *mount)
{
    Control *control = mount->control;
    Status *status = g_new0(Status, 1);

    control->last = MAX((control->last + 1) & NUMBER_MASK, 1);
    status->ino = inode_number(INODE_CONTROL, control->last, CONTROL_UID_STATUS);
    status->text = g_string_free_to_bytes(control_status(mount));
    SCOPED_LOCK(&control->lock);
    g_hash_table_replace(control->texts, &status->ino, status);
    return status->ino;
}

/* --- the text -------------------------------------------------------------------------------- */

static void add_cache(GString *text, Mount *mount)
{
    ContentStats stats;

    content_stats(mount->content, &stats);
    g_string_append_printf(text,
                           "cache: %s\n"
                           "cached-bytes: %" G_GUINT64_FORMAT "\n"
                           "cache-bound: %" G_GUINT64_FORMAT "\n"
                           "cache-hits: %" G_GUINT64_FORMAT "\n"
                           "cache-misses: %" G_GUINT64_FORMAT "\n"
                           "cache-evicted-bytes: %" G_GUINT64_FORMAT "\n"
                           "cache-damaged-blocks: %" G_GUINT64_FORMAT "\n",
                           stats.on_disk ? "on disk" : "in memory only", (guint64)stats.bytes,
                           (guint64)stats.bound, (guint64)stats.hits, (guint64)stats.misses,
                           (guint64)stats.evicted, (guint64)stats.damaged);
}

static void add_mail(GString *text, Mount *mount)
{
    g_autoptr(GArray) all = catalog_folders(mount->catalog);
    uint64_t folders, messages, bytes, right, wrong;
    bool can_watch = mail_store_features(mount->store) & MAIL_STORE_WATCH;
    guint synced = 0, watched = 0;

    for (guint i = 0; i < all->len; i++) {
        const CatalogFolder *folder = &g_array_index(all, CatalogFolder, i);
        synced += folder->listed;
        watched += can_watch && mail_store_watches(mount->store, folder->name);
    }
    catalog_totals(mount->catalog, &folders, &messages, &bytes);
    catalog_size_record(mount->catalog, &right, &wrong);
    g_string_append_printf(text,
                           "folders: %" G_GUINT64_FORMAT "\n"
                           "folders-synced: %u\n"
                           "folders-watched: %u\n"
                           "messages: %" G_GUINT64_FORMAT "\n"
                           "message-bytes: %" G_GUINT64_FORMAT "\n"
                           "sizes-right: %" G_GUINT64_FORMAT "\n"
                           "sizes-wrong: %" G_GUINT64_FORMAT "\n",
                           (guint64)folders, synced, watched, (guint64)messages, (guint64)bytes,
                           (guint64)right, (guint64)wrong);
}

static void add_time(GString *text, const char *key, gint64 micros)
{
    g_autofree char *date = log_time(micros);

    g_string_append_printf(text, "%s: %s", key, date);
}

/* Last, since its text is whatever it is. */
static void add_last_error(GString *text)
{
    gint64 when = 0;
    g_autofree char *error = log_last_error(&when);

    if (!error) {
        g_string_append(text, "last-error: none\n");
        return;
    }
    add_time(text, "last-error", when);
    g_string_append_printf(text, " %s\n", error);
}

GString *control_status(Mount *mount)
{
    GString *text = g_string_new(NULL);
    g_autoptr(GDateTime) since = g_date_time_new_from_unix_utc(mount->started);
    g_autofree char *when = g_date_time_format_iso8601(since);

    g_string_append_printf(text,
                           "version: %s\n"
                           "account: %s\n"
                           "mounted: %s\n",
                           PULLMAIL_VERSION, mount->url, when);
    add_time(text, "time", g_get_real_time());
    g_string_append_c(text, '\n');
    g_string_append_printf(text, "requests: %" G_GUINT64_FORMAT "\n",
                           (guint64)__atomic_load_n(&mount->control->requests, __ATOMIC_RELAXED));
    trust_describe(mount->trust, text);
    mail_store_describe(mount->store, text);
    fetch_describe(mount->fetcher, text);
    prefetch_describe(mount->prefetcher, text);
    removals_describe(mount->removals, text);
    letters_describe(mount->letters, text);
    moves_describe(mount->moves, text);
    flag_changes_describe(mount->flag_changes, text);
    add_mail(text, mount);
    add_cache(text, mount);
    undone_describe(text);
    add_last_error(text);
    return text;
}
