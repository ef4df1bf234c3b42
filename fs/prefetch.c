#include "prefetch.h"

#include "fetch.h"
#include "fetch_plan.h"
#include "inode.h"
#include "log.h"
#include "offline.h"
#include "rate.h"
#include "refresh.h"
#include "sequence.h"
#include "walk.h"

#include <errno.h>
#include <string.h>

enum {
    RUN = 3,                /* messages one after the other that make a scan */
    RUN_FROM_FIRST = 2,     /* where they are the folder's first */
    RUN_OF_LISTER = 1,      /* and he who reads them listed it */
    FIRST_MOST = 128 << 10, /* bytes of the message that makes them one */
    SURE_RUN = 64,          /* so many make one even if of none more than the beginning was read */
    FEW = 4,                /* short messages that are fetched for him who reads a first one */
    BATCH_MESSAGES = 512,   /* of a command, at most */
    BATCH_BYTES = 128 << 10,
    BATCHES = 12, /* that a wide window holds: a store sends few at once */
    WINDOW_LEAST = 512 << 10,
    WINDOW_GUESSED = 1 << 20, /* of who may be going on: what a connection brings in two turns */
    WIDENING = 1 << 20,       /* by each message that was not asked for ahead of its reader */
    FOLDERS_AHEAD = 3,        /* that the reader has not come to */
    DEFAULT_MOST = 16 << 20,
    MEMORY_MOST = 4 << 20,  /* ahead of the readers where the cache is in memory alone */
    PENDING_MOST = 8 << 20, /* bytes that the disk has not taken yet */
};

/*
 * What of `sequence` comes before `next` was asked for, or is held. ahead: how many folders there
 * are between the reader and this one; 0 once he reads it.
 */
typedef struct {
    uint32_t folder;
    ScanOrder order;
    ScanDepth depth;
    GArray *sequence; /* uint32_t */
    guint next;
    uint32_t
        missed; /* the message that is about to be waited for; 0: none, or it comes by itself */
    unsigned ahead;
    bool guessed;   /* begun ahead of RUN messages */
    bool telling;   /* the beginning of a message was asked for whose reader will tell the depth */
    bool wrapped;   /* in no order: the beginning was looked at too */
    bool passed_on; /* the next folder has its sweep */
    GList link;     /* in sweeps */
} Sweep;

struct Prefetcher {
    Mount *mount;
    uint64_t most;
    Scans *scans;
    GQueue sweeps;     /* Sweep; whose reader missed something last comes first */
    Rate *rate;        /* of what came, of all messages */
    uint64_t widening; /* of the window */
    uint32_t awaited;  /* a folder that is being listed for the sake of `heir` */
    Sweep heir;        /* what its sweep will be like */
    uint64_t messages; /* that were asked for */
    gint posted;       /* atomic: the engine has been told to look */
};

/* What is ahead must be in the cache until it is read. */
uint64_t prefetch_bound(const Options *options)
{
    uint64_t most = options->prefetch < 0 ? DEFAULT_MOST : (uint64_t)options->prefetch;

    return MIN(most, options->cachesize / 4);
}

/* --- life ---------------------------------------------------------------------------------------
 */

Prefetcher *prefetcher_new(Mount *mount, uint64_t most)
{
    Prefetcher *prefetcher = g_new0(Prefetcher, 1);

    prefetcher->mount = mount;
    prefetcher->most = most;
    prefetcher->scans = scans_new();
    prefetcher->rate = rate_new();
    g_queue_init(&prefetcher->sweeps);
    return prefetcher;
}

static void sweep_free(Prefetcher *prefetcher, Sweep *sweep)
{
    g_queue_unlink(&prefetcher->sweeps, &sweep->link);
    g_array_unref(sweep->sequence);
    g_free(sweep);
}

