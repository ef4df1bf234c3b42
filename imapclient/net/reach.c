#include "reach.h"

#include "quote.h"

#include <errno.h>
#include <gio/gio.h>
#include <string.h>
#include <time.h>

#define SECOND ((gint64)G_USEC_PER_SEC)

enum {
    NEED_SECONDS = 1,   /* between attempts for who comes */
    CHECK_SECONDS = 1,  /* between looks whether the password changed */
    LOST_MOST = 60,     /* between attempts that nobody asked for; the first after a second */
    REFUSED_FIRST = 60, /* likewise, of a login that is refused */
    REFUSED_MOST = 3600,
    LATE_SECONDS = 3,    /* beyond the timeout, since what fails by itself says more */
    ASLEEP_SECONDS = 10, /* what is shorter leaves connections alone */
    JITTER_PERCENT = 25,
    STALLED = 10, /* times as long as anybody waits: then another attempt is made for who comes */
    NEVER = -1,
};

/* Microseconds: how long who comes may wait, as long as nobody knows how long a login takes; and
 * the bounds of that. */
#define PATIENCE_LEAST (SECOND / 2)
#define PATIENCE_USUAL SECOND
#define PATIENCE_MOST (3 * SECOND)

/* The password's source is being asked, by a thread. Its reach is NULL once nobody wants to know.
 */
typedef struct {
    Reach *reach;
} Reading;

/*
 * `error` is set in the states LOST, REFUSED and NEVER, and says why. `began` is when the attempt
 * under way was begun (0: none is), `ended` when one last failed. `due` is when it is to be tried
 * though nobody asks (NEVER: not). `asked` is set once the source was asked since the last login
 * that worked. While `reading`, nothing is tried. `timer` fires at `wake`.
 */
struct Reach {
    ReachConfig config;
    Secret *password;
    ReachState state;
    GError *error;
    GError *late;    /* for who has waited too long though all seemed well */
    GError *refusal; /* set while `reading` is for the sake of a login that was just refused */
    unsigned failures;
    gint64 began, ended, due, checked, usual;
    gint64 slept;
    bool ever, asked;
    Reading *reading;
    GSource *timer;
    gint64 wake;
    ReachTold told;
    gpointer told_data;
};

static gint64 system_asleep(void)
{
    struct timespec with, without;

    clock_gettime(CLOCK_BOOTTIME, &with);
    clock_gettime(CLOCK_MONOTONIC, &without);
    return (with.tv_sec - without.tv_sec) * SECOND + (with.tv_nsec - without.tv_nsec) / 1000;
}

static const ReachClock system_clock = {g_get_monotonic_time, system_asleep};

/* --- life and looks ------------------------------------------------------------------------- */

Reach *reach_new(const ReachConfig *config)
{
    Reach *reach = g_new0(Reach, 1);

    reach->config = *config;
    if (!config->clock)
        reach->config.clock = &system_clock;
    if (config->source)
        secret_source_ref(config->source);
    reach->password = config->password ? secret_copy(config->password) : NULL;
    reach->due = NEVER;
    reach->slept = reach->config.clock->asleep();
    reach->usual = PATIENCE_USUAL / 2;
    if (config->never) {
        reach->state = REACH_NEVER;
        reach->error = g_error_new(MAIL_ERROR, ENETUNREACH,
                                   "the server is not asked (offline=always)");
    }
    return reach;
}

static void drop_timer(Reach *reach)
{
    if (reach->timer)
        g_source_destroy(reach->timer);
    g_clear_pointer(&reach->timer, g_source_unref);
}

void reach_free(Reach *reach)
{
    if (!reach)
        return;
    drop_timer(reach);
    if (reach->reading)
        reach->reading->reach = NULL;
    if (reach->config.source)
        secret_source_unref(reach->config.source);
    secret_free(reach->password);
    g_clear_error(&reach->error);
    g_clear_error(&reach->late);
    g_clear_error(&reach->refusal);
    g_free(reach);
}

void reach_watch(Reach *reach, ReachTold told, gpointer data)
{
    reach->told = told;
    reach->told_data = data;
}

ReachState reach_state(const Reach *reach)
{
    return reach->state;
}

char *reach_text(const Reach *reach)
{
    static const char *const words[] = {"not tried yet", "online", "offline", "refused", "offline"};
    g_autofree char *why = reach->error ? quote_text(reach->error->message) : NULL;

    return g_strconcat(words[reach->state], why ? ", " : NULL, why, NULL);
}

