#include "catalog_private.h"

#include <limits.h>
#include <string.h>

#define ROWS_A_FLUSH 5000

/* --- checksums ------------------------------------------------------------------------------ */

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 32;
}

/*
 * Over the state, and of the messages over what a sync tells and not what is found out by
 * reading: two processes agree on the former as soon as both are in step with the server.
 */
static IndexSum sum_folder(const Catalog *catalog, const Folder *folder)
{
    const MailFolderState *state = &folder->about.state;
    IndexSum sum = {(uint32_t)folder->rows.count, folder->about.listed};
    sum.checksum = mix(mix(mix(sum.checksum, state->uidvalidity), state->uidnext), state->modseq);
    RowsCursor cursor = {0, 0};
    for (const Row *row; (row = rows_next(&folder->rows, &cursor));) {
        uint64_t flags = flagsets_hash(catalog->flag_sets, row->flag_set);
        sum.checksum += mix(mix(mix(1, row->uid), (uint64_t)row->date), flags);
    }
    return sum;
}

/* True for a folder of which the index knows nothing yet. */
static bool is_blank(const Folder *folder, IndexSum sum)
{
    return sum.checksum == 0 && folder->rows.count == 0 && !folder->about.listed &&
           folder->about.state.uidnext == 0 && folder->about.state.modseq == 0;
}

/* --- loading -------------------------------------------------------------------------------- */

typedef struct {
    Folder *folder;
    IndexSum sum;
} LoadedFolder;

/* stored: number in the index to number in memory. current: whose messages are coming. */
typedef struct {
    Catalog *catalog;
    GArray *folders; /* of LoadedFolder, by id */
    GHashTable *flag_sets;
    guint current;
} Loader;

/* What nobody has ever stored is not believed, whatever SQLite makes of the file. */
static bool is_possible_folder(const CatalogFolder *folder)
{
    return *folder->name && folder->id > 0 && folder->id < CATALOG_TEMPORARY;
}

static bool is_possible_message(const Row *row)
{
    return row->uid > 0 && row->size <= INT64_MAX;
}

static bool is_possible_name(const char *name)
{
    return *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
           strlen(name) <= NAME_MAX;
}

static void load_folder(gpointer data, CatalogFolder *copy, IndexSum sum)
{
    Loader *loader = data;
    if (!is_possible_folder(copy)) {
        catalog_folder_clear(copy);
        return;
    }
    MailFolderInfo info = {copy->name, copy->delimiter, copy->attributes};
    LoadedFolder loaded = {catalog_folder_new(&info, copy->id), sum};
    loaded.folder->about.listed = copy->listed;
    loaded.folder->about.state = copy->state;
    loaded.folder->stored = true;
    g_array_append_val(loader->folders, loaded);
    catalog_folder_clear(copy);
}

static void load_flag_set(gpointer data, int64_t stored, const char *text)
{
    Loader *loader = data;
    FlagSets *sets = loader->catalog->flag_sets;
    pthread_mutex_lock(&loader->catalog->lock);
    uint16_t set = flagsets_intern(sets, text);
    pthread_mutex_unlock(&loader->catalog->lock);
    if (strcmp(flagsets_text(sets, set), text) == 0)
        flagsets_set_stored(sets, set, stored);
    g_hash_table_insert(loader->flag_sets, GSIZE_TO_POINTER((gsize)stored), GUINT_TO_POINTER(set));
}

/* NULL: the index has messages of a folder that it does not have. */
static Folder *loading_folder(Loader *loader, uint32_t id)
{
    for (; loader->current < loader->folders->len; loader->current++) {
        Folder *folder = g_array_index(loader->folders, LoadedFolder, loader->current).folder;
        if (folder->about.id == id)
            return folder;
        if (folder->about.id > id)
            break;
    }
    GArray *dropped = loader->catalog->dropped;
    if (dropped->len == 0 || g_array_index(dropped, uint32_t, dropped->len - 1) != id)
        g_array_append_val(dropped, id);
    return NULL;
}

