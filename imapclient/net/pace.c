#include "pace.h"

enum {
    ENOUGH = 256 << 10, /* bytes, to judge by */
    ENOUGH_SHORT = 128 << 10,
};

static uint64_t total_at(const Pace *pace, unsigned i)
{
    return pace->marks[(pace->first + i) % PACE_MARKS].total;
}

static void drop_first(Pace *pace)
{
    pace->first = (pace->first + 1) % PACE_MARKS;
    pace->n--;
}

static void take_rate(Pace *pace, PaceBest *best, uint64_t length, int64_t took)
{
    uint64_t rate = length * G_USEC_PER_SEC / (uint64_t)MAX(took, 1);

    if (rate > best->grown_to + best->grown_to / 4) {
        best->grown_to = rate;
        best->grown_at = pace->total;
    }
    best->best = MAX(best->best, rate);
}

static void take_stretch(Pace *pace, PaceBest *best, unsigned mark, int64_t time)
{
    take_rate(pace, best, pace->total - total_at(pace, mark),
              time - pace->marks[(pace->first + mark) % PACE_MARKS].time);
}

/* From the latest mark that is so far away. */
static void take_short(Pace *pace, int64_t time)
{
    for (unsigned i = pace->n; i > 0; i--) {
        if (pace->total - total_at(pace, i - 1) >= PACE_SHORT) {
            take_stretch(pace, &pace->brief, i - 1, time);
            return;
        }
    }
}

void pace_read(Pace *pace, size_t length, int64_t time)
{
    pace->total += length;
    while (pace->n > 1 && pace->total - total_at(pace, 1) >= PACE_STRETCH)
        drop_first(pace);
    take_short(pace, time);
    if (pace->n > 0 && pace->total - total_at(pace, 0) >= PACE_STRETCH)
        take_stretch(pace, &pace->whole, 0, time);
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
    return pace->whole.best;
}

bool pace_is_enough(const Pace *pace)
{
    return pace->total >= ENOUGH;
}

/* Of what arrived, 1 / `share` came before it had grown. */
static bool has_grown_up(const Pace *pace, const PaceBest *best, unsigned share)
{
    return best->best > 0 && best->grown_at <= pace->total / share;
}

bool pace_is_settled(const Pace *pace)
{
    return pace_is_enough(pace) && has_grown_up(pace, &pace->whole, 2);
}

bool pace_stays_below(const Pace *pace, uint64_t rate)
{
    return pace->total >= ENOUGH_SHORT && has_grown_up(pace, &pace->brief, 4) &&
           pace->brief.best < rate;
}
