/*
 * test_pin.c: how a fingerprint is written, and what it is of.
 */
#include "../../cache/mail.h"
#include "../../imapclient/net/pin.h"
#include "certificates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#define HEX "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define COLONS                                                                                   \
    "E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24:27:AE:41:E4:64:9B:93:4C:A4:95:99:1B:78:52:" \
    "B8:"                                                                                        \
    "55"
#define BASE64 "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

/* Each is of the empty string, by SHA-256. */
static void test_spellings(void **state)
{
    static const char *const texts[] = {"sha256:" HEX, "SHA256:" COLONS, "sha256:" BASE64};
    g_autoptr(GChecksum) empty = g_checksum_new(G_CHECKSUM_SHA256);
    guint8 hash[PIN_LENGTH];
    gsize length = sizeof hash;

    (void)state;
    g_checksum_get_digest(empty, hash, &length);
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        Pin pin = {{0}};
        assert_true(pin_parse(texts[i], &pin, NULL));
        assert_memory_equal(pin.hash, hash, PIN_LENGTH);
    }
}

static void test_what_is_none(void **state)
{
    static const char *const texts[] = {
        "",
        "sha256:",
        HEX,
        "sha1:" HEX,
        "sha256:" HEX "0",
        "sha256:" HEX ":",
        "sha256::" HEX,
        "sha256:g3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8",
        "sha256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
        "sha256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=", /* bits that are no byte's */
        "sha256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=",
        "sha256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU==",
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        Pin pin;
        if (pin_parse(texts[i], &pin, &error))
            fail_msg("\"%s\" was taken", texts[i]);
        assert_true(g_error_matches(error, MAIL_ERROR, EINVAL));
        assert_non_null(strstr(error->message, "openssl x509"));
    }
}

/* Of the certificate, or of its key, which a later certificate may share; of nothing else. */
static void test_matches(void **state)
{
    Identity one = issued_by(NULL, "one", "DNS:mail.example.org");
    Identity other = issued_by(NULL, "one", "DNS:mail.example.org");
    g_autofree char *key = pin_of_key(one.certificate);
    guint8 hash[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    Pin by_key, whole;

    (void)state;
    assert_true(pin_parse(key, &by_key, NULL));
    assert_int_equal(X509_digest(one.certificate, EVP_sha256(), hash, &length), 1);
    assert_int_equal(length, PIN_LENGTH);
    memcpy(whole.hash, hash, PIN_LENGTH);
    assert_true(pin_matches(&by_key, one.certificate));
    assert_true(pin_matches(&whole, one.certificate));
    assert_false(pin_matches(&by_key, other.certificate));
    assert_false(pin_matches(&whole, other.certificate));
    X509_set_pubkey(other.certificate, one.key);
    assert_true(X509_sign(other.certificate, one.key, EVP_sha256()) > 0);
    assert_true(pin_matches(&by_key, other.certificate));
    assert_false(pin_matches(&whole, other.certificate));
    identity_clear(&other);
    identity_clear(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spellings),
        cmocka_unit_test(test_what_is_none),
        cmocka_unit_test(test_matches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
