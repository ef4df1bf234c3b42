/*
 * fuzz_parse.c: whatever a server sends, the parser makes the same of it in any pieces, and
 * survives. The first two bytes choose how literals fare and how the rest is cut.
 */
#include "../unit/imap_transcript.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    g_autoptr(GRand) random = g_rand_new_with_seed(data[0] | (guint32)data[1] << 8);
    Transcript transcript = {
        .limit = data[0] & 1 ? 1 << 17 : 0,
        .discard = data[0] & 2 ? data[1] : 0,
    };
    g_autofree char *whole = transcript_run(&transcript, data + 2, size - 2, 0, NULL);
    g_autofree char *single = transcript_run(&transcript, data + 2, size - 2, 1, NULL);
    g_autofree char *uneven = transcript_run(&transcript, data + 2, size - 2, 50, random);
    g_assert_cmpstr(single, ==, whole);
    g_assert_cmpstr(uneven, ==, whole);

    transcript.stop_behind = data[1] % 4;
    g_free(transcript_run(&transcript, data + 2, size - 2, 0, NULL));
    return 0;
}
