/*
 * mount.h: all that belongs to one mount, as the main thread puts it together before the first
 * request and takes it apart after the last.
 *
 * The pointers do not change in between. What they point to says in its own header which thread
 * may do what.
 */
#pragma once

#include "../cache/catalog.h"
#include "../cache/content.h"
#include "../cache/mailstore.h"
#include "engine.h"
#include "notify.h"
#include "options.h"
#include "tree.h"

#include <pthread.h>

typedef struct Fetcher Fetcher;
typedef struct Flusher Flusher;
typedef struct Prefetcher Prefetcher;
typedef struct Refresher Refresher;
typedef struct Requests Requests;

typedef struct Mount {
    const Options *options;
    char *url; /* as a user may see it */
    time_t started;
    Catalog *catalog;
    Content *content;
    Tree *tree;
    Engine *engine;
    MailStore *store; /* the engine thread's */
    Requests *requests;
    Refresher *refresher;
    Fetcher *fetcher;
    Prefetcher *prefetcher;
    Flusher *flusher;
    Notifier *notifier;
    pthread_mutex_t quota_lock; /* of the two below */
    bool have_quota;
    MailQuota quota;
} Mount;

/* The directory's inode number of a folder, and the folder (0: the account's root) of a directory's
 * inode number; false where it is no directory of a folder. Any thread. */
uint64_t mount_folder_ino(const Mount *mount, uint32_t folder);
bool mount_ino_folder(const Mount *mount, uint64_t ino, uint32_t *folder);

/* Keeps what the store says of the quota where statfs sees it. Engine thread. */
void mount_note_quota(Mount *mount);

/* How long the kernel may believe what it was told, seconds. Any thread. */
double mount_kernel_timeout(const Mount *mount);
