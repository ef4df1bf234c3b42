#include "../../imapclient/utf7.h"

#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *wire, *utf8;
} names[] = {
    {"", ""},
    {"INBOX", "INBOX"},
    {"Entw&APw-rfe", "Entw\xc3\xbcrfe"},
    {"~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/"
                                        "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"},
    {"&-", "&"},
    {"a&-b&-", "a&b&"},
    {"&-&-", "&&"},
    {"&AOk-&-", "\xc3\xa9&"},
    {"&-&AOk-", "&\xc3\xa9"},
    {"&AOkA6Q-", "\xc3\xa9\xc3\xa9"},
    {"&AOk- &AOk-", "\xc3\xa9 \xc3\xa9"},
    {"&2D3eAA-", "\xf0\x9f\x98\x80"},
    {"&2D3eANg93gE-", "\xf0\x9f\x98\x80\xf0\x9f\x98\x81"},
    {"&2AHcgQ-", "\xf0\x90\x92\x81"},
    {"&2,,f,w-", "\xf4\x8f\xbf\xbf"},
    {"&AAE-", "\x01"},
    {"a&AAoACQB,-", "a\n\t\x7f"},
    {"&,v8-", "\xef\xbb\xbf"},
    {"&,,8-", "\xef\xbf\xbf"},
    {" -+,/~{}\"\\", " -+,/~{}\"\\"},
    {"&AIA-", "\xc2\x80"},
    {"&B,8IAA-", "\xdf\xbf\xe0\xa0\x80"},
};

static void test_known_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *decoded = imap_utf7_decode(names[i].wire);
        g_autofree char *encoded = imap_utf7_encode(names[i].utf8);
        assert_non_null(decoded);
        assert_non_null(encoded);
        assert_string_equal(decoded, names[i].utf8);
        assert_string_equal(encoded, names[i].wire);
    }
}

static void test_not_well_formed(void **state)
{
    (void)state;
    static const char *const wires[] = {
        "&",            /* unterminated */
        "a&",           /* likewise */
        "&AOk",         /* likewise */
        "&AOk/",        /* '/' is ',' here */
        "&AOk=-",       /* padding */
        "&AOk -",       /* a space in it */
        "&AO\xc3\xa9-", /* 8-bit in it */
        "&A-",          /* less than a unit */
        "&AO-",         /* likewise */
        "&AOkA-",       /* a unit and bits left over */
        "&AOkAAA-",     /* a unit and NUL */
        "&AOl-",        /* the bits left over are not 0 */
        "&AOkA6R-",     /* likewise */
        "&AGE-",        /* 'a' stands for itself */
        "&ACY-",        /* '&' is "&-" */
        "&AGEA6Q-",     /* "a" and a letter that needs it */
        "&AOkAYQ-",     /* the other way round */
        "&AOk-&AOk-",   /* one shift would do */
        "&AAA-",        /* NUL */
        "&2D0-",        /* the first half of a pair */
        "&2D0AYQ-",     /* likewise, ahead of a letter */
        "&3gA-",        /* the second half */
        "&3gDYPQ-",     /* halves in the wrong order */
        "&2D3YPd4A-",   /* two first halves */
        "&2D0-&3gA-",   /* a pair torn apart */
        "caf\xc3\xa9",  /* UTF-8 */
        "caf\xe9",      /* Latin-1 */
        "a\nb",         /* control characters have to be shifted */
        "a\x7f",        /* likewise */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(wires); i++) {
        g_autofree char *decoded = imap_utf7_decode(wires[i]);
        if (decoded)
            fail_msg("\"%s\" is \"%s\"", wires[i], decoded);
    }
}

static void test_no_utf8(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\x80",
        "\xc3",
        "\xc3(",
        "\xc0\x80",
        "\xe0\x80\x80",
        "\xed\xa0\x80",
        "\xed\xb0\x80",
        "\xf4\x90\x80\x80",
        "\xf8\x88\x80\x80\x80",
        "ok\xff",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        assert_null(imap_utf7_encode(texts[i]));
}

static gunichar random_character(GRand *random)
{
    static const gunichar ends[] = {0x80, 0x800, 0x10000, 0x110000};
    gunichar c = 0;
    while (c == 0 || (c >= 0xd800 && c <= 0xdfff))
        c = (gunichar)g_rand_int_range(random, 1, (gint32)ends[g_rand_int_range(random, 0, 4)]);
    return c;
}

/* Any Unicode survives, and what is on the wire is what the RFC allows there. */
static void test_random_text_survives(void **state)
{
    (void)state;
    g_autoptr(GRand) random = g_rand_new_with_seed(2152);
    for (int i = 0; i < 20000; i++) {
        g_autoptr(GString) text = g_string_new(NULL);
        for (int n = g_rand_int_range(random, 0, 20); n; n--)
            g_string_append_unichar(text, random_character(random));
        g_autofree char *encoded = imap_utf7_encode(text->str);
        assert_non_null(encoded);
        for (const char *p = encoded; *p; p++)
            assert_true(*p >= 0x20 && *p <= 0x7e);
        g_autofree char *decoded = imap_utf7_decode(encoded);
        assert_non_null(decoded);
        assert_string_equal(decoded, text->str);
    }
}

/* Every character alone. */
static void test_every_character(void **state)
{
    (void)state;
    for (gunichar c = 1; c < 0x110000; c++) {
        char text[8] = {0};
        if (c >= 0xd800 && c <= 0xdfff)
            continue;
        g_unichar_to_utf8(c, text);
        g_autofree char *encoded = imap_utf7_encode(text);
        g_autofree char *decoded = imap_utf7_decode(encoded);
        assert_string_equal(decoded, text);
        assert_int_equal(strcmp(encoded, text) == 0, c >= 0x20 && c <= 0x7e && c != '&');
    }
}

/* Whatever decodes is the one form of its text. */
static void test_random_wire_is_canonical(void **state)
{
    (void)state;
    static const char common[] = "&&&&--AAAAOkDd23gPXYZ,+/ b";
    g_autoptr(GRand) random = g_rand_new_with_seed(3501);
    size_t taken = 0;
    for (int i = 0; i < 300000; i++) {
        char wire[12] = {0};
        size_t length = (size_t)g_rand_int_range(random, 1, sizeof wire);
        for (size_t k = 0; k < length; k++)
            wire[k] = common[g_rand_int_range(random, 0, sizeof common - 1)];
        g_autofree char *decoded = imap_utf7_decode(wire);
        if (!decoded)
            continue;
        taken += strstr(wire, "&A") != NULL;
        assert_true(g_utf8_validate(decoded, -1, NULL));
        g_autofree char *encoded = imap_utf7_encode(decoded);
        assert_string_equal(encoded, wire);
    }
    assert_in_range(taken, 50, 300000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_names),     cmocka_unit_test(test_not_well_formed),
        cmocka_unit_test(test_no_utf8),         cmocka_unit_test(test_random_text_survives),
        cmocka_unit_test(test_every_character), cmocka_unit_test(test_random_wire_is_canonical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
