#include "store.h"

#include "pool.h"

#include <errno.h>

typedef struct {
    MailStore store;
    ImapPool *pool;
    bool read_only;
} ImapStore;

static ImapPool *pool_of(MailStore *store)
{
    return ((ImapStore *)store)->pool;
}

static MailOp *submit(MailStore *store, MailOp *op)
{
    imap_pool_submit(pool_of(store), op);
    return op;
}

/* --- connecting: done as soon as there is a session to run it on ----------------------------- */

static void connect_start(MailOp *op)
{
    imap_op_finish(op, NULL);
}

static const ImapOpClass connect_class = {.start = connect_start, .free = imap_op_free};

static MailOp *store_connect(MailStore *store, MailDone done, gpointer data)
{
    return submit(store, imap_op_new(sizeof(MailOp), &connect_class, NULL, done, data));
}

/* --- the others --------------------------------------------------------------------------------
 */

static MailOp *store_list(MailStore *store, MailFolderSink sink, MailDone done, gpointer data)
{
    return submit(store, imap_list_new(sink, done, data));
}

static MailOp *store_sync(MailStore *store, const char *folder, const MailFolderState *known,
                          const MailSyncSink *sink, MailDone done, gpointer data)
{
    return submit(store, imap_sync_new(folder, known, sink, done, data));
}

static MailOp *store_fetch(MailStore *store, const MailFetch *fetch, MailFetchSink sink,
                           MailDone done, gpointer data)
{
    return submit(store, imap_fetch_new(fetch, sink, done, data));
}

/* --- changing ----------------------------------------------------------------------------------
 */

/* What changes something is refused before anything is sent where the mount is read-only. */
static MailOp *submit_change(MailStore *store, MailOp *op)
{
    if (((ImapStore *)store)->read_only) {
        g_clear_error(&op->refusal);
        op->refusal = g_error_new(MAIL_ERROR, EROFS, "nothing is changed: the mount is read-only");
    }
    return submit(store, op);
}

static MailOp *store_remove(MailStore *store, const MailRemove *remove, MailRemovedSink removed,
                            MailDone done, gpointer data)
{
    return submit_change(store, imap_remove_new(remove, removed, done, data));
}

static MailOp *store_mark(MailStore *store, const MailRemove *remove, MailRemovedSink marked,
                          MailDone done, gpointer data)
{
    return submit_change(store, imap_mark_new(remove, marked, done, data));
}

static MailOp *store_expunge(MailStore *store, const MailRemove *remove, MailRemovedSink removed,
                             MailDone done, gpointer data)
{
    return submit_change(store, imap_expunge_new(remove, removed, done, data));
}

static MailOp *store_append(MailStore *store, const MailAppend *append, const MailAppendSink *sink,
                            MailDone done, gpointer data)
{
    return submit_change(store, imap_append_new(append, sink, done, data));
}

static MailOp *store_find(MailStore *store, const MailFind *find, MailFoundSink found,
                          MailDone done, gpointer data)
{
    return submit_change(store, imap_find_new(find, found, done, data));
}

static MailOp *store_copy(MailStore *store, const MailCopy *copy, const MailCopySink *sink,
                          MailDone done, gpointer data)
{
    return submit_change(store, imap_copy_new(copy, false, sink, done, data));
}

static MailOp *store_move(MailStore *store, const MailCopy *copy, const MailCopySink *sink,
                          MailDone done, gpointer data)
{
    return submit_change(store, imap_copy_new(copy, true, sink, done, data));
}

static MailOp *store_flags(MailStore *store, const MailFlags *flags, const MailFlagsSink *sink,
                           MailDone done, gpointer data)
{
    return submit_change(store, imap_flags_new(flags, sink, done, data));
}

static MailOp *store_create(MailStore *store, const char *parent, const char *level,
                            MailFolderSink made, MailDone done, gpointer data)
{
    return submit_change(store, imap_create_new(parent, level, made, done, data));
}

static MailOp *store_delete(MailStore *store, const char *folder, MailDone done, gpointer data)
{
    return submit_change(store, imap_delete_new(folder, done, data));
}

static MailOp *store_rename(MailStore *store, const char *folder, const char *parent,
                            const char *level, MailFolderSink made, MailDone done, gpointer data)
{
    return submit_change(store, imap_rename_new(folder, parent, level, made, done, data));
}

static const MailChangeClass change_class = {
    .mark = store_mark,
    .expunge = store_expunge,
    .copy = store_copy,
    .move = store_move,
    .append = store_append,
    .find = store_find,
    .flags = store_flags,
    .create = store_create,
    .delete = store_delete,
    .rename = store_rename,
};

/* --- watching ------------------------------------------------------------------------------ */

static void store_watch(MailStore *store, const char *const *folders, const MailWatchSink *sink,
                        gpointer data)
{
    imap_pool_watch(pool_of(store), folders, sink, data);
}

static bool store_watches(MailStore *store, const char *folder)
{
    return imap_pool_watches(pool_of(store), folder);
}

static MailOp *store_states(MailStore *store, const char *const *folders, MailStateSink sink,
                            MailDone done, gpointer data)
{
    return submit(store, imap_states_new(folders, sink, done, data));
}

static const MailWatchClass watch_class = {
    .watch = store_watch,
    .watches = store_watches,
    .states = store_states,
};

/* --- the store ---------------------------------------------------------------------------------
 */

static void store_cancel(MailStore *store, MailOp *op)
{
    imap_pool_cancel(pool_of(store), op);
}

static unsigned store_features(MailStore *store)
{
    unsigned caps = imap_pool_capabilities(pool_of(store));
    unsigned features = MAIL_STORE_FOLDERS | MAIL_STORE_RANGES | MAIL_STORE_FLAGS |
                        MAIL_STORE_WATCH;

    if (!caps || ((ImapStore *)store)->read_only)
        return features;
    features |= MAIL_STORE_CHANGES | MAIL_STORE_MAKES;
    if (caps & IMAP_CAP_UIDPLUS)
        features |= MAIL_STORE_REMOVE | MAIL_STORE_NEW_UIDS;
    if (caps & IMAP_CAP_MOVE)
        features |= MAIL_STORE_MOVES;
    if (caps & IMAP_CAP_REPLACE)
        features |= MAIL_STORE_REPLACES;
    return features;
}

static bool store_quota(MailStore *store, MailQuota *quota)
{
    return imap_pool_quota(pool_of(store), quota);
}

static void store_describe(MailStore *store, GString *text)
{
    imap_pool_describe(pool_of(store), text);
}

static void store_watch_link(MailStore *store, MailDone told, gpointer data)
{
    imap_pool_watch_link(pool_of(store), told, data);
}

static void store_close(MailStore *store, MailDone done, gpointer data)
{
    imap_pool_close(pool_of(store), done, data);
}

static void store_free(MailStore *store)
{
    imap_pool_free(pool_of(store));
    g_free(store);
}

static const MailStoreClass imap_class = {
    .connect = store_connect,
    .list = store_list,
    .sync = store_sync,
    .fetch = store_fetch,
    .remove = store_remove,
    .cancel = store_cancel,
    .features = store_features,
    .quota = store_quota,
    .describe = store_describe,
    .watch_link = store_watch_link,
    .close = store_close,
    .free = store_free,
    .change = &change_class,
    .watch = &watch_class,
};

MailStore *imap_store_new(const ImapConfig *config)
{
    ImapStore *imap = g_new0(ImapStore, 1);

    imap->store.klass = &imap_class;
    imap->read_only = config->read_only;
    imap->pool = imap_pool_new(config);
    return &imap->store;
}
