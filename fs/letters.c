#include "letters_private.h"

#include "dircache.h"
#include "draft.h"
#include "failure.h"
#include "flush.h"
#include "inode.h"
#include "notify.h"
#include "offline.h"
#include "storing.h"
#include "undone.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RETRY_MOST_MILLIS = 600000 };

unsigned letters_retry_millis = 2000;

/* --- life ------------------------------------------------------------------------------------- */

static void kept_free(gpointer data)
{
    Kept *kept = data;

    engine_cancel(&kept->timer);
    g_free(kept->name);
    g_clear_error(&kept->lost);
    g_free(kept);
}

Letters *letters_new(Mount *mount, Outbox *outbox)
{
    Letters *letters = g_new0(Letters, 1);

    letters->mount = mount;
    letters->outbox = outbox;
    letters->all = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, kept_free);
    g_queue_init(&letters->syncing);
    return letters;
}

void letters_free(Letters *letters)
{
    if (!letters)
        return;
    engine_cancel(&letters->deadline);
    g_hash_table_unref(letters->all);
    g_clear_error(&letters->failure);
    g_free(letters);
}

Kept *letters_find(const Letters *letters, uint64_t ino)
{
    return g_hash_table_lookup(letters->all, &ino);
}

bool letters_has(const Letters *letters, uint64_t ino)
{
    return letters_find(letters, ino) != NULL;
}

bool letters_is_answered(const Kept *kept)
{
    return kept->id && !kept->waiting.head;
}

bool letters_stay(const Letters *letters, uint64_t ino)
{
    const Kept *kept = letters_find(letters, ino);

    return kept && letters_is_answered(kept);
}

Kept *letters_add(Letters *letters, uint64_t ino)
{
    Kept *kept = g_new0(Kept, 1);

    kept->letters = letters;
    kept->ino = ino;
    g_queue_init(&kept->waiting);
    g_queue_init(&kept->asking);
    g_queue_init(&kept->removing);
    g_hash_table_insert(letters->all, &kept->ino, kept);
    return kept;
}

static guint count(const Letters *letters, bool on_their_way)
{
    GHashTableIter iter;
    gpointer value;
    guint n = 0;

    g_hash_table_iter_init(&iter, letters->all);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Kept *kept = value;
        n += !on_their_way || kept->sent || !kept->put;
    }
    return n;
}

void letters_describe(Letters *letters, GString *text)
{
    g_string_append_printf(text, "files-to-be-stored: %u\n", count(letters, false));
}

bool letters_is_away(const Letters *letters)
{
    return offline_is(letters->mount->offline);
}

bool letters_can_store(const Letters *letters)
{
    return !letters->ended && letters->mount->store && !letters_is_away(letters);
}

/* --- how one ends ----------------------------------------------------------------------------- */

static void end_finish(Letters *letters)
{
    MailDone finished = letters->finished;
    guint left = count(letters, false);

    letters->finished = NULL;
    letters->ended = finished || letters->ended;
    engine_cancel(&letters->deadline);
    if (!finished)
        return;
    if (left)
        g_message("%u files are still to be stored at the server: the next mount does it", left);
    finished(letters->finished_data, NULL);
}

void letters_check_all(Letters *letters)
{
    if (count(letters, true))
        return;
    if (!g_hash_table_size(letters->all))
        g_clear_error(&letters->failure);
    request_resume_all(&letters->syncing, letters->failure);
    end_finish(letters);
}

void letters_forget(Letters *letters, Kept *kept)
{
    if (kept->id)
        outbox_end(letters->outbox, kept->id, NULL, NULL);
    drafts_set_kept(letters->mount->drafts, kept->ino, false);
    g_hash_table_remove(letters->all, &kept->ino);
    letters_check_all(letters);
}

static gboolean on_timer(gpointer data);

static void arm(Kept *kept)
{
    guint pause = letters_retry_millis;

    for (guint i = 0; i < kept->failures && pause < RETRY_MOST_MILLIS; i++)
        pause *= 2;
    kept->failures++;
    engine_cancel(&kept->timer);
    kept->timer = engine_after(MIN(pause, RETRY_MOST_MILLIS), on_timer, kept);
}

void letters_note_failure(Letters *letters, const GError *error)
{
    g_clear_error(&letters->failure);
    letters->failure = g_error_copy(error);
}

/* That the server is away is no news; what it says when it is there is. */
static void warn(Kept *kept, const char *name, const GError *error)
{
    static const char format[] = "the file \"%s\" is not stored at the server yet, and is kept "
                                 "here: %s";

    bool lost = failure_is_lost(error) || letters_is_away(kept->letters);

    if (!lost && !kept->refused)
        undone_note(1, format, name, error->message);
    else if (!kept->warned && !kept->away)
        g_warning(format, name, error->message);
    kept->refused |= !lost;
    kept->warned = true;
}

