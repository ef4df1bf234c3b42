/*
 * fake_op.h: the operations of a FakeStore, and what a FakeServer makes of each.
 *
 * fake_store.h's own.
 */
#pragma once

#include "fake_append.h"
#include "fake_folders.h"
#include "fake_named.h"

typedef struct {
    MailStore store;
    FakeServer *server;
    GQueue pending; /* FakeOp */
    MailDone closed;
    gpointer closed_data;
    MailDone told; /* of mail_store_watch_link */
    gpointer told_data;
} FakeStore;

typedef struct {
    FakeStore *store;
    FakeKind kind;
    char *folder;
    MailFolderState known;
    const MailSyncSink *sync_sink;
    MailFolderSink folder_sink;
    MailFetchSink fetch_sink;
    MailRemovedSink removed_sink;
    const MailCopySink *copy_sink;
    const MailFlagsSink *flags_sink;
    const MailAppendSink *append_sink;
    MailFoundSink found_sink;
    GBytes *body; /* of an append */
    uint32_t replaces;
    int64_t date;
    uint32_t first;   /* of a find, */
    char *message_id; /* and what it looks for */
    MailStateSink state_sink;
    MailFlags flags;
    char *names;          /* of flags */
    char *target, *level; /* level: of a folder's new name, whose parent is the target */
    GPtrArray *listed;    /* names of folders: of a list, or whose states are asked for */
    uint32_t uidvalidity;
    uint32_t *uids;
    size_t n_uids;
    uint32_t told; /* the last message's UID, of a first listing */
    bool begun;
    MailRange *ranges;
    size_t n_ranges;
    uint64_t limit;
    MailDone done;
    gpointer data;
    GSource *source;
} FakeOp;

/* --- the store: operations ---------------------------------------------------------------------
 */

static inline void fake_op_free(FakeOp *op)
{
    if (op->source) {
        g_source_destroy(op->source);
        g_source_unref(op->source);
    }
    g_free(op->folder);
    g_free(op->target);
    g_free(op->level);
    g_free(op->names);
    g_free(op->message_id);
    g_clear_pointer(&op->body, g_bytes_unref);
    g_clear_pointer(&op->listed, g_ptr_array_unref);
    g_free(op->uids);
    g_free(op->ranges);
    g_free(op);
}

static GError *fake_failure(FakeOp *op)
{
    FakeServer *server = op->store->server;
    if (server->good[op->kind]) {
        server->good[op->kind]--;
        return NULL;
    }
    if (!server->failures[op->kind])
        return NULL;
    server->failures[op->kind]--;
    return g_error_new(MAIL_ERROR, server->failure[op->kind], "the fake server fails");
}

static GError *fake_run_list(FakeOp *op)
{
    FakeServer *server = op->store->server;
    if (!op->listed)
        op->listed = fake_folder_names(server);
    for (guint i = 0; i < op->listed->len; i++) {
        const FakeFolder *folder = fake_find(server, op->listed->pdata[i]);
        MailFolderInfo info = {op->listed->pdata[i], '/', folder ? folder->attributes : 0};
        if (folder)
            info.delimiter = folder->delimiter;
        op->folder_sink(op->data, &info);
    }
    return NULL;
}

static void fake_tell_message(const FakeOp *op, const FakeMessage *message)
{
    MailMessage told = {.uid = message->uid,
                        .has = MAIL_HAS_SIZE | MAIL_HAS_DATE | MAIL_HAS_FLAGS,
                        .size = message->claimed,
                        .date = message->date,
                        .flags = message->flags};
    op->sync_sink->messages(op->data, &told, 1);
}

static void fake_tell_messages(const FakeOp *op, const FakeFolder *folder, uint64_t since)
{
    for (guint i = 0; i < folder->messages->len; i++) {
        const FakeMessage *message = folder->messages->pdata[i];
        if (message->modseq > since)
            fake_tell_message(op, message);
    }
}

static bool fake_is_first(const FakeOp *op, const FakeFolder *folder)
{
    return op->known.uidvalidity != folder->uidvalidity || !op->known.uidnext;
}

/* Tells of a first listing what is new, in ascending order, up to a UID. */
static void fake_tell_first(FakeOp *op, const FakeFolder *folder, uint32_t last)
{
    if (!op->begun && op->known.uidvalidity != folder->uidvalidity)
        op->sync_sink->reset(op->data, folder->uidvalidity);
    op->begun = true;
    for (guint i = 0; i < folder->messages->len; i++) {
        const FakeMessage *message = folder->messages->pdata[i];
        if (message->uid <= op->told || message->uid > last)
            continue;
        fake_tell_message(op, message);
        op->told = message->uid;
        op->sync_sink->reached(op->data, op->told);
    }
}

/* True: it pauses. *error is set where it breaks off. */
static bool fake_pauses(FakeOp *op, GError **error)
{
    FakeServer *server = op->store->server;
    const FakeFolder *folder = op->kind == FAKE_SYNC ? fake_find(server, op->folder) : NULL;
    if (!folder || !fake_is_first(op, folder))
        return false;
    if (server->listed_to)
        fake_tell_first(op, folder, server->listed_to);
    else if (op->begun && server->broken_listing)
        *error = g_error_new(MAIL_ERROR, server->broken_listing, "the listing broke off");
    return server->listed_to > 0;
}

