#include "fetch.h"

#include "fetch_plan.h"
#include "flush.h"
#include "inode.h"
#include "refresh.h"

#include <errno.h>
#include <string.h>

enum {
    IDLE_FLIGHTS = 64, /* messages of which is remembered how they are being read */
    ROUNDS = 16,       /* fetches for the sake of one request */
};

#define SIZE_AT_MOST (UINT64_C(1) << 32) /* bytes of a message whose size has to be found out */

typedef enum {
    ASK_PLANNED, /* what fetch_plan.h says */
    ASK_DECIDE,  /* BODY[] of a small message whose parts do not add up */
    ASK_SIZING,  /* BODY[], stretch by stretch, up to its end */
} Asking;

typedef struct {
    MailRange asked;
    GBytes *bytes;
} Part;

/*
 * A message that is being fetched (`op` is set), or was lately. While idle it is in `idle`, and
 * nobody waits for it.
 */
typedef struct {
    Fetcher *fetcher;
    uint64_t ino;
    uint32_t folder, uid;
    GQueue waiting; /* Request */
    MailOp *op;
    Asking asking;
    uint64_t sized;       /* how far sizing has come */
    bool sized_cr;        /* and that the byte ahead of there is a CR (see ReadAhead) */
    GBytes *joined;       /* HEADER and TEXT, while BODY[] is asked to decide */
    GArray *parts;        /* Part: what the fetch under way has brought */
    MailRange text_probe; /* what was asked for besides a stretch of TEXT; length 0: nothing */
    bool adds_up;         /* HEADER and TEXT together are as long as the message: that was seen */
    ReadAhead ahead;
    GList idle_link;
    bool idle;
    bool resuming; /* those who wait are being resumed: what they need more comes afterwards */
} Flight;

struct Fetcher {
    Mount *mount;
    GHashTable *flights; /* ino -> Flight */
    GQueue idle;         /* Flight, the longest idle first */
};

static void start(Flight *flight);

/* --- life --------------------------------------------------------------------------------------
 */

static void part_clear(gpointer data)
{
    g_bytes_unref(((Part *)data)->bytes);
}

static void flight_free(gpointer data)
{
    Flight *flight = data;

    g_array_unref(flight->parts);
    g_clear_pointer(&flight->joined, g_bytes_unref);
    g_free(flight);
}

Fetcher *fetcher_new(Mount *mount)
{
    Fetcher *fetcher = g_new0(Fetcher, 1);

    fetcher->mount = mount;
    fetcher->flights = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, flight_free);
    g_queue_init(&fetcher->idle);
    return fetcher;
}

void fetcher_free(Fetcher *fetcher)
{
    if (!fetcher)
        return;
    g_hash_table_unref(fetcher->flights);
    g_free(fetcher);
}

static Flight *flight_of(Fetcher *fetcher, uint64_t ino)
{
    Flight *flight = g_hash_table_lookup(fetcher->flights, &ino);

    if (flight) {
        if (flight->idle)
            g_queue_unlink(&fetcher->idle, &flight->idle_link);
        flight->idle = false;
        return flight;
    }
    flight = g_new0(Flight, 1);
    flight->fetcher = fetcher;
    flight->ino = ino;
    flight->folder = inode_of(ino).folder;
    flight->uid = inode_of(ino).uid;
    flight->idle_link.data = flight;
    g_queue_init(&flight->waiting);
    flight->parts = g_array_new(FALSE, FALSE, sizeof(Part));
    g_array_set_clear_func(flight->parts, part_clear);
    g_hash_table_insert(fetcher->flights, &flight->ino, flight);
    return flight;
}

static void land(Flight *flight)
{
    Fetcher *fetcher = flight->fetcher;

    flight->idle = true;
    g_queue_push_tail_link(&fetcher->idle, &flight->idle_link);
    if (fetcher->idle.length > IDLE_FLIGHTS) {
        Flight *oldest = fetcher->idle.head->data;
        g_queue_unlink(&fetcher->idle, &oldest->idle_link);
        g_hash_table_remove(fetcher->flights, &oldest->ino);
    }
}

