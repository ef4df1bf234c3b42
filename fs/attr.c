#include "attr.h"

#include "arrivals.h"
#include "control.h"
#include "draft.h"
#include "inode.h"

enum { STAT_BLOCK = 512 };

static void fill_owner(const Mount *mount, mode_t type_and_bits, struct stat *st)
{
    *st = (struct stat){0};
    st->st_mode = type_and_bits & ~mount->options->umask;
    st->st_uid = mount->options->uid;
    st->st_gid = mount->options->gid;
    st->st_nlink = 1;
}

static void set_time(struct stat *st, int64_t seconds)
{
    st->st_mtim.tv_sec = seconds;
    st->st_ctim = st->st_atim = st->st_mtim;
}

void attr_message(const Mount *mount, uint32_t folder, const CatalogMessage *message,
                  struct stat *st)
{
    fill_owner(mount, S_IFREG | 0666, st);
    st->st_ino = inode_number(INODE_MESSAGE, folder, message->uid);
    st->st_size = (off_t)MIN(message->size, (uint64_t)INT64_MAX);
    st->st_blocks = st->st_size / STAT_BLOCK + (st->st_size % STAT_BLOCK != 0);
    set_time(st, message->date);
}

/* A folder is as old as its newest message, or as the mount. */
void attr_folder(const Mount *mount, const TreeNode *node, struct stat *st)
{
    CatalogMessage newest;

    fill_owner(mount, S_IFDIR | 0777, st);
    st->st_ino = mount_folder_ino(mount, node->id);
    st->st_nlink = 2 + node->children;
    if (catalog_last_message(mount->catalog, node->id, &newest) && newest.date > 0)
        set_time(st, newest.date);
    else
        set_time(st, mount->started);
}

static bool attr_control(const Mount *mount, fuse_ino_t ino, struct stat *st)
{
    fill_owner(mount, control_mode(inode_of(ino).uid), st);
    st->st_ino = ino;
    set_time(st, mount->started);
    return true;
}

/* A status is as long as its text; the one that is yet to be made has none. */
static bool attr_status(const Mount *mount, fuse_ino_t ino, struct stat *st)
{
    g_autoptr(GBytes) text = inode_of(ino).folder ? control_text(mount->control, ino) : NULL;

    attr_control(mount, ino, st);
    if (text)
        st->st_size = (off_t)g_bytes_get_size(text);
    return text || !inode_of(ino).folder;
}

static bool attr_draft(const Mount *mount, fuse_ino_t ino, struct stat *st)
{
    fill_owner(mount, S_IFREG | 0666, st);
    st->st_ino = ino;
    return drafts_stat(mount->drafts, ino, st) == 0;
}

/* What is written over it is what it is like. */
static void attr_over(const Mount *mount, fuse_ino_t ino, struct stat *st)
{
    uint64_t draft = drafts_over(mount->drafts, ino);

    if (draft)
        drafts_stat(mount->drafts, draft, st);
}

bool attr_of(const Mount *mount, fuse_ino_t ino, struct stat *st)
{
    Inode inode = inode_of(ino);
    CatalogMessage message;
    uint32_t folder;
    TreeNode node;

    if (mount_ino_folder(mount, ino, &folder)) {
        if (!tree_node(mount->tree, folder, &node))
            return false;
        attr_folder(mount, &node, st);
        return true;
    }
    if (inode.kind == INODE_MESSAGE) {
        if (!catalog_message(mount->catalog, inode.folder, inode.uid, &message) &&
            !arrivals_message(mount->arrivals, ino, &message))
            return false;
        attr_message(mount, inode.folder, &message, st);
        attr_over(mount, ino, st);
        return true;
    }
    if (inode.kind == INODE_DRAFT)
        return attr_draft(mount, ino, st);
    if (inode.kind != INODE_CONTROL || !control_mode(inode.uid))
        return false;
    return control_is_status(ino) ? attr_status(mount, ino, st) : attr_control(mount, ino, st);
}
