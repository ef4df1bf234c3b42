/*
 * fake_change.h: what a FakeServer with UIDs does with messages that are to go: it removes, marks,
 * and expunges them, all but those that it keeps, and moves them in its own way (FakeMoves).
 *
 * fake_store.h's own.
 */
#pragma once

#include "fake_server.h"

static FakeMessage *fake_with_uid(const FakeFolder *folder, uint32_t uid)
{
    for (guint i = 0; i < folder->messages->len; i++)
        if (((FakeMessage *)folder->messages->pdata[i])->uid == uid)
            return folder->messages->pdata[i];
    return NULL;
}

static bool fake_is_marked(const FakeMessage *message)
{
    return strstr(message->flags, "\\Deleted") != NULL;
}

static G_GNUC_UNUSED void fake_drop(FakeFolder *folder, FakeMessage *message)
{
    uint32_t uid = message->uid;
    g_ptr_array_remove(folder->messages, message);
    g_array_append_val(folder->vanished, uid);
    folder->modseq++;
}

static G_GNUC_UNUSED void fake_remove_some(FakeFolder *folder, const uint32_t *uids, size_t n,
                                           MailRemovedSink sink, gpointer data)
{
    for (size_t i = 0; i < n; i++) {
        FakeMessage *message = fake_with_uid(folder, uids[i]);
        if (message && message->kept)
            continue;
        if (message)
            fake_drop(folder, message);
        sink(data, uids[i]);
    }
}

static G_GNUC_UNUSED void fake_mark_some(FakeFolder *folder, const uint32_t *uids, size_t n,
                                         MailRemovedSink sink, gpointer data)
{
    for (size_t i = 0; i < n; i++) {
        FakeMessage *message = fake_with_uid(folder, uids[i]);
        if (message) {
            g_free(message->flags);
            message->flags = g_strdup("\\Deleted \\Seen");
            message->modseq = ++folder->modseq;
        }
        sink(data, uids[i]);
    }
}

/* Where it has no UIDPLUS, all that are marked go, or none. */
static G_GNUC_UNUSED GError *fake_expunge_some(const FakeServer *server, FakeFolder *folder,
                                               const uint32_t *uids, size_t n)
{
    guint marked = 0, wanted = 0;
    for (guint i = 0; i < folder->messages->len; i++)
        marked += fake_is_marked(folder->messages->pdata[i]);
    for (size_t i = 0; i < n; i++)
        wanted += fake_with_uid(folder, uids[i]) && fake_is_marked(fake_with_uid(folder, uids[i]));
    if (!(server->changes & MAIL_STORE_REMOVE) && marked > wanted)
        return g_error_new(MAIL_ERROR, EBUSY, "others are marked");
    for (size_t i = 0; i < n; i++)
        if (fake_with_uid(folder, uids[i]))
            fake_drop(folder, fake_with_uid(folder, uids[i]));
    return NULL;
}

/* A copy of it is in the target, as its last message; or it itself. Returns its UID there. */
static uint32_t fake_transfer(FakeFolder *folder, FakeFolder *target, FakeMessage *message,
                              bool stays)
{
    FakeMessage *copy = g_memdup2(message, sizeof *message);
    copy->header = g_bytes_ref(message->header);
    copy->text = g_bytes_ref(message->text);
    copy->body = g_bytes_ref(message->body);
    copy->flags = g_strdup(message->flags);
    copy->uid = target->uidnext++;
    copy->modseq = ++target->modseq;
    g_ptr_array_add(target->messages, copy);
    if (!stays)
        fake_drop(folder, message);
    return copy->uid;
}

static void fake_move_one(const FakeServer *server, FakeFolder *folder, FakeFolder *target,
                          uint32_t uid, const MailCopySink *sink, gpointer data)
{
    FakeMessage *message = fake_with_uid(folder, uid);
    bool marks = server->moves == FAKE_MOVES_MARKING;
    if (server->moves == FAKE_MOVES_LOST_BEFORE || (!message && server->moves == FAKE_MOVES_LOST))
        sink->unsure(data, uid);
    if (!message || server->moves == FAKE_MOVES_LOST_BEFORE)
        return;
    uint32_t copy = fake_transfer(folder, target, message,
                                  marks || server->moves == FAKE_MOVES_HALF ||
                                      server->moves == FAKE_MOVES_IN_BOTH);
    bool tells = server->moves != FAKE_MOVES_SILENT && !marks;
    if (server->moves == FAKE_MOVES_LOST || server->moves == FAKE_MOVES_UNSURE ||
        server->moves == FAKE_MOVES_IN_BOTH) {
        sink->unsure(data, uid);
        return;
    }
    sink->copied(data, uid, tells ? target->uidvalidity : 0, tells ? copy : 0);
    if (marks)
        fake_mark_some(folder, &uid, 1, sink->marked, data);
    else if (server->moves != FAKE_MOVES_HALF)
        sink->removed(data, uid);
}

static G_GNUC_UNUSED GError *fake_move_some(const FakeServer *server, FakeFolder *folder,
                                            FakeFolder *target, const uint32_t *uids, size_t n,
                                            const MailCopySink *sink, gpointer data)
{
    for (size_t i = 0; i < n; i++)
        fake_move_one(server, folder, target, uids[i], sink, data);
    return server->moves >= FAKE_MOVES_LOST
               ? g_error_new(MAIL_ERROR, ENOTCONN, "the connection broke")
               : NULL;
}
