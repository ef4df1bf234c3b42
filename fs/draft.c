#include "draft_private.h"

#include "../cache/fileio.h"
#include "../cache/scopedlock.h"
#include "inode.h"
#include "privatefile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* --- life --------------------------------------------------------------------------------------
 */

void draft_clear(Draft *draft)
{
    g_clear_pointer(&draft->name, g_free);
}

void draft_file_unref(gpointer data)
{
    DraftFile *file = data;

    if (!file || !g_atomic_int_dec_and_test(&file->references))
        return;
    if (file->fd >= 0)
        close(file->fd);
    draft_clear(&file->about);
    g_free(file);
}

Drafts *drafts_new(const char *directory)
{
    Drafts *drafts = g_new0(Drafts, 1);

    drafts->directory = g_strdup(directory);
    pthread_mutex_init(&drafts->lock, NULL);
    drafts->files = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, draft_file_unref);
    return drafts;
}

void drafts_free(Drafts *drafts)
{
    if (!drafts)
        return;
    g_queue_clear(&drafts->suspended);
    g_queue_clear(&drafts->resting);
    g_hash_table_unref(drafts->files);
    pthread_mutex_destroy(&drafts->lock);
    g_free(drafts->directory);
    g_free(drafts);
}

const char *drafts_directory(const Drafts *drafts)
{
    return drafts->directory;
}

DraftFile *drafts_file(const Drafts *drafts, uint64_t ino)
{
    return g_hash_table_lookup(drafts->files, &ino);
}

static DraftFile *find_named(const Drafts *drafts, uint32_t folder, const char *name)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, drafts->files);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        DraftFile *file = value;
        if (file->about.named && file->about.folder == folder &&
            strcmp(file->about.name, name) == 0)
            return file;
    }
    return NULL;
}

/* With a reference, for who is about to wait for the disk. */
static DraftFile *use(Drafts *drafts, uint64_t ino)
{
    SCOPED_LOCK(&drafts->lock);
    DraftFile *file = drafts_file(drafts, ino);

    if (!file || file->fd < 0)
        return NULL;
    g_atomic_int_inc(&file->references);
    return file;
}

void drafts_drop_unused(Drafts *drafts, const DraftFile *file)
{
    uint64_t ino = file->about.ino;

    if (file->about.named || file->about.over || file->lookups)
        return;
    if (file->resting)
        g_queue_remove(&drafts->resting, file);
    g_hash_table_remove(drafts->files, &ino);
}

bool draft_is_temporary(const char *name)
{
    size_t length = strlen(name);
    bool is_sed = length == 9 && g_str_has_prefix(name, "sed");

    for (size_t i = 3; is_sed && i < length; i++)
        is_sed = g_ascii_isalnum(name[i]);
    return name[0] == '.' || is_sed || (name[0] == '#' && length > 1 && name[length - 1] == '#');
}

static Draft copy_of(const DraftFile *file)
{
    Draft copy = file->about;

    copy.name = g_strdup(file->about.name);
    copy.temporary = draft_is_temporary(copy.name);
    copy.changed = copy.version != file->stored_version;
    return copy;
}

/* --- names -------------------------------------------------------------------------------------
 */

DraftFile *draft_file_new(uint32_t folder, const char *name, int fd)
{
    DraftFile *file = g_new0(DraftFile, 1);

    file->references = 1;
    file->lookups = 1;
    file->fd = fd;
    file->about = (Draft){.folder = folder, .name = g_strdup(name), .named = true, .version = 1};
    return file;
}

/* 0: the name is taken, or there are no more numbers. The file is the table's otherwise. */
static uint64_t insert(Drafts *drafts, DraftFile *file)
{
    SCOPED_LOCK(&drafts->lock);

    if (find_named(drafts, file->about.folder, file->about.name) || drafts->last == UINT32_MAX)
        return 0;
    file->about.ino = inode_number(INODE_DRAFT, file->about.folder, ++drafts->last);
    g_hash_table_insert(drafts->files, &file->about.ino, file);
    return file->about.ino;
}

