#include "account.h"

#include "../imapclient/net/tls.h"
#include "../imapclient/store.h"
#include "../pop3client/store.h"
#include "passwords.h"

static const char *auth_of(const Options *options)
{
    return options->auth ? options->auth : options->url.auth;
}

static MailStore *imap_account(const Options *options, const Credentials *credentials,
                               TlsPolicy *tls, SecretSource *source)
{
    static const ImapCompress compress[] = {
        [COMPRESS_AUTO] = IMAP_COMPRESS_AUTO,
        [COMPRESS_ON] = IMAP_COMPRESS_ON,
        [COMPRESS_OFF] = IMAP_COMPRESS_OFF,
    };
    ImapConfig config = {
        .host = options->url.host,
        .port = options->url.port,
        .tls = tls,
        .implicit_tls = options->url.tls,
        .clear = !options->url.tls && options->tls == TLS_OFF,
        .client_cert = options->cert != NULL,
        .user = credentials->user,
        .password = credentials->password,
        .auth = auth_of(options),
        .read_only = options->read_only,
        .connections = options->connections,
        .timeout = options->timeout,
        .compress = compress[options->compress],
        .trace = options->protocol,
        .stand_in = g_random_int() | 1,
        .never = options->offline == OFFLINE_ALWAYS,
        .source = source,
    };

    return imap_store_new(&config);
}

static MailStore *pop3_account(const Options *options, const Credentials *credentials,
                               TlsPolicy *tls, SecretSource *source)
{
    Pop3Config config = {
        .host = options->url.host,
        .port = options->url.port,
        .tls = tls,
        .implicit_tls = options->url.tls,
        .clear = !options->url.tls && options->tls == TLS_OFF,
        .client_cert = options->cert != NULL,
        .user = credentials->user,
        .password = credentials->password,
        .auth = auth_of(options),
        .read_only = options->read_only,
        .timeout = options->timeout,
        .idle = options->idle,
        .trace = options->protocol,
        .never = options->offline == OFFLINE_ALWAYS,
        .source = source,
    };

    return pop3_store_new(&config);
}

MailStore *account_store(const Options *options, const Credentials *credentials, GError **error)
{
    g_autoptr(TlsPolicy) tls = tls_policy_new(options->cafile, options->cert, options->key, error);
    SecretSource *source;
    MailStore *store;

    if (!tls)
        return NULL;
    if (options->pin)
        tls_policy_pin(tls, options->pin);
    source = passwords_new(options, credentials);
    store = options->url.protocol == URL_IMAP ? imap_account(options, credentials, tls, source)
                                              : pop3_account(options, credentials, tls, source);
    if (source)
        secret_source_unref(source);
    return store;
}

char *account_key(const Options *options, const Credentials *credentials)
{
    static const char *const schemes[2][2] = {{"imap", "imaps"}, {"pop3", "pop3s"}};
    const Url *url = &options->url;

    return g_strdup_printf("%s://%s@%s:%u", schemes[url->protocol][url->tls], credentials->user,
                           url->host, url->port);
}
