#include "flagsets.h"

#include <stdlib.h>
#include <string.h>

#define SYSTEM_COMBINATIONS 64
#define KEYWORD_SETS (65535 - SYSTEM_COMBINATIONS)
#define TEXT_LENGTH 2048             /* bytes of one set */
#define TEXT_TOTAL (4 * 1024 * 1024) /* bytes of all sets with keywords */

typedef struct {
    char *text;
    uint64_t hash;
    int64_t stored;
    bool deleted;
} FlagSet;

/* Invariant: ids has the text of every set, with its number; sets[0] is "". */
struct FlagSets {
    GArray *sets; /* of FlagSet */
    GHashTable *ids;
    size_t keyword_sets, keyword_bytes;
};

static const char *const system_flags[] = {"\\Answered", "\\Deleted", "\\Draft",
                                           "\\Flagged",  "\\Recent",  "\\Seen"};

/* FNV-1a. */
static uint64_t hash_text(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (const char *c = text; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
    return hash;
}

static uint16_t append(FlagSets *sets, const char *text)
{
    g_auto(GStrv) flags = g_strsplit(text, " ", -1);
    FlagSet set = {.text = g_strdup(text),
                   .hash = hash_text(text),
                   .deleted = g_strv_contains((const char *const *)flags, "\\Deleted")};
    guint id = sets->sets->len;
    g_array_append_val(sets->sets, set);
    g_hash_table_insert(sets->ids, set.text, GUINT_TO_POINTER(id));
    return (uint16_t)id;
}

static void clear_set(gpointer set)
{
    g_free(((FlagSet *)set)->text);
}

FlagSets *flagsets_new(void)
{
    FlagSets *sets = g_new0(FlagSets, 1);
    sets->sets = g_array_new(FALSE, FALSE, sizeof(FlagSet));
    g_array_set_clear_func(sets->sets, clear_set);
    sets->ids = g_hash_table_new(g_str_hash, g_str_equal);
    append(sets, "");
    return sets;
}

void flagsets_free(FlagSets *sets)
{
    g_hash_table_unref(sets->ids);
    g_array_unref(sets->sets);
    g_free(sets);
}

/* --- canonical texts ------------------------------------------------------------------------ */

static int system_rank(const char *flag)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(system_flags); i++)
        if (g_ascii_strcasecmp(flag, system_flags[i]) == 0)
            return (int)i;
    return G_N_ELEMENTS(system_flags);
}

static int compare_flags(const void *a, const void *b)
{
    const char *one = *(char *const *)a, *other = *(char *const *)b;
    int difference = system_rank(one) - system_rank(other);
    return difference ? difference : strcmp(one, other);
}

/* A lone flag needs no sorting, and most messages have no more. */
static bool is_canonical(const char *flags)
{
    return !strchr(flags, ' ') && (flags[0] != '\\' || strcmp(flags, "\\Seen") == 0);
}

static char *canonical(const char *flags, bool keywords)
{
    g_auto(GStrv) words = g_strsplit(flags, " ", -1);
    guint n = g_strv_length(words);
    qsort(words, n, sizeof *words, compare_flags);
    GString *text = g_string_new(NULL);
    const char *last = "";
    for (guint i = 0; i < n; i++) {
        int rank = system_rank(words[i]);
        bool is_keyword = rank == G_N_ELEMENTS(system_flags);
        const char *word = is_keyword ? words[i] : system_flags[rank];
        if (strcmp(word, last) == 0 || !*word || (is_keyword && !keywords))
            continue;
        g_string_append_printf(text, "%s%s", text->len ? " " : "", word);
        last = word;
    }
    return g_string_free(text, FALSE);
}

static bool lookup(const FlagSets *sets, const char *text, uint16_t *id)
{
    gpointer value;
    bool found = g_hash_table_lookup_extended(sets->ids, text, NULL, &value);
    if (found)
        *id = (uint16_t)GPOINTER_TO_UINT(value);
    return found;
}

static bool has_room(const FlagSets *sets, size_t length)
{
    return sets->keyword_sets < KEYWORD_SETS && length <= TEXT_LENGTH &&
           sets->keyword_bytes + length <= TEXT_TOTAL;
}

uint16_t flagsets_intern(FlagSets *sets, const char *flags)
{
    uint16_t id;
    if (is_canonical(flags) && lookup(sets, flags, &id))
        return id;
    g_autofree char *all = canonical(flags, true);
    if (lookup(sets, all, &id))
        return id;
    g_autofree char *without = canonical(flags, false);
    if (strcmp(all, without) == 0)
        return append(sets, all);
    if (!has_room(sets, strlen(all)))
        return lookup(sets, without, &id) ? id : append(sets, without);
    sets->keyword_sets++;
    sets->keyword_bytes += strlen(all);
    return append(sets, all);
}

/* --- what is known of a set ----------------------------------------------------------------- */

static FlagSet *get(const FlagSets *sets, uint16_t set)
{
    return &g_array_index(sets->sets, FlagSet, set < sets->sets->len ? set : 0);
}

const char *flagsets_text(const FlagSets *sets, uint16_t set)
{
    return get(sets, set)->text;
}

bool flagsets_deleted(const FlagSets *sets, uint16_t set)
{
    return set < sets->sets->len && g_array_index(sets->sets, FlagSet, set).deleted;
}

uint64_t flagsets_hash(const FlagSets *sets, uint16_t set)
{
    return get(sets, set)->hash;
}

int64_t flagsets_stored(const FlagSets *sets, uint16_t set)
{
    return get(sets, set)->stored;
}

void flagsets_set_stored(FlagSets *sets, uint16_t set, int64_t stored)
{
    get(sets, set)->stored = stored;
}

void flagsets_forget_stored(FlagSets *sets)
{
    for (guint i = 0; i < sets->sets->len; i++)
        get(sets, (uint16_t)i)->stored = 0;
}
