#include "draft_private.h"

#include "../cache/scopedlock.h"

#include <unistd.h>

/* Each has a descriptor. Who closes a file, and does something more with it, does so soon. */
enum { MOST_RESTING = 64 };

bool drafts_failed(Drafts *drafts, uint64_t ino)
{
    SCOPED_LOCK(&drafts->lock);
    DraftFile *file = drafts_file(drafts, ino);

    if (!file || !file->about.named || draft_is_temporary(file->about.name))
        return false;
    file->about.named = false;
    drafts_rest(drafts, file);
    return true;
}

static void settle(Drafts *drafts, DraftFile *file, uint32_t uid, int64_t date)
{
    file->about.stored = true;
    file->about.uid = uid;
    file->stored_date = date;
    file->about.named = false;
    drafts_rest(drafts, file);
}

void drafts_stored(Drafts *drafts, uint64_t ino, uint64_t version, uint32_t uid, int64_t date)
{
    SCOPED_LOCK(&drafts->lock);
    DraftFile *file = drafts_file(drafts, ino);

    if (!file)
        return;
    file->stored_version = version;
    settle(drafts, file, uid, date);
}

void drafts_copied(Drafts *drafts, uint64_t ino, uint32_t uid, uint64_t size, int64_t date)
{
    SCOPED_LOCK(&drafts->lock);
    DraftFile *file = drafts_file(drafts, ino);

    if (!file)
        return;
    file->stored_version = file->about.version;
    file->about.copied = true;
    file->copied_size = size;
    settle(drafts, file, uid, date);
}

/* --- giving up what they hold ------------------------------------------------------------------
 */

void drafts_rest(Drafts *drafts, DraftFile *file)
{
    if (!file->resting)
        g_queue_push_tail(&drafts->resting, file);
    file->resting = true;
    drafts_drop_unused(drafts, file);
}

/* Whether all that is in it is in a message, or nobody is to see it any more. */
static bool has_done(const DraftFile *file)
{
    bool changed = file->about.version != file->stored_version;

    return !file->about.named && !file->about.over && !file->about.kept &&
           (file->about.stored ? !changed && file->about.uid : true);
}

bool drafts_surplus(Drafts *drafts, uint64_t *ino, uint32_t *folder, uint32_t *uid)
{
    SCOPED_LOCK(&drafts->lock);

    while (drafts->resting.length > MOST_RESTING) {
        DraftFile *file = g_queue_pop_head(&drafts->resting);
        file->resting = false;
        if (!has_done(file))
            continue; /* it comes again */
        *ino = file->about.ino;
        *folder = file->about.folder;
        *uid = file->about.stored ? file->about.uid : 0;
        return true;
    }
    return false;
}

bool drafts_give_up(Drafts *drafts, uint64_t ino)
{
    SCOPED_LOCK(&drafts->lock);
    DraftFile *file = drafts_file(drafts, ino);

    if (!file || file->fd < 0)
        return true;
    if (!has_done(file) || g_atomic_int_get(&file->references) > 1) {
        drafts_rest(drafts, file);
        return false;
    }
    close(file->fd);
    file->fd = -1;
    return true;
}
