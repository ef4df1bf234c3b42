#include "fetch.h"

#include "flight.h"
#include "flush.h"
#include "inode.h"
#include "prefetch.h"
#include "refresh.h"
#include "whole.h"

#include <errno.h>
#include <string.h>

enum {
    ROUNDS = 16,      /* fetches for the sake of one request */
    WHOLE_ROUNDS = 3, /* of which each brings the whole message */
};

#define SIZE_AT_MOST (UINT64_C(1) << 32) /* bytes of a message whose size has to be found out */

struct Fetcher {
    Mount *mount;
    Flights *flights;
    GQueue batches; /* Batch */
};

/* Messages that are fetched by one command; those whose flights have this batch are still to come.
 */
struct Batch {
    Fetcher *fetcher;
    uint32_t folder;
    uint32_t *uids;
    size_t n;
    GList link; /* in fetcher->batches */
};

static void start(Flight *flight);

/* --- life ------------------------------------------------------------------------------------ */

Fetcher *fetcher_new(Mount *mount)
{
    Fetcher *fetcher = g_new0(Fetcher, 1);

    fetcher->mount = mount;
    fetcher->flights = flights_new(mount);
    g_queue_init(&fetcher->batches);
    return fetcher;
}

static void batch_free(Batch *batch)
{
    g_queue_unlink(&batch->fetcher->batches, &batch->link);
    g_free(batch->uids);
    g_free(batch);
}

void fetcher_free(Fetcher *fetcher)
{
    Batch *batch;

    if (!fetcher)
        return;
    while ((batch = g_queue_peek_head(&fetcher->batches)))
        batch_free(batch);
    flights_free(fetcher->flights);
    g_free(fetcher);
}

void fetch_describe(Fetcher *fetcher, GString *text)
{
    guint messages, requests;

    flights_count(fetcher->flights, &messages, &requests);
    g_string_append_printf(text, "fetching-messages: %u\nfetch-waiting: %u\n", messages, requests);
}

/* The fetch has ended, for good or bad: those who wait look again, and may wait again. */
static void conclude(Flight *flight, const GError *error)
{
    flight->asking = ASK_PLANNED;
    flight->cut = false;
    g_clear_pointer(&flight->joined, g_bytes_unref);
    flight->resuming = true;
    request_resume_all(&flight->waiting, error);
    flight->resuming = false;
    start(flight);
}

static void conclude_text(Flight *flight, int code, const char *text)
{
    g_autoptr(GError) error = g_error_new(MAIL_ERROR, code, "message %u: %s", flight->uid, text);

    g_info("%s", error->message);
    conclude(flight, error);
}

/* --- asking ---------------------------------------------------------------------------------- */

static void fetched(gpointer data, const GError *error);

static void take_part(gpointer data, uint32_t uid, const MailRange *asked, GBytes *bytes)
{
    (void)uid;
    flight_add(data, asked, bytes);
}

static void take_piece(gpointer data, uint32_t uid, const MailRange *asked, GBytes *bytes)
{
    (void)uid;
    whole_take(data, asked, bytes);
}

/* ahead: nobody waits. */
static void ask(Flight *flight, const MailRange *ranges, size_t n, bool ahead)
{
    bool whole = flight->asking == ASK_WHOLE;
    Mount *mount = flight->mount;
    g_auto(CatalogFolder) folder = {0};

    if (!catalog_folder(mount->catalog, flight->folder, &folder)) {
        conclude_text(flight, ENOENT, "its folder is gone");
        return;
    }
    MailFetch fetch = {
        .folder = folder.name,
        .uidvalidity = folder.state.uidvalidity,
        .uids = &flight->uid,
        .n_uids = 1,
        .ranges = ranges,
        .n_ranges = n,
        .limit = whole ? 0 : FETCH_AT_MOST,
        .ahead = ahead,
    };
    g_array_set_size(flight->parts, 0);
    flight_set_name(flight, folder.name);
    flight->op = mail_store_fetch(mount->store, &fetch, whole ? take_piece : take_part, fetched,
                                  flight);
}

