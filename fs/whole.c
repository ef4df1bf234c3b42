#include "whole.h"

enum { PENDING_MOST = 8 << 20 }; /* bytes on their way to the disk, from where on we wait */

const MailRange whole_ranges[2] = {{MAIL_SECTION_HEADER, 0, 0}, {MAIL_SECTION_TEXT, 0, 0}};

bool whole_is_wanted(Content *content, uint32_t folder, const CatalogMessage *message,
                     uint64_t offset, size_t size)
{
    uint64_t end = offset + MIN(size, message->size - MIN(offset, message->size));

    if (!(message->proof & CATALOG_SIZE_PROVED))
        return true;
    for (uint64_t block = offset / CONTENT_BLOCK; block * CONTENT_BLOCK < end; block++)
        if (content_held(content, folder, message->uid, (uint32_t)block) <
            MIN(message->size - block * CONTENT_BLOCK, CONTENT_BLOCK))
            return true;
    return false;
}

void whole_begin(Flight *flight)
{
    Whole *whole = &flight->whole;
    GByteArray *tail = whole->tail ? whole->tail : g_byte_array_new();

    *whole = (Whole){.tail = tail};
    g_byte_array_set_size(tail, 0);
}

/* The first n bytes of the tail are a block of the file. */
static void put_block(Flight *flight, guint n)
{
    Whole *whole = &flight->whole;
    g_autoptr(GBytes) bytes = g_bytes_new(whole->tail->data, n);

    content_put(flight->mount->content, flight->folder, flight->uid, whole->blocks++, bytes);
    g_byte_array_remove_range(whole->tail, 0, n);
    if (content_pending(flight->mount->content) > PENDING_MOST)
        content_flush(flight->mount->content);
}

static void end_section(Whole *whole, MailSection section)
{
    if (section == MAIL_SECTION_HEADER && !whole->header_ended) {
        whole->header_ended = true;
        whole->header_length = whole->length;
    } else if (section == MAIL_SECTION_TEXT) {
        whole->text_ended = true;
    }
}

void whole_take(Flight *flight, const MailRange *asked, GBytes *bytes)
{
    Whole *whole = &flight->whole;
    gsize length;
    const guint8 *data = g_bytes_get_data(bytes, &length);

    whole->begun = true;
    if (whole->text_ended)
        return;
    if (!asked->length) {
        end_section(whole, asked->section);
        return;
    }
    whole->length += length;
    g_byte_array_append(whole->tail, data, (guint)length);
    while (whole->tail->len >= CONTENT_BLOCK)
        put_block(flight, CONTENT_BLOCK);
}

bool whole_has_come(const Flight *flight)
{
    return flight->whole.begun;
}

bool whole_end(Flight *flight)
{
    Whole *whole = &flight->whole;

    if (!whole->header_ended || !whole->text_ended || whole->header_length > UINT32_MAX)
        return false;
    if (whole->tail->len)
        put_block(flight, whole->tail->len);
    flight_prove(flight, (uint32_t)whole->header_length, whole->length, 0);
    return true;
}

/* What is held of a message that was whole before is as good as the new. */
void whole_drop(Flight *flight)
{
    CatalogMessage message;

    if (catalog_message(flight->mount->catalog, flight->folder, flight->uid, &message) &&
        !(message.proof & CATALOG_SIZE_PROVED))
        content_drop(flight->mount->content, flight->folder, flight->uid);
}
