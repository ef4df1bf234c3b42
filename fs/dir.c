#include "attr.h"
#include "control.h"
#include "dircache.h"
#include "fetch.h"
#include "filename.h"
#include "inode.h"
#include "inode_map.h"
#include "ops.h"
#include "prefetch.h"
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

static bool find_message(const Mount *mount, fuse_ino_t ino, CatalogMessage *message)
{
    Inode inode = inode_of(ino);

    return inode.kind == INODE_MESSAGE &&
           catalog_message(mount->catalog, inode.folder, inode.uid, message);
}

/* How long the kernel may believe the attributes. What is in our own files never changes. */
static double timeout_of(const Mount *mount, fuse_ino_t ino)
{
    CatalogMessage message;

    if (find_message(mount, ino, &message))
        return trust_lasts(mount->trust, &message) ? MOUNT_MESSAGE_TIMEOUT : 0;
    return control_is_status(ino) ? MOUNT_MESSAGE_TIMEOUT : mount_kernel_timeout(mount);
}

/* The name of the status means another one each time. */
static void fill_entry(const Mount *mount, struct fuse_entry_param *entry)
{
    entry->ino = entry->attr.st_ino;
    entry->attr_timeout = timeout_of(mount, entry->ino);
    entry->entry_timeout = control_is_status(entry->ino) ? 0 : entry->attr_timeout;
}

/* Whether it is a message whose size must be proved before it is told. */
static bool needs_proof(const Mount *mount, fuse_ino_t ino)
{
    CatalogMessage message;

    return find_message(mount, ino, &message) && trust_wants_proof(mount->trust, &message);
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
    if (!filename_may_be_message(mount, folder, name)) {
        *source = 0;
        return true;
    }
    *source = folder;
    return !(node.attributes & MAIL_FOLDER_NOSELECT);
}

static void reply_found(fuse_req_t req, const struct stat *st)
{
    const Mount *mount = mount_of(req);
    struct fuse_entry_param entry = {.attr = *st};

    fill_entry(mount, &entry);
    fuse_reply_entry(req, &entry);
}

static void reply_unknown(fuse_req_t req, fuse_ino_t parent)
{
    fuse_reply_err(req, is_stale(mount_of(req), parent) ? ESTALE : ENOENT);
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
    fill_entry(mount, &entry);
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
        fuse_reply_attr(req, &st, timeout_of(mount, ino));
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

void dir_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
    const Mount *mount = mount_of(req);

    (void)count; /* only a status matters, which is looked up once */
    control_forget(mount->control, ino);
    fuse_reply_none(req);
}

void dir_forget_many(fuse_req_t req, size_t count, struct fuse_forget_data *forgotten)
{
    const Mount *mount = mount_of(req);

    for (size_t i = 0; i < count; i++)
        control_forget(mount->control, forgotten[i].ino);
    fuse_reply_none(req);
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

/* While a folder is being listed for the first time, the kernel keeps nothing of it. */
static void reply_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
    const Mount *mount = mount_of(req);
    uint32_t source;
    bool has_source = directory_source(mount, ino, &source);
    bool in_step = !has_source || refresh_is_fresh(mount->refresher, source);
    DirCacheOpen opened = dircache_opened(mount->directories, ino);

    if (has_source)
        watcher_note_use(mount->watcher, source);

    file->fh = opened.handle;
    file->keep_cache = in_step && opened.use_kept;
    file->cache_readdir = in_step && opened.keep;
    if (fuse_reply_open(req, file) != 0) /* nobody will release it */
        dircache_closed(mount->directories, ino, opened.handle);
}

void dir_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
    const Mount *mount = mount_of(req);

    dircache_closed(mount->directories, ino, file->fh);
    fuse_reply_err(req, 0);
}

