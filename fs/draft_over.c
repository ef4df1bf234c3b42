#include "draft_private.h"

#include "../cache/scopedlock.h"
#include "inode.h"
#include "privatefile.h"

enum { MOST_SUSPENDED = 16 };

static DraftFile *find_over(const Drafts *drafts, uint64_t message)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, drafts->files);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        if (((DraftFile *)value)->about.over == message)
            return value;
    return NULL;
}

static void set_suspended(Drafts *drafts, DraftFile *file, bool suspended)
{
    if (file->suspended == suspended)
        return;
    file->suspended = suspended;
    g_atomic_int_add(&drafts->n_over, suspended ? -1 : 1);
    if (suspended)
        g_queue_push_tail(&drafts->suspended, file);
    else
        g_queue_remove(&drafts->suspended, file);
}

uint64_t drafts_over(Drafts *drafts, uint64_t message)
{
    const DraftFile *file;

    if (!g_atomic_int_get(&drafts->n_over))
        return 0;
    SCOPED_LOCK(&drafts->lock);
    file = find_over(drafts, message);
    return file && !file->suspended ? file->about.ino : 0;
}

uint64_t drafts_resume_over(Drafts *drafts, uint64_t message, pid_t who)
{
    SCOPED_LOCK(&drafts->lock);
    DraftFile *file = find_over(drafts, message);

    if (!file || (file->suspended && file->who != who))
        return 0;
    set_suspended(drafts, file, false);
    return file->about.ino;
}

static void end_over(Drafts *drafts, DraftFile *file)
{
    set_suspended(drafts, file, true);
    g_queue_remove(&drafts->suspended, file);
    file->about.over = 0;
    drafts_drop_unused(drafts, file);
}

uint64_t drafts_end_over(Drafts *drafts, uint64_t ino)
{
    SCOPED_LOCK(&drafts->lock);
    DraftFile *file = drafts_file(drafts, ino);
    uint64_t message = file ? file->about.over : 0;

    if (message)
        end_over(drafts, file);
    return message;
}

uint64_t drafts_suspend_over(Drafts *drafts, uint64_t ino)
{
    SCOPED_LOCK(&drafts->lock);
    DraftFile *file = drafts_file(drafts, ino);
    uint64_t message = file ? file->about.over : 0;

    if (message)
        set_suspended(drafts, file, true);
    if (drafts->suspended.length > MOST_SUSPENDED)
        end_over(drafts, drafts->suspended.head->data);
    return message;
}

static bool insert_over(Drafts *drafts, DraftFile *file)
{
    SCOPED_LOCK(&drafts->lock);

    if (find_over(drafts, file->about.over) || drafts->last == UINT32_MAX)
        return false;
    file->about.ino = inode_number(INODE_DRAFT, file->about.folder, ++drafts->last);
    g_hash_table_insert(drafts->files, &file->about.ino, file);
    g_atomic_int_inc(&drafts->n_over);
    return true;
}

/* What is over it already, whoever made that, is that process's now. */
static uint64_t take_over(Drafts *drafts, uint64_t message, pid_t who)
{
    SCOPED_LOCK(&drafts->lock);
    DraftFile *file = find_over(drafts, message);

    if (!file)
        return 0;
    file->who = who;
    set_suspended(drafts, file, false);
    return file->about.ino;
}

int drafts_begin_over(Drafts *drafts, uint64_t message, pid_t who)
{
    uint64_t known = take_over(drafts, message, who);
    g_autoptr(GError) error = NULL;
    Inode inode = inode_of(message);
    DraftFile *file;
    int fd;

    if (known)
        return drafts_truncate(drafts, known, 0);
    fd = privatefile_open(drafts->directory, &error);
    if (fd < 0)
        return mail_errno(error);
    file = draft_file_new(inode.folder, "", fd);
    file->lookups = 0;
    file->about.named = false;
    file->about.over = message;
    file->who = who;
    file->about.uid = inode.uid;
    if (!insert_over(drafts, file))
        draft_file_unref(file);
    return 0;
}
