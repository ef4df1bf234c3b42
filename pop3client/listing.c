#include "listing.h"

#include "../imapclient/net/quote.h"
#include "limits.h"

#include <errno.h>
#include <string.h>

/*
 * entries: ascending by number once joined. sizes: what LIST told and is not joined yet, as entries
 * without names. The texts of names are in `names`, name_bytes altogether. found: (name, which) ->
 * entry, once finished.
 */
struct Pop3Listing {
    GArray *entries, *sizes;
    GStringChunk *names;
    size_t name_bytes;
    GHashTable *found;
};

static guint entry_hash(gconstpointer key)
{
    const Pop3Entry *entry = key;

    return g_str_hash(entry->name) + entry->which;
}

static gboolean entry_equal(gconstpointer a, gconstpointer b)
{
    const Pop3Entry *left = a, *right = b;

    return left->which == right->which && strcmp(left->name, right->name) == 0;
}

Pop3Listing *pop3_listing_new(void)
{
    enum { CHUNK = 4096 };
    Pop3Listing *listing = g_new0(Pop3Listing, 1);

    listing->entries = g_array_new(FALSE, FALSE, sizeof(Pop3Entry));
    listing->sizes = g_array_new(FALSE, FALSE, sizeof(Pop3Entry));
    listing->names = g_string_chunk_new(CHUNK);
    listing->found = g_hash_table_new(entry_hash, entry_equal);
    return listing;
}

void pop3_listing_free(Pop3Listing *listing)
{
    if (!listing)
        return;
    g_hash_table_unref(listing->found);
    g_array_unref(listing->entries);
    g_array_unref(listing->sizes);
    g_string_chunk_free(listing->names);
    g_free(listing);
}

static Pop3Entry *entry_at(const Pop3Listing *listing, guint i)
{
    return &g_array_index(listing->entries, Pop3Entry, i);
}

/* --- lines -------------------------------------------------------------------------------------
 */

static bool refuse(const char *what, const char *line, GError **error)
{
    g_autofree char *excerpt = quote_text(line);

    g_set_error(error, MAIL_ERROR, EPROTO, "the server's list of messages %s: \"%s\"", what,
                excerpt);
    return false;
}

/* Reads digits; false where there are none or the number is beyond `most`. */
static bool read_number(const char **at, const char *end, uint64_t most, uint64_t *number)
{
    const char *start = *at;

    for (*number = 0; *at < end && g_ascii_isdigit(**at); ++*at) {
        unsigned digit = (unsigned)(**at - '0');
        if (*number > (most - digit) / 10)
            return false;
        *number = *number * 10 + digit;
    }
    return *at > start;
}

static void skip_spaces(const char **at, const char *end)
{
    while (*at < end && (**at == ' ' || **at == '\t'))
        ++*at;
}

/* The message's number, and where the rest begins. */
static bool begin_line(const GArray *array, const char *line, const char **at, const char *end,
                       uint32_t *number, GError **error)
{
    uint64_t read = 0;

    if (array->len >= POP3_MAX_MESSAGES)
        return refuse("is too long", line, error);
    skip_spaces(at, end);
    if (!read_number(at, end, UINT32_MAX, &read) || read == 0 ||
        (*at < end && **at != ' ' && **at != '\t'))
        return refuse("has a line without a message's number", line, error);
    skip_spaces(at, end);
    *number = (uint32_t)read;
    return true;
}

static bool is_name(const char *text, size_t length)
{
    if (length == 0 || length > POP3_MAX_NAME)
        return false;
    for (size_t i = 0; i < length; i++)
        if (text[i] < '!' || text[i] > '~')
            return false;
    return true;
}

/* NULL where the server gave none at all. */
static const char *name_of(Pop3Listing *listing, const char *text, size_t length)
{
    g_autofree char *sum = NULL;
    g_autofree char *name = NULL;

    if (length == 0)
        return NULL;
    if (is_name(text, length)) {
        name = g_strndup(text, length);
    } else {
        sum = g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)text, length);
        name = g_strconcat("uidl-", sum, NULL);
    }
    listing->name_bytes += strlen(name) + 1;
    return g_string_chunk_insert(listing->names, name);
}

bool pop3_listing_take_name(Pop3Listing *listing, const char *line, size_t length, GError **error)
{
    const char *at = line, *end = line + length;
    Pop3Entry entry = {0};

    if (!begin_line(listing->entries, line, &at, end, &entry.number, error))
        return false;
    while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    entry.name = name_of(listing, at, (size_t)(end - at));
    if (listing->name_bytes > POP3_MAX_NAMES)
        return refuse("is too long", line, error);
    g_array_append_val(listing->entries, entry);
    return true;
}

/* A size that no file can have is as good as none. */
bool pop3_listing_take_size(Pop3Listing *listing, const char *line, size_t length, GError **error)
{
    const char *at = line, *end = line + length;
    Pop3Entry entry = {0};

    if (!begin_line(listing->sizes, line, &at, end, &entry.number, error))
        return false;
    if (!read_number(&at, end, INT64_MAX, &entry.size))
        entry.size = 0;
    g_array_append_val(listing->sizes, entry);
    return true;
}