/* Names come by folder in no order, and there are few folders that have any. */
static void load_identity(gpointer data, uint32_t id, const Identity *identity)
{
    const Loader *loader = data;
    for (guint i = 0; i < loader->folders->len; i++) {
        Folder *folder = g_array_index(loader->folders, LoadedFolder, i).folder;
        if (folder->about.id == id)
            catalog_load_identity(folder, identity);
    }
}

static void load_given(gpointer data, uint32_t id, uint32_t uid, const char *name)
{
    const Loader *loader = data;
    for (guint i = 0; is_possible_name(name) && i < loader->folders->len; i++) {
        Folder *folder = g_array_index(loader->folders, LoadedFolder, i).folder;
        if (folder->about.id == id)
            catalog_load_given(folder, uid, name);
    }
}

static void load_message(gpointer data, uint32_t id, const Row *stored, int64_t flag_set)
{
    Loader *loader = data;
    Folder *folder = loading_folder(loader, id);
    if (!folder || !is_possible_message(stored))
        return; /* that one is missing, the sum will tell */
    bool added;
    Row *row = rows_add(&folder->rows, stored->uid, &added);
    *row = *stored;
    gpointer set = g_hash_table_lookup(loader->flag_sets, GSIZE_TO_POINTER((gsize)flag_set));
    row->flag_set = (uint16_t)GPOINTER_TO_UINT(set);
    folder->bytes += row->size;
}

/* The messages are not those that the state was written for: the next sync lists all. */
static void distrust(Folder *folder)
{
    g_info("folder %s is listed anew: the index does not have it as it was", folder->about.name);
    rows_clear(&folder->rows);
    rows_init(&folder->rows);
    folder->bytes = 0;
    folder->about.listed = false;
    folder->about.state = (MailFolderState){.uidvalidity = folder->about.state.uidvalidity};
    folder->clear = folder->dirty = true;
}

static const IndexSink load_sink = {load_folder, load_flag_set, load_identity, load_given,
                                    load_message};

/* False: nothing was loaded. The loader has the folders then. */
static bool load(Loader *loader, uint32_t only)
{
    loader->folders = g_array_new(FALSE, FALSE, sizeof(LoadedFolder));
    loader->flag_sets = g_hash_table_new(NULL, NULL);
    loader->current = 0;
    bool done = index_load(loader->catalog->index, only, &load_sink, loader) == DATABASE_OK;
    g_hash_table_unref(loader->flag_sets);
    for (guint i = 0; i < loader->folders->len; i++) {
        LoadedFolder *loaded = &g_array_index(loader->folders, LoadedFolder, i);
        IndexSum sum = sum_folder(loader->catalog, loaded->folder);
        if (!done)
            catalog_folder_free(loaded->folder);
        else if (!is_blank(loaded->folder, loaded->sum) &&
                 (sum.count != loaded->sum.count || sum.checksum != loaded->sum.checksum))
            distrust(loaded->folder);
    }
    if (!done)
        g_clear_pointer(&loader->folders, g_array_unref);
    return done;
}

void catalog_load(Catalog *catalog)
{
    Loader loader = {.catalog = catalog};
    if (!load(&loader, 0)) {
        flagsets_forget_stored(catalog->flag_sets);
        g_array_set_size(catalog->dropped, 0);
        if (!index_usable(catalog->index))
            g_clear_pointer(&catalog->index, index_close);
        else
            index_was_emptied(catalog->index);
        return;
    }
    for (guint i = 0; i < loader.folders->len; i++)
        catalog_insert_folder(catalog, g_array_index(loader.folders, LoadedFolder, i).folder);
    g_array_unref(loader.folders);
    index_load_sizes(catalog->index, &catalog->right, &catalog->wrong);
    catalog->features = index_load_features(catalog->index);
}

/* --- ids ------------------------------------------------------------------------------------ */

/* The index is empty: everything has to be written again, under the ids that it has. */
static void store_again(Catalog *catalog)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, catalog->folders);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Folder *folder = value;
        folder->stored = false;
        folder->clear = true;
        RowsCursor cursor = {0, 0};
        for (Row *row; (row = rows_next(&folder->rows, &cursor)); catalog_mark_row(folder, row))
            row->change = ROW_NEW;
        folder->dirty = true;
        catalog_mark_identities(folder, false);
        catalog_mark_given(folder, false);
    }
    flagsets_forget_stored(catalog->flag_sets);
    g_array_set_size(catalog->dropped, 0);
    catalog->new_right = catalog->right;
    catalog->new_wrong = catalog->wrong;
}

