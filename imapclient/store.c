#include "store.h"

#include "pool.h"

typedef struct {
    MailStore store;
    ImapPool *pool;
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

static const ImapOpClass connect_class = {connect_start, imap_op_free};

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

static void store_cancel(MailStore *store, MailOp *op)
{
    imap_pool_cancel(pool_of(store), op);
}

static unsigned store_features(MailStore *store)
{
    (void)store;
    return MAIL_STORE_FOLDERS | MAIL_STORE_RANGES | MAIL_STORE_FLAGS;
}

static bool store_quota(MailStore *store, MailQuota *quota)
{
    return imap_pool_quota(pool_of(store), quota);
}

static void store_describe(MailStore *store, GString *text)
{
    imap_pool_describe(pool_of(store), text);
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
    .cancel = store_cancel,
    .features = store_features,
    .quota = store_quota,
    .describe = store_describe,
    .close = store_close,
    .free = store_free,
};

MailStore *imap_store_new(const ImapConfig *config)
{
    ImapStore *imap = g_new0(ImapStore, 1);

    imap->store.klass = &imap_class;
    imap->pool = imap_pool_new(config);
    return &imap->store;
}
