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
#include "../cache/journal.h"
#include "../cache/mailstore.h"
#include "../cache/outbox.h"
#include "engine.h"
#include "notify.h"
#include "options.h"
#include "privilege.h"
#include "tree.h"

#include <pthread.h>

typedef struct Arrivals Arrivals;
typedef struct Control Control;
typedef struct DirCache DirCache;
typedef struct Drafts Drafts;
typedef struct Fetcher Fetcher;
typedef struct FlagChanges FlagChanges;
typedef struct Flusher Flusher;
typedef struct InodeMap InodeMap;
typedef struct Letters Letters;
typedef struct Moves Moves;
typedef struct Offline Offline;
typedef struct Prefetcher Prefetcher;
typedef struct Pusher Pusher;
typedef struct Refresher Refresher;
typedef struct Removals Removals;
typedef struct Requests Requests;
typedef struct Storer Storer;
typedef struct Trust Trust;
typedef struct Watcher Watcher;

typedef struct Mount {
    const Options *options;
    Privilege privilege; /* who works for it */
    char *url;           /* as a user may see it */
    time_t started;
    gint64 ending; /* monotonic; when it began to end. 0: it goes on */
    Catalog *catalog;
    Content *content;
    Journal *journal;
    Tree *tree;
    Engine *engine;
    MailStore *store;  /* the engine thread's */
    unsigned features; /* MAIL_STORE_ bits */
    Requests *requests;
    Offline *offline;
    Refresher *refresher;
    Watcher *watcher;
    Removals *removals;
    Drafts *drafts;
    Storer *storer;
    Outbox *outbox;
    Letters *letters;
    InodeMap *moved;
    Arrivals *arrivals;
    Moves *moves;
    FlagChanges *flag_changes;
    Fetcher *fetcher;
    Prefetcher *prefetcher;
    Pusher *pusher;
    Flusher *flusher;
    Notifier *notifier;
    DirCache *directories;
    Trust *trust;
    Control *control;
    gint looked_up; /* atomic: the folder in which a message was looked up last (dir.c) */
    pthread_mutex_t quota_lock; /* of the two below */
    bool have_quota;
    MailQuota quota;
} Mount;

/* The directory's inode number of a folder, and the folder (0: the account's root) of a directory's
 * inode number; false where it is no directory of a folder. Any thread. */
uint64_t mount_folder_ino(const Mount *mount, uint32_t folder);
bool mount_ino_folder(const Mount *mount, uint64_t ino, uint32_t *folder);

/*
 * How many milliseconds what has yet to be told the server may be waited for when the mount ends:
 * all of it together. What is in the journal is done by the next mount. Engine thread.
 */
unsigned mount_patience(const Mount *mount);

/* Keeps what the store says of the quota where statfs sees it. Engine thread. */
void mount_note_quota(Mount *mount);

/*
 * How long the kernel may believe what it was told, seconds: of folders, as long as a listing is
 * relied on; of messages, which never change, for so long that it makes no difference, since it is
 * told when one goes (refresh.h) or its size was wrong (trust.h). Any thread.
 */
double mount_kernel_timeout(const Mount *mount);
#define MOUNT_MESSAGE_TIMEOUT 86400.0
