#include "control.h"
#include "fetch.h"
#include "inode.h"
#include "ops.h"
#include "prefetch.h"

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

/* The text is made when the file is opened, so that all reads see the same. */
static bool status_resume(Request *request, const GError *error)
{
    if (error) {
        fuse_reply_err(request->req, mail_errno(error));
        return false;
    }
    GString *text = control_status(request->mount);
    request->file.fh = (uint64_t)(uintptr_t)text;
    request->file.direct_io = 1;
    if (fuse_reply_open(request->req, &request->file) != 0)
        g_string_free(text, TRUE); /* nobody will release it */
    return false;
}

static void status_submit(Request *request)
{
    request_resume(request, NULL);
}

/* From a copy: once the kernel has the reply, another thread may be told to release the text. */
static void read_status(fuse_req_t req, const GString *text, size_t size, off_t offset)
{
    size_t length = (size_t)offset < text->len ? MIN(size, text->len - (size_t)offset) : 0;
    g_autofree char *copy = length ? g_memdup2(text->str + offset, length) : NULL;

    fuse_reply_buf(req, copy, length);
}

/* --- open ------------------------------------------------------------------------------------- */

/*
 * Whether the size that stat shows is known to be true. Programs allocate, map and stop reading by
 * it, so it must be right before anybody has the file open. That all sizes were true so far counts
 * for nothing: the first that is not would cut a message off.
 */
static bool size_is_good(const CatalogMessage *message)
{
    return message->proof & CATALOG_SIZE_PROVED;
}

static bool open_resume(Request *request, const GError *error)
{
    CatalogMessage message;

    if (error) {
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

void file_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
    Mount *mount = mount_of(req);
    bool is_status = inode_of(ino).kind == INODE_CONTROL;
    CatalogMessage message;
    Request *request;

    if ((file->flags & O_ACCMODE) != O_RDONLY || (file->flags & O_TRUNC)) {
        fuse_reply_err(req, EROFS);
        return;
    }
    if (!is_status && !find_message(mount, ino, &message)) {
        fuse_reply_err(req, ESTALE);
        return;
    }
    if (!is_status)
        prefetch_note(mount->prefetcher, inode_of(ino).folder, &message, 0);
    /* A message never changes: what the kernel has of it stays good. */
    file->keep_cache = !is_status;
    if (!is_status && size_is_good(&message)) {
        fuse_reply_open(req, file);
        return;
    }
    request = request_new(mount, req, is_status ? status_resume : open_resume);
    request->ino = ino;
    request->file = *file;
    request_post(request, is_status ? status_submit : open_submit);
}

void file_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
    if (inode_of(ino).kind == INODE_CONTROL)
        g_string_free((GString *)(uintptr_t)file->fh, TRUE);
    fuse_reply_err(req, 0);
}

/* --- read ---------------------------------------------------------------------------------------
 */

/* Replies from the cache; false: it does not have all of it. */
static bool reply_from_cache(fuse_req_t req, const Mount *mount, fuse_ino_t ino,
                             const CatalogMessage *message, size_t size, uint64_t offset)
{
    g_autofree char *buffer = NULL;
    size_t length;

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

static bool read_resume(Request *request, const GError *error)
{
    Mount *mount = request->mount;
    CatalogMessage message;

    prefetch_touch(mount->prefetcher, inode_of(request->ino).folder);
    if (error) {
        fuse_reply_err(request->req, mail_errno(error));
    } else if (!find_message(mount, request->ino, &message)) {
        fuse_reply_err(request->req, ENOENT);
    } else if (!reply_from_cache(request->req, mount, request->ino, &message, request->size,
                                 (uint64_t)request->offset)) {
        fetch_range(mount->fetcher, request);
        return true;
    }
    return false;
}

static void read_submit(Request *request)
{
    prefetch_missed(request->mount->prefetcher, request->ino);
    fetch_range(request->mount->fetcher, request);
}

void file_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
               struct fuse_file_info *file)
{
    Mount *mount = mount_of(req);
    CatalogMessage message;
    Request *request;

    if (inode_of(ino).kind == INODE_CONTROL) {
        read_status(req, (const GString *)(uintptr_t)file->fh, size, offset);
        return;
    }
    if (!find_message(mount, ino, &message)) {
        fuse_reply_err(req, ENOENT);
        return;
    }
    prefetch_note(mount->prefetcher, inode_of(ino).folder, &message, (uint64_t)offset + size);
    if (reply_from_cache(req, mount, ino, &message, size, (uint64_t)offset))
        return;
    request = request_new(mount, req, read_resume);
    request->ino = ino;
    request->size = size;
    request->offset = offset;
    request_post(request, read_submit);
}
