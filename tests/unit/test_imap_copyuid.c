#include "../../imapclient/copyuid.h"
#include "imap_response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { MOST = 10 };

static void write_pairs(gpointer data, const ImapResponse *response)
{
    GString *text = data;
    uint32_t uidvalidity = 0;
    g_autoptr(GArray) pairs = imap_copyuid_read(response, MOST, &uidvalidity);

    if (!pairs) {
        g_string_append(text, "none");
        return;
    }
    g_string_append_printf(text, "%u:", uidvalidity);
    for (guint i = 0; i < pairs->len; i++)
        g_string_append_printf(text, " %u>%u", g_array_index(pairs, ImapCopyUid, i).uid,
                               g_array_index(pairs, ImapCopyUid, i).copy);
}

static void test_codes(void **state)
{
    static const char *const cases[][2] = {
        {"COPYUID 38505 304,319:320 3956:3958", "38505: 304>3956 319>3957 320>3958"},
        {"copyuid 1 2 3", "1: 2>3"},
        {"COPYUID 1 9,2:3 5,4,7", "1: 9>5 2>4 3>7"},
        {"COPYUID 1 3:2 4:5", "1: 2>4 3>5"},
        {"COPYUID 4294967295 4294967294:4294967295 1:2", "4294967295: 4294967294>1 4294967295>2"},
        {"COPYUID 1 1:10 11:20", "1: 1>11 2>12 3>13 4>14 5>15 6>16 7>17 8>18 9>19 10>20"},
        {"COPYUID 1 1:11 11:21", "none"},
        {"COPYUID 1 1:4294967295 1:4294967295", "none"},
        {"COPYUID 1 1,1,1,1,1,1,1,1,1,1,1 2:12", "none"},
        {"COPYUID 1 1:2 3", "none"},
        {"COPYUID 1 1:* 3:4", "none"},
        {"COPYUID 1 * 3", "none"},
        {"COPYUID 1 0 3", "none"},
        {"COPYUID 1 1, 3,4", "none"},
        {"COPYUID 1 1,,2 3,4", "none"},
        {"COPYUID 1 1: 3:4", "none"},
        {"COPYUID 1 4294967296 3", "none"},
        {"COPYUID 1 99999999999999999999999999 3", "none"},
        {"COPYUID 0 1 3", "none"},
        {"COPYUID 4294967296 1 3", "none"},
        {"COPYUID x 1 3", "none"},
        {"COPYUID 1 (1) 3", "none"},
        {"COPYUID 1 1", "none"},
        {"COPYUID 1 \"\" \"\"", "none"},
        {"COPYUID", "none"},
        {"APPENDUID 1 2 3", "none"},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *line = g_strdup_printf("A1 OK [%s] done\n", cases[i][0]);
        g_autoptr(GString) text = g_string_new(NULL);
        with_responses(line, write_pairs, text);
        assert_string_equal(text->str, cases[i][1]);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_codes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
