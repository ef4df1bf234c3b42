#include "catalog_private.h"

/*
 * UIDs are given by the index, in ascending order, so that several processes agree on them. While
 * it can't be used, they are taken from here on, at random: those of two processes differ.
 */
#define SPARE_UIDS (UINT32_C(3) << 30)

/* Names of messages that are gone: more are not kept, since there are servers that give each
 * message another name every day. */
#define GONE_MOST 20000

static Folder *find(Catalog *catalog, uint32_t id)
{
    return g_hash_table_lookup(catalog->folders, GUINT_TO_POINTER(id));
}

/* --- any thread ----------------------------------------------------------------------------- */

char *catalog_name(Catalog *catalog, uint32_t folder, uint32_t uid, unsigned *which)
{
    SCOPED_LOCK(&catalog->lock);
    const Folder *found = find(catalog, folder);
    const Identity *identity = found && found->identities ? identities_of(found->identities, uid)
                                                          : NULL;
    if (!identity)
        return NULL;
    *which = identity->which;
    return g_strdup(identity->name);
}

uint32_t catalog_named(Catalog *catalog, uint32_t folder, const char *name, unsigned which)
{
    SCOPED_LOCK(&catalog->lock);
    const Folder *found = find(catalog, folder);
    const Identity *identity = found && found->identities
                                   ? identities_find(found->identities, name, which)
                                   : NULL;
    return identity ? identity->uid : 0;
}

/* --- the index ------------------------------------------------------------------------------ */

void catalog_load_identity(Folder *folder, const Identity *identity)
{
    if (!folder->identities)
        folder->identities = identities_new();
    identities_add(folder->identities, identity);
}

void catalog_write_identities(Catalog *catalog, Folder *folder)
{
    GHashTableIter iter;
    if (!folder->nameless)
        return;
    identities_begin(folder->identities, &iter);
    for (const Identity *identity; (identity = identities_next(&iter));)
        if (!identity->stored)
            index_put_identity(catalog->index, folder->about.id, identity);
}

void catalog_mark_identities(Folder *folder, bool stored)
{
    GHashTableIter iter;
    if (!folder->identities || (stored && !folder->nameless))
        return;
    identities_begin(folder->identities, &iter);
    for (Identity *identity; (identity = identities_next(&iter));)
        identity->stored = stored;
    folder->nameless = !stored;
}

/* --- the engine thread ---------------------------------------------------------------------- */

/* False: the index can't give any UID now. It must know first which ones are given. */
static bool begin_naming(Catalog *catalog, Folder *folder)
{
    if (catalog->naming)
        return catalog->naming == folder->about.id;
    if (folder->unsaved || !catalog_index_usable(catalog) || !index_begin(catalog->index))
        return false;
    catalog->naming = folder->about.id;
    catalog_write_identities(catalog, folder);
    return true;
}

static uint32_t spare_uid(const Identities *identities)
{
    uint32_t uid;
    do
        uid = SPARE_UIDS | (g_random_int() & ~SPARE_UIDS);
    while (uid == UINT32_MAX || identities_of(identities, uid));
    return uid;
}

/* The UID that the index has for it is taken by another here, where the index was emptied since. */
static bool is_taken(const Folder *folder, const Identity *identity)
{
    return identities_of(folder->identities, identity->uid) != NULL;
}

uint32_t catalog_identify(Catalog *catalog, uint32_t folder, const char *name, unsigned which)
{
    Folder *found = find(catalog, folder);
    if (!found)
        return 0;
    if (!found->identities) {
        SCOPED_LOCK(&catalog->lock);
        found->identities = identities_new();
    }
    const Identity *known = identities_find(found->identities, name, which);
    if (known)
        return known->uid;
    Identity identity = {
        .which = which, .seen = g_get_real_time() / G_USEC_PER_SEC, .name = (char *)name};
    identity.stored = begin_naming(catalog, found) &&
                      index_identify(catalog->index, folder, SPARE_UIDS, &identity) &&
                      !is_taken(found, &identity);
    if (!identity.stored) {
        identity.uid = spare_uid(found->identities);
        found->nameless = found->dirty = true;
    }
    if (identity.stored)
        g_array_append_val(catalog->named, identity.uid);
    SCOPED_LOCK(&catalog->lock);
    identities_add(found->identities, &identity);
    return identity.uid;
}

/* Another process may give the UIDs that did not get to the index to others. */
static void take_back(Catalog *catalog)
{
    Folder *folder = find(catalog, catalog->naming);
    SCOPED_LOCK(&catalog->lock);
    for (guint i = 0; folder && i < catalog->named->len; i++)
        identities_remove(folder->identities, g_array_index(catalog->named, uint32_t, i));
}

/* Half of them, the oldest, go. The highest UID stays, so that none is ever given twice. */
static void forget_gone(Catalog *catalog, Folder *folder)
{
    g_autoptr(GArray) gone = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    GHashTableIter iter;
    if (identities_count(folder->identities) <= folder->rows.count + GONE_MOST)
        return;
    identities_begin(folder->identities, &iter);
    for (const Identity *identity; (identity = identities_next(&iter));)
        if (identity->stored && !rows_find(&folder->rows, identity->uid))
            g_array_append_val(gone, identity->uid);
    g_array_sort(gone, mail_compare_uids);
    for (guint i = 0; i < gone->len / 2; i++)
        index_delete_identity(catalog->index, folder->about.id, g_array_index(gone, uint32_t, i));
    SCOPED_LOCK(&catalog->lock);
    for (guint i = 0; i < gone->len / 2; i++)
        identities_remove(folder->identities, g_array_index(gone, uint32_t, i));
}

bool catalog_identified(Catalog *catalog)
{
    if (!catalog->naming)
        return true;
    Folder *folder = find(catalog, catalog->naming);
    if (folder)
        forget_gone(catalog, folder);
    bool kept = index_commit(catalog->index);
    if (!kept)
        take_back(catalog);
    catalog->naming = 0;
    g_array_set_size(catalog->named, 0);
    return kept;
}
