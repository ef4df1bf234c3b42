#include "removal.h"

#include "../cache/journal.h"
#include "arrivals.h"
#include "dircache.h"
#include "failure.h"
#include "inode.h"
#include "inode_map.h"
#include "leave.h"
#include "offline.h"
#include "refresh.h"
#include "remover.h"
#include "turn.h"
#include "undone.h"

#include <errno.h>
#include <stdlib.h>

/*
 * A message to be removed. `waiting` are unlinks: of one that is on its way to the journal (not
 * `kept`), until that is written; of one that the journal could not take, until the server has
 * confirmed.
 */
typedef struct {
    uint64_t ino;
    uint32_t folder, uid;
    bool queued; /* the server is to be told, or is being told */
    bool kept;   /* it is in the journal */
    bool sent;   /* it is part of the operation under way */
    bool gone;   /* the server has confirmed; */
    bool marked; /* but it is there, marked \Deleted */
    GQueue waiting;
} Removal;

/* What the journal's thread tells the engine. */
typedef struct {
    Mount *mount;
    uint64_t ino;
    GError *error;
} Written;

/* `hidden` has those that are queued, for any thread. All else is the engine thread's. */
struct Removals {
    Mount *mount;
    Journal *journal;
    InodeMap *hidden;
    GHashTable *all; /* ino -> Removal */
    Remover *remover;
    gint confirmed;     /* atomic: something was */
    bool under_way;     /* an operation, or the look before it */
    bool looking;       /* the latter */
    uint32_t folder;    /* the operation's */
    GHashTable *failed; /* folder ids: where it failed, while the others have their turn */
    GError *failure;    /* of the first of them */
    GError *refusal;    /* of this round, to be told to who waits */
    Turn turn;          /* of the next operation */
    GQueue syncing;     /* Request: until all are done */
    MailDone done;      /* of removals_finish */
    gpointer done_data;
    GSource *deadline;
};

static void begin(gpointer data);

/* --- life ------------------------------------------------------------------------------------- */

static Removal *removal_new(Removals *removals, uint32_t folder, uint32_t uid)
{
    Removal *removal = g_new0(Removal, 1);

    removal->ino = inode_number(INODE_MESSAGE, folder, uid);
    removal->folder = folder;
    removal->uid = uid;
    g_queue_init(&removal->waiting);
    g_hash_table_insert(removals->all, &removal->ino, removal);
    return removal;
}

static Removal *find(Removals *removals, uint64_t ino)
{
    return g_hash_table_lookup(removals->all, &ino);
}

static void hide(Removals *removals, Removal *removal)
{
    removal->queued = true;
    inode_map_put(removals->hidden, removal->ino, 0);
}

Removals *removals_new(Mount *mount, Journal *journal)
{
    Removals *removals = g_new0(Removals, 1);
    g_autoptr(GArray) left = journal_removals(journal);

    removals->mount = mount;
    removals->turn = (Turn){.begin = begin, .data = removals};
    removals->journal = journal;
    removals->remover = remover_new(mount, journal);
    removals->hidden = inode_map_new();
    removals->all = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    removals->failed = g_hash_table_new(NULL, NULL);
    g_queue_init(&removals->syncing);
    for (guint i = 0; i < left->len; i++) {
        const JournalRemoval *entry = &g_array_index(left, JournalRemoval, i);
        Removal *removal = removal_new(removals, entry->folder, entry->uid);
        removal->kept = true;
        hide(removals, removal);
    }
    if (left->len)
        g_message("%u messages that were deleted before are still to be deleted at the server",
                  left->len);
    return removals;
}

void removals_free(Removals *removals)
{
    if (!removals)
        return;
    turn_cancel(&removals->turn);
    engine_cancel(&removals->deadline);
    remover_free(removals->remover);
    g_hash_table_unref(removals->failed);
    g_clear_error(&removals->failure);
    g_clear_error(&removals->refusal);
    g_hash_table_unref(removals->all);
    inode_map_free(removals->hidden);
    g_free(removals);
}

/* What was read of the catalog before that was confirmed does not tell of it. */
static bool is_gone_since(Removals *removals, uint32_t folder, uint32_t uid)
{
    CatalogMessage now;

    return g_atomic_int_get(&removals->confirmed) &&
           (!catalog_message(removals->mount->catalog, folder, uid, &now) || now.deleted);
}

bool removals_hide(Removals *removals, uint32_t folder, const CatalogMessage *message)
{
    uint64_t ino = inode_number(INODE_MESSAGE, folder, message->uid);

    return message->deleted || inode_map_has(removals->hidden, ino) ||
           inode_map_has(removals->mount->moved, ino) ||
           arrivals_has(removals->mount->arrivals, ino) ||
           is_gone_since(removals, folder, message->uid);
}

