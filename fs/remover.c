#include "remover.h"

#include "refresh.h"

#include <errno.h>
#include <string.h>

/* Messages of a folder that this mount has marked, and that are to be expunged when it ends. */
typedef struct {
    uint32_t id;  /* the folder's, */
    char *folder; /* and its name */
    uint32_t uidvalidity;
    GArray *uids; /* uint32_t */
} Marked;

/*
 * `uids` are those of the operation under way; those of `told` it has told of.
 */
struct Remover {
    Mount *mount;
    RemoverEvents events;
    gpointer data;
    bool moves; /* to the trash */
    uint32_t id;
    char *folder;
    uint32_t uidvalidity;
    GArray *uids;     /* uint32_t */
    GHashTable *told; /* uid */
    GPtrArray *marked;
    MailDone expunged;
    gpointer expunged_data;
};

static void marked_free(gpointer data)
{
    Marked *marked = data;

    g_free(marked->folder);
    g_array_unref(marked->uids);
    g_free(marked);
}

Remover *remover_new(Mount *mount)
{
    Remover *remover = g_new0(Remover, 1);

    remover->mount = mount;
    remover->uids = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    remover->told = g_hash_table_new(NULL, NULL);
    remover->marked = g_ptr_array_new_with_free_func(marked_free);
    return remover;
}

void remover_free(Remover *remover)
{
    g_free(remover->folder);
    g_array_unref(remover->uids);
    g_hash_table_unref(remover->told);
    g_ptr_array_unref(remover->marked);
    g_free(remover);
}

/* --- the trash -------------------------------------------------------------------------------- */

/* The server's name of the folder with the special use \Trash; the caller frees. */
static char *find_trash(Catalog *catalog)
{
    g_autoptr(GArray) folders = catalog_folders(catalog);

    for (guint i = 0; i < folders->len; i++) {
        const CatalogFolder *folder = &g_array_index(folders, CatalogFolder, i);
        if (folder->attributes & MAIL_FOLDER_TRASH)
            return g_strdup(folder->name);
    }
    return NULL;
}

/* NULL: there is none, or error. What is in the trash itself is removed for good. */
static char *trash_of(const Remover *remover, const char *folder, GError **error)
{
    const char *option = remover->mount->options->trash;
    char *trash;

    if (!option)
        return NULL;
    trash = strcmp(option, "auto") == 0 ? find_trash(remover->mount->catalog) : g_strdup(option);
    if (!trash)
        g_set_error(error, MAIL_ERROR, EACCES,
                    "the server has no folder that it calls the trash; name one by trash=");
    else if (strcmp(trash, folder) == 0)
        g_clear_pointer(&trash, g_free);
    return trash;
}

/* --- telling the server ----------------------------------------------------------------------- */

static void tell(Remover *remover, uint32_t uid, RemoverOutcome outcome)
{
    g_hash_table_add(remover->told, GUINT_TO_POINTER(uid));
    remover->events.told(remover->data, uid, outcome);
}

static Marked *marked_of(Remover *remover, uint32_t id, const char *folder, uint32_t uidvalidity)
{
    Marked *marked;

    for (guint i = 0; i < remover->marked->len; i++) {
        marked = remover->marked->pdata[i];
        if (marked->id == id && marked->uidvalidity == uidvalidity)
            return marked;
    }
    marked = g_new0(Marked, 1);
    marked->id = id;
    marked->folder = g_strdup(folder);
    marked->uidvalidity = uidvalidity;
    marked->uids = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    g_ptr_array_add(remover->marked, marked);
    return marked;
}

static void keep_marked(Remover *remover, uint32_t id, const char *folder, uint32_t uidvalidity,
                        uint32_t uid)
{
    if (remover->mount->options->expunge != EXPUNGE_NEVER)
        g_array_append_val(marked_of(remover, id, folder, uidvalidity)->uids, uid);
}

static void note_gone(gpointer data, uint32_t uid)
{
    tell(data, uid, REMOVER_GONE);
}

static void note_marked(gpointer data, uint32_t uid)
{
    Remover *remover = data;

    keep_marked(remover, remover->id, remover->folder, remover->uidvalidity, uid);
    tell(remover, uid, REMOVER_MARKED);
}

void remover_note_marked(Remover *remover, const CatalogFolder *folder, uint32_t uid)
{
    keep_marked(remover, folder->id, folder->name, folder->state.uidvalidity, uid);
}

/* It is in the trash; that it is gone from here is told besides. */
static void note_copied(gpointer data, uint32_t uid, uint32_t uidvalidity, uint32_t copy)
{
    (void)data, (void)uid, (void)uidvalidity, (void)copy;
}

/* The move is tried again, by its UID: then it is still here, or was moved. */
static void note_unsure(gpointer data, uint32_t uid)
{
    (void)data, (void)uid;
}

