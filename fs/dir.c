#include "attr.h"
#include "control.h"
#include "inode.h"
#include "names.h"
#include "ops.h"
#include "refresh.h"

#include <errno.h>
#include <string.h>

static Mount *mount_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

/* --- lookup and getattr --------------------------------------------------------------------- */

static void fill_entry(const Mount *mount, struct fuse_entry_param *entry)
{
    entry->ino = entry->attr.st_ino;
    entry->attr_timeout = entry->entry_timeout = mount_kernel_timeout(mount);
}

static bool lookup_message(const Mount *mount, uint32_t folder, const char *name, struct stat *st)
{
    uint32_t uid = names_message_uid(name);
    char right_name[NAMES_MESSAGE_MAX];
    CatalogMessage message;

    if (!uid || !catalog_message(mount->catalog, folder, uid, &message))
        return false;
    names_message(message.date, uid, right_name);
    if (strcmp(name, right_name) != 0)
        return false;
    attr_message(mount, folder, &message, st);
    return true;
}

static bool is_stale(const Mount *mount, fuse_ino_t ino)
{
    struct stat st;

    return !attr_of(mount, ino, &st);
}

/* What memory knows under the name. */
static bool lookup_known(const Mount *mount, fuse_ino_t parent, const char *name, struct stat *st)
{
    fuse_ino_t own = control_lookup(parent, name);
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
    if (!names_message_uid(name)) {
        *source = 0;
        return true;
    }
    *source = folder;
    return !(node.attributes & MAIL_FOLDER_NOSELECT);
}

static void reply_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    const Mount *mount = mount_of(req);
    struct fuse_entry_param entry = {0};

    if (!lookup_known(mount, parent, name, &entry.attr)) {
        fuse_reply_err(req, is_stale(mount, parent) ? ESTALE : ENOENT);
        return;
    }
    fill_entry(mount, &entry);
    fuse_reply_entry(req, &entry);
}

static bool lookup_resume(Request *request, const GError *error)
{
    if (error)
        fuse_reply_err(request->req, mail_errno(error));
    else
        reply_lookup(request->req, request->ino, request->name);
    return false;
}

static void lookup_submit(Request *request)
{
    uint32_t source = 0;

    lookup_source(request->mount, request->ino, request->name, &source);
    refresh_wait(request->mount->refresher, source, request);
}

void dir_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    Mount *mount = mount_of(req);
    Request *request;
    struct stat st;
    uint32_t source;

    if (lookup_known(mount, parent, name, &st) || !lookup_source(mount, parent, name, &source) ||
        refresh_is_fresh(mount->refresher, source)) {
        reply_lookup(req, parent, name);
        return;
    }
    request = request_new(mount, req, lookup_resume);
    request->ino = parent;
    request->name = g_strdup(name);
    request_post(request, lookup_submit);
}

void dir_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
    const Mount *mount = mount_of(req);
    struct stat st;

    (void)file;
    if (attr_of(mount, ino, &st))
        fuse_reply_attr(req, &st, mount_kernel_timeout(mount));
    else
        fuse_reply_err(req, ESTALE);
}

/* --- reading directories -----------------------------------------------------------------------
 */

/* What must be in step before the directory is read; false: nothing. */
static bool directory_source(const Mount *mount, fuse_ino_t ino, uint32_t *source)
{
    TreeNode node;

    if (!mount_ino_folder(mount, ino, source) || !tree_node(mount->tree, *source, &node))
        return false;
    if (node.attributes & MAIL_FOLDER_NOSELECT)
        *source = 0;
    return true;
}

static bool opendir_resume(Request *request, const GError *error)
{
    if (error)
        fuse_reply_err(request->req, mail_errno(error));
    else if (is_stale(request->mount, request->ino))
        fuse_reply_err(request->req, ESTALE);
    else
        fuse_reply_open(request->req, &request->file);
    return false;
}

static void opendir_submit(Request *request)
{
    Mount *mount = request->mount;
    uint32_t source = 0;

    if (!directory_source(mount, request->ino, &source)) {
        request_resume(request, NULL);
        return;
    }
    refresh_list_soon(mount->refresher);
    refresh_wait(mount->refresher, source, request);
}

void dir_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
    Mount *mount = mount_of(req);
    Request *request;
    uint32_t source;

    if (is_stale(mount, ino)) {
        fuse_reply_err(req, ESTALE);
    } else if (!directory_source(mount, ino, &source) ||
               refresh_is_fresh(mount->refresher, source)) {
        fuse_reply_open(req, file);
    } else {
        request = request_new(mount, req, opendir_resume);
        request->ino = ino;
        request->file = *file;
        request_post(request, opendir_submit);
    }
}

/*
 * Where readdir is: behind ".", behind "..", behind a folder (by id), behind a message (by UID). A
 * position stays right while entries come and go.
 */
#define POSITION_DOT 1
#define POSITION_DOTDOT 2
#define POSITION_FOLDERS (INT64_C(1) << 40)
#define POSITION_MESSAGES (INT64_C(2) << 40)

typedef struct {
    fuse_req_t req;
    const Mount *mount;
    bool plus;
    char *buffer;
    size_t size, used;
} Listing;

