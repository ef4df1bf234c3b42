#include "store.h"

#include "maildrop.h"

typedef struct {
    MailStore store;
    Pop3Maildrop *maildrop;
    bool read_only;
} Pop3Store;

static Pop3Maildrop *maildrop_of(MailStore *store)
{
    return ((Pop3Store *)store)->maildrop;
}

static MailOp *submit(MailStore *store, Pop3Op *op)
{
    pop3_maildrop_submit(maildrop_of(store), op);
    return (MailOp *)op;
}

static MailOp *store_connect(MailStore *store, MailDone done, gpointer data)
{
    return submit(store, pop3_connect_new(done, data));
}

static MailOp *store_list(MailStore *store, MailFolderSink sink, MailDone done, gpointer data)
{
    return submit(store, pop3_list_new(sink, done, data));
}

static MailOp *store_sync(MailStore *store, const char *folder, const MailFolderState *known,
                          const MailSyncSink *sink, MailDone done, gpointer data)
{
    return submit(store, pop3_sync_new(folder, known, sink, done, data));
}

static MailOp *store_fetch(MailStore *store, const MailFetch *fetch, MailFetchSink sink,
                           MailDone done, gpointer data)
{
    return submit(store, pop3_fetch_new(fetch, sink, done, data));
}

static MailOp *store_remove(MailStore *store, const MailRemove *remove, MailRemovedSink sink,
                            MailDone done, gpointer data)
{
    return submit(store,
                  pop3_remove_new(remove, ((Pop3Store *)store)->read_only, sink, done, data));
}

static void store_cancel(MailStore *store, MailOp *op)
{
    pop3_maildrop_cancel(maildrop_of(store), (Pop3Op *)op);
}

static unsigned store_features(MailStore *store)
{
    (void)store;
    return MAIL_STORE_WHOLE | MAIL_STORE_REMOVE | MAIL_STORE_NAMES;
}

static bool store_quota(MailStore *store, MailQuota *quota)
{
    (void)store;
    *quota = (MailQuota){0};
    return false;
}

static void store_describe(MailStore *store, GString *text)
{
    pop3_maildrop_describe(maildrop_of(store), text);
}

static void store_watch_link(MailStore *store, MailDone told, gpointer data)
{
    pop3_maildrop_watch_link(maildrop_of(store), told, data);
}

static void store_close(MailStore *store, MailDone done, gpointer data)
{
    pop3_maildrop_close(maildrop_of(store), done, data);
}

static void store_free(MailStore *store)
{
    pop3_maildrop_free(maildrop_of(store));
    g_free(store);
}

static const MailStoreClass pop3_class = {
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
};

MailStore *pop3_store_new(const Pop3Config *config)
{
    Pop3Store *pop3 = g_new0(Pop3Store, 1);

    pop3->store.klass = &pop3_class;
    pop3->read_only = config->read_only;
    pop3->maildrop = pop3_maildrop_new(config);
    return &pop3->store;
}
