#include "arrivals.h"
#include "flag_changes.h"
#include "flagtext.h"
#include "inode.h"
#include "inode_map.h"
#include "moves.h"
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
    char *flags; /* what the message is to have */
    char *take;  /* flags that are to be taken away by a STORE of its own, or NULL */
    bool stored, modified;
} Store;

static void store_free(Store *store)
{
    g_free(store->flags);
    g_free(store->take);
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

/* False: it is gone since. A server says no such thing of a STORE. */
static bool take_flags(const Store *store)
{
    Inode inode = inode_of(store->ino);
    CatalogMessage message;

    if (!catalog_message(store->mount->catalog, inode.folder, inode.uid, &message))
        return false;
    catalog_put_messages(
        store->mount->catalog, inode.folder,
        &(MailMessage){.uid = inode.uid, .has = MAIL_HAS_FLAGS, .flags = store->flags}, 1);
    refresh_stale(store->mount->refresher, inode.folder);
    return true;
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
        fuse_reply_err(request->req, EBUSY); /* of EAGAIN the kernel makes EOPNOTSUPP */
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

static void store_done(gpointer data, const GError *error);

/* Hands the store to the server. An errno where that can't be. */
static int ask(Store *store, MailFlagsHow how, const char *names)
{
    static const MailFlagsSink sink = {note_permanent, note_stored, note_modified};
    Mount *mount = store->mount;
    Inode inode = inode_of(store->ino);
    g_auto(CatalogFolder) folder = {0};

    if (!catalog_folder(mount->catalog, inode.folder, &folder))
        return ENOENT;
    const MailFlags flags = {.folder = folder.name,
                             .uidvalidity = folder.state.uidvalidity,
                             .uids = &inode.uid,
                             .n_uids = 1,
                             .how = how,
                             .flags = names,
                             .unchanged_since = folder.state.modseq};
    mail_store_flags(mount->store, &flags, &sink, store_done, store);
    return 0;
}

static void store_end(Store *store, const GError *error)
{
    Request *request = request_find(store->mount->requests, store->waiting);
    bool modified = store->modified && !store->stored;
    g_autoptr(GError) failure = error ? g_error_copy(error) : NULL;

    if (!error && !modified && !take_flags(store))
        failure = g_error_new(MAIL_ERROR, ENOENT, "the message is gone");
    if (failure)
        g_info("%s", failure->message);
    if (failure && store->stored) /* some of it */
        refresh_stale(store->mount->refresher, inode_of(store->ino).folder);
    store_free(store);
    if (!request)
        return;
    request->resume = stored_resume;
    if (!failure && modified)
        look_again(request);
    else
        request_resume(request, failure);
}

static void store_done(gpointer data, const GError *error)
{
    Store *store = data;
    g_autofree char *take = g_steal_pointer(&store->take);
    g_autoptr(GError) gone = NULL;

    if (!error && take && ask(store, MAIL_FLAGS_TAKE, take) == 0)
        return;
    if (!error && take)
        gone = g_error_new(MAIL_ERROR, ENOENT, "the folder is gone");
    store_end(store, gone ? gone : error);
}

/*
 * Where the folder has no MODSEQs, nobody says whether another client has changed the message since
 * it was looked at. Then only what the user changes is changed: the rest stays as it is there.
 */
static int ask_differences(Store *store, const char *known)
{
    g_autofree char *add = flagtext_without(store->flags, known);
    g_autofree char *take = flagtext_without(known, store->flags);

    if (!*add && !*take) {
        store_end(store, NULL);
        return 0;
    }
    if (!*add)
        return ask(store, MAIL_FLAGS_TAKE, take);
    store->take = *take ? g_steal_pointer(&take) : NULL;
    return ask(store, MAIL_FLAGS_ADD, add);
}

static void submit(Request *request)
{
    Mount *mount = request->mount;
    g_autofree char *known = catalog_flags(mount->catalog, (uint16_t)request->offset);
    g_auto(CatalogFolder) folder = {0};
    Store *store = g_new0(Store, 1);
    int code;

    store->mount = mount;
    store->waiting = request->id;
    store->ino = request->ino;
    store->flags = g_strdup(request->name);
    if (!catalog_folder(mount->catalog, inode_of(request->ino).folder, &folder))
        code = ENOENT;
    else if (folder.state.modseq)
        code = ask(store, MAIL_FLAGS_SET, store->flags);
    else
        code = ask_differences(store, known);
    if (code) {
        g_autoptr(GError) error = g_error_new(MAIL_ERROR, code, "the folder is gone");
        store_end(store, error);
    }
}

/* It has come to another folder, or has not been moved. */
static bool settled_resume(Request *request, const GError *error)
{
    if (error) {
        fuse_reply_err(request->req, mail_errno(error));
        return false;
    }
    request->ino = inode_map_follow(request->mount->moved, request->ino);
    request->resume = stored_resume;
    submit(request);
    return true;
}

static void keep(Request *request)
{
    flag_changes_add(request->mount->flag_changes, request);
}

static void set(fuse_req_t req, fuse_ino_t ino, const CatalogMessage *message, const char *flags)
{
    Mount *mount = mount_of(req);
    bool kept = flag_changes_are_kept(mount->flag_changes, ino);
    Request *request;

    if (kept && !flagtext_can_be_set(flags)) {
        fuse_reply_err(req, EINVAL);
        return;
    }
    request = request_new(mount, req, stored_resume);
    request->ino = ino;
    request->name = g_strdup(flags);
    request->offset = message->flag_set;
    if (kept) {
        request_post(request, keep);
    } else if (arrivals_has(mount->arrivals, ino)) {
        request->resume = settled_resume;
        request->follows = ino;
        moves_post(request);
    } else {
        request_post(request, submit);
    }
}

/* What the attribute's new value makes of the message's flags; NULL: nothing that can be. */
static char *new_flags(const Mount *mount, fuse_ino_t ino, const CatalogMessage *message,
                       const char *name, const char *value, size_t size)
{
    g_autofree char *flags = flag_changes_shown(mount->flag_changes, ino, message);
    g_autofree char *text = g_strndup(value, size);

    if (strlen(text) != size)
        return NULL;
    return strcmp(name, XATTR_TAGS) == 0 ? flags_with_tags(flags, text)
                                         : flags_of_value(value, size);
}

/* Whether the attribute can be set, and the message is there: an errno. */
static int find_message(const Mount *mount, fuse_ino_t ino, const char *name,
                        CatalogMessage *message)
{
    Inode inode = inode_of(ino);

    if (!(mount->features & MAIL_STORE_CHANGES) || inode.kind != INODE_MESSAGE ||
        (strcmp(name, XATTR_FLAGS) != 0 && strcmp(name, XATTR_TAGS) != 0))
        return EOPNOTSUPP;
    return catalog_message(mount->catalog, inode.folder, inode.uid, message) ? 0 : ENOENT;
}

/* A message always has flags, if none; tags it has where it has keywords. An errno. */
static int check_presence(const Mount *mount, fuse_ino_t ino, const CatalogMessage *message,
                          const char *name, int how)
{
    g_autofree char *flags = flag_changes_shown(mount->flag_changes, ino, message);
    g_autofree char *tags = flags_to_tags(flags);
    bool present = strcmp(name, XATTR_FLAGS) == 0 || *tags;

    if (how & XATTR_CREATE && present)
        return EEXIST;
    return how & XATTR_REPLACE && !present ? ENODATA : 0;
}

void flags_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
                    size_t size, int how)
{
    const Mount *mount = mount_of(req);
    g_autofree char *flags = NULL;
    CatalogMessage message;
    int code = find_message(mount, ino, name, &message);

    if (!code)
        code = check_presence(mount, ino, &message, name, how);
    if (code) {
        fuse_reply_err(req, code);
    } else if (!(flags = new_flags(mount, ino, &message, name, value, size))) {
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
    int code = find_message(mount, ino, name, &message);

    if (!code)
        code = check_presence(mount, ino, &message, name, XATTR_REPLACE);
    if (code) {
        fuse_reply_err(req, code);
        return;
    }
    flags = new_flags(mount, ino, &message, name, "", 0);
    set(req, ino, &message, flags);
}
