#include "arrivals.h"
#include "attr.h"
#include "control.h"
#include "dircache.h"
#include "draft.h"
#include "filename.h"
#include "inode.h"
#include "inode_map.h"
#include "moves.h"
#include "offline.h"
#include "ops.h"
#include "refresh.h"
#include "removal.h"
#include "storing.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static Mount *mount_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

static bool is_draft(fuse_ino_t ino)
{
    return inode_of(ino).kind == INODE_DRAFT;
}

/* The draft that has the bytes of the inode; 0: there is none. */
static fuse_ino_t draft_of(const Mount *mount, fuse_ino_t ino)
{
    return is_draft(ino) ? ino : drafts_over(mount->drafts, ino);
}

static bool can_write(const Mount *mount)
{
    return mount->features & MAIL_STORE_CHANGES && !mount->options->read_only;
}

/* An errno where nothing can be changed at all. */
static int check_changes(const Mount *mount)
{
    if (mount->options->read_only)
        return EROFS;
    return mount->features & MAIL_STORE_CHANGES ? 0 : EPERM;
}

static bool reply_outcome(Request *request, const GError *error)
{
    fuse_reply_err(request->req, error ? mail_errno(error) : 0);
    return false;
}

/* --- create ------------------------------------------------------------------------------------
 */

/* Whether a file can be made in the directory: an errno. Of a folder that holds no messages nothing
 * can be made. */
static int check_create(const Mount *mount, fuse_ino_t parent, const char *name, uint32_t *folder)
{
    TreeNode node;
    int code = check_changes(mount);

    if (code)
        return code;
    if (!mount_ino_folder(mount, parent, folder) || control_lookup(parent, name))
        return EPERM; /* what is in .pullmail */
    if (!tree_node(mount->tree, *folder, &node))
        return ESTALE;
    if (!*folder || node.attributes & MAIL_FOLDER_NOSELECT)
        return EPERM;
    return filename_check_given(mount, *folder, 0, name);
}

/* Who has it open reads and writes the draft itself: the kernel keeps none of it. */
static void reply_create(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
    Mount *mount = mount_of(req);
    struct fuse_entry_param entry = {.ino = ino};

    attr_of(mount, ino, &entry.attr);
    file->direct_io = 1;
    if (fuse_reply_create(req, &entry, file) != 0)
        drafts_forget(mount->drafts, ino, 1);
}

static void create(fuse_req_t req, fuse_ino_t parent, const char *name, struct fuse_file_info *file)
{
    Mount *mount = mount_of(req);
    uint64_t ino = 0;
    uint32_t folder;
    int code = check_create(mount, parent, name, &folder);

    if (!code)
        code = drafts_create(mount->drafts, folder, name, &ino);
    if (code) {
        fuse_reply_err(req, code);
        return;
    }
    dircache_changed(mount->directories, parent);
    reply_create(req, ino, file);
}

/* If it turned out to be another folder, the kernel looks it up again. */
static bool create_resume(Request *request, const GError *error)
{
    if (error)
        fuse_reply_err(request->req, mail_errno(error));
    else
        create(request->req, request->ino, request->name, &request->file);
    return false;
}

static void create_submit(Request *request)
{
    uint32_t folder = 0;

    mount_ino_folder(request->mount, request->ino, &folder);
    refresh_wait(request->mount->refresher, folder, request);
}

/* What is stored in a folder is told from what was there before. */
static bool is_listed(const Mount *mount, uint32_t id)
{
    g_auto(CatalogFolder) folder = {0};

    return catalog_folder(mount->catalog, id, &folder) && folder.listed;
}

void write_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                  struct fuse_file_info *file)
{
    Mount *mount = mount_of(req);
    Request *request;
    uint32_t folder = 0;
    int code = check_create(mount, parent, name, &folder);

    (void)mode; /* all messages are alike */
    if (code) {
        fuse_reply_err(req, code);
    } else if (is_listed(mount, folder)) {
        create(req, parent, name, file);
    } else {
        request = request_new(mount, req, create_resume);
        request->ino = parent;
        request->name = g_strdup(name);
        request->changes = true;
        request->file = *file;
        request_post(request, create_submit);
    }
}

/* --- open, read and write ----------------------------------------------------------------------
 */

/* The handle of who can't write. 0 is that of all others, and of whom the kernel let in by itself.
 */
enum { HANDLE_OF_READER = 1 };

void write_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
    g_auto(Draft) draft = {0};

    if (!drafts_find(mount_of(req)->drafts, ino, &draft)) {
        fuse_reply_err(req, ESTALE);
        return;
    }
    file->direct_io = 1;
    file->fh = (file->flags & O_ACCMODE) == O_RDONLY ? HANDLE_OF_READER : 0;
    fuse_reply_open(req, file);
}

