#include "storing_private.h"

#include "dircache.h"
#include "filename.h"
#include "flush.h"
#include "inode.h"
#include "inode_map.h"
#include "leave.h"
#include "letters.h"
#include "refresh.h"
#include "removal.h"

uint32_t storing_former(const Storing *storing)
{
    return storing->draft.uid ? storing->draft.uid : storing->replaced;
}

char *storing_name(const Storing *storing, uint32_t uid)
{
    const Mount *mount = storing->mount;
    char name[FILENAME_MAX_BYTES];
    CatalogMessage message;

    return catalog_message(mount->catalog, storing->draft.folder, uid, &message) &&
                   filename_of(mount, storing->draft.folder, &message, name)
               ? g_strdup(name)
               : NULL;
}

/* What a message that was stored before is called now, or what this one shall be called; the caller
 * frees. */
static char *name_of(const Storing *storing, const Draft *now)
{
    char *name = storing->rename_to ? g_strdup(storing->rename_to)
                                    : storing_name(storing, storing->draft.uid);

    return name ? name : g_strdup(now->name);
}

static void give_name(const Storing *storing, const char *name)
{
    Mount *mount = storing->mount;
    uint32_t folder = storing->draft.folder;
    g_autoptr(GError) error = NULL;
    int code = filename_check_given(mount, folder, storing_former(storing), name);

    if (code)
        g_info("a message can't have the name it was written by: %s", g_strerror(code));
    else if (!catalog_give_name(mount->catalog, folder, storing->uid, name, &error))
        g_info("the name of a message is not kept: %s", error->message);
}

static void put(const Storing *storing, const Draft *now)
{
    Mount *mount = storing->mount;
    CatalogMessage known;

    refresh_placed(mount->refresher, now->folder, storing->uid);
    if (!catalog_message(mount->catalog, now->folder, storing->uid, &known))
        catalog_put_messages(mount->catalog, now->folder,
                             &(MailMessage){.uid = storing->uid,
                                            .has = MAIL_HAS_SIZE | MAIL_HAS_DATE | MAIL_HAS_FLAGS,
                                            .size = storing->size,
                                            .date = storing->date,
                                            .flags = storing->flags ? storing->flags : ""},
                             1);
}

/* The server has removed it already. */
static void note_replaced(const Mount *mount, uint32_t folder, uint32_t uid)
{
    leave_gone(mount, folder, uid);
    content_drop(mount->content, folder, uid);
}

/* The new one is there: the former goes, and so does one whose file was removed meanwhile. */
static void remove_former(const Storing *storing, const Draft *now)
{
    Removals *removals = storing->mount->removals;

    if (storing_former(storing) && storing->replacing && storing->told)
        note_replaced(storing->mount, now->folder, storing_former(storing));
    else if (storing_former(storing))
        removals_drop(removals, now->folder, storing_former(storing));
    if (now->removed && storing->uid)
        removals_drop(removals, now->folder, storing->uid);
}

uint64_t storing_message_ino(const Storing *storing, uint32_t uid)
{
    return inode_number(INODE_MESSAGE, storing->draft.folder, uid);
}

static void claim(const Storing *storing)
{
    uint64_t ino = storing_message_ino(storing, storing->uid);

    g_hash_table_add(storing->mount->storer->ours, g_memdup2(&ino, sizeof ino));
}

/*
 * The kernel has the old one's inode under the name until it is told: what it asks of that until
 * then, and who has it open, is answered by the new one.
 */
static void end_over(const Storing *storing)
{
    Mount *mount = storing->mount;
    uint64_t message = drafts_end_over(mount->drafts, storing->ino);

    if (message && storing->uid)
        inode_map_put(mount->moved, message, storing_message_ino(storing, storing->uid));
}

void storing_let_go(gpointer data)
{
    Mount *mount = data;
    uint32_t folder, uid;
    uint64_t ino;

    while (drafts_surplus(mount->drafts, &ino, &folder, &uid)) {
        if (uid)
            inode_map_put(mount->moved, ino, inode_number(INODE_MESSAGE, folder, uid));
        if (drafts_give_up(mount->drafts, ino))
            continue;
        if (uid)
            inode_map_remove(mount->moved, ino);
        return;
    }
}

/* The message has its name before it is seen, and is seen before the draft is not. */
void storing_succeed(Storing *storing)
{
    Mount *mount = storing->mount;
    uint32_t folder = storing->draft.folder;
    uint64_t parent = mount_folder_ino(mount, folder);
    g_auto(Draft) now = {0};
    bool fits = storing->uid && storing->told_uidvalidity == storing->uidvalidity;
    g_autofree char *name = NULL;

    if (!drafts_find(mount->drafts, storing->ino, &now)) {
        now = storing->draft;
        now.name = g_strdup(now.name);
    }
    name = name_of(storing, &now);
    if (!fits)
        storing->uid = 0;
    if (fits)
        claim(storing);
    if (fits && !now.removed)
        give_name(storing, name);
    if (fits)
        put(storing, &now);
    if (storing->source)
        drafts_copied(mount->drafts, storing->ino, storing->uid, storing->size, storing->date);
    else
        drafts_stored(mount->drafts, storing->ino, storing->draft.version, storing->uid,
                      storing->date);
    remove_former(storing, &now);
    end_over(storing);
    dircache_changed(mount->directories, parent);
    notify_directory(mount->notifier, parent);
    /* What the kernel knows by the name of a draft it asks for anew each time; a message it does
     * not. It is told no more than it needs (see notify.h). */
    if (storing->draft.uid)
        notify_entry(mount->notifier, parent, name);
    if (!fits) /* else the catalog has all there is to know */
        refresh_stale(mount->refresher, folder);
    flush_soon(mount->flusher);
    letters_note(mount->letters, true);
    letters_stored(mount->letters, storing->ino, NULL);
    storing_end(storing, NULL);
    storing_let_go(mount);
}
