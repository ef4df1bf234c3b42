#include "../../fs/fetch_plan.h"
#include "cache_helpers.h"

enum { FOLDER = 1, UID = 9, KIB = 1024, MIB = 1024 * KIB };

/* What is known of the message, what is held of it, what is wanted; and what is to be asked. */
typedef struct {
    const char *name;
    uint64_t size;
    uint32_t header_length;
    unsigned proof;
    const char *held; /* blocks: 'f' whole, 'h' the header's bytes, '.' nothing */
    uint64_t offset;
    size_t wanted;
    Plan plan;
    const char *ranges; /* "H T0+65536 B4+3" */
} Case;

enum { PROVED = CATALOG_SIZE_PROVED, WHOLE = CATALOG_WHOLE_BODY };

static const Case cases[] = {
    /* Tiny: HEADER and TEXT whole, in one, whoever wants what of it. */
    {"open a tiny one", 1000, 0, 0, "", 0, 0, PLAN_RANGES, "H T"},
    {"open a tiny one of which the header is held", 1000, 200, 0, "h", 0, 0, PLAN_RANGES, "H T"},
    {"open what is claimed to be empty", 0, 0, 0, "", 0, 0, PLAN_RANGES, "H T"},
    {"the same, and a header was seen", 0, 200, 0, "h", 0, 0, PLAN_RANGES, "H T"},
    {"open the largest tiny one", 16384, 0, 0, "", 0, 0, PLAN_RANGES, "H T"},
    {"open a proved one", 1000, 200, PROVED, "f", 0, 0, PLAN_NOTHING, ""},
    {"read a tiny one that was evicted", 1000, 200, PROVED, "", 500, 100, PLAN_RANGES, "H T"},
    {"read a tiny one that is held", 1000, 200, PROVED, "f", 0, 4096, PLAN_NOTHING, ""},
    {"read a tiny one of which the header is held", 1000, 200, PROVED, "h", 0, 1000, PLAN_RANGES,
     "T0+65336"},
    {"read one of unproved size", 1000, 0, 0, "", 0, 4096, PLAN_RANGES, "H T"},

    /* Small: the text comes whole, but only if somebody wants it. */
    {"open a small one", 16385, 0, 0, "", 0, 0, PLAN_RANGES, "H B16383+3"},
    {"open a small one, header held", 16385, 300, 0, "h", 0, 0, PLAN_RANGES, "B16383+3"},
    {"its header", 65536, 0, 0, "", 0, 8192, PLAN_RANGES, "H B65534+3"},
    {"its beginning, header held, size unproved", 65536, 300, 0, "h", 0, 4096, PLAN_RANGES,
     "T0+65236 B65534+3"},
    {"its beginning, header held", 65536, 300, PROVED, "h", 0, 4096, PLAN_RANGES, "T0+65236"},
    {"its text", 65536, 0, 0, "", 0, 8193, PLAN_RANGES, "H T"},
    {"its end", 65536, 0, 0, "", 65000, 536, PLAN_RANGES, "H T"},
    {"its text, header held", 65536, 300, PROVED, "h", 0, 65536, PLAN_RANGES, "T0+65236"},

    /* Long, opened: the header, and a look at the end. */
    {"open a long one", 65537, 0, 0, "", 0, 0, PLAN_RANGES, "H B65535+3"},
    {"open one of 2 MiB", 2 * MIB, 0, 0, "", 0, 0, PLAN_RANGES, "H B2097150+3"},
    {"open a long one, header held", 2 * MIB, 500, 0, "h", 0, 0, PLAN_RANGES, "B2097150+3"},
    {"open a long one, proved", 2 * MIB, 500, PROVED, "h", 0, 0, PLAN_NOTHING, ""},
    {"open an absurdly long one", UINT64_MAX, 0, 0, "", 0, 0, PLAN_RANGES,
     "H B18446744073709551613+3"},

    /* Long, read. */
    {"the header alone, size unproved", 2 * MIB, 0, 0, "", 0, 4096, PLAN_RANGES, "H B2097150+3"},
    {"8 KiB are the header too", 2 * MIB, 0, 0, "", 0, 8192, PLAN_RANGES, "H B2097150+3"},
    {"more is text too", 2 * MIB, 0, 0, "", 0, 8193, PLAN_RANGES, "H T0+65536 B2097150+3"},
    {"the same, proved", 2 * MIB, 0, PROVED, "", 0, 8193, PLAN_RANGES, "H T0+65536"},
    {"the middle, where nothing is known", 2 * MIB, 0, 0, "", MIB, 4096, PLAN_RANGES,
     "H B2097150+3"},
    {"all that is wanted is held, unproved", 2 * MIB, 500, 0, "f", 0, 4096, PLAN_RANGES,
     "B2097150+3"},
    {"header evicted", 2 * MIB, 500, PROVED, ".f", 0, 100, PLAN_RANGES, "H"},
    {"the beginning, header held", 2 * MIB, 500, PROVED, "h", 0, 16384, PLAN_RANGES, "T0+65036"},
    {"inside the header's block", 2 * MIB, 500, PROVED, "h", 600, 10, PLAN_RANGES, "T0+65036"},
    {"a block further on", 2 * MIB, 500, PROVED, "h", 5 * 65536, 10, PLAN_RANGES, "T327179+65537"},
    {"over a block's border", 2 * MIB, 500, PROVED, "f", 65530, 10, PLAN_RANGES, "T65036+65536"},
    {"over a border, the first is held", 2 * MIB, 500, PROVED, "ff", 131070, 10, PLAN_RANGES,
     "T130572+65536"},
    {"three blocks at once", 2 * MIB, 500, PROVED, "f", 65536, 3 * 65536, PLAN_RANGES,
     "T65036+196608"},
    {"a hole among what is held", 2 * MIB, 500, PROVED, "ff.f", 65536, 3 * 65536, PLAN_RANGES,
     "T130572+131072"},
    {"all is held", 3 * 65536, 500, PROVED, "fff", 0, 3 * 65536, PLAN_NOTHING, ""},
    {"the last block, cut", 65536 + 1000, 500, PROVED, "h", 65536, 4096, PLAN_RANGES,
     "T65035+65537"},
    {"the last block is held", 65536 + 1000, 500, PROVED, "hf", 65536, 4096, PLAN_NOTHING, ""},
    {"more than a stretch may be", 8 * MIB, 500, PROVED, "f", 65536, 4 * MIB, PLAN_RANGES,
     "T65036+1048576"},

    /* A header that does not fit into a block. */
    {"a long header, open", 2 * MIB, 70000, 0, "fh", 0, 0, PLAN_RANGES, "B2097150+3"},
    {"a long header, of which a part is held", 2 * MIB, 70000, PROVED, "f.", 0, 100, PLAN_RANGES,
     "H"},
    {"behind a long header", 2 * MIB, 70000, PROVED, "fh", 65536, 8192, PLAN_RANGES, "T0+61072"},
    {"a header of just a block", 2 * MIB, 65536, PROVED, "f", 65536, 10, PLAN_RANGES, "T0+65536"},

    /* BODY[] is the truth. */
    {"whole body, held", 1000, 0, PROVED | WHOLE, "f", 0, 1000, PLAN_NOTHING, ""},
    {"whole body, open", 1000, 0, PROVED | WHOLE, "", 0, 0, PLAN_NOTHING, ""},
    {"whole body, evicted", 1000, 0, PROVED | WHOLE, "", 0, 1000, PLAN_RANGES, "B0+65536"},
    {"whole body, long", 2 * MIB, 300, PROVED | WHOLE, "f", 65536, 10, PLAN_RANGES, "B65536+65536"},
    {"whole body, of unknown size", 1000, 300, WHOLE, "f", 0, 1000, PLAN_SIZING, ""},
};

