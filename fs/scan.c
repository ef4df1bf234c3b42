#include "scan.h"

#include "../cache/scopedlock.h"

enum {
    REMEMBERED = 16,    /* messages that were read last, for each folder */
    STEPS = 8,          /* from one to the next, of which the order is told */
    SURE_STEPS = 7,     /* so many of them in one direction make an order */
    SOON_MILLIS = 3000, /* a scan goes on where the next read comes within that */
    FOLDERS = 64,       /* whose readers are remembered */
};

typedef struct {
    uint32_t uid;
    bool tells; /* it is longer than SCAN_FRONT, and was read */
    bool deep;  /* beyond that */
} Read;

/*
 * The bits of uids_up and dates_up are the last steps, the last one lowest: whether it went up.
 * Only the first `steps` of them count.
 */
typedef struct {
    uint32_t folder;
    Read reads[REMEMBERED]; /* a ring; `run` of them at most */
    unsigned next;
    unsigned run, steps;
    uint32_t uids_up, dates_up;
    uint32_t last_uid;
    int64_t last_date;
    gint64 last_millis;
    bool listed; /* the run began with a reader who had just listed the folder */
    pid_t lister;
    gint64 listed_millis;
    GHashTable *expected; /* uid -> bytes */
    uint64_t expected_bytes;
} Scan;

/* All under `lock`. `ahead` is the sum of the scans' expected_bytes. */
struct Scans {
    pthread_mutex_t lock;
    GHashTable *by_folder; /* folder -> Scan */
    uint64_t ahead;
    uint64_t consumed; /* bytes of what was ahead, since the prefetcher was last called */
};

static void scan_free(gpointer data)
{
    Scan *scan = data;

    g_hash_table_unref(scan->expected);
    g_free(scan);
}

Scans *scans_new(void)
{
    Scans *scans = g_new0(Scans, 1);

    pthread_mutex_init(&scans->lock, NULL);
    scans->by_folder = g_hash_table_new_full(NULL, NULL, NULL, scan_free);
    return scans;
}

void scans_free(Scans *scans)
{
    if (!scans)
        return;
    g_hash_table_unref(scans->by_folder);
    pthread_mutex_destroy(&scans->lock);
    g_free(scans);
}

/* --- with the lock ------------------------------------------------------------------------------
 */

static gint64 now_millis(void)
{
    return g_get_monotonic_time() / 1000;
}

static Scan *find(Scans *scans, uint32_t folder)
{
    return g_hash_table_lookup(scans->by_folder, GUINT_TO_POINTER(folder));
}

static void drop_expected(Scans *scans, Scan *scan)
{
    scans->ahead -= scan->expected_bytes;
    scan->expected_bytes = 0;
    g_hash_table_remove_all(scan->expected);
}

static void drop_oldest(Scans *scans)
{
    GHashTableIter iter;
    gpointer value;
    Scan *oldest = NULL;

    g_hash_table_iter_init(&iter, scans->by_folder);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Scan *scan = value;
        if (!oldest || scan->last_millis < oldest->last_millis)
            oldest = scan;
    }
    if (!oldest)
        return;
    drop_expected(scans, oldest);
    g_hash_table_remove(scans->by_folder, GUINT_TO_POINTER(oldest->folder));
}

static Scan *find_or_make(Scans *scans, uint32_t folder)
{
    Scan *scan = find(scans, folder);

    if (scan)
        return scan;
    if (g_hash_table_size(scans->by_folder) >= FOLDERS)
        drop_oldest(scans);
    scan = g_new0(Scan, 1);
    scan->folder = folder;
    scan->expected = g_hash_table_new(NULL, NULL);
    g_hash_table_insert(scans->by_folder, GUINT_TO_POINTER(folder), scan);
    return scan;
}

/* What is expected can't be more than a store fetches at once, which fits. */
static bool forget_expected(Scans *scans, Scan *scan, uint32_t uid, uint64_t *bytes)
{
    gpointer value = NULL;

    if (!g_hash_table_steal_extended(scan->expected, GUINT_TO_POINTER(uid), NULL, &value))
        return false;
    *bytes = GPOINTER_TO_SIZE(value);
    scan->expected_bytes -= *bytes;
    scans->ahead -= *bytes;
    return true;
}

static bool is_over(const Scan *scan)
{
    return now_millis() - scan->last_millis > SOON_MILLIS;
}

static Read *find_read(Scan *scan, uint32_t uid)
{
    for (unsigned i = 0; i < MIN(scan->run, REMEMBERED); i++)
        if (scan->reads[i].uid == uid)
            return &scan->reads[i];
    return NULL;
}

static Read *add_read(Scan *scan, const CatalogMessage *message)
{
    Read *read;

    if (scan->run) {
        scan->uids_up = scan->uids_up << 1 | (message->uid > scan->last_uid);
        scan->dates_up = scan->dates_up << 1 |
                         (message->date != scan->last_date ? message->date > scan->last_date
                                                           : message->uid > scan->last_uid);
        scan->steps = MIN(scan->steps + 1, STEPS);
    }
    scan->last_uid = message->uid;
    scan->last_date = message->date;
    read = &scan->reads[scan->next];
    *read = (Read){.uid = message->uid};
    scan->next = (scan->next + 1) % REMEMBERED;
    scan->run++;
    return read;
}

/* --- noting ------------------------------------------------------------------------------------
 */

static bool has_listed(const Scan *scan, pid_t pid)
{
    return pid && pid == scan->lister && now_millis() - scan->listed_millis <= SOON_MILLIS;
}