/* Of a move, what was not told was not here any more. */
static void end_move(Remover *remover)
{
    for (guint i = 0; i < remover->uids->len; i++) {
        uint32_t uid = g_array_index(remover->uids, uint32_t, i);
        if (!g_hash_table_contains(remover->told, GUINT_TO_POINTER(uid)))
            tell(remover, uid, REMOVER_GONE);
    }
}

static void removed(gpointer data, const GError *error)
{
    Remover *remover = data;
    g_autoptr(GError) no_trash = NULL;

    if (remover->moves && !error)
        end_move(remover);
    if (remover->moves && error && mail_errno(error) == ENOENT)
        no_trash = g_error_new(MAIL_ERROR, EACCES,
                               "the folder, or the trash (trash=%s), is not there: %s",
                               remover->mount->options->trash, error->message);
    remover->events.done(remover->data, no_trash ? no_trash : error);
}

static void move(Remover *remover, const MailRemove *what, const char *trash)
{
    static const MailCopySink sink = {note_copied, note_gone, note_marked, note_unsure};
    const MailCopy move = {.folder = what->folder,
                           .uidvalidity = what->uidvalidity,
                           .uids = what->uids,
                           .n_uids = what->n_uids,
                           .target = trash};

    mail_store_move(remover->mount->store, &move, &sink, removed, remover);
}

static void remove_for_good(Remover *remover, const MailRemove *what)
{
    Mount *mount = remover->mount;
    bool removes = mount->features & MAIL_STORE_REMOVE;
    bool marks = mount->features & MAIL_STORE_CHANGES;

    if (marks && (!removes || mount->options->expunge != EXPUNGE_NOW))
        mail_store_mark(mount->store, what, note_marked, removed, remover);
    else
        mail_store_remove(mount->store, what, note_gone, removed, remover);
}

void remover_begin(Remover *remover, const CatalogFolder *folder, const uint32_t *uids, size_t n,
                   const RemoverEvents *events, gpointer data)
{
    const MailRemove what = {.folder = folder->name,
                             .uidvalidity = folder->state.uidvalidity,
                             .uids = uids,
                             .n_uids = n};
    g_autoptr(GError) error = NULL;
    g_autofree char *trash = NULL;

    remover->events = *events;
    remover->data = data;
    g_free(remover->folder);
    remover->folder = g_strdup(folder->name);
    remover->id = folder->id;
    remover->uidvalidity = folder->state.uidvalidity;
    g_array_set_size(remover->uids, 0);
    g_array_append_vals(remover->uids, uids, (guint)n);
    g_hash_table_remove_all(remover->told);
    if (remover->mount->features & MAIL_STORE_CHANGES)
        trash = trash_of(remover, folder->name, &error);
    remover->moves = trash != NULL;
    if (error)
        events->done(data, error);
    else if (trash)
        move(remover, &what, trash);
    else
        remove_for_good(remover, &what);
}

/* --- expunging at the end --------------------------------------------------------------------- */

bool remover_wants_expunge(const Remover *remover)
{
    return remover->marked->len > 0;
}

static void expunge_next(Remover *remover);

static void ignore_removed(gpointer data, uint32_t uid)
{
    (void)data, (void)uid;
}

static void expunge_done(gpointer data, const GError *error)
{
    Remover *remover = data;
    const Marked *marked = remover->marked->pdata[0];

    if (error)
        g_warning("folder \"%s\": %u messages stay marked \\Deleted: %s%s", marked->folder,
                  marked->uids->len, error->message,
                  mail_errno(error) == EBUSY ? "; expunging would take along what others marked"
                                             : "");
    g_ptr_array_remove_index(remover->marked, 0);
    expunge_next(remover);
}

/* The folder may have been renamed since. */
static void take_name(const Remover *remover, Marked *marked)
{
    g_auto(CatalogFolder) folder = {0};

    if (!catalog_folder(remover->mount->catalog, marked->id, &folder))
        return;
    g_free(marked->folder);
    marked->folder = g_strdup(folder.name);
}

static void expunge_next(Remover *remover)
{
    Marked *marked;
    MailRemove what;

    if (!remover->marked->len) {
        remover->expunged(remover->expunged_data, NULL);
        return;
    }
    marked = remover->marked->pdata[0];
    take_name(remover, marked);
    what = (MailRemove){.folder = marked->folder,
                        .uidvalidity = marked->uidvalidity,
                        .uids = (const uint32_t *)(void *)marked->uids->data,
                        .n_uids = marked->uids->len};
    mail_store_expunge(remover->mount->store, &what, ignore_removed, expunge_done, remover);
}

void remover_expunge(Remover *remover, MailDone done, gpointer data)
{
    remover->expunged = done;
    remover->expunged_data = data;
    expunge_next(remover);
}
