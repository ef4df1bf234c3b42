#include "filename.h"

#include "arrivals.h"
#include "names.h"
#include "removal.h"

#include <errno.h>
#include <string.h>

static bool has_names(const Mount *mount)
{
    return mount->features & MAIL_STORE_NAMES;
}

/* --- of a message ----------------------------------------------------------------------------- */

static bool unique_name(const Mount *mount, uint32_t folder, uint32_t uid,
                        char name[FILENAME_MAX_BYTES])
{
    g_autofree char *unique = NULL;
    unsigned which = 0;

    unique = catalog_name(mount->catalog, folder, uid, &which);
    return unique && names_unique(unique, which, name, FILENAME_MAX_BYTES);
}

/* False: it has none, or a folder has it. */
static bool given_name(const Mount *mount, uint32_t folder, uint32_t uid,
                       char name[FILENAME_MAX_BYTES])
{
    g_autofree char *given = catalog_given_name(mount->catalog, folder, uid);
    TreeNode node;

    return given && g_strlcpy(name, given, FILENAME_MAX_BYTES) < FILENAME_MAX_BYTES &&
           !tree_child(mount->tree, folder, name, &node);
}

static bool is_anothers(const Mount *mount, uint32_t folder, uint32_t uid, const char *name)
{
    uint32_t owner = catalog_given(mount->catalog, folder, name);

    return owner && owner != uid;
}

bool filename_of(const Mount *mount, uint32_t folder, const CatalogMessage *message,
                 char name[FILENAME_MAX_BYTES])
{
    if (has_names(mount))
        return unique_name(mount, folder, message->uid, name);
    if (message->named && given_name(mount, folder, message->uid, name))
        return true;
    names_message(message->date, message->uid, name);
    for (unsigned n = 2; message->named && is_anothers(mount, folder, message->uid, name); n++)
        names_message_other(message->date, message->uid, n, name);
    return true;
}

/* --- of a name -------------------------------------------------------------------------------- */

static uint32_t find_uid(const Mount *mount, uint32_t folder, const char *name)
{
    g_autofree char *unique = NULL;
    unsigned which;
    uint32_t uid;

    if (!has_names(mount)) {
        uid = catalog_given(mount->catalog, folder, name);
        return uid ? uid : names_message_uid(name);
    }
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

bool filename_may_be_message(const Mount *mount, uint32_t folder, const char *name)
{
    g_autofree char *unique = NULL;
    unsigned which;

    if (!has_names(mount))
        return names_message_uid(name) != 0 || catalog_given(mount->catalog, folder, name) != 0;
    unique = names_unique_decode(name, &which);
    return unique != NULL;
}

/* --- giving ----------------------------------------------------------------------------------- */

int filename_check_arrived(const Mount *mount, uint32_t folder, uint32_t uid, const char *name)
{
    CatalogMessage message;
    TreeNode node;
    uint32_t owner = catalog_given(mount->catalog, folder, name);
    int code = names_check_given(name);

    if (code)
        return code;
    if (tree_child(mount->tree, folder, name, &node))
        return EEXIST;
    if (filename_message(mount, folder, name, &message))
        return message.uid == uid || removals_hide(mount->removals, folder, &message) ? 0 : EEXIST;
    /* It may have been given to one that is yet to be listed. */
    return owner && owner != uid && !catalog_message(mount->catalog, folder, owner, &message)
               ? EEXIST
               : 0;
}

int filename_check_given(const Mount *mount, uint32_t folder, uint32_t uid, const char *name)
{
    int code = filename_check_arrived(mount, folder, uid, name);

    return !code && arrivals_named(mount->arrivals, folder, name) ? EEXIST : code;
}

void filename_freed(const Mount *mount, uint32_t folder, const char *name)
{
    uint32_t uid = names_message_uid(name);
    char usual[NAMES_MESSAGE_MAX];
    CatalogMessage message;

    if (!uid || !catalog_message(mount->catalog, folder, uid, &message))
        return;
    names_message(message.date, uid, usual);
    if (strcmp(usual, name) != 0)
        return;
    names_message_other(message.date, uid, 2, usual);
    notify_entry(mount->notifier, mount_folder_ino(mount, folder), usual);
}
