#include "flight.h"

#include "flush.h"
#include "inode.h"
#include "trust.h"
#include "whole.h"

#include <string.h>

enum { IDLE_FLIGHTS = 64 }; /* messages of which is remembered how they are being read */

struct Flights {
    Mount *mount;
    GHashTable *by_ino; /* ino -> Flight */
    GQueue idle;        /* Flight, the longest idle first */
};

/* --- life ------------------------------------------------------------------------------------ */

static void part_clear(gpointer data)
{
    g_bytes_unref(((Part *)data)->bytes);
}

static void flight_free(gpointer data)
{
    Flight *flight = data;

    g_array_unref(flight->parts);
    g_clear_pointer(&flight->joined, g_bytes_unref);
    g_clear_pointer(&flight->whole.tail, g_byte_array_unref);
    g_free(flight->name);
    g_free(flight);
}

Flights *flights_new(Mount *mount)
{
    Flights *flights = g_new0(Flights, 1);

    flights->mount = mount;
    flights->by_ino = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, flight_free);
    g_queue_init(&flights->idle);
    return flights;
}

void flights_free(Flights *flights)
{
    if (!flights)
        return;
    g_hash_table_unref(flights->by_ino);
    g_free(flights);
}

Flight *flight_find(Flights *flights, uint64_t ino)
{
    return g_hash_table_lookup(flights->by_ino, &ino);
}

Flight *flight_of(Flights *flights, uint64_t ino)
{
    Flight *flight = flight_find(flights, ino);

    if (flight) {
        if (flight->idle)
            g_queue_unlink(&flights->idle, &flight->idle_link);
        flight->idle = false;
        return flight;
    }
    flight = g_new0(Flight, 1);
    flight->mount = flights->mount;
    flight->flights = flights;
    flight->ino = ino;
    flight->folder = inode_of(ino).folder;
    flight->uid = inode_of(ino).uid;
    flight->idle_link.data = flight;
    g_queue_init(&flight->waiting);
    flight->parts = g_array_new(FALSE, FALSE, sizeof(Part));
    g_array_set_clear_func(flight->parts, part_clear);
    g_hash_table_insert(flights->by_ino, &flight->ino, flight);
    return flight;
}

void flights_count(Flights *flights, guint *messages, guint *requests)
{
    GHashTableIter iter;
    gpointer value;

    *messages = *requests = 0;
    g_hash_table_iter_init(&iter, flights->by_ino);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Flight *flight = value;
        *messages += flight->op || flight->batch;
        *requests += flight->waiting.length;
    }
}

void flight_set_name(Flight *flight, const char *name)
{
    g_free(flight->name);
    flight->name = g_strdup(name);
}

void flight_land(Flight *flight)
{
    Flights *flights = flight->flights;

    flight->idle = true;
    g_array_set_size(flight->parts, 0);
    g_clear_pointer(&flight->whole.tail, g_byte_array_unref);
    g_queue_push_tail_link(&flights->idle, &flight->idle_link);
    if (flights->idle.length > IDLE_FLIGHTS) {
        Flight *oldest = flights->idle.head->data;
        g_queue_unlink(&flights->idle, &oldest->idle_link);
        g_hash_table_remove(flights->by_ino, &oldest->ino);
    }
}

/* --- parts ----------------------------------------------------------------------------------- */

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

const Part *flight_part(const Flight *flight, MailSection section)
{
    return find(flight, section, false);
}

void flight_add(Flight *flight, const MailRange *asked, GBytes *bytes)
{
    Part part = {*asked, NULL};

    if (find(flight, asked->section, is_text_probe(flight, asked)))
        return;
    part.bytes = g_bytes_ref(bytes);
    g_array_append_val(flight->parts, part);
}

size_t flight_add_text_probe(Flight *flight, const CatalogMessage *message, MailRange *ranges,
                             size_t n)
{
    uint64_t text_length = message->size - MIN(message->header_length, message->size);

    flight->text_probe.length = 0;
    if (flight->adds_up || n == FETCH_RANGES || ranges[0].section != MAIL_SECTION_TEXT ||
        !ranges[0].length || ranges[0].offset + ranges[0].length >= text_length)
        return n;
    flight->text_probe = (MailRange){MAIL_SECTION_TEXT, text_length - FETCH_PROBE_GOOD,
                                     FETCH_PROBE_GOOD + 1};
    ranges[n] = flight->text_probe;
    return n + 1;
}

