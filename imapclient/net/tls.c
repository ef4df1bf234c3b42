#include "tls.h"
#include "tls_private.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <unistd.h>

/*
 * session is the newest resumable session that a server gave, and is tried only with the host that
 * it was verified for, since a resumed handshake shows no certificate. A pin is set before any.
 */
struct TlsPolicy {
    gatomicrefcount references;
    SSL_CTX *context;
    SSL_SESSION *session;
    char *session_host;
    Pin pin; /* for verify_pin, where that is set */
};

static void forget_session(TlsPolicy *policy)
{
    g_clear_pointer(&policy->session, SSL_SESSION_free);
    g_clear_pointer(&policy->session_host, g_free);
}

/* The name or address that ssl verifies the server's certificate for. */
static char *expected_host(SSL *ssl)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    const char *name = X509_VERIFY_PARAM_get0_host(param, 0);
    if (name)
        return g_strdup(name);
    char *address = X509_VERIFY_PARAM_get1_ip_asc(param);
    char *copy = g_strdup(address);
    OPENSSL_free(address);
    return copy;
}

/* OpenSSL's new_session_cb: 1 means that the reference to the session is kept. */
static int remember_session(SSL *ssl, SSL_SESSION *session)
{
    TlsPolicy *policy = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    forget_session(policy);
    policy->session = session;
    policy->session_host = expected_host(ssl);
    return 1;
}

static void resume_session(TlsPolicy *policy, SSL *ssl)
{
    if (!policy->session)
        return;
    g_autofree char *host = expected_host(ssl);
    /* A session that OpenSSL does not take costs no more than the full handshake. */
    if (g_strcmp0(policy->session_host, host) == 0 && SSL_set_session(ssl, policy->session) != 1)
        ERR_clear_error();
}

void tls_forget_session(SSL *ssl)
{
    TlsPolicy *policy = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if (policy)
        forget_session(policy);
}

/* An encrypted key would make OpenSSL ask on the terminal, in the middle of a daemon's start. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the signature is OpenSSL's */
static int no_passphrase(char *buffer, int size, int writing, void *data)
{
    (void)buffer;
    (void)size;
    (void)writing;
    *(bool *)data = true;
    return -1;
}

static bool fail_with_openssl(const char *option, const char *file, const char *hint,
                              GError **error)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    g_set_error(error, MAIL_ERROR, EINVAL, "%s=%s: %s; %s", option, file,
                reason ? reason : "not usable", hint);
    ERR_clear_error();
    return false;
}

static bool check_readable(const char *option, const char *file, GError **error)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        int code = errno;
        g_set_error(error, MAIL_ERROR, code, "%s=%s can't be read: %s", option, file,
                    g_strerror(code));
        return false;
    }
    close(fd);
    return true;
}

static bool load_authorities(SSL_CTX *context, const char *cafile, GError **error)
{
    /* A system without a store is no failure: cafile may be all that the user wants to trust. */
    if (SSL_CTX_set_default_verify_paths(context) != 1)
        ERR_clear_error();
    if (!cafile)
        return true;
    if (!check_readable("cafile", cafile, error))
        return false;
    if (SSL_CTX_load_verify_file(context, cafile) != 1)
        return fail_with_openssl("cafile", cafile, "it must hold certificates in PEM form", error);
    return true;
}

static bool load_key(SSL_CTX *context, const char *cert, const char *key, GError **error)
{
    const char *option = key ? "key" : "cert";
    const char *file = key ? key : cert;
    bool encrypted = false;
    if (!check_readable(option, file, error))
        return false;
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(context, &encrypted);
    bool loaded = SSL_CTX_use_PrivateKey_file(context, file, SSL_FILETYPE_PEM) == 1;
    SSL_CTX_set_default_passwd_cb_userdata(context, NULL);
    SSL_CTX_set_default_passwd_cb(context, NULL);
    if (loaded && SSL_CTX_check_private_key(context) == 1)
        return true;
    if (encrypted)
        return fail_with_openssl(option, file,
                                 "the key has a passphrase, which nobody can be asked for later: "
                                 "store it without one, in a file of mode 0600",
                                 error);
    return fail_with_openssl(option, file,
                             key ? "it must hold the private key, in PEM form, of cert="
                                 : "it must hold the private key too, or key= must name its file",
                             error);
}

