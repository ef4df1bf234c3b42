#include "search.h"

#include "limits.h"

#include <string.h>

void imap_search_clear(ImapSearch *search)
{
    g_clear_pointer(&search->ranges, g_array_unref);
    search->answered = search->strange = false;
}

bool imap_search_is_extended(const ImapSession *session)
{
    return imap_capabilities_have(&imap_session_login(session)->caps, IMAP_CAP_ESEARCH);
}

ImapCommand *imap_search_command(const ImapSession *session)
{
    return imap_command_new(imap_search_is_extended(session) ? "UID SEARCH RETURN (ALL)"
                                                             : "UID SEARCH");
}

static void add_range(ImapSearch *search, MailUidRange range)
{
    if (!search->ranges)
        search->ranges = g_array_new(FALSE, FALSE, sizeof(MailUidRange));
    if (search->ranges->len >= IMAP_MAX_ITEMS)
        search->strange = true;
    else
        g_array_append_val(search->ranges, range);
}

static void take_set(ImapSearch *search, const ImapValue *value)
{
    const char *text = imap_value_text(value);
    g_autoptr(GArray) ranges = text ? imap_uid_set(text) : NULL;

    search->strange = search->strange || !ranges;
    for (guint i = 0; ranges && i < ranges->len; i++)
        add_range(search, g_array_index(ranges, MailUidRange, i));
}

/* "(TAG "A1") UID ALL 2:3": what is found stands behind ALL. */
static void take_extended(ImapSearch *search, const ImapValue *values)
{
    for (size_t i = 0; i + 1 < imap_value_count(values); i++)
        if (imap_value_is(imap_value_item(values, i), "ALL"))
            take_set(search, imap_value_item(values, i + 1));
}

/* Behind the numbers there may be a list (RFC 7162 section 3.1.5). */
static void take_plain(ImapSearch *search, const ImapValue *values)
{
    for (size_t i = 0; i < imap_value_count(values); i++) {
        const ImapValue *item = imap_value_item(values, i);
        uint64_t uid = 0;
        if (item->kind == IMAP_LIST)
            continue;
        if (imap_value_number(item, &uid) && uid > 0 && uid <= UINT32_MAX)
            add_range(search, (MailUidRange){(uint32_t)uid, (uint32_t)uid});
        else
            search->strange = true;
    }
}

bool imap_search_take(ImapSearch *search, const ImapResponse *response)
{
    if (strcmp(response->name, "ESEARCH") == 0)
        take_extended(search, response->values);
    else if (strcmp(response->name, "SEARCH") == 0)
        take_plain(search, response->values);
    else
        return false;
    search->answered = true;
    return strcmp(response->name, "ESEARCH") == 0;
}

bool imap_search_finish(ImapSearch *search)
{
    if (search->ranges)
        imap_uid_merge(search->ranges);
    return search->answered && !search->strange;
}

bool imap_search_found(const ImapSearch *search, uint32_t uid)
{
    guint low = 0, high = search->ranges ? search->ranges->len : 0;

    while (low < high) {
        guint middle = low + (high - low) / 2;
        const MailUidRange *range = &g_array_index(search->ranges, MailUidRange, middle);
        if (uid < range->first)
            high = middle;
        else if (uid > range->last)
            low = middle + 1;
        else
            return true;
    }
    return false;
}