static void ask_sizing(Flight *flight)
{
    flight->text_probe.length = 0;
    if (flight->asking != ASK_SIZING)
        flight_begin_sizing(flight);
    if (flight->sized > SIZE_AT_MOST) {
        conclude_text(flight, EFBIG, "the server sends bytes without an end");
        return;
    }
    MailRange range = {MAIL_SECTION_BODY, flight->sized - flight->sized_cr, FETCH_AT_MOST};
    ask(flight, &range, 1, false);
}

static void ask_decide(Flight *flight)
{
    MailRange range = {MAIL_SECTION_BODY, 0, 0};

    flight->asking = ASK_DECIDE;
    flight->text_probe.length = 0;
    ask(flight, &range, 1, false);
}

/* The head of the queue, and it alone, is resumed. */
static void resume_first(Flight *flight, const GError *error)
{
    flight->resuming = true;
    request_resume(flight->waiting.head->data, error);
    flight->resuming = false;
}

static void refuse_first(Flight *flight, int code, const char *text)
{
    g_autoptr(GError) error = g_error_new(MAIL_ERROR, code, "message %u: %s", flight->uid, text);

    g_warning("%s", error->message);
    resume_first(flight, error);
}

/* The same of a store that gives whole messages alone. */
static bool start_whole(Flight *flight, const CatalogMessage *message)
{
    Request *request = flight->waiting.head->data;

    if (!whole_is_wanted(flight->mount->content, flight->folder, message, (uint64_t)request->offset,
                         request->size)) {
        resume_first(flight, NULL);
        return false;
    }
    if (++request->rounds > WHOLE_ROUNDS) {
        refuse_first(flight, ENOSPC,
                     "it does not stay in the cache long enough to be read; more of cachesize=, or "
                     "a disk that has room, would help");
        return false;
    }
    flight->asking = ASK_WHOLE;
    flight->text_probe.length = 0;
    whole_begin(flight);
    ask(flight, whole_ranges, G_N_ELEMENTS(whole_ranges), false);
    return true;
}

/* How much of the message is to be fetched for the request: in a scan nobody stops within it. */
static size_t wanted_by(const Flight *flight, const Request *request, const CatalogMessage *message)
{
    uint64_t offset = (uint64_t)request->offset;

    if (!request->size || offset >= message->size || message->size > FETCH_WHOLE_MOST ||
        !prefetch_reads_wholes(flight->mount->prefetcher, flight->folder))
        return request->size;
    return MAX(request->size, (size_t)(message->size - offset));
}

/* Asks for what the head of the queue needs; false: it needed nothing, and was resumed. */
static bool start_first(Flight *flight, const CatalogMessage *message)
{
    Request *request = flight->waiting.head->data;
    MailRange ranges[FETCH_RANGES];
    size_t n = 0;

    if (flight->mount->features & MAIL_STORE_WHOLE)
        return start_whole(flight, message);
    if (++request->rounds > ROUNDS) {
        refuse_first(flight, EPROTO, "the server's answers never add up");
        return false;
    }
    switch (fetch_plan(flight->mount->content, flight->folder, message, (uint64_t)request->offset,
                       wanted_by(flight, request, message), &flight->ahead, ranges, &n)) {
    case PLAN_RANGES:
        flight->asking = ASK_PLANNED;
        ask(flight, ranges, flight_add_text_probe(flight, message, ranges, n), false);
        return true;
    case PLAN_SIZING:
        ask_sizing(flight);
        return true;
    case PLAN_NOTHING:
    default:
        resume_first(flight, NULL);
        return false;
    }
}

/* The next fetch for those who wait; without any, the message is idle. */
static void start(Flight *flight)
{
    CatalogMessage message;

    while (flight->waiting.head) {
        if (!catalog_message(flight->mount->catalog, flight->folder, flight->uid, &message)) {
            conclude_text(flight, ENOENT, "it is gone");
            return;
        }
        fetch_learn(flight->mount, flight->ino, &message);
        if (start_first(flight, &message))
            return;
    }
    flight_land(flight);
}

/* --- what came ------------------------------------------------------------------------------- */

