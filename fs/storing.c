#include "storing_private.h"

#include "dircache.h"
#include "draft.h"
#include "failure.h"
#include "inode.h"
#include "letters.h"
#include "refresh.h"
#include "removal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void submit(Request *request);

/* --- life --------------------------------------------------------------------------------------
 */

static void storing_free(gpointer data)
{
    Storing *storing = data;

    engine_cancel(&storing->timer);
    draft_clear(&storing->draft);
    outgoing_clear(&storing->outgoing);
    g_clear_error(&storing->failure);
    g_array_unref(storing->found);
    g_free(storing->rename_to);
    g_free(storing->flags);
    g_free(storing);
}

static Storing *storing_new(Mount *mount, uint64_t ino)
{
    Storing *storing = g_new0(Storing, 1);

    storing->mount = mount;
    storing->ino = ino;
    storing->outgoing.fd = -1;
    storing->found = g_array_new(FALSE, FALSE, sizeof(Found));
    g_queue_init(&storing->others);
    return storing;
}

Storer *storer_new(void)
{
    Storer *storer = g_new0(Storer, 1);

    storer->all = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, storing_free);
    storer->ours = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    return storer;
}

void storer_free(Storer *storer)
{
    if (!storer)
        return;
    g_hash_table_unref(storer->all);
    g_hash_table_unref(storer->ours);
    g_free(storer);
}

/* --- the end -----------------------------------------------------------------------------------
 */

/* None is under way any more that anybody waits for. */
static void end_all(Storer *storer)
{
    MailDone done = storer->done;

    storer->done = NULL;
    if (!g_hash_table_size(storer->all))
        g_hash_table_remove_all(storer->ours);
    if (done)
        done(storer->done_data, NULL);
}

/* Whether the mount's end would lose anything: what is kept is for the next one. */
static bool is_waited_for(const Storer *storer)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, storer->all);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Storing *storing = value;
        if (!letters_stay(storing->mount->letters, storing->ino))
            return true;
    }
    return false;
}

/* Takes it from those under way, and tells who waits. */
void storing_end(Storing *storing, const GError *error)
{
    Storer *storer = storing->mount->storer;
    Request *request = request_find(storing->mount->requests, storing->waiting);
    GQueue others = storing->others;
    uint64_t ino = storing->ino;

    if (error)
        g_info("%s", error->message);
    g_hash_table_steal(storer->all, &ino);
    if (request)
        request_resume(request, error);
    while (others.head) {
        Request *other = g_queue_pop_head_link(&others)->data;
        other->queue = NULL;
        submit(other); /* the first of them may store it again, and the next ones wait for that */
    }
    storing_free(storing);
    if (!is_waited_for(storer))
        end_all(storer);
}

/* It has failed, and the kernel knows what there is to know of that. */
typedef struct {
    Storing *storing;
    GError *error;
} Failed;

static void end_with(Storing *storing, const GError *error)
{
    Mount *mount = storing->mount;

    letters_stored(mount->letters, storing->ino, error);
    storing_end(storing, error);
    storing_let_go(mount);
}

static void end_failed(gpointer data)
{
    g_autofree Failed *failed = data;
    g_autoptr(GError) error = failed->error;

    end_with(failed->storing, error);
}

static void post_failed(gpointer data)
{
    const Failed *failed = data;

    engine_post(failed->storing->mount->engine, end_failed, data);
}

/* A message that was written over is as it was, and what the kernel keeps of it is not: so it is
 * told that first. */
void storing_fail(Storing *storing, const GError *error)
{
    Mount *mount = storing->mount;
    uint64_t message = drafts_suspend_over(mount->drafts, storing->ino);
    Failed *failed;

    letters_note(mount->letters, false);
    if (!storing->source && !letters_stay(mount->letters, storing->ino) &&
        drafts_failed(mount->drafts, storing->ino))
        dircache_changed(mount->directories, mount_folder_ino(mount, storing->draft.folder));
    if (!message) {
        end_with(storing, error);
        return;
    }
    failed = g_new(Failed, 1);
    *failed = (Failed){storing, g_error_copy(error)};
    notify_inode(mount->notifier, message);
    notify_then(mount->notifier, post_failed, failed);
}

void storing_fail_with(Storing *storing, int code, const char *text)
{
    g_autoptr(GError) error = g_error_new_literal(MAIL_ERROR, code, text);

    storing_fail(storing, error);
}