static guint count_queued(const Removals *removals)
{
    GHashTableIter iter;
    gpointer removal;
    guint n = 0;

    g_hash_table_iter_init(&iter, removals->all);
    while (g_hash_table_iter_next(&iter, NULL, &removal))
        n += ((Removal *)removal)->queued;
    return n;
}

void removals_describe(Removals *removals, GString *text)
{
    g_string_append_printf(text, "deletions-pending: %u\n", count_queued(removals));
}

/* --- how a removal ends ----------------------------------------------------------------------- */

static void remove_removal(Removals *removals, Removal *removal)
{
    if (removal->kept)
        journal_end_removal(removals->journal, (JournalRemoval){removal->folder, removal->uid});
    g_hash_table_remove(removals->all, &removal->ino);
}

void removals_note_marked(Removals *removals, uint32_t folder, uint32_t uid)
{
    g_auto(CatalogFolder) about = {0};

    leave_marked(removals->mount, folder, uid);
    if (catalog_folder(removals->mount->catalog, folder, &about))
        remover_note_marked(removals->remover, &about, uid);
}

/* The catalog forgets it ahead of its being shown, so that nobody sees it in between. */
static void confirm(Removals *removals, Removal *removal)
{
    Mount *mount = removals->mount;

    if (removal->marked) {
        leave_marked(mount, removal->folder, removal->uid);
    } else {
        leave_gone(mount, removal->folder, removal->uid);
        content_drop(mount->content, removal->folder, removal->uid);
    }
    g_atomic_int_set(&removals->confirmed, 1);
    inode_map_remove(removals->hidden, removal->ino);
    request_resume_all(&removal->waiting, NULL);
    remove_removal(removals, removal);
}

/* The message is there again. */
static void give_back(Removals *removals, Removal *removal, const GError *error)
{
    Mount *mount = removals->mount;
    uint64_t parent = mount_folder_ino(mount, removal->folder);

    inode_map_remove(removals->hidden, removal->ino);
    dircache_changed(mount->directories, parent);
    notify_directory(mount->notifier, parent);
    request_resume_all(&removal->waiting, error);
    remove_removal(removals, removal);
}

static void end_finish(gpointer data, const GError *error)
{
    Removals *removals = data;
    MailDone done = removals->done;

    removals->done = NULL;
    engine_cancel(&removals->deadline);
    if (done)
        done(removals->done_data, error);
}

static void leave_finish(Removals *removals, const GError *error)
{
    guint left = count_queued(removals);

    if (!removals->done)
        return;
    turn_cancel(&removals->turn);
    if (left)
        g_message("%u messages are still to be deleted at the server: the next mount does it%s%s",
                  left, error ? ": " : "", error ? error->message : "");
    if (!failure_is_lost(error) && remover_wants_expunge(removals->remover))
        remover_expunge(removals->remover, end_finish, removals);
    else
        end_finish(removals, NULL);
}

/* --- telling the server ----------------------------------------------------------------------- */

/* One more has come. While the server is refusing to be talked to, its turn comes with the others'.
 */
static void arm_pause(Removals *removals)
{
    if (!removals->under_way && !removals->turn.failures)
        turn_plan_soon(&removals->turn, removals->syncing.head != NULL);
}

/* Whether it is the removal's folder's turn, or nobody's yet. */
static bool has_its_turn(const Removals *removals, const Removal *removal)
{
    if (!removal->queued)
        return false;
    if (removals->folder)
        return removal->folder == removals->folder;
    return !g_hash_table_contains(removals->failed, GUINT_TO_POINTER(removal->folder));
}

/* Those of one folder that has not failed are marked as sent; false: there are none. */
static bool collect(Removals *removals)
{
    GHashTableIter iter;
    gpointer value;

    removals->folder = 0;
    g_hash_table_iter_init(&iter, removals->all);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Removal *removal = value;
        if (!has_its_turn(removals, removal))
            continue;
        removals->folder = removal->folder;
        removal->sent = true;
    }
    return removals->folder != 0;
}

static void note_removed(gpointer data, uint32_t uid, RemoverOutcome outcome)
{
    Removals *removals = data;
    Removal *removal = find(removals, inode_number(INODE_MESSAGE, removals->folder, uid));

    if (!removal || !removal->sent)
        return;
    removal->gone = true;
    removal->marked = outcome == REMOVER_MARKED;
}

static GPtrArray *sent(const Removals *removals)
{
    GPtrArray *array = g_ptr_array_new();
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, removals->all);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        if (((Removal *)value)->sent)
            g_ptr_array_add(array, value);
    return array;
}