void prefetcher_free(Prefetcher *prefetcher)
{
    if (!prefetcher)
        return;
    while (prefetcher->sweeps.head)
        sweep_free(prefetcher, prefetcher->sweeps.head->data);
    rate_free(prefetcher->rate);
    scans_free(prefetcher->scans);
    g_free(prefetcher);
}

static Sweep *find_sweep(Prefetcher *prefetcher, uint32_t folder)
{
    for (GList *l = prefetcher->sweeps.head; l; l = l->next)
        if (((Sweep *)l->data)->folder == folder)
            return l->data;
    return NULL;
}

static void end_sweep(Prefetcher *prefetcher, Sweep *sweep)
{
    scan_forget(prefetcher->scans, sweep->folder);
    sweep_free(prefetcher, sweep);
}

static Sweep *begin_sweep(Prefetcher *prefetcher, uint32_t folder, ScanOrder order, ScanDepth depth)
{
    Sweep *sweep = g_new0(Sweep, 1);

    sweep->folder = folder;
    sweep->order = order;
    sweep->depth = depth;
    sweep->sequence = sequence_new(prefetcher->mount->catalog, folder, order);
    sweep->link.data = sweep;
    g_queue_push_tail_link(&prefetcher->sweeps, &sweep->link);
    return sweep;
}

/* --- how far ahead ------------------------------------------------------------------------------
 */

/* What is ahead must not be dropped before it is read: memory alone holds little. */
static uint64_t most_ahead(Prefetcher *prefetcher)
{
    ContentStats stats;

    content_stats(prefetcher->mount->content, &stats);
    return stats.on_disk ? prefetcher->most : MIN(prefetcher->most, MEMORY_MOST);
}

static uint64_t window(Prefetcher *prefetcher)
{
    uint64_t wide = WINDOW_LEAST + 2 * rate_bytes(prefetcher->rate, g_get_monotonic_time()) +
                    prefetcher->widening;

    return MIN(wide, most_ahead(prefetcher));
}

/* It is not sure yet that the reader goes on. */
static bool is_guessed(Prefetcher *prefetcher, const Sweep *sweep)
{
    ScanView view;

    if (!sweep->guessed)
        return false;
    scan_view(prefetcher->scans, sweep->folder, &view);
    return view.run < RUN;
}

/* Whether a reader of whom nothing tells that he goes on has enough ahead of him. Where all were
 * too short to tell, he who listed the folder is believed sooner. */
static bool is_enough(Prefetcher *prefetcher, const Sweep *sweep)
{
    ScanView view;
    unsigned few;

    if (sweep->depth == SCAN_WHOLES)
        return false;
    scan_view(prefetcher->scans, sweep->folder, &view);
    if (sweep->telling && view.depth == SCAN_UNKNOWN)
        return scan_ahead_count(prefetcher->scans, sweep->folder) > 0;
    few = view.listed && view.depth == SCAN_UNKNOWN ? MAX(view.run * 2, FEW) : MAX(view.run / 2, 1);
    return view.run < SURE_RUN && scan_ahead_count(prefetcher->scans, sweep->folder) >= few;
}

static bool has_room(Prefetcher *prefetcher, const Sweep *sweep)
{
    uint64_t most = is_guessed(prefetcher, sweep) ? MIN(WINDOW_GUESSED, most_ahead(prefetcher))
                                                  : window(prefetcher);

    return scan_ahead_bytes(prefetcher->scans) < most &&
           content_pending(prefetcher->mount->content) < PENDING_MOST &&
           !is_enough(prefetcher, sweep);
}

/* --- asking ------------------------------------------------------------------------------------
 */

