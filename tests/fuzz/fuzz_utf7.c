/*
 * fuzz_utf7.c: what decodes encodes to the same bytes, and what encodes decodes to the same text.
 */
#include "../../imapclient/utf7.h"

#include <glib.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup(size ? (const char *)data : "", size);
    g_autofree char *decoded = imap_utf7_decode(text);
    g_autofree char *encoded = imap_utf7_encode(text);

    if (decoded) {
        g_autofree char *again = imap_utf7_encode(decoded);
        g_assert_true(g_utf8_validate(decoded, -1, NULL));
        g_assert_cmpstr(again, ==, text);
    }
    if (encoded) {
        g_autofree char *again = imap_utf7_decode(encoded);
        g_assert_cmpstr(again, ==, text);
    }
    g_assert_true((encoded != NULL) == g_utf8_validate(text, -1, NULL));
    return 0;
}
