/*
 * bench_fetch.c: what the IMAP client makes of a link, by itself: connects, lists a folder, then
 * fetches all its messages ahead, in commands of BATCH messages with DEPTH under way. Prints each
 * step's time, its bytes on the wire, and the processor time that this process took.
 *
 * usage: bench_fetch HOST PORT USER PASSWORD FOLDER [BATCH [DEPTH [auto|on|off]]]   (in clear)
 */
#include "../../imapclient/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

typedef struct {
    MailStore *store;
    GMainLoop *loop;
    const char *folder;
    unsigned batch, depth, under_way;
    MailFolderState state;
    GArray *uids;
    guint next;
    uint64_t bytes, messages;
    double began, used;
} Bench;

static double processor(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void begin(Bench *bench)
{
    bench->began = (double)g_get_monotonic_time() / 1e6;
    bench->used = processor();
}

static void report(Bench *bench, const char *step)
{
    printf("%s\t%.3f s\t%.3f s of processor\n", step,
           (double)g_get_monotonic_time() / 1e6 - bench->began, processor() - bench->used);
    begin(bench);
}

static void check(const GError *error)
{
    if (!error)
        return;
    fprintf(stderr, "%s\n", error->message);
    exit(1);
}

static void fetch_more(Bench *bench);

static void fetched(gpointer data, uint32_t uid, const MailRange *asked, GBytes *bytes)
{
    Bench *bench = data;

    (void)uid;
    bench->bytes += g_bytes_get_size(bytes);
    bench->messages += asked->section == MAIL_SECTION_HEADER;
}

static void batch_done(gpointer data, const GError *error)
{
    Bench *bench = data;

    if (error && mail_errno(error) != EFBIG) /* a message that is read piece by piece */
        check(error);
    bench->under_way--;
    fetch_more(bench);
    if (bench->under_way == 0)
        g_main_loop_quit(bench->loop);
}

static void fetch_more(Bench *bench)
{
    static const MailRange ranges[] = {{MAIL_SECTION_HEADER, 0, 0}, {MAIL_SECTION_TEXT, 0, 0}};

    while (bench->under_way < bench->depth && bench->next < bench->uids->len) {
        MailFetch fetch = {.folder = bench->folder,
                           .uidvalidity = bench->state.uidvalidity,
                           .uids = &g_array_index(bench->uids, uint32_t, bench->next),
                           .n_uids = MIN(bench->batch, bench->uids->len - bench->next),
                           .ranges = ranges,
                           .n_ranges = G_N_ELEMENTS(ranges),
                           .ahead = true};
        bench->next += (guint)fetch.n_uids;
        bench->under_way++;
        mail_store_fetch(bench->store, &fetch, fetched, batch_done, bench);
    }
}

static void step_done(gpointer data, const GError *error)
{
    check(error);
    g_main_loop_quit(((Bench *)data)->loop);
}

static void on_folder(gpointer data, const MailFolderInfo *folder)
{
    (void)data;
    (void)folder;
}

static void on_reset(gpointer data, uint32_t uidvalidity)
{
    (void)data;
    (void)uidvalidity;
}

static void on_messages(gpointer data, const MailMessage *messages, size_t n)
{
    Bench *bench = data;

    for (size_t i = 0; i < n; i++)
        g_array_append_val(bench->uids, messages[i].uid);
}

static void on_vanished(gpointer data, const MailUidRange *ranges, size_t n)
{
    (void)data;
    (void)ranges;
    (void)n;
}

static void on_present(gpointer data, const uint32_t *uids, size_t n)
{
    (void)data;
    (void)uids;
    (void)n;
}

static void on_state(gpointer data, const MailFolderState *state)
{
    ((Bench *)data)->state = *state;
}

static void run(Bench *bench)
{
    static const MailSyncSink sink = {on_reset, on_messages, on_vanished, on_present, on_state};
    g_autoptr(GString) text = g_string_new(NULL);

    begin(bench);
    mail_store_connect(bench->store, step_done, bench);
    g_main_loop_run(bench->loop);
    report(bench, "connect");
    mail_store_list(bench->store, on_folder, step_done, bench);
    g_main_loop_run(bench->loop);
    report(bench, "folders");
    mail_store_sync(bench->store, bench->folder, &bench->state, &sink, step_done, bench);
    g_main_loop_run(bench->loop);
    report(bench, "listing");
    fetch_more(bench);
    if (bench->under_way)
        g_main_loop_run(bench->loop);
    report(bench, "content");
    printf("%" G_GUINT64_FORMAT " messages, %" G_GUINT64_FORMAT " bytes\n",
           (guint64)bench->messages, (guint64)bench->bytes);
    mail_store_describe(bench->store, text);
    fputs(text->str, stdout);
}

int main(int argc, char **argv)
{
    ImapConfig config = {.clear = true, .connections = 4, .timeout = 60, .read_only = true};
    Bench bench = {.batch = 32, .depth = 4};
    g_autoptr(Secret) password = NULL;

    if (argc < 6) {
        fprintf(stderr, "usage: %s HOST PORT USER PASSWORD FOLDER [BATCH [DEPTH [auto|on|off]]]\n",
                argv[0]);
        return 2;
    }
    config.host = argv[1];
    config.port = (uint16_t)strtoul(argv[2], NULL, 10);
    config.user = argv[3];
    password = secret_new(argv[4], -1);
    config.password = password;
    bench.folder = argv[5];
    if (argc > 6)
        bench.batch = (unsigned)strtoul(argv[6], NULL, 10);
    if (argc > 7)
        bench.depth = (unsigned)strtoul(argv[7], NULL, 10);
    if (argc > 8)
        config.compress = strcmp(argv[8], "on") == 0    ? IMAP_COMPRESS_ON
                          : strcmp(argv[8], "off") == 0 ? IMAP_COMPRESS_OFF
                                                        : IMAP_COMPRESS_AUTO;
    bench.uids = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    bench.loop = g_main_loop_new(NULL, FALSE);
    bench.store = imap_store_new(&config);
    run(&bench);
    mail_store_free(bench.store);
    g_main_loop_unref(bench.loop);
    g_array_unref(bench.uids);
    return 0;
}
