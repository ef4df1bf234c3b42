#include "utf7.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static bool is_direct(gunichar c)
{
    return c >= 0x20 && c <= 0x7e;
}

/* --- decoding ------------------------------------------------------------------------------ */

/* Appends a unit of UTF-16. *high is the first half of a pair that waits for its second, or 0. */
static bool append_unit(GString *utf8, uint16_t unit, uint16_t *high)
{
    bool is_low = unit >= 0xdc00 && unit <= 0xdfff;
    gunichar c = unit;

    if (is_low != (*high != 0) || unit == 0)
        return false;
    if (unit >= 0xd800 && unit <= 0xdbff) {
        *high = unit;
        return true;
    }
    if (is_low)
        c = 0x10000 + ((gunichar)(*high - 0xd800) << 10) + (unit - 0xdc00u);
    *high = 0;
    g_string_append_unichar(utf8, c);
    return true;
}

/* Decodes what is between '&' and '-'. Returns what is behind the '-'; NULL: not well-formed. */
static const char *decode_shift(GString *utf8, const char *text)
{
    uint32_t bits = 0;
    unsigned have = 0;
    uint16_t high = 0;

    for (; *text != '-'; text++) {
        const char *digit = *text ? strchr(alphabet, *text) : NULL;
        if (!digit)
            return NULL;
        bits = bits << 6 | (uint32_t)(digit - alphabet);
        have += 6;
        if (have < 16)
            continue;
        have -= 16;
        if (!append_unit(utf8, (uint16_t)(bits >> have), &high))
            return NULL;
    }
    return high ? NULL : text + 1;
}

static bool decode(GString *utf8, const char *name)
{
    while (*name) {
        if (*name != '&') {
            g_string_append_c(utf8, *name++);
        } else if (name[1] == '-') {
            g_string_append_c(utf8, '&');
            name += 2;
        } else {
            name = decode_shift(utf8, name + 1);
            if (!name)
                return false;
        }
    }
    return true;
}

/* Whatever has two forms on the wire (a letter in base64, bits left over, a shift that ends for
 * another to begin) is refused by encoding it again: only the canonical one comes back. */
char *imap_utf7_decode(const char *name)
{
    g_autoptr(GString) utf8 = g_string_new(NULL);
    if (!decode(utf8, name))
        return NULL;
    g_autofree char *again = imap_utf7_encode(utf8->str);
    if (!again || strcmp(again, name) != 0)
        return NULL;
    return g_string_free(g_steal_pointer(&utf8), FALSE);
}

/* --- encoding ------------------------------------------------------------------------------ */

/* A shift sequence that grows: `have` bits in `bits` are not written yet. */
typedef struct {
    GString *name;
    uint32_t bits;
    unsigned have;
} Shift;

static void put_unit(Shift *shift, uint32_t unit)
{
    shift->bits = shift->bits << 16 | unit;
    for (shift->have += 16; shift->have >= 6; shift->have -= 6)
        g_string_append_c(shift->name, alphabet[shift->bits >> (shift->have - 6) & 63]);
}

static void put_character(Shift *shift, gunichar c)
{
    if (c < 0x10000) {
        put_unit(shift, c);
    } else {
        put_unit(shift, 0xd800 + ((c - 0x10000) >> 10));
        put_unit(shift, 0xdc00 + ((c - 0x10000) & 0x3ff));
    }
}

/* Encodes characters up to the next that stands for itself, which it returns. */
static const char *encode_shift(GString *name, const char *text)
{
    Shift shift = {name, 0, 0};

    g_string_append_c(name, '&');
    for (; *text && !is_direct(g_utf8_get_char(text)); text = g_utf8_next_char(text))
        put_character(&shift, g_utf8_get_char(text));
    if (shift.have)
        g_string_append_c(name, alphabet[shift.bits << (6 - shift.have) & 63]);
    g_string_append_c(name, '-');
    return text;
}

char *imap_utf7_encode(const char *utf8)
{
    if (!g_utf8_validate(utf8, -1, NULL))
        return NULL;
    GString *name = g_string_new(NULL);
    while (*utf8) {
        if (!is_direct((uint8_t)*utf8)) {
            utf8 = encode_shift(name, utf8);
            continue;
        }
        g_string_append_c(name, *utf8);
        if (*utf8++ == '&')
            g_string_append_c(name, '-');
    }
    return g_string_free(name, FALSE);
}
