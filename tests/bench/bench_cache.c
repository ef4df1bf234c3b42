/*
 * bench_cache: what the cache costs the thread that fills it, and how long it keeps it: messages
 * put into the content and written, read back one by one and in a row; a folder of very many
 * messages put into the catalog, written and loaded.
 *
 *   bench_cache [-n messages] [-b bytes each] [-m messages of the catalog] [-d directory]
 */
#include "../../cache/catalog.h"
#include "../../cache/content.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FOLDER 70001

static unsigned n_messages = 10000, n_bytes = 5120, n_rows = 1000000;

static double clock_seconds(clockid_t id)
{
    struct timespec time;
    clock_gettime(id, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* A stretch of work: wall time, this thread's and the process's CPU time, and the longest call. */
typedef struct {
    double wall, thread, process, call, longest;
} Watch;

static void watch_begin(Watch *watch)
{
    *watch = (Watch){clock_seconds(CLOCK_MONOTONIC), clock_seconds(CLOCK_THREAD_CPUTIME_ID),
                     clock_seconds(CLOCK_PROCESS_CPUTIME_ID), 0, 0};
}

static void call_begin(Watch *watch)
{
    watch->call = clock_seconds(CLOCK_MONOTONIC);
}

static void call_end(Watch *watch)
{
    watch->longest = MAX(watch->longest, clock_seconds(CLOCK_MONOTONIC) - watch->call);
}

static void watch_end(const Watch *watch, const char *what, unsigned n)
{
    double wall = clock_seconds(CLOCK_MONOTONIC) - watch->wall;
    double thread = clock_seconds(CLOCK_THREAD_CPUTIME_ID) - watch->thread;
    double process = clock_seconds(CLOCK_PROCESS_CPUTIME_ID) - watch->process;
    printf("%-28s %8.3f s  %7.2f us each  cpu %7.2f us each, %7.2f in this thread", what, wall,
           wall / n * 1e6, process / n * 1e6, thread / n * 1e6);
    if (watch->longest > 0)
        printf("  longest call %.2f ms", watch->longest * 1e3);
    printf("\n");
    fflush(stdout);
}

static unsigned long rss_kb(void)
{
    g_autofree char *text = NULL;
    g_file_get_contents("/proc/self/status", &text, NULL, NULL);
    const char *line = text ? strstr(text, "VmRSS:") : NULL;
    return line ? strtoul(line + 6, NULL, 10) : 0;
}

/* --- content -------------------------------------------------------------------------------- */

static void put_content(Content *content)
{
    Watch watch;
    char *text = g_malloc(n_bytes);
    for (unsigned i = 0; i < n_bytes; i++)
        text[i] = (char)(' ' + i * 7919 % 95);
    g_autoptr(GBytes) bytes = g_bytes_new_take(text, n_bytes);
    watch_begin(&watch);
    for (uint32_t uid = 1; uid <= n_messages; uid++) {
        call_begin(&watch);
        content_put(content, FOLDER, uid, 0, bytes);
        call_end(&watch);
        while (content_pending(content) > 8 * 1024 * 1024)
            g_usleep(1000);
    }
    watch_end(&watch, "put", n_messages);
    while (!content_flush(content))
        ;
    watch.longest = 0;
    watch_end(&watch, "put and written", n_messages);
}

static void read_content(Content *content, const char *what)
{
    Watch watch;
    char *buffer = g_malloc(n_bytes);
    unsigned held = 0;
    watch_begin(&watch);
    for (uint32_t uid = 1; uid <= n_messages; uid++)
        held += content_read(content, FOLDER, uid, 0, n_bytes, buffer);
    g_free(buffer);
    watch_end(&watch, what, n_messages);
    if (held != n_messages)
        printf("  only %u held\n", held);
}

static bool count_whole(gpointer data, uint32_t uid, uint64_t offset, const void *bytes,
                        size_t length)
{
    unsigned *whole = data;
    (void)uid, (void)bytes;
    *whole += offset == 0 && length == n_bytes;
    return true;
}

static void read_in_a_row(Content *content)
{
    enum { AT_ONCE = 64 };
    Watch watch;
    uint32_t uids[AT_ONCE];
    unsigned held = 0;
    watch_begin(&watch);
    for (uint32_t first = 1; first <= n_messages; first += AT_ONCE) {
        for (uint32_t i = 0; i < AT_ONCE; i++)
            uids[i] = first + i;
        content_next(content, FOLDER, uids, MIN(AT_ONCE, n_messages - first + 1), count_whole,
                     &held);
    }
    watch_end(&watch, "read in a row", n_messages);
    if (held != n_messages)
        printf("  only %u held\n", held);
}

static void bench_content(const char *directory)
{
    Content *content = content_open(directory, UINT64_C(4) << 30);
    content_start_writer(content);
    put_content(content);
    content_close(content);
    content = content_open(directory, UINT64_C(4) << 30);
    read_content(content, "read one by one");
    read_content(content, "the same again");
    read_in_a_row(content);
    content_close(content);
}

/* --- catalog -------------------------------------------------------------------------------- */

static void put_catalog(Catalog *catalog, uint32_t folder)
{
    static const char *const flags[] = {"", "\\Seen", "\\Seen \\Answered", "\\Seen $Forwarded"};
    enum { AT_ONCE = 256 };
    MailMessage messages[AT_ONCE];
    Watch watch;
    watch_begin(&watch);
    for (uint32_t uid = 1; uid <= n_rows;) {
        size_t n = 0;
        for (; n < AT_ONCE && uid <= n_rows; uid++)
            messages[n++] = (MailMessage){uid, MAIL_HAS_SIZE | MAIL_HAS_DATE | MAIL_HAS_FLAGS,
                                          1000 + uid % 50000, 1000000000 + uid * INT64_C(700),
                                          flags[uid % 4]};
        call_begin(&watch);
        catalog_put_messages(catalog, folder, messages, n);
        call_end(&watch);
    }
    catalog_put_state(catalog, folder, &(MailFolderState){1, n_rows + 1, 5, n_rows, false});
    watch_end(&watch, "catalog put", n_rows);
}

static void flush_catalog(Catalog *catalog)
{
    Watch watch;
    bool done;
    watch_begin(&watch);
    do {
        call_begin(&watch);
        done = catalog_flush(catalog);
        call_end(&watch);
    } while (!done);
    watch_end(&watch, "catalog written", n_rows);
}

static void touch_catalog(Catalog *catalog, uint32_t folder)
{
    Watch watch;
    MailMessage message = {77, MAIL_HAS_FLAGS, 0, 0, "\\Flagged"};
    watch_begin(&watch);
    catalog_put_messages(catalog, folder, &message, 1);
    catalog_put_state(catalog, folder, &(MailFolderState){1, n_rows + 1, 6, n_rows, false});
    call_begin(&watch);
    catalog_flush(catalog);
    call_end(&watch);
    watch_end(&watch, "one change written", 1);
}

static void bench_catalog(const char *directory)
{
    MailFolderInfo info = {"INBOX", '/', 0};
    Watch watch;
    unsigned long before = rss_kb();
    Catalog *catalog = catalog_open(directory);
    uint32_t folder = catalog_put_folder(catalog, &info);
    folder = catalog_reset_folder(catalog, folder, 1);
    put_catalog(catalog, folder);
    printf("  memory %.1f MB\n", (double)(rss_kb() - before) / 1024);
    flush_catalog(catalog);
    printf("  memory %.1f MB\n", (double)(rss_kb() - before) / 1024);
    touch_catalog(catalog, folder);
    catalog_close(catalog);
    watch_begin(&watch);
    catalog = catalog_open(directory);
    watch_end(&watch, "catalog loaded", n_rows);
    catalog_close(catalog);
}

int main(int argc, char **argv)
{
    const char *directory = ".";
    for (int option; (option = getopt(argc, argv, "n:b:m:d:")) != -1;) {
        unsigned long number = strtoul(optarg, NULL, 10);
        if (option == 'd')
            directory = optarg;
        else if (option == 'n' && number > 0)
            n_messages = (unsigned)number;
        else if (option == 'b' && number > 0 && number <= CONTENT_BLOCK)
            n_bytes = (unsigned)number;
        else if (option == 'm' && number > 0)
            n_rows = (unsigned)number;
        else
            return 2;
    }
    g_autofree char *own = g_build_filename(directory, "bench_cache.XXXXXX", NULL);
    if (!g_mkdtemp(own)) {
        perror(own);
        return 1;
    }
    bench_content(own);
    bench_catalog(own);
    for (const char *const *name = (const char *const[]){"content.db", "index.db", "lock", NULL};
         *name; name++) {
        g_autofree char *path = g_build_filename(own, *name, NULL);
        g_unlink(path);
    }
    return g_rmdir(own) != 0;
}
