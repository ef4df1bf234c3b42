#include "../../imapclient/search.h"
#include "imap_response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void take(gpointer data, const ImapResponse *response)
{
    /* Others may have to hear a plain one. */
    assert_int_equal(imap_search_take(data, response), strcmp(response->name, "ESEARCH") == 0);
}

static void refuse(gpointer data, const ImapResponse *response)
{
    assert_false(imap_search_take(data, response));
}

static char *found(const ImapSearch *search)
{
    GString *text = g_string_new(NULL);

    for (uint32_t uid = 1; uid < 20; uid++)
        if (imap_search_found(search, uid))
            g_string_append_printf(text, "%u ", uid);
    return g_string_free(text, FALSE);
}

static void test_found(void **state)
{
    static const struct {
        const char *answers, *found;
    } cases[] = {
        {"* SEARCH\n", ""},
        {"* SEARCH 3\n", "3 "},
        {"* SEARCH 9 2 3 3\n* SEARCH 5\n", "2 3 5 9 "},
        {"* SEARCH 2 5 (MODSEQ 917162500)\n", "2 5 "},
        {"* ESEARCH\n", ""},
        {"* ESEARCH (TAG \"A2\") UID\n", ""},
        {"* ESEARCH (TAG \"A2\") UID ALL 2:4,9\n", "2 3 4 9 "},
        {"* ESEARCH (TAG \"A2\") UID MIN 1 ALL 7 COUNT 1\n", "7 "},
        {"* ESEARCH ALL 15:4294967295\n", "15 16 17 18 19 "},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        ImapSearch search = {0};
        with_responses(cases[i].answers, take, &search);
        assert_true(imap_search_finish(&search));
        g_autofree char *text = found(&search);
        assert_string_equal(text, cases[i].found);
        imap_search_clear(&search);
        assert_false(imap_search_found(&search, 3));
    }
}

static void test_strange(void **state)
{
    static const char *const answers[] = {
        "* SEARCH 0\n",
        "* SEARCH 4294967296\n",
        "* SEARCH 2 x\n",
        "* ESEARCH ALL 2-4\n",
        "* ESEARCH ALL (2)\n",
        "* SEARCH -1\n",
        "* SEARCH 2\n* SEARCH \"3\"\n",
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(answers); i++) {
        ImapSearch search = {0};
        with_responses(answers[i], take, &search);
        assert_false(imap_search_finish(&search));
        imap_search_clear(&search);
    }
}

static void test_not_answered(void **state)
{
    ImapSearch search = {0};

    (void)state;
    with_responses("* 3 EXPUNGE\n* OK SEARCH\n* 4 EXISTS\n* VANISHED 3\n", refuse, &search);
    assert_false(imap_search_finish(&search));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found),
        cmocka_unit_test(test_strange),
        cmocka_unit_test(test_not_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