static void fake_tell_present(const FakeOp *op, const FakeFolder *folder)
{
    g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    for (guint i = 0; i < folder->messages->len; i++)
        g_array_append_val(uids, ((FakeMessage *)folder->messages->pdata[i])->uid);
    op->sync_sink->present(op->data, (const uint32_t *)(void *)uids->data, uids->len);
}

static void fake_tell_changes(const FakeOp *op, const FakeFolder *folder)
{
    fake_tell_messages(op, folder, op->known.modseq);
    for (guint i = 0; i < folder->vanished->len; i++) {
        uint32_t uid = g_array_index(folder->vanished, uint32_t, i);
        MailUidRange range = {uid, uid};
        op->sync_sink->vanished(op->data, &range, 1);
    }
}

static GError *fake_run_sync(FakeOp *op)
{
    FakeServer *server = op->store->server;
    FakeFolder *folder = fake_find(server, op->folder);
    if (!folder)
        return g_error_new(MAIL_ERROR, ENOENT, "no folder \"%s\"", op->folder);
    if (server->named) {
        fake_tell_named(folder, &op->known, op->sync_sink, op->data);
        return NULL;
    }
    MailFolderState state = {folder->uidvalidity, folder->uidnext,
                             server->condstore ? folder->modseq : 0,
                             folder->messages->len + (unsigned)folder->miscount, false};
    if (folder->restored) {
        folder->restored = false;
        op->sync_sink->restored(op->data);
        op->known.uidnext = 0;
    }
    if (fake_is_first(op, folder)) {
        fake_tell_first(op, folder, UINT32_MAX);
        if (op->known.uidvalidity == folder->uidvalidity) {
            server->compared++;
            fake_tell_present(op, folder);
        }
    } else if (server->flags_later && op->known.flags_later) {
        fake_tell_messages(op, folder, op->known.uidnext);
        state.flags_later = true;
    } else if (server->condstore && op->known.modseq) {
        fake_tell_changes(op, folder);
    } else {
        server->compared++;
        fake_tell_messages(op, folder, 0);
        fake_tell_present(op, folder);
    }
    op->sync_sink->state(op->data, &state);
    return NULL;
}

static GBytes *fake_section(const FakeMessage *message, MailSection section)
{
    switch (section) {
    case MAIL_SECTION_HEADER:
        return message->header;
    case MAIL_SECTION_TEXT:
        return message->text;
    default:
        return message->body;
    }
}

static GBytes *fake_behind_cr(GBytes *whole, gsize offset, gsize length)
{
    GByteArray *bytes = g_byte_array_new();
    g_byte_array_append(bytes, (const guint8 *)"\r", 1);
    g_byte_array_append(bytes, (const guint8 *)g_bytes_get_data(whole, NULL) + offset,
                        (guint)length);
    return g_byte_array_free_to_bytes(bytes);
}

static GBytes *fake_stretch(const FakeServer *server, const FakeMessage *message,
                            const MailRange *range)
{
    GBytes *whole = fake_section(message, range->section);
    gsize size = g_bytes_get_size(whole);
    if (!range->length)
        return g_bytes_ref(whole);
    if (server->endless && range->section == MAIL_SECTION_BODY && range->offset < server->endless)
        return g_bytes_new_take(g_malloc0(range->length), range->length);
    if (range->offset >= size)
        return g_bytes_new(NULL, 0);
    gsize length = MIN(range->length, size - range->offset);
    if (server->surplus_cr && range->offset > 0 &&
        ((const char *)g_bytes_get_data(whole, NULL))[range->offset] == '\n')
        return fake_behind_cr(whole, range->offset, MIN(length, range->length - 1));
    return g_bytes_new_from_bytes(whole, range->offset, length);
}

static bool fake_answers(const FakeServer *server, MailSection section)
{
    return !(server->only_header && section == MAIL_SECTION_TEXT) &&
           !(server->only_text && section == MAIL_SECTION_HEADER);
}

static const FakeMessage *fake_message(const FakeFolder *folder, uint32_t uid)
{
    for (guint i = 0; i < folder->messages->len; i++)
        if (((FakeMessage *)folder->messages->pdata[i])->uid == uid)
            return folder->messages->pdata[i];
    return NULL;
}

static GError *fake_answer(FakeOp *op, uint32_t uid, const FakeMessage *message)
{
    FakeServer *server = op->store->server;
    if (!op->limit && message && !message->lost)
        return fake_tell_pieces(server, message, op->fetch_sink, op->data)
                   ? NULL
                   : g_error_new(MAIL_ERROR, ENOTCONN, "the connection broke");
    for (size_t i = 0; message && !message->lost && i < op->n_ranges; i++) {
        g_autoptr(GBytes) bytes = fake_stretch(server, message, &op->ranges[i]);
        if (!op->ranges[i].length && g_bytes_get_size(bytes) > op->limit)
            return g_error_new(MAIL_ERROR, EFBIG, "too long");
        if (fake_answers(server, op->ranges[i].section))
            op->fetch_sink(op->data, uid, &op->ranges[i], bytes);
        if (server->cut) {
            server->cut--;
            return g_error_new(MAIL_ERROR, ENOTCONN, "the connection broke");
        }
    }
    return NULL;
}

