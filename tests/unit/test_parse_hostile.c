#include "imap_transcript.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif
#if SANITIZED
/* of the sanitizers' run time; not every compiler brings its header along */
size_t __sanitizer_get_current_allocated_bytes(void);
#endif

/* Bytes of the heap that are in use. */
static size_t heap_in_use(void)
{
#if SANITIZED
    return __sanitizer_get_current_allocated_bytes();
#else
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#endif
}

/* A parser under watch: its transcript, and the most memory that it took at any moment. */
typedef struct {
    Transcript transcript;
    ImapParser *parser;
    GError *error;
    size_t base, peak;
} Watched;

static void watched_init(Watched *watched)
{
    watched->transcript.text = g_string_sized_new(4096);
    watched->base = heap_in_use();
    watched->parser = imap_parser_new(&transcript_events, &watched->transcript);
}

static void watched_clear(Watched *watched)
{
    imap_parser_free(watched->parser);
    g_string_free(watched->transcript.text, TRUE);
    g_clear_error(&watched->error);
}

static size_t in_use(const Watched *watched)
{
    size_t now = heap_in_use();
    return now > watched->base ? now - watched->base : 0;
}

static bool feed(Watched *watched, const void *bytes, size_t length)
{
    bool alive = imap_parser_feed(watched->parser, bytes, length, NULL, &watched->error);
    watched->peak = MAX(watched->peak, in_use(watched));
    return alive;
}

static bool feed_text(Watched *watched, const char *text)
{
    return feed(watched, text, strlen(text));
}

static void assert_problem(const Watched *watched, const char *problem)
{
    assert_non_null(watched->error);
    if (!strstr(watched->error->message, problem))
        fail_msg("\"%s\" lacks \"%s\"", watched->error->message, problem);
    for (const char *p = watched->error->message; *p; p++)
        assert_true(g_ascii_isprint(*p));
    assert_true(strlen(watched->error->message) < 600);
}

/* --- literals ------------------------------------------------------------------------------ */

static void test_discarded_literal_takes_no_memory(void **state)
{
    (void)state;
    enum { PIECE = 64 << 10, PIECES = 200 << 4 };
    g_autofree uint8_t *piece = g_malloc0(PIECE);
    g_autofree char *head = g_strdup_printf("* 1 FETCH (BODY[] {%d}\r\n", PIECE * PIECES);
    Watched watched = {.transcript = {.discard = 1 << 20}};
    watched_init(&watched);

    assert_true(feed_text(&watched, head));
    for (size_t i = 0; i < PIECES; i++)
        assert_true(feed(&watched, piece, PIECE));
    assert_false(imap_parser_idle(watched.parser));
    assert_true(feed_text(&watched, " UID 7)\r\n"));
    assert_true(imap_parser_idle(watched.parser));
    assert_true(watched.peak < 32 << 10);
    assert_string_equal(watched.transcript.text->str, "literal FETCH 1 BODY[] 209715200 discard\n"
                                                      "* 1 FETCH (BODY[] {209715200} UID 7)\n");
    watched_clear(&watched);
}

static void test_memory_grows_with_what_arrives(void **state)
{
    (void)state;
    Watched watched = {.transcript = {.limit = UINT64_MAX}};
    watched_init(&watched);

    assert_true(feed_text(&watched, "* 1 FETCH (BODY[] {18446744073709551615}\r\nsome bytes"));
    assert_true(watched.peak < 128 << 10);
    g_autofree char *more = g_strnfill(300 << 10, 'x');
    assert_true(feed_text(&watched, more));
    assert_true(watched.peak < 1 << 20);
    watched_clear(&watched);
}

