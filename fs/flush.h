/*
 * flush.h: when what is new goes to the disk: many things in one transaction, soon after.
 *
 * Engine thread.
 */
#pragma once

#include "mount.h"

Flusher *flusher_new(Mount *mount);
/* The mount ends: nothing is written by itself any more. */
void flusher_free(Flusher *flusher);

/* Something was put into the catalog or the content. */
void flush_soon(Flusher *flusher);
