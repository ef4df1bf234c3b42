#include "../../imapclient/capability.h"
#include "imap_response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void read_untagged(gpointer data, const ImapResponse *response)
{
    imap_capabilities_read(data, response->values, 0);
}

static void read_code(gpointer data, const ImapResponse *response)
{
    imap_capabilities_read(data, response->code, 1);
}

static void read_text(ImapCapabilities *caps, const char *text)
{
    g_autofree char *line = g_strconcat("* CAPABILITY ", text, "\n", NULL);

    assert_int_equal(with_responses(line, read_untagged, caps), 1);
}

static void check_bits(const char *text, unsigned bits)
{
    ImapCapabilities caps = {0};

    read_text(&caps, text);
    assert_true(caps.known);
    assert_int_equal(caps.bits, bits);
    assert_string_equal(caps.text, text);
    imap_capabilities_clear(&caps);
}

static void test_names(void **state)
{
    (void)state;
    check_bits("IMAP4rev1", IMAP_CAP_REV1);
    check_bits("imap4REV1 starttls LoginDisabled",
               IMAP_CAP_REV1 | IMAP_CAP_STARTTLS | IMAP_CAP_LOGINDISABLED);
    check_bits("SASL-IR ID NAMESPACE LITERAL+ ENABLE", IMAP_CAP_SASL_IR | IMAP_CAP_ID |
                                                           IMAP_CAP_NAMESPACE |
                                                           IMAP_CAP_LITERAL_PLUS | IMAP_CAP_ENABLE);
    check_bits("LITERAL- QUOTA ESEARCH SPECIAL-USE UTF8=ACCEPT",
               IMAP_CAP_LITERAL_MINUS | IMAP_CAP_QUOTA | IMAP_CAP_ESEARCH | IMAP_CAP_SPECIAL_USE |
                   IMAP_CAP_UTF8_ACCEPT);
    check_bits("UTF8=ONLY", IMAP_CAP_UTF8_ACCEPT);
    check_bits("COMPRESS=DEFLATE COMPRESS COMPRESS=LZW", IMAP_CAP_COMPRESS);
    check_bits("UIDPLUS MOVE REPLACE UNSELECT",
               IMAP_CAP_UIDPLUS | IMAP_CAP_MOVE | IMAP_CAP_REPLACE | IMAP_CAP_UNSELECT);
    check_bits("IDLE NOTIFY XIDLE", IMAP_CAP_IDLE | IMAP_CAP_NOTIFY);
    check_bits("APPENDLIMIT", IMAP_CAP_APPENDLIMIT);
    check_bits("QUOTA=RES-STORAGE", IMAP_CAP_QUOTA);
    check_bits("IMAP4rev1x XIMAP4rev1 X-QRESYNC UTF8=USER UTF8 QUOTASET", 0);
}

static void check_in_use(const char *text, const char *names)
{
    ImapCapabilities caps = {0};

    read_text(&caps, text);
    g_autofree char *in_use = imap_capabilities_names(caps.bits);
    assert_string_equal(in_use, names);
    imap_capabilities_clear(&caps);
}

/* What makes no difference is not among them. */
static void test_in_use(void **state)
{
    (void)state;
    check_in_use("IMAP4rev1", "IMAP4REV1");
    check_in_use("IMAP4rev1 LOGINDISABLED SORT THREAD=REFS QRESYNC",
                 "IMAP4REV1 ENABLE CONDSTORE QRESYNC");
    check_in_use("IMAP4rev1 LITERAL+ AUTH=PLAIN CONDSTORE UTF8=ONLY",
                 "IMAP4REV1 LITERAL+ CONDSTORE UTF8=ACCEPT");
    check_in_use("IMAP4rev2", "IMAP4REV2 SASL-IR NAMESPACE LITERAL- ENABLE ESEARCH UIDPLUS MOVE "
                              "UNSELECT IDLE");
}

static void test_names_that_include_others(void **state)
{
    (void)state;
    check_bits("CONDSTORE", IMAP_CAP_CONDSTORE);
    check_bits("QRESYNC", IMAP_CAP_QRESYNC | IMAP_CAP_CONDSTORE | IMAP_CAP_ENABLE);
    check_bits("IMAP4rev2", IMAP_CAP_REV2 | IMAP_CAP_SASL_IR | IMAP_CAP_NAMESPACE |
                                IMAP_CAP_LITERAL_MINUS | IMAP_CAP_ENABLE | IMAP_CAP_ESEARCH |
                                IMAP_CAP_UIDPLUS | IMAP_CAP_MOVE | IMAP_CAP_UNSELECT |
                                IMAP_CAP_IDLE);
}