static void test_kept_literal_has_all_bytes(void **state)
{
    (void)state;
    enum { SIZE = IMAP_MAX_FETCH };
    g_autofree char *content = g_strnfill(SIZE, 'x');
    g_autoptr(GString) expected = g_string_new(NULL);
    g_autofree char *head = g_strdup_printf("* 1 FETCH (BODY[] {%d}\r\n", SIZE);

    for (size_t i = 0; i < SIZE; i++)
        content[i] = (char)('a' + i % 23);
    g_autofree char *input = g_strconcat(head, content, ")\r\n", NULL);
    g_string_printf(expected, "literal FETCH 1 BODY[] %d keep\n* 1 FETCH (BODY[] \"%s\")\n", SIZE,
                    content);
    for (size_t step = 1000; step < 1 << 20; step = step * 7 + 1) {
        Transcript transcript = {.limit = IMAP_MAX_FETCH};
        g_autofree char *made = transcript_run(&transcript, input, strlen(input), step, NULL);
        assert_true(strcmp(made, expected->str) == 0);
    }
}

/* A receiver that keeps a literal beyond the response. */
static bool steal_bytes(gpointer data, const ImapResponse *response)
{
    GBytes **bytes = data;
    const ImapValue *value = imap_value_item(imap_value_item(response->values, 0), 1);
    *bytes = imap_value_bytes(value);
    assert_ptr_equal(g_bytes_get_data(*bytes, NULL), imap_value_text(value));
    return true;
}

static void test_bytes_outlive_the_parser(void **state)
{
    (void)state;
    const ImapParserEvents events = {steal_bytes, NULL};
    g_autoptr(GBytes) bytes = NULL;
    ImapParser *parser = imap_parser_new(&events, &bytes);
    const char *input = "* 1 FETCH (BODY[] {5}\r\nhello)\r\n";

    assert_true(imap_parser_feed(parser, (const uint8_t *)input, strlen(input), NULL, NULL));
    imap_parser_free(parser);
    assert_int_equal(g_bytes_get_size(bytes), 5);
    assert_memory_equal(g_bytes_get_data(bytes, NULL), "hello", 5);
}