static void warn_unsure(const Storing *storing)
{
    g_auto(CatalogFolder) folder = {0};

    catalog_folder(storing->mount->catalog, storing->draft.folder, &folder);
    g_warning("folder \"%s\": whether a message of %" G_GUINT64_FORMAT " bytes%s%s was stored is "
              "not known; look for it before it is stored again: %s",
              folder.name ? folder.name : "", (guint64)storing->size,
              storing->outgoing.message_id ? ", Message-ID " : "",
              storing->outgoing.message_id ? storing->outgoing.message_id : "",
              storing->failure->message);
}

/* Nobody can say whether it is there; what is kept is looked for once more. */
void storing_fail_unsure(Storing *storing)
{
    if (!letters_has(storing->mount->letters, storing->ino))
        warn_unsure(storing);
    refresh_stale(storing->mount->refresher, storing->draft.folder);
    storing_fail(storing, storing->failure);
}

/* --- sending it --------------------------------------------------------------------------------
 */

static void note_unsure(gpointer data)
{
    ((Storing *)data)->unsure = true;
}

static void note_appended(gpointer data, uint32_t uidvalidity, uint32_t uid)
{
    Storing *storing = data;

    storing->told = true;
    storing->told_uidvalidity = uidvalidity;
    storing->uid = uid;
}

static void note_copied(gpointer data, uint32_t uid, uint32_t uidvalidity, uint32_t copy)
{
    (void)uid;
    note_appended(data, uidvalidity, copy);
}

static void note_copy_unsure(gpointer data, uint32_t uid)
{
    (void)uid;
    note_unsure(data);
}

static void note_removed(gpointer data, uint32_t uid)
{
    (void)data, (void)uid; /* a copy removes nothing */
}

/* What a server says to REPLACE need not be about the new message: the old one may be gone. */
static bool may_be_added(const GError *error)
{
    int code = error ? mail_errno(error) : 0;

    return code && !failure_is_lost(error) && code != EDQUOT && code != EFBIG && code != ESTALE &&
           code != ECANCELED;
}

static void send_plainly(Storing *storing)
{
    storing->plainly = true;
    storing_begin(storing);
}

/* A server that is silent, or is not there, is not waited for. */
static void could_not(Storing *storing, const GError *error)
{
    int code = mail_errno(error);
    bool soon = storing->unsure && code != ETIMEDOUT && code != ECANCELED;

    if (!soon && storing_keep(storing, error))
        return;
    if (storing->unsure && code != ECANCELED)
        storing_look_soon(storing);
    else if (storing->unsure)
        storing_fail_unsure(storing);
    else
        storing_fail(storing, error);
}

static void sent(gpointer data, const GError *error)
{
    Storing *storing = data;

    g_clear_error(&storing->failure);
    storing->failure = error ? g_error_copy(error) : NULL;
    if (storing->told && storing->uid)
        storing_succeed(storing);
    else if (storing->told)
        storing_look(storing);
    else if (storing->replacing && !storing->unsure && may_be_added(error))
        send_plainly(storing);
    else if (!error)
        storing_fail_with(storing, ENOENT, "the message is gone");
    else
        could_not(storing, error);
}

static void send_copy(Storing *storing, const CatalogFolder *target)
{
    static const MailCopySink sink = {note_copied, note_removed, note_removed, note_copy_unsure};
    Inode source = inode_of(storing->source);
    g_auto(CatalogFolder) folder = {0};

    if (!catalog_folder(storing->mount->catalog, source.folder, &folder)) {
        storing_fail_with(storing, ENOENT, "the folder is gone");
        return;
    }
    const MailCopy copy = {.folder = folder.name,
                           .uidvalidity = folder.state.uidvalidity,
                           .uids = &source.uid,
                           .n_uids = 1,
                           .target = target->name};
    mail_store_copy(storing->mount->store, &copy, &sink, sent, storing);
}

/* In one step (RFC 8508), where that does to the old one what unlink would. */
static bool can_replace(const Storing *storing)
{
    const Mount *mount = storing->mount;
    CatalogMessage former;

    return mount->features & MAIL_STORE_REPLACES && !storing->plainly &&
           mount->options->expunge == EXPUNGE_NOW && !mount->options->trash &&
           catalog_message(mount->catalog, storing->draft.folder, storing_former(storing),
                           &former) &&
           !removals_hide(mount->removals, storing->draft.folder, &former);
}