/*
 * What is held, and the kernel may have, is HEADER and TEXT. Should this be broken off, that the
 * header's length is not known says that nothing of what is held counts.
 */
void flight_begin_sizing(Flight *flight)
{
    Mount *mount = flight->mount;
    CatalogMessage message;

    flight->asking = ASK_SIZING;
    flight->sized = 0;
    flight->sized_cr = false;
    /* Before its size is proved, nothing of a message is given out. */
    if (catalog_message(mount->catalog, flight->folder, flight->uid, &message) &&
        message.proof & CATALOG_SIZE_PROVED)
        notify_inode(mount->notifier, flight->ino);
    content_drop(mount->content, flight->folder, flight->uid);
    catalog_put_header_length(mount->catalog, flight->folder, flight->uid, 0);
}

/* --- what the parts make -------------------------------------------------------------------- */

/* Puts bytes into the file image from offset on, block by block. */
static void put(Flight *flight, uint64_t offset, GBytes *bytes)
{
    Content *content = flight->mount->content;
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

/* The size that was shown is not the true one. */
static void correct(Mount *mount, uint64_t ino, uint64_t claimed, uint64_t size)
{
    g_info("message %u: the server claimed %" G_GUINT64_FORMAT
           " bytes, and it has %" G_GUINT64_FORMAT,
           inode_of(ino).uid, (guint64)claimed, (guint64)size);
    trust_size_was_wrong(mount->trust, ino, claimed, size);
}

void fetch_learn(Mount *mount, uint64_t ino, CatalogMessage *message)
{
    uint32_t folder = inode_of(ino).folder;
    uint64_t claimed = message->size;

    if (message->proof & CATALOG_SIZE_PROVED ||
        !catalog_learn(mount->catalog, folder, message->uid) ||
        !catalog_message(mount->catalog, folder, message->uid, message))
        return;
    if (message->size != claimed)
        correct(mount, ino, claimed, message->size);
}

void flight_prove(Flight *flight, uint32_t header_length, uint64_t size, unsigned proof)
{
    Mount *mount = flight->mount;
    CatalogMessage before;

    if (!catalog_message(mount->catalog, flight->folder, flight->uid, &before))
        return;
    catalog_prove(mount->catalog, flight->folder, flight->uid, header_length, size, proof);
    if (before.size != size)
        correct(mount, flight->ino, before.size, size);
}

static GBytes *join(GBytes *header, GBytes *text)
{
    GByteArray *whole = g_byte_array_sized_new(
        (guint)(g_bytes_get_size(header) + g_bytes_get_size(text)));

    g_byte_array_append(whole, g_bytes_get_data(header, NULL), (guint)g_bytes_get_size(header));
    g_byte_array_append(whole, g_bytes_get_data(text, NULL), (guint)g_bytes_get_size(text));
    return g_byte_array_free_to_bytes(whole);
}

/* HEADER and TEXT of one answer are the message, whatever was claimed. */
static bool is_one_answer(const Flight *flight)
{
    return flight->mount->features & MAIL_STORE_WHOLE;
}

/* HEADER and TEXT, whole. */
static Asking take_small(Flight *flight, const CatalogMessage *message, const Part *header,
                         const Part *text)
{
    uint32_t header_length = (uint32_t)g_bytes_get_size(header->bytes);
    g_autoptr(GBytes) whole = join(header->bytes, text->bytes);

    if (is_one_answer(flight)) {
        put(flight, 0, whole);
        flight_prove(flight, header_length, g_bytes_get_size(whole), 0);
        return ASK_PLANNED;
    }
    if (g_bytes_get_size(whole) != message->size) {
        flight->joined = g_steal_pointer(&whole);
        catalog_put_header_length(flight->mount->catalog, flight->folder, flight->uid,
                                  header_length);
        return ASK_DECIDE;
    }
    put(flight, 0, whole);
    flight_prove(flight, header_length, message->size, header_length ? 0 : CATALOG_WHOLE_BODY);
    return ASK_PLANNED;
}

/* BODY[] of a small message whose HEADER and TEXT are not as long as was claimed. */
static Asking take_decision(Flight *flight, const CatalogMessage *message)
{
    const Part *body = flight_part(flight, MAIL_SECTION_BODY);
    g_autoptr(GBytes) joined = g_steal_pointer(&flight->joined);
    bool adds_up = message->header_length && g_bytes_equal(joined, body->bytes);

    content_drop(flight->mount->content, flight->folder, flight->uid);
    put(flight, 0, body->bytes);
    flight_prove(flight, 0, g_bytes_get_size(body->bytes), adds_up ? 0 : CATALOG_WHOLE_BODY);
    return ASK_PLANNED;
}

static Asking take_stretch(Flight *flight)
{
    const Part *body = flight_part(flight, MAIL_SECTION_BODY);
    gsize length;
    const char *bytes = g_bytes_get_data(body->bytes, &length);

    put(flight, body->asked.offset, body->bytes);
    flight->sized = body->asked.offset + length;
    flight->sized_cr = length > 0 && bytes[length - 1] == '\r';
    flush_soon(flight->mount->flusher);
    if (length == body->asked.length) {
        return ASK_SIZING;
    }
    flight_prove(flight, 0, flight->sized, CATALOG_WHOLE_BODY);
    return ASK_PLANNED;
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
    Content *content = flight->mount->content;
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
static Asking take_long(Flight *flight, const CatalogMessage *message)
{
    Mount *mount = flight->mount;
    const Part *header = flight_part(flight, MAIL_SECTION_HEADER);
    const Part *text = flight_part(flight, MAIL_SECTION_TEXT);
    const Part *body = flight_part(flight, MAIL_SECTION_BODY);
    const Part *end = find(flight, MAIL_SECTION_TEXT, true);
    uint32_t header_length = header ? (uint32_t)g_bytes_get_size(header->bytes)
                                    : message->header_length;
    bool fits = !header || header_length > 0;

    if (text && !header && !header_length)
        return ASK_PLANNED; /* nobody knows where it begins */
    if (flight->text_probe.length && !end)
        return ASK_PLANNED; /* nor whether it is the right one */
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
            return ASK_PLANNED;
        fits = fits_size(message, text, offset);
        put(flight, offset, text->bytes);
        if (fits && offset + g_bytes_get_size(text->bytes) == message->size &&
            g_bytes_get_size(text->bytes) < text->asked.length)
            flight_prove(flight, header_length, message->size, 0);
    }
    if (fits && body && fetch_is_probe(&body->asked, message)) {
        fits = g_bytes_get_size(body->bytes) == FETCH_PROBE_GOOD;
        if (fits)
            flight_prove(flight, header_length, message->size, 0);
    } else if (fits && body) {
        if (is_doubtful(flight, body, body->asked.offset))
            return ASK_PLANNED;
        fits = fits_size(message, body, body->asked.offset);
        put(flight, body->asked.offset, body->bytes);
    }
    return fits ? ASK_PLANNED : ASK_SIZING;
}

static Asking take_planned(Flight *flight, const CatalogMessage *message)
{
    const Part *header = flight_part(flight, MAIL_SECTION_HEADER);
    const Part *text = flight_part(flight, MAIL_SECTION_TEXT);

    if (header && text && !text->asked.length)
        return take_small(flight, message, header, text);
    return take_long(flight, message);
}

Asking flight_take(Flight *flight)
{
    CatalogMessage message;

    if (!catalog_message(flight->mount->catalog, flight->folder, flight->uid, &message))
        return ASK_PLANNED;
    switch (flight->asking) {
    case ASK_DECIDE:
        return take_decision(flight, &message);
    case ASK_SIZING:
        return take_stretch(flight);
    case ASK_WHOLE:
        return whole_end(flight) ? ASK_PLANNED : ASK_WHOLE;
    case ASK_PLANNED:
    default:
        return take_planned(flight, &message);
    }
}
