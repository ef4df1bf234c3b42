#include "flag_changes.h"
#include "inode.h"
#include "ops.h"
#include "refresh.h"

#include <errno.h>
#include <string.h>

#define XATTR_UID "user.mail.uid"
#define XATTR_UIDL "user.mail.uidl"
#define XATTR_UIDVALIDITY "user.mail.uidvalidity"
#define XATTR_TYPE "user.mime_type"

#define MESSAGE_NAMES XATTR_FLAGS "\0" XATTR_UID "\0" XATTR_UIDVALIDITY "\0" XATTR_TYPE

static const char message_names[] = MESSAGE_NAMES;
static const char tagged_message_names[] = MESSAGE_NAMES "\0" XATTR_TAGS;
static const char named_message_names[] = XATTR_UIDL "\0" XATTR_TYPE;
static const char folder_names[] = XATTR_UIDVALIDITY;

/* UIDs are the server's, or else nobody's business but ours. */
static bool has_uids(const Mount *mount)
{
    return !(mount->features & MAIL_STORE_NAMES);
}

static char *uidvalidity_text(Mount *mount, uint32_t id)
{
    g_auto(CatalogFolder) folder = {0};

    if (!catalog_folder(mount->catalog, id, &folder) || !folder.state.uidvalidity)
        return NULL;
    return g_strdup_printf("%u", folder.state.uidvalidity);
}

/* NULL: it has no keywords, and no such attribute. */
static char *tags_of(const Mount *mount, uint64_t ino, const CatalogMessage *message)
{
    g_autofree char *flags = flag_changes_shown(mount->flag_changes, ino, message);
    g_autofree char *tags = flags_to_tags(flags);

    return *tags ? g_steal_pointer(&tags) : NULL;
}

static char *message_value(Mount *mount, fuse_ino_t ino, const char *name)
{
    Inode inode = inode_of(ino);
    CatalogMessage message;
    unsigned which;

    if (!catalog_message(mount->catalog, inode.folder, inode.uid, &message))
        return NULL;
    if (strcmp(name, XATTR_TYPE) == 0)
        return g_strdup("message/rfc822");
    if (!has_uids(mount))
        return strcmp(name, XATTR_UIDL) == 0
                   ? catalog_name(mount->catalog, inode.folder, inode.uid, &which)
                   : NULL;
    if (strcmp(name, XATTR_FLAGS) == 0)
        return flag_changes_shown(mount->flag_changes, ino, &message);
    if (strcmp(name, XATTR_TAGS) == 0)
        return tags_of(mount, ino, &message);
    if (strcmp(name, XATTR_UID) == 0)
        return g_strdup_printf("%u", message.uid);
    if (strcmp(name, XATTR_UIDVALIDITY) == 0)
        return uidvalidity_text(mount, inode.folder);
    return NULL;
}

/* The value, or NULL where the inode has no such attribute. The caller frees. */
static char *value_of(Mount *mount, fuse_ino_t ino, const char *name)
{
    Inode inode = inode_of(ino);
    uint32_t folder;

    if (inode.kind == INODE_MESSAGE)
        return message_value(mount, ino, name);
    if (has_uids(mount) && mount_ino_folder(mount, ino, &folder) && folder &&
        strcmp(name, XATTR_UIDVALIDITY) == 0)
        return uidvalidity_text(mount, folder);
    return NULL;
}

/* size 0 asks how long the answer is. */
static void reply(fuse_req_t req, const char *bytes, size_t length, size_t size)
{
    if (!size)
        fuse_reply_xattr(req, length);
    else if (size < length)
        fuse_reply_err(req, ERANGE);
    else
        fuse_reply_buf(req, bytes, length);
}

/*
 * That there are no such attributes at all (ACLs, security labels), rather than none of this file,
 * is something that ls remembers: it asks no further file.
 */
static bool is_supported(const char *name)
{
    return g_str_has_prefix(name, "user.");
}

static void reply_value(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
    g_autofree char *value = value_of(fuse_req_userdata(req), ino, name);

    if (value)
        reply(req, value, strlen(value), size);
    else
        fuse_reply_err(req, is_supported(name) ? ENODATA : EOPNOTSUPP);
}

/* Whether it is about flags that may have changed on the server, without us being told. */
static bool is_behind(const Mount *mount, fuse_ino_t ino, const char *name)
{
    return (strcmp(name, XATTR_FLAGS) == 0 || strcmp(name, XATTR_TAGS) == 0) &&
           inode_of(ino).kind == INODE_MESSAGE &&
           refresh_is_behind(mount->refresher, inode_of(ino).folder);
}

static bool flags_resume(Request *request, const GError *error)
{
    /* A look without flags was under way; after a second one, what is known has to do. */
    if (!error && ++request->rounds < 2 && is_behind(request->mount, request->ino, request->name)) {
        refresh_wait_flags(request->mount->refresher, inode_of(request->ino).folder, request);
        return true;
    }
    if (error)
        fuse_reply_err(request->req, mail_errno(error));
    else
        reply_value(request->req, request->ino, request->name, request->size);
    return false;
}

static void flags_submit(Request *request)
{
    refresh_wait_flags(request->mount->refresher, inode_of(request->ino).folder, request);
}

void xattr_get(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
    Mount *mount = fuse_req_userdata(req);
    Request *request;

    if (!is_behind(mount, ino, name)) {
        reply_value(req, ino, name, size);
        return;
    }
    request = request_new(mount, req, flags_resume);
    request->ino = ino;
    request->name = g_strdup(name);
    request->size = size;
    request_post(request, flags_submit);
}

static void list_of_message(fuse_req_t req, fuse_ino_t ino, size_t size)
{
    Mount *mount = fuse_req_userdata(req);
    g_autofree char *tags = value_of(mount, ino, XATTR_TAGS);

    if (!has_uids(mount))
        reply(req, named_message_names, sizeof named_message_names, size);
    else if (tags)
        reply(req, tagged_message_names, sizeof tagged_message_names, size);
    else
        reply(req, message_names, sizeof message_names, size);
}

void xattr_list(fuse_req_t req, fuse_ino_t ino, size_t size)
{
    Mount *mount = fuse_req_userdata(req);
    g_autofree char *uidvalidity = NULL;

    if (inode_of(ino).kind == INODE_MESSAGE) {
        list_of_message(req, ino, size);
        return;
    }
    uidvalidity = value_of(mount, ino, XATTR_UIDVALIDITY);
    reply(req, folder_names, uidvalidity ? sizeof folder_names : 0, size);
}
