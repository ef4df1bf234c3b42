#include "outcome.h"

#include "net/quote.h"

#include <errno.h>
#include <string.h>

static const struct {
    const char *code;
    int error;
} codes[] = {
    {"NONEXISTENT", ENOENT},
    {"TRYCREATE", ENOENT},
    {"NOPERM", EACCES},
    {"AUTHENTICATIONFAILED", EACCES},
    {"AUTHORIZATIONFAILED", EACCES},
    {"EXPIRED", EACCES},
    {"PRIVACYREQUIRED", EACCES},
    {"CONTACTADMIN", EACCES},
    {"OVERQUOTA", EDQUOT},
    {"TOOBIG", EFBIG},
    {"ALREADYEXISTS", EEXIST},
    {"HASCHILDREN", ENOTEMPTY},
    {"INUSE", EBUSY},
    {"UNAVAILABLE", EAGAIN},
    {"LIMIT", EAGAIN},
    {"CANNOT", EINVAL},
    {"SERVERBUG", EREMOTEIO},
    {"CORRUPTION", EREMOTEIO},
    {"READ-ONLY", EROFS},
};

bool imap_has_code(const ImapResponse *response, const char *code)
{
    return imap_value_is(imap_value_item(response->code, 0), code);
}

const char *imap_correlator(const ImapResponse *response)
{
    const ImapValue *correlator = imap_value_item(response->values, 0);

    if (strcmp(response->name, "ESEARCH") != 0 ||
        !imap_value_is(imap_value_item(correlator, 0), "TAG"))
        return NULL;
    return imap_value_text(imap_value_item(correlator, 1));
}

GError *imap_outcome(const ImapResponse *response, const char *what)
{
    int error = EREMOTEIO;

    if (strcmp(response->name, "OK") == 0)
        return NULL;
    if (strcmp(response->name, "BAD") == 0)
        error = EPROTO;
    for (size_t i = 0; i < G_N_ELEMENTS(codes); i++)
        if (imap_has_code(response, codes[i].code))
            error = codes[i].error;
    g_autofree char *text = quote_text(response->text ? response->text : "");
    return g_error_new(MAIL_ERROR, error, "%s: the server answered %s: %s", what, response->name,
                       *text ? text : "(no text)");
}

GError *imap_refusal(const ImapResponse *response, const char *what)
{
    GError *error = imap_outcome(response, what);

    if (error && error->code == EREMOTEIO && strcmp(response->name, "NO") == 0 && !response->code)
        error->code = EACCES;
    return error;
}
