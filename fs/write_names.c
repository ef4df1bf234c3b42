#include "dircache.h"
#include "draft.h"
#include "filename.h"
#include "letters.h"
#include "ops.h"
#include "removal.h"
#include "storing.h"

#include <errno.h>
#include <stdio.h>

static Mount *mount_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

static bool reply_outcome(Request *request, const GError *error)
{
    fuse_reply_err(request->req, error ? mail_errno(error) : 0);
    return false;
}

/* It is gone, or has become a message. */
static bool unlink_resume(Request *request, const GError *error)
{
    if (!error)
        return change_unlink_message(request);
    fuse_reply_err(request->req, mail_errno(error));
    return false;
}

static void unlink_submit(Request *request)
{
    letters_remove(request->mount->letters, request);
}

static void unlink_kept(fuse_req_t req, const Draft *draft)
{
    Request *request = request_new(mount_of(req), req, unlink_resume);

    request->ino = draft->ino;
    request->name = g_strdup(draft->name);
    request->changes = true;
    request_post(request, unlink_submit);
}

bool write_unlink(fuse_req_t req, fuse_ino_t parent, uint32_t folder, const char *name)
{
    Mount *mount = mount_of(req);
    g_auto(Draft) draft = {0};

    if (!drafts_find(mount->drafts, drafts_named(mount->drafts, folder, name), &draft))
        return false;
    if (draft.kept) {
        unlink_kept(req, &draft);
        return true;
    }
    if (drafts_unlink(mount->drafts, folder, name) != 0)
        return false;
    dircache_changed(mount->directories, parent);
    fuse_reply_err(req, 0);
    return true;
}

/* A temporary name is exchanged for one that lasts: so it is stored now. */
static void store_as(fuse_req_t req, const Draft *draft, const char *name, uint32_t replaced)
{
    Request *request = request_new(mount_of(req), req, reply_outcome);
    g_autoptr(GError) error = NULL;

    request->changes = true;
    request->ino = draft->ino;
    if (storing_post(request, name, replaced, false, &error))
        return;
    g_free(request);
    g_info("\"%s\": %s", name, error->message);
    fuse_reply_err(req, mail_errno(error));
}

/* A name that could not be written down it does not have; request->data is the one before. */
static bool renamed(Request *request, const GError *error)
{
    Mount *mount = request->mount;
    g_auto(Draft) draft = {0};

    if (error && drafts_find(mount->drafts, request->ino, &draft) &&
        drafts_rename(mount->drafts, request->ino, request->data) == 0)
        dircache_changed(mount->directories, mount_folder_ino(mount, draft.folder));
    return reply_outcome(request, error);
}

static void rename_submit(Request *request)
{
    letters_rename(request->mount->letters, request);
}

static void rename_now(fuse_req_t req, const Draft *draft, fuse_ino_t parent, const char *name)
{
    Mount *mount = mount_of(req);
    int code = drafts_rename(mount->drafts, draft->ino, name);
    Request *request;

    if (!code)
        dircache_changed(mount->directories, parent);
    if (code || !draft->kept) {
        fuse_reply_err(req, code);
        return;
    }
    request = request_new(mount, req, renamed);
    request->ino = draft->ino;
    request->name = g_strdup(name);
    request->changes = true;
    request->data = g_strdup(draft->name);
    request->free_data = g_free;
    request_post(request, rename_submit);
}

/* A name that lasts, of a message that is to be replaced: its UID; 0: it is of none. */
static uint32_t replaced_by(const Mount *mount, const Draft *draft, uint32_t folder,
                            const char *name, unsigned flags)
{
    CatalogMessage message;

    return draft->temporary && !draft_is_temporary(name) && !(flags & RENAME_NOREPLACE) &&
                   filename_message(mount, folder, name, &message) &&
                   !removals_hide(mount->removals, folder, &message)
               ? message.uid
               : 0;
}

bool write_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
                  const char *new_name, unsigned flags)
{
    Mount *mount = mount_of(req);
    g_auto(Draft) draft = {0};
    uint32_t folder, replaced;
    uint64_t other;
    int code;

    if (!mount_ino_folder(mount, parent, &folder) ||
        !drafts_find(mount->drafts, drafts_named(mount->drafts, folder, name), &draft))
        return false;
    other = drafts_named(mount->drafts, folder, new_name);
    replaced = replaced_by(mount, &draft, folder, new_name, flags);
    if (parent != new_parent)
        code = EXDEV; /* it is read and written, then */
    else if (other && other != draft.ino)
        code = EEXIST;
    else
        code = filename_check_given(mount, folder, replaced, new_name);
    if (!code && draft.temporary && !draft_is_temporary(new_name))
        store_as(req, &draft, new_name, replaced);
    else if (code)
        fuse_reply_err(req, code);
    else
        rename_now(req, &draft, parent, new_name);
    return true;
}