/* The fetch has ended, for good or bad: those who wait look again, and may wait again. */
static void conclude(Flight *flight, const GError *error)
{
    flight->asking = ASK_PLANNED;
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

/* --- asking -------------------------------------------------------------------------------------
 */

static bool is_text_probe(const Flight *flight, const MailRange *range)
{
    return flight->text_probe.length && range->section == MAIL_SECTION_TEXT &&
           range->offset == flight->text_probe.offset;
}

static const Part *find(const Flight *flight, MailSection section, bool text_probe)
{
    for (guint i = 0; i < flight->parts->len; i++) {
        const Part *part = &g_array_index(flight->parts, Part, i);
        if (part->asked.section == section && is_text_probe(flight, &part->asked) == text_probe)
            return part;
    }
    return NULL;
}

static const Part *find_part(const Flight *flight, MailSection section)
{
    return find(flight, section, false);
}

/* Nothing is asked for twice. What a server sends once more is not kept, or it could send without
 * an end. */
static void take_part(gpointer data, uint32_t uid, const MailRange *asked, GBytes *bytes)
{
    Flight *flight = data;
    Part part = {*asked, NULL};

    (void)uid;
    if (find(flight, asked->section, is_text_probe(flight, asked)))
        return;
    part.bytes = g_bytes_ref(bytes);
    g_array_append_val(flight->parts, part);
}

static void fetched(gpointer data, const GError *error);

static void ask(Flight *flight, const MailRange *ranges, size_t n)
{
    Mount *mount = flight->fetcher->mount;
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
        .limit = FETCH_AT_MOST,
    };
    g_array_set_size(flight->parts, 0);
    flight->op = mail_store_fetch(mount->store, &fetch, take_part, fetched, flight);
}

/*
 * From here on the file image is BODY[]; what is held, and the kernel may have, is HEADER and TEXT.
 * Should this be broken off, that the header's length is not known says that nothing of what is
 * held counts.
 */
static void begin_sizing(Flight *flight)
{
    Mount *mount = flight->fetcher->mount;

    flight->asking = ASK_SIZING;
    flight->sized = 0;
    flight->sized_cr = false;
    if (content_held(mount->content, flight->folder, flight->uid, 0))
        notify_inode(mount->notifier, flight->ino);
    content_drop(mount->content, flight->folder, flight->uid);
    catalog_put_header_length(mount->catalog, flight->folder, flight->uid, 0);
}

static void ask_sizing(Flight *flight)
{
    flight->text_probe.length = 0;
    if (flight->asking != ASK_SIZING)
        begin_sizing(flight);
    if (flight->sized > SIZE_AT_MOST) {
        conclude_text(flight, EFBIG, "the server sends bytes without an end");
        return;
    }
    MailRange range = {MAIL_SECTION_BODY, flight->sized - flight->sized_cr, FETCH_AT_MOST};
    ask(flight, &range, 1);
}

