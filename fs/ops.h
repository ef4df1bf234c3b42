/*
 * ops.h: what FUSE's requests do. Each handler runs on a FUSE worker: it answers from memory or
 * the local disk, or posts the request to the engine; it never waits for the network. The
 * session's userdata is the Mount. An inode that is no more is ESTALE, upon which the kernel looks
 * its name up again.
 */
#pragma once

#include "request.h"

extern const struct fuse_lowlevel_ops pullmail_ops;

/* dir.c */
void dir_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void dir_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file);
void dir_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count);
void dir_forget_many(fuse_req_t req, size_t count, struct fuse_forget_data *forgotten);

/* listing.c */
void listing_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file);
void listing_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                     struct fuse_file_info *file);
void listing_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                         struct fuse_file_info *file);
void listing_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file);

/* file.c */
void file_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file);
void file_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
               struct fuse_file_info *file);
void file_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file);

/* statfs.c */
void statfs_get(fuse_req_t req, fuse_ino_t ino);

/* The attributes that have a message's flags: all, "\\Seen $Forwarded"; and as tags of a desktop,
 * the keywords alone, "$Forwarded,work". */
#define XATTR_FLAGS "user.mail.flags"
#define XATTR_TAGS "user.xdg.tags"

/* xattr.c */
void xattr_get(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void xattr_list(fuse_req_t req, fuse_ino_t ino, size_t size);

/*
 * flags.c: sets a message's flags by its attributes, at the server, before the answer: EINVAL for
 * what is no flag or can't be kept, EBUSY where another client has changed them since they were
 * seen here. Where the server can't say that (no CONDSTORE), flags that the user did not change
 * stay as they are there. All other attributes are ENOTSUP. While the server is away, flags are
 * kept, and set later (flag_changes.h).
 */
void flags_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
                    size_t size, int how);
void flags_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);
/* The keywords among flags; the caller frees. */
char *flags_to_tags(const char *flags);

/*
 * change.c: unlink (see removal.h), and fsync of any directory, which waits for the server. All
 * that no mailbox can do is EPERM; where the mount is read-only, the kernel says EROFS itself.
 */
void change_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void change_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *file);
void change_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device);
void change_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void change_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name);

/*
 * write.c: files that users make become messages (see draft.h and storing.h). What was written is
 * stored when it is flushed, that is at close(), and at fsync(), which tell the outcome. A message
 * that is emptied is written over: another one takes its place then. Its bytes can't be changed in
 * part, nor its date: EPERM. Messages and folders all have the owner and
 * mode that the mount has: to set another mode is not refused, and changes nothing, nor is another
 * time of a folder; another owner is EPERM. A whole message that is copied to an empty file
 * (copy_file_range) is copied at the server.
 */
void write_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                  struct fuse_file_info *file);
void write_write(fuse_req_t req, fuse_ino_t ino, const char *bytes, size_t size, off_t offset,
                 struct fuse_file_info *file);
void write_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file);
void write_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *file);
void write_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int to_set,
                   struct fuse_file_info *file);
void write_copy(fuse_req_t req, fuse_ino_t from, off_t from_offset,
                struct fuse_file_info *from_file, fuse_ino_t to, off_t to_offset,
                struct fuse_file_info *to_file, size_t length, int flags);
/* Opens a message to be written over. */
void write_open_message(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file);
/* Of a draft, in place of file.c's. */
void write_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file);
void write_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset);
/* write_names.c */
/* Removes the draft of that name, and replies; false, without a reply: there is none. */
bool write_unlink(fuse_req_t req, fuse_ino_t parent, uint32_t folder, const char *name);
/* The message that has the request's name in the folder of request->ino is removed for it, as by
 * unlink; success where there is none. As a RequestResume. */
bool change_unlink_message(Request *request);
/* Renames the draft of that name, and replies; false, without a reply: there is none. */
bool write_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
                  const char *new_name, unsigned flags);

/*
 * rename.c: of a folder, see below; of a message within its folder, which gives it a name of the
 * user's own (catalog_give_name), on the disk before the answer, and asks the server for nothing;
 * of a message to another folder, see moves.h: the name goes along. Nothing is ever replaced:
 * EEXIST where there is an entry of the new name, also by plain rename(2).
 */
void rename_entry(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
                  const char *new_name, unsigned flags);

/* folders.c: folders are made, removed and renamed at the server, before the answer. */
void folders_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void folders_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
/* node: of the folder that is renamed; new_parent is a folder's directory. */
void folders_rename(fuse_req_t req, const TreeNode *node, fuse_ino_t new_parent,
                    const char *new_name);
