#include "catalog_private.h"

#include <stdlib.h>
#include <string.h>

/* --- folders -------------------------------------------------------------------------------- */

void catalog_folder_clear(CatalogFolder *folder)
{
    g_clear_pointer(&folder->name, g_free);
}

Folder *catalog_folder_new(const MailFolderInfo *info, uint32_t id)
{
    Folder *folder = g_new0(Folder, 1);
    folder->about = (CatalogFolder){.id = id,
                                    .name = g_strdup(info->name),
                                    .delimiter = info->delimiter,
                                    .attributes = info->attributes};
    rows_init(&folder->rows);
    folder->gone = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    folder->dirty_first = UINT32_MAX;
    folder->unsaved = id >= CATALOG_TEMPORARY;
    return folder;
}

void catalog_folder_free(Folder *folder)
{
    catalog_folder_clear(&folder->about);
    rows_clear(&folder->rows);
    g_array_unref(folder->gone);
    identities_free(folder->identities);
    given_names_free(folder->given);
    g_free(folder);
}

static void free_folder(gpointer folder)
{
    catalog_folder_free(folder);
}

static Folder *find(Catalog *catalog, uint32_t id)
{
    return g_hash_table_lookup(catalog->folders, GUINT_TO_POINTER(id));
}

/* In a damaged index two folders may have one name, or a name have another's id: the latter goes.
 */
static void remove_others(Catalog *catalog, const Folder *folder)
{
    Folder *other;

    if ((other = find(catalog, folder->about.id)))
        catalog_remove_folder(catalog, other);
    if ((other = g_hash_table_lookup(catalog->names, folder->about.name)))
        catalog_remove_folder(catalog, other);
}

void catalog_insert_folder(Catalog *catalog, Folder *folder)
{
    remove_others(catalog, folder);
    g_hash_table_insert(catalog->folders, GUINT_TO_POINTER(folder->about.id), folder);
    g_hash_table_insert(catalog->names, folder->about.name, folder);
}

void catalog_remove_folder(Catalog *catalog, Folder *folder)
{
    g_hash_table_remove(catalog->names, folder->about.name);
    g_hash_table_remove(catalog->folders, GUINT_TO_POINTER(folder->about.id));
}

Catalog *catalog_open(const char *directory)
{
    Catalog *catalog = g_new0(Catalog, 1);
    pthread_mutex_init(&catalog->lock, NULL);
    catalog->folders = g_hash_table_new_full(NULL, NULL, NULL, free_folder);
    catalog->names = g_hash_table_new(g_str_hash, g_str_equal);
    catalog->flag_sets = flagsets_new();
    catalog->dropped = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    catalog->named = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    catalog->next_temporary = CATALOG_TEMPORARY;
    if (directory)
        catalog->index = index_open(directory);
    else
        g_warning("there is no cache directory: folders and messages are known in memory alone, "
                  "and listed again after each mount");
    if (catalog->index)
        catalog_load(catalog);
    return catalog;
}

void catalog_close(Catalog *catalog)
{
    if (!catalog)
        return;
    catalog_identified(catalog);
    while (!catalog_flush(catalog))
        ;
    index_close(catalog->index);
    g_hash_table_unref(catalog->names);
    g_hash_table_unref(catalog->folders);
    flagsets_free(catalog->flag_sets);
    g_array_unref(catalog->dropped);
    g_array_unref(catalog->named);
    pthread_mutex_destroy(&catalog->lock);
    g_free(catalog);
}

/* --- any thread: copies, made with the lock held -------------------------------------------- */

static CatalogFolder copy_folder(const Folder *folder)
{
    CatalogFolder copy = folder->about;
    copy.name = g_strdup(folder->about.name);
    copy.state.count = (uint32_t)folder->rows.count;
    return copy;
}

