/*
 * directory.h: where an account's cache lives: a directory of its own that only its user can
 * enter, and whose name no server has a say in.
 *
 * Called once, before the catalog and the content are opened; any thread.
 */
#pragma once

#include "mail.h"

#include <sys/types.h>

/*
 * Makes the directory where it is missing (0700 whatever the umask, as are the parents that it
 * makes) and returns its path; the caller frees.
 *
 * base: the directory below which each account has its own; NULL: /var/cache/pullmail for root,
 * else $XDG_CACHE_HOME/pullmail where that is an absolute path, else ~/.cache/pullmail.
 * account_key: names the account, such as "imaps://ann@mail.example.org:993"; made of what the
 * user gave, never of a server's words. The directory's name is a readable part of it, and the
 * beginning of its SHA-256.
 *
 * Errors: EACCES where a directory on the way belongs to another user, could be changed by one, or
 * is another's symbolic link, or may not be written; ENOTDIR; what mkdir(2) says.
 */
char *cache_directory(const char *base, const char *account_key, GError **error);
/* Root's: one that belongs to another user, below /var/cache/pullmail, which anybody may pass
 * through, but only root may look at or change. */
char *cache_directory_of(const char *account_key, uid_t uid, gid_t gid, GError **error);
