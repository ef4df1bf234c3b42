/*
 * engine.h: the engine thread: one GMainContext in which everything lives that touches the
 * network.
 *
 * Started by the main thread; work is posted to it from any thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Engine Engine;

typedef void (*EngineTask)(gpointer data);

Engine *engine_start(void);
/* Runs task(data) on the engine thread, after what was posted before. Any thread. */
void engine_post(Engine *engine, EngineTask task, gpointer data);
/*
 * Calls function(data) after so many milliseconds, as a timeout's source is called. On the engine
 * thread. The caller has the source, and gives it to engine_cancel, at the latest before data goes.
 */
GSource *engine_after(guint milliseconds, GSourceFunc function, gpointer data);
/* It is not called any more, and *source is NULL; which it may have been before. Any thread. */
void engine_cancel(GSource **source);
/* Runs what was posted, ends the thread, frees. Not from the engine thread. */
void engine_stop(Engine *engine);
