#include "writer.h"

#include "scopedlock.h"

#include <stdint.h>
#include <time.h>

#define NEVER INT64_MAX

/*
 * All but work, data and thread is under `lock`, which is not held during the work. due: when the
 * next stretch begins, monotonic microseconds. asked and served count calls of writer_finish: those
 * up to served have had what they wait for.
 */
struct Writer {
    WriterWork work;
    gpointer data;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int64_t due;
    uint64_t asked, served;
    bool stopping;
};

/* With the lock. */
static void set_due(Writer *writer, int64_t due)
{
    if (due >= writer->due)
        return;
    writer->due = due;
    pthread_cond_broadcast(&writer->changed);
}

/* With the lock. */
static void wait_until(Writer *writer, int64_t due)
{
    struct timespec until = {.tv_sec = (time_t)(due / G_USEC_PER_SEC),
                             .tv_nsec = (long)(due % G_USEC_PER_SEC * 1000)};

    if (due == NEVER)
        pthread_cond_wait(&writer->changed, &writer->lock);
    else
        pthread_cond_timedwait(&writer->changed, &writer->lock, &until);
}

/* With the lock, which is let go meanwhile. */
static void do_stretch(Writer *writer)
{
    uint64_t serving = writer->asked;
    bool done;

    writer->due = NEVER;
    pthread_mutex_unlock(&writer->lock);
    done = writer->work(writer->data);
    pthread_mutex_lock(&writer->lock);
    if (!done) {
        set_due(writer, 0);
        return;
    }
    writer->served = MAX(writer->served, serving);
    pthread_cond_broadcast(&writer->changed);
}

static void *run(void *data)
{
    Writer *writer = data;
    SCOPED_LOCK(&writer->lock);

    while (!writer->stopping) {
        if (writer->due <= g_get_monotonic_time())
            do_stretch(writer);
        else
            wait_until(writer, writer->due);
    }
    return NULL;
}

Writer *writer_start(WriterWork work, gpointer data)
{
    Writer *writer = g_new0(Writer, 1);
    pthread_condattr_t attributes;

    writer->work = work;
    writer->data = data;
    writer->due = NEVER;
    pthread_mutex_init(&writer->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&writer->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    int code = pthread_create(&writer->thread, NULL, run, writer);
    if (code)
        g_error("no thread that writes the cache: %s", g_strerror(code));
    return writer;
}

void writer_wake(Writer *writer, unsigned milliseconds)
{
    SCOPED_LOCK(&writer->lock);

    set_due(writer, g_get_monotonic_time() + (int64_t)milliseconds * 1000);
}

void writer_finish(Writer *writer)
{
    SCOPED_LOCK(&writer->lock);
    uint64_t ticket = ++writer->asked;

    set_due(writer, 0);
    while (writer->served < ticket)
        pthread_cond_wait(&writer->changed, &writer->lock);
}

void writer_stop(Writer *writer)
{
    if (!writer)
        return;
    pthread_mutex_lock(&writer->lock);
    writer->stopping = true;
    pthread_cond_broadcast(&writer->changed);
    pthread_mutex_unlock(&writer->lock);
    pthread_join(writer->thread, NULL);
    pthread_cond_destroy(&writer->changed);
    pthread_mutex_destroy(&writer->lock);
    g_free(writer);
}
