#include "move.h"

#include "dircache.h"
#include "filename.h"
#include "flush.h"
#include "inode.h"
#include "moved.h"
#include "names.h"
#include "refresh.h"
#include "removal.h"

#include <string.h>

/* Ahead of the message, so that it is never seen under another name. */
static void give_name(Mount *mount, const Move *move)
{
    g_autoptr(GError) error = NULL;
    char usual[NAMES_MESSAGE_MAX];

    names_message(move->message.date, move->copy, usual);
    if (strcmp(usual, move->name) == 0)
        return;
    if (filename_check_given(mount, move->target, move->copy, move->name) != 0)
        g_message("a message that was moved can't be called \"%s\": that name was taken meanwhile",
                  move->name);
    else if (!catalog_give_name(mount->catalog, move->target, move->copy, move->name, &error))
        g_warning("\"%s\": %s", move->name, error->message);
}

/* A size that was proved needs not be proved again, nor is it counted again. */
static void put_message(Mount *mount, const Move *move)
{
    const CatalogMessage *known = &move->message;
    bool proved = known->proof & CATALOG_SIZE_PROVED;
    const MailMessage message = {
        .uid = move->copy,
        .has = MAIL_HAS_DATE | MAIL_HAS_FLAGS | (proved ? 0 : MAIL_HAS_SIZE),
        .size = known->size,
        .date = known->date,
        .flags = move->flags,
    };

    refresh_placed(mount->refresher, move->target, move->copy);
    catalog_put_messages(mount->catalog, move->target, &message, 1);
    if (proved)
        catalog_prove(mount->catalog, move->target, move->copy, known->header_length, known->size,
                      known->proof);
    else if (known->header_length)
        catalog_put_header_length(mount->catalog, move->target, move->copy, known->header_length);
}

static void leave_folder(Mount *mount, const Move *move)
{
    const MailUidRange range = {move->uid, move->uid};

    if (move->marked && !move->gone)
        removals_note_marked(mount->removals, move->folder, move->uid);
    else
        g_array_unref(catalog_remove_ranges(mount->catalog, move->folder, &range, 1));
    filename_freed(mount, move->folder, move->old_name);
}

static void tell_changed(Mount *mount, uint32_t folder)
{
    uint64_t directory = mount_folder_ino(mount, folder);

    dircache_changed(mount->directories, directory);
    notify_directory(mount->notifier, directory);
}

/* The name that the kernel moves, or does not, means another inode from now on. */
static void tell_kernel(Mount *mount, const Move *move)
{
    tell_changed(mount, move->folder);
    tell_changed(mount, move->target);
    notify_entry(mount->notifier, mount_folder_ino(mount, move->folder), move->old_name);
    notify_entry(mount->notifier, mount_folder_ino(mount, move->target), move->name);
}

/* A look may have told of it already, and the kernel have it under its usual name. */
static void forget_usual_name(Mount *mount, const Move *move)
{
    char name[FILENAME_MAX_BYTES];
    CatalogMessage message;

    if (catalog_message(mount->catalog, move->target, move->copy, &message) &&
        filename_of(mount, move->target, &message, name))
        notify_entry(mount->notifier, mount_folder_ino(mount, move->target), name);
}

void move_settle(Mount *mount, const Move *move)
{
    forget_usual_name(mount, move);
    give_name(mount, move);
    content_move(mount->content, move->folder, move->uid, move->target, move->copy);
    moved_put(mount->moved, inode_number(INODE_MESSAGE, move->folder, move->uid),
              inode_number(INODE_MESSAGE, move->target, move->copy));
    put_message(mount, move);
    leave_folder(mount, move);
    tell_kernel(mount, move);
    flush_soon(mount->flusher);
}

void move_settle_unknown(Mount *mount, const Move *move)
{
    moved_put(mount->moved, inode_number(INODE_MESSAGE, move->folder, move->uid), 0);
    content_drop(mount->content, move->folder, move->uid);
    leave_folder(mount, move);
    tell_kernel(mount, move);
    refresh_stale(mount->refresher, move->target);
    refresh_folder_soon(mount->refresher, move->target);
    flush_soon(mount->flusher);
}
