#include "notify.h"

#include "../cache/scopedlock.h"

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <string.h>

enum {
    QUIET_MICROS = G_USEC_PER_SEC,
    REST_MICROS = 50 * 1000, /* behind the last request for which names were held */
};

typedef enum { NOTE_INODE, NOTE_ENTRY, NOTE_DELETED, NOTE_STORE, NOTE_TASK, NOTE_STOP } NoteKind;

typedef struct {
    NoteKind kind;
    GList link; /* in notes */
    fuse_ino_t parent, ino;
    GBytes *bytes; /* of NOTE_STORE */
    uint64_t offset;
    NotifyTask task; /* of NOTE_TASK */
    gpointer data;
    GDestroyNotify free_data;
    char name[];
} Note;

/*
 * `notes`, and `stored`, the bytes that notes hold, are under `lock`. `running` is read and written
 * atomically: between start and stop notes are taken.
 */
struct Notifier {
    pthread_mutex_t lock;
    pthread_cond_t posted, ended, released;
    bool over;     /* the thread tells nothing any more; under lock */
    unsigned held; /* under lock */
    gint64 rested; /* when names may be told, if none are held; under lock */
    GQueue notes;  /* Note */
    uint64_t stored;
    GThread *thread;
    struct fuse_session *session;
    gint running;
};