/* False: the buffer is full. */
static bool add(Listing *listing, const char *name, struct stat *st, bool looked_up,
                int64_t position)
{
    char *at = listing->buffer + listing->used;
    size_t room = listing->size - listing->used, needed;

    if (listing->plus) {
        struct fuse_entry_param entry = {.attr = *st};
        if (looked_up)
            fill_entry(listing->mount, &entry);
        needed = fuse_add_direntry_plus(listing->req, at, room, name, &entry, position);
    } else {
        needed = fuse_add_direntry(listing->req, at, room, name, st, position);
    }
    if (needed > room)
        return false;
    listing->used += needed;
    return true;
}

static bool add_dots(Listing *listing, const TreeNode *node, int64_t position)
{
    struct stat st;

    attr_folder(listing->mount, node, &st);
    if (position < POSITION_DOT && !add(listing, ".", &st, false, POSITION_DOT))
        return false;
    if (position < POSITION_DOTDOT) {
        st.st_ino = mount_folder_ino(listing->mount, node->parent);
        return add(listing, "..", &st, false, POSITION_DOTDOT);
    }
    return true;
}

static bool add_folders(Listing *listing, uint32_t folder, uint32_t after)
{
    TreeNode nodes[16];
    struct stat st;
    size_t n;

    do {
        n = tree_children_after(listing->mount->tree, folder, after, nodes, G_N_ELEMENTS(nodes));
        for (size_t i = 0; i < n; i++) {
            after = nodes[i].id;
            attr_folder(listing->mount, &nodes[i], &st);
            if (!add(listing, nodes[i].name, &st, true, POSITION_FOLDERS + after))
                return false;
        }
    } while (n);
    return true;
}

static bool add_messages(Listing *listing, uint32_t folder, uint32_t after)
{
    CatalogMessage messages[64];
    char name[NAMES_MESSAGE_MAX];
    struct stat st;
    size_t n;

    do {
        n = catalog_messages_after(listing->mount->catalog, folder, after, messages,
                                   G_N_ELEMENTS(messages));
        for (size_t i = 0; i < n; i++) {
            after = messages[i].uid;
            names_message(messages[i].date, after, name);
            attr_message(listing->mount, folder, &messages[i], &st);
            if (!add(listing, name, &st, true, POSITION_MESSAGES + after))
                return false;
        }
    } while (n);
    return true;
}

static void list(Listing *listing, const TreeNode *node, int64_t position)
{
    uint32_t after_folder = 0, after_message = 0;

    if (position >= POSITION_MESSAGES)
        after_message = (uint32_t)(position - POSITION_MESSAGES);
    else if (position >= POSITION_FOLDERS)
        after_folder = (uint32_t)(position - POSITION_FOLDERS);
    if (position < POSITION_FOLDERS && !add_dots(listing, node, position))
        return;
    if (position < POSITION_MESSAGES && !add_folders(listing, node->id, after_folder))
        return;
    add_messages(listing, node->id, after_message);
}

static void read_directory(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, bool plus)
{
    Mount *mount = mount_of(req);
    uint32_t folder;
    TreeNode node;

    if (!mount_ino_folder(mount, ino, &folder)) {
        fuse_reply_buf(req, NULL, 0); /* .pullmail: what is in it is hidden too */
    } else if (!tree_node(mount->tree, folder, &node)) {
        fuse_reply_err(req, ESTALE);
    } else {
        Listing listing = {req, mount, plus, g_malloc(size), size, 0};
        list(&listing, &node, offset);
        fuse_reply_buf(req, listing.buffer, listing.used);
        g_free(listing.buffer);
    }
}

void dir_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                 struct fuse_file_info *file)
{
    (void)file;
    read_directory(req, ino, size, offset, false);
}

void dir_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                     struct fuse_file_info *file)
{
    (void)file;
    read_directory(req, ino, size, offset, true);
}

/* --- statfs -------------------------------------------------------------------------------- */

enum { STATFS_BLOCK = 4096 };

/* Free space where the server tells no quota: more than anybody asks for. */
#define STATFS_PLENTY (UINT64_C(1000) << 30)

void dir_statfs(fuse_req_t req, fuse_ino_t ino)
{
    Mount *mount = mount_of(req);
    struct statvfs st = {.f_bsize = STATFS_BLOCK, .f_frsize = STATFS_BLOCK, .f_namemax = 255};
    uint64_t folders, messages, used, limit;

    (void)ino;
    catalog_totals(mount->catalog, &folders, &messages, &used);
    used = MIN(used, UINT64_MAX - STATFS_PLENTY);
    limit = used + STATFS_PLENTY;
    pthread_mutex_lock(&mount->quota_lock);
    if (mount->have_quota && mount->quota.limit_bytes) {
        used = mount->quota.used_bytes;
        limit = MAX(mount->quota.limit_bytes, used);
    }
    pthread_mutex_unlock(&mount->quota_lock);
    st.f_blocks = limit / STATFS_BLOCK;
    st.f_bfree = st.f_bavail = (limit - used) / STATFS_BLOCK;
    st.f_files = messages + folders;
    fuse_reply_statfs(req, &st);
}
