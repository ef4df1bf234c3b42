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
/* Runs what was posted, ends the thread, frees. Not from the engine thread. */
void engine_stop(Engine *engine);
