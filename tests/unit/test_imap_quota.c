#include "../../imapclient/quota.h"
#include "imap_response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

typedef struct {
    MailQuota quota;
    bool has_bytes;
} Told;

static void take(gpointer data, const ImapResponse *response)
{
    Told *told = data;

    told->has_bytes = imap_quota_read(&told->quota, response);
}

static void test_resources(void **state)
{
    static const struct {
        const char *response;
        Told told;
    } cases[] = {
        {"* QUOTA \"\" (STORAGE 10 512)\n", {{10240, 524288, 0, 0}, true}},
        {"* QUOTA a (MESSAGE 3 100 STORAGE 1 2)\n", {{1024, 2048, 3, 100}, true}},
        {"* QUOTA a (MESSAGE 3 100)\n", {{0, 0, 3, 100}, false}},
        {"* QUOTA a (STORAGE 600 512)\n", {{524288, 524288, 0, 0}, true}}, /* over it */
        {"* QUOTA a (STORAGE 0 18014398509481983)\n", {{0, 18446744073709550592u, 0, 0}, true}},
        {"* QUOTA a (STORAGE 0 18014398509481984)\n", {{0, 0, 0, 0}, false}},
        {"* QUOTA a (STORAGE x 2 STORAGE 1)\n", {{0, 0, 0, 0}, false}},
        {"* QUOTA a (X 1 2 \"STORAGE\" 1 2)\n", {{0, 0, 0, 0}, false}},
        {"* QUOTA a ()\n", {{0, 0, 0, 0}, false}},
        {"* QUOTA\n", {{0, 0, 0, 0}, false}},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Told told = {0};
        with_responses(cases[i].response, take, &told);
        assert_int_equal(told.has_bytes, cases[i].told.has_bytes);
        assert_memory_equal(&told.quota, &cases[i].told.quota, sizeof told.quota);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_resources)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
