#include "copyuid.h"

#include "outcome.h"

/* Digits up to the next ',', ':' or the end; false where it is none, or 0. */
static bool read_uid(const char **text, uint32_t *uid)
{
    uint64_t number = 0;

    for (; g_ascii_isdigit(**text) && number <= UINT32_MAX; (*text)++)
        number = number * 10 + (uint64_t)(**text - '0');
    *uid = (uint32_t)number;
    return number > 0 && number <= UINT32_MAX;
}

/* A set, each UID of it in the set's own order; false where it is none, or too long. */
static bool read_set(const char *text, size_t most, GArray *uids)
{
    while (*text) {
        uint32_t first, last;
        if (uids->len && *text++ != ',')
            return false;
        if (!read_uid(&text, &first))
            return false;
        last = first;
        if (*text == ':' && (text++, !read_uid(&text, &last)))
            return false;
        if ((uint64_t)MAX(first, last) - MIN(first, last) >= most - uids->len)
            return false;
        /* "5:3" is 3, 4, 5 (RFC 4315: regardless of order) */
        for (uint64_t uid = MIN(first, last); uid <= MAX(first, last); uid++) {
            uint32_t value = (uint32_t)uid;
            g_array_append_val(uids, value);
        }
    }
    return uids->len > 0;
}

GArray *imap_copyuid_read(const ImapResponse *response, size_t most, uint32_t *uidvalidity)
{
    g_autoptr(GArray) from = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    g_autoptr(GArray) to = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    const char *from_text = imap_value_text(imap_value_item(response->code, 2));
    const char *to_text = imap_value_text(imap_value_item(response->code, 3));
    uint64_t validity = 0;
    GArray *pairs;

    if (!imap_has_code(response, "COPYUID") ||
        !imap_value_number(imap_value_item(response->code, 1), &validity) || validity == 0 ||
        validity > UINT32_MAX || !from_text || !to_text || !read_set(from_text, most, from) ||
        !read_set(to_text, most, to) || from->len != to->len)
        return NULL;
    *uidvalidity = (uint32_t)validity;
    pairs = g_array_new(FALSE, FALSE, sizeof(ImapCopyUid));
    for (guint i = 0; i < from->len; i++) {
        ImapCopyUid pair = {g_array_index(from, uint32_t, i), g_array_index(to, uint32_t, i)};
        g_array_append_val(pairs, pair);
    }
    return pairs;
}
