#include "sync_batch.h"

#include "../cache/mailstore.h"
#include "mailbox.h"

#include <string.h>

enum {
    BATCH = 256,            /* messages, and */
    BATCH_BYTES = 1 << 20,  /* bytes of flags that are handed on together at most, about */
    SLACK = 1000,           /* messages that may have come since the server counted them */
    MAX_MESSAGES = 2000000, /* of a folder */
};

/*
 * `last` is the message that the latest answers were about, not in `messages` yet; its uid is 0
 * where there is none. `uids` are all that were seen, `told` the new ones that were handed on (or
 * are in `messages`), both in the order of the answers and maybe more than once.
 *
 * All messages with a sequence number below next_number (0: nobody follows) have been handed on or
 * are in `messages`; reached is the last one's UID. last_number is that of `last`.
 */
struct SyncBatch {
    const MailSyncSink *sink;
    gpointer data;
    uint32_t first_new;
    MailMessage last;
    char *last_flags;
    GArray *messages;
    GPtrArray *flags; /* owns the strings of `messages` */
    size_t flags_bytes;
    GArray *uids;
    GArray *told;
    bool flooded;
    uint64_t last_number, next_number;
    uint32_t reached;
};

SyncBatch *imap_sync_batch_new_for(const MailSyncSink *sink, gpointer data)
{
    SyncBatch *batch = g_new0(SyncBatch, 1);

    batch->sink = sink;
    batch->data = data;
    batch->messages = g_array_new(FALSE, FALSE, sizeof(MailMessage));
    batch->flags = g_ptr_array_new_with_free_func(g_free);
    batch->uids = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    batch->told = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    return batch;
}

void imap_sync_batch_free(SyncBatch *batch)
{
    g_free(batch->last_flags);
    g_array_unref(batch->messages);
    g_ptr_array_unref(batch->flags);
    g_array_unref(batch->uids);
    g_array_unref(batch->told);
    g_free(batch);
}

static void drop_messages(SyncBatch *batch)
{
    g_array_set_size(batch->messages, 0);
    g_ptr_array_set_size(batch->flags, 0);
    batch->flags_bytes = 0;
}

static void drop_last(SyncBatch *batch)
{
    batch->last = (MailMessage){0};
    g_clear_pointer(&batch->last_flags, g_free);
}

void imap_sync_batch_reset(SyncBatch *batch, uint32_t first_new)
{
    drop_last(batch);
    drop_messages(batch);
    batch->first_new = first_new;
    batch->flooded = false;
    batch->next_number = 0;
    batch->reached = 0;
    g_array_set_size(batch->uids, 0);
    g_array_set_size(batch->told, 0);
}

void imap_sync_batch_follow(SyncBatch *batch)
{
    batch->next_number = 1;
}

void imap_sync_batch_unfollow(SyncBatch *batch)
{
    batch->next_number = 0;
}

/* --- UIDs ------------------------------------------------------------------------------------ */

static const uint32_t *elements(const GArray *uids)
{
    return (const uint32_t *)(const void *)uids->data;
}

/* Makes them ascending, each once. */
static void put_in_order(GArray *uids)
{
    uint32_t *all = (uint32_t *)(void *)uids->data;
    guint kept = 0;

    g_array_sort(uids, mail_compare_uids);
    for (guint i = 0; i < uids->len; i++)
        if (kept == 0 || all[i] != all[kept - 1])
            all[kept++] = all[i];
    g_array_set_size(uids, kept);
}

/* False where there are too many. */
static bool add_uid(SyncBatch *batch, GArray *uids, uint32_t uid)
{
    if (uids->len >= MAX_MESSAGES && !batch->flooded) {
        put_in_order(uids);
        batch->flooded = uids->len > MAX_MESSAGES / 2;
    }
    if (batch->flooded)
        return false;
    g_array_append_val(uids, uid);
    return true;
}

/* --- messages -------------------------------------------------------------------------------- */

static void hand_on(SyncBatch *batch)
{
    if (batch->messages->len)
        batch->sink->messages(batch->data, (const MailMessage *)(void *)batch->messages->data,
                              batch->messages->len);
    drop_messages(batch);
    if (batch->reached && batch->next_number)
        batch->sink->reached(batch->data, batch->reached);
}

/* The last message is among those that are handed on. */
static void follow_last(SyncBatch *batch)
{
    if (!batch->next_number || batch->last_number != batch->next_number)
        return;
    if (batch->last.uid <= batch->reached) {
        imap_sync_batch_unfollow(batch);
        return;
    }
    batch->next_number++;
    batch->reached = batch->last.uid;
}