static CatalogMessage copy_message(const Catalog *catalog, const Folder *folder, const Row *row)
{
    return (CatalogMessage){.uid = row->uid,
                            .deleted = flagsets_deleted(catalog->flag_sets, row->flag_set),
                            .named = folder->given != NULL,
                            .header_length = row->header_length,
                            .size = row->size,
                            .date = row->date,
                            .flag_set = row->flag_set,
                            .proof = row->proof & (uint8_t)~ROW_CLAIMED};
}

bool catalog_folder(Catalog *catalog, uint32_t folder, CatalogFolder *copy)
{
    SCOPED_LOCK(&catalog->lock);
    const Folder *found = find(catalog, folder);
    if (found)
        *copy = copy_folder(found);
    return found != NULL;
}

static void clear_folder(gpointer folder)
{
    catalog_folder_clear(folder);
}

static int compare_ids(const void *a, const void *b)
{
    uint32_t one = ((const CatalogFolder *)a)->id, other = ((const CatalogFolder *)b)->id;
    return one < other ? -1 : one > other;
}

GArray *catalog_folders(Catalog *catalog)
{
    GArray *copies = g_array_new(FALSE, FALSE, sizeof(CatalogFolder));
    g_array_set_clear_func(copies, clear_folder);
    SCOPED_LOCK(&catalog->lock);
    GHashTableIter iter;
    gpointer folder;
    g_hash_table_iter_init(&iter, catalog->folders);
    while (g_hash_table_iter_next(&iter, NULL, &folder)) {
        CatalogFolder copy = copy_folder(folder);
        g_array_append_val(copies, copy);
    }
    g_array_sort(copies, compare_ids);
    return copies;
}

bool catalog_message(Catalog *catalog, uint32_t folder, uint32_t uid, CatalogMessage *copy)
{
    SCOPED_LOCK(&catalog->lock);
    const Folder *found = find(catalog, folder);
    const Row *row = found ? rows_find(&found->rows, uid) : NULL;
    if (row)
        *copy = copy_message(catalog, found, row);
    return row != NULL;
}

size_t catalog_messages_after(Catalog *catalog, uint32_t folder, uint32_t after,
                              CatalogMessage *copies, size_t n)
{
    SCOPED_LOCK(&catalog->lock);
    const Folder *found = find(catalog, folder);
    if (!found)
        return 0;
    RowsCursor cursor = rows_after(&found->rows, after);
    size_t copied = 0;
    for (const Row *row; copied < n && (row = rows_next(&found->rows, &cursor));)
        copies[copied++] = copy_message(catalog, found, row);
    return copied;
}

bool catalog_last_message(Catalog *catalog, uint32_t folder, CatalogMessage *copy)
{
    SCOPED_LOCK(&catalog->lock);
    const Folder *found = find(catalog, folder);
    const Row *row = found ? rows_last(&found->rows) : NULL;
    if (row)
        *copy = copy_message(catalog, found, row);
    return row != NULL;
}

char *catalog_flags(Catalog *catalog, uint16_t flag_set)
{
    SCOPED_LOCK(&catalog->lock);
    return g_strdup(flagsets_text(catalog->flag_sets, flag_set));
}

void catalog_totals(Catalog *catalog, uint64_t *folders, uint64_t *messages, uint64_t *bytes)
{
    SCOPED_LOCK(&catalog->lock);
    GHashTableIter iter;
    gpointer value;
    *folders = g_hash_table_size(catalog->folders);
    *messages = *bytes = 0;
    g_hash_table_iter_init(&iter, catalog->folders);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Folder *folder = value;
        *messages += folder->rows.count;
        *bytes += folder->bytes;
    }
}

void catalog_note_features(Catalog *catalog, unsigned features)
{
    catalog->new_features = catalog->new_features || catalog->features != features;
    catalog->features = features;
}

unsigned catalog_features(const Catalog *catalog)
{
    return catalog->features;
}

void catalog_size_record(Catalog *catalog, uint64_t *right, uint64_t *wrong)
{
    SCOPED_LOCK(&catalog->lock);
    *right = catalog->right;
    *wrong = catalog->wrong;
}