int drafts_create(Drafts *drafts, uint32_t folder, const char *name, uint64_t *ino)
{
    g_autoptr(GError) error = NULL;
    int fd = privatefile_open(drafts->directory, &error);
    DraftFile *file;

    if (fd < 0)
        return mail_errno(error);
    file = draft_file_new(folder, name, fd);
    *ino = insert(drafts, file);
    if (!*ino)
        draft_file_unref(file);
    return *ino ? 0 : EEXIST;
}

uint64_t drafts_named(Drafts *drafts, uint32_t folder, const char *name)
{
    SCOPED_LOCK(&drafts->lock);
    const DraftFile *file = find_named(drafts, folder, name);

    return file ? file->about.ino : 0;
}

bool drafts_after(Drafts *drafts, uint32_t folder, uint64_t after, Draft *draft)
{
    SCOPED_LOCK(&drafts->lock);
    const DraftFile *next = NULL;
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, drafts->files);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const DraftFile *file = value;
        if (file->about.named && file->about.folder == folder && file->about.ino > after &&
            (!next || file->about.ino < next->about.ino))
            next = file;
    }
    if (next)
        *draft = copy_of(next);
    return next != NULL;
}

GArray *drafts_left(Drafts *drafts)
{
    SCOPED_LOCK(&drafts->lock);
    GArray *left = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, drafts->files);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const DraftFile *file = value;
        if (file->about.named)
            g_array_append_val(left, file->about.ino);
    }
    return left;
}

int drafts_rename(Drafts *drafts, uint64_t ino, const char *name)
{
    SCOPED_LOCK(&drafts->lock);
    DraftFile *file = drafts_file(drafts, ino);
    const DraftFile *other = file ? find_named(drafts, file->about.folder, name) : NULL;

    if (!file || !file->about.named)
        return ENOENT;
    if (other && other != file)
        return EEXIST;
    if (other != file) {
        g_free(file->about.name);
        file->about.name = g_strdup(name);
    }
    return 0;
}

static void remove_file(Drafts *drafts, DraftFile *file)
{
    file->about.named = false;
    file->about.removed = true;
    drafts_drop_unused(drafts, file);
}

int drafts_unlink(Drafts *drafts, uint32_t folder, const char *name)
{
    SCOPED_LOCK(&drafts->lock);
    DraftFile *file = find_named(drafts, folder, name);

    if (!file)
        return ENOENT;
    remove_file(drafts, file);
    return 0;
}

void drafts_drop(Drafts *drafts, uint64_t ino)
{
    SCOPED_LOCK(&drafts->lock);
    DraftFile *file = drafts_file(drafts, ino);

    if (file)
        remove_file(drafts, file);
}

/* --- inodes ------------------------------------------------------------------------------------
 */

bool drafts_look_up(Drafts *drafts, uint64_t ino)
{
    SCOPED_LOCK(&drafts->lock);
    DraftFile *file = drafts_file(drafts, ino);

    if (file)
        file->lookups++;
    return file != NULL;
}

bool drafts_forget(Drafts *drafts, uint64_t ino, uint64_t lookups)
{
    SCOPED_LOCK(&drafts->lock);
    DraftFile *file = drafts_file(drafts, ino);

    if (!file)
        return false;
    file->lookups -= MIN(lookups, file->lookups);
    drafts_drop_unused(drafts, file);
    return !drafts_file(drafts, ino);
}

bool drafts_find(Drafts *drafts, uint64_t ino, Draft *draft)
{
    SCOPED_LOCK(&drafts->lock);
    const DraftFile *file = drafts_file(drafts, ino);

    if (file)
        *draft = copy_of(file);
    return file != NULL;
}

/* --- bytes -------------------------------------------------------------------------------------
 */

