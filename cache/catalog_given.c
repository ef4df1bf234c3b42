#include "catalog_private.h"

#include <errno.h>

static Folder *find(Catalog *catalog, uint32_t id)
{
    return g_hash_table_lookup(catalog->folders, GUINT_TO_POINTER(id));
}

/* --- any thread ----------------------------------------------------------------------------- */

char *catalog_given_name(Catalog *catalog, uint32_t folder, uint32_t uid)
{
    SCOPED_LOCK(&catalog->lock);
    const Folder *found = find(catalog, folder);
    const GivenName *given = found && found->given ? given_names_of(found->given, uid) : NULL;
    return given ? g_strdup(given->name) : NULL;
}

uint32_t catalog_given(Catalog *catalog, uint32_t folder, const char *name)
{
    SCOPED_LOCK(&catalog->lock);
    const Folder *found = find(catalog, folder);
    const GivenName *given = found && found->given ? given_names_find(found->given, name) : NULL;
    return given ? given->uid : 0;
}

/* --- the index ------------------------------------------------------------------------------ */

void catalog_load_given(Folder *folder, uint32_t uid, const char *name)
{
    if (!folder->given)
        folder->given = given_names_new();
    given_names_put(folder->given, uid, name, true);
    folder->strays = true;
}

void catalog_write_given(Catalog *catalog, Folder *folder)
{
    GHashTableIter iter;
    if (!folder->ungiven)
        return;
    given_names_begin(folder->given, &iter);
    for (const GivenName *given; (given = given_names_next(&iter));)
        if (!given->stored)
            index_put_given(catalog->index, folder->about.id, given->uid, given->name);
}

void catalog_mark_given(Folder *folder, bool stored)
{
    GHashTableIter iter;
    if (!folder->given || (stored && !folder->ungiven))
        return;
    given_names_begin(folder->given, &iter);
    for (GivenName *given; (given = given_names_next(&iter));)
        given->stored = stored;
    folder->ungiven = !stored;
}

void catalog_delete_given(Catalog *catalog, const Folder *folder, uint32_t uid)
{
    const GivenName *given = folder->given ? given_names_of(folder->given, uid) : NULL;
    if (given && given->gone)
        index_delete_given(catalog->index, folder->about.id, uid);
}

void catalog_take_given(Folder *folder, uint32_t uid)
{
    if (folder->given)
        given_names_free_name(folder->given, uid);
}

void catalog_drop_strays(Folder *folder)
{
    GHashTableIter iter;
    if (!folder->strays)
        return;
    g_autoptr(GArray) strays = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    folder->strays = false;
    given_names_begin(folder->given, &iter);
    for (const GivenName *given; (given = given_names_next(&iter));) {
        if (rows_find(&folder->rows, given->uid))
            continue;
        if (given->uid < folder->about.state.uidnext)
            g_array_append_val(strays, given->uid);
        else
            folder->strays = true;
    }
    for (guint i = 0; i < strays->len; i++)
        given_names_free_name(folder->given, g_array_index(strays, uint32_t, i));
    if (!folder->unsaved)
        g_array_append_vals(folder->gone, strays->data, strays->len);
    folder->dirty |= strays->len > 0;
}

/* --- the engine thread ---------------------------------------------------------------------- */

static bool write_one(Catalog *catalog, const Folder *folder, uint32_t uid, const char *name)
{
    if (folder->unsaved || !catalog_index_usable(catalog) || !index_begin(catalog->index))
        return false;
    if (name)
        index_put_given(catalog->index, folder->about.id, uid, name);
    else
        index_delete_given(catalog->index, folder->about.id, uid);
    return index_commit(catalog->index);
}

bool catalog_give_name(Catalog *catalog, uint32_t folder, uint32_t uid, const char *name,
                       GError **error)
{
    Folder *found = find(catalog, folder);
    if (!found) {
        g_set_error(error, MAIL_ERROR, ESTALE, "the folder is gone");
        return false;
    }
    bool stored = write_one(catalog, found, uid, name);
    pthread_mutex_lock(&catalog->lock);
    if (!found->given)
        found->given = given_names_new();
    given_names_put(found->given, uid, name, stored);
    pthread_mutex_unlock(&catalog->lock);
    found->strays |= !rows_find(&found->rows, uid);
    if (stored)
        return true;
    found->ungiven = found->dirty = true;
    g_set_error(error, MAIL_ERROR, ENOSPC,
                "the name of message %u can't be kept: the cache's disk can't be written", uid);
    return false;
}
