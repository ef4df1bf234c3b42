#include "pending.h"

#define ENTRY_COST 128 /* bytes that an entry takes beside its block's */

typedef struct Entry Entry;
struct Entry {
    BlockKey key;
    GBytes *bytes;
    GList link;  /* in Pending.used */
    Entry *next; /* of the same message */
};

/*
 * Invariants: used has every entry once, the least recently used first; messages leads to every
 * entry, by the message's key; held and writable are sums over the entries, with ENTRY_COST in
 * held alone.
 */
struct Pending {
    GHashTable *messages; /* BlockKey with BLOCK_ALL to the message's first Entry */
    GQueue used;
    size_t held, writable;
    uint32_t temporary;
};

guint block_key_hash(gconstpointer key)
{
    const BlockKey *block = key;
    uint64_t hash = ((uint64_t)block->folder << 32 | block->uid) * 0x9e3779b97f4a7c15u;
    hash = (hash ^ hash >> 32 ^ block->block) * 0xbf58476d1ce4e5b9u;
    return (guint)(hash >> 32);
}

gboolean block_key_equal(gconstpointer a, gconstpointer b)
{
    const BlockKey *one = a, *other = b;
    return one->folder == other->folder && one->uid == other->uid && one->block == other->block;
}

static BlockKey message_key(BlockKey key)
{
    return (BlockKey){key.folder, key.uid, BLOCK_ALL};
}

Pending *pending_new(uint32_t temporary)
{
    Pending *pending = g_new0(Pending, 1);
    pending->messages = g_hash_table_new_full(block_key_hash, block_key_equal, g_free, NULL);
    pending->temporary = temporary;
    g_queue_init(&pending->used);
    return pending;
}

void pending_free(Pending *pending)
{
    pending_trim(pending, 0);
    g_hash_table_unref(pending->messages);
    g_free(pending);
}

/* --- entries -------------------------------------------------------------------------------- */

static Entry *find(const Pending *pending, BlockKey key)
{
    BlockKey message = message_key(key);
    Entry *entry = g_hash_table_lookup(pending->messages, &message);
    while (entry && entry->key.block != key.block)
        entry = entry->next;
    return entry;
}

static void set_first(Pending *pending, BlockKey key, Entry *first)
{
    BlockKey message = message_key(key);
    if (first)
        g_hash_table_replace(pending->messages, g_memdup2(&message, sizeof message), first);
    else
        g_hash_table_remove(pending->messages, &message);
}

static void set_bytes(Pending *pending, Entry *entry, GBytes *bytes)
{
    size_t before = entry->bytes ? g_bytes_get_size(entry->bytes) : 0;
    size_t after = bytes ? g_bytes_get_size(bytes) : 0;
    pending->held += after - before;
    if (entry->key.folder < pending->temporary)
        pending->writable += after - before;
    if (bytes)
        g_bytes_ref(bytes);
    g_clear_pointer(&entry->bytes, g_bytes_unref);
    entry->bytes = bytes;
}

static Entry *add(Pending *pending, BlockKey key)
{
    BlockKey message = message_key(key);
    Entry *entry = g_new0(Entry, 1);
    entry->key = key;
    entry->link.data = entry;
    entry->next = g_hash_table_lookup(pending->messages, &message);
    set_first(pending, key, entry);
    g_queue_push_tail_link(&pending->used, &entry->link);
    pending->held += ENTRY_COST;
    return entry;
}

static void drop(Pending *pending, Entry *entry)
{
    BlockKey message = message_key(entry->key);
    Entry *first = g_hash_table_lookup(pending->messages, &message);
    if (first == entry) {
        set_first(pending, message, entry->next);
    } else {
        while (first->next != entry)
            first = first->next;
        first->next = entry->next;
    }
    g_queue_unlink(&pending->used, &entry->link);
    set_bytes(pending, entry, NULL);
    pending->held -= ENTRY_COST;
    g_free(entry);
}

static void use(Pending *pending, Entry *entry)
{
    g_queue_unlink(&pending->used, &entry->link);
    g_queue_push_tail_link(&pending->used, &entry->link);
}

/* --- blocks --------------------------------------------------------------------------------- */

void pending_put(Pending *pending, BlockKey key, GBytes *bytes)
{
    Entry *entry = find(pending, key);
    if (!entry)
        entry = add(pending, key);
    if (!entry->bytes || g_bytes_get_size(entry->bytes) <= g_bytes_get_size(bytes))
        set_bytes(pending, entry, bytes);
    use(pending, entry);
}

GBytes *pending_get(Pending *pending, BlockKey key)
{
    Entry *entry = find(pending, key);
    if (!entry)
        return NULL;
    use(pending, entry);
    return entry->bytes;
}

bool pending_has(const Pending *pending, uint32_t folder, uint32_t uid)
{
    const BlockKey message = {folder, uid, BLOCK_ALL};
    return g_hash_table_contains(pending->messages, &message);
}

static void remove_folder(Pending *pending, uint32_t folder)
{
    for (GList *link = pending->used.head; link;) {
        Entry *entry = link->data;
        link = link->next;
        if (entry->key.folder == folder)
            drop(pending, entry);
    }
}

void pending_remove(Pending *pending, BlockKey key)
{
    BlockKey message = message_key(key);
    if (key.uid == 0) {
        remove_folder(pending, key.folder);
        return;
    }
    for (Entry *entry = g_hash_table_lookup(pending->messages, &message); entry;) {
        Entry *next = entry->next;
        if (key.block == BLOCK_ALL || key.block == entry->key.block)
            drop(pending, entry);
        entry = next;
    }
}

void pending_move(Pending *pending, BlockKey from, BlockKey to)
{
    BlockKey message = message_key(from);
    Entry *entry;
    while ((entry = g_hash_table_lookup(pending->messages, &message))) {
        pending_put(pending, (BlockKey){to.folder, to.uid, entry->key.block}, entry->bytes);
        drop(pending, entry);
    }
}

void pending_remove_written(Pending *pending, BlockKey key, const GBytes *bytes)
{
    Entry *entry = find(pending, key);
    if (entry && entry->bytes == bytes)
        drop(pending, entry);
}

void pending_trim(Pending *pending, size_t bytes)
{
    while (pending->held > bytes && pending->used.head)
        drop(pending, pending->used.head->data);
}

size_t pending_bytes(const Pending *pending)
{
    return pending->writable;
}

static void clear_block(gpointer block)
{
    g_bytes_unref(((PendingBlock *)block)->bytes);
}

GArray *pending_oldest(const Pending *pending, size_t bytes)
{
    GArray *blocks = g_array_new(FALSE, FALSE, sizeof(PendingBlock));
    g_array_set_clear_func(blocks, clear_block);
    size_t collected = 0;
    for (const GList *link = pending->used.head; link; link = link->next) {
        const Entry *entry = link->data;
        size_t size = g_bytes_get_size(entry->bytes);
        if (entry->key.folder >= pending->temporary)
            continue;
        if (blocks->len > 0 && collected + size > bytes)
            break;
        collected += size;
        PendingBlock block = {entry->key, g_bytes_ref(entry->bytes)};
        g_array_append_val(blocks, block);
    }
    return blocks;
}
