#include "flag_changes_private.h"

#include "arrivals.h"
#include "failure.h"
#include "flush.h"
#include "inode.h"
#include "offline.h"
#include "refresh.h"
#include "undone.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void go_on(FlagChanges *changes);

/* --- a round -----------------------------------------------------------------------------------
 */

static bool has_failed(const FlagChanges *changes, uint32_t folder)
{
    return g_hash_table_contains(changes->failed, GUINT_TO_POINTER(folder));
}

static bool is_looked_at(const FlagChanges *changes, uint32_t folder)
{
    return g_hash_table_contains(changes->looked, GUINT_TO_POINTER(folder));
}

static void note_failure(FlagChanges *changes, uint32_t folder, const GError *error)
{
    g_hash_table_add(changes->failed, GUINT_TO_POINTER(folder));
    if (changes->failure && !failure_is_lost(error))
        return;
    g_clear_error(&changes->failure);
    changes->failure = g_error_copy(error);
}

static void note_refusal(FlagChanges *changes, const GError *error)
{
    if (changes->syncing.head && !changes->refusal)
        changes->refusal = g_error_copy(error);
}

static void tell_once(MailDone *done, gpointer data, const GError *error)
{
    MailDone told = *done;

    *done = NULL;
    if (told)
        told(data, error);
}

void flag_round_leave(FlagChanges *changes, const GError *error)
{
    guint left = g_hash_table_size(changes->all);

    if (!changes->done)
        return;
    turn_cancel(&changes->turn);
    engine_cancel(&changes->deadline);
    if (left)
        g_message("the flags of %u messages are still to be set at the server: the next mount does "
                  "it%s%s",
                  left, error ? ": " : "", error ? error->message : "");
    tell_once(&changes->done, changes->done_data, NULL);
}

/* All had their turn, or none can have it. */
static void end_round(FlagChanges *changes)
{
    g_autoptr(GError) failure = g_steal_pointer(&changes->failure);
    g_autoptr(GError) refusal = g_steal_pointer(&changes->refusal);

    g_hash_table_remove_all(changes->looked);
    g_hash_table_remove_all(changes->failed);
    if (failure && g_hash_table_size(changes->all) && !changes->closed)
        turn_plan_again(&changes->turn, failure, "flagged");
    else
        changes->turn.failures = 0;
    request_resume_all(&changes->syncing, failure ? failure : refusal);
    tell_once(&changes->begun, changes->begun_data, failure);
    flag_round_leave(changes, failure);
}

/* The user knows nothing of it yet. */
void flag_round_give_up(FlagChanges *changes, const Change *change, const char *why)
{
    g_autoptr(GError) error = g_error_new(MAIL_ERROR, ENOENT, "message %u: %s", change->uid, why);

    undone_note(1,
                "the flags of message %u are not set (\"%s\" to be added, \"%s\" to be taken "
                "away): %s",
                change->uid, change->add, change->take, why);
    note_refusal(changes, error);
    flag_changes_close(changes, change);
}

/* --- telling the server ------------------------------------------------------------------------
 */

static void note_permanent(gpointer data, const char *flags)
{
    (void)data, (void)flags; /* what can't be kept is refused by the store */
}

static void note_stored(gpointer data, uint32_t uid)
{
    FlagChanges *changes = data;
    Change *change = flag_changes_find(changes, inode_number(INODE_MESSAGE, changes->folder, uid));

    if (change && change->sent)
        change->stored = true;
}

static void note_modified(gpointer data, uint32_t uid)
{
    (void)data, (void)uid; /* that is not asked */
}

static void op_done(gpointer data, const GError *error);

/* Of all that are sent. False: the folder is gone. */
static bool ask(FlagChanges *changes, MailFlagsHow how, const char *flags)
{
    static const MailFlagsSink sink = {note_permanent, note_stored, note_modified};
    Mount *mount = changes->mount;
    g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    g_auto(CatalogFolder) folder = {0};
    GHashTableIter iter;
    gpointer value;

    if (!catalog_folder(mount->catalog, changes->folder, &folder))
        return false;
    g_hash_table_iter_init(&iter, changes->all);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Change *change = value;
        change->stored = false;
        if (change->sent)
            g_array_append_val(uids, change->uid);
    }
    qsort(uids->data, uids->len, sizeof(uint32_t), mail_compare_uids);
    const MailFlags what = {.folder = folder.name,
                            .uidvalidity = folder.state.uidvalidity,
                            .uids = (const uint32_t *)(void *)uids->data,
                            .n_uids = uids->len,
                            .how = how,
                            .flags = flags};
    mail_store_flags(mount->store, &what, &sink, op_done, changes);
    return true;
}

/* The server has it. What the user said since is yet to be done. */
static void finish(FlagChanges *changes, Change *change)
{
    Mount *mount = changes->mount;
    g_autofree char *known = NULL, *flags = NULL;
    CatalogMessage message;

    change->sent = false;
    if (change->version != change->sent_version)
        return;
    if (catalog_message(mount->catalog, change->folder, change->uid, &message)) {
        known = catalog_flags(mount->catalog, message.flag_set);
        flags = flag_changes_applied(change, known);
        catalog_put_messages(
            mount->catalog, change->folder,
            &(MailMessage){.uid = change->uid, .has = MAIL_HAS_FLAGS, .flags = flags}, 1);
    }
    flag_changes_close(changes, change);
}

static GPtrArray *sent(const FlagChanges *changes)
{
    GPtrArray *array = g_ptr_array_new();
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, changes->all);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        if (((Change *)value)->sent)
            g_ptr_array_add(array, value);
    return array;
}

