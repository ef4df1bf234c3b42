#include "letters.h"

#include "dircache.h"
#include "draft.h"
#include "failure.h"
#include "flush.h"
#include "inode.h"
#include "notify.h"
#include "storing.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SOON_SECONDS = 5, /* a file after the other */
    RETRY_MOST_MILLIS = 600000,
    MOST_KEPT = 64, /* each takes descriptors; who comes next waits for the server */
};

unsigned letters_retry_millis = 2000;

/*
 * A file that is kept, or about to be. `waiting` are closings, until it is kept or stored;
 * `removing` who removes it. `put`: the outbox has said its word; then `id` is the letter's, or 0.
 * `sent`: it is being stored; `done`: it is at the server, or not to be there any more.
 */
typedef struct {
    Letters *letters;
    uint64_t ino;
    int64_t id;
    bool put, sent, done, warned;
    GQueue waiting, removing;
    uint32_t uidvalidity, first; /* see Letter */
    guint failures;
    GSource *timer;
} Kept;

/* What the outbox's thread tells the engine. */
typedef struct {
    Mount *mount;
    uint64_t ino;
    int64_t id;
} Told;

struct Letters {
    Mount *mount;
    Outbox *outbox;
    GHashTable *all; /* ino -> Kept */
    guint in_a_row;  /* files that were stored, the last one at `last` */
    gint64 last;
    GQueue syncing;  /* Request */
    GError *failure; /* of one that is still to be stored */
    MailDone finished;
    gpointer finished_data;
    GSource *deadline;
};

/* --- life ------------------------------------------------------------------------------------- */