/* Success of the operation refuses what was not told of: NULL, or of how many that is. */
static GError *refusal_of(const GPtrArray *removed)
{
    uint32_t uid = 0;
    guint n = 0;

    for (guint i = 0; i < removed->len; i++) {
        const Removal *removal = removed->pdata[i];
        if (removal->gone)
            continue;
        uid = removal->uid;
        n++;
    }
    if (n == 1)
        return g_error_new(MAIL_ERROR, EACCES, "message %u: the server does not delete it", uid);
    return n ? g_error_new(MAIL_ERROR, EACCES, "%u messages: the server does not delete them", n)
             : NULL;
}

/* Who waits for a removal that is in no journal is told of the failure; the others are tried again.
 */
static void settle(Removals *removals, Removal *removal, const GError *error)
{
    removal->sent = false;
    if (removal->gone)
        confirm(removals, removal);
    else if (!removal->kept || offline_is_refusal(removals->mount->offline, error))
        give_back(removals, removal, error);
}

/* That the store knows no UIDs yet, or others, a look at the folder mends; that the folder is not
 * there, a look at the list. */
static void look_again(Removals *removals, const GError *error)
{
    Refresher *refresher = removals->mount->refresher;

    if (mail_errno(error) == ESTALE) {
        refresh_stale(refresher, removals->folder);
        refresh_folder_soon(refresher, removals->folder);
    } else if (mail_errno(error) == ENOENT) {
        refresh_stale(refresher, 0);
        refresh_list_soon(refresher);
    }
}

/* All folders had their turn, or none can have it. */
static void end_round(Removals *removals)
{
    g_autoptr(GError) failure = g_steal_pointer(&removals->failure);
    g_autoptr(GError) refusal = g_steal_pointer(&removals->refusal);
    bool retry = failure && count_queued(removals);

    g_hash_table_remove_all(removals->failed);
    if (retry)
        turn_plan_again(&removals->turn, failure, "deleted");
    else
        removals->turn.failures = 0;
    if (retry && mail_errno(failure) == ESTALE)
        return; /* who waits, waits for the look */
    request_resume_all(&removals->syncing, failure ? failure : refusal);
    leave_finish(removals, failure);
}

/* kept: of how many that failed everybody was told that they are gone. */
static void note_failure(Removals *removals, const GError *error, guint kept)
{
    if (offline_is_refusal(removals->mount->offline, error)) {
        if (kept)
            undone_note(kept, "messages are not deleted, and shown again: %s", error->message);
        else
            g_warning("messages are not deleted, and shown again: %s", error->message);
        if (removals->syncing.head && !removals->refusal)
            removals->refusal = g_error_copy(error);
        return;
    }
    look_again(removals, error);
    g_hash_table_add(removals->failed, GUINT_TO_POINTER(removals->folder));
    if (!removals->failure || failure_is_lost(error)) {
        g_clear_error(&removals->failure);
        removals->failure = g_error_copy(error);
    }
}

static void op_done(gpointer data, const GError *error)
{
    Removals *removals = data;
    g_autoptr(GPtrArray) removed = sent(removals);
    g_autoptr(GError) failure = error ? g_error_copy(error) : refusal_of(removed);
    guint kept = 0;

    removals->under_way = false;
    for (guint i = 0; i < removed->len; i++) {
        const Removal *removal = removed->pdata[i];
        kept += removal->kept && !removal->gone;
        settle(removals, removed->pdata[i], failure);
    }
    if (failure && mail_errno(failure) == ECANCELED)
        return; /* the store is being closed */
    if (failure)
        note_failure(removals, failure, kept);
    if (failure_is_lost(failure))
        end_round(removals);
    else
        turn_plan(&removals->turn, 0); /* other folders, and what has come meanwhile */
}

/* Of a folder that is no more, so are its messages. */
static void forget_folder(Removals *removals)
{
    g_autoptr(GPtrArray) removed = sent(removals);

    for (guint i = 0; i < removed->len; i++)
        confirm(removals, removed->pdata[i]);
    turn_plan(&removals->turn, 0);
}

static const RemoverEvents remover_events = {note_removed, op_done};

static void tell_server(Removals *removals)
{
    g_autoptr(GPtrArray) removed = sent(removals);
    g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    g_auto(CatalogFolder) about = {0};

    if (!removed->len || !catalog_folder(removals->mount->catalog, removals->folder, &about)) {
        removals->under_way = false;
        forget_folder(removals);
        return;
    }
    for (guint i = 0; i < removed->len; i++)
        g_array_append_val(uids, ((Removal *)removed->pdata[i])->uid);
    qsort(uids->data, uids->len, sizeof(uint32_t), mail_compare_uids);
    remover_begin(removals->remover, &about, (const uint32_t *)(void *)uids->data, uids->len,
                  &remover_events, removals);
}

