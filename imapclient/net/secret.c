#include "secret.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * The text lives in pages of its own: the lock and the exclusion from core dumps work by the page,
 * and nothing else's data shares it. text[length] is NUL.
 */
struct Secret {
    size_t mapped; /* bytes, a multiple of the page size */
    size_t length;
    char *text;
};

static size_t mapping_size(size_t length)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (length > SIZE_MAX / 2 - page)
        g_error("a secret of %zu bytes is too long", length);
    return (length + 1 + page - 1) / page * page;
}

static void allocate(Secret *secret, size_t length)
{
    size_t size = mapping_size(length);
    void *text = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (text == MAP_FAILED)
        g_error("out of memory: no %zu bytes for a secret", size);
    /* Both are a second line of defence; an ordinary user's limit on locked memory may be 0. */
    (void)mlock(text, size);
    (void)madvise(text, size, MADV_DONTDUMP);
    *secret = (Secret){size, length, text};
}

Secret *secret_new(const char *text, gssize length)
{
    size_t size = length < 0 ? strlen(text) : (size_t)length;
    Secret *secret = g_new(Secret, 1);
    allocate(secret, size);
    if (size > 0)
        memcpy(secret->text, text, size);
    return secret; /* a fresh mapping is zero: the NUL is there */
}

static void release(Secret *secret)
{
    secret_wipe(secret->text, secret->mapped);
    munmap(secret->text, secret->mapped); /* unlocks, too */
}

void secret_replace(Secret *secret, const Secret *other)
{
    if (secret == other)
        return;
    release(secret);
    allocate(secret, other->length);
    memcpy(secret->text, other->text, other->length);
}

const char *secret_text(const Secret *secret)
{
    return secret->text;
}

size_t secret_length(const Secret *secret)
{
    return secret->length;
}

Secret *secret_copy(const Secret *secret)
{
    return secret_new(secret->text, (gssize)secret->length);
}

void secret_free(Secret *secret)
{
    if (!secret)
        return;
    release(secret);
    g_free(secret);
}

void secret_wipe(void *memory, size_t length)
{
    if (length > 0)
        explicit_bzero(memory, length);
}
