#include "secretsource.h"

SecretSource *secret_source_ref(SecretSource *source)
{
    g_atomic_int_inc(&source->references);
    return source;
}

void secret_source_unref(SecretSource *source)
{
    if (g_atomic_int_dec_and_test(&source->references))
        source->free(source);
}
