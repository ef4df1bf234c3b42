#include "quote.h"

#include <glib.h>
#include <string.h>

char *quote_text(const char *text)
{
    enum { LONGEST = 300 };
    g_autofree char *valid = g_utf8_make_valid(text, (gssize)strnlen(text, LONGEST));

    for (char *p = valid; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
    return g_steal_pointer(&valid);
}