/* It stays as it is, and who removes it needs not wait. */
static void put_off(Letters *letters, Kept *kept, const GError *error)
{
    g_auto(Draft) draft = {0};

    drafts_find(letters->mount->drafts, kept->ino, &draft);
    warn(kept, draft.name, error);
    letters_note_failure(letters, error);
    request_resume_all(&kept->asking, error);
    if (kept->removing.head) {
        drafts_drop(letters->mount->drafts, kept->ino);
        request_resume_all(&kept->removing, NULL);
        letters_forget(letters, kept);
        return;
    }
    arm(kept);
    letters_check_all(letters);
}

void letters_stored(Letters *letters, uint64_t ino, const GError *error)
{
    Kept *kept = letters_find(letters, ino);

    if (!kept)
        return;
    kept->sent = false;
    if (error && letters_is_answered(kept)) {
        if (mail_errno(error) != ECANCELED) /* else the mount ends */
            put_off(letters, kept, error);
        return;
    }
    kept->done = true;
    request_resume_all(&kept->waiting, error);
    request_resume_all(&kept->asking, error);
    request_resume_all(&kept->removing, NULL);
    if (kept->put)
        letters_forget(letters, kept);
}

/* --- trying again ----------------------------------------------------------------------------- */

/* That it is sent is on the disk. */
static void send_now(gpointer data)
{
    g_autofree Told *told = data;
    g_autoptr(GError) error = told->error;
    Letters *letters = told->mount->letters;
    Kept *kept = letters_find(letters, told->ino);

    if (error)
        kept->first = 0;
    if (!error && !letters_can_store(letters))
        error = offline_error(letters->mount->offline);
    if (error || !storing_first(letters->mount, told->ino, &error))
        letters_stored(letters, told->ino, error);
}

static void on_sent(gpointer data, int64_t id, const GError *error)
{
    Told *told = data;

    (void)id;
    told->error = error ? g_error_copy(error) : NULL;
    engine_post(told->mount->engine, send_now, told);
}

static void send_first(Letters *letters, Kept *kept)
{
    Mount *mount = letters->mount;
    g_auto(Draft) draft = {0};
    g_auto(CatalogFolder) folder = {0};
    Told *told;

    if (!drafts_find(mount->drafts, kept->ino, &draft) ||
        !catalog_folder(mount->catalog, draft.folder, &folder)) {
        g_autoptr(GError) error = g_error_new(MAIL_ERROR, ENOENT, "the folder is gone");
        letters_stored(letters, kept->ino, error);
        return;
    }
    told = g_new0(Told, 1);
    *told = (Told){.mount = mount, .ino = kept->ino};
    kept->uidvalidity = folder.state.uidvalidity;
    kept->first = storing_least_uid(mount->catalog, &folder);
    outbox_send(letters->outbox, kept->id, kept->uidvalidity, kept->first, on_sent, told);
}

/* Whether the server has it already is looked for first, if it may. */
void letters_store(Letters *letters, Kept *kept)
{
    g_autoptr(GError) error = NULL;

    kept->sent = true;
    engine_cancel(&kept->timer);
    if (!kept->first)
        send_first(letters, kept);
    else if (!storing_again(letters->mount, kept->ino, kept->uidvalidity, kept->first, &error))
        letters_stored(letters, kept->ino, error);
}

static gint compare_age(gconstpointer a, gconstpointer b)
{
    const Kept *one = a, *other = b;

    return (one->ino > other->ino) - (one->ino < other->ino);
}

/* Oldest first. */
void letters_reached(Letters *letters)
{
    g_autoptr(GList) all = g_list_sort(g_hash_table_get_values(letters->all), compare_age);

    for (GList *link = all; link; link = link->next) {
        Kept *kept = link->data;
        kept->failures = 0;
        if (kept->put && !kept->sent && letters_can_store(letters))
            letters_store(letters, kept);
    }
}

static gboolean on_timer(gpointer data)
{
    Kept *kept = data;

    engine_cancel(&kept->timer);
    if (letters_can_store(kept->letters)) /* else its return is the next occasion */
        letters_store(kept->letters, kept);
    return G_SOURCE_REMOVE;
}

/* --- what earlier mounts left ------------------------------------------------------------------
 */

static uint32_t folder_named(Catalog *catalog, const char *name)
{
    g_autoptr(GArray) folders = catalog_folders(catalog);

    for (guint i = 0; i < folders->len; i++)
        if (strcmp(g_array_index(folders, CatalogFolder, i).name, name) == 0)
            return g_array_index(folders, CatalogFolder, i).id;
    return 0;
}

