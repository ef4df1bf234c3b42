#include "secret.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * A secret lives in pages of its own, header and text in one mapping: the lock and the exclusion
 * from core dumps work by the page, and nothing else's data shares it. text[length] is NUL.
 */
struct Secret {
    size_t mapped; /* bytes, a multiple of the page size */
    size_t length;
    char text[];
};

static size_t mapping_size(size_t length)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (length > SIZE_MAX / 2 - sizeof(Secret) - page)
        g_error("a secret of %zu bytes is too long", length);
    return (sizeof(Secret) + length + 1 + page - 1) / page * page;
}

static Secret *allocate(size_t length)
{
    size_t size = mapping_size(length);
    Secret *secret = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (secret == MAP_FAILED)
        g_error("out of memory: no %zu bytes for a secret", size);
    /* Both are a second line of defence; an ordinary user's limit on locked memory may be 0. */
    (void)mlock(secret, size);
    (void)madvise(secret, size, MADV_DONTDUMP);
    secret->mapped = size;
    secret->length = length;
    return secret;
}

Secret *secret_new(const char *text, gssize length)
{
    size_t size = length < 0 ? strlen(text) : (size_t)length;
    Secret *secret = allocate(size);
    if (size > 0)
        memcpy(secret->text, text, size);
    return secret; /* a fresh mapping is zero: the NUL is there */
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
    size_t mapped = secret->mapped;
    secret_wipe(secret, mapped);
    munmap(secret, mapped); /* unlocks, too */
}

void secret_wipe(void *memory, size_t length)
{
    if (length > 0)
        explicit_bzero(memory, length);
}