static GError *fake_run_fetch(FakeOp *op)
{
    FakeServer *server = op->store->server;
    const FakeFolder *folder = fake_find(server, op->folder);
    GError *error = NULL;
    if (!folder)
        return g_error_new(MAIL_ERROR, ENOENT, "no folder \"%s\"", op->folder);
    if (op->uidvalidity != folder->uidvalidity)
        return g_error_new(MAIL_ERROR, ESTALE, "another folder \"%s\"", op->folder);
    for (size_t i = 0; i < op->n_uids && !error; i++)
        error = fake_answer(op, op->uids[i],
                            server->named ? fake_given(folder, op->uids[i])
                                          : fake_message(folder, op->uids[i]));
    return error;
}

static void fake_note_removal(const FakeOp *op)
{
    GString *text = op->store->server->removals;
    if (op->kind == FAKE_MOVE)
        g_string_append_printf(text, ">%s:", op->target);
    else if (op->kind != FAKE_REMOVE)
        g_string_append_c(text, op->kind == FAKE_MARK ? 'm' : 'x');
    for (size_t i = 0; i < op->n_uids; i++)
        g_string_append_printf(text, "%s%u", i ? "," : "", op->uids[i]);
    g_string_append_c(text, ';');
}

/* remove, mark, expunge and move: all but a named server's remove see fake_change.h. */
static GError *fake_run_change(FakeOp *op)
{
    FakeServer *server = op->store->server;
    FakeFolder *folder = fake_find(server, op->folder);
    FakeFolder *target = op->target ? fake_find(server, op->target) : NULL;
    if (!folder || op->uidvalidity != folder->uidvalidity)
        return g_error_new(MAIL_ERROR, ESTALE, "another folder \"%s\"", op->folder);
    fake_note_removal(op);
    if (op->target && !target)
        return g_error_new(MAIL_ERROR, ENOENT, "no folder \"%s\"", op->target);
    if (op->kind == FAKE_REMOVE && server->named)
        fake_remove_all(folder, op->uids, op->n_uids, op->removed_sink, op->data);
    else if (op->kind == FAKE_REMOVE)
        fake_remove_some(folder, op->uids, op->n_uids, op->removed_sink, op->data);
    else if (op->kind == FAKE_MARK)
        fake_mark_some(folder, op->uids, op->n_uids, op->removed_sink, op->data);
    else if (op->kind == FAKE_MOVE)
        return fake_move_some(server, folder, target, op->uids, op->n_uids, op->copy_sink,
                              op->data);
    else
        return fake_expunge_some(server, folder, op->uids, op->n_uids);
    return NULL;
}

/* append, copy and find: see fake_append.h. */
static GError *fake_run_coming(FakeOp *op)
{
    FakeServer *server = op->store->server;
    FakeFolder *folder = fake_find(server, op->folder);
    FakeFolder *target = op->target ? fake_find(server, op->target) : NULL;
    if (!folder || (op->target && !target))
        return g_error_new(MAIL_ERROR, ENOENT, "no such folder");
    if (op->uidvalidity && op->uidvalidity != folder->uidvalidity)
        return g_error_new(MAIL_ERROR, ESTALE, "another folder \"%s\"", op->folder);
    if (op->kind == FAKE_APPEND)
        return fake_run_append(server, folder, op->body, op->date, op->replaces, op->append_sink,
                               op->data);
    if (op->kind == FAKE_COPY)
        return fake_run_copy(server, folder, target, op->uids[0], op->copy_sink, op->data);
    fake_run_find(folder, op->first, op->message_id, op->found_sink, op->data);
    return NULL;
}

static GError *fake_run_flags(FakeOp *op)
{
    FakeFolder *folder = fake_find(op->store->server, op->folder);
    if (!folder || op->uidvalidity != folder->uidvalidity)
        return g_error_new(MAIL_ERROR, folder ? ESTALE : ENOENT, "another folder");
    fake_change_flags(op->store->server, folder, &op->flags, op->flags_sink, op->data);
    return NULL;
}

/* create, delete and rename: see fake_folders.h. */
static GError *fake_run_folder(FakeOp *op)
{
    FakeServer *server = op->store->server;
    g_autofree char *name = fake_full_name(op->target, op->level);
    GError *error;
    if (op->kind == FAKE_DELETE)
        return fake_delete_folder(server, op->folder);
    error = op->kind == FAKE_CREATE ? fake_create_folder(server, op->target, name)
                                    : fake_rename_folder(server, op->folder, name);
    if (!error)
        op->folder_sink(op->data, &(MailFolderInfo){name, '/', 0});
    return error;
}
