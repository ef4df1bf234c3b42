/* What is tried again, and what is not. */
#include "../../fs/failure.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void expect(int code, bool lost, bool refusal)
{
    g_autoptr(GError) error = code ? g_error_new(MAIL_ERROR, code, "fails") : NULL;

    assert_int_equal(failure_is_lost(error), lost);
    assert_int_equal(failure_is_refusal(error), refusal);
}

static void test_kinds(void **state)
{
    static const int lost[] = {ENOTCONN, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, ECONNREFUSED};
    static const int refusals[] = {EROFS, EACCES, EPERM, EDQUOT, EINVAL};
    static const int neither[] = {0, ESTALE, ENOENT, EAGAIN, EBUSY, EREMOTEIO, EPROTO, ECANCELED};

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(lost); i++)
        expect(lost[i], true, false);
    for (size_t i = 0; i < G_N_ELEMENTS(refusals); i++)
        expect(refusals[i], false, true);
    for (size_t i = 0; i < G_N_ELEMENTS(neither); i++)
        expect(neither[i], false, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kinds)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