bool catalog_index_usable(Catalog *catalog)
{
    if (!catalog->index)
        return false;
    bool is_usable = index_usable(catalog->index);
    if (index_was_emptied(catalog->index))
        store_again(catalog);
    return is_usable;
}

static void delete_dropped(Catalog *catalog)
{
    for (guint i = 0; i < catalog->dropped->len; i++)
        index_delete_folder(catalog->index, g_array_index(catalog->dropped, uint32_t, i));
}

/* A name that was dropped must not find its old folder again. */
static bool write_dropped(Catalog *catalog)
{
    if (catalog->dropped->len == 0)
        return true;
    if (!index_begin(catalog->index))
        return false;
    delete_dropped(catalog);
    if (!index_commit(catalog->index))
        return false;
    g_array_set_size(catalog->dropped, 0);
    return true;
}

static uint32_t temporary_id(Catalog *catalog)
{
    do {
        catalog->next_temporary = CATALOG_TEMPORARY |
                                  (catalog->next_temporary + 1) % CATALOG_TEMPORARY;
    } while (g_hash_table_contains(catalog->folders, GUINT_TO_POINTER(catalog->next_temporary)));
    return catalog->next_temporary;
}

Folder *catalog_claim(Catalog *catalog, const MailFolderInfo *info, uint32_t uidvalidity)
{
    IndexClaim claim;
    if (!catalog_index_usable(catalog) || !write_dropped(catalog) ||
        !index_claim_folder(catalog->index, info, uidvalidity, &claim))
        return catalog_folder_new(info, temporary_id(catalog));
    Loader loader = {.catalog = catalog};
    if (!claim.found || !load(&loader, claim.id)) {
        Folder *folder = catalog_folder_new(info, claim.id);
        folder->stored = true;
        folder->clear = claim.found;
        folder->dirty = true;
        return folder;
    }
    Folder *folder = loader.folders->len ? g_array_index(loader.folders, LoadedFolder, 0).folder
                                         : catalog_folder_new(info, claim.id);
    g_array_unref(loader.folders);
    return folder;
}

void catalog_store_name(Catalog *catalog, Folder *folder)
{
    if (folder->unsaved || !catalog_index_usable(catalog) || !write_dropped(catalog) ||
        !index_begin(catalog->index))
        return;
    index_rename_folder(catalog->index, folder->about.id, folder->about.name);
    index_commit(catalog->index);
}

/* --- flushing ------------------------------------------------------------------------------- */

/* What a transaction has written of a folder, to be taken note of once it is committed. */
typedef struct {
    Folder *folder;
    guint gone;        /* how many of folder->gone */
    uint32_t from, to; /* UIDs of the rows; from > to: none */
    bool cleared;
    bool complete; /* the state too */
    bool unsaved;  /* the index has another folder in its place */
} Written;

typedef struct {
    Catalog *catalog;
    size_t budget; /* rows */
    GArray *written;
} Flush;

static int64_t stored_flag_set(Catalog *catalog, uint16_t set)
{
    int64_t stored = flagsets_stored(catalog->flag_sets, set);
    if (stored == 0) {
        stored = index_put_flag_set(catalog->index, flagsets_text(catalog->flag_sets, set));
        flagsets_set_stored(catalog->flag_sets, set, stored);
    }
    return stored;
}

/* True: all of them. */
static bool write_rows(Flush *flush, Written *written)
{
    Folder *folder = written->folder;
    Catalog *catalog = flush->catalog;
    written->from = folder->dirty_first;
    written->to = folder->dirty_last;
    RowsCursor cursor = rows_after(&folder->rows, written->from - 1);
    for (const Row *row; (row = rows_next(&folder->rows, &cursor)) && row->uid <= written->to;) {
        if (row->change == ROW_CLEAN)
            continue;
        if (flush->budget == 0) {
            written->to = row->uid - 1;
            return false;
        }
        flush->budget--;
        index_put_message(catalog->index, folder->about.id, row,
                          stored_flag_set(catalog, row->flag_set));
    }
    return true;
}

