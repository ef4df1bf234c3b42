#include "listing.h"

#include "limits.h"
#include "names.h"

#include <string.h>

void imap_listing_clear(ImapListing *listing)
{
    g_clear_pointer(&listing->name, g_free);
}

static unsigned read_attributes(const ImapValue *list)
{
    static const struct {
        const char *name;
        unsigned attributes;
    } known[] = {
        {"\\Noselect", MAIL_FOLDER_NOSELECT},
        {"\\NonExistent", MAIL_FOLDER_NONEXISTENT | MAIL_FOLDER_NOSELECT},
        {"\\Noinferiors", MAIL_FOLDER_NOINFERIORS},
        {"\\Trash", MAIL_FOLDER_TRASH},
    };
    unsigned attributes = 0;

    for (size_t i = 0; i < imap_value_count(list); i++)
        for (size_t k = 0; k < G_N_ELEMENTS(known); k++)
            if (imap_value_is(imap_value_item(list, i), known[k].name))
                attributes |= known[k].attributes;
    return attributes;
}

static bool is_subscribed(const ImapValue *values)
{
    const ImapValue *list = imap_value_item(values, 0);

    for (size_t i = 0; i < imap_value_count(list); i++)
        if (imap_value_is(imap_value_item(list, i), "\\Subscribed"))
            return true;
    return false;
}

bool imap_listing_read(ImapListing *listing, const ImapSession *session,
                       const ImapResponse *response)
{
    const char *separator = imap_value_text(imap_value_item(response->values, 1));
    const char *wire = imap_value_text(imap_value_item(response->values, 2));

    listing->name = NULL;
    listing->delimiter = '\0';
    if (separator && strlen(separator) == 1)
        listing->delimiter = *separator;
    listing->attributes = read_attributes(imap_value_item(response->values, 0));
    listing->subscribed = strcmp(response->name, "LSUB") == 0 || is_subscribed(response->values);
    listing->is_root = wire && !*wire;
    if (wire && strlen(wire) <= IMAP_MAX_NAME)
        listing->name = imap_name_from_wire(wire, listing->delimiter,
                                            imap_session_login(session)->utf8);
    return listing->name != NULL;
}

static bool is_named(const ImapSession *session, const char *wire, const char *folder)
{
    g_autofree char *name = imap_name_to_wire(folder, imap_session_login(session)->utf8);

    return strcmp(wire, name) == 0 ||
           (strcmp(folder, "INBOX") == 0 && g_ascii_strcasecmp(wire, folder) == 0);
}

bool imap_status_read(const ImapSession *session, const ImapResponse *response, const char *folder,
                      const char *item, uint64_t *number)
{
    const char *wire = imap_value_text(imap_value_item(response->values, 0));
    const ImapValue *items = imap_value_item(response->values, 1);

    if (strcmp(response->name, "STATUS") != 0 || !wire || !is_named(session, wire, folder))
        return false;
    for (size_t i = 0; i + 1 < imap_value_count(items); i += 2)
        if (imap_value_is(imap_value_item(items, i), item))
            return imap_value_number(imap_value_item(items, i + 1), number);
    return false;
}

/* Each of the three is NIL or ((prefix delimiter …) …). */
bool imap_namespaces_read(const ImapResponse *response, GPtrArray *others)
{
    if (strcmp(response->name, "NAMESPACE") != 0)
        return false;
    for (size_t kind = 1; kind < 3; kind++) {
        const ImapValue *namespaces = imap_value_item(response->values, kind);
        for (size_t i = 0; i < imap_value_count(namespaces); i++) {
            const char *prefix = imap_value_text(
                imap_value_item(imap_value_item(namespaces, i), 0));
            if (prefix && *prefix && !strpbrk(prefix, "*%") && others->len < IMAP_MAX_NAMESPACES)
                g_ptr_array_add(others, g_strdup(prefix));
        }
    }
    return true;
}
