/*
 * test_disk_faults.c: the cache over a disk of which each call in turn fails, once or from there
 * on: it goes on with right bytes or without any, and what is found on the disk afterwards is no
 * damage.
 *
 * The program's own functions take the C library's place, for SQLite too, which is a shared
 * library: the linker makes what the executable has come first.
 */
#include "../../cache/catalog.h"
#include "../../cache/content.h"
#include "../../cache/database.h"
#include "../../cache/journal.h"
#include "cache_helpers.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>

enum { MESSAGES = 5, LENGTH = 3000, BOUND = 16 << 20, NEVER = G_MAXINT };

/* --- the disk --------------------------------------------------------------------------------- */

static const char *disk;       /* the directory whose files fail */
static gint calls;             /* of the disk, since it was armed */
static gint first_bad = NEVER; /* the number of the call that fails */
static bool stays_bad;         /* and all behind it */
static int fault;              /* errno */

static bool fails(void)
{
    int call = g_atomic_int_add(&calls, 1);
    int bad = g_atomic_int_get(&first_bad);

    if (call < bad || (call > bad && !stays_bad))
        return false;
    errno = fault;
    return true;
}

static bool is_on_disk(const char *path)
{
    return disk && g_str_has_prefix(path, disk);
}

static bool is_file(int fd)
{
    struct stat st;

    return disk && fd > 2 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* name as the C library has it; our own is asm'ed to that. */
#define REAL(type, name) ((type)real(name))

static void *real(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);

    if (!function)
        abort();
    return function;
}

typedef int (*OpenFunction)(const char *path, int flags, ...);
int disk_open(const char *path, int flags, ...) __asm__("open64");
int disk_open(const char *path, int flags, ...)
{
    va_list args;

    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return is_on_disk(path) && fails() ? -1 : REAL(OpenFunction, "open64")(path, flags, mode);
}

int disk_plain_open(const char *path, int flags, ...) __asm__("open");
int disk_plain_open(const char *path, int flags, ...)
{
    va_list args;

    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return is_on_disk(path) && fails() ? -1 : REAL(OpenFunction, "open")(path, flags, mode);
}

typedef ssize_t (*WriteFunction)(int fd, const void *bytes, size_t size);
ssize_t disk_write(int fd, const void *bytes, size_t size) __asm__("write");
ssize_t disk_write(int fd, const void *bytes, size_t size)
{
    return is_file(fd) && fails() ? -1 : REAL(WriteFunction, "write")(fd, bytes, size);
}

typedef ssize_t (*PwriteFunction)(int fd, const void *bytes, size_t size, off_t offset);
ssize_t disk_pwrite(int fd, const void *bytes, size_t size, off_t offset) __asm__("pwrite64");
ssize_t disk_pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    /* half of it gets there, as where a disk is full */
    if (is_file(fd) && fails()) {
        int code = errno;
        REAL(PwriteFunction, "pwrite64")(fd, bytes, size / 2, offset);
        errno = code;
        return -1;
    }
    return REAL(PwriteFunction, "pwrite64")(fd, bytes, size, offset);
}

typedef int (*FdFunction)(int fd);
int disk_fsync(int fd) __asm__("fsync");
int disk_fsync(int fd)
{
    return is_file(fd) && fails() ? -1 : REAL(FdFunction, "fsync")(fd);
}

int disk_fdatasync(int fd) __asm__("fdatasync");
int disk_fdatasync(int fd)
{
    return is_file(fd) && fails() ? -1 : REAL(FdFunction, "fdatasync")(fd);
}

typedef int (*TruncateFunction)(int fd, off_t length);
int disk_ftruncate(int fd, off_t length) __asm__("ftruncate64");
int disk_ftruncate(int fd, off_t length)
{
    return is_file(fd) && fails() ? -1 : REAL(TruncateFunction, "ftruncate64")(fd, length);
}

typedef int (*RenameFunction)(const char *from, const char *to);
int disk_rename(const char *from, const char *to) __asm__("rename");
int disk_rename(const char *from, const char *to)
{
    return is_on_disk(from) && fails() ? -1 : REAL(RenameFunction, "rename")(from, to);
}

typedef int (*UnlinkFunction)(const char *path);
int disk_unlink(const char *path) __asm__("unlink");
int disk_unlink(const char *path)
{
    return is_on_disk(path) && fails() ? -1 : REAL(UnlinkFunction, "unlink")(path);
}

/* --- what is kept on it ------------------------------------------------------------------------
 */

static gint journalled; /* bits by UID: the journal said that it has the removal */

static void note_journalled(gpointer data, const GError *error)
{
    if (!error)
        g_atomic_int_or(&journalled, 1u << GPOINTER_TO_UINT(data));
}

static GBytes *text_of(uint32_t uid)
{
    char text[LENGTH];

    for (size_t i = 0; i < LENGTH; i++)
        text[i] = (char)byte_of(1, uid, i);
    return g_bytes_new(text, LENGTH);
}

static void assert_content(Content *content, uint32_t folder, uint32_t uid)
{
    char read[LENGTH];
    g_autoptr(GBytes) right = text_of(uid);

    if (content_read(content, folder, uid, 0, LENGTH, read))
        assert_memory_equal(read, g_bytes_get_data(right, NULL), LENGTH);
}

static const MailFolderState complete = {5, MESSAGES + 1, 9, MESSAGES, false};