static void test_literal_beyond_the_limit(void **state)
{
    (void)state;
    static const struct {
        const char *size, *problem;
    } sizes[] = {
        {"65537", "a literal of 65537 bytes, where 65536 are acceptable"},
        {"4294967296", "a literal of 4294967296 bytes, where 65536 are acceptable"},
        {"4294967297+", "a literal of 4294967297 bytes"},
        {"18446744073709551615", "a literal of 18446744073709551615 bytes"},
        {"18446744073709551616", "a literal of 18446744073709551615 bytes"},
        {"100000000000000000000", "a literal of 18446744073709551615 bytes"},
        {"99999999999999999999999999999999999999999999", "a literal of 18446744073709551615 bytes"},
        {"0000000000000000000000000000000000000065537", "a literal of 65537 bytes"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autofree char *line = g_strdup_printf("* LIST () \"/\" {%s}\r\n", sizes[i].size);
        Watched watched = {0};
        watched_init(&watched);
        assert_false(feed_text(&watched, line));
        assert_problem(&watched, sizes[i].problem);
        watched_clear(&watched);
    }
}

static void test_endless_literal_is_passed_over(void **state)
{
    (void)state;
    Watched watched = {.transcript = {.discard = 1}};
    g_autofree uint8_t *piece = g_malloc0(1 << 20);
    watched_init(&watched);

    assert_true(feed_text(&watched, "* 1 FETCH (BODY[] {100000000000000000000}\r\n"));
    for (size_t i = 0; i < 100; i++)
        assert_true(feed(&watched, piece, 1 << 20));
    assert_true(watched.peak < 32 << 10);
    assert_string_equal(watched.transcript.text->str,
                        "literal FETCH 1 BODY[] 18446744073709551615 discard\n");
    watched_clear(&watched);
}

/* Each alone is acceptable, all together are not. */
static void test_many_literals(void **state)
{
    (void)state;
    g_autofree char *content = g_strnfill(IMAP_MAX_STRING, 'x');
    g_autofree char *one = g_strdup_printf(" {%d}\r\n%s", IMAP_MAX_STRING, content);
    Watched watched = {0};
    size_t fed = 0;
    watched_init(&watched);

    assert_true(feed_text(&watched, "* ID (a"));
    while (feed_text(&watched, one))
        assert_true(++fed < 1000);
    assert_int_equal(fed, IMAP_MAX_KEPT / IMAP_MAX_STRING);
    assert_problem(&watched, "literals of more than 8388608 bytes together");
    assert_true(watched.peak < 2 * IMAP_MAX_KEPT);
    watched_clear(&watched);
}

/* What one response kept does not count for the next. */
static void test_literals_of_many_responses(void **state)
{
    (void)state;
    g_autofree char *content = g_strnfill(IMAP_MAX_STRING, 'x');
    g_autofree char *one = g_strdup_printf("* LIST () NIL {%d}\r\n%s\r\n", IMAP_MAX_STRING,
                                           content);
    Watched watched = {0};
    watched_init(&watched);

    for (size_t i = 0; i < 2 * IMAP_MAX_KEPT / IMAP_MAX_STRING; i++) {
        assert_true(feed_text(&watched, one));
        g_string_truncate(watched.transcript.text, 0);
    }
    watched_clear(&watched);
}

/* --- bounds -------------------------------------------------------------------------------- */

static void test_endless_line(void **state)
{
    (void)state;
    static const char *const starts[] = {"* OK ", "A1 NO ", "+ ", "", "* LIST (", "* SEARCH "};
    g_autofree char *piece = g_strnfill(1000, '1');

    for (size_t i = 0; i < G_N_ELEMENTS(starts); i++) {
        Watched watched = {0};
        size_t fed = 0;
        watched_init(&watched);
        assert_true(feed_text(&watched, starts[i]));
        while (feed_text(&watched, piece))
            assert_true((fed += 1000) <= IMAP_MAX_LINE);
        assert_problem(&watched, "a response without an end");
        assert_problem(&watched, starts[i]);
        assert_true(watched.peak < 4 << 20);
        watched_clear(&watched);
    }
}

/* The bound is for all lines of a response, and exact. */
static void test_line_limit(void **state)
{
    (void)state;
    for (int excess = 0; excess < 2; excess++) {
        const char *first = "* X-A {3}\r\n", *last = "\r\n";
        size_t rest = IMAP_MAX_LINE - strlen(first) - strlen(last) + (size_t)excess;
        g_autofree char *fill = g_strnfill(rest, ' ');
        Watched watched = {0};
        watched_init(&watched);
        assert_true(feed_text(&watched, first));
        assert_true(feed_text(&watched, "abc"));
        assert_true(feed_text(&watched, fill));
        assert_int_equal(feed_text(&watched, last), !excess);
        if (excess)
            assert_problem(&watched, "a response without an end");
        /* The next response begins anew, and what the long one took is given back. */
        assert_true(excess || feed_text(&watched, "* OK on\r\n"));
        assert_true(excess || in_use(&watched) < 32 << 10);
        watched_clear(&watched);
    }
}

static bool ignore(gpointer data, const ImapResponse *response)
{
    (void)data;
    (void)response;
    return true;
}

/* Whatever a response was made of, its memory is given back. */
static void test_large_responses_leave_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *start, *item;
        size_t n;
    } responses[] = {
        {"* OK ", "x", IMAP_MAX_LINE - 10},
        {"* SEARCH", " 1", IMAP_MAX_ITEMS},
        {"* X-A ", "(a)", IMAP_MAX_ITEMS / 2},
        {"* X-A", " {1}\r\n(", 1000},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(responses); i++) {
        const ImapParserEvents events = {ignore, NULL};
        g_autoptr(GString) text = g_string_new(responses[i].start);
        for (size_t k = 0; k < responses[i].n; k++)
            g_string_append(text, responses[i].item);
        g_string_append(text, "\r\n");
        size_t base = heap_in_use();
        g_autoptr(ImapParser) parser = imap_parser_new(&events, NULL);
        assert_true(imap_parser_feed(parser, (const uint8_t *)text->str, text->len, NULL, NULL));
        assert_true(heap_in_use() < base + (256 << 10));
    }
}