static void kept_free(gpointer data)
{
    Kept *kept = data;

    engine_cancel(&kept->timer);
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

static Kept *find(const Letters *letters, uint64_t ino)
{
    return g_hash_table_lookup(letters->all, &ino);
}

bool letters_has(const Letters *letters, uint64_t ino)
{
    return find(letters, ino) != NULL;
}

bool letters_tried(const Letters *letters, uint64_t ino, uint32_t *uidvalidity, uint32_t *first)
{
    const Kept *kept = find(letters, ino);

    if (!kept)
        return false;
    *uidvalidity = kept->uidvalidity;
    *first = kept->first;
    return true;
}

/* Whoever closed it was told that it is. */
static bool is_answered(const Kept *kept)
{
    return kept->id && !kept->waiting.head;
}

bool letters_stay(const Letters *letters, uint64_t ino)
{
    const Kept *kept = find(letters, ino);

    return kept && is_answered(kept);
}

static Kept *kept_new(Letters *letters, uint64_t ino)
{
    Kept *kept = g_new0(Kept, 1);

    kept->letters = letters;
    kept->ino = ino;
    g_queue_init(&kept->waiting);
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

/* --- how one ends ----------------------------------------------------------------------------- */

static void end_finish(Letters *letters)
{
    MailDone finished = letters->finished;
    guint left = count(letters, false);

    letters->finished = NULL;
    engine_cancel(&letters->deadline);
    if (!finished)
        return;
    if (left)
        g_message("%u files are still to be stored at the server: the next mount does it", left);
    finished(letters->finished_data, NULL);
}

/* One is less on its way, maybe. */
static void check_all(Letters *letters)
{
    if (count(letters, true))
        return;
    if (!g_hash_table_size(letters->all))
        g_clear_error(&letters->failure);
    request_resume_all(&letters->syncing, letters->failure);
    end_finish(letters);
}

/* Both the outbox and the server have said what there is to say. */
static void forget(Letters *letters, Kept *kept)
{
    if (kept->id)
        outbox_end(letters->outbox, kept->id);
    drafts_set_kept(letters->mount->drafts, kept->ino, false);
    g_hash_table_remove(letters->all, &kept->ino);
    check_all(letters);
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

/* It stays as it is, and who removes it needs not wait. */
static void put_off(Letters *letters, Kept *kept, const GError *error)
{
    g_auto(Draft) draft = {0};

    drafts_find(letters->mount->drafts, kept->ino, &draft);
    if (!kept->warned)
        g_warning("the file \"%s\" is not stored at the server yet, and is kept here: %s",
                  draft.name, error->message);
    kept->warned = true;
    g_clear_error(&letters->failure);
    letters->failure = g_error_copy(error);
    if (kept->removing.head) {
        drafts_drop(letters->mount->drafts, kept->ino);
        request_resume_all(&kept->removing, NULL);
        forget(letters, kept);
        return;
    }
    arm(kept);
    check_all(letters);
}

void letters_stored(Letters *letters, uint64_t ino, const GError *error)
{
    Kept *kept = find(letters, ino);

    if (!kept)
        return;
    kept->sent = false;
    if (error && is_answered(kept)) {
        if (mail_errno(error) != ECANCELED) /* else the mount ends */
            put_off(letters, kept, error);
        return;
    }
    kept->done = true;
    request_resume_all(&kept->waiting, error);
    request_resume_all(&kept->removing, NULL);
    if (kept->put)
        forget(letters, kept);
}

/* --- keeping ---------------------------------------------------------------------------------- */

void letters_note(Letters *letters, bool stored)
{
    letters->in_a_row = stored ? letters->in_a_row + 1 : 0;
    letters->last = g_get_monotonic_time();
}

static bool wants(const Letters *letters, const Draft *draft)
{
    return letters->in_a_row >= LETTERS_AFTER && g_hash_table_size(letters->all) < MOST_KEPT &&
           g_get_monotonic_time() - letters->last < SOON_SECONDS * G_USEC_PER_SEC && !draft->uid &&
           !draft->stored && !find(letters, draft->ino);
}

static void put_now(gpointer data)
{
    g_autofree Told *told = data;
    Letters *letters = told->mount->letters;
    Kept *kept = find(letters, told->ino);

    kept->put = true;
    kept->id = told->id;
    if (kept->id && !kept->done)
        drafts_set_kept(letters->mount->drafts, kept->ino, true);
    if (kept->id)
        request_resume_all(&kept->waiting, NULL);
    if (kept->done)
        forget(letters, kept);
    else
        check_all(letters);
}

static void on_put(gpointer data, int64_t id, const GError *error)
{
    Told *told = data;

    if (error)
        g_info("%s", error->message);
    told->id = id;
    engine_post(told->mount->engine, put_now, told);
}

/* False: it can't be kept. */
static bool put(Letters *letters, const Draft *draft)
{
    Mount *mount = letters->mount;
    g_auto(CatalogFolder) folder = {0};
    struct stat st;
    Told *told;
    Kept *kept;
    int fd;

    if (!catalog_folder(mount->catalog, draft->folder, &folder) || !folder.state.uidvalidity ||
        drafts_stat(mount->drafts, draft->ino, &st) != 0)
        return false;
    fd = drafts_open(mount->drafts, draft->ino);
    if (fd < 0)
        return false;
    const Letter letter = {.folder = folder.name,
                           .name = draft->name,
                           .uidvalidity = folder.state.uidvalidity,
                           .first = storing_least_uid(mount->catalog, &folder),
                           .date = st.st_mtim.tv_sec,
                           .size = (uint64_t)st.st_size};
    kept = kept_new(letters, draft->ino);
    kept->sent = true;
    kept->uidvalidity = letter.uidvalidity;
    kept->first = letter.first;
    told = g_new(Told, 1);
    *told = (Told){mount, draft->ino, 0};
    outbox_put(letters->outbox, &letter, fd, on_put, told);
    return true;
}

bool letters_keep(Letters *letters, Request *request, uint64_t ino)
{
    g_auto(Draft) draft = {0};

    if (!drafts_find(letters->mount->drafts, ino, &draft) || !wants(letters, &draft) ||
        !put(letters, &draft))
        return false;
    request_wait(request, &find(letters, ino)->waiting);
    return true;
}

/* --- trying again ----------------------------------------------------------------------------- */

/* Whether the server has it already is looked for first. */
static void store(Letters *letters, Kept *kept)
{
    g_autoptr(GError) error = NULL;

    kept->sent = true;
    if (!storing_again(letters->mount, kept->ino, kept->uidvalidity, kept->first, &error))
        letters_stored(letters, kept->ino, error);
}

static gboolean on_timer(gpointer data)
{
    Kept *kept = data;

    engine_cancel(&kept->timer);
    store(kept->letters, kept);
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
    g_warning("the file \"%s\", which is yet to be stored in folder \"%s\", is left where it is: "
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
        g_warning("the file \"%s\" can't be stored, and is kept here: there is no folder \"%s\"",
                  letter->name, letter->folder);
        return;
    }
    ino = restore(letters, letter, folder);
    if (!ino)
        return;
    kept = kept_new(letters, ino);
    kept->put = true;
    kept->id = letter->id;
    kept->uidvalidity = letter->uidvalidity;
    kept->first = letter->first;
    drafts_set_kept(mount->drafts, ino, true);
    dircache_changed(mount->directories, mount_folder_ino(mount, folder));
    notify_directory(mount->notifier, mount_folder_ino(mount, folder));
    store(letters, kept);
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

void letters_remove(Letters *letters, Request *request)
{
    Kept *kept = find(letters, request->ino);

    if (!kept) {
        request_resume(request, NULL);
    } else if (kept->sent || !kept->put) {
        request_wait(request, &kept->removing);
    } else {
        drafts_drop(letters->mount->drafts, kept->ino);
        request_resume(request, NULL);
        forget(letters, kept);
    }
}

void letters_rename(Letters *letters, uint64_t ino, const char *name)
{
    const Kept *kept = find(letters, ino);

    if (kept && kept->id)
        outbox_rename(letters->outbox, kept->id, name);
}

void letters_wait(Letters *letters, Request *request)
{
    request_wait(request, &letters->syncing);
    check_all(letters);
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
    check_all(letters);
}