/* The answers have gone on to another message. */
static void end_last(SyncBatch *batch)
{
    MailMessage *last = &batch->last;
    bool is_new = last->uid >= batch->first_new;

    if (last->uid && last->has && (!is_new || (last->has & (MAIL_HAS_SIZE | MAIL_HAS_DATE))) &&
        (!is_new || add_uid(batch, batch->told, last->uid))) {
        last->flags = batch->last_flags;
        batch->flags_bytes += last->flags ? strlen(last->flags) : 0;
        g_ptr_array_add(batch->flags, g_steal_pointer(&batch->last_flags));
        g_array_append_val(batch->messages, *last);
        follow_last(batch);
    }
    drop_last(batch);
    if (batch->messages->len >= BATCH || batch->flags_bytes >= BATCH_BYTES)
        hand_on(batch);
}

void imap_sync_batch_flush(SyncBatch *batch)
{
    end_last(batch);
    hand_on(batch);
}

static void take_item(SyncBatch *batch, const ImapValue *name, const ImapValue *value)
{
    MailMessage *last = &batch->last;

    if (imap_value_is(name, "RFC822.SIZE")) {
        if (imap_value_number(value, &last->size))
            last->has |= MAIL_HAS_SIZE;
    } else if (imap_value_is(name, "INTERNALDATE")) {
        if (imap_value_date(value, &last->date))
            last->has |= MAIL_HAS_DATE;
    } else if (imap_value_is(name, "FLAGS")) {
        g_free(batch->last_flags);
        batch->last_flags = imap_value_flags(value);
        last->has |= MAIL_HAS_FLAGS;
    }
}

bool imap_sync_batch_take(SyncBatch *batch, const ImapResponse *response)
{
    const ImapValue *items = imap_value_item(response->values, 0);
    size_t n = imap_value_count(items);
    uint64_t number = 0;

    for (size_t i = 0; i + 1 < n; i += 2)
        if (imap_value_is(imap_value_item(items, i), "UID"))
            imap_value_number(imap_value_item(items, i + 1), &number);
    if (!number || number > UINT32_MAX)
        return false;
    if (batch->last.uid != (uint32_t)number) {
        end_last(batch);
        if (!add_uid(batch, batch->uids, (uint32_t)number))
            return true;
        batch->last.uid = (uint32_t)number;
        batch->last_number = response->number;
    }
    for (size_t i = 0; i + 1 < n; i += 2)
        take_item(batch, imap_value_item(items, i), imap_value_item(items, i + 1));
    return true;
}

bool imap_sync_batch_present(SyncBatch *batch, const GArray *ranges, uint32_t exists)
{
    uint64_t n = 0;

    for (guint i = 0; i < ranges->len; i++) {
        const MailUidRange *range = &g_array_index(ranges, MailUidRange, i);
        n += (uint64_t)range->last - range->first + 1;
    }
    if (n > MIN((uint64_t)exists + SLACK, MAX_MESSAGES))
        return false;
    for (guint i = 0; i < ranges->len; i++) {
        const MailUidRange *range = &g_array_index(ranges, MailUidRange, i);
        for (uint64_t uid64 = range->first; uid64 <= range->last; uid64++) {
            add_uid(batch, batch->uids, (uint32_t)uid64);
        }
    }
    return true;
}

void imap_sync_batch_tell_present(SyncBatch *batch)
{
    put_in_order(batch->uids);
    batch->sink->present(batch->data, elements(batch->uids), batch->uids->len);
}

uint32_t imap_sync_batch_new(SyncBatch *batch)
{
    put_in_order(batch->told);
    return batch->told->len;
}

/* The lowest new UID that was seen and not told; 0: there is none. */
static uint32_t first_left(SyncBatch *batch)
{
    const uint32_t *uids = elements(batch->uids), *told = elements(batch->told);
    guint t = 0;

    for (guint i = 0; i < batch->uids->len; i++) {
        if (uids[i] < batch->first_new)
            continue;
        while (t < batch->told->len && told[t] < uids[i])
            t++;
        if (t == batch->told->len || told[t] != uids[i])
            return uids[i];
    }
    return 0;
}

uint32_t imap_sync_batch_uidnext(SyncBatch *batch, uint32_t told)
{
    uint32_t next = MAX(told, 1), left, highest = 0;

    put_in_order(batch->uids);
    put_in_order(batch->told);
    if (batch->uids->len)
        highest = elements(batch->uids)[batch->uids->len - 1];
    if (highest >= next)
        next = highest < UINT32_MAX ? highest + 1 : highest;
    left = first_left(batch);
    return left ? MIN(left, next) : next;
}

bool imap_sync_batch_is_flooded(const SyncBatch *batch)
{
    return batch->flooded;
}