/* Whose waits are by the monotonic clock. */
static void init_monotonic(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

static struct timespec time_of(gint64 micros)
{
    return (struct timespec){.tv_sec = micros / G_USEC_PER_SEC,
                             .tv_nsec = micros % G_USEC_PER_SEC * 1000};
}

Notifier *notifier_new(void)
{
    Notifier *notifier = g_new0(Notifier, 1);

    pthread_mutex_init(&notifier->lock, NULL);
    pthread_cond_init(&notifier->posted, NULL);
    pthread_cond_init(&notifier->ended, NULL);
    init_monotonic(&notifier->released);
    g_queue_init(&notifier->notes);
    return notifier;
}

static void note_free(Note *note)
{
    if (note->bytes)
        g_bytes_unref(note->bytes);
    if (note->free_data)
        note->free_data(note->data);
    g_free(note);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Note, note_free)

static void store(struct fuse_session *session, const Note *note)
{
    gsize length;
    gconstpointer bytes = g_bytes_get_data(note->bytes, &length);
    struct fuse_bufvec buffer = FUSE_BUFVEC_INIT(length);

    /* It is only read; the type has no const for that. */
    memcpy(&buffer.buf[0].mem, &bytes, sizeof bytes);
    fuse_lowlevel_notify_store(session, note->ino, (off_t)note->offset, &buffer, 0);
}

/*
 * True: the kernel may be told of names. False: of nothing any more. Who renames a thousand files
 * has the directories locked again before we hear of his next request: that is waited for.
 */
static bool may_lock(Notifier *notifier)
{
    SCOPED_LOCK(&notifier->lock);
    struct timespec until;

    while (g_atomic_int_get(&notifier->running)) {
        if (!notifier->held && g_get_monotonic_time() >= notifier->rested)
            return true;
        until = time_of(notifier->rested);
        if (notifier->held)
            pthread_cond_wait(&notifier->released, &notifier->lock);
        else
            pthread_cond_timedwait(&notifier->released, &notifier->lock, &until);
    }
    return false;
}

/* Errors are of no interest: what the kernel does not know it needs not forget. */
static void tell(Notifier *notifier, const Note *note)
{
    struct fuse_session *session = notifier->session;

    switch (note->kind) {
    case NOTE_INODE:
        fuse_lowlevel_notify_inval_inode(session, note->ino, 0, 0);
        break;
    case NOTE_ENTRY:
        notify_entry_now(notifier, note->parent, note->name);
        break;
    case NOTE_DELETED:
        notify_deleted_now(notifier, note->parent, note->ino, note->name);
        break;
    case NOTE_STORE:
        store(session, note);
        break;
    case NOTE_TASK:
        note->task(notifier, note->data);
        break;
    case NOTE_STOP:
        break;
    }
}

/* Waits until there is one. */
static Note *next_note(Notifier *notifier)
{
    SCOPED_LOCK(&notifier->lock);

    while (!notifier->notes.head)
        pthread_cond_wait(&notifier->posted, &notifier->lock);
    Note *note = g_queue_pop_head_link(&notifier->notes)->data;
    if (note->bytes)
        notifier->stored -= g_bytes_get_size(note->bytes);
    return note;
}

static gpointer run(gpointer data)
{
    Notifier *notifier = data;

    for (;;) {
        g_autoptr(Note) note = next_note(notifier);
        if (note->kind == NOTE_STOP)
            break;
        if (g_atomic_int_get(&notifier->running))
            tell(notifier, note);
    }
    SCOPED_LOCK(&notifier->lock);
    notifier->over = true;
    pthread_cond_signal(&notifier->ended);
    return NULL;
}

static Note *note_new(NoteKind kind, uint64_t parent, uint64_t ino, const char *name)
{
    size_t size = strlen(name) + 1;
    Note *note = g_malloc0(sizeof *note + size);

    note->kind = kind;
    note->link.data = note;
    note->parent = parent;
    note->ino = ino;
    memcpy(note->name, name, size);
    return note;
}

static void post_note(Notifier *notifier, Note *note)
{
    SCOPED_LOCK(&notifier->lock);

    g_queue_push_tail_link(&notifier->notes, &note->link);
    pthread_cond_signal(&notifier->posted);
}

static void post(Notifier *notifier, NoteKind kind, uint64_t parent, uint64_t ino, const char *name)
{
    post_note(notifier, note_new(kind, parent, ino, name));
}

void notifier_start(Notifier *notifier, struct fuse_session *session)
{
    notifier->session = session;
    notifier->over = false;
    notifier->thread = g_thread_new("notifier", run, notifier);
    g_atomic_int_set(&notifier->running, 1);
}

static void end_running(Notifier *notifier)
{
    SCOPED_LOCK(&notifier->lock);

    g_atomic_int_set(&notifier->running, 0);
    pthread_cond_signal(&notifier->released);
}

void notifier_hold(Notifier *notifier)
{
    SCOPED_LOCK(&notifier->lock);

    notifier->held++;
}

void notifier_release(Notifier *notifier)
{
    SCOPED_LOCK(&notifier->lock);

    if (--notifier->held > 0)
        return;
    notifier->rested = g_get_monotonic_time() + REST_MICROS;
    pthread_cond_signal(&notifier->released);
}

void notifier_quiet(Notifier *notifier)
{
    gint64 until = g_get_real_time() + QUIET_MICROS;
    struct timespec deadline = time_of(until);
    int late = 0;

    end_running(notifier);
    if (!notifier->thread)
        return;
    post(notifier, NOTE_STOP, 0, 0, "");
    SCOPED_LOCK(&notifier->lock);
    while (!notifier->over && !late)
        late = pthread_cond_timedwait(&notifier->ended, &notifier->lock, &deadline);
}

void notifier_stop(Notifier *notifier)
{
    end_running(notifier);
    if (!notifier->thread)
        return;
    post(notifier, NOTE_STOP, 0, 0, "");
    g_thread_join(notifier->thread);
    notifier->thread = NULL;
}

void notifier_free(Notifier *notifier)
{
    if (!notifier)
        return;
    for (GList *link; (link = g_queue_pop_head_link(&notifier->notes));)
        note_free(link->data);
    pthread_cond_destroy(&notifier->posted);
    pthread_cond_destroy(&notifier->released);
    pthread_cond_destroy(&notifier->ended);
    pthread_mutex_destroy(&notifier->lock);
    g_free(notifier);
}

void notify_inode(Notifier *notifier, uint64_t ino)
{
    if (g_atomic_int_get(&notifier->running))
        post(notifier, NOTE_INODE, 0, ino, "");
}

void notify_size(Notifier *notifier, uint64_t ino)
{
    if (!g_atomic_int_get(&notifier->running))
        return;
    /* A negative offset: the attributes alone. */
    fuse_lowlevel_notify_inval_inode(notifier->session, ino, -1, 0);
}

void notify_directory(Notifier *notifier, uint64_t ino)
{
    if (g_atomic_int_get(&notifier->running))
        fuse_lowlevel_notify_inval_inode(notifier->session, ino, 0, 0);
}

void notify_entry(Notifier *notifier, uint64_t parent, const char *name)
{
    if (g_atomic_int_get(&notifier->running))
        post(notifier, NOTE_ENTRY, parent, 0, name);
}

void notify_deleted(Notifier *notifier, uint64_t parent, uint64_t child, const char *name)
{
    if (g_atomic_int_get(&notifier->running))
        post(notifier, NOTE_DELETED, parent, child, name);
}

/* True: the bytes have their place in the queue. */
static bool reserve(Notifier *notifier, uint64_t length)
{
    SCOPED_LOCK(&notifier->lock);

    if (length > NOTIFY_STORED - notifier->stored)
        return false;
    notifier->stored += length;
    return true;
}

bool notify_store(Notifier *notifier, uint64_t ino, uint64_t offset, GBytes *bytes)
{
    Note *note;

    if (!g_atomic_int_get(&notifier->running) || !reserve(notifier, g_bytes_get_size(bytes)))
        return false;
    note = note_new(NOTE_STORE, 0, ino, "");
    note->offset = offset;
    note->bytes = g_bytes_ref(bytes);
    post_note(notifier, note);
    return true;
}

uint64_t notify_stored(Notifier *notifier)
{
    SCOPED_LOCK(&notifier->lock);

    return notifier->stored;
}

void notify_task(Notifier *notifier, NotifyTask task, gpointer data, GDestroyNotify free_data)
{
    Note *note;

    if (!g_atomic_int_get(&notifier->running)) {
        free_data(data);
        return;
    }
    note = note_new(NOTE_TASK, 0, 0, "");
    note->task = task;
    note->data = data;
    note->free_data = free_data;
    post_note(notifier, note);
}

bool notify_entry_now(Notifier *notifier, uint64_t parent, const char *name)
{
    if (!may_lock(notifier))
        return false;
    fuse_lowlevel_notify_inval_entry(notifier->session, parent, name, strlen(name));
    return true;
}

bool notify_deleted_now(Notifier *notifier, uint64_t parent, uint64_t child, const char *name)
{
    if (!may_lock(notifier))
        return false;
    fuse_lowlevel_notify_delete(notifier->session, parent, child, name, strlen(name));
    return true;
}