/* Its file is there again, unless its name was given to another meanwhile. */
static uint64_t restore(Letters *letters, const Letter *letter, uint32_t folder)
{
    Drafts *drafts = letters->mount->drafts;
    const struct timespec times[2] = {{letter->date, UTIME_OMIT}, {letter->date, 0}};
    g_autoptr(GError) error = NULL;
    uint64_t ino = 0;
    int fd, code = drafts_create(drafts, folder, letter->name, &ino);

    if (!code) {
        fd = drafts_open(drafts, ino);
        if (fd < 0 || !outbox_copy(letters->outbox, letter, fd, &error) ||
            drafts_set_times(drafts, ino, times) != 0)
            code = error ? mail_errno(error) : EIO;
        if (fd >= 0)
            close(fd);
        if (code)
            drafts_drop(drafts, ino);
        drafts_forget(drafts, ino, 1);
    }
    if (!code)
        return ino;
    undone_note(1,
                "the file \"%s\", which is yet to be stored in folder \"%s\", is left where it is: "
                "%s",
                letter->name, letter->folder, error ? error->message : g_strerror(code));
    return 0;
}

static void take_up(Letters *letters, const Letter *letter)
{
    Mount *mount = letters->mount;
    uint32_t folder = folder_named(mount->catalog, letter->folder);
    uint64_t ino;
    Kept *kept;

    if (!folder) {
        undone_note(1,
                    "the file \"%s\" can't be stored, and is kept here: there is no folder \"%s\"",
                    letter->name, letter->folder);
        return;
    }
    ino = restore(letters, letter, folder);
    if (!ino)
        return;
    kept = letters_add(letters, ino);
    kept->put = true;
    kept->id = letter->id;
    kept->uidvalidity = letter->uidvalidity;
    kept->first = letter->first;
    drafts_set_kept(mount->drafts, ino, true);
    dircache_changed(mount->directories, mount_folder_ino(mount, folder));
    notify_directory(mount->notifier, mount_folder_ino(mount, folder));
    if (letters_is_away(letters)) {
        g_autoptr(GError) away = offline_error(mount->offline);
        letters_note_failure(letters, away);
    } else {
        letters_store(letters, kept);
    }
}

void letters_begin(Letters *letters)
{
    g_autoptr(GPtrArray) left = NULL;

    if (letters->mount->options->read_only)
        return;
    left = outbox_take(letters->outbox);
    if (left->len)
        g_message("%u files that were closed before are still to be stored at the server",
                  left->len);
    for (guint i = 0; i < left->len; i++)
        take_up(letters, left->pdata[i]);
}

/* --- who asks ----------------------------------------------------------------------------------
 */

/* What the outbox was told is on the disk. */
static void answer_now(gpointer data)
{
    g_autofree Told *told = data;
    g_autoptr(GError) error = told->error;
    Request *request = request_find(told->mount->requests, told->waiting);

    if (request)
        request_resume(request, error);
}

static void on_written(gpointer data, int64_t id, const GError *error)
{
    Told *told = data;

    (void)id;
    told->error = error ? g_error_copy(error) : NULL;
    engine_post(told->mount->engine, answer_now, told);
}

static Told *told_new(const Letters *letters, const Request *request)
{
    Told *told = g_new0(Told, 1);

    *told = (Told){.mount = letters->mount, .ino = request->ino, .waiting = request->id};
    return told;
}

void letters_remove(Letters *letters, Request *request)
{
    Kept *kept = letters_find(letters, request->ino);

    if (!kept) {
        request_resume(request, NULL);
    } else if (kept->sent || !kept->put) {
        request_wait(request, &kept->removing);
    } else {
        drafts_drop(letters->mount->drafts, kept->ino);
        outbox_end(letters->outbox, kept->id, on_written, told_new(letters, request));
        kept->id = 0;
        letters_forget(letters, kept);
    }
}

void letters_rename(Letters *letters, Request *request)
{
    const Kept *kept = letters_find(letters, request->ino);

    if (kept && kept->id)
        outbox_rename(letters->outbox, kept->id, request->name, on_written,
                      told_new(letters, request));
    else
        request_resume(request, NULL);
}

void letters_wait(Letters *letters, Request *request)
{
    request_wait(request, &letters->syncing);
    letters_check_all(letters);
}

static gboolean on_deadline(gpointer data)
{
    end_finish(data);
    return G_SOURCE_REMOVE;
}

void letters_finish(Letters *letters, MailDone done, gpointer data)
{
    letters->finished = done;
    letters->finished_data = data;
    letters->deadline = engine_after(mount_patience(letters->mount), on_deadline, letters);
    letters_check_all(letters);
}