static void note(Scan *scan, const CatalogMessage *message, uint64_t end, pid_t pid)
{
    Read *read;

    if (is_over(scan)) {
        scan->run = scan->steps = 0;
        scan->next = 0;
    }
    scan->last_millis = now_millis();
    read = find_read(scan, message->uid);
    if (scan->run == 0)
        scan->listed = has_listed(scan, pid);
    if (!read)
        read = add_read(scan, message);
    if (end && message->size > SCAN_FRONT)
        read->tells = true;
    if (MIN(end, message->size) > SCAN_FRONT)
        read->deep = true;
}

void scan_listed(Scans *scans, uint32_t folder, pid_t pid)
{
    SCOPED_LOCK(&scans->lock);
    Scan *scan = find_or_make(scans, folder);

    scan->lister = pid;
    scan->listed_millis = now_millis();
}

/* It is ahead of its reader no more. */
static bool consume(Scans *scans, Scan *scan, uint32_t uid)
{
    uint64_t bytes = 0;

    if (!forget_expected(scans, scan, uid, &bytes))
        return false;
    scans->consumed += bytes;
    if (scans->consumed < scans->ahead / 4)
        return false;
    scans->consumed = 0;
    return true;
}

bool scan_note(Scans *scans, uint32_t folder, const CatalogMessage *message, uint64_t end,
               pid_t pid)
{
    SCOPED_LOCK(&scans->lock);
    Scan *scan = find_or_make(scans, folder);

    note(scan, message, end, pid);
    return end && consume(scans, scan, message->uid);
}

bool scan_given(Scans *scans, uint32_t folder, uint32_t uid)
{
    SCOPED_LOCK(&scans->lock);
    Scan *scan = find(scans, folder);

    return scan && consume(scans, scan, uid);
}

void scan_touch(Scans *scans, uint32_t folder)
{
    SCOPED_LOCK(&scans->lock);
    Scan *scan = find(scans, folder);

    if (scan)
        scan->last_millis = now_millis();
}

/* --- asking ------------------------------------------------------------------------------------
 */

/* Of two orders that both fit, the first. */
static ScanOrder order_of(const Scan *scan)
{
    uint32_t mask = (UINT32_C(1) << scan->steps) - 1;
    unsigned uids_up = (unsigned)__builtin_popcount(scan->uids_up & mask);
    unsigned dates_up = (unsigned)__builtin_popcount(scan->dates_up & mask);
    const unsigned fitting[] = {
        [SCAN_UIDS_UP] = uids_up,
        [SCAN_UIDS_DOWN] = scan->steps - uids_up,
        [SCAN_NAMES_UP] = dates_up,
        [SCAN_NAMES_DOWN] = scan->steps - dates_up,
    };
    ScanOrder best = SCAN_UIDS_UP;

    for (ScanOrder order = SCAN_UIDS_UP; order < SCAN_MIXED; order++)
        if (fitting[order] > fitting[best])
            best = order;
    return fitting[best] >= MIN(scan->steps, SURE_STEPS) ? best : SCAN_MIXED;
}

static ScanDepth depth_of(const Scan *scan)
{
    ScanDepth depth = SCAN_UNKNOWN;

    for (unsigned i = 0; i < MIN(scan->run, REMEMBERED); i++) {
        if (scan->reads[i].deep)
            return SCAN_WHOLES;
        if (scan->reads[i].tells)
            depth = SCAN_FRONTS;
    }
    return depth;
}

void scan_view(Scans *scans, uint32_t folder, ScanView *view)
{
    SCOPED_LOCK(&scans->lock);
    const Scan *scan = find(scans, folder);

    *view = (ScanView){.over = true};
    if (!scan)
        return;
    view->run = scan->run;
    view->order = order_of(scan);
    view->depth = depth_of(scan);
    view->over = is_over(scan);
    view->listed = scan->listed;
}

/* --- what is ahead ------------------------------------------------------------------------------
 */

void scan_expect(Scans *scans, uint32_t folder, uint32_t uid, uint64_t bytes)
{
    SCOPED_LOCK(&scans->lock);
    Scan *scan = find_or_make(scans, folder);
    uint64_t before;

    forget_expected(scans, scan, uid, &before);
    g_hash_table_insert(scan->expected, GUINT_TO_POINTER(uid), GSIZE_TO_POINTER((gsize)bytes));
    scan->expected_bytes += bytes;
    scans->ahead += bytes;
}

bool scan_has(Scans *scans, uint32_t folder, uint32_t uid)
{
    SCOPED_LOCK(&scans->lock);
    Scan *scan = find(scans, folder);

    return scan && (g_hash_table_contains(scan->expected, GUINT_TO_POINTER(uid)) ||
                    (!is_over(scan) && find_read(scan, uid)));
}

void scan_unexpect(Scans *scans, uint32_t folder, uint32_t uid)
{
    SCOPED_LOCK(&scans->lock);
    Scan *scan = find(scans, folder);
    uint64_t bytes;

    if (scan)
        forget_expected(scans, scan, uid, &bytes);
}

void scan_forget(Scans *scans, uint32_t folder)
{
    SCOPED_LOCK(&scans->lock);
    Scan *scan = find(scans, folder);

    if (scan)
        drop_expected(scans, scan);
}

uint64_t scan_ahead_bytes(Scans *scans)
{
    SCOPED_LOCK(&scans->lock);

    return scans->ahead;
}

unsigned scan_ahead_count(Scans *scans, uint32_t folder)
{
    SCOPED_LOCK(&scans->lock);
    const Scan *scan = find(scans, folder);

    return scan ? g_hash_table_size(scan->expected) : 0;
}
