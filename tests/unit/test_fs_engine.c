#include "../../fs/engine.h"
#include "cache_helpers.h"

#include <pthread.h>

enum { THREADS = 8, EACH = 2000 };

/* Only the engine thread touches `seen` and `thread` until it has ended. */
typedef struct {
    Engine *engine;
    GArray *seen; /* unsigned */
    GThread *thread;
    unsigned strangers; /* tasks that ran on another thread than the first */
} Log;

typedef struct {
    Log *log;
    unsigned number;
} Entry;

static void note(gpointer data)
{
    g_autofree Entry *entry = data;
    Log *log = entry->log;
    if (!log->thread)
        log->thread = g_thread_self();
    log->strangers += log->thread != g_thread_self();
    g_array_append_val(log->seen, entry->number);
}

static void post(Log *log, unsigned number)
{
    Entry *entry = g_new(Entry, 1);
    *entry = (Entry){log, number};
    engine_post(log->engine, note, entry);
}

static Log log_begin(void)
{
    return (Log){.engine = engine_start(), .seen = g_array_new(FALSE, FALSE, sizeof(unsigned))};
}

static void log_end(Log *log)
{
    g_array_unref(log->seen);
}

static void test_in_order_until_the_end(void **state)
{
    (void)state;
    Log log = log_begin();
    for (unsigned i = 0; i < EACH; i++)
        post(&log, i);
    engine_stop(log.engine);
    assert_int_equal(log.seen->len, EACH);
    for (unsigned i = 0; i < EACH; i++)
        assert_int_equal(g_array_index(log.seen, unsigned, i), i);
    assert_int_equal(log.strangers, 0);
    assert_ptr_not_equal(log.thread, g_thread_self());
    log_end(&log);
}

typedef struct {
    Log *log;
    unsigned first;
} Poster;

static gpointer post_many(gpointer data)
{
    const Poster *poster = data;
    for (unsigned i = 0; i < EACH; i++)
        post(poster->log, poster->first + i);
    return NULL;
}

static void test_from_many_threads(void **state)
{
    (void)state;
    Log log = log_begin();
    Poster posters[THREADS];
    GThread *threads[THREADS];
    unsigned next[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        posters[i] = (Poster){&log, i * EACH};
        next[i] = i * EACH;
        threads[i] = g_thread_new("poster", post_many, &posters[i]);
    }
    for (unsigned i = 0; i < THREADS; i++)
        g_thread_join(threads[i]);
    engine_stop(log.engine);
    assert_int_equal(log.seen->len, THREADS * EACH);
    assert_int_equal(log.strangers, 0);
    /* What one thread posted runs in its order. */
    for (unsigned i = 0; i < log.seen->len; i++) {
        unsigned number = g_array_index(log.seen, unsigned, i);
        assert_int_equal(number, next[number / EACH]++);
    }
    log_end(&log);
}

typedef struct {
    Log *log;
    pthread_barrier_t posted;
} Chain;

static void post_more(gpointer data)
{
    Chain *chain = data;
    post(chain->log, 1);
    post(chain->log, 2);
    pthread_barrier_wait(&chain->posted);
}

static void test_a_task_may_post(void **state)
{
    (void)state;
    Log log = log_begin();
    Chain chain = {.log = &log};
    pthread_barrier_init(&chain.posted, NULL, 2);
    engine_post(log.engine, post_more, &chain);
    pthread_barrier_wait(&chain.posted);
    post(&log, 3);
    engine_stop(log.engine);
    assert_int_equal(log.seen->len, 3);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(g_array_index(log.seen, unsigned, i), i + 1);
    pthread_barrier_destroy(&chain.posted);
    log_end(&log);
}

/* A task that posts itself again, for as long as the timer has not run. */
typedef struct {
    Engine *engine;
    bool ticked, attached;
    unsigned rounds;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool over;
} Busy;

static gboolean tick(gpointer data)
{
    Busy *busy = data;
    busy->ticked = true;
    return G_SOURCE_REMOVE;
}

static void work(gpointer data)
{
    Busy *busy = data;
    if (!busy->attached) {
        g_autoptr(GSource) timer = g_timeout_source_new(1);
        g_source_set_callback(timer, tick, busy, NULL);
        g_source_attach(timer, g_main_context_get_thread_default());
        busy->attached = true;
    }
    busy->rounds++;
    if (!busy->ticked) {
        engine_post(busy->engine, work, busy);
        return;
    }
    pthread_mutex_lock(&busy->lock);
    busy->over = true;
    pthread_cond_signal(&busy->changed);
    pthread_mutex_unlock(&busy->lock);
}

static void test_tasks_do_not_starve_other_sources(void **state)
{
    (void)state;
    Busy busy = {.engine = engine_start()};
    pthread_mutex_init(&busy.lock, NULL);
    pthread_cond_init(&busy.changed, NULL);
    engine_post(busy.engine, work, &busy);
    pthread_mutex_lock(&busy.lock);
    while (!busy.over)
        pthread_cond_wait(&busy.changed, &busy.lock);
    pthread_mutex_unlock(&busy.lock);
    engine_stop(busy.engine);
    assert_true(busy.ticked);
    pthread_mutex_destroy(&busy.lock);
    pthread_cond_destroy(&busy.changed);
}

static void test_stop_without_work(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++)
        engine_stop(engine_start());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order_until_the_end),
        cmocka_unit_test(test_from_many_threads),
        cmocka_unit_test(test_a_task_may_post),
        cmocka_unit_test(test_tasks_do_not_starve_other_sources),
        cmocka_unit_test(test_stop_without_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
