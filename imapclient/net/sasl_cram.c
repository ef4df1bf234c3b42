#include "sasl_cram.h"
#include "sasl_scram.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <string.h>

enum { DIGEST_LENGTH = 16 };

/* As SASLprep has it; where it forbids the name, the name as it is. */
static char *prepare_name(const char *user)
{
    char *prepared = NULL;
    if (gsasl_saslprep(user, GSASL_ALLOW_UNASSIGNED, &prepared, NULL) != GSASL_OK)
        return g_strdup(user);
    char *copy = g_strdup(prepared);
    gsasl_free(prepared);
    return copy;
}

Secret *cram_md5_answer(const SaslContext *context, const char *challenge, size_t length,
                        GError **error)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    g_autoptr(Secret) key = scram_prepare_password(context->password);
    if (!HMAC(EVP_md5(), secret_text(key), (int)secret_length(key), (const uint8_t *)challenge,
              length, digest, NULL)) {
        ERR_clear_error();
        g_set_error_literal(error, MAIL_ERROR, EACCES,
                            "can't log in by CRAM-MD5: OpenSSL has no MD5 here; choose another "
                            "with auth=");
        return NULL;
    }
    g_autofree char *name = prepare_name(context->user);
    GString *answer = g_string_new(name);
    g_string_append_c(answer, ' ');
    for (int i = 0; i < DIGEST_LENGTH; i++)
        g_string_append_printf(answer, "%02x", digest[i]);
    Secret *secret = secret_new(answer->str, (gssize)answer->len);
    g_string_free(answer, TRUE);
    return secret;
}
