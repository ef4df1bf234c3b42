/*
 * bench_content: how fast a cached folder is read back from the disk, as `grep -r` does: files
 * against SQLite blobs, by page size, key layout, mmap and synchronous; and the store itself.
 *
 *   bench_content [-n messages] [-d directory]
 *
 * Makes its own data (fixed seed; sizes log-normal: median 6 KB, mean about 20 KB, at most 2 MB)
 * below a directory of its own, which should be on a real disk. The page cache is dropped before
 * "cold" where that is permitted, and the table says so where not. Every way reads each message
 * whole, in the order of UIDs, and checks its crc32.
 */
#include "../../cache/content.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define FOLDER 70001
#define LARGEST (2 * 1024 * 1024)
#define BATCH (4 * 1024 * 1024) /* bytes a transaction, as the mount does it */

typedef enum { LAYOUT_MESSAGE, LAYOUT_INTEGER, LAYOUT_WITHOUT_ROWID, LAYOUT_INDEX } Layout;

/* A way to keep the messages in SQLite. */
typedef struct {
    Layout layout;
    int page_size;
    int vacuum; /* auto_vacuum */
    int mmap_mb;
    const char *synchronous;
} Way;

static const char *const layout_names[] = {"message+rowid", "rowid of all", "without rowid",
                                           "rowid+index"};
/* ?1 folder, ?2 uid, ?3 block, ?4 crc, ?5 bytes */
static const char *const layout_schema[] = {
    "CREATE TABLE message(id INTEGER PRIMARY KEY, folder, uid, used, UNIQUE(folder, uid));"
    "CREATE TABLE block(id INTEGER PRIMARY KEY, crc, bytes)",
    "CREATE TABLE block(id INTEGER PRIMARY KEY, crc, bytes)",
    "CREATE TABLE block(folder, uid, block, crc, bytes, PRIMARY KEY(folder, uid, block))"
    " WITHOUT ROWID",
    "CREATE TABLE block(id INTEGER PRIMARY KEY, folder, uid, block, crc, bytes,"
    " UNIQUE(folder, uid, block))",
};
static const char *const layout_insert[] = {
    "INSERT INTO block SELECT (id << 20) + ?3, ?4, ?5 FROM message WHERE folder = ?1 AND uid = ?2",
    "INSERT INTO block VALUES (((?1 - 70000) << 48) + (?2 << 16) + ?3, ?4, ?5)",
    "INSERT INTO block VALUES (?1, ?2, ?3, ?4, ?5)",
    "INSERT INTO block VALUES (NULL, ?1, ?2, ?3, ?4, ?5)",
};
static const char *const layout_select[] = {
    [LAYOUT_MESSAGE] =
        ("SELECT b.crc, b.bytes FROM message m CROSS JOIN block b ON b.id = (m.id << 20) + ?3"
         " WHERE m.folder = ?1 AND m.uid = ?2"),
    [LAYOUT_INTEGER] =
        "SELECT crc, bytes FROM block WHERE id = ((?1 - 70000) << 48) + (?2 << 16) + ?3",
    [LAYOUT_WITHOUT_ROWID] =
        "SELECT crc, bytes FROM block WHERE folder = ?1 AND uid = ?2 AND block = ?3",
    [LAYOUT_INDEX] = "SELECT crc, bytes FROM block WHERE folder = ?1 AND uid = ?2 AND block = ?3",
};

static char *directory;
static unsigned n_messages = 10000;
static uint32_t *sizes;
static uint64_t total;
static unsigned char *text; /* every message is a stretch of it */

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "bench_content: %s: %s\n", what, g_strerror(errno));
    exit(1);
}

static double seconds(void)
{
    return (double)g_get_monotonic_time() / 1e6;
}

static uint64_t random_state = 20261122;

static double uniform(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return ((double)(random_state >> 33) + 0.5) / 2147483648.0;
}

static void make_data(void)
{
    text = g_malloc(2 * LARGEST);
    for (size_t i = 0; i < 2 * LARGEST; i++)
        text[i] = (unsigned char)(32 + (int)(uniform() * 95));
    sizes = g_new(uint32_t, n_messages);
    for (unsigned i = 0; i < n_messages; i++) {
        double normal = sqrt(-2 * log(uniform())) * cos(2 * G_PI * uniform());
        double size = 6144 * exp(1.55 * normal);
        sizes[i] = (uint32_t)CLAMP(size, 400, LARGEST);
        total += sizes[i];
    }
}

static const unsigned char *message(unsigned i)
{
    return text + (size_t)i * 1009 % LARGEST;
}

/* False where it is not permitted. */
static bool drop_caches(void)
{
    sync();
    int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, "3", 1) == 1;
    if (fd >= 0)
        close(fd);
    return done;
}

static uint64_t disk_use(const char *path)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return 0;
    uint64_t bytes = (uint64_t)st.st_blocks * 512;
    if (!S_ISDIR(st.st_mode))
        return bytes;
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *below = g_build_filename(path, name, NULL);
        bytes += disk_use(below);
    }
    return bytes;
}

