/*
 * catalog_bed.h: folders and messages of which what is expected can be told from their UIDs, for
 * the tests of what a catalog keeps on its disk.
 */
#pragma once

#include "cache_helpers.h"

#include "../../cache/catalog.h"
#include "../../cache/database.h"

#define ALL (MAIL_HAS_SIZE | MAIL_HAS_DATE | MAIL_HAS_FLAGS)
#define VALIDITY 7

static inline uint32_t put_folder(Catalog *catalog, const char *name)
{
    return catalog_put_folder(catalog, &(MailFolderInfo){name, '/', 0});
}

/* Messages first to last, with what can be told from their UIDs. */
static inline void put_range(Catalog *catalog, uint32_t folder, uint32_t first, uint32_t last)
{
    for (uint32_t uid = first; uid <= last; uid++) {
        char flags[16] = "";
        if (uid % 5)
            snprintf(flags, sizeof flags, "k%u", uid % 5);
        const MailMessage message = {uid, ALL, uid * 3u, 1000 + uid, flags, NULL};
        catalog_put_messages(catalog, folder, &message, 1);
    }
}

static inline void assert_range(Catalog *catalog, uint32_t folder, uint32_t first, uint32_t last)
{
    for (uint32_t uid = first; uid <= last; uid++) {
        CatalogMessage message;
        assert_true(catalog_message(catalog, folder, uid, &message));
        assert_int_equal(message.size, uid * 3u);
        assert_int_equal(message.date, 1000 + uid);
        g_autofree char *flags = catalog_flags(catalog, message.flag_set);
        g_autofree char *expected = uid % 5 ? g_strdup_printf("k%u", uid % 5) : g_strdup("");
        assert_string_equal(flags, expected);
    }
}

static inline void put_state(Catalog *catalog, uint32_t folder, uint32_t uidnext, uint64_t modseq)
{
    catalog_put_state(catalog, folder, &(MailFolderState){VALIDITY, uidnext, modseq, 0, false});
}

static inline CatalogFolder get_folder(Catalog *catalog, uint32_t folder)
{
    CatalogFolder copy;
    assert_true(catalog_folder(catalog, folder, &copy));
    return copy;
}

/* A listed folder "INBOX" of n messages, not yet flushed; its id. */
static inline uint32_t fill(Catalog *catalog, uint32_t n)
{
    uint32_t folder = catalog_reset_folder(catalog, put_folder(catalog, "INBOX"), VALIDITY);
    put_range(catalog, folder, 1, n);
    put_state(catalog, folder, n + 1, 50);
    return folder;
}

static inline void flush(Catalog *catalog)
{
    while (!catalog_flush(catalog))
        ;
}