static void send_append(Storing *storing, const CatalogFolder *target)
{
    static const MailAppendSink sink = {note_appended, note_unsure};

    storing->replacing = can_replace(storing);
    const MailAppend append = {.folder = target->name,
                               .flags = storing->flags ? storing->flags : "",
                               .has_date = true,
                               .date = storing->date,
                               .size = storing->outgoing.size,
                               .fd = storing->outgoing.fd,
                               .replaces = storing->replacing ? storing_former(storing) : 0,
                               .uidvalidity = target->state.uidvalidity};

    mail_store_append(storing->mount->store, &append, &sink, sent, storing);
}

uint32_t storing_least_uid(Catalog *catalog, const CatalogFolder *folder)
{
    CatalogMessage last;
    uint32_t first = MAX(folder->state.uidnext, 1);

    if (catalog_last_message(catalog, folder->id, &last) && last.uid < UINT32_MAX)
        first = MAX(first, last.uid + 1);
    return first;
}

/* A message that takes another one's place has its flags. */
static void take_flags(Storing *storing)
{
    Catalog *catalog = storing->mount->catalog;
    CatalogMessage former;

    if (storing->source ||
        !catalog_message(catalog, storing->draft.folder, storing_former(storing), &former))
        return;
    g_free(storing->flags);
    storing->flags = catalog_flags(catalog, former.flag_set);
}

void storing_begin(Storing *storing)
{
    Mount *mount = storing->mount;
    g_auto(CatalogFolder) folder = {0};
    CatalogMessage former;

    storing->told = storing->unsure = false;
    storing->uid = 0;
    if (!catalog_folder(mount->catalog, storing->draft.folder, &folder)) {
        storing_fail_with(storing, ENOENT, "the folder is gone");
    } else if (storing->draft.uid &&
               (!catalog_message(mount->catalog, folder.id, storing->draft.uid, &former) ||
                removals_hide(mount->removals, folder.id, &former))) {
        storing_fail_with(storing, ESTALE, "the message that was written to is gone");
    } else {
        storing->uidvalidity = folder.state.uidvalidity;
        storing->first = storing_least_uid(mount->catalog, &folder);
        take_flags(storing);
        if (storing->source)
            send_copy(storing, &folder);
        else
            send_append(storing, &folder);
    }
}

/* --- who asks ----------------------------------------------------------------------------------
 */

/*
 * Takes what the request brought along. What the draft was stored as may be another message than
 * when that was made.
 */
static void take(Request *request, const Draft *now)
{
    Storing *storing = request->data;

    request->data = NULL;
    request->free_data = NULL;
    storing->waiting = request->id;
    storing->draft.uid = now->uid;
    g_hash_table_insert(request->mount->storer->all, &storing->ino, storing);
    if (storing->closing)
        letters_keep(request->mount->letters, request, storing->ino);
    storing_begin(storing);
}

void storing_unkept(Request *request)
{
    g_auto(Draft) now = {0};

    if (drafts_find(request->mount->drafts, request->ino, &now) && !now.removed)
        take(request, &now);
    else
        request_resume(request, NULL);
}

/* Nobody stores the draft just now. */
static void go_on(Request *request)
{
    const Storing *storing = request->data;
    g_autoptr(GError) error = NULL;
    g_auto(Draft) now = {0};
    bool found = drafts_find(request->mount->drafts, request->ino, &now);

    if (found && !now.removed && storing->source && now.stored)
        error = g_error_new(MAIL_ERROR, EOPNOTSUPP, "it is no empty file any more");
    if (error || !found || now.removed || !now.changed)
        request_resume(request, error);
    else if (!letters_take(request->mount->letters, request, storing->rename_to,
                           storing_may_be_kept(storing, &now)))
        take(request, &now);
}

static void submit(Request *request)
{
    Storing *other = g_hash_table_lookup(request->mount->storer->all, &request->ino);

    if (other)
        request_wait(request, &other->others);
    else
        go_on(request);
}

static void post(Request *request, Storing *storing)
{
    request->data = storing;
    request->free_data = storing_free;
    request_post(request, submit);
}