static void tell_prefetcher(Flight *flight, const GError *error)
{
    uint64_t bytes = flight->asking == ASK_WHOLE ? flight->whole.length : 0;

    for (guint i = 0; i < flight->parts->len; i++)
        bytes += g_bytes_get_size(g_array_index(flight->parts, Part, i).bytes);
    prefetch_ended(flight->mount->prefetcher, flight->ino, bytes, error);
}

/* The folder was renamed since it was asked: it is not gone. */
static bool is_renamed(const Flight *flight)
{
    g_auto(CatalogFolder) folder = {0};

    return catalog_folder(flight->mount->catalog, flight->folder, &folder) &&
           strcmp(folder.name, flight->name) != 0;
}

static void fail(Flight *flight, const GError *error)
{
    Mount *mount = flight->mount;

    if (mail_errno(error) == ENOENT && is_renamed(flight))
        error = NULL;
    else if (mail_errno(error) == ESTALE || mail_errno(error) == ENOENT)
        refresh_stale(mount->refresher, flight->folder);
    if (flight->asking == ASK_SIZING)
        content_drop(mount->content, flight->folder, flight->uid);
    else if (flight->asking == ASK_WHOLE)
        whole_drop(flight);
    conclude(flight, error);
}

/* What the fetch under way was for is all there. */
static void arrived(Flight *flight)
{
    Mount *mount = flight->mount;

    switch (flight_take(flight)) {
    case ASK_DECIDE:
        ask_decide(flight);
        break;
    case ASK_SIZING:
        ask_sizing(flight);
        break;
    case ASK_WHOLE:
        conclude_text(flight, EPROTO, "the server's answer has no end");
        break;
    case ASK_PLANNED:
    default:
        flush_soon(mount->flusher);
        conclude(flight, NULL);
        break;
    }
}

static void gone(Flight *flight)
{
    refresh_stale(flight->mount->refresher, flight->folder);
    conclude_text(flight, ENOENT, "it is gone from the server");
}

static bool has_come(const Flight *flight)
{
    return flight->asking == ASK_WHOLE ? whole_has_come(flight) : flight->parts->len > 0;
}

/* The store asks again by itself where nothing had come of the answer. */
static bool is_cut_off(const Flight *flight, const GError *error)
{
    return mail_errno(error) == ENOTCONN && flight->asking == ASK_PLANNED && has_come(flight) &&
           flight->waiting.head && !flight->cut;
}

static void fetched(gpointer data, const GError *error)
{
    Flight *flight = data;

    flight->op = NULL;
    tell_prefetcher(flight, error);
    if (error && mail_errno(error) == EFBIG && flight->asking != ASK_SIZING &&
        flight->asking != ASK_WHOLE) {
        ask_sizing(flight);
    } else if (error && is_cut_off(flight, error)) {
        flight->cut = true;
        start(flight);
    } else if (error) {
        g_info("%s", error->message);
        fail(flight, error);
    } else if (!has_come(flight)) {
        gone(flight);
    } else {
        arrived(flight);
    }
}

/* --- who waits ------------------------------------------------------------------------------- */

static bool is_under_way(const Flight *flight)
{
    return flight->op || flight->batch;
}

static void wait_for(Fetcher *fetcher, Request *request)
{
    Flight *flight = flight_of(fetcher->flights, request->ino);

    request_wait(request, &flight->waiting);
    if (!is_under_way(flight) && !flight->resuming)
        start(flight);
}

void fetch_prove(Fetcher *fetcher, Request *request)
{
    request->offset = 0;
    request->size = 0;
    wait_for(fetcher, request);
}

void fetch_range(Fetcher *fetcher, Request *request)
{
    wait_for(fetcher, request);
}

/* --- ahead of those who will ------------------------------------------------------------------ */

bool fetch_is_under_way(Fetcher *fetcher, uint64_t ino)
{
    const Flight *flight = flight_find(fetcher->flights, ino);

    return flight && !flight->idle;
}

