#include "arrivals.h"
#include "control.h"
#include "dircache.h"
#include "draft.h"
#include "filename.h"
#include "inode.h"
#include "moves.h"
#include "names.h"
#include "ops.h"
#include "refresh.h"
#include "removal.h"
#include "request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static Mount *mount_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

/* --- a name within the folder ----------------------------------------------------------------- */

/* A message got another name, and the journal is writing that down. A request that is interrupted
 * meanwhile is gone; the name stays. */
typedef struct {
    Mount *mount;
    uint64_t waiting; /* the request's id */
    uint32_t folder, uid;
    char *old_name;  /* as it was shown */
    char *old_given; /* as it was given; NULL: it was not */
    char *new_name;
    GError *error;
} Naming;

static void naming_free(Naming *naming)
{
    g_free(naming->old_name);
    g_free(naming->old_given);
    g_free(naming->new_name);
    g_clear_error(&naming->error);
    g_free(naming);
}

static bool reply_outcome(Request *request, const GError *error)
{
    fuse_reply_err(request->req, error ? mail_errno(error) : 0);
    return false;
}

/* What a listing shows is another now. */
static void tell_changed(const Naming *naming, const char *freed)
{
    Mount *mount = naming->mount;
    uint64_t directory = mount_folder_ino(mount, naming->folder);

    dircache_changed(mount->directories, directory);
    notify_directory(mount->notifier, directory);
    /* A name that was the message's own stood in nobody's way; and the less is told of names, the
     * less often is the kernel told just when another request comes that holds the directory. */
    if (names_message_uid(freed) != naming->uid)
        filename_freed(mount, naming->folder, freed);
}

/* It could not be written down: it is as it was. */
static void take_back(const Naming *naming)
{
    catalog_give_name(naming->mount->catalog, naming->folder, naming->uid, naming->old_given, NULL);
    tell_changed(naming, naming->new_name);
}

/* The kernel renames what it knows itself, unless it was told that the request was interrupted. */
static void named_now(gpointer data)
{
    Naming *naming = data;
    Mount *mount = naming->mount;
    uint64_t directory = mount_folder_ino(mount, naming->folder);
    Request *request = request_find(mount->requests, naming->waiting);

    if (naming->error)
        take_back(naming);
    if (request) {
        request_resume(request, naming->error);
    } else if (!naming->error) {
        notify_entry(mount->notifier, directory, naming->old_name);
        notify_entry(mount->notifier, directory, naming->new_name);
    }
    naming_free(naming);
}

static void on_named(gpointer data, const GError *error)
{
    Naming *naming = data;

    naming->error = error ? g_error_copy(error) : NULL;
    engine_post(naming->mount->engine, named_now, naming);
}

/* The name that it has anyway needs not be kept. */
static const char *name_to_keep(const CatalogMessage *message, const char *name)
{
    char usual[NAMES_MESSAGE_MAX];

    names_message(message->date, message->uid, usual);
    return strcmp(usual, name) == 0 ? NULL : name;
}

static void name_submit(Request *request)
{
    Mount *mount = request->mount;
    Inode inode = inode_of(request->ino);
    g_autoptr(GError) error = NULL;
    char old_name[FILENAME_MAX_BYTES];
    CatalogMessage message;
    Naming *naming;
    int code = ENOENT;

    if (catalog_message(mount->catalog, inode.folder, inode.uid, &message) &&
        !removals_hide(mount->removals, inode.folder, &message) &&
        filename_of(mount, inode.folder, &message, old_name))
        code = filename_check_given(mount, inode.folder, inode.uid, request->name);
    if (code) {
        error = g_error_new(MAIL_ERROR, code, "message %u can't be renamed", inode.uid);
        request_resume(request, error);
        return;
    }
    naming = g_new0(Naming, 1);
    *naming = (Naming){.mount = mount,
                       .waiting = request->id,
                       .folder = inode.folder,
                       .uid = inode.uid,
                       .old_name = g_strdup(old_name),
                       .old_given = catalog_given_name(mount->catalog, inode.folder, inode.uid),
                       .new_name = g_strdup(request->name)};
    if (catalog_give_name(mount->catalog, inode.folder, inode.uid,
                          name_to_keep(&message, request->name), &error)) {
        tell_changed(naming, old_name);
        journal_sync(mount->journal, on_named, naming);
        return;
    }
    naming->error = g_steal_pointer(&error);
    named_now(naming);
}

/* --- what is meant ---------------------------------------------------------------------------- */

/* Whether a message can go there under that name: an errno. */
static int check_target(const Mount *mount, uint32_t from, uint32_t uid, uint32_t to,
                        const char *name)
{
    TreeNode node;

    if (mount->features & MAIL_STORE_NAMES || !(mount->features & MAIL_STORE_CHANGES))
        return EPERM;
    if (!to)
        return EPERM; /* the account's root is no folder */
    if (!tree_node(mount->tree, to, &node))
        return ENOENT;
    if (node.attributes & MAIL_FOLDER_NOSELECT)
        return EPERM;
    if (drafts_named(mount->drafts, to, name))
        return EEXIST;
    return filename_check_given(mount, to, to == from ? uid : 0, name);
}