/* NULL: it can't be stored. */
static Storing *prepare(Mount *mount, uint64_t ino, GError **error)
{
    Storing *storing = storing_new(mount, ino);
    int fd = drafts_open(mount->drafts, ino);
    bool fine = fd >= 0 && drafts_find(mount->drafts, ino, &storing->draft);
    struct stat st = {0};

    if (!fine)
        g_set_error(error, MAIL_ERROR, ESTALE, "the file is gone");
    else
        fine = outgoing_make(fd, mount->options->any, drafts_directory(mount->drafts),
                             &storing->outgoing, error);
    if (fd >= 0) {
        fstat(fd, &st);
        close(fd);
    }
    storing->size = storing->outgoing.size;
    storing->date = st.st_mtim.tv_sec;
    if (fine && storing->draft.over)
        storing->rename_to = storing_name(storing, storing->draft.uid);
    if (fine)
        return storing;
    storing_free(storing);
    return NULL;
}

bool storing_post(Request *request, const char *rename_to, uint32_t replaced, bool closing,
                  GError **error)
{
    Storing *storing = prepare(request->mount, request->ino, error);

    if (!storing)
        return false;
    if (rename_to)
        storing->rename_to = g_strdup(rename_to);
    storing->replaced = replaced;
    storing->closing = closing;
    post(request, storing);
    return true;
}

bool copying_post(Request *request, uint64_t source)
{
    Mount *mount = request->mount;
    Inode inode = inode_of(source);
    Storing *storing = storing_new(mount, request->ino);
    CatalogMessage message;

    if (!catalog_message(mount->catalog, inode.folder, inode.uid, &message) ||
        !drafts_find(mount->drafts, request->ino, &storing->draft)) {
        storing_free(storing);
        return false;
    }
    storing->source = source;
    storing->size = message.size;
    storing->date = message.date;
    storing->flags = catalog_flags(mount->catalog, message.flag_set);
    post(request, storing);
    return true;
}

bool storing_first(Mount *mount, uint64_t ino, GError **error)
{
    Storing *storing;

    if (g_hash_table_contains(mount->storer->all, &ino))
        return true;
    storing = prepare(mount, ino, error);
    if (!storing)
        return false;
    g_hash_table_insert(mount->storer->all, &storing->ino, storing);
    storing_begin(storing);
    return true;
}

bool storing_again(Mount *mount, uint64_t ino, uint32_t uidvalidity, uint32_t first, GError **error)
{
    g_auto(CatalogFolder) folder = {0};
    Storing *storing;

    if (g_hash_table_contains(mount->storer->all, &ino))
        return true;
    storing = prepare(mount, ino, error);
    if (!storing)
        return false;
    storing->patient = true;
    storing->uidvalidity = uidvalidity;
    storing->first = first;
    storing->failure = g_error_new(MAIL_ERROR, ENOTCONN, "what became of it was not seen");
    g_hash_table_insert(mount->storer->all, &storing->ino, storing);
    if (!catalog_folder(mount->catalog, storing->draft.folder, &folder) ||
        folder.state.uidvalidity == uidvalidity)
        storing_look(storing);
    else
        storing_fail_with(storing, ESTALE, "the folder was made anew since");
    return true;
}

/* --- others' events ----------------------------------------------------------------------------
 */

void storer_close(Storer *storer)
{
    g_autoptr(GList) all = g_hash_table_get_values(storer->all);

    for (GList *l = all; l; l = l->next) {
        Storing *storing = l->data;
        if (storing->timer) {
            engine_cancel(&storing->timer);
            storing_fail_unsure(storing);
        }
    }
}

/* Nobody waits for it; the log has to say what becomes of it. */
static void store_left(Storer *storer, Mount *mount, uint64_t ino)
{
    g_auto(Draft) draft = {0};
    g_autoptr(GError) error = NULL;
    Storing *storing;

    if (!drafts_find(mount->drafts, ino, &draft) || g_hash_table_contains(storer->all, &ino))
        return;
    storing = draft.temporary ? prepare(mount, ino, &error) : NULL;
    if (storing) {
        g_hash_table_insert(storer->all, &storing->ino, storing);
        storing_begin(storing);
    } else {
        g_message("the file \"%s\" was not stored, and is lost: %s", draft.name,
                  error ? error->message : "it was being written");
    }
}

void storer_finish(Storer *storer, Mount *mount, MailDone done, gpointer data)
{
    g_autoptr(GArray) left = drafts_left(mount->drafts);

    for (guint i = 0; i < left->len; i++)
        store_left(storer, mount, g_array_index(left, uint64_t, i));
    storer->done = done;
    storer->done_data = data;
    if (!is_waited_for(storer))
        end_all(storer);
}
