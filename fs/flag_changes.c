#include "flag_changes_private.h"

#include "../cache/scopedlock.h"
#include "flagtext.h"
#include "inode.h"
#include "offline.h"
#include "undone.h"

#include <errno.h>

/* What the journal's thread tells the engine. `add` and `take` are as they were before; both NULL:
 * there was no change. */
typedef struct {
    Mount *mount;
    uint64_t ino;
    uint64_t waiting; /* the request's id */
    guint version;
    char *add, *take;
    GError *error;
} Written;

/* --- life ------------------------------------------------------------------------------------- */

static void change_free(gpointer data)
{
    Change *change = data;

    g_free(change->add);
    g_free(change->take);
    g_free(change);
}

Change *flag_changes_find(const FlagChanges *changes, uint64_t ino)
{
    return g_hash_table_lookup(changes->all, &ino);
}

/* What it was before is freed. */
static void put(FlagChanges *changes, uint64_t ino, char *add, char *take)
{
    Change *change = flag_changes_find(changes, ino);
    Inode inode = inode_of(ino);

    SCOPED_LOCK(&changes->lock);
    if (!change) {
        change = g_new0(Change, 1);
        change->ino = ino;
        change->folder = inode.folder;
        change->uid = inode.uid;
        g_hash_table_insert(changes->all, &change->ino, change);
    }
    g_free(change->add);
    g_free(change->take);
    change->add = add;
    change->take = take;
    change->version++;
}

static void forget(FlagChanges *changes, const Change *change)
{
    SCOPED_LOCK(&changes->lock);

    g_hash_table_remove(changes->all, &change->ino);
}

/* It is done, or will not be. */
void flag_changes_close(FlagChanges *changes, const Change *change)
{
    journal_end_flags(changes->mount->journal, change->folder, change->uid);
    forget(changes, change);
}

static void take_up(FlagChanges *changes, const JournalFlags *entry)
{
    Mount *mount = changes->mount;
    g_auto(CatalogFolder) folder = {0};

    if (catalog_folder(mount->catalog, entry->folder, &folder)) {
        put(changes, inode_number(INODE_MESSAGE, entry->folder, entry->uid), g_strdup(entry->add),
            g_strdup(entry->take));
        return;
    }
    undone_note(1, "the flags of message %u are not set: its folder is not there any more",
                entry->uid);
    journal_end_flags(mount->journal, entry->folder, entry->uid);
}

FlagChanges *flag_changes_new(Mount *mount)
{
    FlagChanges *changes = g_new0(FlagChanges, 1);
    g_autoptr(GArray) left = NULL;

    changes->mount = mount;
    changes->turn = (Turn){.begin = flag_round_begin, .data = changes};
    pthread_mutex_init(&changes->lock, NULL);
    changes->all = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, change_free);
    changes->looked = g_hash_table_new(NULL, NULL);
    changes->failed = g_hash_table_new(NULL, NULL);
    g_queue_init(&changes->syncing);
    if (mount->options->read_only || !journal_owns_moves(mount->journal))
        return changes;
    left = journal_flags(mount->journal);
    for (guint i = 0; i < left->len; i++)
        take_up(changes, &g_array_index(left, JournalFlags, i));
    if (left->len)
        g_message("%u messages whose flags were set before are still to get them at the server",
                  left->len);
    return changes;
}

void flag_changes_end(FlagChanges *changes)
{
    turn_cancel(&changes->turn);
    engine_cancel(&changes->deadline);
    changes->closed = true;
}

void flag_changes_free(FlagChanges *changes)
{
    if (!changes)
        return;
    flag_changes_end(changes);
    g_clear_error(&changes->failure);
    g_clear_error(&changes->refusal);
    g_hash_table_unref(changes->looked);
    g_hash_table_unref(changes->failed);
    g_hash_table_unref(changes->all);
    pthread_mutex_destroy(&changes->lock);
    g_free(changes->take);
    g_free(changes);
}

void flag_changes_describe(FlagChanges *changes, GString *text)
{
    g_string_append_printf(text, "flag-changes-pending: %u\n", g_hash_table_size(changes->all));
}

/* --- what is shown -----------------------------------------------------------------------------
 */

char *flag_changes_applied(const Change *change, const char *flags)
{
    g_autofree char *left = flagtext_without(flags, change->take);

    return flagtext_with(left, change->add);
}

char *flag_changes_shown(FlagChanges *changes, uint64_t ino, const CatalogMessage *message)
{
    g_autofree char *flags = catalog_flags(changes->mount->catalog, message->flag_set);
    const Change *change;

    SCOPED_LOCK(&changes->lock);
    change = flag_changes_find(changes, ino);
    return change ? flag_changes_applied(change, flags) : g_steal_pointer(&flags);
}

bool flag_changes_are_kept(FlagChanges *changes, uint64_t ino)
{
    SCOPED_LOCK(&changes->lock);

    return offline_is(changes->mount->offline) || flag_changes_find(changes, ino);
}

void flag_changes_wait(FlagChanges *changes, Request *request)
{
    if (!g_hash_table_size(changes->all)) {
        request_resume(request, NULL);
        return;
    }
    request_wait(request, &changes->syncing);
    flag_round_begin(changes);
}

