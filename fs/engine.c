#include "engine.h"

#include "../cache/scopedlock.h"

/*
 * `tasks`, under `lock`, is the only thing that threads share. The source is ready whenever it is
 * not empty; posting wakes the context up.
 */
struct Engine {
    GThread *thread;
    GMainContext *context;
    GMainLoop *loop;
    pthread_mutex_t lock;
    GQueue tasks; /* Task */
    GSource *source;
};

typedef struct {
    EngineTask run;
    gpointer data;
    GList link; /* in tasks */
} Task;

typedef struct {
    GSource source;
    Engine *engine;
} TaskSource;

/* How many tasks run before the sockets get their turn. */
enum { TASKS_AT_ONCE = 256 };

static gboolean tasks_check(GSource *source)
{
    Engine *engine = ((TaskSource *)source)->engine;
    SCOPED_LOCK(&engine->lock);

    return engine->tasks.length > 0;
}

static gboolean tasks_prepare(GSource *source, gint *timeout)
{
    *timeout = -1;
    return tasks_check(source);
}

static Task *next_task(Engine *engine)
{
    SCOPED_LOCK(&engine->lock);
    GList *link = g_queue_pop_head_link(&engine->tasks);

    return link ? link->data : NULL;
}

static gboolean tasks_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    Engine *engine = ((TaskSource *)source)->engine;
    Task *task;

    (void)callback;
    (void)data;
    for (int i = 0; i < TASKS_AT_ONCE && (task = next_task(engine)); i++) {
        task->run(task->data);
        g_free(task);
    }
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs task_funcs = {tasks_prepare, tasks_check, tasks_dispatch, NULL, NULL, NULL};

static gpointer run(gpointer data)
{
    Engine *engine = data;

    g_main_context_push_thread_default(engine->context);
    g_main_loop_run(engine->loop);
    g_main_context_pop_thread_default(engine->context);
    return NULL;
}

Engine *engine_start(void)
{
    Engine *engine = g_new0(Engine, 1);

    engine->context = g_main_context_new();
    engine->loop = g_main_loop_new(engine->context, FALSE);
    pthread_mutex_init(&engine->lock, NULL);
    g_queue_init(&engine->tasks);
    engine->source = g_source_new(&task_funcs, sizeof(TaskSource));
    ((TaskSource *)engine->source)->engine = engine;
    g_source_attach(engine->source, engine->context);
    engine->thread = g_thread_new("engine", run, engine);
    return engine;
}

void engine_post(Engine *engine, EngineTask task_function, gpointer data)
{
    Task *task = g_new0(Task, 1);

    task->run = task_function;
    task->data = data;
    task->link.data = task;
    pthread_mutex_lock(&engine->lock);
    g_queue_push_tail_link(&engine->tasks, &task->link);
    pthread_mutex_unlock(&engine->lock);
    g_main_context_wakeup(engine->context);
}

GSource *engine_after(guint milliseconds, GSourceFunc function, gpointer data)
{
    GSource *source = g_timeout_source_new(milliseconds);

    g_source_set_callback(source, function, data, NULL);
    g_source_attach(source, g_main_context_get_thread_default());
    return source;
}

void engine_cancel(GSource **source)
{
    if (*source)
        g_source_destroy(*source);
    g_clear_pointer(source, g_source_unref);
}

static void quit(gpointer data)
{
    g_main_loop_quit(((Engine *)data)->loop);
}

void engine_stop(Engine *engine)
{
    engine_post(engine, quit, engine);
    g_thread_join(engine->thread);
    g_source_destroy(engine->source);
    g_source_unref(engine->source);
    for (Task *task; (task = next_task(engine));)
        g_free(task);
    pthread_mutex_destroy(&engine->lock);
    g_main_loop_unref(engine->loop);
    g_main_context_unref(engine->context);
    g_free(engine);
}
