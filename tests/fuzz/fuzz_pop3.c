/*
 * fuzz_pop3.c: the POP3 parser, the listing, and what a message is cut into: however the server's
 * bytes are cut into packets, what comes of them is the same.
 */
#include "../../pop3client/cut.h"
#include "../../pop3client/limits.h"
#include "../../pop3client/listing.h"

#include <errno.h>

#include "../unit/pop3_transcript.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_parser(const uint8_t *data, size_t size, GRand *random)
{
    static const char *const follows[] = {"n", "l", "c", "lcn", "ns", "cl"};
    const char *plan = follows[data[0] % G_N_ELEMENTS(follows)];
    g_autofree char *whole = transcript_run(plan, data, size, 0, NULL);
    g_autofree char *single = transcript_run(plan, data, size, 1, NULL);
    g_autofree char *uneven = transcript_run(plan, data, size, 50, random);

    g_assert_cmpstr(single, ==, whole);
    g_assert_cmpstr(uneven, ==, whole);
}

/* Lines of UIDL and LIST by turns. Whatever is taken has names that are fine, and ascends. */
static void fuzz_listing(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_autoptr(Pop3Listing) listing = pop3_listing_new();

    for (size_t i = 0; lines[i]; i++)
        if (!(i % 2 ? pop3_listing_take_size : pop3_listing_take_name)(listing, lines[i],
                                                                       strlen(lines[i]), NULL))
            return;
    if (!pop3_listing_join(listing, NULL))
        return;
    for (guint i = 0; (i = pop3_listing_nameless(listing, i)) < pop3_listing_count(listing);)
        pop3_listing_name(listing, i, "made");
    pop3_listing_finish(listing);
    for (guint i = 0; i < pop3_listing_count(listing); i++) {
        const Pop3Entry *entry = pop3_listing_entry(listing, i);
        g_assert_true(*entry->name && strlen(entry->name) <= POP3_MAX_NAME);
        g_assert_true(entry->size <= INT64_MAX);
        g_assert_true(i == 0 || entry->number > pop3_listing_entry(listing, i - 1)->number);
        g_assert_true(pop3_listing_find(listing, entry->name, entry->which) == entry);
    }
}

static void append_part(gpointer data, const MailRange *asked, GBytes *bytes)
{
    GByteArray *const *sections = data;
    gsize length = 0;
    const guint8 *content = g_bytes_get_data(bytes, &length);

    g_assert_true(asked->offset == sections[asked->section]->len);
    g_byte_array_append(sections[asked->section], content, (guint)length);
}

/* HEADER and TEXT make up the message. */
static void fuzz_cut(const uint8_t *data, size_t size, GRand *random)
{
    static const MailRange ranges[] = {
        {MAIL_SECTION_BODY, 0, 0}, {MAIL_SECTION_HEADER, 0, 0}, {MAIL_SECTION_TEXT, 0, 0}};
    g_autoptr(GByteArray) header = g_byte_array_new();
    g_autoptr(GByteArray) text = g_byte_array_new();
    g_autoptr(GByteArray) body = g_byte_array_new();
    GByteArray *sections[] = {header, text, body};
    g_autoptr(Pop3Cut) cut = pop3_cut_new(ranges, G_N_ELEMENTS(ranges), 0, append_part, sections);

    for (size_t done = 0, n; done < size; done += n) {
        n = (size_t)g_rand_int_range(random, 1, 9);
        n = MIN(n, size - done);
        pop3_cut_take(cut, data + done, n);
    }
    g_assert_true(pop3_cut_end(cut, NULL));
    g_byte_array_append(header, text->data, text->len);
    g_assert_cmpmem(header->data, header->len, data, size);
    g_assert_cmpmem(body->data, body->len, data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    g_autoptr(GRand) random = g_rand_new_with_seed(data[0] | (guint32)data[1] << 8);
    fuzz_parser(data + 1, size - 1, random);
    fuzz_listing(data + 1, size - 1);
    fuzz_cut(data + 1, size - 1, random);
    return 0;
}
