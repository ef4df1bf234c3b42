#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 32 << 10 }; /* bytes read at once */

/* Either bytes or fd (else -1). [0, at) was read. */
struct ImapSource {
    gint references;
    GBytes *bytes;
    int fd;
    uint64_t size, at;
    bool begun;
    GError *error;
};

static ImapSource *source_new(GBytes *bytes, int fd, uint64_t size)
{
    ImapSource *source = g_new0(ImapSource, 1);

    source->references = 1;
    source->bytes = bytes;
    source->fd = fd;
    source->size = size;
    return source;
}

ImapSource *imap_source_new_file(int fd, uint64_t size, GError **error)
{
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    if (own < 0) {
        int code = errno;
        g_set_error(error, MAIL_ERROR, code, "a message can't be read: %s", g_strerror(code));
        return NULL;
    }
    return source_new(NULL, own, size);
}

ImapSource *imap_source_new_bytes(GBytes *bytes)
{
    return source_new(g_bytes_ref(bytes), -1, g_bytes_get_size(bytes));
}

ImapSource *imap_source_ref(ImapSource *source)
{
    source->references++;
    return source;
}

void imap_source_unref(ImapSource *source)
{
    if (!source || --source->references > 0)
        return;
    if (source->bytes)
        g_bytes_unref(source->bytes);
    if (source->fd >= 0)
        close(source->fd);
    g_clear_error(&source->error);
    g_free(source);
}

uint64_t imap_source_size(const ImapSource *source)
{
    return source->size;
}

bool imap_source_begun(const ImapSource *source)
{
    return source->begun;
}

static gssize read_file(ImapSource *source, uint8_t *bytes, size_t room)
{
    gssize n;

    do
        n = pread(source->fd, bytes, room, (off_t)source->at);
    while (n < 0 && errno == EINTR);
    if (n <= 0) {
        source->error = g_error_new(MAIL_ERROR, EIO, "a message can't be read: %s",
                                    n < 0 ? g_strerror(errno) : "it is shorter than it was");
        return -1;
    }
    return n;
}

gssize imap_source_read(ImapSource *source, uint8_t *bytes, size_t room)
{
    gssize n = (gssize)MIN(room, source->size - source->at);

    if (source->error)
        return -1;
    if (n == 0)
        return 0;
    if (source->bytes)
        memcpy(bytes, (const uint8_t *)g_bytes_get_data(source->bytes, NULL) + source->at,
               (size_t)n);
    else
        n = read_file(source, bytes, (size_t)n);
    if (n > 0) {
        source->begun = true;
        source->at += (uint64_t)n;
    }
    return n;
}

bool imap_source_feed(ImapSource *source, Stream *stream)
{
    uint8_t bytes[PIECE];
    gssize n = 1;

    while (n > 0 && stream_queued(stream) < STREAM_LOW) {
        n = imap_source_read(source, bytes, sizeof bytes);
        if (n > 0)
            stream_write(stream, bytes, (size_t)n);
    }
    return n == 0;
}

const GError *imap_source_error(const ImapSource *source)
{
    return source->error;
}
