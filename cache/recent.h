/*
 * recent.h: which messages were put or read in the last seconds, in which order, and which of them
 * the disk must be told of: what keeps a message that is being read, or was fetched ahead of its
 * reader, from being evicted.
 *
 * No lock: content.c sees to that. Bounded: beyond RECENT_MOST messages, the older half of the uses
 * is forgotten, which costs no more than an unlucky eviction.
 */
#pragma once

#include "pending.h"

#define RECENT_MOST 16384
#define RECENT_SECONDS 10

typedef struct Recent Recent;

Recent *recent_new(void);
void recent_free(Recent *recent);

/* A message was put or read. now: any clock's seconds. tell: the disk has an old time of it. */
void recent_use(Recent *recent, uint32_t folder, uint32_t uid, int64_t now, bool tell);
/* 0: it was not used lately; else the higher, the later. */
uint64_t recent_rank(const Recent *recent, uint32_t folder, uint32_t uid);
/* The messages to tell the disk of, each once: BlockKey elements. */
GArray *recent_take(Recent *recent);
/* Whether there are any. */
bool recent_has_news(const Recent *recent);
/* Forgets what was read more than RECENT_SECONDS ago, unless it is still to be taken. */
void recent_expire(Recent *recent, int64_t now);