static char *nested(const char *start, size_t depth)
{
    g_autofree char *open = g_strnfill(depth, '(');
    g_autofree char *close = g_strnfill(depth, ')');
    return g_strconcat(start, open, close, "\r\n", NULL);
}

static void test_depth(void **state)
{
    (void)state;
    static const char *const starts[] = {"* 1 FETCH ", "* X-UNKNOWN ", "* OK [X "};
    static const size_t depths[] = {IMAP_MAX_DEPTH, IMAP_MAX_DEPTH + 1, 10000};

    for (size_t i = 0; i < G_N_ELEMENTS(starts); i++) {
        for (size_t k = 0; k < G_N_ELEMENTS(depths); k++) {
            g_autofree char *line = nested(starts[i], depths[k]);
            Watched watched = {0};
            watched_init(&watched);
            assert_int_equal(feed_text(&watched, line), depths[k] <= IMAP_MAX_DEPTH);
            if (watched.error)
                assert_problem(&watched, "more than 64 parentheses within each other");
            watched_clear(&watched);
        }
    }
}

static void test_items(void **state)
{
    (void)state;
    static const char *const starts[] = {"* SEARCH", "* X-UNKNOWN"};
    for (size_t excess = 0; excess < 2; excess++) {
        g_autoptr(GString) line = g_string_new(starts[excess]);
        Watched watched = {0};
        for (size_t i = 0; i < IMAP_MAX_ITEMS + excess; i++)
            g_string_append(line, " 1");
        g_string_append(line, "\r\n");
        watched_init(&watched);
        assert_int_equal(feed_text(&watched, line->str), !excess);
        if (excess)
            assert_problem(&watched, "too many values in a response");
        else
            assert_int_equal(watched.transcript.text->len, line->len - 1);
        assert_true(watched.peak < 32 << 20);
        watched_clear(&watched);
    }
}

/* Lists take the place of their items, and count themselves. */
static void test_items_of_lists(void **state)
{
    (void)state;
    g_autoptr(GString) line = g_string_new("* X-UNKNOWN ");
    Watched watched = {0};
    for (size_t i = 0; i < IMAP_MAX_ITEMS / 2; i++)
        g_string_append(line, "(a)");
    watched_init(&watched);
    assert_true(feed_text(&watched, line->str));
    assert_true(feed_text(&watched, "\r\n"));
    assert_true(feed_text(&watched, line->str));
    assert_false(feed_text(&watched, "()\r\n"));
    assert_problem(&watched, "too many values in a response");
    watched_clear(&watched);
}

static void test_many_empty_literals(void **state)
{
    (void)state;
    Watched watched = {0};
    watched_init(&watched);
    assert_true(feed_text(&watched, "* ID ("));
    while (feed_text(&watched, "{0}\r\n "))
        g_string_truncate(watched.transcript.text, 0);
    assert_problem(&watched, "a response without an end");
    assert_true(watched.peak < 64 << 20);
    watched_clear(&watched);
}

/* --- mutations ----------------------------------------------------------------------------- */

static const char *const corpus[] = {
    "* OK [CAPABILITY IMAP4rev1] ready\r\n* PREAUTH x\r\n+ go\r\nA1 NO [ALERT] \"no\"\r\n",
    "* 1 FETCH (UID 5 FLAGS (\\Seen $x) INTERNALDATE \" 7-Nov-2026 19:05:07 +0000\" "
    "RFC822.SIZE 4423)\r\n* 2 EXISTS\r\n",
    "* 1 FETCH (BODY[HEADER.FIELDS (A \"]\")]<0> {5}\r\na: b\n BODY[TEXT] ~{2+}\r\n)) X NIL)\r\n",
    "* LIST (\\Noselect) \"\\\\\" \"a\\\"b\"\r\n* LIST () NIL {3}\r\n/\"x\r\n* STATUS a (B 1)\r\n",
    "* NAMESPACE ((\"\" \"/\")(\"~\" \"/\")) NIL NIL\r\n* ID (\"a\" {0}\r\n \"b\" NIL)\r\n",
    "* ESEARCH (TAG \"A\") UID ALL 1:3,7\r\n* VANISHED (EARLIER) 1:4\r\n* X-Y (()(a[)])) "
    "{2}\r\nab\r\n",
};

