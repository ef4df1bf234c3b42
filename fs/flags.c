#include "inode.h"
#include "ops.h"
#include "refresh.h"
#include "request.h"

#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

enum { TRIES = 3 }; /* where a message has changed since it was looked at */

/* A STORE under way. A request that is interrupted meanwhile is gone; the STORE is not. */
typedef struct {
    Mount *mount;
    uint64_t waiting; /* the request's id */
    uint64_t ino;
    char *flags;
    bool stored, modified;
} Store;

static void store_free(Store *store)
{
    g_free(store->flags);
    g_free(store);
}

static Mount *mount_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

/* --- values ------------------------------------------------------------------------------------
 */

char *flags_to_tags(const char *flags)
{
    g_auto(GStrv) names = g_strsplit(flags, " ", -1);
    GString *tags = g_string_new(NULL);

    for (char **name = names; *name; name++)
        if (**name && **name != '\\')
            g_string_append_printf(tags, "%s%s", tags->len ? "," : "", *name);
    return g_string_free(tags, FALSE);
}

/* The system flags of a message, and these tags. NULL: one of them can't be a keyword. */
static char *flags_with_tags(const char *flags, const char *tags)
{
    g_auto(GStrv) names = g_strsplit(flags, " ", -1), words = g_strsplit(tags, ",", -1);
    g_autoptr(GString) text = g_string_new(NULL);

    for (char **name = names; *name; name++)
        if (**name == '\\')
            g_string_append_printf(text, "%s%s", text->len ? " " : "", *name);
    for (char **word = words; *word; word++) {
        g_strstrip(*word);
        if (**word == '\\' || strpbrk(*word, " \t\n"))
            return NULL;
        if (**word)
            g_string_append_printf(text, "%s%s", text->len ? " " : "", *word);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* "a\tb\n" as "a b". */
static char *flags_of_value(const char *value, size_t size)
{
    g_autofree char *text = g_strndup(value, size);
    g_auto(GStrv) words = g_strsplit_set(text, " \t\r\n", -1);
    g_autoptr(GString) flags = g_string_new(NULL);

    for (char **word = words; *word; word++)
        if (**word)
            g_string_append_printf(flags, "%s%s", flags->len ? " " : "", *word);
    return g_string_free(g_steal_pointer(&flags), FALSE);
}

/* --- storing -----------------------------------------------------------------------------------
 */

static void submit(Request *request);

static void note_permanent(gpointer data, const char *flags)
{
    (void)data, (void)flags; /* what can't be kept is refused by the store */
}

static void note_stored(gpointer data, uint32_t uid)
{
    (void)uid;
    ((Store *)data)->stored = true;
}

static void note_modified(gpointer data, uint32_t uid)
{
    (void)uid;
    ((Store *)data)->modified = true;
}

static void take_flags(const Store *store)
{
    Inode inode = inode_of(store->ino);

    catalog_put_messages(
        store->mount->catalog, inode.folder,
        &(MailMessage){.uid = inode.uid, .has = MAIL_HAS_FLAGS, .flags = store->flags}, 1);
    refresh_stale(store->mount->refresher, inode.folder);
}

/* The folder was looked at again. Another's change since is not overwritten unseen; our own last
 * one, of which the folder's state did not know, is no such. */
static bool again_resume(Request *request, const GError *error)
{
    CatalogMessage message;
    Inode inode = inode_of(request->ino);

    if (error) {
        fuse_reply_err(request->req, mail_errno(error));
    } else if (!catalog_message(request->mount->catalog, inode.folder, inode.uid, &message)) {
        fuse_reply_err(request->req, ENOENT);
    } else if (message.flag_set != (uint16_t)request->offset || ++request->rounds >= TRIES) {
        fuse_reply_err(request->req, EAGAIN);
    } else {
        submit(request);
        return true;
    }
    return false;
}

static bool stored_resume(Request *request, const GError *error)
{
    fuse_reply_err(request->req, error ? mail_errno(error) : 0);
    return false;
}

static void look_again(Request *request)
{
    uint32_t folder = inode_of(request->ino).folder;

    request->resume = again_resume;
    refresh_stale(request->mount->refresher, folder);
    refresh_wait_flags(request->mount->refresher, folder, request);
}

static void store_done(gpointer data, const GError *error)
{
    Store *store = data;
    Request *request = request_find(store->mount->requests, store->waiting);
    bool modified = store->modified && !store->stored;

    if (error)
        g_info("%s", error->message);
    else if (!modified)
        take_flags(store);
    store_free(store);
    if (!request)
        return;
    request->resume = stored_resume;
    if (!error && modified)
        look_again(request);
    else
        request_resume(request, error);
}

static void submit(Request *request)
{
    static const MailFlagsSink sink = {note_permanent, note_stored, note_modified};
    Mount *mount = request->mount;
    Inode inode = inode_of(request->ino);
    g_auto(CatalogFolder) folder = {0};
    Store *store;

    if (!catalog_folder(mount->catalog, inode.folder, &folder)) {
        g_autoptr(GError) error = g_error_new(MAIL_ERROR, ENOENT, "the folder is gone");
        request_resume(request, error);
        return;
    }
    store = g_new0(Store, 1);
    store->mount = mount;
    store->waiting = request->id;
    store->ino = request->ino;
    store->flags = g_strdup(request->name);
    const MailFlags flags = {.folder = folder.name,
                             .uidvalidity = folder.state.uidvalidity,
                             .uids = &inode.uid,
                             .n_uids = 1,
                             .how = MAIL_FLAGS_SET,
                             .flags = request->name,
                             .unchanged_since = folder.state.modseq};
    mail_store_flags(mount->store, &flags, &sink, store_done, store);
}

/* value is copied. */
static void set(fuse_req_t req, fuse_ino_t ino, const CatalogMessage *message, const char *flags)
{
    Request *request = request_new(mount_of(req), req, stored_resume);

    request->ino = ino;
    request->name = g_strdup(flags);
    request->offset = message->flag_set;
    request_post(request, submit);
}

/* What the attribute's new value makes of the message's flags; NULL: nothing that can be. */
static char *new_flags(const Mount *mount, const CatalogMessage *message, const char *name,
                       const char *value, size_t size)
{
    g_autofree char *flags = catalog_flags(mount->catalog, message->flag_set);
    g_autofree char *text = g_strndup(value, size);

    if (strlen(text) != size)
        return NULL;
    return strcmp(name, XATTR_TAGS) == 0 ? flags_with_tags(flags, text)
                                         : flags_of_value(value, size);
}

static bool is_ours(const Mount *mount, fuse_ino_t ino, const char *name, CatalogMessage *message)
{
    Inode inode = inode_of(ino);

    return mount->features & MAIL_STORE_CHANGES && inode.kind == INODE_MESSAGE &&
           (strcmp(name, XATTR_FLAGS) == 0 || strcmp(name, XATTR_TAGS) == 0) &&
           catalog_message(mount->catalog, inode.folder, inode.uid, message);
}

void flags_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
                    size_t size, int how)
{
    const Mount *mount = mount_of(req);
    g_autofree char *flags = NULL;
    CatalogMessage message;

    if (!is_ours(mount, ino, name, &message)) {
        fuse_reply_err(req, EOPNOTSUPP);
    } else if (how & XATTR_CREATE) {
        fuse_reply_err(req, EEXIST);
    } else if (!(flags = new_flags(mount, &message, name, value, size))) {
        fuse_reply_err(req, EINVAL);
    } else {
        set(req, ino, &message, flags);
    }
}

void flags_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
    const Mount *mount = mount_of(req);
    g_autofree char *flags = NULL;
    CatalogMessage message;

    if (!is_ours(mount, ino, name, &message)) {
        fuse_reply_err(req, EOPNOTSUPP);
        return;
    }
    flags = new_flags(mount, &message, name, "", 0);
    set(req, ino, &message, flags);
}