static void hold(Content *content, const Case *c)
{
    for (uint32_t block = 0; c->held[block]; block++) {
        uint64_t start = (uint64_t)block * CONTENT_BLOCK;
        uint64_t end = c->held[block] == 'h' ? c->header_length : c->size;
        g_autoptr(GBytes) bytes = NULL;
        if (c->held[block] == '.')
            continue;
        bytes = bytes_of(FOLDER, UID, start, (size_t)MIN(end - start, CONTENT_BLOCK));
        content_put(content, FOLDER, UID, block, bytes);
    }
}

static char *text_of(const MailRange *ranges, size_t n)
{
    GString *text = g_string_new(NULL);
    for (size_t i = 0; i < n; i++) {
        g_string_append_printf(text, "%s%c", i ? " " : "", "HTB"[ranges[i].section]);
        if (ranges[i].length)
            g_string_append_printf(text, "%" G_GUINT64_FORMAT "+%u", (guint64)ranges[i].offset,
                                   ranges[i].length);
    }
    return g_string_free(text, FALSE);
}

static CatalogMessage message_of(const Case *c)
{
    return (CatalogMessage){.uid = UID,
                            .size = c->size,
                            .header_length = c->header_length,
                            .proof = (uint16_t)c->proof};
}

static void test_cases(void **state)
{
    (void)state;
    unsigned wrong = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const Case *c = &cases[i];
        g_autoptr(Content) content = content_open(NULL, 0);
        CatalogMessage message = message_of(c);
        ReadAhead ahead = {0};
        MailRange ranges[FETCH_RANGES];
        size_t n = 99;
        hold(content, c);
        Plan plan = fetch_plan(content, FOLDER, &message, c->offset, c->wanted, &ahead, ranges, &n);
        assert_in_range(n, 0, FETCH_RANGES);
        g_autofree char *text = text_of(ranges, n);
        if (plan != c->plan || strcmp(text, c->ranges) != 0) {
            print_error("%s: plan %d, \"%s\"\n", c->name, plan, text);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

/* Blocks first to last - 1 of the message are held, each full of this byte. */
static void hold_full(Content *content, uint64_t first, uint64_t last, char byte)
{
    g_autofree char *bytes = g_strnfill(CONTENT_BLOCK, byte);
    g_autoptr(GBytes) block = g_bytes_new(bytes, CONTENT_BLOCK);
    for (; first < last; first++)
        content_put(content, FOLDER, UID, (uint32_t)first, block);
}

/* Who wants so much from offset on gets the stretch from `start` on, so long. */
static void assert_stretch(Content *content, const CatalogMessage *message, uint64_t offset,
                           size_t wanted, ReadAhead *ahead, uint64_t start, uint64_t length)
{
    MailRange ranges[FETCH_RANGES];
    size_t n = 0;
    assert_int_equal(fetch_plan(content, FOLDER, message, offset, wanted, ahead, ranges, &n),
                     PLAN_RANGES);
    assert_int_equal(n, 1);
    assert_int_equal(ranges[0].section, MAIL_SECTION_BODY);
    assert_int_equal(ranges[0].offset, start);
    assert_int_equal(ranges[0].length, length);
}

static CatalogMessage body_of(uint64_t size)
{
    return (CatalogMessage){.uid = UID, .size = size, .proof = PROVED | WHOLE};
}

/* One after the other: the stretches grow up to the most, and begin anew elsewhere. */
static void test_sequential(void **state)
{
    (void)state;
    g_autoptr(Content) content = content_open(NULL, 0);
    CatalogMessage message = body_of(64 * (uint64_t)MIB);
    ReadAhead ahead = {0};
    uint64_t block = 0;
    for (unsigned blocks = 1; blocks < 100; blocks *= 2) {
        unsigned expected = MIN(blocks, FETCH_AT_MOST / CONTENT_BLOCK);
        assert_stretch(content, &message, block * CONTENT_BLOCK, 10, &ahead, block * CONTENT_BLOCK,
                       (uint64_t)expected * CONTENT_BLOCK);
        hold_full(content, block, block + expected, 'x');
        block += expected;
    }
    hold_full(content, 499, 500, 'x');
    assert_stretch(content, &message, 500 * CONTENT_BLOCK, 10, &ahead, 500 * CONTENT_BLOCK,
                   CONTENT_BLOCK);
    /* A large read in the middle counts as a large stretch. */
    hold_full(content, 599, 600, 'x');
    assert_stretch(content, &message, 600 * CONTENT_BLOCK, 4 * CONTENT_BLOCK, &ahead,
                   600 * CONTENT_BLOCK, 4 * CONTENT_BLOCK);
    hold_full(content, 600, 604, 'x');
    assert_stretch(content, &message, 604 * CONTENT_BLOCK, 10, &ahead, 604 * CONTENT_BLOCK,
                   8 * CONTENT_BLOCK);
}

/* Growing ends with the message. */
static void test_sequential_at_the_end(void **state)
{
    (void)state;
    g_autoptr(Content) content = content_open(NULL, 0);
    CatalogMessage message = body_of(5 * CONTENT_BLOCK + 10);
    ReadAhead ahead = {.frontier = 4 * CONTENT_BLOCK, .blocks = 8};
    hold_full(content, 3, 4, 'x');
    assert_stretch(content, &message, 4 * CONTENT_BLOCK, 10, &ahead, 4 * CONTENT_BLOCK,
                   2 * CONTENT_BLOCK);
}

/* A stretch never begins behind a CR, nor where nobody knows whether it does. */
static void test_no_stretch_begins_with_lf(void **state)
{
    (void)state;
    g_autoptr(Content) content = content_open(NULL, 0);
    CatalogMessage message = body_of(64 * CONTENT_BLOCK);
    ReadAhead ahead = {0};
    assert_stretch(content, &message, 5 * CONTENT_BLOCK, 10, &ahead, 5 * CONTENT_BLOCK - 1,
                   CONTENT_BLOCK + 1);
    hold_full(content, 9, 10, '\r');
    assert_stretch(content, &message, 10 * CONTENT_BLOCK, 10, &ahead, 10 * CONTENT_BLOCK - 1,
                   CONTENT_BLOCK + 1);
    hold_full(content, 11, 12, 'x');
    assert_stretch(content, &message, 12 * CONTENT_BLOCK, 10, &ahead, 12 * CONTENT_BLOCK,
                   CONTENT_BLOCK);
    /* The beginning is the beginning. */
    ahead.earlier = true;
    ahead.back = 0;
    assert_stretch(content, &message, 0, 10, &ahead, 0, CONTENT_BLOCK);
}

/* After a doubt the next stretch begins two bytes early; after another, a block. Once. */
static void test_after_a_doubt(void **state)
{
    (void)state;
    g_autoptr(Content) content = content_open(NULL, 0);
    CatalogMessage message = body_of(64 * CONTENT_BLOCK);
    ReadAhead ahead = {.earlier = true, .back = 5};
    assert_stretch(content, &message, 5 * CONTENT_BLOCK, 10, &ahead, 5 * CONTENT_BLOCK - 2,
                   CONTENT_BLOCK + 2);
    assert_stretch(content, &message, 5 * CONTENT_BLOCK, 10, &ahead, 5 * CONTENT_BLOCK - 1,
                   CONTENT_BLOCK + 1);
    ahead.go_back = true;
    ahead.back = 4;
    assert_stretch(content, &message, 5 * CONTENT_BLOCK, 10, &ahead, 4 * CONTENT_BLOCK - 1,
                   2 * CONTENT_BLOCK + 1);
    assert_stretch(content, &message, 5 * CONTENT_BLOCK, 10, &ahead, 5 * CONTENT_BLOCK - 1,
                   CONTENT_BLOCK + 1);
}

static void test_probe(void **state)
{
    (void)state;
    CatalogMessage message = {.uid = UID, .size = 100000};
    CatalogMessage empty = {.uid = UID, .size = 0};
    MailRange probe = {MAIL_SECTION_BODY, 99998, 3};
    MailRange stretch = {MAIL_SECTION_BODY, 65536, 65536};
    MailRange text = {MAIL_SECTION_TEXT, 99998, 3};
    MailRange last = {MAIL_SECTION_BODY, UINT64_MAX - 1, 3};
    assert_true(fetch_is_probe(&probe, &message));
    assert_false(fetch_is_probe(&stretch, &message));
    assert_false(fetch_is_probe(&text, &message));
    assert_false(fetch_is_probe(&last, &empty));
}

int main(void)
{
    g_log_set_default_handler(count_warning, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_sequential),
        cmocka_unit_test(test_sequential_at_the_end),
        cmocka_unit_test(test_no_stretch_begins_with_lf),
        cmocka_unit_test(test_after_a_doubt),
        cmocka_unit_test(test_probe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