const Secret *reach_password(const Reach *reach)
{
    return reach->password;
}

gint64 reach_now(const Reach *reach)
{
    return reach->config.clock->now();
}

/* --- waking up ------------------------------------------------------------------------------ */

static gboolean on_timer(gpointer data)
{
    Reach *reach = data;

    drop_timer(reach);
    reach->config.look(reach->config.data);
    return G_SOURCE_REMOVE;
}

static void wake_at(Reach *reach, gint64 when)
{
    gint64 left = MAX(when - reach_now(reach), 0);

    if (reach->timer && reach->wake <= when)
        return;
    drop_timer(reach);
    reach->wake = when;
    reach->timer = g_timeout_source_new((guint)MIN((left + 999) / 1000, G_MAXINT));
    g_source_set_callback(reach->timer, on_timer, reach, NULL);
    g_source_attach(reach->timer, g_main_context_get_thread_default());
}

/* --- the state ------------------------------------------------------------------------------ */

static void set_state(Reach *reach, ReachState state, const GError *error)
{
    bool is_news = reach->state != state;
    GError *before = g_steal_pointer(&reach->error); /* which error may be */

    reach->state = state;
    reach->error = error ? g_error_copy(error) : NULL;
    g_clear_error(&before);
    if (is_news && reach->told)
        reach->told(reach->told_data, reach->error);
}

/* The next attempt that nobody asks for. */
static void plan(Reach *reach)
{
    gint64 first = reach->state == REACH_REFUSED ? REFUSED_FIRST : 1;
    gint64 most = reach->state == REACH_REFUSED ? REFUSED_MOST : LOST_MOST;
    gint64 seconds = MIN(first << MIN(reach->failures, 16u), most);

    reach->failures++;
    reach->due = reach_now(reach) +
                 seconds * SECOND / 100 *
                     g_random_int_range(100 - JITTER_PERCENT, 100 + JITTER_PERCENT + 1);
    wake_at(reach, reach->due);
}

static void give_up(Reach *reach, const GError *error)
{
    ReachState state = mail_errno(error) == EACCES ? REACH_REFUSED : REACH_LOST;

    if (state != reach->state)
        reach->failures = 0;
    set_state(reach, state, error);
    plan(reach);
}

/* --- the password --------------------------------------------------------------------------- */

static void read_now(GTask *task, gpointer object, gpointer data, GCancellable *cancellable)
{
    SecretSource *source = data;
    GError *error = NULL;
    Secret *secret = source->read(source, &error);

    (void)object, (void)cancellable;
    if (secret)
        g_task_return_pointer(task, secret, (GDestroyNotify)secret_free);
    else
        g_task_return_error(task, error);
}

static bool is_same(const Secret *one, const Secret *other)
{
    return one && secret_length(one) == secret_length(other) &&
           memcmp(secret_text(one), secret_text(other), secret_length(one)) == 0;
}

/* With another password it is tried at once; with the same one, or none, when its time comes. */
static void take_password(Reach *reach, Secret *secret)
{
    g_autoptr(GError) refusal = g_steal_pointer(&reach->refusal);

    if (!is_same(reach->password, secret)) {
        secret_free(reach->password);
        reach->password = secret;
        reach->due = reach_now(reach);
        return;
    }
    secret_free(secret);
    if (refusal)
        give_up(reach, refusal);
}

static void take_no_password(Reach *reach, GError *error)
{
    g_autoptr(GError) refusal = g_steal_pointer(&reach->refusal);

    g_warning("the password can't be read again: %s", error->message);
    error->code = EACCES;
    give_up(reach, refusal ? refusal : error);
}

static void was_read(GObject *object, GAsyncResult *result, gpointer data)
{
    g_autofree Reading *reading = data;
    g_autoptr(GError) error = NULL;
    Secret *secret = g_task_propagate_pointer(G_TASK(result), &error);
    Reach *reach = reading->reach;

    (void)object;
    if (!reach) {
        secret_free(secret);
        return;
    }
    reach->reading = NULL;
    if (secret)
        take_password(reach, secret);
    else
        take_no_password(reach, error);
    reach->config.look(reach->config.data);
}

static void begin_reading(Reach *reach)
{
    Reading *reading = g_new0(Reading, 1);
    g_autoptr(GTask) task = g_task_new(NULL, NULL, was_read, reading);

    reading->reach = reach;
    reach->reading = reading;
    reach->asked = true;
    g_task_set_task_data(task, secret_source_ref(reach->config.source),
                         (GDestroyNotify)secret_source_unref);
    g_task_run_in_thread(task, read_now);
}