static void stat_copied(const DraftFile *file, struct stat *st)
{
    st->st_size = (off_t)file->copied_size;
    st->st_blocks = st->st_size / 512 + (st->st_size % 512 != 0);
    st->st_mtim = st->st_ctim = st->st_atim = (struct timespec){.tv_sec = file->stored_date};
}

int drafts_stat(Drafts *drafts, uint64_t ino, struct stat *st)
{
    g_autoptr(DraftFile) file = use(drafts, ino);
    struct stat own;

    if (!file)
        return ESTALE;
    if (fstat(file->fd, &own) < 0)
        return errno;
    st->st_size = own.st_size;
    st->st_blocks = own.st_blocks;
    st->st_mtim = own.st_mtim;
    st->st_ctim = own.st_ctim;
    st->st_atim = own.st_atim;
    SCOPED_LOCK(&drafts->lock);
    if (file->about.copied)
        stat_copied(file, st);
    return 0;
}

static bool is_copied(Drafts *drafts, const DraftFile *file)
{
    SCOPED_LOCK(&drafts->lock);

    return file->about.copied;
}

ssize_t drafts_read(Drafts *drafts, uint64_t ino, void *bytes, size_t size, off_t offset)
{
    g_autoptr(DraftFile) file = use(drafts, ino);

    if (!file || is_copied(drafts, file))
        return -ESTALE;
    return file_read_at(file->fd, bytes, size, offset);
}

/* What lost its name because it could not be stored has it again, unless another one has it. */
static void note_change(Drafts *drafts, DraftFile *file)
{
    SCOPED_LOCK(&drafts->lock);

    file->about.version++;
    if (!file->about.named && !file->about.removed && !file->about.stored && !file->about.over &&
        !find_named(drafts, file->about.folder, file->about.name))
        file->about.named = true;
}

/* It is told as changed ahead and behind: who looks in between stores it once more. */
int drafts_write(Drafts *drafts, uint64_t ino, const void *bytes, size_t size, off_t offset)
{
    g_autoptr(DraftFile) file = use(drafts, ino);
    int code;

    if (!file || is_copied(drafts, file))
        return file ? EPERM : ESTALE;
    note_change(drafts, file);
    code = file_write_at(file->fd, bytes, size, offset);
    note_change(drafts, file);
    return code;
}

int drafts_truncate(Drafts *drafts, uint64_t ino, off_t size)
{
    g_autoptr(DraftFile) file = use(drafts, ino);
    int code;

    if (!file || is_copied(drafts, file))
        return file ? EPERM : ESTALE;
    note_change(drafts, file);
    code = ftruncate(file->fd, size) < 0 ? errno : 0;
    note_change(drafts, file);
    return code;
}

/* A copy has its original's date. */
static bool is_right_date(Drafts *drafts, const DraftFile *file, int64_t seconds)
{
    SCOPED_LOCK(&drafts->lock);

    return file->about.stored && file->stored_date == seconds;
}

int drafts_set_times(Drafts *drafts, uint64_t ino, const struct timespec times[2])
{
    g_autoptr(DraftFile) file = use(drafts, ino);
    bool sets = times[1].tv_nsec != UTIME_OMIT;
    bool same = file && is_right_date(drafts, file, times[1].tv_sec) &&
                times[1].tv_nsec != UTIME_NOW;

    if (!file)
        return ESTALE;
    if (is_copied(drafts, file))
        return sets && !same ? EPERM : 0;
    if (futimens(file->fd, times) < 0)
        return errno;
    if (sets && !same)
        note_change(drafts, file);
    return 0;
}

int drafts_open(Drafts *drafts, uint64_t ino)
{
    g_autoptr(DraftFile) file = use(drafts, ino);

    return file ? fcntl(file->fd, F_DUPFD_CLOEXEC, 0) : -1;
}

/* --- what has become of one --------------------------------------------------------------------
 */

void drafts_set_kept(Drafts *drafts, uint64_t ino, bool kept)
{
    SCOPED_LOCK(&drafts->lock);
    DraftFile *file = drafts_file(drafts, ino);

    if (file)
        file->about.kept = kept;
}
