/*
 * privilege.h: who the daemon is, where root mounts for somebody else (uid=).
 *
 * Then it works as that user: cache files are his, and what could be done to the daemon can be done
 * as him alone. Root's rights are used to mount, and dropped for good behind that, but for what
 * unmounting takes (CAP_SYS_ADMIN, and CAP_DAC_READ_SEARCH to reach the mount point), which only
 * the main thread may raise. For everybody else, and for root without uid=, nothing here does
 * anything. Main thread; the C library has all threads follow it.
 */
#pragma once

#include "options.h"

typedef struct {
    bool drops; /* else the daemon stays who it is */
    uid_t uid;
    gid_t gid; /* gid= where it is not root's, else the user's own */
} Privilege;

/*
 * Says who the daemon is going to be. A user that the system can't switch to, as in a user
 * namespace without him, is warned of: the daemon stays who it is.
 */
Privilege privilege_of(const Options *options);
/* From here on files are opened and made as the user, but root can still be had back. */
bool privilege_lend(const Privilege *privilege, GError **error);
bool privilege_take_back(const Privilege *privilege, GError **error);
/* Mounted: root can't be had back. EPERM: better not to serve at all. */
bool privilege_drop(const Privilege *privilege, GError **error);
/* The mount is to be ended. */
void privilege_raise_to_unmount(const Privilege *privilege);
