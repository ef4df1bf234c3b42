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

void flusher_free(Flusher *flusher)
{
    if (!flusher)
        return;
    engine_cancel(&flusher->timer);
    g_free(flusher);
}

static gboolean tick(gpointer data)
{
    Flusher *flusher = data;

    engine_cancel(&flusher->timer);
    if (!catalog_flush(flusher->mount->catalog))
        flusher->timer = engine_after(PAUSE_MILLIS, tick, flusher);
    return G_SOURCE_REMOVE;
}

void flush_soon(Flusher *flusher)
{
    if (!flusher->timer)
        flusher->timer = engine_after(DELAY_MILLIS, tick, flusher);
}
