/*
 * fake_store.h: a MailStore that speaks to a FakeServer.
 *
 * It belongs to the engine thread. Answers come from the engine's context, never from within the
 * call that asked; while the server is held none come at all.
 */
#pragma once

#include "fake_watch.h"

/* --- running them -------------------------------------------------------------------------------
 */

static gboolean fake_run(gpointer data)
{
    FakeOp *op = data;
    FakeServer *server = op->store->server;
    g_autoptr(GError) error = NULL;
    fake_lock(server);
    if (server->held || server->stalled[op->kind]) {
        fake_unlock(server);
        return G_SOURCE_CONTINUE;
    }
    if (!op->begun)
        error = fake_failure(op);
    if (!error && fake_pauses(op, &error)) {
        fake_unlock(server);
        return G_SOURCE_CONTINUE;
    }
    if (!error && op->kind == FAKE_LIST)
        error = fake_run_list(op);
    else if (!error && op->kind == FAKE_SYNC)
        error = fake_run_sync(op);
    else if (!error && op->kind == FAKE_FETCH)
        error = fake_run_fetch(op);
    else if (!error && op->kind == FAKE_FLAGS)
        error = fake_run_flags(op);
    else if (!error && op->kind >= FAKE_APPEND && op->kind <= FAKE_FIND)
        error = fake_run_coming(op);
    else if (!error && op->kind == FAKE_STATES)
        error = fake_run_states(op);
    else if (!error && op->kind >= FAKE_CREATE)
        error = fake_run_folder(op);
    else if (!error && op->kind != FAKE_CONNECT)
        error = fake_run_change(op);
    fake_unlock(server);
    g_queue_remove(&op->store->pending, op);
    op->done(op->data, error);
    fake_op_free(op);
    return G_SOURCE_REMOVE;
}

static MailOp *fake_begin(MailStore *store, FakeKind kind, MailDone done, gpointer data,
                          FakeOp **made)
{
    FakeOp *op = g_new0(FakeOp, 1);
    op->store = (FakeStore *)store;
    op->kind = kind;
    op->done = done;
    op->data = data;
    op->source = g_timeout_source_new(FAKE_MILLIS);
    g_source_set_callback(op->source, fake_run, op, NULL);
    g_source_attach(op->source, g_main_context_get_thread_default());
    g_queue_push_tail(&op->store->pending, op);
    *made = op;
    return (MailOp *)op;
}

static void fake_note_start(FakeServer *server, FakeKind kind)
{
    fake_lock(server);
    server->started[kind]++;
    fake_unlock(server);
}

static MailOp *fake_connect(MailStore *store, MailDone done, gpointer data)
{
    FakeOp *op;
    MailOp *begun = fake_begin(store, FAKE_CONNECT, done, data, &op);
    fake_note_start(op->store->server, FAKE_CONNECT);
    return begun;
}

static void fake_watch_link(MailStore *base, MailDone told, gpointer data)
{
    FakeStore *store = (FakeStore *)base;
    store->told = told;
    store->told_data = data;
}

static MailOp *fake_list(MailStore *store, MailFolderSink sink, MailDone done, gpointer data)
{
    FakeOp *op;
    MailOp *begun = fake_begin(store, FAKE_LIST, done, data, &op);
    op->folder_sink = sink;
    fake_lock(op->store->server);
    if (op->store->server->stalled[FAKE_LIST])
        op->listed = fake_folder_names(op->store->server);
    fake_unlock(op->store->server);
    fake_note_start(op->store->server, FAKE_LIST);
    return begun;
}

static MailOp *fake_states(MailStore *store, const char *const *folders, MailStateSink sink,
                           MailDone done, gpointer data)
{
    FakeOp *op;
    MailOp *begun = fake_begin(store, FAKE_STATES, done, data, &op);
    op->state_sink = sink;
    op->listed = g_ptr_array_new_with_free_func(g_free);
    for (; *folders; folders++)
        g_ptr_array_add(op->listed, g_strdup(*folders));
    fake_note_start(op->store->server, FAKE_STATES);
    return begun;
}

static MailOp *fake_sync(MailStore *store, const char *folder, const MailFolderState *known,
                         const MailSyncSink *sink, MailDone done, gpointer data)
{
    FakeOp *op;
    MailOp *begun = fake_begin(store, FAKE_SYNC, done, data, &op);
    op->folder = g_strdup(folder);
    op->known = *known;
    op->sync_sink = sink;
    fake_note_start(op->store->server, FAKE_SYNC);
    return begun;
}

