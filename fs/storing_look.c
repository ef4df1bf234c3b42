#include "failure.h"
#include "letters.h"
#include "storing_private.h"

#include <errno.h>

/* The server may be about to store what it has got, when the connection is lost. */
enum { PAUSE_MILLIS = 1000 };

unsigned storing_again_millis = 3000;

static gboolean on_timer(gpointer data);

bool storing_may_be_kept(const Storing *storing, const Draft *now)
{
    return storing->closing ||
           (storing->rename_to && now->temporary && !storing->replaced && !storing->source);
}

bool storing_keep(Storing *storing, const GError *error)
{
    Mount *mount = storing->mount;
    Request *request = request_find(mount->requests, storing->waiting);
    g_auto(Draft) now = {0};

    if (!request || !failure_is_lost(error) || !drafts_find(mount->drafts, storing->ino, &now) ||
        now.removed || now.version != storing->draft.version ||
        !storing_may_be_kept(storing, &now) ||
        !letters_keep_lost(mount->letters, request, storing->rename_to,
                           storing->unsure ? storing->first : 0, error))
        return false;
    storing->waiting = 0;
    storing_end(storing, NULL);
    return true;
}

static void note_found(gpointer data, uint32_t uidvalidity, uint32_t uid, uint64_t size)
{
    Storing *storing = data;
    uint64_t ino = storing_message_ino(storing, uid);
    const Found found = {uid, size};

    if (uidvalidity == storing->uidvalidity && uid >= storing->first &&
        !g_hash_table_contains(storing->mount->storer->ours, &ino))
        g_array_append_val(storing->found, found);
}

static bool take_found(Storing *storing)
{
    for (guint i = 0; i < storing->found->len; i++) {
        const Found *found = &g_array_index(storing->found, Found, i);
        if (found->size != storing->size)
            continue;
        storing->uid = found->uid;
        storing->told_uidvalidity = storing->uidvalidity;
        return true;
    }
    return false;
}

/* One with its Message-ID and another size may be it, as the server changed it; and a server that
 * was silent may yet be about to store it. */
static bool is_surely_lost(const Storing *storing)
{
    bool alike = storing->outgoing.message_id && storing->found->len;

    return !alike && mail_errno(storing->failure) != ETIMEDOUT;
}

static void look_done(gpointer data, const GError *error)
{
    Storing *storing = data;

    if (!error && take_found(storing)) {
        storing_succeed(storing);
    } else if (storing->told) { /* it is there; its UID is found by the next look at the folder */
        storing_succeed(storing);
    } else if (error && storing_keep(storing, error)) {
        return;
    } else if (error || !is_surely_lost(storing)) {
        storing_fail_unsure(storing);
    } else if (storing->patient) {
        storing->patient = false;
        storing->timer = engine_after(storing_again_millis, on_timer, storing);
    } else if (storing->source) {
        storing_fail_with(storing, EOPNOTSUPP, "a message was not copied at the server");
    } else if (!storing->again) {
        storing->again = true;
        storing_begin(storing);
    } else {
        storing_fail(storing, storing->failure);
    }
}

void storing_look(Storing *storing)
{
    g_auto(CatalogFolder) folder = {0};

    if (!catalog_folder(storing->mount->catalog, storing->draft.folder, &folder)) {
        storing_fail_with(storing, ESTALE, "the folder is gone");
        return;
    }
    const MailFind find = {.folder = folder.name,
                           .uidvalidity = storing->uidvalidity,
                           .first = storing->first,
                           .message_id = storing->outgoing.message_id};
    g_array_set_size(storing->found, 0);
    mail_store_find(storing->mount->store, &find, note_found, look_done, storing);
}

static gboolean on_timer(gpointer data)
{
    Storing *storing = data;

    engine_cancel(&storing->timer);
    storing_look(storing);
    return G_SOURCE_REMOVE;
}

void storing_look_soon(Storing *storing)
{
    if (mail_errno(storing->failure) == ETIMEDOUT) {
        storing_look(storing); /* there was time enough */
        return;
    }
    storing->timer = engine_after(PAUSE_MILLIS, on_timer, storing);
}
