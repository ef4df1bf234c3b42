#include "rate.h"

enum { SLOTS = 5, SLOT_MILLIS = RATE_MILLIS / SLOTS };

/* slots[i] is of the slot number n for which n % SLOTS is i and latest - SLOTS < n <= latest. */
struct Rate {
    uint64_t slots[SLOTS];
    gint64 latest;
};

Rate *rate_new(void)
{
    return g_new0(Rate, 1);
}

void rate_free(Rate *rate)
{
    g_free(rate);
}

/* Slots that time has passed by are empty. */
static void catch_up(Rate *rate, gint64 micros)
{
    gint64 now = micros / (SLOT_MILLIS * 1000);

    for (gint64 n = MAX(rate->latest + 1, now - SLOTS + 1); n <= now; n++)
        rate->slots[n % SLOTS] = 0;
    rate->latest = MAX(rate->latest, now);
}

void rate_add(Rate *rate, gint64 now, uint64_t bytes)
{
    catch_up(rate, now);
    rate->slots[rate->latest % SLOTS] += bytes;
}

uint64_t rate_bytes(Rate *rate, gint64 now)
{
    uint64_t sum = 0;

    catch_up(rate, now);
    for (int i = 0; i < SLOTS; i++)
        sum += rate->slots[i];
    return sum;
}
