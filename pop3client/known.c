#include "maildrop.h"

#include <errno.h>

static void known_free(gpointer data)
{
    Pop3Known *known = data;

    g_free(known->name);
    g_free(known);
}

GHashTable *pop3_known_new(void)
{
    return g_hash_table_new_full(NULL, NULL, NULL, known_free);
}

static unsigned count_copies(const Pop3Listing *listing, const char *name)
{
    unsigned copies = 0;

    while (pop3_listing_find(listing, name, copies))
        copies++;
    return copies;
}

void pop3_known_add(GHashTable *known, uint32_t uid, const Pop3Listing *listing,
                    const Pop3Entry *entry)
{
    Pop3Known *one = g_new0(Pop3Known, 1);

    one->name = g_strdup(entry->name);
    one->which = entry->which;
    one->copies = count_copies(listing, entry->name);
    one->size = entry->size;
    g_hash_table_insert(known, GUINT_TO_POINTER(uid), one);
}

const Pop3Entry *pop3_op_find(const Pop3Op *op, uint32_t uid, GError **error)
{
    GHashTable *known = pop3_maildrop_known(op->maildrop);
    const Pop3Known *one = known ? g_hash_table_lookup(known, GUINT_TO_POINTER(uid)) : NULL;

    if (!known)
        g_set_error_literal(error, MAIL_ERROR, ESTALE,
                            "the maildrop was not looked at yet: nobody knows what is in it");
    if (!one)
        return NULL;
    return pop3_listing_find(pop3_session_listing(op->session), one->name, one->which);
}

const Pop3Entry *pop3_op_find_last(const Pop3Op *op, uint32_t uid, GError **error)
{
    const Pop3Entry *entry = pop3_op_find(op, uid, error);
    const Pop3Known *one = entry ? g_hash_table_lookup(pop3_maildrop_known(op->maildrop),
                                                       GUINT_TO_POINTER(uid))
                                 : NULL;

    if (!one || count_copies(pop3_session_listing(op->session), one->name) < one->copies)
        return NULL;
    return entry;
}
