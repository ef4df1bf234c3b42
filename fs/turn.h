/*
 * turn.h: when the server is told of changes that are in the journal: a little after the last one,
 * but not much after the first, however many follow; and later and later, where it can't be told.
 *
 * Engine thread. A Turn is part of what it serves; its owner cancels it.
 */
#pragma once

#include "engine.h"

typedef struct {
    void (*begin)(gpointer data); /* the turn has come, and nothing is planned */
    gpointer data;
    guint failures; /* in a row */
    GSource *timer;
    gint64 since; /* when the oldest of those that wait came; 0: none does */
} Turn;

/* It comes after so many milliseconds, in place of when it was to come. */
void turn_plan(Turn *turn, guint milliseconds);
/* One more waits. At once: somebody waits for it. */
void turn_plan_soon(Turn *turn, bool at_once);
/* It has failed by that error, and comes again. The first time in a row the log has a warning:
 * messages could not be `what` yet. */
void turn_plan_again(Turn *turn, const GError *error, const char *what);
/* Nothing is planned any more, and nobody waits. */
void turn_cancel(Turn *turn);
