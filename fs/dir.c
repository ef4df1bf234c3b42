#include "arrivals.h"
#include "attr.h"
#include "control.h"
#include "draft.h"
#include "entry.h"
#include "fetch.h"
#include "filename.h"
#include "inode.h"
#include "inode_map.h"
#include "ops.h"
#include "refresh.h"
#include "removal.h"
#include "trust.h"
#include "watch.h"

#include <errno.h>
#include <string.h>

static Mount *mount_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

/* --- lookup and getattr --------------------------------------------------------------------- */

/* Whether it is a message whose size must be proved before it is told. */
static bool needs_proof(const Mount *mount, fuse_ino_t ino)
{
    CatalogMessage message;

    return entry_message(mount, ino, &message) && trust_wants_proof(mount->trust, &message);
}

static bool lookup_message(const Mount *mount, uint32_t folder, const char *name, struct stat *st)
{
    CatalogMessage message;

    if (!filename_message(mount, folder, name, &message) ||
        removals_hide(mount->removals, folder, &message))
        return false;
    attr_message(mount, folder, &message, st);
    return true;
}

/* What memory knows under the name. */
static bool lookup_known(const Mount *mount, fuse_ino_t parent, const char *name, struct stat *st)
{
    fuse_ino_t own = control_lookup(parent, name), draft, arrival;
    uint32_t folder;
    TreeNode node;

    if (own)
        return attr_of(mount, own, st);
    if (!mount_ino_folder(mount, parent, &folder))
        return false;
    if (tree_child(mount->tree, folder, name, &node)) {
        attr_folder(mount, &node, st);
        return true;
    }
    draft = drafts_named(mount->drafts, folder, name);
    if (draft && attr_of(mount, draft, st))
        return true;
    arrival = arrivals_named(mount->arrivals, folder, name);
    if (arrival && attr_of(mount, arrival, st))
        return true;
    return lookup_message(mount, folder, name, st);
}

/*
 * What may know more than memory does: the folder, for a message's name; the list of folders, for
 * any other. False: neither would.
 */
static bool lookup_source(const Mount *mount, fuse_ino_t parent, const char *name, uint32_t *source)
{
    uint32_t folder;
    TreeNode node;

    if (control_lookup(parent, name) || !mount_ino_folder(mount, parent, &folder) ||
        !tree_node(mount->tree, folder, &node))
        return false;
    if (!filename_may_be_message(mount, folder, name)) {
        *source = 0;
        return true;
    }
    *source = folder;
    return !(node.attributes & MAIL_FOLDER_NOSELECT);
}

/* A draft is there for as long as the kernel knows it. */
static void reply_found(fuse_req_t req, const struct stat *st)
{
    const Mount *mount = mount_of(req);
    struct fuse_entry_param entry = {.attr = *st};
    bool is_draft = inode_of(st->st_ino).kind == INODE_DRAFT;

    entry_fill(mount, &entry);
    if (is_draft && !drafts_look_up(mount->drafts, st->st_ino))
        fuse_reply_err(req, ENOENT);
    else if (fuse_reply_entry(req, &entry) != 0 && is_draft)
        drafts_forget(mount->drafts, st->st_ino, 1);
}

static void reply_unknown(fuse_req_t req, fuse_ino_t parent)
{
    fuse_reply_err(req, entry_is_stale(mount_of(req), parent) ? ESTALE : ENOENT);
}

/* The message's size is proved; or it can't be, and is told as claimed, for this once. */
static bool lookup_proved(Request *request, const GError *error)
{
    struct stat st;

    request->ino = inode_map_follow(request->mount->moved, request->ino);
    if (error && mail_errno(error) == EINTR)
        fuse_reply_err(request->req, EINTR);
    else if (attr_of(request->mount, request->ino, &st))
        reply_found(request->req, &st);
    else
        fuse_reply_err(request->req, ENOENT);
    return false;
}

static void prove_submit(Request *request)
{
    fetch_prove(request->mount->fetcher, request);
}

static bool lookup_resume(Request *request, const GError *error)
{
    struct stat st;

    if (error) {
        fuse_reply_err(request->req, mail_errno(error));
    } else if (!lookup_known(request->mount, request->ino, request->name, &st)) {
        reply_unknown(request->req, request->ino);
    } else if (needs_proof(request->mount, st.st_ino)) {
        request->ino = st.st_ino;
        request->resume = lookup_proved;
        fetch_prove(request->mount->fetcher, request);
        return true;
    } else {
        reply_found(request->req, &st);
    }
    return false;
}

