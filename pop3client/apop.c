#include "apop.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

static bool is_timestamp(const char *text, size_t length)
{
    const char *at = memchr(text, '@', length);

    for (size_t i = 0; i < length; i++)
        if (!g_ascii_isgraph(text[i]) || (i > 0 && text[i] == '<'))
            return false;
    return at && at > text + 1 && at < text + length - 2;
}

/* The timestamp in a greeting, or NULL. */
static const char *find_timestamp(const char *greeting, size_t *length)
{
    const char *start = strchr(greeting, '<');
    const char *end = start ? strchr(start, '>') : NULL;

    if (!end)
        return NULL;
    *length = (size_t)(end - start) + 1;
    return is_timestamp(start, *length) ? start : NULL;
}

static bool digest_of(const char *timestamp, size_t length, const Secret *password,
                      uint8_t digest[EVP_MAX_MD_SIZE], unsigned *size)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool fine = context && EVP_DigestInit_ex(context, EVP_md5(), NULL) == 1 &&
                EVP_DigestUpdate(context, timestamp, length) == 1 &&
                EVP_DigestUpdate(context, secret_text(password), secret_length(password)) == 1 &&
                EVP_DigestFinal_ex(context, digest, size) == 1;

    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return fine;
}

char *apop_argument(const char *greeting, const char *user, const Secret *password, GError **error)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    size_t length = 0;
    const char *timestamp = find_timestamp(greeting, &length);

    if (!timestamp || !digest_of(timestamp, length, password, digest, &size)) {
        g_set_error_literal(error, MAIL_ERROR, EACCES,
                            timestamp ? "can't log in by APOP: OpenSSL has no MD5 here"
                                      : "can't log in by APOP: the server's greeting has no "
                                        "timestamp for it");
        return NULL;
    }
    GString *argument = g_string_new(user);
    g_string_append_c(argument, ' ');
    for (unsigned i = 0; i < size; i++)
        g_string_append_printf(argument, "%02x", digest[i]);
    return g_string_free(argument, FALSE);
}