/* Its bytes stay until it is emptied (see set_message). */
void write_open_message(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
    const Mount *mount = mount_of(req);
    int code = check_changes(mount);
    CatalogMessage message;
    Inode inode = inode_of(ino);

    if (!code && inode.kind != INODE_MESSAGE)
        code = EPERM;
    if (!code && !catalog_message(mount->catalog, inode.folder, inode.uid, &message))
        code = ESTALE;
    if (code) {
        fuse_reply_err(req, code); /* where the mount is read-only, the kernel says so */
        return;
    }
    file->keep_cache = 1;
    fuse_reply_open(req, file);
}

void write_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset)
{
    const Mount *mount = mount_of(req);
    g_autofree char *bytes = g_malloc(size);
    ssize_t n = drafts_read(mount->drafts, draft_of(mount, ino), bytes, size, offset);

    if (n < 0)
        fuse_reply_err(req, (int)-n);
    else
        fuse_reply_buf(req, bytes, (size_t)n);
}

void write_write(fuse_req_t req, fuse_ino_t ino, const char *bytes, size_t size, off_t offset,
                 struct fuse_file_info *file)
{
    const Mount *mount = mount_of(req);
    fuse_ino_t draft = is_draft(ino)
                           ? ino
                           : drafts_resume_over(mount->drafts, ino, fuse_req_ctx(req)->pid);
    int code = check_changes(mount);

    (void)file;
    if (!code)
        code = draft ? drafts_write(mount->drafts, draft, bytes, size, offset) : EPERM;
    if (code)
        fuse_reply_err(req, code);
    else
        fuse_reply_write(req, size);
}

/* --- flush and fsync ---------------------------------------------------------------------------
 */

/* An answer that waits until the kernel has been told something else. */
typedef struct {
    fuse_req_t req;
    int code;
} Answer;

static void answer_now(gpointer data)
{
    g_autofree Answer *answer = data;

    fuse_reply_err(answer->req, answer->code);
}

/* As with storing_fail. */
static void refuse(fuse_req_t req, const Draft *draft, const GError *error)
{
    Mount *mount = mount_of(req);
    Answer *answer;

    g_info("\"%s\": %s", draft->name, error->message);
    if (drafts_failed(mount->drafts, draft->ino))
        dircache_changed(mount->directories, mount_folder_ino(mount, draft->folder));
    engine_post(mount->engine, storing_let_go, mount);
    if (!drafts_suspend_over(mount->drafts, draft->ino)) {
        fuse_reply_err(req, mail_errno(error));
        return;
    }
    answer = g_new(Answer, 1);
    *answer = (Answer){req, mail_errno(error)};
    notify_inode(mount->notifier, draft->over);
    notify_then(mount->notifier, answer_now, answer);
}

static void store(fuse_req_t req, const Draft *draft, bool closing)
{
    Request *request = request_new(mount_of(req), req, reply_outcome);
    g_autoptr(GError) error = NULL;

    request->ino = draft->ino;
    if (storing_post(request, NULL, 0, closing, &error))
        return;
    g_free(request);
    refuse(req, draft, error);
}

static void flush(fuse_req_t req, fuse_ino_t ino, bool closing)
{
    const Mount *mount = mount_of(req);
    g_auto(Draft) draft = {0};

    if (drafts_find(mount->drafts, draft_of(mount, ino), &draft) && draft.changed &&
        !draft.removed && !draft.temporary)
        store(req, &draft, closing);
    else
        fuse_reply_err(req, 0);
}

/* Where nothing can be written, closing a file needs not be told of; where the kernel opens files
 * by itself (trust.h), there is no other way to say that of messages alone. */
void write_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
    if (!can_write(mount_of(req)))
        fuse_reply_err(req, ENOSYS);
    else if (file->fh == HANDLE_OF_READER)
        fuse_reply_err(req, 0);
    else
        flush(req, ino, true);
}

void write_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *file)
{
    (void)datasync, (void)file;
    flush(req, ino, false);
}

/* --- attributes --------------------------------------------------------------------------------
 */

static bool changes_owner(const Mount *mount, const struct stat *st, int to_set)
{
    return (to_set & FUSE_SET_ATTR_UID && st->st_uid != mount->options->uid) ||
           (to_set & FUSE_SET_ATTR_GID && st->st_gid != mount->options->gid);
}

static struct timespec time_to_set(int to_set, int bit, int now_bit, struct timespec time)
{
    if (to_set & now_bit)
        time.tv_nsec = UTIME_NOW;
    else if (!(to_set & bit))
        time.tv_nsec = UTIME_OMIT;
    return time;
}

/* What is kept is sent as it was when it was closed. */
static bool is_too_late(const Mount *mount, fuse_ino_t ino, const struct stat *st, int to_set)
{
    g_auto(Draft) draft = {0};
    struct stat now = {0};

    return to_set & FUSE_SET_ATTR_MTIME && drafts_find(mount->drafts, ino, &draft) && draft.kept &&
           drafts_stat(mount->drafts, ino, &now) == 0 && now.st_mtim.tv_sec != st->st_mtim.tv_sec;
}