static bool is_held(Prefetcher *prefetcher, uint32_t folder, CatalogMessage *message,
                    uint64_t wanted)
{
    Content *content = prefetcher->mount->content;
    uint64_t length = MIN(wanted, message->size);
    uint32_t last = length ? (uint32_t)((length - 1) / CONTENT_BLOCK) : 0;

    fetch_learn(prefetcher->mount, inode_number(INODE_MESSAGE, folder, message->uid), message);
    /* Most are of this kind, and need no look into the cache. */
    if (!message->header_length && !message->proof)
        return false;
    return content_held(content, folder, message->uid, 0) >= MIN(length, CONTENT_BLOCK) &&
           content_held(content, folder, message->uid, last) >=
               length - (uint64_t)last * CONTENT_BLOCK;
}

/* Then the beginnings are not to be had alone, and what is long is left to its reader. */
static bool gives_whole(const Prefetcher *prefetcher)
{
    return prefetcher->mount->features & MAIL_STORE_WHOLE;
}

/* How much of the message the reader is going to want, all told. */
static uint64_t wanted_of(const Prefetcher *prefetcher, const Sweep *sweep,
                          const CatalogMessage *message)
{
    if (gives_whole(prefetcher))
        return message->size;
    if (sweep->depth != SCAN_WHOLES)
        return MIN(message->size, SCAN_FRONT);
    return message->size <= FETCH_WHOLE_MOST ? message->size : CONTENT_BLOCK;
}

static bool is_to_be_fetched(Prefetcher *prefetcher, const Sweep *sweep, uint32_t uid,
                             CatalogMessage *message)
{
    Mount *mount = prefetcher->mount;

    return catalog_message(mount->catalog, sweep->folder, uid, message) &&
           !(message->proof & CATALOG_WHOLE_BODY) && !message->deleted &&
           !(gives_whole(prefetcher) && message->size > FETCH_WHOLE_MOST) &&
           !fetch_is_under_way(mount->fetcher, inode_number(INODE_MESSAGE, sweep->folder, uid)) &&
           (uid == sweep->missed || !scan_has(prefetcher->scans, sweep->folder, uid)) &&
           !is_held(prefetcher, sweep->folder, message, wanted_of(prefetcher, sweep, message));
}

static uint64_t batch_bytes(Prefetcher *prefetcher)
{
    return MAX(BATCH_BYTES, window(prefetcher) / BATCHES);
}

/* Asks for the next messages, by one command for all that are wanted whole. */
static void ask_batch(Prefetcher *prefetcher, Sweep *sweep)
{
    uint32_t uids[BATCH_MESSAGES];
    uint64_t bytes = 0, most = batch_bytes(prefetcher);
    guint n = 0;

    while (sweep->next < sweep->sequence->len && n < BATCH_MESSAGES && bytes < most &&
           !is_enough(prefetcher, sweep)) {
        uint32_t uid = g_array_index(sweep->sequence, uint32_t, sweep->next++);
        CatalogMessage message;
        if (!is_to_be_fetched(prefetcher, sweep, uid, &message))
            continue;
        uint64_t wanted = wanted_of(prefetcher, sweep, &message);
        bytes += wanted;
        if (uid != sweep->missed) {
            prefetcher->messages++;
            scan_expect(prefetcher->scans, sweep->folder, uid, wanted);
        }
        if (wanted < message.size) {
            sweep->telling = true;
            fetch_front_ahead(prefetcher->mount->fetcher, sweep->folder, uid, (size_t)wanted);
        } else {
            uids[n++] = uid;
        }
    }
    if (n) {
        qsort(uids, n, sizeof *uids, mail_compare_uids);
        fetch_ahead(prefetcher->mount->fetcher, sweep->folder, uids, n);
    }
}

/* --- going on to the next folder ------------------------------------------------------------- */

static void inherit(Prefetcher *prefetcher, uint32_t folder)
{
    const Sweep *heir = &prefetcher->heir;
    Sweep *sweep;

    prefetcher->awaited = 0;
    if (find_sweep(prefetcher, folder))
        return;
    sweep = begin_sweep(prefetcher, folder, heir->order, heir->depth);
    sweep->ahead = heir->ahead;
}

