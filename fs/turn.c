#include "turn.h"

#include "../cache/mail.h"

#include <errno.h>

enum {
    PAUSE_MILLIS = 500,     /* no more changes for so long */
    PATIENCE_MILLIS = 8000, /* of the first one */
    RETRY_MILLIS = 1000,    /* after the first failure; doubles */
    RETRY_MOST_MILLIS = 300000,
};

static gboolean on_timer(gpointer data)
{
    Turn *turn = data;

    engine_cancel(&turn->timer);
    turn->begin(turn->data);
    return G_SOURCE_REMOVE;
}

void turn_plan(Turn *turn, guint milliseconds)
{
    engine_cancel(&turn->timer);
    turn->timer = engine_after(milliseconds, on_timer, turn);
}

void turn_plan_soon(Turn *turn, bool at_once)
{
    gint64 now = g_get_monotonic_time(), left;

    turn->since = turn->since ? turn->since : now;
    left = PATIENCE_MILLIS - (now - turn->since) / 1000;
    turn_plan(turn, at_once ? 0 : (guint)CLAMP(left, 0, PAUSE_MILLIS));
}

void turn_plan_again(Turn *turn, const GError *error, const char *what)
{
    guint delay = RETRY_MOST_MILLIS;

    if (turn->failures < 16)
        delay = MIN((guint)RETRY_MILLIS << turn->failures, RETRY_MOST_MILLIS);
    if (mail_errno(error) == ESTALE)
        g_info("%s", error->message);
    else if (!turn->failures)
        g_warning("messages could not be %s yet, and will be later: %s", what, error->message);
    turn->failures++;
    turn_plan(turn, delay);
}

void turn_cancel(Turn *turn)
{
    engine_cancel(&turn->timer);
    turn->since = 0;
}
