#include "move.h"

#include "arrivals.h"
#include "dircache.h"
#include "filename.h"
#include "flag_changes.h"
#include "flush.h"
#include "inode.h"
#include "inode_map.h"
#include "leave.h"
#include "names.h"
#include "refresh.h"
#include "removal.h"
#include "request.h"

#include <string.h>

/*
 * Whether a message has it that came to the target ahead of this one. That is gone: the name was
 * nobody's when the user gave it, and since then it was taken; but a mount that was killed may not
 * have written down that it went.
 */
static bool is_of_one_before(const Mount *mount, const Move *move)
{
    uint32_t holder = catalog_given(mount->catalog, move->target, move->name);
    TreeNode node;

    if (!holder)
        holder = names_message_uid(move->name);
    return holder && holder < move->copy &&
           !tree_child(mount->tree, move->target, move->name, &node);
}

/* Ahead of the message, so that it is never seen under another name. False: it can't have it. */
static bool give_name(Mount *mount, const Move *move)
{
    g_autoptr(GError) error = NULL;
    char usual[NAMES_MESSAGE_MAX];

    names_message(move->message.date, move->copy, usual);
    if (strcmp(usual, move->name) == 0)
        return true;
    if (filename_check_arrived(mount, move->target, move->copy, move->name) != 0 &&
        !is_of_one_before(mount, move)) {
        g_message("a message that was moved can't be called \"%s\": that name was taken meanwhile",
                  move->name);
        return false;
    }
    if (!catalog_give_name(mount->catalog, move->target, move->copy, move->name, &error))
        g_warning("\"%s\": %s", move->name, error->message);
    return true;
}

/* A size that was proved needs not be proved again, nor is it counted again. */
static void put_message(Mount *mount, const Move *move)
{
    const CatalogMessage *known = &move->message;
    bool proved = known->proof & CATALOG_SIZE_PROVED;
    const MailMessage message = {
        .uid = move->copy,
        .has = MAIL_HAS_DATE | (move->flags ? MAIL_HAS_FLAGS : 0) | (proved ? 0 : MAIL_HAS_SIZE),
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
    if (move->marked && !move->gone)
        removals_note_marked(mount->removals, move->folder, move->uid);
    else
        leave_gone(mount, move->folder, move->uid);
}

static void tell_changed(Mount *mount, uint32_t folder)
{
    uint64_t directory = mount_folder_ino(mount, folder);

    dircache_changed(mount->directories, directory);
    notify_directory(mount->notifier, directory);
}

static void tell_both(Mount *mount, const Move *move)
{
    tell_changed(mount, move->folder);
    tell_changed(mount, move->target);
}

static void notify_source(Mount *mount, const Move *move)
{
    char name[FILENAME_MAX_BYTES];

    if (filename_of(mount, move->folder, &move->message, name))
        notify_entry(mount->notifier, mount_folder_ino(mount, move->folder), name);
}

static void notify_target(Mount *mount, const Move *move)
{
    notify_entry(mount->notifier, mount_folder_ino(mount, move->target), move->name);
}

void move_show(Mount *mount, const Move *move)
{
    arrivals_put(mount->arrivals, move->ino, &move->message, move->target, move->name);
    tell_both(mount, move);
}

void move_tell_interrupted(Mount *mount, const Move *move)
{
    notify_source(mount, move);
    notify_target(mount, move);
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

/* What became known of it, or was changed, since it left. */
static void know_it_better(Mount *mount, Move *move)
{
    CatalogMessage now;

    if (!catalog_message(mount->catalog, move->folder, move->uid, &now))
        return;
    move->message = now;
    g_free(move->flags);
    move->flags = catalog_flags(mount->catalog, now.flag_set);
}

/* The kernel needs not be told of the names: it has moved the one itself, and what that means is
 * followed (see inode_map.h); nor of one that is a message's usual one, if nobody has it. */
void move_settle(Mount *mount, Move *move)
{
    uint64_t to = inode_number(INODE_MESSAGE, move->target, move->copy);

    know_it_better(mount, move);
    forget_usual_name(mount, move);
    if (!give_name(mount, move))
        notify_target(mount, move);
    content_move(mount->content, move->folder, move->uid, move->target, move->copy);
    inode_map_put(mount->moved, move->ino, to);
    flag_changes_moved(mount->flag_changes, move->ino, to);
    put_message(mount, move);
    leave_folder(mount, move);
    arrivals_settle(mount->arrivals, move->ino, to);
    tell_both(mount, move);
    if (!move->flags)
        refresh_stale(mount->refresher, move->target);
    flush_soon(mount->flusher);
}

void move_settle_unknown(Mount *mount, Move *move)
{
    inode_map_put(mount->moved, move->ino, 0);
    flag_changes_moved(mount->flag_changes, move->ino, 0);
    content_drop(mount->content, move->folder, move->uid);
    leave_folder(mount, move);
    arrivals_remove(mount->arrivals, move->ino);
    tell_both(mount, move);
    notify_target(mount, move);
    refresh_stale(mount->refresher, move->target);
    refresh_folder_soon(mount->refresher, move->target);
    flush_soon(mount->flusher);
}

/* Who asks for it, and has not been answered yet, has it where it was anyway. */
void move_give_back(Mount *mount, const Move *move)
{
    arrivals_remove(mount->arrivals, move->ino);
    tell_both(mount, move);
    if (move->asked)
        return;
    notify_target(mount, move);
    notify_source(mount, move);
}
