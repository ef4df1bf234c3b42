#include "identity.h"

#include <string.h>

/* Both hold the same Identity elements, which by_uid owns. */
struct Identities {
    GHashTable *by_uid;  /* uid -> Identity */
    GHashTable *by_name; /* Identity, by name and which */
};

static guint hash_name(gconstpointer key)
{
    const Identity *identity = key;

    return g_str_hash(identity->name) + identity->which * 2654435761U;
}

static gboolean equal_names(gconstpointer a, gconstpointer b)
{
    const Identity *one = a, *other = b;

    return one->which == other->which && strcmp(one->name, other->name) == 0;
}

static void free_identity(gpointer data)
{
    g_free(((Identity *)data)->name);
    g_free(data);
}

Identities *identities_new(void)
{
    Identities *identities = g_new0(Identities, 1);

    identities->by_uid = g_hash_table_new_full(NULL, NULL, NULL, free_identity);
    identities->by_name = g_hash_table_new(hash_name, equal_names);
    return identities;
}

void identities_free(Identities *identities)
{
    if (!identities)
        return;
    g_hash_table_unref(identities->by_name);
    g_hash_table_unref(identities->by_uid);
    g_free(identities);
}

Identity *identities_find(const Identities *identities, const char *name, unsigned which)
{
    const Identity key = {.name = (char *)name, .which = which};

    return g_hash_table_lookup(identities->by_name, &key);
}

Identity *identities_of(const Identities *identities, uint32_t uid)
{
    return g_hash_table_lookup(identities->by_uid, GUINT_TO_POINTER(uid));
}

Identity *identities_add(Identities *identities, const Identity *identity)
{
    Identity *added;

    if (identities_of(identities, identity->uid) ||
        identities_find(identities, identity->name, identity->which))
        return NULL;
    added = g_memdup2(identity, sizeof *identity);
    added->name = g_strdup(identity->name);
    g_hash_table_insert(identities->by_uid, GUINT_TO_POINTER(added->uid), added);
    g_hash_table_add(identities->by_name, added);
    return added;
}

void identities_remove(Identities *identities, uint32_t uid)
{
    Identity *identity = identities_of(identities, uid);

    if (!identity)
        return;
    g_hash_table_remove(identities->by_name, identity);
    g_hash_table_remove(identities->by_uid, GUINT_TO_POINTER(uid));
}

guint identities_count(const Identities *identities)
{
    return g_hash_table_size(identities->by_uid);
}

void identities_begin(const Identities *identities, GHashTableIter *iter)
{
    g_hash_table_iter_init(iter, identities->by_uid);
}

Identity *identities_next(GHashTableIter *iter)
{
    gpointer identity;

    return g_hash_table_iter_next(iter, NULL, &identity) ? identity : NULL;
}
