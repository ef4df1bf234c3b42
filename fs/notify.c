#include "notify.h"

#include "../cache/scopedlock.h"

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <string.h>

enum { QUIET_MICROS = G_USEC_PER_SEC };

typedef enum { NOTE_INODE, NOTE_ENTRY, NOTE_DELETED, NOTE_STOP } NoteKind;

typedef struct {
    NoteKind kind;
    GList link; /* in notes */
    fuse_ino_t parent, ino;
    char name[];
} Note;

/*
 * `notes` is under `lock`. `running` is read and written atomically: between start and stop notes
 * are taken.
 */
struct Notifier {
    pthread_mutex_t lock;
    pthread_cond_t posted, ended;
    bool over;    /* the thread tells nothing any more; under lock */
    GQueue notes; /* Note */
    GThread *thread;
    struct fuse_session *session;
    gint running;
};

Notifier *notifier_new(void)
{
    Notifier *notifier = g_new0(Notifier, 1);

    pthread_mutex_init(&notifier->lock, NULL);
    pthread_cond_init(&notifier->posted, NULL);
    pthread_cond_init(&notifier->ended, NULL);
    g_queue_init(&notifier->notes);
    return notifier;
}

/* Errors are of no interest: what the kernel does not know it needs not forget. */
static void tell(struct fuse_session *session, const Note *note)
{
    switch (note->kind) {
    case NOTE_INODE:
        fuse_lowlevel_notify_inval_inode(session, note->ino, 0, 0);
        break;
    case NOTE_ENTRY:
        fuse_lowlevel_notify_inval_entry(session, note->parent, note->name, strlen(note->name));
        break;
    case NOTE_DELETED:
        fuse_lowlevel_notify_delete(session, note->parent, note->ino, note->name,
                                    strlen(note->name));
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
    return g_queue_pop_head_link(&notifier->notes)->data;
}

static gpointer run(gpointer data)
{
    Notifier *notifier = data;

    for (;;) {
        g_autofree Note *note = next_note(notifier);
        if (note->kind == NOTE_STOP)
            break;
        if (g_atomic_int_get(&notifier->running))
            tell(notifier->session, note);
    }
    SCOPED_LOCK(&notifier->lock);
    notifier->over = true;
    pthread_cond_signal(&notifier->ended);
    return NULL;
}

static void post(Notifier *notifier, NoteKind kind, uint64_t parent, uint64_t ino, const char *name)
{
    size_t size = strlen(name) + 1;
    Note *note = g_malloc(sizeof *note + size);

    note->kind = kind;
    note->link = (GList){.data = note};
    note->parent = parent;
    note->ino = ino;
    memcpy(note->name, name, size);
    SCOPED_LOCK(&notifier->lock);
    g_queue_push_tail_link(&notifier->notes, &note->link);
    pthread_cond_signal(&notifier->posted);
}

void notifier_start(Notifier *notifier, struct fuse_session *session)
{
    notifier->session = session;
    notifier->over = false;
    notifier->thread = g_thread_new("notifier", run, notifier);
    g_atomic_int_set(&notifier->running, 1);
}

void notifier_quiet(Notifier *notifier)
{
    gint64 until = g_get_real_time() + QUIET_MICROS;
    struct timespec deadline = {.tv_sec = until / G_USEC_PER_SEC,
                                .tv_nsec = until % G_USEC_PER_SEC * 1000};
    int late = 0;

    g_atomic_int_set(&notifier->running, 0);
    if (!notifier->thread)
        return;
    post(notifier, NOTE_STOP, 0, 0, "");
    SCOPED_LOCK(&notifier->lock);
    while (!notifier->over && !late)
        late = pthread_cond_timedwait(&notifier->ended, &notifier->lock, &deadline);
}

void notifier_stop(Notifier *notifier)
{
    g_atomic_int_set(&notifier->running, 0);
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
        g_free(link->data);
    pthread_cond_destroy(&notifier->posted);
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
    post(notifier, NOTE_INODE, 0, ino, "");
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
