#include "outcome.h"

#include "../imapclient/net/quote.h"

#include <errno.h>
#include <string.h>

static const struct {
    const char *code;
    int error;
} codes[] = {
    {"IN-USE", EAGAIN},   {"LOGIN-DELAY", EAGAIN}, {"AUTH", EACCES},
    {"SYS/TEMP", EAGAIN}, {"SYS/PERM", EREMOTEIO},
};

bool pop3_has_code(const Pop3Reply *reply, const char *code)
{
    size_t length = strlen(code);

    return strncmp(reply->code, code, length) == 0 &&
           (reply->code[length] == '\0' || reply->code[length] == '/');
}

GError *pop3_outcome(const Pop3Reply *reply, const char *what)
{
    int error = reply->kind == POP3_CONTINUE ? EPROTO : EREMOTEIO;

    if (reply->kind == POP3_OK)
        return NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(codes); i++)
        if (pop3_has_code(reply, codes[i].code))
            error = codes[i].error;
    g_autofree char *code = quote_text(reply->code);
    g_autofree char *text = quote_text(reply->text);
    return g_error_new(MAIL_ERROR, error, "%s: the server answered %s%s%s%s %s", what,
                       reply->kind == POP3_CONTINUE ? "+" : "-ERR", *code ? " [" : "", code,
                       *code ? "]" : "", *text ? text : "(no text)");
}

bool pop3_is_in_use(const Pop3Reply *reply)
{
    static const char *const words[] = {
        "in use", "lock", "busy", "another session", "another pop3", "already open",
    };
    g_autofree char *text = g_ascii_strdown(reply->text, -1);

    if (reply->kind != POP3_ERR)
        return false;
    if (*reply->code)
        return pop3_has_code(reply, "IN-USE");
    /* "account locked": that is the user, and it is no use to come again. */
    if (strstr(text, "account") || strstr(text, "user is locked"))
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
        if (strstr(text, words[i]))
            return true;
    return false;
}
