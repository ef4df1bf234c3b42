#include "flush.h"

enum {
    DELAY_MILLIS = 500,
    PAUSE_MILLIS = 20, /* between two stretches of what is too much for one */
};

struct Flusher {
    Mount *mount;
    GSource *timer; /* set while something waits */
};

Flusher *flusher_new(Mount *mount)
{
    Flusher *flusher = g_new0(Flusher, 1);

    flusher->mount = mount;
    return flusher;
}

static void disarm(Flusher *flusher)
{
    if (flusher->timer)
        g_source_destroy(flusher->timer);
    g_clear_pointer(&flusher->timer, g_source_unref);
}

void flusher_free(Flusher *flusher)
{
    if (!flusher)
        return;
    disarm(flusher);
    g_free(flusher);
}

static void arm(Flusher *flusher, guint milliseconds);

static gboolean tick(gpointer data)
{
    Flusher *flusher = data;

    disarm(flusher);
    if (!catalog_flush(flusher->mount->catalog))
        arm(flusher, PAUSE_MILLIS);
    return G_SOURCE_REMOVE;
}

static void arm(Flusher *flusher, guint milliseconds)
{
    flusher->timer = g_timeout_source_new(milliseconds);
    g_source_set_callback(flusher->timer, tick, flusher, NULL);
    g_source_attach(flusher->timer, g_main_context_get_thread_default());
}

void flush_soon(Flusher *flusher)
{
    if (!flusher->timer)
        arm(flusher, DELAY_MILLIS);
}
