/*
 * secretsource.h: where a password comes from, should it be another one by now.
 *
 * Made by who knows (fs/passwords.h), used by reach.h. Counted references, on any thread.
 */
#pragma once

#include "secret.h"

#include <stdbool.h>

typedef struct SecretSource SecretSource;

struct SecretSource {
    /* Whether it may be another one than when it was read last; does not wait. Engine thread. */
    bool (*changed)(SecretSource *source);
    /* Reads it, and may take its time. One thread at a time. NULL with error. */
    Secret *(*read)(SecretSource *source, GError **error);
    void (*free)(SecretSource *source); /* the last reference is gone */
    gint references;                    /* atomic */
};

SecretSource *secret_source_ref(SecretSource *source);
void secret_source_unref(SecretSource *source);
