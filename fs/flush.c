#include "flush.h"

enum {
    DELAY_MILLIS = 500,
    PENDING_AT_MOST = 4 << 20, /* bytes of messages that may wait for the disk */
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

static gboolean tick(gpointer data)
{
    Flusher *flusher = data;
    bool content_done = content_flush(flusher->mount->content);
    bool catalog_done = catalog_flush(flusher->mount->catalog);

    if (!content_done || !catalog_done)
        return G_SOURCE_CONTINUE;
    disarm(flusher);
    return G_SOURCE_REMOVE;
}

void flush_soon(Flusher *flusher)
{
    if (content_pending(flusher->mount->content) > PENDING_AT_MOST)
        content_flush(flusher->mount->content);
    if (flusher->timer)
        return;
    flusher->timer = g_timeout_source_new(DELAY_MILLIS);
    g_source_set_callback(flusher->timer, tick, flusher, NULL);
    g_source_attach(flusher->timer, g_main_context_get_thread_default());
}