/* --- the engine thread: folders ------------------------------------------------------------- */

uint32_t catalog_put_folder(Catalog *catalog, const MailFolderInfo *info)
{
    Folder *folder = g_hash_table_lookup(catalog->names, info->name);
    bool is_new = folder == NULL;
    if (is_new)
        folder = catalog_claim(catalog, info, 0);
    SCOPED_LOCK(&catalog->lock);
    if (is_new)
        catalog_insert_folder(catalog, folder);
    CatalogFolder *about = &folder->about;
    folder->dirty |= about->delimiter != info->delimiter || about->attributes != info->attributes;
    about->delimiter = info->delimiter;
    about->attributes = info->attributes;
    return about->id;
}

void catalog_drop_folder(Catalog *catalog, uint32_t folder)
{
    Folder *found = find(catalog, folder);
    if (!found)
        return;
    if (!found->unsaved)
        g_array_append_val(catalog->dropped, folder);
    SCOPED_LOCK(&catalog->lock);
    catalog_remove_folder(catalog, found);
}

static void rename_one(Catalog *catalog, Folder *folder, const char *name)
{
    const Folder *other = g_hash_table_lookup(catalog->names, name);
    if (other && other != folder)
        catalog_drop_folder(catalog, other->about.id);
    pthread_mutex_lock(&catalog->lock);
    g_hash_table_remove(catalog->names, folder->about.name);
    g_free(folder->about.name);
    folder->about.name = g_strdup(name);
    g_hash_table_insert(catalog->names, folder->about.name, folder);
    pthread_mutex_unlock(&catalog->lock);
    catalog_store_name(catalog, folder);
}

void catalog_rename_folder(Catalog *catalog, uint32_t folder, const char *name)
{
    Folder *found = find(catalog, folder);
    if (!found)
        return;
    g_autofree char *prefix = g_strdup_printf("%s%c", found->about.name, found->about.delimiter);
    g_autoptr(GArray) folders = catalog_folders(catalog);
    char delimiter = found->about.delimiter;
    rename_one(catalog, found, name);
    for (guint i = 0; delimiter && i < folders->len; i++) {
        const CatalogFolder *below = &g_array_index(folders, CatalogFolder, i);
        if (below->id == folder || !g_str_has_prefix(below->name, prefix) ||
            !find(catalog, below->id))
            continue;
        g_autofree char *other = g_strdup_printf("%s%c%s", name, delimiter,
                                                 below->name + strlen(prefix));
        rename_one(catalog, find(catalog, below->id), other);
    }
}

/* Nothing that was known holds; the sync under way tells all. With the lock, or before insertion.
 */
static void begin_folder(Folder *folder, uint32_t uidvalidity)
{
    rows_clear(&folder->rows);
    rows_init(&folder->rows);
    folder->bytes = 0;
    folder->clear = folder->dirty = true;
    folder->dirty_first = UINT32_MAX;
    folder->dirty_last = 0;
    folder->about.listed = false;
    folder->about.state = (MailFolderState){.uidvalidity = uidvalidity};
}

uint32_t catalog_reset_folder(Catalog *catalog, uint32_t folder, uint32_t uidvalidity)
{
    Folder *old = find(catalog, folder);
    if (!old || uidvalidity == 0 || old->about.state.uidvalidity == uidvalidity)
        return folder;
    MailFolderInfo info = {old->about.name, old->about.delimiter, old->about.attributes};
    Folder *fresh = catalog_claim(catalog, &info, uidvalidity);
    if (old->about.state.uidvalidity == 0 && fresh->unsaved) {
        g_clear_pointer(&fresh, catalog_folder_free);
        SCOPED_LOCK(&catalog->lock);
        begin_folder(old, uidvalidity);
        return folder;
    }
    uint32_t id = fresh->about.id;
    begin_folder(fresh, uidvalidity);
    if (id != folder && !old->unsaved)
        g_array_append_val(catalog->dropped, folder);
    SCOPED_LOCK(&catalog->lock);
    catalog_remove_folder(catalog, old);
    catalog_insert_folder(catalog, fresh);
    return id;
}