static uint32_t list(Catalog *catalog)
{
    uint32_t folder = catalog_put_folder(catalog, &(MailFolderInfo){"INBOX", '/', 0});

    folder = catalog_reset_folder(catalog, folder, complete.uidvalidity);
    for (uint32_t uid = 1; uid <= MESSAGES; uid++) {
        const MailMessage message = {uid,      MAIL_HAS_SIZE | MAIL_HAS_DATE | MAIL_HAS_FLAGS,
                                     LENGTH,   1000 + uid,
                                     "\\Seen", NULL};
        catalog_put_messages(catalog, folder, &message, 1);
    }
    catalog_put_state(catalog, folder, &complete);
    return folder;
}

static void use(const char *directory)
{
    g_autoptr(Catalog) catalog = catalog_open(directory);
    g_autoptr(Content) content = content_open(directory, BOUND);
    g_autoptr(Journal) journal = journal_open(directory);
    uint32_t folder = list(catalog);

    catalog_flush(catalog);
    for (uint32_t uid = 1; uid <= MESSAGES; uid++) {
        g_autoptr(GBytes) bytes = text_of(uid);
        content_put(content, folder, uid, 0, bytes);
        journal_add_removal(journal, (JournalRemoval){folder, uid}, note_journalled,
                            GUINT_TO_POINTER(uid));
        assert_content(content, folder, uid);
    }
    content_flush(content);
    content_drop(content, folder, 1);
    content_flush(content);
    for (uint32_t uid = 1; uid <= MESSAGES; uid++)
        assert_content(content, folder, uid);
}

/* --- what is found there -----------------------------------------------------------------------
 */

static void assert_messages(Catalog *catalog, const CatalogFolder *folder)
{
    CatalogMessage messages[MESSAGES + 1];
    size_t n = catalog_messages_after(catalog, folder->id, 0, messages, MESSAGES + 1);

    /* What has a state is believed to be all. */
    if (folder->state.uidnext)
        assert_int_equal(n, MESSAGES);
    for (size_t i = 0; i < n; i++) {
        assert_true(messages[i].uid >= 1 && messages[i].uid <= MESSAGES);
        assert_int_equal(messages[i].date, 1000 + messages[i].uid);
        assert_int_equal(messages[i].size, LENGTH);
    }
}

static bool has_removal(const GArray *removals, uint32_t uid)
{
    for (guint i = 0; i < removals->len; i++)
        if (g_array_index(removals, JournalRemoval, i).uid == uid)
            return true;
    return false;
}

/* Nothing was taken for damaged and moved aside, and everybody else is kept out. */
static void assert_files(const char *directory)
{
    static const char *const known[] = {"lock",           "index.db",           "index.db-wal",
                                        "index.db-shm",   "content.db",         "content.db-wal",
                                        "content.db-shm", "content.db-journal", NULL};
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);

    for (const char *name; (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(directory, name, NULL);
        struct stat st;
        if (!g_strv_contains(known, name))
            fail_msg("%s was left", name);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 077, 0);
    }
}

static void look(const char *directory)
{
    g_autoptr(Catalog) catalog = catalog_open(directory);
    g_autoptr(Content) content = content_open(directory, BOUND);
    g_autoptr(Journal) journal = journal_open(directory);
    g_autoptr(GArray) folders = catalog_folders(catalog);
    g_autoptr(GArray) removals = journal_removals(journal);
    ContentStats stats;

    for (uint32_t uid = 1; uid <= MESSAGES; uid++)
        if ((unsigned)journalled & 1u << uid)
            assert_true(has_removal(removals, uid));
    for (guint i = 0; i < folders->len; i++) {
        const CatalogFolder *folder = &g_array_index(folders, CatalogFolder, i);
        assert_string_equal(folder->name, "INBOX");
        assert_messages(catalog, folder);
        for (uint32_t uid = 1; uid <= MESSAGES; uid++)
            assert_content(content, folder->id, uid);
    }
    /* It works again. */
    uint32_t folder = list(catalog);
    assert_true(catalog_flush(catalog));
    g_autoptr(GBytes) bytes = text_of(2);
    content_put(content, folder, 2, 0, bytes);
    content_flush(content);
    content_stats(content, &stats);
    assert_true(stats.on_disk);
    assert_int_equal(stats.damaged, 0);
    assert_files(directory);
}

/* --- each call in turn --------------------------------------------------------------------------
 */

/* False: there are no more so many calls. */
static bool run_once(const char *directory, int bad)
{
    bool reached;

    remove_tree(directory);
    assert_int_equal(g_mkdir(directory, 0700), 0);
    g_atomic_int_set(&journalled, 0);
    g_atomic_int_set(&calls, 0);
    g_atomic_int_set(&first_bad, bad);
    disk = directory;
    use(directory);
    disk = NULL;
    reached = g_atomic_int_get(&calls) > bad;
    g_atomic_int_set(&first_bad, NEVER);
    look(directory);
    return reached;
}

static void run_all(const char *directory, int code, bool stays)
{
    int bad = 0;

    fault = code;
    stays_bad = stays;
    database_retry_seconds = 0;
    while (run_once(directory, bad))
        bad++;
    assert_true(bad > 30);
    print_message("%d calls failed in turn\n", bad);
}

static void test_one_failure(void **state)
{
    run_all(*state, EIO, false);
}

static void test_full(void **state)
{
    run_all(*state, ENOSPC, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_one_failure),
        TEST_IN_DIRECTORY(test_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
