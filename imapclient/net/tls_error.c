#include "tls_private.h"

#include <errno.h>
#include <gio/gio.h>
#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <openssl/x509v3.h>
#include <string.h>

enum { NAMES_TOLD = 3 };

/* The certificate that the server showed. A refused one is only in the chain. */
static X509 *server_certificate(SSL *ssl)
{
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
    return chain && sk_X509_num(chain) > 0 ? sk_X509_value(chain, 0)
                                           : SSL_get0_peer_certificate(ssl);
}

/* Text of a certificate in a message for a terminal: no control characters, no endless line. */
static char *printable(const char *text, size_t length)
{
    char *copy = g_utf8_make_valid(text, (gssize)MIN(length, 200));
    for (char *c = copy; *c; c++)
        if (g_ascii_iscntrl(*c))
            *c = '?';
    return copy;
}

/* One name of the certificate as text, NULL for kinds that are no host. */
static char *host_of(const GENERAL_NAME *name)
{
    int type;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
    if (type == GEN_DNS)
        return printable((const char *)ASN1_STRING_get0_data(value),
                         (size_t)ASN1_STRING_length(value));
    int length = type == GEN_IPADD ? ASN1_STRING_length(value) : 0;
    if (length != 4 && length != 16)
        return NULL;
    g_autoptr(GInetAddress) address = g_inet_address_new_from_bytes(
        ASN1_STRING_get0_data(value), length == 4 ? G_SOCKET_FAMILY_IPV4 : G_SOCKET_FAMILY_IPV6);
    return g_inet_address_to_string(address);
}

/* "a.example, b.example, …" */
static char *certificate_hosts(X509 *certificate)
{
    GENERAL_NAMES *names = certificate
                               ? X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL)
                               : NULL;
    GString *list = g_string_new(NULL);
    int told = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        g_autofree char *host = host_of(sk_GENERAL_NAME_value(names, i));
        if (!host)
            continue;
        if (told++ == NAMES_TOLD) {
            g_string_append(list, ", …");
            break;
        }
        g_string_append_printf(list, "%s%s", list->len > 0 ? ", " : "", host);
    }
    GENERAL_NAMES_free(names);
    if (list->len == 0)
        g_string_append(list, "no host at all (it has no subjectAltName)");
    return g_string_free(list, FALSE);
}

/* "2026-11-22", or "an unknown day". */
static char *day_of(const ASN1_TIME *time)
{
    struct tm tm;
    if (!time || ASN1_TIME_to_tm(time, &tm) != 1)
        return g_strdup("an unknown day");
    return g_strdup_printf("%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}

static char *issuer_of(X509 *certificate)
{
    char name[256] = "";
    if (certificate)
        X509_NAME_oneline(X509_get_issuer_name(certificate), name, sizeof(name));
    return *name ? printable(name, strlen(name)) : g_strdup("unknown");
}

static char *expired_text(X509 *certificate)
{
    if (!certificate || X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0)
        return g_strdup("the certificate of the authority behind the server's has expired; the "
                        "server's administrator, or the authorities on this machine, must be "
                        "brought up to date");
    g_autofree char *day = day_of(X509_get0_notAfter(certificate));
    return g_strdup_printf("the server's certificate has expired on %s; its administrator must "
                           "renew it (or is this machine's clock wrong?)",
                           day);
}

static char *not_yet_text(X509 *certificate)
{
    g_autofree char *day = day_of(certificate ? X509_get0_notBefore(certificate) : NULL);
    return g_strdup_printf("the server's certificate is not valid before %s; is this machine's "
                           "clock right?",
                           day);
}

static char *name_text(X509 *certificate, const char *host)
{
    g_autofree char *hosts = certificate_hosts(certificate);
    return g_strdup_printf("the server's certificate is for %s, not for %s; mount it by a name "
                           "that the certificate has",
                           hosts, host);
}

static char *issuer_text(X509 *certificate)
{
    g_autofree char *issuer = issuer_of(certificate);
    return g_strdup_printf("the server's certificate is issued by %s, which this machine does not "
                           "trust; give that authority's certificate with cafile=FILE if you "
                           "trust it",
                           issuer);
}

/* ", or its key with pin=sha256:…", so that a user can compare. */
static char *pin_hint(X509 *certificate)
{
    g_autofree char *pin = certificate ? pin_of_key(certificate) : NULL;

    return pin ? g_strdup_printf(", or its key with pin=%s", pin) : g_strdup("");
}

static char *self_signed_text(X509 *certificate)
{
    g_autofree char *hint = pin_hint(certificate);

    return g_strdup_printf("the server's certificate is self-signed; give it with cafile=FILE%s, "
                           "if you trust it: its owner can tell its fingerprint",
                           hint);
}

static char *pin_text(X509 *certificate)
{
    g_autofree char *hint = pin_hint(certificate);

    return g_strdup_printf(
        "the server's certificate is not the one that pin= names; somebody else "
        "may have answered. If its owner says that it has a new one, give that%s",
        hint);
}

/* What is wrong with the certificate, for X509_V_ERR code. */
static char *verify_text(long code, X509 *certificate, const char *host)
{
    switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return expired_text(certificate);
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return not_yet_text(certificate);
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return name_text(certificate, host);
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return self_signed_text(certificate);
    case TLS_NOT_THE_PINNED_ONE:
        return pin_text(certificate);
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return issuer_text(certificate);
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK:
        return g_strdup_printf("the server's certificate is too weak (%s); its administrator must "
                               "renew it",
                               X509_verify_cert_error_string(code));
    default:
        return g_strdup_printf("the server's certificate is not accepted: %s",
                               X509_verify_cert_error_string(code));
    }
}

/* What OpenSSL's reason code means to a user, NULL where its own text says it. */
static const char *reason_text(int reason)
{
    switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_HTTP_REQUEST:
        return "the server does not speak TLS on this port; is it imap:// (or pop3://), where TLS "
               "begins with STARTTLS?";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        return "the server has no version of TLS from 1.2 on, and older ones are not safe";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        return "the server wants a client certificate; give one with cert=FILE";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
        return "the server does not accept the client certificate; is cert= the right one?";
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
        return "the server refused the handshake: it shares no cipher with OpenSSL's secure ones, "
               "or wants a client certificate (cert=FILE)";
    default:
        return NULL;
    }
}

GError *tls_handshake_error(SSL *ssl, const char *host)
{
    unsigned long code = ERR_peek_error();
    long verified = SSL_get_verify_result(ssl);
    GError *error;
    tls_forget_session(ssl);
    if (verified != X509_V_OK) {
        g_autofree char *text = verify_text(verified, server_certificate(ssl), host);
        error = g_error_new_literal(MAIL_ERROR, EKEYREJECTED, text);
    } else {
        const char *text = ERR_GET_LIB(code) == ERR_LIB_SSL ? reason_text(ERR_GET_REASON(code))
                                                            : NULL;
        const char *own = ERR_reason_error_string(code);
        error = g_error_new(MAIL_ERROR, EPROTO, "TLS failed: %s",
                            text ? text : (own ? own : "the connection broke"));
    }
    ERR_clear_error();
    return error;
}