/* Where the login is refused, and nothing is due: whether the password was changed. */
static void look_at_password(Reach *reach)
{
    gint64 now = reach_now(reach);

    if (!reach->config.source || reach->reading || now - reach->checked < CHECK_SECONDS * SECOND)
        return;
    reach->checked = now;
    if (reach->config.source->changed(reach->config.source))
        begin_reading(reach);
}

/* --- who asks ------------------------------------------------------------------------------- */

bool reach_is_due(Reach *reach)
{
    gint64 now = reach_now(reach);

    if (reach->due == NEVER || reach->reading)
        return false;
    if (now < reach->due) {
        wake_at(reach, reach->due);
        return false;
    }
    /* The password may be another one by now, which only its source can tell. */
    if (reach->state == REACH_REFUSED && reach->config.source && !reach->asked) {
        begin_reading(reach);
        return false;
    }
    return true;
}

bool reach_may_try(Reach *reach)
{
    switch (reach->state) {
    case REACH_LOST:
        return !reach->reading &&
               (reach_is_due(reach) || reach_now(reach) - reach->ended >= NEED_SECONDS * SECOND);
    case REACH_REFUSED:
        if (reach_is_due(reach))
            return true;
        look_at_password(reach);
        return false;
    case REACH_NEVER:
        return false;
    case REACH_UNKNOWN:
    case REACH_ONLINE:
    default:
        return !reach->reading;
    }
}

static gint64 patience_of(const Reach *reach)
{
    return CLAMP(2 * reach->usual, PATIENCE_LEAST, PATIENCE_MOST);
}

bool reach_is_stalled(const Reach *reach)
{
    return reach->state == REACH_LOST && reach->began &&
           reach_now(reach) - reach->began >= STALLED * patience_of(reach);
}

void reach_dropped(Reach *reach)
{
    reach->began = reach->ended = 0;
}

/* Who has waited since then for longer than anybody waits. */
static const GError *verdict_late(Reach *reach, gint64 since)
{
    gint64 end = since + ((gint64)reach->config.timeout + LATE_SECONDS) * SECOND;

    if (reach_now(reach) < end) {
        wake_at(reach, end);
        return NULL;
    }
    if (!reach->late)
        reach->late = g_error_new(MAIL_ERROR, ETIMEDOUT,
                                  "there was no connection to the server for %u s",
                                  reach->config.timeout);
    return reach->late;
}

const GError *reach_verdict(Reach *reach, gint64 since)
{
    gint64 end;

    switch (reach->state) {
    case REACH_NEVER:
        return reach->error;
    case REACH_REFUSED: /* who comes at the right moment waits for what comes of it */
        if (!reach->reading && !reach->began)
            return reach->error;
        return verdict_late(reach, since);
    case REACH_LOST:
        end = reach->began + patience_of(reach);
        if (!reach->began || reach_now(reach) >= end)
            return reach->error;
        wake_at(reach, end);
        return NULL;
    case REACH_UNKNOWN:
    case REACH_ONLINE:
    default:
        return verdict_late(reach, since);
    }
}

/* --- what came of it ------------------------------------------------------------------------ */

void reach_trying(Reach *reach)
{
    reach->due = NEVER;
    if (!reach->began)
        reach->began = reach_now(reach);
}

void reach_worked(Reach *reach)
{
    if (reach->began)
        reach->usual = reach_now(reach) - reach->began;
    reach->began = 0;
    reach->failures = 0;
    reach->due = NEVER;
    reach->ever = true;
    reach->asked = false;
    set_state(reach, REACH_ONLINE, NULL);
}

bool reach_failed(Reach *reach, const GError *error)
{
    bool refused = mail_errno(error) == EACCES;

    reach->began = 0;
    reach->ended = reach_now(reach);
    if (refused && reach->ever && reach->config.source && !reach->asked) {
        reach->refusal = g_error_copy(error);
        begin_reading(reach);
        return false;
    }
    give_up(reach, error);
    reach->asked = false;
    return true;
}

bool reach_was_asleep(Reach *reach)
{
    gint64 slept = reach->config.clock->asleep();
    bool was = slept - reach->slept > ASLEEP_SECONDS * SECOND;

    reach->slept = slept;
    if (was && reach->state == REACH_LOST) {
        reach->failures = 0;
        reach->ended = 0;
    }
    return was;
}
