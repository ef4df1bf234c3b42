/*
 * fake_named.h: what a FakeServer without UIDs does (POP3's kind): its messages have unique names,
 * are told without dates, come whole, piece by piece, and can be removed.
 *
 * fake_store.h's own.
 */
#pragma once

#include "fake_server.h"

#define FAKE_PIECE 65536

/* The messages' UIDs are those that the sink gives them from then on. */
static G_GNUC_UNUSED void fake_tell_named(FakeFolder *folder, const MailFolderState *known,
                                          const MailSyncSink *sink, gpointer data)
{
    g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    MailFolderState state = {.uidvalidity = folder->uidvalidity, .uidnext = folder->uidnext};
    if (known->uidvalidity != folder->uidvalidity)
        sink->reset(data, folder->uidvalidity);
    for (guint i = 0; i < folder->messages->len; i++) {
        FakeMessage *message = folder->messages->pdata[i];
        g_autofree char *name = g_strdup_printf("name/%u", message->uid);
        message->given = sink->identify(data, message->name ? message->name : name, message->which);
        MailMessage told = {.uid = message->given,
                            .has = MAIL_HAS_SIZE,
                            .size = message->claimed,
                            .name = message->name ? message->name : name};
        sink->messages(data, &told, 1);
        g_array_append_val(uids, message->given);
    }
    state.count = uids->len;
    sink->present(data, (const uint32_t *)(void *)uids->data, uids->len);
    sink->state(data, &state);
}

static void fake_tell_section(uint32_t uid, MailSection section, GBytes *bytes, MailFetchSink sink,
                              gpointer data)
{
    gsize size = g_bytes_get_size(bytes), at = 0;
    for (; at < size; at += MIN(size - at, FAKE_PIECE)) {
        MailRange range = {section, at, (uint32_t)MIN(size - at, FAKE_PIECE)};
        g_autoptr(GBytes) piece = g_bytes_new_from_bytes(bytes, at, range.length);
        sink(data, uid, &range, piece);
    }
    g_autoptr(GBytes) end = g_bytes_new(NULL, 0);
    sink(data, uid, &(MailRange){section, at, 0}, end);
}

/* The message in pieces; false: the connection breaks behind its header. */
static G_GNUC_UNUSED bool fake_tell_pieces(FakeServer *server, const FakeMessage *message,
                                           MailFetchSink sink, gpointer data)
{
    fake_tell_section(message->given, MAIL_SECTION_HEADER, message->header, sink, data);
    if (server->cut) {
        server->cut--;
        return false;
    }
    fake_tell_section(message->given, MAIL_SECTION_TEXT, message->text, sink, data);
    return true;
}

static G_GNUC_UNUSED FakeMessage *fake_given(const FakeFolder *folder, uint32_t uid)
{
    for (guint i = 0; i < folder->messages->len; i++)
        if (((FakeMessage *)folder->messages->pdata[i])->given == uid)
            return folder->messages->pdata[i];
    return NULL;
}

/* Removes what it does not keep; `removed` counts the operations. */
static G_GNUC_UNUSED void fake_remove_all(FakeFolder *folder, const uint32_t *uids, size_t n,
                                          MailRemovedSink sink, gpointer data)
{
    for (size_t i = 0; i < n; i++) {
        FakeMessage *message = fake_given(folder, uids[i]);
        if (message && message->kept)
            continue;
        if (message)
            g_ptr_array_remove(folder->messages, message);
        sink(data, uids[i]);
    }
}