/* --- to another folder -------------------------------------------------------------------------
 */

/* The target is known now. */
static bool move_ready(Request *request, const GError *error)
{
    Mount *mount = request->mount;
    Inode inode = inode_of(request->ino);
    uint32_t to = (uint32_t)request->offset;
    g_auto(CatalogFolder) target = {0};
    CatalogMessage message;
    int code = ENOENT;

    request->resume = reply_outcome;
    if (error)
        return reply_outcome(request, error);
    if (catalog_message(mount->catalog, inode.folder, inode.uid, &message) &&
        !removals_hide(mount->removals, inode.folder, &message) &&
        catalog_folder(mount->catalog, to, &target))
        code = check_target(mount, inode.folder, inode.uid, to, request->name);
    if (code) {
        fuse_reply_err(request->req, code);
        return false;
    }
    moves_add(mount->moves, request, to);
    return true;
}

static void move_submit(Request *request)
{
    Mount *mount = request->mount;
    uint32_t to = (uint32_t)request->offset;

    if (refresh_is_fresh(mount->refresher, to))
        request_resume(request, NULL);
    else
        refresh_wait(mount->refresher, to, request);
}

static void rename_message(fuse_req_t req, uint32_t from, const CatalogMessage *message,
                           uint32_t to, const char *name)
{
    Mount *mount = mount_of(req);
    int code = check_target(mount, from, message->uid, to, name);
    Request *request;

    if (code) {
        fuse_reply_err(req, code);
        return;
    }
    request = request_new(mount, req, to == from ? reply_outcome : move_ready);
    request->changes = true;
    request->ino = inode_number(INODE_MESSAGE, from, message->uid);
    request->name = g_strdup(name);
    request->offset = to;
    request_post(request, to == from ? name_submit : move_submit);
}

/* --- of a message that is on its way -----------------------------------------------------------
 */

/* What was asked for, for when it has settled. */
typedef struct {
    fuse_ino_t new_parent;
    char *new_name;
    unsigned flags;
} Again;

static void again_free(gpointer data)
{
    Again *again = data;

    g_free(again->new_name);
    g_free(again);
}

static bool rename_settled(Request *request, const GError *error)
{
    const Again *again = request->data;

    if (error)
        fuse_reply_err(request->req, mail_errno(error));
    else
        rename_entry(request->req, request->ino, request->name, again->new_parent, again->new_name,
                     again->flags);
    return false;
}

static void rename_arrival(fuse_req_t req, fuse_ino_t parent, const char *name, const Again *asked,
                           uint64_t ino)
{
    Request *request = request_new(mount_of(req), req, rename_settled);
    Again *again = g_memdup2(asked, sizeof *asked);

    again->new_name = g_strdup(asked->new_name);
    request->ino = parent;
    request->name = g_strdup(name);
    request->changes = true;
    request->follows = ino;
    request->data = again;
    request->free_data = again_free;
    moves_post(request);
}

/* The name in the folder is no other entry's. */
static void rename_name(fuse_req_t req, fuse_ino_t parent, uint32_t from, const char *name,
                        uint32_t to, const Again *asked)
{
    Mount *mount = mount_of(req);
    uint64_t arrival = arrivals_named(mount->arrivals, from, name);
    CatalogMessage message;

    if (from == to && strcmp(name, asked->new_name) == 0 && arrival)
        fuse_reply_err(req, 0);
    else if (arrival)
        rename_arrival(req, parent, name, asked, arrival);
    else if (!filename_message(mount, from, name, &message) ||
             removals_hide(mount->removals, from, &message))
        fuse_reply_err(req, control_lookup(parent, name) ? EPERM : ENOENT);
    else if (from == to && strcmp(name, asked->new_name) == 0)
        fuse_reply_err(req, 0);
    else
        rename_message(req, from, &message, to, asked->new_name);
}

void rename_entry(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
                  const char *new_name, unsigned flags)
{
    const Again asked = {new_parent, (char *)new_name, flags};
    Mount *mount = mount_of(req);
    uint32_t from, to;
    TreeNode node;

    if (flags & ~(unsigned)RENAME_NOREPLACE)
        fuse_reply_err(req, EINVAL);
    else if (!mount_ino_folder(mount, parent, &from) || !mount_ino_folder(mount, new_parent, &to))
        fuse_reply_err(req, EPERM); /* what is in .pullmail */
    else if (tree_child(mount->tree, from, name, &node))
        folders_rename(req, &node, new_parent, new_name);
    else if (!write_rename(req, parent, name, new_parent, new_name, flags))
        rename_name(req, parent, from, name, to, &asked);
}