static void pass_on(Prefetcher *prefetcher, Sweep *sweep)
{
    Mount *mount = prefetcher->mount;
    uint32_t folder;

    if (sweep->passed_on || sweep->depth != SCAN_WHOLES || sweep->ahead >= FOLDERS_AHEAD ||
        prefetcher->awaited)
        return;
    sweep->passed_on = true;
    folder = walk_next(mount->tree, sweep->folder);
    if (!folder)
        return;
    prefetcher->heir = (Sweep){
        .order = sweep->order, .depth = sweep->depth, .ahead = sweep->ahead + 1};
    if (refresh_is_fresh(mount->refresher, folder))
        inherit(prefetcher, folder);
    else if (refresh_folder_soon(mount->refresher, folder))
        prefetcher->awaited = folder;
}

/* Whether messages that were passed over may be read yet. */
static bool is_mixed(Prefetcher *prefetcher, const Sweep *sweep)
{
    ScanView view;

    scan_view(prefetcher->scans, sweep->folder, &view);
    return view.run > 0 && view.order == SCAN_MIXED;
}

/* --- sweeping ----------------------------------------------------------------------------------
 */

static void fill(Prefetcher *prefetcher, Sweep *sweep)
{
    while (sweep->next < sweep->sequence->len && has_room(prefetcher, sweep))
        ask_batch(prefetcher, sweep);
    if (sweep->next < sweep->sequence->len)
        return;
    if (is_mixed(prefetcher, sweep) && !sweep->wrapped) {
        sweep->wrapped = true;
        sweep->next = 0;
        fill(prefetcher, sweep);
    } else {
        pass_on(prefetcher, sweep);
    }
}

static void fill_all(Prefetcher *prefetcher)
{
    /* Sweeps that come to be meanwhile are at the end. */
    for (GList *l = prefetcher->sweeps.head; l; l = l->next)
        fill(prefetcher, l->data);
}

/* The readers went away, or are through. */
static void end_old_sweeps(Prefetcher *prefetcher)
{
    for (GList *l = prefetcher->sweeps.head, *next; l; l = next) {
        Sweep *sweep = l->data;
        ScanView view;
        next = l->next;
        scan_view(prefetcher->scans, sweep->folder, &view);
        if (view.run > 0)
            sweep->ahead = 0;
        if (view.over && (view.run > 0 || l == prefetcher->sweeps.head))
            end_sweep(prefetcher, sweep);
    }
    if (!prefetcher->sweeps.head) {
        prefetcher->widening = 0;
        prefetcher->awaited = 0;
    }
}

/* --- what happens ------------------------------------------------------------------------------
 */

static void look_now(gpointer data)
{
    Prefetcher *prefetcher = data;

    g_atomic_int_set(&prefetcher->posted, 0);
    end_old_sweeps(prefetcher);
    fill_all(prefetcher);
}

static void look_soon(Prefetcher *prefetcher)
{
    if (g_atomic_int_compare_and_exchange(&prefetcher->posted, 0, 1))
        engine_post(prefetcher->mount->engine, look_now, prefetcher);
}

void prefetch_note(Prefetcher *prefetcher, uint32_t folder, const CatalogMessage *message,
                   uint64_t end, pid_t pid)
{
    if (scan_note(prefetcher->scans, folder, message, end, pid))
        look_soon(prefetcher);
}

void prefetch_given(Prefetcher *prefetcher, uint32_t folder, uint32_t uid)
{
    if (scan_given(prefetcher->scans, folder, uid))
        look_soon(prefetcher);
}

void prefetch_listing_read(Prefetcher *prefetcher, uint32_t folder, pid_t pid)
{
    scan_listed(prefetcher->scans, folder, pid);
}

/* Who reads so short a message can't but read the whole. */
static bool reads_whole(const CatalogMessage *message, const ScanView *view)
{
    return view->depth == SCAN_WHOLES ||
           (view->depth == SCAN_UNKNOWN && view->listed && message->size <= SCAN_FRONT);
}

