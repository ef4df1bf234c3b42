#include "quota.h"

/* STORAGE is in KiB. */
bool imap_quota_read(MailQuota *quota, const ImapResponse *response)
{
    const ImapValue *list = imap_value_item(response->values, 1);
    uint64_t used, limit;
    bool has_bytes = false;

    for (size_t i = 0; i + 2 < imap_value_count(list); i += 3) {
        const ImapValue *resource = imap_value_item(list, i);
        if (!imap_value_number(imap_value_item(list, i + 1), &used) ||
            !imap_value_number(imap_value_item(list, i + 2), &limit))
            continue;
        if (imap_value_is(resource, "STORAGE") && limit <= UINT64_MAX / 1024) {
            quota->used_bytes = MIN(used, limit) * 1024;
            quota->limit_bytes = limit * 1024;
            has_bytes = true;
        } else if (imap_value_is(resource, "MESSAGE")) {
            quota->used_messages = used;
            quota->limit_messages = limit;
        }
    }
    return has_bytes;
}
