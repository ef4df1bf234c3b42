#include "maildrop.h"

#include <errno.h>

typedef struct {
    Pop3Op op;
    MailSyncSink sink;
    MailFolderState known;
    GError *refusal;
} SyncOp;

/* Whether something of the message is new to who syncs. */
static bool is_news(const SyncOp *sync, uint32_t uid, const Pop3Entry *entry)
{
    GHashTable *known = pop3_maildrop_known(sync->op.maildrop);
    const Pop3Known *one = known ? g_hash_table_lookup(known, GUINT_TO_POINTER(uid)) : NULL;

    return sync->known.uidvalidity != POP3_UIDVALIDITY || !sync->known.uidnext || !one ||
           one->size != entry->size;
}

static void tell(const SyncOp *sync, uint32_t uid, const Pop3Entry *entry)
{
    MailMessage message = {
        .uid = uid,
        .has = MAIL_HAS_SIZE,
        .size = entry->size,
        .name = entry->name,
    };

    if (is_news(sync, uid, entry))
        sync->sink.messages(sync->op.data, &message, 1);
}

static void tell_all(const SyncOp *sync, GArray *uids)
{
    g_array_sort(uids, mail_compare_uids);
    uint32_t last = uids->len ? g_array_index(uids, uint32_t, uids->len - 1) : 0;
    MailFolderState state = {
        .uidvalidity = POP3_UIDVALIDITY,
        .uidnext = last < UINT32_MAX ? last + 1 : last,
        .count = uids->len,
    };

    sync->sink.present(sync->op.data, (const uint32_t *)(void *)uids->data, uids->len);
    sync->sink.state(sync->op.data, &state);
}

/* What the session lists, message by message. False where one can't be given a UID. */
static bool take_listing(const SyncOp *sync, GHashTable *known, GArray *uids)
{
    const Pop3Listing *listing = pop3_session_listing(sync->op.session);

    for (guint i = 0; i < pop3_listing_count(listing); i++) {
        const Pop3Entry *entry = pop3_listing_entry(listing, i);
        uint32_t uid = sync->sink.identify(sync->op.data, entry->name, entry->which);
        if (!uid)
            return false;
        tell(sync, uid, entry);
        pop3_known_add(known, uid, listing, entry);
        g_array_append_val(uids, uid);
    }
    return true;
}

static void sync_start(Pop3Op *op)
{
    SyncOp *sync = (SyncOp *)op;
    g_autoptr(GHashTable) known = pop3_known_new();
    g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(uint32_t));

    if (sync->refusal) {
        pop3_op_finish(op, g_steal_pointer(&sync->refusal));
        return;
    }
    op->told = true;
    if (sync->known.uidvalidity != POP3_UIDVALIDITY)
        sync->sink.reset(op->data, POP3_UIDVALIDITY);
    if (!take_listing(sync, known, uids)) {
        pop3_op_finish(op, g_error_new(MAIL_ERROR, ENOSPC,
                                       "listing " POP3_FOLDER ": no UID is left for a message"));
        return;
    }
    tell_all(sync, uids);
    pop3_maildrop_learn(op->maildrop, g_steal_pointer(&known));
    pop3_op_finish(op, NULL);
}

static void sync_free(Pop3Op *op)
{
    g_clear_error(&((SyncOp *)op)->refusal);
    pop3_op_free(op);
}

static const Pop3OpClass sync_class = {sync_start, NULL, sync_free};

Pop3Op *pop3_sync_new(const char *folder, const MailFolderState *known, const MailSyncSink *sink,
                      MailDone done, gpointer data)
{
    Pop3Op *op = pop3_op_new(sizeof(SyncOp), &sync_class, POP3_LISTED_SIZES, done, data);
    SyncOp *sync = (SyncOp *)op;

    op->sync = true;
    sync->sink = *sink;
    sync->known = *known;
    sync->refusal = pop3_op_check_folder(folder, POP3_UIDVALIDITY);
    if (!sync->refusal && !sink->identify)
        sync->refusal = g_error_new(MAIL_ERROR, ENOTSUP, "nobody gives the messages UIDs");
    op->offline = sync->refusal != NULL;
    return op;
}