static MailOp *fake_fetch(MailStore *store, const MailFetch *fetch, MailFetchSink sink,
                          MailDone done, gpointer data)
{
    FakeOp *op;
    MailOp *begun = fake_begin(store, FAKE_FETCH, done, data, &op);
    op->folder = g_strdup(fetch->folder);
    op->uidvalidity = fetch->uidvalidity;
    op->uids = g_memdup2(fetch->uids, fetch->n_uids * sizeof *fetch->uids);
    op->n_uids = fetch->n_uids;
    op->ranges = g_memdup2(fetch->ranges, fetch->n_ranges * sizeof *fetch->ranges);
    op->n_ranges = fetch->n_ranges;
    op->limit = fetch->limit;
    op->fetch_sink = sink;
    fake_lock(op->store->server);
    for (size_t u = 0; u < fetch->n_uids; u++) {
        for (size_t i = 0; i < fetch->n_ranges; i++) {
            FakeAsk ask = {fetch->uids[u], fetch->ranges[i]};
            g_array_append_val(op->store->server->asked, ask);
        }
    }
    op->store->server->ahead += fetch->ahead;
    fake_unlock(op->store->server);
    fake_note_start(op->store->server, FAKE_FETCH);
    return begun;
}

static FakeOp *fake_begin_change(MailStore *store, FakeKind kind, const MailRemove *what,
                                 MailRemovedSink sink, MailDone done, gpointer data)
{
    FakeOp *op;
    fake_begin(store, kind, done, data, &op);
    op->folder = g_strdup(what->folder);
    op->uidvalidity = what->uidvalidity;
    op->uids = g_memdup2(what->uids, what->n_uids * sizeof *what->uids);
    op->n_uids = what->n_uids;
    op->removed_sink = sink;
    fake_note_start(op->store->server, kind);
    return op;
}

static MailOp *fake_remove_messages(MailStore *store, const MailRemove *what, MailRemovedSink sink,
                                    MailDone done, gpointer data)
{
    return (MailOp *)fake_begin_change(store, FAKE_REMOVE, what, sink, done, data);
}

static MailOp *fake_mark(MailStore *store, const MailRemove *what, MailRemovedSink sink,
                         MailDone done, gpointer data)
{
    return (MailOp *)fake_begin_change(store, FAKE_MARK, what, sink, done, data);
}

static MailOp *fake_expunge(MailStore *store, const MailRemove *what, MailRemovedSink sink,
                            MailDone done, gpointer data)
{
    return (MailOp *)fake_begin_change(store, FAKE_EXPUNGE, what, sink, done, data);
}

static MailOp *fake_move(MailStore *store, const MailCopy *what, const MailCopySink *sink,
                         MailDone done, gpointer data)
{
    const MailRemove from = {what->folder, what->uidvalidity, what->uids, what->n_uids};
    FakeOp *op = fake_begin_change(store, FAKE_MOVE, &from, NULL, done, data);
    op->target = g_strdup(what->target);
    op->copy_sink = sink;
    return (MailOp *)op;
}

static MailOp *fake_copy(MailStore *store, const MailCopy *what, const MailCopySink *sink,
                         MailDone done, gpointer data)
{
    const MailRemove from = {what->folder, what->uidvalidity, what->uids, what->n_uids};
    FakeOp *op = fake_begin_change(store, FAKE_COPY, &from, NULL, done, data);
    op->target = g_strdup(what->target);
    op->copy_sink = sink;
    return (MailOp *)op;
}

static MailOp *fake_append(MailStore *store, const MailAppend *append, const MailAppendSink *sink,
                           MailDone done, gpointer data)
{
    FakeOp *op;
    fake_begin(store, FAKE_APPEND, done, data, &op);
    op->folder = g_strdup(append->folder);
    op->body = fake_read_file(append->fd, append->size);
    op->date = append->date;
    op->replaces = append->replaces;
    op->uidvalidity = append->replaces ? append->uidvalidity : 0;
    op->append_sink = sink;
    fake_note_start(op->store->server, FAKE_APPEND);
    return (MailOp *)op;
}

static MailOp *fake_find_message(MailStore *store, const MailFind *find, MailFoundSink found,
                                 MailDone done, gpointer data)
{
    FakeOp *op;
    fake_begin(store, FAKE_FIND, done, data, &op);
    op->folder = g_strdup(find->folder);
    op->uidvalidity = find->uidvalidity;
    op->first = find->first;
    op->message_id = g_strdup(find->message_id);
    op->found_sink = found;
    fake_note_start(op->store->server, FAKE_FIND);
    return (MailOp *)op;
}