static void empty_directory(void)
{
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(directory, name, NULL);
        g_unlink(path);
    }
}

/* Reads twice, once with cold caches, and prints the line of the table. */
static void measure(const char *name, double filled, void (*read_all)(gpointer), gpointer data)
{
    uint64_t use = disk_use(directory);
    bool dropped = drop_caches();
    double begun = seconds();
    read_all(data);
    double cold = seconds();
    read_all(data);
    double warm = seconds();
    printf("%-44s %7.2f %8.1f %s%7.2f %7.2f\n", name, filled, (double)use / 1e6,
           dropped ? " " : "?", cold - begun, warm - cold);
    fflush(stdout);
}

/* --- a file each ---------------------------------------------------------------------------- */

static void files_write(void)
{
    for (unsigned i = 0; i < n_messages; i++) {
        char path[512], tmp[520];
        snprintf(path, sizeof path, "%s/%u", directory, i + 1);
        snprintf(tmp, sizeof tmp, "%s.tmp", path);
        int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        uint32_t crc = (uint32_t)crc32_z(0, message(i), sizes[i]);
        if (fd < 0 || write(fd, &crc, sizeof crc) != sizeof crc ||
            write(fd, message(i), sizes[i]) != (ssize_t)sizes[i] || close(fd) < 0 ||
            rename(tmp, path) < 0)
            fail(path);
    }
}

static void files_read(gpointer buffer)
{
    for (unsigned i = 0; i < n_messages; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%u", directory, i + 1);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        uint32_t crc;
        if (fd < 0 || read(fd, &crc, sizeof crc) != sizeof crc ||
            read(fd, buffer, LARGEST) != (ssize_t)sizes[i] || crc32_z(0, buffer, sizes[i]) != crc)
            fail(path);
        close(fd);
    }
}

/* --- SQLite --------------------------------------------------------------------------------- */

static void run(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        fprintf(stderr, "bench_content: %s: %s\n", sql, sqlite3_errmsg(db));
        exit(1);
    }
}

static sqlite3 *sqlite_open(const Way *way)
{
    g_autofree char *path = g_build_filename(directory, "blocks.db", NULL);
    g_autofree char *pragmas = g_strdup_printf(
        "PRAGMA page_size = %d; PRAGMA auto_vacuum = %d; PRAGMA journal_mode = WAL;"
        "PRAGMA synchronous = %s; PRAGMA wal_autocheckpoint = 0; PRAGMA secure_delete = OFF;"
        "PRAGMA cache_size = -512; PRAGMA mmap_size = %lld",
        way->page_size, way->vacuum, way->synchronous, way->mmap_mb * 1048576LL);
    sqlite3 *db;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK)
        fail(path);
    run(db, pragmas);
    return db;
}

static void bind_key(sqlite3_stmt *statement, unsigned i, uint32_t block)
{
    sqlite3_reset(statement);
    sqlite3_bind_int64(statement, 1, FOLDER);
    sqlite3_bind_int64(statement, 2, i + 1);
    sqlite3_bind_int64(statement, 3, block);
}

static void sqlite_write_message(sqlite3_stmt *insert, unsigned i)
{
    for (uint32_t at = 0; at < sizes[i]; at += CONTENT_BLOCK) {
        uint32_t length = MIN(sizes[i] - at, CONTENT_BLOCK);
        bind_key(insert, i, at / CONTENT_BLOCK);
        sqlite3_bind_int64(insert, 4, (int64_t)crc32_z(0, message(i) + at, length));
        sqlite3_bind_blob(insert, 5, message(i) + at, (int)length, SQLITE_STATIC);
        if (sqlite3_step(insert) != SQLITE_DONE)
            fail("insert");
    }
}

static void sqlite_write(const Way *way)
{
    sqlite3 *db = sqlite_open(way);
    run(db, layout_schema[way->layout]);
    sqlite3_stmt *insert, *name = NULL;
    sqlite3_prepare_v2(db, layout_insert[way->layout], -1, &insert, NULL);
    if (way->layout == LAYOUT_MESSAGE)
        sqlite3_prepare_v2(db, "INSERT INTO message VALUES (NULL, ?1, ?2, 0)", -1, &name, NULL);
    for (unsigned i = 0; i < n_messages;) {
        run(db, "BEGIN IMMEDIATE");
        for (size_t batch = 0; batch < BATCH && i < n_messages; batch += sizes[i++]) {
            if (name) {
                sqlite3_reset(name);
                sqlite3_bind_int64(name, 1, FOLDER);
                sqlite3_bind_int64(name, 2, i + 1);
                if (sqlite3_step(name) != SQLITE_DONE)
                    fail("message");
            }
            sqlite_write_message(insert, i);
        }
        run(db, "COMMIT; PRAGMA wal_checkpoint(PASSIVE)");
    }
    sqlite3_finalize(name);
    sqlite3_finalize(insert);
    sqlite3_close(db);
}

