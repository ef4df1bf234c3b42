#include "sasl_scram.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

enum {
    /* Rounds of the hash: about half a second, in which no other connection is served. Servers
     * ask for 4,096 up to some hundred thousand. */
    MOST_ROUNDS = 1000000,
    LONGEST_TEXT = 100, /* bytes of the server's error */
};

typedef struct {
    const EVP_MD *digest;
    const char *salt; /* base64, the session's */
    int rounds;
} Derivation;

static bool read_derivation(Gsasl_session *session, const char *mechanism, Derivation *derivation,
                            GError **error)
{
    const char *rounds = gsasl_property_fast(session, GSASL_SCRAM_ITER);
    guint64 number;
    derivation->digest = g_str_has_prefix(mechanism, "SCRAM-SHA-256") ? EVP_sha256() : EVP_sha1();
    derivation->salt = gsasl_property_fast(session, GSASL_SCRAM_SALT);
    if (!rounds || !derivation->salt ||
        !g_ascii_string_to_unsigned(rounds, 10, 1, MOST_ROUNDS, &number, NULL)) {
        g_set_error(error, MAIL_ERROR, EPROTO,
                    "the login by %s failed: the server asks for %s rounds of hashing, and %d are "
                    "the most; choose another with auth=",
                    mechanism, rounds ? rounds : "no", MOST_ROUNDS);
        return false;
    }
    derivation->rounds = (int)number;
    return true;
}

static bool is_ascii(const Secret *password)
{
    for (size_t i = 0; i < secret_length(password); i++)
        if (!g_ascii_isprint(secret_text(password)[i]))
            return false;
    return true;
}

Secret *scram_prepare_password(const Secret *password)
{
    char *text = NULL;
    if (is_ascii(password) || gsasl_saslprep(secret_text(password), 0, &text, NULL) != GSASL_OK)
        return secret_copy(password);
    Secret *prepared = secret_new(text, -1);
    secret_wipe(text, strlen(text));
    gsasl_free(text);
    return prepared;
}

static bool derive(const Derivation *derivation, const Secret *password, uint8_t *key)
{
    char *salt = NULL;
    size_t length = 0;
    if (gsasl_base64_from(derivation->salt, strlen(derivation->salt), &salt, &length) != GSASL_OK)
        return false;
    g_autoptr(Secret) prepared = scram_prepare_password(password);
    int status = PKCS5_PBKDF2_HMAC(secret_text(prepared), (int)secret_length(prepared),
                                   (const uint8_t *)salt, (int)length, derivation->rounds,
                                   derivation->digest, EVP_MD_get_size(derivation->digest), key);
    gsasl_free(salt);
    return status == 1;
}

static int give_as_hex(Gsasl_session *session, const uint8_t *key, int size)
{
    char text[2 * EVP_MAX_MD_SIZE + 1];
    for (size_t i = 0; i < (size_t)size; i++)
        g_snprintf(text + 2 * i, 3, "%02x", key[i]);
    int status = gsasl_property_set(session, GSASL_SCRAM_SALTED_PASSWORD, text);
    secret_wipe(text, sizeof(text));
    return status;
}

int scram_give_salted_password(Gsasl_session *session, const char *mechanism,
                               const Secret *password, GError **error)
{
    Derivation derivation;
    uint8_t key[EVP_MAX_MD_SIZE];
    if (!read_derivation(session, mechanism, &derivation, error))
        return GSASL_AUTHENTICATION_ERROR;
    if (!derive(&derivation, password, key)) {
        g_set_error(error, MAIL_ERROR, EPROTO, "the login by %s failed: the server's salt is wrong",
                    mechanism);
        return GSASL_AUTHENTICATION_ERROR;
    }
    int status = give_as_hex(session, key, EVP_MD_get_size(derivation.digest));
    secret_wipe(key, sizeof(key));
    return status;
}

char *scram_failure_text(const char *message, size_t length)
{
    if (length < 3 || memcmp(message, "e=", 2) != 0)
        return NULL;
    char *text = g_utf8_make_valid(message + 2, (gssize)MIN(length - 2, LONGEST_TEXT));
    for (char *c = text; *c; c++)
        if (g_ascii_iscntrl(*c))
            *c = ' ';
    return text;
}
