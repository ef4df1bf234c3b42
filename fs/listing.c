#include "arrivals.h"
#include "attr.h"
#include "dircache.h"
#include "draft.h"
#include "entry.h"
#include "filename.h"
#include "inode.h"
#include "moves.h"
#include "ops.h"
#include "prefetch.h"
#include "refresh.h"
#include "removal.h"
#include "trust.h"
#include "watch.h"

#include <errno.h>

static Mount *mount_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

/* --- opening ---------------------------------------------------------------------------------- */

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

/* Tells the arrivals who has the directory open. */
static void open_folder(const Mount *mount, fuse_ino_t ino,
                        void (*note)(Arrivals *arrivals, uint32_t folder))
{
    uint32_t folder;

    if (mount_ino_folder(mount, ino, &folder))
        note(mount->arrivals, folder);
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
    open_folder(mount, ino, arrivals_opened);
    file->fh = opened.handle;
    file->keep_cache = in_step && opened.use_kept;
    file->cache_readdir = in_step && opened.keep;
    if (fuse_reply_open(req, file) != 0) { /* nobody will release it */
        dircache_closed(mount->directories, ino, opened.handle);
        open_folder(mount, ino, arrivals_closed);
    }
}

void listing_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
    const Mount *mount = mount_of(req);

    dircache_closed(mount->directories, ino, file->fh);
    open_folder(mount, ino, arrivals_closed);
    fuse_reply_err(req, 0);
}

static void opendir_again(Request *request);

/* What an earlier mount left is known now, or can't be. */
static bool opendir_surveyed(Request *request, const GError *error)
{
    (void)error;
    opendir_again(request);
    return true;
}

static bool opendir_resume(Request *request, const GError *error)
{
    if (error)
        fuse_reply_err(request->req, mail_errno(error));
    else if (entry_is_stale(request->mount, request->ino))
        fuse_reply_err(request->req, ESTALE);
    else
        reply_opendir(request->req, request->ino, &request->file);
    return false;
}

static void opendir_again(Request *request)
{
    Mount *mount = request->mount;
    uint32_t source = 0;

    request->resume = opendir_resume;
    if (!directory_source(mount, request->ino, &source) ||
        refresh_is_fresh(mount->refresher, source)) {
        request_resume(request, NULL);
        return;
    }
    refresh_list_soon(mount->refresher);
    refresh_wait_opened(mount->refresher, source, request);
}

/* Ahead of a look, by which a message would be seen twice. */
static void opendir_submit(Request *request)
{
    uint32_t folder;

    if (!mount_ino_folder(request->mount, request->ino, &folder) ||
        !moves_wait_sure(request->mount->moves, request, folder))
        opendir_again(request);
}

void listing_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
    Mount *mount = mount_of(req);
    Request *request;
    uint32_t source;

    if (entry_is_stale(mount, ino)) {
        fuse_reply_err(req, ESTALE);
    } else if (!directory_source(mount, ino, &source) ||
               (refresh_is_fresh(mount->refresher, source) && !moves_are_unsure(mount->moves))) {
        reply_opendir(req, ino, file);
    } else {
        request = request_new(mount, req, opendir_surveyed);
        request->ino = ino;
        request->file = *file;
        request_post(request, opendir_submit);
    }
}

/* --- reading ---------------------------------------------------------------------------------- */

/*
 * Where readdir is: behind ".", behind "..", behind a folder (by id), behind a message (by UID),
 * behind a draft (by its number), behind a message on its way there (by its serial). A position
 * stays right while entries come and go.
 */
#define POSITION_DOT 1
#define POSITION_DOTDOT 2
#define POSITION_FOLDERS (INT64_C(1) << 40)
#define POSITION_MESSAGES (INT64_C(2) << 40)
#define POSITION_DRAFTS (INT64_C(3) << 40)
#define POSITION_ARRIVALS (INT64_C(4) << 40)

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
            entry_fill(listing->mount, &entry);
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