static int set_draft(const Mount *mount, fuse_ino_t ino, const struct stat *st, int to_set)
{
    const struct timespec times[2] = {
        time_to_set(to_set, FUSE_SET_ATTR_ATIME, FUSE_SET_ATTR_ATIME_NOW, st->st_atim),
        time_to_set(to_set, FUSE_SET_ATTR_MTIME, FUSE_SET_ATTR_MTIME_NOW, st->st_mtim),
    };
    int code = 0;

    if (to_set & FUSE_SET_ATTR_SIZE)
        code = drafts_truncate(mount->drafts, ino, st->st_size);
    if (!code && is_too_late(mount, ino, st, to_set))
        code = EPERM;
    if (!code && to_set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME))
        code = drafts_set_times(mount->drafts, ino, times);
    return code;
}

/* Its bytes and its date are for ever; but who empties it is about to write another one over it. */
static int set_message(fuse_req_t req, fuse_ino_t ino, const struct stat *st, int to_set)
{
    const Mount *mount = mount_of(req);
    Inode inode = inode_of(ino);
    CatalogMessage message;

    if (!catalog_message(mount->catalog, inode.folder, inode.uid, &message) ||
        removals_hide(mount->removals, inode.folder, &message))
        return ESTALE;
    if (to_set & FUSE_SET_ATTR_SIZE && !st->st_size)
        return drafts_begin_over(mount->drafts, ino, fuse_req_ctx(req)->pid);
    if (to_set & (FUSE_SET_ATTR_SIZE | FUSE_SET_ATTR_MTIME_NOW))
        return EPERM;
    return to_set & FUSE_SET_ATTR_MTIME && st->st_mtim.tv_sec != message.date ? EPERM : 0;
}

static int set(fuse_req_t req, fuse_ino_t ino, const struct stat *st, int to_set)
{
    const Mount *mount = mount_of(req);
    fuse_ino_t draft = draft_of(mount, ino);
    uint32_t folder;
    int code = check_changes(mount);

    if (code)
        return code;
    if (changes_owner(mount, st, to_set))
        return EPERM;
    if (draft)
        return set_draft(mount, draft, st, to_set);
    if (inode_of(ino).kind == INODE_MESSAGE)
        return set_message(req, ino, st, to_set);
    return mount_ino_folder(mount, ino, &folder) ? 0 : EPERM;
}

void write_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int to_set,
                   struct fuse_file_info *file)
{
    int code = set(req, ino, st, to_set);

    if (code)
        fuse_reply_err(req, code);
    else
        dir_getattr(req, ino, file);
}

/* --- copying -----------------------------------------------------------------------------------
 */

/* request->size is what was asked for. */
static bool copied(Request *request, const GError *error)
{
    if (error)
        fuse_reply_err(request->req, mail_errno(error));
    else
        fuse_reply_write(request->req, request->size);
    return false;
}

/* A message as a whole, to a file that is nothing yet. */
static bool can_copy(const Mount *mount, fuse_ino_t from, fuse_ino_t to, size_t length)
{
    g_auto(Draft) draft = {0};
    Inode inode = inode_of(from);
    CatalogMessage message;
    struct stat st;

    return inode.kind == INODE_MESSAGE && is_draft(to) &&
           catalog_message(mount->catalog, inode.folder, inode.uid, &message) && message.size &&
           length >= message.size && drafts_find(mount->drafts, to, &draft) && draft.named &&
           !draft.temporary && !draft.stored && drafts_stat(mount->drafts, to, &st) == 0 &&
           st.st_size == 0;
}

/* The message has come to another folder, or has not been moved. */
static bool copy_settled(Request *request, const GError *error)
{
    uint64_t from = inode_map_follow(request->mount->moved, request->follows);

    if (error)
        fuse_reply_err(request->req, mail_errno(error));
    else
        write_copy(request->req, from, 0, NULL, request->ino, 0, NULL, request->size, 0);
    return false;
}

static void copy_arrival(fuse_req_t req, fuse_ino_t from, fuse_ino_t to, size_t length)
{
    Request *request = request_new(mount_of(req), req, copy_settled);

    request->ino = to;
    request->size = length;
    request->follows = from;
    moves_post(request);
}

void write_copy(fuse_req_t req, fuse_ino_t from, off_t from_offset,
                struct fuse_file_info *from_file, fuse_ino_t to, off_t to_offset,
                struct fuse_file_info *to_file, size_t length, int flags)
{
    Mount *mount = mount_of(req);
    CatalogMessage message;
    Request *request;

    (void)from_file, (void)to_file;
    if (arrivals_has(mount->arrivals, from) && !from_offset && !to_offset && !flags) {
        copy_arrival(req, from, to, length);
        return;
    }
    /* Who copies then reads and writes, which needs no server. */
    if (check_changes(mount) || offline_is(mount->offline) || from_offset || to_offset || flags ||
        !can_copy(mount, from, to, length) ||
        !catalog_message(mount->catalog, inode_of(from).folder, inode_of(from).uid, &message)) {
        fuse_reply_err(req, EOPNOTSUPP);
        return;
    }
    request = request_new(mount, req, copied);
    request->ino = to;
    request->size = message.size;
    if (!copying_post(request, from)) {
        g_free(request);
        fuse_reply_err(req, EOPNOTSUPP);
    }
}
