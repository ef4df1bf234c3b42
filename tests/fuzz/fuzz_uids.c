/*
 * fuzz_uids.c: whatever sets of UIDs a server sends, nothing is made of them that they do not say:
 * sets (VANISHED, ESEARCH), search results, and the pairs of COPYUID.
 */
#include "../../imapclient/copyuid.h"
#include "../../imapclient/search.h"
#include "../unit/imap_response.h"

enum { MOST = 1000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_ranges(const GArray *ranges)
{
    for (guint i = 0; ranges && i < ranges->len; i++) {
        const MailUidRange *range = &g_array_index(ranges, MailUidRange, i);
        g_assert_true(range->first > 0 && range->first <= range->last);
        if (i > 0)
            g_assert_true(range->first - g_array_index(ranges, MailUidRange, i - 1).last > 1 &&
                          range->first > g_array_index(ranges, MailUidRange, i - 1).last);
    }
}

static bool look(gpointer data, const ImapResponse *response)
{
    ImapSearch *search = data;
    uint32_t uidvalidity = 0;
    g_autoptr(GArray) pairs = imap_copyuid_read(response, MOST, &uidvalidity);

    imap_search_take(search, response);
    g_assert_true(!pairs || (uidvalidity > 0 && pairs->len > 0 && pairs->len <= MOST));
    for (guint i = 0; pairs && i < pairs->len; i++)
        g_assert_true(g_array_index(pairs, ImapCopyUid, i).uid &&
                      g_array_index(pairs, ImapCopyUid, i).copy);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const ImapParserEvents events = {.response = look};
    g_autofree char *text = g_strndup((const char *)data, size);
    g_autoptr(GArray) ranges = imap_uid_set(text);
    ImapSearch search = {0};
    g_autoptr(ImapParser) parser = imap_parser_new(&events, &search);

    check_ranges(ranges);
    imap_parser_feed(parser, data, size, NULL, NULL);
    if (imap_search_finish(&search)) {
        check_ranges(search.ranges);
        for (guint i = 0; search.ranges && i < search.ranges->len; i++)
            g_assert_true(
                imap_search_found(&search, g_array_index(search.ranges, MailUidRange, i).first));
    }
    imap_search_clear(&search);
    return 0;
}