static void sqlite_read(gpointer data)
{
    const Way *way = data;
    sqlite3 *db = sqlite_open(way);
    sqlite3_stmt *select;
    if (sqlite3_prepare_v2(db, layout_select[way->layout], -1, &select, NULL) != SQLITE_OK)
        fail(sqlite3_errmsg(db));
    static unsigned char buffer[CONTENT_BLOCK];
    for (unsigned i = 0; i < n_messages; i++)
        for (uint32_t at = 0; at < sizes[i]; at += CONTENT_BLOCK) {
            size_t length = MIN(sizes[i] - at, CONTENT_BLOCK);
            bind_key(select, i, at / CONTENT_BLOCK);
            if (sqlite3_step(select) != SQLITE_ROW ||
                sqlite3_column_bytes(select, 1) != (int)length)
                fail("select");
            memcpy(buffer, sqlite3_column_blob(select, 1), length);
            if ((int64_t)crc32_z(0, buffer, length) != sqlite3_column_int64(select, 0))
                fail("crc");
        }
    sqlite3_finalize(select);
    sqlite3_close(db);
}

static void bench_sqlite(Way way)
{
    g_autofree char *name = g_strdup_printf(
        "sqlite %-13s %5d%s%s%s", layout_names[way.layout], way.page_size,
        way.vacuum ? " vacuum" : "", way.mmap_mb ? " mmap" : "",
        strcmp(way.synchronous, "OFF") == 0 ? "" : " sync=NORMAL");
    double begun = seconds();
    sqlite_write(&way);
    measure(name, seconds() - begun, sqlite_read, &way);
    empty_directory();
}

/* --- the store itself ----------------------------------------------------------------------- */

static void store_write(void)
{
    g_autoptr(Content) content = content_open(directory, 2 * total + LARGEST);
    for (unsigned i = 0; i < n_messages; i++) {
        for (uint32_t at = 0; at < sizes[i]; at += CONTENT_BLOCK) {
            g_autoptr(GBytes)
                bytes = g_bytes_new_static(message(i) + at, MIN(sizes[i] - at, CONTENT_BLOCK));
            content_put(content, FOLDER, i + 1, at / CONTENT_BLOCK, bytes);
        }
        if (content_pending(content) > BATCH)
            content_flush(content);
    }
}

static void store_read(gpointer buffer)
{
    g_autoptr(Content) content = content_open(directory, 2 * total + LARGEST);
    for (unsigned i = 0; i < n_messages; i++)
        for (uint32_t at = 0; at < sizes[i]; at += 2 * CONTENT_BLOCK) {
            size_t length = MIN(sizes[i] - at, 2 * CONTENT_BLOCK);
            if (!content_read(content, FOLDER, i + 1, at, length, buffer) ||
                memcmp(buffer, message(i) + at, length) != 0)
                fail("content_read");
        }
}

static void bench_files(gpointer buffer)
{
    double begun = seconds();
    files_write();
    measure("a file each", seconds() - begun, files_read, buffer);
    empty_directory();
}

static void bench_store(gpointer buffer)
{
    double begun = seconds();
    store_write();
    measure("the store (content.c)", seconds() - begun, store_read, buffer);
    empty_directory();
}

int main(int argc, char **argv)
{
    const char *base = "/var/tmp";
    for (int option; (option = getopt(argc, argv, "n:d:")) != -1;) {
        if (option == 'n')
            n_messages = (unsigned)CLAMP(strtol(optarg, NULL, 10), 1, 10000000);
        else if (option == 'd')
            base = optarg;
        else
            return 2;
    }
    directory = g_build_filename(base, "bench_content.XXXXXX", NULL);
    if (!g_mkdtemp(directory))
        fail(directory);
    make_data();
    g_autofree unsigned char *buffer = g_malloc(LARGEST);
    printf("%u messages, %.1f MB, mean %.1f KB; seconds (?: caches not dropped, not permitted)\n",
           n_messages, (double)total / 1e6, (double)total / n_messages / 1e3);
    printf("%-44s %7s %8s  %7s %7s\n", "", "fill", "MB disk", "cold", "warm");
    bench_files(buffer);
    for (int page = 4096; page <= 32768; page *= 2)
        bench_sqlite((Way){LAYOUT_MESSAGE, page, 0, 0, "OFF"});
    for (int layout = LAYOUT_INTEGER; layout <= LAYOUT_INDEX; layout++)
        bench_sqlite((Way){(Layout)layout, 16384, 0, 0, "OFF"});
    bench_sqlite((Way){LAYOUT_MESSAGE, 16384, 2, 0, "OFF"});
    bench_sqlite((Way){LAYOUT_MESSAGE, 16384, 0, 1024, "OFF"});
    bench_sqlite((Way){LAYOUT_MESSAGE, 16384, 0, 0, "NORMAL"});
    bench_store(buffer);
    g_rmdir(directory);
    g_free(directory);
    g_free(sizes);
    g_free(text);
    return 0;
}