static void ask_decide(Flight *flight)
{
    MailRange range = {MAIL_SECTION_BODY, 0, 0};

    flight->asking = ASK_DECIDE;
    flight->text_probe.length = 0;
    ask(flight, &range, 1);
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

/*
 * That BODY[] is as long as was claimed does not say that HEADER and TEXT are: before the first
 * stretch of TEXT is believed, its end is looked at too, by the same command.
 */
static size_t add_text_probe(Flight *flight, const CatalogMessage *message, MailRange *ranges,
                             size_t n)
{
    uint64_t text_length = message->size - MIN(message->header_length, message->size);

    flight->text_probe.length = 0;
    if (flight->adds_up || n != 1 || ranges[0].section != MAIL_SECTION_TEXT || !ranges[0].length ||
        ranges[0].offset + ranges[0].length >= text_length)
        return n;
    flight->text_probe = (MailRange){MAIL_SECTION_TEXT, text_length - FETCH_PROBE_GOOD,
                                     FETCH_PROBE_GOOD + 1};
    ranges[n] = flight->text_probe;
    return n + 1;
}

/* Asks for what the head of the queue needs; false: it needed nothing, and was resumed. */
static bool start_first(Flight *flight, const CatalogMessage *message)
{
    Request *request = flight->waiting.head->data;
    MailRange ranges[FETCH_RANGES];
    size_t n = 0;

    if (++request->rounds > ROUNDS) {
        refuse_first(flight, EPROTO, "the server's answers never add up");
        return false;
    }
    switch (fetch_plan(flight->fetcher->mount->content, flight->folder, message,
                       (uint64_t)request->offset, request->size, &flight->ahead, ranges, &n)) {
    case PLAN_RANGES:
        flight->asking = ASK_PLANNED;
        ask(flight, ranges, add_text_probe(flight, message, ranges, n));
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
        if (!catalog_message(flight->fetcher->mount->catalog, flight->folder, flight->uid,
                             &message)) {
            conclude_text(flight, ENOENT, "it is gone");
            return;
        }
        if (start_first(flight, &message))
            return;
    }
    land(flight);
}

/* --- what came ----------------------------------------------------------------------------- */

/* Puts bytes into the file image from offset on, block by block. */
static void put(Flight *flight, uint64_t offset, GBytes *bytes)
{
    Content *content = flight->fetcher->mount->content;
    gsize length = g_bytes_get_size(bytes), done = 0;

    while (done < length) {
        uint32_t block = (uint32_t)((offset + done) / CONTENT_BLOCK);
        size_t inside = (size_t)((offset + done) % CONTENT_BLOCK);
        size_t n = MIN(CONTENT_BLOCK - inside, length - done);
        g_autoptr(GBytes) piece = NULL;
        if (inside == 0) {
            piece = g_bytes_new_from_bytes(bytes, done, n);
        } else if (content_held(content, flight->folder, flight->uid, block) >= inside) {
            guint8 *whole = g_malloc(inside + n);
            piece = g_bytes_new_take(whole, inside + n);
            if (content_read(content, flight->folder, flight->uid, offset + done - inside, inside,
                             whole))
                memcpy(whole + inside, (const guint8 *)g_bytes_get_data(bytes, NULL) + done, n);
            else
                g_clear_pointer(&piece, g_bytes_unref);
        }
        if (piece)
            content_put(content, flight->folder, flight->uid, block, piece);
        done += n;
    }
}

static void prove(Flight *flight, uint32_t header_length, uint64_t size, unsigned proof)
{
    Mount *mount = flight->fetcher->mount;
    CatalogMessage before;

    if (!catalog_message(mount->catalog, flight->folder, flight->uid, &before))
        return;
    catalog_prove(mount->catalog, flight->folder, flight->uid, header_length, size, proof);
    if (before.size != size) {
        g_info("message %u: the server claimed %" G_GUINT64_FORMAT
               " bytes, and it has %" G_GUINT64_FORMAT,
               flight->uid, (guint64)before.size, (guint64)size);
        notify_size(mount->notifier, flight->ino);
    }
}

static GBytes *join(GBytes *header, GBytes *text)
{
    GByteArray *whole = g_byte_array_sized_new(
        (guint)(g_bytes_get_size(header) + g_bytes_get_size(text)));

    g_byte_array_append(whole, g_bytes_get_data(header, NULL), (guint)g_bytes_get_size(header));
    g_byte_array_append(whole, g_bytes_get_data(text, NULL), (guint)g_bytes_get_size(text));
    return g_byte_array_free_to_bytes(whole);
}

/* HEADER and TEXT, whole. True: something more has to be asked. */
static bool take_small(Flight *flight, const CatalogMessage *message, const Part *header,
                       const Part *text)
{
    uint32_t header_length = (uint32_t)g_bytes_get_size(header->bytes);
    g_autoptr(GBytes) whole = join(header->bytes, text->bytes);

    if (g_bytes_get_size(whole) != message->size) {
        flight->joined = g_steal_pointer(&whole);
        catalog_put_header_length(flight->fetcher->mount->catalog, flight->folder, flight->uid,
                                  header_length);
        ask_decide(flight);
        return true;
    }
    put(flight, 0, whole);
    prove(flight, header_length, message->size, header_length ? 0 : CATALOG_WHOLE_BODY);
    return false;
}

/* BODY[] of a small message whose HEADER and TEXT are not as long as was claimed. */
static bool take_decision(Flight *flight, const CatalogMessage *message)
{
    const Part *body = find_part(flight, MAIL_SECTION_BODY);
    g_autoptr(GBytes) joined = g_steal_pointer(&flight->joined);
    bool adds_up = message->header_length && g_bytes_equal(joined, body->bytes);

    content_drop(flight->fetcher->mount->content, flight->folder, flight->uid);
    put(flight, 0, body->bytes);
    prove(flight, 0, g_bytes_get_size(body->bytes), adds_up ? 0 : CATALOG_WHOLE_BODY);
    return false;
}

static bool take_stretch(Flight *flight)
{
    const Part *body = find_part(flight, MAIL_SECTION_BODY);
    gsize length;
    const char *bytes = g_bytes_get_data(body->bytes, &length);

    put(flight, body->asked.offset, body->bytes);
    flight->sized = body->asked.offset + length;
    flight->sized_cr = length > 0 && bytes[length - 1] == '\r';
    flush_soon(flight->fetcher->mount->flusher);
    if (length == body->asked.length) {
        ask_sizing(flight);
        return true;
    }
    prove(flight, 0, flight->sized, CATALOG_WHOLE_BODY);
    return false;
}

/* Where a stretch of the message ends, in the file image, and whether the message ends there. */
static bool fits_size(const CatalogMessage *message, const Part *part, uint64_t start)
{
    uint64_t end = start + g_bytes_get_size(part->bytes);
    bool last = g_bytes_get_size(part->bytes) < part->asked.length;

    return last ? end == message->size : end <= message->size;
}

/*
 * Whether the answer to a stretch from `start` of the file on may have a CR too many (see
 * ReadAhead). Then it is not taken, and what is ahead of it is fetched first.
 */
static bool is_doubtful(Flight *flight, const Part *part, uint64_t start)
{
    Content *content = flight->fetcher->mount->content;
    gsize length;
    const char *bytes = g_bytes_get_data(part->bytes, &length);
    char known;

    if (part->asked.offset == 0 || length < 2 || bytes[0] != '\r' || bytes[1] != '\n' ||
        content_read(content, flight->folder, flight->uid, start, 1, &known) ||
        content_read(content, flight->folder, flight->uid, start - 1, 1, &known))
        return false;
    flight->ahead.earlier = (start + 1) % CONTENT_BLOCK == 0;
    flight->ahead.go_back = !flight->ahead.earlier;
    flight->ahead.back = (start + flight->ahead.earlier) / CONTENT_BLOCK;
    return true;
}

/* Parts of a long message: any of HEADER, the probe of its end, a stretch of TEXT or BODY. */
static bool take_long(Flight *flight, const CatalogMessage *message)
{
    Mount *mount = flight->fetcher->mount;
    const Part *header = find_part(flight, MAIL_SECTION_HEADER);
    const Part *text = find_part(flight, MAIL_SECTION_TEXT);
    const Part *body = find_part(flight, MAIL_SECTION_BODY);
    const Part *end = find(flight, MAIL_SECTION_TEXT, true);
    uint32_t header_length = header ? (uint32_t)g_bytes_get_size(header->bytes)
                                    : message->header_length;
    bool fits = !header || header_length > 0;

    if (text && !header && !header_length)
        return false; /* nobody knows where it begins */
    if (flight->text_probe.length && !end)
        return false; /* nor whether it is the right one */
    if (header) {
        if (!message->header_length)
            content_drop(mount->content, flight->folder, flight->uid);
        put(flight, 0, header->bytes);
        catalog_put_header_length(mount->catalog, flight->folder, flight->uid, header_length);
    }
    if (end)
        flight->adds_up = fits = g_bytes_get_size(end->bytes) == FETCH_PROBE_GOOD;
    if (fits && text) {
        uint64_t offset = header_length + text->asked.offset;
        if (is_doubtful(flight, text, offset))
            return false;
        fits = fits_size(message, text, offset);
        put(flight, offset, text->bytes);
        if (fits && offset + g_bytes_get_size(text->bytes) == message->size &&
            g_bytes_get_size(text->bytes) < text->asked.length)
            prove(flight, header_length, message->size, 0);
    }
    if (fits && body && fetch_is_probe(&body->asked, message)) {
        fits = g_bytes_get_size(body->bytes) == FETCH_PROBE_GOOD;
        if (fits)
            prove(flight, header_length, message->size, 0);
    } else if (fits && body) {
        if (is_doubtful(flight, body, body->asked.offset))
            return false;
        fits = fits_size(message, body, body->asked.offset);
        put(flight, body->asked.offset, body->bytes);
    }
    if (fits)
        return false;
    ask_sizing(flight);
    return true;
}

static bool take_planned(Flight *flight, const CatalogMessage *message)
{
    const Part *header = find_part(flight, MAIL_SECTION_HEADER);
    const Part *text = find_part(flight, MAIL_SECTION_TEXT);

    if (header && text && !text->asked.length)
        return take_small(flight, message, header, text);
    return take_long(flight, message);
}

/* True: something more was asked. Of a message that is gone by now nothing is taken. */
static bool take_parts(Flight *flight)
{
    CatalogMessage message;

    if (!catalog_message(flight->fetcher->mount->catalog, flight->folder, flight->uid, &message))
        return false;
    switch (flight->asking) {
    case ASK_DECIDE:
        return take_decision(flight, &message);
    case ASK_SIZING:
        return take_stretch(flight);
    case ASK_PLANNED:
    default:
        return take_planned(flight, &message);
    }
}

static void fail(Flight *flight, const GError *error)
{
    Mount *mount = flight->fetcher->mount;

    if (mail_errno(error) == ESTALE || mail_errno(error) == ENOENT)
        refresh_stale(mount->refresher, flight->folder);
    if (flight->asking == ASK_SIZING)
        content_drop(mount->content, flight->folder, flight->uid);
    g_info("%s", error->message);
    conclude(flight, error);
}

static void fetched(gpointer data, const GError *error)
{
    Flight *flight = data;
    Mount *mount = flight->fetcher->mount;

    flight->op = NULL;
    if (error && mail_errno(error) == EFBIG && flight->asking != ASK_SIZING) {
        ask_sizing(flight);
    } else if (error) {
        fail(flight, error);
    } else if (!flight->parts->len) {
        refresh_stale(mount->refresher, flight->folder);
        conclude_text(flight, ENOENT, "it is gone from the server");
    } else if (!take_parts(flight)) {
        flush_soon(mount->flusher);
        conclude(flight, NULL);
    }
}

/* --- who waits ----------------------------------------------------------------------------- */

static void wait_for(Fetcher *fetcher, Request *request)
{
    Flight *flight = flight_of(fetcher, request->ino);

    request_wait(request, &flight->waiting);
    if (!flight->op && !flight->resuming)
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
