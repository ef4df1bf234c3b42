#include "push.h"

#include "../cache/scopedlock.h"
#include "inode.h"
#include "prefetch.h"
#include "sequence.h"

#include <string.h>

enum {
    RUN = 3,       /* messages one after the other that make a scan */
    LEAD = 4,      /* that the reader comes to before the thread has begun */
    CHUNKS = 2,    /* ahead of the reader */
    OVERTAKEN = 4, /* messages without a marker that he reads, and the thread looks where he is */
    STREAMS = 4,   /* folders */
    LONGEST = 16 * CONTENT_BLOCK, /* of a message */
};

/*
 * What a reader of a folder is given. `sequence` and `next` are the thread's; all else is under the
 * pusher's lock. folder is 0 where the stream is free, and never changes under the thread's hands
 * while `busy`.
 */
typedef struct {
    uint32_t folder;
    ScanOrder order;
    uint32_t markers[CHUNKS];
    CatalogMessage reader; /* where he is */
    unsigned strays;       /* messages that he read since he last read a marker */
    bool anew;             /* the folder may have other messages than the sequence */
    bool wanted;           /* the thread has to look */
    bool busy;             /* it does */
    uint64_t used;         /* the time of the last note, as a number that grows */
    GArray *sequence;      /* uint32_t */
    guint next;            /* what of the sequence comes before was given, or passed over */
} Stream;

struct Pusher {
    Mount *mount;
    GThread *thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping;
    uint64_t notes;
    Stream streams[STREAMS];
};

/* --- workers -----------------------------------------------------------------------------------
 */

static Stream *find(Pusher *pusher, uint32_t folder)
{
    for (int i = 0; i < STREAMS; i++)
        if (pusher->streams[i].folder == folder)
            return &pusher->streams[i];
    return NULL;
}

/* The one that was used least lately; NULL: the thread is at work with all of them. */
static Stream *find_free(Pusher *pusher)
{
    Stream *oldest = NULL;

    for (int i = 0; i < STREAMS; i++) {
        Stream *stream = &pusher->streams[i];
        if (!stream->busy && (!oldest || stream->used < oldest->used))
            oldest = stream;
    }
    return oldest;
}

static bool is_marker(const Stream *stream, uint32_t uid)
{
    for (int i = 0; i < CHUNKS; i++)
        if (stream->markers[i] == uid)
            return true;
    return false;
}

/* With the lock. */
static void want(Pusher *pusher, Stream *stream, const CatalogMessage *message, ScanOrder order)
{
    stream->reader = *message;
    stream->order = order;
    stream->wanted = true;
    pthread_cond_signal(&pusher->changed);
}

/* Where there is a stream, whether nothing has to be done. */
static bool is_on_its_way(Pusher *pusher, uint32_t folder, const CatalogMessage *message)
{
    SCOPED_LOCK(&pusher->lock);
    Stream *stream = find(pusher, folder);

    if (pusher->stopping)
        return true;
    if (!stream)
        return false;
    stream->used = ++pusher->notes;
    if (stream->wanted)
        return true;
    stream->strays = is_marker(stream, message->uid) ? 0 : stream->strays + 1;
    if (stream->strays > CHUNKS * PUSH_CHUNK)
        return false;
    /* He may have overtaken the thread. */
    if (stream->strays % OVERTAKEN == 0)
        want(pusher, stream, message, stream->order);
    return true;
}

static void begin(Pusher *pusher, uint32_t folder, const CatalogMessage *message, ScanOrder order)
{
    SCOPED_LOCK(&pusher->lock);
    Stream *stream = find(pusher, folder);

    if (!stream)
        stream = find_free(pusher);
    if (!stream)
        return;
    stream->folder = folder;
    stream->anew = true;
    stream->strays = 0;
    memset(stream->markers, 0, sizeof stream->markers);
    stream->used = ++pusher->notes;
    want(pusher, stream, message, order);
}

void push_note(Pusher *pusher, uint32_t folder, const CatalogMessage *message)
{
    ScanView view;

    if (is_on_its_way(pusher, folder, message) ||
        !prefetch_leaves_alone(pusher->mount->prefetcher, folder, &view) || view.run < RUN ||
        view.order == SCAN_MIXED)
        return;
    begin(pusher, folder, message, view.order);
}

/* --- the thread --------------------------------------------------------------------------------
 */

static bool give(gpointer data, uint32_t uid, uint64_t offset, const void *bytes, size_t length)
{
    const Stream *stream = ((gpointer *)data)[1];
    Pusher *pusher = ((gpointer *)data)[0];
    g_autoptr(GBytes) copy = g_bytes_new(bytes, length);

    if (!notify_store(pusher->mount->notifier, inode_number(INODE_MESSAGE, stream->folder, uid),
                      offset, copy))
        return false;
    if (offset == 0)
        prefetch_given(pusher->mount->prefetcher, stream->folder, uid);
    return true;
}