/* A status of this moment is made. If nobody waits for it any more, nobody will forget it. */
static bool status_resume(Request *request, const GError *error)
{
    Mount *mount = request->mount;
    struct fuse_entry_param entry = {0};

    if (error) {
        fuse_reply_err(request->req, mail_errno(error));
        return false;
    }
    entry.ino = control_status_now(mount);
    attr_of(mount, entry.ino, &entry.attr);
    entry_fill(mount, &entry);
    if (fuse_reply_entry(request->req, &entry) != 0)
        control_forget(mount->control, entry.ino);
    return false;
}

static void status_submit(Request *request)
{
    request_resume(request, NULL);
}

static void lookup_submit(Request *request)
{
    uint32_t source = 0;

    lookup_source(request->mount, request->ino, request->name, &source);
    refresh_wait(request->mount->refresher, source, request);
}

static void note_lookup(Mount *mount, fuse_ino_t parent)
{
    uint32_t folder;

    if (!mount_ino_folder(mount, parent, &folder))
        return;
    g_atomic_int_set(&mount->looked_up, (gint)folder);
    watcher_note_use(mount->watcher, folder);
}

static void lookup_later(fuse_req_t req, fuse_ino_t ino, const char *name, RequestResume resume,
                         void (*submit)(Request *request))
{
    Request *request = request_new(mount_of(req), req, resume);

    request->ino = ino;
    request->name = g_strdup(name);
    request_post(request, submit);
}

void dir_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    Mount *mount = mount_of(req);
    struct stat st;
    uint32_t source;

    note_lookup(mount, parent);
    if (lookup_known(mount, parent, name, &st)) {
        if (control_is_status(st.st_ino))
            lookup_later(req, parent, name, status_resume, status_submit);
        else if (needs_proof(mount, st.st_ino))
            lookup_later(req, st.st_ino, name, lookup_proved, prove_submit);
        else
            reply_found(req, &st);
    } else if (!lookup_source(mount, parent, name, &source) ||
               refresh_is_fresh(mount->refresher, source)) {
        reply_unknown(req, parent);
    } else {
        lookup_later(req, parent, name, lookup_resume, lookup_submit);
    }
}

/* --- getattr --------------------------------------------------------------------------------- */

static void reply_attr(fuse_req_t req, fuse_ino_t ino)
{
    const Mount *mount = mount_of(req);
    struct stat st;

    if (attr_of(mount, ino, &st))
        fuse_reply_attr(req, &st, entry_timeout(mount, ino));
    else
        fuse_reply_err(req, ESTALE);
}

static bool getattr_proved(Request *request, const GError *error)
{
    request->ino = inode_map_follow(request->mount->moved, request->ino);
    if (error && mail_errno(error) == EINTR)
        fuse_reply_err(request->req, EINTR);
    else
        reply_attr(request->req, request->ino);
    return false;
}

void dir_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
    Mount *mount = mount_of(req);
    Request *request;

    (void)file;
    if (!needs_proof(mount, ino)) {
        reply_attr(req, ino);
        return;
    }
    request = request_new(mount, req, getattr_proved);
    request->ino = ino;
    request_post(request, prove_submit);
}

typedef struct {
    Mount *mount;
    uint64_t ino;
} Forgotten;

static void forget_message(gpointer data)
{
    g_autofree Forgotten *forgotten = data;

    inode_map_remove(forgotten->mount->moved, forgotten->ino);
}

/* It stood for a message, which nobody asks for by it any more. */
static void forget_draft(Mount *mount, fuse_ino_t ino)
{
    Forgotten *forgotten;

    if (!inode_map_has(mount->moved, ino))
        return;
    forgotten = g_new(Forgotten, 1);
    *forgotten = (Forgotten){mount, ino};
    engine_post(mount->engine, forget_message, forgotten);
}

/* Only a draft matters, and a status, which is looked up once. */
static void forget(Mount *mount, fuse_ino_t ino, uint64_t count)
{
    if (inode_of(ino).kind != INODE_DRAFT)
        control_forget(mount->control, ino);
    else if (drafts_forget(mount->drafts, ino, count))
        forget_draft(mount, ino);
}

void dir_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
    Mount *mount = mount_of(req);

    forget(mount, ino, count);
    fuse_reply_none(req);
}

void dir_forget_many(fuse_req_t req, size_t count, struct fuse_forget_data *forgotten)
{
    Mount *mount = mount_of(req);

    for (size_t i = 0; i < count; i++)
        forget(mount, forgotten[i].ino, forgotten[i].nlookup);
    fuse_reply_none(req);
}
