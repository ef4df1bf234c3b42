#include "leave.h"

#include "filename.h"
#include "flag_changes.h"
#include "inode.h"
#include "refresh.h"

void leave_gone(const Mount *mount, uint32_t folder, uint32_t uid)
{
    const MailUidRange range = {uid, uid};
    g_autofree char *given = catalog_given_name(mount->catalog, folder, uid);

    refresh_note_gone(mount->refresher, folder, uid);
    flag_changes_drop(mount->flag_changes, inode_number(INODE_MESSAGE, folder, uid));
    g_array_unref(catalog_remove_ranges(mount->catalog, folder, &range, 1));
    if (given)
        filename_freed(mount, folder, given);
}

void leave_marked(const Mount *mount, uint32_t folder, uint32_t uid)
{
    g_autofree char *before = NULL, *after = NULL;
    CatalogMessage message;

    if (!catalog_message(mount->catalog, folder, uid, &message))
        return;
    before = catalog_flags(mount->catalog, message.flag_set);
    after = g_strconcat(before, " \\Deleted", NULL);
    catalog_put_messages(mount->catalog, folder,
                         &(MailMessage){.uid = uid, .has = MAIL_HAS_FLAGS, .flags = after}, 1);
}
