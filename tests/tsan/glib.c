/*
 * glib.c: tells ThreadSanitizer of the order that GLib's locks, queues and reference counts make
 * between threads. GLib has its own locks on futexes and is not built for the sanitizer, so that
 * all they protect would look like a race.
 *
 * Linked into programs of the tsan variant alone. Each function stands in for GLib's of the same
 * name, calls that, and says who hands over ("release") and who takes over ("acquire") by the
 * address of the lock, queue or object.
 */
#include <dlfcn.h>
#include <glib.h>
#include <sanitizer/tsan_interface.h>

/* GLib's own function. A program without it can't go on; dlsym does not fail where GLib is linked.
 */
#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

#define TAKES_OVER(name, type)            \
    void(name)(__typeof__(type) *object); \
    void(name)(__typeof__(type) *object)  \
    {                                     \
        REAL(name)(object);               \
        __tsan_acquire(object);           \
    }

#define HANDS_OVER(name, type)            \
    void(name)(__typeof__(type) *object); \
    void(name)(__typeof__(type) *object)  \
    {                                     \
        __tsan_release(object);           \
        REAL(name)(object);               \
    }

TAKES_OVER(g_mutex_lock, GMutex)
HANDS_OVER(g_mutex_unlock, GMutex)
TAKES_OVER(g_rw_lock_writer_lock, GRWLock)
HANDS_OVER(g_rw_lock_writer_unlock, GRWLock)
TAKES_OVER(g_rw_lock_reader_lock, GRWLock)
HANDS_OVER(g_rw_lock_reader_unlock, GRWLock)

void(g_cond_wait)(GCond *cond, GMutex *mutex)
{
    __tsan_release(mutex);
    REAL(g_cond_wait)(cond, mutex);
    __tsan_acquire(mutex);
}

gboolean(g_cond_wait_until)(GCond *cond, GMutex *mutex, gint64 end_time)
{
    __tsan_release(mutex);
    gboolean woken = REAL(g_cond_wait_until)(cond, mutex, end_time);
    __tsan_acquire(mutex);
    return woken;
}

void(g_async_queue_push)(GAsyncQueue *queue, gpointer data)
{
    __tsan_release(queue);
    REAL(g_async_queue_push)(queue, data);
}

gpointer(g_async_queue_pop)(GAsyncQueue *queue)
{
    gpointer data = REAL(g_async_queue_pop)(queue);
    __tsan_acquire(queue);
    return data;
}

gpointer(g_async_queue_try_pop)(GAsyncQueue *queue)
{
    gpointer data = REAL(g_async_queue_try_pop)(queue);
    __tsan_acquire(queue);
    return data;
}

/* The last of those who drop an object frees it, after all that the others did with it. */
void(g_bytes_unref)(GBytes *bytes)
{
    if (bytes) {
        __tsan_release(bytes);
        __tsan_acquire(bytes);
    }
    REAL(g_bytes_unref)(bytes);
}

gboolean(g_atomic_ref_count_dec)(gatomicrefcount *count)
{
    __tsan_release((void *)count);
    gboolean last = REAL(g_atomic_ref_count_dec)(count);
    __tsan_acquire((void *)count);
    return last;
}
