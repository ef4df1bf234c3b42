/*
 * pace.h: how fast the bytes of a connection arrive at best, to know whether the link is what
 * bounds it. What a server sends in one go comes at the rate of the narrowest link in between,
 * however long the answer takes; so the fastest stretch tells, also while the congestion window
 * is still small, and whatever pauses there are. A stretch is so long that the burst behind a short
 * standstill of the link, or of a machine on the way, does not make a slow link look fast.
 *
 * Plain data of the engine thread; the caller has the clock. A stretch begins where nothing was
 * left to read, so that bytes which lay in wait while this process did something else do not
 * count as arrived in no time: the rate is never overrated.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PACE_STRETCH = 256 << 10, /* bytes at least that make a stretch */
    PACE_SHORT = 16 << 10,    /* and a short one, which a radio link may bring in one go */
    PACE_MARKS = 256,
};

/* The fastest stretch, in bytes a second. total when that had grown much the last time, and what it
 * was then. */
typedef struct {
    uint64_t best, grown_at, grown_to;
} PaceBest;

/* marks: the moments at which all that had arrived was read, in a ring, oldest first. The first is
 * the latest one that is a stretch away, or there is none. */
typedef struct {
    uint64_t total;
    struct {
        int64_t time; /* microseconds */
        uint64_t total;
    } marks[PACE_MARKS];
    unsigned first, n;
    PaceBest whole, brief;
} Pace;

/* Zeroed: nothing has arrived. `length` bytes were read at `time`. */
void pace_read(Pace *pace, size_t length, int64_t time);
/* There was nothing more to read at `time`. */
void pace_drained(Pace *pace, int64_t time);

/* Bytes a second, as far as they were seen: 0 ahead of the first stretch. */
uint64_t pace_best(const Pace *pace);
/* Whether so much has arrived that it can be judged by. */
bool pace_is_enough(const Pace *pace);
/* Whether that is the final word: enough has arrived, and it has not grown for so long that a
 * congestion window would have doubled. */
bool pace_is_settled(const Pace *pace);
/*
 * The same from less, as a folder's listing is: whether even no short stretch was as fast as `rate`
 * bytes a second, and they have not become faster for so long.
 */
bool pace_stays_below(const Pace *pace, uint64_t rate);