static MailOp *fake_flags(MailStore *store, const MailFlags *flags, const MailFlagsSink *sink,
                          MailDone done, gpointer data)
{
    const MailRemove of = {flags->folder, flags->uidvalidity, flags->uids, flags->n_uids};
    FakeOp *op = fake_begin_change(store, FAKE_FLAGS, &of, NULL, done, data);
    op->names = g_strdup(flags->flags);
    op->flags = *flags;
    op->flags.flags = op->names;
    op->flags.uids = op->uids;
    op->flags.folder = op->folder;
    op->flags_sink = sink;
    return (MailOp *)op;
}

static MailOp *fake_rename(MailStore *store, const char *folder, const char *parent,
                           const char *level, MailFolderSink made, MailDone done, gpointer data)
{
    FakeKind kind = !folder ? FAKE_CREATE : level ? FAKE_RENAME : FAKE_DELETE;
    FakeOp *op;
    fake_begin(store, kind, done, data, &op);
    op->folder = g_strdup(folder);
    op->target = g_strdup(parent);
    op->level = g_strdup(level);
    op->folder_sink = made;
    fake_note_start(op->store->server, kind);
    return (MailOp *)op;
}

static MailOp *fake_create(MailStore *store, const char *parent, const char *level,
                           MailFolderSink made, MailDone done, gpointer data)
{
    return fake_rename(store, NULL, parent, level, made, done, data);
}

static MailOp *fake_delete(MailStore *store, const char *folder, MailDone done, gpointer data)
{
    return fake_rename(store, folder, NULL, NULL, NULL, done, data);
}

static void fake_cancel(MailStore *store, MailOp *op)
{
    g_queue_remove(&((FakeStore *)store)->pending, op);
    fake_op_free((FakeOp *)op);
}

static unsigned fake_features(MailStore *store)
{
    const FakeServer *server = ((FakeStore *)store)->server;
    if (server->named)
        return MAIL_STORE_WHOLE | MAIL_STORE_REMOVE | MAIL_STORE_NAMES;
    return MAIL_STORE_FOLDERS | MAIL_STORE_RANGES | MAIL_STORE_FLAGS | server->changes |
           (server->watches ? MAIL_STORE_WATCH : 0);
}

static bool fake_quota(MailStore *store, MailQuota *quota)
{
    FakeServer *server = ((FakeStore *)store)->server;
    fake_lock(server);
    *quota = server->quota;
    bool have = server->have_quota;
    fake_unlock(server);
    return have;
}

static void fake_describe(MailStore *store, GString *text)
{
    (void)store;
    g_string_append(text, "server: fake\n");
}

static gboolean fake_close_now(gpointer data)
{
    FakeStore *store = data;
    g_autoptr(GError) error = g_error_new(MAIL_ERROR, ECANCELED, "the store was closed");
    for (FakeOp *op; (op = g_queue_pop_head(&store->pending));) {
        op->done(op->data, error);
        fake_op_free(op);
    }
    store->closed(store->closed_data, NULL);
    return G_SOURCE_REMOVE;
}

static void fake_close(MailStore *base, MailDone done, gpointer data)
{
    FakeStore *store = (FakeStore *)base;
    g_autoptr(GSource) source = g_idle_source_new();
    store->closed = done;
    store->closed_data = data;
    g_source_set_callback(source, fake_close_now, store, NULL);
    g_source_attach(source, g_main_context_get_thread_default());
}

static void fake_free(MailStore *base)
{
    FakeStore *store = (FakeStore *)base;
    for (FakeOp *op; (op = g_queue_pop_head(&store->pending));)
        fake_op_free(op);
    g_free(store);
}

static const MailChangeClass fake_change_class = {
    .mark = fake_mark,
    .expunge = fake_expunge,
    .move = fake_move,
    .copy = fake_copy,
    .append = fake_append,
    .find = fake_find_message,
    .flags = fake_flags,
    .create = fake_create,
    .delete = fake_delete,
    .rename = fake_rename,
};

static const MailWatchClass fake_watch_class = {
    .watch = fake_watch,
    .watches = fake_watches,
    .states = fake_states,
};

static const MailStoreClass fake_class = {
    .connect = fake_connect,
    .list = fake_list,
    .sync = fake_sync,
    .fetch = fake_fetch,
    .remove = fake_remove_messages,
    .cancel = fake_cancel,
    .features = fake_features,
    .quota = fake_quota,
    .describe = fake_describe,
    .watch_link = fake_watch_link,
    .close = fake_close,
    .free = fake_free,
    .change = &fake_change_class,
    .watch = &fake_watch_class,
};

/* The mount frees it. */
static G_GNUC_UNUSED MailStore *fake_store_new(FakeServer *server)
{
    FakeStore *store = g_new0(FakeStore, 1);
    store->store.klass = &fake_class;
    store->server = server;
    g_queue_init(&store->pending);
    return &store->store;
}
