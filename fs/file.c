#include "arrivals.h"
#include "control.h"
#include "draft.h"
#include "fetch.h"
#include "inode.h"
#include "inode_map.h"
#include "moves.h"
#include "ops.h"
#include "prefetch.h"
#include "push.h"
#include "trust.h"

#include <errno.h>
#include <fcntl.h>

static Mount *mount_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

static bool find_message(const Mount *mount, fuse_ino_t ino, CatalogMessage *message)
{
    Inode inode = inode_of(ino);

    return inode.kind == INODE_MESSAGE &&
           catalog_message(mount->catalog, inode.folder, inode.uid, message);
}

/* --- the status ------------------------------------------------------------------------------ */

static void open_status(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
    const Mount *mount = mount_of(req);
    g_autoptr(GBytes) text = control_text(mount->control, ino);

    if (text)
        fuse_reply_open(req, file);
    else
        fuse_reply_err(req, ESTALE);
}

static void read_status(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset)
{
    const Mount *mount = mount_of(req);
    g_autoptr(GBytes) text = control_text(mount->control, ino);
    gsize length = 0;
    const char *bytes = text ? g_bytes_get_data(text, &length) : NULL;

    if (!text)
        fuse_reply_err(req, ESTALE);
    else if ((size_t)offset >= length)
        fuse_reply_buf(req, NULL, 0);
    else
        fuse_reply_buf(req, bytes + offset, MIN(size, length - (size_t)offset));
}

/* --- open ------------------------------------------------------------------------------------- */

/*
 * Whether the size that stat shows is known to be true. Programs allocate, map and stop reading by
 * it, so it must be right before anybody has the file open; or, where the kernel opens files by
 * itself (see trust.h), before anything that was read is given out.
 */
static bool size_is_good(const CatalogMessage *message)
{
    return message->proof & CATALOG_SIZE_PROVED;
}

/* The message was moved meanwhile: what was found out of it where it was does not count. */
static bool has_moved(Request *request)
{
    fuse_ino_t ino = inode_map_follow(request->mount->moved, request->ino);
    bool moved = ino != request->ino;

    request->ino = ino;
    return moved;
}

/* It is on its way, and not where it was any more: the request waits until it has come. */
static bool waits_for_move(Request *request, const GError *error)
{
    CatalogMessage message;
    bool gone = error ? mail_errno(error) == ENOENT || mail_errno(error) == ESTALE
                      : !find_message(request->mount, request->ino, &message);

    return gone && moves_wait_for(request->mount->moves, request, request->ino);
}

static bool open_resume(Request *request, const GError *error)
{
    bool moved = has_moved(request);
    CatalogMessage message;

    if (!moved && waits_for_move(request, error))
        return true;
    if (error && !moved) {
        fuse_reply_err(request->req, mail_errno(error));
    } else if (!find_message(request->mount, request->ino, &message)) {
        fuse_reply_err(request->req, ENOENT);
    } else if (!size_is_good(&message)) {
        fetch_prove(request->mount->fetcher, request);
        return true;
    } else {
        fuse_reply_open(request->req, &request->file);
    }
    return false;
}

static void open_submit(Request *request)
{
    prefetch_missed(request->mount->prefetcher, request->ino);
    fetch_prove(request->mount->fetcher, request);
}

static void open_message(fuse_req_t req, fuse_ino_t ino, const CatalogMessage *message,
                         struct fuse_file_info *file)
{
    Mount *mount = mount_of(req);
    Request *request;

    prefetch_note(mount->prefetcher, inode_of(ino).folder, message, 0, fuse_req_ctx(req)->pid);
    if (size_is_good(message)) {
        fuse_reply_open(req, file);
        return;
    }
    request = request_new(mount, req, open_resume);
    request->ino = ino;
    request->file = *file;
    request_post(request, open_submit);
}

/* Of which its folder knows nothing any more. */
static void open_arrival(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
    Request *request = request_new(mount_of(req), req, open_resume);

    request->ino = request->follows = ino;
    request->file = *file;
    moves_post(request);
}

