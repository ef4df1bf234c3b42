/*
 * writer.h: a thread that does the slow work with the disk, so that whoever makes the work goes on
 * meanwhile.
 *
 * The owner starts and stops it; any thread wakes it. Does not survive fork(2).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Writer Writer;

/* Does a stretch of the work, on the writer's thread. True: nothing is left that can be done now.
 */
typedef bool (*WriterWork)(gpointer data);

Writer *writer_start(WriterWork work, gpointer data);
/* The work begins within so many milliseconds. Cheap; never waits for the work. */
void writer_wake(Writer *writer, unsigned milliseconds);
/* Waits until nothing is left of what there was to do when this was called. */
void writer_finish(Writer *writer);
/* Waits for the stretch under way, ends the thread, and frees. NULL is ignored. */
void writer_stop(Writer *writer);
