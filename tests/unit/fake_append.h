/*
 * fake_append.h: what a FakeServer with UIDs does with messages that come: it appends and copies
 * them, tells their UIDs unless it is silent about these, and finds them.
 *
 * fake_store.h's own.
 */
#pragma once

#include "fake_change.h"

/* Behind this the connection breaks: what was asked for may be done. */
typedef enum { FAKE_TELLS, FAKE_DOES_AND_BREAKS, FAKE_BREAKS } FakeAnswer;

static inline FakeAnswer fake_next_answer(FakeServer *server)
{
    if (server->does_and_breaks) {
        server->does_and_breaks--;
        return FAKE_DOES_AND_BREAKS;
    }
    if (server->breaks) {
        server->breaks--;
        return FAKE_BREAKS;
    }
    return FAKE_TELLS;
}

static inline GBytes *fake_read_file(int fd, uint64_t size)
{
    char *bytes = g_malloc(size);
    assert_true(pread(fd, bytes, size, 0) == (ssize_t)size);
    return g_bytes_new_take(bytes, size);
}

static inline size_t fake_header_length(GBytes *body)
{
    gsize size = 0;
    const char *bytes = g_bytes_get_data(body, &size);
    const char *end = g_strstr_len(bytes, (gssize)size, "\r\n\r\n");
    return end ? (size_t)(end - bytes) + 4 : size;
}

/* Takes the body; returns the UID. */
static inline uint32_t fake_put(FakeFolder *folder, GBytes *body, int64_t date)
{
    FakeMessage *message = g_new0(FakeMessage, 1);
    size_t header = fake_header_length(body), size = g_bytes_get_size(body);
    message->uid = folder->uidnext++;
    message->claimed = size;
    message->date = date;
    message->flags = g_strdup("");
    message->body = body;
    message->header = g_bytes_new_from_bytes(body, 0, header);
    message->text = g_bytes_new_from_bytes(body, header, size - header);
    message->modseq = ++folder->modseq;
    g_ptr_array_add(folder->messages, message);
    return message->uid;
}

static G_GNUC_UNUSED GError *fake_run_append(FakeServer *server, FakeFolder *folder, GBytes *body,
                                             int64_t date, uint32_t replaces,
                                             const MailAppendSink *sink, gpointer data)
{
    FakeMessage *old = replaces ? fake_with_uid(folder, replaces) : NULL;
    if (replaces && !old)
        return g_error_new(MAIL_ERROR, ENOENT, "there is nothing to be replaced");
    FakeAnswer answer = fake_next_answer(server);
    uint32_t uid = answer == FAKE_BREAKS ? 0 : fake_put(folder, g_bytes_ref(body), date);
    if (old && answer != FAKE_BREAKS)
        fake_drop(folder, old);
    if (answer != FAKE_TELLS) {
        sink->unsure(data);
        return g_error_new(MAIL_ERROR, server->breaks_with, "the connection broke");
    }
    sink->appended(data, server->silent ? 0 : folder->uidvalidity, server->silent ? 0 : uid);
    return NULL;
}

static G_GNUC_UNUSED GError *fake_run_copy(FakeServer *server, const FakeFolder *folder,
                                           FakeFolder *target, uint32_t uid,
                                           const MailCopySink *sink, gpointer data)
{
    const FakeMessage *message = fake_with_uid(folder, uid);
    FakeAnswer answer = fake_next_answer(server);
    uint32_t copy = 0;
    if (!message)
        return NULL;
    if (answer != FAKE_BREAKS)
        copy = fake_put(target, g_bytes_ref(message->body), message->date);
    if (answer != FAKE_TELLS) {
        sink->unsure(data, uid);
        return g_error_new(MAIL_ERROR, server->breaks_with, "the connection broke");
    }
    sink->copied(data, uid, server->silent ? 0 : target->uidvalidity, server->silent ? 0 : copy);
    return NULL;
}

static G_GNUC_UNUSED void fake_run_find(const FakeFolder *folder, uint32_t first, const char *id,
                                        MailFoundSink found, gpointer data)
{
    for (guint i = 0; i < folder->messages->len; i++) {
        const FakeMessage *message = folder->messages->pdata[i];
        gsize size = 0;
        const char *header = g_bytes_get_data(message->header, &size);
        if (message->uid >= first && (!id || g_strstr_len(header, (gssize)size, id)))
            found(data, folder->uidvalidity, message->uid, message->claimed);
    }
}