void file_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
    Mount *mount = mount_of(req);
    CatalogMessage message;

    if (inode_of(ino).kind == INODE_DRAFT) {
        write_open(req, ino, file);
        return;
    }
    if ((file->flags & O_ACCMODE) != O_RDONLY || (file->flags & O_TRUNC)) {
        write_open_message(req, ino, file);
        return;
    }
    if (trust_skips_open(mount->trust)) {
        fuse_reply_err(req, ENOSYS);
        return;
    }
    /* Neither a message nor a status ever changes: what the kernel has of it stays good. */
    file->keep_cache = 1;
    file->noflush = 1;
    if (control_is_status(ino)) {
        open_status(req, ino, file);
    } else if (find_message(mount, ino, &message)) {
        open_message(req, ino, &message, file);
    } else if (arrivals_has(mount->arrivals, ino)) {
        open_arrival(req, ino, file);
    } else {
        fuse_reply_err(req, ESTALE);
    }
}

void file_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
    (void)ino, (void)file;
    fuse_reply_err(req, 0);
}

/* --- read ---------------------------------------------------------------------------------------
 */

/* Replies from the cache; false: it does not have all of it, or the message's end is not known. */
static bool reply_from_cache(fuse_req_t req, const Mount *mount, fuse_ino_t ino,
                             const CatalogMessage *message, size_t size, uint64_t offset)
{
    g_autofree char *buffer = NULL;
    size_t length;

    if (!size_is_good(message))
        return false;
    if (offset >= message->size) {
        fuse_reply_buf(req, NULL, 0);
        return true;
    }
    length = (size_t)MIN(size, message->size - offset);
    buffer = g_malloc(length);
    if (!content_read(mount->content, inode_of(ino).folder, message->uid, offset, length, buffer))
        return false;
    fuse_reply_buf(req, buffer, length);
    return true;
}

static bool is_behind_end(const Mount *mount, const CatalogMessage *message, uint64_t offset)
{
    return trust_is_opened(mount->trust) && size_is_good(message) && offset > 0 &&
           offset >= message->size;
}

static bool late_resume(Request *request, const GError *error)
{
    if (error)
        fuse_reply_err(request->req, mail_errno(error));
    else
        fuse_reply_buf(request->req, NULL, 0);
    return false;
}

static bool read_resume(Request *request, const GError *error)
{
    Mount *mount = request->mount;
    bool moved = has_moved(request);
    CatalogMessage message;

    prefetch_touch(mount->prefetcher, inode_of(request->ino).folder);
    if (!moved && waits_for_move(request, error))
        return true;
    if (error && !moved) {
        fuse_reply_err(request->req, mail_errno(error));
    } else if (!find_message(mount, request->ino, &message)) {
        fuse_reply_err(request->req, ENOENT);
    } else if (is_behind_end(request->mount, &message, (uint64_t)request->offset)) {
        request->resume = late_resume;
        trust_wait(mount->trust, request);
        return true;
    } else if (!reply_from_cache(request->req, mount, request->ino, &message, request->size,
                                 (uint64_t)request->offset)) {
        fetch_range(mount->fetcher, request);
        return true;
    }
    return false;
}

static void read_submit(Request *request)
{
    CatalogMessage message;

    if (find_message(request->mount, request->ino, &message) &&
        is_behind_end(request->mount, &message, (uint64_t)request->offset)) {
        request->resume = late_resume;
        trust_wait(request->mount->trust, request);
        return;
    }
    prefetch_missed(request->mount->prefetcher, request->ino);
    fetch_range(request->mount->fetcher, request);
}

static Request *read_request(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset)
{
    Request *request = request_new(mount_of(req), req, read_resume);

    request->ino = request->follows = ino;
    request->size = size;
    request->offset = offset;
    return request;
}

void file_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
               struct fuse_file_info *file)
{
    Mount *mount = mount_of(req);
    CatalogMessage message;

    (void)file;
    if (inode_of(ino).kind == INODE_DRAFT || drafts_over(mount->drafts, ino)) {
        write_read(req, ino, size, offset);
        return;
    }
    if (control_is_status(ino)) {
        read_status(req, ino, size, offset);
        return;
    }
    if (!find_message(mount, ino, &message)) {
        if (arrivals_has(mount->arrivals, ino))
            moves_post(read_request(req, ino, size, offset));
        else
            fuse_reply_err(req, ENOENT);
        return;
    }
    prefetch_note(mount->prefetcher, inode_of(ino).folder, &message, (uint64_t)offset + size,
                  fuse_req_ctx(req)->pid);
    /* Behind the end reads only who was told a wrong one: see trust.h. */
    if (!is_behind_end(mount, &message, (uint64_t)offset) &&
        reply_from_cache(req, mount, ino, &message, size, (uint64_t)offset)) {
        if (offset == 0)
            push_note(mount->pusher, inode_of(ino).folder, &message);
        return;
    }
    request_post(read_request(req, ino, size, offset), read_submit);
}
