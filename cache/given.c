#include "given.h"

/* by_uid owns the GivenName elements; by_name has those that are not gone. */
struct GivenNames {
    GHashTable *by_uid;
    GHashTable *by_name;
};

static void free_given(gpointer data)
{
    g_free(((GivenName *)data)->name);
    g_free(data);
}

GivenNames *given_names_new(void)
{
    GivenNames *names = g_new0(GivenNames, 1);

    names->by_uid = g_hash_table_new_full(NULL, NULL, NULL, free_given);
    names->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    return names;
}

void given_names_free(GivenNames *names)
{
    if (!names)
        return;
    g_hash_table_unref(names->by_name);
    g_hash_table_unref(names->by_uid);
    g_free(names);
}

GivenName *given_names_of(const GivenNames *names, uint32_t uid)
{
    return g_hash_table_lookup(names->by_uid, GUINT_TO_POINTER(uid));
}

GivenName *given_names_find(const GivenNames *names, const char *name)
{
    return g_hash_table_lookup(names->by_name, name);
}

static void remove_name(GivenNames *names, const GivenName *given)
{
    if (!given)
        return;
    if (!given->gone)
        g_hash_table_remove(names->by_name, given->name);
    g_hash_table_remove(names->by_uid, GUINT_TO_POINTER(given->uid));
}

void given_names_put(GivenNames *names, uint32_t uid, const char *name, bool stored)
{
    g_autofree char *copy = g_strdup(name);
    GivenName *given;

    remove_name(names, given_names_of(names, uid));
    if (!copy)
        return;
    remove_name(names, given_names_find(names, copy));
    given = g_new0(GivenName, 1);
    *given = (GivenName){.uid = uid, .stored = stored, .name = g_steal_pointer(&copy)};
    g_hash_table_insert(names->by_uid, GUINT_TO_POINTER(uid), given);
    g_hash_table_insert(names->by_name, given->name, given);
}

void given_names_free_name(GivenNames *names, uint32_t uid)
{
    GivenName *given = given_names_of(names, uid);

    if (!given || given->gone)
        return;
    g_hash_table_remove(names->by_name, given->name);
    given->gone = true;
}

void given_names_begin(const GivenNames *names, GHashTableIter *iter)
{
    g_hash_table_iter_init(iter, names->by_name);
}

GivenName *given_names_next(GHashTableIter *iter)
{
    gpointer given;

    return g_hash_table_iter_next(iter, NULL, &given) ? given : NULL;
}