static bool opendir_resume(Request *request, const GError *error)
{
    if (error)
        fuse_reply_err(request->req, mail_errno(error));
    else if (is_stale(request->mount, request->ino))
        fuse_reply_err(request->req, ESTALE);
    else
        reply_opendir(request->req, request->ino, &request->file);
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
    refresh_wait_opened(mount->refresher, source, request);
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
        reply_opendir(req, ino, file);
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

/* listed: all is listed; else messages up to the horizon are, and may be read. */
typedef struct {
    fuse_req_t req;
    Mount *mount;
    bool plus;
    char *buffer;
    size_t size, used;
    bool listed;
    uint32_t horizon;
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

/*
 * Whether a listing says what its messages are like. Then the kernel makes inodes of them, which
 * takes memory, and for 10,000 a tenth of a second; but to look them up one by one, as a first scan
 * would, takes several times that. So all of a folder come with attributes, but of a large one only
 * if somebody who lists it looks messages up as well.
 */
enum { ALWAYS_WITH_ATTRIBUTES = 20000 };

static bool wants_attributes(Mount *mount, uint32_t folder)
{
    g_auto(CatalogFolder) about = {0};

    return (catalog_folder(mount->catalog, folder, &about) &&
            about.state.count <= ALWAYS_WITH_ATTRIBUTES) ||
           g_atomic_int_compare_and_exchange(&mount->looked_up, (gint)folder, 0);
}

static bool add_messages(Listing *listing, uint32_t folder, uint32_t after)
{
    bool with_attributes = listing->plus && wants_attributes(listing->mount, folder);
    CatalogMessage messages[64];
    char name[FILENAME_MAX_BYTES];
    struct stat st;
    size_t n;

    do {
        n = catalog_messages_after(listing->mount->catalog, folder, after, messages,
                                   G_N_ELEMENTS(messages));
        for (size_t i = 0; i < n; i++) {
            after = messages[i].uid;
            if (!listing->listed && after > listing->horizon)
                return false;
            if (removals_hide(listing->mount->removals, folder, &messages[i]) ||
                !filename_of(listing->mount, folder, &messages[i], name))
                continue;
            attr_message(listing->mount, folder, &messages[i], &st);
            if (!add(listing, name, &st,
                     with_attributes && trust_lasts(listing->mount->trust, &messages[i]),
                     POSITION_MESSAGES + after))
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

/*
 * Replies with what there is behind the position; false, without a reply: nothing yet, but more is
 * coming. How far one may read is asked ahead of reading: so far all messages are there then.
 */
static bool reply_listing(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, bool plus)
{
    Mount *mount = mount_of(req);
    Listing listing = {.req = req, .mount = mount, .plus = plus, .size = size, .listed = true};
    uint32_t folder, source;
    TreeNode node;

    if (!mount_ino_folder(mount, ino, &folder)) {
        fuse_reply_buf(req, NULL, 0); /* .pullmail: what is in it is hidden too */
        return true;
    }
    if (!tree_node(mount->tree, folder, &node)) {
        fuse_reply_err(req, ESTALE);
        return true;
    }
    if (directory_source(mount, ino, &source) && source)
        listing.listed = refresh_is_listed(mount->refresher, source, &listing.horizon);
    listing.buffer = g_malloc(size);
    list(&listing, &node, offset);
    if (!listing.used && listing.listed)
        prefetch_listing_read(mount->prefetcher, folder, fuse_req_ctx(req)->pid);
    if (listing.used || listing.listed)
        fuse_reply_buf(req, listing.buffer, listing.used);
    g_free(listing.buffer);
    return listing.used || listing.listed;
}

static bool listing_resume(Request *request, const GError *error)
{
    uint32_t folder = 0;

    if (error) {
        fuse_reply_err(request->req, mail_errno(error));
        return false;
    }
    if (reply_listing(request->req, request->ino, request->size, request->offset, request->plus))
        return false;
    mount_ino_folder(request->mount, request->ino, &folder);
    refresh_wait_listed(request->mount->refresher, folder, request);
    return true;
}

/* The horizon may have moved since the worker looked. */
static void listing_begin(Request *request)
{
    request_resume(request, NULL);
}

static void read_directory(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, bool plus)
{
    Request *request;

    if (reply_listing(req, ino, size, offset, plus))
        return;
    request = request_new(mount_of(req), req, listing_resume);
    request->ino = ino;
    request->size = size;
    request->offset = offset;
    request->plus = plus;
    request_post(request, listing_begin);
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
