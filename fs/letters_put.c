#include "letters_private.h"

#include "dircache.h"
#include "draft.h"
#include "offline.h"
#include "storing.h"

#include <sys/stat.h>
#include <unistd.h>

enum {
    SOON_SECONDS = 5, /* a file after the other */
    MOST_KEPT = 64,   /* each takes descriptors; who comes next waits for the server */
};

void letters_note(Letters *letters, bool stored)
{
    letters->in_a_row = stored ? letters->in_a_row + 1 : 0;
    letters->last = g_get_monotonic_time();
}

static bool wants(const Letters *letters, const Draft *draft)
{
    return letters->in_a_row >= LETTERS_AFTER && g_hash_table_size(letters->all) < MOST_KEPT &&
           g_get_monotonic_time() - letters->last < SOON_SECONDS * G_USEC_PER_SEC && !draft->uid &&
           !draft->stored && !letters_find(letters, draft->ino);
}

/* It can't be kept: each goes its own way. */
static void give_back(Letters *letters, Kept *kept)
{
    GQueue waiting = kept->waiting;

    g_queue_init(&kept->waiting);
    if (kept->lost)
        request_resume_all(&waiting, kept->lost);
    request_resume_all(&kept->asking, letters->failure);
    request_resume_all(&kept->removing, NULL);
    letters_forget(letters, kept);
    while (waiting.head) {
        Request *request = g_queue_pop_head_link(&waiting)->data;
        request->queue = NULL;
        storing_unkept(request);
    }
}

/* Gets the name that it is to have. */
static int rename_kept(Letters *letters, Kept *kept)
{
    Mount *mount = letters->mount;
    g_auto(Draft) draft = {0};
    int code = kept->name ? drafts_rename(mount->drafts, kept->ino, kept->name) : 0;

    if (kept->name && !code && drafts_find(mount->drafts, kept->ino, &draft))
        dircache_changed(mount->directories, mount_folder_ino(mount, draft.folder));
    return code;
}

/* The server is away, or was a moment ago. */
static void put_away(Letters *letters, Kept *kept)
{
    g_autoptr(GError) away = kept->lost ? g_error_copy(kept->lost)
                                        : offline_error(letters->mount->offline);
    g_autoptr(GError) error = NULL;
    int code = kept->id ? rename_kept(letters, kept) : 0;

    letters_note_failure(letters, away);
    if (!kept->id) {
        give_back(letters, kept);
        return;
    }
    if (code)
        error = g_error_new(MAIL_ERROR, code, "the file \"%s\" can't have that name", kept->name);
    drafts_set_kept(letters->mount->drafts, kept->ino, !code);
    request_resume_all(&kept->waiting, error);
    if (kept->removing.head && !code)
        drafts_drop(letters->mount->drafts, kept->ino);
    if (kept->removing.head || code) {
        request_resume_all(&kept->removing, NULL);
        request_resume_all(&kept->asking, away);
        letters_forget(letters, kept);
    } else if (letters_can_store(letters)) {
        letters_store(letters, kept);
    } else {
        request_resume_all(&kept->asking, away);
        letters_check_all(letters);
    }
}

static void put_now(gpointer data)
{
    g_autofree Told *told = data;
    Letters *letters = told->mount->letters;
    Kept *kept = letters_find(letters, told->ino);

    kept->put = true;
    kept->id = told->id;
    if (kept->away) {
        put_away(letters, kept);
        return;
    }
    if (kept->id && !kept->done)
        drafts_set_kept(letters->mount->drafts, kept->ino, true);
    if (kept->id)
        request_resume_all(&kept->waiting, NULL);
    if (kept->done)
        letters_forget(letters, kept);
    else
        letters_check_all(letters);
}

static void on_put(gpointer data, int64_t id, const GError *error)
{
    Told *told = data;

    if (error)
        g_info("%s", error->message);
    told->id = id;
    engine_post(told->mount->engine, put_now, told);
}

/* NULL: it can't be kept. name: of its own, or NULL; away: it is not being sent; first: see Letter.
 */
