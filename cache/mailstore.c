#include "mailstore.h"

MailOp *mail_store_connect(MailStore *store, MailDone done, gpointer data)
{
    return store->klass->connect(store, done, data);
}

MailOp *mail_store_list(MailStore *store, MailFolderSink sink, MailDone done, gpointer data)
{
    return store->klass->list(store, sink, done, data);
}

MailOp *mail_store_sync(MailStore *store, const char *folder, const MailFolderState *known,
                        const MailSyncSink *sink, MailDone done, gpointer data)
{
    return store->klass->sync(store, folder, known, sink, done, data);
}

MailOp *mail_store_fetch(MailStore *store, const MailFetch *fetch, MailFetchSink sink,
                         MailDone done, gpointer data)
{
    return store->klass->fetch(store, fetch, sink, done, data);
}

MailOp *mail_store_remove(MailStore *store, const MailRemove *remove, MailRemovedSink removed,
                          MailDone done, gpointer data)
{
    return store->klass->remove(store, remove, removed, done, data);
}

void mail_store_cancel(MailStore *store, MailOp *op)
{
    store->klass->cancel(store, op);
}

unsigned mail_store_features(MailStore *store)
{
    return store->klass->features(store);
}

bool mail_store_quota(MailStore *store, MailQuota *quota)
{
    return store->klass->quota(store, quota);
}

void mail_store_describe(MailStore *store, GString *text)
{
    store->klass->describe(store, text);
}

void mail_store_watch_link(MailStore *store, MailDone told, gpointer data)
{
    store->klass->watch_link(store, told, data);
}

void mail_store_close(MailStore *store, MailDone done, gpointer data)
{
    store->klass->close(store, done, data);
}

void mail_store_free(MailStore *store)
{
    if (store)
        store->klass->free(store);
}

/* --- changing ------------------------------------------------------------------------------ */

MailOp *mail_store_mark(MailStore *store, const MailRemove *remove, MailRemovedSink marked,
                        MailDone done, gpointer data)
{
    return store->klass->change->mark(store, remove, marked, done, data);
}

MailOp *mail_store_expunge(MailStore *store, const MailRemove *remove, MailRemovedSink removed,
                           MailDone done, gpointer data)
{
    return store->klass->change->expunge(store, remove, removed, done, data);
}

MailOp *mail_store_copy(MailStore *store, const MailCopy *copy, const MailCopySink *sink,
                        MailDone done, gpointer data)
{
    return store->klass->change->copy(store, copy, sink, done, data);
}

MailOp *mail_store_move(MailStore *store, const MailCopy *copy, const MailCopySink *sink,
                        MailDone done, gpointer data)
{
    return store->klass->change->move(store, copy, sink, done, data);
}

MailOp *mail_store_append(MailStore *store, const MailAppend *append, const MailAppendSink *sink,
                          MailDone done, gpointer data)
{
    return store->klass->change->append(store, append, sink, done, data);
}

MailOp *mail_store_find(MailStore *store, const MailFind *find, MailFoundSink found, MailDone done,
                        gpointer data)
{
    return store->klass->change->find(store, find, found, done, data);
}

MailOp *mail_store_flags(MailStore *store, const MailFlags *flags, const MailFlagsSink *sink,
                         MailDone done, gpointer data)
{
    return store->klass->change->flags(store, flags, sink, done, data);
}

MailOp *mail_store_create(MailStore *store, const char *parent, const char *level,
                          MailFolderSink made, MailDone done, gpointer data)
{
    return store->klass->change->create(store, parent, level, made, done, data);
}

MailOp *mail_store_delete(MailStore *store, const char *folder, MailDone done, gpointer data)
{
    return store->klass->change->delete (store, folder, done, data);
}

MailOp *mail_store_rename(MailStore *store, const char *folder, const char *parent,
                          const char *level, MailFolderSink made, MailDone done, gpointer data)
{
    return store->klass->change->rename(store, folder, parent, level, made, done, data);
}

/* --- watching ------------------------------------------------------------------------------ */

void mail_store_watch(MailStore *store, const char *const *folders, const MailWatchSink *sink,
                      gpointer data)
{
    store->klass->watch->watch(store, folders, sink, data);
}

bool mail_store_watches(MailStore *store, const char *folder)
{
    return store->klass->watch->watches(store, folder);
}

MailOp *mail_store_states(MailStore *store, const char *const *folders, MailStateSink sink,
                          MailDone done, gpointer data)
{
    return store->klass->watch->states(store, folders, sink, done, data);
}
