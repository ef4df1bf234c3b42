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

bool imap_listing_read(ImapListing *listing, const ImapSession *session,
                       const ImapResponse *response)
{
    const char *separator = imap_value_text(imap_value_item(response->values, 1));
    const char *wire = imap_value_text(imap_value_item(response->values, 2));

    listing->name = NULL;
    listing->delimiter = separator && strlen(separator) == 1 ? *separator : '\0';
    listing->attributes = read_attributes(imap_value_item(response->values, 0));
    if (wire && strlen(wire) <= IMAP_MAX_NAME)
        listing->name = imap_name_from_wire(wire, listing->delimiter,
                                            imap_session_login(session)->utf8);
    return listing->name != NULL;
}