static bool write_gone(Flush *flush, Written *written)
{
    Folder *folder = written->folder;
    for (; written->gone < folder->gone->len && flush->budget > 0; flush->budget--) {
        uint32_t uid = g_array_index(folder->gone, uint32_t, written->gone++);
        index_delete_message(flush->catalog->index, folder->about.id, uid);
        catalog_delete_given(flush->catalog, folder, uid);
    }
    return written->gone == folder->gone->len;
}

static void write_folder(Flush *flush, Folder *folder)
{
    Written written = {.folder = folder, .from = 1, .to = 0, .cleared = folder->clear};
    Index *index = flush->catalog->index;
    uint32_t id = folder->about.id;
    if (folder->clear)
        index_clear_messages(index, id);
    catalog_write_identities(flush->catalog, folder);
    catalog_write_given(flush->catalog, folder);
    if (write_gone(flush, &written) && write_rows(flush, &written)) {
        IndexSum sum = sum_folder(flush->catalog, folder);
        written.complete = true;
        written.unsaved = !index_put_folder(index, &folder->about, sum, !folder->stored);
        if (written.unsaved)
            index_clear_messages(index, id);
    }
    g_array_append_val(flush->written, written);
}

/* The transaction is committed. */
static void note_written(const Written *written)
{
    Folder *folder = written->folder;
    RowsCursor cursor = rows_after(&folder->rows, written->from - 1);
    if (written->from <= written->to)
        for (Row *row; (row = rows_next(&folder->rows, &cursor)) && row->uid <= written->to;)
            row->change = ROW_CLEAN;
    g_array_remove_range(folder->gone, 0, written->gone);
    folder->clear &= !written->cleared;
    catalog_mark_identities(folder, true);
    catalog_mark_given(folder, true);
    if (written->complete) {
        folder->dirty = false;
        folder->stored = true;
        folder->unsaved = written->unsaved;
        folder->dirty_first = UINT32_MAX;
        folder->dirty_last = 0;
    } else if (written->from <= written->to) {
        folder->dirty_first = written->to + 1;
    }
}

/* True: all of them. */
static bool write_folders(Flush *flush)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, flush->catalog->folders);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Folder *folder = value;
        if (!folder->dirty || folder->unsaved)
            continue;
        if (flush->budget == 0)
            return false;
        write_folder(flush, folder);
    }
    return true;
}

static bool has_work(const Catalog *catalog)
{
    if (catalog->dropped->len > 0 || catalog->new_right || catalog->new_wrong ||
        catalog->new_features)
        return true;
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, catalog->folders);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        if (((Folder *)value)->dirty && !((Folder *)value)->unsaved)
            return true;
    return false;
}

static void write_records(Catalog *catalog)
{
    delete_dropped(catalog);
    if (catalog->new_right || catalog->new_wrong)
        index_add_sizes(catalog->index, catalog->new_right, catalog->new_wrong);
    if (catalog->new_features)
        index_put_features(catalog->index, catalog->features);
}

bool catalog_flush(Catalog *catalog)
{
    if (!catalog_index_usable(catalog) || !has_work(catalog) || !index_begin(catalog->index))
        return true;
    g_autoptr(GArray) written = g_array_new(FALSE, FALSE, sizeof(Written));
    Flush flush = {catalog, ROWS_A_FLUSH, written};
    write_records(catalog);
    bool all = write_folders(&flush);
    if (!index_commit(catalog->index)) {
        /* Sets of flags that got a number in it have none now. */
        flagsets_forget_stored(catalog->flag_sets);
        return true;
    }
    g_array_set_size(catalog->dropped, 0);
    catalog->new_right = catalog->new_wrong = 0;
    catalog->new_features = false;
    for (guint i = 0; i < written->len; i++) {
        const Written *each = &g_array_index(written, Written, i);
        note_written(each);
        all &= each->complete;
    }
    return all;
}