static const char spice[] = "(){}[]<>\"\\~+*% \r\n\t\0\xff"
                            "0123456789NIL";

static void mutate(GByteArray *bytes, GRand *random)
{
    size_t changes = (size_t)g_rand_int_range(random, 1, 6);
    for (size_t i = 0; i < changes && bytes->len > 1; i++) {
        guint at = (guint)g_rand_int_range(random, 0, (gint32)bytes->len);
        guint n = (guint)g_rand_int_range(random, 1, 9);
        uint8_t c = (uint8_t)spice[g_rand_int_range(random, 0, sizeof spice - 1)];
        switch (g_rand_int_range(random, 0, 5)) {
        case 0:
            bytes->data[at] = c;
            break;
        case 1:
            bytes->data[at] ^= (uint8_t)(1u << n % 8);
            break;
        case 2:
            g_byte_array_remove_range(bytes, at, MIN(n, bytes->len - at));
            break;
        case 3: { /* once more */
            g_autofree uint8_t *again = g_memdup2(bytes->data + at, MIN(n, bytes->len - at));
            g_byte_array_append(bytes, again, MIN(n, bytes->len - at));
            break;
        }
        default:
            g_byte_array_append(bytes, &c, 1);
            memmove(bytes->data + at + 1, bytes->data + at, bytes->len - at - 1);
            bytes->data[at] = c;
            break;
        }
    }
}

/* Whatever comes in, it is the same in any pieces, and memory is used as it should be. */
static void test_mutations(void **state)
{
    (void)state;
    g_autoptr(GRand) random = g_rand_new_with_seed(20261122);
    size_t survived = 0;

    for (size_t i = 0; i < 12000; i++) {
        const char *seed = corpus[i % G_N_ELEMENTS(corpus)];
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        g_byte_array_append(bytes, (const guint8 *)seed, (guint)strlen(seed));
        mutate(bytes, random);
        Transcript transcript = {.limit = 100, .discard = i % 2 ? 40 : 0};
        g_autofree char *whole = transcript_run(&transcript, bytes->data, bytes->len, 0, NULL);
        survived += !strstr(whole, "\n! ") && *whole != '!';
        g_autofree char *single = transcript_run(&transcript, bytes->data, bytes->len, 1, NULL);
        g_autofree char *uneven = transcript_run(&transcript, bytes->data, bytes->len, 30, random);
        assert_string_equal(single, whole);
        assert_string_equal(uneven, whole);
    }
    /* Both sorts were there. */
    assert_in_range(survived, 1000, 11000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_discarded_literal_takes_no_memory),
        cmocka_unit_test(test_memory_grows_with_what_arrives),
        cmocka_unit_test(test_kept_literal_has_all_bytes),
        cmocka_unit_test(test_bytes_outlive_the_parser),
        cmocka_unit_test(test_literal_beyond_the_limit),
        cmocka_unit_test(test_endless_literal_is_passed_over),
        cmocka_unit_test(test_many_literals),
        cmocka_unit_test(test_literals_of_many_responses),
        cmocka_unit_test(test_endless_line),
        cmocka_unit_test(test_line_limit),
        cmocka_unit_test(test_large_responses_leave_nothing),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_items),
        cmocka_unit_test(test_items_of_lists),
        cmocka_unit_test(test_many_empty_literals),
        cmocka_unit_test(test_mutations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