static bool may_be_given(const Pusher *pusher, const Stream *stream, uint32_t uid)
{
    CatalogMessage message;

    return catalog_message(pusher->mount->catalog, stream->folder, uid, &message) &&
           (message.proof & CATALOG_SIZE_PROVED) && message.size <= LONGEST;
}

static void set_marker(Pusher *pusher, Stream *stream, uint32_t uid)
{
    SCOPED_LOCK(&pusher->lock);

    memmove(stream->markers, stream->markers + 1, sizeof stream->markers - sizeof uid);
    stream->markers[CHUNKS - 1] = uid;
}

static void give_chunk(Pusher *pusher, Stream *stream)
{
    guint end = MIN(stream->next + PUSH_CHUNK, stream->sequence->len);
    uint32_t uids[PUSH_CHUNK];
    size_t n = 0;

    set_marker(pusher, stream, g_array_index(stream->sequence, uint32_t, stream->next));
    for (guint i = stream->next + 1; i < end; i++) {
        uint32_t uid = g_array_index(stream->sequence, uint32_t, i);
        if (may_be_given(pusher, stream, uid))
            uids[n++] = uid;
    }
    content_next(pusher->mount->content, stream->folder, uids, n, give,
                 (gpointer[]){pusher, stream});
    stream->next = end;
}

static bool is_stopping(Pusher *pusher)
{
    SCOPED_LOCK(&pusher->lock);

    return pusher->stopping;
}

/* The reader is at `reader`, and goes on in that order. */
static void advance(Pusher *pusher, Stream *stream, const CatalogMessage *reader, ScanOrder order,
                    bool anew)
{
    Catalog *catalog = pusher->mount->catalog;
    guint at, until;

    if (anew)
        g_clear_pointer(&stream->sequence, g_array_unref);
    if (!stream->sequence) {
        stream->sequence = sequence_new(catalog, stream->folder, order);
        stream->next = 0;
    }
    at = sequence_after(catalog, stream->folder, order, stream->sequence, reader);
    until = MIN(at + CHUNKS * PUSH_CHUNK, stream->sequence->len);
    if (stream->next < at || stream->next > until + PUSH_CHUNK)
        stream->next = MIN(at + LEAD, until);
    while (stream->next < until && !is_stopping(pusher))
        give_chunk(pusher, stream);
}

/* With the lock. */
static Stream *find_wanted(Pusher *pusher)
{
    for (int i = 0; i < STREAMS; i++)
        if (pusher->streams[i].wanted)
            return &pusher->streams[i];
    return NULL;
}

/* Waits until there is one; NULL: the thread has to end. */
static Stream *take_wanted(Pusher *pusher, CatalogMessage *reader, ScanOrder *order, bool *anew)
{
    SCOPED_LOCK(&pusher->lock);
    Stream *stream;

    while (!pusher->stopping && !(stream = find_wanted(pusher)))
        pthread_cond_wait(&pusher->changed, &pusher->lock);
    if (pusher->stopping)
        return NULL;
    stream->wanted = false;
    stream->busy = true;
    *reader = stream->reader;
    *order = stream->order;
    *anew = stream->anew;
    stream->anew = false;
    return stream;
}

static void let_go(Pusher *pusher, Stream *stream)
{
    SCOPED_LOCK(&pusher->lock);

    stream->busy = false;
}

static gpointer run(gpointer data)
{
    Pusher *pusher = data;
    CatalogMessage reader;
    ScanOrder order;
    Stream *stream;
    bool anew;

    while ((stream = take_wanted(pusher, &reader, &order, &anew))) {
        advance(pusher, stream, &reader, order, anew);
        let_go(pusher, stream);
    }
    return NULL;
}

/* --- life --------------------------------------------------------------------------------------
 */

Pusher *pusher_new(Mount *mount)
{
    Pusher *pusher = g_new0(Pusher, 1);

    pusher->mount = mount;
    pthread_mutex_init(&pusher->lock, NULL);
    pthread_cond_init(&pusher->changed, NULL);
    pusher->thread = g_thread_new("pusher", run, pusher);
    return pusher;
}

void pusher_stop(Pusher *pusher)
{
    pthread_mutex_lock(&pusher->lock);
    pusher->stopping = true;
    pthread_cond_signal(&pusher->changed);
    pthread_mutex_unlock(&pusher->lock);
    if (pusher->thread)
        g_thread_join(pusher->thread);
    pusher->thread = NULL;
}

void pusher_free(Pusher *pusher)
{
    if (!pusher)
        return;
    for (int i = 0; i < STREAMS; i++)
        g_clear_pointer(&pusher->streams[i].sequence, g_array_unref);
    pthread_cond_destroy(&pusher->changed);
    pthread_mutex_destroy(&pusher->lock);
    g_free(pusher);
}
