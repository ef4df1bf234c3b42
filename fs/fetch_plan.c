#include "fetch_plan.h"

enum {
    /* Who asks for no more than this from the beginning is content with the header. */
    HEADER_ENOUGH = 8192,
    MOST_BLOCKS = FETCH_AT_MOST / CONTENT_BLOCK,
    PROBE_LENGTH = FETCH_PROBE_GOOD + 1,
};

static MailRange probe_of(const CatalogMessage *message)
{
    return (MailRange){MAIL_SECTION_BODY, message->size - FETCH_PROBE_GOOD, PROBE_LENGTH};
}

bool fetch_is_probe(const MailRange *range, const CatalogMessage *message)
{
    return range->section == MAIL_SECTION_BODY && range->length == PROBE_LENGTH &&
           message->size >= FETCH_PROBE_GOOD && range->offset == message->size - FETCH_PROBE_GOOD;
}

/* The bytes that block number `block` should have. */
static uint64_t full_length(const CatalogMessage *message, uint64_t block)
{
    uint64_t start = block * CONTENT_BLOCK;

    if (message->size > start)
        return MIN(message->size - start, CONTENT_BLOCK);
    return CONTENT_BLOCK;
}

static bool header_is_held(Content *content, uint32_t folder, const CatalogMessage *message)
{
    uint64_t length = message->header_length;

    for (uint64_t start = 0; start < length; start += CONTENT_BLOCK)
        if (content_held(content, folder, message->uid, (uint32_t)(start / CONTENT_BLOCK)) <
            MIN(length - start, CONTENT_BLOCK))
            return false;
    return length > 0;
}

/* Whether who wants this stretch (size 0: proof of the size) gets the text with the header. */
static bool wants_text(const CatalogMessage *message, uint64_t offset, size_t size)
{
    return message->size <= FETCH_TINY || (size && offset + size > HEADER_ENOUGH);
}

static size_t plan_beginning(const CatalogMessage *message, uint64_t offset, size_t size,
                             MailRange *ranges)
{
    bool proved = message->proof & CATALOG_SIZE_PROVED;
    bool text = wants_text(message, offset, size);
    size_t n = 0;

    ranges[n++] = (MailRange){MAIL_SECTION_HEADER, 0, 0};
    if (text && message->size <= FETCH_SMALL)
        ranges[n++] = (MailRange){MAIL_SECTION_TEXT, 0, 0};
    else if (text && offset < CONTENT_BLOCK)
        ranges[n++] = (MailRange){MAIL_SECTION_TEXT, 0, CONTENT_BLOCK};
    if (!proved && !(text && message->size <= FETCH_SMALL))
        ranges[n++] = probe_of(message);
    return n;
}

/* How many blocks from `first` on, of which the reader wants the first `wanted`. */
static uint64_t look_ahead(ReadAhead *ahead, uint64_t first, uint64_t wanted)
{
    uint64_t start = first * CONTENT_BLOCK;

    if (start > 0 && start == ahead->frontier)
        ahead->blocks = MIN(ahead->blocks * 2, MOST_BLOCKS);
    else
        ahead->blocks = 1;
    ahead->blocks = (uint32_t)MIN(MAX(ahead->blocks, wanted), MOST_BLOCKS);
    return ahead->blocks;
}

/* Where a stretch that is to give the byte at `start` of the file begins (see ReadAhead). */
static uint64_t safe_start(Content *content, uint32_t folder, const CatalogMessage *message,
                           uint64_t base, uint64_t start, bool earlier)
{
    char previous;

    if (start <= base + earlier)
        return base;
    if (content_read(content, folder, message->uid, start - 1, 1, &previous) && previous != '\r')
        return start;
    return start - 1 - earlier;
}

/* A stretch of `section`, which begins at `base` of the file. */
static bool plan_stretch(Content *content, uint32_t folder, const CatalogMessage *message,
                         MailSection section, uint64_t base, uint64_t offset, size_t size,
                         ReadAhead *ahead, MailRange *range)
{
    uint64_t first = offset / CONTENT_BLOCK, last = (offset + size - 1) / CONTENT_BLOCK;

    if (message->size > offset)
        last = MIN(last, (message->size - 1) / CONTENT_BLOCK);
    while (first <= last && content_held(content, folder, message->uid, (uint32_t)first) >=
                                full_length(message, first))
        first++;
    if (first > last)
        return false;
    if (ahead->go_back || ahead->earlier)
        first = MIN(first, ahead->back);
    ahead->go_back = false;
    uint64_t end = first + look_ahead(ahead, first, last - first + 1);
    if (message->size > offset)
        end = MIN(end, (message->size - 1) / CONTENT_BLOCK + 1);
    uint64_t start = safe_start(content, folder, message, base, first * CONTENT_BLOCK,
                                ahead->earlier);
    ahead->earlier = false;
    ahead->frontier = end * CONTENT_BLOCK;
    *range = (MailRange){section, start - base, (uint32_t)(ahead->frontier - start)};
    return true;
}

Plan fetch_plan(Content *content, uint32_t folder, const CatalogMessage *message, uint64_t offset,
                size_t size, ReadAhead *ahead, MailRange *ranges, size_t *n)
{
    bool proved = message->proof & CATALOG_SIZE_PROVED;
    bool whole_body = message->proof & CATALOG_WHOLE_BODY;
    bool at_once = !proved && message->size <= FETCH_TINY; /* whatever is held of it */

    *n = 0;
    if (whole_body && !proved)
        return PLAN_SIZING;
    if (!whole_body && (at_once || !header_is_held(content, folder, message))) {
        *n = plan_beginning(message, offset, size, ranges);
        return PLAN_RANGES;
    }
    if (!proved && message->size < FETCH_PROBE_GOOD)
        return PLAN_SIZING;
    if (size &&
        plan_stretch(content, folder, message, whole_body ? MAIL_SECTION_BODY : MAIL_SECTION_TEXT,
                     whole_body ? 0 : message->header_length, offset, size, ahead, &ranges[0]))
        *n = 1;
    if (!proved)
        ranges[(*n)++] = probe_of(message);
    return *n ? PLAN_RANGES : PLAN_NOTHING;
}

Plan fetch_plan_front(const CatalogMessage *message, size_t size, MailRange *ranges, size_t *n)
{
    *n = 0;
    if (message->header_length || (message->proof & CATALOG_WHOLE_BODY) ||
        message->size < FETCH_PROBE_GOOD)
        return PLAN_NOTHING;
    ranges[(*n)++] = (MailRange){MAIL_SECTION_HEADER, 0, 0};
    ranges[(*n)++] = (MailRange){MAIL_SECTION_TEXT, 0, (uint32_t)MIN(size, CONTENT_BLOCK)};
    if (!(message->proof & CATALOG_SIZE_PROVED))
        ranges[(*n)++] = probe_of(message);
    return PLAN_RANGES;
}
