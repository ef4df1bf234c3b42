#include "offline.h"

#include "failure.h"
#include "letters.h"
#include "refresh.h"
#include "sync.h"

#include <errno.h>

/*
 * `away` and `asked` (when somebody last needed the server, monotonic seconds) are atomic. `seen`
 * is whether the server was reached before, in this mount, and `why` is what it is away for, or was
 * last; both are the engine's.
 */
struct Offline {
    Mount *mount;
    gint away;
    gint asked;
    bool seen;
    GError *why;
};

Offline *offline_new(Mount *mount)
{
    Offline *offline = g_new0(Offline, 1);

    offline->mount = mount;
    return offline;
}

void offline_free(Offline *offline)
{
    if (offline)
        g_clear_error(&offline->why);
    g_free(offline);
}

bool offline_is(const Offline *offline)
{
    return g_atomic_int_get(&offline->away);
}

GError *offline_error(const Offline *offline)
{
    return offline->why ? g_error_copy(offline->why)
                        : g_error_new(MAIL_ERROR, ENETUNREACH, "the server is away");
}

bool offline_is_refusal(const Offline *offline, const GError *error)
{
    return failure_is_refusal(error) && !offline_is(offline);
}

/* --- what the store tells ------------------------------------------------------------------- */

static void lost(Offline *offline, const GError *error)
{
    g_atomic_int_set(&offline->away, 1);
    g_clear_error(&offline->why);
    offline->why = g_error_copy(error);
    if (!offline->seen)
        return; /* who mounts is told otherwise */
    g_warning(mail_errno(error) == EACCES
                  ? "the server lets us in no more; what is cached can be read: %s"
                  : "the server is away; what is cached can be read: %s",
              error->message);
}

static void reached(Offline *offline)
{
    Mount *mount = offline->mount;
    bool was_away = g_atomic_int_get(&offline->away);

    g_atomic_int_set(&offline->away, 0);
    offline->seen = true;
    if (!was_away)
        return;
    g_message("the server is there again");
    refresh_reached(mount->refresher);
    offline_note_features(offline);
    sync_begin(mount);
    letters_reached(mount->letters);
}

static void told(gpointer data, const GError *error)
{
    if (error)
        lost(data, error);
    else
        reached(data);
}

void offline_begin(Offline *offline)
{
    mail_store_watch_link(offline->mount->store, told, offline);
}

/* --- who needs the server ------------------------------------------------------------------- */

static void nothing_more(gpointer data, const GError *error)
{
    (void)data, (void)error;
}

static void try_now(gpointer data)
{
    Offline *offline = data;

    if (offline->mount->store)
        mail_store_connect(offline->mount->store, nothing_more, NULL);
}

void offline_need(Offline *offline)
{
    gint now = (gint)(g_get_monotonic_time() / G_USEC_PER_SEC);
    gint asked = g_atomic_int_get(&offline->asked);

    if (now != asked && g_atomic_int_compare_and_exchange(&offline->asked, asked, now))
        engine_post(offline->mount->engine, try_now, offline);
}

/* --- beginning without it ------------------------------------------------------------------- */

void offline_note_features(Offline *offline)
{
    Mount *mount = offline->mount;
    unsigned features = mail_store_features(mount->store);

    /* Of a read-only mount the store does not tell all. */
    if (mount->options->read_only || features == catalog_features(mount->catalog))
        return;
    catalog_note_features(mount->catalog, features);
    catalog_flush(mount->catalog); /* a new folder is written down at once, and does without */
}

bool offline_start(Offline *offline, GError **error)
{
    static const unsigned changes = MAIL_STORE_CHANGES | MAIL_STORE_MOVES | MAIL_STORE_NEW_UIDS |
                                    MAIL_STORE_REPLACES | MAIL_STORE_MAKES | MAIL_STORE_REMOVE;
    Mount *mount = offline->mount;
    unsigned features = catalog_features(mount->catalog);

    if (!refresh_list_known(mount->refresher, error))
        return false;
    offline->seen = true;
    g_atomic_int_set(&offline->away, 1);
    mount->features = mail_store_features(mount->store) |
                      (mount->options->read_only ? features & ~changes : features);
    return true;
}