static void test_append_limit(void **state)
{
    static const struct {
        const char *text;
        uint64_t limit;
    } cases[] = {
        {"APPENDLIMIT=257890", 257890},
        {"appendlimit=0", 0},
        {"APPENDLIMIT=18446744073709551615", UINT64_MAX},
        {"APPENDLIMIT=18446744073709551616", UINT64_MAX},
        {"APPENDLIMIT=-1", UINT64_MAX},
        {"APPENDLIMIT=x", UINT64_MAX},
        {"APPENDLIMIT= IMAP4rev1", UINT64_MAX},
        {"APPENDLIMIT", UINT64_MAX},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        ImapCapabilities caps = {0};
        read_text(&caps, cases[i].text);
        assert_true(caps.append_limit == cases[i].limit);
        read_text(&caps, "ID");
        assert_true(caps.append_limit == UINT64_MAX);
        imap_capabilities_clear(&caps);
    }
}

static void test_have(void **state)
{
    ImapCapabilities caps = {0};

    (void)state;
    assert_false(imap_capabilities_have(&caps, IMAP_CAP_ID));
    read_text(&caps, "ID QUOTA");
    assert_true(imap_capabilities_have(&caps, IMAP_CAP_ID));
    assert_true(imap_capabilities_have(&caps, IMAP_CAP_ID | IMAP_CAP_QUOTA));
    assert_false(imap_capabilities_have(&caps, IMAP_CAP_ID | IMAP_CAP_ENABLE));
    imap_capabilities_clear(&caps);
}

static void test_mechanisms(void **state)
{
    ImapCapabilities caps = {0};

    (void)state;
    read_text(&caps, "AUTH=PLAIN auth=scram-sha-256 AUTH= IMAP4rev1 XAUTH=X");
    assert_int_equal(caps.auth->len, 4); /* and the NULL */
    assert_string_equal(caps.auth->pdata[0], "PLAIN");
    assert_string_equal(caps.auth->pdata[1], "SCRAM-SHA-256");
    assert_string_equal(caps.auth->pdata[2], "");
    assert_null(caps.auth->pdata[3]);
    imap_capabilities_clear(&caps);
    assert_null(caps.auth);
}

static void test_replaced_and_forgotten(void **state)
{
    ImapCapabilities caps = {0};

    (void)state;
    read_text(&caps, "STARTTLS AUTH=PLAIN");
    assert_int_equal(
        with_responses("A1 OK [CAPABILITY ID AUTH=CRAM-MD5] welcome\n", read_code, &caps), 1);
    assert_int_equal(caps.bits, IMAP_CAP_ID);
    assert_string_equal(caps.text, "ID AUTH=CRAM-MD5");
    assert_string_equal(caps.auth->pdata[0], "CRAM-MD5");
    assert_null(caps.auth->pdata[1]);
    imap_capabilities_clear(&caps);
    assert_false(caps.known);
    assert_int_equal(caps.bits, 0);
    assert_null(caps.text);
}

/* Lists, NIL, strings with anything in them: what is no name is left out. */
static void test_nonsense(void **state)
{
    ImapCapabilities caps = {0};

    (void)state;
    with_responses("* CAPABILITY (ID) NIL {3}\r\nID\033 QUOTA \"AUTH=\303\"\n", read_untagged,
                   &caps);
    assert_true(caps.known);
    assert_int_equal(caps.bits, IMAP_CAP_QUOTA);
    assert_int_equal(with_responses("* CAPABILITY\n", read_untagged, &caps), 1);
    assert_true(caps.known);
    assert_string_equal(caps.text, "");
    assert_int_equal(caps.auth->len, 1);
    imap_capabilities_clear(&caps);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_in_use),
        cmocka_unit_test(test_names_that_include_others),
        cmocka_unit_test(test_append_limit),
        cmocka_unit_test(test_have),
        cmocka_unit_test(test_mechanisms),
        cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_replaced_and_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