static gboolean on_deadline(gpointer data)
{
    flag_round_leave(data, NULL);
    return G_SOURCE_REMOVE;
}

void flag_changes_finish(FlagChanges *changes, MailDone done, gpointer data)
{
    changes->done = done;
    changes->done_data = data;
    changes->deadline = engine_after(mount_patience(changes->mount), on_deadline, changes);
    flag_round_begin(changes);
}

/* --- who sets flags ----------------------------------------------------------------------------
 */

/* It is as it was, unless the user has said more since. */
static void take_back(FlagChanges *changes, Written *written)
{
    const Change *change = flag_changes_find(changes, written->ino);

    if (!change || change->version != written->version)
        return;
    if (written->add)
        put(changes, written->ino, g_steal_pointer(&written->add), g_steal_pointer(&written->take));
    else
        forget(changes, change);
}

static void written_now(gpointer data)
{
    Written *written = data;
    FlagChanges *changes = written->mount->flag_changes;
    Request *request = request_find(written->mount->requests, written->waiting);

    if (written->error && written->waiting)
        take_back(changes, written);
    if (request)
        request_resume(request, written->error);
    if (!changes->closed && !offline_is(written->mount->offline))
        turn_plan_soon(&changes->turn, true);
    g_clear_error(&written->error);
    g_free(written->add);
    g_free(written->take);
    g_free(written);
}

static void on_written(gpointer data, const GError *error)
{
    Written *written = data;

    written->error = error ? g_error_copy(error) : NULL;
    engine_post(written->mount->engine, written_now, written);
}

/* add and take are the change's from now on. Of whom nobody waits for, request is NULL. */
static void keep(FlagChanges *changes, const Request *request, uint64_t ino, char *add, char *take)
{
    const Change *before = flag_changes_find(changes, ino);
    Written *written = g_new0(Written, 1);
    const JournalFlags entry = {inode_of(ino).folder, inode_of(ino).uid, add, take};

    *written = (Written){.mount = changes->mount,
                         .ino = ino,
                         .waiting = request ? request->id : 0,
                         .add = before ? g_strdup(before->add) : NULL,
                         .take = before ? g_strdup(before->take) : NULL};
    put(changes, ino, add, take);
    written->version = flag_changes_find(changes, ino)->version;
    journal_add_flags(changes->mount->journal, &entry, on_written, written);
}

/* What is to be done, so that these flags are what is shown. False: nothing. */
static bool differ(const FlagChanges *changes, uint64_t ino, const char *shown, const char *flags,
                   char **add, char **take)
{
    const Change *before = flag_changes_find(changes, ino);
    g_autofree char *more = flagtext_without(flags, shown);
    g_autofree char *less = flagtext_without(shown, flags);
    g_autofree char *to_add = flagtext_without(before ? before->add : "", less);
    g_autofree char *to_take = flagtext_without(before ? before->take : "", more);

    *add = flagtext_with(to_add, more);
    *take = flagtext_with(to_take, less);
    return *more || *less;
}

/* What a folder's id stands for may be known to this mount alone. */
static bool can_be_kept(const FlagChanges *changes, uint64_t ino)
{
    return inode_of(ino).folder < CATALOG_TEMPORARY && journal_owns_moves(changes->mount->journal);
}

void flag_changes_add(FlagChanges *changes, Request *request)
{
    Mount *mount = changes->mount;
    Inode inode = inode_of(request->ino);
    g_autoptr(GError) error = NULL;
    g_autofree char *shown = NULL;
    char *add, *take;
    CatalogMessage message;

    if (!catalog_message(mount->catalog, inode.folder, inode.uid, &message))
        error = g_error_new(MAIL_ERROR, ENOENT, "message %u: it is gone", inode.uid);
    else if (!can_be_kept(changes, request->ino))
        error = offline_error(mount->offline);
    if (error) {
        request_resume(request, error);
        return;
    }
    shown = flag_changes_shown(changes, request->ino, &message);
    if (differ(changes, request->ino, shown, request->name, &add, &take)) {
        keep(changes, request, request->ino, add, take);
        return;
    }
    g_free(add);
    g_free(take);
    request_resume(request, NULL);
}

/* --- what becomes of messages ------------------------------------------------------------------
 */

void flag_changes_moved(FlagChanges *changes, uint64_t ino, uint64_t to)
{
    Change *change = flag_changes_find(changes, ino);

    if (!change)
        return;
    if (!to) {
        flag_round_give_up(changes, change, "it was moved, and which one it is now is not known");
        return;
    }
    keep(changes, NULL, to, g_strdup(change->add), g_strdup(change->take));
    flag_changes_close(changes, change);
}

void flag_changes_drop(FlagChanges *changes, uint64_t ino)
{
    const Change *change = flag_changes_find(changes, ino);

    if (change)
        flag_changes_close(changes, change);
}

void flag_changes_forget_folder(FlagChanges *changes, uint32_t folder)
{
    g_autoptr(GList) all = g_hash_table_get_values(changes->all);

    for (GList *link = all; link; link = link->next) {
        const Change *change = link->data;
        if (change->folder == folder)
            flag_round_give_up(changes, change,
                               "its folder is not there any more, or was made anew");
    }
    if (changes->looking != folder)
        return;
    changes->looking = 0;
    turn_plan(&changes->turn, 0);
}
