/*
 * readers.h: connections to the content for reading threads: one each while it reads, a few kept
 * open in between. Any thread; no lock is held while a database is opened or read.
 */
#pragma once

#include "blocks.h"

typedef struct Readers Readers;

Readers *readers_new(const char *directory);
void readers_free(Readers *readers);

/* From now on to this file; NULL: none. Connections to another one are closed. */
void readers_set_file(Readers *readers, const DatabaseFile *file);
/* A connection, to be given back; NULL where there is no file (then *has_file is false), or none
 * can be had to it: it may have been exchanged. */
Blocks *readers_take(Readers *readers, bool *has_file);
void readers_give(Readers *readers, Blocks *blocks);
