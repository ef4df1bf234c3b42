#include "arrivals.h"

#include "../cache/scopedlock.h"

#include <string.h>

/* `to` is 0 until it has settled. */
typedef struct {
    uint64_t ino, to, serial;
    uint32_t folder;
    char *name;
    CatalogMessage message;
} Entry;

/*
 * All but `n` is under `lock`; that is the number of `all`, and atomic. Every entry is in `all` and
 * in `ordered`; in `by_ino` and `by_name` until it has settled, and in `settled` from then on.
 */
struct Arrivals {
    pthread_mutex_t lock;
    gint n;
    uint64_t last;       /* serial */
    GHashTable *all;     /* Entry */
    GTree *ordered;      /* Entry, by folder and serial */
    GHashTable *by_ino;  /* ino -> Entry */
    GHashTable *by_name; /* Entry, by folder and name */
    GHashTable *settled; /* to -> Entry */
    GHashTable *open;    /* folder -> how many have it open */
};

/* --- life ------------------------------------------------------------------------------------- */

void arrival_clear(Arrival *arrival)
{
    g_clear_pointer(&arrival->name, g_free);
}

static void entry_free(gpointer data)
{
    Entry *entry = data;

    g_free(entry->name);
    g_free(entry);
}

static guint hash_name(gconstpointer key)
{
    const Entry *entry = key;

    return g_str_hash(entry->name) ^ entry->folder;
}

static gboolean is_same_name(gconstpointer one, gconstpointer other)
{
    const Entry *a = one, *b = other;

    return a->folder == b->folder && strcmp(a->name, b->name) == 0;
}

static gint compare_order(gconstpointer one, gconstpointer other, gpointer data)
{
    const Entry *a = one, *b = other;

    (void)data;
    if (a->folder != b->folder)
        return a->folder < b->folder ? -1 : 1;
    return a->serial == b->serial ? 0 : a->serial < b->serial ? -1 : 1;
}

Arrivals *arrivals_new(void)
{
    Arrivals *arrivals = g_new0(Arrivals, 1);

    pthread_mutex_init(&arrivals->lock, NULL);
    arrivals->all = g_hash_table_new_full(NULL, NULL, entry_free, NULL);
    arrivals->ordered = g_tree_new_full(compare_order, NULL, NULL, NULL);
    arrivals->by_ino = g_hash_table_new(g_int64_hash, g_int64_equal);
    arrivals->by_name = g_hash_table_new(hash_name, is_same_name);
    arrivals->settled = g_hash_table_new(g_int64_hash, g_int64_equal);
    arrivals->open = g_hash_table_new(NULL, NULL);
    return arrivals;
}

void arrivals_free(Arrivals *arrivals)
{
    if (!arrivals)
        return;
    g_hash_table_unref(arrivals->open);
    g_hash_table_unref(arrivals->settled);
    g_hash_table_unref(arrivals->by_name);
    g_hash_table_unref(arrivals->by_ino);
    g_tree_unref(arrivals->ordered);
    g_hash_table_unref(arrivals->all);
    pthread_mutex_destroy(&arrivals->lock);
    g_free(arrivals);
}

/* --- changing, with the lock -------------------------------------------------------------------
 */

static void count(Arrivals *arrivals)
{
    g_atomic_int_set(&arrivals->n, (gint)g_hash_table_size(arrivals->all));
}

static void drop(Arrivals *arrivals, Entry *entry)
{
    if (!entry->to) {
        g_hash_table_remove(arrivals->by_ino, &entry->ino);
        g_hash_table_remove(arrivals->by_name, entry);
    } else if (g_hash_table_lookup(arrivals->settled, &entry->to) == entry) {
        g_hash_table_remove(arrivals->settled, &entry->to);
    }
    g_tree_remove(arrivals->ordered, entry);
    g_hash_table_remove(arrivals->all, entry);
    count(arrivals);
}

static guint is_open(Arrivals *arrivals, uint32_t folder)
{
    return GPOINTER_TO_UINT(g_hash_table_lookup(arrivals->open, GUINT_TO_POINTER(folder)));
}

static Entry *find(Arrivals *arrivals, uint64_t ino)
{
    return g_hash_table_lookup(arrivals->by_ino, &ino);
}

/* --- the engine thread ------------------------------------------------------------------------ */

