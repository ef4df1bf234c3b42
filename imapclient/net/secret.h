/*
 * secret.h: a string that must not be left behind: a password, a token, an answer made of one.
 *
 * The memory is locked (never swapped out), kept out of core dumps, and wiped when freed. A
 * Secret may be handed between threads, but is used by one at a time.
 */
#pragma once

#include <glib.h>

typedef struct Secret Secret;

/* Copies length bytes (length < 0: up to the NUL). */
Secret *secret_new(const char *text, gssize length);
/* NUL-terminated; lives as long as the secret does. */
const char *secret_text(const Secret *secret);
size_t secret_length(const Secret *secret);
Secret *secret_copy(const Secret *secret);
void secret_free(Secret *secret); /* NULL is allowed */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Secret, secret_free)

/* Wipes memory in a way that the compiler does not leave out. */
void secret_wipe(void *memory, size_t length);