/* It is listed among the arrivals, as the one that it is, or is about to be. */
static bool is_an_arrivals(const Mount *mount, uint32_t folder, const CatalogMessage *message,
                           const char *name)
{
    return arrivals_lists(mount->arrivals, inode_number(INODE_MESSAGE, folder, message->uid)) ||
           arrivals_named(mount->arrivals, folder, name);
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
                !filename_of(listing->mount, folder, &messages[i], name) ||
                is_an_arrivals(listing->mount, folder, &messages[i], name))
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

/* What has become a message meanwhile was listed among these, or is not seen this time. */
static bool add_drafts(Listing *listing, uint32_t folder, uint32_t after)
{
    uint64_t last = after ? inode_number(INODE_DRAFT, folder, after) : 0;
    bool room = true;

    while (room) {
        g_auto(Draft) draft = {0};
        struct stat st;
        if (!drafts_after(listing->mount->drafts, folder, last, &draft))
            break;
        last = draft.ino;
        if (attr_of(listing->mount, draft.ino, &st))
            room = add(listing, draft.name, &st, false, POSITION_DRAFTS + inode_of(last).uid);
    }
    return room;
}

/* What an arrival is by now, and under which name. False: it is not there any more. */
static bool find_arrival(const Mount *mount, uint32_t folder, const Arrival *arrival,
                         CatalogMessage *message, char name[FILENAME_MAX_BYTES])
{
    Inode inode = inode_of(arrival->ino);

    g_strlcpy(name, arrival->name, FILENAME_MAX_BYTES);
    if (!arrival->settled)
        return catalog_message(mount->catalog, inode.folder, inode.uid, message) ||
               arrivals_message(mount->arrivals, arrival->ino, message);
    return catalog_message(mount->catalog, folder, inode.uid, message) &&
           !removals_hide(mount->removals, folder, message) &&
           filename_of(mount, folder, message, name);
}

static void add_arrivals(Listing *listing, uint32_t folder, uint64_t after)
{
    Mount *mount = listing->mount;
    bool room = true;

    while (room) {
        g_auto(Arrival) arrival = {0};
        char name[FILENAME_MAX_BYTES];
        CatalogMessage message;
        struct stat st;
        if (!arrivals_after(mount->arrivals, folder, after, &arrival))
            return;
        after = arrival.serial;
        if (!find_arrival(mount, folder, &arrival, &message, name))
            continue;
        attr_message(mount, inode_of(arrival.ino).folder, &message, &st);
        room = add(listing, name, &st, trust_lasts(mount->trust, &message),
                   POSITION_ARRIVALS + (int64_t)after);
    }
}

static void list(Listing *listing, const TreeNode *node, int64_t position)
{
    uint32_t after_folder = 0, after_message = 0, after_draft = 0;
    uint64_t after_arrival = 0;

    if (position >= POSITION_ARRIVALS)
        after_arrival = (uint64_t)(position - POSITION_ARRIVALS);
    else if (position >= POSITION_DRAFTS)
        after_draft = (uint32_t)(position - POSITION_DRAFTS);
    else if (position >= POSITION_MESSAGES)
        after_message = (uint32_t)(position - POSITION_MESSAGES);
    else if (position >= POSITION_FOLDERS)
        after_folder = (uint32_t)(position - POSITION_FOLDERS);
    if (position < POSITION_FOLDERS && !add_dots(listing, node, position))
        return;
    if (position < POSITION_MESSAGES && !add_folders(listing, node->id, after_folder))
        return;
    if (position < POSITION_DRAFTS && !add_messages(listing, node->id, after_message))
        return;
    if (position < POSITION_ARRIVALS && !add_drafts(listing, node->id, after_draft))
        return;
    add_arrivals(listing, node->id, after_arrival);
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

void listing_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                     struct fuse_file_info *file)
{
    (void)file;
    read_directory(req, ino, size, offset, false);
}

void listing_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                         struct fuse_file_info *file)
{
    (void)file;
    read_directory(req, ino, size, offset, true);
}