/* The flight of a message that the batch still has to bring; NULL: it has not. */
static Flight *member(const Batch *batch, uint32_t uid)
{
    Flight *flight = flight_find(batch->fetcher->flights,
                                 inode_number(INODE_MESSAGE, batch->folder, uid));

    return flight && flight->batch == batch ? flight : NULL;
}

/* A message is complete with both of its parts: its readers need not wait for the others. */
static void take_batch_part(gpointer data, uint32_t uid, const MailRange *asked, GBytes *bytes)
{
    Flight *flight = member(data, uid);

    if (!flight)
        return;
    flight_add(flight, asked, bytes);
    if (!flight_part(flight, MAIL_SECTION_HEADER) || !flight_part(flight, MAIL_SECTION_TEXT))
        return;
    flight->batch = NULL;
    tell_prefetcher(flight, NULL);
    arrived(flight);
}

/*
 * Of a message the batch did not bring all. What stood in the way may be another of them, or a
 * connection that broke: who waits asks for it by itself.
 */
static void end_member(Flight *flight, const GError *error)
{
    flight->batch = NULL;
    tell_prefetcher(flight, error);
    if (error && mail_errno(error) != EFBIG && mail_errno(error) != ENOTCONN)
        fail(flight, error);
    else if (!error && !flight->parts->len)
        gone(flight);
    else
        start(flight);
}

static void batch_fetched(gpointer data, const GError *error)
{
    Batch *batch = data;

    if (error)
        g_info("%s", error->message);
    for (size_t i = 0; i < batch->n; i++) {
        Flight *flight = member(batch, batch->uids[i]);
        if (flight)
            end_member(flight, error);
    }
    batch_free(batch);
}

static Batch *batch_new(Fetcher *fetcher, const CatalogFolder *folder, const uint32_t *uids,
                        size_t n)
{
    Batch *batch = g_new0(Batch, 1);

    batch->fetcher = fetcher;
    batch->folder = folder->id;
    batch->uids = g_memdup2(uids, n * sizeof *uids);
    batch->n = n;
    batch->link.data = batch;
    g_queue_push_tail_link(&fetcher->batches, &batch->link);
    for (size_t i = 0; i < n; i++) {
        Flight *flight = flight_of(fetcher->flights,
                                   inode_number(INODE_MESSAGE, folder->id, uids[i]));
        flight_set_name(flight, folder->name);
        flight->batch = batch;
        flight->asking = ASK_PLANNED;
        flight->text_probe.length = 0;
        g_array_set_size(flight->parts, 0);
    }
    return batch;
}

void fetch_ahead(Fetcher *fetcher, uint32_t id, const uint32_t *uids, size_t n)
{
    static const MailRange ranges[] = {{MAIL_SECTION_HEADER, 0, 0}, {MAIL_SECTION_TEXT, 0, 0}};
    Mount *mount = fetcher->mount;
    g_auto(CatalogFolder) folder = {0};

    if (!catalog_folder(mount->catalog, id, &folder))
        return;
    MailFetch fetch = {
        .folder = folder.name,
        .uidvalidity = folder.state.uidvalidity,
        .uids = uids,
        .n_uids = n,
        .ranges = ranges,
        .n_ranges = G_N_ELEMENTS(ranges),
        .limit = FETCH_WHOLE_MOST,
        .ahead = true,
    };
    mail_store_fetch(mount->store, &fetch, take_batch_part, batch_fetched,
                     batch_new(fetcher, &folder, uids, n));
}

void fetch_front_ahead(Fetcher *fetcher, uint32_t folder, uint32_t uid, size_t size)
{
    uint64_t ino = inode_number(INODE_MESSAGE, folder, uid);
    MailRange ranges[FETCH_RANGES];
    CatalogMessage message;
    Flight *flight;
    size_t n = 0;

    if (!catalog_message(fetcher->mount->catalog, folder, uid, &message))
        return;
    flight = flight_of(fetcher->flights, ino);
    if (fetch_plan_front(&message, size, ranges, &n) == PLAN_RANGES) {
        flight->asking = ASK_PLANNED;
        flight->text_probe.length = 0;
        ask(flight, ranges, n, true);
    } else {
        flight_land(flight);
    }
}