/* Of who was told that it is done. */
static void refuse(FlagChanges *changes, const GPtrArray *all, const GError *error)
{
    const Change *first = all->pdata[0];
    g_auto(CatalogFolder) folder = {0};

    catalog_folder(changes->mount->catalog, changes->folder, &folder);
    undone_note(all->len,
                "folder \"%s\": the flags of %u messages, as of message %u, are not set (\"%s\" to "
                "be added, \"%s\" to be taken away), and are shown as they are: %s",
                folder.name ? folder.name : "", all->len, first->uid, first->add, first->take,
                error->message);
    note_refusal(changes, error);
    for (guint i = 0; i < all->len; i++)
        flag_changes_close(changes, all->pdata[i]);
}

static void settle(FlagChanges *changes, const GError *error)
{
    g_autoptr(GPtrArray) all = sent(changes);
    g_autoptr(GPtrArray) refused = g_ptr_array_new();
    g_autoptr(GError) nothing = NULL;
    bool refuses = !error || offline_is_refusal(changes->mount->offline, error);

    for (guint i = 0; i < all->len; i++) {
        Change *change = all->pdata[i];
        if (!error && change->stored)
            finish(changes, change);
        else if (!refuses)
            change->sent = false;
        else
            g_ptr_array_add(refused, change);
    }
    if (!error)
        nothing = g_error_new(MAIL_ERROR, EACCES, "the server does not set them");
    if (refused->len)
        refuse(changes, refused, error ? error : nothing);
    if (!refuses)
        note_failure(changes, changes->folder, error);
}

static void op_done(gpointer data, const GError *error)
{
    FlagChanges *changes = data;
    g_autofree char *take = g_steal_pointer(&changes->take);
    Mount *mount = changes->mount;

    if (!error && take && ask(changes, MAIL_FLAGS_TAKE, take))
        return;
    changes->under_way = false;
    settle(changes, error);
    refresh_stale(mount->refresher, changes->folder);
    if (error && mail_errno(error) == ENOENT) {
        refresh_stale(mount->refresher, 0);
        refresh_list_soon(mount->refresher);
    }
    flush_soon(mount->flusher);
    if (error && mail_errno(error) == ECANCELED)
        return; /* the store is being closed */
    if (failure_is_lost(error))
        end_round(changes);
    else
        go_on(changes);
}

/* All of the folder that get the same. */
static void send(FlagChanges *changes, const Change *first)
{
    GHashTableIter iter;
    gpointer value;

    changes->under_way = true;
    changes->folder = first->folder;
    g_hash_table_iter_init(&iter, changes->all);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Change *change = value;
        if (change->folder != first->folder || strcmp(change->add, first->add) != 0 ||
            strcmp(change->take, first->take) != 0)
            continue;
        change->sent = true;
        change->sent_version = change->version;
    }
    changes->take = *first->add && *first->take ? g_strdup(first->take) : NULL;
    ask(changes, *first->add ? MAIL_FLAGS_ADD : MAIL_FLAGS_TAKE,
        *first->add ? first->add : first->take);
}

/* --- whose turn it is --------------------------------------------------------------------------
 */

/* The first, by folder, that can have its turn now. */
static Change *next(const FlagChanges *changes)
{
    Change *first = NULL;
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, changes->all);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Change *change = value;
        if (has_failed(changes, change->folder) ||
            arrivals_has(changes->mount->arrivals, change->ino)) /* see flag_changes_moved */
            continue;
        if (!first || change->folder < first->folder)
            first = change;
    }
    return first;
}

/* The server is asked what there is in the folder; flag_changes_listed goes on. */
static void look(FlagChanges *changes, uint32_t folder)
{
    Refresher *refresher = changes->mount->refresher;

    changes->looking = folder;
    refresh_stale(refresher, folder);
    if (!refresh_folder_soon(refresher, folder))
        flag_changes_forget_folder(changes, folder);
}

static void go_on(FlagChanges *changes)
{
    Change *change = next(changes);
    CatalogMessage message;

    while (change && is_looked_at(changes, change->folder) &&
           !catalog_message(changes->mount->catalog, change->folder, change->uid, &message)) {
        flag_round_give_up(changes, change, "it is gone");
        change = next(changes);
    }
    if (!change)
        end_round(changes);
    else if (!is_looked_at(changes, change->folder))
        look(changes, change->folder);
    else
        send(changes, change);
}

void flag_changes_listed(FlagChanges *changes, uint32_t folder, const GError *error)
{
    if (changes->closed || changes->looking != folder)
        return;
    changes->looking = 0;
    if (error)
        note_failure(changes, folder, error);
    else
        g_hash_table_add(changes->looked, GUINT_TO_POINTER(folder));
    if (failure_is_lost(error))
        end_round(changes);
    else
        go_on(changes);
}

/* While the server is away, its return is the next occasion. */
void flag_round_begin(gpointer data)
{
    FlagChanges *changes = data;

    if (changes->under_way || changes->looking || changes->closed)
        return;
    turn_cancel(&changes->turn);
    if (offline_is(changes->mount->offline)) {
        g_autoptr(GError) error = offline_error(changes->mount->offline);
        request_resume_all(&changes->syncing, error);
        tell_once(&changes->begun, changes->begun_data, error);
        flag_round_leave(changes, error);
        return;
    }
    g_hash_table_remove_all(changes->failed);
    go_on(changes);
}

void flag_changes_begin(FlagChanges *changes, MailDone done, gpointer data)
{
    changes->begun = done;
    changes->begun_data = data;
    flag_round_begin(changes);
}
