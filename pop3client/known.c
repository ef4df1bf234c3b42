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

void pop3_known_add(GHashTable *known, uint32_t uid, const Pop3Entry *entry)
{
    Pop3Known *one = g_new0(Pop3Known, 1);

    one->name = g_strdup(entry->name);
    one->which = entry->which;
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
