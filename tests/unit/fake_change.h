/*
 * fake_change.h: what a FakeServer with UIDs does with messages that are to go: it removes, marks,
 * expunges and moves them, all but those that it keeps.
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

static G_GNUC_UNUSED void fake_move_some(FakeFolder *folder, FakeFolder *target,
                                         const uint32_t *uids, size_t n, const MailCopySink *sink,
                                         gpointer data)
{
    for (size_t i = 0; i < n; i++) {
        FakeMessage *message = fake_with_uid(folder, uids[i]);
        if (!message)
            continue;
        sink->copied(data, uids[i], target->uidvalidity, target->uidnext++);
        fake_drop(folder, message);
        sink->removed(data, uids[i]);
    }
}
