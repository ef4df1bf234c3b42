#include "control.h"

#include "inode.h"
#include "prefetch.h"

#include <string.h>

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
    uint64_t folders, messages, bytes, right, wrong;

    catalog_totals(mount->catalog, &folders, &messages, &bytes);
    catalog_size_record(mount->catalog, &right, &wrong);
    g_string_append_printf(text,
                           "folders: %" G_GUINT64_FORMAT "\n"
                           "messages: %" G_GUINT64_FORMAT "\n"
                           "message-bytes: %" G_GUINT64_FORMAT "\n"
                           "sizes-right: %" G_GUINT64_FORMAT "\n"
                           "sizes-wrong: %" G_GUINT64_FORMAT "\n",
                           (guint64)folders, (guint64)messages, (guint64)bytes, (guint64)right,
                           (guint64)wrong);
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
    mail_store_describe(mount->store, text);
    prefetch_describe(mount->prefetcher, text);
    add_mail(text, mount);
    add_cache(text, mount);
    return text;
}