void arrivals_put(Arrivals *arrivals, uint64_t ino, const CatalogMessage *message, uint32_t target,
                  const char *name)
{
    Entry *entry = g_new0(Entry, 1);
    SCOPED_LOCK(&arrivals->lock);

    *entry = (Entry){.ino = ino,
                     .serial = ++arrivals->last,
                     .folder = target,
                     .name = g_strdup(name),
                     .message = *message};
    g_hash_table_add(arrivals->all, entry);
    g_tree_insert(arrivals->ordered, entry, entry);
    g_hash_table_insert(arrivals->by_ino, &entry->ino, entry);
    g_hash_table_add(arrivals->by_name, entry);
    count(arrivals);
}

void arrivals_remove(Arrivals *arrivals, uint64_t ino)
{
    SCOPED_LOCK(&arrivals->lock);
    Entry *entry = find(arrivals, ino);

    if (entry)
        drop(arrivals, entry);
}

void arrivals_settle(Arrivals *arrivals, uint64_t ino, uint64_t to)
{
    SCOPED_LOCK(&arrivals->lock);
    Entry *entry = find(arrivals, ino);

    if (!entry)
        return;
    if (!is_open(arrivals, entry->folder)) {
        drop(arrivals, entry);
        return;
    }
    g_hash_table_remove(arrivals->by_ino, &entry->ino);
    g_hash_table_remove(arrivals->by_name, entry);
    entry->to = to;
    g_hash_table_replace(arrivals->settled, &entry->to, entry);
}

/* --- any thread ------------------------------------------------------------------------------- */

static bool is_empty(Arrivals *arrivals)
{
    return !g_atomic_int_get(&arrivals->n);
}

uint64_t arrivals_named(Arrivals *arrivals, uint32_t folder, const char *name)
{
    const Entry key = {.folder = folder, .name = (char *)name}, *entry;

    if (is_empty(arrivals))
        return 0;
    SCOPED_LOCK(&arrivals->lock);
    entry = g_hash_table_lookup(arrivals->by_name, &key);
    return entry ? entry->ino : 0;
}

bool arrivals_has(Arrivals *arrivals, uint64_t ino)
{
    if (is_empty(arrivals))
        return false;
    SCOPED_LOCK(&arrivals->lock);
    return find(arrivals, ino) != NULL;
}

bool arrivals_message(Arrivals *arrivals, uint64_t ino, CatalogMessage *copy)
{
    const Entry *entry;

    if (is_empty(arrivals))
        return false;
    SCOPED_LOCK(&arrivals->lock);
    entry = find(arrivals, ino);
    if (entry)
        *copy = entry->message;
    return entry != NULL;
}

bool arrivals_lists(Arrivals *arrivals, uint64_t ino)
{
    if (is_empty(arrivals))
        return false;
    SCOPED_LOCK(&arrivals->lock);
    return g_hash_table_contains(arrivals->settled, &ino);
}

void arrivals_opened(Arrivals *arrivals, uint32_t folder)
{
    SCOPED_LOCK(&arrivals->lock);

    g_hash_table_insert(arrivals->open, GUINT_TO_POINTER(folder),
                        GUINT_TO_POINTER(is_open(arrivals, folder) + 1));
}

/* What of the folder's has settled. */
static void drop_settled(Arrivals *arrivals, uint32_t folder)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, arrivals->settled);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Entry *entry = value;
        if (entry->folder != folder)
            continue;
        g_hash_table_iter_remove(&iter);
        g_tree_remove(arrivals->ordered, entry);
        g_hash_table_remove(arrivals->all, entry);
    }
    count(arrivals);
}

void arrivals_closed(Arrivals *arrivals, uint32_t folder)
{
    SCOPED_LOCK(&arrivals->lock);
    guint open = is_open(arrivals, folder);

    if (open > 1) {
        g_hash_table_insert(arrivals->open, GUINT_TO_POINTER(folder), GUINT_TO_POINTER(open - 1));
        return;
    }
    g_hash_table_remove(arrivals->open, GUINT_TO_POINTER(folder));
    drop_settled(arrivals, folder);
}

bool arrivals_after(Arrivals *arrivals, uint32_t folder, uint64_t serial, Arrival *arrival)
{
    const Entry key = {.folder = folder, .serial = serial}, *entry;
    GTreeNode *node;

    if (is_empty(arrivals))
        return false;
    SCOPED_LOCK(&arrivals->lock);
    node = g_tree_upper_bound(arrivals->ordered, &key);
    entry = node ? g_tree_node_key(node) : NULL;
    if (!entry || entry->folder != folder)
        return false;
    *arrival = (Arrival){.serial = entry->serial,
                         .ino = entry->to ? entry->to : entry->ino,
                         .settled = entry->to != 0,
                         .name = g_strdup(entry->name)};
    return true;
}
