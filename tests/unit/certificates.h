/*
 * certificates.h: certificates made on the spot, for the tests of TLS. Each test program has its
 * own temporary folder for their files, which certificates_clean removes.
 */
#pragma once

#include <glib.h>
#include <glib/gstdio.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

enum { HOUR = 3600, DAY = 24 * HOUR };

typedef struct {
    X509 *certificate;
    EVP_PKEY *key;
} Identity;

typedef struct {
    const char *common_name;
    const char *alternatives; /* "DNS:a.example,IP:127.0.0.1"; NULL: none */
    const Identity *issuer;   /* NULL: self-signed */
    long from;                /* seconds from now */
    long until;
    gboolean authority;
} IdentityRequest;

static char *certificates_folder;

static inline char *certificates_path(const char *name)
{
    if (!certificates_folder)
        certificates_folder = g_dir_make_tmp("pullmail-test-XXXXXX", NULL);
    g_assert_nonnull(certificates_folder);
    return g_build_filename(certificates_folder, name, NULL);
}

static inline void certificates_clean(void)
{
    const char *name;
    GDir *folder = certificates_folder ? g_dir_open(certificates_folder, 0, NULL) : NULL;
    while (folder && (name = g_dir_read_name(folder))) {
        g_autofree char *path = g_build_filename(certificates_folder, name, NULL);
        unlink(path);
    }
    if (folder)
        g_dir_close(folder);
    if (certificates_folder)
        g_rmdir(certificates_folder);
    g_clear_pointer(&certificates_folder, g_free);
}

static inline void add_extension(X509 *certificate, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    g_assert_nonnull(extension);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

static inline Identity identity_new(const IdentityRequest *request)
{
    static long serial = 1;
    Identity identity = {X509_new(), EVP_EC_gen("P-256")};
    X509 *x = identity.certificate;
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
    X509_gmtime_adj(X509_getm_notBefore(x), request->from);
    X509_gmtime_adj(X509_getm_notAfter(x), request->until);
    X509_set_pubkey(x, identity.key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                               (const unsigned char *)request->common_name, -1, -1, 0);
    X509_set_issuer_name(x,
                         X509_get_subject_name(request->issuer ? request->issuer->certificate : x));
    add_extension(x, NID_basic_constraints, request->authority ? "critical,CA:TRUE" : "CA:FALSE");
    if (request->alternatives)
        add_extension(x, NID_subject_alt_name, request->alternatives);
    g_assert_cmpint(
        X509_sign(x, request->issuer ? request->issuer->key : identity.key, EVP_sha256()), >, 0);
    return identity;
}

static inline void identity_clear(Identity *identity)
{
    X509_free(identity->certificate);
    EVP_PKEY_free(identity->key);
    *identity = (Identity){0};
}

/* An authority, and what it (or, with issuer NULL, nobody) issues for a day. */
static inline Identity authority_new(const char *name)
{
    return identity_new(&(IdentityRequest){name, NULL, NULL, -HOUR, DAY, TRUE});
}

static inline Identity issued_by(const Identity *issuer, const char *name, const char *alternatives)
{
    return identity_new(&(IdentityRequest){name, alternatives, issuer, -HOUR, DAY, FALSE});
}

/* Writes the certificate, or the key (encrypted with passphrase), or both, as PEM. */
static inline char *write_pem(const char *name, const Identity *identity, gboolean certificate,
                              gboolean key, const char *passphrase)
{
    char *path = certificates_path(name);
    FILE *file = fopen(path, "we");
    g_assert_nonnull(file);
    if (certificate)
        PEM_write_X509(file, identity->certificate);
    if (key)
        PEM_write_PrivateKey(file, identity->key, passphrase ? EVP_aes_128_cbc() : NULL, NULL, 0,
                             NULL, (void *)passphrase);
    fclose(file);
    return path;
}

/* A server's context that shows identity. */
static inline SSL_CTX *server_context(const Identity *identity)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    g_assert_nonnull(context);
    g_assert_cmpint(SSL_CTX_use_certificate(context, identity->certificate), ==, 1);
    g_assert_cmpint(SSL_CTX_use_PrivateKey(context, identity->key), ==, 1);
    return context;
}
