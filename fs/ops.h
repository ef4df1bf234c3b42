/*
 * ops.h: what FUSE's requests do. Each handler runs on a FUSE worker: it answers from memory or
 * the local disk, or posts the request to the engine; it never waits for the network. The
 * session's userdata is the Mount. An inode that is no more is ESTALE, upon which the kernel looks
 * its name up again.
 */
#pragma once

#include "mount.h"

extern const struct fuse_lowlevel_ops pullmail_ops;

/* dir.c */
void dir_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void dir_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file);
void dir_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count);
void dir_forget_many(fuse_req_t req, size_t count, struct fuse_forget_data *forgotten);
void dir_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file);
void dir_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                 struct fuse_file_info *file);
void dir_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                     struct fuse_file_info *file);
void dir_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file);

/* file.c */
void file_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file);
void file_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
               struct fuse_file_info *file);
void file_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file);

/* statfs.c */
void statfs_get(fuse_req_t req, fuse_ino_t ino);

/* xattr.c */
void xattr_get(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void xattr_list(fuse_req_t req, fuse_ino_t ino, size_t size);