static bool load_client_certificate(SSL_CTX *context, const char *cert, const char *key,
                                    GError **error)
{
    if (!cert && !key)
        return true;
    if (!cert) {
        g_set_error(error, MAIL_ERROR, EINVAL, "key=%s needs cert=FILE, its certificate", key);
        return false;
    }
    if (!check_readable("cert", cert, error))
        return false;
    if (SSL_CTX_use_certificate_chain_file(context, cert) != 1)
        return fail_with_openssl("cert", cert, "it must hold a certificate in PEM form", error);
    return load_key(context, cert, key, error);
}

static void set_rules(TlsPolicy *policy)
{
    SSL_CTX *context = policy->context;
    SSL_CTX_set_app_data(context, policy);
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    /* An end without close_notify may be an attacker's cut: it has to be seen. */
    SSL_CTX_clear_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    /* So that cafile= may name the server's own certificate, whoever issued it. */
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, remember_session);
}

TlsPolicy *tls_policy_new(const char *cafile, const char *cert, const char *key, GError **error)
{
    ERR_clear_error();
    g_autoptr(TlsPolicy) policy = g_new0(TlsPolicy, 1);
    g_atomic_ref_count_init(&policy->references);
    policy->context = SSL_CTX_new(TLS_client_method());
    if (!policy->context) {
        g_set_error_literal(error, MAIL_ERROR, ENOMEM, "OpenSSL can't be set up for TLS");
        ERR_clear_error();
        return NULL;
    }
    set_rules(policy);
    if (!load_authorities(policy->context, cafile, error) ||
        !load_client_certificate(policy->context, cert, key, error))
        return NULL;
    return g_steal_pointer(&policy);
}

/* OpenSSL's cert_verify_callback: in place of the chain, and of the name. */
static int verify_pin(X509_STORE_CTX *verification, void *data)
{
    const TlsPolicy *policy = data;
    X509 *certificate = X509_STORE_CTX_get0_cert(verification);
    bool matches = certificate && pin_matches(&policy->pin, certificate);

    X509_STORE_CTX_set_error(verification, matches ? X509_V_OK : TLS_NOT_THE_PINNED_ONE);
    return matches;
}

void tls_policy_pin(TlsPolicy *policy, const Pin *pin)
{
    policy->pin = *pin;
    SSL_CTX_set_cert_verify_callback(policy->context, verify_pin, policy);
}

TlsPolicy *tls_policy_ref(TlsPolicy *policy)
{
    g_atomic_ref_count_inc(&policy->references);
    return policy;
}

void tls_policy_unref(TlsPolicy *policy)
{
    if (!policy || !g_atomic_ref_count_dec(&policy->references))
        return;
    forget_session(policy);
    SSL_CTX_free(policy->context);
    g_free(policy);
}

/* The name as certificates and SNI have it: ASCII, without the root's dot at the end. */
static char *certificate_name(const char *host)
{
    char *name = g_hostname_to_ascii(host);
    size_t length = name ? strlen(name) : 0;
    if (length > 1 && name[length - 1] == '.')
        name[length - 1] = '\0';
    return name;
}

static bool expect_host(SSL *ssl, const char *host)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    if (g_hostname_is_ip_address(host))
        return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
    g_autofree char *name = certificate_name(host);
    /* The subject's common name is no host name any more (RFC 9525 section 2). */
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return name && *name && X509_VERIFY_PARAM_set1_host(param, name, 0) == 1 &&
           SSL_set_tlsext_host_name(ssl, name) == 1;
}

SSL *tls_session_new(TlsPolicy *policy, const char *host, GError **error)
{
    ERR_clear_error();
    SSL *ssl = SSL_new(policy->context);
    if (!ssl || !expect_host(ssl, host)) {
        g_set_error(error, MAIL_ERROR, EINVAL, "\"%s\" is no host name that TLS could verify",
                    host);
        ERR_clear_error();
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_connect_state(ssl);
    resume_session(policy, ssl);
    return ssl;
}
