/*
 * dircache.h: whether the entries of a directory that the kernel has kept are still the ones that
 * there are.
 *
 * opendir is always a request, since it is where a folder's freshness is looked after. Its answer
 * says whether readdir may use what the kernel read before (FOPEN_KEEP_CACHE), and whether it may
 * keep what it reads now (FOPEN_CACHE_DIR). The kernel puts what it reads through one open
 * directory behind what it read through another; so while one is open that began before a change,
 * nothing is kept of what the others read, or old and new might mix.
 *
 * Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct DirCache DirCache;

typedef struct {
    uint64_t handle; /* for dircache_closed */
    bool use_kept, keep;
} DirCacheOpen;

DirCache *dircache_new(void);
void dircache_free(DirCache *cache);

/* The directory with this inode number has other entries now; or, all have. Called when what
 * readdir shows has changed already. */
void dircache_changed(DirCache *cache, uint64_t ino);
void dircache_all_changed(DirCache *cache);

/* The directory is being opened, its entries being in step. */
DirCacheOpen dircache_opened(DirCache *cache, uint64_t ino);
void dircache_closed(DirCache *cache, uint64_t ino, uint64_t handle);
