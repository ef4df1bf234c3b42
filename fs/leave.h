/*
 * leave.h: a message leaves its folder, since an operation of this mount removed it there or moved
 * it elsewhere: what the catalog and the listings know of that. What is held of it, and what the
 * kernel knows, is the caller's.
 *
 * Engine thread.
 */
#pragma once

#include "mount.h"

/* It is gone. */
void leave_gone(const Mount *mount, uint32_t folder, uint32_t uid);
/* The server could not but mark it \Deleted. */
void leave_marked(const Mount *mount, uint32_t folder, uint32_t uid);
