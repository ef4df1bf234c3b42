#include "../../pop3client/capability.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../pop3client/limits.h"

static void read_all(Pop3Capabilities *caps, const char *const *lines)
{
    for (; *lines; lines++)
        pop3_capabilities_read(caps, *lines);
    pop3_capabilities_end(caps);
}

/* Each name, in any case, and what it has behind it. */
static void test_names(void **state)
{
    static const char *const lines[] = {"TOP",
                                        "user",
                                        "UIDL",
                                        "Pipelining",
                                        "STLS",
                                        "UTF8 USER",
                                        "RESP-CODES",
                                        "SASL PLAIN  scram-sha-1\tCRAM-MD5 ",
                                        "EXPIRE NEVER",
                                        "LOGIN-DELAY 7 USER",
                                        "IMPLEMENTATION x",
                                        "",
                                        "TOPS",
                                        NULL};
    Pop3Capabilities caps = {0};
    (void)state;
    assert_false(caps.known);
    read_all(&caps, lines);
    assert_true(caps.known);
    assert_int_equal(caps.bits, POP3_CAP_TOP | POP3_CAP_USER | POP3_CAP_UIDL | POP3_CAP_PIPELINING |
                                    POP3_CAP_STLS | POP3_CAP_UTF8 | POP3_CAP_RESP_CODES);
    assert_true(pop3_capabilities_have(&caps, POP3_CAP_TOP | POP3_CAP_UIDL));
    assert_int_equal(caps.auth->len, 4);
    assert_string_equal(caps.auth->pdata[0], "PLAIN");
    assert_string_equal(caps.auth->pdata[1], "SCRAM-SHA-1");
    assert_string_equal(caps.auth->pdata[2], "CRAM-MD5");
    assert_null(caps.auth->pdata[3]);
    assert_int_equal(caps.login_delay, 7);
    pop3_capabilities_clear(&caps);
    assert_int_equal(caps.bits, 0);
    assert_false(caps.known);
    assert_null(caps.text);
}

static void test_nothing(void **state)
{
    static const char *const lines[] = {NULL};
    Pop3Capabilities caps = {0};
    (void)state;
    read_all(&caps, lines);
    assert_true(caps.known);
    assert_int_equal(caps.bits, 0);
    assert_null(caps.auth->pdata[0]);
    assert_string_equal(caps.text->str, "");
    pop3_capabilities_clear(&caps);
    pop3_capabilities_clear(&caps);
}

static void test_delays(void **state)
{
    static const struct {
        const char *line;
        unsigned seconds;
    } delays[] = {
        {"LOGIN-DELAY", 0},
        {"LOGIN-DELAY 0", 0},
        {"LOGIN-DELAY x", 0},
        {"LOGIN-DELAY -1", 0},
        {"LOGIN-DELAY 900", 900},
        {"LOGIN-DELAY 4294967295", 86400},
        {"LOGIN-DELAY 99999999999", 0},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(delays); i++) {
        Pop3Capabilities caps = {0};
        pop3_capabilities_read(&caps, delays[i].line);
        assert_int_equal(caps.login_delay, delays[i].seconds);
        pop3_capabilities_clear(&caps);
    }
}

/* What comes behind the bound is not looked at, nor kept. */
static void test_many(void **state)
{
    Pop3Capabilities caps = {0};
    (void)state;
    for (int i = 0; i < POP3_MAX_CAPABILITIES; i++)
        pop3_capabilities_read(&caps, "X");
    pop3_capabilities_read(&caps, "TOP");
    pop3_capabilities_end(&caps);
    assert_int_equal(caps.bits, 0);
    assert_int_equal(caps.text->len, 3 * POP3_MAX_CAPABILITIES - 2);
    pop3_capabilities_clear(&caps);
}

static void test_in_use(void **state)
{
    (void)state;
    g_autofree char *some = pop3_capabilities_names(POP3_CAP_TOP | POP3_CAP_PIPELINING);
    g_autofree char *none = pop3_capabilities_names(0);
    assert_string_equal(some, "TOP PIPELINING");
    assert_string_equal(none, "");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names), cmocka_unit_test(test_nothing), cmocka_unit_test(test_delays),
        cmocka_unit_test(test_many),  cmocka_unit_test(test_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
