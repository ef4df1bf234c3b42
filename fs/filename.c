#include "filename.h"

#include "names.h"

#include <string.h>

static bool has_names(const Mount *mount)
{
    return mount->features & MAIL_STORE_NAMES;
}

bool filename_of(const Mount *mount, uint32_t folder, const CatalogMessage *message,
                 char name[FILENAME_MAX_BYTES])
{
    g_autofree char *unique = NULL;
    unsigned which = 0;

    if (!has_names(mount)) {
        names_message(message->date, message->uid, name);
        return true;
    }
    unique = catalog_name(mount->catalog, folder, message->uid, &which);
    return unique && names_unique(unique, which, name, FILENAME_MAX_BYTES);
}

static uint32_t find_uid(const Mount *mount, uint32_t folder, const char *name)
{
    g_autofree char *unique = NULL;
    unsigned which;

    if (!has_names(mount))
        return names_message_uid(name);
    unique = names_unique_decode(name, &which);
    return unique ? catalog_named(mount->catalog, folder, unique, which) : 0;
}

/* Of one name there are spellings that only look like the right one. */
bool filename_message(const Mount *mount, uint32_t folder, const char *name,
                      CatalogMessage *message)
{
    uint32_t uid = find_uid(mount, folder, name);
    char right_name[FILENAME_MAX_BYTES];

    return uid && catalog_message(mount->catalog, folder, uid, message) &&
           filename_of(mount, folder, message, right_name) && strcmp(name, right_name) == 0;
}

bool filename_may_be_message(const Mount *mount, const char *name)
{
    g_autofree char *unique = NULL;
    unsigned which;

    if (!has_names(mount))
        return names_message_uid(name) != 0;
    unique = names_unique_decode(name, &which);
    return unique != NULL;
}