/*
 * Whether he reads whole messages, up to now from the folder's first to this one as they are
 * listed. While he reads a long one the line is busy, so there is time to see what he does next.
 */
static bool is_beginning(Prefetcher *prefetcher, uint32_t folder, const CatalogMessage *message,
                         const ScanView *view)
{
    CatalogMessage first[RUN];

    return view->run >= (view->listed ? RUN_OF_LISTER : RUN_FROM_FIRST) && view->run < RUN &&
           reads_whole(message, view) && view->order == SCAN_UIDS_UP &&
           message->size <= FIRST_MOST &&
           catalog_messages_after(prefetcher->mount->catalog, folder, 0, first, view->run) ==
               view->run &&
           first[view->run - 1].uid == message->uid;
}

/* A reader who goes on to the folder that comes next need not prove himself again. */
static bool is_scan(Prefetcher *prefetcher, uint32_t folder, const CatalogMessage *message,
                    const ScanView *view)
{
    const Sweep *before = prefetcher->sweeps.head ? prefetcher->sweeps.head->data : NULL;

    return view->run >= RUN || is_beginning(prefetcher, folder, message, view) ||
           (view->run > 0 && before &&
            (before->folder == folder ||
             walk_next(prefetcher->mount->tree, before->folder) == folder));
}

static Sweep *sweep_for(Prefetcher *prefetcher, uint32_t folder, const ScanView *view)
{
    Sweep *sweep = find_sweep(prefetcher, folder);
    const Sweep *before = prefetcher->sweeps.head ? prefetcher->sweeps.head->data : NULL;
    ScanOrder order = view->run >= RUN || !before ? view->order : before->order;
    ScanDepth depth = view->depth == SCAN_UNKNOWN && before ? before->depth : view->depth;

    if (sweep && order == SCAN_MIXED)
        order = sweep->order;
    if (sweep && sweep->order != order) {
        sweep_free(prefetcher, sweep);
        sweep = NULL;
    }
    if (!sweep) {
        sweep = begin_sweep(prefetcher, folder, order, depth);
        sweep->guessed = !before && view->run < RUN;
    }
    g_queue_unlink(&prefetcher->sweeps, &sweep->link);
    g_queue_push_head_link(&prefetcher->sweeps, &sweep->link);
    sweep->depth = depth;
    sweep->ahead = 0;
    return sweep;
}

/*
 * At the beginning of a sweep the message that is being waited for is best fetched with those
 * behind it: by itself it would take a round trip for its header and one for its text, and the
 * latter would come behind all of them.
 */
static void begin_with(Prefetcher *prefetcher, Sweep *sweep, const CatalogMessage *message)
{
    if (sweep->next == 0 || sweep->depth != SCAN_WHOLES || message->size > FETCH_WHOLE_MOST ||
        message->header_length || scan_ahead_bytes(prefetcher->scans) > 0)
        return;
    sweep->missed = message->uid;
    sweep->next--;
}

void prefetch_missed(Prefetcher *prefetcher, uint64_t ino)
{
    Mount *mount = prefetcher->mount;
    uint32_t folder = inode_of(ino).folder;
    CatalogMessage message;
    ScanView view;
    Sweep *sweep;

    /* Nobody knows what comes of a server that is away. */
    if (!prefetcher->most || offline_is(mount->offline) ||
        !catalog_message(mount->catalog, folder, inode_of(ino).uid, &message))
        return;
    end_old_sweeps(prefetcher);
    scan_view(prefetcher->scans, folder, &view);
    if (!is_scan(prefetcher, folder, &message, &view))
        return;
    sweep = sweep_for(prefetcher, folder, &view);
    if (!fetch_is_under_way(mount->fetcher, ino)) {
        /* He is somewhere else, or there are several. */
        prefetcher->widening = MIN(prefetcher->widening + WIDENING, prefetcher->most);
        sweep->next = sequence_after(mount->catalog, folder, sweep->order, sweep->sequence,
                                     &message);
        sweep->wrapped = false;
        begin_with(prefetcher, sweep, &message);
    }
    fill_all(prefetcher);
    sweep->missed = 0;
}

