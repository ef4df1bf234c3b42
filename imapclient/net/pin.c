#include "pin.h"

#include "../../cache/mail.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <string.h>

#define SCHEME "sha256:"

enum { BASE64_LENGTH = 44 };

static bool read_hex(const char *text, Pin *pin)
{
    for (size_t i = 0; i < PIN_LENGTH; i++) {
        if (i > 0 && *text == ':')
            text++;
        if (!g_ascii_isxdigit(text[0]) || !g_ascii_isxdigit(text[1]))
            return false;
        pin->hash[i] = (uint8_t)(g_ascii_xdigit_value(text[0]) * 16 +
                                 g_ascii_xdigit_value(text[1]));
        text += 2;
    }
    return !*text;
}

static bool read_base64(const char *text, Pin *pin)
{
    gsize length = 0;

    /* GLib passes over what is no base64: only what comes out the same again was all of it. */
    if (strlen(text) != BASE64_LENGTH)
        return false;
    g_autofree guchar *bytes = g_base64_decode(text, &length);
    if (length != PIN_LENGTH)
        return false;
    g_autofree char *again = g_base64_encode(bytes, length);
    if (strcmp(again, text) != 0)
        return false;
    memcpy(pin->hash, bytes, PIN_LENGTH);
    return true;
}

bool pin_parse(const char *text, Pin *pin, GError **error)
{
    size_t scheme = strlen(SCHEME);

    if (g_ascii_strncasecmp(text, SCHEME, scheme) == 0 &&
        (read_hex(text + scheme, pin) || read_base64(text + scheme, pin)))
        return true;
    g_set_error(error, MAIL_ERROR, EINVAL,
                "bad option 'pin=%s': it is " SCHEME " and the fingerprint of the server's "
                "certificate, as 'openssl x509 -noout -fingerprint -sha256' prints it, or that of "
                "its public key; in hexadecimal or base64",
                text);
    return false;
}

/* The SHA-256 of what OpenSSL has encoded as DER, which is freed. */
static bool hash_der(unsigned char *der, int length, Pin *hash)
{
    bool made = length > 0 && SHA256(der, (size_t)length, hash->hash) != NULL;

    OPENSSL_free(der);
    ERR_clear_error();
    return made;
}

static bool hash_certificate(X509 *certificate, Pin *hash)
{
    unsigned char *der = NULL;
    int length = i2d_X509(certificate, &der);

    return hash_der(der, length, hash);
}

static bool hash_key(X509 *certificate, Pin *hash)
{
    unsigned char *der = NULL;
    int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);

    return hash_der(der, length, hash);
}

bool pin_matches(const Pin *pin, X509 *certificate)
{
    Pin hash;

    return (hash_certificate(certificate, &hash) &&
            CRYPTO_memcmp(hash.hash, pin->hash, PIN_LENGTH) == 0) ||
           (hash_key(certificate, &hash) && CRYPTO_memcmp(hash.hash, pin->hash, PIN_LENGTH) == 0);
}

char *pin_of_key(X509 *certificate)
{
    GString *text = g_string_new(SCHEME);
    Pin hash;

    if (!hash_key(certificate, &hash)) {
        g_string_free(text, TRUE);
        return NULL;
    }
    for (size_t i = 0; i < PIN_LENGTH; i++)
        g_string_append_printf(text, "%02x", hash.hash[i]);
    return g_string_free(text, FALSE);
}