static Kept *put(Letters *letters, const Draft *draft, const char *name, bool away, uint32_t first)
{
    Mount *mount = letters->mount;
    g_auto(CatalogFolder) folder = {0};
    struct stat st;
    Told *told;
    Kept *kept;
    int fd;

    if (!catalog_folder(mount->catalog, draft->folder, &folder) || !folder.state.uidvalidity ||
        drafts_stat(mount->drafts, draft->ino, &st) != 0)
        return NULL;
    fd = drafts_open(mount->drafts, draft->ino);
    if (fd < 0)
        return NULL;
    const Letter letter = {.folder = folder.name,
                           .name = name ? (char *)name : draft->name,
                           .uidvalidity = folder.state.uidvalidity,
                           .first = away ? first : storing_least_uid(mount->catalog, &folder),
                           .date = st.st_mtim.tv_sec,
                           .size = (uint64_t)st.st_size};
    kept = letters_add(letters, draft->ino);
    kept->away = away;
    kept->sent = !away;
    kept->name = g_strdup(name);
    kept->version = draft->version;
    kept->uidvalidity = letter.uidvalidity;
    kept->first = letter.first;
    told = g_new(Told, 1);
    *told = (Told){.mount = mount, .ino = draft->ino};
    outbox_put(letters->outbox, &letter, fd, on_put, told);
    return kept;
}

bool letters_keep(Letters *letters, Request *request, uint64_t ino)
{
    g_auto(Draft) draft = {0};

    if (!drafts_find(letters->mount->drafts, ino, &draft) || !wants(letters, &draft) ||
        !put(letters, &draft, NULL, false, 0))
        return false;
    request_wait(request, &letters_find(letters, ino)->waiting);
    return true;
}

static bool can_be_kept(const Letters *letters, const Draft *draft)
{
    return g_hash_table_size(letters->all) < MOST_KEPT && draft->named && !draft->uid &&
           !draft->stored;
}

static void refuse(const Letters *letters, Request *request)
{
    g_autoptr(GError) away = offline_error(letters->mount->offline);

    request_resume(request, away);
}

/* One that is not kept yet. */
static bool take_new(Letters *letters, Request *request, const Draft *draft, const char *name,
                     bool may_be_kept)
{
    Kept *kept = NULL;

    if (!letters_is_away(letters) || !can_be_kept(letters, draft))
        return false;
    if (!may_be_kept)
        refuse(letters, request);
    else if ((kept = put(letters, draft, name, true, 0)))
        request_wait(request, &kept->waiting);
    return !may_be_kept || kept;
}

bool letters_take(Letters *letters, Request *request, const char *name, bool may_be_kept)
{
    Kept *kept = letters_find(letters, request->ino);
    g_auto(Draft) draft = {0};

    if (!drafts_find(letters->mount->drafts, request->ino, &draft))
        return false;
    if (!kept)
        return take_new(letters, request, &draft, name, may_be_kept);
    if (may_be_kept && kept->version == draft.version && letters_is_answered(kept)) {
        request_resume(request, NULL);
    } else if (may_be_kept && kept->version == draft.version) {
        request_wait(request, &kept->waiting);
    } else if (kept->put && !kept->sent && letters_is_away(letters)) {
        refuse(letters, request);
    } else {
        request_wait(request, &kept->asking);
        if (kept->put && !kept->sent)
            letters_store(letters, kept);
    }
    return true;
}

bool letters_keep_lost(Letters *letters, Request *request, const char *name, uint32_t first,
                       const GError *error)
{
    g_auto(Draft) draft = {0};
    Kept *kept = NULL;

    if (letters->mount->options->offline != OFFLINE_NEVER && !letters_find(letters, request->ino) &&
        drafts_find(letters->mount->drafts, request->ino, &draft) && can_be_kept(letters, &draft))
        kept = put(letters, &draft, name, true, first);
    if (!kept)
        return false;
    kept->lost = g_error_copy(error);
    request_wait(request, &kept->waiting);
    return true;
}
