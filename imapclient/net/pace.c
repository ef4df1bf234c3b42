#include "pace.h"

enum { ENOUGH = 256 << 10 /* bytes, to judge by */ };

static uint64_t total_at(const Pace *pace, unsigned i)
{
    return pace->marks[(pace->first + i) % PACE_MARKS].total;
}

static void drop_first(Pace *pace)
{
    pace->first = (pace->first + 1) % PACE_MARKS;
    pace->n--;
}

void pace_read(Pace *pace, size_t length, int64_t time)
{
    pace->total += length;
    while (pace->n > 1 && pace->total - total_at(pace, 1) >= PACE_STRETCH)
        drop_first(pace);
    if (pace->n == 0 || pace->total - total_at(pace, 0) < PACE_STRETCH)
        return;
    int64_t took = MAX(time - pace->marks[pace->first].time, 1);
    uint64_t rate = (pace->total - total_at(pace, 0)) * G_USEC_PER_SEC / (uint64_t)took;
    if (rate > pace->grown_to + pace->grown_to / 4) {
        pace->grown_to = rate;
        pace->grown_at = pace->total;
    }
    pace->best = MAX(pace->best, rate);
}

void pace_drained(Pace *pace, int64_t time)
{
    unsigned next = (pace->first + pace->n) % PACE_MARKS;

    /* Of two moments with nothing in between, the later one is the better beginning. */
    if (pace->n > 0 && total_at(pace, pace->n - 1) == pace->total)
        next = (pace->first + pace->n - 1) % PACE_MARKS;
    else if (pace->n == PACE_MARKS)
        return;
    else
        pace->n++;
    pace->marks[next].time = time;
    pace->marks[next].total = pace->total;
}

uint64_t pace_best(const Pace *pace)
{
    return pace->best;
}

bool pace_is_enough(const Pace *pace)
{
    return pace->total >= ENOUGH;
}

bool pace_is_settled(const Pace *pace)
{
    return pace_is_enough(pace) && pace->best > 0 && pace->grown_at <= pace->total / 4;
}
