/*
 * flush.h: when what is new of folders goes to the disk: many things in one transaction, soon
 * after, and never so many that the network would wait for long.
 *
 * Engine thread.
 */
#pragma once

#include "mount.h"

Flusher *flusher_new(Mount *mount);
/* The mount ends: nothing is written by itself any more. */
void flusher_free(Flusher *flusher);

/* Something was put into the catalog. (The content sees to itself.) */
void flush_soon(Flusher *flusher);