bool prefetch_leaves_alone(Prefetcher *prefetcher, uint32_t folder, ScanView *view)
{
    scan_view(prefetcher->scans, folder, view);
    return scan_ahead_count(prefetcher->scans, folder) == 0;
}

bool prefetch_reads_wholes(Prefetcher *prefetcher, uint32_t folder)
{
    const Sweep *sweep = find_sweep(prefetcher, folder);

    return sweep && sweep->depth == SCAN_WHOLES && !sweep->ahead;
}

void prefetch_touch(Prefetcher *prefetcher, uint32_t folder)
{
    scan_touch(prefetcher->scans, folder);
}

void prefetch_ended(Prefetcher *prefetcher, uint64_t ino, uint64_t bytes, const GError *error)
{
    uint32_t folder = inode_of(ino).folder;
    Sweep *sweep;

    if (error) {
        scan_unexpect(prefetcher->scans, folder, inode_of(ino).uid);
        sweep = find_sweep(prefetcher, folder);
        if (sweep && mail_errno(error) != EFBIG)
            end_sweep(prefetcher, sweep);
        return;
    }
    rate_add(prefetcher->rate, g_get_monotonic_time(), bytes);
    if (prefetcher->sweeps.head &&
        scan_ahead_bytes(prefetcher->scans) + batch_bytes(prefetcher) <= window(prefetcher))
        fill_all(prefetcher);
}

void prefetch_listed(Prefetcher *prefetcher, uint32_t folder)
{
    if (prefetcher->awaited != folder || !folder)
        return;
    inherit(prefetcher, folder);
    fill_all(prefetcher);
}

/* What comes before `next` and is not ahead of the reader any more, he has read. */
static void describe_sweep(Prefetcher *prefetcher, const Sweep *sweep, unsigned number,
                           GString *text)
{
    g_auto(CatalogFolder) folder = {0};
    guint ahead = scan_ahead_count(prefetcher->scans, sweep->folder);

    if (!catalog_folder(prefetcher->mount->catalog, sweep->folder, &folder))
        return;
    g_autofree char *name = log_printable(folder.name);
    g_string_append_printf(text, "scan-%u: %u of %u messages, %u ahead, folder \"%s\"\n", number,
                           sweep->next - MIN(sweep->next, ahead), sweep->sequence->len, ahead,
                           name);
}

static void describe_sweeps(Prefetcher *prefetcher, GString *text)
{
    unsigned number = 0;

    for (GList *l = prefetcher->sweeps.head; l; l = l->next) {
        const Sweep *sweep = l->data;
        ScanView view;
        scan_view(prefetcher->scans, sweep->folder, &view);
        if (sweep->sequence->len && !(view.over && view.run > 0))
            describe_sweep(prefetcher, sweep, ++number, text);
    }
}

void prefetch_describe(Prefetcher *prefetcher, GString *text)
{
    g_string_append_printf(
        text,
        "prefetch-bound: %" G_GUINT64_FORMAT "\n"
        "prefetch-window: %" G_GUINT64_FORMAT "\n"
        "prefetch-ahead: %" G_GUINT64_FORMAT "\n"
        "prefetched-messages: %" G_GUINT64_FORMAT "\n"
        "fetch-rate: %" G_GUINT64_FORMAT "\n",
        (guint64)prefetcher->most, (guint64)window(prefetcher),
        (guint64)scan_ahead_bytes(prefetcher->scans), (guint64)prefetcher->messages,
        (guint64)rate_bytes(prefetcher->rate, g_get_monotonic_time()) * 1000 / RATE_MILLIS);
    describe_sweeps(prefetcher, text);
}