/* --- joining -----------------------------------------------------------------------------------
 */

static gint compare_numbers(gconstpointer a, gconstpointer b)
{
    const Pop3Entry *left = a, *right = b;

    return (left->number > right->number) - (left->number < right->number);
}

/* Lines that say the same of a message are one. */
static bool unite(GArray *entries, GError **error)
{
    guint kept = 0;

    g_array_sort(entries, compare_numbers);
    for (guint i = 0; i < entries->len; i++) {
        Pop3Entry *entry = &g_array_index(entries, Pop3Entry, i);
        const Pop3Entry *last = kept ? &g_array_index(entries, Pop3Entry, kept - 1) : NULL;
        if (!last || last->number != entry->number) {
            g_array_index(entries, Pop3Entry, kept++) = *entry;
        } else if (g_strcmp0(last->name, entry->name) != 0) {
            g_set_error(error, MAIL_ERROR, EPROTO,
                        "the server's list of messages has number %u twice, with different "
                        "unique-ids",
                        entry->number);
            return false;
        }
    }
    g_array_set_size(entries, kept);
    return true;
}

/* Beyond every number at the end. */
static uint64_t number_at(const GArray *entries, guint i)
{
    return i < entries->len ? g_array_index(entries, Pop3Entry, i).number : UINT64_MAX;
}

/* Both are ascending: takes the sizes over, and the messages that only LIST knows. */
static void merge_sizes(Pop3Listing *listing)
{
    g_autoptr(GArray) names = g_steal_pointer(&listing->entries);
    g_autoptr(GArray) sizes = g_steal_pointer(&listing->sizes);
    guint n = 0, s = 0;

    listing->entries = g_array_sized_new(FALSE, FALSE, sizeof(Pop3Entry),
                                         MAX(names->len, sizes->len));
    listing->sizes = g_array_new(FALSE, FALSE, sizeof(Pop3Entry));
    while (n < names->len || s < sizes->len) {
        uint64_t name = number_at(names, n), size = number_at(sizes, s);
        Pop3Entry entry = {.number = (uint32_t)MIN(name, size)};
        if (name <= size)
            entry = g_array_index(names, Pop3Entry, n++);
        if (size <= name)
            entry.size = g_array_index(sizes, Pop3Entry, s++).size;
        g_array_append_val(listing->entries, entry);
    }
}

/* What several have is nobody's. */
static void drop_repeated(Pop3Listing *listing)
{
    g_autoptr(GHashTable) owners = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GHashTable) repeated = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < listing->entries->len; i++) {
        const char *name = entry_at(listing, i)->name;
        if (name && !g_hash_table_add(owners, (gpointer)name))
            g_hash_table_add(repeated, (gpointer)name);
    }
    for (guint i = 0; g_hash_table_size(repeated) && i < listing->entries->len; i++) {
        Pop3Entry *entry = entry_at(listing, i);
        if (entry->name && g_hash_table_contains(repeated, entry->name))
            entry->name = NULL;
    }
}

bool pop3_listing_join(Pop3Listing *listing, GError **error)
{
    g_hash_table_remove_all(listing->found);
    if (!unite(listing->entries, error) || !unite(listing->sizes, error))
        return false;
    if (listing->sizes->len)
        merge_sizes(listing);
    if (listing->entries->len > POP3_MAX_MESSAGES)
        return refuse("is too long", "", error);
    drop_repeated(listing);
    return true;
}

/* --- names that are made -----------------------------------------------------------------------
 */

guint pop3_listing_count(const Pop3Listing *listing)
{
    return listing->entries->len;
}

const Pop3Entry *pop3_listing_entry(const Pop3Listing *listing, guint i)
{
    return entry_at(listing, i);
}

guint pop3_listing_nameless(const Pop3Listing *listing, guint i)
{
    while (i < listing->entries->len && entry_at(listing, i)->name)
        i++;
    return i;
}

void pop3_listing_name(Pop3Listing *listing, guint i, const char *name)
{
    entry_at(listing, i)->name = g_string_chunk_insert(listing->names, name);
}

void pop3_listing_finish(Pop3Listing *listing)
{
    g_autoptr(GHashTable) counts = g_hash_table_new(g_str_hash, g_str_equal);

    g_hash_table_remove_all(listing->found);
    for (guint i = 0; i < listing->entries->len; i++) {
        Pop3Entry *entry = entry_at(listing, i);
        guint n = GPOINTER_TO_UINT(g_hash_table_lookup(counts, entry->name));
        entry->which = n;
        g_hash_table_insert(counts, (gpointer)entry->name, GUINT_TO_POINTER(n + 1));
        g_hash_table_add(listing->found, entry);
    }
}

const Pop3Entry *pop3_listing_find(const Pop3Listing *listing, const char *name, unsigned which)
{
    const Pop3Entry key = {.name = name, .which = which};

    return g_hash_table_lookup(listing->found, &key);
}