uint32_t catalog_renew_folder(Catalog *catalog, uint32_t folder)
{
    Folder *old = find(catalog, folder);
    if (!old)
        return folder;
    uint32_t uidvalidity = old->about.state.uidvalidity;
    MailFolderInfo info = {old->about.name, old->about.delimiter, old->about.attributes};
    /* First, or else its name finds it again; another process may have made the new one. */
    if (!old->unsaved)
        g_array_append_val(catalog->dropped, folder);
    Folder *fresh = catalog_claim(catalog, &info, uidvalidity);
    uint32_t id = fresh->about.id;
    begin_folder(fresh, uidvalidity);
    SCOPED_LOCK(&catalog->lock);
    catalog_remove_folder(catalog, old);
    catalog_insert_folder(catalog, fresh);
    return id;
}

void catalog_put_state(Catalog *catalog, uint32_t folder, const MailFolderState *state)
{
    Folder *found = find(catalog, folder);
    if (!found)
        return;
    MailFolderState *known = &found->about.state;
    if (known->uidvalidity && known->uidvalidity != state->uidvalidity) {
        g_critical("a state of UIDVALIDITY %u for a folder of %u", state->uidvalidity,
                   known->uidvalidity);
        return;
    }
    found->dirty |= !found->about.listed || known->uidvalidity != state->uidvalidity ||
                    known->uidnext != state->uidnext || known->modseq != state->modseq;
    SCOPED_LOCK(&catalog->lock);
    *known = *state;
    known->flags_later = false;
    found->about.listed = true;
    catalog_drop_strays(found);
}

/* --- the engine thread: messages ------------------------------------------------------------ */

void catalog_mark_row(Folder *folder, Row *row)
{
    row->change = MAX(row->change, ROW_CHANGED);
    folder->dirty_first = MIN(folder->dirty_first, row->uid);
    folder->dirty_last = MAX(folder->dirty_last, row->uid);
    folder->dirty = true;
}

static void set_size(Folder *folder, Row *row, uint64_t size)
{
    folder->bytes += size - row->size;
    row->size = size;
}

static void put_message(Catalog *catalog, Folder *folder, const MailMessage *message)
{
    bool added;
    Row *row = rows_add(&folder->rows, message->uid, &added);
    const Row before = *row;
    if (added)
        row->change = ROW_NEW;
    if (message->has & MAIL_HAS_SIZE && !(row->proof & CATALOG_SIZE_PROVED)) {
        set_size(folder, row, message->size);
        row->proof |= ROW_CLAIMED;
    }
    if (message->has & MAIL_HAS_DATE)
        row->date = message->date;
    else if (folder->identities && identities_of(folder->identities, message->uid))
        row->date = identities_of(folder->identities, message->uid)->seen;
    if (message->has & MAIL_HAS_FLAGS)
        row->flag_set = flagsets_intern(catalog->flag_sets, message->flags);
    if (added || row->size != before.size || row->date != before.date ||
        row->flag_set != before.flag_set || row->proof != before.proof)
        catalog_mark_row(folder, row);
}

void catalog_put_messages(Catalog *catalog, uint32_t folder, const MailMessage *messages, size_t n)
{
    Folder *found = find(catalog, folder);
    if (!found)
        return;
    SCOPED_LOCK(&catalog->lock);
    for (size_t i = 0; i < n; i++)
        if (messages[i].uid != 0)
            put_message(catalog, found, &messages[i]);
}

