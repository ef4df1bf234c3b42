/*
 * scopedlock.h: a mutex that is held to the end of the scope.
 *
 * POSIX's rather than GLib's, because ThreadSanitizer sees those taken and let go. Any thread.
 */
#pragma once

#include <pthread.h>

static inline pthread_mutex_t *scoped_lock(pthread_mutex_t *mutex)
{
    pthread_mutex_lock(mutex);
    return mutex;
}

static inline void scoped_unlock(pthread_mutex_t **mutex)
{
    pthread_mutex_unlock(*mutex);
}

#define SCOPED_LOCK(mutex)                          \
    __attribute__((cleanup(scoped_unlock), unused)) \
    pthread_mutex_t *scoped_mutex = scoped_lock(mutex)
