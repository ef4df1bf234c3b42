/*
 * rate.h: how many bytes came lately.
 *
 * Engine thread.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

#define RATE_MILLIS 250

typedef struct Rate Rate;

Rate *rate_new(void);
void rate_free(Rate *rate);

/* Times are monotonic, in microseconds. */
void rate_add(Rate *rate, gint64 now, uint64_t bytes);
/* Bytes in the last RATE_MILLIS. */
uint64_t rate_bytes(Rate *rate, gint64 now);