/* Takes what was removed from the rows, with the lock; returns it as the caller wants it. */
static GArray *remember_gone(const Catalog *catalog, Folder *folder, GArray *rows)
{
    GArray *messages = g_array_sized_new(FALSE, FALSE, sizeof(CatalogMessage), rows->len);
    for (guint i = 0; i < rows->len; i++) {
        const Row *row = &g_array_index(rows, Row, i);
        CatalogMessage message = copy_message(catalog, folder, row);
        g_array_append_val(messages, message);
        folder->bytes -= row->size;
        catalog_take_given(folder, row->uid);
        if (!folder->unsaved)
            g_array_append_val(folder->gone, row->uid);
    }
    folder->dirty |= rows->len > 0;
    return messages;
}

GArray *catalog_remove_ranges(Catalog *catalog, uint32_t folder, const MailUidRange *ranges,
                              size_t n)
{
    Folder *found = find(catalog, folder);
    if (!found)
        return g_array_new(FALSE, FALSE, sizeof(CatalogMessage));
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(Row));
    SCOPED_LOCK(&catalog->lock);
    for (size_t i = 0; i < n; i++)
        rows_remove_range(&found->rows, ranges[i].first, ranges[i].last, rows);
    return remember_gone(catalog, found, rows);
}

/* NULL where they ascend already; else a copy that does. */
static uint32_t *sort_uids(const uint32_t *uids, size_t n)
{
    size_t i = 1;
    while (i < n && uids[i - 1] <= uids[i])
        i++;
    if (i >= n)
        return NULL;
    uint32_t *sorted = g_memdup2(uids, n * sizeof *uids);
    qsort(sorted, n, sizeof *sorted, mail_compare_uids);
    return sorted;
}

GArray *catalog_keep_only(Catalog *catalog, uint32_t folder, const uint32_t *uids, size_t n)
{
    Folder *found = find(catalog, folder);
    if (!found)
        return g_array_new(FALSE, FALSE, sizeof(CatalogMessage));
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(Row));
    g_autofree uint32_t *sorted = sort_uids(uids, n);
    SCOPED_LOCK(&catalog->lock);
    rows_keep_only(&found->rows, sorted ? sorted : uids, n, rows);
    return remember_gone(catalog, found, rows);
}

static void count_size(Catalog *catalog, bool right)
{
    catalog->right += right;
    catalog->wrong += !right;
    catalog->new_right += right;
    catalog->new_wrong += !right;
}

void catalog_prove(Catalog *catalog, uint32_t folder, uint32_t uid, uint32_t header_length,
                   uint64_t size, unsigned proof)
{
    Folder *found = find(catalog, folder);
    Row *row = found ? rows_find(&found->rows, uid) : NULL;
    if (!row)
        return;
    SCOPED_LOCK(&catalog->lock);
    if (row->proof & ROW_CLAIMED && !(row->proof & CATALOG_SIZE_PROVED))
        count_size(catalog, row->size == size);
    const Row before = *row;
    set_size(found, row, size);
    if (header_length)
        row->header_length = header_length;
    row->proof |= CATALOG_SIZE_PROVED | (proof & CATALOG_WHOLE_BODY);
    if (row->size != before.size || row->header_length != before.header_length ||
        row->proof != before.proof)
        catalog_mark_row(found, row);
}

bool catalog_learn(Catalog *catalog, uint32_t folder, uint32_t uid)
{
    Folder *found = find(catalog, folder);
    Row *row = found ? rows_find(&found->rows, uid) : NULL;
    Row proved;
    if (!row || row->proof & CATALOG_SIZE_PROVED || found->unsaved || !catalog->index ||
        !index_find_proof(catalog->index, folder, uid, &proved))
        return false;
    SCOPED_LOCK(&catalog->lock);
    set_size(found, row, proved.size);
    row->header_length = proved.header_length;
    row->proof |= proved.proof;
    return true;
}

void catalog_put_header_length(Catalog *catalog, uint32_t folder, uint32_t uid, uint32_t length)
{
    Folder *found = find(catalog, folder);
    Row *row = found ? rows_find(&found->rows, uid) : NULL;
    if (!row || row->header_length == length)
        return;
    SCOPED_LOCK(&catalog->lock);
    row->header_length = length;
    catalog_mark_row(found, row);
}
