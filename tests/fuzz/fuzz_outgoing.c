/*
 * fuzz_outgoing.c: of what is sent each LF has its CR, nothing else was added, and it is sent the
 * same once more.
 */
#include "../../fs/outgoing.h"
#include "../../fs/privatefile.h"

#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int file_of(const void *bytes, size_t size)
{
    int fd = privatefile_open(NULL, NULL);

    g_assert_true(fd >= 0 && pwrite(fd, bytes, size, 0) == (ssize_t)size);
    return fd;
}

static void check(const char *sent, size_t length, const char *data, size_t size)
{
    size_t j = 0;

    for (size_t i = 0; i < length; i++) {
        g_assert_true(sent[i] != '\n' || (i > 0 && sent[i - 1] == '\r'));
        if (j < size && sent[i] == data[j])
            j++;
        else
            g_assert_true(sent[i] == '\r' && i + 1 < length && sent[i + 1] == '\n');
    }
    g_assert_true(j == size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_auto(Outgoing) outgoing = OUTGOING_NONE, again = OUTGOING_NONE;
    g_autofree char *sent = NULL;
    int fd = file_of(data, size);

    if (outgoing_make(fd, true, NULL, &outgoing, NULL)) {
        sent = g_malloc(outgoing.size);
        g_assert_true(pread(outgoing.fd, sent, outgoing.size, 0) == (ssize_t)outgoing.size);
        check(sent, outgoing.size, (const char *)data, size);
        g_assert_true(outgoing_make(outgoing.fd, true, NULL, &again, NULL));
        g_assert_true(again.size == outgoing.size);
    } else {
        g_assert_true(size == 0 || memchr(data, 0, size));
    }
    close(fd);
    return 0;
}