/*
 * A mailbox may be in an earlier state than it was, as from a backup; then a UID stands for another
 * message there than here. A look finds that out, and gives the folder another id.
 */
static void begin(gpointer data)
{
    Removals *removals = data;
    Refresher *refresher = removals->mount->refresher;

    if (removals->under_way)
        return;
    turn_cancel(&removals->turn);
    if (!collect(removals)) {
        end_round(removals);
        return;
    }
    removals->under_way = true;
    if (!refresh_is_fresh(refresher, removals->folder))
        refresh_folder_soon(refresher, removals->folder);
    removals->looking = refresh_is_looking(refresher, removals->folder);
    if (!removals->looking)
        tell_server(removals);
}

void removals_looked(Removals *removals)
{
    if (!removals->looking || refresh_is_looking(removals->mount->refresher, removals->folder))
        return;
    removals->looking = false;
    tell_server(removals);
}

/* Where nothing may be changed, all that is left waits for another mount. */
void removals_begin(Removals *removals)
{
    if (count_queued(removals) && !removals->mount->options->read_only)
        turn_plan(&removals->turn, 0);
}

/* --- who removes ------------------------------------------------------------------------------ */

/* From here on nobody sees it. The kernel, which is unlinking it, knows; a listing that it keeps
 * does not. */
static void accept_removal(Removals *removals, Removal *removal)
{
    Mount *mount = removals->mount;

    hide(removals, removal);
    dircache_changed(mount->directories, mount_folder_ino(mount, removal->folder));
    if (removal->kept)
        request_resume_all(&removal->waiting, NULL);
    arm_pause(removals);
}

/* The journal has it, or can't. Who was interrupted meanwhile has been told that nothing happens.
 */
static void written(Removals *removals, Removal *removal, const GError *error)
{
    removal->kept = !error;
    if (removal->waiting.head || removal->queued)
        accept_removal(removals, removal);
    else
        remove_removal(removals, removal);
}

static void written_now(gpointer data)
{
    g_autofree Written *result = data;
    g_autoptr(GError) error = result->error;
    Removal *removal = find(result->mount->removals, result->ino);

    if (removal)
        written(result->mount->removals, removal, error);
}

static void on_written(gpointer data, const GError *error)
{
    Written *result = data;

    result->error = error ? g_error_copy(error) : NULL;
    engine_post(result->mount->engine, written_now, result);
}

/* What a folder's id stands for may be known to this mount alone. */
static void write_down(Removals *removals, Removal *removal)
{
    Written *result = g_new0(Written, 1);

    result->mount = removals->mount;
    result->ino = removal->ino;
    if (removal->folder >= CATALOG_TEMPORARY) {
        g_autoptr(GError) error = g_error_new(MAIL_ERROR, ENOSPC, "the cache is in memory alone");
        on_written(result, error);
        return;
    }
    journal_add_removal(removals->journal, (JournalRemoval){removal->folder, removal->uid},
                        on_written, result);
}

void removals_add(Removals *removals, Request *request)
{
    g_autoptr(GError) error = NULL;
    Inode inode = inode_of(request->ino);
    CatalogMessage message;
    Removal *removal;

    if (find(removals, request->ino) ||
        !catalog_message(removals->mount->catalog, inode.folder, inode.uid, &message)) {
        error = g_error_new(MAIL_ERROR, ENOENT, "message %u: it is gone", inode.uid);
        request_resume(request, error);
        return;
    }
    removal = removal_new(removals, inode.folder, inode.uid);
    request_wait(request, &removal->waiting);
    write_down(removals, removal);
}

/* It is hidden at once. */
void removals_drop(Removals *removals, uint32_t folder, uint32_t uid)
{
    Removal *removal;

    if (find(removals, inode_number(INODE_MESSAGE, folder, uid)))
        return;
    removal = removal_new(removals, folder, uid);
    hide(removals, removal);
    write_down(removals, removal);
}

void removals_wait(Removals *removals, Request *request)
{
    if (!count_queued(removals) || removals->mount->options->read_only) {
        request_resume(request, NULL);
        return;
    }
    request_wait(request, &removals->syncing);
    begin(removals);
}

/* --- the end ---------------------------------------------------------------------------------- */

static gboolean on_deadline(gpointer data)
{
    end_finish(data, NULL);
    return G_SOURCE_REMOVE;
}

void removals_finish(Removals *removals, MailDone done, gpointer data)
{
    if (removals->mount->options->read_only) {
        done(data, NULL);
        return;
    }
    removals->done = done;
    removals->done_data = data;
    removals->deadline = engine_after(mount_patience(removals->mount), on_deadline, removals);
    begin(removals);
}
